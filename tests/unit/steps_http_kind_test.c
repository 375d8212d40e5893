/* SPDX-License-Identifier: Apache-2.0 */
#include "steps_kind_fixture.h"

#define HTTP "http.request"
#define URL "'url':'https://a.example/x?token=abc'"

static void what_a_request_may_do_follows_from_its_method(void **state)
{
	(void)state;
	static const struct {
		const char *with;
		enum st_idempotence idempotence;
		bool side_effects;
		bool dangerous;
	} rows[] = {
	    {"{" URL "}", ST_REPEATABLE, false, false},
	    {"{'method':'GET'," URL "}", ST_REPEATABLE, false, false},
	    {"{'method':'HEAD'," URL "}", ST_REPEATABLE, false, false},
	    {"{'method':'OPTIONS'," URL "}", ST_REPEATABLE, false, false},
	    {"{'method':'PUT'," URL "}", ST_IDEMPOTENT, true, false},
	    {"{'method':'POST'," URL "}", ST_UNREPEATABLE, true, false},
	    {"{'method':'PATCH'," URL "}", ST_UNREPEATABLE, true, false},
	    {"{'method':'POST','idempotent':true," URL "}", ST_IDEMPOTENT, true, false},
	    {"{'method':'DELETE'," URL "}", ST_IDEMPOTENT, true, true},
	    {"{'method':'DELETE','dangerous':false," URL "}", ST_IDEMPOTENT, true, true},
	    {"{'method':'POST','dangerous':true," URL "}", ST_UNREPEATABLE, true, true},
	    /* Said to be dangerous, a GET is no longer taken for harmless. */
	    {"{'method':'GET','dangerous':true," URL "}", ST_UNREPEATABLE, true, true},
	};
	struct st_room room = room_without_limits();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_plan plan = plan_of(HTTP, rows[i].with, &room);
		assert_int_equal(plan.idempotence, rows[i].idempotence);
		assert_int_equal(plan.side_effects, rows[i].side_effects);
		assert_int_equal(plan.dangerous, rows[i].dangerous);
		assert_int_equal(plan.bound.of[ST_METER_HTTP_REQUESTS], 1);
		assert_int_equal(plan.bound.of[ST_METER_DANGEROUS_OPS], rows[i].dangerous ? 1 : 0);
		assert_null(strstr(plan.intent, "token"));
	}
}

static void a_request_is_guarded_and_says_who_it_is(void **state)
{
	(void)state;
	static const struct {
		const char *with;
		const char *body;
		const char *type;
		int redirects;
	} rows[] = {
	    {"{" URL "}", NULL, NULL, 5},
	    {"{'method':'HEAD'," URL "}", NULL, NULL, 0},
	    {"{'method':'POST','body':'text'," URL "}", "text", "text/plain; charset=utf-8", 0},
	    {"{'method':'POST','body':{'a':1}," URL "}", "{\"a\":1}", "application/json", 0},
	    {"{'method':'PUT','body':[1]," URL "}", "[1]", "application/json", 0},
	};
	struct st_room room = room_without_limits();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_plan plan = plan_of(HTTP, rows[i].with, &room);
		struct st_http_request request = request_of(HTTP, rows[i].with, &plan);
		assert_true(request.guarded);
		assert_int_equal(request.redirects_max, rows[i].redirects);
		assert_string_equal(request.url, "https://a.example/x?token=abc");
		assert_string_equal(header_of(&request, "Idempotency-Key"), KEY);
		assert_string_equal(header_of(&request, "x-stint-run"), "r_1");
		assert_string_equal(header_of(&request, "x-stint-step"), "write");
		assert_int_equal(request.response_bytes_max, 1048576);
		if (rows[i].body == NULL) {
			assert_null(request.body);
			assert_null(header_of(&request, "content-type"));
		} else {
			assert_string_equal(request.body, rows[i].body);
			assert_int_equal(request.body_len, strlen(rows[i].body));
			assert_string_equal(header_of(&request, "content-type"), rows[i].type);
		}
		st_http_request_fini(&request);
	}
	static const char own[] = "{'method':'POST','body':{},'headers':{'Content-Type':'a/b',"
				  "'X-Y':'z'},'max_bytes':10," URL "}";
	struct st_plan plan = plan_of(HTTP, own, &room);
	struct st_http_request request = request_of(HTTP, own, &plan);
	assert_string_equal(header_of(&request, "Content-Type"), "a/b");
	assert_string_equal(header_of(&request, "X-Y"), "z");
	assert_null(header_of(&request, "content-type"));
	assert_int_equal(request.response_bytes_max, 10);
	st_http_request_fini(&request);
}

