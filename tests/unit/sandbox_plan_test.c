/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sandbox/plan.h"
#include "schemas/mem.h"

static const struct st_job_caps no_caps = {ST_UNLIMITED, ST_UNLIMITED, ST_UNLIMITED};

static struct st_job_spec spec_of(const char *commands, const char *env)
{
	struct st_job_spec spec = {.soft_ms = 1000, .hard_ms = 1500, .log_bytes_max = 4096};
	spec.commands = json_loads(commands, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	assert_non_null(spec.commands);
	if (env != NULL) {
		spec.env = json_loads(env, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
		assert_non_null(spec.env);
	}
	return spec;
}

/* Makes the plan, frees the spec. */
static int make(struct st_job_spec spec, struct st_job_plan **plan, struct st_diag *diag)
{
	*diag = (struct st_diag){0};
	int rc = st_job_plan_make(&spec, &no_caps, plan, diag);
	st_job_spec_fini(&spec);
	return rc;
}

static void a_plan_prints_all_that_will_happen(void **state)
{
	(void)state;
	struct st_job_plan *plan = NULL;
	struct st_diag diag;
	struct st_buf buf = {0};
	assert_int_equal(make(spec_of("[\"make test\", [\"grep\", \"it's\", \"\"], [\"./x\"]]",
				      "{\"A_1\": \"b c\", \"PATH\": \"/opt/bin::/bin\"}"),
			      &plan, &diag),
			 ST_OK);
	st_job_plan_place(plan, "/box/1", "/box/1");
	st_job_plan_print(plan, &buf);
	assert_string_equal(buf.data, "workdir: /box/1\n"
				      "limits: soft_ms=1000 hard_ms=1500 log_bytes=4096 files=1024 "
				      "core=0 umask=077\n"
				      "env: 'A_1=b c'\n"
				      "env: PATH=/opt/bin::/bin\n"
				      "env: LANG=C.UTF-8\n"
				      "env: STINT_JOB=1\n"
				      "env: HOME=/box/1\n"
				      "env: TMPDIR=/box/1\n"
				      "command: /bin/sh -c 'make test'\n"
				      "  tries: /bin/sh\n"
				      "command: grep 'it'\\''s' ''\n"
				      "  tries: /opt/bin/grep ./grep /bin/grep\n"
				      "command: ./x\n"
				      "  tries: ./x\n");
	st_buf_fini(&buf);
	st_job_plan_free(plan);
}

static void bad_specs_are_refused_where_they_are_wrong(void **state)
{
	(void)state;
	static const struct {
		const char *commands;
		const char *env;
		const char *pointer;
	} rows[] = {
	    {"[]", NULL, "/commands"},
	    {"\"x\"", NULL, "/commands"},
	    {"[1]", NULL, "/commands/0"},
	    {"[\"a\", [\"b\", 2]]", NULL, "/commands/1/1"},
	    {"[[]]", NULL, "/commands/0"},
	    {"[[\"\"]]", NULL, "/commands/0"},
	    {"[\"a\\u0000b\"]", NULL, "/commands/0"},
	    {"[[\"a\", \"\\u0000\"]]", NULL, "/commands/0/1"},
	    {"[\"a\"]", "[]", "/env"},
	    {"[\"a\"]", "{\"1A\": \"x\"}", "/env"},
	    {"[\"a\"]", "{\"A B\": \"x\"}", "/env"},
	    {"[\"a\"]", "{\"A=\": \"x\"}", "/env"},
	    {"[\"a\"]", "{\"\": \"x\"}", "/env"},
	    {"[\"a\"]", "{\"A\": 1}", "/env/A"},
	    {"[\"a\"]", "{\"A\": \"x\\u0000\"}", "/env/A"},
	    {"[\"a\"]", "{\"LD_PRELOAD\": \"x\"}", "/env/LD_PRELOAD"},
	    {"[\"a\"]", "{\"LD_AUDIT\": \"x\"}", "/env/LD_AUDIT"},
	    {"[\"a\"]", "{\"BASH_ENV\": \"x\"}", "/env/BASH_ENV"},
	    {"[\"a\"]", "{\"GLIBC_TUNABLES\": \"x\"}", "/env/GLIBC_TUNABLES"},
	    {"[\"a\"]", "{\"STINT_JOB\": \"2\"}", "/env/STINT_JOB"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_job_plan *plan = NULL;
		struct st_diag diag;
		assert_true(make(spec_of(rows[i].commands, rows[i].env), &plan, &diag) < 0);
		assert_null(plan);
		assert_string_equal(diag.pointer, rows[i].pointer);
	}
}

static void what_the_system_cannot_take_is_refused_before(void **state)
{
	(void)state;
	struct st_job_plan *plan = NULL;
	struct st_diag diag;
	char *big = st_alloc(ST_JOB_STRING_BYTES_MAX + 2);
	memset(big, 'x', ST_JOB_STRING_BYTES_MAX);
	struct st_job_spec spec = spec_of("[\"true\"]", NULL);
	assert_int_equal(json_array_set_new(spec.commands, 0, json_string(big)), 0);
	assert_int_equal(make(spec, &plan, &diag), ST_OK);
	st_job_plan_free(plan);

	big[ST_JOB_STRING_BYTES_MAX] = 'x';
	plan = NULL;
	spec = spec_of("[\"true\"]", NULL);
	assert_int_equal(json_array_set_new(spec.commands, 0, json_string(big)), 0);
	assert_int_equal(make(spec, &plan, &diag), ST_ERR_TOO_LARGE);

	big[ST_JOB_STRING_BYTES_MAX] = '\0';
	spec = spec_of("[[\"true\"]]", NULL);
	for (int i = 0; i < 12; i++) {
		assert_int_equal(
		    json_array_append_new(json_array_get(spec.commands, 0), json_string(big)), 0);
	}
	assert_int_equal(make(spec, &plan, &diag), ST_ERR_TOO_LARGE);
	st_free(big);
}

static void caps_lower_limits_and_never_raise_them(void **state)
{
	(void)state;
	static const struct {
		int64_t soft_ms, hard_ms, cap_seconds, want_soft_ms, want_hard_ms;
	} rows[] = {
	    {1000, 1500, ST_UNLIMITED, 1000, 1500},
	    {1000, 1500, 10, 1000, 1500},
	    {60000, 65000, 20, 15000, 20000},
	    {60000, 65000, 4, 2000, 4000},
	    {100, 65000, 4, 100, 4000},
	    {1000, 1500, INT64_MAX, 1000, 1500},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_job_plan *plan = NULL;
		struct st_job_spec spec = spec_of("[\"true\"]", NULL);
		struct st_job_caps caps = {rows[i].cap_seconds, 100, ST_UNLIMITED};
		spec.soft_ms = rows[i].soft_ms;
		spec.hard_ms = rows[i].hard_ms;
		assert_int_equal(st_job_plan_make(&spec, &caps, &plan, NULL), ST_OK);
		assert_int_equal(plan->soft_ms, rows[i].want_soft_ms);
		assert_int_equal(plan->hard_ms, rows[i].want_hard_ms);
		assert_int_equal(plan->log_bytes, 100);
		st_job_plan_free(plan);
		st_job_spec_fini(&spec);
	}
}

static void limits_without_sense_are_refused(void **state)
{
	(void)state;
	static const int64_t rows[][2] = {{0, 5}, {5, 5}, {-1, 5}, {6, 5}, {1, INT64_MAX}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_job_plan *plan = NULL;
		struct st_diag diag;
		struct st_job_spec spec = spec_of("[\"true\"]", NULL);
		spec.soft_ms = rows[i][0];
		spec.hard_ms = rows[i][1];
		assert_int_equal(make(spec, &plan, &diag), ST_ERR_INVALID);
	}
	struct st_job_plan *plan = NULL;
	struct st_diag diag;
	struct st_job_spec spec = spec_of("[\"true\"]", NULL);
	spec.workdir = st_strdup("relative");
	assert_int_equal(make(spec, &plan, &diag), ST_ERR_INVALID);
	assert_string_equal(diag.pointer, "/workdir");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_plan_prints_all_that_will_happen),
	    cmocka_unit_test(bad_specs_are_refused_where_they_are_wrong),
	    cmocka_unit_test(what_the_system_cannot_take_is_refused_before),
	    cmocka_unit_test(caps_lower_limits_and_never_raise_them),
	    cmocka_unit_test(limits_without_sense_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
