/* SPDX-License-Identifier: Apache-2.0 */
/* stint call, stint step: for programs that make their calls themselves. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/amount.h"
#include "orchestrator/io/backend.h"
#include "orchestrator/io/cli_client.h"
#include "orchestrator/io/client.h"
#include "orchestrator/io/term.h"
#include "orchestrator/shown.h"
#include "schemas/json.h"
#include "schemas/mem.h"

/* What one command asks the server for. */
struct asking {
	struct st_cli *cli;
	struct st_backend *backend;
	json_t *body;
	struct st_buf path;
	struct st_diag diag;
};

static int need_server(struct asking *asking)
{
	int err = st_backend_open(asking->cli, &asking->backend, &asking->diag);
	if (err == ST_OK && !st_backend_is_server(asking->backend)) {
		err =
		    st_fail(&asking->diag, ST_ERR_INVALID,
			    "this takes a server that keeps the time: start stint serve, and give "
			    "--url or STINT_URL");
	}
	return err;
}

/* The repeated option METER=N as {meter: n}. */
static int add_amounts(struct asking *asking, const char *option, const char *member)
{
	json_t *amounts = json_object();
	(void)json_object_set_new(asking->body, member, amounts);
	for (size_t i = 0; st_cli_nth(asking->cli, option, i) != NULL; i++) {
		enum st_meter meter = ST_METER_COUNT;
		int64_t amount = 0;
		int err = st_amount_parse(st_cli_nth(asking->cli, option, i), &meter, &amount,
					  &asking->diag);
		if (err != ST_OK) {
			return err;
		}
		(void)json_object_set_new(amounts, st_meter_name(meter), json_integer(amount));
	}
	return ST_OK;
}

static void add_text(struct asking *asking, const char *option, const char *member)
{
	const char *text = st_cli_get(asking->cli, option);
	if (text != NULL) {
		(void)json_object_set_new(asking->body, member, json_string(text));
	}
}

static int add_ttl(struct asking *asking)
{
	const char *text = st_cli_get(asking->cli, "ttl");
	char *end = NULL;
	long long seconds = text != NULL ? strtoll(text, &end, 10) : 0;
	if (text == NULL) {
		return ST_OK;
	}
	if (end == text || *end != '\0' || seconds < 1 || seconds > ST_CLIENT_TTL_SECONDS_MAX) {
		return st_fail(&asking->diag, ST_ERR_INVALID, "--ttl takes seconds, 1 to %d",
			       ST_CLIENT_TTL_SECONDS_MAX);
	}
	(void)json_object_set_new(asking->body, "ttl_seconds", json_integer(seconds));
	return ST_OK;
}

static int add_run(struct asking *asking, const char *behind)
{
	struct st_id run;
	char id[ST_ID_TEXT_MAX];
	int err = st_backend_find(asking->backend, asking->cli->args[0], &run, &asking->diag);
	if (err == ST_OK) {
		st_buf_addf(&asking->path, "/v1/runs/%s%s", st_id_format(run, ST_ID_RUN, id),
			    behind);
	}
	return err;
}

static void add_call(struct asking *asking, const char *what)
{
	st_buf_add_text(&asking->path, "/v1/calls/");
	st_client_escape(&asking->path, asking->cli->args[0]);
	st_buf_addf(&asking->path, "/%s", what);
}

static int post(struct asking *asking, struct st_buf *answer)
{
	st_autofree char *body = st_json_compact(asking->body);
	const struct st_backend_post post = {.method = "POST",
					     .path = asking->path.data,
					     .body = body,
					     .key = st_cli_get(asking->cli, "idempotency-key")};
	return st_backend_post(asking->backend, &post, answer, &asking->diag);
}

/* People get one member of the answer, fit for $(…), and the words behind it. */
static int tell(const struct st_cli *cli, const struct st_buf *answer, const char *member,
		const char *words)
{
	struct st_buf text = {0};
	json_t *doc = json_loadb(answer->data, answer->len, 0, NULL);
	const char *value = json_string_value(json_object_get(doc, member));
	if (cli->json) {
		st_buf_add(&text, answer->data, answer->len);
	} else if (value != NULL) {
		st_shown_add(&text, value, strlen(value));
		st_buf_add_text(&text, words);
	}
	st_buf_add_char(&text, '\n');
	int code = st_term_print(&text);
	st_buf_fini(&text);
	json_decref(doc);
	return code;
}

