/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What does a set clock change? Nothing that counts time: every moment kept in memory moves with
 * the clock, so that work, back-offs and sleeps take as long as they would have. Only a sleep until
 * a moment goes by what the clock says now. The rows are written anew, so that a restart goes by
 * the same moments. The timeline keeps its order by itself, see st_run_emit.
 */
#include "orchestrator/jump.h"

#include "orchestrator/client_call.h"
#include "orchestrator/registry.h"
#include "orchestrator/run.h"

/* Is it the moment that counts, or the time until then? */
static bool waits_for_a_moment(const struct st_run *run, int step)
{
	return run->steps[step].kind->via == ST_VIA_TIMER &&
	       json_object_get(run->def->steps[step].with, "until") != NULL;
}

static void move_step(struct st_run *run, int step, int64_t moved_ms)
{
	struct st_step *s = &run->steps[step];
	if (s->state != ST_STEP_RUNNING || waits_for_a_moment(run, step)) {
		return;
	}
	for (int k = 0; k < s->n_items; k++) {
		struct st_item *item = &s->items[k];
		if (item->state == ST_ITEM_SLEEPING) {
			item->due += moved_ms;
			item->dirty = true;
			s->dirty = true;
		}
	}
}

static void move_run(struct st_turn *turn, struct st_run *run, int64_t moved_ms)
{
	st_client_move_clock(turn, run, moved_ms);
	if (run->state != ST_RUN_RUNNING) {
		return;
	}
	run->active_at += moved_ms;
	st_run_count_time(run, turn->now);
	for (int step = 0; step < (int)run->def->n_steps; step++) {
		move_step(run, step, moved_ms);
	}
	st_core_touch(turn->core, run);
}

void st_core_move_clock(struct st_turn *turn, int64_t moved_ms)
{
	struct st_row_pulse *pulse = st_rows_add_pulse(&turn->update->rows);
	pulse->at = turn->now; /* the one before is of no use now */
	pulse->answers_before = ST_TIME_NONE;
	for (size_t i = 0; i < turn->core->runs_cap; i++) {
		if (turn->core->runs[i] != NULL) {
			move_run(turn, turn->core->runs[i], moved_ms);
		}
	}
}
