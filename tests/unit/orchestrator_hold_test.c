/* SPDX-License-Identifier: Apache-2.0 */
/* Does every hold get exactly one end, whatever happens around it? */
#include "world.h"

#define DEF(budget, steps)                                                                         \
	"{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"params\":{\"xs\":[1,2,3]},"           \
	"\"budget\":{" budget "},\"steps\":[" steps "]}"
#define HTTP(method, more)                                                                         \
	"\"uses\":\"http.request\",\"with\":{\"method\":\"" method                                 \
	"\",\"url\":\"https://example.com/x\"}" more
#define EACH(n) ",\"for_each\":\"${{ params.xs }}\",\"for_each_concurrent\":" #n

static size_t open_holds(const struct world *w)
{
	return world_count(w, ST_ROW_HOLD) - world_count(w, ST_ROW_SETTLEMENT);
}

/* What the store says is held on the run's account of this meter. */
static int64_t held_of_run(const struct world *w, enum st_meter meter)
{
	int64_t held = 0;
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		if (row->type == ST_ROW_ACCOUNT && row->account->scope == ST_SCOPE_RUN &&
		    row->account->meter == meter) {
			held = row->account->held;
		}
	}
	return held;
}

static struct st_decide resolve_latest(const struct world *w, bool happened)
{
	struct st_decide decide = {.decision = ST_DECISION_RESOLVE, .happened = happened};
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		if (row->type == ST_ROW_HALT && row->halt->insert &&
		    row->halt->kind == ST_HALT_IN_DOUBT) {
			decide.call = row->halt->call;
		}
	}
	return decide;
}

static void a_call_to_be_sent_again_ends_though_a_sibling_failed(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("", "{\"id\":\"a\"," HTTP("PUT", EACH(2)) "}"));
	world_end(&w, "a", ST_OUTCOME_UNKNOWN, NULL); /* the first item sleeps, its hold stays */
	w.refuse_retry = true;
	world_end(&w, "a", ST_OUTCOME_FAILED, NULL);
	assert_int_equal(open_holds(&w), 1);
	world_wait(&w);
	assert_int_equal(w.n_flights, 1); /* the same attempt, to learn what it came to */
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	assert_int_equal(w.state, ST_RUN_FAILED);
	assert_int_equal(open_holds(&w), 0);
	assert_int_equal(w.n_left, 3); /* the third item began nothing */
	assert_int_equal(held_of_run(&w, ST_METER_TOOL_STEPS), 0);
	world_fini(&w);
}

static void after_an_item_failed_its_siblings_make_no_new_attempt(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("", "{\"id\":\"a\"," HTTP("GET", EACH(2)) ",\"retry\":{\"attempts\":"
								       "3}}"));
	w.refuse_retry = true;
	world_end(&w, "a", ST_OUTCOME_FAILED, NULL);
	w.refuse_retry = false;
	world_end(&w, "a", ST_OUTCOME_FAILED, NULL); /* could be tried again */
	assert_int_equal(w.state, ST_RUN_FAILED);
	assert_int_equal(w.n_left, 2);
	assert_int_equal(open_holds(&w), 0);
	world_fini(&w);
}

static void a_doubt_resolved_as_not_made_is_not_made_after_a_sibling_failed(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("", "{\"id\":\"a\"," HTTP("POST", EACH(2)) "}"));
	world_end(&w, "a", ST_OUTCOME_UNKNOWN, NULL);
	w.refuse_retry = true;
	world_end(&w, "a", ST_OUTCOME_FAILED, NULL);
	assert_int_equal(w.state, ST_RUN_HALTED);
	world_decide(&w, "bob", resolve_latest(&w, false));
	assert_int_equal(w.reply, ST_OK);
	assert_int_equal(w.state, ST_RUN_FAILED);
	assert_int_equal(w.n_left, 2);
	assert_int_equal(open_holds(&w), 0);
	world_fini(&w);
}

static void what_a_run_was_over_for_stays_what_it_was(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(
	    &w, DEF("\"wall_seconds\":60",
		    "{\"id\":\"a\"," HTTP("POST", EACH(2)) "},"
							   "{\"id\":\"b\"," HTTP("POST", "") "}"));
	w.refuse_retry = true;
	world_end(&w, "a", ST_OUTCOME_FAILED, NULL); /* its sibling is still in flight */
	world_wait(&w);
	assert_int_equal(w.state, ST_RUN_HALTED);
	world_decide(&w, "bob", (struct st_decide){.decision = ST_DECISION_DENY, .reason = "no"});
	assert_int_equal(w.state, ST_RUN_FAILED);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL); /* now step a has failed */
	world_end(&w, "b", ST_OUTCOME_SUCCEEDED, NULL);
	const struct st_row_run *last = NULL;
	for (size_t i = 0; i < w.stored.n; i++) {
		last = w.stored.of[i].type == ST_ROW_RUN ? w.stored.of[i].run : last;
	}
	assert_string_equal(last->error_code, "denied");
	assert_int_equal(open_holds(&w), 0);
	world_fini(&w);
}

