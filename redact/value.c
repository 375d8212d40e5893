/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/value.h"

#include <string.h>

#include "redact/chars.h"
#include "redact/redact.h"

static const char *const PLAIN_WORDS[] = {
    "null",    "none",	  "true",     "false",	    "undefined", "required", "optional", "string",
    "number",  "boolean", "object",   "default",    "enabled",	 "disabled", "unknown",	 "invalid",
    "missing", "expired", "hidden",   "masked",	    "redacted",	 "secret",   "password", "token",
    "empty",   "unset",	  "changeme", "change-me",  "change_me", "example",  "(none)",	 "inherit",
    "todo",    "integer", "omitted",  "revoked",    "filtered",	 "removed",  "provided", "present",
    "absent",  "valid",	  "username", "passphrase",
};

static const char *const PLACEHOLDER_PARTS[] = {
    "your-",	 "your_",	"yourpassw", "yourtoken", "yoursecret", "yourapi", "changeme",
    "change-me", "placeholder", "example",   "dummy",	  "replace",	"insert-", "insert_",
    "-here",	 "_here",	"xxxx",	     "my-token",  "my_token",	"mytoken",
};

static const char *const SECRET_WORDS[] = {"passw", "token", "secret", "key",
					   "cred",  "auth",  "cookie", "passphrase"};

static bool has_part(const char *value, size_t len, const char *lower)
{
	for (size_t i = 0; i < len; i++)
		if (st_text_begins(value + i, len - i, lower))
			return true;
	return false;
}

#define HAS_ANY(value, len, list) has_any((value), (len), (list), sizeof(list) / sizeof(list)[0])

#define PART_LOOK_MAX 96 /* bytes; no placeholder is longer */

static bool has_any(const char *value, size_t len, const char *const *list, size_t n)
{
	if (len > PART_LOOK_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (has_part(value, len, list[i]))
			return true;
	return false;
}

static bool is_plain_word(const char *value, size_t len)
{
	for (size_t i = 0; i < sizeof PLAIN_WORDS / sizeof PLAIN_WORDS[0]; i++)
		if (st_text_is(value, len, PLAIN_WORDS[i]))
			return true;
	return false;
}

static bool all_same(const char *value, size_t len)
{
	for (size_t i = 1; i < len; i++)
		if (value[i] != value[0])
			return false;
	return true;
}

static bool all_in(const char *value, size_t len, enum st_alphabet alphabet)
{
	for (size_t i = 0; i < len; i++)
		if (!st_alphabet_has(alphabet, value[i]))
			return false;
	return len > 0;
}

static bool has_digit(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (st_char_is_digit(value[i]))
			return true;
	return false;
}

static bool all_letters(const char *value, size_t len)
{
	return all_in(value, len, ST_ALPHABET_WORD) && !has_digit(value, len);
}

/* "$NAME", "${NAME}", "$(command)", "{{ name }}", "%NAME%": filled in somewhere else. */
static bool is_reference(const char *value, size_t len)
{
	if (value[0] == '$')
		return value[1] == '{' || value[1] == '(' ||
		       all_in(value + 1, len - 1, ST_ALPHABET_WORD);
	if (value[0] == '{')
		return value[len - 1] == '}' || value[1] == '{';
	return value[0] == '%' && value[len - 1] == '%' &&
	       all_in(value + 1, len - 2, ST_ALPHABET_WORD);
}

/* "<your token>"; what stood in it may be a marker by now. */
static bool is_angled(const char *value)
{
	return value[0] == '<' && (st_char_is_alpha(value[1]) || value[1] == '[');
}

bool st_value_is_placeholder(const char *value, size_t len)
{
	if (len < 2)
		return false;
	if (st_redact_marker_len(value, len) == len || is_reference(value, len) ||
	    all_same(value, len))
		return true;
	char first = value[0], last = value[len - 1];
	if (is_angled(value) || (first == '<' && last == '>'))
		return true;
	if ((first == '[' && last == ']') || (first == '(' && last == ')'))
		return all_letters(value + 1, len - 2);
	return len >= 3 && (memcmp(value, "***", 3) == 0 || memcmp(value, "...", 3) == 0);
}

static bool is_uuid(const char *value, size_t len)
{
	if (len != 36)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		char c = st_char_lower(value[i]);
		if (dash ? c != '-' : !st_alphabet_has(ST_ALPHABET_HEX_LOWER, c))
			return false;
	}
	return true;
}

static bool looks_random(const char *value, size_t len)
{
	if (len < 16 || !has_digit(value, len) || is_uuid(value, len))
		return false;
	size_t letters = 0;
	for (size_t i = 0; i < len; i++) {
		letters += st_char_is_alpha(value[i]);
		if ((unsigned char)value[i] <= ' ')
			return false;
	}
	return letters >= 4;
}

