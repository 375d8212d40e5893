/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a model's answer comes to. An answer that is there to the end is kept and paid for by its
 * own usage, even when the connection broke right behind it. Else: an error with a usage we can
 * believe    FAILED, that usage an error, or a cut stream, without one  UNKNOWN: some of it may
 * have been billed 200 with a body that is no answer       FAILED, settled at what was held
 */
#include <string.h>

#include "budgets/price.h"
#include "schemas/json.h"
#include "steps/model.h"
#include "steps/reply.h"
#include "steps/sse.h"
#include "steps/text.h"

struct stream {
	const struct st_model_dialect *dialect;
	struct st_model_answer *answer;
	bool garbled; /* an event was no JSON: what it said is missing */
};

static void read_event(void *arg, const struct st_sse_event *event)
{
	struct stream *stream = arg;
	static const char done[] = "[DONE]";
	if (event->data_len == sizeof done - 1 && memcmp(event->data, done, sizeof done - 1) == 0) {
		stream->dialect->event(NULL, stream->answer);
		return;
	}
	json_t *data = NULL;
	if (st_json_parse(event->data, event->data_len, event->data_len, &data, NULL) != ST_OK) {
		stream->garbled = true;
		return;
	}
	stream->dialect->event(data, stream->answer);
	json_decref(data);
}

static void read_stream(struct stream *stream, const struct st_http_response *response)
{
	struct st_sse sse;
	st_sse_init(&sse, response->body_len + 1);
	(void)st_sse_feed(&sse, response->body, response->body_len, read_event, stream);
	st_sse_fini(&sse);
	/* A count that stood in a lost event could have been the larger one. */
	stream->answer->usage_absurd = stream->answer->usage_absurd || stream->garbled;
	stream->answer->ended = stream->answer->ended && !stream->garbled;
}

/* Some servers answer a request for a stream with a plain body, and errors come as such anyway. */
static bool is_stream(const struct st_http_response *response)
{
	const char *type = st_http_response_header(response, "content-type");
	if (type != NULL) {
		return strstr(type, "event-stream") != NULL;
	}
	return response->body[strspn(response->body, " \t\r\n")] != '{';
}

static json_t *count_json(int64_t count)
{
	return count >= 0 ? json_integer(count) : json_null();
}

static json_t *output_of(const struct st_model_params *params, const struct st_model_answer *answer)
{
	const struct st_model_usage *usage = &answer->usage;
	json_t *out = json_object();
	json_object_set_new(
	    out, "text", st_text_json(answer->text.data, answer->text.len, answer->text.len, NULL));
	json_object_set_new(out, "finish_reason",
			    answer->finish[0] != '\0' ? json_string(answer->finish) : json_null());
	json_object_set_new(out, "truncated", json_boolean(answer->limited));
	json_object_set_new(out, "model",
			    json_string(answer->model[0] != '\0' ? answer->model : params->name));
	json_object_set_new(out, "usage",
			    json_pack("{s:o, s:o, s:o, s:o, s:o}", "input_tokens",
				      count_json(usage->input), "output_tokens",
				      count_json(usage->output), "cache_read_tokens",
				      count_json(usage->cache_read), "cache_write_tokens",
				      count_json(usage->cache_write), "reasoning_tokens",
				      count_json(usage->reasoning)));
	return out;
}

static void settle(const struct st_price *price, struct st_model_answer *answer,
		   struct st_outcome *out)
{
	out->usage_known = st_model_usage_known(answer);
	if (!out->usage_known) {
		answer->usage = (struct st_model_usage){-1, -1, -1, -1, -1};
		return;
	}
	out->model = answer->usage;
	out->usage.of[ST_METER_TOOL_STEPS] = 1;
	out->usage.of[ST_METER_TOKENS] =
	    st_add_saturating(answer->usage.input, answer->usage.output);
	if (st_price_covers_model(price)) {
		out->usage.of[ST_METER_COST_NUSD] = st_price_usage(price, &answer->usage);
	}
}

static void conclude(const struct st_model_params *params, const struct st_model_answer *answer,
		     struct st_outcome *out)
{
	if (answer->failed) {
		out->retryable = !answer->blocked;
		st_reply_end(out, out->usage_known ? ST_OUTCOME_FAILED : ST_OUTCOME_UNKNOWN,
			     answer->blocked ? "provider.declined" : "provider.error",
			     "%s ended with an error: %s", params->provider, answer->error);
		return;
	}
	out->state = ST_OUTCOME_SUCCEEDED;
	out->output = output_of(params, answer);
}

/* True when the body was read to its end, or to an error. */
static bool read_answer(const struct st_model_dialect *dialect,
			const struct st_http_response *response, bool streamed,
			struct st_model_answer *answer)
{
	if (streamed) {
		struct stream stream = {.dialect = dialect, .answer = answer};
		read_stream(&stream, response);
		return answer->ended || answer->failed;
	}
	json_t *body = NULL;
	if (st_json_parse(response->body, response->body_len, response->body_len, &body, NULL) !=
	    ST_OK) {
		return false;
	}
	dialect->read(body, answer);
	json_decref(body);
	return answer->ended || answer->failed;
}

void st_model_outcome(const struct st_model_params *params, const struct st_model_dialect *dialect,
		      const struct st_price *price, const struct st_http_response *response,
		      struct st_outcome *out)
{
	bool has_body = response->status >= 200 && response->status <= 299 &&
			response->body != NULL && response->body_len > 0;
	bool streamed = has_body && is_stream(response);
	bool whole = response->transport == ST_TRANSPORT_ANSWERED;
	struct st_model_answer answer = {.usage = {-1, -1, -1, -1, -1}};
	bool complete =
	    has_body && (whole || streamed) && read_answer(dialect, response, streamed, &answer);
	if (answer.id[0] != '\0') {
		st_outcome_external_id(out, dialect->id_kind, answer.id, NULL);
	}
	if (complete) {
		settle(price, &answer, out);
		conclude(params, &answer, out);
	} else if (!st_reply_refused(out, params->provider, response)) {
		out->retryable = true;
		st_reply_end(out, streamed ? ST_OUTCOME_UNKNOWN : ST_OUTCOME_FAILED,
			     streamed ? "provider.cut" : "provider.bad_answer",
			     streamed ? "%s: the stream ended before the answer did"
				      : "%s answered with something that is no answer",
			     params->provider);
	}
	st_model_answer_fini(&answer);
}
