/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the real core keep its promises in every world that a seed can make?
 *
 * One process, no threads, no real time. A world has one core (the pure folders, as they are in the
 * product) and a simulated shell around it: a clock, a store that keeps what was committed and
 * loses the rest at a crash, tools that answer, fail, vanish or lie, people who decide well, badly,
 * late or twice. A world goes tick by tick. Each tick draws from its own random stream
 * (seed, tick), so that leaving out a tick, a run or a fault class does not change what the others
 * do: that is what makes a failure shrink.
 *
 * To add: a law is a row of SIM_LAW_X and its check in sim_law*.c; a fault is a row of SIM_FAULT_X
 * and a sim_fires() where it happens; an actor is a function and a row of the table in sim_world.c.
 * Nothing knows that there is one core only but sim_world.c: more nodes would each have a core and
 * batches of their own over one struct sim_store.
 */
#ifndef ST_TESTS_SIM_SIM_H
#define ST_TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "budgets/grant.h"
#include "orchestrator/core.h"
#include "orchestrator/definitions.h"
#include "orchestrator/rows_fini.h"
#include "redact/clean.h"
#include "schemas/buf.h"
#include "schemas/effect.h"
#include "schemas/event.h"
#include "schemas/schemas.h"
#include "steps/kind.h"

#define SIM_RUNS_MAX 12
#define SIM_STEPS_MAX 8
#define SIM_ITEMS_MAX 5
#define SIM_SCOPES_MAX 64
#define SIM_BATCHES_MAX 4
#define SIM_CANARY "sk-sim-canary-4f9d1c77ab" /* a declared secret that tools send back */

/* What may go wrong. X(NAME, "name"): each can be left out of a world. */
#define SIM_FAULT_X(X)                                                                             \
	X(CRASH_OPEN, "crash-open")	/* what was not sealed yet is gone */                      \
	X(CRASH_SEALED, "crash-sealed") /* a sealed batch is gone, too */                          \
	X(CRASH_SENT, "crash-sent")	/* committed, but only some of its effects left */         \
	X(DRAIN, "drain")		/* stops politely, then starts again */                    \
	X(CLOCK_BACK, "clock-back")                                                                \
	X(CLOCK_DAY, "clock-day")                                                                  \
	X(CLOCK_DATE, "clock-date") /* to a change of summer time, a month's end, … */           \
	X(CLOCK_SLEEP, "clock-sleep")                                                              \
	X(TOOL_FAILS, "tool-fails")                                                                \
	X(TOOL_NOT_MADE, "tool-not-made")                                                          \
	X(TOOL_LOST_BEFORE, "tool-lost-before") /* no answer, and no effect */                     \
	X(TOOL_LOST_AFTER, "tool-lost-after")	/* no answer, but the effect is there */           \
	X(TOOL_WAIT, "tool-wait")		/* asks to be asked later, or much later */        \
	X(USAGE_MISSING, "usage-missing")                                                          \
	X(USAGE_NEGATIVE, "usage-negative")                                                        \
	X(USAGE_HUGE, "usage-huge")                                                                \
	X(USAGE_OVER, "usage-over")                                                                \
	X(USAGE_OTHER, "usage-other") /* in a meter that was not held */                           \
	X(USAGE_BODY, "usage-body")   /* a real answer with absurd counts in it */                 \
	X(ANSWER_TWICE, "answer-twice")                                                            \
	X(ANSWER_WRONG, "answer-wrong") /* for a call that is not in flight, or of another run */  \
	X(COUNT_ODD, "count-odd")                                                                  \
	X(SECRET, "secret") /* a tool sends a secret back */                                       \
	X(DECIDE_TWICE, "decide-twice")                                                            \
	X(DECIDE_STALE, "decide-stale")                                                            \
	X(DECIDE_OWN, "decide-own")                                                                \
	X(DECIDE_ROLE, "decide-role")                                                              \
	X(DECIDE_TENANT, "decide-tenant")                                                          \
	X(DECIDE_LITTLE, "decide-little")                                                          \
	X(DECIDE_MUCH, "decide-much")                                                              \
	X(DECIDE_ODD, "decide-odd") /* amounts and scopes that cannot be */                        \
	X(DENY, "deny")                                                                            \
	X(RESOLVE_LIE, "resolve-lie")                                                              \
	X(CANCEL, "cancel")                                                                        \
	X(PAUSE, "pause")                                                                          \
	X(CONTROL_ROLE, "control-role")                                                            \
	X(LIMITS, "limits")                                                                        \
	X(LIMITS_ROLE, "limits-role")

