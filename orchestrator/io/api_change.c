/* SPDX-License-Identifier: Apache-2.0 */
/* What every change goes through, and the changes of runs. */
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "orchestrator/answer.h"
#include "orchestrator/decision.h"
#include "orchestrator/io/api_private.h"
#include "redact/clean.h"
#include "schemas/json.h"
#include "schemas/mem.h"

#define KEY_BYTES_MAX 255

/* Asked once or again? */

static bool key_is_valid(const char *key)
{
	size_t len = strlen(key);
	for (size_t i = 0; i < len; i++) {
		if (key[i] < 0x21 || key[i] > 0x7e) {
			return false;
		}
	}
	return len >= 1 && len <= KEY_BYTES_MAX;
}

static void hash_texts(uint8_t out[ST_HASH_BYTES], const char *const *texts, size_t n)
{
	crypto_generichash_state state;
	(void)crypto_generichash_init(&state, NULL, 0, ST_HASH_BYTES);
	for (size_t i = 0; i < n; i++) {
		/* the NUL too, so that no two lists of texts run together into the same bytes */
		(void)crypto_generichash_update(&state, (const uint8_t *)texts[i],
						strlen(texts[i]) + 1);
	}
	(void)crypto_generichash_final(&state, out, ST_HASH_BYTES);
}

static void hash_request(struct st_api_request *request, const char *key)
{
	struct st_exchange *exchange = request->exchange;
	size_t len = 0;
	const char *body = st_exchange_body(exchange, &len);
	const char *known_by[] = {request->actor.tenant, st_exchange_method(exchange),
				  st_exchange_path(exchange), key};
	const char *asked[] = {st_exchange_target(exchange), body};
	request->has_key = true;
	hash_texts(request->key.key_hash, known_by, sizeof known_by / sizeof known_by[0]);
	hash_texts(request->key.body_hash, asked, sizeof asked / sizeof asked[0]);
}

static bool is_in_flight(const struct st_api_request *request)
{
	for (const struct st_api_request *r = request->api->requests; r != NULL; r = r->next) {
		if (r != request && r->has_key &&
		    memcmp(r->key.key_hash, request->key.key_hash, ST_HASH_BYTES) == 0) {
			return true;
		}
	}
	return false;
}

/* 201 tells where what was made can be found. */
static void reply_answer(struct st_api_request *request, const struct st_read_answer *answer,
			 bool replayed)
{
	char location[64];
	struct st_http_field fields[2];
	struct st_http_reply reply = {.status = answer->status,
				      .content_type = "application/json",
				      .headers = fields,
				      .body = answer->body.data,
				      .body_len = answer->body.len};
	json_t *body = json_loadb(answer->body.data, answer->body.len, 0, NULL);
	const char *id = json_string_value(json_object_get(body, "id"));
	if (answer->status == 201 && id != NULL) {
		(void)snprintf(location, sizeof location, "%s/%.50s", request->route->pattern, id);
		fields[reply.n_headers++] = (struct st_http_field){"Location", location};
	}
	if (replayed) {
		fields[reply.n_headers++] = (struct st_http_field){"idempotency-replayed", "true"};
	}
	st_api_reply(request, &reply);
	json_decref(body);
}

static void replay(struct st_api_request *request, struct st_read_answer *answer)
{
	if (memcmp(answer->body_hash, request->key.body_hash, ST_HASH_BYTES) == 0) {
		reply_answer(request, answer, true);
	} else {
		const struct st_http_problem problem = {
		    .status = 422,
		    .type = "idempotency-mismatch",
		    .title = "idempotency key used before",
		    .detail = "this Idempotency-Key stands for another request body: use a new key",
		};
		st_api_problem(request, &problem);
	}
}

