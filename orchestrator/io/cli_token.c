/* SPDX-License-Identifier: Apache-2.0 */
/* stint token: who may talk to the daemon. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/io/backend.h"
#include "orchestrator/io/cli_client.h"
#include "orchestrator/io/client.h"
#include "orchestrator/io/clock.h"
#include "orchestrator/io/foreground.h"
#include "orchestrator/io/store_access.h"
#include "orchestrator/io/term.h"
#include "orchestrator/io/token.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "schemas/name.h"

static int take_name(const struct st_cli *cli, const char *option, char out[ST_NAME_MAX],
		     struct st_diag *diag)
{
	const char *given = st_cli_get(cli, option);
	if (given != NULL && !st_name_is_valid(given)) {
		return st_fail(diag, ST_ERR_INVALID, "--%s takes " ST_NAME_RULE ", not \"%.80s\"",
			       option, given);
	}
	(void)snprintf(out, ST_NAME_MAX, "%s", given != NULL ? given : "");
	return ST_OK;
}

#define DAYS_MAX 3650
#define DAY_MS INT64_C(86400000)

static int take_expiry(const struct st_cli *cli, struct st_token_wish *wish, struct st_diag *diag)
{
	const char *given = st_cli_get(cli, "expires-in");
	char *end = NULL;
	wish->expires_at = ST_TIME_NONE;
	if (given == NULL) {
		return ST_OK;
	}
	int64_t days = strtoll(given, &end, 10);
	if (end == given || *end != '\0' || days < 1 || days > DAYS_MAX) {
		return st_fail(diag, ST_ERR_INVALID, "--expires-in takes days, 1 to %d", DAYS_MAX);
	}
	wish->expires_at = st_clock_now() + days * DAY_MS;
	return ST_OK;
}

static int take_wish(const struct st_cli *cli, struct st_token_wish *wish, struct st_diag *diag)
{
	struct st_actor *actor = &wish->actor;
	const char *given = st_cli_get(cli, "role");
	int role = given != NULL ? st_role_parse(given) : -1;
	if (role < 0) {
		return st_fail(diag, ST_ERR_INVALID,
			       "--role takes viewer, submitter, approver or admin");
	}
	actor->role = (enum st_role)role;
	int err = take_name(cli, "tenant", actor->tenant, diag);
	if (err == ST_OK) {
		err = take_name(cli, "name", actor->name, diag);
	}
	return err != ST_OK ? err : take_expiry(cli, wish, diag);
}

static json_t *describe(const struct st_row_token *row, const char *text)
{
	json_t *doc =
	    json_pack("{s:s, s:s, s:s}", "id", row->id, "name", row->name, "role", row->role);
	(void)json_object_set_new(doc, "tenant",
				  row->tenant[0] != '\0' ? json_string(row->tenant) : json_null());
	char at[ST_TIME_TEXT_MAX];
	bool ends = row->expires_at != ST_TIME_NONE;
	(void)json_object_set_new(doc, "expires_at",
				  ends ? json_string(st_time_format(row->expires_at, at))
				       : json_null());
	(void)json_object_set_new(doc, "token", json_string(text));
	return doc;
}

static int write_row(const struct st_backend *backend, const struct st_row_token *row,
		     struct st_diag *diag)
{
	int err = st_token_write(st_backend_store(backend), row, diag);
	return err == ST_ERR_BUSY ? st_foreground_busy(diag) : err;
}

static int create_in_store(struct st_backend *backend, const struct st_token_wish *wish,
			   json_t **out, struct st_diag *diag)
{
	struct st_row_token row;
	char text[ST_TOKEN_TEXT_MAX];
	st_token_make(wish, st_clock_now(), &row, text);
	if (row.name[0] == '\0') {
		memcpy(row.name, row.id, sizeof row.name);
	}
	int err = write_row(backend, &row, diag);
	if (err == ST_OK) {
		*out = describe(&row, text);
	}
	return err;
}

static int create_at_server(struct st_backend *backend, const struct st_token_wish *wish,
			    json_t **out, struct st_diag *diag)
{
	const struct st_actor *actor = &wish->actor;
	struct st_buf answer = {0};
	json_t *body = json_pack("{s:s}", "role", st_role_name(actor->role));
	if (wish->expires_at != ST_TIME_NONE) {
		char at[ST_TIME_TEXT_MAX];
		(void)json_object_set_new(body, "expires_at",
					  json_string(st_time_format(wish->expires_at, at)));
	}
	if (actor->tenant[0] != '\0') {
		(void)json_object_set_new(body, "tenant", json_string(actor->tenant));
	}
	if (actor->name[0] != '\0') {
		(void)json_object_set_new(body, "name", json_string(actor->name));
	}
	st_autofree char *text = st_json_compact(body);
	const struct st_backend_post post = {.method = "POST", .path = "/v1/tokens", .body = text};
	int err = st_backend_post(backend, &post, &answer, diag);
	if (err == ST_OK) {
		*out = json_loadb(answer.data, answer.len, 0, NULL);
	}
	json_decref(body);
	st_buf_fini(&answer);
	return err;
}

/* People get the token alone, fit for $(…); what goes with it stands on stderr. */
static int tell_token(const struct st_cli *cli, const json_t *doc)
{
	struct st_buf text = {0};
	if (cli->json) {
		st_autofree char *json = st_json_compact(doc);
		st_buf_add_text(&text, json);
	} else {
		const char *token = json_string_value(json_object_get(doc, "token"));
		const char *id = json_string_value(json_object_get(doc, "id"));
		(void)fprintf(stderr, "%s; the token is shown this once:\n", id != NULL ? id : "");
		st_buf_add_text(&text, token != NULL ? token : "");
	}
	st_buf_add_char(&text, '\n');
	int code = st_term_print(&text);
	st_buf_fini(&text);
	return code;
}

