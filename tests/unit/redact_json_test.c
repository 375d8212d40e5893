/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <string.h>

#include "redact/redact.h"
#include "schemas/json.h"

static struct st_redactor *redactor;

static int setup(void **state)
{
	(void)state;
	redactor = st_redactor_new();
	assert_int_equal(st_redactor_secret(redactor, "ONE", "\xa9 decl4red \xc3", 12, NULL), 0);
	return st_redactor_build(redactor, NULL);
}

static int teardown(void **state)
{
	(void)state;
	st_redactor_free(redactor);
	return 0;
}

static struct st_clean *redact(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	assert_non_null(value);
	struct st_clean *clean = st_redact_json(redactor, value);
	json_decref(value);
	return clean;
}

static void expect(const char *text, const char *wanted)
{
	st_autoclean struct st_clean *clean = redact(text);
	assert_string_equal(st_clean_text(clean), wanted);
	assert_false(st_clean_failed(clean));
	st_autoclean struct st_clean *again = redact(wanted);
	assert_string_equal(st_clean_text(again), wanted);
	assert_int_equal(st_clean_redactions(again), 0);
}

static void values_under_secret_keys_become_markers(void **state)
{
	(void)state;
	expect("{\"password\":\"a\",\"n\":1,\"api_key\":\"fake\"}",
	       "{\"password\":\"[redacted:password]\",\"n\":1,\"api_key\":\"[redacted:value]\"}");
	expect("{\"token\":12345,\"secrets\":{\"a\":\"b\",\"c\":[\"d\",2,true,null]}}",
	       "{\"token\":\"[redacted:value]\",\"secrets\":{\"a\":\"[redacted:value]\",\"c\":["
	       "\"[redacted:value]\",\"[redacted:value]\",true,null]}}");
	expect("{\"headers\":{\"Authorization\":\"Bearer fake\",\"Cookie\":[\"a=b\"]}}",
	       "{\"headers\":{\"Authorization\":\"[redacted:header]\",\"Cookie\":["
	       "\"[redacted:header]\"]}}");
	expect("[{\"name\":\"API_KEY\",\"value\":\"fake\"},{\"name\":\"x\",\"value\":\"y\"}]",
	       "[{\"name\":\"API_KEY\",\"value\":\"[redacted:value]\"},{\"name\":\"x\",\"value\":"
	       "\"y\"}]");
}

static void other_values_survive(void **state)
{
	(void)state;
	static const char *const TEXTS[] = {
	    "{\"max_tokens\":4096,\"usage\":{\"input_tokens\":1,\"total_tokens\":2},\"b\":false}",
	    "{\"token_type\":\"bearer\",\"public_key\":\"abcdefghij\",\"password\":null}",
	    "{\"password\":\"${DB_PASSWORD}\",\"token\":\"\",\"has_password\":true}",
	    "{\"id\":\"r_01890a5d-ac96-774b-bcce-b302099a8057\",\"r\":1.5,\"e\":[],\"o\":{}}",
	    "\"\xc3\xa9\\n\\u0001\"",
	    "{\"z\":1,\"a\":2}",
	};
	for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
		expect(TEXTS[i], TEXTS[i]);
}

static void strings_and_keys_are_scanned(void **state)
{
	(void)state;
	expect("{\"log\":\"see glpat-FAKEexample0FAKE1234\"}",
	       "{\"log\":\"see [redacted:gitlab-token]\"}");
	expect("{\"glpat-FAKEexample0FAKE1234\":1,\"glpat-FAKEexample0FAKE1235\":2}",
	       "{\"[redacted:gitlab-token]\":1,\"[redacted:gitlab-token]#2\":2}");
	expect("\"GET /?token=fake0value&x=1\"", "\"GET /?token=[redacted:value]&x=1\"");
}

static void json_within_strings_is_walked(void **state)
{
	(void)state;
	expect("{\"arguments\":\"{\\\"password\\\": \\\"a b\\\"}\"}",
	       "{\"arguments\":\"{\\\"password\\\":\\\"[redacted:password]\\\"}\"}");
	expect("{\"a\":\"{ \\\"n\\\": 1 }\"}", "{\"a\":\"{ \\\"n\\\": 1 }\"}");
	expect("{\"a\":\"{\\\"b\\\":\\\"{\\\\\\\"token\\\\\\\":\\\\\\\"f\\\\\\\"}\\\"}\"}",
	       "{\"a\":\"{\\\"b\\\":\\\"{\\\\\\\"token\\\\\\\":\\\\\\\"[redacted:value]\\\\\\\"}"
	       "\\\"}\"}");
}

/* A secret may begin in the middle of a UTF-8 character; what is left must be text all the same. */
static void what_comes_out_is_valid_json(void **state)
{
	(void)state;
	st_autoclean struct st_clean *clean = redact("{\"a\":\"x\xc3\xa9 decl4red \xc3\xa9y\"}");
	assert_non_null(strstr(st_clean_text(clean), "[redacted:ONE]"));
	json_t *value = NULL;
	struct st_diag diag;
	assert_int_equal(st_json_parse(st_clean_text(clean), st_clean_len(clean), ST_JSON_BYTES_MAX,
				       &value, &diag),
			 ST_OK);
	json_decref(value);
}

static void too_deep_a_value_fails_closed(void **state)
{
	(void)state;
	json_t *value = json_string("glpat-FAKEexample0FAKE1234");
	for (int i = 0; i < ST_REDACT_DEPTH_MAX + 5; i++) {
		json_t *outer = json_array();
		json_array_append_new(outer, value);
		value = outer;
	}
	st_autoclean struct st_clean *clean = st_redact_json(redactor, value);
	json_decref(value);
	assert_true(st_clean_failed(clean));
	assert_null(strstr(st_clean_text(clean), "FAKE"));
	assert_non_null(strstr(st_clean_text(clean), ST_REDACT_ERROR));
	json_t *again = json_loads(st_clean_text(clean), 0, NULL);
	assert_non_null(again);
	json_decref(again);
	st_autoclean struct st_clean *nothing = st_redact_json(redactor, NULL);
	assert_true(st_clean_failed(nothing));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_under_secret_keys_become_markers),
	    cmocka_unit_test(other_values_survive),
	    cmocka_unit_test(strings_and_keys_are_scanned),
	    cmocka_unit_test(json_within_strings_is_walked),
	    cmocka_unit_test(what_comes_out_is_valid_json),
	    cmocka_unit_test(too_deep_a_value_fails_closed),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
