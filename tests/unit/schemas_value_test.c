/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "schemas/mem.h"
#include "schemas/regex.h"
#include "schemas/uri.h"
#include "schemas/value.h"

static json_t *json(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	assert_non_null(value);
	return value;
}

static void numbers_compare_exactly(void **state)
{
	(void)state;
	static const struct {
		const char *a;
		const char *b;
		int order;
	} rows[] = {
	    {"1", "1.0", 0},
	    {"0", "-0.0", 0},
	    {"9007199254740993", "9007199254740992.0", 1},
	    {"9223372036854775807", "9223372036854775808.0", -1},
	    {"-9223372036854775808", "-9223372036854775808.0", 0},
	    {"-9223372036854775808", "-1e300", 1},
	    {"1", "1.5", -1},
	    {"-1", "-1.5", 1},
	    {"1e300", "1e301", -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *a = json(rows[i].a);
		json_t *b = json(rows[i].b);
		assert_int_equal(st_number_compare(a, b), rows[i].order);
		assert_int_equal(st_number_compare(b, a), -rows[i].order);
		assert_int_equal(st_value_equal(a, b), rows[i].order == 0);
		json_decref(a);
		json_decref(b);
	}
}

static void multiples_are_decimal(void **state)
{
	(void)state;
	static const struct {
		const char *number;
		const char *divisor;
		bool is;
	} rows[] = {
	    {"0.0075", "0.0001", true},
	    {"0.00751", "0.0001", false},
	    {"0.3", "0.1", true},
	    {"1.1", "0.1", true},
	    {"-9", "3", true},
	    {"0", "7", true},
	    {"0.0", "0.5", true},
	    {"7", "2", false},
	    {"1e308", "0.5", true},
	    {"1e308", "0.123456789", false},
	    {"1e-300", "1", false},
	    {"9223372036854775807", "9223372036854775807", true},
	    {"9223372036854775807", "7", true},
	    {"9223372036854775806", "7", false},
	    {"1e19", "9223372036854775807", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *number = json(rows[i].number);
		json_t *divisor = json(rows[i].divisor);
		if (st_number_is_multiple(number, divisor) != rows[i].is) {
			fail_msg("%s of %s", rows[i].number, rows[i].divisor);
		}
		json_decref(number);
		json_decref(divisor);
	}
}

static void values_are_equal_by_value(void **state)
{
	(void)state;
	static const struct {
		const char *a;
		const char *b;
		bool same;
	} rows[] = {
	    {"{\"a\":1,\"b\":[2,{}]}", "{\"b\":[2.0,{}],\"a\":1.0}", true},
	    {"{\"a\":1}", "{\"a\":1,\"b\":1}", false},
	    {"{\"a\":1}", "{\"b\":1}", false},
	    {"[1,2]", "[2,1]", false},
	    {"1", "true", false},
	    {"0", "false", false},
	    {"\"1\"", "1", false},
	    {"null", "null", true},
	    {"\"a\"", "\"a\"", true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *a = json(rows[i].a);
		json_t *b = json(rows[i].b);
		assert_int_equal(st_value_equal(a, b), rows[i].same);
		/* Nine items go the other way, by hash. */
		json_t *many = json("[1,2,3,4,5,6,7]");
		assert_int_equal(json_array_append(many, a), 0);
		assert_int_equal(json_array_append(many, json_true()), 0);
		assert_int_equal(json_array_append(many, json_array_get(many, 7)), 0);
		assert_false(st_value_is_unique(many));
		json_decref(many);
		json_decref(a);
		json_decref(b);
	}
}

static void references_resolve_as_the_rfc_says(void **state)
{
	(void)state;
	/* The examples of RFC 3986, section 5.4, and what schemas use besides. */
	static const char base[] = "http://a/b/c/d;p?q";
	static const char *const rows[][3] = {
	    {base, "g:h", "g:h"},
	    {base, "g", "http://a/b/c/g"},
	    {base, "./g", "http://a/b/c/g"},
	    {base, "g/", "http://a/b/c/g/"},
	    {base, "/g", "http://a/g"},
	    {base, "//g", "http://g"},
	    {base, "?y", "http://a/b/c/d;p?y"},
	    {base, "g?y", "http://a/b/c/g?y"},
	    {base, "#s", "http://a/b/c/d;p?q#s"},
	    {base, "g?y#s", "http://a/b/c/g?y#s"},
	    {base, ";x", "http://a/b/c/;x"},
	    {base, "", "http://a/b/c/d;p?q"},
	    {base, ".", "http://a/b/c/"},
	    {base, "./", "http://a/b/c/"},
	    {base, "..", "http://a/b/"},
	    {base, "../", "http://a/b/"},
	    {base, "../g", "http://a/b/g"},
	    {base, "../..", "http://a/"},
	    {base, "../../g", "http://a/g"},
	    {base, "../../../../g", "http://a/g"},
	    {base, "/./g", "http://a/g"},
	    {base, "/../g", "http://a/g"},
	    {base, "g.", "http://a/b/c/g."},
	    {base, "..g", "http://a/b/c/..g"},
	    {base, "./../g", "http://a/b/g"},
	    {base, "g/./h", "http://a/b/c/g/h"},
	    {base, "g/../h", "http://a/b/c/h"},
	    {"http://h", "a.json", "http://h/a.json"},
	    {"urn:example:root", "#/$defs/a", "urn:example:root#/$defs/a"},
	    {"", "#a", "#a"},
	    {"", "a.json", "a.json"},
	    {"file:///folder/file.json", "#/a", "file:///folder/file.json#/a"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		st_autofree char *got = st_uri_resolve(rows[i][0], rows[i][1]);
		assert_string_equal(got, rows[i][2]);
	}
	char text[] = "a%25%20b%zz%4";
	st_uri_unescape(text);
	assert_string_equal(text, "a% b%zz%4");
}

static void patterns_are_those_of_javascript(void **state)
{
	(void)state;
	static const struct {
		const char *pattern;
		const char *text;
		int result; /* -1: not a pattern */
	} rows[] = {
	    {"^a$", "a\n", 0},
	    {"b", "abc", 1},
	    {"^\\d$", "\xdf\x80", 0},
	    {"^\\w$", "\xc3\xa9", 0},
	    {"^\\s\\S$", "\xe2\x80\x83x", 1},
	    {"^[\\s]$", "\xef\xbb\xbf", 1},
	    {"^\\p{Letter}+$", "a\xc3\xa9\xd0\xb6", 1},
	    {"^\\p{gc=Uppercase_Letter}$", "\xc3\x89", 1},
	    {"^\\P{Lu}$", "a", 1},
	    {"^\\p{Script=Greek}$", "\xce\xb1", 1},
	    {"^\\u00e9$", "\xc3\xa9", 1},
	    {"^\\u{1F600}$", "\xf0\x9f\x98\x80", 1},
	    {"^\\ud83d\\ude00$", "\xf0\x9f\x98\x80", 1},
	    {"^[^]$", "x", 1},
	    {"[]", "x", 0},
	    {"^[[]$", "[", 1},
	    {"^[[:alpha:]$", "x", 0},
	    {"^(?<y>a)\\k<y>$", "aa", 1},
	    {"^(?=a)(?!b)a(?<=a)(?<!b)$", "a", 1},
	    {"\\A", "a", -1},
	    {"\\Qa", "a", -1},
	    {"(?i)a", "A", -1},
	    {"(?>a)", "a", -1},
	    {"(?R)", "a", -1},
	    {"(*FAIL)", "a", -1},
	    {"\\p", "a", -1},
	    {"a\\", "a", -1},
	    {"(", "a", -1},
	    {"^(([a-z])+.)+[A-Z]([a-z])+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	     ST_ERR_TOO_LARGE},
	};
	struct st_regex_scratch *scratch = st_regex_scratch_new();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_regex *regex = NULL;
		struct st_diag diag = {0};
		const char *pattern = rows[i].pattern;
		int result = st_regex_new(pattern, strlen(pattern), &regex, &diag);
		if (result == ST_OK) {
			result = st_regex_match(regex, scratch, rows[i].text, strlen(rows[i].text));
		}
		if (result != rows[i].result) {
			fail_msg("%s on %s: %d %s", pattern, rows[i].text, result, diag.text);
		}
		st_regex_free(regex);
	}
	st_regex_scratch_free(scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_compare_exactly),
	    cmocka_unit_test(multiples_are_decimal),
	    cmocka_unit_test(values_are_equal_by_value),
	    cmocka_unit_test(references_resolve_as_the_rfc_says),
	    cmocka_unit_test(patterns_are_those_of_javascript),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
