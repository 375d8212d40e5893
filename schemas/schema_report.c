/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/schema_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "schemas/regex.h"

#define SHOWN_BYTES_MAX 60
#define NAME_BYTES_MAX 64
#define PATH_SHOWN_MAX 64

/* Writes the pointer from the root; the path is linked the other way round. */
static void write_pointer(const struct st_schema_path *path, char pointer[ST_DIAG_POINTER_MAX])
{
	const struct st_schema_path *steps[PATH_SHOWN_MAX];
	size_t n = 0;
	for (; path->outer != NULL; path = path->outer) {
		if (path->depth <= PATH_SHOWN_MAX) {
			steps[n++] = path;
		}
	}
	pointer[0] = '\0';
	while (n > 0) {
		path = steps[--n];
		char digits[24];
		if (path->key != NULL) {
			st_json_pointer_push(pointer, path->key, path->key_len);
		} else {
			int len = snprintf(digits, sizeof digits, "%zu", path->index);
			st_json_pointer_push(pointer, digits, (size_t)len);
		}
	}
}

bool st_schema_fail(struct st_schema_check *check, enum st_schema_rank rank, const char *format,
		    ...)
{
	struct st_schema_report *report = check->report;
	if (report == NULL) {
		return false;
	}
	report->depth = check->path->depth;
	report->rank = rank;
	write_pointer(check->path, report->pointer);
	va_list args;
	va_start(args, format);
	(void)vsnprintf(report->text, sizeof report->text, format, args);
	va_end(args);
	return false;
}

static const char *title_of(const struct st_schema_node *node)
{
	return json_string_value(json_object_get(node->source, "title"));
}

/* A short look at the value: a string, an integer or true as it is, else its type. */
static void add_value(struct st_buf *buf, const json_t *value)
{
	if (json_is_object(value) || json_is_array(value) || json_is_real(value)) {
		st_buf_add_text(buf, st_json_type_text(value));
		return;
	}
	st_autofree char *text = st_json_compact(value);
	size_t len = strlen(text);
	if (len > SHOWN_BYTES_MAX) {
		len = SHOWN_BYTES_MAX;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
			len--;
		}
		st_buf_add(buf, text, len);
		st_buf_add_text(buf, "…");
		return;
	}
	st_buf_add(buf, text, len);
}

/* "an integer or a string"; for a node that is only made of others, nothing. */
static void add_types(struct st_buf *buf, unsigned types)
{
	static const struct {
		unsigned bit;
		const char *text;
	} rows[] = {
	    {ST_SCHEMA_INTEGER, "an integer"}, {ST_SCHEMA_NUMBER, "a number"},
	    {ST_SCHEMA_STRING, "a string"},    {ST_SCHEMA_BOOLEAN, "a boolean"},
	    {ST_SCHEMA_ARRAY, "an array"},     {ST_SCHEMA_OBJECT, "an object"},
	    {ST_SCHEMA_NULL, "null"},
	};
	bool first = true;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if ((types & rows[i].bit) != 0) {
			st_buf_add_text(buf, first ? "" : " or ");
			st_buf_add_text(buf, rows[i].text);
			first = false;
		}
	}
}

/* What a subschema wants, in a few words: its title, else its types, looked for behind references.
 */
static void add_expected(struct st_buf *buf, const struct st_schema_node *node)
{
	for (int hop = 0; hop < 8; hop++) {
		if (title_of(node) != NULL) {
			st_buf_add_text(buf, title_of(node));
			return;
		}
		if (node->types != 0) {
			add_types(buf, node->types);
			return;
		}
		if (node->ref == NULL) {
			break;
		}
		node = node->ref;
	}
	st_buf_add_text(buf, "another form");
}

bool st_schema_fail_never(struct st_schema_check *check, const struct st_schema_node *node)
{
	(void)node;
	return st_schema_fail(check, ST_SCHEMA_RANK_OTHER, "nothing is allowed here");
}

bool st_schema_fail_type(struct st_schema_check *check, const struct st_schema_node *node,
			 const json_t *value)
{
	if (check->report == NULL) {
		return false;
	}
	struct st_buf buf = {0};
	st_buf_add_text(&buf, "expected ");
	add_expected(&buf, node);
	st_buf_add_text(&buf, ", got ");
	add_value(&buf, value);
	(void)st_schema_fail(check, ST_SCHEMA_RANK_TYPE, "%s", buf.data);
	st_buf_fini(&buf);
	return false;
}

bool st_schema_fail_number(struct st_schema_check *check, const char *expected, const json_t *bound,
			   const json_t *value)
{
	if (check->report == NULL) {
		return false;
	}
	st_autofree char *want = st_json_compact(bound);
	st_autofree char *got = st_json_compact(value);
	return st_schema_fail(check, ST_SCHEMA_RANK_OTHER, "expected %s %s, got %s", expected, want,
			      got);
}

