/* SPDX-License-Identifier: Apache-2.0 */
/* What does the core know of a run? Only what it is: who changes it stands in orchestrator/run.h.
 */
#ifndef ST_ORCHESTRATOR_RUN_STATE_H
#define ST_ORCHESTRATOR_RUN_STATE_H

#include <jansson.h>
#include <stdbool.h>

#include "budgets/grant.h"
#include "budgets/ledger.h"
#include "redact/clean.h"
#include "schemas/def.h"
#include "schemas/event.h"
#include "schemas/row.h"
#include "schemas/state.h"
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

/* A call that a client makes itself: of no item. */
struct st_client_call {
	struct st_flight *flight;
	int step; /* whose account it is held on, too; -1: none */
	char kind[ST_CALL_KIND_MAX];
	st_time expires_at;
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

/* What the run's row said when it was put last; see orchestrator/rows.c. */
struct st_run_put {
	bool any;
	bool approved;
	bool paused;
	bool failing;
	enum st_run_state state;
	st_time active_at;
	int64_t active_ms;
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
	struct st_accounts no_step;	      /* where a chain has no step: always empty */
	struct st_wide *wide[ST_SCOPE_COUNT]; /* [STEP] and [RUN] are NULL */
	struct st_step *steps;
	json_t *view;			/* what expressions see of the run; made when asked for */
	size_t n_flights;		/* calls in flight */
	size_t n_jobs;			/* sandbox jobs among them */
	size_t n_doubts;		/* calls in doubt, clients' included */
	struct st_client_call *clients; /* open, oldest first */
	size_t n_clients;
	size_t clients_cap;
	size_t n_clients_sent;	      /* of them, not in doubt */
	struct st_approval *approval; /* for one dangerous call of a client */
	st_time due;		      /* its place in the timer heap */
	size_t heap_index;	      /* SIZE_MAX: not in the heap */
	size_t table_index;
	struct st_run_put put;
};

#endif
