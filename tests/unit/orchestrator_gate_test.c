/* SPDX-License-Identifier: Apache-2.0 */
/* Does a decision change exactly what it says, for who may decide it, once? */
#include "world.h"

#define DEF(budget, steps)                                                                         \
	"{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"params\":{\"xs\":[1,2]},"             \
	"\"budget\":{" budget "},\"steps\":[" steps "]}"
#define NOOP(id, more) "{\"id\":\"" id "\",\"uses\":\"noop\"" more "}"
#define HTTP(id, method, more)                                                                     \
	"{\"id\":\"" id "\",\"uses\":\"http.request\",\"with\":{\"method\":\"" method              \
	"\",\"url\":\"https://example.com/x\"}" more "}"
#define GRANT ((struct st_decide){.decision = ST_DECISION_GRANT})

/* The last row of the run's account. */
static struct st_row_account account_of(const struct world *w, enum st_meter meter)
{
	struct st_row_account last = {0};
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		if (row->type == ST_ROW_ACCOUNT && row->account->scope == ST_SCOPE_RUN &&
		    row->account->meter == meter) {
			last = *row->account;
		}
	}
	return last;
}

static void limits(struct world *w, const struct st_actor *actor, int64_t tool_steps,
		   int64_t http_requests)
{
	struct st_event event = {.type = ST_EVENT_LIMITS, .run = w->run, .actor = *actor};
	for (int m = 0; m < ST_METER_COUNT; m++) {
		event.limits.run.of[m] = ST_UNLIMITED;
	}
	event.limits.run.of[ST_METER_TOOL_STEPS] = tool_steps;
	event.limits.run.of[ST_METER_HTTP_REQUESTS] = http_requests;
	world_step(w, &event);
}

static void a_grant_past_what_can_be_counted_is_refused(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("\"tool_steps\":1", NOOP("a", "") "," NOOP("b", "")));
	struct st_decide decide = GRANT;
	decide.n_grants = 2;
	decide.grants[0] = (struct st_grant_asked){ST_SCOPE_RUN, ST_METER_TOOL_STEPS, 5};
	decide.grants[1] =
	    (struct st_grant_asked){ST_SCOPE_RUN, ST_METER_TOOL_STEPS, INT64_MAX - 3};
	world_decide(&w, "bob", decide);
	assert_int_equal(w.reply, ST_ERR_INVALID);
	assert_int_equal(world_count(&w, ST_ROW_GRANT), 0);
	assert_int_equal(w.state, ST_RUN_HALTED);
	decide.grants[1].amount = 7;
	world_decide(&w, "bob", decide);
	assert_int_equal(w.reply, ST_OK);
	assert_int_equal(account_of(&w, ST_METER_TOOL_STEPS).granted, 12);
	world_fini(&w);
}

static void limits_change_all_or_none(void **state)
{
	(void)state;
	struct world w;
	const struct st_actor root = world_actor("root", ST_ROLE_ADMIN);
	world_init(&w);
	world_submit(
	    &w, DEF("\"tool_steps\":5", HTTP("a", "GET", "") "," NOOP("b", ",\"needs\":[\"a\"]")));
	struct st_amounts used = w.flights[0].held;
	used.of[ST_METER_TOOL_STEPS] = 1000; /* past its limit: to set it back is to lower it */
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, &used);
	limits(&w, &root, 2000, 0);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	assert_int_equal(account_of(&w, ST_METER_TOOL_STEPS).limit, 5);
	limits(&w, &root, 2000, 50);
	assert_int_equal(w.reply, ST_OK);
	assert_int_equal(account_of(&w, ST_METER_TOOL_STEPS).limit, 2000);
	world_fini(&w);
}

static void nobody_raises_the_limits_of_their_own_run(void **state)
{
	(void)state;
	struct world w;
	struct st_actor ann = world_actor("ann", ST_ROLE_ADMIN);
	const struct st_actor root = world_actor("root", ST_ROLE_ADMIN);
	world_init(&w);
	world_submit(&w, DEF("\"tool_steps\":5", HTTP("a", "GET", "")));
	limits(&w, &ann, 6, ST_UNLIMITED);
	assert_int_equal(w.reply, ST_ERR_FORBIDDEN);
	limits(&w, &ann, 4, ST_UNLIMITED);
	assert_int_equal(w.reply, ST_OK);
	limits(&w, &root, 6, ST_UNLIMITED);
	assert_int_equal(w.reply, ST_OK);
	ann.embedded = true;
	limits(&w, &ann, 7, ST_UNLIMITED);
	assert_int_equal(w.reply, ST_OK);
	assert_int_equal(account_of(&w, ST_METER_TOOL_STEPS).limit, 7);
	world_fini(&w);
}

static void a_resolution_that_cannot_be_kept_changes_nothing(void **state)
{
	(void)state;
	struct world w;
	char long_id[400];
	memset(long_id, 'x', sizeof long_id - 1);
	long_id[sizeof long_id - 1] = '\0';
	world_init(&w);
	world_submit(&w, DEF("", HTTP("a", "POST", "")));
	world_end(&w, "a", ST_OUTCOME_UNKNOWN, NULL);
	struct st_decide decide = {.decision = ST_DECISION_RESOLVE, .happened = true};
	for (size_t i = 0; i < w.stored.n; i++) {
		const struct st_row *row = &w.stored.of[i];
		decide.call = row->type == ST_ROW_HALT ? row->halt->call : decide.call;
	}
	decide.external_id = long_id;
	world_decide(&w, "bob", decide);
	assert_int_equal(w.reply, ST_ERR_INVALID);
	decide.external_id = "PR 7";
	decide.usage_known = true;
	decide.usage.of[ST_METER_TOOL_STEPS] = -1;
	world_decide(&w, "bob", decide);
	assert_int_equal(w.reply, ST_ERR_INVALID);
	assert_int_equal(world_count(&w, ST_ROW_SETTLEMENT), 0);
	decide.usage.of[ST_METER_TOOL_STEPS] = 1;
	world_decide(&w, "bob", decide);
	assert_int_equal(w.reply, ST_OK);
	assert_int_equal(w.state, ST_RUN_SUCCEEDED);
	world_fini(&w);
}