enum sim_fault {
#define X(NAME, name) SIM_##NAME,
	SIM_FAULT_X(X)
#undef X
	    SIM_FAULT_COUNT
};

/* Other things worth seeing happen. X(NAME, "name") */
#define SIM_SEEN_X(X)                                                                              \
	X(RUNS, "runs")                                                                            \
	X(CALLS, "calls")                                                                          \
	X(RESENDS, "resends")                                                                      \
	X(COUNTS, "counts")                                                                        \
	X(CLAMPS, "clamps")                                                                        \
	X(HALT_BUDGET, "halt-budget")                                                              \
	X(HALT_DANGEROUS, "halt-dangerous")                                                        \
	X(HALT_DOUBT, "halt-in-doubt")                                                             \
	X(HALT_APPROVAL, "halt-approval")                                                          \
	X(HALT_PAUSED, "halt-paused")                                                              \
	X(GRANTS, "grants")                                                                        \
	X(DOUBTS, "doubts")                                                                        \
	X(RESOLVED, "resolved")                                                                    \
	X(OVERRUNS, "overruns")                                                                    \
	X(ESTIMATED, "estimated")                                                                  \
	X(VOIDED, "voided")                                                                        \
	X(RETRIES, "retries")                                                                      \
	X(ABORTS, "aborts")                                                                        \
	X(LOADS, "loads")                                                                          \
	X(CRASHES, "crashes")                                                                      \
	X(REFUSED, "refused")                                                                      \
	X(LIMITED, "limits-changed")                                                               \
	X(CHECKED_REQUESTS, "requests-read")                                                       \
	X(FULL_CHECKS, "full-checks")

enum sim_seen {
#define X(NAME, name) SIM_SEEN_##NAME,
	SIM_SEEN_X(X)
#undef X
	    SIM_SEEN_COUNT
};

/*
 * The laws. X(NAME, ids, what must hold, where it is checked). P1 to P13 are the promises and Z7
 * and I1 to I48 the invariants that the reliability page of the docs explains.
 */
