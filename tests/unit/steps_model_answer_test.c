/* SPDX-License-Identifier: Apache-2.0 */
#include "steps_kind_fixture.h"

#define MODEL "model.generate"
#define SSE "text/event-stream; charset=utf-8"
#define JSON "application/json"

#define CLAUDE "{'model':'anthropic/claude','prompt':'hi','max_output_tokens':100}"
#define GPT "{'model':'openai/gpt','prompt':'hi','max_output_tokens':100}"
#define RESP "{'model':'resp/gpt','prompt':'hi','max_output_tokens':100}"
#define GEM "{'model':'gemini/g','prompt':'hi','max_output_tokens':100}"

static struct st_outcome reply(const char *with, enum st_transport transport, const char *type,
			       const char *body)
{
	char *text = double_quoted(body);
	struct st_http_response response = response_of(200, type, text);
	response.transport = transport;
	struct st_outcome outcome = outcome_of(MODEL, with, &response);
	st_http_response_fini(&response);
	st_free(text);
	return outcome;
}

/* ---- whole answers ---- */

#define ANTHROPIC_BODY                                                                             \
	"{'id':'msg_1','type':'message','role':'assistant','model':'claude-x','content':["         \
	"{'type':'thinking','thinking':'hm'},{'type':'text','text':'Hel'},"                        \
	"{'type':'text','text':'lo'}],'stop_reason':'max_tokens','stop_sequence':null,"            \
	"'usage':{'input_tokens':10,'cache_creation_input_tokens':100,"                            \
	"'cache_read_input_tokens':1000,'output_tokens':20}}"

#define ANTHROPIC_STREAM                                                                           \
	"event: message_start\ndata: {'type':'message_start','message':{'id':'msg_1',"             \
	"'type':'message','model':'claude-x','content':[],'usage':{'input_tokens':10,"             \
	"'cache_creation_input_tokens':100,'cache_read_input_tokens':1000,'output_tokens':1}}}"    \
	"\n\n: ping\n\nevent: ping\ndata: {'type':'ping'}\n\n"                                     \
	"data: {'type':'content_block_start','index':0,'content_block':{'type':'text'}}\n\n"       \
	"data: {'type':'content_block_delta','index':0,'delta':{'type':'text_delta',"              \
	"'text':'Hel'}}\n\n"                                                                       \
	"data: {'type':'content_block_delta','index':0,'delta':{'type':'text_delta',"              \
	"'text':'lo'}}\n\ndata: {'type':'content_block_stop','index':0}\n\n"                       \
	"data: {'type':'message_delta','delta':{'stop_reason':'max_tokens'},"                      \
	"'usage':{'output_tokens':20}}\n\n"
#define ANTHROPIC_END "data: {'type':'message_stop'}\n\n"

#define OPENAI_BODY                                                                                \
	"{'id':'chatcmpl-1','object':'chat.completion','model':'gpt-x','choices':[{'index':0,"     \
	"'message':{'role':'assistant','content':'Hello'},'finish_reason':'length'}],"             \
	"'usage':{'prompt_tokens':1000,'completion_tokens':20,'total_tokens':1020,"                \
	"'prompt_tokens_details':{'cached_tokens':600},"                                           \
	"'completion_tokens_details':{'reasoning_tokens':7}}}"

#define OPENAI_STREAM                                                                              \
	"data: {'id':'chatcmpl-1','model':'gpt-x','choices':[{'index':0,'delta':{'role':"          \
	"'assistant','content':'Hel'},'finish_reason':null}],'usage':null}\n\n"                    \
	"data: {'id':'chatcmpl-1','model':'gpt-x','choices':[{'index':0,'delta':{'content':"       \
	"'lo'},'finish_reason':null}]}\n\n"
#define OPENAI_FINISH                                                                              \
	"data: {'id':'chatcmpl-1','model':'gpt-x','choices':[{'index':0,'delta':{},"               \
	"'finish_reason':'length'}]}\n\n"
