/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.generate: one prompt, one text.
 *
 * What is held. tokens = input bound + output limit. The input bound is the number of bytes of all
 * texts, because a token stands for at least one byte, plus what the provider may add by itself
 * (see the dialects). It is four or so times what prose really takes; where that does not fit, the
 * exact count of the provider is asked for and held with a margin. The output limit is sent along,
 * so that the provider keeps to what is held.
 *
 * What is settled. The usage that the answer reports. An answer without one, or with one that
 * cannot be true, is settled at what was held: an odd count never lowers what a call is taken to
 * have used.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "budgets/price.h"
#include "schemas/json.h"
#include "steps/kind_rows.h"
#include "steps/model.h"
#include "steps/outgoing.h"
#include "steps/reply.h"

#define TIMEOUT_MS INT64_C(600000)
#define STREAM_IDLE_MS INT64_C(120000) /* streams send pings while a model thinks */
#define COUNT_TIMEOUT_MS INT64_C(30000)
#define COUNT_BYTES_MAX ((size_t)65536)
#define ANSWER_BYTES_MIN INT64_C(1048576)
#define ANSWER_BYTES_MAX INT64_C(33554432)
/* An event of a stream repeats ids and names around each token or two. */
#define ANSWER_BYTES_PER_TOKEN INT64_C(768)

static int find_dialect(const struct st_model_params *params, const struct st_config *config,
			const struct st_provider **provider,
			const struct st_model_dialect **dialect, struct st_diag *diag)
{
	*provider = st_outgoing_provider(config, params->provider, "/model", diag);
	if (*provider == NULL) {
		return ST_ERR_INVALID;
	}
	*dialect = st_model_dialect_of((*provider)->api);
	if (*dialect == NULL) {
		return st_fail_at(diag, ST_ERR_INVALID, "/model",
				  "provider \"%s\" has no models: its \"api\" is \"%s\"",
				  params->provider, st_api_name((*provider)->api));
	}
	if (params->stop != NULL && !(*dialect)->has_stop) {
		return st_fail_at(diag, ST_ERR_INVALID, "/stop",
				  "the API \"%s\" has no stop sequences; leave \"stop\" out",
				  st_api_name((*provider)->api));
	}
	if (params->output_floor < (*dialect)->output_min) {
		return st_fail_at(diag, ST_ERR_INVALID, "/max_output_tokens",
				  "the API \"%s\" takes no output limit below %" PRId64,
				  st_api_name((*provider)->api), (*dialect)->output_min);
	}
	return ST_OK;
}

static int check(const json_t *with, const struct st_config *config, struct st_diag *diag)
{
	struct st_model_params params;
	int rc = st_model_params_read(with, true, &params, diag);
	if (rc != ST_OK || params.model == NULL) {
		return rc;
	}
	const struct st_provider *provider = NULL;
	const struct st_model_dialect *dialect = NULL;
	return find_dialect(&params, config, &provider, &dialect, diag);
}

/* ---- what is held ---- */

static int64_t input_bound(const struct st_model_params *params,
			   const struct st_model_dialect *dialect)
{
	int64_t messages = params->system != NULL ? 1 : 0;
	size_t bytes = params->system != NULL ? strlen(params->system) : 0;
	if (params->prompt != NULL) {
		messages++;
		bytes += strlen(params->prompt);
	}
	for (size_t i = 0; i < json_array_size(params->messages); i++) {
		const json_t *message = json_array_get(params->messages, i);
		messages++;
		bytes += json_string_length(json_object_get(message, "content"));
	}
	return (int64_t)bytes + dialect->overhead_call + messages * dialect->overhead_message;
}

/* Providers call their count an estimate that may be a little off: two in a hundred and 32 more. */
static int64_t with_margin(int64_t counted_input)
{
	return counted_input + (counted_input + 49) / 50 + 32;
}

/* What a call may take and what there is. */
struct fit {
	const struct st_price *price; /* NULL: no cost is held */
	int64_t tokens_left;
	int64_t cost_left;
	int64_t input;
};

static bool fits(const struct fit *fit, int64_t input, int64_t output)
{
	if (fit->tokens_left != ST_UNLIMITED && input + output > fit->tokens_left) {
		return false;
	}
	return fit->price == NULL || fit->cost_left == ST_UNLIMITED ||
	       st_price_worst_case(fit->price, input, output) <= fit->cost_left;
}

/* The largest output from floor to asked that fits; the floor must. Cost grows with output. */
static int64_t largest_that_fits(const struct fit *fit, int64_t floor, int64_t asked)
{
	while (floor < asked) {
		int64_t middle = floor + (asked - floor + 1) / 2;
		if (fits(fit, fit->input, middle)) {
			floor = middle;
		} else {
			asked = middle - 1;
		}
	}
	return floor;
}

