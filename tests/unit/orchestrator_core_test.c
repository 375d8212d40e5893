/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#define ONE_STEP "{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"steps\":["

static void two_steps_run_one_after_the_other(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE_STEP "{\"id\":\"a\",\"uses\":\"noop\"},"
				  "{\"id\":\"b\",\"uses\":\"noop\",\"needs\":[\"a\"]}]}");
	world_expect(&w, "run.submitted\nrun.started\nstep.started a\ncall.held a\n");
	assert_int_equal(w.n_flights, 1);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	world_expect(&w, "call.settled a\nstep.succeeded a\nstep.started b\ncall.held b\n");
	world_end(&w, "b", ST_OUTCOME_SUCCEEDED, NULL);
	world_expect(&w, "call.settled b\nstep.succeeded b\nrun.succeeded\n");
	assert_int_equal(st_core_runs(w.core), 0); /* a finished run leaves memory */
	assert_int_equal(world_count(&w, ST_ROW_HOLD), 2);
	assert_int_equal(world_count(&w, ST_ROW_SETTLEMENT), 2);
	world_fini(&w);
}

#define TIGHT                                                                                      \
	"{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"budget\":{\"tool_steps\":1},"         \
	"\"steps\":[{\"id\":\"a\",\"uses\":\"noop\"},"                                             \
	"{\"id\":\"b\",\"uses\":\"noop\",\"needs\":[\"a\"]}]}"

static void a_breach_halts_before_the_call_and_a_grant_goes_on_there(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, TIGHT);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	world_expect(&w, "run.submitted\nrun.started\nstep.started a\ncall.held a\n"
			 "call.settled a\nstep.succeeded a\nstep.started b\n"
			 "verdict.refused b\nrun.halted b\n");
	assert_int_equal(w.n_flights, 0);
	assert_int_equal(w.n_left, 1);
	assert_int_equal(st_core_runs(w.core), 0); /* halted runs leave memory */
	world_decide(&w, "bob", (struct st_decide){.decision = ST_DECISION_GRANT});
	assert_int_equal(w.reply, ST_OK);
	world_expect(&w, "decision.granted b\nrun.resumed\ncall.held b\n");
	world_end(&w, "b", ST_OUTCOME_SUCCEEDED, NULL);
	world_expect(&w, "call.settled b\nstep.succeeded b\nrun.succeeded\n");
	world_fini(&w);
}

#define GRANT ((struct st_decide){.decision = ST_DECISION_GRANT})
#define DENY ((struct st_decide){.decision = ST_DECISION_DENY})

static void who_submits_does_not_approve(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, TIGHT);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	st_buf_clear(&w.trace);
	world_decide(&w, "ann", GRANT);
	assert_int_equal(w.reply, ST_ERR_FORBIDDEN);
	world_expect(&w, "");
	assert_int_equal(w.n_flights, 0);
	world_fini(&w);
}

static void a_decision_counts_once(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, TIGHT);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	struct st_decide decide = GRANT;
	decide.halt = w.halt;
	world_decide(&w, "bob", decide);
	assert_int_equal(w.reply, ST_OK);
	world_decide(&w, "bob", decide);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	assert_int_equal(world_count(&w, ST_ROW_GRANT), 1);
	assert_int_equal(w.n_flights, 1);
	world_fini(&w);
}

static void a_denial_fails_the_run(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, TIGHT);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	st_buf_clear(&w.trace);
	world_decide(&w, "bob", DENY);
	world_expect(&w, "decision.denied b\nrun.resumed\nstep.failed b\nrun.failed\n");
	assert_int_equal(w.n_left, 1);
	world_fini(&w);
}

static void a_cancelled_run_starts_nothing_and_settles_what_flew(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE_STEP "{\"id\":\"a\",\"uses\":\"noop\"},"
				  "{\"id\":\"b\",\"uses\":\"noop\",\"needs\":[\"a\"]}]}");
	world_control(&w, ST_EVENT_CANCEL);
	assert_int_equal(w.n_aborted, 1);
	assert_int_equal(w.state, ST_RUN_CANCELLED);
	st_buf_clear(&w.trace);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	world_expect(&w, "call.settled a\nstep.succeeded a\n");
	assert_int_equal(st_core_runs(w.core), 0);
	world_fini(&w);
}

