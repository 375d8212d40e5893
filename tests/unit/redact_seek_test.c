/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <string.h>

#include "redact/gap.h"
#include "redact/redact.h"
#include "redact/spell.h"
#include "redact/stream.h"
#include "schemas/buf.h"
#include "schemas/mem.h"

/* Invented: what encodings change, what repeats itself, several lines, and a long one. */
static const char *const SECRETS[] = {
    "fAk3/s3cr3t+val=ue&\"q'uo\\te<x>",
    "plainfakevalue0123456789",
    "abababababababac0",
    "first fake line of it\nsecond/fake line",
    ("FAKEfakeFAKEfake0123456789/+abcdefghijklmnopqrstuvwxyz-FAKEfakeFAKEfake0123456789/+"
     "abcdefghijklmnopqrstuvwxyz-zyxwvutsrqponmlkjihgfedcba9876543210"),
};
#define SECRETS_N (sizeof SECRETS / sizeof SECRETS[0])

static struct st_redactor *redactor;
static uint32_t seed = 7;

static int setup(void **state)
{
	(void)state;
	redactor = st_redactor_new();
	for (size_t i = 0; i < SECRETS_N; i++)
		assert_int_equal(
		    st_redactor_secret(redactor, "NAME", SECRETS[i], strlen(SECRETS[i]), NULL),
		    ST_OK);
	return st_redactor_build(redactor, NULL);
}

static int teardown(void **state)
{
	(void)state;
	st_redactor_free(redactor);
	return 0;
}

