/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/client.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "orchestrator/io/clock.h"
#include "schemas/id.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/io/http.h"

#define CONNECT_MS 5000
#define ANSWER_MS 60000
#define STREAM_IDLE_MS 45000		      /* the server says something every 15 s */
#define STREAM_MS (INT64_C(7) * 86400 * 1000) /* then it is asked for again */
#define BODY_BYTES_MAX (64 * 1024 * 1024)
#define STREAM_BYTES_MAX ((size_t)1 << 40)

struct st_client {
	uv_loop_t loop;
	struct st_http_client *http;
	char *url;	 /* what the person gave, for messages */
	char *base;	 /* "http://host:port" */
	char *unix_path; /* or NULL */
	char *token;	 /* or NULL */
};

static int take_url(struct st_client *client, const char *url, struct st_diag *diag)
{
	size_t len = strlen(url);
	client->url = st_strdup(url);
	if (strncmp(url, "unix:", 5) == 0 && url[5] != '\0') {
		client->unix_path = st_strdup(url + 5);
		client->base = st_strdup("http://localhost");
		return ST_OK;
	}
	while (len > 0 && url[len - 1] == '/') {
		len--;
	}
	if (strncmp(url, "http://", 7) != 0 || len <= 7 || strpbrk(url, " ?#@\r\n\t") != NULL) {
		return st_fail(diag, ST_ERR_INVALID,
			       "the server's URL is http://127.0.0.1:PORT or unix:PATH, not %.120s",
			       url);
	}
	client->base = st_strndup(url, len);
	return ST_OK;
}

static int take_token(struct st_client *client, const char *token, struct st_diag *diag)
{
	for (const char *p = token; p != NULL && *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~') {
			return st_fail(diag, ST_ERR_INVALID,
				       "the token holds characters that no token has; check "
				       "STINT_TOKEN for blanks and line ends");
		}
	}
	client->token = token != NULL && token[0] != '\0' ? st_strdup(token) : NULL;
	return ST_OK;
}

int st_client_new(const char *url, const char *token, struct st_client **out, struct st_diag *diag)
{
	const struct st_http_options options = {.user_agent = "stint-cli"};
	struct st_client *client = st_alloc(sizeof *client);
	(void)uv_loop_init(&client->loop);
	int err = take_url(client, url, diag);
	if (err == ST_OK) {
		err = take_token(client, token, diag);
	}
	if (err == ST_OK) {
		err = st_http_client_new(&client->loop, &options, &client->http, diag);
	}
	if (err != ST_OK) {
		st_client_free(client);
		return err;
	}
	*out = client;
	return ST_OK;
}

static void on_closed(void *arg)
{
	(void)arg; /* the loop ends by itself */
}

void st_client_free(struct st_client *client)
{
	if (client == NULL) {
		return;
	}
	if (client->http != NULL) {
		st_http_client_close(client->http, on_closed, NULL);
	}
	(void)uv_run(&client->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&client->loop);
	st_free(client->url);
	st_free(client->base);
	st_free(client->unix_path);
	st_free(client->token);
	st_free(client);
}

void st_client_escape(struct st_buf *out, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (isalnum(*p) || strchr("-._~", *p) != NULL) {
			st_buf_add_char(out, (char)*p);
		} else {
			st_buf_addf(out, "%%%02X", *p);
		}
	}
}

/* One call under way. */
struct exchange {
	struct st_http_response response;
	bool done;
	struct st_http_call *call;
	const struct st_client_stream *stream;
	struct st_buf body; /* of a stream that was refused */
	bool enough;
};

static void on_done(void *arg, struct st_http_response *response)
{
	struct exchange *exchange = arg;
	exchange->response = *response;
	*response = (struct st_http_response){0};
	exchange->done = true;
	exchange->call = NULL;
}

static void on_bytes(void *arg, const char *bytes, size_t len)
{
	struct exchange *exchange = arg;
	int status = st_http_tapped_status(exchange->call);
	if (status < 200 || status > 299) {
		st_buf_add(&exchange->body, bytes, len);
	} else if (!exchange->enough && exchange->stream->see(exchange->stream->arg, bytes, len)) {
		exchange->enough = true;
		st_http_abort(exchange->call);
	}
}

static void add_headers(const struct st_client *client, const struct st_client_request *request,
			struct st_http_request *http)
{
	char made[ST_ID_TEXT_MAX];
	const char *key = request->key;
	if (client->token != NULL) {
		struct st_buf bearer = {0};
		st_buf_addf(&bearer, "Bearer %s", client->token);
		(void)st_http_request_header(http, "Authorization", bearer.data);
		st_buf_fini(&bearer);
	}
	if (key == NULL && strcmp(request->method, "GET") != 0) {
		struct st_id_source ids = {.now = st_clock_now()};
		st_clock_random(ids.random, 2);
		key = st_id_format(st_id_next(&ids), "cli_", made);
	}
	if (key != NULL) {
		(void)st_http_request_header(http, "Idempotency-Key", key);
	}
	if (request->body != NULL) {
		(void)st_http_request_header(http, "Content-Type", "application/json");
	}
	if (request->last_event_id != NULL) {
		(void)st_http_request_header(http, "Accept", "text/event-stream");
		(void)st_http_request_header(http, "Last-Event-ID", request->last_event_id);
	}
}