static void an_approval_is_for_one_call_of_one_item_and_outlives_a_budget_halt(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("\"tool_steps\":0,\"dangerous_ops\":9",
			     HTTP("a", "DELETE",
				  ",\"for_each\":\"${{ params.xs }}\","
				  "\"for_each_concurrent\":2,"
				  "\"retry\":{\"attempts\":2}")));
	st_buf_clear(&w.trace);
	world_decide(&w, "bob", GRANT); /* item 1 may be deleted, but there is no tool step left */
	world_crash(&w, 1);
	world_decide(&w, "bob", GRANT);
	world_expect(&w, "decision.granted a[1]\nrun.resumed\nverdict.refused a[1]\n"
			 "run.halted a[1]\ndecision.granted a[1]\nrun.resumed\n"
			 "call.held a[1]\ncall.sent a[1]\nrun.halted a[2]\n");
	world_end(&w, "a", ST_OUTCOME_FAILED, NULL); /* item 1: its approval is used up */
	world_decide(&w, "bob", GRANT);		     /* of item 2 */
	assert_int_equal(w.n_left, 1);
	world_decide(&w, "bob", GRANT); /* a tool step */
	assert_int_equal(w.n_left, 2);
	st_buf_clear(&w.trace);
	world_wait(&w);
	world_expect(&w, "run.halted a[1]\n"); /* a new attempt asks anew */
	assert_int_equal(w.n_left, 2);
	world_fini(&w);
}

static void a_decision_shown_for_one_halt_is_not_one_for_the_next(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("\"tool_steps\":0", HTTP("a", "DELETE", "")));
	struct st_decide decide = GRANT;
	decide.halt = w.halt;
	world_decide(&w, "bob", decide);
	assert_int_equal(w.reply, ST_OK);
	assert_false(st_id_equal(w.halt, decide.halt)); /* halted again: no tool step */
	world_decide(&w, "bob", decide);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	assert_int_equal(w.n_left, 0);
	world_fini(&w);
}

static void an_answer_says_how_the_run_stands_when_it_is_durable(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("\"tool_steps\":0", NOOP("a", "") "," NOOP("b", "")));
	assert_non_null(strstr(w.reply_text, "\"state\":\"halted\""));
	assert_non_null(strstr(w.reply_text, "\"halt\":"));
	world_decide(&w, "bob", GRANT); /* one tool step: enough for a, not for b */
	assert_int_equal(w.reply, ST_OK);
	assert_int_equal(w.n_left, 1);
	assert_non_null(strstr(w.reply_text, "\"state\":\"halted\""));
	world_fini(&w);
}

static void who_may_not_see_or_decide_changes_nothing(void **state)
{
	(void)state;
	static const enum st_event_type types[] = {ST_EVENT_DECIDE, ST_EVENT_CANCEL, ST_EVENT_PAUSE,
						   ST_EVENT_RESUME, ST_EVENT_LIMITS};
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("\"tool_steps\":0", NOOP("a", "")));
	st_buf_clear(&w.trace);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		struct st_event event = {.type = types[i], .run = w.run};
		event.actor = world_actor("eve", ST_ROLE_ADMIN);
		(void)snprintf(event.actor.tenant, sizeof event.actor.tenant, "rivals");
		world_step(&w, &event);
		assert_int_equal(w.reply, ST_ERR_NOT_FOUND);
		event.actor = world_actor("vic", ST_ROLE_VIEWER);
		world_step(&w, &event);
		assert_int_equal(w.reply, ST_ERR_FORBIDDEN);
	}
	world_expect(&w, "");
	assert_int_equal(w.state, ST_RUN_HALTED);
	world_fini(&w);
}

static void a_run_that_is_over_is_not_resumed(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("\"tool_steps\":0", NOOP("a", "")));
	world_control(&w, ST_EVENT_PAUSE);
	world_decide(&w, "bob", (struct st_decide){.decision = ST_DECISION_DENY});
	assert_int_equal(w.state, ST_RUN_HALTED); /* the item failed; the run is still paused */
	world_control(&w, ST_EVENT_CANCEL);
	assert_int_equal(w.state, ST_RUN_CANCELLED);
	st_buf_clear(&w.trace);
	world_control(&w, ST_EVENT_RESUME);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	world_expect(&w, "");
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_run_that_is_over_is_not_resumed),
	    cmocka_unit_test(a_grant_past_what_can_be_counted_is_refused),
	    cmocka_unit_test(limits_change_all_or_none),
	    cmocka_unit_test(nobody_raises_the_limits_of_their_own_run),
	    cmocka_unit_test(a_resolution_that_cannot_be_kept_changes_nothing),
	    cmocka_unit_test(an_approval_is_for_one_call_of_one_item_and_outlives_a_budget_halt),
	    cmocka_unit_test(a_decision_shown_for_one_halt_is_not_one_for_the_next),
	    cmocka_unit_test(an_answer_says_how_the_run_stands_when_it_is_durable),
	    cmocka_unit_test(who_may_not_see_or_decide_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
