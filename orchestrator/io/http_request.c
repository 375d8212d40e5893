/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/http_private.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "schemas/mem.h"

#define FRAMING_BYTES_FREE 16384 /* of chunk lines and trailers, and as much again ... */
#define FRAMING_PER_BYTE 8	 /* ... for each byte of data: one-byte chunks are legal */

/* Given twice, these could mean two things. */
static const char *const singletons[] = {
    "Host",	    "Authorization",	"Content-Length",
    "Content-Type", "Content-Encoding", "Transfer-Encoding",
    "Expect",	    "Idempotency-Key",	"Last-Event-ID",
    "Origin",	    "X-Api-Key",
};

static int refuse(struct st_conn *conn, int status, const char *why)
{
	conn->refusal = status;
	conn->refusal_why = why;
	return status;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
	struct st_exchange *exchange = ((struct st_conn *)parser->data)->exchange;
	if (exchange->target_text == NULL) {
		exchange->target_text = at;
	}
	exchange->target_len += len;
	return 0;
}

/* Only where a name begins is kept here: the head lies in one piece and has passed the lint, so
 * that split_headers can find the rest. */
static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
	struct st_conn *conn = parser->data;
	(void)len;
	if (!conn->head_done) {
		struct st_exchange *exchange = conn->exchange;
		assert(exchange->n_headers < conn->lint.headers);
		exchange->headers[exchange->n_headers++].name = at;
	}
	return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct st_conn *conn = parser->data;
	if (len > conn->body_bytes_max - conn->exchange->body.len) {
		(void)refuse(conn, 413, "the request body is too large");
		return -1;
	}
	st_buf_add(&conn->exchange->body, at, len);
	return 0;
}

/* A chunk that would be too much is refused when it is announced, not when it has come. */
static int on_chunk_header(llhttp_t *parser)
{
	struct st_conn *conn = parser->data;
	if (parser->content_length > conn->body_bytes_max - conn->exchange->body.len) {
		(void)refuse(conn, 413, "the request body is too large");
		return -1;
	}
	return 0;
}

static int on_message_complete(llhttp_t *parser)
{
	((struct st_conn *)parser->data)->complete = true;
	return HPE_PAUSED;
}

static void split_headers(struct st_exchange *exchange)
{
	exchange->head[exchange->target_text - exchange->head + (ptrdiff_t)exchange->target_len] =
	    '\0';
	for (size_t i = 0; i < exchange->n_headers; i++) {
		char *name = exchange->head + (exchange->headers[i].name - exchange->head);
		char *value = strchr(name, ':');
		assert(value != NULL);
		*value++ = '\0';
		value += strspn(value, " \t");
		char *end = strchr(value, '\r');
		assert(end != NULL);
		while (end > value && (end[-1] == ' ' || end[-1] == '\t')) {
			end--;
		}
		*end = '\0';
		exchange->headers[i].value = value;
	}
}

static int check_method(struct st_conn *conn)
{
	static const char *const methods[] = {"GET",   "HEAD",	 "POST",   "PUT",
					      "PATCH", "DELETE", "OPTIONS"};
	struct st_exchange *exchange = conn->exchange;
	const char *name = llhttp_method_name(conn->parser.method);
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		if (strcmp(name, methods[i]) == 0) {
			memcpy(exchange->method, name, strlen(name) + 1);
			exchange->is_head = strcmp(name, "HEAD") == 0;
			return 0;
		}
	}
	return refuse(conn, 405, "this method is not offered");
}

static int check_singletons(struct st_conn *conn)
{
	const struct st_exchange *exchange = conn->exchange;
	for (size_t i = 0; i < sizeof singletons / sizeof singletons[0]; i++) {
		unsigned seen = 0;
		for (size_t j = 0; j < exchange->n_headers; j++) {
			seen += strcasecmp(exchange->headers[j].name, singletons[i]) == 0;
		}
		if (seen > 1) {
			return refuse(conn, 400, "a header is given twice that may be given once");
		}
	}
	return 0;
}

static int check_host(struct st_conn *conn)
{
	const struct st_http_server *server = conn->server;
	const char *host = st_exchange_header(conn->exchange, "Host");
	if (host == NULL) {
		return refuse(conn, 400, "the Host header is missing");
	}
	const char *authority = conn->exchange->target.authority;
	const char *const *extra = server->options.hosts;
	if (server->is_unix ||
	    (st_http_host_allowed(host, server->port, extra) &&
	     (authority == NULL || st_http_host_allowed(authority, server->port, extra)))) {
		return 0;
	}
	return refuse(conn, 421, "this server does not answer for that Host");
}

