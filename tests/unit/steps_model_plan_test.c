/* SPDX-License-Identifier: Apache-2.0 */
#include "steps_kind_fixture.h"

#define MODEL "model.generate"

static void what_is_held_is_the_worst_case(void **state)
{
	(void)state;
	/* "hello" is 5 bytes; overheads 64 + 8 (anthropic), 256 + 16 (openai), 64 + 16 (gemini). */
	static const struct {
		const char *with;
		int64_t tokens;
		int64_t cost; /* all input at the dearest price, output at the output price */
	} rows[] = {
	    {"{'model':'anthropic/claude','prompt':'hello','max_output_tokens':100}", 5 + 72 + 100,
	     77 * 3750 + 100 * 15000},
	    {"{'model':'anthropic/claude','prompt':'hello'}", 5 + 72 + 1024,
	     77 * 3750 + 1024 * 15000},
	    {"{'model':'anthropic/claude','prompt':'hello','system':'be','max_output_tokens':1}",
	     7 + 80 + 1, 87 * 3750 + 15000},
	    {"{'model':'anthropic/claude','messages':[{'role':'user','content':'a'},"
	     "{'role':'assistant','content':'bc'},{'role':'user','content':'def'}],"
	     "'max_output_tokens':10}",
	     6 + 64 + 24 + 10, 94 * 3750 + 10 * 15000},
	    {"{'model':'openai/gpt','prompt':'hello','max_output_tokens':100}", 5 + 272 + 100,
	     277 * 1000 + 100 * 2000},
	    {"{'model':'gemini/g','prompt':'hello','max_output_tokens':100}", 5 + 80 + 100,
	     85 * 1000 + 100 * 2000},
	    /* Without a price and without a cost budget no cost is held. */
	    {"{'model':'local/any:tag','prompt':'hello','max_output_tokens':100}", 5 + 272 + 100,
	     0},
	    /* A character of several bytes may be several tokens. */
	    {"{'model':'anthropic/claude','prompt':'h\xc3\xa9llo','max_output_tokens':1}",
	     6 + 72 + 1, 78 * 3750 + 15000},
	};
	struct st_room room = room_without_limits();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_plan plan = plan_of(MODEL, rows[i].with, &room);
		assert_int_equal(plan.bound.of[ST_METER_TOKENS], rows[i].tokens);
		assert_int_equal(plan.bound.of[ST_METER_COST_NUSD], rows[i].cost);
		assert_int_equal(plan.bound.of[ST_METER_TOOL_STEPS], 1);
		assert_string_equal(plan.clamp.what, "");
		assert_false(plan.exact_count_may_help);
		assert_false(plan.side_effects);
		assert_false(plan.dangerous);
		assert_int_equal(plan.idempotence, ST_REPEATABLE);
		assert_true(plan.wait_until == ST_TIME_NONE);
	}
}

/* 77 tokens of input. */
#define CLAUDE "{'model':'anthropic/claude','prompt':'hello','max_output_tokens':1000%s}"