bool st_schema_fail_pattern(struct st_schema_check *check, const struct st_schema_node *node,
			    const json_t *value)
{
	if (check->report == NULL) {
		return false;
	}
	struct st_buf buf = {0};
	add_value(&buf, value);
	if (title_of(node) != NULL) {
		st_buf_addf(&buf, " is not %.200s", title_of(node));
	} else {
		st_buf_addf(&buf, " does not match %.200s", st_regex_text(node->pattern));
	}
	(void)st_schema_fail(check, ST_SCHEMA_RANK_PATTERN, "%s", buf.data);
	st_buf_fini(&buf);
	return false;
}

bool st_schema_fail_not(struct st_schema_check *check, const struct st_schema_node *node)
{
	const char *title = title_of(node);
	return st_schema_fail(check, ST_SCHEMA_RANK_OTHER, "not allowed: %s",
			      title != NULL ? title : "a form that is excluded");
}

/* ---- the nearest name ---- */

/* How many letters have to be changed, added or dropped; a large number when the names are long. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[NAME_BYTES_MAX + 1];
	if (a_len > NAME_BYTES_MAX || b_len > NAME_BYTES_MAX) {
		return SIZE_MAX;
	}
	for (size_t j = 0; j <= b_len; j++) {
		row[j] = j;
	}
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
			diagonal = row[j];
			size_t step = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
			row[j] = change < step ? change : step;
		}
	}
	return row[b_len];
}

struct nearest {
	const char *name;
	size_t len;
	size_t distance;
};

static void consider(struct nearest *nearest, const char *wanted, const char *name, size_t len)
{
	size_t wanted_len = strlen(wanted);
	size_t d = distance(wanted, wanted_len, name, len);
	size_t enough = (wanted_len < len ? wanted_len : len) / 3 + 1;
	if (d <= enough && (nearest->name == NULL || d < nearest->distance)) {
		*nearest = (struct nearest){name, len, d};
	}
}

/* An enum of texts gets a suggestion, too. */
static void add_enum(struct st_buf *buf, const json_t *values, const json_t *got)
{
	struct nearest nearest = {0};
	for (size_t i = 0; i < json_array_size(values); i++) {
		const json_t *value = json_array_get(values, i);
		st_buf_add_text(buf, i == 0 ? "" : ", ");
		add_value(buf, value);
		if (json_is_string(value) && json_is_string(got)) {
			consider(&nearest, json_string_value(got), json_string_value(value),
				 json_string_length(value));
		}
	}
	st_buf_add_text(buf, ", got ");
	add_value(buf, got);
	if (nearest.name != NULL) {
		st_buf_addf(buf, "; did you mean \"%.*s\"?", (int)nearest.len, nearest.name);
	}
}

bool st_schema_fail_value(struct st_schema_check *check, const struct st_schema_node *node,
			  const json_t *value)
{
	if (check->report == NULL) {
		return false;
	}
	struct st_buf buf = {0};
	if (node->enum_values != NULL) {
		st_buf_add_text(&buf, "expected one of: ");
		add_enum(&buf, node->enum_values, value);
	} else {
		st_buf_add_text(&buf, "expected ");
		add_value(&buf, node->const_value);
		st_buf_add_text(&buf, ", got ");
		add_value(&buf, value);
	}
	(void)st_schema_fail(check, ST_SCHEMA_RANK_OTHER, "%s", buf.data);
	st_buf_fini(&buf);
	return false;
}

/* The suggestion comes first: the list may be cut. */
bool st_schema_fail_unknown(struct st_schema_check *check, const struct st_schema_keys *keys,
			    const char *name)
{
	if (check->report == NULL) {
		return false;
	}
	struct nearest nearest = {0};
	for (size_t i = 0; i < keys->n; i++) {
		consider(&nearest, name, keys->items[i].text, keys->items[i].len);
	}
	struct st_buf buf = {0};
	st_buf_addf(&buf, "unknown field \"%.64s\"", name);
	if (nearest.name != NULL) {
		st_buf_addf(&buf, "; did you mean \"%.*s\"?", (int)nearest.len, nearest.name);
	}
	st_buf_add_text(&buf, keys->n == 0 ? "; no field is expected" : "; expected one of: ");
	for (size_t i = 0; i < keys->n; i++) {
		st_buf_addf(&buf, "%s%s", i == 0 ? "" : ", ", keys->items[i].text);
	}
	(void)st_schema_fail(check, ST_SCHEMA_RANK_OTHER, "%s", buf.data);
	st_buf_fini(&buf);
	return false;
}

/* ---- several alternatives ---- */

bool st_schema_fail_any(struct st_schema_check *check, const struct st_schema_list *list,
			const json_t *value, enum st_schema_rank rank)
{
	struct st_buf buf = {0};
	st_buf_add_text(&buf, "expected ");
	for (size_t i = 0; i < list->n; i++) {
		st_buf_add_text(&buf, i == 0 ? "" : " or ");
		add_expected(&buf, list->items[i]);
	}
	st_buf_add_text(&buf, ", got ");
	add_value(&buf, value);
	(void)st_schema_fail(check, rank, "%s", buf.data);
	st_buf_fini(&buf);
	return false;
}
