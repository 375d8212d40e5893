/* SPDX-License-Identifier: Apache-2.0 */
/* The Responses API: POST {base}/responses. */
#include <string.h>

#include "steps/model.h"

static void path(const struct st_model_params *params, struct st_buf *url)
{
	(void)params;
	st_buf_add_text(url, "/responses");
}

static void count_path(const struct st_model_params *params, struct st_buf *url)
{
	(void)params;
	st_buf_add_text(url, "/responses/input_tokens");
}

static json_t *count_body(const struct st_model_params *params)
{
	json_t *out = json_pack("{s:s, s:o}", "model", params->name, "input",
				st_model_messages(params, false));
	if (params->system != NULL) {
		json_object_set_new(out, "instructions", json_string(params->system));
	}
	if (params->reasoning_effort != NULL) {
		json_object_set_new(out, "reasoning",
				    json_pack("{s:s}", "effort", params->reasoning_effort));
	}
	return out;
}

/* store: nothing of a run is left behind at the provider; runs keep their own record. */
static json_t *body(const struct st_model_params *params, const struct st_provider *provider,
		    int64_t output_max)
{
	(void)provider;
	json_t *out = count_body(params);
	json_object_set_new(out, "max_output_tokens", json_integer(output_max));
	json_object_set_new(out, "stream", json_boolean(params->stream));
	json_object_set_new(out, "store", json_false());
	if (params->temperature != NULL) {
		json_object_set_new(out, "temperature", json_deep_copy(params->temperature));
	}
	return out;
}

static bool text_is(const json_t *object, const char *key, const char *expected)
{
	const char *found = json_string_value(json_object_get(object, key));
	return found != NULL && strcmp(found, expected) == 0;
}

static void usage_seen(struct st_model_answer *out, const json_t *usage)
{
	if (!json_is_object(usage)) {
		out->usage_absurd = out->usage_absurd || (usage != NULL && !json_is_null(usage));
		return;
	}
	const json_t *input = json_object_get(usage, "input_tokens_details");
	const json_t *output = json_object_get(usage, "output_tokens_details");
	struct st_model_usage seen = {
	    .input = st_model_count(out, usage, "input_tokens"),
	    .cache_read = st_model_count(out, input, "cached_tokens"),
	    .cache_write = st_model_count(out, input, "cache_write_tokens"),
	    .output = st_model_count(out, usage, "output_tokens"),
	    .reasoning = st_model_count(out, output, "reasoning_tokens"),
	};
	st_model_usage_seen(out, &seen, st_model_count(out, usage, "total_tokens"));
}

static void output_text(const json_t *output, struct st_model_answer *out)
{
	for (size_t i = 0; i < json_array_size(output); i++) {
		const json_t *content = json_object_get(json_array_get(output, i), "content");
		for (size_t k = 0; k < json_array_size(content); k++) {
			const json_t *part = json_array_get(content, k);
			if (text_is(part, "type", "output_text")) {
				st_model_text_add(out, json_object_get(part, "text"));
			}
		}
	}
}

/* A finished response repeats the whole text, so that the deltas of a stream are not needed. */
static void read_body(const json_t *response, struct st_model_answer *out)
{
	const json_t *error = json_object_get(response, "error");
	st_model_copy(out->id, sizeof out->id, json_object_get(response, "id"));
	st_model_copy(out->model, sizeof out->model, json_object_get(response, "model"));
	st_model_copy(out->finish, sizeof out->finish, json_object_get(response, "status"));
	usage_seen(out, json_object_get(response, "usage"));
	if ((error != NULL && !json_is_null(error)) || text_is(response, "status", "failed") ||
	    text_is(response, "status", "cancelled")) {
		st_model_failed(out, error);
		return;
	}
	const json_t *why = json_object_get(response, "incomplete_details");
	bool incomplete = text_is(response, "status", "incomplete");
	if (incomplete) {
		st_model_copy(out->finish, sizeof out->finish, json_object_get(why, "reason"));
		out->limited = text_is(why, "reason", "max_output_tokens");
	}
	out->ended = incomplete || text_is(response, "status", "completed");
	if (out->ended) {
		st_buf_clear(&out->text);
		output_text(json_object_get(response, "output"), out);
	}
}

static void event(const json_t *data, struct st_model_answer *out)
{
	const json_t *response = json_object_get(data, "response");
	if (text_is(data, "type", "response.completed") ||
	    text_is(data, "type", "response.incomplete") ||
	    text_is(data, "type", "response.failed")) {
		read_body(response, out);
	} else if (text_is(data, "type", "response.created")) {
		st_model_copy(out->id, sizeof out->id, json_object_get(response, "id"));
	} else if (text_is(data, "type", "error")) {
		const json_t *error = json_object_get(data, "error");
		st_model_failed(out, json_is_object(error) ? error : data);
	}
}

/* Overhead: as for Chat Completions, whose format is the same underneath; reasoning models may get
 * hidden instructions, which the provider's own counter includes. */
const struct st_model_dialect st_model_responses = {
    .api = ST_API_OPENAI_RESPONSES,
    .id_kind = "openai.response",
    .overhead_call = 256,
    .overhead_message = 16,
    .output_min = 16,
    .has_stop = false,
    .key_header = "authorization",
    .path = path,
    .body = body,
    .count_path = count_path,
    .count_body = count_body,
    .count_field = "input_tokens",
    .read = read_body,
    .event = event,
};
