/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "schemas/json.h"
#include "steps/expression_program.h"
#include "steps/operand.h"

/*
 * A walk over the tree of nodes. Its depth is bounded by the parser, each node is visited at most
 * once, and whatever looks at or makes data pays for it from work_left: so it ends, and soon.
 */
struct walk {
	struct st_evaluation *evaluation;
	const struct st_expr *expr;
};

#define PATH_TEXT_MAX 160

/* ST_EXPR_NESTING_MAX bounds the depth of the tree.
 * NOLINTBEGIN(misc-no-recursion) */
static int evaluate(struct walk *w, uint32_t at, json_t **out);

static const struct st_node *node_at(const struct walk *w, uint32_t at)
{
	assert(at > 0);
	assert(at < w->expr->n);
	return &w->expr->nodes[at];
}

/* Puts the column before a message that was made without one. */
static int fail_in(struct walk *w, const struct st_node *node, int rc)
{
	if (w->evaluation->diag != NULL) {
		st_fail_wrap(w->evaluation->diag, "column %u", (unsigned)node->column);
	}
	return rc;
}

static int begin_path(struct walk *w, const struct st_node *path, uint32_t *part, json_t **out)
{
	const struct st_expr_scope *scope = w->evaluation->scope;
	const json_t *value = NULL;
	switch (path->of.root) {
	case ST_ROOT_VALUE:
		*part = node_at(w, path->first)->next;
		return evaluate(w, path->first, out);
	case ST_ROOT_PARAMS:
		value = scope->params;
		break;
	case ST_ROOT_ITEM:
		value = scope->item;
		break;
	case ST_ROOT_RUN:
		value = scope->run;
		break;
	case ST_ROOT_STEPS:
		*part = node_at(w, path->first)->next;
		if (scope->step != NULL) {
			const json_t *id = node_at(w, path->first)->of.value;
			value = scope->step(scope->arg, json_string_value(id));
		}
		*out = json_incref((json_t *)value);
		return ST_OK;
	}
	*part = path->first;
	*out = json_incref((json_t *)value);
	return ST_OK;
}

/* Writes the path up to and with `last` as the author would ("params.list[2].name"). */
static void print_path(const struct walk *w, const struct st_node *path, uint32_t last,
		       char out[PATH_TEXT_MAX])
{
	static const char *const roots[] = {[ST_ROOT_PARAMS] = "params",
					    [ST_ROOT_STEPS] = "steps",
					    [ST_ROOT_ITEM] = "item",
					    [ST_ROOT_RUN] = "run",
					    [ST_ROOT_VALUE] = "(…)"};
	(void)snprintf(out, PATH_TEXT_MAX, "%s", roots[path->of.root]);
	uint32_t part = path->first;
	if (path->of.root == ST_ROOT_VALUE) {
		part = node_at(w, part)->next;
	}
	while (part != 0) {
		const struct st_node *node = node_at(w, part);
		size_t used = strlen(out);
		if (node->kind == ST_NODE_NAME) {
			(void)snprintf(out + used, PATH_TEXT_MAX - used, ".%s",
				       json_string_value(node->of.value));
		} else {
			const struct st_node *inner = node_at(w, node->first);
			bool known =
			    inner->kind == ST_NODE_LITERAL && json_is_integer(inner->of.value);
			char index[24] = "…";
			if (known) {
				(void)snprintf(index, sizeof index, "%" JSON_INTEGER_FORMAT,
					       json_integer_value(inner->of.value));
			}
			(void)snprintf(out + used, PATH_TEXT_MAX - used, "[%s]", index);
		}
		part = part == last ? 0 : node->next;
	}
}

static int missing(struct walk *w, const struct st_node *path, uint32_t part, const json_t *holder)
{
	char text[PATH_TEXT_MAX];
	print_path(w, path, part, text);
	if (holder == NULL) {
		return st_fail(w->evaluation->diag, ST_ERR_NOT_FOUND,
			       "column %u: there is no %s here", (unsigned)path->column, text);
	}
	if (json_is_array(holder)) {
		return st_fail(w->evaluation->diag, ST_ERR_NOT_FOUND,
			       "column %u: there is no %s: the array has %zu elements",
			       (unsigned)path->column, text, json_array_size(holder));
	}
	return st_fail(w->evaluation->diag, ST_ERR_NOT_FOUND,
		       "column %u: there is no %s: what stands before it is %s without it",
		       (unsigned)path->column, text, st_json_type_text(holder));
}