#define OPENAI_USAGE                                                                               \
	"data: {'id':'chatcmpl-1','model':'gpt-x','choices':[],'usage':{'prompt_tokens':1000,"     \
	"'completion_tokens':20,'total_tokens':1020,'prompt_tokens_details':"                      \
	"{'cached_tokens':600},'completion_tokens_details':{'reasoning_tokens':7}}}\n\n"
#define OPENAI_END "data: [DONE]\n\n"

#define RESPONSE                                                                                   \
	"{'id':'resp_1','object':'response','status':'incomplete','error':null,"                   \
	"'incomplete_details':{'reason':'max_output_tokens'},'model':'gpt-x','output':["           \
	"{'type':'reasoning','summary':[]},{'type':'message','content':[{'type':'output_text',"    \
	"'text':'Hello','annotations':[]}]}],'usage':{'input_tokens':1000,"                        \
	"'input_tokens_details':{'cached_tokens':600},'output_tokens':20,"                         \
	"'output_tokens_details':{'reasoning_tokens':7},'total_tokens':1020}}"

#define GEMINI_CHUNKS                                                                              \
	"data: {'candidates':[{'content':{'role':'model','parts':[{'text':'secret thought',"       \
	"'thought':true},{'text':'Hel'}]}}],'usageMetadata':{'promptTokenCount':1000,"             \
	"'totalTokenCount':1000},'modelVersion':'g-x','responseId':'r1'}\r\n\r\n"
#define GEMINI_LAST(text)                                                                          \
	"{'candidates':[{'content':{'role':'model','parts':[{'text':'" text "'}]},'finishReason':" \
	"'MAX_TOKENS'}],'usageMetadata':{'promptTokenCount':1000,'cachedContentTokenCount':600,"   \
	"'candidatesTokenCount':13,'thoughtsTokenCount':7,'totalTokenCount':1020},"                \
	"'modelVersion':'g-x','responseId':'r1'}"

static const struct {
	const char *with;
	const char *type;
	const char *body;
	struct st_model_usage usage;
	int64_t cost;
	const char *finish;
	const char *id_kind;
	const char *id;
} WHOLE[] = {
    {CLAUDE,
     JSON,
     ANTHROPIC_BODY,
     {1110, 1000, 100, 20, -1},
     10 * 3000 + 1000 * 300 + 100 * 3750 + 20 * 15000,
     "max_tokens",
     "anthropic.message",
     "msg_1"},
    {CLAUDE,
     SSE,
     ANTHROPIC_STREAM ANTHROPIC_END,
     {1110, 1000, 100, 20, -1},
     10 * 3000 + 1000 * 300 + 100 * 3750 + 20 * 15000,
     "max_tokens",
     "anthropic.message",
     "msg_1"},
    {GPT,
     JSON,
     OPENAI_BODY,
     {1000, 600, -1, 20, 7},
     400 * 1000 + 600 * 100 + 20 * 2000,
     "length",
     "openai.chat_completion",
     "chatcmpl-1"},
    {GPT,
     SSE,
     OPENAI_STREAM OPENAI_FINISH OPENAI_USAGE OPENAI_END,
     {1000, 600, -1, 20, 7},
     400 * 1000 + 600 * 100 + 20 * 2000,
     "length",
     "openai.chat_completion",
     "chatcmpl-1"},
    {RESP,
     JSON,
     RESPONSE,
     {1000, 600, -1, 20, 7},
     1000 * 1000 + 20 * 2000,
     "max_output_tokens",
     "openai.response",
     "resp_1"},
    {RESP,
     SSE,
     "event: response.created\ndata: {'type':'response.created','response':{'id':'resp_1',"
     "'status':'in_progress','usage':null}}\n\n"
     "data: {'type':'response.output_text.delta','delta':'Hel'}\n\n"
     "event: response.incomplete\ndata: {'type':'response.incomplete','response':" RESPONSE "}\n\n",
     {1000, 600, -1, 20, 7},
     1000 * 1000 + 20 * 2000,
     "max_output_tokens",
     "openai.response",
     "resp_1"},
    {GEM,
     JSON,
     GEMINI_LAST("Hello"),
     {1000, 600, -1, 20, 7},
     1000 * 1000 + 20 * 2000,
     "MAX_TOKENS",
     "gemini.response",
     "r1"},
    {GEM,
     SSE,
     GEMINI_CHUNKS "data: " GEMINI_LAST("lo") "\r\n\r\n",
     {1000, 600, -1, 20, 7},
     1000 * 1000 + 20 * 2000,
     "MAX_TOKENS",
     "gemini.response",
     "r1"},
    /* A plain body although a stream was asked for, and no word on its type. */
    {GPT,
     NULL,
     OPENAI_BODY,
     {1000, 600, -1, 20, 7},
     400 * 1000 + 600 * 100 + 20 * 2000,
     "length",
     "openai.chat_completion",
     "chatcmpl-1"},
    {GPT,
     NULL,
     OPENAI_STREAM OPENAI_FINISH OPENAI_USAGE OPENAI_END,
     {1000, 600, -1, 20, 7},
     400 * 1000 + 600 * 100 + 20 * 2000,
     "length",
     "openai.chat_completion",
     "chatcmpl-1"},
};

