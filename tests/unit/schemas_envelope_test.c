/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <string.h>

#include "schemas/envelope.h"
#include "schemas/json.h"
#include "schemas/money.h"

static json_t *json(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	assert_non_null(value);
	return value;
}

static void every_meter_has_a_safe_default(void **state)
{
	(void)state;
	for (int kind = 0; kind < ST_RUN_KIND_COUNT; kind++) {
		struct st_envelope envelope = st_envelope_default((enum st_run_kind)kind);
		for (int m = 0; m < ST_METER_COUNT; m++) {
			assert_true(envelope.run.of[m] >= 0);
			assert_true(envelope.step.of[m] == ST_UNLIMITED);
		}
		assert_int_equal(envelope.run.of[ST_METER_INFRA_OPS], 0);
		assert_int_equal(envelope.run.of[ST_METER_DEPLOY_ATTEMPTS], 0);
		assert_int_equal(envelope.run.of[ST_METER_DANGEROUS_OPS], 0);
		assert_true(envelope.job.job_seconds > 0);
		assert_true(envelope.job.log_bytes > 0);
		assert_true(envelope.job.concurrent > 0);
	}
	struct st_envelope envelope = st_envelope_default(ST_RUN_RESEARCH);
	assert_int_equal(envelope.run.of[ST_METER_TOKENS], 200000);
	assert_int_equal(envelope.run.of[ST_METER_COST_NUSD], 2000000000);
}

static void a_budget_replaces_only_what_it_names(void **state)
{
	(void)state;
	struct st_envelope envelope = st_envelope_default(ST_RUN_RESEARCH);
	struct st_envelope before = envelope;
	json_t *budget =
	    json("{\"tokens\":{\"run\":2000,\"step\":400},\"tool_steps\":9,\"search\":{\"exa\":0},"
		 "\"extract\":{\"firecrawl\":3},\"sandbox\":{\"jobs\":1,\"job_seconds\":60,"
		 "\"seconds\":61,\"log_bytes\":0,\"concurrent\":7},\"http_requests\":4,"
		 "\"infra_ops\":1,\"deploy_attempts\":2,\"dangerous_ops\":3,"
		 "\"cost_usd\":\"2.50\",\"credits\":9223372036854775807}");
	struct st_diag diag;
	assert_int_equal(st_envelope_decode(budget, "/budget", &envelope, &diag), ST_OK);
	assert_int_equal(envelope.run.of[ST_METER_TOKENS], 2000);
	assert_int_equal(envelope.step.of[ST_METER_TOKENS], 400);
	assert_int_equal(envelope.run.of[ST_METER_TOOL_STEPS], 9);
	assert_true(envelope.step.of[ST_METER_TOOL_STEPS] == ST_UNLIMITED);
	assert_int_equal(envelope.run.of[ST_METER_SEARCH_EXA], 0);
	assert_int_equal(envelope.run.of[ST_METER_EXTRACT_FIRECRAWL], 3);
	assert_int_equal(envelope.run.of[ST_METER_SANDBOX_JOBS], 1);
	assert_int_equal(envelope.run.of[ST_METER_SANDBOX_SECONDS], 61);
	assert_int_equal(envelope.run.of[ST_METER_COST_NUSD], 2500000000);
	assert_true(envelope.run.of[ST_METER_CREDITS] == INT64_MAX);
	assert_int_equal(envelope.job.job_seconds, 60);
	assert_int_equal(envelope.job.log_bytes, 0);
	assert_int_equal(envelope.job.concurrent, 7);
	assert_int_equal(envelope.run.of[ST_METER_WALL_SECONDS],
			 before.run.of[ST_METER_WALL_SECONDS]);
	json_decref(budget);
}

struct bad {
	const char *budget;
	const char *pointer;
};

