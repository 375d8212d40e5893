/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Do the promises hold when everything happens to a run that can happen, in any order?
 *
 * Crash everywhere: a definition is driven to its end once undisturbed and then once for each of
 * its steps with a crash behind it, with and without the last batch. All ends must be alike.
 *
 * Storms: calls end, fail, vanish; people decide, pause, cancel; the power goes; out of one seed.
 * After each event the laws are checked on the rows that were stored, and the same seed must give
 * the same rows, byte for byte.
 */
#include <inttypes.h>

#include "world.h"

#include "orchestrator/io/store_audit.h"
#include "tests/unit/store_rig.h"

#define RUNS_MAX 8
#define HOLDS_MAX 4096
#define EVENTS_MAX 600

#define DEF(budget, steps)                                                                         \
	"{\"stint\":1,\"name\":\"t\",\"kind\":\"implementation\",\"params\":{\"xs\":[1,2,3,4]},"   \
	"\"budget\":{" budget "},\"steps\":[" steps "]}"
#define HTTP(id, method, more)                                                                     \
	"{\"id\":\"" id "\",\"uses\":\"http.request\",\"with\":{\"method\":\"" method              \
	"\",\"url\":\"https://example.com/x\"}" more "}"
#define JOB(id, with, more)                                                                        \
	"{\"id\":\"" id "\",\"uses\":\"sandbox.job\",\"with\":{\"run\":[\"true\"]" with "}" more "}"
#define CLIENT(id, more) "{\"id\":\"" id "\",\"uses\":\"client\"" more "}"
#define NOOP(id, more) "{\"id\":\"" id "\",\"uses\":\"noop\"" more "}"
#define X16(text) text text text text text text text text text text text text text text text text
#define MODEL(id, more) /* 1024 bytes of prompt: counting them helps */                            \
	"{\"id\":\"" id "\",\"uses\":\"model.generate\",\"with\":{\"model\":\"anthropic/m\","      \
	"\"max_output_tokens\":500,\"min_useful_output\":500,\"prompt\":\"" X16(                   \
	    X16("word")) "\"}" more "}"
#define CONFIG                                                                                     \
	"{\"limits\":{\"calls\":3,\"jobs\":1},\"providers\":{\"anthropic\":{\"api\":"              \
	"\"anthropic\"}},\"prices\":{"                                                             \
	"\"anthropic/m\":"                                                                         \
	"{\"input_usd_per_million\":\"3\",\"output_usd_per_million\":\"15\"}}}"
#define EACH(n) ",\"for_each\":\"${{ params.xs }}\",\"for_each_concurrent\":" #n
#define NEEDS(id) ",\"needs\":[\"" id "\"]"
#define RETRY ",\"retry\":{\"attempts\":3}"

/* The first letter of a step says how its calls end when nothing disturbs: f always fails, r fails
 * the first time, u vanishes the first time, everything else succeeds. */
static const char *const DEFINITIONS[] = {
    DEF("", NOOP("a", "") "," NOOP("b", NEEDS("a")) "," NOOP("c", NEEDS("b"))),
    DEF("", HTTP("a", "GET", EACH(2)) "," HTTP("b", "POST", NEEDS("a"))),
    DEF("", HTTP("u", "PUT", EACH(3)) "," NOOP("b", NEEDS("u"))),
    DEF("", HTTP("u", "POST", EACH(3)) "," NOOP("b", NEEDS("u"))),
    DEF("", HTTP("r", "GET", RETRY) "," HTTP("b", "PUT", NEEDS("r"))),
    DEF("", HTTP("f", "GET", EACH(2) RETRY) "," NOOP("b", NEEDS("f")) "," NOOP(
		"z", NEEDS("f") ",\"if\":\"failure()\"")),
    DEF("", HTTP("f", "GET", ",\"continue_on_error\":true") "," HTTP("b", "POST", NEEDS("f"))),
    DEF("", NOOP("f", "") "," HTTP("r", "GET", NEEDS("f") RETRY ",\"if\":\"always()\"") "," NOOP(
		"x", ",\"if\":\"false\"")),
    DEF("", "{\"id\":\"a\",\"uses\":\"sleep\",\"with\":{\"seconds\":5}}," NOOP("b", NEEDS("a"))),
    DEF("", "{\"id\":\"a\",\"uses\":\"approval\",\"with\":{\"message\":\"?\"}}," HTTP("b", "DELETE",
										      NEEDS("a"))),
    DEF("", HTTP("a", "DELETE", EACH(2)) "," NOOP("b", NEEDS("a"))),
    DEF("\"tool_steps\":2", HTTP("a", "GET", EACH(4)) "," HTTP("r", "PUT", NEEDS("a") RETRY)),
    DEF("\"sandbox\":{\"concurrent\":1}",
	JOB("j", "", "") "," JOB("k", ",\"repeatable\":true", EACH(2)) "," NOOP("b", NEEDS("j"))),
    DEF("\"wall_seconds\":10",
	HTTP("a", "POST", "") ",{\"id\":\"s\",\"uses\":\"sleep\",\"with\":{\"seconds\":30}}"),
    DEF("\"tokens\":1400", MODEL("m", "") "," MODEL("r", NEEDS("m") RETRY)),
    DEF("\"tokens\":1400", MODEL("m", EACH(2)) "," NOOP("f", "")),
    DEF("\"tokens\":500", CLIENT("c", "") "," HTTP("b", "PUT", NEEDS("c"))),
    DEF("\"tokens\":500", CLIENT("c", EACH(2)) "," HTTP("b", "GET", EACH(2))),
};
#define N_DEFINITIONS (sizeof DEFINITIONS / sizeof DEFINITIONS[0])