#define SIM_LAW_X(X)                                                                               \
	X(ASSERTION, "-", "an assertion of the product failed, or it crashed", "the product")      \
	X(PERSIST_FIRST, "P1 I4", "a call leaves only with its hold and intent committed",         \
	  "sim_law.c:law_hold, sim_tool.c:sim_tool_arrives")                                       \
	X(ALL_OR_NONE, "P2 I3 I1", "each hold and its end stand on every account of its chain",    \
	  "sim_law.c:compare")                                                                     \
	X(CONSERVATION, "P3 I1", "limit + granted = settled + held + remaining",                   \
	  "sim_law.c:compare")                                                                     \
	X(NO_OVERSPEND, "P3 I2 I14", "a hold fits into what every account has left",               \
	  "sim_law.c:law_hold")                                                                    \
	X(OVERRUN_TOLD, "P3 I6", "what passes a hold is recorded as an overrun, and told",         \
	  "sim_law.c:law_settlement")                                                              \
	X(FULL_SUM, "I1", "all holds and ends summed anew give the stored accounts",               \
	  "sim_law_full.c:sim_law_full")                                                           \
	X(BOUND_SENT, "P4 I7", "the request is clamped to what is held", "sim_tool.c:check_bound") \
	X(CLAMP_TOLD, "P4", "a clamp is in the timeline, and not below what is useful",            \
	  "sim_tool.c:check_bound")                                                                \
	X(ONE_END, "P5 I5", "a hold has one end", "sim_law.c:law_settlement")                      \
	X(RIGHT_END, "P5 P6 I6 I8 I11", "a hold ends as what was told about its call demands",     \
	  "sim_law.c:check_end")                                                                   \
	X(ENDS_AT_REST, "P5 I5", "at rest no hold is open and nothing is held",                    \
	  "sim_law_full.c:sim_law_rest")                                                           \
	X(STEP_ONCE, "P6 I9", "what has ended is not called again, and stays as it ended",         \
	  "sim_law_rows.c:step_event")                                                             \
	X(ATTEMPT_KEY, "P6 I10", "one attempt, one key: the call's id stays, attempts count up",   \
	  "sim_law.c:check_may_call")                                                              \
	X(SENT_ONCE, "P6 I11 I12", "a call that is not idempotent is sent once per hold",          \
	  "sim_tool.c:sim_tool_arrives")                                                           \
	X(EFFECT_ONCE, "P6 I10 I12", "each side effect happens at most once", "sim_tool.c:happen") \
	X(HALTED, "P7 I13 I22", "only a running run starts steps and calls", "sim_law_rows.c")     \
	X(DECIDED_ONCE, "P8 I15 I16", "a halt is decided once, and grants belong to an open halt", \
	  "sim_law_rows.c:sim_law_halt, sim_step.c:law_decide")                                    \
	X(MAY_DECIDE, "P8 I17 I46", "only who may decides, and not on own runs",                   \
	  "sim_step.c:law_step")                                                                   \
	X(GRANT_EXACT, "P8 I15", "a grant is what was asked, or exactly what lacked",              \
	  "sim_step.c:law_decide")                                                                 \
	X(ENVELOPE, "I19", "limits change by accepted orders only",                                \
	  "sim_law_rows.c:envelope_event")                                                         \
	X(MONOTONE, "I20", "what was used never goes down", "sim_law.c:law_account")               \
	X(MACHINE, "I22", "states follow their tables; the row says what the timeline says",       \
	  "sim_law_rows.c")                                                                        \
	X(TIMELINE, "P11 I22 I44", "seq without gap, time in order, hashes chained",               \
	  "sim_law_rows.c:sim_law_timeline")                                                       \
	X(SLOTS, "I23", "no more calls and jobs in flight than allowed", "sim_tool.c:check_slots") \
	X(DANGER, "P8", "a dangerous call is made once for each approval",                         \
	  "sim_tool.c:sim_tool_arrives")                                                           \
	X(NOT_EARLY, "I25 I28", "nothing before its time, nor more time counted than passed",      \
	  "sim_law_rows.c:sim_law_not_early")                                                      \
	X(VERDICT, "P3 I14", "a refusal names accounts and their figures as they are",             \
	  "sim_law_rows.c:check_refusal")                                                          \
	X(REFUSED_IS_NOTHING, "shape", "what is refused changes nothing", "sim_step.c:law_step")   \
	X(ANSWERED, "shape", "who asks gets one answer", "sim_step.c:law_step")                    \
	X(DURABLE, "P13 I18", "an answered run is stored, a key gives one run",                    \
	  "sim_step.c:answer")                                                                     \
	X(SECRETS, "P10 I42", "no declared secret in any text that is not sealed",                 \
	  "sim_law_rows.c:sim_law_secrets")                                                        \
	X(AUDIT, "P11 I44", "who and when stand with each decision",                               \
	  "sim_law.c:check_end, sim_law_rows.c")                                                   \
	X(LOADS, "shape", "what was stored can be loaded", "sim_world.c:sim_world_restart")        \
	X(FORGETS, "I47", "runs that are over or wait leave memory",                               \
	  "sim_law_full.c:sim_law_rest")                                                           \
	X(RESTS, "Z7", "when all is answered, every run ends", "sim_world.c:live")                 \
	X(DETERMINISM, "P12", "the same seed gives the same rows and effects", "main.c:check_twice")

enum sim_law {
#define X(NAME, ids, text, where) SIM_LAW_##NAME,
	SIM_LAW_X(X)
#undef X
	    SIM_LAW_COUNT
};
const char *sim_law_name(enum sim_law law);
const char *sim_law_ids(enum sim_law law);
const char *sim_law_text(enum sim_law law);
const char *sim_law_where(enum sim_law law);
const char *sim_fault_name(int fault);
const char *sim_seen_name(int seen);

/* Random numbers: splitmix64, one stream for each (seed, a, b). */
struct sim_rng {
	uint64_t state;
};
struct sim_rng sim_rng_of(uint64_t seed, uint64_t a, uint64_t b);
uint64_t sim_next(struct sim_rng *rng);
/* Evenly 0..n-1. */
uint64_t sim_roll(struct sim_rng *rng, uint64_t n);
/* True p times in 100. */
bool sim_chance(struct sim_rng *rng, unsigned p);

/* ---- what is stored ---- */

