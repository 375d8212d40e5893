/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. Everything but reads runs on the loop's thread.
 *
 *   a request comes in ──▶ route ──▶ who asks, with which role ──▶
 *     a question: read on a worker thread with a reader of its own ──▶ answer
 *     a change: was it answered before? else an event for the engine ──▶ answer, once durable
 *     the timeline as a stream: read, then again whenever the run's timeline has grown
 *
 * A request holds its exchange until it is answered; the API is freed when no request is left.
 */
#include "orchestrator/io/api.h"

#include <assert.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/answer.h"
#include "orchestrator/io/api_private.h"
#include "orchestrator/io/log.h"
#include "redact/seal.h"
#include "schemas/json.h"
#include "schemas/mem.h"

#define PER_PEER_MAX 512 /* on loopback all clients have one address */

static const struct st_http_field no_retry = {"x-should-retry", "false"};
static const struct st_http_field retry_soon = {"Retry-After", "5"};
static const struct st_http_field who_are_you = {"WWW-Authenticate", "Bearer realm=\"stint\""};

/* Answering */

void st_api_request_free(struct st_api_request *request)
{
	struct st_api_server *api = request->api;
	struct st_api_request **at = &api->requests;
	while (*at != request) {
		at = &(*at)->next;
	}
	*at = request->next;
	api->n_requests--;
	json_decref(request->body);
	if (request->later.data != NULL) {
		sodium_memzero(request->later.data, request->later.len); /* it may hold a token */
	}
	if (request->path != NULL) {
		st_seal_buf_wipe(&request->out); /* a file may hold anything */
	}
	st_buf_fini(&request->out);
	st_buf_fini(&request->later);
	st_free(request);
	st_api_maybe_closed(api);
}

void st_api_reply(struct st_api_request *request, const struct st_http_reply *reply)
{
	st_exchange_reply(request->exchange, reply);
	st_api_request_free(request);
}

void st_api_reply_json(struct st_api_request *request, int status, const char *json)
{
	st_exchange_reply_json(request->exchange, status, json);
	st_api_request_free(request);
}

void st_api_problem(struct st_api_request *request, const struct st_http_problem *problem)
{
	st_exchange_problem(request->exchange, problem);
	st_api_request_free(request);
}

void st_api_fail_with(struct st_api_request *request, const struct st_diag *diag)
{
	struct st_http_problem problem = {
	    .status = st_answer_status(diag->code),
	    .type = st_err_name(diag->code),
	    .title = st_err_text(diag->code),
	    .detail = diag->text[0] != '\0' ? diag->text : NULL,
	    .pointer = diag->pointer,
	};
	if (problem.status == 401) {
		problem.headers = &who_are_you;
	} else if (problem.status == 403) {
		st_log(ST_LOG_INFO, "api.forbidden", "%s: %s %s: %s", request->actor.name,
		       st_exchange_method(request->exchange), st_exchange_path(request->exchange),
		       diag->text);
	} else if (problem.status == 503) {
		/* A store that failed stays so until somebody looks; a full queue does not. */
		problem.headers = diag->code == ST_ERR_BUSY ? &retry_soon : &no_retry;
		st_log(ST_LOG_ERROR, "api.unavailable", "%s: %s",
		       st_exchange_path(request->exchange), diag->text);
	}
	problem.n_headers = problem.headers != NULL ? 1 : 0;
	st_api_problem(request, &problem);
}

void st_api_refuse(struct st_api_request *request, enum st_err code, const char *format, ...)
{
	struct st_diag diag = {.code = code};
	va_list args;
	va_start(args, format);
	(void)vsnprintf(diag.text, sizeof diag.text, format, args);
	va_end(args);
	st_api_fail_with(request, &diag);
}

/* Taking requests */

/* A token in a URL ends up in logs, histories and Referer headers: it must not work at all. */
static bool has_token_in_url(const struct st_exchange *exchange)
{
	static const char *const names[] = {"token",  "access_token", "api_key",
					    "apikey", "key",	      "authorization"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (st_exchange_query(exchange, names[i]) != NULL) {
			return true;
		}
	}
	return false;
}

/* No such path, or no such method on it. */
static void refuse_path(struct st_api_request *request, const char *allow)
{
	const struct st_http_field field = {"Allow", allow};
	if (allow[0] == '\0') {
		st_api_refuse(request, ST_ERR_NOT_FOUND, "there is nothing at this path");
		return;
	}
	const struct st_http_problem problem = {
	    .status = 405,
	    .detail = "this path does not take this method",
	    .headers = &field,
	    .n_headers = 1,
	};
	st_api_problem(request, &problem);
}

static int admit(struct st_api_request *request, struct st_diag *diag)
{
	if (has_token_in_url(request->exchange)) {
		return st_fail(diag, ST_ERR_UNAUTHENTICATED,
			       "a token in the URL is not taken (it would end up in logs): send "
			       "Authorization: Bearer");
	}
	return st_api_authenticate(request->api, request->exchange, &request->actor, diag);
}

