/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that clients make themselves: the same promises as for those that stint makes. */
#include "world.h"

#define CLIENT(id, more) "{\"id\":\"" id "\",\"uses\":\"client\"" more "}"
#define DEF(budget, steps)                                                                         \
	"{\"stint\":1,\"name\":\"t\",\"kind\":\"implementation\",\"params\":{\"xs\":[1,2]},"       \
	"\"budget\":{" budget "},\"steps\":[" steps "]}"
#define ONE DEF("\"tokens\":1000", CLIENT("work", ""))

static struct st_account account_of(const struct world *w, enum st_scope scope)
{
	struct st_account found = {.limit = -2};
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row_account *row = w->stored.of[i].account;
		if (w->stored.of[i].type == ST_ROW_ACCOUNT && row->scope == scope &&
		    row->meter == ST_METER_TOKENS) {
			found = (struct st_account){.limit = row->limit,
						    .granted = row->granted,
						    .settled = row->settled,
						    .held = row->held,
						    .overrun = row->overrun};
		}
	}
	return found;
}

static bool told(const struct world *w, const char *type)
{
	return w->trace.data != NULL && strstr(w->trace.data, type) != NULL;
}

static void a_hold_stands_on_every_account_until_it_is_settled(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("\"tokens\":1000", CLIENT("work", ",\"budget\":{\"tokens\":800}")));
	world_hold(&w, "work", 600);
	assert_int_equal(w.reply, ST_OK);
	static const enum st_scope scopes[] = {ST_SCOPE_STEP, ST_SCOPE_RUN, ST_SCOPE_PLATFORM};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(account_of(&w, scopes[i]).held, 600);
	}
	world_settle(&w, w.call, 450);
	assert_int_equal(w.reply, ST_OK);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(account_of(&w, scopes[i]).held, 0);
		assert_int_equal(account_of(&w, scopes[i]).settled, 450);
	}
	world_end_step(&w, "work", 0, true);
	world_expect(&w, "run.submitted\nrun.started\nstep.started work\ncall.held work\n"
			 "call.settled work\nstep.reported work\nstep.succeeded work\n"
			 "run.succeeded\n");
	world_fini(&w);
}

static void a_refused_hold_is_on_no_account_and_halts_for_a_decision(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, NULL, 700);
	world_hold(&w, "work", 400);
	assert_true(w.refused);
	assert_non_null(strstr(w.reply_text, "\"remaining\":300"));
	assert_int_equal(w.state, ST_RUN_HALTED);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).held, 700);
	world_hold(&w, NULL, 1);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	assert_false(w.refused);
	world_decide(&w, "bob", (struct st_decide){.decision = ST_DECISION_GRANT});
	assert_int_equal(w.reply, ST_OK);
	assert_int_equal(w.state, ST_RUN_RUNNING);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).granted, 100);
	world_hold(&w, "work", 400);
	assert_int_equal(w.reply, ST_OK);
	world_fini(&w);
}

static void a_denied_hold_ends_the_run_and_open_calls_still_settle(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, NULL, 700);
	const struct st_id open = w.call;
	world_hold(&w, "work", 400);
	world_decide(&w, "bob", (struct st_decide){.decision = ST_DECISION_DENY});
	assert_int_equal(w.state, ST_RUN_FAILED);
	assert_int_equal(st_core_runs(w.core), 1); /* its call is waited for */
	world_settle(&w, open, 10);
	assert_int_equal(w.reply, ST_OK);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).settled, 10);
	assert_int_equal(st_core_runs(w.core), 0);
	world_fini(&w);
}

static void one_end_however_often_it_is_told(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, NULL, 500);
	world_end_call(&w, (struct st_client_end){.call = w.call, .voided = true});
	assert_int_equal(w.reply, ST_OK);
	world_settle(&w, w.call, 500);
	assert_int_equal(w.reply, ST_ERR_EXISTS);
	world_extend(&w, w.call);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	assert_int_equal(world_count(&w, ST_ROW_SETTLEMENT), 1);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).settled, 0);
	world_fini(&w);
}

static void without_usage_the_whole_hold_counts(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, NULL, 500);
	world_end_call(&w, (struct st_client_end){.call = w.call});
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).settled, 500);
	assert_non_null(strstr(w.reply_text, "\"estimated\":true"));
	world_fini(&w);
}

