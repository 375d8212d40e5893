/* SPDX-License-Identifier: Apache-2.0 */
#include "steps_kind_fixture.h"

#define SEARCH "web.search"
#define EXTRACT "web.extract"
#define QUERY "{'query':'pgbouncer alternatives','results':2}"
#define PAGE "{'url':'https://a.example/p?q=secret'}"

static struct st_outcome reply(const char *kind, const char *with, int status, const char *body)
{
	char *text = double_quoted(body);
	struct st_http_response response = response_of(status, "application/json", text);
	struct st_outcome outcome = outcome_of(kind, with, &response);
	st_http_response_fini(&response);
	st_free(text);
	return outcome;
}

static void a_search_and_a_page_are_held_with_their_price(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	struct st_plan plan = plan_of(SEARCH, QUERY, &room);
	assert_int_equal(plan.bound.of[ST_METER_SEARCH_EXA], 1);
	assert_int_equal(plan.bound.of[ST_METER_COST_NUSD], 30000000);
	assert_string_equal(plan.intent, "exa, 2 results: pgbouncer alternatives");
	plan = plan_of(EXTRACT, PAGE, &room);
	assert_int_equal(plan.bound.of[ST_METER_EXTRACT_FIRECRAWL], 1);
	assert_int_equal(plan.bound.of[ST_METER_COST_NUSD], 1000000);
	assert_string_equal(plan.intent, "read https://a.example/p");
	plan = plan_of(EXTRACT, "{'url':'https://a.example/x.pdf','pdf_pages':12}", &room);
	assert_int_equal(plan.bound.of[ST_METER_EXTRACT_FIRECRAWL], 12);
	assert_int_equal(plan.bound.of[ST_METER_COST_NUSD], 12000000);
}

static void without_a_price_a_cost_budget_refuses_them(void **state)
{
	(void)state;
	static const struct st_config unpriced = {
	    .providers = fixture_providers,
	    .n_providers = sizeof fixture_providers / sizeof fixture_providers[0],
	};
	static const char *const rows[][3] = {{SEARCH, QUERY, "\"request_usd\" of \"exa\""},
					      {EXTRACT, PAGE, "\"request_usd\" of \"firecrawl\""}};
	for (size_t i = 0; i < 2; i++) {
		struct st_room room = room_without_limits();
		struct st_plan plan;
		struct st_diag diag = {0};
		json_t *with = json_of(rows[i][1]);
		const struct st_kind *kind = kind_of(rows[i][0]);
		assert_int_equal(kind->plan(with, &unpriced, &room, 0, -1, &plan, &diag), ST_OK);
		assert_int_equal(plan.bound.of[ST_METER_COST_NUSD], 0);
		room.left.of[ST_METER_COST_NUSD] = 0;
		assert_int_equal(kind->plan(with, &unpriced, &room, 0, -1, &plan, &diag),
				 ST_ERR_UNSUPPORTED);
		assert_non_null(strstr(diag.text, rows[i][2]));
		json_decref(with);
	}
}

static void requests_keep_to_what_is_held(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	struct st_plan plan = plan_of(SEARCH, QUERY, &room);
	struct st_http_request request = request_of(SEARCH, QUERY, &plan);
	assert_string_equal(request.url, "https://api.exa.ai/search");
	assert_json(request.body, "{'query':'pgbouncer alternatives','numResults':2,"
				  "'contents':{'text':{'maxCharacters':4000}}}");
	assert_string_equal(header_of(&request, "x-api-key"), "sk-secret");
	assert_string_equal(header_of(&request, "Idempotency-Key"), KEY);
	assert_string_equal(request.cassette, "tape.json");
	st_http_request_fini(&request);

	static const char titles[] = "{'query':'q','max_chars':0}";
	plan = plan_of(SEARCH, titles, &room);
	request = request_of(SEARCH, titles, &plan);
	assert_json(request.body, "{'query':'q','numResults':5}");
	st_http_request_fini(&request);

	plan = plan_of(EXTRACT, PAGE, &room);
	request = request_of(EXTRACT, PAGE, &plan);
	assert_string_equal(request.url, "https://api.firecrawl.dev/v2/scrape");
	assert_json(request.body,
		    "{'url':'https://a.example/p?q=secret','formats':[{'type':'markdown'}],"
		    "'onlyMainContent':true,'timeout':108000,'proxy':'basic','parsers':"
		    "[{'type':'pdf','maxPages':1}]}");
	assert_string_equal(header_of(&request, "authorization"), "Bearer sk-secret");
	assert_false(request.guarded);
	assert_null(request.cassette);
	st_http_request_fini(&request);
}