static void a_whole_answer_is_read_alike_from_body_and_stream(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof WHOLE / sizeof WHOLE[0]; i++) {
		struct st_outcome out =
		    reply(WHOLE[i].with, ST_TRANSPORT_ANSWERED, WHOLE[i].type, WHOLE[i].body);
		assert_int_equal(out.state, ST_OUTCOME_SUCCEEDED);
		assert_true(out.usage_known);
		assert_memory_equal(&out.model, &WHOLE[i].usage, sizeof out.model);
		assert_int_equal(out.usage.of[ST_METER_TOKENS],
				 WHOLE[i].usage.input + WHOLE[i].usage.output);
		assert_int_equal(out.usage.of[ST_METER_TOOL_STEPS], 1);
		assert_int_equal(out.usage.of[ST_METER_COST_NUSD], WHOLE[i].cost);
		const json_t *text = json_object_get(out.output, "text");
		assert_string_equal(json_string_value(text), "Hello");
		const json_t *finish = json_object_get(out.output, "finish_reason");
		assert_string_equal(json_string_value(finish), WHOLE[i].finish);
		assert_true(json_is_true(json_object_get(out.output, "truncated")));
		assert_int_equal(out.n_external_ids, 1);
		assert_string_equal(out.external_ids[0].kind, WHOLE[i].id_kind);
		assert_string_equal(out.external_ids[0].id, WHOLE[i].id);
		assert_string_equal(out.error_code, "");
		st_outcome_fini(&out);
	}
}

static void the_output_has_one_form_for_all_dialects(void **state)
{
	(void)state;
	struct st_outcome out = reply(CLAUDE, ST_TRANSPORT_ANSWERED, JSON, ANTHROPIC_BODY);
	assert_json_value(out.output,
			  "{'text':'Hello','finish_reason':'max_tokens','truncated':true,"
			  "'model':'claude-x','usage':{'input_tokens':1110,'output_tokens':20,"
			  "'cache_read_tokens':1000,'cache_write_tokens':100,"
			  "'reasoning_tokens':null}}");
	st_outcome_fini(&out);
}

/* ---- usage that cannot be true ---- */

#define WITH_USAGE(usage)                                                                          \
	"{'id':'c1','choices':[{'message':{'content':'Hello'},'finish_reason':'stop'}],"           \
	"'usage':" usage "}"

