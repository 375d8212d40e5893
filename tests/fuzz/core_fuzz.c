/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does any order of events break the ledger? Two bytes are an event: submits, ends of calls that
 * are in flight or are not, decisions, controls, time, crashes. After each the core proves itself,
 * and what it stored conserves: nothing below zero, held and settled within limit, grants and
 * overruns, one end for each hold.
 */
#include "fuzz.h"

#include "tests/unit/world.h"

#include <assert.h>

#define RUNS_MAX 6
#define EVENTS_MAX 80

#define STEP(id, more) "{\"id\":\"" id "\",\"uses\":\"noop\"" more "}"
#define GET(id, method, more)                                                                      \
	"{\"id\":\"" id "\",\"uses\":\"http.request\",\"retry\":{\"attempts\":2},\"with\":{"       \
	"\"method\":\"" method "\",\"url\":\"https://example.org/\"}" more "}"
#define RUN(budget, steps)                                                                         \
	"{\"stint\":1,\"name\":\"f\",\"kind\":\"research\",\"budget\":{" budget                    \
	"},\"steps\":[" steps "]}"

static const char *const definitions[] = {
    RUN("", STEP("a", "")),
    RUN("\"tool_steps\":1", STEP("a", "") "," STEP("b", ",\"needs\":[\"a\"]")),
    RUN("\"http_requests\":2",
	GET("a", "GET", "") "," GET("b", "POST", "") "," GET("c", "PUT", "")),
    RUN("\"tool_steps\":3", GET("a", "GET", ",\"for_each\":[1,2,3,4],\"for_each_concurrent\":2")),
    RUN("\"dangerous_ops\":1", GET("a", "DELETE", "")),
    RUN("\"wall_seconds\":5",
	GET("a", "GET",
	    ",\"timeout_seconds\":2") ","
				      "{\"id\":\"w\",\"uses\":\"sleep\",\"with\":{\"seconds\":3}}"),
    RUN("", "{\"id\":\"p\",\"uses\":\"approval\",\"with\":{\"message\":\"?\"}}," STEP(
		"b", ",\"needs\":[\"p\"],\"if\":\"always()\"")),
    RUN("\"tool_steps\":9223372036854775807",
	GET("a", "GET", ",\"budget\":{\"http_requests\":1},\"continue_on_error\":true")),
};
#define N_DEFINITIONS (sizeof definitions / sizeof definitions[0])

static void check_account(const struct st_row_account *row)
{
	assert(row->granted >= 0 && row->settled >= 0 && row->held >= 0 && row->overrun >= 0);
	if (row->limit != ST_UNLIMITED) {
		int64_t room = st_add_saturating(row->limit, row->granted);
		assert(st_add_saturating(row->settled, row->held) <=
		       st_add_saturating(room, row->overrun));
	}
}

static void check_settlement(const struct world *w, const struct st_row_settlement *row)
{
	size_t holds = 0;
	size_t ends = 0;
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *other = &w->stored.of[i];
		holds += other->type == ST_ROW_HOLD && other->hold->no == row->hold_no;
		ends +=
		    other->type == ST_ROW_SETTLEMENT && other->settlement->hold_no == row->hold_no;
	}
	assert(holds == 1 && ends == 1);
	for (int m = 0; m < ST_METER_COUNT; m++) {
		assert(row->used.of[m] >= 0 && row->overrun.of[m] >= 0);
	}
}

static void check_rows(const struct world *w)
{
	for (size_t i = w->before; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		if (row->type == ST_ROW_ACCOUNT) {
			check_account(row->account);
		} else if (row->type == ST_ROW_SETTLEMENT) {
			check_settlement(w, row->settlement);
		}
	}
}

static void end_one(struct world *w, uint8_t how)
{
	static const int64_t amounts[] = {0, 1, 2, 100, -1, INT64_MAX, INT64_MIN};
	if (w->n_flights == 0) {
		return;
	}
	size_t which = how % w->n_flights;
	struct flight f = w->flights[which];
	bool keep = (how & 0x80) != 0; /* the same end comes again later */
	if (!keep) {
		memmove(&w->flights[which], &w->flights[which + 1],
			(w->n_flights - which - 1) * sizeof f);
		w->n_flights--;
	}
	struct st_amounts used = f.held;
	used.of[ST_METER_HTTP_REQUESTS] = amounts[how % 7];
	w->refuse_retry = (how & 0x40) != 0;
	world_tell_end(w, &f, (enum st_outcome_state)(how >> 2 & 3), (how & 0x20) ? &used : NULL);
}

static void decide(struct world *w, uint8_t how)
{
	struct st_decide what = {
	    .decision = (enum st_decision)(how % 3), .happened = (how & 4) != 0, .reason = "r"};
	what.halt = (how & 8) != 0 ? w->halt : (struct st_id){{0}};
	if ((how & 16) != 0) {
		what.grants[0] = (struct st_grant_asked){
		    ST_SCOPE_RUN, (how & 32) != 0 ? ST_METER_TOOL_STEPS : ST_METER_HTTP_REQUESTS,
		    (how & 64) != 0 ? INT64_MAX : 1};
		what.n_grants = 1;
	}
	if ((how & 128) != 0) {
		what.usage_known = true;
		what.usage.of[ST_METER_HTTP_REQUESTS] = (how & 64) != 0 ? INT64_MAX : 1;
	}
	world_decide(w, (how & 2) != 0 ? "ann" : "bob", what);
}

static void change_limits(struct world *w, uint8_t how)
{
	struct st_event event = {.type = ST_EVENT_LIMITS, .run = w->run};
	event.actor = world_actor("bob", ST_ROLE_ADMIN);
	for (int m = 0; m < ST_METER_COUNT; m++) {
		event.limits.run.of[m] = ST_UNLIMITED;
	}
	event.limits.run.of[ST_METER_TOOL_STEPS] = how;
	world_step(w, &event);
}

static void one(struct world *w, uint8_t what, uint8_t how, int64_t *runs)
{
	static const enum st_event_type controls[] = {ST_EVENT_CANCEL, ST_EVENT_PAUSE,
						      ST_EVENT_RESUME, ST_EVENT_RESUME};
	struct st_event timer = {.type = ST_EVENT_TIMER};
	switch (what % 8) {
	case 0:
		if (*runs < RUNS_MAX) {
			world_submit(w, definitions[how % N_DEFINITIONS]);
			++*runs;
		}
		break;
	case 1:
	case 2:
		end_one(w, how);
		break;
	case 3:
		decide(w, how);
		break;
	case 4:
		if (*runs > 0) {
			world_control(w, controls[how % 4]);
		}
		break;
	case 5:
		w->now += (int64_t)how * how * 10;
		world_step(w, &timer);
		break;
	case 6:
		if (*runs > 0) {
			change_limits(w, how);
		}
		break;
	default:
		if (*runs > 0) {
			world_crash(w, *runs);
		}
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world kept; /* its schemas, config and redactor, which take long to make */
	if (kept.schemas == NULL) {
		world_init(&kept);
	}
	struct world w = {.schemas = kept.schemas,
			  .config = kept.config,
			  .redactor = kept.redactor,
			  .now = kept.now,
			  .seed = kept.seed};
	int64_t runs = 0;
	world_start(&w);
	for (size_t i = 0; i + 1 < size && i < (size_t)2 * EVENTS_MAX; i += 2) {
		one(&w, data[i], data[i + 1], &runs);
		check_rows(&w);
	}
	st_core_free(w.core);
	st_buf_fini(&w.trace);
	st_rows_fini(&w.stored);
	return 0;
}
