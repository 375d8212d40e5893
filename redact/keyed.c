/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key is found by a part of its name (see anchor.c), so first the whole name is gathered from
 * both sides, then what parts it from its value, then where the value ends. The end matters most:
 * too short leaks the rest of a secret, too long eats the neighbours. When in doubt: too long.
 */
#include "redact/keyed.h"

#include <string.h>

#include "redact/gap.h"
#include "redact/keyname.h"
#include "redact/redact.h"
#include "redact/value.h"

#define NAME_BACK_MAX 64
#define NAME_MAX 128
#define GAP_MAX 64

/* What is known of one key and its value while it is taken apart. */
struct keyed {
	struct st_place *place;
	const char *data;
	size_t line_end;
	size_t name;	 /* first byte of the name */
	size_t name_end; /* behind it */
	size_t value;
	size_t value_end;
	enum st_keyname key;
	struct st_value_look look;
	bool xml;
	bool percent; /* parted by %3D: the value ends at %26 */
	bool name_quoted;
	bool json;	/* by double quotes */
	size_t slashes; /* before the quote that ends the name */
};

static char byte_at(const struct keyed *k, size_t at)
{
	return at < k->line_end ? k->data[at] : '\0';
}

static char byte_before(const struct keyed *k, size_t at)
{
	return at > k->place->begin ? k->data[at - 1] : '\0';
}

static bool is_hex(char c)
{
	return st_alphabet_has(ST_ALPHABET_HEX_LOWER, st_char_lower(c));
}

static void name_trim(struct keyed *k)
{
	char before = byte_before(k, k->name);
	if (before == '\\' && strchr("nrt", k->data[k->name]) != NULL)
		k->name++;
	else if (before == '%' && k->name + 2 < k->name_end && is_hex(k->data[k->name]) &&
		 is_hex(k->data[k->name + 1]))
		k->name += 2;
	size_t dashes = 0;
	while (k->name < k->name_end && strchr("-._", k->data[k->name]) != NULL) {
		dashes += k->data[k->name] == '-';
		k->name++;
	}
	before = k->name >= dashes ? byte_before(k, k->name - dashes) : '\0';
	k->look.flag = dashes == 2 && (before == '\0' || strchr(" \t\"'`[(\n", before) != NULL);
}

/* The letters of a colour, "ESC[36m", are no part of the name behind it. */
static void colour_trim(struct keyed *k)
{
	char before = byte_before(k, k->name);
	if (before != '[' && before != ';')
		return;
	size_t at = k->name;
	while (at < k->name_end && st_char_is_digit(k->data[at]))
		at++;
	if (at < k->name_end && k->data[at] == 'm')
		k->name = at + 1;
}

/* False when the name is only the end of one. */
static bool name_gather(struct keyed *k, size_t at)
{
	k->name = at;
	while (at - k->name < NAME_BACK_MAX && st_char_is_ident(byte_before(k, k->name)))
		k->name--;
	k->name_end = at;
	while (k->name_end - k->name < NAME_MAX && st_char_is_ident(byte_at(k, k->name_end)))
		k->name_end++;
	bool glued = st_place_is_after_marker(k->place, k->name);
	colour_trim(k);
	name_trim(k);
	return !glued;
}

/* "API key", "secret access key": the words before "key" belong to the name. */
static void name_widen(struct keyed *k)
{
	if (!st_text_is(k->data + k->name, k->name_end - k->name, "key"))
		return;
	for (int words = 0; words < 2; words++) {
		size_t at = k->name;
		if (byte_before(k, at) != ' ')
			return;
		at--;
		size_t word = at;
		while (at - word < 16 && st_char_is_alpha(byte_before(k, word)))
			word--;
		if (word == at)
			return;
		k->name = word;
	}
}

static void gap_skip(const struct keyed *k, size_t *at)
{
	size_t from = *at;
	const struct st_known text = {k->data, k->line_end, true};
	bool line;
	while (*at - from < GAP_MAX && *at < k->line_end) {
		char c = k->data[*at];
		size_t len = c == ' ' || c == '\t' ? 1
			     : c == '\x1b' || (c == '\\' && *at + 1 < k->line_end &&
					       strchr("ux0e", k->data[*at + 1]) != NULL)
				 ? st_gap_len(&text, *at, &line)
				 : 0;
		if (len == 0)
			break;
		*at += len;
	}
}

