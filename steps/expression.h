/* SPDX-License-Identifier: Apache-2.0 */
/* What does an expression of a run definition come to? */
#ifndef ST_STEPS_EXPRESSION_H
#define ST_STEPS_EXPRESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "schemas/err.h"

/*
 * The language between ${{ and }}. It is total: no loops, no assignment, bounded in text, nesting,
 * work and output, so that every evaluation ends soon, with a value or an error.
 *
 *	paths		params.topic  steps.find.output.results[0].url  steps['a.b'].state
 *			item.url  run.id  params.table[item.key]
 *	literals	12  -3  'text'  "text"  true  false  null	(\\ \' \" \n \t \r in text)
 *	operators	|| && ! == != < <= > >= ( )	&&, || and ! give true or false
 *	functions	length join json from_json contains default slice first keys
 *			and in conditions: success failure always	(see function.c)
 *
 * `==` compares any two values: values of different types are unequal, numbers compare by value.
 * `<` and its kin take two numbers or two texts (compared byte by byte), anything else is an error.
 * Not true are: false, null, 0, "", [] and {}; everything else is true. A path that leads nowhere
 *is an error, except in the first place of default(). Numbers are 64-bit integers; a fraction may
 *come in with data, not as a literal. Values are data: text in them is never evaluated.
 */
#define ST_EXPR_TEXT_MAX 8192 /* bytes of one expression */
#define ST_EXPR_NESTING_MAX 16
#define ST_EXPR_OUTPUT_MAX (1024 * 1024)      /* bytes of a value as JSON text */
#define ST_EXPR_WORK_MAX (32L * 1024L * 1024) /* bytes looked at or made in one evaluation */
#define ST_EXPR_NAME_MAX 65 /* step ids, secret names: [A-Za-z0-9._-]{1,64} and NUL */

/* A parsed expression. Immutable, needs nothing of the text any more. */
struct st_expr;

/* What paths lead into. Everything is borrowed; a value that is NULL is simply not there. */
struct st_expr_scope {
	const json_t *params; /* object */
	const json_t *item;   /* with for_each */
	const json_t *run;    /* object */
	/* {"output":…,"state":…,"error":…} of a step that ended, borrowed; or NULL */
	const json_t *(*step)(void *arg, const char *id);
	void *arg;
	bool needs_succeeded; /* success(): every step that this one needs succeeded */
	bool needs_failed;    /* failure(): one of them failed */
};

enum st_reference_kind {
	ST_REFERENCE_STEP,   /* name: the step's id */
	ST_REFERENCE_PARAM,  /* name: the first name behind params, "" for all of them */
	ST_REFERENCE_ITEM,   /* name: "" */
	ST_REFERENCE_RUN,    /* name: the first name behind run, or "" */
	ST_REFERENCE_SECRET, /* name: the secret's; only in templates */
};

struct st_reference {
	enum st_reference_kind kind;
	const char *name;    /* borrowed for the call */
	const char *pointer; /* JSON pointer of the string it stands in, relative to the template */
	bool optional;	     /* inside the first place of default(): may be missing */
};

/* Is told each reference, in order of the text. Not 0: that code is returned at once; diag is the
 * one given to the walk, to be filled. */
struct st_reference_sink {
	int (*see)(void *arg, const struct st_reference *reference, struct st_diag *diag);
	void *arg;
};

/*
 * Parses the text of an expression, without ${{ }}. Gives *out (st_expr_free). Failures:
 * ST_ERR_INVALID or ST_ERR_TOO_LARGE with the column (characters, from 1).
 */
int st_expr_parse(const char *text, struct st_expr **out, struct st_diag *diag);
/* Parses a condition (`if`): text with or without ${{ }} around all of it; success(), failure() and
 * always() are allowed. */
int st_condition_parse(const char *text, struct st_expr **out, struct st_diag *diag);
void st_expr_free(struct st_expr *expr);

/* True when it calls success(), failure() or always(). A condition that does not is meant to hold
 * only when every step it needs succeeded. */
bool st_expr_uses_status(const struct st_expr *expr);
/* Tells the sink every reference. 0, or what the sink returned. */
int st_expr_references(const struct st_expr *expr, const struct st_reference_sink *sink,
		       struct st_diag *diag);

/*
 * Gives a new reference in *out. It may share parts with the scope: nobody may change it. Failures:
 * ST_ERR_NOT_FOUND (a path leads nowhere), ST_ERR_INVALID (wrong type for an operator or function),
 * ST_ERR_TOO_LARGE. *out is then untouched.
 */
int st_expr_eval(const struct st_expr *expr, const struct st_expr_scope *scope, json_t **out,
		 struct st_diag *diag);
/* The same, then asks whether the value counts as true. */
int st_condition_eval(const struct st_expr *expr, const struct st_expr_scope *scope, bool *out,
		      struct st_diag *diag);
bool st_expr_is_true(const json_t *value);

#endif