static void more_than_was_held_is_an_overrun_and_lets_nothing_through(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, NULL, 900);
	world_settle(&w, w.call, 1300);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).overrun, 400);
	assert_true(told(&w, "call.overrun"));
	world_hold(&w, NULL, 1);
	assert_true(w.refused);
	world_fini(&w);
}

static void what_expires_is_in_doubt_not_free(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, "work", 500);
	assert_int_equal(st_core_deadline(w.core), w.now + 600 * 1000);
	world_wait(&w);
	assert_int_equal(w.state, ST_RUN_HALTED);
	assert_true(told(&w, "call.in_doubt work"));
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).held, 500);
	world_extend(&w, w.call);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	/* the client speaks after all: that resolves it */
	world_settle(&w, w.call, 20);
	assert_int_equal(w.reply, ST_OK);
	assert_int_equal(w.state, ST_RUN_RUNNING);
	assert_true(told(&w, "decision.resolved work\nrun.resumed"));
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).held, 0);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).settled, 20);
	world_fini(&w);
}

static void a_person_resolves_what_expired(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, NULL, 500);
	world_wait(&w);
	assert_int_equal(st_core_runs(w.core), 0); /* parked, on disk only */
	world_decide(&w, "bob",
		     (struct st_decide){.decision = ST_DECISION_RESOLVE, .call = w.call});
	assert_int_equal(w.reply, ST_OK);
	assert_int_equal(w.state, ST_RUN_RUNNING);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).held, 0);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).settled, 0);
	world_settle(&w, w.call, 500);
	assert_int_equal(w.reply, ST_ERR_EXISTS);
	world_fini(&w);
}

static void extending_moves_the_expiry(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, NULL, 500);
	w.now += 400 * 1000;
	world_extend(&w, w.call);
	assert_int_equal(w.reply, ST_OK);
	assert_int_equal(st_core_deadline(w.core), w.now + 600 * 1000);
	world_crash(&w, 1);
	assert_int_equal(st_core_deadline(w.core), w.now + 600 * 1000);
	world_fini(&w);
}

static void a_set_clock_takes_no_time_from_a_hold(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, NULL, 500);
	struct st_event event = {.type = ST_EVENT_TIMER, .moved_ms = 86400000};
	w.now += 86400000;
	world_step(&w, &event);
	assert_int_equal(w.state, ST_RUN_RUNNING);
	assert_int_equal(st_core_deadline(w.core), w.now + 600 * 1000);
	world_crash(&w, 1);
	assert_int_equal(st_core_deadline(w.core), w.now + 600 * 1000);
	world_fini(&w);
}

static void a_crash_neither_loses_nor_doubles_a_hold(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, "work", 500);
	for (int i = 0; i < 3; i++) {
		world_crash(&w, 1);
		assert_int_equal(account_of(&w, ST_SCOPE_RUN).held, 500);
	}
	assert_false(told(&w, "call.in_doubt"));
	world_settle(&w, w.call, 500);
	assert_int_equal(w.reply, ST_OK);
	world_crash(&w, 1);
	world_settle(&w, w.call, 500);
	assert_int_equal(w.reply, ST_ERR_EXISTS);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).settled, 500);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).held, 0);
	world_fini(&w);
}

static void what_expired_while_we_were_down_is_in_doubt_at_once(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, "work", 500);
	w.now += 700 * 1000;
	world_crash(&w, 1);
	assert_int_equal(w.state, ST_RUN_HALTED);
	assert_true(told(&w, "call.in_doubt work"));
	world_crash(&w, 1);
	world_settle(&w, w.call, 1);
	assert_int_equal(w.state, ST_RUN_RUNNING);
	world_fini(&w);
}

static void a_run_does_not_succeed_while_a_call_is_open(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, "work", 500);
	world_end_step(&w, "work", 0, true);
	assert_int_equal(w.state, ST_RUN_RUNNING);
	world_settle(&w, w.call, 5);
	assert_int_equal(w.state, ST_RUN_SUCCEEDED);
	world_fini(&w);
}