/* Backslashes and then a quote: returns how many bytes, 0 when no quote stands here. */
static size_t quote_len(const struct keyed *k, size_t at)
{
	size_t n = 0;
	while (n < 8 && byte_at(k, at + n) == '\\')
		n++;
	return st_char_is_quote(byte_at(k, at + n)) ? n + 1 : 0;
}

/* "the password is: x", Setenv("TOKEN", "x"): weak signs, so the value must look like one. */
static bool told_of(const struct keyed *k, size_t *at)
{
	size_t i = *at;
	if (byte_at(k, i) == ',' && k->name_quoted) {
		i++;
		gap_skip(k, &i);
		*at = i;
		return quote_len(k, i) > 0;
	}
	if (!k->look.spaced || k->name_quoted ||
	    !(st_text_begins(k->data + i, k->line_end - i, "is ") ||
	      st_text_begins(k->data + i, k->line_end - i, "is:") ||
	      st_text_begins(k->data + i, k->line_end - i, "was ")))
		return false;
	i += byte_at(k, i) == 'w' ? 3 : 2;
	if (byte_at(k, i) == ':')
		i++;
	*at = i;
	return true;
}

/* Finds what parts name and value; sets k->value to where the value begins. */
static bool separator_find(struct keyed *k)
{
	size_t at = k->name_end;
	size_t quote = quote_len(k, at);
	k->name_quoted = quote > 0;
	k->json = quote > 0 && byte_at(k, at + quote - 1) == '"';
	k->slashes = quote > 0 ? quote - 1 : 0;
	at += quote;
	if (byte_at(k, at) == ']')
		at++;
	size_t gap = at;
	gap_skip(k, &at);
	k->look.spaced = at > gap;
	char c = byte_at(k, at);
	if (c == '%' && byte_at(k, at + 1) == '3' && strchr("dDaA", byte_at(k, at + 2)) != NULL &&
	    byte_at(k, at + 2) != '\0') {
		k->percent = true;
		at += 3;
	} else if (c == '>' && byte_before(k, k->name) == '<') {
		k->xml = true;
		at++;
	} else if (c == '=' || c == ':') {
		at++;
		if (c == ':' && byte_at(k, at) == ':')
			return false;
		while (byte_at(k, at) == '=' || (c == '=' && byte_at(k, at) == '>'))
			at++;
		k->look.flag = false;
	} else if (told_of(k, &at)) {
		k->look.told = true;
	} else if (!k->look.flag || !k->look.spaced) {
		return false;
	} else {
		k->value = at;
		return true;
	}
	gap = at;
	gap_skip(k, &at);
	k->look.spaced |= at > gap;
	k->value = at;
	return true;
}

/* The end of a text that was opened by `slashes` backslashes and a quote. */
static size_t quoted_end(const struct keyed *k, size_t at, size_t slashes, char quote)
{
	size_t before = 0;
	for (; at < k->line_end; at++) {
		char c = k->data[at];
		if (c == quote && (before <= slashes || (slashes == 0 && before % 2 == 0)) &&
		    (slashes > 0 || before % 2 == 0))
			return at - (slashes > 0 ? before : 0);
		before = c == '\\' ? before + 1 : 0;
	}
	while (at > k->value && st_char_is_space(k->data[at - 1]))
		at--;
	return at;
}

/* Whether another "key=" begins after a comma, semicolon or ampersand. */
static bool next_key_begins(const struct keyed *k, size_t at)
{
	size_t from = at;
	gap_skip(k, &at);
	if (at > from || at >= k->line_end)
		return true;
	from = at;
	if (quote_len(k, at) > 0)
		return true;
	while (at - from < NAME_MAX && st_char_is_ident(byte_at(k, at)))
		at++;
	return at > from &&
	       (byte_at(k, at) == '=' || byte_at(k, at) == ':' || byte_at(k, at) == ' ');
}

