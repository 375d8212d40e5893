/* SPDX-License-Identifier: Apache-2.0 */
/* Which program does the text of an expression stand for? */
#ifndef ST_STEPS_PARSER_H
#define ST_STEPS_PARSER_H

#include "steps/expression_program.h"

struct st_expr_source {
	const char *text;
	size_t len;
	size_t from;	 /* where the expression begins, behind its ${{ if it has one */
	uint32_t column; /* of `from`: characters, from 1 */
	bool embedded;	 /* ends with }}; otherwise with the text */
	bool condition;	 /* success() and its kin are allowed */
};

/* As st_expr_parse. *end is the offset behind the expression and its }}. */
int st_expr_parse_source(const struct st_expr_source *source, struct st_expr **out, size_t *end,
			 struct st_diag *diag);

#endif