/* ---- what the rows say ---- */

static const struct st_row_run *run_row_of(const struct world *w, int64_t no)
{
	const struct st_row_run *last = NULL;
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		last = row->type == ST_ROW_RUN && row->run->no == no ? row->run : last;
	}
	return last;
}

static const struct st_row_halt *open_halt_of(const struct world *w, int64_t no)
{
	const struct st_row_halt *open = NULL;
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		if (row->type == ST_ROW_HALT && row->halt->run_no == no) {
			open = row->halt->insert ? row->halt : NULL;
		}
	}
	return open;
}

/* A call of the run that is in doubt, or none. */
static struct st_id doubt_of(const struct world *w, int64_t no)
{
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		if (row->type == ST_ROW_CALL && row->call->insert && row->call->run_no == no &&
		    world_call_state(w, row->call->no) == ST_HOLD_IN_DOUBT) {
			return row->call->id;
		}
	}
	return (struct st_id){{0}};
}

/* A call of a client in this run that has no end, or none. */
static struct st_id open_client_call(const struct world *w, int64_t no)
{
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		if (row->type == ST_ROW_CALL && row->call->insert && row->call->run_no == no &&
		    row->call->item == -1 && !world_has_end(w, row->call->no)) {
			return row->call->id;
		}
	}
	return (struct st_id){{0}};
}

/* The item of a client's step that waits for it: 0 of a step without items; -1: none. */
static int waiting_client_item(const struct world *w, int64_t no)
{
	struct st_rows rows = {0};
	int item = -1;
	world_gather(w, &rows, no);
	for (size_t i = 0; i < rows.n; i++) {
		const struct st_row_step *step = rows.of[i].step;
		if (rows.of[i].type == ST_ROW_STEP && step->state == ST_STEP_RUNNING &&
		    strcmp(step->uses, "client") == 0 && step->item_state == ST_ITEM_SLEEPING) {
			item = step->item;
		}
	}
	st_rows_fini(&rows);
	return item;
}

static size_t client_calls(const struct world *w, int64_t no)
{
	size_t n = 0;
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		n += row->type == ST_ROW_HOLD && row->hold->run_no == no && row->hold->item == -1;
	}
	return n;
}

/* ---- the laws ---- */

struct ledger_line {
	int64_t settled[ST_METER_COUNT];
	int64_t held[ST_METER_COUNT];
};

