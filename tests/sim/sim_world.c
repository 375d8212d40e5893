/* SPDX-License-Identifier: Apache-2.0 */
/* What happens next, and what is left of it when the power goes? */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "redact/redact.h"
#include "schemas/mem.h"
#include "tests/sim/sim.h"

#define CALM_TICKS_MAX 4000

/* ---- failing, firing, tracing ---- */

struct exit_point {
	sigjmp_buf jump;
};

static struct sim *in_signal; /* the world that an assertion of the product ends */

_Noreturn void sim_fail(struct sim *s, enum sim_law law, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	s->result->failed = true;
	s->result->law = law;
	s->result->tick = s->tick;
	(void)vsnprintf(s->result->text, sizeof s->result->text, format, args);
	va_end(args);
	struct exit_point *out = s->out;
	siglongjmp(out->jump, 1);
}

static void on_abort(int signal_no)
{
	sim_fail(in_signal, SIM_LAW_ASSERTION, "signal %d; the assertion is on standard error",
		 signal_no);
}

bool sim_fires(struct sim *s, enum sim_fault fault)
{
	if (((s->options->without | s->off) >> fault & 1) != 0) {
		return false;
	}
	s->result->fired[fault]++;
	return true;
}

void sim_saw(struct sim *s, enum sim_seen seen)
{
	s->result->seen[seen]++;
}

void sim_trace(struct sim *s, const char *format, ...)
{
	char line[1024];
	va_list args;
	if (!s->options->trace) {
		return;
	}
	va_start(args, format);
	(void)vsnprintf(line, sizeof line, format, args);
	va_end(args);
	st_buf_addf(&s->trace, "%5d %lld %s\n", s->tick, (long long)s->now, line);
}

/* ---- the clock ---- */

static bool act_clock(struct sim *s, struct sim_rng *rng)
{
	static const st_time dates[] = {
	    INT64_C(1774745940000),   /* 2026-03-29 00:59 UTC: summer time begins in Europe */
	    INT64_C(1792889940000),   /* 2026-10-25 00:59 UTC: and ends */
	    INT64_C(1709251199000),   /* 2024-02-29 23:59:59 */
	    INT64_C(1798761599000),   /* 2026-12-31 23:59:59 */
	    INT64_C(2147483647000),   /* 2038-01-19 03:14:07 */
	    INT64_C(253402300790000), /* 9999-12-31 23:59:50: the last day there is */
	    INT64_C(1),
	};
	const st_time day = 86400000;
	switch (sim_roll(rng, 4)) {
	case 0:
		if (sim_fires(s, SIM_CLOCK_BACK)) {
			st_time to = s->now - (st_time)sim_roll(rng, 2 * 86400000);
			sim_set_clock(s, to > 0 ? to : 0);
		}
		break;
	case 1:
		if (sim_fires(s, SIM_CLOCK_DAY)) {
			sim_set_clock(s, s->now + day);
		}
		break;
	case 2:
		if (sim_fires(s, SIM_CLOCK_DATE)) {
			sim_set_clock(s, dates[sim_roll(rng, 7)]);
		}
		break;
	default:
		if (sim_fires(s, SIM_CLOCK_SLEEP)) {
			sim_pass(s, (st_time)sim_roll(rng, 400) * day);
		}
		break;
	}
	sim_trace(s, "the clock says %lld", (long long)s->now);
	return true;
}

static bool act_timer(struct sim *s, struct sim_rng *rng)
{
	st_time due = st_core_deadline(s->core);
	struct st_event event = {.type = ST_EVENT_TIMER};
	if (due == ST_TIME_NONE) {
		return false;
	}
	if (s->healed || sim_chance(rng, 80)) { /* else it rings for nothing */
		sim_pass(s, due > s->now ? due - s->now : 0);
	}
	sim_trace(s, "timer");
	(void)sim_step(s, &event);
	return true;
}

/* ---- crashes ---- */

static void start(struct sim *s)
{
	const struct st_core_options options = {.config = s->config,
						.redactor = s->base->redactor,
						.schemas = s->base->schemas,
						.definitions = s->base->definitions};
	const struct st_core_numbers numbers = {
	    .run = s->store.n_runs + 1, .call = s->store.n_holds + 1, .scope = 1};
	s->core = st_core_new(&options, &numbers);
	s->draining = false;
}

static void forget(struct sim *s)
{
	st_update_fini(&s->open);
	s->n_open_steps = 0;
	while (s->n_sealed > 0) {
		st_update_fini(&s->sealed[--s->n_sealed]);
	}
	for (int64_t no = 1; no <= s->store.n_runs; no++) {
		s->store.runs[no]->n_asked = 0;
		s->store.runs[no]->epoch++;
	}
	s->told = s->moved; /* nobody was there to see the clock being set */
	for (int i = 0; i < s->n_wishes; i++) {
		s->wishes[i].stepped =
		    s->wishes[i].stepped && sim_store_find(&s->store, s->wishes[i].id) != NULL;
	}
}

