/* SPDX-License-Identifier: Apache-2.0 */
/* sleep: waits for a while, or until a moment. Takes no allowance. */
#include <inttypes.h>
#include <stdio.h>

#include "steps/kind_rows.h"
#include "steps/param.h"
#include "steps/reply.h"

#define SECONDS_MAX (INT64_C(366) * 24 * 3600)

struct wait {
	int64_t seconds; /* -1: not given */
	st_time until;	 /* ST_TIME_NONE: not given */
};

static int read_wait(const json_t *with, bool open, struct wait *out, struct st_diag *diag)
{
	static const char *const fields[] = {"seconds", "until", NULL};
	struct st_param_reader reader;
	st_param_start(&reader, with, open, fields, diag);
	out->until = ST_TIME_NONE;
	out->seconds = st_param_int(&reader, "seconds", 0, SECONDS_MAX, -1);
	const char *until = st_param_text(&reader, "until", false, 64);
	bool has_seconds = json_object_get(with, "seconds") != NULL;
	if (reader.code == ST_OK && has_seconds == (until != NULL)) {
		return st_param_fail(&reader, "/seconds", "give either \"seconds\" or \"until\"");
	}
	if (until != NULL && !st_param_is_open_text(&reader, until) &&
	    st_time_parse(until, &out->until) != ST_OK) {
		return st_param_fail(&reader, "/until",
				     "\"until\" must be a time such as 2026-11-22T14:00:00Z");
	}
	return reader.code;
}

static int check(const json_t *with, const struct st_config *config, struct st_diag *diag)
{
	(void)config;
	struct wait wait;
	return read_wait(with, true, &wait, diag);
}

static int plan(const json_t *with, const struct st_config *config, const struct st_room *room,
		int64_t step_timeout_ms, int64_t counted_input, struct st_plan *out,
		struct st_diag *diag)
{
	(void)config;
	(void)room;
	(void)counted_input;
	struct wait wait;
	int rc = read_wait(with, false, &wait, diag);
	if (rc != ST_OK) {
		return rc;
	}
	st_kind_plan_begin(&st_kind_sleep, step_timeout_ms, SECONDS_MAX * 1000, out);
	out->wait_until = wait.until;
	if (wait.until == ST_TIME_NONE) {
		out->wait_ms = wait.seconds * 1000;
		(void)snprintf(out->intent, sizeof out->intent, "sleep %" PRId64 " s",
			       wait.seconds);
	} else {
		char text[ST_TIME_TEXT_MAX];
		(void)snprintf(out->intent, sizeof out->intent, "sleep until %s",
			       st_time_format(wait.until, text));
	}
	return ST_OK;
}

static void answer(const json_t *with, const struct st_plan *plan, const struct st_config *config,
		   const struct st_http_response *response, struct st_outcome *out)
{
	(void)with;
	(void)plan;
	(void)config;
	st_reply_begin(out, response);
	out->state = ST_OUTCOME_SUCCEEDED;
	out->usage_known = true;
}

const struct st_kind st_kind_sleep = {
    .name = "sleep",
    .summary = "Waits for some seconds, or until a time.",
    .via = ST_VIA_TIMER,
    .idempotence = ST_IDEMPOTENT,
    .in_doubt = "Cannot be in doubt: after a restart it waits on.",
    .check = check,
    .plan = plan,
    .answer = answer,
};
