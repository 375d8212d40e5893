/* SPDX-License-Identifier: Apache-2.0 */
/* How is clean JSON put together? See redact/clean.h; above redact/clean.c, since what comes from
 * outside is redacted on the way in. */
#include "redact/chars.h"
#include "redact/clean_private.h"
#include "redact/tree.h"

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

static void word_add(struct st_clean_builder *builder, const char *word)
{
	st_buf_add_char(&builder->private_buf, '"');
	st_buf_add_text(&builder->private_buf, word);
	st_buf_add_char(&builder->private_buf, '"');
}

void st_clean_add_meter(struct st_clean_builder *builder, enum st_meter meter)
{
	word_add(builder, st_meter_name(meter));
}

void st_clean_add_scope(struct st_clean_builder *builder, enum st_scope scope)
{
	word_add(builder, st_scope_name(scope));
}

void st_clean_add_state(struct st_clean_builder *builder, const struct st_machine *machine,
			int state)
{
	word_add(builder, st_machine_state_name(machine, state));
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
