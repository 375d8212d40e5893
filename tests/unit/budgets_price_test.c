/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include "budgets/price.h"

static struct st_price price(int64_t input, int64_t output, int64_t cache_read, int64_t cache_write)
{
	return (struct st_price){"m", input, output, cache_read, cache_write, -1};
}

static void a_cost_is_the_exact_sum_rounded_up_once(void **state)
{
	(void)state;
	static const struct {
		int64_t price[4]; /* input, output, cache read, cache write */
		struct st_model_usage usage;
		int64_t cost;
	} rows[] = {
	    {{3000000000, 15000000000, -1, -1}, {1000000, -1, -1, 0, -1}, 3000000000},
	    {{3000000000, 15000000000, -1, -1}, {1, -1, -1, 1, -1}, 18000},
	    /* 37.5 nano-USD a token: one token costs 38, two cost 75, not 76. */
	    {{37500000, 0, -1, -1}, {1, -1, -1, 0, -1}, 38},
	    {{37500000, 0, -1, -1}, {2, -1, -1, 0, -1}, 75},
	    {{1, 1, -1, -1}, {1, -1, -1, 1, -1}, 1},
	    {{500000, 500000, -1, -1}, {1, -1, -1, 1, -1}, 1},
	    {{0, 0, -1, -1}, {1000, -1, -1, 1000, -1}, 0},
	    /* 300 fresh, 600 read, 100 written. */
	    {{1000000, 0, 100000, 2000000}, {1000, 600, 100, 0, -1}, 300 + 60 + 200},
	    /* Cached input without a price of its own costs as fresh. */
	    {{1000000, 0, -1, -1}, {1000, 600, 100, 0, -1}, 1000},
	    /* The two 3e-7-a-token cases of the price list's tests: exact, no float. */
	    {{300000000, 0, -1, -1}, {1000000, -1, -1, 0, -1}, 300000000},
	    {{1000000000, 2000000000, -1, -1}, {14, -1, -1, 1720, -1}, 14000 + 3440000},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_price p =
		    price(rows[i].price[0], rows[i].price[1], rows[i].price[2], rows[i].price[3]);
		assert_int_equal(st_price_usage(&p, &rows[i].usage), rows[i].cost);
	}
}

static void a_cost_that_does_not_fit_saturates(void **state)
{
	(void)state;
	struct st_price p = price(INT64_MAX, INT64_MAX, -1, -1);
	struct st_model_usage usage = {INT64_C(1) << 53, -1, -1, INT64_C(1) << 53, -1};
	assert_true(st_price_usage(&p, &usage) == INT64_MAX);
	assert_true(st_price_worst_case(&p, INT64_MAX, INT64_MAX) == INT64_MAX);
	struct st_price dear = price(INT64_MAX / 2, 0, -1, -1);
	assert_true(st_price_worst_case(&dear, 1000000, 0) == INT64_MAX / 2);
	/* (2^62 - 1) * 999999 / 10^6, rounded up, by exact arithmetic. */
	assert_true(st_price_worst_case(&dear, 999999, 0) == INT64_C(4611681406741369476));
}

static void the_worst_case_takes_the_dearest_input_price(void **state)
{
	(void)state;
	struct st_price writes = price(1000000, 5000000, 100000, 2000000);
	assert_int_equal(st_price_worst_case(&writes, 10, 10), 20 + 50);
	struct st_price plain = price(1000000, 5000000, -1, -1);
	assert_int_equal(st_price_worst_case(&plain, 10, 10), 10 + 50);
}

static void the_worst_case_is_never_below_what_a_usage_within_it_costs(void **state)
{
	(void)state;
	uint64_t seed = 42;
	for (int i = 0; i < 20000; i++) {
		int64_t word[8];
		for (size_t k = 0; k < 8; k++) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			word[k] = (int64_t)(seed >> 34);
		}
		struct st_price p = price(word[0], word[1], word[2] % 3 == 0 ? -1 : word[2],
					  word[3] % 3 == 0 ? -1 : word[3]);
		int64_t input = word[4] % 1000000;
		int64_t read = input > 0 ? word[5] % input : 0;
		int64_t write = input - read > 0 ? word[6] % (input - read) : 0;
		struct st_model_usage usage = {input, read, write, word[7] % 100000, -1};
		assert_true(st_price_usage(&p, &usage) <=
			    st_price_worst_case(&p, input, usage.output));
	}
}

static void a_price_per_request_comes_on_top(void **state)
{
	(void)state;
	struct st_price p = price(1000000, 1000000, -1, -1);
	p.request = 7;
	assert_int_equal(st_price_worst_case(&p, 1, 1), 9);
}

static void a_model_needs_an_input_and_an_output_price(void **state)
{
	(void)state;
	struct st_price p = price(0, 0, -1, -1);
	assert_true(st_price_covers_model(&p));
	p.output = -1;
	assert_false(st_price_covers_model(&p));
	p = price(-1, 0, 0, 0);
	assert_false(st_price_covers_model(&p));
	assert_false(st_price_covers_model(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_cost_is_the_exact_sum_rounded_up_once),
	    cmocka_unit_test(a_cost_that_does_not_fit_saturates),
	    cmocka_unit_test(the_worst_case_takes_the_dearest_input_price),
	    cmocka_unit_test(the_worst_case_is_never_below_what_a_usage_within_it_costs),
	    cmocka_unit_test(a_price_per_request_comes_on_top),
	    cmocka_unit_test(a_model_needs_an_input_and_an_output_price),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
