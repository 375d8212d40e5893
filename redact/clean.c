/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/clean.h"

#include <assert.h>
#include <string.h>

#include "redact/chars.h"
#include "redact/clean_private.h"
#include "schemas/mem.h"

#define HEAD_BYTES offsetof(struct st_clean, text)

const char *st_clean_text(const struct st_clean *clean)
{
	return clean->text;
}

size_t st_clean_len(const struct st_clean *clean)
{
	return clean->len;
}

size_t st_clean_redactions(const struct st_clean *clean)
{
	return clean->redactions;
}

bool st_clean_failed(const struct st_clean *clean)
{
	return clean->failed;
}

struct st_clean *st_clean_copy(const struct st_clean *clean)
{
	if (clean == NULL)
		return NULL;
	struct st_clean *copy = st_alloc(sizeof *copy + clean->len + 1);
	memcpy(copy, clean, HEAD_BYTES + clean->len + 1);
	return copy;
}

void st_clean_free(struct st_clean *clean)
{
	st_free(clean);
}

void st_clean_cleanup(struct st_clean **clean)
{
	st_clean_free(*clean);
}

void st_clean_buf_start(struct st_buf *buf, size_t text_len_hint)
{
	*buf = (struct st_buf){0};
	st_buf_reserve(buf, sizeof(struct st_clean) + text_len_hint);
	buf->len = HEAD_BYTES;
	buf->data[buf->len] = '\0';
}

size_t st_clean_buf_len(const struct st_buf *buf)
{
	assert(buf->len >= HEAD_BYTES);
	return buf->len - HEAD_BYTES;
}

void st_clean_buf_cut(struct st_buf *buf)
{
	assert(buf->len >= HEAD_BYTES);
	buf->len = HEAD_BYTES;
	buf->data[buf->len] = '\0';
}

struct st_clean *st_clean_buf_finish(struct st_buf *buf, size_t redactions, bool failed)
{
	assert(buf->len >= HEAD_BYTES);
	assert(buf->cap >= sizeof(struct st_clean));
	struct st_clean head = {
	    .len = st_clean_buf_len(buf), .redactions = redactions, .failed = failed};
	memcpy(buf->data, &head, HEAD_BYTES);
	return (struct st_clean *)(void *)st_buf_take(buf);
}

void st_clean_buf_add_string(struct st_buf *buf, const char *text, size_t len)
{
	if (st_utf8_valid(text, len)) {
		st_buf_add_json_string(buf, text, len);
		return;
	}
	struct st_buf fixed = {0};
	st_buf_reserve(&fixed, len);
	for (size_t i = 0; i < len;) {
		size_t n = st_utf8_len(text + i, len - i);
		if (n == 0)
			st_buf_add(&fixed, "\xef\xbf\xbd", 3);
		else
			st_buf_add(&fixed, text + i, n);
		i += n == 0 ? 1 : n;
	}
	st_buf_add_json_string(buf, fixed.data, fixed.len);
	st_buf_fini(&fixed);
}
