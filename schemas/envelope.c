/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/envelope.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "schemas/decode.h"
#include "schemas/money.h"

#define JOB_SECONDS_MAX INT64_C(86400)
#define LOG_BYTES_MAX (INT64_C(64) * 1024 * 1024)
#define CONCURRENT_MAX INT64_C(1000)

/* What a field sets. A group is an object of further fields. */
enum sets {
	SETS_METER,	  /* an integer */
	SETS_METER_SPLIT, /* an integer, or {"run": n, "step": n} */
	SETS_MONEY_USD,	  /* a decimal string or whole dollars */
	SETS_JOB_SECONDS,
	SETS_LOG_BYTES,
	SETS_CONCURRENT,
};

struct field {
	const char *group; /* NULL: in the budget itself */
	const char *name;
	enum sets sets;
	enum st_meter meter;
	bool in_step; /* a step's own budget may say it, too */
};

static const struct field fields[] = {
    {NULL, "tokens", SETS_METER_SPLIT, ST_METER_TOKENS, true},
    {NULL, "tool_steps", SETS_METER_SPLIT, ST_METER_TOOL_STEPS, true},
    {"search", "exa", SETS_METER, ST_METER_SEARCH_EXA, true},
    {"extract", "firecrawl", SETS_METER, ST_METER_EXTRACT_FIRECRAWL, true},
    {"sandbox", "jobs", SETS_METER, ST_METER_SANDBOX_JOBS, true},
    {"sandbox", "seconds", SETS_METER, ST_METER_SANDBOX_SECONDS, true},
    {"sandbox", "job_seconds", SETS_JOB_SECONDS, ST_METER_COUNT, false},
    {"sandbox", "log_bytes", SETS_LOG_BYTES, ST_METER_COUNT, false},
    {"sandbox", "concurrent", SETS_CONCURRENT, ST_METER_COUNT, false},
    {NULL, "http_requests", SETS_METER, ST_METER_HTTP_REQUESTS, true},
    {NULL, "infra_ops", SETS_METER, ST_METER_INFRA_OPS, false},
    {NULL, "deploy_attempts", SETS_METER, ST_METER_DEPLOY_ATTEMPTS, false},
    {NULL, "dangerous_ops", SETS_METER, ST_METER_DANGEROUS_OPS, false},
    {NULL, "cost_usd", SETS_MONEY_USD, ST_METER_COST_NUSD, true},
    {NULL, "cost_nusd", SETS_METER, ST_METER_COST_NUSD, true},
    {NULL, "credits", SETS_METER, ST_METER_CREDITS, false},
    {NULL, "wall_seconds", SETS_METER, ST_METER_WALL_SECONDS, false},
};
#define N_FIELDS (sizeof fields / sizeof fields[0])

struct defaults {
	enum st_meter meter;
	int64_t of[ST_RUN_KIND_COUNT];
};

/* What changes or destroys something outside is 0: it has to be granted by name. */
static const struct defaults defaults[] = {
    {ST_METER_TOKENS, {200000, 1000000}},
    {ST_METER_TOOL_STEPS, {50, 200}},
    {ST_METER_SEARCH_EXA, {10, 10}},
    {ST_METER_EXTRACT_FIRECRAWL, {20, 20}},
    {ST_METER_SANDBOX_JOBS, {5, 50}},
    {ST_METER_SANDBOX_SECONDS, {1800, 7200}},
    {ST_METER_HTTP_REQUESTS, {20, 50}},
    {ST_METER_INFRA_OPS, {0, 0}},
    {ST_METER_DEPLOY_ATTEMPTS, {0, 0}},
    {ST_METER_DANGEROUS_OPS, {0, 0}},
    {ST_METER_COST_NUSD, {2 * ST_NUSD_PER_USD, 10 * ST_NUSD_PER_USD}},
    {ST_METER_CREDITS, {100, 500}},
    {ST_METER_WALL_SECONDS, {7200, 14400}},
};
_Static_assert(sizeof defaults / sizeof defaults[0] == ST_METER_COUNT,
	       "every meter has a default: nothing defaults to unlimited");

