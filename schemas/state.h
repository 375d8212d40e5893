/* SPDX-License-Identifier: Apache-2.0 */
/* In which states can a run, a step, an item or a hold be, and what may follow what? */
#ifndef ST_SCHEMAS_STATE_H
#define ST_SCHEMAS_STATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A run:
 *
 *   queued ──▶ running ──▶ succeeded | failed | cancelled
 *     │  │        │  ▲
 *     │  │        ▼  │ granted, resolved, resumed
 *     │  └─────▶ halted ──▶ failed | cancelled
 *     ▼
 *   blocked_limit
 *
 * X(NAME, "name", successors as a bit set)
 */
#define ST_RUN_STATE_X(X)                                                                          \
	X(QUEUED, "queued",                                                                        \
	  ST_BIT(RUN_RUNNING) | ST_BIT(RUN_HALTED) | ST_BIT(RUN_BLOCKED) | ST_BIT(RUN_CANCELLED))  \
	X(RUNNING, "running",                                                                      \
	  ST_BIT(RUN_HALTED) | ST_BIT(RUN_SUCCEEDED) | ST_BIT(RUN_FAILED) | ST_BIT(RUN_CANCELLED)) \
	X(HALTED, "halted", ST_BIT(RUN_RUNNING) | ST_BIT(RUN_FAILED) | ST_BIT(RUN_CANCELLED))      \
	X(BLOCKED, "blocked_limit", 0)                                                             \
	X(SUCCEEDED, "succeeded", 0)                                                               \
	X(FAILED, "failed", 0)                                                                     \
	X(CANCELLED, "cancelled", 0)

/*
 * A step of the graph:
 *
 *   pending ──▶ running ──▶ succeeded | failed | cancelled
 *      └──────▶ skipped
 *      └──────▶ failed (its condition or its for_each could not be evaluated)
 */
#define ST_STEP_STATE_X(X)                                                                         \
	X(PENDING, "pending", ST_BIT(STEP_RUNNING) | ST_BIT(STEP_SKIPPED) | ST_BIT(STEP_FAILED))   \
	X(RUNNING, "running",                                                                      \
	  ST_BIT(STEP_SUCCEEDED) | ST_BIT(STEP_FAILED) | ST_BIT(STEP_CANCELLED))                   \
	X(SUCCEEDED, "succeeded", 0)                                                               \
	X(FAILED, "failed", 0)                                                                     \
	X(SKIPPED, "skipped", 0)                                                                   \
	X(CANCELLED, "cancelled", 0)

/*
 * An item: one iteration of a step (a step without for_each has exactly one).
 *
 *   waiting ──▶ calling ──▶ succeeded | failed
 *    ▲ │ │ ▲      │ │
 *    │ │ │ │      │ └────▶ in_doubt ──▶ waiting | succeeded | failed   (somebody resolves it)
 *    │ │ │ └──────┘ lost, and safe to make again
 *    │ │ └▶ asking ──▶ waiting | succeeded | failed                    (a person decides)
 *    │ └──▶ sleeping ──▶ waiting | succeeded | failed                  (until `due`)
 *    └────────┘ ▲ a failed call that is tried again sleeps first
 *
 * Every state that is not final may also become cancelled, or in doubt when it has an unsettled
 * call that will not be sent again. waiting: wants its call to be held and
 * made; asking: its own halt is open.
 */