static int check_body(struct st_conn *conn)
{
	const struct st_exchange *exchange = conn->exchange;
	const char *coding = st_exchange_header(exchange, "Transfer-Encoding");
	if (coding != NULL && exchange->http10) {
		return refuse(conn, 400, "HTTP/1.0 has no Transfer-Encoding");
	}
	if (coding != NULL && strcasecmp(coding, "chunked") != 0) {
		return refuse(conn, 400, "the only Transfer-Encoding understood is chunked");
	}
	const char *encoding = st_exchange_header(exchange, "Content-Encoding");
	if (encoding != NULL && strcasecmp(encoding, "identity") != 0) {
		return refuse(conn, 415, "send the request body without Content-Encoding");
	}
	const char *expect = st_exchange_header(exchange, "Expect");
	if (expect != NULL && strcasecmp(expect, "100-continue") != 0) {
		return refuse(conn, 417, "the only expectation understood is 100-continue");
	}
	const struct st_http_server *server = conn->server;
	conn->body_bytes_max = server->handler.body_bytes_max != NULL
				   ? server->handler.body_bytes_max(server->handler.arg, exchange)
				   : server->options.body_bytes_max;
	if (coding == NULL && conn->parser.content_length > conn->body_bytes_max) {
		return refuse(conn, 413, "the request body is too large");
	}
	return 0;
}

static int check_target(struct st_conn *conn)
{
	struct st_exchange *exchange = conn->exchange;
	int status =
	    st_http_target_parse(exchange->target_text, exchange->target_len, &exchange->target);
	return status == 0 ? 0 : refuse(conn, status, exchange->target.why);
}

static int on_headers_complete(llhttp_t *parser)
{
	static int (*const checks[])(struct st_conn * conn) = {
	    check_method, check_singletons, check_target, check_host, check_body,
	};
	struct st_conn *conn = parser->data;
	struct st_exchange *exchange = conn->exchange;
	conn->head_done = true;
	exchange->http10 = parser->http_minor == 0;
	conn->keep = llhttp_should_keep_alive(parser) != 0;
	parser->upgrade = 0; /* offers to change the protocol are not taken up */
	split_headers(exchange);
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
		if (checks[i](conn) != 0) {
			return -1;
		}
	}
	return 0;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_message_complete = on_message_complete,
};

/* 0 when the parser wants more or is at the end of the message. */
static int outcome(struct st_conn *conn, llhttp_errno_t error)
{
	if (error == HPE_OK || (error == HPE_PAUSED && conn->complete)) {
		return 0;
	}
	if (conn->refusal != 0) {
		return conn->refusal;
	}
	if (error == HPE_INVALID_METHOD) {
		return refuse(conn, 501, "unknown method");
	}
	const char *reason = llhttp_get_error_reason(&conn->parser);
	return refuse(conn, 400, reason != NULL ? reason : "malformed request");
}

static void invite_body(struct st_conn *conn)
{
	const struct st_exchange *exchange = conn->exchange;
	if (st_exchange_header(exchange, "Expect") != NULL && !exchange->http10 &&
	    !conn->complete && conn->in_at == conn->in.len) {
		static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
		uv_buf_t buf = uv_buf_init(text, sizeof text - 1);
		st_conn_write(conn, &buf, 1);
	}
}

int st_request_begin(struct st_conn *conn, const char *head, size_t len)
{
	assert(conn->exchange == NULL);
	struct st_exchange *exchange = st_alloc(sizeof *exchange);
	exchange->conn = conn;
	exchange->head = st_strndup(head, len);
	exchange->headers = st_alloc_array(conn->lint.headers, sizeof exchange->headers[0]);
	conn->exchange = exchange;
	conn->head_done = false;
	conn->complete = false;
	conn->refusal = 0;
	conn->framing_bytes = 0;
	llhttp_init(&conn->parser, HTTP_REQUEST, &settings);
	conn->parser.data = conn;
	int status = outcome(conn, llhttp_execute(&conn->parser, exchange->head, len));
	if (status == 0 && !conn->head_done) {
		/* The lint and llhttp disagree about where the head ends. */
		status = refuse(conn, 400, "malformed request head");
	}
	if (status == 0) {
		invite_body(conn);
	}
	return status;
}

int st_request_body(struct st_conn *conn)
{
	const char *data = conn->in.data + conn->in_at;
	size_t len = conn->in.len - conn->in_at;
	if (len == 0) {
		return 0;
	}
	size_t had = conn->exchange->body.len;
	llhttp_errno_t error = llhttp_execute(&conn->parser, data, len);
	int status = outcome(conn, error);
	if (status != 0) {
		return status;
	}
	size_t used =
	    error == HPE_PAUSED ? (size_t)(llhttp_get_error_pos(&conn->parser) - data) : len;
	assert(used <= len);
	conn->in_at += used;
	size_t body_len = conn->exchange->body.len;
	conn->framing_bytes += used - (body_len - had);
	if (conn->framing_bytes > FRAMING_BYTES_FREE + FRAMING_PER_BYTE * body_len) {
		return refuse(conn, 400, "the chunked body is nearly all framing");
	}
	return 0;
}