/* "a.b->c::d" at the beginning of value; returns its length. *joined: it has more than one name. */
static size_t chain_len(const char *value, size_t len, bool *joined)
{
	size_t i = 0;
	*joined = false;
	while (i < len) {
		if (st_char_is_alpha(value[i]) || value[i] == '_') {
			i++;
		} else if (i > 0 && i + 1 < len &&
			   (value[i] == '.' || (value[i] == '-' && value[i + 1] == '>') ||
			    (value[i] == ':' && value[i + 1] == ':'))) {
			*joined = true;
			i += value[i] == '.' ? 1 : 2;
		} else {
			break;
		}
	}
	return i;
}

static const char *const CODE_HEADS[] = {
    "self.", "this.", "process.", "os.",   "env.",     "config.", "cfg.",   "settings.",
    "args.", "opts.", "options.", "req.",  "request.", "ctx.",	  "user.",  "secrets.",
    "vars.", "var.",  "local.",	  "data.", "params.",  "props.",  "state.", "values."};

/* "process.env.TOKEN", "user_password": a program's text. */
static bool is_code(const char *value, size_t len, bool spaced)
{
	bool joined;
	if (chain_len(value, len, &joined) != len)
		return false;
	if (joined && spaced)
		return true;
	for (size_t i = 0; joined && i < sizeof CODE_HEADS / sizeof CODE_HEADS[0]; i++)
		if (st_text_begins(value, len, CODE_HEADS[i]))
			return true;
	return (joined || spaced) && HAS_ANY(value, len, SECRET_WORDS);
}

#define CHAIN_LOOK_MAX 128

bool st_value_is_code_start(const char *value, size_t len, bool spaced)
{
	bool joined;
	if (len > CHAIN_LOOK_MAX)
		len = CHAIN_LOOK_MAX;
	size_t chain = chain_len(value, len, &joined);
	if (chain == 0 || chain == len)
		return len >= 2 && (is_angled(value) ||
				    (value[0] == '$' && (value[1] == '{' || value[1] == '(')) ||
				    (value[0] == '{' && value[1] == '{'));
	char next = value[chain];
	return next == '(' || (next == '[' && (spaced || joined)) || (next == '<' && spaced);
}

/* "password=" behind "token: ": another key, whose value is looked at by itself. */
static bool is_key(const char *value, size_t len)
{
	return (value[len - 1] == '=' || value[len - 1] == ':') && all_letters(value, len - 1);
}

static bool is_path_or_url(const char *value, size_t len)
{
	for (size_t i = 0; i + 2 < len && i < 16; i++)
		if (memcmp(value + i, "://", 3) == 0)
			return true;
	if (value[0] != '/' && !(value[0] == '.' && value[1] == '/') &&
	    !(value[0] == '~' && value[1] == '/'))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!st_alphabet_has(ST_ALPHABET_LOWER, value[i]) &&
		    strchr("/._-~", value[i]) == NULL)
			return false;
	return true;
}

static bool is_harmless(enum st_keyname key, const char *value, size_t len)
{
	if (st_value_is_placeholder(value, len) || is_plain_word(value, len))
		return true;
	if (!has_digit(value, len) && HAS_ANY(value, len, PLACEHOLDER_PARTS))
		return true;
	if (key == ST_KEYNAME_HINT)
		return !looks_random(value, len);
	return false;
}

/* Not a word and not a number: something that no sentence has in it. */
static bool looks_drawn(const char *value, size_t len)
{
	bool letter = false;
	for (size_t i = 0; i < len; i++) {
		letter |= st_char_is_alpha(value[i]);
		if ((unsigned char)value[i] <= ' ')
			return false;
	}
	return len >= 8 && letter && has_digit(value, len) && !is_uuid(value, len);
}

bool st_value_is_secret(enum st_keyname key, const char *value, size_t len,
			struct st_value_look look)
{
	if (key == ST_KEYNAME_PLAIN || len < ST_VALUE_MIN || is_harmless(key, value, len))
		return false;
	if (key != ST_KEYNAME_PASSWORD && len <= 12 && all_in(value, len, ST_ALPHABET_DIGIT))
		return false;
	if (key != ST_KEYNAME_PASSWORD && is_path_or_url(value, len))
		return false;
	if (look.told && !looks_drawn(value, len))
		return false;
	if (look.quoted)
		return true;
	if (is_key(value, len))
		return false;
	if (look.flag)
		return value[0] != '-' && !all_letters(value, len);
	if (look.followed && all_letters(value, len))
		return false;
	return !is_code(value, len, look.spaced);
}

bool st_value_is_secret_json(enum st_keyname key, const char *value, size_t len)
{
	if (key == ST_KEYNAME_PLAIN || len == 0)
		return false;
	if (st_redact_marker_len(value, len) == len)
		return false;
	if (key == ST_KEYNAME_HINT)
		return looks_random(value, len);
	return !is_harmless(key, value, len);
}
