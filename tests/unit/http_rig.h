/* SPDX-License-Identifier: Apache-2.0 */
/* How does a test talk to the HTTP server of its own process? A loop, a server with a few paths,
 * and raw sockets that are pumped together with the loop. */
#ifndef ST_TESTS_UNIT_HTTP_RIG_H
#define ST_TESTS_UNIT_HTTP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "orchestrator/io/http_exchange.h"
#include "orchestrator/io/http_server.h"
#include "schemas/buf.h"
#include "schemas/mem.h"

#define RIG_PENDING_MAX 256
#define RIG_TURNS_MAX 200000

struct rig {
	uv_loop_t loop;
	struct st_http_server *server;
	struct st_exchange *pending[RIG_PENDING_MAX]; /* of /later and /sse, in order */
	size_t n_pending;
	size_t handled;
	size_t gone;
	size_t drained;
	bool closed;
};

static inline void rig_gone(void *arg)
{
	((struct rig *)arg)->gone++;
}

static inline void rig_echo(struct st_exchange *exchange)
{
	struct st_buf text = {0};
	size_t body_len = 0;
	const char *body = st_exchange_body(exchange, &body_len);
	const char *q = st_exchange_query(exchange, "q");
	st_buf_addf(&text, "%s %s q=%s len=%zu body=", st_exchange_method(exchange),
		    st_exchange_path(exchange), q != NULL ? q : "-", body_len);
	st_buf_add(&text, body, body_len < 64 ? body_len : 64);
	st_exchange_reply(exchange, &(struct st_http_reply){.status = 200,
							    .content_type = "text/plain",
							    .body = text.data,
							    .body_len = text.len});
	st_buf_fini(&text);
}

static inline void rig_big(struct st_exchange *exchange)
{
	size_t len = (size_t)8 << 20;
	char *body = st_alloc(len);
	memset(body, 'x', len);
	st_exchange_reply(exchange,
			  &(struct st_http_reply){.status = 200, .body = body, .body_len = len});
	st_free(body);
}

static inline void rig_handle(void *arg, struct st_exchange *exchange)
{
	struct rig *rig = arg;
	const char *path = st_exchange_path(exchange);
	rig->handled++;
	if (strcmp(path, "/later") == 0 || strcmp(path, "/sse") == 0) {
		assert_true(rig->n_pending < RIG_PENDING_MAX);
		rig->pending[rig->n_pending++] = exchange;
		(void)st_exchange_on_close(exchange, rig_gone, rig);
		if (path[1] == 's') {
			st_exchange_stream_begin(
			    exchange, &(struct st_http_reply){.status = 200,
							      .content_type = "text/event-stream"});
		}
	} else if (strcmp(path, "/big") == 0) {
		rig_big(exchange);
	} else if (strcmp(path, "/none") == 0) {
		st_exchange_reply(exchange, &(struct st_http_reply){.status = 204});
	} else {
		rig_echo(exchange);
	}
}

static inline void rig_open(struct rig *rig, struct st_http_options options)
{
	(void)signal(SIGPIPE, SIG_IGN);
	memset(rig, 0, sizeof *rig);
	assert_int_equal(uv_loop_init(&rig->loop), 0);
	if (options.listen == NULL) {
		options.listen = "127.0.0.1:0";
	}
	struct st_diag diag = {0};
	struct st_http_handler handler = {.handle = rig_handle, .arg = rig};
	int status = st_http_server_new(&rig->loop, &options, &handler, &rig->server, &diag);
	if (status != 0) {
		print_error("%s\n", diag.text);
	}
	assert_int_equal(status, 0);
}

static inline void rig_closed(void *arg)
{
	((struct rig *)arg)->closed = true;
}

static inline void rig_finish(struct rig *rig)
{
	if (!rig->closed) {
		st_http_server_close(rig->server, rig_closed, rig);
	}
	assert_int_equal(uv_run(&rig->loop, UV_RUN_DEFAULT), 0);
	assert_true(rig->closed);
	assert_int_equal(uv_loop_close(&rig->loop), 0);
}

/* One turn: waits until the loop or the client's socket (-1: none) has something, at most 1 s. */
static inline void rig_turn(struct rig *rig, int fd)
{
	int timeout = uv_backend_timeout(&rig->loop);
	timeout = timeout < 0 || timeout > 1000 ? 1000 : timeout;
	struct pollfd fds[2] = {{.fd = uv_backend_fd(&rig->loop), .events = POLLIN},
				{.fd = fd, .events = POLLIN}};
	(void)poll(fds, 2, timeout);
	(void)uv_run(&rig->loop, UV_RUN_NOWAIT);
}