static void bad_params_are_refused_where_they_are(void **state)
{
	(void)state;
	static const char *const rows[][3] = {
	    {SEARCH, "{}", "/query"},
	    {SEARCH, "{'query':''}", "/query"},
	    {SEARCH, "{'query':['x']}", "/query"},
	    {SEARCH, "{'query':'x','results':0}", "/results"},
	    {SEARCH, "{'query':'x','results':101}", "/results"},
	    {SEARCH, "{'query':'x','results':'5'}", "/results"},
	    {SEARCH, "{'query':'x','max_chars':-1}", "/max_chars"},
	    {SEARCH, "{'query':'x','provider':'nobody'}", "/provider"},
	    {SEARCH, "{'query':'x','provider':'firecrawl'}", "/provider"},
	    {SEARCH, "{'query':'x','numResults':5}", "/numResults"},
	    {EXTRACT, "{}", "/url"},
	    {EXTRACT, "{'url':7}", "/url"},
	    {EXTRACT, "{'url':'a.example'}", "/url"},
	    {EXTRACT, "{'url':'file:///etc/passwd'}", "/url"},
	    {EXTRACT, "{'url':'gopher://a.example/'}", "/url"},
	    {EXTRACT, "{'url':'https://u:p@a.example/'}", "/url"},
	    {EXTRACT, "{'url':'https://a.example\\\\@b.example/'}", "/url"},
	    {EXTRACT, "{'url':'https://a.example/\\n'}", "/url"},
	    {EXTRACT, "{'url':'https:///x'}", "/url"},
	    {EXTRACT, "{'url':'https://a.example:0/'}", "/url"},
	    {EXTRACT, "{'url':'https://a.example:65536/'}", "/url"},
	    {EXTRACT, "{'url':'https://a.example/#top'}", "/url"},
	    {EXTRACT, "{'url':'https://a.example/','max_chars':0}", "/max_chars"},
	    {EXTRACT, "{'url':'https://a.example/','pdf_pages':0}", "/pdf_pages"},
	    {EXTRACT, "{'url':'https://a.example/','provider':'exa'}", "/provider"},
	};
	struct st_room room = room_without_limits();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_diag diag;
		assert_int_equal(refusal_of(rows[i][0], rows[i][1], &room, &diag), ST_ERR_INVALID);
		assert_string_equal(diag.pointer, rows[i][2]);
		assert_null(strstr(diag.text, "u:p@"));
	}
}

static void results_are_taken_as_data_and_no_more_than_asked(void **state)
{
	(void)state;
	struct st_outcome out =
	    reply(SEARCH, QUERY, 200,
		  "{'requestId':'req1','results':[{'url':'javascript:alert(1)','title':'bad'},'x',"
		  "{'title':'no url'}],'decision':'approve'}");
	assert_json_value(out.output, "{'results':[]}");
	assert_json_value(out.citations, "[]");
	st_outcome_fini(&out);
	out = reply(SEARCH, QUERY, 200,
		    "{'requestId':'req1','results':[{'url':'https://a.example/','title':'A','text':"
		    "'aa','publishedDate':'2026-01-01T00:00:00.000Z'},{'url':'http://b.example/',"
		    "'title':null},{'url':'https://c.example/','title':'C'}]}");
	assert_int_equal(out.state, ST_OUTCOME_SUCCEEDED);
	assert_json_value(
	    out.output,
	    "{'results':[{'url':'https://a.example/','title':'A','text':'aa','published':"
	    "'2026-01-01T00:00:00.000Z'},{'url':'http://b.example/','title':'','text':'',"
	    "'published':null}]}");
	assert_json_value(out.citations, "[{'url':'https://a.example/','title':'A'},"
					 "{'url':'http://b.example/','title':''}]");
	assert_string_equal(out.external_ids[0].kind, "exa.request");
	assert_string_equal(out.external_ids[0].id, "req1");
	assert_int_equal(out.usage.of[ST_METER_SEARCH_EXA], 1);
	assert_int_equal(out.usage.of[ST_METER_TOOL_STEPS], 1);
	assert_int_equal(out.usage.of[ST_METER_COST_NUSD], 30000000);
	st_outcome_fini(&out);
}

