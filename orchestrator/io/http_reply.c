/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/http_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "schemas/mem.h"

#define STATUS_X(X)                                                                                \
	X(200, "OK")                                                                               \
	X(201, "Created")                                                                          \
	X(202, "Accepted")                                                                         \
	X(204, "No Content")                                                                       \
	X(301, "Moved Permanently")                                                                \
	X(302, "Found")                                                                            \
	X(303, "See Other")                                                                        \
	X(304, "Not Modified")                                                                     \
	X(307, "Temporary Redirect")                                                               \
	X(308, "Permanent Redirect")                                                               \
	X(400, "Bad Request")                                                                      \
	X(401, "Unauthorized")                                                                     \
	X(402, "Payment Required")                                                                 \
	X(403, "Forbidden")                                                                        \
	X(404, "Not Found")                                                                        \
	X(405, "Method Not Allowed")                                                               \
	X(406, "Not Acceptable")                                                                   \
	X(408, "Request Timeout")                                                                  \
	X(409, "Conflict")                                                                         \
	X(410, "Gone")                                                                             \
	X(411, "Length Required")                                                                  \
	X(412, "Precondition Failed")                                                              \
	X(413, "Content Too Large")                                                                \
	X(414, "URI Too Long")                                                                     \
	X(415, "Unsupported Media Type")                                                           \
	X(417, "Expectation Failed")                                                               \
	X(421, "Misdirected Request")                                                              \
	X(422, "Unprocessable Content")                                                            \
	X(428, "Precondition Required")                                                            \
	X(429, "Too Many Requests")                                                                \
	X(431, "Request Header Fields Too Large")                                                  \
	X(500, "Internal Server Error")                                                            \
	X(501, "Not Implemented")                                                                  \
	X(502, "Bad Gateway")                                                                      \
	X(503, "Service Unavailable")                                                              \
	X(504, "Gateway Timeout")                                                                  \
	X(505, "HTTP Version Not Supported")                                                       \
	X(529, "Overloaded")

#define CLOSED_CSP "default-src 'none'; frame-ancestors 'none'"

static const char *status_text(int status)
{
	switch (status) {
#define X(code, text)                                                                              \
	case code:                                                                                 \
		return text;
		STATUS_X(X)
#undef X
	default:
		return "Unknown";
	}
}

/* How a client knows where the answer ends. */
enum framing { FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE, FRAMING_NONE };

static const char *date_text(struct st_http_server *server)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct timespec now = {0};
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != server->date_s) {
		server->date_s = now.tv_sec;
		struct tm tm = {0};
		(void)gmtime_r(&now.tv_sec, &tm);
		(void)snprintf(
		    server->date, sizeof server->date, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
		    days + (ptrdiff_t)3 * tm.tm_wday, tm.tm_mday, months + (ptrdiff_t)3 * tm.tm_mon,
		    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	}
	return server->date;
}

static void add_field(struct st_buf *head, const char *name, const char *value)
{
	st_buf_add_text(head, name);
	st_buf_add(head, ": ", 2);
	size_t from = head->len;
	st_buf_add_text(head, value);
	for (size_t i = from; i < head->len; i++) {
		unsigned char c = (unsigned char)head->data[i];
		if (c < 0x20 || c == 0x7f) {
			head->data[i] = ' ';
		}
	}
	st_buf_add(head, "\r\n", 2);
}