static void output_is_clamped_to_what_fits_and_never_below_the_floor(void **state)
{
	(void)state;
	static const struct {
		int64_t tokens_left;
		int64_t cost_left;
		const char *floor;
		int64_t output; /* held */
		bool clamped;
		bool count_may_help;
	} rows[] = {
	    {1077, ST_UNLIMITED, "", 1000, false, false},
	    {1076, ST_UNLIMITED, "", 1000, false, true}, /* no floor: nothing is lowered */
	    {1076, ST_UNLIMITED, ",'min_useful_output':1", 999, true, false},
	    {177, ST_UNLIMITED, ",'min_useful_output':100", 100, true, false},
	    {176, ST_UNLIMITED, ",'min_useful_output':100", 1000, false, true},
	    {100, ST_UNLIMITED, ",'min_useful_output':100", 1000, false, false},
	    {0, ST_UNLIMITED, ",'min_useful_output':1", 1000, false, false},
	    /* 77 * 3750 = 288750 is spent on input, an output token costs 15000. */
	    {ST_UNLIMITED, 288750 + 15000 * 1000, "", 1000, false, false},
	    {ST_UNLIMITED, 288750 + 15000 * 1000 - 1, "", 1000, false, true},
	    {ST_UNLIMITED, 288750 + 15000 * 10 + 14999, ",'min_useful_output':5", 10, true, false},
	    {ST_UNLIMITED, 288750 + 15000 * 4 + 14999, ",'min_useful_output':5", 1000, false, true},
	    {ST_UNLIMITED, 15000, ",'min_useful_output':5", 1000, false, false},
	    {177, 288750 + 15000 * 50, ",'min_useful_output':5", 50, true, false},
	    {ST_UNLIMITED, 0, ",'min_useful_output':1", 1000, false, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char with[256];
		(void)snprintf(with, sizeof with, CLAUDE, rows[i].floor);
		struct st_room room = room_without_limits();
		room.left.of[ST_METER_TOKENS] = rows[i].tokens_left;
		room.left.of[ST_METER_COST_NUSD] = rows[i].cost_left;
		struct st_plan plan = plan_of(MODEL, with, &room);
		assert_int_equal(plan.bound.of[ST_METER_TOKENS], 77 + rows[i].output);
		assert_int_equal(plan.bound.of[ST_METER_COST_NUSD],
				 77 * 3750 + 15000 * rows[i].output);
		assert_int_equal(plan.exact_count_may_help, rows[i].count_may_help);
		assert_string_equal(plan.clamp.what, rows[i].clamped ? "max_output_tokens" : "");
		assert_int_equal(plan.clamp.asked, rows[i].clamped ? 1000 : 0);
		assert_int_equal(plan.clamp.given, rows[i].clamped ? rows[i].output : 0);
	}
}

static void a_clamped_output_is_what_the_provider_is_told(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	room.left.of[ST_METER_TOKENS] = 500;
	char with[256];
	(void)snprintf(with, sizeof with, CLAUDE, ",'min_useful_output':5");
	struct st_plan plan = plan_of(MODEL, with, &room);
	struct st_http_request request = request_of(MODEL, with, &plan);
	json_t *body = json_loads(request.body, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(body, "max_tokens")), 423);
	json_decref(body);
	st_http_request_fini(&request);
}

static void an_exact_count_replaces_the_bound_of_bytes(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	struct st_plan plan;
	json_t *params =
	    json_of("{'model':'anthropic/claude','prompt':'hello','max_output_tokens':100}");
	static const int64_t rows[][2] = {{0, 32}, {10, 43}, {1000, 1052}, {1001, 1054}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(kind_of(MODEL)->plan(params, &fixture_config, &room, 0, rows[i][0],
						      &plan, NULL),
				 ST_OK);
		assert_int_equal(plan.bound.of[ST_METER_TOKENS], rows[i][1] + 100);
		assert_int_equal(plan.counted_input, rows[i][0]);
	}
	/* Once counted, counting does not help again. */
	room.left.of[ST_METER_TOKENS] = 50;
	assert_int_equal(kind_of(MODEL)->plan(params, &fixture_config, &room, 0, 10, &plan, NULL),
			 ST_OK);
	assert_false(plan.exact_count_may_help);
	json_decref(params);
}