static void a_denial_after_a_failure_leaks_nothing(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w,
		     DEF("\"wall_seconds\":60",
			 "{\"id\":\"a\"," HTTP("POST", "") "},"
							   "{\"id\":\"b\"," HTTP("POST", "") "}"));
	w.refuse_retry = true;
	world_end(&w, "a", ST_OUTCOME_FAILED, NULL);
	world_wait(&w);
	world_decide(&w, "bob", (struct st_decide){.decision = ST_DECISION_DENY, .reason = "no"});
	assert_int_equal(w.state, ST_RUN_FAILED);
	world_end(&w, "b", ST_OUTCOME_SUCCEEDED, NULL);
	assert_int_equal(open_holds(&w), 0);
	world_fini(&w);
}

static void usage_below_zero_or_absurd_never_lowers_what_was_used(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("", "{\"id\":\"a\"," HTTP("GET", "") "}"));
	struct st_amounts used = {{0}};
	used.of[ST_METER_TOOL_STEPS] = -5;
	used.of[ST_METER_HTTP_REQUESTS] = INT64_MAX;
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, &used);
	assert_int_equal(w.state, ST_RUN_SUCCEEDED);
	for (size_t i = 0; i < w.stored.n; i++) {
		if (w.stored.of[i].type == ST_ROW_SETTLEMENT) {
			const struct st_row_settlement *row = w.stored.of[i].settlement;
			assert_true(row->estimated);
			assert_int_equal(row->used.of[ST_METER_TOOL_STEPS], 1);
		}
	}
	world_fini(&w);
}

/* The tenant's and the platform's accounts have no limit, but they add up what everybody uses. */
static void one_absurd_answer_does_not_use_up_what_all_share(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	for (int i = 0; i < 3; i++) {
		world_submit(&w, DEF("", "{\"id\":\"a\"," HTTP("GET", "") "}"));
		struct st_amounts used = {{0}};
		used.of[ST_METER_TOOL_STEPS] = 1;
		used.of[ST_METER_HTTP_REQUESTS] = i == 0 ? INT64_MAX : INT64_MAX / 2;
		world_end(&w, "a", ST_OUTCOME_SUCCEEDED, &used);
		assert_int_equal(w.state, ST_RUN_SUCCEEDED);
	}
	world_fini(&w);
}

static void nobody_resolves_a_doubt_with_an_absurd_use(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("", "{\"id\":\"a\"," HTTP("POST", "") "}"));
	world_end(&w, "a", ST_OUTCOME_UNKNOWN, NULL);
	assert_int_equal(w.state, ST_RUN_HALTED);
	struct st_decide decide = resolve_latest(&w, true);
	decide.usage_known = true;
	decide.usage.of[ST_METER_HTTP_REQUESTS] = ST_USED_MAX + 1;
	world_decide(&w, "bob", decide);
	assert_int_equal(w.state, ST_RUN_HALTED);
	decide.usage.of[ST_METER_HTTP_REQUESTS] = ST_USED_MAX;
	world_decide(&w, "bob", decide);
	assert_int_equal(w.state, ST_RUN_SUCCEEDED);
	world_fini(&w);
}

static void a_restored_older_copy_sends_the_same_keys(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("", "{\"id\":\"a\",\"uses\":\"noop\"},{\"id\":\"b\","
				 "\"needs\":[\"a\"]," HTTP("POST", "") "}"));
	size_t copied = w.stored.n;
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	char key[ST_GRANT_KEY_MAX];
	memcpy(key, w.flights[0].key, sizeof key);
	world_lose_rows(&w, copied);
	world_crash(&w, 1);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	assert_string_equal(w.flights[0].key, key);
	world_fini(&w);
}