struct sim_account {
	bool open;   /* the model has it */
	bool stored; /* a row was committed */
	bool touched;
	int64_t limit;
	int64_t granted;
	int64_t settled;
	int64_t held;
	int64_t overrun;
	struct st_row_account row; /* as committed last */
};

/* What is known about how a call will have to end. */
enum sim_told { SIM_TOLD_NOTHING, SIM_TOLD_END, SIM_TOLD_UNKNOWN, SIM_TOLD_COUNT, SIM_TOLD_PERSON };

struct sim_expected {
	enum sim_told told;
	bool voided;
	bool estimated;
	struct st_amounts used;
	char by[ST_NAME_MAX];
};

struct sim_hold {
	bool there;
	bool ended;
	bool counting;
	bool clamp_told; /* the timeline says that it was clamped */
	struct st_row_hold row;
	struct st_row_call call;
	int n_sent; /* how often it arrived at the tool */
	bool happened;
	struct sim_expected expected;
	struct st_amounts used; /* as its end says */
};

/* An item over all its attempts. */
struct sim_item {
	struct st_row_step row; /* as committed last; output owned, other text NULL */
	bool stored;
	int attempt; /* of the last call that was held */
	struct st_id call;
	int n_effects;	/* under different keys */
	int n_approved; /* dangerous calls that a person approved and that were not made yet */
	bool lied;	/* somebody said of a call that it had not happened, and it had */
	int64_t moved;	/* by so much the clock had been set when the row was committed */
	uint64_t epoch; /* of the run, then */
};

struct sim_run {
	int64_t no;
	struct st_id id;
	struct st_row_run row;	 /* as committed last; def owned */
	enum st_run_state state; /* as the timeline says */
	int64_t seq;
	st_time last_at;
	uint8_t hash[ST_HASH_BYTES];
	int n_steps;
	struct {
		struct st_amounts limits;
		bool for_each;
		bool sleeps;
		bool ended; /* as the timeline says */
		int concurrent;
		int64_t min_useful;			  /* 0: none */
		struct sim_item items[SIM_ITEMS_MAX + 1]; /* [0]: the step, or its only item */
		struct sim_account accounts[ST_METER_COUNT];
	} steps[SIM_STEPS_MAX];
	struct sim_account accounts[ST_METER_COUNT];
	int scopes[ST_SCOPE_COUNT]; /* which of the store's; [STEP] and [RUN] unused */
	struct st_row_halt halt;    /* the open one; verdict_json owned */
	bool halted;
	int n_doubts;		/* calls in doubt */
	struct st_id last_halt; /* closed last */
	uint64_t epoch; /* counts its halts and loads: between them it sees each set clock */
	size_t n_asked; /* limits that were accepted and are not committed yet */
	struct st_amounts asked[SIM_BATCHES_MAX * 4];
};

struct sim_scope { /* there as soon as a run names it; row.no 0: not stored yet */
	struct st_row_scope row;
	struct sim_account accounts[ST_METER_COUNT];
};

struct sim_key { /* of an answer that is kept */
	uint8_t key[ST_HASH_BYTES];
	struct st_id run;
};

struct sim_store {
	struct sim_run *runs[SIM_RUNS_MAX * 2]; /* [no] */
	int64_t n_runs;				/* the highest number */
	struct sim_hold *holds;			/* [no] */
	int64_t n_holds;
	int64_t holds_cap;
	struct sim_scope *scopes;
	int n_scopes;
	st_time alive_at; /* the last pulse, or NONE */
	struct sim_key keys[SIM_RUNS_MAX * 2];
	size_t n_keys;
};

/* ---- the world ---- */

/* A call that left and has not ended. */
struct sim_flight {
	struct st_effect_call call;
	int64_t run_no;
	int step;
	int item;
	bool aborted;
};

/* A run that somebody wants to have. */
struct sim_wish {
	bool wanted;
	bool stepped;	/* the core has it, maybe not the store */
	bool committed; /* the store has it */
	struct st_id id;
	int64_t no;
	char by[ST_NAME_MAX];
	char tenant[ST_NAME_MAX];
	struct st_amounts limits;
	struct {
		struct st_amounts limits;
		bool for_each;
		bool sleeps;
		int concurrent;
		int64_t min_useful;
	} steps[SIM_STEPS_MAX];
	int n_steps;
};