static void a_dialect_that_cannot_count_does_not_offer_it(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	room.left.of[ST_METER_TOKENS] = 200;
	static const struct {
		const char *with;
		bool counts;
	} rows[] = {
	    {"{'model':'openai/gpt','prompt':'hello','max_output_tokens':100}", false},
	    {"{'model':'resp/gpt','prompt':'hello','max_output_tokens':100}", true},
	    {"{'model':'gemini/g','prompt':'hello','max_output_tokens':150}", true},
	    {"{'model':'anthropic/claude','prompt':'hello','max_output_tokens':150}", true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(plan_of(MODEL, rows[i].with, &room).exact_count_may_help,
				 rows[i].counts);
	}
}

static void an_unpriced_model_is_refused_under_a_cost_budget_only(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	struct st_diag diag;
	room.left.of[ST_METER_COST_NUSD] = INT64_MAX;
	assert_int_equal(refusal_of(MODEL, "{'model':'local/x','prompt':'hi'}", &room, &diag),
			 ST_ERR_UNSUPPORTED);
	assert_string_equal(diag.pointer, "/model");
	assert_non_null(strstr(diag.text, "\"input_usd_per_million\" of \"local/x\" under "
					  "\"prices\""));
	assert_int_equal(refusal_of(MODEL, "{'model':'openai/half','prompt':'hi'}", &room, &diag),
			 ST_ERR_UNSUPPORTED);
	assert_non_null(strstr(diag.text, "\"output_usd_per_million\" of \"openai/half\""));
	room.left.of[ST_METER_COST_NUSD] = ST_UNLIMITED;
	struct st_plan plan = plan_of(MODEL, "{'model':'openai/half','prompt':'hi'}", &room);
	assert_int_equal(plan.bound.of[ST_METER_COST_NUSD], 0);
}

static const struct {
	const char *with;
	const char *pointer;
} BAD[] = {
    {"[]", ""},
    {"{'prompt':'x'}", "/model"},
    {"{'model':7,'prompt':'x'}", "/model"},
    {"{'model':'gpt','prompt':'x'}", "/model"},
    {"{'model':'openai/','prompt':'x'}", "/model"},
    {"{'model':'/gpt','prompt':'x'}", "/model"},
    {"{'model':'openai/g p','prompt':'x'}", "/model"},
    {"{'model':'openai/g\\r\\nx','prompt':'x'}", "/model"},
    {"{'model':'nobody/gpt','prompt':'x'}", "/model"},
    {"{'model':'exa/gpt','prompt':'x'}", "/model"},
    {"{'model':'openai/gpt'}", "/prompt"},
    {"{'model':'openai/gpt','prompt':''}", "/prompt"},
    {"{'model':'openai/gpt','prompt':['x']}", "/prompt"},
    {"{'model':'openai/gpt','prompt':'x','messages':[{'role':'user','content':'x'}]}", "/prompt"},
    {"{'model':'openai/gpt','messages':[]}", "/messages"},
    {"{'model':'openai/gpt','messages':'x'}", "/messages"},
    {"{'model':'openai/gpt','messages':['x']}", "/messages/0"},
    {"{'model':'openai/gpt','messages':[{'role':'user','content':'x'},"
     "{'role':'system','content':'x'}]}",
     "/messages/1"},
    {"{'model':'openai/gpt','messages':[{'role':'user','content':''}]}", "/messages/0"},
    {"{'model':'openai/gpt','messages':[{'role':'user','content':'x','name':'y'}]}", "/messages/0"},
    {"{'model':'openai/gpt','prompt':'x','system':7}", "/system"},
    {"{'model':'openai/gpt','prompt':'x','max_output_tokens':0}", "/max_output_tokens"},
    {"{'model':'openai/gpt','prompt':'x','max_output_tokens':-1}", "/max_output_tokens"},
    {"{'model':'openai/gpt','prompt':'x','max_output_tokens':1e3}", "/max_output_tokens"},
    {"{'model':'openai/gpt','prompt':'x','max_output_tokens':'9'}", "/max_output_tokens"},
    {"{'model':'openai/gpt','prompt':'x','max_output_tokens':null}", "/max_output_tokens"},
    {"{'model':'openai/gpt','prompt':'x','max_output_tokens':1000001}", "/max_output_tokens"},
    {"{'model':'openai/gpt','prompt':'x','max_output_tokens':5,'min_useful_output':6}",
     "/min_useful_output"},
    {"{'model':'resp/gpt','prompt':'x','max_output_tokens':15}", "/max_output_tokens"},
    {"{'model':'resp/gpt','prompt':'x','min_useful_output':15}", "/max_output_tokens"},
    {"{'model':'resp/gpt','prompt':'x','stop':['y']}", "/stop"},
    {"{'model':'openai/gpt','prompt':'x','stop':[]}", "/stop"},
    {"{'model':'openai/gpt','prompt':'x','stop':['']}", "/stop"},
    {"{'model':'openai/gpt','prompt':'x','stop':['1','2','3','4','5']}", "/stop"},
    {"{'model':'openai/gpt','prompt':'x','stop':'y'}", "/stop"},
    {"{'model':'openai/gpt','prompt':'x','temperature':2.1}", "/temperature"},
    {"{'model':'openai/gpt','prompt':'x','temperature':-1}", "/temperature"},
    {"{'model':'openai/gpt','prompt':'x','temperature':'hot'}", "/temperature"},
    {"{'model':'openai/gpt','prompt':'x','stream':1}", "/stream"},
    {"{'model':'openai/gpt','prompt':'x','reasoning_effort':'lots'}", "/reasoning_effort"},
    {"{'model':'openai/gpt','prompt':'x','max_tokens':9}", "/max_tokens"},
    {"{'model':'openai/gpt','prompt':'x','a/b~c':9}", "/a~1b~0c"},
};

static void bad_params_are_refused_where_they_are(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
		struct st_diag diag;
		assert_int_equal(refusal_of(MODEL, BAD[i].with, &room, &diag), ST_ERR_INVALID);
		assert_string_equal(diag.pointer, BAD[i].pointer);
		assert_true(diag.text[0] != '\0');
	}
}

