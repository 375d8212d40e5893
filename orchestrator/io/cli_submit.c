/* SPDX-License-Identifier: Apache-2.0 */
/* stint submit and stint check: a definition goes to a daemon, or only under the lens. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/io/backend.h"
#include "orchestrator/io/cli_client.h"
#include "orchestrator/io/config_file.h"
#include "orchestrator/io/definition.h"
#include "orchestrator/io/term.h"
#include "schemas/envelope.h"
#include "schemas/json.h"
#include "schemas/mem.h"

/* The answer as JSON, or a line about it. */
static int tell(const struct st_cli *cli, const struct st_buf *json)
{
	json_t *doc = json_loadb(json->data, json->len, 0, NULL);
	const char *id = json_string_value(json_object_get(doc, "id"));
	const char *state = json_string_value(json_object_get(doc, "state"));
	const char *name = json_string_value(json_object_get(doc, "name"));
	struct st_buf text = {0};
	if (cli->json) {
		st_buf_add(&text, json->data, json->len);
	} else if (id != NULL) {
		st_shown_add(&text, id, strlen(id));
		st_buf_add_text(&text, " is ");
		st_shown_add(&text, state != NULL ? state : "", state != NULL ? strlen(state) : 0);
	} else {
		st_buf_add_text(&text, "valid: ");
		st_shown_add(&text, name != NULL ? name : "", name != NULL ? strlen(name) : 0);
		st_buf_addf(&text, ", %lld steps",
			    (long long)json_integer_value(json_object_get(doc, "steps")));
	}
	st_buf_add_char(&text, '\n');
	int code = st_term_print(&text);
	st_buf_fini(&text);
	json_decref(doc);
	return code;
}

static void describe(const struct st_def *def, struct st_buf *out)
{
	json_t *budget = st_envelope_encode(&def->envelope);
	json_t *doc = json_pack("{s:b, s:s, s:s, s:I, s:o}", "valid", 1, "name", def->name, "kind",
				st_run_kind_name(def->kind), "steps", (json_int_t)def->n_steps,
				"budget", budget);
	st_autofree char *text = st_json_compact(doc);
	st_buf_add_text(out, text);
	json_decref(doc);
}

int st_cli_check(struct st_cli *cli)
{
	struct st_diag diag = {0};
	struct st_buf json = {0};
	struct st_config *config = NULL;
	struct st_def *def = NULL;
	struct st_schemas *schemas = st_schemas_new();
	int err = st_config_read(schemas, st_cli_get(cli, "config"), &config, &diag);
	if (err == ST_OK) {
		err = st_definition_read(cli, schemas, config, &def, &diag);
	}
	if (err == ST_OK) {
		describe(def, &json);
	}
	int code = err == ST_OK ? tell(cli, &json) : st_cli_fail(cli, &diag);
	st_buf_fini(&json);
	st_def_free(def);
	st_config_free(config);
	st_schemas_free(schemas);
	return code;
}

static int send(const struct st_cli *cli, struct st_backend *backend, struct st_buf *answer,
		struct st_diag *diag)
{
	struct st_buf body = {0};
	int err = st_definition_text(cli, &body, diag);
	if (err == ST_OK) {
		const struct st_backend_post post = {
		    .method = "POST",
		    .path = st_cli_has(cli, "dry-run") ? "/v1/runs?dry_run=true" : "/v1/runs",
		    .body = body.data,
		    .key = st_cli_get(cli, "idempotency-key"),
		};
		err = st_backend_post(backend, &post, answer, diag);
	}
	st_buf_fini(&body);
	return err;
}

static int wait_for(struct st_backend *backend, const struct st_buf *answer)
{
	json_t *doc = json_loadb(answer->data, answer->len, 0, NULL);
	const char *id = json_string_value(json_object_get(doc, "id"));
	struct st_id run;
	bool known = id != NULL && st_id_parse(id, ST_ID_RUN, &run) == ST_OK;
	json_decref(doc);
	return known ? st_backend_wait(backend, run, 0) : ST_EXIT_UNREACHABLE;
}

int st_cli_submit(struct st_cli *cli)
{
	struct st_diag diag = {0};
	struct st_buf answer = {0};
	struct st_backend *backend = NULL;
	int code = ST_EXIT_DONE;
	if (!st_backend_names_server(cli)) {
		if (st_cli_has(cli, "dry-run")) {
			return st_cli_check(cli);
		}
		(void)st_fail(&diag, ST_ERR_UNAVAILABLE,
			      "submit needs a server: set STINT_URL, or run it here with: stint "
			      "run %.200s",
			      cli->args[0]);
		return st_cli_fail(cli, &diag);
	}
	int err = st_backend_open(cli, &backend, &diag);
	if (err == ST_OK) {
		err = send(cli, backend, &answer, &diag);
	}
	if (err != ST_OK) {
		code = st_cli_fail(cli, &diag);
	} else if (st_cli_has(cli, "wait") && !st_cli_has(cli, "dry-run")) {
		code = wait_for(backend, &answer);
	} else {
		code = tell(cli, &answer);
	}
	st_buf_fini(&answer);
	st_backend_close(backend);
	return code;
}