static void plan_output(const struct st_model_params *params,
			const struct st_model_dialect *dialect, const struct fit *fit,
			struct st_plan *out)
{
	int64_t output = params->output_max;
	if (!fits(fit, fit->input, output) && fits(fit, fit->input, params->output_floor)) {
		output = largest_that_fits(fit, params->output_floor, output);
		(void)snprintf(out->clamp.what, sizeof out->clamp.what, "max_output_tokens");
		out->clamp.asked = params->output_max;
		out->clamp.given = output;
	} else if (!fits(fit, fit->input, output)) {
		out->exact_count_may_help = out->counted_input < 0 && dialect->count_path != NULL &&
					    fits(fit, 1, params->output_floor);
	}
	out->bound.of[ST_METER_TOOL_STEPS] = 1;
	out->bound.of[ST_METER_TOKENS] = fit->input + output;
	if (fit->price != NULL) {
		out->bound.of[ST_METER_COST_NUSD] =
		    st_price_worst_case(fit->price, fit->input, output);
	}
	(void)snprintf(out->intent, sizeof out->intent,
		       "%s, at most %" PRId64 " tokens in, %" PRId64 " out", params->model,
		       fit->input, output);
}

static int find_price(const struct st_model_params *params, const struct st_config *config,
		      const struct st_room *room, const struct st_price **out, struct st_diag *diag)
{
	*out = st_config_price(config, params->model);
	if (st_price_covers_model(*out)) {
		return ST_OK;
	}
	const char *missing =
	    *out == NULL || (*out)->input < 0 ? "input_usd_per_million" : "output_usd_per_million";
	*out = NULL;
	if (room->left.of[ST_METER_COST_NUSD] == ST_UNLIMITED) {
		return ST_OK;
	}
	return st_fail_at(
	    diag, ST_ERR_UNSUPPORTED, "/model",
	    "\"%s\" has no price, so nothing bounds its cost under a cost budget: set "
	    "\"%s\" of \"%s\" under \"prices\" in the config",
	    params->model, missing, params->model);
}

static int plan(const json_t *with, const struct st_config *config, const struct st_room *room,
		int64_t step_timeout_ms, int64_t counted_input, struct st_plan *out,
		struct st_diag *diag)
{
	struct st_model_params params;
	const struct st_provider *provider = NULL;
	const struct st_model_dialect *dialect = NULL;
	const struct st_price *price = NULL;
	int rc = st_model_params_read(with, false, &params, diag);
	rc = rc != ST_OK ? rc : find_dialect(&params, config, &provider, &dialect, diag);
	rc = rc != ST_OK ? rc : find_price(&params, config, room, &price, diag);
	if (rc != ST_OK) {
		return rc;
	}
	st_kind_plan_begin(&st_kind_model, step_timeout_ms, TIMEOUT_MS, out);
	out->counted_input = counted_input;
	struct fit fit = {price, room->left.of[ST_METER_TOKENS], room->left.of[ST_METER_COST_NUSD],
			  counted_input >= 0 ? with_margin(counted_input)
					     : input_bound(&params, dialect)};
	plan_output(&params, dialect, &fit, out);
	return ST_OK;
}

static const char *provider_name(const json_t *with, char name[ST_NAME_MAX])
{
	struct st_model_params params;
	if (st_model_params_read(with, false, &params, NULL) != ST_OK) {
		return NULL;
	}
	(void)snprintf(name, ST_NAME_MAX, "%s", params.provider);
	return name;
}

/* ---- what is sent ---- */

/* What both requests need: params, who is asked, in which dialect. */
struct asked {
	struct st_model_params params;
	const struct st_provider *provider;
	const struct st_model_dialect *dialect;
};

static int read_asked(const json_t *with, const struct st_config *config, struct asked *out,
		      struct st_diag *diag)
{
	int rc = st_model_params_read(with, false, &out->params, diag);
	return rc != ST_OK
		   ? rc
		   : find_dialect(&out->params, config, &out->provider, &out->dialect, diag);
}

static void begin(const struct asked *asked,
		  void (*path)(const struct st_model_params *params, struct st_buf *url),
		  const struct st_outgoing_limits *limits, const struct st_call_context *context,
		  struct st_http_request *out)
{
	struct st_buf below = {0};
	path(&asked->params, &below);
	st_outgoing_begin_at(out, asked->provider, below.data, limits, context);
	st_buf_fini(&below);
	if (asked->dialect->headers != NULL) {
		asked->dialect->headers(out);
	}
}

