/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/definition.h"

#include <string.h>

#include "orchestrator/admit.h"
#include "orchestrator/io/config_file.h"
#include "schemas/json.h"
#include "schemas/mem.h"

static int add_param(json_t *params, const char *given, struct st_diag *diag)
{
	const char *equals = strchr(given, '=');
	if (equals == NULL || equals == given) {
		return st_fail(diag, ST_ERR_INVALID, "--param takes NAME=VALUE, not %.80s", given);
	}
	st_autofree char *name = st_strndup(given, (size_t)(equals - given));
	json_t *value = NULL;
	/* What is no JSON value is text, and needs no quotes then. */
	if (st_json_parse(equals + 1, strlen(equals + 1), ST_JSON_BYTES_MAX, &value, NULL) !=
	    ST_OK) {
		value = json_string(equals + 1);
	}
	if (value == NULL || json_object_set_new(params, name, value) != 0) {
		return st_fail(diag, ST_ERR_INVALID, "--param %.80s is not UTF-8", name);
	}
	return ST_OK;
}

static int read_params(const struct st_cli *cli, json_t **out, struct st_diag *diag)
{
	json_t *params = json_object();
	for (size_t i = 0;; i++) {
		const char *given = st_cli_nth(cli, "param", i);
		if (given == NULL) {
			*out = params;
			return ST_OK;
		}
		int err = add_param(params, given, diag);
		if (err != ST_OK) {
			json_decref(params);
			return err;
		}
	}
}

static int read_doc(const struct st_cli *cli, json_t **out, struct st_diag *diag)
{
	struct st_buf text = {0};
	int err = st_file_read(cli->args[0], ST_JSON_BYTES_MAX, &text, diag);
	if (err == ST_ERR_IO) {
		diag->code = ST_ERR_INVALID; /* a bad argument, no store out of reach */
		err = ST_ERR_INVALID;
	}
	if (err == ST_OK) {
		err = st_json_parse(text.data != NULL ? text.data : "", text.len, ST_JSON_BYTES_MAX,
				    out, diag);
	}
	st_buf_fini(&text);
	return err;
}

int st_definition_read(const struct st_cli *cli, const struct st_schemas *schemas,
		       const struct st_config *config, struct st_def **out, struct st_diag *diag)
{
	json_t *doc = NULL;
	json_t *params = NULL;
	struct st_def *def = NULL;
	int err = read_doc(cli, &doc, diag);
	if (err == ST_OK) {
		err = read_params(cli, &params, diag);
	}
	if (err == ST_OK) {
		const struct st_def_input input = {.doc = doc, .params = params, .config = config};
		err = st_def_decode(schemas, &input, &def, diag);
	}
	if (err == ST_OK) {
		err = st_admit_check(def, config, diag);
	}
	json_decref(doc);
	json_decref(params);
	if (err != ST_OK) {
		st_def_free(def);
		return err;
	}
	*out = def;
	return ST_OK;
}

static int fill_in(json_t *doc, const json_t *given, struct st_diag *diag)
{
	json_t *own = json_object_get(doc, "params");
	const char *name = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)given, name, value)
	{
		if (json_object_get(own, name) == NULL) {
			return st_fail_at(diag, ST_ERR_INVALID, "/params",
					  "the definition has no param \"%.64s\" to override; give "
					  "it one with a default",
					  name);
		}
		(void)json_object_set(own, name, value);
	}
	return ST_OK;
}

int st_definition_text(const struct st_cli *cli, struct st_buf *out, struct st_diag *diag)
{
	json_t *doc = NULL;
	json_t *params = NULL;
	int err = read_doc(cli, &doc, diag);
	if (err == ST_OK) {
		err = read_params(cli, &params, diag);
	}
	if (err == ST_OK) {
		err = fill_in(doc, params, diag);
	}
	if (err == ST_OK) {
		st_autofree char *text = st_json_compact(doc);
		st_buf_add_text(out, text);
	}
	json_decref(doc);
	json_decref(params);
	return err;
}
