/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/stop.h"

#include "orchestrator/call_end.h"
#include "orchestrator/run.h"
#include "orchestrator/step.h"

static void stop_items(struct st_turn *turn, struct st_run *run, int step)
{
	struct st_step *s = &run->steps[step];
	for (int k = 0; k < s->n_items; k++) {
		struct st_item *item = &s->items[k];
		if (item->state == ST_ITEM_CALLING) {
			st_update_add(turn->update, ST_EFFECT_ABORT)->abort_call_no =
			    item->flight->no;
		} else if (item->flight != NULL && item->state != ST_ITEM_IN_DOUBT) {
			st_call_doubt(turn, run, step, k);
		} else if (!st_machine_final(&st_item_machine, (int)item->state) &&
			   item->state != ST_ITEM_IN_DOUBT) {
			st_item_move(turn, run, item, ST_ITEM_CANCELLED);
		}
	}
	if (s->state == ST_STEP_RUNNING) {
		st_step_end_if_done(turn, run, step);
	}
}

void st_run_stop(struct st_turn *turn, struct st_run *run, enum st_run_state to)
{
	st_run_move(turn, run, to);
	for (int i = 0; i < (int)run->def->n_steps; i++) {
		if (run->steps[i].state == ST_STEP_PENDING) {
			st_step_skip(turn, run, i, "run_over");
		} else if (run->steps[i].state == ST_STEP_RUNNING) {
			stop_items(turn, run, i);
		}
	}
}
