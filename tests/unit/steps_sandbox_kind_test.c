/* SPDX-License-Identifier: Apache-2.0 */
#include "steps_kind_fixture.h"

#define JOB "sandbox.job"

static void both_limits_of_time_are_held(void **state)
{
	(void)state;
	static const struct {
		const char *with;
		int64_t cap;
		int64_t seconds; /* held */
		int64_t soft_ms;
		const char *clamp;
		int64_t asked;
		int64_t given;
	} rows[] = {
	    {"{'run':['x']}", ST_UNLIMITED, 610, 600000, "", 0, 0},
	    {"{'run':['x']}", 60, 70, 60000, "", 0, 0}, /* a default that is lowered: no clamp */
	    {"{'run':['x'],'timeout_seconds':60}", 60, 70, 60000, "", 0, 0},
	    {"{'run':['x'],'timeout_seconds':61}", 60, 70, 60000, "timeout_seconds", 61, 60},
	    {"{'run':['x'],'timeout_seconds':5,'grace_seconds':2}", 600, 7, 5000, "", 0, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_room room = room_without_limits();
		struct st_job_spec spec;
		room.job.job_seconds = rows[i].cap;
		struct st_plan plan = plan_of(JOB, rows[i].with, &room);
		json_t *params = json_of(rows[i].with);
		assert_int_equal(plan.bound.of[ST_METER_SANDBOX_SECONDS], rows[i].seconds);
		assert_int_equal(plan.bound.of[ST_METER_SANDBOX_JOBS], 1);
		assert_string_equal(plan.clamp.what, rows[i].clamp);
		assert_int_equal(plan.clamp.asked, rows[i].asked);
		assert_int_equal(plan.clamp.given, rows[i].given);
		assert_int_equal(kind_of(JOB)->job(params, &plan, &spec, NULL), ST_OK);
		assert_int_equal(spec.soft_ms, rows[i].soft_ms);
		assert_int_equal(spec.hard_ms, rows[i].seconds * 1000);
		st_job_spec_fini(&spec);
		json_decref(params);
	}
}

static void the_steps_timeout_ends_a_job_earlier(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	struct st_plan plan;
	json_t *params = json_of("{'run':['x'],'timeout_seconds':60,'grace_seconds':1}");
	assert_int_equal(kind_of(JOB)->plan(params, &fixture_config, &room, 1500, -1, &plan, NULL),
			 ST_OK);
	assert_int_equal(plan.timeout_ms, 2500);
	assert_int_equal(plan.bound.of[ST_METER_SANDBOX_SECONDS], 3);
	json_decref(params);
}

static void logs_keep_to_the_runs_cap(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	room.job.log_bytes = 4096;
	struct st_plan plan = plan_of(JOB, "{'run':['x']}", &room);
	assert_int_equal(plan.log_bytes_max, 4096);
	assert_string_equal(plan.clamp.what, "");
	plan = plan_of(JOB, "{'run':['x'],'log_bytes':2048}", &room);
	assert_int_equal(plan.log_bytes_max, 2048);
	plan = plan_of(JOB, "{'run':['x'],'log_bytes':8192}", &room);
	assert_int_equal(plan.log_bytes_max, 4096);
	assert_string_equal(plan.clamp.what, "log_bytes");
	room.job.log_bytes = ST_UNLIMITED;
	assert_int_equal(plan_of(JOB, "{'run':['x']}", &room).log_bytes_max, 1048576);
}

static void no_time_for_jobs_is_said_before_any_job(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	struct st_diag diag;
	room.job.job_seconds = 0;
	assert_int_equal(refusal_of(JOB, "{'run':['x']}", &room, &diag), ST_ERR_UNSUPPORTED);
	assert_non_null(strstr(diag.text, "/budget/sandbox/job_seconds"));
}

static void a_job_is_what_was_asked_for_and_nothing_more(void **state)
{
	(void)state;
	static const char with[] =
	    "{'run':['make test',['printf','%s',';rm -rf /','']],'env':{'CI':'1'},'stdin':'in',"
	    "'workdir':'/srv/w','repeatable':true}";
	struct st_room room = room_without_limits();
	struct st_plan plan = plan_of(JOB, with, &room);
	struct st_job_spec spec;
	json_t *params = json_of(with);
	assert_int_equal(kind_of(JOB)->job(params, &plan, &spec, NULL), ST_OK);
	json_decref(params);
	assert_json_value(spec.commands, "['make test',['printf','%s',';rm -rf /','']]");
	assert_json_value(spec.env, "{'CI':'1'}");
	assert_string_equal(spec.stdin_text, "in");
	assert_string_equal(spec.workdir, "/srv/w");
	assert_int_equal(plan.idempotence, ST_REPEATABLE);
	assert_false(plan.side_effects);
	st_job_spec_fini(&spec);
	plan = plan_of(JOB, "{'run':['x']}", &room);
	assert_int_equal(plan.idempotence, ST_UNREPEATABLE);
	assert_true(plan.side_effects);
}

static void bad_jobs_are_refused_where_they_are(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
	    {"{}", "/run"},
	    {"{'run':[]}", "/run"},
	    {"{'run':'make'}", "/run"},
	    {"{'run':['make',7]}", "/run/1"},
	    {"{'run':['make','']}", "/run/1"},
	    {"{'run':[[]]}", "/run/0"},
	    {"{'run':[['']]}", "/run/0"},
	    {"{'run':[['a',1]]}", "/run/0"},
	    {"{'run':[['a',['b']]]}", "/run/0"},
	    {"{'run':['x'],'timeout_seconds':0}", "/timeout_seconds"},
	    {"{'run':['x'],'timeout_seconds':86401}", "/timeout_seconds"},
	    {"{'run':['x'],'grace_seconds':0}", "/grace_seconds"},
	    {"{'run':['x'],'env':[]}", "/env"},
	    {"{'run':['x'],'env':{'A B':'1'}}", "/env"},
	    {"{'run':['x'],'env':{'1A':'1'}}", "/env"},
	    {"{'run':['x'],'env':{'A=':'1'}}", "/env"},
	    {"{'run':['x'],'env':{'A':1}}", "/env"},
	    {"{'run':['x'],'env':{'LD_PRELOAD':'/x.so'}}", "/env"},
	    {"{'run':['x'],'workdir':'rel'}", "/workdir"},
	    {"{'run':['x'],'workdir':'/a/../b'}", "/workdir"},
	    {"{'run':['x'],'workdir':''}", "/workdir"},
	    {"{'run':['x'],'workdir':'/srv'}", "/workdir"},
	    {"{'run':['x'],'workdir':'/srv/wide'}", "/workdir"},
	    {"{'run':['x'],'log_bytes':1023}", "/log_bytes"},
	    {"{'run':['x'],'repeatable':'yes'}", "/repeatable"},
	    {"{'run':['x'],'artifacts':'out/*'}", "/artifacts"},
	    {"{'run':['x'],'artifacts':['a','../b']}", "/artifacts/1"},
	    {"{'run':['x'],'artifacts':['/etc/passwd']}", "/artifacts/0"},
	    {"{'run':['x'],'artifacts':['a/**/b']}", "/artifacts/0"},
	    {"{'run':['x'],'artifacts':['']}", "/artifacts/0"},
	    {"{'run':['x'],'artifacts':[7]}", "/artifacts/0"},
	    {"{'run':['x'],'timeout':5}", "/timeout"},
	};
	struct st_room room = room_without_limits();
	struct st_diag diag;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(refusal_of(JOB, rows[i][0], &room, &diag), ST_ERR_INVALID);
		assert_string_equal(diag.pointer, rows[i][1]);
	}
}

