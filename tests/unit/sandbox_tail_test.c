/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <string.h>

#include "sandbox/tail.h"
#include "schemas/buf.h"

static void expect(const struct st_tail *tail, const char *text, bool truncated)
{
	struct st_buf out = {0};
	assert_int_equal(st_tail_text(tail, &out), truncated);
	assert_string_equal(out.data, text);
	st_buf_fini(&out);
}

static void what_fits_is_kept_whole(void **state)
{
	(void)state;
	struct st_tail tail;
	st_tail_init(&tail, 8);
	expect(&tail, "", false);
	st_tail_add(&tail, "abc", 3);
	st_tail_add(&tail, "defgh", 5);
	expect(&tail, "abcdefgh", false);
	assert_int_equal(st_tail_dropped(&tail), 0);
	st_tail_fini(&tail);
}

static void the_middle_goes_and_is_counted(void **state)
{
	(void)state;
	for (size_t step = 1; step <= 26; step++) {
		struct st_tail tail;
		st_tail_init(&tail, 8);
		const char *text = "abcdefghijklmnopqrstuvwxyz";
		for (size_t at = 0; at < 26; at += step) {
			st_tail_add(&tail, text + at, 26 - at < step ? 26 - at : step);
		}
		expect(&tail, "ab\n[stint: 18 bytes dropped]\nuvwxyz", true);
		assert_int_equal(tail.seen, 26);
		assert_int_equal(st_tail_kept(&tail), 8);
		st_tail_fini(&tail);
	}
}

static void a_cap_of_nothing_still_counts(void **state)
{
	(void)state;
	struct st_tail tail;
	st_tail_init(&tail, 0);
	st_tail_add(&tail, "hello", 5);
	expect(&tail, "\n[stint: 5 bytes dropped]\n", true);
	st_tail_fini(&tail);
}

static void a_stream_far_past_the_cap_keeps_its_memory(void **state)
{
	(void)state;
	static char chunk[65536];
	struct st_tail tail;
	memset(chunk, 'x', sizeof chunk);
	st_tail_init(&tail, 100000);
	for (int i = 0; i < 1000; i++) {
		st_tail_add(&tail, chunk, sizeof chunk - (size_t)(i % 7));
	}
	st_tail_add(&tail, "end", 3);
	assert_int_equal(st_tail_kept(&tail), 100000);
	assert_true(tail.ring_cap + tail.head.cap <= 100000 + 65536);
	struct st_buf out = {0};
	assert_true(st_tail_text(&tail, &out));
	assert_string_equal(out.data + out.len - 4, "xend");
	st_buf_fini(&out);
	st_tail_fini(&tail);
}

static void a_character_is_never_cut_in_two(void **state)
{
	(void)state;
	struct st_tail tail;
	st_tail_init(&tail, 8);
	/* The head takes two of three bytes of the first; the tail begins within another. */
	st_tail_add(&tail, "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xC3\xA4yz", 13);
	expect(&tail, "\n[stint: 9 bytes dropped]\n\xC3\xA4yz", true);
	st_tail_fini(&tail);
	/* On the seam without a cut it stays whole. */
	st_tail_init(&tail, 8);
	st_tail_add(&tail,
		    "a\xE2\x82\xAC"
		    "b",
		    5);
	expect(&tail,
	       "a\xE2\x82\xAC"
	       "b",
	       false);
	st_tail_fini(&tail);
}

static void bytes_that_are_no_text_become_the_replacement(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
		const char *text;
	} rows[] = {
	    {"a\0b", 3,
	     "a\xEF\xBF\xBD"
	     "b"},
	    {"\xFF", 1, "\xEF\xBF\xBD"},
	    {"\xC0\xAF", 2, "\xEF\xBF\xBD\xEF\xBF\xBD"},		 /* overlong */
	    {"\xED\xA0\x80", 3, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* surrogate */
	    {"\xF4\x90\x80\x80", 4,
	     "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* > 10FFFF */
	    {"\xF0\x9F\x98\x80", 4, "\xF0\x9F\x98\x80"},
	    {"\xE2\x82", 2, "\xEF\xBF\xBD\xEF\xBF\xBD"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_buf out = {0};
		st_tail_utf8(&out, rows[i].bytes, rows[i].len);
		assert_string_equal(out.data, rows[i].text);
		st_buf_fini(&out);
	}
}

static void shrinking_keeps_both_ends(void **state)
{
	(void)state;
	const char *text = "abcdefghijklmnopqrstuvwxyz";
	for (size_t fed = 0; fed <= 26; fed++) {
		for (size_t cap = 0; cap <= 20; cap++) {
			struct st_tail tail;
			struct st_buf out = {0};
			st_tail_init(&tail, 20);
			st_tail_add(&tail, text, fed);
			st_tail_shrink(&tail, cap);
			assert_true(st_tail_kept(&tail) <= cap);
			assert_int_equal(tail.seen, fed);
			assert_int_equal(st_tail_text(&tail, &out), st_tail_kept(&tail) < fed);
			if (cap >= 4 && fed > 0) {
				assert_int_equal(out.data[0], 'a');
				assert_int_equal(out.data[out.len - 1], text[fed - 1]);
			}
			st_tail_add(&tail, "!!!!!!!!!!!!!!!!!!!!!!!!", 24);
			assert_true(st_tail_kept(&tail) <= cap);
			st_buf_fini(&out);
			st_tail_fini(&tail);
		}
	}
}

static void outputs_share_a_cap_fairly(void **state)
{
	(void)state;
	size_t sizes[] = {10, 1000, 0, 300};
	assert_int_equal(st_tail_level(sizes, 4, 2000), 2000);
	assert_int_equal(st_tail_level(sizes, 4, 610), 300);
	assert_int_equal(st_tail_level(sizes, 4, 110), 50);
	assert_int_equal(st_tail_level(sizes, 4, 2), 0);
	assert_int_equal(st_tail_level(sizes, 0, 5), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_fits_is_kept_whole),
	    cmocka_unit_test(the_middle_goes_and_is_counted),
	    cmocka_unit_test(a_cap_of_nothing_still_counts),
	    cmocka_unit_test(a_stream_far_past_the_cap_keeps_its_memory),
	    cmocka_unit_test(a_character_is_never_cut_in_two),
	    cmocka_unit_test(bytes_that_are_no_text_become_the_replacement),
	    cmocka_unit_test(shrinking_keeps_both_ends),
	    cmocka_unit_test(outputs_share_a_cap_fairly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
