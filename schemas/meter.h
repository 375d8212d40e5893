/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted, and whose allowance is it? */
#ifndef ST_SCHEMAS_METER_H
#define ST_SCHEMAS_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(NAME, "name as in JSON, CLI and SQL", "unit shown to people") */
#define ST_METER_X(X)                                                                              \
	X(TOKENS, "tokens", "tokens")                                                              \
	X(TOOL_STEPS, "tool_steps", "calls")                                                       \
	X(SEARCH_EXA, "search.exa", "searches")                                                    \
	X(EXTRACT_FIRECRAWL, "extract.firecrawl", "pages")                                         \
	X(SANDBOX_JOBS, "sandbox.jobs", "jobs")                                                    \
	X(SANDBOX_SECONDS, "sandbox.seconds", "seconds")                                           \
	X(HTTP_REQUESTS, "http.requests", "requests")                                              \
	X(INFRA_OPS, "infra.ops", "operations")                                                    \
	X(DEPLOY_ATTEMPTS, "deploy.attempts", "attempts")                                          \
	X(DANGEROUS_OPS, "dangerous.ops", "operations")                                            \
	X(COST_NUSD, "cost_nusd", "nano-USD")                                                      \
	X(CREDITS, "credits", "credits")                                                           \
	X(WALL_SECONDS, "wall_seconds", "seconds")

enum st_meter {
#define X(name, text, unit) ST_METER_##name,
	ST_METER_X(X)
#undef X
	    ST_METER_COUNT
};

/* From the narrowest to the widest. X(NAME, "name") */
#define ST_SCOPE_X(X)                                                                              \
	X(STEP, "step")                                                                            \
	X(RUN, "run")                                                                              \
	X(WORKFLOW, "workflow")                                                                    \
	X(AGENT, "agent")                                                                          \
	X(USER, "user")                                                                            \
	X(PROJECT, "project")                                                                      \
	X(TENANT, "tenant")                                                                        \
	X(PLATFORM, "platform")

enum st_scope {
#define X(name, text) ST_SCOPE_##name,
	ST_SCOPE_X(X)
#undef X
	    ST_SCOPE_COUNT
};

/* No limit on this account. Every other limit is >= 0. */
#define ST_UNLIMITED INT64_C(-1)

const char *st_meter_name(enum st_meter meter);
const char *st_meter_unit(enum st_meter meter);
bool st_meter_parse(const char *name, enum st_meter *out);
const char *st_scope_name(enum st_scope scope);
bool st_scope_parse(const char *name, enum st_scope *out);

/*
 * More than this no single call uses (of cost_nusd: 10,000 dollars), so whoever says so is not
 * believed: a provider's answer must not fill up the accounts that all runs share, which have no
 * limit but an end.
 */
#define ST_USED_MAX INT64_C(10000000000000)

/* One amount per meter, each >= 0. */
struct st_amounts {
	int64_t of[ST_METER_COUNT];
};

bool st_amounts_are_zero(const struct st_amounts *amounts);
/* The sum, saturating at INT64_MAX: a sum that does not fit is refused by every limit. */
int64_t st_add_saturating(int64_t a, int64_t b);

struct st_buf;
/* Adds {"tokens":5,...} with the non-zero amounts in meter order. */
void st_amounts_add_json(struct st_buf *buf, const struct st_amounts *amounts);
/* Reads what st_amounts_add_json wrote (a flat object of known meters, integers >= 0).
 * 0, or ST_ERR_INVALID. */
int st_amounts_parse(const char *json, struct st_amounts *out);

#endif