static struct st_outcome outcome_of_job(const char *with, struct st_job_result *result)
{
	struct st_room room = room_without_limits();
	struct st_plan plan = plan_of(JOB, with, &room);
	struct st_outcome out;
	json_t *params = json_of(with);
	kind_of(JOB)->job_answer(params, &plan, result, &out);
	json_decref(params);
	return out;
}

static void patterns_go_to_the_job_and_what_it_left_to_later_steps(void **state)
{
	(void)state;
	static const char with[] = "{'run':['x'],'artifacts':['out/*.txt','log']}";
	struct st_room room = room_without_limits();
	struct st_plan plan = plan_of(JOB, with, &room);
	struct st_job_spec spec;
	json_t *params = json_of(with);
	assert_int_equal(kind_of(JOB)->job(params, &plan, &spec, NULL), ST_OK);
	assert_json_value(spec.artifacts, "['out/*.txt','log']");
	assert_int_equal(spec.artifact_caps.files, 16);
	assert_int_equal(spec.artifact_caps.file_bytes, 1048576);
	assert_int_equal(spec.artifact_caps.bytes, 4194304);
	json_decref(params);
	st_job_spec_fini(&spec);

	char path[] = "log";
	struct st_artifact left[] = {{.path = path, .bytes = path, .len = 3, .hash = {0xab}}};
	struct st_job_result result = {.end = ST_JOB_EXITED, .artifacts = left, .n_artifacts = 1};
	struct st_outcome out = outcome_of_job(with, &result);
	const char zeros[] = "00000000000000000000000000000000000000000000000000000000000000";
	char expected[256];
	(void)snprintf(expected, sizeof expected, "[{'path':'log','bytes':3,'hash':'ab%s'}]",
		       zeros);
	assert_json_value(json_object_get(out.output, "artifacts"), expected);
	st_outcome_fini(&out);
}

