/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/spell.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "redact/chars.h"
#include "schemas/mem.h"

static const char HEX_LOWER[] = "0123456789abcdef";
static const char HEX_UPPER[] = "0123456789ABCDEF";

static size_t put_text(uint8_t *out, const char *text)
{
	size_t len = strlen(text);
	memcpy(out, text, len);
	return len;
}

static size_t put_hex(uint8_t *out, uint8_t byte, const char *digits)
{
	out[0] = (uint8_t)digits[byte >> 4];
	out[1] = (uint8_t)digits[byte & 15];
	return 2;
}

static size_t spell_hex(const uint8_t *bytes, size_t len, const char *digits, uint8_t *out)
{
	for (size_t i = 0; i < len; i++)
		put_hex(out + 2 * i, bytes[i], digits);
	return 2 * len;
}

/* One bit of the secret as it lies after `shift` foreign bytes; foreign bits are left out. */
static size_t spell_base64(const uint8_t *bytes, size_t len, size_t shift, bool url, uint8_t *out)
{
	static const char STD[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char URL[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *alphabet = url ? URL : STD;
	size_t n = 0;
	size_t bits_max = 8 * len;
	/* The first character that holds only bits of the secret begins here. */
	size_t first = (8 * shift + 5) / 6 * 6 - 8 * shift;
	for (size_t bit = first; bit + 6 <= bits_max; bit += 6) {
		size_t i = bit / 8;
		unsigned pair = (unsigned)bytes[i] << 8;
		if (i + 1 < len)
			pair |= bytes[i + 1];
		out[n++] = (uint8_t)alphabet[pair >> (10 - bit % 8) & 63];
	}
	return n;
}

static size_t spell_percent(enum st_spelling spelling, const uint8_t *bytes, size_t len,
			    uint8_t *out)
{
	bool form =
	    spelling == ST_SPELLING_PERCENT_FORM || spelling == ST_SPELLING_PERCENT_FORM_LOWER;
	bool lower =
	    spelling == ST_SPELLING_PERCENT_LOWER || spelling == ST_SPELLING_PERCENT_FORM_LOWER;
	const char *kept = form					    ? "-._*"
			   : spelling == ST_SPELLING_PERCENT_SCRIPT ? "-._~!'()*"
			   : spelling == ST_SPELLING_PERCENT_PATH   ? "-._~/"
								    : "-._~";
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		char c = (char)bytes[i];
		if (st_char_is_alnum(c) || (c != '\0' && strchr(kept, c) != NULL)) {
			out[n++] = bytes[i];
		} else if (form && c == ' ') {
			out[n++] = '+';
		} else {
			out[n++] = '%';
			n += put_hex(out + n, bytes[i], lower ? HEX_LOWER : HEX_UPPER);
		}
	}
	return n;
}

static size_t put_unicode(uint8_t *out, uint32_t unit, const char *digits)
{
	size_t n = put_text(out, "\\u");
	n += put_hex(out + n, (uint8_t)(unit >> 8), digits);
	return n + put_hex(out + n, (uint8_t)unit, digits);
}

static size_t put_code_point(uint8_t *out, const uint8_t *bytes, size_t len, const char *digits)
{
	uint32_t code = bytes[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++)
		code = code << 6 | (bytes[i] & 0x3fu);
	if (code < 0x10000)
		return put_unicode(out, code, digits);
	code -= 0x10000;
	size_t n = put_unicode(out, 0xd800 + (code >> 10), digits);
	return n + put_unicode(out + n, 0xdc00 + (code & 0x3ff), digits);
}

static size_t put_json_ascii(enum st_spelling spelling, uint8_t byte, uint8_t *out)
{
	static const char FROM[] = "\"\\\b\f\n\r\t";
	static const char TO[] = "\"\\bfnrt";
	const char *at = byte == 0 ? NULL : strchr(FROM, byte);
	if (at != NULL) {
		out[0] = '\\';
		out[1] = (uint8_t)TO[at - FROM];
		return 2;
	}
	if (byte == '/' && spelling == ST_SPELLING_JSON_SLASH)
		return put_text(out, "\\/");
	bool html =
	    spelling == ST_SPELLING_JSON_HTML && (byte == '&' || byte == '<' || byte == '>');
	if (byte < 0x20 || html)
		return put_unicode(
		    out, byte, spelling == ST_SPELLING_JSON_ASCII_UPPER ? HEX_UPPER : HEX_LOWER);
	out[0] = byte;
	return 1;
}

static size_t spell_json(enum st_spelling spelling, const uint8_t *bytes, size_t len, uint8_t *out)
{
	bool ascii = spelling == ST_SPELLING_JSON_ASCII || spelling == ST_SPELLING_JSON_ASCII_UPPER;
	const char *digits = spelling == ST_SPELLING_JSON_ASCII_UPPER ? HEX_UPPER : HEX_LOWER;
	size_t n = 0;
	for (size_t i = 0; i < len;) {
		size_t char_len = st_utf8_len((const char *)bytes + i, len - i);
		if (char_len > 1 && ascii) {
			n += put_code_point(out + n, bytes + i, char_len, digits);
			i += char_len;
		} else {
			n += put_json_ascii(spelling, bytes[i], out + n);
			i++;
		}
	}
	return n;
}

static const char *html_entity(enum st_spelling spelling, uint8_t byte)
{
	bool numeric = spelling == ST_SPELLING_HTML_NUMERIC;
	switch (byte) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return numeric ? "&#34;" : "&quot;";
	case '\'':
		return numeric ? "&#39;" : "&#x27;";
	case '/':
		return spelling == ST_SPELLING_HTML_SLASH ? "&#x2F;" : NULL;
	default:
		return NULL;
	}
}

