/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/template.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/operand.h"
#include "steps/parser.h"
#include "steps/place.h"

/* Adds where to a message that was made without it. */
static int fail_here(const struct st_place *place, struct st_diag *diag, int rc)
{
	if (diag != NULL) {
		memcpy(diag->pointer, place->pointer, sizeof diag->pointer);
	}
	return rc;
}

static int too_deep(const struct st_place *place, struct st_diag *diag)
{
	return st_fail_at(diag, ST_ERR_TOO_LARGE, place->pointer, "nested more than %d deep",
			  ST_JSON_DEPTH_MAX);
}

static int field_name_is_plain(const struct st_place *place, const char *name, struct st_diag *diag)
{
	if (strstr(name, "${{") != NULL) {
		return st_fail_at(diag, ST_ERR_INVALID, place->pointer,
				  "the name of a field can not hold an expression: \"%.60s\"",
				  name);
	}
	return ST_OK;
}

/* ---- the parts of one string ---- */

enum part_kind { PART_END, PART_TEXT, PART_EXPR, PART_SECRET };

struct part {
	enum part_kind kind;
	const char *text; /* PART_TEXT: borrowed from the string */
	size_t len;
	struct st_expr *expr; /* PART_EXPR: owned by whoever asked */
	char secret[ST_EXPR_NAME_MAX];
};

struct scan {
	const char *text;
	size_t len;
	size_t at;
	uint32_t column; /* of `at` */
};

static struct scan scan_of(const json_t *string)
{
	return (struct scan){
	    .text = json_string_value(string), .len = json_string_length(string), .column = 1};
}

static void advance(struct scan *scan, size_t to)
{
	for (; scan->at < to; scan->at++) {
		scan->column += ((unsigned char)scan->text[scan->at] & 0xc0U) != 0x80U;
	}
}

static bool holds_expression(const json_t *string)
{
	return strstr(json_string_value(string), "${{") != NULL;
}

static size_t skip_space(const struct scan *scan, size_t at)
{
	return at + strspn(scan->text + at, " \t\r\n");
}

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

/* secrets.NAME }} behind the ${{ that scan->at is on. */
static int scan_secret(struct scan *scan, size_t at, struct part *part, struct st_diag *diag)
{
	at += strlen("secrets");
	size_t len = scan->text[at] == '.' ? strspn(scan->text + at + 1, NAME_CHARACTERS ".") : 0;
	size_t close = skip_space(scan, at + 1 + len);
	bool closed = len > 0 && strncmp(scan->text + close, "}}", 2) == 0;
	if (!closed || len >= sizeof part->secret) {
		return st_fail(diag, ST_ERR_INVALID,
			       "column %u: a secret stands by itself, as ${{ secrets.NAME }}, and "
			       "takes no part in an expression",
			       (unsigned)scan->column);
	}
	part->kind = PART_SECRET;
	memcpy(part->secret, scan->text + at + 1, len);
	part->secret[len] = '\0';
	advance(scan, close + 2);
	return ST_OK;
}

static int scan_expression(struct scan *scan, struct part *part, struct st_diag *diag)
{
	size_t at = skip_space(scan, scan->at + 3);
	size_t len = strlen("secrets");
	if (strncmp(scan->text + at, "secrets", len) == 0 &&
	    strspn(scan->text + at, NAME_CHARACTERS) == len) {
		return scan_secret(scan, at, part, diag);
	}
	struct st_expr_source source = {.text = scan->text,
					.len = scan->len,
					.from = scan->at + 3,
					.column = scan->column + 3,
					.embedded = true};
	size_t end = 0;
	int rc = st_expr_parse_source(&source, &part->expr, &end, diag);
	if (rc != ST_OK) {
		return rc;
	}
	part->kind = PART_EXPR;
	advance(scan, end);
	return ST_OK;
}

/* The next part of the string; PART_END behind the last. An expression is owned by the caller. */
static int scan_next(struct scan *scan, struct part *part, struct st_diag *diag)
{
	*part = (struct part){.kind = PART_END};
	if (scan->at >= scan->len) {
		return ST_OK;
	}
	const char *from = scan->text + scan->at;
	const char *open = strstr(from, "${{");
	if (open == from) {
		return scan_expression(scan, part, diag);
	}
	part->kind = PART_TEXT;
	part->text = from;
	part->len = open != NULL ? (size_t)(open - from) : scan->len - scan->at;
	advance(scan, scan->at + part->len);
	return ST_OK;
}

/* ---- check ---- */

struct checker {
	struct st_place place;
	const struct st_reference_sink *sink;
	struct st_diag *diag;
};

static int tell_references(struct checker *c, const struct part *part)
{
	if (c->sink == NULL) {
		return ST_OK;
	}
	if (part->kind == PART_EXPR) {
		return st_expr_references_at(part->expr, c->place.pointer, c->sink, c->diag);
	}
	if (part->kind == PART_SECRET) {
		struct st_reference reference = {
		    .kind = ST_REFERENCE_SECRET, .name = part->secret, .pointer = c->place.pointer};
		return c->sink->see(c->sink->arg, &reference, c->diag);
	}
	return ST_OK;
}