static void expressions_pass_at_admission_and_literals_are_checked(void **state)
{
	(void)state;
	static const struct {
		const char *with;
		int rc;
	} rows[] = {
	    {"{'model':'${{ params.m }}','prompt':'${{ params.p }}'}", ST_OK},
	    {"{'model':'openai/${{ params.m }}','prompt':'x'}", ST_OK},
	    {"{'model':'openai/gpt','messages':'${{ params.p }}','temperature':'${{ params.t }}'}",
	     ST_OK},
	    {"{'model':'openai/gpt','prompt':'x','max_output_tokens':'${{ params.p }}',"
	     "'min_useful_output':5000,'stream':'${{ params.s }}','stop':'${{ params.x }}'}",
	     ST_OK},
	    {"{'model':'openai/gpt','messages':[{'role':'${{ item.r }}','content':'${{ x }}'}]}",
	     ST_OK},
	    {"{'model':'openai/gpt','prompt':'${{ x }}','max_output_tokens':0}", ST_ERR_INVALID},
	    {"{'model':'nobody/gpt','prompt':'${{ x }}'}", ST_ERR_INVALID},
	    {"{'model':'openai/gpt','prompt':'${{ x }}','typo':1}", ST_ERR_INVALID},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *with = json_of(rows[i].with);
		assert_int_equal(kind_of(MODEL)->check(with, &fixture_config, NULL), rows[i].rc);
		json_decref(with);
	}
}

static void a_model_names_its_provider(void **state)
{
	(void)state;
	char name[ST_NAME_MAX];
	json_t *with = json_of("{'model':'anthropic/claude','prompt':'x'}");
	assert_string_equal(kind_of(MODEL)->provider(with, name), "anthropic");
	json_decref(with);
	with = json_of("{'model':'claude','prompt':'x'}");
	assert_null(kind_of(MODEL)->provider(with, name));
	json_decref(with);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_held_is_the_worst_case),
	    cmocka_unit_test(output_is_clamped_to_what_fits_and_never_below_the_floor),
	    cmocka_unit_test(a_clamped_output_is_what_the_provider_is_told),
	    cmocka_unit_test(an_exact_count_replaces_the_bound_of_bytes),
	    cmocka_unit_test(a_dialect_that_cannot_count_does_not_offer_it),
	    cmocka_unit_test(an_unpriced_model_is_refused_under_a_cost_budget_only),
	    cmocka_unit_test(bad_params_are_refused_where_they_are),
	    cmocka_unit_test(expressions_pass_at_admission_and_literals_are_checked),
	    cmocka_unit_test(a_model_names_its_provider),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