static void each_end_of_a_job_has_its_outcome(void **state)
{
	(void)state;
	static const struct {
		enum st_job_end end;
		int exit_code;
		int64_t wall_ms;
		enum st_outcome_state state;
		int64_t seconds;
		const char *code;
	} rows[] = {
	    {ST_JOB_EXITED, 0, 1, ST_OUTCOME_SUCCEEDED, 1, ""},
	    {ST_JOB_EXITED, 0, 1000, ST_OUTCOME_SUCCEEDED, 1, ""},
	    {ST_JOB_EXITED, 2, 1001, ST_OUTCOME_FAILED, 2, "job.exit"},
	    {ST_JOB_SIGNALLED, 137, 0, ST_OUTCOME_FAILED, 0, "job.signal"},
	    {ST_JOB_TIMED_OUT, 143, 600500, ST_OUTCOME_FAILED, 601, "job.timeout"},
	    {ST_JOB_ABORTED, 143, 5000, ST_OUTCOME_FAILED, 5, "job.aborted"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (int repeatable = 0; repeatable < 2; repeatable++) {
			struct st_job_result result = {.end = rows[i].end,
						       .exit_code = rows[i].exit_code,
						       .wall_ms = rows[i].wall_ms};
			result.transcript = json_of("[{'command':'x','stdout':'a','stderr':'b'}]");
			struct st_outcome out = outcome_of_job(
			    repeatable == 1 ? "{'run':['x'],'repeatable':true}" : "{'run':['x']}",
			    &result);
			assert_int_equal(out.state, rows[i].state);
			assert_true(out.usage_known);
			assert_int_equal(out.usage.of[ST_METER_SANDBOX_SECONDS], rows[i].seconds);
			assert_int_equal(out.usage.of[ST_METER_SANDBOX_JOBS], 1);
			assert_int_equal(out.usage.of[ST_METER_TOOL_STEPS], 1);
			assert_string_equal(out.error_code, rows[i].code);
			assert_int_equal(out.retryable,
					 repeatable == 1 && rows[i].state == ST_OUTCOME_FAILED);
			st_outcome_fini(&out);
			st_job_result_fini(&result);
		}
	}
}

static void a_job_that_did_not_start_gives_its_hold_back(void **state)
{
	(void)state;
	struct st_job_result result = {.end = ST_JOB_NOT_STARTED, .error = "no such directory"};
	struct st_outcome out = outcome_of_job("{'run':['x']}", &result);
	assert_int_equal(out.state, ST_OUTCOME_NOT_MADE);
	assert_non_null(strstr(out.error, "no such directory"));
	assert_null(out.output);
	st_outcome_fini(&out);
}

static void later_steps_see_what_the_last_command_printed(void **state)
{
	(void)state;
	struct st_job_result result = {.end = ST_JOB_EXITED, .exit_code = 3, .wall_ms = 12};
	result.transcript = json_of("[{'command':'a','stdout':'first','stderr':''},"
				    "{'command':'b','stdout':'out','stderr':'err',"
				    "'truncated':true}]");
	struct st_outcome out = outcome_of_job("{'run':['a','b']}", &result);
	assert_json_value(out.output, "{'exit_code':3,'wall_ms':12,'commands':2,'stdout':'out',"
				      "'stderr':'err','truncated':true}");
	assert_string_equal(out.error, "command 2 exited with 3");
	st_outcome_fini(&out);
	st_job_result_fini(&result);
	result = (struct st_job_result){.end = ST_JOB_EXITED};
	out = outcome_of_job("{'run':['a']}", &result);
	assert_json_value(out.output, "{'exit_code':0,'wall_ms':0,'commands':0,'stdout':'',"
				      "'stderr':'','truncated':false}");
	st_outcome_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_limits_of_time_are_held),
	    cmocka_unit_test(the_steps_timeout_ends_a_job_earlier),
	    cmocka_unit_test(logs_keep_to_the_runs_cap),
	    cmocka_unit_test(no_time_for_jobs_is_said_before_any_job),
	    cmocka_unit_test(a_job_is_what_was_asked_for_and_nothing_more),
	    cmocka_unit_test(bad_jobs_are_refused_where_they_are),
	    cmocka_unit_test(each_end_of_a_job_has_its_outcome),
	    cmocka_unit_test(a_job_that_did_not_start_gives_its_hold_back),
	    cmocka_unit_test(patterns_go_to_the_job_and_what_it_left_to_later_steps),
	    cmocka_unit_test(later_steps_see_what_the_last_command_printed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
