/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schemas/buf.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "schemas/schema.h"

#define SUITE ST_SOURCE_DIR "/../shared/vectors/json-schema-2020-12"
#define DIALECT "https://json-schema.org/draft/2020-12/schema"
#define REMOTES "http://localhost:1234/"

/* ---- the public suite ---- */

static json_t *find(void *context, const char *uri)
{
	(void)context;
	char path[1024];
	if (strcmp(uri, DIALECT) == 0) {
		(void)snprintf(path, sizeof path, ST_SOURCE_DIR "/tests/unit/data/dialect.json");
	} else if (strncmp(uri, REMOTES, strlen(REMOTES)) == 0) {
		(void)snprintf(path, sizeof path, SUITE "/remotes/%s", uri + strlen(REMOTES));
	} else {
		return NULL;
	}
	return json_load_file(path, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

struct count {
	int passed;
	int failed;
};

static void run_group(const char *file, json_t *group, struct count *count)
{
	const struct st_schema_options options = {.find = find};
	struct st_schema *schema = NULL;
	struct st_diag diag = {0};
	const char *title = json_string_value(json_object_get(group, "description"));
	json_t *tests = json_object_get(group, "tests");
	if (st_schema_compile(json_object_get(group, "schema"), &options, &schema, &diag) !=
	    ST_OK) {
		print_error("%s: %s: %s: %s\n", file, title, diag.pointer, diag.text);
		count->failed += (int)json_array_size(tests);
		return;
	}
	for (size_t i = 0; i < json_array_size(tests); i++) {
		const json_t *test = json_array_get(tests, i);
		int code = st_schema_validate(schema, json_object_get(test, "data"), &diag);
		bool valid = json_is_true(json_object_get(test, "valid"));
		if (code == (valid ? ST_OK : ST_ERR_INVALID)) {
			count->passed++;
			continue;
		}
		count->failed++;
		print_error("%s: %s: %s: %s\n", file, title,
			    json_string_value(json_object_get(test, "description")),
			    code == ST_OK ? "accepted" : diag.text);
	}
	st_schema_free(schema);
}

static void run_file(const char *name, struct count *count)
{
	char path[1024];
	(void)snprintf(path, sizeof path, SUITE "/tests/draft2020-12/%s", name);
	json_t *groups = json_load_file(path, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	assert_non_null(groups);
	for (size_t i = 0; i < json_array_size(groups); i++) {
		run_group(name, json_array_get(groups, i), count);
	}
	json_decref(groups);
}

static void all_required_tests_of_the_public_suite_pass(void **state)
{
	(void)state;
	DIR *dir = opendir(SUITE "/tests/draft2020-12");
	if (dir == NULL) {
		print_message("skipped: %s is not there\n", SUITE);
		skip();
	}
	struct count count = {0};
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		if (strstr(entry->d_name, ".json") != NULL) {
			run_file(entry->d_name, &count);
		}
	}
	(void)closedir(dir);
	print_message("%d tests passed, %d failed\n", count.passed, count.failed);
	assert_int_equal(count.failed, 0);
	assert_true(count.passed >= 1299);
}

/* ---- messages ---- */

static json_t *json(const char *text)
{
	json_error_t error;
	json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (value == NULL) {
		fail_msg("%s: %s", text, error.text);
	}
	return value;
}

static struct st_schema *compile(const char *text, bool strict)
{
	const struct st_schema_options options = {.find = find, .strict_integers = strict};
	struct st_schema *schema = NULL;
	struct st_diag diag = {0};
	json_t *doc = json(text);
	if (st_schema_compile(doc, &options, &schema, &diag) != ST_OK) {
		fail_msg("%s: '%s': %s", text, diag.pointer, diag.text);
	}
	json_decref(doc);
	return schema;
}

static int validate(const char *schema_text, const char *value_text, struct st_diag *diag)
{
	struct st_schema *schema = compile(schema_text, false);
	json_t *value = json(value_text);
	int code = st_schema_validate(schema, value, diag);
	/* Without somewhere to tell it, the answer is the same. */
	assert_int_equal(st_schema_validate(schema, value, NULL), code);
	json_decref(value);
	st_schema_free(schema);
	return code;
}

#define CLOSED(names) "{\"properties\":{" names "},\"additionalProperties\":false}"

static const struct {
	const char *schema;
	const char *value;
	const char *pointer;
	const char *text;
} failures[] = {
    {"false", "1", "", "nothing is allowed here"},
    {"{\"type\":\"object\"}", "5", "", "expected an object, got 5"},
    {"{\"type\":[\"integer\",\"null\"]}", "\"x\"", "", "expected an integer or null, got \"x\""},
    {"{\"type\":\"integer\"}", "1.5", "",
     "expected an integer, got a number with a fraction or exponent"},
    {"{\"items\":{\"items\":{\"maximum\":3}}}", "[[1],[2,4]]", "/1/1", "expected at most 3, got 4"},
    {"{\"multipleOf\":0.01}", "0.123", "", "expected a multiple of 0.01, got 0.123"},
    {"{\"enum\":[\"red\",\"green\",7]}", "\"gren\"", "",
     "expected one of: \"red\", \"green\", 7, got \"gren\"; did you mean \"green\"?"},
    {"{\"const\":{\"a\":1}}", "2", "", "expected an object, got 2"},
    {CLOSED("\"tokens\":true,\"steps\":true"), "{\"a/b\":{},\"tokens\":1}", "/a~1b",
     "unknown field \"a/b\"; expected one of: steps, tokens"},
    {CLOSED("\"tokens\":true,\"steps\":true"), "{\"token\":1}", "/token",
     "unknown field \"token\"; did you mean \"tokens\"?; expected one of: steps, tokens"},
    {CLOSED(""), "{\"a\":1}", "/a", "unknown field \"a\"; no field is expected"},
    {"{\"properties\":{\"a\":true},\"unevaluatedProperties\":false}", "{\"b\":1}", "/b",
     "unknown field \"b\"; did you mean \"a\"?; expected one of: a"},
    {"{\"required\":[\"a\",\"b\"]}", "{\"a\":1}", "", "\"b\" is missing"},
    {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", "",
     "\"b\" is missing, which \"a\" needs"},
    {"{\"pattern\":\"^a\"}", "\"ba\"", "", "\"ba\" does not match ^a"},
    {"{\"pattern\":\"^a\",\"title\":\"a thing\"}", "\"ba\"", "", "\"ba\" is not a thing"},
    {"{\"minLength\":3}", "\"\xc3\xa9\xc3\xa9\"", "", "expected at least 3 characters, got 2"},
    {"{\"maxItems\":1}", "[1,2]", "", "expected at most 1 items, got 2"},
    {"{\"uniqueItems\":true}", "[1,[2],1.0]", "", "the items are not all different"},
    {"{\"not\":{\"title\":\"a number\",\"type\":\"number\"}}", "1", "", "not allowed: a number"},
    {"{\"contains\":{\"const\":1},\"minContains\":2}", "[1,2]", "",
     "expected at least 2 items of the required form, got 1"},
    {"{\"propertyNames\":{\"maxLength\":1}}", "{\"ab\":1}", "/ab",
     "expected at most 1 characters, got 2"},
    /* Of several alternatives the one that came nearest is told. */
    {"{\"anyOf\":[{\"type\":\"integer\"},{\"properties\":{\"a\":{\"minimum\":5}}}]}", "{\"a\":1}",
     "/a", "expected at least 5, got 1"},
    {"{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"null\"}]}", "\"x\"", "",
     "expected an integer or null, got \"x\""},
    {"{\"anyOf\":[{\"type\":\"integer\",\"maximum\":3},{\"type\":\"null\"}]}", "4", "",
     "expected at most 3, got 4"},
    {"{\"oneOf\":[true,{\"minimum\":1}]}", "4", "",
     "it fits more than one of the forms, of which exactly one is allowed"},
    {"{\"if\":{\"properties\":{\"k\":{\"const\":1}}},\"then\":{\"required\":[\"b\"]}}", "{\"k\":1}",
     "", "\"b\" is missing"},
};

static void a_failure_says_where_and_what_was_expected(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
		struct st_diag diag = {0};
		int code = validate(failures[i].schema, failures[i].value, &diag);
		if (code != ST_ERR_INVALID || strcmp(diag.pointer, failures[i].pointer) != 0 ||
		    strcmp(diag.text, failures[i].text) != 0) {
			fail_msg("%s of %s: %d at '%s': %s", failures[i].value, failures[i].schema,
				 code, diag.pointer, diag.text);
		}
	}
}

static void a_malformed_schema_is_refused_where_it_is(void **state)
{
	(void)state;
	static const struct {
		const char *schema;
		enum st_err code;
		const char *pointer;
	} rows[] = {
	    {"5", ST_ERR_INVALID, ""},
	    {"{\"type\":\"int\"}", ST_ERR_INVALID, "/type"},
	    {"{\"type\":[]}", ST_ERR_INVALID, "/type"},
	    {"{\"properties\":{\"a/b\":5}}", ST_ERR_INVALID, "/properties/a~1b"},
	    {"{\"properties\":[]}", ST_ERR_INVALID, "/properties"},
	    {"{\"allOf\":[]}", ST_ERR_INVALID, "/allOf"},
	    {"{\"allOf\":[true,{\"minItems\":-1}]}", ST_ERR_INVALID, "/allOf/1/minItems"},
	    {"{\"maxLength\":1.5}", ST_ERR_INVALID, "/maxLength"},
	    {"{\"multipleOf\":0}", ST_ERR_INVALID, "/multipleOf"},
	    {"{\"minimum\":\"1\"}", ST_ERR_INVALID, "/minimum"},
	    {"{\"enum\":5}", ST_ERR_INVALID, "/enum"},
	    {"{\"required\":[1]}", ST_ERR_INVALID, "/required"},
	    {"{\"dependentRequired\":{\"a\":\"b\"}}", ST_ERR_INVALID, "/dependentRequired"},
	    {"{\"uniqueItems\":1}", ST_ERR_INVALID, "/uniqueItems"},
	    {"{\"pattern\":\"(\"}", ST_ERR_INVALID, "/pattern"},
	    {"{\"patternProperties\":{\"[\":true}}", ST_ERR_INVALID, "/patternProperties/["},
	    {"{\"items\":{\"$ref\":\"#/$defs/x\"}}", ST_ERR_INVALID, "/items/$ref"},
	    {"{\"$ref\":\"#x\"}", ST_ERR_INVALID, "/$ref"},
	    {"{\"$ref\":\"https://example.org/none\"}", ST_ERR_INVALID, "/$ref"},
	    {"{\"$ref\":\"#/required\",\"required\":[]}", ST_ERR_INVALID, "/$ref"},
	    {"{\"$id\":5}", ST_ERR_INVALID, "/$id"},
	    {"{\"allOf\":[{\"$anchor\":\"a\"},{\"$anchor\":\"a\"}]}", ST_ERR_INVALID,
	     "/allOf/1/$anchor"},
	    {"{\"allOf\":[{\"$id\":\"a:b\"},{\"$id\":\"a:b\"}]}", ST_ERR_INVALID, "/allOf/1"},
	    {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}", ST_ERR_UNSUPPORTED,
	     "/$schema"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_schema *schema = NULL;
		struct st_diag diag = {0};
		json_t *doc = json(rows[i].schema);
		int code = st_schema_compile(doc, NULL, &schema, &diag);
		if (code != (int)rows[i].code || strcmp(diag.pointer, rows[i].pointer) != 0) {
			fail_msg("%s: %d at '%s': %s", rows[i].schema, code, diag.pointer,
				 diag.text);
		}
		assert_null(schema);
		json_decref(doc);
	}
}

static void whole_reals_are_integers_only_where_it_is_asked_for(void **state)
{
	(void)state;
	json_t *value = json("1.0");
	struct st_schema *schema = compile("{\"type\":\"integer\"}", false);
	assert_int_equal(st_schema_validate(schema, value, NULL), ST_OK);
	st_schema_free(schema);
	schema = compile("{\"type\":\"integer\"}", true);
	assert_int_equal(st_schema_validate(schema, value, NULL), ST_ERR_INVALID);
	st_schema_free(schema);
	json_decref(value);
}

/* ---- bounds ---- */

static double seconds_since(clock_t from)
{
	return (double)(clock() - from) / CLOCKS_PER_SEC;
}

static char *repeated(const char *before, const char *text, size_t n, const char *behind)
{
	struct st_buf buf = {0};
	st_buf_add_text(&buf, before);
	for (size_t i = 0; i < n; i++) {
		st_buf_add_text(&buf, text);
	}
	st_buf_add_text(&buf, behind);
	return st_buf_take(&buf);
}

static void what_does_not_end_is_given_up(void **state)
{
	(void)state;
	clock_t from = clock();
	struct st_diag diag = {0};
	assert_int_equal(validate("{\"$ref\":\"#\"}", "1", &diag), ST_ERR_TOO_LARGE);
	assert_int_equal(validate("{\"not\":{\"$ref\":\"#\"}}", "1", &diag), ST_ERR_TOO_LARGE);
	/* Both branches again and again: 2 to the 30th without a bound. */
	char *half = repeated("", "{\"a\":", 30, "1");
	char *value = repeated(half, "}", 30, "");
	assert_int_equal(
	    validate("{\"anyOf\":[{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"b\"]},"
		     "{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"c\"],"
		     "\"type\":\"object\"}],\"type\":\"object\"}",
		     value, &diag),
	    ST_ERR_TOO_LARGE);
	st_free(half);
	st_free(value);
	value = repeated("\"", "a", 200, "b\"");
	assert_int_equal(validate("{\"pattern\":\"^(a+)+$\"}", value, &diag), ST_ERR_TOO_LARGE);
	/* Turning the answer round must not make it a yes. */
	assert_int_equal(validate("{\"not\":{\"pattern\":\"^(a+)+$\"}}", value, &diag),
			 ST_ERR_TOO_LARGE);
	st_free(value);
	char *schema = repeated("", "{\"items\":", 70, "true");
	char *closed = repeated(schema, "}", 70, "");
	struct st_schema *out = NULL;
	json_t *doc = json(closed);
	assert_int_equal(st_schema_compile(doc, NULL, &out, &diag), ST_ERR_TOO_LARGE);
	json_decref(doc);
	st_free(closed);
	st_free(schema);
	assert_true(seconds_since(from) < 20);
}

static void large_values_take_linear_time(void **state)
{
	(void)state;
	struct st_buf buf = {0};
	st_buf_add_char(&buf, '[');
	for (int i = 0; i < 100000; i++) {
		st_buf_addf(&buf, "%s%d", i > 0 ? "," : "", i);
	}
	st_buf_add_char(&buf, ']');
	clock_t from = clock();
	assert_int_equal(validate("{\"uniqueItems\":true,\"items\":{\"type\":\"integer\"},"
				  "\"unevaluatedItems\":false}",
				  buf.data, NULL),
			 ST_OK);
	assert_true(seconds_since(from) < 5);
	buf.data[buf.len - 1] = ',';
	st_buf_add_text(&buf, "5.0]");
	assert_int_equal(validate("{\"uniqueItems\":true}", buf.data, NULL), ST_ERR_INVALID);
	st_buf_fini(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_required_tests_of_the_public_suite_pass),
	    cmocka_unit_test(a_failure_says_where_and_what_was_expected),
	    cmocka_unit_test(a_malformed_schema_is_refused_where_it_is),
	    cmocka_unit_test(whole_reals_are_integers_only_where_it_is_asked_for),
	    cmocka_unit_test(what_does_not_end_is_given_up),
	    cmocka_unit_test(large_values_take_linear_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