/* What one seed is run with. */
struct sim_options {
	uint64_t seed;
	int steps;	     /* ticks before all is healed */
	uint32_t runs;	     /* bit per run that may be submitted */
	uint64_t without;    /* bit per fault that must not happen */
	const uint8_t *skip; /* [steps]: ticks that are left out, or NULL */
	bool digest;	     /* hash all rows and effects */
	bool trace;
};

/* What came of it. */
struct sim_result {
	bool failed;
	enum sim_law law;
	int tick; /* of the failure */
	char text[512];
	uint64_t n_steps; /* of the core */
	uint64_t n_rows;
	uint64_t digest;
	uint64_t fired[SIM_FAULT_COUNT];
	uint64_t seen[SIM_SEEN_COUNT];
	uint32_t states[4]; /* bits reached: run, step, item, hold */
};

/* The definitions that SIM_POOL_WORLDS worlds draw their runs from. */
#define SIM_POOL_MAX 64
#define SIM_POOL_WORLDS 128
struct sim_pool {
	uint64_t no;			   /* which SIM_POOL_WORLDS seeds */
	struct st_def *defs[SIM_POOL_MAX]; /* NULL: not asked for yet */
};

/* What all worlds share. */
struct sim_base {
	struct st_schemas *schemas;
	struct st_redactor *redactor;
	struct st_config *configs[4]; /* they differ in slots only: definitions are alike in all */
	struct st_definitions *definitions; /* that cores read and wrote */
	struct sim_pool *pool;
};

struct sim {
	const struct sim_base *base;
	const struct sim_options *options;
	struct sim_result *result;
	const struct st_config *config;
	struct st_core *core;
	struct sim_store store;
	st_time now;   /* what the clock says */
	int64_t moved; /* by so much the clock was set, all in all, … */
	int64_t told;  /* … and as far as the core was told */
	int tick;
	int n_asked;  /* random words given out in this tick */
	bool eager;   /* each step is committed at once */
	bool healed;  /* no faults any more */
	bool chained; /* hashes of the timeline are checked */
	bool draining;
	unsigned fault_p; /* how often tools fail, in 100 */
	uint64_t off;	  /* faults that this world does not have: worlds differ more that way */
	struct st_update open;
	struct st_update sealed[SIM_BATCHES_MAX];
	size_t n_sealed;
	size_t n_open_steps;
	struct sim_flight flights[256];
	size_t n_flights;
	struct st_id landed_run; /* of the last call that ended */
	int64_t landed_no;
	struct sim_wish wishes[SIM_RUNS_MAX];
	int n_wishes;
	struct sim_wish *submitting; /* by the present step, or NULL */
	struct sim_account *touched[4096];
	size_t n_touched;
	struct st_buf trace;
	void *out; /* where a failure goes: a jmp_buf */
};

/* ---- sim_law_names.c, sim_rng.c ---- */

/* Notes the failure and leaves the world; does not return. */
_Noreturn void sim_fail(struct sim *s, enum sim_law law, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define sim_check(s, law, condition, ...)                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			sim_fail((s), SIM_LAW_##law, __VA_ARGS__);                                 \
		}                                                                                  \
	} while (0)