static void an_odd_usage_never_lowers_what_is_settled(void **state)
{
	(void)state;
	static const char *const bodies[] = {
	    "{'id':'c1','choices':[{'message':{'content':'Hello'},'finish_reason':'stop'}]}",
	    WITH_USAGE("null"),
	    WITH_USAGE("'none'"),
	    WITH_USAGE("7"),
	    WITH_USAGE("[]"),
	    WITH_USAGE("{}"),
	    WITH_USAGE("{'prompt_tokens':0,'completion_tokens':0,'total_tokens':0}"),
	    WITH_USAGE("{'prompt_tokens':0,'completion_tokens':5,'total_tokens':5}"),
	    WITH_USAGE("{'prompt_tokens':5,'completion_tokens':0,'total_tokens':5}"),
	    WITH_USAGE("{'prompt_tokens':-5,'completion_tokens':5,'total_tokens':0}"),
	    WITH_USAGE("{'prompt_tokens':5,'completion_tokens':-5}"),
	    WITH_USAGE("{'prompt_tokens':5.5,'completion_tokens':5,'total_tokens':10}"),
	    WITH_USAGE("{'prompt_tokens':5.0,'completion_tokens':5,'total_tokens':10}"),
	    WITH_USAGE("{'prompt_tokens':'5','completion_tokens':5,'total_tokens':10}"),
	    WITH_USAGE("{'prompt_tokens':true,'completion_tokens':5}"),
	    WITH_USAGE("{'prompt_tokens':null,'completion_tokens':5}"),
	    WITH_USAGE("{'prompt_tokens':5}"),
	    WITH_USAGE("{'completion_tokens':5}"),
	    WITH_USAGE("{'prompt_tokens':9007199254740993,'completion_tokens':5}"),
	    WITH_USAGE("{'prompt_tokens':9223372036854775807,'completion_tokens':5}"),
	    WITH_USAGE("{'prompt_tokens':5,'completion_tokens':5,'total_tokens':9}"),
	    WITH_USAGE("{'prompt_tokens':5,'completion_tokens':5,'total_tokens':'10'}"),
	    WITH_USAGE("{'prompt_tokens':5,'completion_tokens':5,"
		       "'prompt_tokens_details':{'cached_tokens':6}}"),
	    WITH_USAGE("{'prompt_tokens':5,'completion_tokens':5,"
		       "'prompt_tokens_details':{'cached_tokens':-6}}"),
	    WITH_USAGE("{'prompt_tokens':5,'completion_tokens':5,"
		       "'completion_tokens_details':{'reasoning_tokens':6}}"),
	};
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		struct st_outcome out = reply(GPT, ST_TRANSPORT_ANSWERED, JSON, bodies[i]);
		/* The answer itself is paid for, and kept. */
		assert_int_equal(out.state, ST_OUTCOME_SUCCEEDED);
		assert_false(out.usage_known);
		assert_int_equal(out.model.input, -1);
		assert_int_equal(out.model.output, -1);
		st_outcome_fini(&out);
	}
}

static void a_usage_above_what_was_held_is_passed_on(void **state)
{
	(void)state;
	struct st_outcome out =
	    reply(GPT, ST_TRANSPORT_ANSWERED, JSON,
		  WITH_USAGE("{'prompt_tokens':5000000,'completion_tokens':100000000,"
			     "'total_tokens':105000000}"));
	assert_true(out.usage_known);
	assert_int_equal(out.usage.of[ST_METER_TOKENS], 105000000);
	st_outcome_fini(&out);
}

static void reasoning_beside_the_completion_is_told_by_the_total(void **state)
{
	(void)state;
	struct st_outcome out =
	    reply(GPT, ST_TRANSPORT_ANSWERED, JSON,
		  WITH_USAGE("{'prompt_tokens':5,'completion_tokens':10,'total_tokens':115,"
			     "'completion_tokens_details':{'reasoning_tokens':100}}"));
	assert_true(out.usage_known);
	assert_int_equal(out.model.output, 110);
	assert_int_equal(out.model.reasoning, 100);
	st_outcome_fini(&out);
}