static const char *const BAD[][2] = {
    {"{}", "/url"},
    {"{'url':'http://u:p@a.example/'}", "/url"},
    {"{'url':'//a.example/'}", "/url"},
    {"{'method':'get'," URL "}", "/method"},
    {"{'method':'TRACE'," URL "}", "/method"},
    {"{'method':'CONNECT'," URL "}", "/method"},
    {"{'method':'GET /x HTTP/1.1'," URL "}", "/method"},
    {"{'headers':[]," URL "}", "/headers"},
    {"{'headers':{'A':1}," URL "}", "/headers"},
    {"{'headers':{'A':'x\\r\\nB: y'}," URL "}", "/headers"},
    {"{'headers':{'A':'x\\u0007'}," URL "}", "/headers"},
    {"{'headers':{'A B':'x'}," URL "}", "/headers"},
    {"{'headers':{'A:':'x'}," URL "}", "/headers"},
    {"{'headers':{'':'x'}," URL "}", "/headers"},
    {"{'headers':{'HOST':'x'}," URL "}", "/headers"},
    {"{'headers':{'Content-Length':'0'}," URL "}", "/headers"},
    {"{'headers':{'transfer-encoding':'chunked'}," URL "}", "/headers"},
    {"{'headers':{'idempotency-key':'mine'}," URL "}", "/headers"},
    {"{'headers':{'X-Stint-Run':'r_2'}," URL "}", "/headers"},
    {"{'method':'POST','body':7," URL "}", "/body"},
    {"{'method':'POST','body':null," URL "}", "/body"},
    {"{'body':'x'," URL "}", "/body"},
    {"{'idempotent':1," URL "}", "/idempotent"},
    {"{'dangerous':'no'," URL "}", "/dangerous"},
    {"{'expect_status':200," URL "}", "/expect_status"},
    {"{'expect_status':[]," URL "}", "/expect_status"},
    {"{'expect_status':[99]," URL "}", "/expect_status"},
    {"{'expect_status':['200']," URL "}", "/expect_status"},
    {"{'max_bytes':0," URL "}", "/max_bytes"},
    {"{'max_bytes':16777217," URL "}", "/max_bytes"},
    {"{'retries':3," URL "}", "/retries"},
};

static void bad_params_are_refused_where_they_are(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
		struct st_diag diag;
		if (refusal_of(HTTP, BAD[i][0], &room, &diag) != ST_ERR_INVALID ||
		    strcmp(diag.pointer, BAD[i][1]) != 0) {
			fail_msg("%s: %s at %s", BAD[i][0], diag.text, diag.pointer);
		}
		assert_null(strstr(diag.text, "u:p"));
	}
}

#define POST "{'method':'POST'," URL "}"
#define PUT "{'method':'PUT'," URL "}"
#define GET "{" URL "}"

