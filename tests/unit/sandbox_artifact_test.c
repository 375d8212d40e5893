/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "redact/redact.h"
#include "sandbox/artifact.h"
#include "schemas/mem.h"

#define SECRET "tr0ub4dor-and-3-horses"

static void stars_and_question_marks_stand_for_what_they_should(void **state)
{
	(void)state;
	static const struct {
		const char *part;
		const char *name;
		bool matches;
	} rows[] = {
	    {"a.txt", "a.txt", true},	  {"a.txt", "b.txt", false},
	    {"a.txt", "a.txt2", false},	  {"*", "a", true},
	    {"*", ".hidden", false},	  {"?hidden", ".hidden", false},
	    {".*", ".hidden", true},	  {"*.txt", "a.txt", true},
	    {"*.txt", ".txt", false},	  {"*.txt", "a.txt.gz", false},
	    {"a*b*c", "abc", true},	  {"a*b*c", "aXbYbZc", true},
	    {"a*b*c", "aXbYbZ", false},	  {"?", "a", true},
	    {"?", "ab", false},		  {"?", "\xc3\xa4", true}, /* one character, two bytes */
	    {"??", "\xc3\xa4", false},	  {"?", "\xff", true},	   /* not UTF-8: a byte */
	    {"*\xa4", "\xc3\xa4", false}, {"[ab]", "a", false},
	    {"[ab]", "[ab]", true},	  {"a\\*", "a*", false},
	    {"***", "abc", true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (st_artifact_match(rows[i].part, strlen(rows[i].part), rows[i].name) !=
		    rows[i].matches) {
			fail_msg("\"%s\" and \"%s\"", rows[i].part, rows[i].name);
		}
	}
	assert_true(st_artifact_match("ab/c", 2, "ab")); /* the part ends where it is said to */
	assert_true(st_artifact_part_is_name("ab/*", 2));
	assert_false(st_artifact_part_is_name("a?", 2));
}

static void many_stars_cost_no_more_than_the_product(void **state)
{
	(void)state;
	char part[512];
	char name[256];
	for (size_t i = 0; i + 1 < sizeof part; i += 2) {
		memcpy(part + i, "*a", 2);
	}
	memset(name, 'a', sizeof name);
	name[254] = 'b';
	name[255] = '\0';
	assert_false(st_artifact_match(part, sizeof part, name)); /* or this test never ends */
}

static void patterns_stay_below_the_directory(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "",	    "/",    "/etc/passwd", "..",    "a/../b",
	    "../a", "a/..", "./a",	   "a/./b", "a//b",
	    "a/",   "**",   "a/**/b",	   "a\nb",  "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
	};
	static const char *const good[] = {
	    "a",	 "a..b", "...",
	    "out/*.txt", "?/*",	 ".a",
	    "ä b",	 "*a*",	 "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (st_artifact_pattern_fault(bad[i]) == NULL) {
			fail_msg("\"%s\" was taken", bad[i]);
		}
	}
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		if (st_artifact_pattern_fault(good[i]) != NULL) {
			fail_msg("\"%s\" %s", good[i], st_artifact_pattern_fault(good[i]));
		}
	}
	char longest[ST_ARTIFACT_PATH_BYTES_MAX + 2];
	memset(longest, 'a', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	assert_non_null(st_artifact_pattern_fault(longest));
	longest[sizeof longest - 2] = '\0';
	assert_null(st_artifact_pattern_fault(longest));
}

static int set_up(void **state)
{
	struct st_redactor *redactor = st_redactor_new();
	assert_int_equal(st_redactor_secret(redactor, "HORSES", SECRET, strlen(SECRET), NULL),
			 ST_OK);
	assert_int_equal(st_redactor_build(redactor, NULL), ST_OK);
	*state = redactor;
	return 0;
}

static int tear_down(void **state)
{
	st_redactor_free(*state);
	return 0;
}

static void keep(struct st_harvest *harvest, const char *path, const char *text)
{
	st_harvest_keep(harvest, path, st_strdup(text), strlen(text));
}

static void the_least_names_are_looked_at_in_order_and_once(void **state)
{
	struct st_harvest harvest;
	st_harvest_init(&harvest, &(struct st_artifact_caps){4, 10, 20}, *state);
	char name[16];
	for (int i = 2 * ST_HARVEST_CANDIDATES_MAX; i > 0; i--) { /* the worst order */
		(void)snprintf(name, sizeof name, "f%04d", i);
		st_harvest_name(&harvest, name);
		st_harvest_name(&harvest, name);
	}
	assert_true(harvest.more);
	assert_int_equal(harvest.n_candidates, ST_HARVEST_CANDIDATES_MAX);
	for (size_t i = 0; i < harvest.n_candidates; i++) {
		(void)snprintf(name, sizeof name, "f%04zu", i + 1);
		assert_string_equal(harvest.candidates[i], name);
	}
	st_harvest_fini(&harvest);
}

