/* SPDX-License-Identifier: Apache-2.0 */
/* web.search: one query to Exa. POST {base}/search. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "schemas/money.h"
#include "steps/kind_rows.h"
#include "steps/outgoing.h"
#include "steps/param.h"
#include "steps/reply.h"
#include "steps/text.h"
#include "steps/web.h"

#define TIMEOUT_MS INT64_C(60000)
#define QUERY_BYTES_MAX 8192
#define RESULTS_DEFAULT 5
#define RESULTS_MAX 100
#define CHARS_DEFAULT 4000
#define CHARS_MAX 100000
#define TITLE_CHARS_MAX 1000
#define URL_CHARS_MAX 4096
#define ANSWER_BYTES_MAX ((size_t)16777216)
#define DOLLARS_MAX 1000000.0

struct search {
	const char *provider;
	const char *query;
	int64_t results;
	int64_t chars_max; /* of the text of each result; 0: no text is asked for */
};

static int read_search(const json_t *with, bool open, struct search *out, struct st_diag *diag)
{
	static const char *const fields[] = {"provider", "query", "results", "max_chars", NULL};
	struct st_param_reader reader;
	st_param_start(&reader, with, open, fields, diag);
	out->provider = st_param_text(&reader, "provider", false, ST_NAME_MAX - 1);
	out->provider = out->provider != NULL ? out->provider : "exa";
	out->query = st_param_text(&reader, "query", true, QUERY_BYTES_MAX);
	out->results = st_param_int(&reader, "results", 1, RESULTS_MAX, RESULTS_DEFAULT);
	out->chars_max = st_param_int(&reader, "max_chars", 0, CHARS_MAX, CHARS_DEFAULT);
	return reader.code;
}

static int check(const json_t *with, const struct st_config *config, struct st_diag *diag)
{
	struct search search;
	const struct st_provider *provider = NULL;
	int rc = read_search(with, true, &search, diag);
	if (rc != ST_OK || strstr(search.provider, "${{") != NULL) {
		return rc;
	}
	return st_web_provider(config, search.provider, ST_API_EXA, &provider, diag);
}

static int plan(const json_t *with, const struct st_config *config, const struct st_room *room,
		int64_t step_timeout_ms, int64_t counted_input, struct st_plan *out,
		struct st_diag *diag)
{
	(void)counted_input;
	struct search search;
	const struct st_provider *provider = NULL;
	int64_t nusd = -1;
	int rc = read_search(with, false, &search, diag);
	rc = rc != ST_OK ? rc
			 : st_web_provider(config, search.provider, ST_API_EXA, &provider, diag);
	if (rc == ST_OK) {
		nusd = st_web_price(config, search.provider, "search");
		rc = st_web_price_needed(nusd, room, search.provider, "search", diag);
	}
	if (rc != ST_OK) {
		return rc;
	}
	st_kind_plan_begin(&st_kind_search, step_timeout_ms, TIMEOUT_MS, out);
	out->bound.of[ST_METER_TOOL_STEPS] = 1;
	out->bound.of[ST_METER_SEARCH_EXA] = 1;
	out->bound.of[ST_METER_COST_NUSD] = st_web_cost(nusd, 1);
	(void)snprintf(out->intent, sizeof out->intent, "%s, %" PRId64 " results: %s",
		       search.provider, search.results, search.query);
	st_text_mend(out->intent);
	return ST_OK;
}

static const char *provider_name(const json_t *with, char name[ST_NAME_MAX])
{
	struct search search;
	if (read_search(with, false, &search, NULL) != ST_OK) {
		return NULL;
	}
	(void)snprintf(name, ST_NAME_MAX, "%s", search.provider);
	return name;
}

static size_t answer_bytes_max(const struct search *search)
{
	size_t per_result = (size_t)search->chars_max * 4 + 16384;
	size_t all = (size_t)search->results * per_result + 65536;
	return all < ANSWER_BYTES_MAX ? all : ANSWER_BYTES_MAX;
}

static int request(const json_t *with, const struct st_plan *plan,
		   const struct st_call_context *context, struct st_http_request *out,
		   struct st_diag *diag)
{
	struct search search;
	const struct st_provider *provider = NULL;
	int rc = read_search(with, false, &search, diag);
	rc = rc != ST_OK
		 ? rc
		 : st_web_provider(context->config, search.provider, ST_API_EXA, &provider, diag);
	if (rc != ST_OK) {
		return rc;
	}
	json_t *body = json_pack("{s:s, s:I}", "query", search.query, "numResults",
				 (json_int_t)search.results);
	if (search.chars_max > 0) {
		json_object_set_new(
		    body, "contents",
		    json_pack("{s:{s:I}}", "text", "maxCharacters", (json_int_t)search.chars_max));
	}
	struct st_outgoing_limits limits = {plan->timeout_ms, plan->timeout_ms,
					    answer_bytes_max(&search)};
	st_outgoing_begin_at(out, provider, "/search", &limits, context);
	st_outgoing_json(out, body);
	return st_outgoing_key(out, provider, "x-api-key", context, diag);
}