#define ST_ITEM_STATE_X(X)                                                                         \
	X(WAITING, "waiting",                                                                      \
	  ST_BIT(ITEM_CALLING) | ST_BIT(ITEM_SLEEPING) | ST_BIT(ITEM_ASKING) |                     \
	      ST_BIT(ITEM_IN_DOUBT) | ST_BIT(ITEM_FAILED) | ST_BIT(ITEM_CANCELLED))                \
	X(CALLING, "calling",                                                                      \
	  ST_BIT(ITEM_WAITING) | ST_BIT(ITEM_SLEEPING) | ST_BIT(ITEM_IN_DOUBT) |                   \
	      ST_BIT(ITEM_SUCCEEDED) | ST_BIT(ITEM_FAILED) | ST_BIT(ITEM_CANCELLED))               \
	X(SLEEPING, "sleeping",                                                                    \
	  ST_BIT(ITEM_WAITING) | ST_BIT(ITEM_IN_DOUBT) | ST_BIT(ITEM_SUCCEEDED) |                  \
	      ST_BIT(ITEM_FAILED) | ST_BIT(ITEM_CANCELLED))                                        \
	X(ASKING, "asking",                                                                        \
	  ST_BIT(ITEM_WAITING) | ST_BIT(ITEM_SUCCEEDED) | ST_BIT(ITEM_FAILED) |                    \
	      ST_BIT(ITEM_CANCELLED))                                                              \
	X(IN_DOUBT, "in_doubt",                                                                    \
	  ST_BIT(ITEM_WAITING) | ST_BIT(ITEM_SUCCEEDED) | ST_BIT(ITEM_FAILED) |                    \
	      ST_BIT(ITEM_CANCELLED))                                                              \
	X(SUCCEEDED, "succeeded", 0)                                                               \
	X(FAILED, "failed", 0)                                                                     \
	X(CANCELLED, "cancelled", 0)

/*
 * A hold, and with it the call it stands for:
 *
 *   held ──▶ sent ──▶ settled
 *    │        ├─────▶ voided     (provably not made)
 *    │        └─────▶ in_doubt ──▶ settled | voided
 *    └──────▶ voided
 */
#define ST_HOLD_STATE_X(X)                                                                         \
	X(HELD, "held", ST_BIT(HOLD_SENT) | ST_BIT(HOLD_VOIDED))                                   \
	X(SENT, "sent", ST_BIT(HOLD_SETTLED) | ST_BIT(HOLD_VOIDED) | ST_BIT(HOLD_IN_DOUBT))        \
	X(IN_DOUBT, "in_doubt", ST_BIT(HOLD_SETTLED) | ST_BIT(HOLD_VOIDED))                        \
	X(SETTLED, "settled", 0)                                                                   \
	X(VOIDED, "voided", 0)

#define ST_BIT(name) (UINT32_C(1) << ST_##name)

enum st_run_state {
#define X(name, text, next) ST_RUN_##name,
	ST_RUN_STATE_X(X)
#undef X
	    ST_RUN_STATE_COUNT
};
enum st_step_state {
#define X(name, text, next) ST_STEP_##name,
	ST_STEP_STATE_X(X)
#undef X
	    ST_STEP_STATE_COUNT
};
enum st_item_state {
#define X(name, text, next) ST_ITEM_##name,
	ST_ITEM_STATE_X(X)
#undef X
	    ST_ITEM_STATE_COUNT
};
enum st_hold_state {
#define X(name, text, next) ST_HOLD_##name,
	ST_HOLD_STATE_X(X)
#undef X
	    ST_HOLD_STATE_COUNT
};

/* One machine as data, for the move functions, the generated page and the test of every pair. */
struct st_machine_state {
	const char *name;
	uint32_t next; /* bit per successor */
};
struct st_machine {
	const char *name;
	const struct st_machine_state *states;
	int n_states;
};

extern const struct st_machine st_run_machine;
extern const struct st_machine st_step_machine;
extern const struct st_machine st_item_machine;
extern const struct st_machine st_hold_machine;

bool st_machine_allows(const struct st_machine *machine, int from, int to);
/* A state that nothing follows. */
bool st_machine_final(const struct st_machine *machine, int state);
const char *st_machine_state_name(const struct st_machine *machine, int state);
/* The state's number, or -1. */
int st_machine_state_parse(const struct st_machine *machine, const char *name);

/* Why a run waits. X(NAME, "name") */
#define ST_HALT_X(X)                                                                               \
	X(NONE, "none")                                                                            \
	X(BUDGET, "budget")                                                                        \
	X(DANGEROUS, "dangerous")                                                                  \
	X(IN_DOUBT, "in_doubt")                                                                    \
	X(APPROVAL, "approval")                                                                    \
	X(PAUSED, "paused")

enum st_halt_kind {
#define X(name, text) ST_HALT_##name,
	ST_HALT_X(X)
#undef X
	    ST_HALT_COUNT
};
const char *st_halt_kind_name(enum st_halt_kind kind);
int st_halt_kind_parse(const char *name); /* or -1 */

#endif