static const char *line_end_text(enum st_spelling spelling)
{
	return spelling == ST_SPELLING_CRLF	? "\r\n"
	       : spelling == ST_SPELLING_SPACED ? " "
	       : spelling == ST_SPELLING_PYTHON ? "\\n"
						: NULL;
}

static const char *quote_text(enum st_spelling spelling)
{
	return spelling == ST_SPELLING_SHELL_QUOTED ? "'\"'\"'"
	       : spelling == ST_SPELLING_SHELL	    ? "'\\''"
	       : spelling == ST_SPELLING_SQL	    ? "''"
	       : spelling == ST_SPELLING_PYTHON	    ? "\\'"
						    : NULL;
}

/* What one byte becomes in a spelling; NULL: it stays. */
static const char *byte_text(enum st_spelling spelling, uint8_t byte)
{
	if (spelling >= ST_SPELLING_HTML && spelling <= ST_SPELLING_HTML_SLASH)
		return html_entity(spelling, byte);
	if (byte == '\n')
		return line_end_text(spelling);
	if (byte == '\'')
		return quote_text(spelling);
	if (byte == '"' && spelling == ST_SPELLING_CSV)
		return "\"\"";
	return byte == '\\' && spelling == ST_SPELLING_PYTHON ? "\\\\" : NULL;
}

/* The spellings in which one byte becomes one text: HTML, shell, CRLF. */
static size_t spell_bytes(enum st_spelling spelling, const uint8_t *bytes, size_t len, uint8_t *out)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		const char *text = byte_text(spelling, bytes[i]);
		bool marked = spelling == ST_SPELLING_SHELL_BARE && bytes[i] < 0x80 &&
			      !st_char_is_alnum((char)bytes[i]) &&
			      memchr("-_./:=+@%,", bytes[i], 10) == NULL;
		if (marked)
			out[n++] = '\\';
		if (text != NULL)
			n += put_text(out + n, text);
		else
			out[n++] = bytes[i];
	}
	return n;
}

static size_t spell_unicode(const uint8_t *bytes, size_t len, uint8_t *out)
{
	size_t n = 0;
	for (size_t i = 0; i < len;) {
		size_t char_len = st_utf8_len((const char *)bytes + i, len - i);
		n += char_len > 1 ? put_code_point(out + n, bytes + i, char_len, HEX_LOWER)
				  : put_unicode(out + n, bytes[i], HEX_LOWER);
		i += char_len > 1 ? char_len : 1;
	}
	return n;
}

/* Hex of every byte with something before or between. */
static size_t spell_each(enum st_spelling spelling, const uint8_t *bytes, size_t len, uint8_t *out)
{
	const char *before = spelling == ST_SPELLING_HEX_ESCAPED   ? "\\x"
			     : spelling == ST_SPELLING_PERCENT_ALL ? "%"
			     : spelling == ST_SPELLING_HEX_COLON   ? ":"
								   : " ";
	bool between = before[0] == ':' || before[0] == ' ';
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		if (i > 0 || !between)
			n += put_text(out + n, before);
		n += put_hex(out + n, bytes[i], before[0] == '%' ? HEX_UPPER : HEX_LOWER);
	}
	return n;
}

