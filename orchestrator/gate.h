/* SPDX-License-Identifier: Apache-2.0 */
/* Who may decide what, and what does a decision change? */
#ifndef ST_ORCHESTRATOR_GATE_H
#define ST_ORCHESTRATOR_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "schemas/row.h"

/* A person's permission for one dangerous call with exactly these parameters. Only the gate makes
 * one, out of a decision or out of the row that a decision left. */
struct st_approval;

void st_approval_free(struct st_approval *approval); /* NULL is fine */
/* False for NULL. */
bool st_approval_covers(const struct st_approval *approval,
			const uint8_t params_hash[ST_HASH_BYTES]);
const uint8_t *st_approval_hash(const struct st_approval *approval);
/* For recovery only: the approval that a stored step carries. */
struct st_approval *st_approval_restore(const struct st_row_step *row);

#endif
