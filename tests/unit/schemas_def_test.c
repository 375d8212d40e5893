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
	assert_int_equal(def->steps[0].limits.of[ST_METER_TOKENS], 400); /* says nothing itself */
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

#define BUDGET(text) HEAD "\"budget\":{" text "},\"steps\":[{\"id\":\"a\"," NOOP "}]}"
#define WITH(uses, with) STEPS("{\"id\":\"a\",\"uses\":\"" uses "\",\"with\":" with "}")
#define FIELD(text) STEPS("{\"id\":\"a\"," NOOP "," text "}")

static void a_limit_that_is_no_limit_is_refused(void **state)
{
	static const struct bad rows[] = {
	    {BUDGET("\"max_token\":1"), "/budget/max_token", "unknown field \"max_token\""},
	    {BUDGET("\"token\":1"), "/budget/token", "did you mean \"tokens\"?"},
	    {BUDGET("\"sandbox\":{\"job_second\":1}"), "/budget/sandbox/job_second",
	     "did you mean \"job_seconds\"?"},
	    {BUDGET("\"tokens\":NaN"), "/budget/tokens", "line 1"},
	    {BUDGET("\"tokens\":Infinity"), "/budget/tokens", "line 1"},
	    {BUDGET("\"tokens\":1e400"), "/budget/tokens", "line 1"},
	    {BUDGET("\"tokens\":9223372036854775808"), "/budget/tokens", "big"},
	    {BUDGET("\"tokens\":-1"), "/budget/tokens", "at least 0"},
	    {BUDGET("\"tokens\":-0.0"), "/budget/tokens", "fraction or exponent"},
	    {BUDGET("\"tokens\":0.10000000000000000001"), "/budget/tokens", "fraction"},
	    {BUDGET("\"tokens\":1e3"), "/budget/tokens", "fraction or exponent"},
	    {BUDGET("\"tokens\":\"10\""), "/budget/tokens", "got \"10\""},
	    {BUDGET("\"tokens\":true"), "/budget/tokens", "got true"},
	    {BUDGET("\"tokens\":null"), "/budget/tokens", "got null"},
	    {BUDGET("\"tokens\":[10]"), "/budget/tokens", "got an array"},
	    {BUDGET("\"tokens\":{\"$gt\":0}"), "/budget/tokens/$gt", "unknown field"},
	    {BUDGET("\"tokens\":{\"run\":1.5}"), "/budget/tokens/run", "integer"},
	    {BUDGET("\"credits\":\"10\""), "/budget/credits", "integer"},
	    {BUDGET("\"cost_usd\":2.5"), "/budget/cost_usd", "\"2.50\""},
	    {BUDGET("\"cost_usd\":\"2.5e3\""), "/budget/cost_usd", "dollars"},
	    {BUDGET("\"cost_usd\":\"9223372036.9\""), "/budget/cost_usd", "dollars"},
	    {BUDGET("\"cost_usd\":1,\"cost_nusd\":1"), "/budget", "cost_usd and cost_nusd"},
	    {BUDGET("\"tokens\":1,\"tokens\":2"), "/budget/tokens", "duplicate"},
	    {BUDGET("\"tokens\":1,\"\\u0074okens\":2"), "/budget/tokens", "duplicate"},
	    {FIELD("\"budget\":{\"wall_seconds\":1}"), "/steps/0/budget/wall_seconds", "unknown"},
	    {FIELD("\"budget\":{\"tokens\":{\"run\":1}}"), "/steps/0/budget/tokens", "integer"},
	};
	check_bad(*state, rows, sizeof rows / sizeof rows[0]);
}

