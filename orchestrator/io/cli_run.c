/* SPDX-License-Identifier: Apache-2.0 */
/* stint run: a definition, in the foreground, in a store of one's own. */
#include <stdio.h>
#include <string.h>

#include "orchestrator/admit.h"
#include "orchestrator/io/config_file.h"
#include "orchestrator/io/engine.h"
#include "orchestrator/io/foreground.h"
#include "schemas/json.h"
#include "schemas/mem.h"

static int read_params(const struct st_cli *cli, json_t **out, struct st_diag *diag)
{
	json_t *params = json_object();
	for (size_t i = 0;; i++) {
		const char *given = st_cli_nth(cli, "param", i);
		if (given == NULL) {
			*out = params;
			return ST_OK;
		}
		const char *equals = strchr(given, '=');
		if (equals == NULL || equals == given) {
			json_decref(params);
			return st_fail(diag, ST_ERR_INVALID, "--param takes NAME=VALUE, not %.80s",
				       given);
		}
		st_autofree char *name = st_strndup(given, (size_t)(equals - given));
		json_t *value =
		    json_loads(equals + 1, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
		if (value == NULL) {
			value = json_string(equals + 1);
		}
		if (value == NULL || json_object_set_new(params, name, value) != 0) {
			json_decref(params);
			return st_fail(diag, ST_ERR_INVALID, "--param %s is not UTF-8", name);
		}
	}
}

static int read_definition(struct st_foreground *foreground, void *engine, struct st_diag *diag)
{
	struct st_buf text = {0};
	json_t *doc = NULL;
	json_t *params = NULL;
	struct st_def_input input = {.config = st_engine_config(engine)};
	int err = st_file_read(foreground->path, ST_JSON_BYTES_MAX, &text, diag);
	if (err == ST_OK) {
		err = st_json_parse(text.data != NULL ? text.data : "", text.len, ST_JSON_BYTES_MAX,
				    &doc, diag);
	}
	if (err == ST_OK) {
		err = read_params(foreground->cli, &params, diag);
	}
	if (err == ST_OK) {
		input.doc = doc;
		input.params = params;
		err = st_def_decode(st_engine_schemas(engine), &input,
				    &foreground->event.submit.def, diag);
	}
	if (err == ST_OK) {
		err = st_admit_check(foreground->event.submit.def, input.config, diag);
		if (err != ST_OK) {
			st_def_free(foreground->event.submit.def);
		}
	}
	json_decref(doc);
	json_decref(params);
	st_buf_fini(&text);
	return err;
}

int st_cli_run(struct st_cli *cli)
{
	struct st_diag diag = {0};
	char *uri = NULL;
	if (st_foreground_store(cli, true, &uri, &diag) != ST_OK) {
		st_free(uri);
		return st_cli_fail(cli, &diag);
	}
	struct st_foreground foreground = {
	    .cli = cli,
	    .store_uri = uri,
	    .event = {.type = ST_EVENT_SUBMIT, .actor = st_foreground_actor()},
	    .prepare = read_definition,
	    .path = cli->args[0],
	};
	int code = st_foreground_drive(&foreground);
	st_free(uri);
	return code;
}
