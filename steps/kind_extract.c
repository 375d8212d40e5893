/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web.extract: the text of one page, read by Firecrawl. POST {base}/scrape, base ending in /v2.
 *
 * What is held is pages. A web page is one; a PDF is billed by its pages, as many as it has unless
 * it is told otherwise, so it always is told: "pdf_pages", by default one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "steps/kind_rows.h"
#include "steps/outgoing.h"
#include "steps/param.h"
#include "steps/reply.h"
#include "steps/text.h"
#include "steps/url.h"
#include "steps/web.h"

#define TIMEOUT_MS INT64_C(120000)
#define PROVIDER_TIMEOUT_MS_MIN INT64_C(1000)
#define PROVIDER_TIMEOUT_MS_MAX INT64_C(300000)
#define CHARS_DEFAULT 100000
#define CHARS_MAX 1000000
#define PDF_PAGES_MAX 1000
#define TITLE_CHARS_MAX 1000
#define ANSWER_BYTES_MAX ((size_t)16777216)

struct extract {
	const char *provider;
	const char *url;
	int64_t chars_max;
	int64_t pdf_pages;
};

static int read_extract(const json_t *with, bool open, struct extract *out, struct st_diag *diag)
{
	static const char *const fields[] = {"provider", "url", "max_chars", "pdf_pages", NULL};
	struct st_param_reader reader;
	st_param_start(&reader, with, open, fields, diag);
	out->provider = st_param_text(&reader, "provider", false, ST_NAME_MAX - 1);
	out->provider = out->provider != NULL ? out->provider : "firecrawl";
	out->url = st_param_text(&reader, "url", true, ST_URL_BYTES_MAX);
	out->chars_max = st_param_int(&reader, "max_chars", 1, CHARS_MAX, CHARS_DEFAULT);
	out->pdf_pages = st_param_int(&reader, "pdf_pages", 1, PDF_PAGES_MAX, 1);
	return reader.code != ST_OK || st_param_is_open_text(&reader, out->url)
		   ? reader.code
		   : st_outgoing_url(out->url, "/url", diag);
}

static int check(const json_t *with, const struct st_config *config, struct st_diag *diag)
{
	struct extract extract;
	const struct st_provider *provider = NULL;
	int rc = read_extract(with, true, &extract, diag);
	if (rc != ST_OK || strstr(extract.provider, "${{") != NULL) {
		return rc;
	}
	return st_web_provider(config, extract.provider, ST_API_FIRECRAWL, &provider, diag);
}

static int plan(const json_t *with, const struct st_config *config, const struct st_room *room,
		int64_t step_timeout_ms, int64_t counted_input, struct st_plan *out,
		struct st_diag *diag)
{
	(void)counted_input;
	struct extract extract;
	const struct st_provider *provider = NULL;
	int64_t nusd = -1;
	int rc = read_extract(with, false, &extract, diag);
	rc = rc != ST_OK
		 ? rc
		 : st_web_provider(config, extract.provider, ST_API_FIRECRAWL, &provider, diag);
	if (rc == ST_OK) {
		nusd = st_web_price(config, extract.provider, "extract");
		rc = st_web_price_needed(nusd, room, extract.provider, "extract", diag);
	}
	if (rc != ST_OK) {
		return rc;
	}
	st_kind_plan_begin(&st_kind_extract, step_timeout_ms, TIMEOUT_MS, out);
	out->bound.of[ST_METER_TOOL_STEPS] = 1;
	out->bound.of[ST_METER_EXTRACT_FIRECRAWL] = extract.pdf_pages;
	out->bound.of[ST_METER_COST_NUSD] = st_web_cost(nusd, extract.pdf_pages);
	st_outgoing_intent(out->intent, "read", extract.url);
	return ST_OK;
}

static const char *provider_name(const json_t *with, char name[ST_NAME_MAX])
{
	struct extract extract;
	if (read_extract(with, false, &extract, NULL) != ST_OK) {
		return NULL;
	}
	(void)snprintf(name, ST_NAME_MAX, "%s", extract.provider);
	return name;
}

/* The provider gives up a little before we do, so that its answer still reaches us. */
static int64_t provider_timeout_ms(int64_t timeout_ms)
{
	int64_t ms = timeout_ms - timeout_ms / 10;
	ms = ms < PROVIDER_TIMEOUT_MS_MIN ? PROVIDER_TIMEOUT_MS_MIN : ms;
	return ms < PROVIDER_TIMEOUT_MS_MAX ? ms : PROVIDER_TIMEOUT_MS_MAX;
}

