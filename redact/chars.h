/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes may stand where? */
#ifndef ST_REDACT_CHARS_H
#define ST_REDACT_CHARS_H

#include <stdbool.h>
#include <stddef.h>

/* The alphabets that token bodies are written in. */
enum st_alphabet {
	ST_ALPHABET_NONE,
	ST_ALPHABET_DIGIT,
	ST_ALPHABET_UPPER,	/* A-Z 0-9 */
	ST_ALPHABET_LOWER,	/* a-z 0-9 */
	ST_ALPHABET_HEX_LOWER,	/* a-f 0-9 */
	ST_ALPHABET_ALNUM,	/* A-Z a-z 0-9 */
	ST_ALPHABET_WORD,	/* alnum _ */
	ST_ALPHABET_BASE64URL,	/* alnum - _ */
	ST_ALPHABET_BASE64,	/* alnum + / */
	ST_ALPHABET_BASE64_ANY, /* alnum + / - _ = */
	ST_ALPHABET_BEARER,	/* alnum . _ ~ + / - = */
	ST_ALPHABET_PATH,	/* alnum / - _ */
	ST_ALPHABET_DOT,	/* . */
	ST_ALPHABET_COUNT
};

bool st_alphabet_has(enum st_alphabet alphabet, char c);

bool st_char_is_digit(char c);
bool st_char_is_alpha(char c);
bool st_char_is_alnum(char c);
bool st_char_is_ident(char c); /* alnum . _ - */
bool st_char_is_space(char c); /* also newline and carriage return */
bool st_char_is_quote(char c); /* " ' ` */
char st_char_lower(char c);

/* Compares ignoring ASCII case; lower is lower-case and NUL-ended. */
bool st_text_is(const char *text, size_t len, const char *lower);
/* The same for the first strlen(lower) bytes. */
bool st_text_begins(const char *text, size_t len, const char *lower);

/* The length of the UTF-8 character at text: 1 to 4; 0 when it is not one, or is NUL. */
size_t st_utf8_len(const char *text, size_t len);
bool st_utf8_valid(const char *text, size_t len);

#endif
