/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that only look: each asks the back end for JSON and prints it, or what it says. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/io/backend.h"
#include "orchestrator/io/cli_client.h"
#include "orchestrator/io/progress.h"
#include "orchestrator/io/term.h"
#include "orchestrator/report.h"

typedef void (*report_fn)(const json_t *doc, struct st_look look, struct st_buf *out);

static int print(const struct st_cli *cli, struct st_buf *json, report_fn report)
{
	struct st_buf text = {0};
	if (cli->json) {
		st_buf_add_char(json, '\n');
		return st_term_print(json);
	}
	json_t *doc = json_loadb(json->data != NULL ? json->data : "", json->len, 0, NULL);
	report(doc, st_term_look(), &text);
	json_decref(doc);
	int code = st_term_print(&text);
	st_buf_fini(&text);
	return code;
}

/* `of` is the run that is meant ("" or NULL: all). */
static int look_at(const struct st_cli *cli, struct st_view *view, const char *of, report_fn report)
{
	struct st_diag diag = {0};
	struct st_buf json = {0};
	struct st_backend *backend = NULL;
	int err = st_backend_open(cli, &backend, &diag);
	if (err == ST_OK && of != NULL) {
		err = st_backend_find(backend, of, &view->run, &diag);
	}
	view->tenant = st_cli_get(cli, "tenant");
	if (err == ST_OK) {
		err = st_backend_view(backend, view, &json, &diag);
	}
	int code = err == ST_OK ? print(cli, &json, report) : st_cli_fail(cli, &diag);
	st_buf_fini(&json);
	st_backend_close(backend);
	return code;
}

static const char *argument(const struct st_cli *cli, int n)
{
	return n < cli->n_args ? cli->args[n] : NULL;
}

int st_cli_list(struct st_cli *cli)
{
	const char *limit = st_cli_get(cli, "limit");
	char *end = NULL;
	long n = limit != NULL ? strtol(limit, &end, 10) : 0;
	if (limit != NULL && (*end != '\0' || n < 1 || n > ST_READ_PAGE_MAX)) {
		return st_cli_usage(cli, "--limit takes a number from 1 to %d", ST_READ_PAGE_MAX);
	}
	struct st_view view = {
	    .type = ST_VIEW_LIST,
	    .state = st_cli_get(cli, "state"),
	    .workflow = st_cli_get(cli, "workflow"),
	    .cursor = st_cli_get(cli, "cursor"),
	    .limit = (int)n,
	};
	return look_at(cli, &view, NULL, st_report_runs);
}

int st_cli_show(struct st_cli *cli)
{
	struct st_view view = {.type = ST_VIEW_RUN};
	return look_at(cli, &view, cli->args[0], st_report_run);
}

int st_cli_holds(struct st_cli *cli)
{
	struct st_view view = {.type = ST_VIEW_HOLDS};
	return look_at(cli, &view, argument(cli, 0), st_report_holds);
}

int st_cli_approvals(struct st_cli *cli)
{
	struct st_view view = {.type = ST_VIEW_APPROVALS};
	return look_at(cli, &view, NULL, st_report_approvals);
}

int st_cli_usage_of(struct st_cli *cli)
{
	struct st_view view = {
	    .type = ST_VIEW_USAGE,
	    .by = st_cli_get(cli, "by"),
	    .from = st_cli_get(cli, "from"),
	    .to = st_cli_get(cli, "to"),
	};
	return look_at(cli, &view, argument(cli, 0), st_report_usage);
}

int st_cli_token_list(struct st_cli *cli)
{
	struct st_view view = {.type = ST_VIEW_TOKENS};
	return look_at(cli, &view, NULL, st_report_tokens);
}

int st_cli_transcript(struct st_cli *cli)
{
	struct st_view view = {.type = ST_VIEW_CALLS};
	if (cli->n_args < 2) {
		return look_at(cli, &view, cli->args[0], st_report_calls);
	}
	view.type = ST_VIEW_TRANSCRIPTS;
	if (st_id_parse(cli->args[1], ST_ID_CALL, &view.call) != ST_OK) {
		return st_cli_usage(cli, "%.80s is no call: stint transcript %.48s lists them",
				    cli->args[1], cli->args[0]);
	}
	return look_at(cli, &view, cli->args[0], st_report_transcripts);
}

int st_cli_artifacts(struct st_cli *cli)
{
	struct st_view view = {.type = ST_VIEW_ARTIFACTS};
	if (cli->n_args > 1) {
		return st_cli_artifact_get(cli);
	}
	if (st_cli_has(cli, "output") || st_cli_has(cli, "call")) {
		return st_cli_usage(cli, "--output and --call go with the PATH of one file");
	}
	return look_at(cli, &view, cli->args[0], st_report_artifacts);
}

/* Timelines and exports, which are shown as they come */

struct telling {
	const struct st_cli *cli;
	bool array; /* JSON of a timeline that is not followed is one array */
	bool begun;
	bool follows;
};

static bool tell_event(void *arg, const struct st_event_view *event)
{
	struct telling *telling = arg;
	if (telling->array) {
		(void)printf("%s%s", telling->begun ? "," : "[", event->json);
	} else {
		st_progress_print(event, telling->cli->json);
	}
	telling->begun = true;
	int state = st_progress_state(event->type);
	bool over = state >= 0 && st_machine_final(&st_run_machine, state);
	return ferror(stdout) != 0 || (telling->follows && over);
}

int st_cli_timeline(struct st_cli *cli)
{
	struct st_diag diag = {0};
	struct st_backend *backend = NULL;
	struct telling telling = {.cli = cli, .follows = st_cli_has(cli, "follow")};
	struct st_follow follow = {.see = tell_event, .arg = &telling};
	telling.array = cli->json && !telling.follows;
	int err = st_backend_open(cli, &backend, &diag);
	if (err == ST_OK) {
		err = st_backend_find(backend, cli->args[0], &follow.run, &diag);
	}
	if (err == ST_OK) {
		err = telling.follows ? st_backend_follow(backend, &follow, &diag)
				      : st_backend_timeline(backend, &follow, &diag);
	}
	if (err == ST_OK && telling.array) {
		(void)printf("%s]\n", telling.begun ? "" : "[");
	}
	st_backend_close(backend);
	return err == ST_OK ? ST_EXIT_DONE : st_cli_fail(cli, &diag);
}

static int print_line(void *arg, const char *json, size_t len)
{
	(void)arg;
	return fwrite(json, 1, len, stdout) == len && putchar('\n') != EOF ? 0 : ST_ERR_IO;
}

int st_cli_export(struct st_cli *cli)
{
	struct st_diag diag = {0};
	struct st_backend *backend = NULL;
	struct st_id run = {{0}};
	const struct st_read_sink sink = {.line = print_line};
	int err = st_backend_open(cli, &backend, &diag);
	if (err == ST_OK && cli->n_args > 0) {
		err = st_backend_find(backend, cli->args[0], &run, &diag);
	}
	if (err == ST_OK) {
		err = st_backend_export(backend, run, &sink, &diag);
	}
	st_backend_close(backend);
	if (err != ST_OK && diag.code == ST_OK) {
		(void)st_fail(&diag, (enum st_err)err, "the export cannot be written");
	}
	return err == ST_OK ? ST_EXIT_DONE : st_cli_fail(cli, &diag);
}
