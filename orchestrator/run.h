/* SPDX-License-Identifier: Apache-2.0 */
/* What does the core know of a run? Private to the pure part of orchestrator/. */
#ifndef ST_ORCHESTRATOR_RUN_H
#define ST_ORCHESTRATOR_RUN_H

#include <jansson.h>
#include <stdbool.h>

#include "budgets/grant.h"
#include "budgets/ledger.h"
#include "orchestrator/core.h"
#include "redact/clean.h"
#include "steps/expression.h"
#include "steps/kind.h"

struct st_approval; /* orchestrator/gate.h */

/* A call that is held or sent and has not ended. */
struct st_flight {
	int64_t no; /* row number of the hold and the call */
	struct st_grant *grant;
	enum st_hold_state state;
	enum st_idempotence idempotence;
	struct st_plan plan;
	json_t *params; /* evaluated, with secret references; NULL after recovery */
	bool counting;	/* asks for the exact input count */
	st_time since;
};

struct st_item {
	enum st_item_state state;
	bool dirty;
	bool stored;
	bool counted; /* the exact input count was asked for, see counted_input */
	int attempt;  /* of the current or last call; 0: none yet */
	int resends;  /* of the current attempt, after unknown outcomes */
	st_time due;
	st_time started_at;
	st_time ended_at;
	int64_t counted_input;
	json_t *value;	/* the element of the for_each, or NULL */
	json_t *output; /* or NULL */
	struct st_clean *citations;
	struct st_clean *error;
	char error_code[48];
	struct st_id call;
	struct st_flight *flight;
	struct st_approval *approval; /* for one dangerous call */
};

struct st_step {
	enum st_step_state state;
	bool dirty;
	bool stored;
	bool expanded; /* items exist */
	const struct st_kind *kind;
	int n_items; /* of a for_each; else 1 */
	struct st_item *items;
	st_time started_at;
	st_time ended_at;
	struct st_accounts accounts;
	char error_code[48];
	struct st_clean *error;
	json_t *view; /* what expressions see of it once it ended; made when asked for */
};

struct st_halt {
	struct st_id id;
	enum st_halt_kind kind;
	int step; /* -1: the run as a whole */
	int item;
	st_time since;
	struct st_id call;
	struct st_verdict *verdict; /* BUDGET: what lacked; else NULL */
	uint8_t params_hash[ST_HASH_BYTES];
};

/* What there is only so much of at once. */
enum st_slot { ST_SLOT_CALL, ST_SLOT_JOB, ST_SLOT_COUNT };

struct st_wide; /* one instance of a scope wider than a run */

struct st_run {
	int64_t no;
	struct st_id id;
	struct st_def *def;
	enum st_run_state state;
	bool dirty;
	bool queued[ST_SLOT_COUNT]; /* waits for a free slot */
	bool paused;		    /* latch */
	bool failing;		    /* a step failed: only steps that ask for it start now */
	bool touched;		    /* schedule it at the end of this step */
	char submitted_by[ST_NAME_MAX];
	char error_code[48];
	struct st_clean *error;
	st_time created_at;
	st_time started_at;
	st_time ended_at;
	st_time last_at;   /* of the last event */
	st_time active_at; /* running since */
	int64_t active_ms; /* until active_at */
	int64_t seq;
	uint8_t hash[ST_HASH_BYTES];
	struct st_halt halt; /* kind NONE: none open */
	struct st_accounts accounts;
	struct st_wide *wide[ST_SCOPE_COUNT]; /* [STEP] and [RUN] are NULL */
	struct st_step *steps;
	json_t *view;	   /* what expressions see of the run; made when asked for */
	size_t n_flights;  /* calls in flight */
	size_t n_jobs;	   /* sandbox jobs among them */
	size_t n_doubts;   /* calls in doubt */
	st_time due;	   /* its place in the timer heap */
	size_t heap_index; /* SIZE_MAX: not in the heap */
	size_t table_index;
};

/* Everything one core_step needs at hand. Lives for one step. */
struct st_turn {
	struct st_core *core;
	struct st_update *update;
	st_time now;
	struct st_id_source ids;
	const struct st_actor *actor;
	void *reply;
	enum st_event_type type;
	const struct st_idempotency *idempotency; /* or NULL */
	const struct st_run *answer; /* done: say how this run stands when the step is over */
};

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
struct st_chain st_run_chain(struct st_run *run, int step);
/* Time spent running so far. */
int64_t st_run_active_ms(const struct st_run *run, st_time now);
/* How long the run may be active in all; INT64_MAX: no limit. */
int64_t st_run_wall_limit_ms(const struct st_run *run);
/* When the run next wants a TIMER event. */
st_time st_run_due(const struct st_run *run);
/* Nothing to keep in memory: it is over or waits for a person, and nothing is in flight. */
bool st_run_parked(const struct st_run *run);
/* A queued run of this definition (taken), without number, id, accounts or rows. */
struct st_run *st_run_new(struct st_core *core, struct st_def *def);
void st_run_free(struct st_run *run);

void st_step_make_items(struct st_step *step, int n);

/* Ends the run now: cancelled or failed. Nothing starts any more; what is in flight is aborted and
 * settles when it ends; what is in doubt stays in doubt. */
void st_run_stop(struct st_turn *turn, struct st_run *run, enum st_run_state to);

/* What the expressions of a step see; item NULL: outside of a for_each. Borrowed from run. */
struct st_expr_scope st_run_expr_scope(struct st_run *run, int step, const struct st_item *item);
/* Makes the items of a step about to start (or being recovered): one, or as many as its for_each
 * gives. Failures: ST_ERR_INVALID and those of expressions. */
int st_step_expand(struct st_run *run, int step, struct st_diag *diag);

/* Starts what can start, ends what has ended. Call it when anything about the run changed. */
void st_run_schedule(struct st_turn *turn, struct st_run *run);
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

/* A call's life: see orchestrator/call.c. */
void st_call_try(struct st_turn *turn, struct st_run *run, int step, int item);
void st_call_ended(struct st_turn *turn, struct st_run *run, const struct st_event *event);
void st_call_counted(struct st_turn *turn, struct st_run *run, const struct st_event *event);
void st_call_lost(struct st_turn *turn, struct st_run *run, int step, int item);
/* A call that would have been sent again no longer will be. */
void st_call_doubt(struct st_turn *turn, struct st_run *run, int step, int item);
/* A person or the provider says how a call in doubt ended. */
struct st_resolution {
	bool happened;
	bool usage_known;
	const struct st_amounts *usage;
	const char *by;
};
void st_call_resolve(struct st_turn *turn, struct st_run *run, int step, int item,
		     const struct st_resolution *resolution);

/* Halts the run; takes nothing. verdict may be NULL (copied). */
void st_run_halt(struct st_turn *turn, struct st_run *run, const struct st_halt *halt,
		 struct st_clean *intent);
/* Closes the open halt in its row, without moving the run. */
void st_run_close_halt(struct st_turn *turn, struct st_run *run, const char *decision,
		       struct st_clean *reason);
/* From halted to running, or to the next halt (a pause, a call in doubt). */
void st_run_continue(struct st_turn *turn, struct st_run *run, const char *why);

#endif