static void add_holds(const struct world *w, int64_t run_no, struct ledger_line *sums)
{
	static const struct st_row_hold *holds[HOLDS_MAX];
	static bool ended[HOLDS_MAX];
	memset(ended, 0, sizeof ended);
	memset(holds, 0, sizeof holds);
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		if (row->type == ST_ROW_HOLD) {
			assert_true(row->hold->no < HOLDS_MAX);
			assert_null(holds[row->hold->no]); /* no number twice */
			holds[row->hold->no] = row->hold;
		} else if (row->type == ST_ROW_SETTLEMENT) {
			const struct st_row_settlement *end = row->settlement;
			assert_non_null(holds[end->hold_no]);
			assert_false(ended[end->hold_no]); /* one end */
			ended[end->hold_no] = true;
			bool ours = run_no == 0 || holds[end->hold_no]->run_no == run_no;
			for (int m = 0; ours && m < ST_METER_COUNT; m++) {
				sums->settled[m] += end->used.of[m];
			}
		}
	}
	for (size_t no = 0; no < HOLDS_MAX; no++) {
		bool open =
		    holds[no] != NULL && !ended[no] && (run_no == 0 || holds[no]->run_no == run_no);
		for (int m = 0; open && m < ST_METER_COUNT; m++) {
			sums->held[m] += holds[no]->amounts.of[m];
		}
	}
}

/* Each account says what its holds and their ends add up to; run_no 0: the platform's. */
static void check_accounts(const struct world *w, int64_t run_no)
{
	struct ledger_line sums = {{0}, {0}};
	struct ledger_line said = {{0}, {0}};
	add_holds(w, run_no, &sums);
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row_account *row = w->stored.of[i].account;
		enum st_scope scope = run_no > 0 ? ST_SCOPE_RUN : ST_SCOPE_PLATFORM;
		if (w->stored.of[i].type != ST_ROW_ACCOUNT || row->scope != scope ||
		    row->run_no != run_no || row->meter == ST_METER_WALL_SECONDS) {
			continue;
		}
		said.settled[row->meter] = row->settled;
		said.held[row->meter] = row->held;
	}
	assert_memory_equal(&sums, &said, sizeof sums);
}

/* No call is held or sent by a run that does not run. */
static void check_calls_leave_running_runs(const struct world *w)
{
	bool runs[RUNS_MAX + 1] = {false};
	int64_t seq[RUNS_MAX + 1] = {0};
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row_event *event = w->stored.of[i].event;
		if (w->stored.of[i].type != ST_ROW_EVENT) {
			continue;
		}
		assert_int_equal(event->seq, ++seq[event->run_no]);
		bool *on = &runs[event->run_no];
		if (strcmp(event->type, "call.held") == 0 ||
		    strcmp(event->type, "call.sent") == 0) {
			assert_true(*on);
		} else if (strcmp(event->type, "run.started") == 0 ||
			   strcmp(event->type, "run.resumed") == 0) {
			*on = true;
		} else if (strncmp(event->type, "run.", 4) == 0) {
			*on = false;
		}
	}
}

static void check_slots(const struct world *w)
{
	int64_t calls = 0;
	int64_t jobs = 0;
	for (size_t i = 0; i < w->n_flights; i++) {
		bool job = w->flights[i].step[0] == 'j' || w->flights[i].step[0] == 'k';
		calls += !job && w->flights[i].held.of[ST_METER_HTTP_REQUESTS] > 0;
		jobs += job;
	}
	assert_true(calls <= w->config->calls_max);
	assert_true(jobs <= w->config->jobs_max);
	assert_int_equal(w->n_flights, st_core_calls_in_flight(w->core));
}

static void check_laws(const struct world *w, int64_t n_runs)
{
	check_calls_leave_running_runs(w);
	check_slots(w);
	for (int64_t no = 0; no <= n_runs; no++) {
		check_accounts(w, no);
	}
}

/* ---- crash everywhere ---- */

static int attempt_of(const struct flight *f)
{
	return (int)strtol(strrchr(f->key, '-') + 1, NULL, 10);
}

static void end_as_planned(struct world *w)
{
	struct flight f = world_land(w, w->flights[0].step);
	bool first = attempt_of(&f) == 1;
	enum st_outcome_state state = f.step[0] == 'f'		  ? ST_OUTCOME_FAILED
				      : f.step[0] == 'r' && first ? ST_OUTCOME_FAILED
				      : f.step[0] == 'u' && first && w->now % 3 != 0
					  ? ST_OUTCOME_UNKNOWN
					  : ST_OUTCOME_SUCCEEDED;
	world_tell_end(w, &f, state, NULL);
}

