/* SPDX-License-Identifier: Apache-2.0 */
/* approval: the run halts until a person decides. Takes no allowance. */
#include <stdio.h>

#include "steps/kind_rows.h"
#include "steps/param.h"
#include "steps/reply.h"
#include "steps/text.h"

#define MESSAGE_BYTES_MAX 4096
/* No one is timed out: who waits for a person waits. */
#define TIMEOUT_MS (INT64_C(366) * 24 * 3600 * 1000)

static int read_message(const json_t *with, bool open, const char **out, struct st_diag *diag)
{
	static const char *const fields[] = {"message", NULL};
	struct st_param_reader reader;
	st_param_start(&reader, with, open, fields, diag);
	*out = st_param_text(&reader, "message", true, MESSAGE_BYTES_MAX);
	return reader.code;
}

static int check(const json_t *with, const struct st_config *config, struct st_diag *diag)
{
	(void)config;
	const char *message = NULL;
	return read_message(with, true, &message, diag);
}

static int plan(const json_t *with, const struct st_config *config, const struct st_room *room,
		int64_t step_timeout_ms, int64_t counted_input, struct st_plan *out,
		struct st_diag *diag)
{
	(void)config;
	(void)room;
	(void)counted_input;
	const char *message = NULL;
	int rc = read_message(with, false, &message, diag);
	if (rc != ST_OK) {
		return rc;
	}
	st_kind_plan_begin(&st_kind_approval, step_timeout_ms, TIMEOUT_MS, out);
	(void)snprintf(out->intent, sizeof out->intent, "%s", message);
	st_text_mend(out->intent);
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
	out->output = json_pack("{s:b}", "approved", 1);
}

const struct st_kind st_kind_approval = {
    .name = "approval",
    .summary = "Halts the run until a person approves or denies.",
    .via = ST_VIA_PERSON,
    .idempotence = ST_IDEMPOTENT,
    .in_doubt = "Cannot be in doubt: the decision is stored when it is made.",
    .check = check,
    .plan = plan,
    .answer = answer,
};
