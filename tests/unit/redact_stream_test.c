/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <string.h>

#include "redact/stream.h"
#include "schemas/buf.h"

#define LINE64 "FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfake\n"
#define DECLARED "decl4red/fake+secret"
#define OVERLAPPING "aaaaaaab"
#define LINES "first fake line of it\nsecond fake line of it"
#define TOKEN "glpat-FAKEexample0FAKE1234"

static struct st_redactor *redactor;

static int setup(void **state)
{
	(void)state;
	redactor = st_redactor_new();
	assert_int_equal(st_redactor_secret(redactor, "ONE", DECLARED, strlen(DECLARED), NULL), 0);
	assert_int_equal(st_redactor_secret(redactor, "TWO", "aaaab", 5, NULL), ST_ERR_INVALID);
	assert_int_equal(
	    st_redactor_secret(redactor, "TWO", OVERLAPPING "9", strlen(OVERLAPPING) + 1, NULL), 0);
	assert_int_equal(st_redactor_secret(redactor, "THREE", LINES, strlen(LINES), NULL), 0);
	return st_redactor_build(redactor, NULL);
}

static int teardown(void **state)
{
	(void)state;
	st_redactor_free(redactor);
	return 0;
}

/* What a stream gives, put together. */
struct collected {
	struct st_buf text;
	size_t redactions;
	size_t held_max;
};

static void collect(struct collected *collected, struct st_clean *clean)
{
	if (clean == NULL)
		return;
	st_buf_add(&collected->text, st_clean_text(clean), st_clean_len(clean));
	collected->redactions += st_clean_redactions(clean);
	st_clean_free(clean);
}

/* Writes text cut at the given offsets, which rise. */
static struct collected stream_cut(const char *text, size_t len, const size_t *cuts, size_t n)
{
	struct collected collected = {0};
	struct st_redact_stream *stream = st_redact_stream_open(redactor);
	size_t at = 0;
	for (size_t i = 0; i <= n; i++) {
		size_t end = i < n ? cuts[i] : len;
		collect(&collected, st_redact_stream_write(stream, text + at, end - at));
		if (st_redact_stream_held(stream) > collected.held_max)
			collected.held_max = st_redact_stream_held(stream);
		at = end;
	}
	collect(&collected, st_redact_stream_close(stream));
	return collected;
}

static void expect_cut(const char *text, size_t len, const size_t *cuts, size_t n)
{
	st_autoclean struct st_clean *whole = st_redact_text(redactor, text, len);
	struct collected parts = stream_cut(text, len, cuts, n);
	if (parts.text.len != st_clean_len(whole) ||
	    (parts.text.len > 0 &&
	     memcmp(parts.text.data, st_clean_text(whole), parts.text.len) != 0))
		fail_msg("cut at %zu, %zu of %zu:\n%.300s\n--- whole\n%.300s\n--- parts\n%.300s",
			 cuts[0], n > 1 ? cuts[1] : 0, len, text, st_clean_text(whole),
			 parts.text.data);
	assert_int_equal(parts.redactions, st_clean_redactions(whole));
	st_buf_fini(&parts.text);
}

static const char *const TEXTS[] = {
    "",
    "plain line\nanother plain line\n",
    "a " DECLARED " b " DECLARED DECLARED "\nc",
    "aaaaaaaaaaaaab9aaaaaaab9\naaaaaaa\naaaaaaab9",
    "x\n" LINES "\ny first fake line of it\nsecond fake\n",
    "it said ZGVjbDRyZWQvZmFrZStzZWNyZXQ= and 6465636c347265642f66616b652b736563726574\n",
    "password=fake-pass-1\nAuthorization: Bearer fake0value0fake0value\r\nok\r\n",
    "{\"token\":\"fake0value\",\"x\":\"" TOKEN "\"}\n" TOKEN,
    "-----BEGIN RSA PRIVATE KEY-----\n" LINE64 LINE64 "FAKE=\n-----END RSA PRIVATE KEY-----\nb\n",
    LINE64 LINE64 "FAKE==\n-----END RSA PRIVATE KEY-----\nb\n" LINE64 "end",
    LINE64 "short\n" LINE64 LINE64 "\n-----END RSA PRIVATE KEY-----\n",
    LINE64 "FAKE\n-----END PUBLIC KEY-----\n" LINE64 "-----END PRIVATE KEY-----",
    "2026 -----BEGIN PRIVATE KEY-----\n2026 password=fake-pass-1 " LINE64 "2026 done\n",
    "postgres://bob:fake0@db/x \x1b[31m" TOKEN "\x1b[0m\nCookie: a=b; c=d\n\n\n",
    "\xf0\x9f\x98\x80 token: fake0\xc3\xa9value \xff\xfe\n",
};