static int check_string(struct checker *c, const json_t *string)
{
	struct scan scan = scan_of(string);
	struct part part = {.kind = PART_TEXT};
	while (part.kind != PART_END) {
		int rc = scan_next(&scan, &part, c->diag);
		if (rc != ST_OK) {
			return fail_here(&c->place, c->diag, rc);
		}
		rc = tell_references(c, &part);
		st_expr_free(part.expr);
		if (rc != ST_OK) {
			return rc;
		}
	}
	return ST_OK;
}

/* ST_JSON_DEPTH_MAX bounds the place.
 * NOLINTBEGIN(misc-no-recursion) */
static int check(struct checker *c, const json_t *value);

static int check_array(struct checker *c, const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		size_t old = st_place_enter_element(&c->place, i);
		int rc = check(c, json_array_get(array, i));
		st_place_leave(&c->place, old);
		if (rc != ST_OK) {
			return rc;
		}
	}
	return ST_OK;
}

static int check_object(struct checker *c, const json_t *object)
{
	const char *name = NULL;
	json_t *member = NULL;
	json_object_foreach((json_t *)object, name, member)
	{
		int rc = field_name_is_plain(&c->place, name, c->diag);
		if (rc != ST_OK) {
			return rc;
		}
		size_t old = st_place_enter(&c->place, name, strlen(name));
		rc = check(c, member);
		st_place_leave(&c->place, old);
		if (rc != ST_OK) {
			return rc;
		}
	}
	return ST_OK;
}

static int check(struct checker *c, const json_t *value)
{
	if (c->place.depth > ST_JSON_DEPTH_MAX) {
		return too_deep(&c->place, c->diag);
	}
	if (json_is_string(value)) {
		return holds_expression(value) ? check_string(c, value) : ST_OK;
	}
	if (json_is_array(value)) {
		return check_array(c, value);
	}
	return json_is_object(value) ? check_object(c, value) : ST_OK;
}

/* NOLINTEND(misc-no-recursion) */

int st_template_check(const json_t *template, const struct st_reference_sink *sink,
		      struct st_diag *diag)
{
	struct checker c = {.sink = sink, .diag = diag};
	return check(&c, template);
}

/* ---- eval ---- */

struct builder {
	struct st_place place;
	struct st_evaluation evaluation;
	size_t bytes; /* of the result so far, as JSON text */
};

static int too_large(const struct builder *b)
{
	return st_fail_at(b->evaluation.diag, ST_ERR_TOO_LARGE, b->place.pointer,
			  "the evaluated fields together are larger than %d bytes or more than %d "
			  "levels deep",
			  ST_EXPR_OUTPUT_MAX, ST_JSON_DEPTH_MAX);
}

/* Counts a piece of the result. */
static int count_value(struct builder *b, const json_t *value)
{
	int rc = st_operand_measure(value, ST_JSON_DEPTH_MAX - b->place.depth, ST_EXPR_OUTPUT_MAX,
				    &b->bytes);
	return rc == ST_OK ? rc : too_large(b);
}

static int count_bytes(struct builder *b, size_t n)
{
	b->bytes += n;
	return b->bytes > ST_EXPR_OUTPUT_MAX ? too_large(b) : ST_OK;
}

/* A string under way: text so far, and once there is a secret, the parts of its marker. */
struct assembly {
	struct st_buf text;
	json_t *parts;
};

static int flush_text(struct builder *b, struct assembly *assembly)
{
	if (assembly->parts == NULL) {
		assembly->parts = json_array();
	}
	if (assembly->text.len == 0) {
		return ST_OK;
	}
	json_t *text = json_stringn(assembly->text.data, assembly->text.len);
	assert(text != NULL);
	json_array_append_new(assembly->parts, text);
	st_buf_clear(&assembly->text);
	return count_value(b, text);
}

static json_t *marker_of(json_t *content)
{
	json_t *marker = json_object();
	json_object_set_new_nocheck(marker, ST_SECRET_MARKER, content);
	return marker;
}

static int append_value(struct builder *b, struct assembly *assembly, const json_t *value,
			uint32_t column)
{
	if (json_is_null(value)) {
		return st_fail(b->evaluation.diag, ST_ERR_INVALID,
			       "column %u: null can not be put into text; give a text with "
			       "default(x, '')",
			       (unsigned)column);
	}
	/* The expression's value was measured when it was evaluated. */
	st_operand_add_text(&assembly->text, value);
	return ST_OK;
}

static int append_part(struct builder *b, struct assembly *assembly, const struct part *part,
		       uint32_t column)
{
	if (part->kind == PART_TEXT) {
		st_buf_add(&assembly->text, part->text, part->len);
	}
	if (part->kind == PART_SECRET) {
		int rc = flush_text(b, assembly);
		json_array_append_new(assembly->parts, marker_of(json_string(part->secret)));
		return rc;
	}
	if (part->kind == PART_EXPR) {
		json_t *value = NULL;
		int rc = st_evaluation_run(&b->evaluation, part->expr, &value);
		if (rc == ST_OK) {
			rc = append_value(b, assembly, value, column);
			json_decref(value);
		}
		if (rc != ST_OK) {
			return rc;
		}
	}
	/* Before the exact count at the end, so that the buffer never gets far. */
	return b->bytes + assembly->text.len > ST_EXPR_OUTPUT_MAX ? too_large(b) : ST_OK;
}