static uint32_t chance(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* What text may be interrupted by, and after how many bytes of it. */
static const struct {
	const char *gap;
	size_t every;
} BREAKS[] = {
    {"", 0},
    {"\n", 76},
    {"\n", 5},
    {"\r\n", 64},
    {"\r\n", 7},
    {"\n        ", 19},
    {"\\n", 20},
    {"\\\\n", 20},
    {"\\r\\n", 20},
    {"\x1b[31m", 4},
    {"\x1b[0m\x1b[1;32m", 9},
    {"\x1b[K", 1},
    {"\x1b]8;;https://example.com\x07", 13},
    {"\\u001b[33m", 6},
    {"\\x1b[m", 6},
    {"\x1b[0m\r\n\t\x1b[1m", 8},
};
#define BREAKS_N (sizeof BREAKS / sizeof BREAKS[0])

static const char *const BEFORE[] = {
    "", "a log line\n", "x", "{\"key\": \"", "\\n", "\x1b[1m text ", "plain", "=", "aababab"};
static const char *const BEHIND[] = {"", "\n", "\"}", "x and more\n", "\\n", "\x1b[0m\n", "ab&"};

/* The spelt secret, interrupted. */
static void interrupted(struct st_buf *out, const uint8_t *spelt, size_t len, size_t way)
{
	const char *gap = BREAKS[way].gap;
	for (size_t i = 0; i < len; i++) {
		/* Nobody could tell apart the backslashes of both, or a space from an indent. */
		bool mixed = i > 0 && gap[0] == '\\' && (spelt[i - 1] == '\\' || spelt[i] == '\\');
		if (i > 0 && BREAKS[way].every > 0 && i % BREAKS[way].every == 0 && !mixed &&
		    spelt[i] != ' ')
			st_buf_add_text(out, gap);
		st_buf_add_char(out, (char)spelt[i]);
	}
}

static void expect_same_in_pieces(const struct st_buf *text, const struct st_clean *whole)
{
	struct st_buf joined = {0};
	st_buf_add_text(&joined, "");
	struct st_redact_stream *stream = st_redact_stream_open(redactor);
	for (size_t at = 0; at < text->len;) {
		size_t len = 1 + chance(chance(4) == 0 ? 90 : 9);
		len = len > text->len - at ? text->len - at : len;
		st_autoclean struct st_clean *part =
		    st_redact_stream_write(stream, text->data + at, len);
		if (part != NULL)
			st_buf_add(&joined, st_clean_text(part), st_clean_len(part));
		at += len;
	}
	st_autoclean struct st_clean *last = st_redact_stream_close(stream);
	if (last != NULL)
		st_buf_add(&joined, st_clean_text(last), st_clean_len(last));
	if (joined.len != st_clean_len(whole) ||
	    memcmp(joined.data, st_clean_text(whole), joined.len) != 0)
		fail_msg("in pieces:\n%s\n--- whole:\n%s\n--- of:\n%s", joined.data,
			 st_clean_text(whole), text->data);
	st_buf_fini(&joined);
}

static void expect_gone(const struct st_clean *clean, const uint8_t *spelt, size_t len)
{
	size_t n = st_clean_len(clean);
	uint8_t *seen = st_alloc(n + 1);
	uint8_t *sought = st_alloc(len + 1);
	n = st_gap_strip((const uint8_t *)st_clean_text(clean), n, seen);
	len = st_gap_strip(spelt, len, sought);
	/* Of what a line end cuts off at its very beginning, three bytes may stay. */
	size_t part = len > 12 ? 10 : len;
	for (size_t at = 0; at + part <= len; at++)
		for (size_t i = 0; i + part <= n; i++)
			if (memcmp(seen + i, sought + at, part) == 0)
				fail_msg("%.*s stays in\n%s", (int)part, sought + at,
					 st_clean_text(clean));
	st_free(seen);
	st_free(sought);
}

static void try(size_t secret, enum st_spelling spelling, size_t way)
{
	const uint8_t *bytes = (const uint8_t *)SECRETS[secret];
	size_t len = strlen(SECRETS[secret]);
	uint8_t *spelt = st_alloc(ST_SPELL_BYTES_MAX(len));
	size_t spelt_len = st_spell(spelling, bytes, len, spelt);
	struct st_buf text = {0};
	st_buf_add_text(&text, BEFORE[chance(sizeof BEFORE / sizeof BEFORE[0])]);
	interrupted(&text, spelt, spelt_len, way);
	st_buf_add_text(&text, BEHIND[chance(sizeof BEHIND / sizeof BEHIND[0])]);
	st_autoclean struct st_clean *clean = st_redact_text(redactor, text.data, text.len);
	expect_gone(clean, spelt, spelt_len);
	expect_same_in_pieces(&text, clean);
	st_autoclean struct st_clean *again =
	    st_redact_text(redactor, st_clean_text(clean), st_clean_len(clean));
	assert_string_equal(st_clean_text(again), st_clean_text(clean));
	st_free(spelt);
	st_buf_fini(&text);
}

static bool spaced_out(int spelling, size_t way)
{
	return (spelling == ST_SPELLING_HEX_SPACE || spelling == ST_SPELLING_SPACED) &&
	       strpbrk(BREAKS[way].gap, "\nn") != NULL;
}

static void every_spelling_is_found_however_it_is_interrupted(void **state)
{
	(void)state;
	for (size_t secret = 0; secret < SECRETS_N; secret++)
		for (int spelling = 0; spelling < ST_SPELLING_COUNT; spelling++)
			for (size_t way = 0; way < BREAKS_N; way++)
				/* Behind a line end a space is not told from an indent. */
				for (int round = 0; round < 3 && !spaced_out(spelling, way);
				     round++)
					try(secret, (enum st_spelling)spelling, way);
}

static void expect(const char *text, const char *wanted)
{
	st_autoclean struct st_clean *clean = st_redact_text(redactor, text, strlen(text));
	assert_string_equal(st_clean_text(clean), wanted);
}

static void only_what_is_broken_over_lines_is_joined(void **state)
{
	(void)state;
	expect("plainfake value0123456789", "plainfake value0123456789");
	expect("plainfake, \nvalue0123456789", "plainfake, \nvalue0123456789");
	expect("plainfake\n\nvalue0123456789 x", "[redacted:NAME] x");
	expect("plainfake\n  value0123456789 x", "[redacted:NAME] x");
	expect("pla\ninfakevalue0123456789 x", "pla\n[redacted:NAME] x");
}

static void a_line_leaves_though_its_end_might_begin_a_secret(void **state)
{
	(void)state;
	static const char LINE[] = "this line ends like a secret begins: pla\n";
	struct st_redact_stream *stream = st_redact_stream_open(redactor);
	st_autoclean struct st_clean *line = st_redact_stream_write(stream, LINE, sizeof LINE - 1);
	assert_string_equal(st_clean_text(line), LINE);
	static const char REST[] = "infakevalue0123456789\n";
	st_autoclean struct st_clean *rest = st_redact_stream_write(stream, REST, sizeof REST - 1);
	assert_string_equal(st_clean_text(rest), "[redacted:NAME]\n");
	assert_null(st_redact_stream_close(stream));
}

static void gaps_are_told_from_text(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t len;
	} CASES[] = {
	    {"\n", 1},	  {"\r\n", 1},	     {"\\n", 2},	{"\\\\\\\\r", 5},
	    {"\\t", 0},	  {"\\x41", 0},	     {"\x1b[31m", 5},	{"\x1b[?25l", 6},
	    {"\x1b(", 0}, {"\x1b[\x01", 0},  {"\\u001b[0m", 9}, {"\\033[1;31mx", 10},
	    {"\\e[K", 4}, {"\\u001c[0m", 0}, {"a", 0},		{"\x1b]0;title\x07", 10},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		struct st_known text = {CASES[i].text, strlen(CASES[i].text), true};
		bool line;
		assert_int_equal(st_gap_len(&text, 0, &line), CASES[i].len);
	}
	static const char *const OPEN[] = {"\x1b", "\x1b[31", "\\", "\\u00", "\\u001b[", "\x1b]8;"};
	for (size_t i = 0; i < sizeof OPEN / sizeof OPEN[0]; i++) {
		struct st_known text = {OPEN[i], strlen(OPEN[i]), false};
		bool line;
		assert_true(st_gap_len(&text, 0, &line) == ST_GAP_UNKNOWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_spelling_is_found_however_it_is_interrupted),
	    cmocka_unit_test(only_what_is_broken_over_lines_is_joined),
	    cmocka_unit_test(a_line_leaves_though_its_end_might_begin_a_secret),
	    cmocka_unit_test(gaps_are_told_from_text),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
