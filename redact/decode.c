/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearly all runs are none: words, numbers, checksums. So a run is found by looking at every 20th
 * byte or so, and decoding stops at the first byte that is no text.
 */
#include "redact/decode.h"

#include <stdint.h>
#include <string.h>

#include "redact/chars.h"

enum { NONE = 64, PERCENT = 65 };

/* By byte: the value in base64, either alphabet; PERCENT begins an escape, NONE is no member. */
static const uint8_t VALUES[256] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 65, 64, 64, 64, 64, 64, 62, 64, 62, 64, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64, 64, 0,  1,	2,  3,	4,  5,	6,
    7,	8,  9,	10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 63,
    64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
    49, 50, 51, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
};

static inline uint8_t value_of(char c)
{
	return VALUES[(unsigned char)c];
}

/* Where a run begins that seems to begin at `at`: behind an escape's letter or a colour's. */
static size_t run_start(const struct st_place *place, size_t at, size_t end)
{
	const char *data = place->data;
	if (at == place->begin)
		return at;
	char before = data[at - 1];
	size_t from = at;
	if (before == '\\' && strchr("nrt", data[at]) != NULL)
		return at + 1;
	if (before != '[' && before != ';')
		return at;
	while (from < end && st_char_is_digit(data[from]))
		from++;
	return from < end && data[from] == 'm' ? from + 1 : at;
}

bool st_decode_next(const struct st_place *place, size_t at, struct st_run *run)
{
	const char *data = place->data;
	size_t end = place->end;
	while (end - at >= ST_DECODE_MIN) {
		size_t from = at + ST_DECODE_MIN;
		while (from > at && value_of(data[from - 1]) != NONE)
			from--;
		if (from > at) {
			at = from;
			continue;
		}
		size_t to = at + ST_DECODE_MIN;
		bool percent = memchr(data + at, '%', ST_DECODE_MIN) != NULL;
		for (; to < end && (value_of(data[to]) != NONE ||
				    (percent && strchr(".~:;@,!*", data[to]) != NULL));
		     to++)
			percent |= data[to] == '%';
		if (to - at <= ST_DECODE_MAX) {
			*run = (struct st_run){run_start(place, at, to), to};
			return true;
		}
		at = to;
	}
	return false;
}

static bool is_text(uint8_t byte)
{
	return byte >= 0x20 ? byte != 0x7f : byte == '\n' || byte == '\t' || byte == '\r';
}

/* One more decoded byte; false: it cannot be text. As Windows writes it, every other one is NUL. */
static bool byte_add(struct st_buf *out, size_t start, size_t number, uint8_t byte)
{
	bool wide = number > 0 && number % 2 == 1 && byte == 0;
	if (wide && out->len - start == (number + 1) / 2)
		return true;
	out->data[out->len++] = (char)byte;
	return is_text(byte);
}

static bool base64_decode(const char *text, size_t len, struct st_buf *out)
{
	size_t start = out->len, n = 0;
	uint32_t bits = 0;
	for (size_t i = 0; i < len; i++) {
		uint8_t value = value_of(text[i]);
		if (value >= NONE)
			return false;
		bits = bits << 6 | value;
		if (i % 4 != 0 && !byte_add(out, start, n++, (uint8_t)(bits >> (6 - 2 * (i % 4)))))
			return false;
	}
	return true;
}

static int hex_value(char c)
{
	if (st_char_is_digit(c))
		return c - '0';
	c = st_char_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex_decode(const char *text, size_t len, struct st_buf *out)
{
	size_t start = out->len, n = 0;
	for (size_t i = 0; i + 1 < len; i += 2) {
		int high = hex_value(text[i]), low = hex_value(text[i + 1]);
		if (high < 0 || low < 0 || !byte_add(out, start, n++, (uint8_t)(16 * high + low)))
			return false;
	}
	return len % 2 == 0;
}

/* What escapes neither letters nor quotes is understood as it stands. */
static bool percent_decode(const char *text, size_t len, struct st_buf *out)
{
	bool hidden = false;
	for (size_t i = 0; i < len; i++) {
		int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
		int low = i + 2 < len ? hex_value(text[i + 2]) : -1;
		if (text[i] == '%' && high >= 0 && low >= 0) {
			char c = (char)(16 * high + low);
			out->data[out->len++] = c;
			hidden |= st_char_is_alnum(c) || st_char_is_quote(c);
			i += 2;
		} else {
			out->data[out->len++] = text[i] == '+' ? ' ' : text[i];
		}
	}
	return hidden;
}

bool st_decode_run(const char *text, size_t len, struct st_buf *out)
{
	size_t before = out->len;
	(void)st_buf_reserve(out, len + 1);
	bool done = memchr(text, '%', len) != NULL ? percent_decode(text, len, out)
						   : hex_decode(text, len, out);
	if (!done && memchr(text, '%', len) == NULL) {
		out->len = before;
		done = base64_decode(text, len, out);
	}
	if (!done)
		out->len = before;
	out->data[out->len] = '\0';
	return done;
}
