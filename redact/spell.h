/* SPDX-License-Identifier: Apache-2.0 */
/* How are some bytes written in a given encoding? */
#ifndef ST_REDACT_SPELL_H
#define ST_REDACT_SPELL_H

#include <stddef.h>
#include <stdint.h>

enum st_spelling {
	ST_SPELLING_RAW,
	ST_SPELLING_CRLF, /* line ends as a terminal writes them */
	ST_SPELLING_HEX_LOWER,
	ST_SPELLING_HEX_UPPER,
	ST_SPELLING_BASE64_0, /* the text begins on a group of three bytes */
	ST_SPELLING_BASE64_1, /* one byte after it, and so on */
	ST_SPELLING_BASE64_2,
	ST_SPELLING_BASE64URL_0,
	ST_SPELLING_BASE64URL_1,
	ST_SPELLING_BASE64URL_2,
	ST_SPELLING_PERCENT,	    /* RFC 3986: all but the unreserved */
	ST_SPELLING_PERCENT_LOWER,  /* %2f for %2F */
	ST_SPELLING_PERCENT_SCRIPT, /* encodeURIComponent */
	ST_SPELLING_PERCENT_PATH,   /* slashes stay */
	ST_SPELLING_PERCENT_FORM,   /* application/x-www-form-urlencoded */
	ST_SPELLING_PERCENT_FORM_LOWER,
	ST_SPELLING_PERCENT_TWICE,
	ST_SPELLING_PERCENT_ALL, /* every byte */
	ST_SPELLING_JSON,	 /* only what must be escaped */
	ST_SPELLING_JSON_SLASH,	 /* and "\/" */
	ST_SPELLING_JSON_HTML,	 /* and \u0026 \u003c \u003e, as Go does */
	ST_SPELLING_JSON_ASCII,	 /* and \uXXXX above 0x7f, hex in lower case */
	ST_SPELLING_JSON_ASCII_UPPER,
	ST_SPELLING_JSON_TWICE,
	ST_SPELLING_JSON_ASCII_TWICE,
	ST_SPELLING_JSON_ASCII_UPPER_TWICE,
	ST_SPELLING_JSON_ALL, /* \u0061 for every byte */
	ST_SPELLING_HTML,
	ST_SPELLING_HTML_NUMERIC, /* &#34; &#39; */
	ST_SPELLING_HTML_SLASH,	  /* and &#x2F; */
	ST_SPELLING_SHELL,	  /* inside single quotes */
	ST_SPELLING_SHELL_QUOTED, /* the quote in double quotes */
	ST_SPELLING_SHELL_BARE,	  /* a backslash before what a shell would take */
	ST_SPELLING_SQL,	  /* quotes doubled: SQL, YAML */
	ST_SPELLING_CSV,
	ST_SPELLING_PYTHON,	 /* repr() */
	ST_SPELLING_HEX_ESCAPED, /* \x61 for every byte */
	ST_SPELLING_HEX_COLON,	 /* 61:62 */
	ST_SPELLING_HEX_SPACE,	 /* 61 62 */
	ST_SPELLING_SPACED,	 /* a space for a line end */
	ST_SPELLING_COUNT
};

/* The most bytes that a spelling of len bytes may take. */
#define ST_SPELL_BYTES_MAX(len) (16 * (len) + 16)

/* Writes the spelling to out and returns its length. Base64 leaves out the characters that depend
 * on what stands beside the secret. */
size_t st_spell(enum st_spelling spelling, const uint8_t *bytes, size_t len, uint8_t *out);

#endif
