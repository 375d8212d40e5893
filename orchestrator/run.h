/* SPDX-License-Identifier: Apache-2.0 */
/* How does a run change? The only movers of its state and of its steps' and items', its timeline
 * and its halts. Calls what is below: tell, gate, registry. */
#ifndef ST_ORCHESTRATOR_RUN_H
#define ST_ORCHESTRATOR_RUN_H

#include "orchestrator/state.h"

/* The only movers. Each checks the machine's table, marks the row dirty, keeps the clock. */
void st_run_move(struct st_turn *turn, struct st_run *run, enum st_run_state to);
void st_step_move(struct st_turn *turn, struct st_run *run, int step, enum st_step_state to);
void st_item_move(struct st_turn *turn, struct st_run *run, struct st_item *item,
		  enum st_item_state to);

/* What an event of the timeline is about. */
struct st_about {
	int step; /* -1: the run */
	int item; /* 0-based, shown from 1 for a for_each; -1: the step as a whole */
	struct st_id call;
};
#define ST_ABOUT_RUN ((struct st_about){.step = -1, .item = -1})
#define ST_ABOUT_STEP(which) ((struct st_about){.step = (which), .item = -1})

/* Appends an event to the run's timeline; takes data. `type` is a string literal. */
void st_run_emit(struct st_turn *turn, struct st_run *run, const char *type, struct st_about about,
		 struct st_clean *data);

/* All scopes that a call of this step touches. */
/* What the rows of this turn say as their time: now, but never before what the run has said. */
st_time st_run_at(const struct st_turn *turn, const struct st_run *run);
struct st_chain st_run_chain(struct st_run *run, int step);
/* Time spent running so far. */
int64_t st_run_active_ms(const struct st_run *run, st_time now);
/* Adds the time since `active_at`: what is stored is then right up to now. */
void st_run_count_time(struct st_run *run, st_time now);
/* How long the run may be active in all; INT64_MAX: no limit. */
int64_t st_run_wall_limit_ms(const struct st_run *run);
/* When the run next wants a TIMER event. */
st_time st_run_due(const struct st_run *run);
/* Nothing to keep in memory: it is over or waits for a person, and nothing is in flight. */
bool st_run_parked(const struct st_run *run);
/* A queued run of this definition (taken), without number, id, accounts or rows. */
struct st_run *st_run_new(struct st_core *core, struct st_def *def);
void st_run_free(struct st_run *run);

/* Halts the run. The verdict may be NULL (copied); the intent is taken. */
void st_run_halt(struct st_turn *turn, struct st_run *run, const struct st_halt *halt,
		 struct st_clean *intent);
/* Closes the open halt in its row, without moving the run. */
void st_run_close_halt(struct st_turn *turn, struct st_run *run, const char *decision,
		       struct st_clean *reason);
/* A call in doubt was resolved: if the open halt is about it, the run goes on. Takes the reason. */
void st_run_resolved(struct st_turn *turn, struct st_run *run, struct st_id call,
		     struct st_clean *reason);
/* From halted to running, or to the next halt (a pause, a call in doubt). */
void st_run_continue(struct st_turn *turn, struct st_run *run, const char *why,
		     const struct st_clean *reason);

#endif