static void a_paused_run_lets_calls_end_and_starts_none(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE_STEP "{\"id\":\"a\",\"uses\":\"noop\"},"
				  "{\"id\":\"b\",\"uses\":\"noop\",\"needs\":[\"a\"]}]}");
	st_buf_clear(&w.trace);
	world_control(&w, ST_EVENT_PAUSE);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	world_expect(&w, "run.paused\ncall.settled a\nstep.succeeded a\n");
	world_decide(&w, "bob", GRANT);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	world_control(&w, ST_EVENT_RESUME);
	world_expect(&w, "run.resumed\nstep.started b\ncall.held b\n");
	world_fini(&w);
}

static void a_failed_call_is_tried_again_with_a_new_hold_and_key(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE_STEP "{\"id\":\"a\",\"uses\":\"noop\",\"retry\":{\"attempts\":2}}]}");
	char first[ST_GRANT_KEY_MAX];
	memcpy(first, w.flights[0].key, sizeof first);
	world_end(&w, "a", ST_OUTCOME_FAILED, NULL);
	st_buf_clear(&w.trace);
	world_wait(&w);
	world_expect(&w, "call.held a\n");
	assert_string_not_equal(w.flights[0].key, first);
	assert_memory_equal(w.flights[0].key, first, strlen(first) - 1);
	world_end(&w, "a", ST_OUTCOME_FAILED, NULL);
	world_expect(&w, "call.settled a\nstep.failed a\nrun.failed\n");
	world_fini(&w);
}

static void a_crash_repeats_no_step_that_had_ended(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE_STEP "{\"id\":\"a\",\"uses\":\"noop\"},"
				  "{\"id\":\"b\",\"uses\":\"noop\",\"needs\":[\"a\"]}]}");
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	char key[ST_GRANT_KEY_MAX];
	memcpy(key, w.flights[0].key, sizeof key);
	st_buf_clear(&w.trace);
	world_crash(&w, 1);
	assert_int_equal(w.n_flights, 1);
	assert_string_equal(w.flights[0].key, key); /* the same attempt goes on */
	world_end(&w, "b", ST_OUTCOME_SUCCEEDED, NULL);
	assert_int_equal(w.state, ST_RUN_SUCCEEDED);
	assert_int_equal(world_count(&w, ST_ROW_HOLD), world_count(&w, ST_ROW_SETTLEMENT));
	world_fini(&w);
}

#define POST                                                                                       \
	ONE_STEP "{\"id\":\"a\",\"uses\":\"http.request\",\"with\":{\"method\":\"POST\","          \
		 "\"url\":\"https://example.com/x\"}}]}"

static void an_unrepeatable_call_lost_in_a_crash_is_in_doubt_until_resolved(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, POST);
	world_expect(&w, "run.submitted\nrun.started\nstep.started a\ncall.held a\ncall.sent a\n");
	world_crash(&w, 1);
	world_expect(&w, "call.in_doubt a\nrun.halted a\n");
	assert_int_equal(w.n_flights, 0);
	assert_int_equal(world_count(&w, ST_ROW_SETTLEMENT), 0); /* the hold stays */
	struct st_decide decide = {.decision = ST_DECISION_RESOLVE, .happened = true};
	for (size_t i = 0; i < w.stored.n; i++) {
		if (w.stored.of[i].type == ST_ROW_CALL && w.stored.of[i].call->insert) {
			decide.call = w.stored.of[i].call->id;
		}
	}
	world_decide(&w, "bob", decide);
	assert_int_equal(w.reply, ST_OK);
	world_expect(&w, "decision.resolved a\nrun.resumed\ncall.settled a\nstep.succeeded a\n"
			 "run.succeeded\n");
	assert_int_equal(world_count(&w, ST_ROW_SETTLEMENT), 1);
	world_fini(&w);
}

static void a_dangerous_call_waits_for_an_approval_of_its_parameters(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE_STEP "{\"id\":\"a\",\"uses\":\"http.request\",\"with\":{\"method\":"
				  "\"DELETE\",\"url\":\"https://example.com/x\"}}]}");
	world_expect(&w, "run.submitted\nrun.started\nstep.started a\nrun.halted a\n");
	assert_int_equal(w.n_left, 0);
	world_decide(&w, "bob", GRANT);
	world_expect(&w, "decision.granted a\nrun.resumed\ncall.held a\ncall.sent a\n");
	assert_int_equal(w.n_left, 1);
	world_fini(&w);
}

