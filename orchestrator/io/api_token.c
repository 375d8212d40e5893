/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks? Bearer tokens, and the routes that make and revoke them. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "orchestrator/decision.h"
#include "orchestrator/io/api_private.h"
#include "orchestrator/io/clock.h"
#include "orchestrator/io/log.h"
#include "orchestrator/io/token.h"
#include "redact/redact.h"
#include "schemas/mem.h"

#define BEARER "Bearer "
#define CREDENTIAL_BYTES_MAX 512
#define ANSWER_BYTES 1024

/* Only this process writes tokens while it holds the store, so what was seen stays true until it
 * is revoked here. */

static struct st_api_token *slot_of(struct st_api_server *api, const uint8_t hash[ST_HASH_BYTES])
{
	size_t start = 0;
	memcpy(&start, hash, sizeof start);
	struct st_api_token *slot = NULL;
	for (size_t i = 0; i < ST_API_TOKENS_CACHED; i++) {
		slot = &api->tokens[(start + i) & (ST_API_TOKENS_CACHED - 1)];
		if (slot->row == NULL || sodium_memcmp(slot->hash, hash, ST_HASH_BYTES) == 0) {
			break;
		}
	}
	return slot;
}

void st_api_tokens_forget(struct st_api_server *api)
{
	for (size_t i = 0; i < ST_API_TOKENS_CACHED; i++) {
		st_free(api->tokens[i].row);
		api->tokens[i] = (struct st_api_token){0};
	}
	api->n_tokens = 0;
}

/* The token with this hash, borrowed until the next call. */
static int find(struct st_api_server *api, const uint8_t hash[ST_HASH_BYTES],
		const struct st_row_token **out, struct st_diag *diag)
{
	struct st_api_token *slot = slot_of(api, hash);
	if (slot->row != NULL) {
		*out = slot->row;
		return ST_OK;
	}
	struct st_row_token row = {0};
	int err = st_reader_token(api->reader, hash, &row, diag);
	if (err != ST_OK) {
		return err;
	}
	if (api->n_tokens >= ST_API_TOKENS_CACHED / 2) {
		st_api_tokens_forget(api);
		slot = slot_of(api, hash);
	}
	slot->row = st_alloc(sizeof row);
	*slot->row = row;
	memcpy(slot->hash, hash, ST_HASH_BYTES);
	api->n_tokens++;
	*out = slot->row;
	return ST_OK;
}

int st_api_authenticate(struct st_api_server *api, const struct st_exchange *exchange,
			struct st_actor *actor, struct st_diag *diag)
{
	const char *header = st_exchange_header(exchange, "Authorization");
	const struct st_row_token *token = NULL;
	uint8_t hash[ST_HASH_BYTES];
	if (header == NULL || strncasecmp(header, BEARER, strlen(BEARER)) != 0 ||
	    strlen(header) > CREDENTIAL_BYTES_MAX) {
		return st_fail(diag, ST_ERR_UNAUTHENTICATED,
			       "send a token: Authorization: Bearer stint_…");
	}
	header += strlen(BEARER);
	st_token_hash(header + strspn(header, " "), hash);
	int err = find(api, hash, &token, diag);
	if (err == ST_ERR_UNAUTHENTICATED) {
		return st_fail(diag, err, "this token is not known or was revoked");
	}
	if (err != ST_OK) {
		return err;
	}
	if (token->expires_at != ST_TIME_NONE && token->expires_at <= st_clock_now()) {
		return st_fail(diag, ST_ERR_UNAUTHENTICATED, "this token has expired");
	}
	int role = st_role_parse(token->role);
	if (role < 0) {
		return st_fail(diag, ST_ERR_UNAUTHENTICATED, "this token has an unknown role");
	}
	*actor = (struct st_actor){.role = (enum st_role)role};
	memcpy(actor->name, token->name, sizeof actor->name);
	memcpy(actor->tenant, token->tenant, sizeof actor->tenant);
	return ST_OK;
}

/* Making and revoking */

static void on_durable(struct st_waiter *waiter, const struct st_effect_reply *reply)
{
	struct st_api_request *request =
	    (struct st_api_request *)(void *)((char *)waiter -
					      offsetof(struct st_api_request, waiter));
	if (reply->code != ST_OK) {
		st_api_refuse(request, reply->code, "the store cannot write");
		return;
	}
	st_log(ST_LOG_INFO, request->route->method[0] == 'P' ? "token.created" : "token.revoked",
	       "by %s: %s", request->actor.name, request->name);
	st_api_tokens_forget(request->api);
	st_api_reply_json(request, request->err, request->later.data);
}

