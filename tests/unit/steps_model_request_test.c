/* SPDX-License-Identifier: Apache-2.0 */
#include "steps_kind_fixture.h"

#define MODEL "model.generate"

#define FULL                                                                                       \
	"'messages':[{'role':'user','content':'a'},{'role':'assistant','content':'b'},"            \
	"{'role':'user','content':'c'}],'system':'be brief','max_output_tokens':50,"               \
	"'temperature':0.5,'reasoning_effort':'low'"

static const struct {
	const char *with;
	const char *url;
	const char *body;
} BODIES[] = {
    {"{'model':'anthropic/claude','prompt':'hi','max_output_tokens':50}",
     "https://api.anthropic.com/v1/messages",
     "{'model':'claude','messages':[{'role':'user','content':'hi'}],'max_tokens':50,"
     "'stream':true}"},
    {"{'model':'anthropic/claude','stream':false,'stop':['END']," FULL "}",
     "https://api.anthropic.com/v1/messages",
     "{'model':'claude','system':'be brief','messages':[{'role':'user','content':'a'},"
     "{'role':'assistant','content':'b'},{'role':'user','content':'c'}],'max_tokens':50,"
     "'stream':false,'temperature':0.5,'stop_sequences':['END'],"
     "'output_config':{'effort':'low'}}"},
    {"{'model':'openai/gpt','prompt':'hi','max_output_tokens':50}",
     "https://api.openai.com/v1/chat/completions",
     "{'model':'gpt','messages':[{'role':'user','content':'hi'}],"
     "'max_completion_tokens':50,'n':1,'stream':true,"
     "'stream_options':{'include_usage':true}}"},
    /* A server that imitates the API knows the older name. */
    {"{'model':'local/any','prompt':'hi','max_output_tokens':50}",
     "http://127.0.0.1:8080/v1/chat/completions",
     "{'model':'any','messages':[{'role':'user','content':'hi'}],'max_tokens':50,'n':1,"
     "'stream':true,'stream_options':{'include_usage':true}}"},
    {"{'model':'local/any','stream':false,'stop':['END']," FULL "}",
     "http://127.0.0.1:8080/v1/chat/completions",
     "{'model':'any','messages':[{'role':'system','content':'be brief'},"
     "{'role':'user','content':'a'},{'role':'assistant','content':'b'},"
     "{'role':'user','content':'c'}],'max_completion_tokens':50,'n':1,'stream':false,"
     "'temperature':0.5,'stop':['END'],'reasoning_effort':'low'}"},
    {"{'model':'resp/gpt','prompt':'hi','max_output_tokens':50}",
     "https://api.openai.com/v1/responses",
     "{'model':'gpt','input':[{'role':'user','content':'hi'}],'max_output_tokens':50,"
     "'stream':true,'store':false}"},
    {"{'model':'resp/gpt','stream':false," FULL "}", "https://api.openai.com/v1/responses",
     "{'model':'gpt','instructions':'be brief','input':[{'role':'user','content':'a'},"
     "{'role':'assistant','content':'b'},{'role':'user','content':'c'}],"
     "'max_output_tokens':50,'stream':false,'store':false,'temperature':0.5,"
     "'reasoning':{'effort':'low'}}"},
    {"{'model':'gemini/g-2.5','prompt':'hi','max_output_tokens':50}",
     "https://g.example/v1beta/models/g-2.5:streamGenerateContent?alt=sse",
     "{'contents':[{'role':'user','parts':[{'text':'hi'}]}],"
     "'generationConfig':{'maxOutputTokens':50,'candidateCount':1}}"},
    {"{'model':'gemini/tuned/g+1','stream':false,'stop':['END']," FULL "}",
     "https://g.example/v1beta/models/tuned%2Fg%2B1:generateContent",
     "{'contents':[{'role':'user','parts':[{'text':'a'}]},{'role':'model','parts':"
     "[{'text':'b'}]},{'role':'user','parts':[{'text':'c'}]}],"
     "'systemInstruction':{'parts':[{'text':'be brief'}]},"
     "'generationConfig':{'maxOutputTokens':50,'candidateCount':1,'temperature':0.5,"
     "'stopSequences':['END'],'thinkingConfig':{'thinkingLevel':'low'}}}"},
};

static void each_dialect_says_it_in_its_own_words(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	for (size_t i = 0; i < sizeof BODIES / sizeof BODIES[0]; i++) {
		struct st_plan plan = plan_of(MODEL, BODIES[i].with, &room);
		struct st_http_request request = request_of(MODEL, BODIES[i].with, &plan);
		assert_string_equal(request.method, "POST");
		assert_string_equal(request.url, BODIES[i].url);
		assert_json(request.body, BODIES[i].body);
		assert_int_equal(request.body_len, strlen(request.body));
		assert_false(request.guarded);
		assert_int_equal(request.redirects_max, 0);
		assert_true(request.connect_ms > 0);
		assert_true(request.idle_ms > 0);
		assert_int_equal(request.total_ms, plan.timeout_ms);
		assert_true(request.response_bytes_max >= 1048576);
		st_http_request_fini(&request);
	}
}

