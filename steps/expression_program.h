/* SPDX-License-Identifier: Apache-2.0 */
/* What is a parsed expression made of? Private to this folder. */
#ifndef ST_STEPS_EXPRESSION_PROGRAM_H
#define ST_STEPS_EXPRESSION_PROGRAM_H

#include <stdint.h>

#include "steps/expression.h"
#include "steps/function.h"

enum st_node_kind {
	ST_NODE_LITERAL, /* value */
	ST_NODE_PATH,	 /* root; children: ST_ROOT_VALUE's base first, then NAME and INDEX */
	ST_NODE_NAME,	 /* value: the text behind the dot */
	ST_NODE_INDEX,	 /* child: what stands in the brackets */
	ST_NODE_NOT,
	ST_NODE_AND, /* two or more children, so that long chains do not nest */
	ST_NODE_OR,
	ST_NODE_COMPARE, /* operator; two children */
	ST_NODE_CALL,	 /* function; children: arguments */
};

enum st_root { ST_ROOT_PARAMS, ST_ROOT_STEPS, ST_ROOT_ITEM, ST_ROOT_RUN, ST_ROOT_VALUE };

enum st_operator {
	ST_OPERATOR_EQUAL,
	ST_OPERATOR_UNEQUAL,
	ST_OPERATOR_LESS,
	ST_OPERATOR_LESS_EQUAL,
	ST_OPERATOR_GREATER,
	ST_OPERATOR_GREATER_EQUAL,
};

/* Nodes refer to each other by index; 0 is no node. */
struct st_node {
	enum st_node_kind kind;
	uint32_t column; /* characters, from 1 */
	uint32_t first;	 /* the first child */
	uint32_t next;	 /* the next child of the same parent */
	bool optional;	 /* inside the first place of default() */
	union {
		json_t *value; /* owned */
		enum st_root root;
		enum st_operator operation;
		const struct st_function *function;
	} of;
};

struct st_expr {
	struct st_node *nodes;
	uint32_t n;
	uint32_t cap;
	uint32_t root;
	bool uses_status;
};

/* The same as st_expr_references, with the pointer of the string it stands in. */
int st_expr_references_at(const struct st_expr *expr, const char *pointer,
			  const struct st_reference_sink *sink, struct st_diag *diag);

#endif
