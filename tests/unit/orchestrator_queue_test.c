/* SPDX-License-Identifier: Apache-2.0 */
/* Do timers, the table of runs and the queues for slots do what a naive list would do? */
#include "orchestrator/queue.h"
#include "orchestrator/registry.h"
#include "world.h"

#define N_RUNS 300
#define N_ROUNDS 20000

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 33;
}

static void check_heap(const struct st_core *core, const struct st_run *runs)
{
	st_time least = ST_TIME_NONE;
	size_t n = 0;
	for (size_t i = 0; i < N_RUNS; i++) {
		if (runs[i].due == ST_TIME_NONE) {
			assert_true(runs[i].heap_index == SIZE_MAX);
			continue;
		}
		n++;
		least = least == ST_TIME_NONE || runs[i].due < least ? runs[i].due : least;
		assert_ptr_equal(core->timers.of[runs[i].heap_index], &runs[i]);
	}
	assert_int_equal(core->timers.n, n);
	assert_true(st_core_deadline(core) == least);
}

static void the_timer_heap_is_a_naive_list(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	struct st_run *runs = st_alloc_array(N_RUNS, sizeof *runs);
	uint64_t seed = 1;
	for (size_t i = 0; i < N_RUNS; i++) {
		runs[i].due = ST_TIME_NONE;
		runs[i].heap_index = SIZE_MAX;
	}
	for (int round = 0; round < N_ROUNDS; round++) {
		struct st_run *run = &runs[next_random(&seed) % N_RUNS];
		st_time due =
		    next_random(&seed) % 3 == 0 ? ST_TIME_NONE : (st_time)(next_random(&seed) % 50);
		st_queue_set_due(w.core, run, due);
		if (round % 16 == 0) {
			check_heap(w.core, runs);
		}
	}
	for (size_t i = 0; i < N_RUNS; i++) {
		st_queue_set_due(w.core, &runs[i], ST_TIME_NONE);
	}
	assert_int_equal(w.core->timers.n, 0);
	st_free(runs);
	world_fini(&w);
}

/* Few different hashes, so that clusters are long and wrap around. */
static struct st_id colliding_id(size_t i)
{
	struct st_id id = {{0}};
	id.bytes[0] = (uint8_t)(i >> 8);
	id.bytes[1] = (uint8_t)i;
	id.bytes[15] = (uint8_t)(i % 7);
	return id;
}

static void the_table_of_runs_is_a_naive_list(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	struct st_run *runs = st_alloc_array(N_RUNS, sizeof *runs);
	st_autofree bool *inside = st_alloc_array(N_RUNS, sizeof *inside);
	uint64_t seed = 2;
	for (int round = 0; round < N_ROUNDS; round++) {
		size_t i = next_random(&seed) % N_RUNS;
		runs[i].id = colliding_id(i);
		if (inside[i]) {
			st_core_remove(w.core, &runs[i]);
		} else {
			st_core_insert(w.core, &runs[i]);
		}
		inside[i] = !inside[i];
		for (size_t k = 0; k < N_RUNS && round % 64 == 0; k++) {
			assert_ptr_equal(st_core_find(w.core, colliding_id(k)),
					 inside[k] ? &runs[k] : NULL);
		}
	}
	for (size_t i = 0; i < N_RUNS; i++) {
		if (inside[i]) {
			st_core_remove(w.core, &runs[i]);
		}
	}
	assert_int_equal(st_core_runs(w.core), 0);
	st_free(runs);
	world_fini(&w);
}

#define ONE_SLOT "{\"limits\":{\"calls\":1,\"jobs\":1}}"
#define DEF(steps) "{\"stint\":1,\"name\":\"t\",\"kind\":\"implementation\",\"steps\":[" steps "]}"
#define GET(id, more)                                                                              \
	"{\"id\":\"" id "\",\"uses\":\"http.request\",\"with\":{\"url\":"                          \
	"\"https://example.com/x\"}" more "}"
#define JOB(id) "{\"id\":\"" id "\",\"uses\":\"sandbox.job\",\"with\":{\"run\":[\"true\"]}}"

static void who_waits_for_a_slot_comes_before_who_would_take_it_again(void **state)
{
	(void)state;
	struct world w;
	world_init_config(&w, ONE_SLOT);
	world_submit(&w, DEF(GET("a", "") "," GET("b", ",\"needs\":[\"a\"]")));
	world_submit(&w, DEF(GET("c", "")));
	assert_int_equal(w.n_flights, 1);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	assert_int_equal(w.n_flights, 1);
	world_end(&w, "c", ST_OUTCOME_SUCCEEDED, NULL);
	world_end(&w, "b", ST_OUTCOME_SUCCEEDED, NULL);
	assert_int_equal(st_core_runs(w.core), 0);
	world_fini(&w);
}

static void who_waits_for_a_job_keeps_no_call_waiting(void **state)
{
	(void)state;
	struct world w;
	world_init_config(&w, ONE_SLOT);
	world_submit(&w, DEF(JOB("j")));
	world_submit(&w, DEF(JOB("k")));
	world_submit(&w, DEF(GET("a", "")));
	world_submit(&w, DEF(GET("b", "")));
	assert_int_equal(w.n_flights, 2);
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	assert_int_equal(w.n_flights, 2); /* b, although k waits before it */
	world_end(&w, "b", ST_OUTCOME_SUCCEEDED, NULL);
	world_end(&w, "j", ST_OUTCOME_SUCCEEDED, NULL);
	world_end(&w, "k", ST_OUTCOME_SUCCEEDED, NULL);
	assert_int_equal(st_core_runs(w.core), 0);
	world_fini(&w);
}

static void a_slot_passes_over_a_run_that_no_longer_wants_it(void **state)
{
	(void)state;
	struct world w;
	world_init_config(&w, ONE_SLOT);
	world_submit(&w, DEF(GET("a", "")));
	world_submit(&w, DEF(GET("b", "")));
	world_control(&w, ST_EVENT_CANCEL); /* the second one, while it waits */
	world_submit(&w, DEF(GET("c", "")));
	world_end(&w, "a", ST_OUTCOME_SUCCEEDED, NULL);
	assert_int_equal(w.n_flights, 1);
	world_end(&w, "c", ST_OUTCOME_SUCCEEDED, NULL);
	assert_int_equal(st_core_runs(w.core), 0); /* nor does the cancelled run stay in memory */
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_timer_heap_is_a_naive_list),
	    cmocka_unit_test(the_table_of_runs_is_a_naive_list),
	    cmocka_unit_test(who_waits_for_a_slot_comes_before_who_would_take_it_again),
	    cmocka_unit_test(who_waits_for_a_job_keeps_no_call_waiting),
	    cmocka_unit_test(a_slot_passes_over_a_run_that_no_longer_wants_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
