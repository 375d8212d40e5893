/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include "schemas/buf.h"
#include "schemas/err.h"
#include "schemas/id.h"
#include "schemas/meter.h"
#include "schemas/time.h"

static void amounts_survive_a_round_trip(void **state)
{
	(void)state;
	struct st_amounts amounts = {{0}};
	amounts.of[ST_METER_TOKENS] = 5;
	amounts.of[ST_METER_COST_NUSD] = INT64_MAX;
	struct st_buf buf = {0};
	st_amounts_add_json(&buf, &amounts);
	assert_string_equal(buf.data, "{\"tokens\":5,\"cost_nusd\":9223372036854775807}");
	struct st_amounts again;
	assert_int_equal(st_amounts_parse(buf.data, &again), ST_OK);
	assert_memory_equal(&again, &amounts, sizeof amounts);
	st_buf_fini(&buf);
}

static void damaged_amounts_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"",
					  "{",
					  "{\"tokens\":-1}",
					  "{\"tokens\":1",
					  "{\"tokens\":1,}",
					  "{\"nope\":1}",
					  "{\"tokens\":9223372036854775808}",
					  "{\"tokens\":1}x"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct st_amounts out;
		assert_int_equal(st_amounts_parse(bad[i], &out), ST_ERR_INVALID);
	}
}

static void times_are_read_and_written(void **state)
{
	(void)state;
	char text[ST_TIME_TEXT_MAX];
	st_time at = 0;
	assert_int_equal(st_time_parse("2038-01-19T03:14:08Z", &at), ST_OK);
	assert_true(at == INT64_C(2147483648000));
	assert_string_equal(st_time_format(at, text), "2038-01-19T03:14:08.000Z");
	assert_int_equal(st_time_parse("2026-11-22T01:00:00.5+01:00", &at), ST_OK);
	assert_string_equal(st_time_format(at, text), "2026-11-22T00:00:00.500Z");
	assert_int_equal(st_time_parse("2027-02-29T00:00:00Z", &at), ST_ERR_INVALID);
	assert_int_equal(st_time_parse("2026-02-30T00:00:00Z", &at), ST_ERR_INVALID);
	assert_int_equal(st_time_parse("0000-01-01T00:00:00Z", &at), ST_ERR_INVALID);
}

static void ids_are_version_7_and_survive_a_round_trip(void **state)
{
	(void)state;
	struct st_id_source source = {.now = 1700000000000, .random = {1, 2}};
	struct st_id a = st_id_next(&source);
	struct st_id b = st_id_next(&source);
	assert_false(st_id_equal(a, b));
	assert_int_equal(a.bytes[6] >> 4, 7);
	assert_int_equal(a.bytes[8] >> 6, 2);
	char text[ST_ID_TEXT_MAX];
	struct st_id again;
	assert_int_equal(st_id_parse(st_id_format(a, ST_ID_RUN, text), ST_ID_RUN, &again), ST_OK);
	assert_true(st_id_equal(a, again));
	assert_int_equal(st_id_parse(text, ST_ID_CALL, &again), ST_ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(amounts_survive_a_round_trip),
	    cmocka_unit_test(damaged_amounts_are_refused),
	    cmocka_unit_test(times_are_read_and_written),
	    cmocka_unit_test(ids_are_version_7_and_survive_a_round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
