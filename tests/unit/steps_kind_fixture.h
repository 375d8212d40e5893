/* SPDX-License-Identifier: Apache-2.0 */
/* What do the tests of kinds stand on? A config, rooms, answers; JSON in single quotes. */
#ifndef ST_TESTS_STEPS_KIND_FIXTURE_H
#define ST_TESTS_STEPS_KIND_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/call.h"
#include "schemas/config.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/kind.h"

#define KEY "c_1-1"

static struct st_provider fixture_providers[] = {
    {"anthropic", ST_API_ANTHROPIC, (char *)"https://api.anthropic.com", NULL, NULL},
    {"openai", ST_API_OPENAI, (char *)"https://api.openai.com/v1", NULL, NULL},
    {"local", ST_API_OPENAI, (char *)"http://127.0.0.1:8080/v1", NULL, NULL},
    {"resp", ST_API_OPENAI_RESPONSES, (char *)"https://api.openai.com/v1", NULL, NULL},
    {"gemini", ST_API_GEMINI, (char *)"https://g.example", NULL, NULL},
    {"exa", ST_API_EXA, (char *)"https://api.exa.ai", NULL, (char *)"tape.json"},
    {"firecrawl", ST_API_FIRECRAWL, (char *)"https://api.firecrawl.dev/v2", NULL, NULL},
};

/* Sorted by name, as the decoder leaves them. 3 and 15 dollars a million tokens. */
static struct st_price fixture_prices[] = {
    {"anthropic/claude", 3000000000, 15000000000, 300000000, 3750000000, -1},
    {"exa", -1, -1, -1, -1, 30000000},
    {"firecrawl/extract", -1, -1, -1, -1, 1000000},
    {"gemini/g", 1000000000, 2000000000, -1, -1, -1},
    {"openai/gpt", 1000000000, 2000000000, 100000000, -1, -1},
    {"openai/half", 1000000000, -1, -1, -1, -1},
    {"resp/gpt", 1000000000, 2000000000, -1, -1, -1},
};

static char *fixture_workdirs[] = {(char *)"/srv/w", (char *)"/a"};

static const struct st_config fixture_config = {
    .workdirs = fixture_workdirs,
    .n_workdirs = sizeof fixture_workdirs / sizeof fixture_workdirs[0],
    .providers = fixture_providers,
    .n_providers = sizeof fixture_providers / sizeof fixture_providers[0],
    .prices = fixture_prices,
    .n_prices = sizeof fixture_prices / sizeof fixture_prices[0],
};

static const struct st_call_context fixture_context = {
    .config = &fixture_config,
    .idempotency_key = KEY,
    .provider_key = "sk-secret",
    .run_id = "r_1",
    .step_id = "write",
};

/* JSON with ' for ". */
static inline json_t *json_of(const char *text)
{
	char *copy = st_strdup(text);
	for (char *p = copy; *p != '\0'; p++) {
		*p = *p == '\'' ? '"' : *p;
	}
	json_error_t error;
	json_t *value = json_loads(copy, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
	if (value == NULL) {
		fail_msg("%s in %s", error.text, copy);
	}
	st_free(copy);
	return value;
}

static inline struct st_room room_without_limits(void)
{
	struct st_room room = {.job = {ST_UNLIMITED, ST_UNLIMITED, ST_UNLIMITED}};
	for (size_t i = 0; i < ST_METER_COUNT; i++) {
		room.left.of[i] = ST_UNLIMITED;
	}
	return room;
}

static inline const struct st_kind *kind_of(const char *name)
{
	const struct st_kind *kind = st_kind_find(name);
	assert_non_null(kind);
	return kind;
}

/* Plans; fails the test when it cannot. */
static inline struct st_plan plan_of(const char *name, const char *with, const struct st_room *room)
{
	struct st_plan plan;
	struct st_diag diag = {0};
	json_t *params = json_of(with);
	if (kind_of(name)->plan(params, &fixture_config, room, 0, -1, &plan, &diag) != ST_OK) {
		fail_msg("%s: %s at %s", with, diag.text, diag.pointer);
	}
	json_decref(params);
	return plan;
}

/* Plans what must be refused; returns the code. */
static inline int refusal_of(const char *name, const char *with, const struct st_room *room,
			     struct st_diag *diag)
{
	struct st_plan plan;
	*diag = (struct st_diag){0};
	json_t *params = json_of(with);
	int rc = kind_of(name)->plan(params, &fixture_config, room, 0, -1, &plan, diag);
	json_decref(params);
	return rc;
}

static inline struct st_http_request request_of(const char *name, const char *with,
						const struct st_plan *plan)
{
	struct st_http_request request;
	struct st_diag diag = {0};
	json_t *params = json_of(with);
	if (kind_of(name)->request(params, plan, &fixture_context, &request, &diag) != ST_OK) {
		fail_msg("%s: %s at %s", with, diag.text, diag.pointer);
	}
	json_decref(params);
	return request;
}

static inline const char *header_of(const struct st_http_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		if (strcmp(request->headers[i].name, name) == 0) {
			return request->headers[i].value;
		}
	}
	return NULL;
}

/* Compares as JSON; both texts in the message. */
static inline void assert_json(const char *text, const char *expected)
{
	json_t *found = json_loads(text, JSON_DECODE_ANY, NULL);
	json_t *wanted = json_of(expected);
	char *a = st_json_canonical(found);
	char *b = st_json_canonical(wanted);
	assert_string_equal(a, b);
	st_free(a);
	st_free(b);
	json_decref(found);
	json_decref(wanted);
}

static inline void assert_json_value(const json_t *value, const char *expected)
{
	char *text = st_json_compact(value);
	assert_json(text, expected);
	st_free(text);
}

/* An answer that arrived whole; `body` has ' for " where quotes is set. */
static inline struct st_http_response response_of(int status, const char *type, const char *body)
{
	struct st_http_response response = {.transport = ST_TRANSPORT_ANSWERED, .status = status};
	response.headers = st_alloc_array(4, sizeof response.headers[0]);
	if (type != NULL) {
		response.headers[0] =
		    (struct st_http_header){st_strdup("Content-Type"), st_strdup(type)};
		response.n_headers = 1;
	}
	if (body != NULL) {
		response.body = st_strdup(body);
		response.body_len = strlen(body);
	}
	return response;
}

static inline void response_header(struct st_http_response *response, const char *name,
				   const char *value)
{
	assert_true(response->n_headers < 4);
	response->headers[response->n_headers++] =
	    (struct st_http_header){st_strdup(name), st_strdup(value)};
}

static inline char *double_quoted(const char *text)
{
	char *copy = st_strdup(text);
	for (char *p = copy; *p != '\0'; p++) {
		*p = *p == '\'' ? '"' : *p;
	}
	return copy;
}

/* What a kind makes of an answer to a call with this plan. */
static inline struct st_outcome outcome_of(const char *name, const char *with,
					   const struct st_http_response *response)
{
	struct st_room room = room_without_limits();
	struct st_plan plan = plan_of(name, with, &room);
	struct st_outcome outcome;
	json_t *params = json_of(with);
	kind_of(name)->answer(params, &plan, &fixture_config, response, &outcome);
	json_decref(params);
	return outcome;
}

#endif