static void the_cost_that_is_told_is_read_as_the_decimal_it_was(void **state)
{
	(void)state;
	static const struct {
		const char *total;
		int64_t cost; /* 30000000 is the price: what was told is not believed */
	} rows[] = {
	    {"0.005", 5000000},	   {"0.007", 7000000},
	    {"0.1", 100000000},	   {"0.30000000000000004", 300000000},
	    {"1e-9", 1},	   {"1.5e-9", 2}, /* rounded up */
	    {"0.0000000001", 1},   {"0", 0},
	    {"2", 2000000000},	   {"999999.999999999", 999999999999999},
	    {"-0.005", 30000000},  {"1e7", 30000000},
	    {"'0.005'", 30000000}, {"null", 30000000},
	    {"[]", 30000000},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char body[128];
		(void)snprintf(body, sizeof body, "{'results':[],'costDollars':{'total':%s}}",
			       rows[i].total);
		struct st_outcome out = reply(SEARCH, QUERY, 200, body);
		assert_int_equal(out.usage.of[ST_METER_COST_NUSD], rows[i].cost);
		st_outcome_fini(&out);
	}
}

static void a_page_is_kept_with_its_title_and_cut_where_asked(void **state)
{
	(void)state;
	static const char body[] =
	    "{'success':true,'data':{'markdown':'# H\xc3\xa9llo','metadata':{'title':['T','U'],"
	    "'url':'https://a.example/final','statusCode':200,'scrapeId':'s1','creditsUsed':1}}}";
	struct st_outcome out = reply(EXTRACT, PAGE, 200, body);
	assert_int_equal(out.state, ST_OUTCOME_SUCCEEDED);
	assert_json_value(out.output, "{'url':'https://a.example/final','title':'T','markdown':"
				      "'# H\xc3\xa9llo','truncated':false}");
	assert_json_value(out.citations, "[{'url':'https://a.example/final','title':'T'}]");
	assert_string_equal(out.external_ids[0].kind, "firecrawl.scrape");
	assert_int_equal(out.usage.of[ST_METER_EXTRACT_FIRECRAWL], 1);
	assert_int_equal(out.usage.of[ST_METER_COST_NUSD], 1000000);
	st_outcome_fini(&out);
	out = reply(EXTRACT, "{'url':'https://a.example/','max_chars':4}", 200, body);
	assert_string_equal(json_string_value(json_object_get(out.output, "markdown")),
			    "# H\xc3\xa9");
	assert_true(json_is_true(json_object_get(out.output, "truncated")));
	st_outcome_fini(&out);
}

