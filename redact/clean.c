/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/clean.h"

#include <assert.h>
#include <string.h>

#include "redact/chars.h"
#include "redact/clean_private.h"
#include "redact/redact.h"
#include "redact/tree.h"
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

void st_clean_builder_init(struct st_clean_builder *builder, const struct st_redactor *redactor)
{
	*builder = (struct st_clean_builder){.private_redactor = redactor};
	st_clean_buf_start(&builder->private_buf, 224);
}

struct st_clean *st_clean_builder_finish(struct st_clean_builder *builder)
{
	return st_clean_buf_finish(&builder->private_buf, builder->private_redactions,
				   builder->private_failed);
}

void st_clean_builder_fini(struct st_clean_builder *builder)
{
	st_buf_fini(&builder->private_buf);
}

void st_clean_builder_add_literal(struct st_clean_builder *builder, const char *text, size_t len)
{
	st_buf_add(&builder->private_buf, text, len);
}

void st_clean_add_int(struct st_clean_builder *builder, int64_t n)
{
	st_buf_add_int(&builder->private_buf, n);
}

void st_clean_add_id(struct st_clean_builder *builder, struct st_id id, const char *prefix)
{
	char text[ST_ID_TEXT_MAX];
	st_id_format(id, prefix, text);
	st_buf_add_char(&builder->private_buf, '"');
	st_buf_add_text(&builder->private_buf, text);
	st_buf_add_char(&builder->private_buf, '"');
}

static size_t name_len(const char *name)
{
	size_t len = 0;
	while (len <= ST_CLEAN_NAME_MAX && name[len] != '\0') {
		if (!st_char_is_ident(name[len]))
			return 0;
		len++;
	}
	return len <= ST_CLEAN_NAME_MAX ? len : 0;
}

void st_clean_add_name(struct st_clean_builder *builder, const char *name)
{
	size_t len = name_len(name);
	if (len > 0) {
		st_clean_add_text(builder, name, len);
		return;
	}
	st_buf_add_text(&builder->private_buf, "\"[redacted:name]\"");
	builder->private_redactions++;
}

void st_clean_add_clean(struct st_clean_builder *builder, const struct st_clean *clean)
{
	st_clean_buf_add_string(&builder->private_buf, clean->text, clean->len);
	builder->private_redactions += clean->redactions;
	builder->private_failed |= clean->failed;
}

void st_clean_add_clean_json(struct st_clean_builder *builder, const struct st_clean *json)
{
	st_buf_add(&builder->private_buf, json->text, json->len);
	builder->private_redactions += json->redactions;
	builder->private_failed |= json->failed;
}

void st_clean_add_text(struct st_clean_builder *builder, const char *text, size_t len)
{
	struct st_tree tree = {.redactor = builder->private_redactor, .out = &builder->private_buf};
	st_tree_add_string(&tree, text, len);
	builder->private_redactions += tree.redactions;
	builder->private_failed |= tree.failed;
}

void st_clean_add_json(struct st_clean_builder *builder, const json_t *value)
{
	struct st_tree tree = {.redactor = builder->private_redactor, .out = &builder->private_buf};
	st_tree_add_value(&tree, value);
	builder->private_redactions += tree.redactions;
	builder->private_failed |= tree.failed;
}
