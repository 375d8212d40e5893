/* SPDX-License-Identifier: Apache-2.0 */
/* The Messages API: POST {base}/v1/messages. */
#include <string.h>

#include "steps/model.h"

static void path(const struct st_model_params *params, struct st_buf *url)
{
	(void)params;
	st_buf_add_text(url, "/v1/messages");
}

static void count_path(const struct st_model_params *params, struct st_buf *url)
{
	(void)params;
	st_buf_add_text(url, "/v1/messages/count_tokens");
}

static void headers(struct st_http_request *out)
{
	(void)st_http_request_header(out, "anthropic-version", "2023-06-01");
}

static json_t *count_body(const struct st_model_params *params)
{
	json_t *body = json_pack("{s:s, s:o}", "model", params->name, "messages",
				 st_model_messages(params, false));
	if (params->system != NULL) {
		json_object_set_new(body, "system", json_string(params->system));
	}
	return body;
}

static json_t *body(const struct st_model_params *params, const struct st_provider *provider,
		    int64_t output_max)
{
	(void)provider;
	json_t *out = count_body(params);
	json_object_set_new(out, "max_tokens", json_integer(output_max));
	json_object_set_new(out, "stream", json_boolean(params->stream));
	if (params->temperature != NULL) {
		json_object_set_new(out, "temperature", json_deep_copy(params->temperature));
	}
	if (params->stop != NULL) {
		json_object_set_new(out, "stop_sequences", json_deep_copy(params->stop));
	}
	if (params->reasoning_effort != NULL) {
		json_object_set_new(out, "output_config",
				    json_pack("{s:s}", "effort", params->reasoning_effort));
	}
	return out;
}

/* input_tokens are the fresh ones only; what the cache took or gave comes on top. */
static void usage_seen(struct st_model_answer *out, const json_t *usage, bool output_is_final)
{
	int64_t fresh = st_model_count(out, usage, "input_tokens");
	const json_t *details = json_object_get(usage, "output_tokens_details");
	struct st_model_usage seen = {
	    .input = fresh,
	    .cache_read = st_model_count(out, usage, "cache_read_input_tokens"),
	    .cache_write = st_model_count(out, usage, "cache_creation_input_tokens"),
	    .output = output_is_final ? st_model_count(out, usage, "output_tokens") : -1,
	    .reasoning = output_is_final ? st_model_count(out, details, "thinking_tokens") : -1,
	};
	if (fresh >= 0) {
		seen.input += seen.cache_read > 0 ? seen.cache_read : 0;
		seen.input += seen.cache_write > 0 ? seen.cache_write : 0;
	}
	st_model_usage_seen(out, &seen, -1);
}

static void stopped(struct st_model_answer *out, const json_t *reason)
{
	st_model_copy(out->finish, sizeof out->finish, reason);
	out->limited = strcmp(out->finish, "max_tokens") == 0;
}

static bool type_is(const json_t *object, const char *type)
{
	const char *found = json_string_value(json_object_get(object, "type"));
	return found != NULL && strcmp(found, type) == 0;
}

static void message_head(const json_t *message, struct st_model_answer *out)
{
	st_model_copy(out->id, sizeof out->id, json_object_get(message, "id"));
	st_model_copy(out->model, sizeof out->model, json_object_get(message, "model"));
}

static void read_body(const json_t *message, struct st_model_answer *out)
{
	if (type_is(message, "error") || json_is_object(json_object_get(message, "error"))) {
		st_model_failed(out, json_object_get(message, "error"));
		return;
	}
	const json_t *content = json_object_get(message, "content");
	out->ended = type_is(message, "message") && json_is_array(content);
	message_head(message, out);
	stopped(out, json_object_get(message, "stop_reason"));
	for (size_t i = 0; i < json_array_size(content); i++) {
		const json_t *block = json_array_get(content, i);
		if (type_is(block, "text")) {
			st_model_text_add(out, json_object_get(block, "text"));
		}
	}
	usage_seen(out, json_object_get(message, "usage"), true);
}

/* The output count of message_start is that of a beginning: only message_delta's is final. */
static void event(const json_t *data, struct st_model_answer *out)
{
	if (type_is(data, "message_start")) {
		const json_t *message = json_object_get(data, "message");
		message_head(message, out);
		usage_seen(out, json_object_get(message, "usage"), false);
	} else if (type_is(data, "content_block_delta")) {
		const json_t *delta = json_object_get(data, "delta");
		if (type_is(delta, "text_delta")) {
			st_model_text_add(out, json_object_get(delta, "text"));
		}
	} else if (type_is(data, "message_delta")) {
		stopped(out, json_object_get(json_object_get(data, "delta"), "stop_reason"));
		usage_seen(out, json_object_get(data, "usage"), true);
	} else if (type_is(data, "message_stop")) {
		out->ended = true;
	} else if (type_is(data, "error")) {
		st_model_failed(out, json_object_get(data, "error"));
	}
}

/*
 * Overhead: none is documented for plain text without tools; a message of one word is reported as
 * some 8 tokens, so that marks and role come to about 7. 64 a call and 8 a message leave room for
 * what a newer model adds.
 */
const struct st_model_dialect st_model_anthropic = {
    .api = ST_API_ANTHROPIC,
    .id_kind = "anthropic.message",
    .overhead_call = 64,
    .overhead_message = 8,
    .output_min = 1,
    .has_stop = true,
    .key_header = "x-api-key",
    .path = path,
    .body = body,
    .headers = headers,
    .count_path = count_path,
    .count_body = count_body,
    .count_field = "input_tokens",
    .read = read_body,
    .event = event,
};
