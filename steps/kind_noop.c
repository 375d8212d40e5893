/* SPDX-License-Identifier: Apache-2.0 */
/* noop: takes a tool step and gives back what it was given; for trying out graphs and budgets. */
#include "steps/kind_rows.h"
#include "steps/param.h"
#include "steps/reply.h"

static int read_fail(const json_t *with, bool open, bool *fail, struct st_diag *diag)
{
	static const char *const fields[] = {"fail", "output", NULL};
	struct st_param_reader reader;
	st_param_start(&reader, with, open, fields, diag);
	*fail = st_param_bool(&reader, "fail", false);
	return reader.code;
}

static int check(const json_t *with, const struct st_config *config, struct st_diag *diag)
{
	(void)config;
	bool fail = false;
	return read_fail(with, true, &fail, diag);
}

static int plan(const json_t *with, const struct st_config *config, const struct st_room *room,
		int64_t step_timeout_ms, int64_t counted_input, struct st_plan *out,
		struct st_diag *diag)
{
	(void)config;
	(void)room;
	(void)counted_input;
	bool fail = false;
	int rc = read_fail(with, false, &fail, diag);
	if (rc != ST_OK) {
		return rc;
	}
	st_kind_plan_begin(&st_kind_noop, step_timeout_ms, 1000, out);
	out->bound.of[ST_METER_TOOL_STEPS] = 1;
	(void)snprintf(out->intent, sizeof out->intent, "%s", fail ? "fail" : "nothing");
	return ST_OK;
}

static void answer(const json_t *with, const struct st_plan *plan, const struct st_config *config,
		   const struct st_http_response *response, struct st_outcome *out)
{
	(void)config;
	bool fail = false;
	st_reply_begin(out, response);
	out->usage_known = true;
	out->usage = plan->bound;
	if (read_fail(with, false, &fail, NULL) != ST_OK || fail) {
		out->retryable = true;
		st_reply_end(out, ST_OUTCOME_FAILED, "noop.failed", "failed, as it was told to");
		return;
	}
	out->state = ST_OUTCOME_SUCCEEDED;
	out->output = json_deep_copy(json_object_get(with, "output"));
}

const struct st_kind st_kind_noop = {
    .name = "noop",
    .summary = "Does nothing and gives back \"output\"; fails when told to.",
    .via = ST_VIA_NOTHING,
    .meters = ST_METER_BIT(TOOL_STEPS),
    .idempotence = ST_IDEMPOTENT,
    .in_doubt = "Cannot be in doubt: nothing is sent.",
    .check = check,
    .plan = plan,
    .answer = answer,
};