static void a_cleanup_step_is_tried_again_although_the_run_has_failed(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("", "{\"id\":\"a\"," HTTP(
				     "GET", "") "},{\"id\":\"z\",\"needs\":[\"a\"],"
						"\"if\":\"always()\"," HTTP(
						    "GET", ",\"retry\":{\"attempts\":2}") "}"));
	w.refuse_retry = true;
	world_end(&w, "a", ST_OUTCOME_FAILED, NULL);
	w.refuse_retry = false;
	world_end(&w, "z", ST_OUTCOME_FAILED, NULL);
	world_wait(&w);
	world_end(&w, "z", ST_OUTCOME_SUCCEEDED, NULL);
	assert_int_equal(w.state, ST_RUN_FAILED);
	assert_int_equal(open_holds(&w), 0);
	world_fini(&w);
}

#define X8(text) text text text text text text text text
#define CONFIG                                                                                     \
	"{\"providers\":{\"anthropic\":{\"api\":\"anthropic\"}},\"prices\":{\"anthropic/"          \
	"m\":{\"input_usd_per_million\":\"3\","                                                    \
	"\"output_usd_per_million\":\"15\"}}}"
#define COUNTED                                                                                    \
	DEF("\"tokens\":1400", "{\"id\":\"m\",\"uses\":\"model.generate\",\"with\":{\"model\":"    \
			       "\"anthropic/m\",\"max_output_tokens\":500,\"min_useful_output\":"  \
			       "500,\"prompt\":\"" X8(X8(X8("word"))) "\"}}")

static void a_count_that_cannot_be_made_fails_nothing(void **state)
{
	(void)state;
	struct world w;
	world_init_config(&w, CONFIG);
	world_submit(&w, COUNTED);
	assert_true(w.flights[0].count);
	world_end(&w, "m", ST_OUTCOME_NOT_MADE, NULL);
	assert_int_equal(w.state, ST_RUN_HALTED); /* without it the bound does not fit */
	assert_int_equal(open_holds(&w), 0);
	world_fini(&w);
}

static void an_absurd_count_is_none(void **state)
{
	(void)state;
	static const int64_t counts[] = {INT64_MAX, INT64_MIN, -2};
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		struct world w;
		world_init_config(&w, CONFIG);
		world_submit(&w, COUNTED);
		struct flight f = world_land(&w, "m");
		world_tell_count(&w, &f, counts[i]);
		assert_int_equal(w.state, ST_RUN_HALTED);
		world_tell_count(&w, &f, 5); /* too late */
		assert_int_equal(w.n_left, 1);
		world_fini(&w);
	}
}

static void a_count_ends_with_the_run_that_is_cancelled(void **state)
{
	(void)state;
	struct world w;
	world_init_config(&w, CONFIG);
	world_submit(&w, COUNTED);
	world_control(&w, ST_EVENT_CANCEL);
	world_end(&w, "m", ST_OUTCOME_SUCCEEDED, NULL);
	assert_int_equal(w.state, ST_RUN_CANCELLED);
	assert_int_equal(w.n_left, 1);
	assert_int_equal(open_holds(&w), 0);
	assert_int_equal(st_core_runs(w.core), 0);
	world_fini(&w);
}

static void what_sends_nothing_is_never_in_doubt(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("", "{\"id\":\"a\",\"uses\":\"noop\"}"));
	for (int i = 0; i < 8; i++) {
		world_crash(&w, 1);
	}
	assert_int_equal(w.n_flights, 1);
	world_control(&w, ST_EVENT_CANCEL);
	world_crash(&w, 1);
	assert_int_equal(w.state, ST_RUN_CANCELLED);
	assert_int_equal(open_holds(&w), 0);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_call_to_be_sent_again_ends_though_a_sibling_failed),
	    cmocka_unit_test(after_an_item_failed_its_siblings_make_no_new_attempt),
	    cmocka_unit_test(a_doubt_resolved_as_not_made_is_not_made_after_a_sibling_failed),
	    cmocka_unit_test(what_a_run_was_over_for_stays_what_it_was),
	    cmocka_unit_test(a_denial_after_a_failure_leaks_nothing),
	    cmocka_unit_test(usage_below_zero_or_absurd_never_lowers_what_was_used),
	    cmocka_unit_test(one_absurd_answer_does_not_use_up_what_all_share),
	    cmocka_unit_test(nobody_resolves_a_doubt_with_an_absurd_use),
	    cmocka_unit_test(a_cleanup_step_is_tried_again_although_the_run_has_failed),
	    cmocka_unit_test(a_count_that_cannot_be_made_fails_nothing),
	    cmocka_unit_test(an_absurd_count_is_none),
	    cmocka_unit_test(a_count_ends_with_the_run_that_is_cancelled),
	    cmocka_unit_test(what_sends_nothing_is_never_in_doubt),
	    cmocka_unit_test(a_restored_older_copy_sends_the_same_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
