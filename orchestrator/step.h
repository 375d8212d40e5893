/* SPDX-License-Identifier: Apache-2.0 */
/* How does a step of a run begin and end, and what do others see of it? Calls run and tell. */
#ifndef ST_ORCHESTRATOR_STEP_H
#define ST_ORCHESTRATOR_STEP_H

#include "orchestrator/state.h"
#include "steps/expression.h"

void st_step_make_items(struct st_step *step, int n);

/* What the expressions of a step see; item NULL: outside of a for_each. Borrowed from run. */
struct st_expr_scope st_run_expr_scope(struct st_run *run, int step, const struct st_item *item);
/* Makes the items of a step about to start (or being recovered): one, or as many as its for_each
 * gives. Failures: ST_ERR_INVALID and those of expressions. */
int st_step_expand(struct st_run *run, int step, struct st_diag *diag);

/* Ends a step's item and, with the last one, the step. */
void st_item_succeed(struct st_turn *turn, struct st_run *run, int step, int item);
void st_item_cancel(struct st_turn *turn, struct st_run *run, int step, int item);
/* Why something failed: a code, and text for people or NULL (taken by who gets this). */
struct st_failure {
	const char *code;
	struct st_clean *error;
};
void st_item_fail(struct st_turn *turn, struct st_run *run, int step, int item,
		  struct st_failure failure);
void st_step_fail(struct st_turn *turn, struct st_run *run, int step, struct st_failure failure);
void st_step_skip(struct st_turn *turn, struct st_run *run, int step, const char *why);
void st_step_end_if_done(struct st_turn *turn, struct st_run *run, int step);
/* Has an item failed, so that the step will? It then begins nothing more: */
bool st_step_is_failing(const struct st_step *step);
/* cancels what waits, but not a call that was sent and is to be sent again: it needs its end. */
void st_step_hold_back(struct st_turn *turn, struct st_run *run, int step);
/* Does the step's condition call success(), failure() or always()? Then a failed run runs it. */
bool st_step_asks_for_status(const struct st_run *run, int step);

#endif