static bool escape_begins(const struct keyed *k, size_t at)
{
	size_t n = 0;
	while (n < 4 && byte_at(k, at + n) == '\\')
		n++;
	char c = byte_at(k, at + n);
	return n > 0 && (c == 'n' || c == 'r' || c == 't' || st_char_is_quote(c));
}

static bool bare_ends(const struct keyed *k, size_t at)
{
	char c = k->data[at];
	if ((unsigned char)c <= ' ' || st_char_is_quote(c))
		return true;
	if (c == '<')
		return k->xml || (at > k->value && byte_at(k, at + 1) == '/');
	if (c == '\\')
		return escape_begins(k, at);
	if (c == '[')
		return st_redact_marker_len(k->data + at, k->line_end - at) > 0;
	if (c == '%' && k->percent)
		return byte_at(k, at + 1) == '2' && byte_at(k, at + 2) == '6';
	if (c == '&') {
		char before = byte_before(k, k->name);
		return before == '?' || before == '&' || next_key_begins(k, at + 1);
	}
	return (c == ',' || c == ';') && next_key_begins(k, at + 1);
}

static size_t bare_end(const struct keyed *k)
{
	size_t at = k->value;
	while (at < k->line_end && !bare_ends(k, at))
		at++;
	while (at > k->value && strchr(",;.)]}", k->data[at - 1]) != NULL) {
		/* A closing bracket that was opened inside belongs to the value. */
		char open = k->data[at - 1] == ')' ? '(' : k->data[at - 1] == ']' ? '[' : '{';
		if (strchr(",;.", k->data[at - 1]) == NULL &&
		    memchr(k->data + k->value, open, at - k->value) != NULL)
			break;
		at--;
	}
	return at;
}

static void value_delimit(struct keyed *k)
{
	char c = byte_at(k, k->value);
	if ((st_char_is_alpha(c) || c == '@' || c == '$') && quote_len(k, k->value + 1) == 1)
		k->value++;
	size_t quote = quote_len(k, k->value);
	if (quote > 0 && !k->xml) {
		k->value += quote;
		k->look.quoted = true;
		k->value_end = quoted_end(k, k->value, quote - 1, k->data[k->value - 1]);
		return;
	}
	k->value_end = bare_end(k);
	size_t at = k->value_end;
	gap_skip(k, &at);
	k->look.followed =
	    at > k->value_end && at < k->line_end && k->data[at] != '#' && k->data[at] != '\r';
}

/* The rest of the line, or of the string that the line was written into. */
static void line_delimit(struct keyed *k)
{
	size_t at = k->value;
	while (at < k->line_end && !(k->data[at] == '\\' && escape_begins(k, at)) &&
	       k->data[at] != '\r')
		at++;
	while (at > k->value && st_char_is_space(k->data[at - 1]))
		at--;
	k->value_end = at;
}

static const char *const SCHEMES_WORD[] = {"bearer",  "basic",	   "token", "apikey",
					   "api-key", "bot",	   "ssws",  "jwt",
					   "key",     "negotiate", "genie"};
static const char *const SCHEMES_LINE[] = {"digest", "aws4-hmac-sha256", "oauth", "hawk",
					   "signature"};

#define WORD_IS(list) word_is(word, len, (list), sizeof(list) / sizeof(list)[0])

static bool word_is(const char *word, size_t len, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (st_text_is(word, len, list[i]))
			return true;
	return false;
}

#define LOOK_MAX 512 /* bytes of a value that decide; what does not leak costs no more */

static size_t look_end(const struct keyed *k)
{
	return k->line_end - k->value > LOOK_MAX ? k->value + LOOK_MAX : k->line_end;
}

/* "Bearer x": the scheme stays. False when the header's text is prose. *one: the value is a word */
static bool scheme_skip(struct keyed *k, bool *one)
{
	const char *word = k->data + k->value;
	size_t len = 0;
	size_t end = look_end(k);
	while (k->value + len < end && (unsigned char)word[len] > ' ' &&
	       !st_char_is_quote(word[len]))
		len++;
	size_t at = k->value + len;
	*one = WORD_IS(SCHEMES_WORD);
	if (at == end || k->data[at] != ' ')
		return true;
	if (!*one && !WORD_IS(SCHEMES_LINE))
		return false;
	gap_skip(k, &at);
	k->value = at;
	return true;
}

