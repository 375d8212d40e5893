/* SPDX-License-Identifier: Apache-2.0 */
/* What does a `with` value come to when its ${{ }} are filled in? */
#ifndef ST_STEPS_TEMPLATE_H
#define ST_STEPS_TEMPLATE_H

#include <jansson.h>

#include "schemas/err.h"
#include "steps/expression.h"
#include "steps/secret.h"

/*
 * A template is a JSON value whose strings may hold ${{ expression }}. A string that is exactly one
 * expression becomes that value in its own type; in mixed text each value is put in as text:
 *strings as they are, others as compact JSON with sorted keys, null is an error. A literal "${{" is
 *written
 * ${{ '${{' }}. Names of fields are never expressions.
 *
 * ${{ secrets.NAME }} stands alone in its braces, alone in the string or within text, and never
 *takes part in an expression. Evaluation does not see the value: the string becomes a marker, an
 *object whose only key is the byte 0xff. JSON text is UTF-8, so no parsed value has such a key and
 *no tool's output can forge one. Markers exist only between st_template_eval and one of
 *
 *	st_template_display	what is stored, hashed, shown: "[secret:NAME]"
 *	st_template_fill	what the call really sends, made at the last moment, never kept
 *
 * Results are literal: "${{" in params, outputs or secrets is text, never evaluated again.
 */

/*
 * Parses every expression in the template. Failures: ST_ERR_INVALID, ST_ERR_TOO_LARGE, with the
 * JSON pointer relative to the template and the column, or what the sink returned. The sink may be
 * NULL.
 */
int st_template_check(const json_t *template, const struct st_reference_sink *sink,
		      struct st_diag *diag);

/*
 * Gives a new reference in *out, perhaps with markers in it; it may share parts with the scope and
 * the template: nobody may change it. Bounds: ST_EXPR_OUTPUT_MAX as JSON text, ST_JSON_DEPTH_MAX
 * deep, ST_EXPR_WORK_MAX for all its expressions together. Failures as of st_expr_eval, with the
 * pointer.
 */
int st_template_eval(const json_t *template, const struct st_expr_scope *scope, json_t **out,
		     struct st_diag *diag);

#endif