/* The child of an array by number, or of an object by name; NULL when there is none. */
static json_t *child_of(const json_t *holder, const json_t *key)
{
	if (json_is_object(holder) && json_is_string(key)) {
		return json_object_get(holder, json_string_value(key));
	}
	if (json_is_array(holder) && json_is_integer(key) && json_integer_value(key) >= 0) {
		return json_array_get(holder, (size_t)json_integer_value(key));
	}
	return NULL;
}

/* One part further: *value, which is owned, becomes its child. */
static int step_into(struct walk *w, const struct st_node *path, uint32_t part, json_t **value)
{
	const struct st_node *node = node_at(w, part);
	json_t *key = NULL;
	if (node->kind == ST_NODE_NAME) {
		key = json_incref(node->of.value);
	} else {
		int rc = evaluate(w, node->first, &key);
		if (rc != ST_OK) {
			return rc;
		}
	}
	json_t *child = json_incref(child_of(*value, key));
	json_decref(key);
	if (child == NULL) {
		return missing(w, path, part, *value);
	}
	json_decref(*value);
	*value = child;
	return ST_OK;
}

static int evaluate_path(struct walk *w, const struct st_node *path, json_t **out)
{
	uint32_t part = 0;
	json_t *value = NULL;
	int rc = begin_path(w, path, &part, &value);
	if (rc != ST_OK) {
		return rc;
	}
	if (value == NULL) {
		bool step = path->of.root == ST_ROOT_STEPS;
		return missing(w, path, step ? path->first : part, NULL);
	}
	while (part != 0) {
		rc = step_into(w, path, part, &value);
		if (rc != ST_OK) {
			json_decref(value);
			return rc;
		}
		part = node_at(w, part)->next;
	}
	*out = value;
	return ST_OK;
}

/* && and || stop at the first child that decides. */
static int evaluate_chain(struct walk *w, const struct st_node *chain, json_t **out)
{
	bool is_or = chain->kind == ST_NODE_OR;
	bool result = !is_or;
	for (uint32_t at = chain->first; at != 0 && result != is_or; at = node_at(w, at)->next) {
		json_t *value = NULL;
		int rc = evaluate(w, at, &value);
		if (rc != ST_OK) {
			return rc;
		}
		result = st_operand_is_true(value);
		json_decref(value);
	}
	*out = json_boolean(result);
	return ST_OK;
}

static int evaluate_not(struct walk *w, const struct st_node *node, json_t **out)
{
	json_t *value = NULL;
	int rc = evaluate(w, node->first, &value);
	if (rc != ST_OK) {
		return rc;
	}
	*out = json_boolean(!st_operand_is_true(value));
	json_decref(value);
	return ST_OK;
}

static int order(struct walk *w, const struct st_node *node, json_t *const pair[2], bool *result)
{
	bool numbers = json_is_number(pair[0]) && json_is_number(pair[1]);
	bool strings = json_is_string(pair[0]) && json_is_string(pair[1]);
	if (!numbers && !strings) {
		return st_fail(w->evaluation->diag, ST_ERR_INVALID,
			       "column %u: only two numbers or two texts have an order, not %s "
			       "and %s",
			       (unsigned)node->column, st_json_type_text(pair[0]),
			       st_json_type_text(pair[1]));
	}
	bool swap = node->of.operation == ST_OPERATOR_GREATER ||
		    node->of.operation == ST_OPERATOR_LESS_EQUAL;
	bool less = st_operand_is_less(pair[swap ? 1 : 0], pair[swap ? 0 : 1]);
	bool negate = node->of.operation == ST_OPERATOR_GREATER_EQUAL ||
		      node->of.operation == ST_OPERATOR_LESS_EQUAL;
	*result = less != negate;
	return ST_OK;
}

static int compare(struct walk *w, const struct st_node *node, json_t *const pair[2], bool *result)
{
	int rc = st_evaluation_spend_value(w->evaluation, pair[0]);
	if (rc == ST_OK) {
		rc = st_evaluation_spend_value(w->evaluation, pair[1]);
	}
	if (rc != ST_OK) {
		return fail_in(w, node, rc);
	}
	if (node->of.operation != ST_OPERATOR_EQUAL && node->of.operation != ST_OPERATOR_UNEQUAL) {
		return order(w, node, pair, result);
	}
	*result = st_operand_equal(pair[0], pair[1]) == (node->of.operation == ST_OPERATOR_EQUAL);
	return ST_OK;
}

