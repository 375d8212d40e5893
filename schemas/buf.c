/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schemas/mem.h"

void st_buf_fini(struct st_buf *buf)
{
	st_free(buf->data);
	*buf = (struct st_buf){0};
}

void st_buf_clear(struct st_buf *buf)
{
	buf->len = 0;
	if (buf->data != NULL) {
		buf->data[0] = '\0';
	}
}

char *st_buf_reserve(struct st_buf *buf, size_t more)
{
	assert(more < SIZE_MAX / 2 - buf->len);
	size_t need = buf->len + more + 1;
	if (need > buf->cap) {
		size_t cap = buf->cap < 64 ? 64 : buf->cap;
		while (cap < need) {
			cap *= 2;
		}
		buf->data = st_realloc(buf->data, cap);
		buf->cap = cap;
	}
	return buf->data + buf->len;
}

void st_buf_add(struct st_buf *buf, const void *bytes, size_t len)
{
	char *to = st_buf_reserve(buf, len);
	if (len > 0) {
		memcpy(to, bytes, len);
	}
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void st_buf_add_text(struct st_buf *buf, const char *text)
{
	st_buf_add(buf, text, strlen(text));
}

void st_buf_add_char(struct st_buf *buf, char c)
{
	st_buf_add(buf, &c, 1);
}

void st_buf_add_int(struct st_buf *buf, int64_t n)
{
	char digits[24];
	char *p = digits + sizeof digits;
	uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	do {
		*--p = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (n < 0) {
		*--p = '-';
	}
	st_buf_add(buf, p, (size_t)(digits + sizeof digits - p));
}

void st_buf_addf(struct st_buf *buf, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	va_list again;
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(len >= 0);
	char *to = st_buf_reserve(buf, (size_t)len);
	(void)vsnprintf(to, (size_t)len + 1, format, again);
	va_end(again);
	buf->len += (size_t)len;
}

static void add_escaped(struct st_buf *buf, unsigned char c)
{
	switch (c) {
	case '"':
		st_buf_add(buf, "\\\"", 2);
		return;
	case '\\':
		st_buf_add(buf, "\\\\", 2);
		return;
	case '\n':
		st_buf_add(buf, "\\n", 2);
		return;
	case '\r':
		st_buf_add(buf, "\\r", 2);
		return;
	case '\t':
		st_buf_add(buf, "\\t", 2);
		return;
	default:
		st_buf_addf(buf, "\\u%04x", c);
		return;
	}
}

void st_buf_add_json_string(struct st_buf *buf, const char *text, size_t len)
{
	st_buf_add_char(buf, '"');
	size_t from = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
			continue;
		}
		st_buf_add(buf, text + from, i - from);
		add_escaped(buf, c);
		from = i + 1;
	}
	st_buf_add(buf, text + from, len - from);
	st_buf_add_char(buf, '"');
}

char *st_buf_take(struct st_buf *buf)
{
	if (buf->data == NULL) {
		return st_strdup("");
	}
	char *text = buf->data;
	*buf = (struct st_buf){0};
	return text;
}
