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
#include "redact/stream.h"
#include "schemas/buf.h"

static int load(const char *json, struct st_redactor **out, struct st_diag *diag)
{
	json_t *doc = json_loads(json, 0, NULL);
	assert_non_null(doc);
	*out = st_redactor_new();
	int err = st_redactor_rules(*out, doc, diag);
	json_decref(doc);
	assert_int_equal(st_redactor_build(*out, NULL), ST_OK);
	return err;
}

static const char RULES[] =
    "[{\"id\":\"acme-badge\",\"regex\":\"badge[ =]([A-Z]{2}-[0-9]{4,8})\",\"keywords\":[\"BADGE\"],"
    "\"secretGroup\":1,\"examples\":[\"badge AB-1234\"],\"counter_examples\":[\"badge of "
    "honour\"]},"
    "{\"id\":\"acme-ticket\",\"regex\":\"(?i)tick_[a-z0-9]{12}\",\"keywords\":[\"tick_\"],"
    "\"entropy\":2.5}]";

static void rules_of_the_operator_are_found(void **state)
{
	(void)state;
	static const char *const PAIRS[][2] = {
	    {"his badge AB-1234 and badge=CD-99999", "his badge [redacted:acme-badge] and "
						     "badge=[redacted:acme-badge]"},
	    {"badge of honour", "badge of honour"},
	    {"x tick_a1b2c3d4e5f6 password=fake-pass-1 TICK_F6E5D4C3B2A1",
	     "x [redacted:acme-ticket] password=[redacted:password] [redacted:acme-ticket]"},
	    {"tick_aaaaaaaaaaaa", "tick_aaaaaaaaaaaa"},
	    {"a badge\nAB-1234", "a badge\nAB-1234"},
	};
	struct st_redactor *redactor;
	struct st_diag diag = {0};
	if (load(RULES, &redactor, &diag) != ST_OK)
		fail_msg("%s", diag.text);
	for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
		st_autoclean struct st_clean *clean =
		    st_redact_text(redactor, PAIRS[i][0], strlen(PAIRS[i][0]));
		assert_string_equal(st_clean_text(clean), PAIRS[i][1]);
		st_autoclean struct st_clean *again =
		    st_redact_text(redactor, st_clean_text(clean), st_clean_len(clean));
		assert_string_equal(st_clean_text(again), PAIRS[i][1]);
	}
	st_redactor_free(redactor);
}

static void pieces_give_what_the_whole_gives(void **state)
{
	(void)state;
	static const char TEXT[] = "one badge AB-1234 tick_a1b2c3d4e5f6\ntwo tick_a1b2c3d4e5f6 x\n";
	struct st_redactor *redactor;
	assert_int_equal(load(RULES, &redactor, NULL), ST_OK);
	st_autoclean struct st_clean *whole = st_redact_text(redactor, TEXT, sizeof TEXT - 1);
	for (size_t cut = 0; cut < sizeof TEXT; cut++) {
		struct st_buf joined = {0};
		struct st_redact_stream *stream = st_redact_stream_open(redactor);
		struct st_clean *parts[3] = {
		    st_redact_stream_write(stream, TEXT, cut),
		    st_redact_stream_write(stream, TEXT + cut, sizeof TEXT - 1 - cut),
		};
		parts[2] = st_redact_stream_close(stream);
		for (size_t i = 0; i < 3; i++) {
			if (parts[i] != NULL)
				st_buf_add(&joined, st_clean_text(parts[i]),
					   st_clean_len(parts[i]));
			st_clean_free(parts[i]);
		}
		assert_string_equal(joined.data, st_clean_text(whole));
		st_buf_fini(&joined);
	}
	st_redactor_free(redactor);
}

static void as_many_keywords_as_may_be_are_found(void **state)
{
	(void)state;
	json_t *doc = json_array();
	char text[64];
	for (int i = 0; i < 125; i++) {
		json_t *keywords = json_array();
		for (int k = 0; k < 16; k++) {
			int len = snprintf(text, sizeof text, "%c%c%c%cword", 'a' + i % 26,
					   'a' + i / 26, 'a' + k, 'q');
			assert_in_range(len, 8, 8);
			json_array_append_new(keywords, json_string(text));
		}
		json_array_append_new(doc,
				      json_pack("{s:s, s:s, s:o}", "id", "many", "regex",
						"[a-z]{4}word=([0-9]+)", "keywords", keywords));
	}
	struct st_redactor *redactor = st_redactor_new();
	struct st_diag diag = {0};
	if (st_redactor_rules(redactor, doc, &diag) != ST_OK)
		fail_msg("%s", diag.text);
	assert_int_equal(st_redactor_build(redactor, NULL), ST_OK);
	st_autoclean struct st_clean *clean = st_redact_text(redactor, "x zdpqword=1234 y", 17);
	assert_string_equal(st_clean_text(clean), "x [redacted:many] y");
	st_redactor_free(redactor);
	json_array_append(doc, json_array_get(doc, 0));
	redactor = st_redactor_new();
	assert_int_equal(st_redactor_rules(redactor, doc, &diag), ST_ERR_TOO_LARGE);
	st_redactor_free(redactor);
	json_decref(doc);
}

static void bad_rules_are_refused_with_a_reason(void **state)
{
	(void)state;
	static const char *const BAD[][2] = {
	    {"{}", "array"},
	    {"[{\"id\":\"a b\"}]", "id of"},
	    {"[{\"id\":\"a\",\"regex\":\"x\"}]", "keywords"},
	    {"[{\"id\":\"a\",\"regex\":\"x\",\"keywords\":[\"abc\"]}]", "4 bytes"},
	    {"[{\"id\":\"a\",\"regex\":\"x(\",\"keywords\":[\"abcd\"]}]", "wrong at byte 2"},
	    {"[{\"id\":\"a\",\"regex\":\"abcd\",\"keywords\":[\"abcd\"],\"secretGroup\":1}]",
	     "group"},
	    {"[{\"id\":\"a\",\"regex\":\"abcd\",\"keywords\":[\"abcd\"],\"entropy\":9}]", "0 to 8"},
	    {"[{\"id\":\"a\",\"regex\":\"abcd1\",\"keywords\":[\"abcd\"],\"examples\":[\"abcd2\"]}"
	     "]",
	     "examples"},
	    {"[{\"id\":\"a\",\"regex\":\"1234\",\"keywords\":[\"abcd\"],\"examples\":[\"1234\"]}]",
	     "keywords"},
	    {"[{\"id\":\"a\",\"regex\":\"abcd\",\"keywords\":[\"abcd\"],\"counter_examples\":["
	     "\"abcd\"]}]",
	     "counter"},
	    {"[{\"id\":\"a\",\"regex\":\"abcd(a+)+[xy]\",\"keywords\":[\"abcd\"]}]", "steps"},
	    {"[{\"id\":\"a\",\"regex\":\"abcd.*\",\"keywords\":[\"abcd\"]}]", "anything"},
	};
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
		struct st_redactor *redactor;
		struct st_diag diag = {0};
		int err = load(BAD[i][0], &redactor, &diag);
		if (err != ST_ERR_INVALID || strstr(diag.text, BAD[i][1]) == NULL)
			fail_msg("%s: %d %s", BAD[i][0], err, diag.text);
		st_redactor_free(redactor);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rules_of_the_operator_are_found),
	    cmocka_unit_test(pieces_give_what_the_whole_gives),
	    cmocka_unit_test(as_many_keywords_as_may_be_are_found),
	    cmocka_unit_test(bad_rules_are_refused_with_a_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