static void every_split_in_two_equals_the_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
		size_t len = strlen(TEXTS[i]);
		for (size_t cut = 0; cut <= len; cut++)
			expect_cut(TEXTS[i], len, &cut, 1);
	}
}

static void sampled_splits_in_three_equal_the_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
		size_t len = strlen(TEXTS[i]);
		for (size_t a = 0; a <= len; a += 3)
			for (size_t b = a; b <= len; b += 7)
				expect_cut(TEXTS[i], len, (const size_t[]){a, b}, 2);
	}
}

static void byte_by_byte_equals_the_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
		size_t len = strlen(TEXTS[i]);
		size_t cuts[1024];
		assert_true(len < 1024);
		for (size_t n = 0; n < len; n++)
			cuts[n] = n;
		if (len > 0)
			expect_cut(TEXTS[i], len, cuts, len);
	}
}

/* Two lines of 200 KB with secrets all over, also on the borders of the parts they are cut into. */
static void very_long_lines_equal_the_whole(void **state)
{
	(void)state;
	static const char *const FILL[] = {"word ", "w", "a=b&", "\"k\":\"v\","};
	for (size_t f = 0; f < sizeof FILL / sizeof FILL[0]; f++) {
		struct st_buf text = {0};
		for (int line = 0; line < 2; line++) {
			for (size_t n = 0; n < 40; n++) {
				size_t end = text.len + 5000 + 13 * n;
				while (text.len < end)
					st_buf_add_text(&text, FILL[f]);
				st_buf_add_text(&text, n % 3 == 0   ? " " DECLARED
						       : n % 3 == 1 ? " " TOKEN " "
								    : " password=fake-pass-1 ");
			}
			st_buf_add_text(&text, "\n");
		}
		size_t step = text.len / 37;
		size_t cuts[64];
		size_t n = 0;
		for (size_t at = step; at < text.len; at += step)
			cuts[n++] = at;
		expect_cut(text.data, text.len, cuts, n);
		for (size_t cut = 65530; cut < 65542; cut++)
			expect_cut(text.data, text.len, &cut, 1);
		st_autoclean struct st_clean *clean = st_redact_text(redactor, text.data, text.len);
		assert_null(strstr(st_clean_text(clean), "decl4red"));
		assert_null(strstr(st_clean_text(clean), "fake-pass"));
		assert_null(strstr(st_clean_text(clean), "FAKE1234"));
		st_buf_fini(&text);
	}
}

/* A value longer than what a stream holds back leaves no part behind. */
static void a_value_longer_than_the_window_is_found(void **state)
{
	(void)state;
	struct st_buf text = {0};
	st_buf_add_text(&text, "x password=");
	while (text.len < 300000)
		st_buf_add_text(&text, "fake-Pass1");
	st_buf_add_text(&text, " end\n");
	st_autoclean struct st_clean *clean = st_redact_text(redactor, text.data, text.len);
	assert_string_equal(st_clean_text(clean), "x password=[redacted:password] end\n");
	size_t cuts[128];
	for (size_t i = 0; i < 128; i++)
		cuts[i] = 2000 * (i + 1);
	expect_cut(text.data, text.len, cuts, 128);
	struct collected parts = stream_cut(text.data, text.len, cuts, 128);
	assert_true(parts.held_max <= ST_REDACT_LINE_MAX + 16384);
	st_buf_fini(&parts.text);
	st_buf_fini(&text);
}

static void memory_is_bounded_under_an_endless_match(void **state)
{
	(void)state;
	struct st_redact_stream *stream = st_redact_stream_open(redactor);
	struct collected collected = {0};
	char a[4096];
	memset(a, 'a', sizeof a);
	for (int i = 0; i < 1000; i++) {
		collect(&collected, st_redact_stream_write(stream, a, sizeof a));
		collect(&collected, st_redact_stream_write(stream, OVERLAPPING "9", 9));
		assert_true(st_redact_stream_held(stream) <= ST_REDACT_LINE_MAX + 16384);
	}
	collect(&collected, st_redact_stream_close(stream));
	assert_int_equal(collected.redactions, 1000);
	st_buf_fini(&collected.text);
}

