/* SPDX-License-Identifier: Apache-2.0 */
/* What is the core's whole state, and what has one event at hand? Private to the core's files; the
 * lowest of them, see docs/architecture.md. */
#ifndef ST_ORCHESTRATOR_STATE_H
#define ST_ORCHESTRATOR_STATE_H

#include "orchestrator/core_options.h"
#include "orchestrator/run_state.h"
#include "schemas/effect.h"
#include "schemas/event.h"

/* An instance of a scope wider than a run, with its accounts. Lives as long as the core. */
struct st_wide {
	int64_t no;
	bool stored;
	struct st_accounts accounts;
	struct st_wide *next; /* in its hash bucket */
};

struct st_run_list {
	struct st_run **of;
	size_t n;
	size_t cap;
};

/* Runs that want a slot of one sort, oldest first. Those before `first` have left. */
struct st_waiting {
	struct st_run_list list;
	size_t first;
};

struct st_core {
	struct st_core_options options;
	struct st_core_numbers numbers;
	struct st_run **runs; /* open addressing by id; NULL: free */
	size_t n_runs;
	size_t runs_cap;	/* a power of two */
	struct st_wide **wides; /* chained by scope and id */
	size_t n_wides;
	size_t wides_cap;
	struct st_run_list timers; /* binary heap by run->due */
	struct st_waiting waiting[ST_SLOT_COUNT];
	struct st_run_list dirty;   /* runs to flush */
	struct st_run_list touched; /* runs to schedule in this step */
	size_t n_calls;		    /* HTTP calls in flight */
	size_t n_jobs;		    /* sandbox jobs in flight */
	bool draining;
	struct st_definitions *definitions;
	struct st_definitions *own_definitions; /* the same, or NULL: the options gave it */
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

#endif
