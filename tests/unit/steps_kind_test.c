/* SPDX-License-Identifier: Apache-2.0 */
#include "steps_kind_fixture.h"

static void every_kind_declares_itself_wholly(void **state)
{
	(void)state;
	size_t n = 0;
	const struct st_kind *const *all = st_kind_all(&n);
	assert_int_equal(n, 14);
	for (size_t i = 0; i < n; i++) {
		const struct st_kind *kind = all[i];
		assert_ptr_equal(st_kind_find(kind->name), kind);
		assert_true(strlen(kind->name) < 32);
		assert_true(strlen(kind->summary) > 20 && strlen(kind->summary) < 80);
		assert_true(strlen(kind->in_doubt) > 20);
		assert_non_null(kind->check);
		assert_non_null(kind->plan);
		assert_int_equal(kind->request != NULL, kind->via == ST_VIA_HTTP);
		assert_int_equal(kind->answer != NULL,
				 kind->via != ST_VIA_JOB && kind->via != ST_VIA_GIT);
		assert_int_equal(kind->job != NULL, kind->via == ST_VIA_JOB);
		assert_int_equal(kind->job_answer != NULL, kind->via == ST_VIA_JOB);
		assert_int_equal(kind->git != NULL, kind->via == ST_VIA_GIT);
		assert_int_equal(kind->git_answer != NULL, kind->via == ST_VIA_GIT);
		assert_int_equal(kind->count_request != NULL, kind->count_answer != NULL);
		/* An unrepeatable kind has an effect; what has none may be repeated. */
		bool effect =
		    kind->idempotence == ST_UNREPEATABLE || strcmp(kind->name, "git.push") == 0;
		assert_int_equal(kind->side_effects, effect);
	}
	assert_null(st_kind_find("model"));
	assert_null(st_kind_find(""));
}

static void a_plan_holds_only_meters_that_its_kind_declares(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
	    {"model.generate", "{'model':'anthropic/claude','prompt':'x'}"},
	    {"web.search", "{'query':'x'}"},
	    {"web.extract", "{'url':'https://a.example/'}"},
	    {"sandbox.job", "{'run':['true']}"},
	    {"http.request", "{'url':'https://a.example/','method':'DELETE'}"},
	    {"git.clone", "{'url':'https://a.example/r.git'}"},
	    {"git.branch", "{'name':'b'}"},
	    {"git.commit", "{'paths':['.'],'message':'x'}"},
	    {"git.push", "{'branch':'b','force':true}"},
	    {"git.diff", "{}"},
	    {"client", "{}"},
	    {"approval", "{'message':'go?'}"},
	    {"sleep", "{'seconds':1}"},
	    {"noop", "{}"},
	};
	struct st_room room = room_without_limits();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_plan plan = plan_of(rows[i][0], rows[i][1], &room);
		const struct st_kind *kind = kind_of(rows[i][0]);
		bool takes = kind->via != ST_VIA_TIMER && kind->via != ST_VIA_PERSON &&
			     kind->via != ST_VIA_CLIENT;
		assert_int_equal(plan.bound.of[ST_METER_TOOL_STEPS], takes ? 1 : 0);
		assert_true(plan.timeout_ms > 0);
		for (size_t k = 0; k < ST_METER_COUNT; k++) {
			bool declared = (kind->meters >> k & 1) != 0;
			assert_true(declared ? plan.bound.of[k] > 0 : plan.bound.of[k] == 0);
		}
		/* And what was planned for literals passes admission, too. */
		json_t *with = json_of(rows[i][1]);
		assert_int_equal(kind->check(with, &fixture_config, NULL), ST_OK);
		json_decref(with);
	}
}

static void the_steps_own_timeout_replaces_the_kinds(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	json_t *with = json_of("{'query':'x'}");
	struct st_plan plan;
	assert_int_equal(
	    kind_of("web.search")->plan(with, &fixture_config, &room, 1234, -1, &plan, NULL),
	    ST_OK);
	assert_int_equal(plan.timeout_ms, 1234);
	json_decref(with);
}

static void noop_gives_back_its_output_or_fails(void **state)
{
	(void)state;
	struct st_outcome out = outcome_of("noop", "{'output':{'a':[1]}}", NULL);
	assert_int_equal(out.state, ST_OUTCOME_SUCCEEDED);
	assert_json_value(out.output, "{'a':[1]}");
	assert_true(out.usage_known);
	assert_int_equal(out.usage.of[ST_METER_TOOL_STEPS], 1);
	st_outcome_fini(&out);
	out = outcome_of("noop", "{}", NULL);
	assert_int_equal(out.state, ST_OUTCOME_SUCCEEDED);
	assert_null(out.output);
	st_outcome_fini(&out);
	out = outcome_of("noop", "{'fail':true,'output':1}", NULL);
	assert_int_equal(out.state, ST_OUTCOME_FAILED);
	assert_true(out.retryable);
	assert_string_equal(out.error_code, "noop.failed");
	st_outcome_fini(&out);
}