static bool answer_halt(struct world *w, int64_t no)
{
	const struct st_row_halt *halt = open_halt_of(w, no);
	if (halt == NULL || run_row_of(w, no)->state != ST_RUN_HALTED) {
		return false;
	}
	struct st_decide decide = {.decision = ST_DECISION_GRANT, .halt = halt->id};
	if (halt->kind == ST_HALT_PAUSED) {
		world_control(w, ST_EVENT_RESUME);
		return true;
	}
	if (halt->kind == ST_HALT_IN_DOUBT) {
		decide = (struct st_decide){
		    .decision = ST_DECISION_RESOLVE, .call = halt->call, .happened = true};
	}
	world_decide(w, "bob", decide);
	assert_int_equal(w->reply, ST_OK);
	return true;
}

/* Its client makes three calls, of which the last does not fit, and then ends what waits for it. */
static bool client_goes_on(struct world *w, int64_t no)
{
	const struct st_id open = open_client_call(w, no);
	int item = waiting_client_item(w, no);
	if (!st_id_is_none(open)) {
		world_settle(w, open, 200);
	} else if (item >= 0 && client_calls(w, no) < 3) {
		world_hold(w, "c", 250);
	} else if (item >= 0) {
		world_end_step(w, "c", item, true);
	}
	return item >= 0 || !st_id_is_none(open);
}

/* One thing that has to happen next; false: all is over. */
static bool drive(struct world *w)
{
	w->now += 1;
	if (w->n_flights > 0) {
		end_as_planned(w);
		return true;
	}
	if (answer_halt(w, 1) || client_goes_on(w, 1)) {
		return true;
	}
	if (st_core_deadline(w->core) == ST_TIME_NONE) {
		return false;
	}
	world_wait(w);
	return true;
}

/* Drives run 1 to its end, with a crash behind event number `crash_at`; says how it ended. */
static int run_to_end(struct world *w, int crash_at, bool lose, struct st_buf *end)
{
	int n = 1;
	for (; n < EVENTS_MAX; n++) {
		if (n == crash_at) {
			if (lose && n > 1) {
				world_lose_rows(w, w->before);
			}
			world_crash(w, 1);
		}
		if (!drive(w)) {
			break;
		}
		check_laws(w, 1);
	}
	assert_true(n < EVENTS_MAX);
	assert_int_equal(st_core_runs(w->core), 0);
	st_buf_addf(end, "run %s",
		    st_machine_state_name(&st_run_machine, (int)run_row_of(w, 1)->state));
	struct st_rows rows = {0};
	world_gather(w, &rows, 1);
	for (size_t i = 0; i < rows.n; i++) {
		const struct st_row_step *step = rows.of[i].step;
		if (rows.of[i].type == ST_ROW_STEP && step->item == 0) {
			st_buf_addf(end, ", %s %s", step->id,
				    st_machine_state_name(&st_step_machine, (int)step->state));
		}
	}
	st_rows_fini(&rows);
	struct ledger_line sums = {{0}, {0}};
	const struct ledger_line none = {{0}, {0}};
	add_holds(w, 1, &sums);
	assert_memory_equal(sums.held, none.held, sizeof none.held);
	return n;
}

static int one_ending(const char *definition, int crash_at, bool lose, struct st_buf *end)
{
	struct world w;
	world_init_config(&w, CONFIG);
	world_submit(&w, definition);
	int n = run_to_end(&w, crash_at, lose, end);
	world_fini(&w);
	return n;
}

static void a_crash_anywhere_changes_no_ending(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_DEFINITIONS; i++) {
		struct st_buf calm = {0};
		int n = one_ending(DEFINITIONS[i], 0, false, &calm);
		for (int at = 1; at <= 2 * n; at++) {
			struct st_buf crashed = {0};
			(void)one_ending(DEFINITIONS[i], (at + 1) / 2, at % 2 == 0, &crashed);
			if (strcmp(calm.data, crashed.data) != 0) {
				fail_msg("definition %zu, crash at %d: %s; without: %s", i, at,
					 crashed.data, calm.data);
			}
			st_buf_fini(&crashed);
		}
		st_buf_fini(&calm);
	}
}

/* ---- storms ---- */

struct storm {
	struct world w;
	uint64_t seed;
	struct st_id runs[RUNS_MAX];
	int64_t n_runs;
	struct flight landed; /* a call that has ended */
};

static uint64_t roll(struct storm *s, uint64_t n)
{
	s->seed = s->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (s->seed >> 33) % n;
}

