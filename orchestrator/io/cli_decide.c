/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that change what a run may do. */
#include <jansson.h>
#include <string.h>

#include "orchestrator/amount.h"
#include "orchestrator/io/backend.h"
#include "orchestrator/io/cli_client.h"

/* What a command adds to its event, once the run is known. */
typedef int (*fill_fn)(const struct st_cli *cli, struct st_backend *backend, struct st_event *event,
		       struct st_diag *diag);

static int act(const struct st_cli *cli, struct st_event *event, bool goes_on, fill_fn fill)
{
	struct st_diag diag = {0};
	struct st_backend *backend = NULL;
	int err = st_backend_open(cli, &backend, &diag);
	if (err == ST_OK) {
		err = st_backend_find(backend, cli->args[0], &event->run, &diag);
	}
	if (err == ST_OK && fill != NULL) {
		err = fill(cli, backend, event, &diag);
	}
	const struct st_act what = {
	    .event = event, .goes_on = goes_on, .wait = st_cli_has(cli, "wait")};
	int code = err == ST_OK ? st_backend_act(backend, &what) : st_cli_fail(cli, &diag);
	st_backend_close(backend);
	return code;
}

static int take_halt(const struct st_cli *cli, struct st_decide *decide, struct st_diag *diag)
{
	const char *halt = st_cli_get(cli, "halt");
	if (halt != NULL && st_id_parse(halt, ST_ID_HALT, &decide->halt) != ST_OK) {
		return st_fail(diag, ST_ERR_INVALID, "%.80s is no halt: it begins with %s", halt,
			       ST_ID_HALT);
	}
	decide->reason = st_cli_get(cli, "reason");
	return ST_OK;
}

/* Grants name meters; which accounts lacked them stands in the halt. */
static int fill_grants(const struct st_cli *cli, struct st_backend *backend, struct st_event *event,
		       struct st_diag *diag)
{
	struct st_buf json = {0};
	const struct st_view view = {.type = ST_VIEW_RUN, .run = event->run};
	int err = take_halt(cli, &event->decide, diag);
	if (err != ST_OK || st_cli_nth(cli, "grant", 0) == NULL) {
		return err;
	}
	err = st_backend_view(backend, &view, &json, diag);
	json_t *run = err == ST_OK ? json_loadb(json.data, json.len, 0, NULL) : NULL;
	for (size_t i = 0; err == ST_OK && st_cli_nth(cli, "grant", i) != NULL; i++) {
		err = st_amount_grant(&event->decide, st_cli_nth(cli, "grant", i),
				      json_object_get(run, "halt"), diag);
	}
	json_decref(run);
	st_buf_fini(&json);
	return err;
}

int st_cli_approve(struct st_cli *cli)
{
	struct st_event event = {.type = ST_EVENT_DECIDE,
				 .decide = {.decision = ST_DECISION_GRANT}};
	return act(cli, &event, true, fill_grants);
}

static int fill_denial(const struct st_cli *cli, struct st_backend *backend, struct st_event *event,
		       struct st_diag *diag)
{
	(void)backend;
	return take_halt(cli, &event->decide, diag);
}

int st_cli_deny(struct st_cli *cli)
{
	struct st_event event = {.type = ST_EVENT_DECIDE, .decide = {.decision = ST_DECISION_DENY}};
	return act(cli, &event, true, fill_denial);
}

static int fill_usage(const struct st_cli *cli, struct st_decide *decide, struct st_diag *diag)
{
	for (size_t i = 0; st_cli_nth(cli, "usage", i) != NULL; i++) {
		enum st_meter meter = ST_METER_COUNT;
		int64_t amount = 0;
		int err = st_amount_parse(st_cli_nth(cli, "usage", i), &meter, &amount, diag);
		if (err != ST_OK) {
			return err;
		}
		decide->usage.of[meter] = amount;
		decide->usage_known = true;
	}
	return ST_OK;
}

static int fill_resolution(const struct st_cli *cli, struct st_backend *backend,
			   struct st_event *event, struct st_diag *diag)
{
	struct st_decide *decide = &event->decide;
	const char *call = st_cli_get(cli, "call");
	const char *as = st_cli_get(cli, "as");
	(void)backend;
	if (call == NULL || st_id_parse(call, ST_ID_CALL, &decide->call) != ST_OK) {
		return st_fail(diag, ST_ERR_INVALID,
			       "which call? give --call c_… (see: stint holds %.48s)",
			       cli->args[0]);
	}
	decide->happened = as != NULL && strcmp(as, "happened") == 0;
	if (!decide->happened && (as == NULL || strcmp(as, "did-not-happen") != 0)) {
		return st_fail(diag, ST_ERR_INVALID, "--as takes happened or did-not-happen");
	}
	decide->external_id = st_cli_get(cli, "external-id");
	int err = fill_usage(cli, decide, diag);
	return err != ST_OK ? err : take_halt(cli, decide, diag);
}

int st_cli_resolve(struct st_cli *cli)
{
	struct st_event event = {.type = ST_EVENT_DECIDE,
				 .decide = {.decision = ST_DECISION_RESOLVE}};
	return act(cli, &event, true, fill_resolution);
}

static int control(const struct st_cli *cli, enum st_event_type type, bool goes_on)
{
	struct st_event event = {.type = type, .control = {.reason = st_cli_get(cli, "reason")}};
	return act(cli, &event, goes_on, NULL);
}

int st_cli_cancel(struct st_cli *cli)
{
	return control(cli, ST_EVENT_CANCEL, false);
}

int st_cli_pause(struct st_cli *cli)
{
	return control(cli, ST_EVENT_PAUSE, false);
}

int st_cli_resume(struct st_cli *cli)
{
	return control(cli, ST_EVENT_RESUME, true);
}