static void reasoning_is_told_apart_in_messages_too(void **state)
{
	(void)state;
	static const struct {
		const char *type;
		const char *body;
		int64_t reasoning;
	} rows[] = {
	    {JSON,
	     "{'id':'m','type':'message','content':[],'stop_reason':'end_turn','usage':{"
	     "'input_tokens':5,'output_tokens':20,'output_tokens_details':{'thinking_tokens':7}}}",
	     7},
	    {JSON,
	     "{'id':'m','type':'message','content':[],'stop_reason':'end_turn','usage':{"
	     "'input_tokens':5,'output_tokens':20,'output_tokens_details':null}}",
	     -1},
	    {SSE,
	     "data: {'type':'message_start','message':{'id':'m','usage':{'input_tokens':5,"
	     "'output_tokens':1,'output_tokens_details':{'thinking_tokens':0}}}}\n\n"
	     "data: {'type':'message_delta','delta':{'stop_reason':'end_turn'},'usage':{"
	     "'output_tokens':20,'output_tokens_details':{'thinking_tokens':7}}}\n\n"
	     "data: {'type':'message_stop'}\n\n",
	     7},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_outcome out =
		    reply(CLAUDE, ST_TRANSPORT_ANSWERED, rows[i].type, rows[i].body);
		assert_true(out.usage_known);
		assert_int_equal(out.model.output, 20);
		assert_int_equal(out.model.reasoning, rows[i].reasoning);
		st_outcome_fini(&out);
	}
}

static void usage_reported_twice_counts_once(void **state)
{
	(void)state;
	struct st_outcome out =
	    reply(GPT, ST_TRANSPORT_ANSWERED, SSE,
		  OPENAI_STREAM OPENAI_FINISH OPENAI_USAGE OPENAI_USAGE OPENAI_END);
	assert_true(out.usage_known);
	assert_int_equal(out.usage.of[ST_METER_TOKENS], 1020);
	st_outcome_fini(&out);
	/* A later, smaller report takes nothing back. */
	out = reply(GPT, ST_TRANSPORT_ANSWERED, SSE,
		    OPENAI_STREAM OPENAI_FINISH OPENAI_USAGE
		    "data: {'choices':[],'usage':{'prompt_tokens':1,'completion_tokens':1,"
		    "'total_tokens':2}}\n\n" OPENAI_END);
	assert_int_equal(out.usage.of[ST_METER_TOKENS], 1020);
	st_outcome_fini(&out);
}

/* ---- answers that are none ---- */