static void end_somehow(struct storm *s)
{
	struct world *w = &s->w;
	static const enum st_outcome_state outcomes[] = {
	    ST_OUTCOME_SUCCEEDED, ST_OUTCOME_SUCCEEDED, ST_OUTCOME_SUCCEEDED, ST_OUTCOME_FAILED,
	    ST_OUTCOME_NOT_MADE,  ST_OUTCOME_UNKNOWN,	ST_OUTCOME_UNKNOWN};
	if (w->n_flights == 0) {
		return;
	}
	s->landed = world_land(w, w->flights[roll(s, w->n_flights)].step);
	struct st_amounts used = s->landed.held;
	if (roll(s, 8) == 0) {
		used.of[ST_METER_TOOL_STEPS] = (int64_t)roll(s, 4);
	}
	w->refuse_retry = roll(s, 4) == 0;
	world_tell_end(w, &s->landed, outcomes[roll(s, 7)], &used);
	w->refuse_retry = false;
}

static void decide_somehow(struct storm *s, int64_t no)
{
	const struct st_row_halt *halt = open_halt_of(&s->w, no);
	struct st_decide decide = {.decision =
				       roll(s, 6) == 0 ? ST_DECISION_DENY : ST_DECISION_GRANT};
	struct st_id doubt = doubt_of(&s->w, no);
	if (!st_id_is_none(doubt) && roll(s, 2) == 0) {
		decide.decision = ST_DECISION_RESOLVE;
		decide.call = doubt;
		decide.happened = roll(s, 2) == 0;
	} else if (halt != NULL && roll(s, 2) == 0) {
		decide.halt = halt->id;
	} else if (roll(s, 4) == 0) {
		decide.halt.bytes[3] = 1;
	}
	world_decide(&s->w, roll(s, 8) == 0 ? "ann" : "bob", decide);
}

static void change_limits(struct storm *s)
{
	struct st_event event = {.type = ST_EVENT_LIMITS, .run = s->w.run};
	event.actor = world_actor("root", ST_ROLE_ADMIN);
	for (int m = 0; m < ST_METER_COUNT; m++) {
		event.limits.run.of[m] = roll(s, 3) == 0 ? (int64_t)roll(s, 8) : ST_UNLIMITED;
	}
	world_step(&s->w, &event);
}

static void crash_somehow(struct storm *s)
{
	if (roll(s, 2) == 0) {
		world_lose_rows(&s->w, s->w.before);
	}
	world_crash(&s->w, s->n_runs);
}

static bool in_flight(const struct storm *s, int64_t call_no)
{
	bool found = false;
	for (size_t i = 0; i < s->w.n_flights; i++) {
		found = found || s->w.flights[i].call_no == call_no;
	}
	return found;
}

/* Ends and counts of calls that are not, or no longer, in flight. */
static void tell_nonsense(struct storm *s)
{
	struct flight f = {.run = s->w.run, .call_no = (int64_t)roll(s, 20)};
	if (!in_flight(s, f.call_no)) {
		world_tell_count(&s->w, &f, roll(s, 2) == 0 ? INT64_MAX : INT64_MIN);
	}
	if (s->landed.call_no > 0 && !in_flight(s, s->landed.call_no)) {
		s->landed.count = false;
		world_tell_end(&s->w, &s->landed, ST_OUTCOME_SUCCEEDED, NULL);
	}
}

static void client_acts(struct storm *s, int64_t no)
{
	struct world *w = &s->w;
	const struct st_id open = open_client_call(w, no);
	uint64_t what = roll(s, 10);
	if (what < 4) {
		world_hold(w, roll(s, 2) == 0 ? "c" : NULL, (int64_t)roll(s, 300) + 1);
	} else if (what < 6 && !st_id_is_none(open)) {
		world_settle(w, open, (int64_t)roll(s, 400));
	} else if (what == 6 && !st_id_is_none(open)) {
		world_end_call(w, (struct st_client_end){.call = open, .voided = roll(s, 2) == 0});
	} else if (what == 7) {
		world_extend(w, open);
	} else if (what == 8) {
		world_settle(w, w->call, 1); /* perhaps another run's, perhaps ended */
	} else {
		world_end_step(w, "c", (int)roll(s, 3), roll(s, 4) > 0);
	}
}

