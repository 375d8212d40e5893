/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/expression_program.h"

#include "schemas/mem.h"

void st_expr_free(struct st_expr *expr)
{
	if (expr == NULL) {
		return;
	}
	for (uint32_t i = 1; i < expr->n; i++) {
		struct st_node *node = &expr->nodes[i];
		if (node->kind == ST_NODE_LITERAL || node->kind == ST_NODE_NAME) {
			json_decref(node->of.value);
		}
	}
	st_free(expr->nodes);
	st_free(expr);
}