static const struct {
	const char *with;
	enum st_transport transport;
	const char *type;
	const char *body;
	enum st_outcome_state state;
	bool usage_known;
	const char *code;
} BROKEN[] = {
    /* A stream that ends before its end may have been billed. */
    {CLAUDE, ST_TRANSPORT_ANSWERED, SSE, ANTHROPIC_STREAM, ST_OUTCOME_UNKNOWN, false,
     "provider.cut"},
    {GPT, ST_TRANSPORT_ANSWERED, SSE, OPENAI_STREAM, ST_OUTCOME_UNKNOWN, false, "provider.cut"},
    {RESP, ST_TRANSPORT_ANSWERED, SSE,
     "data: {'type':'response.output_text.delta','delta':'Hel'}\n\n", ST_OUTCOME_UNKNOWN, false,
     "provider.cut"},
    {GEM, ST_TRANSPORT_ANSWERED, SSE, GEMINI_CHUNKS, ST_OUTCOME_UNKNOWN, false, "provider.cut"},
    {GPT, ST_TRANSPORT_LOST, SSE, OPENAI_STREAM, ST_OUTCOME_UNKNOWN, false, "transport.lost"},
    {GPT, ST_TRANSPORT_TIMED_OUT, SSE, OPENAI_STREAM, ST_OUTCOME_UNKNOWN, false,
     "transport.timed_out"},
    {GPT, ST_TRANSPORT_LOST, JSON, OPENAI_BODY, ST_OUTCOME_UNKNOWN, false, "transport.lost"},
    {GPT, ST_TRANSPORT_TOO_LARGE, JSON, "{", ST_OUTCOME_UNKNOWN, false, "transport.too_large"},
    {GPT, ST_TRANSPORT_NOT_SENT, NULL, "", ST_OUTCOME_NOT_MADE, false, "transport.not_sent"},
    /* One whose end arrived is whole, whatever became of the connection. */
    {CLAUDE, ST_TRANSPORT_LOST, SSE, ANTHROPIC_STREAM ANTHROPIC_END, ST_OUTCOME_SUCCEEDED, true,
     ""},
    {GPT, ST_TRANSPORT_LOST, SSE, OPENAI_STREAM OPENAI_FINISH OPENAI_USAGE, ST_OUTCOME_SUCCEEDED,
     true, ""},
    {GPT, ST_TRANSPORT_LOST, SSE, OPENAI_STREAM OPENAI_FINISH, ST_OUTCOME_SUCCEEDED, false, ""},
    {GPT, ST_TRANSPORT_ANSWERED, SSE, OPENAI_STREAM OPENAI_END, ST_OUTCOME_SUCCEEDED, false, ""},
    /* An error in the middle. */
    {CLAUDE, ST_TRANSPORT_ANSWERED, SSE,
     ANTHROPIC_STREAM "data: {'type':'error','error':{'type':'overloaded_error',"
		      "'message':'busy'}}\n\n",
     ST_OUTCOME_FAILED, true, "provider.error"},
    {CLAUDE, ST_TRANSPORT_ANSWERED, SSE,
     "data: {'type':'error','error':{'type':'overloaded_error','message':'busy'}}\n\n",
     ST_OUTCOME_UNKNOWN, false, "provider.error"},
    {GPT, ST_TRANSPORT_ANSWERED, SSE, OPENAI_STREAM "data: {'error':{'message':'x'}}\n\n",
     ST_OUTCOME_UNKNOWN, false, "provider.error"},
    {RESP, ST_TRANSPORT_ANSWERED, SSE,
     "data: {'type':'response.failed','response':{'id':'resp_1','status':'failed',"
     "'error':{'code':'server_error','message':'x'},'usage':null}}\n\n",
     ST_OUTCOME_UNKNOWN, false, "provider.error"},
    {RESP, ST_TRANSPORT_ANSWERED, SSE,
     "data: {'type':'response.failed','response':{'id':'resp_1','status':'failed',"
     "'error':{'code':'server_error','message':'x'},'usage':{'input_tokens':5,"
     "'output_tokens':0,'total_tokens':5}}}\n\n",
     ST_OUTCOME_FAILED, true, "provider.error"},
    {RESP, ST_TRANSPORT_ANSWERED, SSE,
     "data: {'type':'error','code':'server_error','message':'x'}\n\n", ST_OUTCOME_UNKNOWN, false,
     "provider.error"},
    {GEM, ST_TRANSPORT_ANSWERED, SSE, "data: {'error':{'code':500,'message':'x'}}\n\n",
     ST_OUTCOME_UNKNOWN, false, "provider.error"},
    /* An error inside a 200. */
    {GPT, ST_TRANSPORT_ANSWERED, JSON, "{'error':{'message':'x'}}", ST_OUTCOME_UNKNOWN, false,
     "provider.error"},
    {GPT, ST_TRANSPORT_ANSWERED, JSON, "{'error':'x'}", ST_OUTCOME_UNKNOWN, false,
     "provider.error"},
    {CLAUDE, ST_TRANSPORT_ANSWERED, JSON,
     "{'type':'error','error':{'type':'api_error','message':'x'}}", ST_OUTCOME_UNKNOWN, false,
     "provider.error"},
    /* A prompt that was declined costs its input and is not asked again. */
    {GEM, ST_TRANSPORT_ANSWERED, JSON,
     "{'promptFeedback':{'blockReason':'SAFETY'},'usageMetadata':{'promptTokenCount':4,"
     "'totalTokenCount':4}}",
     ST_OUTCOME_FAILED, true, "provider.declined"},
    /* Bodies that are no answer. */
    {GPT, ST_TRANSPORT_ANSWERED, JSON, "", ST_OUTCOME_FAILED, false, "provider.bad_answer"},
    {GPT, ST_TRANSPORT_ANSWERED, JSON, "{", ST_OUTCOME_FAILED, false, "provider.bad_answer"},
    {GPT, ST_TRANSPORT_ANSWERED, "text/html", "<html>hi</html>", ST_OUTCOME_FAILED, false,
     "provider.bad_answer"},
    {GPT, ST_TRANSPORT_ANSWERED, JSON, "\xef\xbb\xbf" OPENAI_BODY, ST_OUTCOME_FAILED, false,
     "provider.bad_answer"},
    {GPT, ST_TRANSPORT_ANSWERED, JSON, "[]", ST_OUTCOME_FAILED, false, "provider.bad_answer"},
    {GPT, ST_TRANSPORT_ANSWERED, JSON, "null", ST_OUTCOME_FAILED, false, "provider.bad_answer"},
    {GPT, ST_TRANSPORT_ANSWERED, JSON, "{'choices':[],'choices':[]}", ST_OUTCOME_FAILED, false,
     "provider.bad_answer"},
    {GPT, ST_TRANSPORT_ANSWERED, JSON, "{'choices':[]}", ST_OUTCOME_FAILED, false,
     "provider.bad_answer"},
    {GPT, ST_TRANSPORT_ANSWERED, JSON, "{'choices':[{'message':'x'}]}", ST_OUTCOME_FAILED, false,
     "provider.bad_answer"},
    {GPT, ST_TRANSPORT_ANSWERED, JSON, WITH_USAGE("{'prompt_tokens':1e400}"), ST_OUTCOME_FAILED,
     false, "provider.bad_answer"},
    {GPT, ST_TRANSPORT_ANSWERED, JSON, WITH_USAGE("{'prompt_tokens':NaN}"), ST_OUTCOME_FAILED,
     false, "provider.bad_answer"},
    {GPT, ST_TRANSPORT_ANSWERED, JSON, "{'choices':[{'message':{'content':'\xff'}}]}",
     ST_OUTCOME_FAILED, false, "provider.bad_answer"},
    {GPT, ST_TRANSPORT_ANSWERED, JSON,
     "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
     ST_OUTCOME_FAILED, false, "provider.bad_answer"},
    {CLAUDE, ST_TRANSPORT_ANSWERED, JSON, "{'type':'message','content':'x'}", ST_OUTCOME_FAILED,
     false, "provider.bad_answer"},
    {GEM, ST_TRANSPORT_ANSWERED, JSON, "{'candidates':[]}", ST_OUTCOME_FAILED, false,
     "provider.bad_answer"},
    {RESP, ST_TRANSPORT_ANSWERED, JSON, "{'status':'in_progress'}", ST_OUTCOME_FAILED, false,
     "provider.bad_answer"},
    /* An event that is no JSON: something is missing, and nobody knows what. */
    {GPT, ST_TRANSPORT_ANSWERED, SSE,
     OPENAI_STREAM "data: {oops\n\n" OPENAI_FINISH OPENAI_USAGE OPENAI_END, ST_OUTCOME_UNKNOWN,
     false, "provider.cut"},
};

