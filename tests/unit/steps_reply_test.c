/* SPDX-License-Identifier: Apache-2.0 */
#include "steps_kind_fixture.h"

#include "steps/httpdate.h"
#include "steps/reply.h"
#include "steps/text.h"

static void http_dates_are_read_in_their_one_form(void **state)
{
	(void)state;
	st_time at = 0;
	assert_int_equal(st_httpdate_parse("Sun, 06 Nov 1994 08:49:37 GMT", &at), ST_OK);
	assert_true(at == INT64_C(784111777000));
	static const char *const bad[] = {"",
					  "Sun, 06 Nov 1994 08:49:37 UTC",
					  "Sunday, 06-Nov-94 08:49:37 GMT",
					  "Sun Nov  6 08:49:37 1994",
					  "Sun, 31 Feb 1994 08:49:37 GMT",
					  "Sun, 06 Nox 1994 08:49:37 GMT",
					  "Sun, 06 Nov 1994 25:49:37 GMT"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(st_httpdate_parse(bad[i], &at), ST_ERR_INVALID);
	}
}

static void waiting_is_asked_for_in_sensible_amounts_or_not_at_all(void **state)
{
	(void)state;
	static const struct {
		const char *after;
		const char *date;
		int64_t wait_ms;
	} rows[] = {
	    {"1", NULL, 1000},
	    {"120", NULL, 120000},
	    {"3600", NULL, 3600000},
	    {"86400", NULL, 3600000}, /* capped at an hour */
	    {"0", NULL, -1},
	    {"-1", NULL, -1},
	    {"1000000000000", NULL, -1},
	    {"99999999999999999999999", NULL, -1},
	    {"soon", NULL, -1},
	    {"1.5", NULL, -1},
	    {" 7", NULL, -1},
	    {"", NULL, -1},
	    {"Sun, 06 Nov 1994 08:49:47 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 10000},
	    {"Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:47 GMT", -1},
	    {"Sun, 06 Nov 1994 08:49:47 GMT", NULL, -1},
	    {"Sun, 06 Nov 9994 08:49:47 GMT", "Sun, 06 Nov 1994 08:49:47 GMT", -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_http_response response = response_of(429, NULL, NULL);
		response_header(&response, "Retry-After", rows[i].after);
		if (rows[i].date != NULL) {
			response_header(&response, "Date", rows[i].date);
		}
		assert_int_equal(st_reply_retry_after_ms(&response), rows[i].wait_ms);
		st_http_response_fini(&response);
	}
	struct st_http_response both = response_of(429, NULL, NULL);
	response_header(&both, "retry-after-ms", "250");
	response_header(&both, "retry-after", "9");
	assert_int_equal(st_reply_retry_after_ms(&both), 250);
	st_http_response_fini(&both);
}

static void each_status_has_its_rule(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *body;
		bool retryable;
		bool free_of_charge;
		const char *code;
	} rows[] = {
	    {400, "{\"error\":{\"message\":\"bad\"}}", false, true, "provider.refused"},
	    {401, NULL, false, true, "provider.not_permitted"},
	    {402, NULL, false, true, "provider.payment_required"},
	    {403, NULL, false, true, "provider.not_permitted"},
	    {404, NULL, false, true, "provider.not_found"},
	    {408, NULL, true, true, "provider.refused"},
	    {409, NULL, true, true, "provider.refused"},
	    {413, NULL, false, true, "provider.too_large"},
	    {418, NULL, false, true, "provider.refused"},
	    {422, NULL, false, true, "provider.refused"},
	    {429, NULL, true, true, "provider.rate_limited"},
	    {429, "{\"error\":{\"code\":\"insufficient_quota\"}}", false, true,
	     "provider.rate_limited"},
	    {500, NULL, true, false, "provider.failed"},
	    {501, NULL, false, false, "provider.failed"},
	    {502, NULL, true, false, "provider.failed"},
	    {503, NULL, true, false, "provider.overloaded"},
	    {504, NULL, true, false, "provider.failed"},
	    {529, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", true, true,
	     "provider.overloaded"},
	    {529, NULL, true, false, "provider.overloaded"},
	    {599, NULL, true, false, "provider.failed"},
	    {301, NULL, false, true, "provider.unexpected_status"},
	    {100, NULL, false, true, "provider.unexpected_status"},
	    {0, NULL, false, true, "provider.unexpected_status"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_outcome out;
		struct st_http_response response =
		    response_of(rows[i].status, "application/json", rows[i].body);
		st_reply_begin(&out, &response);
		assert_true(st_reply_refused(&out, "openai", &response));
		assert_int_equal(out.state, ST_OUTCOME_FAILED);
		assert_int_equal(out.retryable, rows[i].retryable);
		assert_int_equal(out.usage_known, rows[i].free_of_charge);
		assert_int_equal(out.usage.of[ST_METER_TOOL_STEPS], rows[i].free_of_charge ? 1 : 0);
		assert_int_equal(out.usage.of[ST_METER_TOKENS], 0);
		assert_string_equal(out.error_code, rows[i].code);
		st_outcome_fini(&out);
		st_http_response_fini(&response);
	}
}

static void what_was_not_sent_is_given_back_and_the_rest_is_in_doubt(void **state)
{
	(void)state;
	static const struct {
		enum st_transport transport;
		enum st_outcome_state state;
		bool retryable;
	} rows[] = {
	    {ST_TRANSPORT_NOT_SENT, ST_OUTCOME_NOT_MADE, true},
	    {ST_TRANSPORT_LOST, ST_OUTCOME_UNKNOWN, true},
	    {ST_TRANSPORT_TIMED_OUT, ST_OUTCOME_UNKNOWN, true},
	    {ST_TRANSPORT_TOO_LARGE, ST_OUTCOME_UNKNOWN, false},
	    {ST_TRANSPORT_ABORTED, ST_OUTCOME_UNKNOWN, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_outcome out;
		/* A status that arrived before the rest was lost changes nothing. */
		struct st_http_response response = response_of(400, NULL, NULL);
		response.transport = rows[i].transport;
		st_reply_begin(&out, &response);
		assert_true(st_reply_refused(&out, "openai", &response));
		assert_int_equal(out.state, rows[i].state);
		assert_int_equal(out.retryable, rows[i].retryable);
		assert_false(out.usage_known);
		st_outcome_fini(&out);
		st_http_response_fini(&response);
	}
}

static void the_providers_advice_not_to_retry_is_kept(void **state)
{
	(void)state;
	struct st_outcome out;
	struct st_http_response response = response_of(429, NULL, NULL);
	response_header(&response, "x-should-retry", "false");
	response_header(&response, "retry-after", "5");
	st_reply_begin(&out, &response);
	assert_true(st_reply_refused(&out, "x", &response));
	assert_false(out.retryable);
	assert_int_equal(out.retry_after_ms, -1);
	st_http_response_fini(&response);
}

static void error_messages_are_found_in_every_usual_form(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
	    {"{\"error\":{\"message\":\"one\"}}", ": one"},
	    {"{\"error\":\"two\"}", ": two"},
	    {"{\"message\":\"three\"}", ": three"},
	    {"{\"detail\":\"four\"}", ": four"},
	    {"<html>", ""},
	    {"[]", ""},
	    {"{\"error\":{\"message\":7}}", ""},
	    {"", ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_http_response response = response_of(500, NULL, rows[i][0]);
		char text[64];
		st_reply_message(&response, text, sizeof text);
		assert_string_equal(text, rows[i][1]);
		st_http_response_fini(&response);
	}
}

static void foreign_bytes_become_valid_text(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
		size_t chars_max;
		const char *text;
		bool cut;
	} rows[] = {
	    {"abc", 3, 9, "abc", false},
	    {"abc", 3, 2, "ab", true},
	    {"a\xc3\xa9z", 4, 2, "a\xc3\xa9", true},
	    {"a\0b", 3, 9,
	     "a\xef\xbf\xbd"
	     "b",
	     false},
	    {"\xff", 1, 9, "\xef\xbf\xbd", false},
	    {"\xc3", 1, 9, "\xef\xbf\xbd", false},
	    {"\xed\xa0\x80", 3, 9, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", false}, /* surrogate */
	    {"\xc0\xaf", 2, 9, "\xef\xbf\xbd\xef\xbf\xbd", false},		   /* overlong */
	    {"\xf0\x9f\x98\x80", 4, 9, "\xf0\x9f\x98\x80", false},
	    {"", 0, 9, "", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool cut = false;
		json_t *text = st_text_json(rows[i].bytes, rows[i].len, rows[i].chars_max, &cut);
		assert_string_equal(json_string_value(text), rows[i].text);
		assert_int_equal(cut, rows[i].cut);
		json_decref(text);
	}
	char half[] = "ab\xf0\x9f\x98";
	st_text_mend(half);
	assert_string_equal(half, "ab");
	char whole[] = "ab\xf0\x9f\x98\x80";
	st_text_mend(whole);
	assert_int_equal(strlen(whole), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(http_dates_are_read_in_their_one_form),
	    cmocka_unit_test(waiting_is_asked_for_in_sensible_amounts_or_not_at_all),
	    cmocka_unit_test(each_status_has_its_rule),
	    cmocka_unit_test(what_was_not_sent_is_given_back_and_the_rest_is_in_doubt),
	    cmocka_unit_test(the_providers_advice_not_to_retry_is_kept),
	    cmocka_unit_test(error_messages_are_found_in_every_usual_form),
	    cmocka_unit_test(foreign_bytes_become_valid_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
