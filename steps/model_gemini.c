/* SPDX-License-Identifier: Apache-2.0 */
/* Gemini: POST {base}/v1beta/models/MODEL:generateContent, or :streamGenerateContent?alt=sse. */
#include <assert.h>
#include <string.h>

#include "steps/model.h"

/* One path segment: all but the unreserved characters is percent-encoded. */
static void add_segment(struct st_buf *url, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("-._~", *text) != NULL || (*text >= '0' && *text <= '9') ||
		    (*text >= 'A' && *text <= 'Z') || (*text >= 'a' && *text <= 'z')) {
			st_buf_add_char(url, *text);
		} else {
			st_buf_addf(url, "%%%02X", (unsigned)(unsigned char)*text);
		}
	}
}

static void model_path(const struct st_model_params *params, const char *verb, struct st_buf *url)
{
	st_buf_add_text(url, "/v1beta/models/");
	add_segment(url, params->name);
	st_buf_add_text(url, verb);
}

static void path(const struct st_model_params *params, struct st_buf *url)
{
	model_path(params, params->stream ? ":streamGenerateContent?alt=sse" : ":generateContent",
		   url);
}

static void count_path(const struct st_model_params *params, struct st_buf *url)
{
	model_path(params, ":countTokens", url);
}

static json_t *part_of(const char *text)
{
	return json_pack("[{s:s}]", "text", text);
}

/* The same conversation, with this dialect's names: roles user and model, texts as parts. */
static json_t *contents(const struct st_model_params *params)
{
	json_t *out = json_array();
	json_t *messages = st_model_messages(params, false);
	for (size_t i = 0; i < json_array_size(messages); i++) {
		const json_t *message = json_array_get(messages, i);
		const char *role = json_string_value(json_object_get(message, "role"));
		const char *text = json_string_value(json_object_get(message, "content"));
		assert(role != NULL);
		json_array_append_new(out,
				      json_pack("{s:s, s:o}", "role",
						strcmp(role, "assistant") == 0 ? "model" : "user",
						"parts", part_of(text)));
	}
	json_decref(messages);
	return out;
}

static json_t *common(const struct st_model_params *params)
{
	json_t *out = json_pack("{s:o}", "contents", contents(params));
	if (params->system != NULL) {
		json_object_set_new(out, "systemInstruction",
				    json_pack("{s:o}", "parts", part_of(params->system)));
	}
	return out;
}

static json_t *body(const struct st_model_params *params, const struct st_provider *provider,
		    int64_t output_max)
{
	(void)provider;
	json_t *config =
	    json_pack("{s:I, s:i}", "maxOutputTokens", (json_int_t)output_max, "candidateCount", 1);
	if (params->temperature != NULL) {
		json_object_set_new(config, "temperature", json_deep_copy(params->temperature));
	}
	if (params->stop != NULL) {
		json_object_set_new(config, "stopSequences", json_deep_copy(params->stop));
	}
	if (params->reasoning_effort != NULL) {
		json_object_set_new(config, "thinkingConfig",
				    json_pack("{s:s}", "thinkingLevel", params->reasoning_effort));
	}
	json_t *out = common(params);
	json_object_set_new(out, "generationConfig", config);
	return out;
}

/* A system text is only counted inside a whole request, which then names its model again. */
static json_t *count_body(const struct st_model_params *params)
{
	struct st_buf model = {0};
	st_buf_addf(&model, "models/%s", params->name);
	json_t *request = common(params);
	json_object_set_new(request, "model", json_string(model.data));
	st_buf_fini(&model);
	return json_pack("{s:o}", "generateContentRequest", request);
}

/* Zeros are left out on this wire, so a missing part is 0 as long as the prompt is there. */
static void usage_seen(struct st_model_answer *out, const json_t *usage)
{
	if (!json_is_object(usage)) {
		out->usage_absurd = out->usage_absurd || (usage != NULL && !json_is_null(usage));
		return;
	}
	int64_t prompt = st_model_count(out, usage, "promptTokenCount");
	int64_t tools = st_model_count(out, usage, "toolUsePromptTokenCount");
	int64_t answer = st_model_count(out, usage, "candidatesTokenCount");
	int64_t thoughts = st_model_count(out, usage, "thoughtsTokenCount");
	if (prompt < 0) {
		out->usage_absurd = true;
		return;
	}
	struct st_model_usage seen = {
	    .input = prompt + (tools > 0 ? tools : 0),
	    .cache_read = st_model_count(out, usage, "cachedContentTokenCount"),
	    .cache_write = -1,
	    .output = (answer > 0 ? answer : 0) + (thoughts > 0 ? thoughts : 0),
	    .reasoning = thoughts,
	};
	st_model_usage_seen(out, &seen, st_model_count(out, usage, "totalTokenCount"));
}

static void candidate(const json_t *found, struct st_model_answer *out)
{
	const json_t *parts = json_object_get(json_object_get(found, "content"), "parts");
	for (size_t i = 0; i < json_array_size(parts); i++) {
		const json_t *part = json_array_get(parts, i);
		if (!json_is_true(json_object_get(part, "thought"))) {
			st_model_text_add(out, json_object_get(part, "text"));
		}
	}
	const json_t *reason = json_object_get(found, "finishReason");
	if (json_is_string(reason)) {
		st_model_copy(out->finish, sizeof out->finish, reason);
		out->limited = strcmp(out->finish, "MAX_TOKENS") == 0;
		out->ended = true;
	}
}

/* A body and a chunk have the same form; the last chunk is the one with a finish reason. */
static void read_chunk(const json_t *data, struct st_model_answer *out)
{
	const json_t *error = json_object_get(data, "error");
	if (error != NULL && !json_is_null(error)) {
		st_model_failed(out, error);
		return;
	}
	st_model_copy(out->id, sizeof out->id, json_object_get(data, "responseId"));
	st_model_copy(out->model, sizeof out->model, json_object_get(data, "modelVersion"));
	usage_seen(out, json_object_get(data, "usageMetadata"));
	candidate(json_array_get(json_object_get(data, "candidates"), 0), out);
	const json_t *blocked =
	    json_object_get(json_object_get(data, "promptFeedback"), "blockReason");
	if (json_is_string(blocked)) {
		st_model_failed(out, blocked);
		out->blocked = true;
	}
}

/*
 * Overhead: none is documented for plain text; begin and turn marks and the role come to about
 * five tokens a message.
 */
const struct st_model_dialect st_model_gemini = {
    .api = ST_API_GEMINI,
    .id_kind = "gemini.response",
    .overhead_call = 64,
    .overhead_message = 16,
    .output_min = 1,
    .has_stop = true,
    .key_header = "x-goog-api-key",
    .path = path,
    .body = body,
    .count_path = count_path,
    .count_body = count_body,
    .count_field = "totalTokens",
    .read = read_chunk,
    .event = read_chunk,
};