static void each_cap_holds(void **state)
{
	struct st_harvest harvest;
	st_harvest_init(&harvest, &(struct st_artifact_caps){3, 10, 20}, *state);
	assert_null(st_harvest_fault(&harvest, "a", 10));
	assert_non_null(st_harvest_fault(&harvest, "a", 11));
	assert_non_null(st_harvest_fault(&harvest, "a", INT64_MAX));
	keep(&harvest, "a", "0123456789");
	keep(&harvest, "b", "012345678");
	assert_non_null(st_harvest_fault(&harvest, "c", 2));
	keep(&harvest, "c", "x");
	assert_non_null(st_harvest_fault(&harvest, "d", 0)); /* three files are kept */
	st_harvest_fini(&harvest);
}

static void names_that_cannot_be_shown_as_they_are_are_refused(void **state)
{
	static const char *const bad[] = {
	    "a\nb", "a\x1b[31m", "caf\xe9", "\x7f", "out/" SECRET ".txt",
	};
	struct st_harvest harvest;
	st_harvest_init(&harvest, &(struct st_artifact_caps){3, 10, 20}, *state);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const char *fault = st_harvest_fault(&harvest, bad[i], -1);
		assert_non_null(fault);
		st_harvest_refuse(&harvest, bad[i], fault);
	}
	assert_null(st_harvest_fault(&harvest, "caf\xc3\xa9 (1).txt", -1));
	char *told = json_dumps(harvest.refused, JSON_COMPACT);
	assert_null(strstr(told, SECRET));
	assert_non_null(strstr(told, "caf\xef\xbf\xbd"));
	free(told);
	st_harvest_fini(&harvest);
}

static void what_is_kept_and_what_is_refused_is_told(void **state)
{
	struct st_harvest harvest;
	struct st_job_result result = {
	    .transcript = json_pack("[{s:s},{s:s}]", "command", "a", "command", "b")};
	st_harvest_init(&harvest, &(struct st_artifact_caps){3, 10, 20}, *state);
	keep(&harvest, "a", "abc");
	keep(&harvest, "b", "");
	for (int i = 0; i < ST_HARVEST_REFUSED_MAX + 5; i++) {
		st_harvest_refuse(&harvest, "c", "why not");
	}
	st_harvest_give(&harvest, &result);
	st_harvest_fini(&harvest);
	assert_null(json_object_get(json_array_get(result.transcript, 0), "artifacts"));
	const json_t *told = json_object_get(json_array_get(result.transcript, 1), "artifacts");
	char *kept = json_dumps(json_object_get(told, "kept"), JSON_COMPACT);
	assert_string_equal(kept, "[{\"path\":\"a\",\"bytes\":3},{\"path\":\"b\",\"bytes\":0}]");
	free(kept);
	assert_int_equal(json_array_size(json_object_get(told, "refused")), ST_HARVEST_REFUSED_MAX);
	assert_int_equal(json_integer_value(json_object_get(told, "refused_unlisted")), 5);
	assert_int_equal(result.n_artifacts, 2);
	assert_memory_equal(result.artifacts[0].bytes, "abc", 3);
	/* BLAKE2b-256 of "abc" */
	static const uint8_t hash[] = {0xbd, 0xdd, 0x81, 0x3c, 0x63, 0x42, 0x39, 0x72,
				       0x31, 0x71, 0xef, 0x3f, 0xee, 0x98, 0x57, 0x9b,
				       0x94, 0x96, 0x4e, 0x3b, 0xb1, 0xcb, 0x3e, 0x42,
				       0x72, 0x62, 0xc8, 0xc0, 0x68, 0xd5, 0x23, 0x19};
	assert_memory_equal(result.artifacts[0].hash, hash, sizeof hash);
	st_job_result_fini(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stars_and_question_marks_stand_for_what_they_should),
	    cmocka_unit_test(many_stars_cost_no_more_than_the_product),
	    cmocka_unit_test(patterns_stay_below_the_directory),
	    cmocka_unit_test_setup_teardown(the_least_names_are_looked_at_in_order_and_once, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(each_cap_holds, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(names_that_cannot_be_shown_as_they_are_are_refused,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_kept_and_what_is_refused_is_told, set_up,
					    tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
