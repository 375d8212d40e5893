/* SPDX-License-Identifier: Apache-2.0 */
/* What does the ledger answer when it is asked for an allowance? */
#ifndef ST_SCHEMAS_VERDICT_H
#define ST_SCHEMAS_VERDICT_H

#include <stdbool.h>

#include "schemas/meter.h"
#include "schemas/time.h"

#define ST_NAME_MAX 65 /* ids of scopes and steps: [A-Za-z0-9._-]{1,64} and NUL */
#define ST_REFUSALS_MAX (ST_SCOPE_COUNT * ST_METER_COUNT)

/* One account that refused. Amounts in the meter's unit. */
struct st_refusal {
	enum st_scope scope;
	enum st_meter meter;
	char scope_id[ST_NAME_MAX];
	int64_t limit;
	int64_t granted;
	int64_t settled;
	int64_t held;
	int64_t asked;
	int64_t remaining; /* limit + granted - settled - held, or 0 */
};

enum st_suggestion {
	ST_SUGGEST_NONE,
	ST_SUGGEST_REQUEST_APPROVAL,
	ST_SUGGEST_WAIT,
	ST_SUGGEST_DOWNGRADE_MODEL,
	ST_SUGGEST_USE_CACHE,
	ST_SUGGEST_FIX_DEFINITION,
};

/* A refusal names every account that refused, narrowest scope first, then in meter order. */
struct st_verdict {
	bool allowed;
	enum st_suggestion suggestion;
	st_time until; /* with ST_SUGGEST_WAIT, else ST_TIME_NONE */
	size_t n_refused;
	struct st_refusal refused[ST_REFUSALS_MAX];
};

const char *st_suggestion_name(enum st_suggestion suggestion);
struct st_buf;
/* Adds the verdict in the shape of the API (see docs/api.md). */
void st_verdict_add_json(struct st_buf *buf, const struct st_verdict *verdict);
/* Reads back which accounts refused, from what st_verdict_add_json or st_tell_verdict wrote and
 * nothing else. 0, or ST_ERR_INVALID and then *verdict is spoiled. */
int st_verdict_parse(const char *json, struct st_verdict *verdict);
/* Copies the refusals that there are; free with st_free. */
struct st_verdict *st_verdict_copy(const struct st_verdict *verdict);

#endif
