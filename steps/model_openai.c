/* SPDX-License-Identifier: Apache-2.0 */
/* Chat Completions: POST {base}/chat/completions, as OpenAI and the many servers that follow it. */
#include <string.h>

#include "steps/model.h"

static void path(const struct st_model_params *params, struct st_buf *url)
{
	(void)params;
	st_buf_add_text(url, "/chat/completions");
}

/*
 * Which name does this server know the output limit by? A limit that is not understood is no bound.
 * OpenAI's reasoning models refuse max_tokens; the servers that imitate the API know max_tokens
 * all, some of them nothing else. So the newer name goes to OpenAI's own hosts and to whoever is
 * asked for an effort of reasoning.
 */
static const char *output_field(const struct st_model_params *params,
				const struct st_provider *provider)
{
	bool newer = strstr(provider->base_url, ".openai.com") != NULL ||
		     strstr(provider->base_url, ".openai.azure.com") != NULL ||
		     params->reasoning_effort != NULL;
	return newer ? "max_completion_tokens" : "max_tokens";
}

static json_t *body(const struct st_model_params *params, const struct st_provider *provider,
		    int64_t output_max)
{
	json_t *out = json_pack("{s:s, s:o, s:I, s:i, s:b}", "model", params->name, "messages",
				st_model_messages(params, true), output_field(params, provider),
				(json_int_t)output_max, "n", 1, "stream", params->stream);
	if (params->stream) {
		json_object_set_new(out, "stream_options", json_pack("{s:b}", "include_usage", 1));
	}
	if (params->temperature != NULL) {
		json_object_set_new(out, "temperature", json_deep_copy(params->temperature));
	}
	if (params->stop != NULL) {
		json_object_set_new(out, "stop", json_deep_copy(params->stop));
	}
	if (params->reasoning_effort != NULL) {
		json_object_set_new(out, "reasoning_effort", json_string(params->reasoning_effort));
	}
	return out;
}

static void usage_seen(struct st_model_answer *out, const json_t *usage)
{
	if (!json_is_object(usage)) {
		out->usage_absurd = out->usage_absurd || (usage != NULL && !json_is_null(usage));
		return;
	}
	const json_t *input = json_object_get(usage, "prompt_tokens_details");
	const json_t *output = json_object_get(usage, "completion_tokens_details");
	int64_t total = st_model_count(out, usage, "total_tokens");
	struct st_model_usage seen = {
	    .input = st_model_count(out, usage, "prompt_tokens"),
	    .cache_read = st_model_count(out, input, "cached_tokens"),
	    .cache_write = st_model_count(out, input, "cache_write_tokens"),
	    .output = st_model_count(out, usage, "completion_tokens"),
	    .reasoning = st_model_count(out, output, "reasoning_tokens"),
	};
	/* Some servers count reasoning beside the completion; their total tells which. */
	if (seen.reasoning > 0 && seen.input >= 0 && seen.output >= 0 &&
	    total == seen.input + seen.output + seen.reasoning) {
		seen.output += seen.reasoning;
	}
	st_model_usage_seen(out, &seen, total);
}

static void finished(const json_t *choice, struct st_model_answer *out)
{
	const json_t *reason = json_object_get(choice, "finish_reason");
	if (json_is_string(reason)) {
		st_model_copy(out->finish, sizeof out->finish, reason);
		out->limited = strcmp(out->finish, "length") == 0;
		out->ended = true;
	}
}

/* What body and chunk have in common. False: it was an error. */
static bool head(const json_t *data, struct st_model_answer *out)
{
	const json_t *error = json_object_get(data, "error");
	if (error != NULL && !json_is_null(error)) {
		st_model_failed(out, error);
		return false;
	}
	st_model_copy(out->id, sizeof out->id, json_object_get(data, "id"));
	st_model_copy(out->model, sizeof out->model, json_object_get(data, "model"));
	usage_seen(out, json_object_get(data, "usage"));
	return true;
}

static void read_body(const json_t *data, struct st_model_answer *out)
{
	if (!head(data, out)) {
		return;
	}
	const json_t *choice = json_array_get(json_object_get(data, "choices"), 0);
	const json_t *message = json_object_get(choice, "message");
	finished(choice, out);
	out->ended = json_is_object(message);
	st_model_text_add(out, json_object_get(message, "content"));
}

/* The end is [DONE] or a finish reason, whichever comes: servers leave out one or the other. The
 * usage chunk stands between the two and is read in any case. */
static void event(const json_t *data, struct st_model_answer *out)
{
	if (data == NULL) {
		out->ended = true;
		return;
	}
	if (!head(data, out)) {
		return;
	}
	const json_t *choice = json_array_get(json_object_get(data, "choices"), 0);
	st_model_text_add(out, json_object_get(json_object_get(choice, "delta"), "content"));
	finished(choice, out);
}

/*
 * Overhead: the documented format spends 3 tokens a message (4 in an early model) and 3 for the
 * reply's beginning. Local servers use the model's own template, and those may put a default
 * system prompt of their own in front (some twenty to seventy tokens in the common ones).
 * No exact count here: only OpenAI itself could answer one, and for another API (see
 * model_responses.c).
 */
const struct st_model_dialect st_model_openai = {
    .api = ST_API_OPENAI,
    .id_kind = "openai.chat_completion",
    .overhead_call = 256,
    .overhead_message = 16,
    .output_min = 1,
    .has_stop = true,
    .key_header = "authorization",
    .path = path,
    .body = body,
    .read = read_body,
    .event = event,
};
