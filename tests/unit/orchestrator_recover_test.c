/* SPDX-License-Identifier: Apache-2.0 */
/* Is damage in the store told, and never acted on? */
#include "world.h"

#define DEF                                                                                        \
	"{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"params\":{\"xs\":[1,2]},"             \
	"\"budget\":{\"tool_steps\":3},\"steps\":["                                                \
	"{\"id\":\"a\",\"uses\":\"http.request\",\"for_each\":\"${{ params.xs }}\","               \
	"\"for_each_concurrent\":2,\"with\":{\"method\":\"POST\",\"url\":"                         \
	"\"https://example.com/x\"}},{\"id\":\"b\",\"uses\":\"noop\"},"                            \
	"{\"id\":\"c\",\"uses\":\"noop\"}]}"

static struct st_row *row_of(struct st_rows *rows, enum st_row_type type, size_t nth)
{
	for (size_t i = 0; i < rows->n; i++) {
		if (rows->of[i].type == type && nth-- == 0) {
			return &rows->of[i];
		}
	}
	fail_msg("there is no such row");
	return NULL;
}

static void no_definition(struct st_rows *rows)
{
	row_of(rows, ST_ROW_RUN, 0)->run->def[0] = '[';
}

static void a_step_too_many(struct st_rows *rows)
{
	row_of(rows, ST_ROW_STEP, 0)->step->step = 3;
}

static void an_item_too_many(struct st_rows *rows)
{
	row_of(rows, ST_ROW_STEP, 1)->step->item = 7;
}

static void items_of_a_single_step(struct st_rows *rows)
{
	struct st_row_step *step = row_of(rows, ST_ROW_STEP, 1)->step;
	step->step = 1;
	step->item = 1;
}

static void more_items_than_the_list_has(struct st_rows *rows)
{
	row_of(rows, ST_ROW_STEP, 0)->step->n_items = 3;
}

static void far_too_many_items(struct st_rows *rows)
{
	row_of(rows, ST_ROW_STEP, 0)->step->n_items = 1 << 20;
}

/* The run's own: those of wider scopes come first. */
static struct st_row_account *account_of_run(struct st_rows *rows)
{
	size_t nth = 0;
	while (row_of(rows, ST_ROW_ACCOUNT, nth)->account->scope_no > 0) {
		nth++;
	}
	return row_of(rows, ST_ROW_ACCOUNT, nth)->account;
}

static void an_account_of_no_step(struct st_rows *rows)
{
	account_of_run(rows)->step = 900;
}

static void an_account_below_zero(struct st_rows *rows)
{
	account_of_run(rows)->held = -1;
}

static void an_account_of_no_scope(struct st_rows *rows)
{
	row_of(rows, ST_ROW_ACCOUNT, 0)->account->scope_no = 99;
}

static void a_call_of_no_item(struct st_rows *rows)
{
	row_of(rows, ST_ROW_CALL, 0)->call->item = 5;
}

static void a_call_twice(struct st_rows *rows)
{
	row_of(rows, ST_ROW_CALL, 1)->call->item = 0;
}

static void a_call_of_another_hold(struct st_rows *rows)
{
	row_of(rows, ST_ROW_CALL, 0)->call->hold_no = 77;
}

static void a_call_without_an_attempt(struct st_rows *rows)
{
	row_of(rows, ST_ROW_CALL, 0)->call->attempt = 0;
}

static void a_call_that_has_ended(struct st_rows *rows)
{
	row_of(rows, ST_ROW_CALL, 0)->call->state = ST_HOLD_SETTLED;
}

static void a_calling_item_without_a_call(struct st_rows *rows)
{
	row_of(rows, ST_ROW_STEP, 3)->step->item_state = ST_ITEM_CALLING;
}

static void a_doubt_without_a_call(struct st_rows *rows)
{
	row_of(rows, ST_ROW_STEP, 3)->step->item_state = ST_ITEM_IN_DOUBT;
}

static void an_active_item_of_an_ended_step(struct st_rows *rows)
{
	row_of(rows, ST_ROW_STEP, 0)->step->state = ST_STEP_SUCCEEDED;
}

static void sleep_without_an_end(struct st_rows *rows)
{
	row_of(rows, ST_ROW_STEP, 3)->step->item_state = ST_ITEM_SLEEPING;
}

static void a_halt_of_no_step(struct st_rows *rows)
{
	row_of(rows, ST_ROW_HALT, 0)->halt->step = 12;
}