static void word_delimit(struct keyed *k)
{
	size_t at = k->value;
	while (at < k->line_end && (unsigned char)k->data[at] > ' ' && k->data[at] != ',' &&
	       !st_char_is_quote(k->data[at]) && !(k->data[at] == '\\' && escape_begins(k, at)))
		at++;
	k->value_end = at;
}

static bool has_marker(const char *value, size_t len)
{
	for (size_t i = 0; i < len && i < LOOK_MAX; i++)
		if (value[i] == '[' && st_redact_marker_len(value + i, len - i) > 0)
			return true;
	return false;
}

/* Everything that can say no looks at LOOK_MAX bytes at most. */
static bool header_is_secret(struct keyed *k)
{
	bool one = false;
	size_t quote = quote_len(k, k->value);
	bool cookie = st_char_lower(k->data[k->name_end - 1]) != 'n';
	k->look.quoted = quote > 0;
	if (quote == 0 && st_char_is_quote(byte_before(k, k->name)) && !k->name_quoted)
		quote = 1;
	size_t open = k->look.quoted ? k->value + quote - 1 : k->name - 1;
	size_t slashes = 0;
	while (quote > 0 && slashes < 8 && byte_before(k, open - slashes) == '\\')
		slashes++;
	if (k->look.quoted)
		k->value += quote;
	size_t text = k->value;
	if (cookie && memchr(k->data + text, '=', look_end(k) - k->value) == NULL)
		return false;
	if ((!cookie && !scheme_skip(k, &one)) ||
	    st_value_is_code_start(k->data + k->value, k->line_end - k->value, true))
		return false;
	if (one)
		word_delimit(k);
	else if (quote > 0)
		k->value_end = quoted_end(k, k->value, slashes, k->data[open]);
	else
		line_delimit(k);
	size_t len = k->value_end - k->value;
	return len >= 4 && !st_value_is_placeholder(k->data + k->value, len) &&
	       (cookie || k->value > text ||
		(!has_marker(k->data + k->value, len) &&
		 st_value_is_secret(ST_KEYNAME_PASSWORD, k->data + k->value, len, k->look)));
}

/* A bare value that is longer than LOOK_MAX is no placeholder or name: it is not looked at again.
 */
static bool value_is_secret(struct keyed *k)
{
	if (quote_len(k, k->value) == 0 &&
	    st_value_is_code_start(k->data + k->value, k->line_end - k->value, k->look.spaced))
		return false;
	size_t line_end = k->line_end;
	if (quote_len(k, k->value) == 0)
		k->line_end = look_end(k);
	value_delimit(k);
	bool cut = k->value_end == k->line_end && k->line_end < line_end;
	k->line_end = line_end;
	/* Had this been a secret as a whole, no marker would stand in it. */
	if (!k->look.quoted && byte_at(k, k->value_end) == '[')
		return false;
	if (!cut)
		return st_value_is_secret(k->key, k->data + k->value, k->value_end - k->value,
					  k->look);
	if (k->key == ST_KEYNAME_HINT)
		return false;
	value_delimit(k);
	return true;
}

/* A number in JSON text becomes a string: what to put around it. */
static const char *number_quote(const struct keyed *k)
{
	static const char *const QUOTES[] = {"\"", "\\\"", NULL, "\\\\\\\""};
	if (!k->json || k->look.quoted || k->slashes > 3)
		return NULL;
	for (size_t at = k->value; at < k->value_end; at++)
		if (!st_char_is_digit(k->data[at]) && strchr("+-.eE", k->data[at]) == NULL)
			return NULL;
	return QUOTES[k->slashes];
}

void st_keyed_pair_drop(struct st_keyed_pair *pair, size_t bytes)
{
	if (pair->line_end + 1 < bytes)
		pair->key = ST_KEYNAME_PLAIN;
	pair->line_end = pair->line_end + 1 >= bytes ? pair->line_end + 1 - bytes : 0;
	pair->line_end--;
}