int st_cli_token_create(struct st_cli *cli)
{
	struct st_diag diag = {0};
	struct st_token_wish wish = {0};
	struct st_backend *backend = NULL;
	json_t *doc = NULL;
	int err = take_wish(cli, &wish, &diag);
	if (err == ST_OK) {
		err = st_backend_open(cli, &backend, &diag);
	}
	if (err == ST_OK) {
		err = st_backend_is_server(backend) ? create_at_server(backend, &wish, &doc, &diag)
						    : create_in_store(backend, &wish, &doc, &diag);
	}
	int code = err == ST_OK ? tell_token(cli, doc) : st_cli_fail(cli, &diag);
	json_decref(doc);
	st_backend_close(backend);
	return code;
}

/* The writer would not say that there was nothing to revoke. */
static int find_token(struct st_backend *backend, const char *id, struct st_diag *diag)
{
	struct st_buf json = {0};
	const struct st_view view = {.type = ST_VIEW_TOKENS};
	bool found = false;
	int err = st_backend_view(backend, &view, &json, diag);
	json_t *list = err == ST_OK ? json_loadb(json.data, json.len, 0, NULL) : NULL;
	size_t i = 0;
	const json_t *token = NULL;
	json_array_foreach(list, i, token)
	{
		const char *known = json_string_value(json_object_get(token, "id"));
		found = found || (known != NULL && strcmp(known, id) == 0);
	}
	json_decref(list);
	st_buf_fini(&json);
	if (err == ST_OK && !found) {
		return st_fail(diag, ST_ERR_NOT_FOUND, "there is no token %.80s", id);
	}
	return err;
}

static int revoke_in_store(struct st_backend *backend, const char *id, struct st_diag *diag)
{
	struct st_row_token row = {.revoked_at = st_clock_now()};
	int err = find_token(backend, id, diag);
	(void)snprintf(row.id, sizeof row.id, "%s", id);
	return err != ST_OK ? err : write_row(backend, &row, diag);
}

static int revoke_at_server(struct st_backend *backend, const char *id, struct st_diag *diag)
{
	struct st_buf path = {0};
	struct st_buf answer = {0};
	st_buf_add_text(&path, "/v1/tokens/");
	st_client_escape(&path, id);
	const struct st_backend_post post = {.method = "DELETE", .path = path.data};
	int err = st_backend_post(backend, &post, &answer, diag);
	st_buf_fini(&path);
	st_buf_fini(&answer);
	return err;
}

int st_cli_token_revoke(struct st_cli *cli)
{
	struct st_diag diag = {0};
	struct st_backend *backend = NULL;
	const char *id = cli->args[0];
	int err = st_backend_open(cli, &backend, &diag);
	if (err == ST_OK) {
		err = st_backend_is_server(backend) ? revoke_at_server(backend, id, &diag)
						    : revoke_in_store(backend, id, &diag);
	}
	st_backend_close(backend);
	if (err != ST_OK) {
		return st_cli_fail(cli, &diag);
	}
	struct st_buf text = {0};
	if (cli->json) {
		st_buf_addf(&text, "{\"id\":");
		st_buf_add_json_string(&text, id, strlen(id));
		st_buf_add_text(&text, ",\"revoked\":true}\n");
	} else {
		st_shown_add(&text, id, strlen(id));
		st_buf_add_text(&text, " is revoked\n");
	}
	int code = st_term_print(&text);
	st_buf_fini(&text);
	return code;
}