static void every_call_says_who_it_is_and_carries_its_key(void **state)
{
	(void)state;
	static const struct {
		const char *model;
		const char *header;
		const char *value;
	} rows[] = {
	    {"anthropic/claude", "x-api-key", "sk-secret"},
	    {"openai/gpt", "authorization", "Bearer sk-secret"},
	    {"resp/gpt", "authorization", "Bearer sk-secret"},
	    {"gemini/g", "x-goog-api-key", "sk-secret"},
	};
	struct st_room room = room_without_limits();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char with[128];
		(void)snprintf(with, sizeof with, "{'model':'%s','prompt':'hi'}", rows[i].model);
		struct st_plan plan = plan_of(MODEL, with, &room);
		struct st_http_request request = request_of(MODEL, with, &plan);
		assert_string_equal(header_of(&request, "Idempotency-Key"), KEY);
		assert_string_equal(header_of(&request, "x-stint-run"), "r_1");
		assert_string_equal(header_of(&request, "x-stint-step"), "write");
		assert_string_equal(header_of(&request, "content-type"), "application/json");
		assert_string_equal(header_of(&request, rows[i].header), rows[i].value);
		assert_null(strstr(request.url, "secret"));
		st_http_request_fini(&request);
	}
	struct st_plan plan = plan_of(MODEL, "{'model':'anthropic/claude','prompt':'x'}", &room);
	struct st_http_request request =
	    request_of(MODEL, "{'model':'anthropic/claude','prompt':'x'}", &plan);
	assert_string_equal(header_of(&request, "anthropic-version"), "2023-06-01");
	st_http_request_fini(&request);
}

static void without_a_key_none_is_sent_and_a_broken_one_is_refused(void **state)
{
	(void)state;
	static const char with[] = "{'model':'openai/gpt','prompt':'hi'}";
	struct st_room room = room_without_limits();
	struct st_plan plan = plan_of(MODEL, with, &room);
	struct st_call_context context = fixture_context;
	struct st_http_request request;
	struct st_diag diag = {0};
	json_t *params = json_of(with);
	context.provider_key = NULL;
	assert_int_equal(kind_of(MODEL)->request(params, &plan, &context, &request, &diag), ST_OK);
	assert_null(header_of(&request, "authorization"));
	st_http_request_fini(&request);
	context.provider_key = "sk-secret\r\nx-evil: 1";
	assert_int_equal(kind_of(MODEL)->request(params, &plan, &context, &request, &diag),
			 ST_ERR_INVALID);
	assert_null(strstr(diag.text, "sk-secret"));
	assert_null(request.url);
	json_decref(params);
}

/* A key that the operator wrote down and whose source is empty. A cassette needs none. */
static void a_key_that_is_not_there_keeps_every_call_at_home(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
	    {MODEL, "{'model':'openai/gpt','prompt':'hi'}"},
	    {MODEL, "{'model':'anthropic/claude','prompt':'hi'}"},
	    {MODEL, "{'model':'gemini/g','prompt':'hi'}"},
	    {"web.search", "{'query':'hi'}"},
	    {"web.extract", "{'url':'https://example.com/'}"},
	};
	struct st_provider providers[sizeof fixture_providers / sizeof fixture_providers[0]];
	struct st_room room = room_without_limits();
	struct st_config config = fixture_config;
	struct st_call_context context = fixture_context;
	config.providers = providers;
	context.config = &config;
	context.provider_key = NULL;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct st_kind *kind = kind_of(rows[i][0]);
		struct st_plan plan = plan_of(rows[i][0], rows[i][1], &room);
		json_t *params = json_of(rows[i][1]);
		for (int replayed = 0; replayed <= 1; replayed++) {
			struct st_http_request request = {0};
			struct st_diag diag = {0};
			for (size_t k = 0; k < config.n_providers; k++) {
				providers[k] = fixture_providers[k];
				providers[k].key = (char *)"env:VENDOR_KEY";
				providers[k].replay = replayed ? (char *)"tape.json" : NULL;
			}
			assert_int_equal(kind->request(params, &plan, &context, &request, &diag),
					 replayed ? ST_OK : ST_ERR_NOT_FOUND);
			if (!replayed) {
				assert_non_null(strstr(diag.text, "env:VENDOR_KEY"));
				assert_null(request.url);
			}
			st_http_request_fini(&request);
		}
		json_decref(params);
	}
}