static void names_are_plain(void **state)
{
	static const char *const names[] = {
	    "..",
	    ".",
	    "../../etc/passwd",
	    "a/b",
	    "%2e%2e%2f",
	    "",
	    "-a",
	    ".a",
	    "a b",
	    "a\\u202e",
	    "a\\u200b",
	    "\xc3\xa9",
	    "e\xcc\x81",
	    "'; DROP TABLE runs;--",
	    "\\\" OR 1=1",
	    "a\\r\\nb",
	    "<script>",
	    "a\\u001b[31m",
	    "${{ x }}",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	static const struct {
		const char *format;
		const char *pointer;
	} places[] = {
	    {STEPS("{\"id\":\"%s\"," NOOP "}"), "/steps/0/id"},
	    {HEAD "\"tenant\":\"%s\",\"steps\":[{\"id\":\"a\"," NOOP "}]}", "/tenant"},
	    {"{\"stint\":1,\"kind\":\"research\",\"name\":\"%s\",\"steps\":[{\"id\":\"a\"," NOOP
	     "}]}",
	     "/name"},
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		for (size_t j = 0; j < sizeof places / sizeof places[0]; j++) {
			const char *hole = strstr(places[j].format, "%s");
			struct st_buf text = {0};
			st_buf_add(&text, places[j].format, (size_t)(hole - places[j].format));
			st_buf_add_text(&text, names[i]);
			st_buf_add_text(&text, hole + 2);
			const struct bad row = {text.data, places[j].pointer, "a name"};
			check_bad(*state, &row, 1);
			st_buf_fini(&text);
		}
	}
}

static void fields_out_of_place_are_named(void **state)
{
	static const struct bad rows[] = {
	    {"{}", "", "steps"},
	    {"{\"a\":1}x", "", "line 1"},
	    {"{\"stint\":2,\"name\":\"n\",\"kind\":\"research\",\"steps\":[{\"id\":\"a\"," NOOP
	     "}]}",
	     "/stint", "expected 1"},
	    {"{\"name\":\"n\",\"kind\":\"research\",\"steps\":[{\"id\":\"a\"," NOOP "}]}", "",
	     "\"stint\" is missing"},
	    {"{\"stint\":1,\"name\":\"n\",\"kind\":\"reserch\",\"steps\":[{\"id\":\"a\"," NOOP
	     "}]}",
	     "/kind", "did you mean \"research\"?"},
	    {HEAD "\"step\":[],\"steps\":[{\"id\":\"a\"," NOOP "}]}", "/step",
	     "did you mean \"steps\"?"},
	    {STEPS("5"), "/steps/0", "a step"},
	    {STEPS("{" NOOP "}"), "/steps/0", "\"id\" is missing"},
	    {STEPS("{\"id\":\"a\"}"), "/steps/0", "\"uses\" is missing"},
	    {STEPS("{\"id\":\"a\",\"uses\":\"Noop!\"}"), "/steps/0/uses", "step kind"},
	    {FIELD("\"ifs\":\"x\""), "/steps/0/ifs", "did you mean \"if\"?"},
	    {FIELD("\"if\":true"), "/steps/0/if", "a string"},
	    {FIELD("\"needs\":\"a\""), "/steps/0/needs", "an array"},
	    {FIELD("\"needs\":[5]"), "/steps/0/needs/0", "a name"},
	    {FIELD("\"for_each\":5"), "/steps/0/for_each", "an array or an expression"},
	    {FIELD("\"for_each\":\"items\""), "/steps/0/for_each", "an expression"},
	    {FIELD("\"for_each_concurrent\":0"), "/steps/0/for_each_concurrent", "at least 1"},
	    {FIELD("\"continue_on_error\":\"yes\""), "/steps/0/continue_on_error", "a boolean"},
	    {FIELD("\"timeout_seconds\":86401"), "/steps/0/timeout_seconds", "at most 86400"},
	    {FIELD("\"timeout_seconds\":1.0"), "/steps/0/timeout_seconds", "an integer"},
	    {FIELD("\"retry\":{\"attempts\":21}"), "/steps/0/retry/attempts", "at most 20"},
	    {FIELD("\"retry\":{\"tries\":2}"), "/steps/0/retry/tries", "unknown field"},
	    {FIELD("\"retry\":{\"base_seconds\":9,\"max_seconds\":2}"), "/steps/0/retry", "less"},
	    {FIELD("\"with\":[]"), "/steps/0/with", "an object"},
	    {HEAD "\"labels\":{\"a\":1},\"steps\":[{\"id\":\"a\"," NOOP "}]}", "/labels/a",
	     "a string"},
	    {HEAD "\"params\":[],\"steps\":[{\"id\":\"a\"," NOOP "}]}", "/params", "an object"},
	    {HEAD "\"description\":\"a\\u0000\",\"steps\":[{\"id\":\"a\"," NOOP "}]}",
	     "/description", "u0000"},
	};
	check_bad(*state, rows, sizeof rows / sizeof rows[0]);
}

#define MODEL "\"model\":\"anthropic/claude\""

static void what_a_kind_needs_is_checked(void **state)
{
	static const struct bad rows[] = {
	    {STEPS("{\"id\":\"a\",\"uses\":\"web.search\"}"), "/steps/0", "\"with\" is missing"},
	    {WITH("model.generate", "{" MODEL "}"), "/steps/0/with", "\"prompt\" is missing"},
	    {WITH("model.generate", "{" MODEL ",\"prompt\":\"a\",\"messages\":[]}"),
	     "/steps/0/with/messages", "at least 1 items"},
	    {WITH("model.generate", "{" MODEL ",\"prompt\":\"a\",\"messages\":\"${{ x }}\"}"),
	     "/steps/0/with", "prompt and messages together"},
	    {WITH("model.generate", "{\"model\":\"claude\",\"prompt\":\"a\"}"),
	     "/steps/0/with/model", "anthropic/"},
	    {WITH("model.generate", "{" MODEL ",\"prompt\":\"a\",\"max_token\":5}"),
	     "/steps/0/with/max_token", "unknown field"},
	    {WITH("model.generate", "{" MODEL ",\"prompt\":\"a\",\"max_output_tokens\":0}"),
	     "/steps/0/with/max_output_tokens", "at least 1"},
	    {WITH("model.generate", "{" MODEL ",\"prompt\":\"a\",\"max_output_tokens\":\"9\"}"),
	     "/steps/0/with/max_output_tokens", "an integer or an expression ${{"},
	    {WITH("model.generate",
		  "{" MODEL ",\"messages\":[{\"role\":\"usr\",\"content\":\"a\"}]}"),
	     "/steps/0/with/messages/0/role", "did you mean \"user\"?"},
	    {WITH("model.generate", "{" MODEL ",\"prompt\":\"a\",\"temperature\":2.5}"),
	     "/steps/0/with/temperature", "at most 2"},
	    {WITH("web.search", "{\"query\":\"a\",\"results\":101}"), "/steps/0/with/results",
	     "at most 100"},
	    {WITH("web.search", "{\"q\":\"a\"}"), "/steps/0/with/q", "unknown field"},
	    {WITH("web.extract", "{\"url\":5}"), "/steps/0/with/url", "a string"},
	    {WITH("sandbox.job", "{\"run\":\"make\"}"), "/steps/0/with/run", "an array"},
	    {WITH("sandbox.job", "{\"run\":[\"a\",5]}"), "/steps/0/with/run/1", "a string or"},
	    {WITH("sandbox.job", "{\"run\":[[\"a\",5]]}"), "/steps/0/with/run/0/1", "a string"},
	    {WITH("sandbox.job", "{\"run\":[\"a\"],\"workdir\":\"/a/../b\"}"),
	     "/steps/0/with/workdir", "absolute"},
	    {WITH("sandbox.job", "{\"run\":[\"a\"],\"artifacts\":[\"../x\"]}"),
	     "/steps/0/with/artifacts/0", "relative"},
	    {WITH("sandbox.job", "{\"run\":[\"a\"],\"env\":{\"A-B\":\"\"}}"),
	     "/steps/0/with/env/A-B", "name of a variable"},
	    {WITH("sandbox.job", "{\"run\":[\"a\"],\"env\":{\"A\":1}}"), "/steps/0/with/env/A",
	     "a string"},
	    {WITH("http.request", "{\"url\":\"https://x\",\"method\":\"GETS\"}"),
	     "/steps/0/with/method", "\"GET\""},
	    {WITH("http.request", "{\"url\":\"https://x\",\"expect_status\":[200,99]}"),
	     "/steps/0/with/expect_status/1", "at least 100"},
	    {WITH("http.request", "{\"url\":\"https://x\",\"dangerous\":\"no\"}"),
	     "/steps/0/with/dangerous", "a boolean or an expression"},
	    {WITH("approval", "{}"), "/steps/0/with", "\"message\" is missing"},
	    {WITH("sleep", "{\"seconds\":-1}"), "/steps/0/with/seconds", "at least 0"},
	    {WITH("sleep", "{\"until\":\"tomorrow\"}"), "/steps/0/with/until", "a time like"},
	    {WITH("sleep", "{\"until\":\"2026-11-22T14:00:00Z\",\"seconds\":1}"), "/steps/0/with",
	     "together"},
	    {WITH("noop", "{\"fails\":true}"), "/steps/0/with/fails", "did you mean \"fail\"?"},
	};
	check_bad(*state, rows, sizeof rows / sizeof rows[0]);
}

static void expressions_may_stand_for_numbers_and_arrays(void **state)
{
	static const char *const good[] = {
	    WITH("model.generate",
		 "{\"model\":\"${{ params.m }}\",\"messages\":\"${{ params.x }}\","
		 "\"max_output_tokens\":\"${{ params.n }}\",\"stop\":\"${{ a }}\","
		 "\"temperature\":\"0.2\",\"stream\":\"${{ b }}\"}"),
	    WITH("sandbox.job", "{\"run\":\"${{ params.commands }}\",\"workdir\":\"${{ w }}\","
				"\"env\":\"${{ e }}\",\"artifacts\":[\"out/*.txt\",\"a..b\"]}"),
	    WITH("sandbox.job", "{\"run\":[\"a\",[\"b\",\"\"]],\"workdir\":\"/a/..b/c\"}"),
	    WITH("http.request", "{\"url\":\"${{ u }}\",\"method\":\"${{ m }}\",\"body\":[1],"
				 "\"expect_status\":[\"${{ s }}\"]}"),
	    WITH("sleep", "{\"seconds\":\"${{ n }}\"}"),
	    WITH("sleep", "{\"until\":\"2026-11-22t14:00:00.5+01:00\"}"),
	    WITH("noop", "{\"output\":{\"any\":[null,1.5]}}"),
	    WITH("forge.nothing", "{\"whatever\":1}"),
	    ONE ",\"$schema\":\"x\",\"description\":\"=HYPERLINK() <script> \\u202e\"}",
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct st_def *def = NULL;
		struct st_diag diag = {0};
		if (decode(*state, good[i], NULL, &def, &diag) != ST_OK) {
			fail_msg("%s: '%s': %s", good[i], diag.pointer, diag.text);
		}
		st_def_free(def);
	}
}

static void the_examples_of_the_contract_follow_it(void **state)
{
	const struct fixture *fixture = *state;
	for (int which = ST_SCHEMAS_RUN; which <= ST_SCHEMAS_CONFIG; which++) {
		size_t len = 0;
		const char *text = st_schemas_text((enum st_schemas_text)which, &len);
		json_t *schema = NULL;
		struct st_diag diag = {0};
		assert_int_equal(st_json_parse(text, len, ST_JSON_BYTES_MAX, &schema, &diag),
				 ST_OK);
		const json_t *examples = json_object_get(schema, "examples");
		assert_true(json_array_size(examples) > 0);
		for (size_t i = 0; i < json_array_size(examples); i++) {
			json_t *example = json_array_get(examples, i);
			struct st_def *def = NULL;
			struct st_config *config = NULL;
			const struct st_def_input input = {example, NULL, fixture->config};
			int code =
			    which == ST_SCHEMAS_RUN
				? st_def_decode(fixture->schemas, &input, &def, &diag)
				: st_config_decode(fixture->schemas, example, &config, &diag);
			if (code != ST_OK) {
				fail_msg("'%s': %s", diag.pointer, diag.text);
			}
			st_def_free(def);
			st_config_free(config);
		}
		json_decref(schema);
	}
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

static void a_step_that_says_nothing_has_the_limit_of_the_budget(void **state)
{
	struct st_def *def = NULL;
	struct st_diag diag = {0};
	static const char text[] =
	    HEAD "\"budget\":{\"tokens\":{\"run\":900,\"step\":300}},\"steps\":[{\"id\":\"a\"," NOOP
		 "},{\"id\":\"b\"," NOOP ",\"budget\":{\"tokens\":700}}]}";
	assert_int_equal(decode(*state, text, NULL, &def, &diag), ST_OK);
	assert_int_equal(def->steps[0].limits.of[ST_METER_TOKENS], 300);
	assert_int_equal(def->steps[1].limits.of[ST_METER_TOKENS], 700);
	assert_int_equal(def->steps[0].limits.of[ST_METER_TOOL_STEPS], ST_UNLIMITED);
	st_def_free(def);
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
	    cmocka_unit_test(a_limit_that_is_no_limit_is_refused),
	    cmocka_unit_test(names_are_plain),
	    cmocka_unit_test(fields_out_of_place_are_named),
	    cmocka_unit_test(what_a_kind_needs_is_checked),
	    cmocka_unit_test(expressions_may_stand_for_numbers_and_arrays),
	    cmocka_unit_test(the_examples_of_the_contract_follow_it),
	    cmocka_unit_test(a_step_that_says_nothing_has_the_limit_of_the_budget),
	    cmocka_unit_test(large_graphs_are_decided_in_bounded_time),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