/* Asks and tells, if filling the body and the path went well; ends the asking. */
static int ask(struct asking *asking, int err, const char *member, const char *words)
{
	struct st_buf answer = {0};
	if (err == ST_OK) {
		err = post(asking, &answer);
	}
	int code = err == ST_OK ? tell(asking->cli, &answer, member, words)
				: st_cli_fail(asking->cli, &asking->diag);
	st_backend_close(asking->backend);
	json_decref(asking->body);
	st_buf_fini(&asking->path);
	st_buf_fini(&answer);
	return code;
}

int st_cli_call_hold(struct st_cli *cli)
{
	struct asking asking = {.cli = cli, .body = json_object()};
	const char *kind = st_cli_get(cli, "kind");
	int err = add_amounts(&asking, "amount", "amounts");
	(void)json_object_set_new(asking.body, "kind", json_string(kind != NULL ? kind : "client"));
	add_text(&asking, "step", "step");
	add_text(&asking, "params-hash", "params_hash");
	if (err == ST_OK) {
		err = add_ttl(&asking);
	}
	if (err == ST_OK) {
		err = need_server(&asking);
	}
	if (err == ST_OK) {
		err = add_run(&asking, "/calls");
	}
	return ask(&asking, err, "call", "");
}

int st_cli_call_settle(struct st_cli *cli)
{
	struct asking asking = {.cli = cli, .body = json_object()};
	int err = st_cli_has(cli, "usage") ? add_amounts(&asking, "usage", "usage") : ST_OK;
	add_text(&asking, "external-id", "external_id");
	add_call(&asking, "settle");
	if (err == ST_OK) {
		err = need_server(&asking);
	}
	return ask(&asking, err, "call", " is settled");
}

int st_cli_call_void(struct st_cli *cli)
{
	struct asking asking = {.cli = cli, .body = json_object()};
	add_text(&asking, "reason", "reason");
	add_call(&asking, "void");
	return ask(&asking, need_server(&asking), "call", " is voided");
}

int st_cli_call_extend(struct st_cli *cli)
{
	struct asking asking = {.cli = cli, .body = json_object()};
	int err = add_ttl(&asking);
	add_call(&asking, "extend");
	if (err == ST_OK) {
		err = need_server(&asking);
	}
	return ask(&asking, err, "expires_at", "");
}

static int add_output(struct asking *asking)
{
	const char *text = st_cli_get(asking->cli, "output");
	json_t *output = text != NULL ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
	if (text != NULL && output == NULL) {
		return st_fail(&asking->diag, ST_ERR_INVALID,
			       "--output takes JSON: text stands in quotes");
	}
	if (output != NULL) {
		(void)json_object_set_new(asking->body, "output", output);
	}
	return ST_OK;
}

static int add_item(struct asking *asking)
{
	const char *text = st_cli_get(asking->cli, "item");
	char *end = NULL;
	long item = text != NULL ? strtol(text, &end, 10) : 0;
	if (text != NULL && (end == text || *end != '\0' || item < 1)) {
		return st_fail(&asking->diag, ST_ERR_INVALID, "--item takes a number from 1");
	}
	if (text != NULL) {
		(void)json_object_set_new(asking->body, "item", json_integer(item));
	}
	return ST_OK;
}

int st_cli_step_end(struct st_cli *cli)
{
	struct asking asking = {.cli = cli, .body = json_object()};
	int err = add_output(&asking);
	add_text(&asking, "as", "outcome");
	add_text(&asking, "error", "error");
	if (err == ST_OK) {
		err = add_item(&asking);
	}
	if (err == ST_OK) {
		err = need_server(&asking);
	}
	if (err == ST_OK) {
		err = add_run(&asking, "/steps/");
	}
	if (err == ST_OK) {
		st_client_escape(&asking.path, cli->args[1]);
		st_buf_add_text(&asking.path, "/end");
	}
	return ask(&asking, err, "state", "");
}
