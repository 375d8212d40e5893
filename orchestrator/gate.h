/* SPDX-License-Identifier: Apache-2.0 */
/* Who may see, hold back or decide on a run? Calls registry and tell. */
#ifndef ST_ORCHESTRATOR_GATE_H
#define ST_ORCHESTRATOR_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "orchestrator/state.h"
#include "schemas/row.h"

/* Answers who asked that it may not be, and why. */
void st_gate_refuse(struct st_turn *turn, enum st_err code, const char *why);
/* May this actor see the run, and has at least this role? Answers if not: `why` if it is the role.
 */
bool st_gate_admits(struct st_turn *turn, const struct st_run *run, enum st_role role,
		    const char *why);
/* May this actor decide on this run at all? Answers if not. */
bool st_gate_decides(struct st_turn *turn, const struct st_run *run);
/* Did this actor submit the run? */
bool st_gate_own_run(const struct st_turn *turn, const struct st_run *run);

/* A person's permission for one dangerous call with exactly these parameters. Only the gate makes
 * one, out of a decision or out of the row that a decision left. */
struct st_approval;

/* For who may decide, see st_gate_decides: what a halt on a dangerous call asks for. */
struct st_approval *st_approval_decide(const struct st_turn *turn, const struct st_run *run,
				       const struct st_halt *halt);
/* For recovery only: the approval that a stored step carries, or a run for a client's call. */
struct st_approval *st_approval_restore(const struct st_row_step *row);
struct st_approval *st_approval_restore_run(const struct st_row_run *row);
void st_approval_free(struct st_approval *approval); /* NULL is fine */
/* False for NULL. */
bool st_approval_covers(const struct st_approval *approval,
			const uint8_t params_hash[ST_HASH_BYTES]);
const uint8_t *st_approval_hash(const struct st_approval *approval);

#endif
