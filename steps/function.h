/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions may an expression call? */
#ifndef ST_STEPS_FUNCTION_H
#define ST_STEPS_FUNCTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "schemas/err.h"
#include "steps/expression.h"

#define ST_FUNCTION_ARGS_MAX 3

/* One evaluation under way. */
struct st_evaluation {
	const struct st_expr_scope *scope;
	long work_left; /* bytes that may still be looked at or made */
	struct st_diag *diag;
};

/* A row of the table. `call` borrows its arguments and gives *out; its failures say what was wrong
 * and with which argument. NULL: evaluation.c does it, because not every argument is evaluated. */
struct st_function {
	const char *name;
	const char *usage; /* "slice(x, from, to)" */
	size_t args_min;
	size_t args_max;
	bool status; /* only in conditions */
	int (*call)(struct st_evaluation *evaluation, json_t *const *args, size_t n, json_t **out);
};

/* NULL when there is none of that name. */
const struct st_function *st_function_find(const char *name, size_t len);
/* The whole table, for docs and tests; n rows. */
const struct st_function *st_function_all(size_t *n);

/* Takes n bytes from the work that is left, or ST_ERR_TOO_LARGE. */
int st_evaluation_spend(struct st_evaluation *evaluation, size_t n);
/* Takes the size of a value; ST_ERR_TOO_LARGE also when it passes ST_EXPR_OUTPUT_MAX. */
int st_evaluation_spend_value(struct st_evaluation *evaluation, const json_t *value);
/* Evaluates within what is left of `evaluation`. As st_expr_eval. */
int st_evaluation_run(struct st_evaluation *evaluation, const struct st_expr *expr, json_t **out);

#endif