static bool has_field(const struct st_http_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->n_headers; i++) {
		if (strcasecmp(reply->headers[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static void add_security(struct st_buf *head, const struct st_http_reply *reply)
{
	st_buf_add_text(head, "X-Content-Type-Options: nosniff\r\n"
			      "X-Frame-Options: DENY\r\n"
			      "Cross-Origin-Resource-Policy: same-origin\r\n"
			      "Referrer-Policy: no-referrer\r\n");
	if (!has_field(reply, "Cache-Control")) {
		add_field(head, "Cache-Control", "no-store");
	}
	if (!has_field(reply, "Content-Security-Policy")) {
		add_field(head, "Content-Security-Policy", CLOSED_CSP);
	}
}

static void add_framing(struct st_buf *head, enum framing framing, uint64_t len)
{
	switch (framing) {
	case FRAMING_LENGTH:
		st_buf_addf(head, "Content-Length: %llu\r\n", (unsigned long long)len);
		return;
	case FRAMING_CHUNKED:
		st_buf_add_text(head, "Transfer-Encoding: chunked\r\n");
		return;
	case FRAMING_CLOSE:
	case FRAMING_NONE:
		return;
	}
}

/* The head of an answer, in the server's scratch buffer. */
static uv_buf_t make_head(struct st_conn *conn, const struct st_http_reply *reply,
			  enum framing framing, uint64_t len)
{
	assert(reply->status >= 200 && reply->status <= 999);
	struct st_buf *head = &conn->server->scratch;
	st_buf_clear(head);
	st_buf_addf(head, "HTTP/1.1 %d %s\r\nDate: %s\r\n", reply->status,
		    status_text(reply->status), date_text(conn->server));
	if (reply->content_type != NULL) {
		add_field(head, "Content-Type", reply->content_type);
	}
	add_framing(head, framing, len);
	if (!conn->keep) {
		st_buf_add_text(head, "Connection: close\r\n");
	} else if (conn->exchange != NULL && conn->exchange->http10) {
		st_buf_add_text(head, "Connection: keep-alive\r\n");
	}
	add_security(head, reply);
	for (size_t i = 0; i < reply->n_headers; i++) {
		add_field(head, reply->headers[i].name, reply->headers[i].value);
	}
	st_buf_add(head, "\r\n", 2);
	return uv_buf_init(head->data, (unsigned)head->len);
}

static uv_buf_t borrow(const char *bytes, size_t len)
{
	/* uv_buf_t has no const; what is written is not changed. */
	return (uv_buf_t){.base = (char *)(uintptr_t)bytes, .len = len};
}

static void send_whole(struct st_conn *conn, const struct st_http_reply *reply, bool is_head)
{
	conn->keep = conn->keep && !reply->close && !conn->server->closing;
	bool bodiless = reply->status == 204 || reply->status == 304;
	enum framing framing = bodiless ? FRAMING_NONE : FRAMING_LENGTH;
	uv_buf_t bufs[2] = {make_head(conn, reply, framing, reply->body_len),
			    borrow(reply->body, reply->body_len)};
	bool with_body = !bodiless && !is_head && reply->body_len > 0;
	st_conn_write(conn, bufs, with_body ? 2 : 1);
}

/* Parts the exchange from its connection; NULL when nobody can be written to. */
static struct st_conn *detach(struct st_exchange *exchange)
{
	struct st_conn *conn = exchange->conn;
	if (conn != NULL) {
		assert(conn->exchange == exchange);
		conn->exchange = NULL;
		exchange->conn = NULL;
	}
	return conn != NULL && conn->state != ST_CONN_CLOSED ? conn : NULL;
}

void st_exchange_reply(struct st_exchange *exchange, const struct st_http_reply *reply)
{
	struct st_conn *conn = exchange->conn;
	if (conn != NULL && conn->state != ST_CONN_CLOSED) {
		assert(conn->state == ST_CONN_HANDLING);
		send_whole(conn, reply, exchange->is_head);
	}
	conn = detach(exchange);
	/* The reply may borrow from the exchange: it is freed only now. */
	st_exchange_free(exchange);
	if (conn != NULL) {
		st_conn_replied(conn, conn->keep);
	}
}

void st_exchange_reply_json(struct st_exchange *exchange, int status, const char *json)
{
	st_exchange_reply(exchange, &(struct st_http_reply){.status = status,
							    .content_type = "application/json",
							    .body = json,
							    .body_len = strlen(json)});
}

/* --- problems --- */

static void add_text_member(struct st_buf *json, const char *name, const char *text)
{
	if (text == NULL) {
		return;
	}
	st_buf_addf(json, ",\"%s\":", name);
	size_t len = strlen(text);
	if (st_http_utf8_valid(text, len)) {
		st_buf_add_json_string(json, text, len);
		return;
	}
	char *ascii = st_strndup(text, len);
	for (size_t i = 0; i < len; i++) {
		ascii[i] = (ascii[i] & 0x80) != 0 ? '?' : ascii[i];
	}
	st_buf_add_json_string(json, ascii, len);
	st_free(ascii);
}

static void make_problem(struct st_buf *json, const struct st_http_problem *problem)
{
	st_buf_add_text(json, "{\"type\":\"urn:stint:problem:");
	for (const char *p = problem->type != NULL ? problem->type : status_text(problem->status);
	     *p != '\0'; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
		bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		st_buf_add_char(json, plain ? c : '-');
	}
	st_buf_add_char(json, '"');
	add_text_member(json, "title",
			problem->title != NULL ? problem->title : status_text(problem->status));
	st_buf_addf(json, ",\"status\":%d", problem->status);
	add_text_member(json, "detail", problem->detail);
	if (problem->pointer != NULL && problem->pointer[0] != '\0') {
		add_text_member(json, "pointer", problem->pointer);
	}
	if (problem->verdict != NULL) {
		st_buf_add_text(json, ",\"verdict\":");
		st_buf_add_text(json, problem->verdict);
	}
	if (problem->halt != NULL) {
		st_buf_add_text(json, ",\"halt\":");
		st_buf_add_text(json, problem->halt);
	}
	st_buf_add_char(json, '}');
}

static struct st_http_reply problem_reply(const struct st_http_problem *problem,
					  const struct st_buf *json)
{
	return (struct st_http_reply){.status = problem->status,
				      .content_type = "application/problem+json",
				      .headers = problem->headers,
				      .n_headers = problem->n_headers,
				      .body = json->data,
				      .body_len = json->len};
}

void st_exchange_problem(struct st_exchange *exchange, const struct st_http_problem *problem)
{
	struct st_buf json = {0};
	make_problem(&json, problem);
	struct st_http_reply reply = problem_reply(problem, &json);
	st_exchange_reply(exchange, &reply);
	st_buf_fini(&json);
}

void st_conn_refuse(struct st_conn *conn, int status, const char *why)
{
	static const struct st_http_field allow = {"Allow",
						   "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"};
	static const struct st_http_field later = {"Retry-After", "1"};
	bool is_head = conn->exchange != NULL && conn->exchange->is_head;
	struct st_http_problem problem = {.status = status, .detail = why};
	if (status == 405) {
		problem.headers = &allow;
	} else if (status == 503 || status == 429) {
		problem.headers = &later;
	}
	problem.n_headers = problem.headers != NULL ? 1 : 0;
	conn->server->stats.refused++;
	conn->keep = false;
	struct st_buf json = {0};
	make_problem(&json, &problem);
	struct st_http_reply reply = problem_reply(&problem, &json);
	send_whole(conn, &reply, is_head);
	st_buf_fini(&json);
	if (conn->state != ST_CONN_CLOSED) {
		st_exchange_free(conn->exchange);
		conn->exchange = NULL;
		st_conn_replied(conn, false);
	}
}

/* --- streams --- */

void st_exchange_stream_begin(struct st_exchange *exchange, const struct st_http_reply *reply)
{
	assert(reply->body_len == 0);
	struct st_conn *conn = exchange->conn;
	if (conn == NULL || conn->state == ST_CONN_CLOSED) {
		return;
	}
	bool sized = reply->stream_len > 0;
	exchange->chunked = !sized && !exchange->http10;
	enum framing framing = sized		   ? FRAMING_LENGTH
			       : exchange->chunked ? FRAMING_CHUNKED
						   : FRAMING_CLOSE;
	conn->keep = conn->keep && !reply->close && framing != FRAMING_CLOSE;
	st_conn_move(conn, ST_CONN_STREAMING);
	uv_buf_t head = make_head(conn, reply, framing, sized ? (uint64_t)reply->stream_len : 0);
	st_conn_write(conn, &head, 1);
}

int st_exchange_stream_write(struct st_exchange *exchange, const void *bytes, size_t len)
{
	struct st_conn *conn = exchange->conn;
	if (conn == NULL || conn->state == ST_CONN_CLOSED) {
		return ST_ERR_NET;
	}
	assert(conn->state == ST_CONN_STREAMING);
	if (exchange->is_head || len == 0) {
		return ST_OK;
	}
	if (st_exchange_stream_queued(exchange) > conn->server->options.queue_bytes_max) {
		conn->server->stats.dropped++;
		st_conn_reset(conn);
		return ST_ERR_NET;
	}
	char size[24];
	int size_len = snprintf(size, sizeof size, "%zx\r\n", len);
	uv_buf_t bufs[3] = {borrow(size, (size_t)size_len), borrow(bytes, len), borrow("\r\n", 2)};
	if (exchange->chunked) {
		st_conn_write(conn, bufs, 3);
	} else {
		st_conn_write(conn, bufs + 1, 1);
	}
	return conn->state == ST_CONN_CLOSED ? ST_ERR_NET : ST_OK;
}

void st_exchange_stream_end(struct st_exchange *exchange)
{
	struct st_conn *conn = exchange->conn;
	if (conn != NULL && conn->state != ST_CONN_CLOSED && exchange->chunked &&
	    !exchange->is_head) {
		uv_buf_t last = borrow("0\r\n\r\n", 5);
		st_conn_write(conn, &last, 1);
	}
	conn = detach(exchange);
	st_exchange_free(exchange);
	if (conn != NULL) {
		st_conn_replied(conn, conn->keep);
	}
}

size_t st_exchange_stream_queued(const struct st_exchange *exchange)
{
	const struct st_conn *conn = exchange->conn;
	return conn != NULL && conn->state != ST_CONN_CLOSED
		   ? uv_stream_get_write_queue_size(&conn->io.stream)
		   : 0;
}

void st_exchange_abort(struct st_exchange *exchange)
{
	struct st_conn *conn = detach(exchange);
	st_exchange_free(exchange);
	if (conn != NULL) {
		st_conn_reset(conn);
	}
}

void st_exchange_raw(struct st_exchange *exchange, const void *bytes, size_t len, bool end)
{
	struct st_conn *conn = exchange->conn;
	if (conn != NULL && conn->state != ST_CONN_CLOSED) {
		uv_buf_t buf = borrow(bytes, len);
		st_conn_write(conn, &buf, 1);
	}
	if (!end) {
		return;
	}
	conn = detach(exchange);
	st_exchange_free(exchange);
	if (conn != NULL) {
		st_conn_replied(conn, false);
	}
}