static inline int rig_connect(const struct rig *rig)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)st_http_server_port(rig->server)),
				 .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

/* Sends all of it, letting the server read meanwhile; stops when the peer has closed. */
static inline void rig_send(struct rig *rig, int fd, const char *bytes, size_t len)
{
	size_t sent = 0;
	for (int turns = 0; sent < len; turns++) {
		assert_true(turns < RIG_TURNS_MAX);
		ssize_t n = send(fd, bytes + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			sent += (size_t)n;
		} else if (errno != EAGAIN) {
			return;
		}
		(void)uv_run(&rig->loop, UV_RUN_NOWAIT);
	}
}

/* How long the first whole answer in text is, by its own framing; 0 while it is incomplete. */
static inline size_t rig_answer_len(const struct st_buf *in, bool is_head)
{
	const char *end = in->data != NULL ? strstr(in->data, "\r\n\r\n") : NULL;
	if (end == NULL) {
		return 0;
	}
	size_t head = (size_t)(end + 4 - in->data);
	const char *length = strstr(in->data, "Content-Length: ");
	size_t body = 0;
	if (!is_head && length != NULL && length < end) {
		body = strtoul(length + 16, NULL, 10);
	}
	return in->len >= head + body ? head + body : 0;
}

/* Appends what has come. false at the end or after a reset (*reset then). */
static inline bool rig_receive(int fd, struct st_buf *in, bool *reset)
{
	char *to = st_buf_reserve(in, 65536);
	to[0] = '\0';
	ssize_t n = recv(fd, to, 65536, MSG_DONTWAIT);
	if (n > 0) {
		in->len += (size_t)n;
		in->data[in->len] = '\0';
		return true;
	}
	if (n < 0 && errno == EAGAIN) {
		return true;
	}
	if (n < 0 && reset != NULL) {
		*reset = true;
	}
	return false;
}

/* The next whole answer, taken off the front of *in; st_free it. NULL: closed without one. */
static inline char *rig_answer(struct rig *rig, int fd, struct st_buf *in, bool is_head)
{
	for (int turns = 0; turns < RIG_TURNS_MAX; turns++) {
		size_t len = rig_answer_len(in, is_head);
		bool open = len > 0 || rig_receive(fd, in, NULL);
		len = len > 0 ? len : rig_answer_len(in, is_head);
		if (len > 0) {
			char *answer = st_strndup(in->data, len);
			memmove(in->data, in->data + len, in->len - len + 1);
			in->len -= len;
			return answer;
		}
		if (!open) {
			return NULL;
		}
		rig_turn(rig, fd);
	}
	fail_msg("no answer came");
	return NULL;
}

/* Everything until the server closes; st_free it. */
static inline char *rig_rest(struct rig *rig, int fd, struct st_buf *in, bool *reset)
{
	for (int turns = 0; turns < RIG_TURNS_MAX; turns++) {
		if (!rig_receive(fd, in, reset)) {
			return st_buf_take(in);
		}
		rig_turn(rig, fd);
	}
	fail_msg("the connection was not closed");
	return NULL;
}

static inline int rig_status(const char *answer)
{
	bool fits = answer != NULL && strncmp(answer, "HTTP/1.1 ", 9) == 0;
	return fits ? (int)strtol(answer + 9, NULL, 10) : 0;
}

/* Turns until *counter has reached value. */
static inline void rig_until(struct rig *rig, const size_t *counter, size_t value)
{
	for (int turns = 0; *counter < value; turns++) {
		assert_true(turns < RIG_TURNS_MAX);
		rig_turn(rig, -1);
	}
}

#define RIG_HOST "Host: localhost:PORT\r\n"

/* The text with each "PORT" replaced by the server's port; st_free it. */
static inline char *rig_text(const struct rig *rig, const char *text)
{
	struct st_buf out = {0};
	for (const char *at; (at = strstr(text, "PORT")) != NULL; text = at + 4) {
		st_buf_add(&out, text, (size_t)(at - text));
		st_buf_addf(&out, "%u", st_http_server_port(rig->server));
	}
	st_buf_add_text(&out, text);
	return st_buf_take(&out);
}

/* One request on a connection of its own; the status of the first answer, 0 for none. */
static inline int rig_once(struct rig *rig, const char *request)
{
	char *text = rig_text(rig, request);
	int fd = rig_connect(rig);
	struct st_buf in = {0};
	rig_send(rig, fd, text, strlen(text));
	char *answer = rig_answer(rig, fd, &in, strncmp(request, "HEAD", 4) == 0);
	int status = rig_status(answer);
	st_free(answer);
	st_buf_fini(&in);
	st_free(text);
	(void)close(fd);
	return status;
}

#endif
