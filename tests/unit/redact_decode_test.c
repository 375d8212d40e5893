/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <string.h>

#include "redact/decode.h"
#include "redact/redact.h"

static void expect_decoded(const char *text, const char *wanted)
{
	struct st_buf out = {0};
	bool done = st_decode_run(text, strlen(text), &out);
	assert_int_equal(done, wanted != NULL);
	if (done)
		assert_string_equal(out.data, wanted);
	st_buf_fini(&out);
}

static void text_is_decoded_and_nothing_else(void **state)
{
	(void)state;
	expect_decoded("cGFzc3dvcmQ9ZmFrZS1wYXNzLTE", "password=fake-pass-1");
	expect_decoded("70617373776f72643d66616b65", "password=fake");
	expect_decoded("70617373776F72643D66616B65", "password=fake");
	expect_decoded("cABhAHMAcwB3AG8AcgBkAD0AZgBhAGsAZQA", "password=fake");
	expect_decoded("%70%61ss=a+b", "pass=a b");
	expect_decoded("a%2Fb%2Fc", NULL);
	expect_decoded("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", NULL);
	expect_decoded("getElementsByTagNameForNothing", NULL);
	expect_decoded("iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB", NULL);
}

static void runs_are_found_where_they_begin_and_end(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t start;
		size_t end;
	} CASES[] = {
	    {"a short word, then ABCDEFGHIJKLMNOPQRSTUVWX.", 19, 43},
	    {"ABCDEFGHIJKLMNOPQRST", 0, 20},
	    {"\\nABCDEFGHIJKLMNOPQRSTUV ", 2, 24},
	    {"\x1b[31mABCDEFGHIJKLMNOPQRSTUV", 5, 27},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		struct st_place place;
		struct st_run run;
		st_place_init(&place, CASES[i].text, 0, strlen(CASES[i].text));
		assert_true(st_decode_next(&place, 0, &run));
		assert_int_equal(run.start, CASES[i].start);
		assert_int_equal(run.end, CASES[i].end);
	}
	struct st_place place;
	struct st_run run;
	st_place_init(&place, "no run of twenty in this one here", 0, 33);
	assert_false(st_decode_next(&place, 0, &run));
}

static void what_hides_a_secret_is_replaced_whole(void **state)
{
	(void)state;
	static const char *const PAIRS[][2] = {
	    {"x cGFzc3dvcmQ9ZmFrZS1wYXNzLTE y", "x [redacted:password] y"},
	    {"x 70617373776f72643d66616b652d706173732d31 y", "x [redacted:password] y"},
	    /* twice */
	    {"x Y0dGemMzZHZjbVE5Wm1GclpTMXdZWE56TFRF y", "x [redacted:password] y"},
	    /* three times is one too many */
	    {"WTBkR2VtTXpaSFpqYlZFNVdtMUdjbHBUTVhkWldFNTZURlJG",
	     "WTBkR2VtTXpaSFpqYlZFNVdtMUdjbHBUTVhkWldFNTZURlJG"},
	    {"data:text/plain;base64,aGVsbG8gd29ybGQsIG5vdGhpbmcgaGVyZQ==",
	     "data:text/plain;base64,aGVsbG8gd29ybGQsIG5vdGhpbmcgaGVyZQ=="},
	};
	struct st_redactor *redactor = st_redactor_new();
	assert_int_equal(st_redactor_build(redactor, NULL), ST_OK);
	for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
		st_autoclean struct st_clean *clean =
		    st_redact_text(redactor, PAIRS[i][0], strlen(PAIRS[i][0]));
		assert_string_equal(st_clean_text(clean), PAIRS[i][1]);
	}
	st_redactor_free(redactor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_is_decoded_and_nothing_else),
	    cmocka_unit_test(runs_are_found_where_they_begin_and_end),
	    cmocka_unit_test(what_hides_a_secret_is_replaced_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