static void expect_out(struct st_clean *clean, const char *wanted)
{
	if (wanted == NULL) {
		assert_null(clean);
		return;
	}
	assert_non_null(clean);
	assert_string_equal(st_clean_text(clean), wanted);
	st_clean_free(clean);
}

static void complete_harmless_lines_leave_at_once(void **state)
{
	(void)state;
	struct st_redact_stream *stream = st_redact_stream_open(redactor);
	expect_out(st_redact_stream_write(stream, "one\ntwo\nthr", 11), "one\ntwo\n");
	expect_out(st_redact_stream_write(stream, "ee\n", 3), "three\n");
	assert_int_equal(st_redact_stream_held(stream), 0);
	expect_out(st_redact_stream_write(stream, "x first fake line of it\n", 24), "x ");
	expect_out(st_redact_stream_write(stream, "other\n", 6), "[redacted:THREE]\nother\n");
	expect_out(st_redact_stream_write(stream, LINE64, 65), NULL);
	expect_out(st_redact_stream_write(stream, "no key\n", 7), LINE64 "no key\n");
	expect_out(st_redact_stream_close(stream), NULL);
}

static void a_flush_shows_only_what_is_harmless(void **state)
{
	(void)state;
	struct st_redact_stream *stream = st_redact_stream_open(redactor);
	expect_out(st_redact_stream_write(stream, "Enter password: fake-", 21), NULL);
	expect_out(st_redact_stream_flush(stream), "Enter password: ");
	expect_out(st_redact_stream_flush(stream), NULL);
	expect_out(st_redact_stream_write(stream, "pass-1 now dec", 14), NULL);
	expect_out(st_redact_stream_flush(stream), "[redacted:password] now ");
	expect_out(st_redact_stream_write(stream, "l4red/fake+secret\n", 18), "[redacted:ONE]\n");
	expect_out(st_redact_stream_close(stream), NULL);
}

static void flushes_anywhere_leak_nothing(void **state)
{
	(void)state;
	static const char TEXT[] = "a password=\"fake pass 1\" b " DECLARED " " TOKEN
				   " Cookie: a=fakefake; b=fakefake\n" LINES
				   "\n-----BEGIN PRIVATE KEY-----\n" LINE64 "x y\n";
	for (size_t a = 0; a < sizeof TEXT - 1; a++) {
		struct st_redact_stream *stream = st_redact_stream_open(redactor);
		struct collected collected = {0};
		for (size_t at = 0; at < sizeof TEXT - 1; at++) {
			collect(&collected, st_redact_stream_write(stream, TEXT + at, 1));
			if (at % (a + 1) == 0)
				collect(&collected, st_redact_stream_flush(stream));
		}
		collect(&collected, st_redact_stream_close(stream));
		static const char *const SECRETS[] = {"fake", "decl4", "FAKE", "pass 1"};
		for (size_t i = 0; i < sizeof SECRETS / sizeof SECRETS[0]; i++)
			if (strstr(collected.text.data, SECRETS[i]) != NULL)
				fail_msg("flush every %zu: %s", a + 1, collected.text.data);
		st_buf_fini(&collected.text);
	}
}

static void nothing_in_gives_nothing_out(void **state)
{
	(void)state;
	struct st_redact_stream *stream = st_redact_stream_open(redactor);
	expect_out(st_redact_stream_write(stream, "", 0), NULL);
	expect_out(st_redact_stream_flush(stream), NULL);
	expect_out(st_redact_stream_close(stream), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_split_in_two_equals_the_whole),
	    cmocka_unit_test(sampled_splits_in_three_equal_the_whole),
	    cmocka_unit_test(byte_by_byte_equals_the_whole),
	    cmocka_unit_test(very_long_lines_equal_the_whole),
	    cmocka_unit_test(a_value_longer_than_the_window_is_found),
	    cmocka_unit_test(memory_is_bounded_under_an_endless_match),
	    cmocka_unit_test(complete_harmless_lines_leave_at_once),
	    cmocka_unit_test(a_flush_shows_only_what_is_harmless),
	    cmocka_unit_test(flushes_anywhere_leak_nothing),
	    cmocka_unit_test(nothing_in_gives_nothing_out),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