static void an_approval_survives_a_crash(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE_STEP
		     "{\"id\":\"a\",\"uses\":\"approval\",\"with\":{\"message\":"
		     "\"ship it?\"}},{\"id\":\"b\",\"uses\":\"noop\",\"needs\":[\"a\"]}]}");
	world_expect(&w, "run.submitted\nrun.started\nstep.started a\nrun.halted a\n");
	world_crash(&w, 1);
	world_decide(&w, "bob", GRANT);
	world_expect(&w, "decision.granted a\nrun.resumed\nstep.succeeded a\nstep.started b\n"
			 "call.held b\n");
	world_fini(&w);
}

static void for_each_makes_items_and_bounds_how_many_run_at_once(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, "{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"params\":{\"xs\":"
			 "[1,2,3]},\"steps\":[{\"id\":\"a\",\"uses\":\"noop\",\"for_each\":"
			 "\"${{ params.xs }}\",\"for_each_concurrent\":2,\"with\":{\"output\":"
			 "\"${{ item }}\"}}]}");
	world_expect(&w, "run.submitted\nrun.started\nstep.started a\ncall.held a[1]\n"
			 "call.held a[2]\n");
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	world_expect(&w, "call.settled a[1]\ncall.held a[3]\n");
	world_crash(&w, 1);
	st_buf_clear(&w.trace);
	assert_int_equal(w.n_flights, 2);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	world_expect(&w, "call.settled a[2]\ncall.settled a[3]\nstep.succeeded a\nrun.succeeded\n");
	world_fini(&w);
}

static void an_overrun_is_a_row_of_its_own_and_lets_nothing_through(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE_STEP "{\"id\":\"a\",\"uses\":\"noop\"},"
				  "{\"id\":\"b\",\"uses\":\"noop\",\"needs\":[\"a\"]}]}");
	struct st_amounts used = {{0}};
	used.of[ST_METER_TOOL_STEPS] = 1000;
	st_buf_clear(&w.trace);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, &used);
	world_expect(&w, "call.settled a\ncall.overrun a\nstep.succeeded a\nstep.started b\n"
			 "verdict.refused b\nrun.halted b\n");
	world_fini(&w);
}

static void a_result_told_twice_counts_once(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE_STEP "{\"id\":\"a\",\"uses\":\"noop\"},"
				  "{\"id\":\"b\",\"uses\":\"noop\",\"needs\":[\"a\"]}]}");
	w.flights[1] = w.flights[0];
	w.n_flights = 2;
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	st_buf_clear(&w.trace);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	world_expect(&w, "");
	assert_int_equal(world_count(&w, ST_ROW_SETTLEMENT), 1);
	world_fini(&w);
}

static void the_wall_clock_halts_and_parked_time_does_not_burn_it(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, "{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"budget\":"
			 "{\"wall_seconds\":60},\"steps\":[{\"id\":\"a\",\"uses\":\"noop\"},"
			 "{\"id\":\"b\",\"uses\":\"noop\",\"needs\":[\"a\"]}]}");
	st_buf_clear(&w.trace);
	world_wait(&w);
	world_expect(&w, "verdict.refused\nrun.halted\n");
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	w.now += 3600 * 1000;
	st_buf_clear(&w.trace);
	world_decide(&w, "bob", GRANT);
	world_expect(&w, "decision.granted\nrun.resumed\nstep.started b\ncall.held b\n");
	world_fini(&w);
}

static void a_step_that_says_nothing_has_the_limit_for_every_step(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w,
		     "{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"params\":{\"xs\":[1,2]},"
		     "\"budget\":{\"tool_steps\":{\"run\":10,\"step\":1}},\"steps\":["
		     "{\"id\":\"a\",\"uses\":\"noop\"},{\"id\":\"b\",\"uses\":\"noop\",\"needs\":"
		     "[\"a\"],\"for_each\":\"${{ params.xs }}\"}]}");
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	assert_non_null(strstr(w.trace.data, "verdict.refused b[2]\nrun.halted b[2]\n"));
	world_end(&w, "b", ST_OUTCOME_SUCCEEDED, NULL);
	world_decide(&w, "bob", GRANT);
	world_end(&w, "b", ST_OUTCOME_SUCCEEDED, NULL);
	assert_int_equal(w.state, ST_RUN_SUCCEEDED);
	world_fini(&w);
}

