/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal is sent: text that cannot steer it, columns that line up, amounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "orchestrator/amount.h"
#include "orchestrator/report.h"
#include "orchestrator/shown.h"
#include "orchestrator/table.h"

static void check_shown(const char *raw, size_t len, const char *expected)
{
	struct st_buf out = {0};
	st_shown_add(&out, raw, len);
	assert_string_equal(out.data != NULL ? out.data : "", expected);
	st_buf_fini(&out);
}

static void text_that_steers_is_spelt_out(void **state)
{
	static const struct {
		const char *raw;
		const char *shown;
	} cases[] = {
	    {"plain, größer, 値段", "plain, größer, 値段"},
	    {"\033[2Jgone", "\\x1b[2Jgone"},
	    {"a\nb\tc\rd", "a\\nb\\tc\\rd"},
	    {"\a\x7f", "\\x07\\x7f"},
	    {"\xc2\x9b"
	     "2J",
	     "\\x9b2J"}, /* C1 CSI as UTF-8 */
	    {"\x9b"
	     "2J",
	     "\\x9b2J"}, /* and as a bare byte */
	    {"\xe2\x80\xae"
	     "txt.exe",
	     "\\u{202e}txt.exe"},	   /* right to left */
	    {"\xe2\x80\x8b", "\\u{200b}"}, /* zero width */
	    {"\xef\xbb\xbf", "\\u{feff}"},
	    {"\xf3\xa0\x81\x81", "\\u{e0041}"},		  /* a tag character */
	    {"\xc0\xaf", "\\xc0\\xaf"},			  /* overlong */
	    {"\xed\xa0\x80", "\\xed\\xa0\\x80"},	  /* a surrogate */
	    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
	    {"cut \xe2\x82", "cut \\xe2\\x82"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_shown(cases[i].raw, strlen(cases[i].raw), cases[i].shown);
	}
	check_shown("a\0b", 3, "a\\x00b");
}

/* Whatever the bytes: what is shown holds no control byte, and showing it twice changes no more
 * than backslashes would. */
static void no_byte_gets_through(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 256; first++) {
		for (unsigned second = 0; second < 256; second++) {
			const char raw[3] = {(char)first, (char)second, 'x'};
			struct st_buf out = {0};
			st_shown_add(&out, raw, sizeof raw);
			for (size_t i = 0; i < out.len; i++) {
				unsigned char c = (unsigned char)out.data[i];
				assert_true(c >= 0x20 && c != 0x7f);
				assert_false(c == 0xc2 && (unsigned char)out.data[i + 1] < 0xa0);
			}
			st_buf_fini(&out);
		}
	}
}

static void transcripts_keep_their_lines_only(void **state)
{
	struct st_buf out = {0};
	(void)state;
	st_shown_add_lines(&out, "a\n\tb\033c", 6);
	assert_string_equal(out.data, "a\n\tb\\x1bc");
	st_buf_fini(&out);
}

static void a_cut_never_passes_its_columns(void **state)
{
	static const char *const texts[] = {"abcdef", "größer", "値段値段", "", "a"};
	(void)state;
	for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
		for (size_t columns = 1; columns < 12; columns++) {
			struct st_buf out = {0};
			size_t taken = st_shown_add_cut(&out, texts[t], columns);
			assert_true(taken <= columns);
			assert_int_equal(st_shown_columns(out.data != NULL ? out.data : ""), taken);
			if (st_shown_columns(texts[t]) <= columns) {
				assert_string_equal(out.data != NULL ? out.data : "", texts[t]);
			}
			st_buf_fini(&out);
		}
	}
}

static void money_is_shown_exactly(void **state)
{
	static const struct {
		int64_t nusd;
		const char *shown;
	} cases[] = {{0, "$0.00"},
		     {1, "$0.000000001"},
		     {2500000000, "$2.50"},
		     {1234500000, "$1.2345"},
		     {INT64_MAX, "$9223372036.854775807"}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct st_buf out = {0};
		st_shown_add_amount(&out, "cost_nusd", cases[i].nusd);
		assert_string_equal(out.data, cases[i].shown);
		st_buf_fini(&out);
	}
}

static void a_table_lines_up_and_gives_way(void **state)
{
	static const struct st_column columns[] = {
	    {"ID", false, false}, {"TEXT", false, true}, {"N", true, false}};
	struct st_table table = {.columns = columns, .n_columns = 3};
	struct st_buf out = {0};
	(void)state;
	st_table_add(&table, "one");
	st_table_add(&table, "a long text\nthat is cut");
	st_table_add_int(&table, 5);
	st_table_add(&table, "seven");
	st_table_add(&table, NULL);
	st_table_add_int(&table, 12345);
	st_table_print(&table, (struct st_look){.width = 24}, "none", &out);
	assert_string_equal(out.data, "ID     TEXT            N\n"
				      "one    a long te…      5\n"
				      "seven  -           12345\n");
	st_buf_clear(&out);
	st_table_print(&table, (struct st_look){0}, "none", &out);
	assert_string_equal(out.data, "none\n");
	st_buf_fini(&out);
}