/* True when the request may go on. */
static bool take_key(struct st_api_request *request)
{
	const char *key = st_exchange_header(request->exchange, "Idempotency-Key");
	struct st_read_answer answer = {0};
	if (key == NULL) {
		return true;
	}
	if (!key_is_valid(key)) {
		st_api_refuse(request, ST_ERR_INVALID,
			      "Idempotency-Key takes 1 to %d visible ASCII characters",
			      KEY_BYTES_MAX);
		return false;
	}
	hash_request(request, key);
	if (is_in_flight(request)) {
		request->has_key = false;
		const struct st_http_problem problem = {
		    .status = 409,
		    .type = "idempotency-in-flight",
		    .title = "idempotency key in use",
		    .detail = "a request with this Idempotency-Key is being answered: wait for it",
		};
		st_api_problem(request, &problem);
		return false;
	}
	if (st_reader_answer(request->api->reader, request->key.key_hash, &answer,
			     &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
	} else if (answer.found) {
		replay(request, &answer);
	} else {
		return true;
	}
	st_buf_fini(&answer.body);
	return false;
}

/* May it be asked in this form? */

/* A browser says in Origin whose page asks; no page but our own may change anything. */
static int check_origin(const struct st_exchange *exchange, struct st_diag *diag)
{
	const char *origin = st_exchange_header(exchange, "Origin");
	const char *host = st_exchange_header(exchange, "Host");
	if (origin == NULL || (host != NULL && strncmp(origin, "http://", 7) == 0 &&
			       strcasecmp(origin + 7, host) == 0)) {
		return ST_OK;
	}
	return st_fail(diag, ST_ERR_FORBIDDEN, "pages of another origin may not change anything");
}

static bool is_json(const char *type)
{
	static const char json[] = "application/json";
	return strncasecmp(type, json, sizeof json - 1) == 0 &&
	       (type[sizeof json - 1] == '\0' || strchr("; \t", type[sizeof json - 1]) != NULL);
}

static bool check_type(struct st_api_request *request)
{
	const char *type = st_exchange_header(request->exchange, "Content-Type");
	size_t len = 0;
	(void)st_exchange_body(request->exchange, &len);
	if (type != NULL ? is_json(type) : len == 0) {
		return true;
	}
	const struct st_http_problem problem = {
	    .status = 415, .detail = "send the body with Content-Type: application/json"};
	st_api_problem(request, &problem);
	return false;
}

/* 413 is about bytes, and those were counted before: what is too deep or too many is malformed. */
static int refuse_content(struct st_api_request *request, int err)
{
	if (err == ST_ERR_TOO_LARGE) {
		err = ST_ERR_INVALID;
		request->diag.code = ST_ERR_INVALID;
	}
	return err;
}

static int parse_body(struct st_api_request *request)
{
	size_t len = 0;
	const char *body = st_exchange_body(request->exchange, &len);
	if (len == 0) {
		return ST_OK;
	}
	return refuse_content(
	    request, st_json_parse(body, len, ST_JSON_BYTES_MAX, &request->body, &request->diag));
}

void st_api_change(struct st_api_request *request)
{
	if (check_origin(request->exchange, &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	if (!check_type(request)) {
		return;
	}
	if (request->api->closing) {
		st_api_refuse(request, ST_ERR_BUSY, "the daemon is stopping: ask again soon");
		return;
	}
	if (!take_key(request)) {
		return;
	}
	/* A definition is read by the engine, which may know it. */
	bool reads_it_itself = request->route->handle == st_api_handle_submit;
	if (!reads_it_itself && parse_body(request) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	request->route->handle(request);
}

/* Events */

/* What a person has to decide first. */
static void refuse_for_halt(struct st_api_request *request, const struct st_effect_reply *reply,
			    const char *text)
{
	char id[ST_ID_TEXT_MAX];
	char halt[ST_ID_TEXT_MAX + 64];
	bool dangerous = reply->halt_kind == ST_HALT_DANGEROUS;
	(void)snprintf(halt, sizeof halt, "{\"id\":\"%s\",\"kind\":\"%s\"}",
		       st_id_format(reply->halt, ST_ID_HALT, id),
		       st_halt_kind_name(reply->halt_kind));
	struct st_http_problem problem = {
	    .status = 409, .type = "conflict", .title = "halted", .detail = text, .halt = halt};
	if (reply->refused) {
		problem.status = 402;
		problem.type = dangerous ? "approval-required" : "budget-refused";
		problem.title = dangerous ? "approval required" : "refused by the budget";
		problem.detail = dangerous
				     ? "the run is halted until a person approves this call: "
				       "then ask again"
				     : "the envelope does not cover this call, and the run is "
				       "halted: ask again after a grant";
		problem.verdict = text;
	}
	st_api_problem(request, &problem);
}

void st_api_answer(struct st_api_request *request, const struct st_effect_reply *reply)
{
	const char *text = reply->body != NULL ? st_clean_text(reply->body) : NULL;
	if (reply->code == ST_OK) {
		struct st_read_answer answer = {.status = request->err};
		st_buf_add_text(&answer.body, text != NULL ? text : "{}");
		reply_answer(request, &answer, false);
		st_buf_fini(&answer.body);
	} else if (!st_id_is_none(reply->halt)) {
		refuse_for_halt(request, reply, text);
	} else if (reply->code == ST_ERR_NOT_FOUND) {
		st_api_refuse(request, ST_ERR_NOT_FOUND, "there is no such run");
	} else if (text == NULL && st_engine_is_full(request->api->options.engine)) {
		st_api_refuse(request, reply->code,
			      "the disk is full: nothing new is taken until there is room");
	} else {
		st_api_refuse(request, reply->code, "%s",
			      text != NULL ? text : st_err_text(reply->code));
	}
}

static void on_answer(struct st_waiter *waiter, const struct st_effect_reply *reply)
{
	st_api_answer((struct st_api_request *)(void *)((char *)waiter -
							offsetof(struct st_api_request, waiter)),
		      reply);
}

void st_api_send_event(struct st_api_request *request, struct st_event *event)
{
	event->actor = request->actor;
	event->run = request->run;
	event->idempotency = request->has_key ? &request->key : NULL;
	request->err = st_answer_event_status(event->type, ST_OK);
	if (request->waiter.answer == NULL) {
		request->waiter.answer = on_answer;
	}
	st_engine_event(request->api->options.engine, event, &request->waiter);
}

static int decode_definition(struct st_api_request *request, struct st_def **out)
{
	struct st_engine_text given = {.tenant = request->actor.tenant};
	given.text = st_exchange_body(request->exchange, &given.len);
	if (given.len == 0) {
		return st_fail(&request->diag, ST_ERR_INVALID,
			       "the body is empty: send a run definition");
	}
	return refuse_content(request, st_engine_definition(request->api->options.engine, &given,
							    out, &request->diag));
}

/* What would be submitted, with the envelope that the defaults complete. */
static void reply_dry(struct st_api_request *request, const struct st_def *def)
{
	struct st_clean_builder b;
	json_t *budget = st_envelope_encode(&def->envelope);
	st_clean_builder_init(&b, st_engine_redactor(request->api->options.engine));
	st_clean_add_literal(&b, "{\"valid\":true,\"name\":");
	st_clean_add_name(&b, def->name);
	st_clean_add_literal(&b, ",\"kind\":");
	st_clean_add_name(&b, st_run_kind_name(def->kind));
	st_clean_add_literal(&b, ",\"steps\":");
	st_clean_add_int(&b, (int64_t)def->n_steps);
	st_clean_add_literal(&b, ",\"budget\":");
	st_clean_add_json(&b, budget);
	st_clean_add_literal(&b, "}");
	struct st_clean *clean = st_clean_builder_finish(&b);
	st_api_reply_json(request, 200, st_clean_text(clean));
	st_clean_free(clean);
	json_decref(budget);
}

void st_api_handle_submit(struct st_api_request *request)
{
	const char *dry = st_exchange_query(request->exchange, "dry_run");
	struct st_event event = {.type = ST_EVENT_SUBMIT};
	bool is_dry = dry != NULL && strcmp(dry, "true") == 0;
	if (dry != NULL && !is_dry && strcmp(dry, "false") != 0) {
		st_api_refuse(request, ST_ERR_INVALID, "dry_run takes true or false");
		return;
	}
	if (decode_definition(request, &event.submit.def) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	if (is_dry) {
		struct st_def *def = event.submit.def;
		reply_dry(request, def);
		st_def_free(def);
		return;
	}
	st_api_send_event(request, &event);
}

void st_api_handle_decide(struct st_api_request *request)
{
	struct st_event event = {.type = ST_EVENT_DECIDE};
	event.decide.halt = request->halt;
	if (st_decision_decode(request->body, &event.decide, &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	st_api_send_event(request, &event);
}

static void control(struct st_api_request *request, enum st_event_type type)
{
	struct st_event event = {.type = type};
	if (st_control_decode(request->body, &event.control.reason, &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	st_api_send_event(request, &event);
}

void st_api_handle_cancel(struct st_api_request *request)
{
	control(request, ST_EVENT_CANCEL);
}

void st_api_handle_pause(struct st_api_request *request)
{
	control(request, ST_EVENT_PAUSE);
}

void st_api_handle_resume(struct st_api_request *request)
{
	control(request, ST_EVENT_RESUME);
}

void st_api_handle_limits(struct st_api_request *request)
{
	struct st_event event = {.type = ST_EVENT_LIMITS};
	if (st_limits_decode(request->body, &event.limits.run, &event.limits.reason,
			     &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	st_api_send_event(request, &event);
}