static void what_is_sent_is_never_longer_than_what_was_planned(void **state)
{
	(void)state;
	struct st_room room = room_without_limits();
	struct st_plan plan = plan_of(MODEL, "{'model':'openai/gpt','prompt':'[secret:A]'}", &room);
	json_t *shorter = json_of("{'model':'openai/gpt','prompt':'0123456789'}");
	json_t *longer = json_of("{'model':'openai/gpt','prompt':'0123456789a'}");
	struct st_http_request request;
	assert_int_equal(kind_of(MODEL)->request(shorter, &plan, &fixture_context, &request, NULL),
			 ST_OK);
	st_http_request_fini(&request);
	assert_int_equal(kind_of(MODEL)->request(longer, &plan, &fixture_context, &request, NULL),
			 ST_ERR_UNSUPPORTED);
	json_decref(shorter);
	json_decref(longer);
}

static void an_exact_count_is_asked_for_with_the_same_prompt(void **state)
{
	(void)state;
	static const struct {
		const char *with;
		const char *url;
		const char *body;
	} rows[] = {
	    {"{'model':'anthropic/claude','prompt':'hi','system':'s'}",
	     "https://api.anthropic.com/v1/messages/count_tokens",
	     "{'model':'claude','system':'s','messages':[{'role':'user','content':'hi'}]}"},
	    {"{'model':'resp/gpt','prompt':'hi','system':'s'}",
	     "https://api.openai.com/v1/responses/input_tokens",
	     "{'model':'gpt','instructions':'s','input':[{'role':'user','content':'hi'}]}"},
	    {"{'model':'gemini/g','prompt':'hi','system':'s'}",
	     "https://g.example/v1beta/models/g:countTokens",
	     "{'generateContentRequest':{'model':'models/g','contents':[{'role':'user','parts':"
	     "[{'text':'hi'}]}],'systemInstruction':{'parts':[{'text':'s'}]}}}"},
	};
	struct st_http_request request;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *params = json_of(rows[i].with);
		assert_int_equal(
		    kind_of(MODEL)->count_request(params, &fixture_context, &request, NULL), ST_OK);
		assert_string_equal(request.url, rows[i].url);
		assert_json(request.body, rows[i].body);
		assert_string_equal(header_of(&request, "Idempotency-Key"), KEY);
		st_http_request_fini(&request);
		json_decref(params);
	}
	json_t *chat = json_of("{'model':'openai/gpt','prompt':'hi'}");
	assert_int_equal(kind_of(MODEL)->count_request(chat, &fixture_context, &request, NULL),
			 ST_ERR_UNSUPPORTED);
	json_decref(chat);
}

static void only_a_sensible_count_is_taken(void **state)
{
	(void)state;
	static const struct {
		const char *model;
		int status;
		const char *body;
		int64_t tokens; /* -1: refused */
	} rows[] = {
	    {"anthropic/claude", 200, "{'input_tokens':14}", 14},
	    {"resp/gpt", 200, "{'object':'response.input_tokens','input_tokens':11}", 11},
	    {"gemini/g", 200, "{'totalTokens':9,'promptTokensDetails':[]}", 9},
	    {"anthropic/claude", 200, "{'input_tokens':0}", -1},
	    {"anthropic/claude", 200, "{'input_tokens':-4}", -1},
	    {"anthropic/claude", 200, "{'input_tokens':1.5}", -1},
	    {"anthropic/claude", 200, "{'input_tokens':'14'}", -1},
	    {"anthropic/claude", 200, "{'input_tokens':9007199254740993}", -1},
	    {"anthropic/claude", 200, "{'input_tokens':18446744073709551616}", -1},
	    {"anthropic/claude", 200, "{}", -1},
	    {"anthropic/claude", 200, "[14]", -1},
	    {"anthropic/claude", 200, "14", -1},
	    {"anthropic/claude", 200, "", -1},
	    {"anthropic/claude", 404, "{'input_tokens':14}", -1},
	    {"openai/gpt", 200, "{'input_tokens':14}", -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char with[128];
		(void)snprintf(with, sizeof with, "{'model':'%s','prompt':'hi'}", rows[i].model);
		json_t *params = json_of(with);
		char *body = double_quoted(rows[i].body);
		struct st_http_response response =
		    response_of(rows[i].status, "application/json", body);
		int64_t tokens = -1;
		int rc = kind_of(MODEL)->count_answer(params, &fixture_config, &response, &tokens);
		assert_int_equal(rc, rows[i].tokens > 0 ? ST_OK : ST_ERR_UNAVAILABLE);
		assert_int_equal(tokens, rows[i].tokens);
		st_http_response_fini(&response);
		st_free(body);
		json_decref(params);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_dialect_says_it_in_its_own_words),
	    cmocka_unit_test(every_call_says_who_it_is_and_carries_its_key),
	    cmocka_unit_test(without_a_key_none_is_sent_and_a_broken_one_is_refused),
	    cmocka_unit_test(a_key_that_is_not_there_keeps_every_call_at_home),
	    cmocka_unit_test(what_is_sent_is_never_longer_than_what_was_planned),
	    cmocka_unit_test(an_exact_count_is_asked_for_with_the_same_prompt),
	    cmocka_unit_test(only_a_sensible_count_is_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