static void what_is_cut_or_broken_is_paid_for_by_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof BROKEN / sizeof BROKEN[0]; i++) {
		struct st_outcome out =
		    reply(BROKEN[i].with, BROKEN[i].transport, BROKEN[i].type, BROKEN[i].body);
		if (out.state != BROKEN[i].state || out.usage_known != BROKEN[i].usage_known ||
		    strcmp(out.error_code, BROKEN[i].code) != 0) {
			fail_msg("row %zu: state %d, known %d, code %s (%s)", i, (int)out.state,
				 out.usage_known, out.error_code, out.error);
		}
		st_outcome_fini(&out);
	}
}

static void refusals_of_a_provider_follow_the_status(void **state)
{
	(void)state;
	struct st_http_response response =
	    response_of(429, JSON, "{\"error\":{\"message\":\"slow down\"}}");
	response_header(&response, "retry-after", "7");
	struct st_outcome out = outcome_of(MODEL, GPT, &response);
	assert_int_equal(out.state, ST_OUTCOME_FAILED);
	assert_true(out.retryable);
	assert_int_equal(out.retry_after_ms, 7000);
	assert_true(out.usage_known);
	assert_int_equal(out.usage.of[ST_METER_TOKENS], 0);
	assert_string_equal(out.error, "openai answered 429: slow down");
	st_outcome_fini(&out);
	st_http_response_fini(&response);
}

