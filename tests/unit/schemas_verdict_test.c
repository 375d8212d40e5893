/* SPDX-License-Identifier: Apache-2.0 */
/* Is a verdict that was stored read back as it was, and nothing else taken for one? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/err.h"
#include "schemas/mem.h"
#include "schemas/verdict.h"

static void make(struct st_verdict *verdict, size_t n)
{
	verdict->allowed = false;
	verdict->suggestion = ST_SUGGEST_REQUEST_APPROVAL;
	verdict->until = ST_TIME_NONE;
	verdict->n_refused = n;
	for (size_t i = 0; i < n; i++) {
		struct st_refusal *r = &verdict->refused[i];
		*r = (struct st_refusal){.scope = (enum st_scope)(i % ST_SCOPE_COUNT),
					 .meter = (enum st_meter)(i % ST_METER_COUNT),
					 .limit = i % 3 == 0 ? ST_UNLIMITED : INT64_MAX,
					 .granted = (int64_t)i,
					 .settled = INT64_MAX - (int64_t)i,
					 .asked = 7};
		(void)snprintf(r->scope_id, sizeof r->scope_id, "a-%zu.b_", i);
	}
}

static void assert_same(const struct st_verdict *a, const struct st_verdict *b)
{
	assert_int_equal(a->n_refused, b->n_refused);
	for (size_t i = 0; i < a->n_refused; i++) {
		assert_int_equal(a->refused[i].scope, b->refused[i].scope);
		assert_int_equal(a->refused[i].meter, b->refused[i].meter);
		assert_string_equal(a->refused[i].scope_id, b->refused[i].scope_id);
		assert_true(a->refused[i].limit == b->refused[i].limit);
		assert_true(a->refused[i].granted == b->refused[i].granted);
		assert_true(a->refused[i].settled == b->refused[i].settled);
		assert_true(a->refused[i].held == b->refused[i].held);
		assert_true(a->refused[i].asked == b->refused[i].asked);
		assert_true(a->refused[i].remaining == b->refused[i].remaining);
	}
}

static void what_is_written_is_read_back(void **state)
{
	(void)state;
	static const size_t counts[] = {0, 1, 2, ST_REFUSALS_MAX};
	struct st_verdict *verdict = st_alloc(sizeof *verdict);
	struct st_verdict *back = st_alloc(sizeof *back);
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		for (int timed = 0; timed < 2; timed++) {
			struct st_buf text = {0};
			make(verdict, counts[i]);
			verdict->until = timed ? 1767225600000 : ST_TIME_NONE;
			st_verdict_add_json(&text, verdict);
			assert_int_equal(st_verdict_parse(text.data, back), ST_OK);
			assert_same(verdict, back);
			struct st_verdict *copy = st_verdict_copy(back);
			assert_same(verdict, copy);
			st_free(copy);
			st_buf_fini(&text);
		}
	}
	st_free(verdict);
	st_free(back);
}

/* Cut anywhere, with any byte left out or doubled, or one refusal too many: it is either no
 * verdict, or the byte was of a name or a number, and it still is one. */
static void what_was_altered_is_no_verdict(void **state)
{
	(void)state;
	struct st_buf text = {0};
	struct st_verdict *verdict = st_alloc(sizeof *verdict);
	make(verdict, 2);
	st_verdict_add_json(&text, verdict);
	for (size_t cut = 0; cut < text.len; cut++) {
		char *part = st_strndup(text.data, cut);
		assert_int_equal(st_verdict_parse(part, verdict), ST_ERR_INVALID);
		st_free(part);
	}
	static const char odd[] = "{}[],:\"\\ +x";
	for (size_t i = 0; i < text.len; i++) {
		char *altered = st_strndup(text.data, text.len);
		altered[i] = odd[i % (sizeof odd - 1)];
		bool of_name = strchr("{}[],: +x", altered[i]) != NULL;
		int err = st_verdict_parse(altered, verdict);
		assert_true(err == ST_ERR_INVALID || of_name || altered[i] == text.data[i]);
		st_free(altered);
	}
	st_buf_add_char(&text, ' ');
	assert_int_equal(st_verdict_parse(text.data, verdict), ST_ERR_INVALID);
	st_buf_fini(&text);
	st_free(verdict);
}

static void numbers_out_of_range_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *limit;
		bool good;
	} rows[] = {{"-1", true},
		    {"0", true},
		    {"9223372036854775807", true},
		    {"9223372036854775808", false},
		    {"92233720368547758070", false},
		    {"-2", false},
		    {"", false},
		    {"-", false},
		    {"+1", false},
		    {" 1", false},
		    {"1.0", false},
		    {"null", false}};
	struct st_verdict *verdict = st_alloc(sizeof *verdict);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[400];
		(void)snprintf(
		    text, sizeof text,
		    "{\"allowed\":false,\"refused\":[{\"scope\":\"run\",\"scope_id\":"
		    "\"r\",\"meter\":\"tokens\",\"window\":null,\"limit\":%s,"
		    "\"granted\":0,\"settled\":0,\"held\":0,\"asked\":1,\"remaining\":0}]"
		    ",\"suggest\":{\"action\":\"request_approval\",\"until\":null,"
		    "\"model\":null}}",
		    rows[i].limit);
		assert_int_equal(st_verdict_parse(text, verdict) == ST_OK, rows[i].good);
	}
	st_free(verdict);
}

static void more_refusals_than_there_are_accounts_are_refused(void **state)
{
	(void)state;
	struct st_buf text = {0};
	struct st_verdict *verdict = st_alloc(sizeof *verdict);
	static const char refusal[] =
	    "{\"scope\":\"run\",\"scope_id\":\"r\",\"meter\":\"tokens\",\"window\":null,\"limit\":"
	    "0,"
	    "\"granted\":0,\"settled\":0,\"held\":0,\"asked\":1,\"remaining\":0}";
	st_buf_add_text(&text, "{\"allowed\":false,\"refused\":[");
	for (int i = 0; i <= ST_REFUSALS_MAX; i++) {
		st_buf_addf(&text, "%s%s", i > 0 ? "," : "", refusal);
	}
	st_buf_add_text(&text,
			"],\"suggest\":{\"action\":\"none\",\"until\":null,\"model\":null}}");
	assert_int_equal(st_verdict_parse(text.data, verdict), ST_ERR_INVALID);
	st_buf_fini(&text);
	st_free(verdict);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_read_back),
	    cmocka_unit_test(what_was_altered_is_no_verdict),
	    cmocka_unit_test(numbers_out_of_range_are_refused),
	    cmocka_unit_test(more_refusals_than_there_are_accounts_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