static int request(const json_t *with, const struct st_plan *plan,
		   const struct st_call_context *context, struct st_http_request *out,
		   struct st_diag *diag)
{
	struct asked asked;
	int rc = read_asked(with, context->config, &asked, diag);
	if (rc != ST_OK) {
		return rc;
	}
	bool clamped = plan->clamp.what[0] != '\0';
	int64_t output = clamped ? plan->clamp.given : asked.params.output_max;
	/* The plan was made without the values of secrets, which may be longer than their names. */
	if (plan->counted_input < 0 &&
	    input_bound(&asked.params, asked.dialect) + output > plan->bound.of[ST_METER_TOKENS]) {
		return st_fail(diag, ST_ERR_UNSUPPORTED,
			       "a secret makes the prompt longer than what is held for it; pass "
			       "secrets to tools, not to models");
	}
	int64_t bytes_max = ANSWER_BYTES_MIN + output * ANSWER_BYTES_PER_TOKEN;
	struct st_outgoing_limits limits = {
	    .total_ms = plan->timeout_ms,
	    .idle_ms = asked.params.stream ? STREAM_IDLE_MS : plan->timeout_ms,
	    .response_bytes_max =
		(size_t)(bytes_max < ANSWER_BYTES_MAX ? bytes_max : ANSWER_BYTES_MAX)};
	begin(&asked, asked.dialect->path, &limits, context, out);
	st_outgoing_json(out, asked.dialect->body(&asked.params, asked.provider, output));
	return st_outgoing_key(out, asked.provider, asked.dialect->key_header, context, diag);
}

/* ---- the exact count ---- */

static int count_request(const json_t *with, const struct st_call_context *context,
			 struct st_http_request *out, struct st_diag *diag)
{
	struct asked asked;
	int rc = read_asked(with, context->config, &asked, diag);
	if (rc != ST_OK) {
		return rc;
	}
	if (asked.dialect->count_path == NULL) {
		return st_fail_at(diag, ST_ERR_UNSUPPORTED, "/model",
				  "the API \"%s\" cannot count tokens",
				  st_api_name(asked.dialect->api));
	}
	struct st_outgoing_limits limits = {COUNT_TIMEOUT_MS, COUNT_TIMEOUT_MS, COUNT_BYTES_MAX};
	begin(&asked, asked.dialect->count_path, &limits, context, out);
	st_outgoing_json(out, asked.dialect->count_body(&asked.params));
	return st_outgoing_key(out, asked.provider, asked.dialect->key_header, context, diag);
}

static int count_answer(const json_t *with, const struct st_config *config,
			const struct st_http_response *response, int64_t *input_tokens)
{
	struct asked asked;
	json_t *body = NULL;
	if (read_asked(with, config, &asked, NULL) != ST_OK || asked.dialect->count_path == NULL ||
	    response->transport != ST_TRANSPORT_ANSWERED || response->status != 200 ||
	    response->body == NULL ||
	    st_json_parse(response->body, response->body_len, COUNT_BYTES_MAX, &body, NULL) !=
		ST_OK) {
		return ST_ERR_UNAVAILABLE;
	}
	struct st_model_answer answer = {0};
	int64_t counted = st_model_count(&answer, body, asked.dialect->count_field);
	json_decref(body);
	/* No prompt is empty: a zero is not a count. */
	if (counted <= 0) {
		return ST_ERR_UNAVAILABLE;
	}
	*input_tokens = counted;
	return ST_OK;
}

/* ---- the answer ---- */

static void answer(const json_t *with, const struct st_plan *plan, const struct st_config *config,
		   const struct st_http_response *response, struct st_outcome *out)
{
	(void)plan;
	struct asked asked;
	st_reply_begin(out, response);
	if (read_asked(with, config, &asked, NULL) != ST_OK) {
		st_reply_end(out, ST_OUTCOME_UNKNOWN, "config.provider_gone",
			     "the answer cannot be read: its provider left the config");
		return;
	}
	st_model_outcome(&asked.params, asked.dialect, st_config_price(config, asked.params.model),
			 response, out);
}

const struct st_kind st_kind_model = {
    .name = "model.generate",
    .summary = "Asks a language model for one text.",
    .via = ST_VIA_HTTP,
    .meters = ST_METER_BIT(TOKENS) | ST_METER_BIT(TOOL_STEPS) | ST_METER_BIT(COST_NUSD),
    .idempotence = ST_REPEATABLE,
    .in_doubt = "Settled at what was held, because it may have been billed; then tried again.",
    .check = check,
    .plan = plan,
    .provider = provider_name,
    .request = request,
    .count_request = count_request,
    .count_answer = count_answer,
    .answer = answer,
};
