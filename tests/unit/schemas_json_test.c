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

#include "schemas/json.h"
#include "schemas/mem.h"

#define VECTORS ST_SOURCE_DIR "/../shared/vectors/json-parsing/test_parsing"

static int parse(const char *text, struct st_diag *diag)
{
	json_t *value = NULL;
	int code = st_json_parse(text, strlen(text), ST_JSON_BYTES_MAX, &value, diag);
	json_decref(value);
	return code;
}

static void what_is_no_json_is_refused_with_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum st_err code;
		const char *pointer;
		const char *part;
	} rows[] = {
	    {"", ST_ERR_INVALID, "", "empty"},
	    {"{\"a\":1}x", ST_ERR_INVALID, "", "line 1, column"},
	    {"{\"limit_usd\":1,\"limit_usd\":2}", ST_ERR_INVALID, "/limit_usd", "duplicate"},
	    {"{\"limit_usd\":1,\"\\u006cimit_usd\":2}", ST_ERR_INVALID, "/limit_usd", "duplicate"},
	    {"{\"budget\":{\"tokens\":NaN}}", ST_ERR_INVALID, "/budget/tokens", "line 1"},
	    {"{\"budget\":{\"tokens\":Infinity}}", ST_ERR_INVALID, "/budget/tokens", "line 1"},
	    {"{\"budget\":{\"tokens\":1e400}}", ST_ERR_INVALID, "/budget/tokens", "overflow"},
	    {"{\"budget\":\n{\"tokens\":9223372036854775808}}", ST_ERR_INVALID, "/budget/tokens",
	     "line 2"},
	    {"[1,[2,{\"a~/b\":-}]]", ST_ERR_INVALID, "/1/1/a~0~1b", "line 1"},
	    {"[\"\xc0\xaf\"]", ST_ERR_INVALID, "/0", "decode byte"},
	    {"[\"\xff\"]", ST_ERR_INVALID, "/0", "decode byte"},
	    {"[\"\\ud800\"]", ST_ERR_INVALID, "/0", "Unicode"},
	    {"{\"id\":\"a\\u0000b\"}", ST_ERR_INVALID, "/id", "u0000"},
	    {"{\"id\":\"a", ST_ERR_INVALID, "/id", "line 1"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_diag diag = {0};
		int code = parse(rows[i].text, &diag);
		if (code != (int)rows[i].code || strcmp(diag.pointer, rows[i].pointer) != 0 ||
		    strstr(diag.text, rows[i].part) == NULL) {
			fail_msg("%s: %d at '%s': %s", rows[i].text, code, diag.pointer, diag.text);
		}
	}
}

static void nul_bytes_and_oversize_are_refused(void **state)
{
	(void)state;
	struct st_diag diag;
	json_t *value = NULL;
	assert_int_equal(st_json_parse("[1]\0", 4, 100, &value, &diag), ST_ERR_INVALID);
	assert_int_equal(st_json_parse("[1]  ", 5, 4, &value, &diag), ST_ERR_TOO_LARGE);
	assert_int_equal(st_json_parse(NULL, 0, 4, &value, &diag), ST_ERR_INVALID);
	assert_int_equal(st_json_parse("[", 1, 4, &value, NULL), ST_ERR_INVALID);
	assert_null(value);
	assert_int_equal(st_json_parse("[1]", 3, 3, &value, &diag), ST_OK);
	json_decref(value);
}

static char *nested(size_t depth)
{
	char *text = st_alloc(2 * depth + 1);
	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	return text;
}

static void depth_is_bounded_before_anything_is_built(void **state)
{
	(void)state;
	struct st_diag diag;
	char *deep = nested(ST_JSON_DEPTH_MAX);
	assert_int_equal(parse(deep, &diag), ST_OK);
	st_free(deep);
	deep = nested(ST_JSON_DEPTH_MAX + 1);
	assert_int_equal(parse(deep, &diag), ST_ERR_TOO_LARGE);
	st_free(deep);
	deep = nested(200000);
	assert_int_equal(parse(deep, &diag), ST_ERR_TOO_LARGE);
	assert_non_null(strstr(diag.text, "deeper than 32"));
	st_free(deep);
	/* Brackets inside strings are text, quotes may be escaped. */
	assert_int_equal(
	    parse("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[\"]", &diag), ST_OK);
}

