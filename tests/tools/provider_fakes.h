/* SPDX-License-Identifier: Apache-2.0 */
/* What would a provider have answered? Shapes of model, search and extraction APIs, with usage
 * that the test decides. */
#ifndef ST_TESTS_TOOLS_PROVIDER_FAKES_H
#define ST_TESTS_TOOLS_PROVIDER_FAKES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/mem.h"

#define FAKE_WORDS_MAX 64

/* What the answer is made from. Borrowed, but for nothing. */
struct fake {
	const char *path;
	const json_t *body; /* the request's, or NULL */
	uint64_t seq;
	int64_t input;
	int64_t output;
	int64_t cache_read;
	int64_t reasoning;
	const json_t *usage; /* instead of the dialect's usage; null: leave it out; false: null */
	bool sse_query;	     /* ?alt=sse */
};

static inline void fake_add_event(struct st_buf *out, const char *event, json_t *data)
{
	if (event != NULL) {
		st_buf_addf(out, "event: %s\n", event);
	}
	char *text = json_dumps(data, JSON_COMPACT);
	st_buf_addf(out, "data: %s\n\n", text);
	free(text);
	json_decref(data);
}

static inline char *fake_text(const struct fake *fake)
{
	struct st_buf text = {0};
	int64_t words = fake->output < FAKE_WORDS_MAX ? fake->output : FAKE_WORDS_MAX;
	for (int64_t i = 0; i < words; i++) {
		st_buf_addf(&text, i == 0 ? "word%lld" : " word%lld", (long long)i);
	}
	return st_buf_take(&text);
}

static inline const char *fake_model(const struct fake *fake)
{
	const char *model = json_string_value(json_object_get(fake->body, "model"));
	return model != NULL ? model : "fake-model";
}

static inline bool fake_streams(const struct fake *fake)
{
	return json_is_true(json_object_get(fake->body, "stream"));
}

/* Puts the usage (stolen) where it belongs, or what the test wants there. */
static inline void fake_set_usage(const struct fake *fake, json_t *answer, const char *name,
				  json_t *usage)
{
	if (fake->usage == NULL) {
		(void)json_object_set_new(answer, name, usage);
		return;
	}
	json_decref(usage);
	if (json_is_false(fake->usage)) {
		(void)json_object_set_new(answer, name, json_null());
	} else if (!json_is_null(fake->usage)) {
		(void)json_object_set_new(answer, name, json_deep_copy(fake->usage));
	}
}

/* --- Anthropic --- */

static inline json_t *fake_anthropic_usage(const struct fake *fake, int64_t output)
{
	return json_pack("{s:I,s:i,s:I,s:I}", "input_tokens",
			 (json_int_t)(fake->input - fake->cache_read),
			 "cache_creation_input_tokens", 0, "cache_read_input_tokens",
			 (json_int_t)fake->cache_read, "output_tokens", (json_int_t)output);
}

static inline json_t *fake_anthropic_message(const struct fake *fake, const char *text)
{
	char id[48];
	(void)snprintf(id, sizeof id, "msg_%06llu", (unsigned long long)fake->seq);
	json_t *message = json_pack("{s:s,s:s,s:s,s:s,s:[],s:n,s:n}", "id", id, "type", "message",
				    "role", "assistant", "model", fake_model(fake), "content",
				    "stop_reason", "stop_sequence");
	if (text != NULL) {
		(void)json_array_append_new(json_object_get(message, "content"),
					    json_pack("{s:s,s:s}", "type", "text", "text", text));
		(void)json_object_set_new(message, "stop_reason", json_string("end_turn"));
	}
	return message;
}

static inline bool fake_anthropic(const struct fake *fake, struct st_buf *out)
{
	char *text = fake_text(fake);
	bool stream = fake_streams(fake);
	json_t *message = fake_anthropic_message(fake, stream ? NULL : text);
	fake_set_usage(fake, message, "usage",
		       fake_anthropic_usage(fake, stream ? 1 : fake->output));
	if (!stream) {
		char *json = json_dumps(message, JSON_COMPACT);
		st_buf_add_text(out, json);
		free(json);
		json_decref(message);
	} else {
		fake_add_event(out, "message_start",
			       json_pack("{s:s,s:o}", "type", "message_start", "message", message));
		fake_add_event(out, "content_block_start",
			       json_pack("{s:s,s:i,s:{s:s,s:s}}", "type", "content_block_start",
					 "index", 0, "content_block", "type", "text", "text", ""));
		fake_add_event(out, "ping", json_pack("{s:s}", "type", "ping"));
		fake_add_event(out, "content_block_delta",
			       json_pack("{s:s,s:i,s:{s:s,s:s}}", "type", "content_block_delta",
					 "index", 0, "delta", "type", "text_delta", "text", text));
		fake_add_event(out, "content_block_stop",
			       json_pack("{s:s,s:i}", "type", "content_block_stop", "index", 0));
		json_t *delta = json_pack("{s:s,s:{s:s,s:n}}", "type", "message_delta", "delta",
					  "stop_reason", "end_turn", "stop_sequence");
		fake_set_usage(fake, delta, "usage",
			       json_pack("{s:I}", "output_tokens", (json_int_t)fake->output));
		fake_add_event(out, "message_delta", delta);
		fake_add_event(out, "message_stop", json_pack("{s:s}", "type", "message_stop"));
	}
	st_free(text);
	return stream;
}