static void a_bad_budget_changes_nothing_and_says_where(void **state)
{
	(void)state;
	static const struct bad rows[] = {
	    {"[]", "/budget"},
	    {"null", "/budget"},
	    {"{\"max_token\":1}", "/budget/max_token"},
	    {"{\"tokens\":-1}", "/budget/tokens"},
	    {"{\"tokens\":-0.0}", "/budget/tokens"},
	    {"{\"tokens\":0.1}", "/budget/tokens"},
	    {"{\"tokens\":10.0}", "/budget/tokens"},
	    {"{\"tokens\":\"10\"}", "/budget/tokens"},
	    {"{\"tokens\":true}", "/budget/tokens"},
	    {"{\"tokens\":[10]}", "/budget/tokens"},
	    {"{\"tokens\":{\"$gt\":0}}", "/budget/tokens/$gt"},
	    {"{\"tokens\":{\"run\":1,\"step\":-1}}", "/budget/tokens/step"},
	    {"{\"tokens\":null}", "/budget/tokens"},
	    {"{\"search\":5}", "/budget/search"},
	    {"{\"search\":{\"exa\":1,\"bing/x\":1}}", "/budget/search/bing~1x"},
	    {"{\"exa\":5}", "/budget/exa"},
	    {"{\"sandbox\":{\"job_seconds\":0}}", "/budget/sandbox/job_seconds"},
	    {"{\"sandbox\":{\"job_seconds\":86401}}", "/budget/sandbox/job_seconds"},
	    {"{\"sandbox\":{\"concurrent\":0}}", "/budget/sandbox/concurrent"},
	    {"{\"sandbox\":{\"log_bytes\":99999999999}}", "/budget/sandbox/log_bytes"},
	    {"{\"cost_usd\":2.5}", "/budget/cost_usd"},
	    {"{\"cost_usd\":-1}", "/budget/cost_usd"},
	    {"{\"cost_usd\":9223372037}", "/budget/cost_usd"},
	    {"{\"cost_usd\":\"2,50\"}", "/budget/cost_usd"},
	    {"{\"cost_nusd\":\"2.50\"}", "/budget/cost_nusd"},
	    {"{\"cost_nusd\":1,\"cost_usd\":1}", "/budget"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_envelope envelope = st_envelope_default(ST_RUN_RESEARCH);
		struct st_envelope before = envelope;
		struct st_diag diag = {0};
		json_t *budget = json(rows[i].budget);
		assert_int_equal(st_envelope_decode(budget, "/budget", &envelope, &diag),
				 ST_ERR_INVALID);
		assert_string_equal(diag.pointer, rows[i].pointer);
		assert_true(diag.text[0] != '\0');
		assert_memory_equal(&envelope, &before, sizeof envelope);
		json_decref(budget);
	}
}

static void a_step_budget_has_plain_integers_and_no_run_fields(void **state)
{
	(void)state;
	struct st_amounts limits;
	for (int m = 0; m < ST_METER_COUNT; m++) {
		limits.of[m] = ST_UNLIMITED;
	}
	json_t *budget = json("{\"tokens\":5,\"cost_usd\":\"0.01\",\"sandbox\":{\"seconds\":9}}");
	assert_int_equal(st_step_budget_decode(budget, "/b", &limits, NULL), ST_OK);
	assert_int_equal(limits.of[ST_METER_TOKENS], 5);
	assert_int_equal(limits.of[ST_METER_COST_NUSD], 10000000);
	assert_int_equal(limits.of[ST_METER_SANDBOX_SECONDS], 9);
	assert_true(limits.of[ST_METER_SANDBOX_JOBS] == ST_UNLIMITED);
	json_decref(budget);
	static const struct bad rows[] = {
	    {"{\"tokens\":{\"run\":1}}", "/b/tokens"},
	    {"{\"wall_seconds\":1}", "/b/wall_seconds"},
	    {"{\"sandbox\":{\"job_seconds\":1}}", "/b/sandbox/job_seconds"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_diag diag = {0};
		budget = json(rows[i].budget);
		assert_int_equal(st_step_budget_decode(budget, "/b", &limits, &diag),
				 ST_ERR_INVALID);
		assert_string_equal(diag.pointer, rows[i].pointer);
		json_decref(budget);
	}
}

static void money_is_exact(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t nusd;
		const char *again;
	} good[] = {
	    {"0", 0, "0.00"},
	    {"2.50", 2500000000, "2.50"},
	    {"2.5", 2500000000, "2.50"},
	    {"0.000000001", 1, "0.000000001"},
	    {"0.1", 100000000, "0.10"},
	    {"12", INT64_C(12000000000), "12.00"},
	    {"1.234", 1234000000, "1.234"},
	    {"9223372036.854775807", INT64_MAX, "9223372036.854775807"},
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		int64_t nusd = -1;
		char text[32];
		assert_int_equal(st_money_parse(good[i].text, &nusd), ST_OK);
		assert_true(nusd == good[i].nusd);
		assert_string_equal(st_money_format(nusd, text), good[i].again);
	}
	static const char *const bad[] = {
	    "",
	    ".5",
	    "5.",
	    "-1",
	    "+1",
	    "1e3",
	    "1,5",
	    "$5",
	    "007",
	    " 1",
	    "1 ",
	    "0x10",
	    "0.0000000001",
	    "9223372036.854775808",
	    "1.",
	    "1..2",
	    "NaN",
	    "99999999999",
	    "9223372037",
	    "1.5.",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int64_t nusd = 77;
		if (st_money_parse(bad[i], &nusd) != ST_ERR_INVALID || nusd != 77) {
			fail_msg("'%s' was taken", bad[i]);
		}
	}
	char text[32];
	assert_string_equal(st_money_format(INT64_MIN, text), "-9223372036.854775808");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_meter_has_a_safe_default),
	    cmocka_unit_test(a_budget_replaces_only_what_it_names),
	    cmocka_unit_test(a_bad_budget_changes_nothing_and_says_where),
	    cmocka_unit_test(a_step_budget_has_plain_integers_and_no_run_fields),
	    cmocka_unit_test(money_is_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