static void something_happens(struct storm *s)
{
	uint64_t what = roll(s, 100);
	int64_t no = (int64_t)roll(s, (uint64_t)s->n_runs) + 1;
	s->w.run = s->runs[no - 1];
	s->w.now += (st_time)roll(s, 400) - 20;
	if (what < 12) {
		client_acts(s, no);
	} else if (what < 50) {
		end_somehow(s);
	} else if (what < 65) {
		if (st_core_deadline(s->w.core) != ST_TIME_NONE) {
			world_wait(&s->w);
		}
	} else if (what < 80) {
		decide_somehow(s, no);
	} else if (what < 84) {
		world_control(&s->w, ST_EVENT_PAUSE);
	} else if (what < 91) {
		world_control(&s->w, ST_EVENT_RESUME);
	} else if (what < 92) {
		world_control(&s->w, ST_EVENT_CANCEL);
	} else if (what < 95) {
		crash_somehow(s);
	} else if (what < 97) {
		change_limits(s);
	} else {
		tell_nonsense(s);
	}
}

/* After a storm everything comes to rest: halts are answered until none is left. */
static void calm_down(struct storm *s)
{
	struct world *w = &s->w;
	for (int n = 0; n < EVENTS_MAX; n++) {
		bool busy = w->n_flights > 0;
		while (w->n_flights > 0) {
			struct flight f = world_land(w, w->flights[0].step);
			world_tell_end(w, &f, ST_OUTCOME_SUCCEEDED, NULL);
		}
		for (int64_t no = 1; no <= s->n_runs; no++) {
			w->run = s->runs[no - 1];
			const struct st_id doubt = doubt_of(w, no);
			if (!st_id_is_none(doubt)) {
				world_decide(w, "bob",
					     (struct st_decide){.decision = ST_DECISION_RESOLVE,
								.call = doubt});
				busy = true;
			} else {
				busy = answer_halt(w, no) || busy;
			}
			busy = client_goes_on(w, no) || busy;
		}
		if (w->n_flights == 0 && st_core_deadline(w->core) != ST_TIME_NONE) {
			world_wait(w);
			busy = true;
		}
		busy = busy || w->n_flights > 0;
		check_laws(w, s->n_runs);
		if (!busy) {
			return;
		}
	}
	const char *end = w->trace.data + (w->trace.len > 600 ? w->trace.len - 600 : 0);
	fail_msg("the storm never comes to rest: …%s", end);
}

static void storm_start(struct storm *s, uint64_t seed)
{
	*s = (struct storm){.seed = seed};
	world_init_config(&s->w, CONFIG);
	for (int i = 0; i < 5; i++) {
		world_submit(&s->w, DEFINITIONS[roll(s, N_DEFINITIONS)]);
		s->runs[s->n_runs++] = s->w.run;
	}
	s->w.before = s->w.stored.n; /* a storm loses no submission that was answered */
}

static void storm_run(struct storm *s)
{
	for (int n = 0; n < 150; n++) {
		something_happens(s);
		check_laws(&s->w, s->n_runs);
	}
	calm_down(s);
	assert_int_equal(st_core_runs(s->w.core), 0);
	assert_int_equal(world_count(&s->w, ST_ROW_HOLD), world_count(&s->w, ST_ROW_SETTLEMENT));
	for (int64_t no = 1; no <= s->n_runs; no++) {
		assert_true(st_machine_final(&st_run_machine, (int)run_row_of(&s->w, no)->state));
	}
}

static void laws_hold_in_any_storm(void **state)
{
	(void)state;
	const char *seeds = getenv("ST_STORMS");
	uint64_t n = seeds != NULL ? strtoull(seeds, NULL, 10) : 40;
	for (uint64_t seed = 1; seed <= n; seed++) {
		static struct storm s;
		storm_start(&s, seed);
		storm_run(&s);
		world_fini(&s.w);
	}
}

/* ---- the same events, the same rows ---- */

static bool same_text(const struct st_clean *a, const struct st_clean *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(st_clean_text(a), st_clean_text(b)) == 0;
}

static void same_step(const struct st_row_step *a, const struct st_row_step *b)
{
	struct st_row_step plain = *a;
	assert_true((a->output == NULL) == (b->output == NULL));
	assert_true(a->output == NULL || strcmp(a->output, b->output) == 0);
	assert_true(same_text(a->shown, b->shown) && same_text(a->citations, b->citations));
	assert_true(same_text(a->error, b->error));
	plain.output = b->output;
	plain.shown = b->shown;
	plain.citations = b->citations;
	plain.error = b->error;
	assert_memory_equal(&plain, b, sizeof plain);
}

