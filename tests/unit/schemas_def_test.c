/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schemas/buf.h"
#include "schemas/def.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "schemas/schemas.h"

struct fixture {
	struct st_schemas *schemas;
	struct st_config *config;
};

static int setup(void **state)
{
	struct fixture *fixture = st_alloc(sizeof *fixture);
	fixture->schemas = st_schemas_new();
	fixture->config = st_config_new();
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	st_config_free(fixture->config);
	st_schemas_free(fixture->schemas);
	st_free(fixture);
	return 0;
}

static int decode(const struct fixture *fixture, const char *text, const json_t *params,
		  struct st_def **out, struct st_diag *diag)
{
	json_t *doc = NULL;
	int code = st_json_parse(text, strlen(text), 16 * ST_JSON_BYTES_MAX, &doc, diag);
	if (code == ST_OK) {
		const struct st_def_input input = {doc, params, fixture->config};
		code = st_def_decode(fixture->schemas, &input, out, diag);
	}
	json_decref(doc);
	return code;
}

#define HEAD "{\"stint\":1,\"name\":\"n\",\"kind\":\"research\","
#define NOOP "\"uses\":\"noop\""
#define ONE HEAD "\"steps\":[{\"id\":\"a\"," NOOP "}]"

static const char whole[] =
    "{\"stint\":1,\"name\":\"price-survey\",\"kind\":\"implementation\",\"tenant\":\"acme\","
    "\"project\":\"web\",\"user\":\"u42\",\"workflow\":\"leads\",\"labels\":{\"a\":\"b\"},"
    "\"params\":{\"topic\":\"x\",\"n\":3},"
    "\"budget\":{\"tokens\":{\"run\":5000,\"step\":400},\"cost_usd\":\"2.50\"},"
    "\"steps\":["
    "{\"id\":\"find\",\"uses\":\"web.search\","
    "\"with\":{\"provider\":\"exa\",\"query\":\"${{ params.topic }}\",\"results\":5}},"
    "{\"id\":\"read\",\"uses\":\"web.extract\",\"needs\":[\"find\"],"
    "\"if\":\"${{ params.n }}\",\"for_each\":\"${{ steps.find.output.results }}\","
    "\"for_each_concurrent\":2,\"continue_on_error\":true,\"timeout_seconds\":60,"
    "\"retry\":{\"attempts\":5,\"base_seconds\":2,\"max_seconds\":9},"
    "\"budget\":{\"tokens\":10,\"cost_usd\":1},"
    "\"with\":{\"provider\":\"firecrawl\",\"url\":\"${{ item.url }}\"}},"
    "{\"id\":\"end\",\"uses\":\"noop\",\"needs\":[\"find\",\"read\"]}]}";

static void a_whole_definition_is_decoded(void **state)
{
	struct st_def *def = NULL;
	struct st_diag diag = {0};
	if (decode(*state, whole, NULL, &def, &diag) != ST_OK) {
		fail_msg("%s: %s", diag.pointer, diag.text);
	}
	assert_string_equal(def->name, "price-survey");
	assert_int_equal(def->kind, ST_RUN_IMPLEMENTATION);
	assert_string_equal(def->scope_id[ST_SCOPE_TENANT], "acme");
	assert_string_equal(def->scope_id[ST_SCOPE_AGENT], "default");
	assert_string_equal(def->scope_id[ST_SCOPE_PLATFORM], "default");
	assert_string_equal(def->scope_id[ST_SCOPE_RUN], "");
	assert_int_equal(def->envelope.run.of[ST_METER_TOKENS], 5000);
	assert_int_equal(def->envelope.step.of[ST_METER_TOKENS], 400);
	assert_int_equal(def->envelope.run.of[ST_METER_SANDBOX_JOBS], 50);
	assert_int_equal(def->n_steps, 3);
	const struct st_def_step *read = &def->steps[1];
	assert_string_equal(read->uses, "web.extract");
	assert_string_equal(read->condition, "${{ params.n }}");
	assert_true(json_is_string(read->for_each));
	assert_int_equal(read->for_each_concurrent, 2);
	assert_true(read->continue_on_error);
	assert_int_equal(read->timeout_ms, 60000);
	assert_int_equal(read->retry.attempts, 5);
	assert_int_equal(read->retry.base_ms, 2000);
	assert_int_equal(read->retry.max_ms, 9000);
	assert_int_equal(read->limits.of[ST_METER_TOKENS], 10);
	assert_int_equal(read->limits.of[ST_METER_COST_NUSD], 1000000000);
	assert_true(read->limits.of[ST_METER_SANDBOX_JOBS] == ST_UNLIMITED);
	assert_int_equal(read->n_needs, 1);
	assert_int_equal(def->steps[2].needs[1], 1);
	assert_true(json_is_object(def->steps[2].with));
	assert_true(def->steps[2].retry.attempts >= 1);
	assert_true(def->steps[2].for_each_concurrent >= 1);
	st_def_free(def);
}