static void make_request(const struct st_client *client, const struct st_client_request *request,
			 bool streams, struct st_http_request *http)
{
	struct st_buf url = {0};
	*http = (struct st_http_request){
	    .connect_ms = CONNECT_MS,
	    .idle_ms = streams ? STREAM_IDLE_MS : ANSWER_MS,
	    .total_ms = streams ? STREAM_MS : ANSWER_MS,
	    .response_bytes_max = streams ? STREAM_BYTES_MAX : BODY_BYTES_MAX,
	};
	(void)snprintf(http->method, sizeof http->method, "%s", request->method);
	st_buf_addf(&url, "%s%s", client->base, request->path);
	http->url = st_buf_take(&url);
	http->body = st_strdup(request->body);
	http->body_len = request->body != NULL ? strlen(request->body) : 0;
	add_headers(client, request, http);
}

static enum st_err failure_of(int status)
{
	static const struct {
		int status;
		enum st_err code;
	} known[] = {
	    {400, ST_ERR_INVALID},   {401, ST_ERR_UNAUTHENTICATED}, {402, ST_ERR_FORBIDDEN},
	    {403, ST_ERR_FORBIDDEN}, {404, ST_ERR_NOT_FOUND},	    {408, ST_ERR_TIMEOUT},
	    {409, ST_ERR_CONFLICT},  {413, ST_ERR_TOO_LARGE},	    {422, ST_ERR_CONFLICT},
	    {429, ST_ERR_FORBIDDEN},
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (known[i].status == status) {
			return known[i].code;
		}
	}
	return status >= 500 ? ST_ERR_UNAVAILABLE : ST_ERR_INVALID;
}

static int tell_problem(const struct st_client *client, int status, const char *body,
			struct st_diag *diag)
{
	json_t *problem = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	const char *title = json_string_value(json_object_get(problem, "title"));
	const char *pointer = json_string_value(json_object_get(problem, "pointer"));
	enum st_err code = failure_of(status);
	const char *text = detail != NULL ? detail : title;
	if (problem == NULL || text == NULL) {
		(void)st_fail(diag, code,
			      "%s answered %d, not like a stint server; check STINT_URL",
			      client->url, status);
	} else if (code == ST_ERR_UNAUTHENTICATED && client->token == NULL) {
		(void)st_fail(diag, code, "%s; give a token with STINT_TOKEN", text);
	} else {
		(void)st_fail_at(diag, code, pointer, "%s", text);
	}
	json_decref(problem);
	return code;
}

static int judge(const struct st_client *client, const struct exchange *exchange,
		 struct st_diag *diag)
{
	const struct st_http_response *r = &exchange->response;
	const char *body = exchange->body.data != NULL ? exchange->body.data : r->body;
	if (exchange->enough) {
		return ST_OK;
	}
	if (r->transport == ST_TRANSPORT_NOT_SENT) {
		return st_fail(diag, ST_ERR_UNAVAILABLE,
			       "no server at %s: %s; is stint serve running?", client->url,
			       r->error);
	}
	if (r->transport != ST_TRANSPORT_ANSWERED) {
		return st_fail(diag, ST_ERR_NET, "%s gave no whole answer: %s", client->url,
			       r->error);
	}
	if (r->status < 200 || r->status > 299) {
		return tell_problem(client, r->status, body != NULL ? body : "", diag);
	}
	return ST_OK;
}

static int exchange_with(struct st_client *client, const struct st_client_request *request,
			 struct exchange *exchange, struct st_diag *diag)
{
	struct st_http_request http;
	make_request(client, request, exchange->stream != NULL, &http);
	exchange->call =
	    st_http_send_local(client->http, client->unix_path, &http, on_done, exchange);
	if (exchange->stream != NULL) {
		st_http_tap(exchange->call, on_bytes, exchange);
	}
	while (!exchange->done) {
		(void)uv_run(&client->loop, UV_RUN_ONCE);
	}
	return judge(client, exchange, diag);
}

int st_client_call(struct st_client *client, const struct st_client_request *request,
		   struct st_buf *out, struct st_diag *diag)
{
	struct exchange exchange = {0};
	int err = exchange_with(client, request, &exchange, diag);
	if (err == ST_OK && exchange.response.body != NULL) {
		st_buf_add(out, exchange.response.body, exchange.response.body_len);
	}
	st_http_response_fini(&exchange.response);
	return err;
}

int st_client_stream(struct st_client *client, const struct st_client_request *request,
		     const struct st_client_stream *stream, struct st_diag *diag)
{
	struct exchange exchange = {.stream = stream};
	int err = exchange_with(client, request, &exchange, diag);
	st_http_response_fini(&exchange.response);
	st_buf_fini(&exchange.body);
	return err;
}