void sim_world_restart(struct sim *s)
{
	struct st_rows rows = {0};
	struct st_diag diag = {0};
	struct st_event event = {.type = ST_EVENT_LOAD, .load = {.rows = &rows, .diag = &diag}};
	st_core_free(s->core);
	forget(s);
	sim_tool_lose(s);
	sim_law_full(s);
	start(s);
	sim_store_load(&s->store, 0, &rows);
	sim_trace(s, "stint starts, %lld runs stored", (long long)s->store.n_runs);
	(void)sim_step(s, &event);
	st_rows_fini(&rows);
	sim_check(s, LOADS, diag.code == ST_OK, "%s", diag.text);
	st_core_prove(s->core);
	sim_saw(s, SIM_SEEN_CRASHES);
	sim_pulse(s);
}

static bool act_crash(struct sim *s, struct sim_rng *rng)
{
	switch (sim_roll(rng, 3)) {
	case 0:
		if (!sim_fires(s, SIM_CRASH_OPEN)) {
			return false;
		}
		while (s->n_sealed > 0) {
			sim_commit(s, SIZE_MAX);
		}
		break;
	case 1:
		if (!sim_fires(s, SIM_CRASH_SEALED)) {
			return false;
		}
		sim_seal(s);
		break;
	default:
		if (!sim_fires(s, SIM_CRASH_SENT)) {
			return false;
		}
		sim_seal(s);
		while (s->n_sealed > 1) {
			sim_commit(s, SIZE_MAX);
		}
		sim_commit(s, sim_roll(rng, 3));
		break;
	}
	sim_trace(s, "crash");
	sim_world_restart(s);
	return true;
}

static bool act_drain(struct sim *s, struct sim_rng *rng)
{
	if (s->draining) {
		if (s->n_flights == 0 || sim_chance(rng, 60)) {
			sim_commit_all(s);
			sim_world_restart(s);
		}
		return true;
	}
	if (!sim_fires(s, SIM_DRAIN)) {
		return false;
	}
	struct st_event event = {.type = ST_EVENT_DRAIN};
	sim_trace(s, "drain");
	(void)sim_step(s, &event);
	s->draining = true;
	return true;
}

static bool act_seal(struct sim *s, struct sim_rng *rng)
{
	if (sim_chance(rng, 10)) {
		sim_pulse(s);
	}
	if (sim_chance(rng, 60)) {
		sim_seal(s);
	}
	if (sim_chance(rng, 60)) {
		sim_commit(s, SIZE_MAX);
	}
	return true;
}

/* ---- worlds ---- */

static const struct {
	const char *name;
	unsigned weight;
	bool (*act)(struct sim *s, struct sim_rng *rng);
} ACTORS[] = {
    {"tools", 46, sim_act_answer},
    {"store", 16, act_seal},
    {"people decide", 13, sim_act_decide},
    {"timer", 12, act_timer},
    {"submit", 8, sim_act_submit},
    {"hold back", 4, sim_act_control},
    {"nonsense", 3, sim_act_nonsense},
    {"limits", 2, sim_act_limits},
    {"crash", 1, act_crash},
    {"clock", 2, act_clock},
    {"drain", 1, act_drain},
};
#define N_ACTORS (sizeof ACTORS / sizeof ACTORS[0])

static void tick(struct sim *s)
{
	unsigned all = 0;
	struct sim_rng rng = sim_rng_of(s->options->seed, 5, (uint64_t)s->tick);
	s->n_asked = 0;
	sim_pass(s, (st_time)sim_roll(&rng, 400));
	for (size_t i = 0; i < N_ACTORS; i++) {
		all += ACTORS[i].weight;
	}
	uint64_t what = sim_roll(&rng, all);
	size_t i = 0;
	while (what >= ACTORS[i].weight) {
		what -= ACTORS[i++].weight;
	}
	(void)ACTORS[i].act(s, &rng);
}

/* Something that is still to be done, without any fault; false: all is at rest. */
static bool calm_tick(struct sim *s)
{
	struct sim_rng rng = sim_rng_of(s->options->seed, 6, (uint64_t)s->tick);
	s->n_asked = 0;
	sim_pass(s, 1);
	sim_commit_all(s);
	bool busy = sim_act_answer(s, &rng);
	for (int64_t no = 1; no <= s->store.n_runs; no++) {
		busy = sim_people_settle(s, no) || busy;
	}
	sim_commit_all(s);
	return busy || s->n_flights > 0 || act_timer(s, &rng);
}