static size_t spell_once(enum st_spelling spelling, const uint8_t *bytes, size_t len, uint8_t *out)
{
	switch (spelling) {
	case ST_SPELLING_HEX_LOWER:
		return spell_hex(bytes, len, HEX_LOWER, out);
	case ST_SPELLING_HEX_UPPER:
		return spell_hex(bytes, len, HEX_UPPER, out);
	case ST_SPELLING_BASE64_0:
	case ST_SPELLING_BASE64_1:
	case ST_SPELLING_BASE64_2:
		return spell_base64(bytes, len, spelling - ST_SPELLING_BASE64_0, false, out);
	case ST_SPELLING_BASE64URL_0:
	case ST_SPELLING_BASE64URL_1:
	case ST_SPELLING_BASE64URL_2:
		return spell_base64(bytes, len, spelling - ST_SPELLING_BASE64URL_0, true, out);
	case ST_SPELLING_PERCENT:
	case ST_SPELLING_PERCENT_LOWER:
	case ST_SPELLING_PERCENT_SCRIPT:
	case ST_SPELLING_PERCENT_PATH:
	case ST_SPELLING_PERCENT_FORM:
	case ST_SPELLING_PERCENT_FORM_LOWER:
		return spell_percent(spelling, bytes, len, out);
	case ST_SPELLING_JSON:
	case ST_SPELLING_JSON_SLASH:
	case ST_SPELLING_JSON_HTML:
	case ST_SPELLING_JSON_ASCII:
	case ST_SPELLING_JSON_ASCII_UPPER:
		return spell_json(spelling, bytes, len, out);
	case ST_SPELLING_JSON_ALL:
		return spell_unicode(bytes, len, out);
	case ST_SPELLING_HEX_ESCAPED:
	case ST_SPELLING_HEX_COLON:
	case ST_SPELLING_HEX_SPACE:
	case ST_SPELLING_PERCENT_ALL:
		return spell_each(spelling, bytes, len, out);
	case ST_SPELLING_RAW:
	case ST_SPELLING_CRLF:
	case ST_SPELLING_HTML:
	case ST_SPELLING_HTML_NUMERIC:
	case ST_SPELLING_HTML_SLASH:
	case ST_SPELLING_SHELL:
	case ST_SPELLING_SHELL_QUOTED:
	case ST_SPELLING_SHELL_BARE:
	case ST_SPELLING_SQL:
	case ST_SPELLING_CSV:
	case ST_SPELLING_PYTHON:
	case ST_SPELLING_SPACED:
	case ST_SPELLING_PERCENT_TWICE:
	case ST_SPELLING_JSON_TWICE:
	case ST_SPELLING_JSON_ASCII_TWICE:
	case ST_SPELLING_JSON_ASCII_UPPER_TWICE:
	case ST_SPELLING_COUNT:
		break;
	}
	return spell_bytes(spelling, bytes, len, out);
}

/* What a spelling of a spelling is written in first; ST_SPELLING_COUNT: it is none. */
static enum st_spelling spelling_within(enum st_spelling spelling)
{
	return spelling == ST_SPELLING_PERCENT_TWICE		? ST_SPELLING_PERCENT
	       : spelling == ST_SPELLING_JSON_TWICE		? ST_SPELLING_JSON
	       : spelling == ST_SPELLING_JSON_ASCII_TWICE	? ST_SPELLING_JSON_ASCII
	       : spelling == ST_SPELLING_JSON_ASCII_UPPER_TWICE ? ST_SPELLING_JSON_ASCII_UPPER
								: ST_SPELLING_COUNT;
}

size_t st_spell(enum st_spelling spelling, const uint8_t *bytes, size_t len, uint8_t *out)
{
	enum st_spelling within = spelling_within(spelling);
	if (within == ST_SPELLING_COUNT)
		return spell_once(spelling, bytes, len, out);
	uint8_t *once = st_secret_alloc(ST_SPELL_BYTES_MAX(len));
	size_t once_len = spell_once(within, bytes, len, once);
	bool percent = spelling == ST_SPELLING_PERCENT_TWICE;
	size_t n =
	    spell_once(percent ? ST_SPELLING_PERCENT : ST_SPELLING_JSON, once, once_len, out);
	st_secret_free(once);
	return n;
}
