/* SPDX-License-Identifier: Apache-2.0 */
/* A clock that is set while runs are live: does it cost nothing, give nothing, and fire nothing
 * early? */
#include "world.h"

#define DAY_MS INT64_C(86400000)
#define WALL_60                                                                                    \
	"{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"budget\":{\"wall_seconds\":60},"      \
	"\"steps\":[{\"id\":\"a\",\"uses\":\"noop\"},{\"id\":\"b\",\"uses\":\"noop\","             \
	"\"needs\":[\"a\"]}]}"
#define RETRYING                                                                                   \
	"{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"steps\":[{\"id\":\"a\",\"uses\":"     \
	"\"noop\",\"retry\":{\"attempts\":3}}]}"
#define SLEEPING(with)                                                                             \
	"{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"steps\":[{\"id\":\"a\",\"uses\":"     \
	"\"sleep\",\"with\":{" with "}}]}"

/* Time passes, and then somebody sets the clock. */
static void jump(struct world *w, int64_t passed_ms, int64_t moved_ms)
{
	struct st_event event = {.type = ST_EVENT_TIMER, .moved_ms = moved_ms};
	w->now += passed_ms + moved_ms;
	world_step(w, &event);
}

static void pass(struct world *w, int64_t passed_ms)
{
	jump(w, passed_ms, 0);
}

static void halts_after_60_seconds_of_work(const int64_t moves[], size_t n)
{
	struct world w;
	world_init(&w);
	world_submit(&w, WALL_60);
	st_buf_clear(&w.trace);
	for (size_t i = 0; i < n; i++) {
		jump(&w, 59000 / (int64_t)n, moves[i]);
	}
	world_expect(&w, "");
	pass(&w, 1500);
	world_expect(&w, "verdict.refused\nrun.halted\n");
	world_fini(&w);
}

static void a_set_clock_neither_burns_nor_gives_time_to_work(void **state)
{
	(void)state;
	halts_after_60_seconds_of_work((const int64_t[]){DAY_MS}, 1);
	halts_after_60_seconds_of_work((const int64_t[]){-DAY_MS}, 1);
	halts_after_60_seconds_of_work((const int64_t[]){DAY_MS, -DAY_MS}, 2);
	halts_after_60_seconds_of_work((const int64_t[]){-DAY_MS, DAY_MS, 0, 30000}, 4);
}

static void a_crash_after_a_jump_neither_burns_nor_gives_time(void **state)
{
	(void)state;
	for (int sign = -1; sign <= 1; sign += 2) {
		struct world w;
		world_init(&w);
		world_submit(&w, WALL_60);
		st_rows_add_pulse(&w.stored)->at = w.now;
		jump(&w, 30000, sign * DAY_MS);
		world_crash(&w, 1);
		st_buf_clear(&w.trace);
		pass(&w, 29000);
		world_expect(&w, "");
		pass(&w, 1500);
		world_expect(&w, "verdict.refused\nrun.halted\n");
		world_fini(&w);
	}
}

static void a_back_off_keeps_its_length(void **state)
{
	(void)state;
	for (int sign = -1; sign <= 1; sign += 2) {
		struct world w;
		world_init(&w);
		world_submit(&w, RETRYING);
		world_end(&w, "a", ST_OUTCOME_FAILED, NULL);
		int64_t left = st_core_deadline(w.core) - w.now;
		assert_true(left > 0);
		jump(&w, 0, sign * DAY_MS);
		assert_int_equal(st_core_deadline(w.core) - w.now, left);
		world_crash(&w, 1);
		assert_int_equal(st_core_deadline(w.core) - w.now, left);
		world_fini(&w);
	}
}

static void a_sleep_of_seconds_keeps_its_length(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, SLEEPING("\"seconds\":3600"));
	jump(&w, 0, DAY_MS);
	assert_int_equal(st_core_deadline(w.core) - w.now, 3600000);
	world_fini(&w);
}

static void a_sleep_until_a_moment_goes_by_the_new_clock(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, SLEEPING("\"until\":\"2023-11-15T22:13:20Z\"")); /* in a day */
	assert_int_equal(w.state, ST_RUN_RUNNING);
	jump(&w, 0, DAY_MS - 1000);
	assert_int_equal(st_core_deadline(w.core) - w.now, 1000);
	pass(&w, 1000);
	assert_int_equal(w.state, ST_RUN_SUCCEEDED);
	world_fini(&w);
}

static void the_timeline_never_goes_back(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, WALL_60);
	jump(&w, 0, -DAY_MS);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	st_time last = 0;
	for (size_t i = 0; i < w.stored.n; i++) {
		if (w.stored.of[i].type == ST_ROW_EVENT) {
			assert_true(w.stored.of[i].event->at >= last);
			last = w.stored.of[i].event->at;
		}
	}
	world_fini(&w);
}

static void time_worked_before_a_crash_counts_up_to_the_last_pulse(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, WALL_60);
	st_rows_add_pulse(&w.stored)->at = w.now + 40000;
	w.now += 3 * DAY_MS; /* down all the while */
	world_crash(&w, 1);
	st_buf_clear(&w.trace);
	pass(&w, 19000);
	world_expect(&w, "");
	pass(&w, 1500);
	world_expect(&w, "verdict.refused\nrun.halted\n");
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_set_clock_neither_burns_nor_gives_time_to_work),
	    cmocka_unit_test(a_crash_after_a_jump_neither_burns_nor_gives_time),
	    cmocka_unit_test(a_back_off_keeps_its_length),
	    cmocka_unit_test(a_sleep_of_seconds_keeps_its_length),
	    cmocka_unit_test(a_sleep_until_a_moment_goes_by_the_new_clock),
	    cmocka_unit_test(the_timeline_never_goes_back),
	    cmocka_unit_test(time_worked_before_a_crash_counts_up_to_the_last_pulse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