static int request(const json_t *with, const struct st_plan *plan,
		   const struct st_call_context *context, struct st_http_request *out,
		   struct st_diag *diag)
{
	struct extract extract;
	const struct st_provider *provider = NULL;
	int rc = read_extract(with, false, &extract, diag);
	rc = rc != ST_OK ? rc
			 : st_web_provider(context->config, extract.provider, ST_API_FIRECRAWL,
					   &provider, diag);
	if (rc != ST_OK) {
		return rc;
	}
	/* The plain proxy: the better one has been billed at a multiple. */
	json_t *body =
	    json_pack("{s:s, s:[{s:s}], s:b, s:I, s:s, s:[{s:s, s:I}]}", "url", extract.url,
		      "formats", "type", "markdown", "onlyMainContent", 1, "timeout",
		      (json_int_t)provider_timeout_ms(plan->timeout_ms), "proxy", "basic",
		      "parsers", "type", "pdf", "maxPages", (json_int_t)extract.pdf_pages);
	struct st_outgoing_limits limits = {plan->timeout_ms, plan->timeout_ms, ANSWER_BYTES_MAX};
	st_outgoing_begin_at(out, provider, "/scrape", &limits, context);
	st_outgoing_json(out, body);
	return st_outgoing_key(out, provider, "authorization", context, diag);
}

static int64_t positive(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) > 0 ? json_integer_value(value)
								       : -1;
}

/* How many pages were billed; -1 when that cannot be told. */
static int64_t pages_used(const struct extract *extract, const json_t *metadata)
{
	int64_t credits = positive(json_object_get(metadata, "creditsUsed"));
	int64_t pages = positive(json_object_get(metadata, "numPages"));
	if (credits > 0 || extract->pdf_pages == 1) {
		return credits > 0 ? credits : 1;
	}
	return pages < extract->pdf_pages ? pages : extract->pdf_pages;
}

static void settle(const struct extract *extract, const struct st_config *config,
		   const json_t *metadata, struct st_outcome *out)
{
	int64_t pages = pages_used(extract, metadata);
	if (pages < 0) {
		return;
	}
	int64_t nusd = st_web_price(config, extract->provider, "extract");
	out->usage_known = true;
	out->usage.of[ST_METER_TOOL_STEPS] = 1;
	out->usage.of[ST_METER_EXTRACT_FIRECRAWL] = pages;
	out->usage.of[ST_METER_COST_NUSD] = st_web_cost(nusd, pages);
}

static const json_t *first_text(const json_t *value)
{
	return json_is_array(value) ? json_array_get(value, 0) : value;
}

static void keep_page(const struct extract *extract, const json_t *data, struct st_outcome *out)
{
	const json_t *metadata = json_object_get(data, "metadata");
	const json_t *final = json_object_get(metadata, "url");
	bool cut = false;
	json_t *markdown =
	    st_text_json_of(json_object_get(data, "markdown"), (size_t)extract->chars_max, &cut);
	json_t *title =
	    st_text_json_of(first_text(json_object_get(metadata, "title")), TITLE_CHARS_MAX, NULL);
	json_t *url = json_is_string(final) ? st_text_json_of(final, ST_URL_BYTES_MAX, NULL)
					    : json_string(extract->url);
	out->citations = json_array();
	json_array_append_new(out->citations, st_web_citation(url, title));
	out->output = json_pack("{s:o, s:o, s:o, s:b}", "url", url, "title", title, "markdown",
				markdown, "truncated", cut);
	out->state = ST_OUTCOME_SUCCEEDED;
}

static void answer(const json_t *with, const struct st_plan *plan, const struct st_config *config,
		   const struct st_http_response *response, struct st_outcome *out)
{
	(void)plan;
	struct extract extract;
	json_t *body = NULL;
	st_reply_begin(out, response);
	if (read_extract(with, false, &extract, NULL) != ST_OK ||
	    !st_web_body(out, extract.provider, response, &body)) {
		return;
	}
	const json_t *data = json_object_get(body, "data");
	const json_t *metadata = json_object_get(data, "metadata");
	const char *id = json_string_value(json_object_get(metadata, "scrapeId"));
	int64_t status = positive(json_object_get(metadata, "statusCode"));
	if (id != NULL) {
		st_outcome_external_id(out, "firecrawl.scrape", id, NULL);
	}
	char message[300];
	st_reply_message(response, message, sizeof message);
	if (!json_is_true(json_object_get(body, "success")) ||
	    !json_is_string(json_object_get(data, "markdown"))) {
		out->retryable = true;
		st_reply_end(out, ST_OUTCOME_FAILED, "provider.bad_answer",
			     "%s answered without a page%s", extract.provider, message);
	} else if (status >= 400) {
		settle(&extract, config, metadata, out);
		st_reply_end(out, ST_OUTCOME_FAILED, "page.status",
			     "the page itself answered %" PRId64, status);
	} else {
		settle(&extract, config, metadata, out);
		keep_page(&extract, data, out);
	}
	json_decref(body);
}

const struct st_kind st_kind_extract = {
    .name = "web.extract",
    .summary = "Reads one web page or PDF as Markdown.",
    .via = ST_VIA_HTTP,
    .meters = ST_METER_BIT(TOOL_STEPS) | ST_METER_BIT(EXTRACT_FIRECRAWL) | ST_METER_BIT(COST_NUSD),
    .idempotence = ST_REPEATABLE,
    .in_doubt = "Settled as an extract, because it may have been billed; then tried again.",
    .check = check,
    .plan = plan,
    .provider = provider_name,
    .request = request,
    .answer = answer,
};