static void canonical_text_is_the_same_for_equal_values(void **state)
{
	(void)state;
	json_t *a = NULL;
	json_t *b = NULL;
	const char *first = "{\"b\":[1,2.5,\"\\u00e9/\"],\"a\":{\"y\":null,\"x\":true}}";
	const char *second =
	    " { \"a\" : {\"x\":true,\"y\":null}, \"b\":[1, 2.5, \"\xc3\xa9\\/\"] } ";
	assert_int_equal(st_json_parse(first, strlen(first), 1000, &a, NULL), ST_OK);
	assert_int_equal(st_json_parse(second, strlen(second), 1000, &b, NULL), ST_OK);
	st_autofree char *canonical_a = st_json_canonical(a);
	st_autofree char *canonical_b = st_json_canonical(b);
	assert_string_equal(canonical_a, canonical_b);
	assert_string_equal(canonical_a,
			    "{\"a\":{\"x\":true,\"y\":null},\"b\":[1,2.5,\"\xc3\xa9/\"]}");
	st_autofree char *compact = st_json_compact(a);
	assert_string_equal(compact, "{\"b\":[1,2.5,\"\xc3\xa9/\"],\"a\":{\"y\":null,\"x\":true}}");
	json_decref(a);
	json_decref(b);
}

static void pointers_are_escaped_and_cut(void **state)
{
	(void)state;
	char pointer[ST_DIAG_POINTER_MAX] = "";
	st_json_pointer_push(pointer, "a/b~c", 5);
	assert_string_equal(pointer, "/a~1b~0c");
	char long_name[2 * ST_DIAG_POINTER_MAX];
	memset(long_name, '/', sizeof long_name);
	st_json_pointer_push(pointer, long_name, sizeof long_name);
	st_json_pointer_push(pointer, "x", 1);
	assert_in_range(strlen(pointer), ST_DIAG_POINTER_MAX - 3, ST_DIAG_POINTER_MAX - 1);
}

/* Valid JSON that our stated limits refuse: duplicate keys and U+0000. */
static bool is_over_our_limits(const char *name)
{
	static const char *const names[] = {
	    "y_object_duplicated_key.json",
	    "y_object_duplicated_key_and_value.json",
	    "y_object_escaped_null_in_key.json",
	    "y_string_null_escape.json",
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static char *read_file(const char *name, size_t *len)
{
	char path[1024];
	(void)snprintf(path, sizeof path, "%s/%s", VECTORS, name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	const size_t cap = 1024 * 1024;
	char *text = st_alloc(cap);
	*len = fread(text, 1, cap, file);
	(void)fclose(file);
	return text;
}

static int parse_file(const char *name)
{
	size_t len = 0;
	char *text = read_file(name, &len);
	/* A copy of the exact size, so that reading past it is seen by the sanitizers. */
	char *exact = st_alloc(len);
	memcpy(exact, text, len);
	st_free(text);
	json_t *value = NULL;
	struct st_diag diag;
	int code = st_json_parse(exact, len, ST_JSON_BYTES_MAX, &value, &diag);
	json_decref(value);
	st_free(exact);
	return code;
}

static void the_parser_agrees_with_the_public_vectors(void **state)
{
	(void)state;
	DIR *dir = opendir(VECTORS);
	if (dir == NULL) {
		print_message("skipped: %s is not there\n", VECTORS);
		skip();
	}
	int seen[3] = {0};
	int wrong = 0;
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		const char *kind = strchr("yni", entry->d_name[0]);
		if (entry->d_name[1] != '_' || kind == NULL) {
			continue;
		}
		int code = parse_file(entry->d_name);
		bool bad = (*kind == 'y' && (code == ST_OK) == is_over_our_limits(entry->d_name)) ||
			   (*kind == 'n' && code == ST_OK);
		if (bad) {
			print_error("%s: %d\n", entry->d_name, code);
			wrong++;
		}
		seen[*kind == 'y' ? 0 : *kind == 'n' ? 1 : 2]++;
	}
	(void)closedir(dir);
	print_message("%d valid, %d invalid, %d undecided texts\n", seen[0], seen[1], seen[2]);
	assert_int_equal(wrong, 0);
	assert_true(seen[0] >= 95 && seen[1] >= 188 && seen[2] >= 35);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_no_json_is_refused_with_its_place),
	    cmocka_unit_test(nul_bytes_and_oversize_are_refused),
	    cmocka_unit_test(depth_is_bounded_before_anything_is_built),
	    cmocka_unit_test(canonical_text_is_the_same_for_equal_values),
	    cmocka_unit_test(pointers_are_escaped_and_cut),
	    cmocka_unit_test(the_parser_agrees_with_the_public_vectors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