static int assemble(struct builder *b, const json_t *string, struct assembly *assembly)
{
	struct scan scan = scan_of(string);
	struct part part = {.kind = PART_TEXT};
	while (part.kind != PART_END) {
		uint32_t column = scan.column;
		int rc = scan_next(&scan, &part, b->evaluation.diag);
		if (rc == ST_OK) {
			rc = append_part(b, assembly, &part, column);
		}
		st_expr_free(part.expr);
		if (rc != ST_OK) {
			return rc;
		}
	}
	return ST_OK;
}

/* Mixed text, or a secret. */
static int build_text(struct builder *b, const json_t *string, json_t **out)
{
	struct assembly assembly = {0};
	int rc = assemble(b, string, &assembly);
	if (rc == ST_OK && assembly.parts != NULL) {
		rc = flush_text(b, &assembly);
		*out = marker_of(json_incref(assembly.parts));
	} else if (rc == ST_OK) {
		*out = json_stringn(assembly.text.data != NULL ? assembly.text.data : "",
				    assembly.text.len);
		assert(*out != NULL);
		rc = count_value(b, *out);
	}
	json_decref(assembly.parts);
	st_buf_fini(&assembly.text);
	return rc;
}

/* True when the string is one expression and nothing else; then its value is in *out. */
static int build_whole(struct builder *b, const json_t *string, bool *whole, json_t **out)
{
	struct scan scan = scan_of(string);
	struct part part;
	int rc = scan_next(&scan, &part, b->evaluation.diag);
	*whole = rc == ST_OK && part.kind == PART_EXPR && scan.at == scan.len;
	if (*whole) {
		rc = st_evaluation_run(&b->evaluation, part.expr, out);
	}
	st_expr_free(part.expr);
	return *whole && rc == ST_OK ? count_value(b, *out) : rc;
}

static int build_string(struct builder *b, const json_t *string, json_t **out)
{
	if (!holds_expression(string)) {
		*out = json_incref((json_t *)string);
		return count_value(b, string);
	}
	bool whole = false;
	int rc = build_whole(b, string, &whole, out);
	if (rc == ST_OK && !whole) {
		rc = build_text(b, string, out);
	}
	return rc == ST_OK ? rc : fail_here(&b->place, b->evaluation.diag, rc);
}

/* ST_JSON_DEPTH_MAX bounds the place.
 * NOLINTBEGIN(misc-no-recursion) */
static int build(struct builder *b, const json_t *value, json_t **out);

static int build_array(struct builder *b, const json_t *array, json_t **out)
{
	*out = json_array();
	int rc = count_bytes(b, json_array_size(array) + 2);
	for (size_t i = 0; i < json_array_size(array) && rc == ST_OK; i++) {
		json_t *element = NULL;
		size_t old = st_place_enter_element(&b->place, i);
		rc = build(b, json_array_get(array, i), &element);
		st_place_leave(&b->place, old);
		if (element != NULL) {
			json_array_append_new(*out, element);
		}
	}
	return rc;
}

static int build_object(struct builder *b, const json_t *object, json_t **out)
{
	*out = json_object();
	int rc = count_bytes(b, 2);
	const char *name = NULL;
	json_t *member = NULL;
	json_object_foreach((json_t *)object, name, member)
	{
		json_t *built = NULL;
		rc = rc == ST_OK ? field_name_is_plain(&b->place, name, b->evaluation.diag) : rc;
		rc = rc == ST_OK ? count_bytes(b, strlen(name) + 4) : rc;
		if (rc != ST_OK) {
			return rc;
		}
		size_t old = st_place_enter(&b->place, name, strlen(name));
		rc = build(b, member, &built);
		st_place_leave(&b->place, old);
		if (built != NULL) {
			json_object_set_new_nocheck(*out, name, built);
		}
	}
	return rc;
}

/* Whatever *out is given belongs to the caller, also on failure. */
static int build(struct builder *b, const json_t *value, json_t **out)
{
	if (b->place.depth > ST_JSON_DEPTH_MAX) {
		return too_deep(&b->place, b->evaluation.diag);
	}
	if (json_is_string(value)) {
		return build_string(b, value, out);
	}
	if (json_is_array(value)) {
		return build_array(b, value, out);
	}
	if (json_is_object(value)) {
		return build_object(b, value, out);
	}
	*out = json_incref((json_t *)value);
	return count_value(b, value);
}

/* NOLINTEND(misc-no-recursion) */

int st_template_eval(const json_t *template, const struct st_expr_scope *scope, json_t **out,
		     struct st_diag *diag)
{
	struct builder b = {
	    .evaluation = {.scope = scope, .work_left = ST_EXPR_WORK_MAX, .diag = diag}};
	json_t *value = NULL;
	int rc = build(&b, template, &value);
	if (rc != ST_OK) {
		json_decref(value);
		return rc;
	}
	*out = value;
	return ST_OK;
}