static void amounts_are_whole_and_above_zero(void **state)
{
	static const struct {
		const char *text;
		int64_t amount; /* 0: refused */
	} cases[] = {
	    {"tokens=500", 500},
	    {"search.exa=1", 1},
	    {"cost_usd=0.25", 250000000},
	    {"cost_usd=3", 3000000000},
	    {"cost_nusd=7", 7},
	    {"tokens=9223372036854775807", INT64_MAX},
	    {"tokens=9223372036854775808", 0},
	    {"tokens=0", 0},
	    {"tokens=-5", 0},
	    {"tokens=+5", 0},
	    {"tokens= 5", 0},
	    {"tokens=5x", 0},
	    {"tokens=", 0},
	    {"tokens", 0},
	    {"=5", 0},
	    {"toknes=5", 0},
	    {"", 0},
	    {"cost_usd=1e3", 0},
	    {"cost_usd=0.0000000001", 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct st_diag diag = {0};
		enum st_meter meter = ST_METER_COUNT;
		int64_t amount = 0;
		int err = st_amount_parse(cases[i].text, &meter, &amount, &diag);
		assert_int_equal(err, cases[i].amount > 0 ? ST_OK : ST_ERR_INVALID);
		if (err == ST_OK) {
			assert_int_equal(amount, cases[i].amount);
		} else {
			assert_true(diag.text[0] != '\0');
		}
	}
}

/* Without a scope a grant goes where the meter was refused, which may be the step. */
static void a_grant_goes_where_it_was_refused(void **state)
{
	struct st_diag diag = {0};
	struct st_decide decide = {0};
	json_t *halt = json_loads("{\"verdict\":{\"refused\":["
				  "{\"scope\":\"step\",\"meter\":\"tokens\"},"
				  "{\"scope\":\"tenant\",\"meter\":\"tokens\"}]}}",
				  0, NULL);
	(void)state;
	assert_int_equal(st_amount_grant(&decide, "tokens=5", halt, &diag), ST_OK);
	assert_int_equal(st_amount_grant(&decide, "tool_steps=1", halt, &diag), ST_OK);
	assert_int_equal(st_amount_grant(&decide, "run:tokens=6", halt, &diag), ST_OK);
	assert_int_equal(decide.n_grants, 3);
	assert_int_equal(decide.grants[0].scope, ST_SCOPE_STEP);
	assert_int_equal(decide.grants[0].amount, 5);
	assert_int_equal(decide.grants[1].scope, ST_SCOPE_RUN);
	assert_int_equal(decide.grants[2].scope, ST_SCOPE_RUN);
	while (decide.n_grants < ST_GRANTS_MAX) {
		assert_int_equal(st_amount_grant(&decide, "run:tokens=1", halt, &diag), ST_OK);
	}
	assert_int_equal(st_amount_grant(&decide, "run:tokens=1", halt, &diag), ST_ERR_TOO_LARGE);
	assert_int_equal(decide.n_grants, ST_GRANTS_MAX);
	json_decref(halt);
}

/* A daemon that lies, or one of another version, makes ugly output at worst. */
static void reports_take_any_document(void **state)
{
	static void (*const reports[])(const json_t *, struct st_look, struct st_buf *) = {
	    st_report_run,	 st_report_runs,	st_report_holds,
	    st_report_approvals, st_report_usage,	st_report_tokens,
	    st_report_calls,	 st_report_transcripts, st_report_halt,
	};
	static const char *const docs[] = {
	    "null",
	    "[]",
	    "{}",
	    "[1,null,{},[[]],\"x\"]",
	    "{\"runs\":[{\"id\":7,\"name\":null,\"halt\":[]}],\"next_cursor\":{}}",
	    ("{\"id\":\"\\u001b[31m\",\"halt\":{\"kind\":\"budget\",\"verdict\":{\"refused\":[{}]}}"
	     ","
	     "\"steps\":[{\"external_ids\":[{\"url\":\"\\u001b]8;;x\"}]}],"
	     "\"envelope\":{\"\\u001b\":{\"limit\":9223372036854775807,\"granted\":"
	     "9223372036854775807,"
	     "\"settled\":-5,\"held\":9223372036854775807}}}"),
	    ("[{\"command\":[1,\"\\u001bc\"],\"transcript\":[{\"command\":[1,\"\\u001bc\"],"
	     "\"stdout\":\"\\u001b[2J\"}],\"amounts\":[{\"scope\":\"run\",\"meter\":\"\\u001b\"}]}"
	     "]"),
	};
	(void)state;
	for (size_t d = 0; d < sizeof docs / sizeof docs[0]; d++) {
		json_t *doc = json_loads(docs[d], JSON_DECODE_ANY, NULL);
		assert_non_null(doc);
		for (size_t r = 0; r < sizeof reports / sizeof reports[0]; r++) {
			struct st_buf out = {0};
			reports[r](doc, (struct st_look){.width = 60}, &out);
			assert_null(out.data != NULL ? strchr(out.data, '\033') : NULL);
			st_buf_fini(&out);
		}
		json_decref(doc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_that_steers_is_spelt_out),
	    cmocka_unit_test(no_byte_gets_through),
	    cmocka_unit_test(transcripts_keep_their_lines_only),
	    cmocka_unit_test(a_cut_never_passes_its_columns),
	    cmocka_unit_test(money_is_shown_exactly),
	    cmocka_unit_test(a_table_lines_up_and_gives_way),
	    cmocka_unit_test(amounts_are_whole_and_above_zero),
	    cmocka_unit_test(a_grant_goes_where_it_was_refused),
	    cmocka_unit_test(reports_take_any_document),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