static void same_call(const struct st_row_call *a, const struct st_row_call *b)
{
	struct st_row_call plain = *a;
	assert_true(same_text(a->params, b->params) && same_text(a->intent, b->intent));
	assert_true(same_text(a->result, b->result));
	plain.params = b->params;
	plain.intent = b->intent;
	plain.result = b->result;
	assert_memory_equal(&plain, b, sizeof plain);
}

static void same_row(const struct st_row *a, const struct st_row *b)
{
	assert_int_equal(a->type, b->type);
	if (a->type == ST_ROW_STEP) {
		same_step(a->step, b->step);
	} else if (a->type == ST_ROW_CALL) {
		same_call(a->call, b->call);
	} else if (a->type == ST_ROW_EVENT) {
		assert_memory_equal(a->event->hash, b->event->hash, ST_HASH_BYTES);
		assert_true(same_text(a->event->data, b->event->data));
	} else if (a->type == ST_ROW_ACCOUNT) {
		assert_memory_equal(a->account, b->account, sizeof *a->account);
	} else if (a->type == ST_ROW_HOLD) {
		assert_memory_equal(a->hold, b->hold, sizeof *a->hold);
	} else if (a->type == ST_ROW_SETTLEMENT) {
		assert_memory_equal(a->settlement, b->settlement, sizeof *a->settlement);
	} else if (a->type == ST_ROW_RUN && !a->run->insert) {
		assert_true(same_text(a->run->error, b->run->error));
		struct st_row_run plain = *a->run;
		plain.error = b->run->error;
		assert_memory_equal(&plain, b->run, sizeof plain);
	}
}

static void the_same_storm_gives_the_same_rows(void **state)
{
	(void)state;
	static struct storm a;
	static struct storm b;
	for (uint64_t seed = 1000; seed < 1004; seed++) {
		storm_start(&a, seed);
		storm_run(&a);
		storm_start(&b, seed);
		storm_run(&b);
		assert_int_equal(a.w.stored.n, b.w.stored.n);
		for (size_t i = 0; i < a.w.stored.n; i++) {
			same_row(&a.w.stored.of[i], &b.w.stored.of[i]);
		}
		world_fini(&a.w);
		world_fini(&b.w);
	}
}

/* ---- an audit of what was stored finds nothing wrong, whenever it looks ---- */

static void assert_proven(struct storm *s, uint64_t seed)
{
	struct store_rig *rig = rig_new();
	struct st_store_audit audit = {0};
	assert_int_equal(rig_write(rig, &s->w.stored), ST_OK);
	if (st_store_audit(rig->path, &audit, &rig->diag) != ST_OK) {
		fail_msg("seed %" PRIu64 ": %s", seed, rig->diag.text);
	}
	const struct st_finding *first = &audit.result.first;
	if (audit.result.n_wrong > 0) {
		fail_msg("seed %" PRIu64 ": %s: %s %s, %s: says %s, should be %s", seed,
			 st_law_name(first->law), first->table, first->key, first->column,
			 first->says, first->should);
	}
	assert_true(audit.has_key);
	assert_true(audit.result.checked[ST_LAW_CHAIN] > 0);
	rig_free(rig);
}

static void what_was_stored_is_proven_in_any_storm(void **state)
{
	(void)state;
	const char *seeds = getenv("ST_STORMS");
	uint64_t n = seeds != NULL ? strtoull(seeds, NULL, 10) : 40;
	for (uint64_t seed = 1; seed <= n; seed++) {
		static struct storm s;
		storm_start(&s, seed);
		for (uint64_t i = 0; i < seed * 7 % 150; i++) {
			something_happens(&s);
		}
		if (seed % 2 == 0) {
			calm_down(&s);
		}
		assert_proven(&s, seed);
		world_fini(&s.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_stored_is_proven_in_any_storm),
	    cmocka_unit_test(a_crash_anywhere_changes_no_ending),
	    cmocka_unit_test(laws_hold_in_any_storm),
	    cmocka_unit_test(the_same_storm_gives_the_same_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
