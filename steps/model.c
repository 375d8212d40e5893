/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/model.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "steps/text.h"

#define TEXT_BYTES_MAX (1024 * 1024)
#define STOPS_MAX 4
#define STOP_BYTES_MAX 256
#define COUNT_MAX (INT64_C(1) << 53)

static const char *const FIELDS[] = {"model",
				     "prompt",
				     "messages",
				     "system",
				     "max_output_tokens",
				     "min_useful_output",
				     "temperature",
				     "stream",
				     "stop",
				     "reasoning_effort",
				     NULL};

static bool is_one_of(const char *text, const char *const *list)
{
	for (; *list != NULL; list++) {
		if (strcmp(text, *list) == 0) {
			return true;
		}
	}
	return false;
}

/* Names go into URLs, price keys and log lines. */
static bool is_model_name(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				  "._:@/+-");
	return len > 0 && name[len] == '\0';
}

static void read_model(struct st_param_reader *reader, struct st_model_params *out)
{
	const char *model = st_param_text(reader, "model", true, 128);
	if (model == NULL || st_param_is_open_text(reader, model)) {
		return;
	}
	const char *slash = strchr(model, '/');
	size_t provider_len = slash == NULL ? 0 : (size_t)(slash - model);
	if (provider_len == 0 || provider_len >= sizeof out->provider ||
	    !is_model_name(slash + 1)) {
		(void)st_param_fail(reader, "/model",
				    "a model is named \"provider/model\", such as "
				    "\"anthropic/claude-sonnet-4-5\"");
		return;
	}
	memcpy(out->provider, model, provider_len);
	out->provider[provider_len] = '\0';
	out->model = model;
	out->name = slash + 1;
}

static void read_message(struct st_param_reader *reader, const json_t *message, size_t i)
{
	static const char *const roles[] = {"user", "assistant", NULL};
	char pointer[48];
	(void)snprintf(pointer, sizeof pointer, "/messages/%zu", i);
	const json_t *role = json_object_get(message, "role");
	const json_t *content = json_object_get(message, "content");
	if (json_object_size(message) != 2 || !json_is_string(role) || !json_is_string(content)) {
		(void)st_param_fail(reader, pointer,
				    "a message is {\"role\": …, \"content\": text}");
	} else if (!st_param_is_open(reader, role) && !is_one_of(json_string_value(role), roles)) {
		(void)st_param_fail(reader, pointer,
				    "the role must be \"user\" or \"assistant\"; use the field "
				    "\"system\" for instructions");
	} else if (json_string_length(content) == 0) {
		(void)st_param_fail(reader, pointer, "the content is empty");
	}
}

static void read_messages(struct st_param_reader *reader, struct st_model_params *out)
{
	const json_t *messages = st_param_value(reader, "messages");
	if (messages == NULL) {
		return;
	}
	size_t n = json_array_size(messages);
	if (n == 0 || n > ST_MODEL_MESSAGES_MAX) {
		(void)st_param_fail(reader, "/messages",
				    "\"messages\" must be an array of 1 to %d messages",
				    ST_MODEL_MESSAGES_MAX);
	}
	for (size_t i = 0; i < n && reader->code == ST_OK; i++) {
		read_message(reader, json_array_get(messages, i), i);
	}
	out->messages = messages;
}

static void read_conversation(struct st_param_reader *reader, struct st_model_params *out)
{
	bool has_messages = json_object_get(reader->object, "messages") != NULL;
	out->prompt = st_param_text(reader, "prompt", false, TEXT_BYTES_MAX);
	out->system = st_param_text(reader, "system", false, TEXT_BYTES_MAX);
	read_messages(reader, out);
	if (reader->code == ST_OK && (out->prompt != NULL) == has_messages) {
		(void)st_param_fail(reader, "/prompt",
				    "give either \"prompt\" or \"messages\", not both");
	} else if (out->prompt != NULL && out->prompt[0] == '\0') {
		(void)st_param_fail(reader, "/prompt", "\"prompt\" is empty");
	}
	if (out->system != NULL && out->system[0] == '\0') {
		out->system = NULL;
	}
}

static void read_output(struct st_param_reader *reader, struct st_model_params *out)
{
	out->output_max = st_param_int(reader, "max_output_tokens", 1, ST_MODEL_OUTPUT_MAX,
				       ST_MODEL_OUTPUT_DEFAULT);
	out->output_floor =
	    st_param_int(reader, "min_useful_output", 1, ST_MODEL_OUTPUT_MAX, out->output_max);
	const json_t *asked = json_object_get(reader->object, "max_output_tokens");
	if (out->output_floor > out->output_max && !st_param_is_open(reader, asked)) {
		(void)st_param_fail(reader, "/min_useful_output",
				    "\"min_useful_output\" must not be above "
				    "\"max_output_tokens\"");
	}
}

static void read_stop(struct st_param_reader *reader, struct st_model_params *out)
{
	const json_t *stop = st_param_value(reader, "stop");
	bool fits = stop == NULL || (json_is_array(stop) && json_array_size(stop) > 0 &&
				     json_array_size(stop) <= STOPS_MAX);
	for (size_t i = 0; fits && i < json_array_size(stop); i++) {
		size_t len = json_string_length(json_array_get(stop, i));
		fits = len > 0 && len <= STOP_BYTES_MAX;
	}
	if (!fits) {
		(void)st_param_fail(reader, "/stop",
				    "\"stop\" must be an array of 1 to %d texts of 1 to %d bytes",
				    STOPS_MAX, STOP_BYTES_MAX);
	}
	out->stop = stop;
}