static void live(struct sim *s)
{
	for (s->tick = 0; s->tick < s->options->steps; s->tick++) {
		if (s->options->skip == NULL || s->options->skip[s->tick] == 0) {
			tick(s);
		}
	}
	s->healed = true;
	sim_commit_all(s);
	if (s->draining) {
		sim_world_restart(s);
	}
	while (calm_tick(s)) {
		s->tick++;
		sim_check(s, RESTS, s->tick < s->options->steps + CALM_TICKS_MAX,
			  "the world never comes to rest");
	}
	sim_law_full(s);
	sim_law_rest(s);
}

static void begin(struct sim *s)
{
	struct sim_rng rng = sim_rng_of(s->options->seed, 7, 0);
	int n = 1 + (int)sim_roll(&rng, sim_chance(&rng, 30) ? 3 : SIM_RUNS_MAX);
	s->config = s->base->configs[sim_roll(&rng, 4)];
	s->now = INT64_C(1767225600000) + (st_time)sim_roll(&rng, UINT64_C(40000000000));
	s->eager = sim_chance(&rng, 50);
	s->chained = sim_chance(&rng, 15);
	s->fault_p = (unsigned)sim_roll(&rng, 5) * 15;
	for (int i = 0; i < SIM_FAULT_COUNT; i++) {
		s->off |= (uint64_t)sim_chance(&rng, 30) << i;
	}
	if (sim_chance(&rng, 40)) { /* times can be judged strictly where nobody sets the clock */
		s->off |= UINT64_C(1) << SIM_CLOCK_BACK | UINT64_C(1) << SIM_CLOCK_DAY |
			  UINT64_C(1) << SIM_CLOCK_DATE;
	}
	s->store.alive_at = ST_TIME_NONE;
	s->n_wishes = SIM_RUNS_MAX;
	for (int i = 0; i < SIM_RUNS_MAX; i++) {
		s->wishes[i].wanted = i < n && (s->options->runs >> i & 1) != 0;
	}
	start(s);
}

static void end(struct sim *s)
{
	st_update_fini(&s->open);
	while (s->n_sealed > 0) {
		st_update_fini(&s->sealed[--s->n_sealed]);
	}
	st_core_free(s->core);
	while (s->n_flights > 0) {
		struct st_effect_call *call = &s->flights[--s->n_flights].call;
		st_grant_free(call->grant);
		st_free(call->plan);
		json_decref(call->params);
	}
	sim_store_fini(&s->store);
}

void sim_world_run(const struct sim_base *base, const struct sim_options *options,
		   struct sim_result *result, struct st_buf *trace)
{
	struct sim *s = st_alloc(sizeof *s);
	struct exit_point out;
	*result = (struct sim_result){0};
	s->base = base;
	s->options = options;
	s->result = result;
	s->out = &out;
	in_signal = s;
	(void)signal(SIGABRT, on_abort);
	(void)signal(SIGSEGV, on_abort);
	if (sigsetjmp(out.jump, 1) == 0) {
		begin(s);
		live(s);
	}
	(void)signal(SIGABRT, SIG_DFL);
	(void)signal(SIGSEGV, SIG_DFL);
	if (trace != NULL) {
		st_buf_add(trace, s->trace.data, s->trace.len);
	}
	st_buf_fini(&s->trace);
	if (!result->failed) { /* else what it had is not to be trusted */
		end(s);
		st_free(s);
	}
}

void sim_base_init(struct sim_base *base)
{
	struct st_diag diag = {0};
	base->schemas = st_schemas_new();
	base->definitions = st_definitions_new(SIM_POOL_MAX);
	base->pool = st_alloc(sizeof *base->pool);
	base->redactor = st_redactor_new();
	int err = st_redactor_secret(base->redactor, "SIM", SIM_CANARY, strlen(SIM_CANARY), &diag);
	err = err != ST_OK ? err : st_redactor_build(base->redactor, &diag);
	for (int i = 0; i < 4 && err == ST_OK; i++) {
		json_t *doc = sim_gen_config(i);
		err = st_config_decode(base->schemas, doc, &base->configs[i], &diag);
		json_decref(doc);
	}
	if (err != ST_OK) {
		(void)fprintf(stderr, "sim: %s: %s\n", diag.pointer, diag.text);
		exit(2);
	}
}

void sim_base_fini(struct sim_base *base)
{
	sim_gen_forget(base->pool);
	st_free(base->pool);
	st_definitions_free(base->definitions);
	for (int i = 0; i < 4; i++) {
		st_config_free(base->configs[i]);
	}
	st_redactor_free(base->redactor);
	st_schemas_free(base->schemas);
}
