/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/keyname.h"

#include <stdbool.h>
#include <string.h>

#include "redact/chars.h"

#define NAME_MAX_LEN 96
#define WORDS_MAX 12

/* A key cut into lower-case words: "X-Api-Key2", "xApiKey" are x, api, key. */
struct words {
	char text[2 * NAME_MAX_LEN + 1]; /* NUL after each word */
	const char *at[WORDS_MAX];
	size_t n;
	char glued[NAME_MAX_LEN + 1]; /* all words without a gap */
};

static const char *const HEADERS[] = {"authorization", "proxyauthorization", "cookie", "setcookie",
				      "cookie2"};

/* A name that ends in one of these tells about a secret, but is none. */
static const char *const ABOUT_LAST[] = {
    "count",	 "counts",     "total",	      "limit",	     "limits",	    "budget",
    "usage",	 "used",       "remaining",   "ttl",	     "expires",	    "expiry",
    "expire",	 "expiration", "expired",     "length",	     "len",	    "size",
    "policy",	 "url",	       "uri",	      "urls",	     "endpoint",    "path",
    "file",	 "filename",   "dir",	      "name",	     "names",	    "type",
    "types",	 "kind",       "version",     "enabled",     "disabled",    "required",
    "optional",	 "id",	       "ids",	      "idx",	     "index",	    "issuer",
    "scope",	 "scopes",     "field",	      "fields",	     "label",	    "hint",
    "algorithm", "alg",	       "rotation",    "age",	     "time",	    "date",
    "status",	 "state",      "valid",	      "validity",    "strength",    "format",
    "prefix",	 "suffix",     "pattern",     "regex",	     "column",	    "table",
    "schema",	 "class",      "provider",    "method",	     "mode",	    "ref",
    "reference", "arn",	       "fingerprint", "placeholder", "description", "title",
    "changed",	 "updated",    "created",     "at",	     "in",	    "policies",
    "rate",	 "price",      "cost",	      "bytes",	     "ms",	    "seconds",
    "minutes",	 "days",       "error",	      "manager",     "store",	    "service",
    "helper",	 "exists",     "set",	      "configured",  "generation",  "permissions",
    "location",	 "source",     "env",
};

/* A name with one of these anywhere is a quantity or public. */
static const char *const ABOUT_ANY[] = {
    "max",	    "min",	   "num",	"number",      "public",
    "primary",	    "foreign",	   "partition", "sort",	       "next",
    "page",	    "input",	   "output",	"prompt",      "cached",
    "completion",   "completions", "reasoning", "has",	       "is",
    "csrf",	    "xsrf",	   "forgot",	"idempotency", "requestverification",
    "secretary",    "secretariat", "per",	"no",	       "allow",
    "continuation", "sync",
};

/* Words that make a name secret wherever they stand. */
static const char *const PASSWORD_ANY[] = {"password",	 "passwords", "passwd",
					   "passphrase", "pwd",	      "passcode"};
static const char *const TOKEN_ANY[] = {"secret", "secrets", "token",  "credential", "credentials",
					"creds",  "apikey",  "bearer", "jwt",	     "mnemonic"};
/* Ends of the glued name. */
static const char *const PASSWORD_END[] = {"password", "passwd", "passphrase", "pwd", "pgpass"};
static const char *const TOKEN_END[] = {
    "secret",	  "token",	   "apikey",	 "accesskey",  "secretkey",	   "privatekey",
    "signingkey", "encryptionkey", "masterkey",	 "accountkey", "sharedkey",	   "servicekey",
    "deploykey",  "sshkey",	   "licensekey", "authkey",    "sessionkey",	   "hmackey",
    "appkey",	  "functionkey",   "storagekey", "clientkey",  "webhookkey",	   "serverkey",
    "adminkey",	  "readkey",	   "writekey",	 "ingestkey",  "rsakey",	   "secretkeybase",
    "apipass",	  "userpass",	   "dbpass",	 "authpass",   "connectionstring",
};
static const char *const TOKEN_WITHIN[] = {"password",	"passwd",     "passphrase",
					   "secret",	"apikey",     "accesstoken",
					   "authtoken", "privatekey", "accesskey"};
static const char *const HINT_LAST[] = {"auth", "session", "sig", "signature", "sess", "sid"};