static int evaluate_compare(struct walk *w, const struct st_node *node, json_t **out)
{
	json_t *pair[2] = {NULL, NULL};
	bool result = false;
	int rc = evaluate(w, node->first, &pair[0]);
	if (rc == ST_OK) {
		rc = evaluate(w, node_at(w, node->first)->next, &pair[1]);
	}
	if (rc == ST_OK) {
		rc = compare(w, node, pair, &result);
	}
	if (rc == ST_OK) {
		*out = json_boolean(result);
	}
	json_decref(pair[0]);
	json_decref(pair[1]);
	return rc;
}

/* default(x, fallback): only that x leads nowhere is forgiven; other failures are told. */
static int evaluate_default(struct walk *w, const struct st_node *call, json_t **out)
{
	struct st_diag *diag = w->evaluation->diag;
	struct st_diag inner = {0};
	json_t *value = NULL;
	w->evaluation->diag = &inner;
	int rc = evaluate(w, call->first, &value);
	w->evaluation->diag = diag;
	if (rc == ST_OK && !json_is_null(value)) {
		*out = value;
		return ST_OK;
	}
	if (rc != ST_OK && rc != ST_ERR_NOT_FOUND) {
		return st_fail(diag, inner.code, "%s", inner.text);
	}
	json_decref(value);
	return evaluate(w, node_at(w, call->first)->next, out);
}

static int evaluate_call(struct walk *w, const struct st_node *call, json_t **out)
{
	const struct st_function *function = call->of.function;
	if (function->call == NULL) {
		return evaluate_default(w, call, out);
	}
	json_t *args[ST_FUNCTION_ARGS_MAX] = {NULL};
	size_t n = 0;
	int rc = ST_OK;
	for (uint32_t at = call->first; at != 0 && rc == ST_OK; at = node_at(w, at)->next) {
		assert(n < function->args_max);
		rc = evaluate(w, at, &args[n]);
		n += rc == ST_OK;
	}
	if (rc == ST_OK) {
		rc = function->call(w->evaluation, args, n, out);
		rc = rc == ST_OK ? rc : fail_in(w, call, rc);
	}
	for (size_t i = 0; i < n; i++) {
		json_decref(args[i]);
	}
	return rc;
}

static int evaluate(struct walk *w, uint32_t at, json_t **out)
{
	const struct st_node *node = node_at(w, at);
	switch (node->kind) {
	case ST_NODE_LITERAL:
		*out = json_incref(node->of.value);
		return ST_OK;
	case ST_NODE_PATH:
		return evaluate_path(w, node, out);
	case ST_NODE_NOT:
		return evaluate_not(w, node, out);
	case ST_NODE_AND:
	case ST_NODE_OR:
		return evaluate_chain(w, node, out);
	case ST_NODE_COMPARE:
		return evaluate_compare(w, node, out);
	case ST_NODE_CALL:
		return evaluate_call(w, node, out);
	case ST_NODE_NAME:
	case ST_NODE_INDEX:
		break;
	}
	assert(false && "a part of a path stands outside of one");
	return ST_ERR_INVALID;
}

/* NOLINTEND(misc-no-recursion) */

int st_evaluation_run(struct st_evaluation *evaluation, const struct st_expr *expr, json_t **out)
{
	struct walk w = {.evaluation = evaluation, .expr = expr};
	json_t *value = NULL;
	int rc = evaluate(&w, expr->root, &value);
	if (rc != ST_OK) {
		assert(value == NULL);
		return rc;
	}
	rc = st_evaluation_spend_value(evaluation, value);
	if (rc != ST_OK) {
		json_decref(value);
		return rc;
	}
	*out = value;
	return ST_OK;
}

int st_expr_eval(const struct st_expr *expr, const struct st_expr_scope *scope, json_t **out,
		 struct st_diag *diag)
{
	struct st_evaluation evaluation = {
	    .scope = scope, .work_left = ST_EXPR_WORK_MAX, .diag = diag};
	return st_evaluation_run(&evaluation, expr, out);
}

bool st_expr_is_true(const json_t *value)
{
	return st_operand_is_true(value);
}

int st_condition_eval(const struct st_expr *expr, const struct st_expr_scope *scope, bool *out,
		      struct st_diag *diag)
{
	json_t *value = NULL;
	int rc = st_expr_eval(expr, scope, &value, diag);
	if (rc != ST_OK) {
		return rc;
	}
	*out = st_operand_is_true(value);
	json_decref(value);
	return ST_OK;
}