static void pages_are_settled_as_they_were_billed(void **state)
{
	(void)state;
	static const struct {
		const char *metadata;
		const char *with;
		int64_t pages; /* -1: not known, the hold is settled */
	} rows[] = {
	    {"{}", "{'url':'https://a.example/'}", 1},
	    {"{'numPages':7}", "{'url':'https://a.example/'}", 1},
	    {"{'creditsUsed':5}", "{'url':'https://a.example/'}", 5},
	    {"{'creditsUsed':0}", "{'url':'https://a.example/'}", 1},
	    {"{'creditsUsed':-3}", "{'url':'https://a.example/'}", 1},
	    {"{'numPages':3}", "{'url':'https://a.example/','pdf_pages':9}", 3},
	    {"{'numPages':300}", "{'url':'https://a.example/','pdf_pages':9}", 9},
	    {"{'numPages':'3'}", "{'url':'https://a.example/','pdf_pages':9}", -1},
	    {"{}", "{'url':'https://a.example/','pdf_pages':9}", -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char body[200];
		(void)snprintf(body, sizeof body,
			       "{'success':true,'data':{'markdown':'x','metadata':%s}}",
			       rows[i].metadata);
		struct st_outcome out = reply(EXTRACT, rows[i].with, 200, body);
		assert_int_equal(out.state, ST_OUTCOME_SUCCEEDED);
		assert_int_equal(out.usage_known, rows[i].pages > 0);
		assert_int_equal(out.usage.of[ST_METER_EXTRACT_FIRECRAWL],
				 rows[i].pages > 0 ? rows[i].pages : 0);
		st_outcome_fini(&out);
	}
}

static void what_is_no_answer_is_settled_whole(void **state)
{
	(void)state;
	static const struct {
		const char *kind;
		const char *with;
		int status;
		const char *body;
		const char *code;
		bool usage_known;
		bool retryable;
	} rows[] = {
	    {SEARCH, QUERY, 200, "", "provider.bad_answer", false, true},
	    {SEARCH, QUERY, 200, "<html>", "provider.bad_answer", false, true},
	    {SEARCH, QUERY, 200, "[]", "provider.bad_answer", false, true},
	    {SEARCH, QUERY, 200, "{'error':'no'}", "provider.bad_answer", false, false},
	    {SEARCH, QUERY, 200, "{'results':{}}", "provider.bad_answer", false, false},
	    {SEARCH, QUERY, 204, "", "provider.bad_answer", false, true},
	    {SEARCH, QUERY, 429, "{'error':'slow'}", "provider.rate_limited", true, true},
	    {SEARCH, QUERY, 500, "", "provider.failed", false, true},
	    {EXTRACT, PAGE, 200, "{'success':false,'error':'no'}", "provider.bad_answer", false,
	     true},
	    {EXTRACT, PAGE, 200, "{'success':true}", "provider.bad_answer", false, true},
	    {EXTRACT, PAGE, 200, "{'success':true,'data':{'markdown':null}}", "provider.bad_answer",
	     false, true},
	    {EXTRACT, PAGE, 402, "{'error':'no credits'}", "provider.payment_required", true,
	     false},
	    {EXTRACT, PAGE, 408, "{}", "provider.refused", true, true},
	    {EXTRACT, PAGE, 200,
	     "{'success':true,'data':{'markdown':'gone','metadata':{'statusCode':404}}}",
	     "page.status", true, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_outcome out =
		    reply(rows[i].kind, rows[i].with, rows[i].status, rows[i].body);
		assert_int_equal(out.state, ST_OUTCOME_FAILED);
		assert_string_equal(out.error_code, rows[i].code);
		assert_int_equal(out.usage_known, rows[i].usage_known);
		assert_int_equal(out.retryable, rows[i].retryable);
		st_outcome_fini(&out);
	}
}

static void the_provider_is_named_or_the_usual_one(void **state)
{
	(void)state;
	char name[ST_NAME_MAX];
	json_t *with = json_of(QUERY);
	assert_string_equal(kind_of(SEARCH)->provider(with, name), "exa");
	json_decref(with);
	with = json_of("{'query':'q','provider':'exa-eu'}");
	assert_string_equal(kind_of(SEARCH)->provider(with, name), "exa-eu");
	json_decref(with);
	with = json_of(PAGE);
	assert_string_equal(kind_of(EXTRACT)->provider(with, name), "firecrawl");
	json_decref(with);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_search_and_a_page_are_held_with_their_price),
	    cmocka_unit_test(without_a_price_a_cost_budget_refuses_them),
	    cmocka_unit_test(requests_keep_to_what_is_held),
	    cmocka_unit_test(bad_params_are_refused_where_they_are),
	    cmocka_unit_test(results_are_taken_as_data_and_no_more_than_asked),
	    cmocka_unit_test(the_cost_that_is_told_is_read_as_the_decimal_it_was),
	    cmocka_unit_test(a_page_is_kept_with_its_title_and_cut_where_asked),
	    cmocka_unit_test(pages_are_settled_as_they_were_billed),
	    cmocka_unit_test(what_is_no_answer_is_settled_whole),
	    cmocka_unit_test(the_provider_is_named_or_the_usual_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