#define IN(list, word) word_in((word), (list), sizeof(list) / sizeof(list)[0])

static bool word_in(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (word[0] == list[i][0] && strcmp(word, list[i]) == 0)
			return true;
	return false;
}

#define ENDS(text, list) ends_in((text), (list), sizeof(list) / sizeof(list)[0])

static bool ends_in(const char *text, const char *const *list, size_t n)
{
	size_t len = strlen(text);
	for (size_t i = 0; i < n; i++) {
		size_t end_len = strlen(list[i]);
		if (end_len <= len && memcmp(text + len - end_len, list[i], end_len) == 0)
			return true;
	}
	return false;
}

static bool word_begins(const char *name, size_t i)
{
	char c = name[i];
	if (i == 0 || !st_char_is_alpha(name[i - 1]))
		return true;
	bool upper = c != st_char_lower(c);
	bool upper_before = name[i - 1] != st_char_lower(name[i - 1]);
	return upper && !upper_before;
}

/* Digits part words and are dropped; of too many words the last ones count. */
static bool words_cut(struct words *words, const char *name, size_t len)
{
	words->n = 0;
	size_t to = 0, glued = 0;
	for (size_t i = 0; i < len; i++) {
		if (!st_char_is_alpha(name[i]))
			continue;
		if (word_begins(name, i)) {
			if (words->n > 0)
				words->text[to++] = '\0';
			if (words->n == WORDS_MAX)
				memmove(words->at, words->at + 1, --words->n * sizeof words->at[0]);
			words->at[words->n++] = words->text + to;
		}
		words->text[to++] = st_char_lower(name[i]);
		words->glued[glued++] = st_char_lower(name[i]);
	}
	words->text[to] = '\0';
	words->glued[glued] = '\0';
	return words->n > 0;
}

static bool is_about(const struct words *words)
{
	if (IN(ABOUT_LAST, words->at[words->n - 1]))
		return true;
	for (size_t i = 0; i < words->n; i++)
		if (IN(ABOUT_ANY, words->at[i]))
			return true;
	return false;
}

static bool has_within(const char *glued)
{
	for (size_t i = 0; i < sizeof TOKEN_WITHIN / sizeof TOKEN_WITHIN[0]; i++)
		if (strstr(glued, TOKEN_WITHIN[i]) != NULL)
			return true;
	return false;
}

static enum st_keyname words_judge(const struct words *words)
{
	const char *last = words->at[words->n - 1];
	if (IN(HEADERS, words->glued))
		return ST_KEYNAME_HEADER;
	if (is_about(words))
		return ST_KEYNAME_PLAIN;
	for (size_t i = 0; i < words->n; i++)
		if (IN(PASSWORD_ANY, words->at[i]))
			return ST_KEYNAME_PASSWORD;
	if (ENDS(words->glued, PASSWORD_END) || strcmp(last, "pass") == 0)
		return ST_KEYNAME_PASSWORD;
	for (size_t i = 0; i < words->n; i++)
		if (IN(TOKEN_ANY, words->at[i]))
			return ST_KEYNAME_TOKEN;
	if (ENDS(words->glued, TOKEN_END) || has_within(words->glued))
		return ST_KEYNAME_TOKEN;
	return IN(HINT_LAST, last) ? ST_KEYNAME_HINT : ST_KEYNAME_PLAIN;
}

enum st_keyname st_keyname_judge(const char *name, size_t len)
{
	struct words words;
	/* A name that is longer than any real one is judged by its end. */
	if (len > NAME_MAX_LEN) {
		name += len - NAME_MAX_LEN;
		len = NAME_MAX_LEN;
	}
	if (!words_cut(&words, name, len))
		return ST_KEYNAME_PLAIN;
	return words_judge(&words);
}

const char *st_keyname_rule(enum st_keyname keyname)
{
	static const char *const RULES[ST_KEYNAME_COUNT] = {
	    [ST_KEYNAME_PLAIN] = "value",   [ST_KEYNAME_HINT] = "value",
	    [ST_KEYNAME_TOKEN] = "value",   [ST_KEYNAME_PASSWORD] = "password",
	    [ST_KEYNAME_HEADER] = "header",
	};
	return RULES[keyname];
}
