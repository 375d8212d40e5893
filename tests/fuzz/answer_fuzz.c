/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What do providers' answers come to? The first byte picks the call, the second how the answer
 * came, the rest is its body. Whatever it is: an outcome within bounds, and no use below zero.
 */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "schemas/config.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "schemas/schemas.h"
#include "steps/kind.h"
#include "steps/reply.h"

static const char config_text[] =
    "{\"providers\":{\"a\":{\"api\":\"anthropic\"},\"o\":{\"api\":\"openai\"},"
    "\"r\":{\"api\":\"openai-responses\"},\"g\":{\"api\":\"gemini\"},\"exa\":{\"api\":\"exa\"},"
    "\"firecrawl\":{\"api\":\"firecrawl\"}},\"prices\":{"
    "\"a/m\":{\"input_usd_per_million\":\"3\",\"output_usd_per_million\":\"15\"},"
    "\"exa\":{\"request_usd\":\"0.005\"},\"firecrawl\":{\"request_usd\":\"0.001\"}}}";

static const struct {
	const char *kind;
	const char *with;
} calls[] = {
    {"model.generate", "{\"model\":\"a/m\",\"prompt\":\"p\"}"},
    {"model.generate", "{\"model\":\"o/m\",\"prompt\":\"p\"}"},
    {"model.generate", "{\"model\":\"r/m\",\"prompt\":\"p\"}"},
    {"model.generate", "{\"model\":\"g/m\",\"prompt\":\"p\"}"},
    {"web.search", "{\"query\":\"q\"}"},
    {"web.extract", "{\"url\":\"https://example.org/\"}"},
    {"web.extract", "{\"url\":\"https://example.org/\",\"pdf_pages\":5}"},
    {"http.request", "{\"url\":\"https://example.org/\"}"},
};
#define N_CALLS (sizeof calls / sizeof calls[0])

static const int statuses[] = {200, 200, 200, 200, 204, 301, 400, 401, 404, 429, 500, 529, 599, 0};
static const char *const types[] = {"application/json", "text/event-stream", "text/plain", NULL};

static const struct st_config *config_of(void)
{
	static struct st_config *config;
	if (config == NULL) {
		struct st_schemas *schemas = st_schemas_new();
		json_t *doc = json_loads(config_text, 0, NULL);
		assert(st_config_decode(schemas, doc, &config, NULL) == ST_OK);
		json_decref(doc);
		st_schemas_free(schemas);
	}
	return config;
}

static void check(const struct st_outcome *out)
{
	assert((out->state == ST_OUTCOME_SUCCEEDED) == (out->error_code[0] == '\0'));
	assert(out->state != ST_OUTCOME_SUCCEEDED || out->output != NULL);
	assert(out->retry_after_ms >= -1 && out->retry_after_ms <= ST_RETRY_AFTER_MS_MAX);
	assert(out->n_external_ids <= ST_EXTERNAL_IDS_MAX);
	for (int m = 0; m < ST_METER_COUNT && out->usage_known; m++) {
		assert(out->usage.of[m] >= 0);
	}
	for (size_t i = 0; i < out->n_external_ids; i++) {
		assert(strlen(out->external_ids[i].id) <= 4096);
	}
	if (out->output != NULL) {
		char *text = st_json_compact(out->output);
		json_t *back = NULL;
		assert(st_json_parse(text, strlen(text), SIZE_MAX, &back, NULL) == ST_OK);
		json_decref(back);
		st_free(text);
	}
}

static void answer(size_t which, struct st_http_response *response)
{
	const struct st_kind *kind = st_kind_find(calls[which].kind);
	const struct st_room room = {.left = {{0}}};
	struct st_room wide = room;
	struct st_plan plan = {0};
	struct st_outcome out;
	struct st_diag diag = {0};
	json_t *with = json_loads(calls[which].with, 0, NULL);
	for (int m = 0; m < ST_METER_COUNT; m++) {
		wide.left.of[m] = m == ST_METER_COST_NUSD ? ST_UNLIMITED : 1000000;
	}
	assert(kind->plan(with, config_of(), &wide, 0, -1, &plan, &diag) == ST_OK);
	kind->answer(with, &plan, config_of(), response, &out);
	check(&out);
	if (kind->count_answer != NULL) {
		int64_t tokens = 0;
		(void)kind->count_answer(with, config_of(), response, &tokens);
		assert(tokens >= 0);
	}
	st_outcome_fini(&out);
	json_decref(with);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2) {
		return 0;
	}
	struct st_http_header headers[2] = {{(char *)"content-type", NULL},
					    {(char *)"retry-after", NULL}};
	const char *type = types[data[1] % 4];
	headers[0].value = (char *)(type != NULL ? type : "x");
	char *text = st_strndup((const char *)data + 2, size - 2);
	headers[1].value = text;
	struct st_http_response response = {
	    .transport = (data[1] & 0x80) != 0 ? (enum st_transport)(data[1] >> 4 & 7) % 6
					       : ST_TRANSPORT_ANSWERED,
	    .status = statuses[(data[1] >> 2) % (sizeof statuses / sizeof statuses[0])],
	    .headers = headers,
	    .n_headers = 2,
	    .body = text,
	    .body_len = size - 2,
	};
	answer(data[0] % N_CALLS, &response);
	st_free(text);
	return 0;
}