static void dispatch(struct st_api_request *request)
{
	const struct st_api_route *route = request->route;
	if (st_api_route_check_query(route, request->exchange, &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
	} else if (route->read != NULL) {
		st_api_read_start(request, route->read, st_api_read_reply);
	} else if (strcmp(route->method, "GET") == 0) {
		route->handle(request);
	} else {
		st_api_change(request);
	}
}

static void handle(void *arg, struct st_exchange *exchange)
{
	struct st_api_server *api = arg;
	char allow[64];
	struct st_api_request *request = st_alloc(sizeof *request);
	request->api = api;
	request->exchange = exchange;
	request->next = api->requests;
	api->requests = request;
	api->n_requests++;
	request->route = st_api_route_find(request, st_exchange_method(exchange),
					   st_exchange_path(exchange), allow);
	bool open = request->route != NULL && request->route->role == ST_API_OPEN;
	if (api->failed) {
		st_api_refuse(request, ST_ERR_UNAVAILABLE,
			      "the store failed: nothing is answered until the daemon is started "
			      "again");
		return;
	}
	if (!open && admit(request, &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	if (request->route == NULL) {
		refuse_path(request, allow);
		return;
	}
	if (!open && (int)request->actor.role < request->route->role) {
		st_api_refuse(request, ST_ERR_FORBIDDEN, "this takes the role %s, the token has %s",
			      st_role_name((enum st_role)request->route->role),
			      st_role_name(request->actor.role));
		return;
	}
	dispatch(request);
}

/* Coming up and going down */

static int open_reader(struct st_api_server *api, struct st_diag *diag)
{
	struct st_api_reader *reader = st_alloc(sizeof *reader);
	int err = st_reader_open(api->options.store_uri, &api->reader, diag);
	if (err == ST_OK) {
		err = st_reader_open(api->options.store_uri, &reader->reader, diag);
	}
	if (err != ST_OK) {
		st_free(reader);
		return err;
	}
	reader->next = api->idle_readers;
	api->idle_readers = reader;
	api->n_readers = 1;
	return ST_OK;
}

static void close_readers(struct st_api_server *api)
{
	while (api->idle_readers != NULL) {
		struct st_api_reader *reader = api->idle_readers;
		api->idle_readers = reader->next;
		st_reader_close(reader->reader);
		st_free(reader);
	}
	st_reader_close(api->reader);
}

int st_api_new(const struct st_api_options *options, struct st_api_server **out,
	       struct st_diag *diag)
{
	struct st_api_server *api = st_alloc(sizeof *api);
	const struct st_http_options http = {
	    .listen = options->listen,
	    .body_bytes_max = ST_JSON_BYTES_MAX,
	    .per_peer_max = PER_PEER_MAX,
	};
	const struct st_http_handler handler = {.handle = handle, .arg = api};
	api->options = *options;
	int err = open_reader(api, diag);
	if (err == ST_OK) {
		err = st_http_server_new(options->loop, &http, &handler, &api->server, diag);
	}
	if (err != ST_OK) {
		close_readers(api);
		st_free(api);
		return err;
	}
	(void)uv_timer_init(options->loop, &api->heartbeat);
	api->heartbeat.data = api;
	*out = api;
	return ST_OK;
}

const char *st_api_url(const struct st_api_server *api)
{
	return st_http_server_url(api->server);
}

void st_api_fail(struct st_api_server *api)
{
	api->failed = true;
	st_api_streams_end(api);
}

static void on_heartbeat_closed(uv_handle_t *handle)
{
	struct st_api_server *api = handle->data;
	void (*closed)(void *) = api->closed;
	void *arg = api->closed_arg;
	close_readers(api);
	st_api_tokens_forget(api);
	st_free(api);
	closed(arg);
}

void st_api_maybe_closed(struct st_api_server *api)
{
	if (api->server_closed && api->n_requests == 0 && api->n_exports == 0) {
		api->server_closed = false; /* once */
		uv_close((uv_handle_t *)&api->heartbeat, on_heartbeat_closed);
	}
}

static void on_server_closed(void *arg)
{
	struct st_api_server *api = arg;
	api->server = NULL;
	api->server_closed = true;
	st_api_maybe_closed(api);
}

void st_api_close(struct st_api_server *api, void (*closed)(void *arg), void *arg)
{
	assert(!api->closing);
	if (api->n_streams > 0) { /* the engine may be gone before the last stream is */
		st_engine_unwatch(api->options.engine, &api->watcher);
		(void)uv_timer_stop(&api->heartbeat);
	}
	api->closing = true;
	api->closed = closed;
	api->closed_arg = arg;
	st_api_streams_end(api);
	st_http_server_close(api->server, on_server_closed, api);
}