static void params_override_only_what_is_there(void **state)
{
	struct st_def *def = NULL;
	struct st_diag diag = {0};
	json_t *params = json_pack("{s:s}", "topic", "other");
	assert_int_equal(decode(*state, whole, params, &def, &diag), ST_OK);
	assert_string_equal(json_string_value(json_object_get(def->params, "topic")), "other");
	assert_int_equal(json_integer_value(json_object_get(def->params, "n")), 3);
	/* What was submitted stays as it was. */
	assert_string_equal(
	    json_string_value(json_object_get(json_object_get(def->doc, "params"), "topic")), "x");
	st_def_free(def);
	json_decref(params);
	params = json_pack("{s:s}", "nope", "other");
	assert_int_equal(decode(*state, whole, params, &def, &diag), ST_ERR_INVALID);
	assert_string_equal(diag.pointer, "/params");
	json_decref(params);
}

struct bad {
	const char *text;
	const char *pointer;
	const char *part; /* of the message */
};

static void check_bad(const struct fixture *fixture, const struct bad *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct st_def *def = NULL;
		struct st_diag diag = {0};
		int code = decode(fixture, rows[i].text, NULL, &def, &diag);
		if (code >= 0 || strcmp(diag.pointer, rows[i].pointer) != 0 ||
		    strstr(diag.text, rows[i].part) == NULL) {
			fail_msg("%s: %d at '%s': %s", rows[i].text, code, diag.pointer, diag.text);
		}
		assert_null(def);
	}
}

#define STEPS(text) HEAD "\"steps\":[" text "]}"
#define STEP(id, needs) "{\"id\":\"" id "\"," NOOP ",\"needs\":[" needs "]}"

static void graphs_that_cannot_run_are_refused(void **state)
{
	static const struct bad rows[] = {
	    {STEPS(STEP("a", "\"a\"")), "/steps/0/needs/0", "itself"},
	    {STEPS(STEP("a", "\"b\"")), "/steps/0/needs/0", "no step \"b\""},
	    {STEPS(STEP("a", "") "," STEP("a", "")), "/steps/1/id", "step 0 already"},
	    {STEPS(STEP("a", "") "," STEP("b", "\"a\",\"a\"")), "/steps/1/needs/1", "already"},
	    {STEPS(STEP("a", "\"b\"") "," STEP("b", "\"a\"")), "/steps/0/needs", "a -> b -> a"},
	    {STEPS(STEP("t", "\"a\"") "," STEP("a", "\"b\"") "," STEP("b", "\"c\"") "," STEP(
		 "c", "\"a\"") "," STEP("free", "")),
	     "/steps/1/needs", "a -> b -> c -> a"},
	    {HEAD "\"steps\":[]}", "/steps", "1 to 1000"},
	    {HEAD "\"steps\":{}}", "/steps", "array"},
	    {"{\"stint\":1,\"name\":\"n\",\"kind\":\"research\"}", "", "steps"},
	    {"null", "", "object"},
	    {"[]", "", "object"},
	};
	check_bad(*state, rows, sizeof rows / sizeof rows[0]);
}

/* A chain of n steps, each needing the one before, the first one the last when closed. */
static char *chain(size_t n, bool closed)
{
	struct st_buf buf = {0};
	st_buf_add_text(&buf, HEAD "\"steps\":[");
	for (size_t i = 0; i < n; i++) {
		st_buf_addf(&buf, "%s{\"id\":\"s%zu\"," NOOP, i > 0 ? "," : "", i);
		if (i > 0 || closed) {
			st_buf_addf(&buf, ",\"needs\":[\"s%zu\"]", i > 0 ? i - 1 : n - 1);
		}
		st_buf_add_char(&buf, '}');
	}
	st_buf_add_text(&buf, "]}");
	return st_buf_take(&buf);
}

static double seconds_since(clock_t from)
{
	return (double)(clock() - from) / CLOCKS_PER_SEC;
}

static void large_graphs_are_decided_in_bounded_time(void **state)
{
	struct st_def *def = NULL;
	struct st_diag diag = {0};
	char *text = chain(ST_STEPS_MAX, false);
	assert_int_equal(decode(*state, text, NULL, &def, &diag), ST_OK);
	assert_int_equal(def->steps[999].needs[0], 998);
	st_def_free(def);
	st_free(text);
	text = chain(ST_STEPS_MAX, true);
	assert_int_equal(decode(*state, text, NULL, &def, &diag), ST_ERR_INVALID);
	assert_non_null(strstr(diag.text, "wait for each other"));
	st_free(text);
	text = chain(100000, false);
	clock_t from = clock();
	assert_int_equal(decode(*state, text, NULL, &def, &diag), ST_ERR_INVALID);
	assert_string_equal(diag.pointer, "/steps");
	assert_true(seconds_since(from) < 2);
	st_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_definition_is_decoded),
	    cmocka_unit_test(params_override_only_what_is_there),
	    cmocka_unit_test(graphs_that_cannot_run_are_refused),
	    cmocka_unit_test(large_graphs_are_decided_in_bounded_time),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
