/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/shown.h"

#include <string.h>

#include "schemas/meter.h"

#define NO_CHAR UINT32_MAX
#define NUSD_PER_USD INT64_C(1000000000)

/* The code point at text and its length in bytes; NO_CHAR with length 1 where there is none. */
static uint32_t decode(const uint8_t *text, size_t len, size_t *used)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = text[0];
	*used = 1;
	if (first < 0x80) {
		return first;
	}
	size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	if (first < 0xc2 || first > 0xf4 || n > len) {
		return NO_CHAR;
	}
	uint32_t c = first & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80) {
			return NO_CHAR;
		}
		c = c << 6 | (text[i] & 0x3fU);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
		return NO_CHAR;
	}
	*used = n;
	return c;
}

/* Characters that steer instead of show: C1, joiners and direction marks, line ends, tags. */
static bool steers(uint32_t c)
{
	return (c >= 0x7f && c <= 0x9f) || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0x61c ||
	       c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

static void add_escaped(struct st_buf *out, uint32_t c)
{
	switch (c) {
	case '\n':
		st_buf_add_text(out, "\\n");
		return;
	case '\t':
		st_buf_add_text(out, "\\t");
		return;
	case '\r':
		st_buf_add_text(out, "\\r");
		return;
	default:
		st_buf_addf(out, c < 0x100 ? "\\x%02x" : "\\u{%x}", (unsigned)c);
	}
}

static void add(struct st_buf *out, const char *text, size_t len, const char *kept)
{
	const uint8_t *at = (const uint8_t *)text;
	while (len > 0) {
		size_t used = 1;
		uint32_t c = decode(at, len, &used);
		if (c == NO_CHAR) {
			add_escaped(out, at[0]);
		} else if (c != 0 && c < 0x20 && strchr(kept, (int)c) != NULL) {
			st_buf_add_char(out, (char)c);
		} else if (c < 0x20 || steers(c)) {
			add_escaped(out, c);
		} else {
			st_buf_add(out, at, used);
		}
		at += used;
		len -= used;
	}
}

void st_shown_add(struct st_buf *out, const char *text, size_t len)
{
	add(out, text, len, "");
}

void st_shown_add_lines(struct st_buf *out, const char *text, size_t len)
{
	add(out, text, len, "\n\t");
}

/* Combining marks take no column, east Asian and most pictures two. */
static size_t columns_of(uint32_t c)
{
	if ((c >= 0x300 && c <= 0x36f) || (c >= 0x20d0 && c <= 0x20ff) ||
	    (c >= 0xfe00 && c <= 0xfe0f)) {
		return 0;
	}
	bool wide = (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
		    (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
		    (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
		    (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) ||
		    (c >= 0x20000 && c <= 0x3fffd);
	return wide ? 2 : 1;
}

/* Bytes of `shown` that fit into `columns`, and how many columns they take. */
static size_t fitting(const char *shown, size_t columns, size_t *taken)
{
	const uint8_t *at = (const uint8_t *)shown;
	size_t left = strlen(shown);
	*taken = 0;
	while (left > 0) {
		size_t used = 1;
		size_t wide = columns_of(decode(at, left, &used));
		if (wide > columns - *taken) {
			break;
		}
		*taken += wide;
		at += used;
		left -= used;
	}
	return strlen(shown) - left;
}

size_t st_shown_columns(const char *shown)
{
	size_t taken = 0;
	(void)fitting(shown, SIZE_MAX, &taken);
	return taken;
}

size_t st_shown_add_cut(struct st_buf *out, const char *shown, size_t columns)
{
	size_t taken = 0;
	size_t len = fitting(shown, columns, &taken);
	if (shown[len] == '\0' || columns == 0) {
		st_buf_add(out, shown, len);
		return taken;
	}
	len = fitting(shown, columns - 1, &taken);
	st_buf_add(out, shown, len);
	st_buf_add_text(out, "…");
	return taken + 1;
}

void st_shown_add_amount(struct st_buf *out, const char *meter, int64_t amount)
{
	if (strcmp(meter, st_meter_name(ST_METER_COST_NUSD)) != 0 || amount < 0) {
		st_buf_add_int(out, amount);
		return;
	}
	st_buf_addf(out, "$%lld.%09lld", (long long)(amount / NUSD_PER_USD),
		    (long long)(amount % NUSD_PER_USD));
	/* Nano-dollars are for machines: zeros behind the cents say nothing. */
	for (int i = 0; i < 7 && out->data[out->len - 1] == '0'; i++) {
		out->data[--out->len] = '\0';
	}
}

void st_shown_add_coloured(struct st_buf *out, struct st_look look, const char *sgr,
			   const char *text)
{
	if (!look.colour || sgr[0] == '\0') {
		st_buf_add_text(out, text);
		return;
	}
	st_buf_addf(out, "\033[%sm%s\033[0m", sgr, text);
}