static void a_halt_without_its_verdict(struct st_rows *rows)
{
	struct st_row_halt *halt = row_of(rows, ST_ROW_HALT, 0)->halt;
	st_free(halt->verdict_json);
	halt->verdict_json = NULL;
}

static void a_verdict_that_is_none(struct st_rows *rows)
{
	row_of(rows, ST_ROW_HALT, 0)->halt->verdict_json[0] = '!';
}

static void a_running_run_with_a_halt(struct st_rows *rows)
{
	row_of(rows, ST_ROW_RUN, 0)->run->state = ST_RUN_RUNNING;
}

/* Two posts in flight, a no-op that ends, and a third step that finds no budget. */
static void prepare(struct world *w)
{
	world_init(w);
	world_submit(w, DEF);
	world_end(w, "b", ST_OUTCOME_SUCCEEDED, NULL);
	assert_int_equal(w->state, ST_RUN_HALTED);
	assert_int_equal(w->n_flights, 2);
}

static enum st_err load(struct world *w, void (*damage)(struct st_rows *rows))
{
	struct st_rows rows = {0};
	struct st_diag diag = {0};
	const struct st_core_options options = {
	    .config = w->config, .redactor = w->redactor, .schemas = w->schemas};
	const struct st_core_numbers numbers = {.run = 2, .call = 9, .scope = 1};
	st_core_free(w->core);
	w->core = st_core_new(&options, &numbers);
	w->n_flights = 0;
	world_load_scopes(w, &rows);
	world_gather(w, &rows, 1);
	if (damage != NULL) {
		damage(&rows);
	}
	struct st_event event = {.type = ST_EVENT_LOAD, .load = {.rows = &rows, .diag = &diag}};
	st_buf_clear(&w->trace);
	world_step(w, &event);
	st_rows_fini(&rows);
	return diag.code;
}

static void damage_is_told_and_not_acted_on(void **state)
{
	(void)state;
	static void (*const damages[])(struct st_rows *) = {
	    no_definition,
	    a_step_too_many,
	    an_item_too_many,
	    items_of_a_single_step,
	    more_items_than_the_list_has,
	    far_too_many_items,
	    an_account_of_no_step,
	    an_account_below_zero,
	    an_account_of_no_scope,
	    a_call_of_no_item,
	    a_call_twice,
	    a_call_of_another_hold,
	    a_call_without_an_attempt,
	    a_call_that_has_ended,
	    a_calling_item_without_a_call,
	    a_doubt_without_a_call,
	    an_active_item_of_an_ended_step,
	    sleep_without_an_end,
	    a_halt_of_no_step,
	    a_halt_without_its_verdict,
	    a_verdict_that_is_none,
	    a_running_run_with_a_halt,
	};
	for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
		struct world w;
		prepare(&w);
		if (load(&w, damages[i]) != ST_ERR_CORRUPT) {
			fail_msg("damage %zu was not seen", i);
		}
		world_expect(&w, "");
		assert_int_equal(w.n_left, 3);
		world_fini(&w);
	}
}

static void what_is_sound_is_loaded_once_however_often_it_comes(void **state)
{
	(void)state;
	struct world w;
	prepare(&w);
	assert_int_equal(load(&w, NULL), ST_OK);
	world_expect(&w, "call.in_doubt a[1]\ncall.in_doubt a[2]\n");
	struct st_rows rows = {0};
	world_decide(&w, "bob", (struct st_decide){.decision = ST_DECISION_GRANT});
	world_gather(&w, &rows, 1);
	st_buf_clear(&w.trace);
	world_load_event(&w, &rows);
	world_expect(&w, "");
	world_fini(&w);
}

static void what_was_accepted_can_be_loaded_however_long_it_is_written(void **state)
{
	(void)state;
	struct world w;
	struct st_buf def = {0};
	world_init(&w);
	st_buf_add_text(&def,
			"{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"params\":{\"x\":[0");
	for (int i = 0; i < 250000; i++) { /* each is written with 19 characters */
		st_buf_add_text(&def, ",0.1");
	}
	st_buf_add_text(&def, "]},\"steps\":[{\"id\":\"b\",\"uses\":\"noop\"}]}");
	world_submit(&w, def.data);
	world_crash(&w, 1);
	world_end(&w, "b", ST_OUTCOME_SUCCEEDED, NULL);
	assert_int_equal(w.state, ST_RUN_SUCCEEDED);
	st_buf_fini(&def);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage_is_told_and_not_acted_on),
	    cmocka_unit_test(what_is_sound_is_loaded_once_however_often_it_comes),
	    cmocka_unit_test(what_was_accepted_can_be_loaded_however_long_it_is_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