static void what_an_answer_says_is_only_text(void **state)
{
	(void)state;
	/* Tool calls nobody offered, decisions nobody made, ids of any form. */
	struct st_outcome out = reply(
	    GPT, ST_TRANSPORT_ANSWERED, JSON,
	    "{'id':'=cmd\\r\\nx','model':'m','decision':'grant','choices':[{'message':{'content':"
	    "null,'tool_calls':[{'function':{'name':'stint approve','arguments':'{'}}]},"
	    "'finish_reason':'tool_calls'}],'usage':{'prompt_tokens':5,'completion_tokens':5,"
	    "'total_tokens':10}}");
	assert_int_equal(out.state, ST_OUTCOME_SUCCEEDED);
	assert_string_equal(json_string_value(json_object_get(out.output, "text")), "");
	assert_int_equal(json_object_size(out.output), 5);
	assert_string_equal(out.external_ids[0].id, "=cmd\r\nx");
	st_outcome_fini(&out);
}

static void a_very_long_id_and_many_events_are_bounded(void **state)
{
	(void)state;
	struct st_buf body = {0};
	st_buf_add_text(&body, "data: {\"id\":\"");
	for (int i = 0; i < 100000; i++) {
		st_buf_add_char(&body, 'i');
	}
	st_buf_add_text(&body, "\",\"choices\":[]}\n\n");
	for (int i = 0; i < 20000; i++) {
		st_buf_add_text(&body,
				"data: {\"choices\":[{\"delta\":{\"content\":\"ab\"}}]}\n\n");
	}
	st_buf_add_text(&body, "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n");
	struct st_http_response response = response_of(200, SSE, body.data);
	struct st_outcome out = outcome_of(MODEL, GPT, &response);
	assert_int_equal(out.state, ST_OUTCOME_SUCCEEDED);
	assert_int_equal(strlen(out.external_ids[0].id), 256);
	assert_int_equal(json_string_length(json_object_get(out.output, "text")), 40000);
	st_outcome_fini(&out);
	st_http_response_fini(&response);
	st_buf_fini(&body);
}

/* No prefix of any stream crashes, and none is taken for an answer before its end is there. */
static void every_cut_of_a_stream_is_safe(void **state)
{
	(void)state;
	static const char *const streams[][2] = {
	    {CLAUDE, ANTHROPIC_STREAM ANTHROPIC_END},
	    {GPT, OPENAI_STREAM OPENAI_FINISH OPENAI_USAGE OPENAI_END},
	};
	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		char *whole = double_quoted(streams[i][1]);
		size_t len = strlen(whole);
		for (size_t cut = 1; cut < len; cut++) {
			struct st_http_response response = response_of(200, SSE, whole);
			response.transport = ST_TRANSPORT_LOST;
			response.body[cut] = '\0';
			response.body_len = cut;
			struct st_outcome out = outcome_of(MODEL, streams[i][0], &response);
			assert_true(out.state == ST_OUTCOME_UNKNOWN ||
				    out.state == ST_OUTCOME_SUCCEEDED);
			if (out.usage_known) {
				assert_int_equal(out.usage.of[ST_METER_TOKENS],
						 i == 0 ? 1130 : 1020);
			}
			st_outcome_fini(&out);
			st_http_response_fini(&response);
		}
		st_free(whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_answer_is_read_alike_from_body_and_stream),
	    cmocka_unit_test(the_output_has_one_form_for_all_dialects),
	    cmocka_unit_test(an_odd_usage_never_lowers_what_is_settled),
	    cmocka_unit_test(a_usage_above_what_was_held_is_passed_on),
	    cmocka_unit_test(reasoning_beside_the_completion_is_told_by_the_total),
	    cmocka_unit_test(reasoning_is_told_apart_in_messages_too),
	    cmocka_unit_test(usage_reported_twice_counts_once),
	    cmocka_unit_test(what_is_cut_or_broken_is_paid_for_by_rule),
	    cmocka_unit_test(refusals_of_a_provider_follow_the_status),
	    cmocka_unit_test(what_an_answer_says_is_only_text),
	    cmocka_unit_test(a_very_long_id_and_many_events_are_bounded),
	    cmocka_unit_test(every_cut_of_a_stream_is_safe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