static void read_manner(struct st_param_reader *reader, struct st_model_params *out)
{
	static const char *const efforts[] = {"none", "minimal", "low", "medium",
					      "high", "xhigh",	 "max", NULL};
	out->stream = st_param_bool(reader, "stream", true);
	out->temperature = st_param_value(reader, "temperature");
	if (out->temperature != NULL &&
	    (!json_is_number(out->temperature) || !(json_number_value(out->temperature) >= 0.0) ||
	     !(json_number_value(out->temperature) <= 2.0))) {
		(void)st_param_fail(reader, "/temperature",
				    "\"temperature\" must be a number from 0 to 2");
	}
	out->reasoning_effort = st_param_text(reader, "reasoning_effort", false, 16);
	if (out->reasoning_effort != NULL &&
	    !st_param_is_open_text(reader, out->reasoning_effort) &&
	    !is_one_of(out->reasoning_effort, efforts)) {
		(void)st_param_fail(reader, "/reasoning_effort",
				    "\"reasoning_effort\" must be none, minimal, low, medium, "
				    "high, xhigh or max");
	}
}

int st_model_params_read(const json_t *with, bool open, struct st_model_params *out,
			 struct st_diag *diag)
{
	*out = (struct st_model_params){0};
	struct st_param_reader reader;
	st_param_start(&reader, with, open, FIELDS, diag);
	read_model(&reader, out);
	read_conversation(&reader, out);
	read_output(&reader, out);
	read_stop(&reader, out);
	read_manner(&reader, out);
	return reader.code;
}

void st_model_answer_fini(struct st_model_answer *answer)
{
	st_buf_fini(&answer->text);
}

json_t *st_model_messages(const struct st_model_params *params, bool with_system)
{
	json_t *messages = json_array();
	if (with_system && params->system != NULL) {
		json_array_append_new(
		    messages, json_pack("{s:s, s:s}", "role", "system", "content", params->system));
	}
	if (params->prompt != NULL) {
		json_array_append_new(
		    messages, json_pack("{s:s, s:s}", "role", "user", "content", params->prompt));
	}
	for (size_t i = 0; i < json_array_size(params->messages); i++) {
		json_array_append(messages, json_array_get(params->messages, i));
	}
	assert(json_array_size(messages) > 0);
	return messages;
}

int64_t st_model_count(struct st_model_answer *answer, const json_t *usage, const char *key)
{
	const json_t *count = json_object_get(usage, key);
	if (count == NULL || json_is_null(count)) {
		return -1;
	}
	if (!json_is_integer(count) || json_integer_value(count) < 0 ||
	    json_integer_value(count) > COUNT_MAX) {
		answer->usage_absurd = true;
		return -1;
	}
	return json_integer_value(count);
}

static void keep_larger(int64_t *kept, int64_t seen)
{
	*kept = seen > *kept ? seen : *kept;
}

void st_model_usage_seen(struct st_model_answer *answer, const struct st_model_usage *usage,
			 int64_t total)
{
	int64_t input = usage->input > 0 ? usage->input : 0;
	int64_t output = usage->output > 0 ? usage->output : 0;
	if (total >= 0 && total != input + output) {
		answer->usage_absurd = true;
	}
	keep_larger(&answer->usage.input, usage->input);
	keep_larger(&answer->usage.cache_read, usage->cache_read);
	keep_larger(&answer->usage.cache_write, usage->cache_write);
	keep_larger(&answer->usage.output, usage->output);
	keep_larger(&answer->usage.reasoning, usage->reasoning);
}

/* No prompt is empty and no text is made of no tokens: a zero there is a provider that does not
 * count. Parts above their whole are no counts either. */
bool st_model_usage_known(const struct st_model_answer *answer)
{
	const struct st_model_usage *usage = &answer->usage;
	int64_t cached = (usage->cache_read > 0 ? usage->cache_read : 0) +
			 (usage->cache_write > 0 ? usage->cache_write : 0);
	if (answer->usage_absurd || usage->input <= 0 || usage->output < 0) {
		return false;
	}
	if (usage->output == 0 && answer->text.len > 0) {
		return false;
	}
	return cached <= usage->input && usage->reasoning <= usage->output;
}

void st_model_copy(char *out, size_t size, const json_t *text)
{
	size_t len = json_string_length(text);
	if (len == 0) {
		return;
	}
	const char *from = json_string_value(text);
	if (len >= size) {
		for (len = size - 1; len > 0 && ((unsigned char)from[len] & 0xc0) == 0x80; len--) {
		}
	}
	memcpy(out, from, len);
	out[len] = '\0';
}

void st_model_text_add(struct st_model_answer *answer, const json_t *text)
{
	if (json_is_string(text)) {
		st_buf_add(&answer->text, json_string_value(text), json_string_length(text));
	}
}

void st_model_failed(struct st_model_answer *answer, const json_t *error)
{
	static const char *const keys[] = {"type", "code", "message"};
	answer->failed = true;
	st_model_copy(answer->error, sizeof answer->error, error);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		const char *part = json_string_value(json_object_get(error, keys[i]));
		size_t len = strlen(answer->error);
		if (part != NULL) {
			(void)snprintf(answer->error + len, sizeof answer->error - len, "%s%s",
				       len > 0 ? ": " : "", part);
		}
	}
}