static void sleep_waits_for_a_while_or_until_a_moment(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	struct st_plan plan = plan_of("sleep", "{'seconds':90}", &room);
	assert_int_equal(plan.wait_ms, 90000);
	assert_true(plan.wait_until == ST_TIME_NONE);
	plan = plan_of("sleep", "{'seconds':0}", &room);
	assert_int_equal(plan.wait_ms, 0);
	plan = plan_of("sleep", "{'until':'2038-01-19T03:14:08Z'}", &room);
	assert_true(plan.wait_until == INT64_C(2147483648000));
	static const char *const bad[] = {
	    "{}",
	    "{'seconds':-1}",
	    "{'seconds':1.5}",
	    "{'seconds':31622401}",
	    "{'seconds':9223372036854775807}",
	    "{'seconds':'1'}",
	    "{'seconds':1,'until':'2038-01-19T03:14:08Z'}",
	    "{'until':'2027-02-29T00:00:00Z'}",
	    "{'until':'tomorrow'}",
	    "{'until':5}",
	    "{'minutes':5}",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct st_diag diag;
		assert_int_equal(refusal_of("sleep", bad[i], &room, &diag), ST_ERR_INVALID);
	}
	struct st_outcome out = outcome_of("sleep", "{'seconds':0}", NULL);
	assert_int_equal(out.state, ST_OUTCOME_SUCCEEDED);
	assert_true(st_amounts_are_zero(&out.usage));
	st_outcome_fini(&out);
}

static void an_approval_shows_its_message(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	struct st_diag diag;
	struct st_plan plan = plan_of("approval", "{'message':'Deploy to production?'}", &room);
	assert_string_equal(plan.intent, "Deploy to production?");
	assert_true(st_amounts_are_zero(&plan.bound));
	assert_int_equal(refusal_of("approval", "{}", &room, &diag), ST_ERR_INVALID);
	assert_string_equal(diag.pointer, "/message");
	assert_int_equal(refusal_of("approval", "{'message':''}", &room, &diag), ST_ERR_INVALID);
	/* A long message is cut between characters, not within one. */
	char with[600] = "{'message':'a";
	for (int i = 0; i < 200; i++) {
		memcpy(with + 13 + 2 * i, "\xc3\xa9", 3);
	}
	memcpy(with + 413, "'}", 3);
	plan = plan_of("approval", with, &room);
	assert_int_equal(strlen(plan.intent), 255);
	with[413] = '\0';
	char even[600] = "{'message':'";
	memcpy(even + 12, with + 13, 400);
	memcpy(even + 412, "'}", 3);
	plan = plan_of("approval", even, &room);
	assert_int_equal(strlen(plan.intent), 254);
}

static void expressions_pass_admission_in_every_kind(void **state)
{
	(void)state;
	static const struct {
		const char *kind;
		const char *with;
		int rc;
	} rows[] = {
	    {"noop", "{'fail':'${{ params.f }}','output':'${{ x }}'}", ST_OK},
	    {"noop", "{'fail':'yes'}", ST_ERR_INVALID},
	    {"sleep", "{'seconds':'${{ params.s }}'}", ST_OK},
	    {"sleep", "{'until':'${{ params.s }}'}", ST_OK},
	    {"sleep", "{'until':'noon'}", ST_ERR_INVALID},
	    {"approval", "{'message':'ok with ${{ params.s }}?'}", ST_OK},
	    {"web.search", "{'provider':'${{ p }}','query':'${{ q }}','results':'${{ n }}'}",
	     ST_OK},
	    {"web.search", "{'query':'${{ q }}','results':101}", ST_ERR_INVALID},
	    {"web.search", "{'provider':'anthropic','query':'q'}", ST_ERR_INVALID},
	    {"web.extract", "{'url':'${{ item.url }}'}", ST_OK},
	    {"web.extract", "{'url':'https://a.example/${{ item.id }}'}", ST_OK},
	    {"web.extract", "{'url':'ftp://a.example/'}", ST_ERR_INVALID},
	    {"sandbox.job", "{'run':'${{ params.run }}'}", ST_OK},
	    {"sandbox.job", "{'run':['${{ params.run }}'],'workdir':'${{ params.dir }}'}", ST_OK},
	    {"sandbox.job", "{'run':['x'],'workdir':'/srv/w/${{ params.dir }}'}", ST_OK},
	    {"sandbox.job", "{'run':['x'],'workdir':'/srv/w/sub'}", ST_OK},
	    {"sandbox.job", "{'run':['x'],'workdir':'/srv/other'}", ST_ERR_INVALID},
	    {"sandbox.job", "{'run':['x'],'env':{'LD_PRELOAD':'${{ x }}'}}", ST_ERR_INVALID},
	    {"http.request", "{'method':'${{ m }}','url':'${{ u }}','headers':'${{ h }}'}", ST_OK},
	    {"http.request", "{'url':'${{ u }}','expect_status':['${{ s }}']}", ST_OK},
	    {"http.request", "{'url':'${{ u }}','headers':{'Host':'${{ h }}'}}", ST_ERR_INVALID},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_diag diag = {0};
		json_t *with = json_of(rows[i].with);
		int rc = kind_of(rows[i].kind)->check(with, &fixture_config, &diag);
		if (rc != rows[i].rc) {
			fail_msg("%s: %d, %s", rows[i].with, rc, diag.text);
		}
		json_decref(with);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_declares_itself_wholly),
	    cmocka_unit_test(a_plan_holds_only_meters_that_its_kind_declares),
	    cmocka_unit_test(the_steps_own_timeout_replaces_the_kinds),
	    cmocka_unit_test(noop_gives_back_its_output_or_fails),
	    cmocka_unit_test(sleep_waits_for_a_while_or_until_a_moment),
	    cmocka_unit_test(an_approval_shows_its_message),
	    cmocka_unit_test(expressions_pass_admission_in_every_kind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