/* --- OpenAI chat --- */

static inline json_t *fake_chat_usage(const struct fake *fake)
{
	return json_pack("{s:I,s:I,s:I,s:{s:I},s:{s:I}}", "prompt_tokens", (json_int_t)fake->input,
			 "completion_tokens", (json_int_t)fake->output, "total_tokens",
			 (json_int_t)(fake->input + fake->output), "prompt_tokens_details",
			 "cached_tokens", (json_int_t)fake->cache_read, "completion_tokens_details",
			 "reasoning_tokens", (json_int_t)fake->reasoning);
}

static inline json_t *fake_chat_shell(const struct fake *fake, const char *object, json_t *choices)
{
	char id[48];
	(void)snprintf(id, sizeof id, "chatcmpl-%06llu", (unsigned long long)fake->seq);
	return json_pack("{s:s,s:s,s:i,s:s,s:o}", "id", id, "object", object, "created", 1700000000,
			 "model", fake_model(fake), "choices", choices);
}

static inline bool fake_chat(const struct fake *fake, struct st_buf *out)
{
	char *text = fake_text(fake);
	bool stream = fake_streams(fake);
	if (!stream) {
		json_t *choices = json_pack("[{s:i,s:{s:s,s:s,s:n},s:n,s:s}]", "index", 0,
					    "message", "role", "assistant", "content", text,
					    "refusal", "logprobs", "finish_reason", "stop");
		json_t *answer = fake_chat_shell(fake, "chat.completion", choices);
		fake_set_usage(fake, answer, "usage", fake_chat_usage(fake));
		char *json = json_dumps(answer, JSON_COMPACT);
		st_buf_add_text(out, json);
		free(json);
		json_decref(answer);
	} else {
		static const char object[] = "chat.completion.chunk";
		json_t *first = json_pack("[{s:i,s:{s:s,s:s},s:n}]", "index", 0, "delta", "role",
					  "assistant", "content", text, "finish_reason");
		json_t *last =
		    json_pack("[{s:i,s:{},s:s}]", "index", 0, "delta", "finish_reason", "stop");
		fake_add_event(out, NULL, fake_chat_shell(fake, object, first));
		fake_add_event(out, NULL, fake_chat_shell(fake, object, last));
		const json_t *options = json_object_get(fake->body, "stream_options");
		if (json_is_true(json_object_get(options, "include_usage"))) {
			json_t *answer = fake_chat_shell(fake, object, json_array());
			fake_set_usage(fake, answer, "usage", fake_chat_usage(fake));
			fake_add_event(out, NULL, answer);
		}
		st_buf_add_text(out, "data: [DONE]\n\n");
	}
	st_free(text);
	return stream;
}

/* --- OpenAI responses --- */

static inline json_t *fake_response(const struct fake *fake, const char *status, const char *text)
{
	char id[48];
	(void)snprintf(id, sizeof id, "resp_%06llu", (unsigned long long)fake->seq);
	json_t *answer = json_pack("{s:s,s:s,s:i,s:s,s:s,s:n,s:[],s:n}", "id", id, "object",
				   "response", "created_at", 1700000000, "status", status, "model",
				   fake_model(fake), "error", "output", "usage");
	if (text == NULL) {
		return answer;
	}
	(void)json_array_append_new(json_object_get(answer, "output"),
				    json_pack("{s:s,s:s,s:s,s:s,s:[{s:s,s:s,s:[]}]}", "type",
					      "message", "id", "msg_1", "status", "completed",
					      "role", "assistant", "content", "type", "output_text",
					      "text", text, "annotations"));
	(void)json_object_del(answer, "usage");
	fake_set_usage(fake, answer, "usage",
		       json_pack("{s:I,s:{s:I},s:I,s:{s:I},s:I}", "input_tokens",
				 (json_int_t)fake->input, "input_tokens_details", "cached_tokens",
				 (json_int_t)fake->cache_read, "output_tokens",
				 (json_int_t)fake->output, "output_tokens_details",
				 "reasoning_tokens", (json_int_t)fake->reasoning, "total_tokens",
				 (json_int_t)(fake->input + fake->output)));
	return answer;
}

static inline bool fake_responses(const struct fake *fake, struct st_buf *out)
{
	char *text = fake_text(fake);
	bool stream = fake_streams(fake);
	if (!stream) {
		json_t *answer = fake_response(fake, "completed", text);
		char *json = json_dumps(answer, JSON_COMPACT);
		st_buf_add_text(out, json);
		free(json);
		json_decref(answer);
	} else {
		fake_add_event(out, "response.created",
			       json_pack("{s:s,s:i,s:o}", "type", "response.created",
					 "sequence_number", 0, "response",
					 fake_response(fake, "in_progress", NULL)));
		fake_add_event(out, "response.output_text.delta",
			       json_pack("{s:s,s:i,s:s,s:i,s:i,s:s}", "type",
					 "response.output_text.delta", "sequence_number", 1,
					 "item_id", "msg_1", "output_index", 0, "content_index", 0,
					 "delta", text));
		fake_add_event(out, "response.completed",
			       json_pack("{s:s,s:i,s:o}", "type", "response.completed",
					 "sequence_number", 2, "response",
					 fake_response(fake, "completed", text)));
	}
	st_free(text);
	return stream;
}