/* Where the reader stands. */
struct reader {
	struct st_envelope envelope; /* of a step: only run.of is used */
	bool of_step;
	struct st_decode at;
};

const char *st_run_kind_name(enum st_run_kind kind)
{
	static const char *const names[] = {"research", "implementation"};
	assert((size_t)kind < ST_RUN_KIND_COUNT);
	return names[kind];
}

struct st_envelope st_envelope_default(enum st_run_kind kind)
{
	assert((size_t)kind < ST_RUN_KIND_COUNT);
	struct st_envelope envelope = {
	    .job = {.job_seconds = kind == ST_RUN_RESEARCH ? 600 : 900,
		    .log_bytes = INT64_C(1024) * 1024,
		    .concurrent = 2},
	};
	for (size_t i = 0; i < ST_METER_COUNT; i++) {
		envelope.step.of[i] = ST_UNLIMITED;
		envelope.run.of[i] = ST_UNLIMITED;
	}
	for (size_t i = 0; i < ST_METER_COUNT; i++) {
		envelope.run.of[defaults[i].meter] = defaults[i].of[kind];
	}
	return envelope;
}

/* tokens: 5, or tokens: {"run": 5, "step": 1} */
static int read_split(struct reader *reader, const json_t *value, enum st_meter meter)
{
	if (!json_is_object(value)) {
		return st_decode_int(&reader->at, value, 0, INT64_MAX,
				     &reader->envelope.run.of[meter]);
	}
	const char *name = NULL;
	json_t *part = NULL;
	json_object_foreach((json_t *)value, name, part)
	{
		int64_t *to = strcmp(name, "run") == 0	  ? &reader->envelope.run.of[meter]
			      : strcmp(name, "step") == 0 ? &reader->envelope.step.of[meter]
							  : NULL;
		size_t outer = st_decode_enter(&reader->at, name);
		if (to == NULL) {
			return st_fail_at(reader->at.diag, ST_ERR_INVALID, reader->at.pointer,
					  "unknown field \"%.64s\"; expected one of: run, step",
					  name);
		}
		int code = st_decode_int(&reader->at, part, 0, INT64_MAX, to);
		if (code != ST_OK) {
			return code;
		}
		st_decode_leave(&reader->at, outer);
	}
	return ST_OK;
}

static int read_field(struct reader *reader, const struct field *field, const json_t *value)
{
	struct st_envelope *to = &reader->envelope;
	switch (field->sets) {
	case SETS_METER_SPLIT:
		if (!reader->of_step) {
			return read_split(reader, value, field->meter);
		}
		return st_decode_int(&reader->at, value, 0, INT64_MAX, &to->run.of[field->meter]);
	case SETS_METER:
		return st_decode_int(&reader->at, value, 0, INT64_MAX, &to->run.of[field->meter]);
	case SETS_MONEY_USD:
		return st_decode_money(&reader->at, value, &to->run.of[field->meter]);
	case SETS_JOB_SECONDS:
		return st_decode_int(&reader->at, value, 1, JOB_SECONDS_MAX, &to->job.job_seconds);
	case SETS_LOG_BYTES:
		return st_decode_int(&reader->at, value, 0, LOG_BYTES_MAX, &to->job.log_bytes);
	case SETS_CONCURRENT:
		return st_decode_int(&reader->at, value, 1, CONCURRENT_MAX, &to->job.concurrent);
	}
	return ST_ERR_INVALID;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static const struct field *find_field(const char *group, const char *name, bool of_step)
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (same(fields[i].group, group) && strcmp(fields[i].name, name) == 0 &&
		    (fields[i].in_step || !of_step)) {
			return &fields[i];
		}
	}
	return NULL;
}

static bool is_group(const char *name)
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (fields[i].group != NULL && strcmp(fields[i].group, name) == 0) {
			return true;
		}
	}
	return false;
}