static void a_cancelled_run_holds_nothing_new_and_its_calls_end(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, "work", 100);
	const struct st_id first = w.call;
	world_hold(&w, "work", 100);
	const struct st_id second = w.call;
	world_control(&w, ST_EVENT_CANCEL);
	world_hold(&w, NULL, 1);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	world_settle(&w, first, 30);
	assert_int_equal(w.reply, ST_OK);
	world_crash(&w, 1);
	world_wait(&w);
	assert_true(told(&w, "call.in_doubt work"));
	assert_int_equal(st_core_runs(w.core), 0);
	world_decide(
	    &w, "bob",
	    (struct st_decide){.decision = ST_DECISION_RESOLVE, .call = second, .happened = true});
	assert_int_equal(w.reply, ST_OK);
	assert_int_equal(w.state, ST_RUN_CANCELLED);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).settled, 130);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).held, 0);
	world_fini(&w);
}

static void a_paused_run_settles_and_holds_nothing(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, "work", 100);
	world_control(&w, ST_EVENT_PAUSE);
	world_hold(&w, NULL, 1);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	world_settle(&w, w.call, 30);
	assert_int_equal(w.reply, ST_OK);
	assert_int_equal(w.state, ST_RUN_HALTED);
	world_control(&w, ST_EVENT_RESUME);
	world_hold(&w, NULL, 1);
	assert_int_equal(w.reply, ST_OK);
	world_fini(&w);
}

static void hold_dangerous(struct world *w, int64_t ops, uint8_t hash)
{
	struct st_event event = {.type = ST_EVENT_CLIENT_HOLD, .run = w->run};
	event.actor = world_actor("ann", ST_ROLE_SUBMITTER);
	memcpy(event.hold.kind, "db.drop", sizeof "db.drop");
	event.hold.amounts.of[ST_METER_DANGEROUS_OPS] = ops;
	event.hold.ttl_seconds = 60;
	event.hold.has_params_hash = hash != 0;
	event.hold.params_hash[0] = hash;
	world_step(w, &event);
}

static void a_dangerous_call_takes_an_approval_of_exactly_it(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	hold_dangerous(&w, 1, 0);
	assert_int_equal(w.reply, ST_ERR_INVALID);
	assert_int_equal(w.state, ST_RUN_RUNNING);
	hold_dangerous(&w, 1, 7);
	assert_true(w.refused);
	world_decide(&w, "ann", (struct st_decide){.decision = ST_DECISION_GRANT});
	assert_int_equal(w.reply, ST_ERR_FORBIDDEN);
	world_decide(&w, "bob", (struct st_decide){.decision = ST_DECISION_GRANT});
	assert_int_equal(w.reply, ST_OK);
	world_crash(&w, 1);
	hold_dangerous(&w, 1, 8); /* something else than what was approved */
	assert_true(w.refused);
	world_decide(&w, "bob", (struct st_decide){.decision = ST_DECISION_GRANT});
	hold_dangerous(&w, 2, 8); /* more of it */
	assert_true(w.refused);
	world_decide(&w, "bob", (struct st_decide){.decision = ST_DECISION_GRANT});
	world_crash(&w, 1);
	hold_dangerous(&w, 2, 8);
	assert_true(w.refused); /* two operations, of which one was granted: the budget */
	world_decide(&w, "bob", (struct st_decide){.decision = ST_DECISION_GRANT});
	hold_dangerous(&w, 2, 8);
	assert_int_equal(w.reply, ST_OK);
	hold_dangerous(&w, 2, 8); /* it was for one call */
	assert_true(w.refused);
	world_crash(&w, 1);
	world_fini(&w);
}

static void a_hold_names_a_step_that_runs_or_none(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("", CLIENT("a", "") "," CLIENT("b", ",\"needs\":[\"a\"]")));
	world_hold(&w, "nowhere", 1);
	assert_int_equal(w.reply, ST_ERR_INVALID);
	world_hold(&w, "b", 1);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	world_end_step(&w, "b", 0, true);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	world_end_step(&w, "a", 0, true);
	world_hold(&w, "b", 1);
	assert_int_equal(w.reply, ST_OK);
	world_fini(&w);
}

static void another_tenant_sees_no_run(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_hold(&w, NULL, 10);
	struct st_event event = {.type = ST_EVENT_CLIENT_END, .run = w.run};
	event.actor = world_actor("eve", ST_ROLE_ADMIN);
	memcpy(event.actor.tenant, "other", sizeof "other");
	event.end.call = w.call;
	world_step(&w, &event);
	assert_int_equal(w.reply, ST_ERR_NOT_FOUND);
	event.actor = world_actor("vic", ST_ROLE_VIEWER);
	world_step(&w, &event);
	assert_int_equal(w.reply, ST_ERR_FORBIDDEN);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).held, 10);
	world_fini(&w);
}

