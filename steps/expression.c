/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/expression.h"

#include <string.h>

#include "schemas/mem.h"
#include "steps/expression_program.h"
#include "steps/parser.h"

static int too_long(struct st_diag *diag)
{
	return st_fail(diag, ST_ERR_TOO_LARGE, "an expression is longer than %d bytes",
		       ST_EXPR_TEXT_MAX);
}

int st_expr_parse(const char *text, struct st_expr **out, struct st_diag *diag)
{
	size_t end = 0;
	struct st_expr_source source = {.text = text, .len = strlen(text), .column = 1};
	if (source.len > ST_EXPR_TEXT_MAX) {
		return too_long(diag);
	}
	return st_expr_parse_source(&source, out, &end, diag);
}

int st_condition_parse(const char *text, struct st_expr **out, struct st_diag *diag)
{
	static const char space[] = " \t\r\n";
	size_t from = strspn(text, space);
	bool embedded = strncmp(text + from, "${{", 3) == 0;
	from += embedded ? 3 : 0;
	struct st_expr_source source = {.text = text,
					.len = strlen(text),
					.from = from,
					.column = (uint32_t)from + 1,
					.embedded = embedded,
					.condition = true};
	if (source.len > ST_EXPR_TEXT_MAX) {
		return too_long(diag);
	}
	struct st_expr *expr = NULL;
	size_t end = 0;
	int rc = st_expr_parse_source(&source, &expr, &end, diag);
	if (rc != ST_OK) {
		return rc;
	}
	end += strspn(text + end, space);
	if (end < source.len) {
		st_expr_free(expr);
		return st_fail(diag, ST_ERR_INVALID,
			       "a condition is one expression, but behind its }} stands \"%.40s\"",
			       text + end);
	}
	*out = expr;
	return ST_OK;
}

bool st_expr_uses_status(const struct st_expr *expr)
{
	return expr->uses_status;
}

int st_expr_references_at(const struct st_expr *expr, const char *pointer,
			  const struct st_reference_sink *sink, struct st_diag *diag)
{
	static const enum st_reference_kind kinds[] = {[ST_ROOT_PARAMS] = ST_REFERENCE_PARAM,
						       [ST_ROOT_STEPS] = ST_REFERENCE_STEP,
						       [ST_ROOT_ITEM] = ST_REFERENCE_ITEM,
						       [ST_ROOT_RUN] = ST_REFERENCE_RUN};
	for (uint32_t i = 1; i < expr->n; i++) {
		const struct st_node *node = &expr->nodes[i];
		if (node->kind != ST_NODE_PATH || node->of.root == ST_ROOT_VALUE) {
			continue;
		}
		struct st_reference reference = {.kind = kinds[node->of.root],
						 .name = "",
						 .pointer = pointer,
						 .optional = node->optional};
		const struct st_node *part = &expr->nodes[node->first];
		if (node->first != 0 && part->kind == ST_NODE_NAME &&
		    node->of.root != ST_ROOT_ITEM) {
			reference.name = json_string_value(part->of.value);
		}
		int rc = sink->see(sink->arg, &reference, diag);
		if (rc != ST_OK) {
			return rc;
		}
	}
	return ST_OK;
}

int st_expr_references(const struct st_expr *expr, const struct st_reference_sink *sink,
		       struct st_diag *diag)
{
	return st_expr_references_at(expr, "", sink, diag);
}