/* Reads the members of the budget (group NULL) or of one of its groups, which hold no groups.
 * NOLINTNEXTLINE(misc-no-recursion): one level deep */
static int read_members(struct reader *reader, const char *group, const json_t *object)
{
	if (!json_is_object(object)) {
		return st_decode_mismatch(&reader->at, "an object", object);
	}
	const char *name = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)object, name, value)
	{
		size_t outer = st_decode_enter(&reader->at, name);
		const struct field *field = find_field(group, name, reader->of_step);
		int code = ST_OK;
		if (field != NULL) {
			code = read_field(reader, field, value);
		} else if (group == NULL && is_group(name)) {
			code = read_members(reader, name, value);
		} else {
			code = st_fail_at(reader->at.diag, ST_ERR_INVALID, reader->at.pointer,
					  "\"%.64s\" is no budget field%s; a misspelt limit would "
					  "mean no limit",
					  name, reader->of_step ? " of a step" : "");
		}
		if (code != ST_OK) {
			return code;
		}
		st_decode_leave(&reader->at, outer);
	}
	return ST_OK;
}

static int read_budget(struct reader *reader, const json_t *budget, const char *pointer)
{
	(void)snprintf(reader->at.pointer, sizeof reader->at.pointer, "%s", pointer);
	int code = read_members(reader, NULL, budget);
	if (code != ST_OK) {
		return code;
	}
	if (json_object_get(budget, "cost_usd") != NULL &&
	    json_object_get(budget, "cost_nusd") != NULL) {
		return st_fail_at(reader->at.diag, ST_ERR_INVALID, reader->at.pointer,
				  "cost_usd and cost_nusd say the same; give one of them");
	}
	return ST_OK;
}

int st_envelope_decode(const json_t *budget, const char *pointer, struct st_envelope *envelope,
		       struct st_diag *diag)
{
	assert(pointer != NULL);
	struct reader reader = {.envelope = *envelope, .at = {.diag = diag}};
	int code = read_budget(&reader, budget, pointer);
	if (code == ST_OK) {
		*envelope = reader.envelope;
	}
	return code;
}

int st_step_budget_decode(const json_t *budget, const char *pointer, struct st_amounts *limits,
			  struct st_diag *diag)
{
	assert(pointer != NULL);
	struct reader reader = {
	    .envelope = {.run = *limits}, .of_step = true, .at = {.diag = diag}};
	int code = read_budget(&reader, budget, pointer);
	if (code == ST_OK) {
		*limits = reader.envelope.run;
	}
	return code;
}

static json_t *encode_field(const struct st_envelope *envelope, const struct field *field)
{
	switch (field->sets) {
	case SETS_METER:
		return json_integer(envelope->run.of[field->meter]);
	case SETS_METER_SPLIT: {
		json_t *both = json_pack("{s:I}", "run", envelope->run.of[field->meter]);
		if (envelope->step.of[field->meter] != ST_UNLIMITED) {
			(void)json_object_set_new(both, "step",
						  json_integer(envelope->step.of[field->meter]));
		}
		return both;
	}
	case SETS_JOB_SECONDS:
		return json_integer(envelope->job.job_seconds);
	case SETS_LOG_BYTES:
		return json_integer(envelope->job.log_bytes);
	case SETS_CONCURRENT:
		return json_integer(envelope->job.concurrent);
	case SETS_MONEY_USD:
		break; /* cost_nusd says it */
	}
	return NULL;
}

json_t *st_envelope_encode(const struct st_envelope *envelope)
{
	json_t *budget = json_object();
	for (size_t i = 0; i < N_FIELDS; i++) {
		json_t *value = encode_field(envelope, &fields[i]);
		json_t *group = budget;
		if (value == NULL) {
			continue;
		}
		if (fields[i].group != NULL) {
			group = json_object_get(budget, fields[i].group);
			if (group == NULL) {
				group = json_object();
				(void)json_object_set_new(budget, fields[i].group, group);
			}
		}
		(void)json_object_set_new(group, fields[i].name, value);
	}
	return budget;
}
