/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/chars.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

bool st_char_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

bool st_char_is_alpha(char c)
{
	return is_upper(c) || is_lower(c);
}

bool st_char_is_alnum(char c)
{
	return st_char_is_alpha(c) || st_char_is_digit(c);
}

bool st_char_is_ident(char c)
{
	return st_char_is_alnum(c) || c == '_' || c == '-' || c == '.';
}

bool st_char_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool st_char_is_quote(char c)
{
	return c == '"' || c == '\'' || c == '`';
}

char st_char_lower(char c)
{
	return is_upper(c) ? (char)(c + ('a' - 'A')) : c;
}

/* The bytes beside letters and digits that an alphabet has. */
static const char *const EXTRA[ST_ALPHABET_COUNT] = {
    [ST_ALPHABET_WORD] = "_",	 [ST_ALPHABET_BASE64URL] = "-_",
    [ST_ALPHABET_BASE64] = "+/", [ST_ALPHABET_BASE64_ANY] = "+/-_=",
    [ST_ALPHABET_PATH] = "/-_",	 [ST_ALPHABET_BEARER] = "._~+/-=",
};

bool st_alphabet_has(enum st_alphabet alphabet, char c)
{
	switch (alphabet) {
	case ST_ALPHABET_DIGIT:
		return st_char_is_digit(c);
	case ST_ALPHABET_UPPER:
		return is_upper(c) || st_char_is_digit(c);
	case ST_ALPHABET_LOWER:
		return is_lower(c) || st_char_is_digit(c);
	case ST_ALPHABET_HEX_LOWER:
		return (c >= 'a' && c <= 'f') || st_char_is_digit(c);
	case ST_ALPHABET_ALNUM:
		return st_char_is_alnum(c);
	case ST_ALPHABET_DOT:
		return c == '.';
	case ST_ALPHABET_WORD:
	case ST_ALPHABET_BASE64URL:
	case ST_ALPHABET_BASE64:
	case ST_ALPHABET_BASE64_ANY:
	case ST_ALPHABET_BEARER:
	case ST_ALPHABET_PATH:
		return st_char_is_alnum(c) || (c != '\0' && strchr(EXTRA[alphabet], c) != NULL);
	case ST_ALPHABET_NONE:
	case ST_ALPHABET_COUNT:
		break;
	}
	return false;
}

bool st_text_begins(const char *text, size_t len, const char *lower)
{
	for (size_t i = 0; lower[i] != '\0'; i++)
		if (i >= len || st_char_lower(text[i]) != lower[i])
			return false;
	return true;
}

bool st_text_is(const char *text, size_t len, const char *lower)
{
	return strlen(lower) == len && st_text_begins(text, len, lower);
}

/* The smallest code point that needs that many bytes; shorter spellings are not UTF-8. */
static const uint32_t UTF8_MIN[5] = {0, 0, 0x80, 0x800, 0x10000};

size_t st_utf8_len(const char *text, size_t len)
{
	uint8_t lead = len > 0 ? (uint8_t)text[0] : 0;
	if (lead < 0x80)
		return lead == 0 ? 0 : 1;
	size_t n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	if (lead < 0xc2 || lead > 0xf4 || n > len)
		return 0;
	uint32_t code = lead & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		uint8_t next = (uint8_t)text[i];
		if ((next & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (next & 0x3fu);
	}
	if (code < UTF8_MIN[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return n;
}

bool st_utf8_valid(const char *text, size_t len)
{
	size_t i = 0;
	while (i < len) {
		uint64_t word;
		if (len - i >= sizeof word) {
			memcpy(&word, text + i, sizeof word);
			/* Eight bytes at once when all are ASCII and none is NUL. */
			if ((word & UINT64_C(0x8080808080808080)) == 0 &&
			    ((word - UINT64_C(0x0101010101010101)) &
			     UINT64_C(0x8080808080808080)) == 0) {
				i += sizeof word;
				continue;
			}
		}
		size_t n = st_utf8_len(text + i, len - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}