static void the_same_events_give_the_same_chain(void **state)
{
	(void)state;
	uint8_t hashes[2][ST_HASH_BYTES];
	for (int k = 0; k < 2; k++) {
		struct world w;
		world_init(&w);
		world_submit(&w, TIGHT);
		world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
		world_decide(&w, "bob", GRANT);
		for (size_t i = 0; i < w.stored.n; i++) {
			if (w.stored.of[i].type == ST_ROW_EVENT) {
				memcpy(hashes[k], w.stored.of[i].event->hash, ST_HASH_BYTES);
			}
		}
		world_fini(&w);
	}
	assert_memory_equal(hashes[0], hashes[1], ST_HASH_BYTES);
}

static void exactly_k_of_64_calls_leave_when_there_is_room_for_k(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	struct st_buf def = {0};
	st_buf_add_text(&def, "{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"budget\":"
			      "{\"tool_steps\":23},\"steps\":[");
	for (int i = 0; i < 64; i++) {
		st_buf_addf(&def, "%s{\"id\":\"s%d\",\"uses\":\"noop\"}", i > 0 ? "," : "", i);
	}
	st_buf_add_text(&def, "]}");
	world_submit(&w, def.data);
	assert_int_equal(w.n_left, 23);
	st_buf_fini(&def);
	world_fini(&w);
}

/* Ends a call with what its provider or its job gave. */
static void end_with(struct world *w, const char *step, struct st_outcome *outcome,
		     const struct st_artifact *artifacts, size_t n)
{
	struct flight f = world_land(w, step);
	struct st_event event = {.type = ST_EVENT_CALL_ENDED, .run = f.run};
	outcome->retry_after_ms = -1;
	outcome->usage_known = true;
	outcome->usage = f.held;
	outcome->model = (struct st_model_usage){-1, -1, -1, -1, -1};
	event.ended.call_no = f.call_no;
	event.ended.outcome = outcome;
	event.ended.artifacts = artifacts;
	event.ended.n_artifacts = n;
	event.ended.wall_ms = 5;
	event.ended.first_byte_ms = -1;
	event.ended.status = -1;
	world_step(w, &event);
	st_outcome_fini(outcome);
}

/* The last row that says what the step's citations are. */
static const char *citations_of(const struct world *w, const char *step)
{
	const char *found = NULL;
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		if (row->type == ST_ROW_STEP && strcmp(row->step->id, step) == 0 &&
		    row->step->citations != NULL) {
			found = st_clean_text(row->step->citations);
		}
	}
	return found;
}

static void citations_of_a_search_reach_the_step_redacted(void **state)
{
	(void)state;
	struct world w;
	world_init_config(&w, "{\"providers\":{\"exa\":{\"api\":\"exa\",\"base_url\":"
			      "\"https://api.exa.ai\"}},\"prices\":{\"exa\":{\"request_usd\":"
			      "\"0.005\"}}}");
	world_submit(&w, ONE_STEP "{\"id\":\"a\",\"uses\":\"web.search\",\"with\":{\"provider\":"
				  "\"exa\",\"query\":\"q\",\"results\":2}}]}");
	struct st_outcome outcome = {.state = ST_OUTCOME_SUCCEEDED};
	outcome.citations =
	    json_pack("[{s:s,s:s},{s:s,s:s}]", "url", "https://example.com/a", "title", "A", "url",
		      "https://user:hunter2pass@example.com/b", "title", "B");
	assert_null(citations_of(&w, "a"));
	end_with(&w, "a", &outcome, NULL, 0);
	const char *found = citations_of(&w, "a");
	assert_non_null(found);
	assert_non_null(strstr(found, "{\"url\":\"https://example.com/a\",\"title\":\"A\"}"));
	assert_non_null(strstr(found, "\"title\":\"B\""));
	assert_null(strstr(found, "hunter2pass"));
	world_fini(&w);
}

#define JOB                                                                                        \
	ONE_STEP "{\"id\":\"a\",\"uses\":\"sandbox.job\",\"with\":{\"run\":[\"make\"],"            \
		 "\"artifacts\":[\"out/*\"]}}]}"