/*
 * What the provider says that the call cost, in nano-USD rounded up; -1 when it does not say, or
 * not sensibly. The amount is a decimal on the wire, but a JSON number reaches us as a double: so
 * it is printed with twelve decimals, where 0.005 is 0.005 again and the noise of the double (below
 * 10^-15 of the amount) is gone, and the rest is done on the digits.
 */
static int64_t cost_told(const json_t *body)
{
	const json_t *total = json_object_get(json_object_get(body, "costDollars"), "total");
	double dollars = json_number_value(total);
	if (!json_is_number(total) || !(dollars >= 0.0) || !(dollars <= DOLLARS_MAX)) {
		return -1;
	}
	char text[40];
	int len = snprintf(text, sizeof text, "%.12f", dollars);
	if (len < 14 || (size_t)len >= sizeof text) {
		return -1;
	}
	char *last_three = text + len - 3;
	int64_t more = strcmp(last_three, "000") != 0 ? 1 : 0;
	*last_three = '\0';
	int64_t nusd = 0;
	return st_money_parse(text, &nusd) == ST_OK ? nusd + more : -1;
}

static bool is_web_url(const json_t *url)
{
	const char *text = json_string_value(url);
	return text != NULL &&
	       (strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0);
}

static void add_result(const struct search *search, const json_t *found, json_t *results,
		       struct st_outcome *out)
{
	if (!is_web_url(json_object_get(found, "url"))) {
		return;
	}
	const json_t *published = json_object_get(found, "publishedDate");
	json_t *url = st_text_json_of(json_object_get(found, "url"), URL_CHARS_MAX, NULL);
	json_t *title = st_text_json_of(json_object_get(found, "title"), TITLE_CHARS_MAX, NULL);
	json_t *text =
	    st_text_json_of(json_object_get(found, "text"), (size_t)search->chars_max, NULL);
	json_array_append_new(out->citations, st_web_citation(url, title));
	json_array_append_new(results, json_pack("{s:o, s:o, s:o, s:o}", "url", url, "title", title,
						 "text", text, "published",
						 json_is_string(published)
						     ? st_text_json_of(published, 64, NULL)
						     : json_null()));
}

static void answer(const json_t *with, const struct st_plan *plan, const struct st_config *config,
		   const struct st_http_response *response, struct st_outcome *out)
{
	struct search search;
	json_t *body = NULL;
	st_reply_begin(out, response);
	if (read_search(with, false, &search, NULL) != ST_OK ||
	    !st_web_body(out, search.provider, response, &body)) {
		return;
	}
	const json_t *found = json_object_get(body, "results");
	const char *id = json_string_value(json_object_get(body, "requestId"));
	if (id != NULL) {
		st_outcome_external_id(out, "exa.request", id, NULL);
	}
	if (!json_is_array(found)) {
		char message[300];
		st_reply_message(response, message, sizeof message);
		st_reply_end(out, ST_OUTCOME_FAILED, "provider.bad_answer",
			     "%s answered without results%s", search.provider, message);
		json_decref(body);
		return;
	}
	int64_t price = st_web_price(config, search.provider, "search");
	int64_t told = cost_told(body);
	json_t *results = json_array();
	out->citations = json_array();
	for (size_t i = 0; i < json_array_size(found) && i < (size_t)search.results; i++) {
		add_result(&search, json_array_get(found, i), results, out);
	}
	out->output = json_pack("{s:o}", "results", results);
	out->state = ST_OUTCOME_SUCCEEDED;
	out->usage_known = true;
	out->usage = plan->bound;
	out->usage.of[ST_METER_COST_NUSD] = price >= 0 && told >= 0 ? told : st_web_cost(price, 1);
	json_decref(body);
}

const struct st_kind st_kind_search = {
    .name = "web.search",
    .summary = "Searches the web; gives back URLs, titles and texts.",
    .via = ST_VIA_HTTP,
    .meters = ST_METER_BIT(TOOL_STEPS) | ST_METER_BIT(SEARCH_EXA) | ST_METER_BIT(COST_NUSD),
    .idempotence = ST_REPEATABLE,
    .in_doubt = "Settled as a search, because it may have been billed; then tried again.",
    .check = check,
    .plan = plan,
    .provider = provider_name,
    .request = request,
    .answer = answer,
};