/* Whether the name is itself the value of "name", "key" or "variable". */
static bool is_pair_name(const struct keyed *k)
{
	size_t at = k->name;
	size_t from = at;
	bool sign = false;
	while (from - at < 12 && at > k->place->begin &&
	       strchr(" \"'\\:=", byte_before(k, at)) != NULL) {
		sign |= strchr("\":=", byte_before(k, at)) != NULL;
		at--;
	}
	static const char *const WORDS[] = {"name", "key", "variable"};
	for (size_t i = 0; sign && i < 3; i++) {
		size_t len = strlen(WORDS[i]);
		if (at - k->place->begin >= len && st_text_is(k->data + at - len, len, WORDS[i]) &&
		    (at - k->place->begin == len || !st_char_is_alnum(k->data[at - len - 1])))
			return true;
	}
	return false;
}

/* In an ARN "secret:" is a kind of thing, and so is what the service is called. */
static bool is_in_arn(const struct keyed *k)
{
	size_t at = k->name;
	if (byte_before(k, at) != ':')
		return false;
	while (at > k->place->begin && k->name - at < NAME_MAX &&
	       (unsigned char)k->data[at - 1] > ' ' && !st_char_is_quote(k->data[at - 1]))
		at--;
	return st_text_begins(k->data + at, k->name - at, "arn:");
}

/* $PWD and its like are paths. */
static bool is_directory(const struct keyed *k)
{
	size_t len = k->name_end - k->name;
	return (st_text_is(k->data + k->name, len, "pwd") ||
		st_text_is(k->data + k->name, len, "oldpwd") ||
		st_text_is(k->data + k->name, len, "cwd")) &&
	       strchr("/~.", byte_at(k, k->value)) != NULL;
}

bool st_keyed_match_pair(struct st_place *place, size_t at, struct st_keyed_pair *pair,
			 struct st_find *find)
{
	if (pair->key == ST_KEYNAME_PLAIN)
		return false;
	struct keyed k = {
	    .place = place, .data = place->data, .line_end = st_place_line_end(place, at)};
	if (!name_gather(&k, at) || k.name >= k.name_end)
		return false;
	size_t len = k.name_end - k.name;
	bool near = k.line_end == pair->line_end;
	for (size_t line = k.name; !near; line--) {
		near = line == pair->line_end + 1;
		if (line == place->begin || place->data[line - 1] == '\n')
			break;
	}
	k.key = pair->key;
	if (!near || !separator_find(&k) ||
	    !(st_text_is(k.data + k.name, len, "value") ||
	      st_text_is(k.data + k.name, len, "default")) ||
	    !value_is_secret(&k))
		return false;
	*find = (struct st_find){.start = k.value,
				 .end = k.value_end,
				 .next = k.value_end,
				 .quote = number_quote(&k),
				 .rule = st_keyname_rule(k.key)};
	pair->key = ST_KEYNAME_PLAIN;
	return true;
}

bool st_keyed_match(struct st_place *place, size_t at, struct st_keyed_pair *pair,
		    struct st_find *find)
{
	if (!st_char_is_ident(place->data[at]))
		at++;
	struct keyed k = {
	    .place = place, .data = place->data, .line_end = st_place_line_end(place, at)};
	bool whole = name_gather(&k, at);
	find->next = k.name_end > at ? k.name_end : at + 1;
	name_widen(&k);
	if (!whole || k.name >= k.name_end)
		return false;
	bool parted = separator_find(&k);
	if (!parted && !is_pair_name(&k))
		return false;
	k.key = st_keyname_judge(k.data + k.name, k.name_end - k.name);
	if (k.key == ST_KEYNAME_PLAIN)
		return false;
	if (!parted || (k.look.told && is_pair_name(&k))) {
		*pair = (struct st_keyed_pair){k.key, k.line_end};
		return false;
	}
	if (is_directory(&k) || is_in_arn(&k))
		return false;
	if (k.key == ST_KEYNAME_HEADER ? !header_is_secret(&k) : !value_is_secret(&k))
		return false;
	*find = (struct st_find){.start = k.value,
				 .end = k.value_end,
				 .next = k.value_end,
				 .quote = number_quote(&k),
				 .rule = st_keyname_rule(k.key)};
	return true;
}