static void files_of_a_job_are_rows_and_stand_in_its_result(void **state)
{
	(void)state;
	static const enum st_outcome_state states[] = {ST_OUTCOME_SUCCEEDED, ST_OUTCOME_FAILED};
	for (size_t k = 0; k < 2; k++) {
		struct world w;
		world_init(&w);
		world_submit(&w, JOB);
		char first[] = "out/a";
		char second[] = "out/b";
		char content[] = "a\0b";
		struct st_artifact left[] = {
		    {.path = first, .bytes = content, .len = 3, .hash = {0xab, 0xcd}},
		    {.path = second, .bytes = content, .len = 0, .hash = {0xef}},
		};
		struct st_outcome outcome = {.state = states[k]};
		end_with(&w, "a", &outcome, left, 2);
		const struct st_row_artifact *rows[2] = {NULL, NULL};
		size_t n = 0;
		const char *result = NULL;
		for (size_t i = 0; i < w.stored.n; i++) {
			const struct st_row *row = &w.stored.of[i];
			if (row->type == ST_ROW_ARTIFACT) {
				assert_true(n < 2);
				rows[n++] = row->artifact;
			} else if (row->type == ST_ROW_CALL && row->call->result != NULL) {
				result = st_clean_text(row->call->result);
			}
		}
		assert_int_equal(n, 2);
		assert_string_equal(st_clean_text(rows[0]->path), "out/a");
		assert_int_equal(rows[0]->len, 3);
		assert_memory_equal(rows[0]->bytes, "a\0b", 3);
		assert_int_equal(rows[0]->hash[1], 0xcd);
		assert_int_equal(rows[0]->attempt, 1);
		assert_int_equal(rows[0]->run_no, 1);
		assert_int_equal(rows[1]->len, 0);
		assert_int_equal(rows[1]->no, rows[0]->no + 1);
		assert_non_null(result);
		assert_non_null(strstr(result, "\"artifacts\":[{\"path\":\"out/a\",\"bytes\":3,"
					       "\"hash\":\"abcd0000"));
		world_fini(&w);
	}
}

static void a_job_told_twice_leaves_its_files_once(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, JOB);
	char path[] = "out/a";
	struct st_artifact left[] = {{.path = path, .bytes = path, .len = 1}};
	struct st_outcome outcome = {.state = ST_OUTCOME_SUCCEEDED};
	struct flight again = w.flights[0];
	end_with(&w, "a", &outcome, left, 1);
	w.flights[w.n_flights++] = again;
	outcome = (struct st_outcome){.state = ST_OUTCOME_SUCCEEDED};
	end_with(&w, "a", &outcome, left, 1);
	assert_int_equal(world_count(&w, ST_ROW_ARTIFACT), 1);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(two_steps_run_one_after_the_other),
	    cmocka_unit_test(a_breach_halts_before_the_call_and_a_grant_goes_on_there),
	    cmocka_unit_test(who_submits_does_not_approve),
	    cmocka_unit_test(a_decision_counts_once),
	    cmocka_unit_test(a_denial_fails_the_run),
	    cmocka_unit_test(a_cancelled_run_starts_nothing_and_settles_what_flew),
	    cmocka_unit_test(a_paused_run_lets_calls_end_and_starts_none),
	    cmocka_unit_test(a_failed_call_is_tried_again_with_a_new_hold_and_key),
	    cmocka_unit_test(a_crash_repeats_no_step_that_had_ended),
	    cmocka_unit_test(an_unrepeatable_call_lost_in_a_crash_is_in_doubt_until_resolved),
	    cmocka_unit_test(a_dangerous_call_waits_for_an_approval_of_its_parameters),
	    cmocka_unit_test(an_approval_survives_a_crash),
	    cmocka_unit_test(for_each_makes_items_and_bounds_how_many_run_at_once),
	    cmocka_unit_test(an_overrun_is_a_row_of_its_own_and_lets_nothing_through),
	    cmocka_unit_test(a_result_told_twice_counts_once),
	    cmocka_unit_test(the_wall_clock_halts_and_parked_time_does_not_burn_it),
	    cmocka_unit_test(a_step_that_says_nothing_has_the_limit_for_every_step),
	    cmocka_unit_test(the_same_events_give_the_same_chain),
	    cmocka_unit_test(citations_of_a_search_reach_the_step_redacted),
	    cmocka_unit_test(files_of_a_job_are_rows_and_stand_in_its_result),
	    cmocka_unit_test(a_job_told_twice_leaves_its_files_once),
	    cmocka_unit_test(exactly_k_of_64_calls_leave_when_there_is_room_for_k),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