static void each_answer_has_its_rule(void **state)
{
	(void)state;
	static const struct {
		const char *with;
		int status;
		enum st_outcome_state state;
		bool retryable;
	} rows[] = {
	    {GET, 200, ST_OUTCOME_SUCCEEDED, false},
	    {GET, 204, ST_OUTCOME_SUCCEEDED, false},
	    {GET, 299, ST_OUTCOME_SUCCEEDED, false},
	    {GET, 304, ST_OUTCOME_FAILED, false},
	    {GET, 404, ST_OUTCOME_FAILED, false},
	    {GET, 429, ST_OUTCOME_FAILED, true},
	    {GET, 500, ST_OUTCOME_FAILED, true},
	    {GET, 501, ST_OUTCOME_FAILED, false},
	    {GET, 599, ST_OUTCOME_FAILED, true},
	    {POST, 201, ST_OUTCOME_SUCCEEDED, false},
	    {POST, 301, ST_OUTCOME_FAILED, false},
	    {POST, 400, ST_OUTCOME_FAILED, false},
	    {POST, 408, ST_OUTCOME_FAILED, true},
	    {POST, 409, ST_OUTCOME_FAILED, true},
	    {POST, 429, ST_OUTCOME_FAILED, true},
	    /* Answered, but was it done? */
	    {POST, 500, ST_OUTCOME_UNKNOWN, false},
	    {POST, 503, ST_OUTCOME_UNKNOWN, false},
	    {POST, 501, ST_OUTCOME_FAILED, false},
	    {PUT, 502, ST_OUTCOME_UNKNOWN, false},
	    {"{'expect_status':[404]," URL "}", 404, ST_OUTCOME_SUCCEEDED, false},
	    {"{'expect_status':[404]," URL "}", 200, ST_OUTCOME_FAILED, false},
	    {"{'method':'POST','expect_status':[500]," URL "}", 500, ST_OUTCOME_SUCCEEDED, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_http_response response = response_of(rows[i].status, NULL, NULL);
		struct st_outcome out = outcome_of(HTTP, rows[i].with, &response);
		if (out.state != rows[i].state || out.retryable != rows[i].retryable) {
			fail_msg("row %zu: state %d, retryable %d", i, (int)out.state,
				 out.retryable);
		}
		assert_true(out.usage_known);
		assert_int_equal(out.usage.of[ST_METER_HTTP_REQUESTS], 1);
		assert_int_equal(json_integer_value(json_object_get(out.output, "status")),
				 rows[i].status);
		st_outcome_fini(&out);
		st_http_response_fini(&response);
	}
}

static void a_lost_answer_is_in_doubt_and_an_unsent_request_was_not_made(void **state)
{
	(void)state;
	static const struct {
		enum st_transport transport;
		enum st_outcome_state state;
	} rows[] = {
	    {ST_TRANSPORT_LOST, ST_OUTCOME_UNKNOWN},
	    {ST_TRANSPORT_TIMED_OUT, ST_OUTCOME_UNKNOWN},
	    {ST_TRANSPORT_ABORTED, ST_OUTCOME_UNKNOWN},
	    {ST_TRANSPORT_NOT_SENT, ST_OUTCOME_NOT_MADE},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_http_response response = response_of(0, NULL, NULL);
		response.transport = rows[i].transport;
		struct st_outcome out = outcome_of(HTTP, POST, &response);
		assert_int_equal(out.state, rows[i].state);
		assert_false(out.usage_known);
		assert_null(out.output);
		st_outcome_fini(&out);
		st_http_response_fini(&response);
	}
}

static void the_output_shows_the_answer_without_cookies(void **state)
{
	(void)state;
	struct st_http_response response = response_of(200, "application/json", "{\"a\":[1]}");
	response_header(&response, "Set-Cookie", "session=abc");
	response_header(&response, "ETag", "\"e\"");
	struct st_outcome out = outcome_of(HTTP, GET, &response);
	assert_json_value(out.output,
			  "{'status':200,'headers':{'content-type':'application/json','etag':"
			  "'\\'e\\''},'body':{'a':[1]},'truncated':false}");
	st_outcome_fini(&out);
	st_http_response_fini(&response);
	/* JSON that is none stays text, and bytes that are no text are made so. */
	response = response_of(200, "application/json", "{\"a\":1,\"a\":2}\xff");
	out = outcome_of(HTTP, GET, &response);
	assert_string_equal(json_string_value(json_object_get(out.output, "body")),
			    "{\"a\":1,\"a\":2}\xef\xbf\xbd");
	st_outcome_fini(&out);
	st_http_response_fini(&response);
}

static void an_answer_cut_at_its_limit_is_kept_and_marked(void **state)
{
	(void)state;
	struct st_http_response response = response_of(200, "application/json", "{\"a\":");
	response.transport = ST_TRANSPORT_TOO_LARGE;
	struct st_outcome out = outcome_of(HTTP, POST, &response);
	assert_int_equal(out.state, ST_OUTCOME_SUCCEEDED);
	assert_true(json_is_true(json_object_get(out.output, "truncated")));
	assert_string_equal(json_string_value(json_object_get(out.output, "body")), "{\"a\":");
	st_outcome_fini(&out);
	response.status = 0;
	out = outcome_of(HTTP, POST, &response);
	assert_int_equal(out.state, ST_OUTCOME_UNKNOWN);
	st_outcome_fini(&out);
	st_http_response_fini(&response);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_a_request_may_do_follows_from_its_method),
	    cmocka_unit_test(a_request_is_guarded_and_says_who_it_is),
	    cmocka_unit_test(bad_params_are_refused_where_they_are),
	    cmocka_unit_test(each_answer_has_its_rule),
	    cmocka_unit_test(a_lost_answer_is_in_doubt_and_an_unsent_request_was_not_made),
	    cmocka_unit_test(the_output_shows_the_answer_without_cookies),
	    cmocka_unit_test(an_answer_cut_at_its_limit_is_kept_and_marked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
