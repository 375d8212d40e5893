/* SPDX-License-Identifier: Apache-2.0 */
/* What is the core's whole state? Private to the pure part of orchestrator/. */
#ifndef ST_ORCHESTRATOR_CORE_PRIVATE_H
#define ST_ORCHESTRATOR_CORE_PRIVATE_H

#include "orchestrator/run.h"

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
};

/* Grows as needed. */
void st_run_list_add(struct st_run_list *list, struct st_run *run);

struct st_run *st_core_find(const struct st_core *core, struct st_id id); /* or NULL */
void st_core_insert(struct st_core *core, struct st_run *run);
void st_core_remove(struct st_core *core, struct st_run *run);
/* Finds or makes the instance. */
struct st_wide *st_core_wide(struct st_core *core, enum st_scope scope, const char *id);
/* The run's rows must be written at the next flush. */
void st_core_mark(struct st_core *core, struct st_run *run);
/* The run is scheduled before this step ends. */
void st_core_touch(struct st_core *core, struct st_run *run);

/* The timer heap: sets run->due and keeps the run at its place; ST_TIME_NONE takes it out. */
void st_queue_set_due(struct st_core *core, struct st_run *run, st_time due);
/* Is there a free slot for a call of this kind? If not, the run is woken when there is. */
bool st_queue_slot(struct st_core *core, struct st_run *run, const struct st_kind *kind);
void st_queue_take(struct st_core *core, struct st_run *run, const struct st_kind *kind);
void st_queue_give(struct st_core *core, struct st_run *run, const struct st_kind *kind);
/* The run that has waited longest for a slot that is free now, no longer waiting; or NULL. */
struct st_run *st_queue_next(struct st_core *core);

/* Answers who asked, if anybody did. `body` is taken and may be NULL. */
void st_turn_reply(struct st_turn *turn, enum st_err code, const struct st_run *run,
		   struct st_clean *body);

/* One handler per event type that needs a file of its own. */
void st_admit_submit(struct st_turn *turn, const struct st_event *event);
void st_recover_load(struct st_turn *turn, const struct st_event *event);
void st_gate_decide(struct st_turn *turn, struct st_run *run, const struct st_event *event);
void st_gate_control(struct st_turn *turn, struct st_run *run, const struct st_event *event);
void st_gate_limits(struct st_turn *turn, struct st_run *run, const struct st_event *event);

/* Appends the rows of a dirty run; see orchestrator/rows.c. */
void st_rows_of_run(struct st_core *core, struct st_run *run, struct st_rows *rows);
void st_rows_of_wide(struct st_wide *wide, struct st_rows *rows);

#endif
