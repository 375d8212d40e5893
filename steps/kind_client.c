/* SPDX-License-Identifier: Apache-2.0 */
/* client: work that a client does itself, holding allowance for each call that it makes. */
#include <stdio.h>

#include "steps/kind_rows.h"
#include "steps/param.h"
#include "steps/reply.h"

/* What forgets to say that it is done does not keep a run for ever. */
#define TIMEOUT_MS (INT64_C(24) * 3600 * 1000)

static int read_nothing(const json_t *with, bool open, struct st_diag *diag)
{
	static const char *const fields[] = {NULL};
	struct st_param_reader reader;
	st_param_start(&reader, with, open, fields, diag);
	return reader.code;
}

static int check(const json_t *with, const struct st_config *config, struct st_diag *diag)
{
	(void)config;
	return read_nothing(with, true, diag);
}

static int plan(const json_t *with, const struct st_config *config, const struct st_room *room,
		int64_t step_timeout_ms, int64_t counted_input, struct st_plan *out,
		struct st_diag *diag)
{
	(void)config;
	(void)room;
	(void)counted_input;
	int rc = read_nothing(with, false, diag);
	if (rc == ST_OK) {
		st_kind_plan_begin(&st_kind_client, step_timeout_ms, TIMEOUT_MS, out);
		(void)snprintf(out->intent, sizeof out->intent, "wait for the client");
	}
	return rc;
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

const struct st_kind st_kind_client = {
    .name = "client",
    .summary = "Work that a client does itself; it says when it is done.",
    .via = ST_VIA_CLIENT,
    .side_effects = true,
    .idempotence = ST_UNREPEATABLE,
    .in_doubt = "The step has no call of its own; each call that the client holds for has its end.",
    .check = check,
    .plan = plan,
    .answer = answer,
};