/* --- Gemini --- */

static inline bool fake_gemini(const struct fake *fake, struct st_buf *out)
{
	char *text = fake_text(fake);
	char id[48];
	(void)snprintf(id, sizeof id, "gemini-%06llu", (unsigned long long)fake->seq);
	json_t *answer =
	    json_pack("{s:[{s:{s:[{s:s}],s:s},s:s,s:i}],s:s,s:s}", "candidates", "content", "parts",
		      "text", text, "role", "model", "finishReason", "STOP", "index", 0,
		      "modelVersion", "fake-model", "responseId", id);
	fake_set_usage(fake, answer, "usageMetadata",
		       json_pack("{s:I,s:I,s:I,s:I,s:I}", "promptTokenCount",
				 (json_int_t)fake->input, "cachedContentTokenCount",
				 (json_int_t)fake->cache_read, "candidatesTokenCount",
				 (json_int_t)(fake->output - fake->reasoning), "thoughtsTokenCount",
				 (json_int_t)fake->reasoning, "totalTokenCount",
				 (json_int_t)(fake->input + fake->output)));
	bool stream = strstr(fake->path, ":streamGenerateContent") != NULL;
	if (stream && fake->sse_query) {
		fake_add_event(out, NULL, answer);
	} else {
		char *json = json_dumps(answer, JSON_COMPACT);
		st_buf_addf(out, stream ? "[%s]" : "%s", json);
		free(json);
		json_decref(answer);
	}
	st_free(text);
	return stream && fake->sse_query;
}

/* --- the others --- */

static inline void fake_exa(const struct fake *fake, struct st_buf *out)
{
	int64_t n = json_integer_value(json_object_get(fake->body, "numResults"));
	n = n < 1 ? 10 : n > 100 ? 100 : n;
	st_buf_addf(out,
		    "{\"requestId\":\"exa-%06llu\",\"resolvedSearchType\":\"neural\",\"results\":[",
		    (unsigned long long)fake->seq);
	for (int64_t i = 0; i < n; i++) {
		st_buf_addf(
		    out,
		    "%s{\"id\":\"https://example.org/%lld\",\"url\":\"https://example.org/%lld\","
		    "\"title\":\"Result %lld\",\"score\":0.5,\"publishedDate\":null,"
		    "\"author\":null}",
		    i == 0 ? "" : ",", (long long)i, (long long)i, (long long)i);
	}
	st_buf_add_text(out, "],\"costDollars\":{\"total\":0.005,\"search\":{\"neural\":0.005}}}");
}

static inline void fake_firecrawl(const struct fake *fake, struct st_buf *out)
{
	const char *url = json_string_value(json_object_get(fake->body, "url"));
	url = url != NULL ? url : "";
	st_buf_add_text(out, "{\"success\":true,\"data\":{\"markdown\":\"# A page\\n\\nText.\","
			     "\"metadata\":{\"title\":\"A page\",\"statusCode\":200,"
			     "\"creditsUsed\":1,\"sourceURL\":");
	st_buf_add_json_string(out, url, strlen(url));
	st_buf_addf(out, ",\"scrapeId\":\"fc-%06llu\"}}}", (unsigned long long)fake->seq);
}

/* "/~name/v1/messages" is /v1/messages: so a test has as many providers as it wants. */
static inline const char *fake_path(const char *path)
{
	const char *rest = strncmp(path, "/~", 2) == 0 ? strchr(path + 1, '/') : NULL;
	return rest != NULL ? rest : path;
}

/* Writes the answer to a provider's path. 0: not one; 1: JSON; 2: SSE. */
static inline int fake_answer(const struct fake *fake, struct st_buf *out)
{
	if (strcmp(fake->path, "/v1/messages") == 0) {
		return fake_anthropic(fake, out) ? 2 : 1;
	}
	if (strcmp(fake->path, "/v1/messages/count_tokens") == 0) {
		st_buf_addf(out, "{\"input_tokens\":%lld}", (long long)fake->input);
		return 1;
	}
	if (strcmp(fake->path, "/v1/chat/completions") == 0) {
		return fake_chat(fake, out) ? 2 : 1;
	}
	if (strcmp(fake->path, "/v1/responses") == 0) {
		return fake_responses(fake, out) ? 2 : 1;
	}
	if (strncmp(fake->path, "/v1beta/models/", 15) == 0) {
		return fake_gemini(fake, out) ? 2 : 1;
	}
	if (strcmp(fake->path, "/search") == 0) {
		fake_exa(fake, out);
		return 1;
	}
	if (strcmp(fake->path, "/v2/scrape") == 0) {
		fake_firecrawl(fake, out);
		return 1;
	}
	return 0;
}

#endif