static void a_client_step_waits_over_crashes_and_times_out(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("", CLIENT("a", ",\"timeout_seconds\":100,\"for_each\":"
					     "\"${{ params.xs }}\",\"for_each_concurrent\":2")));
	st_time start = w.now;
	world_end_step(&w, "a", 0, true);
	assert_int_equal(w.reply, ST_ERR_INVALID);
	world_end_step(&w, "a", 2, true);
	assert_int_equal(w.reply, ST_OK);
	world_end_step(&w, "a", 2, true);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	world_crash(&w, 1);
	w.now += 10 * 1000;
	world_control(&w, ST_EVENT_PAUSE); /* a halt takes none of its time */
	w.now += 500 * 1000;
	world_control(&w, ST_EVENT_RESUME);
	assert_int_equal(st_core_deadline(w.core), start + 600 * 1000);
	world_wait(&w);
	assert_int_equal(w.state, ST_RUN_FAILED);
	assert_true(told(&w, "step.failed a"));
	world_fini(&w);
}

static void a_client_says_that_its_step_failed(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	world_end_step(&w, "work", 0, false);
	assert_int_equal(w.state, ST_RUN_FAILED);
	world_fini(&w);
}

static void amounts_that_cannot_be_are_no_matter_for_a_person(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, ONE);
	static const int64_t amounts[] = {-1, ST_USED_MAX + 1, INT64_MAX, INT64_MIN};
	for (size_t i = 0; i < 4; i++) {
		world_hold(&w, NULL, amounts[i]);
		assert_int_equal(w.reply, ST_ERR_INVALID);
	}
	world_hold(&w, NULL, 10);
	for (size_t i = 0; i < 4; i++) {
		world_settle(&w, w.call, amounts[i]);
		assert_int_equal(w.reply, ST_ERR_INVALID);
	}
	assert_int_equal(w.state, ST_RUN_RUNNING);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).held, 10);
	world_fini(&w);
}

static void exactly_k_of_64_holds_when_there_is_room_for_k(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, DEF("\"tokens\":70", CLIENT("work", "")));
	int held = 0;
	for (int i = 0; i < 64; i++) {
		world_hold(&w, NULL, 10);
		held += w.reply == ST_OK;
	}
	assert_int_equal(held, 7);
	assert_int_equal(account_of(&w, ST_SCOPE_RUN).held, 70);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_hold_stands_on_every_account_until_it_is_settled),
	    cmocka_unit_test(a_refused_hold_is_on_no_account_and_halts_for_a_decision),
	    cmocka_unit_test(a_denied_hold_ends_the_run_and_open_calls_still_settle),
	    cmocka_unit_test(one_end_however_often_it_is_told),
	    cmocka_unit_test(without_usage_the_whole_hold_counts),
	    cmocka_unit_test(more_than_was_held_is_an_overrun_and_lets_nothing_through),
	    cmocka_unit_test(what_expires_is_in_doubt_not_free),
	    cmocka_unit_test(a_person_resolves_what_expired),
	    cmocka_unit_test(extending_moves_the_expiry),
	    cmocka_unit_test(a_set_clock_takes_no_time_from_a_hold),
	    cmocka_unit_test(a_crash_neither_loses_nor_doubles_a_hold),
	    cmocka_unit_test(what_expired_while_we_were_down_is_in_doubt_at_once),
	    cmocka_unit_test(a_run_does_not_succeed_while_a_call_is_open),
	    cmocka_unit_test(a_cancelled_run_holds_nothing_new_and_its_calls_end),
	    cmocka_unit_test(a_paused_run_settles_and_holds_nothing),
	    cmocka_unit_test(a_dangerous_call_takes_an_approval_of_exactly_it),
	    cmocka_unit_test(a_hold_names_a_step_that_runs_or_none),
	    cmocka_unit_test(another_tenant_sees_no_run),
	    cmocka_unit_test(a_client_step_waits_over_crashes_and_times_out),
	    cmocka_unit_test(a_client_says_that_its_step_failed),
	    cmocka_unit_test(amounts_that_cannot_be_are_no_matter_for_a_person),
	    cmocka_unit_test(exactly_k_of_64_holds_when_there_is_room_for_k),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