/* May this fault happen now? Counts it. */
bool sim_fires(struct sim *s, enum sim_fault fault);
void sim_saw(struct sim *s, enum sim_seen seen);
void sim_trace(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- sim_gen.c ---- */

/* The definition of run number i of this seed, shared; free with st_def_free. */
struct st_def *sim_gen_definition(const struct sim_base *base, uint64_t seed, int i);
void sim_gen_forget(struct sim_pool *pool);
json_t *sim_gen_config(int variant);

/* ---- sim_store.c ---- */

struct sim_run *sim_store_run(struct sim_store *store, int64_t no);
struct sim_run *sim_store_find(struct sim_store *store, struct st_id id);
struct sim_hold *sim_store_hold(struct sim_store *store, int64_t no); /* or NULL */
/* Where this scope instance is; makes it when it is new. */
int sim_store_scope(struct sim_store *store, enum st_scope scope, const char *id);
/* Keeps the row, without judging it. */
void sim_store_put(struct sim *s, struct st_row *row);
/* The rows of all live runs with the scopes, or of one run. */
void sim_store_load(struct sim_store *store, int64_t run_no, struct st_rows *out);
void sim_store_fini(struct sim_store *store);

/* ---- sim_law.c, sim_law_rows.c, sim_law_full.c ---- */

/* Judges the row against what is stored, before it is put there. */
void sim_law_row(struct sim *s, const struct st_rows *rows, size_t i);
void sim_law_timeline(struct sim *s, const struct st_row_event *event);
void sim_law_halt(struct sim *s, const struct st_row_halt *halt);
void sim_law_run_row(struct sim *s, const struct st_row_run *row);
void sim_law_step_row(struct sim *s, const struct st_row_step *row);
void sim_law_call_row(struct sim *s, const struct st_row_call *row);
void sim_law_secrets(struct sim *s, const struct st_row *row);
/* After a whole batch: what was touched was written. */
void sim_law_batch(struct sim *s);
/* The model's account of this step of the run (step -1: the run) in this scope. */
struct sim_account *sim_law_account(struct sim *s, struct sim_run *run, int step,
				    enum st_scope scope, enum st_meter meter);
void sim_law_touch(struct sim *s, struct sim_account *account);
/* The same, touched; NULL for a step that has no limit there: its run counts for it. */
struct sim_account *sim_law_counted(struct sim *s, struct sim_run *run, int step,
				    enum st_scope scope, enum st_meter meter);
/* The item goes on at this moment: is that not before it is due? */
void sim_law_not_early(struct sim *s, const struct sim_run *run, const struct sim_item *item,
		       st_time at);
/* What the account has left; INT64_MAX - used without a limit. */
int64_t sim_law_room(const struct sim_account *account);
struct sim_item *sim_law_item(struct sim_run *run, int step, int k);
/* Everything summed anew. */
void sim_law_full(struct sim *s);
/* At rest. */
void sim_law_rest(struct sim *s);

/* ---- sim_step.c ---- */

/* One step of the core, judged; then sealed and committed where the world is eager. */
enum st_err sim_step(struct sim *s, struct st_event *event);
void sim_seal(struct sim *s);
/* Makes the oldest sealed batch durable and lets its effects out. `effects_max`: then crash. */
void sim_commit(struct sim *s, size_t effects_max);
/* Time passes; or the clock is set. */
void sim_pass(struct sim *s, int64_t ms);
void sim_set_clock(struct sim *s, st_time to);
/* The store was in use now. */
void sim_pulse(struct sim *s);
/* Loads the run if the core has forgotten it. False: there is none. */
bool sim_need(struct sim *s, int64_t run_no);
/* What is in the core's open batch is sealed, and all that is sealed is committed. */
void sim_commit_all(struct sim *s);

/* ---- sim_digest.c ---- */

uint64_t sim_digest_update(uint64_t digest, const struct st_update *update);

/* ---- sim_tool.c ---- */

void sim_tool_arrives(struct sim *s, struct st_effect_call *call);
void sim_tool_abort(struct sim *s, int64_t call_no);
/* The machine goes down: what is in flight ends unheard. */
void sim_tool_lose(struct sim *s);
bool sim_act_answer(struct sim *s, struct sim_rng *rng);
bool sim_act_nonsense(struct sim *s, struct sim_rng *rng);

/* ---- sim_people.c ---- */

struct st_actor sim_actor(const char *name, const char *tenant, enum st_role role);
bool sim_act_submit(struct sim *s, struct sim_rng *rng);
bool sim_act_decide(struct sim *s, struct sim_rng *rng);
bool sim_act_control(struct sim *s, struct sim_rng *rng);
bool sim_act_limits(struct sim *s, struct sim_rng *rng);
/* The right answer to whatever run number `no` waits for. */
bool sim_people_settle(struct sim *s, int64_t no);

/* ---- sim_world.c ---- */

void sim_base_init(struct sim_base *base);
void sim_base_fini(struct sim_base *base);
/* Runs a whole world. Returns the same for the same options. */
void sim_world_run(const struct sim_base *base, const struct sim_options *options,
		   struct sim_result *result, struct st_buf *trace);
/* kill -9 and start again. */
void sim_world_restart(struct sim *s);

/* ---- sim_shrink.c ---- */

/* Makes the failing options smaller as long as the same law fails; skip is owned by the caller. */
void sim_shrink(const struct sim_base *base, struct sim_options *options, uint8_t *skip,
		struct sim_result *result);

#endif