/* The kept answer never holds the token: who asks again learns that it was made, not what it is. */
static void add_rows(struct st_api_request *request, struct st_rows *rows,
		     const struct st_row_token *token, const char *kept)
{
	*st_rows_add_token(rows) = *token;
	if (!request->has_key) {
		return;
	}
	const struct st_redactor *redactor = st_engine_redactor(request->api->options.engine);
	struct st_row_answer *answer = st_rows_add_answer(rows);
	memcpy(answer->key_hash, request->key.key_hash, sizeof answer->key_hash);
	memcpy(answer->body_hash, request->key.body_hash, sizeof answer->body_hash);
	answer->at = st_clock_now();
	answer->status = request->err;
	answer->body = st_redact_text(redactor, kept, strlen(kept));
}

static void write_rows(struct st_api_request *request, struct st_rows *rows)
{
	request->waiter.answer = on_durable;
	st_engine_rows(request->api->options.engine, rows, &request->waiter);
}

/* At most what who asks has. */
static int bound(const struct st_actor *asker, struct st_actor *wanted, struct st_diag *diag)
{
	if (wanted->role > asker->role) {
		return st_fail_at(diag, ST_ERR_FORBIDDEN, "/role",
				  "a token cannot give more than its own role, %s",
				  st_role_name(asker->role));
	}
	if (asker->tenant[0] == '\0') {
		return ST_OK;
	}
	if (wanted->tenant[0] == '\0') {
		memcpy(wanted->tenant, asker->tenant, sizeof wanted->tenant);
	}
	if (strcmp(wanted->tenant, asker->tenant) != 0) {
		return st_fail_at(diag, ST_ERR_FORBIDDEN, "/tenant",
				  "this token is bound to the tenant %s", asker->tenant);
	}
	return ST_OK;
}

static void describe(const struct st_row_token *token, const char *text, struct st_buf *out)
{
	st_buf_addf(out, "{\"id\":\"%s\",\"name\":\"%s\",\"role\":\"%s\",\"tenant\":", token->id,
		    token->name, token->role);
	if (token->tenant[0] != '\0') {
		st_buf_add_json_string(out, token->tenant, strlen(token->tenant));
	} else {
		st_buf_add_text(out, "null");
	}
	if (token->expires_at != ST_TIME_NONE) {
		char at[ST_TIME_TEXT_MAX];
		st_buf_addf(out, ",\"expires_at\":\"%s\"", st_time_format(token->expires_at, at));
	} else {
		st_buf_add_text(out, ",\"expires_at\":null");
	}
	if (text != NULL) {
		st_buf_addf(out, ",\"token\":\"%s\"}", text);
	} else {
		st_buf_add_text(out, ",\"token\":null}");
	}
}

void st_api_handle_token_create(struct st_api_request *request)
{
	struct st_token_wish wanted;
	struct st_row_token token;
	struct st_rows rows = {0};
	struct st_buf kept = {0};
	char text[ST_TOKEN_TEXT_MAX];
	int err = st_token_decode(request->body, st_clock_now(), &wanted, &request->diag);
	if (err == ST_OK) {
		err = bound(&request->actor, &wanted.actor, &request->diag);
	}
	if (err != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	st_token_make(&wanted, st_clock_now(), &token, text);
	if (token.name[0] == '\0') {
		memcpy(token.name, token.id, sizeof token.name);
	}
	(void)st_buf_reserve(&request->later, ANSWER_BYTES); /* so that no copy stays behind */
	describe(&token, text, &request->later);
	describe(&token, NULL, &kept);
	sodium_memzero(text, sizeof text);
	request->err = 201;
	memcpy(request->name, token.id, sizeof request->name); /* for the log */
	add_rows(request, &rows, &token, kept.data);
	st_buf_fini(&kept);
	write_rows(request, &rows);
}

void st_api_handle_token_revoke(struct st_api_request *request)
{
	struct st_row_token token = {.revoked_at = st_clock_now()};
	struct st_rows rows = {0};
	struct st_buf known = {0};
	bool found = false;
	const char *tenant = request->actor.tenant[0] != '\0' ? request->actor.tenant : NULL;
	int err = st_reader_tokens(request->api->reader, tenant, &known, &request->diag);
	if (err != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	json_t *list = json_loadb(known.data, known.len, 0, NULL);
	for (size_t i = 0; i < json_array_size(list) && !found; i++) {
		const char *id = json_string_value(json_object_get(json_array_get(list, i), "id"));
		found = id != NULL && strcmp(id, request->name) == 0;
	}
	json_decref(list);
	st_buf_fini(&known);
	if (!found) {
		st_api_refuse(request, ST_ERR_NOT_FOUND, "there is no such token");
		return;
	}
	memcpy(token.id, request->name, sizeof token.id);
	st_buf_addf(&request->later, "{\"id\":\"%s\",\"revoked\":true}", token.id);
	request->err = 200;
	add_rows(request, &rows, &token, request->later.data);
	write_rows(request, &rows);
}
