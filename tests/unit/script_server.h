/* SPDX-License-Identifier: Apache-2.0 */
/* What does a server do that does exactly as it is told? For tests of clients, on the same loop. */
#ifndef ST_TESTS_SCRIPT_SERVER_H
#define ST_TESTS_SCRIPT_SERVER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "schemas/buf.h"
#include "schemas/mem.h"

/*
 * A script is what the server does with one connection; after its end it hangs. Connection i plays
 * script i; the last script goes on for the rest.
 */
struct script_act {
	char what;
	const char *text;
	size_t len;
	int times;
};

/* clang-format off */
#define READ {.what = 'r'}                   /* a whole request */
#define SEND(bytes) {.what = 's', .text = (bytes), .len = sizeof(bytes) - 1}
#define SEND_TIMES(bytes, n) {.what = 's', .text = (bytes), .len = sizeof(bytes) - 1, .times = (n)}
#define DRIP(bytes) {.what = 'd', .text = (bytes), .len = sizeof(bytes) - 1} /* one per 10 ms */
#define CLOSE {.what = 'f'}
#define RESET {.what = 'x'}
#define SCRIPT(server, ...) \
	script_add((server), (const struct script_act[SCRIPT_ACTS_MAX]){__VA_ARGS__})
/* clang-format on */

#define SCRIPT_ACTS_MAX 8
#define SCRIPTS_MAX 8
#define SCRIPT_REQUESTS_MAX 512

struct script_server {
	uv_loop_t *loop;
	uv_stream_t *listener;
	uv_tcp_t tcp;
	uv_pipe_t pipe;
	int port;
	struct script_act scripts[SCRIPTS_MAX][SCRIPT_ACTS_MAX];
	int n_scripts;
	int n_connections;
	int n_open;
	int n_open_peak;
	int n_requests;
	int n_left; /* the client closed first */
	char *requests[SCRIPT_REQUESTS_MAX];
	struct script_peer *peers;
};

struct script_peer {
	union {
		uv_tcp_t tcp;
		uv_pipe_t pipe;
		uv_stream_t stream;
		uv_handle_t handle;
	} as;
	uv_timer_t timer;
	struct script_peer *next;
	struct script_server *server;
	const struct script_act *script;
	int at;
	int times;
	size_t dripped;
	struct st_buf in;
	bool closing;
	int handles;
};

static inline void script_play(struct script_peer *peer);

static inline void script_peer_closed(uv_handle_t *handle)
{
	struct script_peer *peer = handle->data;
	if (--peer->handles > 0) {
		return;
	}
	struct script_peer **link = &peer->server->peers;
	while (*link != peer) {
		link = &(*link)->next;
	}
	*link = peer->next;
	st_buf_fini(&peer->in);
	st_free(peer);
}

static inline void script_peer_close(struct script_peer *peer, bool reset)
{
	if (peer->closing) {
		return;
	}
	peer->closing = true;
	peer->server->n_open--;
	uv_close((uv_handle_t *)&peer->timer, script_peer_closed);
	if (!reset || uv_tcp_close_reset(&peer->as.tcp, script_peer_closed) != 0) {
		uv_close(&peer->as.handle, script_peer_closed);
	}
}

struct script_write {
	uv_write_t write;
	struct script_peer *peer;
	char *bytes;
};

static inline void script_written(uv_write_t *write, int status)
{
	struct script_write *own = (struct script_write *)write;
	(void)status;
	if (!own->peer->closing) {
		script_play(own->peer);
	}
	st_free(own->bytes);
	st_free(own);
}

static inline void script_send(struct script_peer *peer, const char *bytes, size_t len)
{
	struct script_write *own = st_alloc(sizeof *own);
	own->peer = peer;
	own->bytes = st_strndup(bytes, len);
	uv_buf_t buf = uv_buf_init(own->bytes, (unsigned)len);
	(void)uv_write(&own->write, &peer->as.stream, &buf, 1, script_written);
}

/* The length of the first whole request in the input, or 0. */
static inline size_t script_request_len(const struct st_buf *in)
{
	const char *end = in->len > 0 ? strstr(in->data, "\r\n\r\n") : NULL;
	if (end == NULL) {
		return 0;
	}
	const char *length = strstr(in->data, "Content-Length: ");
	size_t body = length != NULL && length < end ? strtoul(length + 16, NULL, 10) : 0;
	size_t whole = (size_t)(end - in->data) + 4 + body;
	return whole <= in->len ? whole : 0;
}

static inline bool script_take_request(struct script_peer *peer)
{
	size_t len = script_request_len(&peer->in);
	if (len == 0) {
		return false;
	}
	struct script_server *server = peer->server;
	if (server->n_requests < SCRIPT_REQUESTS_MAX) {
		server->requests[server->n_requests] = st_strndup(peer->in.data, len);
	}
	server->n_requests++;
	char *rest = st_strndup(peer->in.data + len, peer->in.len - len);
	size_t rest_len = peer->in.len - len;
	st_buf_clear(&peer->in);
	st_buf_add(&peer->in, rest, rest_len);
	st_free(rest);
	return true;
}

static inline void script_tick(uv_timer_t *timer)
{
	script_play(timer->data);
}

static inline void script_next(struct script_peer *peer)
{
	peer->at++;
	peer->times = 0;
	peer->dripped = 0;
}

static inline void script_play(struct script_peer *peer)
{
	const struct script_act *act = &peer->script[peer->at];
	switch (act->what) {
	case 'r':
		if (script_take_request(peer)) {
			script_next(peer);
			script_play(peer);
		}
		return;
	case 's':
		if (++peer->times >= act->times) {
			script_next(peer);
		}
		script_send(peer, act->text, act->len);
		return;
	case 'd':
		if (peer->dripped < act->len) {
			uv_buf_t buf = uv_buf_init((char *)act->text + peer->dripped++, 1);
			(void)uv_try_write(&peer->as.stream, &buf, 1);
			(void)uv_timer_start(&peer->timer, script_tick, 10, 0);
			return;
		}
		script_next(peer);
		script_play(peer);
		return;
	case 'f':
	case 'x':
		script_peer_close(peer, act->what == 'x');
		return;
	default:
		return;
	}
}

static inline void script_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	(void)handle;
	*buf = uv_buf_init(st_alloc(size), (unsigned)size);
}

static inline void script_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct script_peer *peer = stream->data;
	if (n > 0) {
		st_buf_add(&peer->in, buf->base, (size_t)n);
	}
	st_free(buf->base);
	if (n < 0) {
		peer->server->n_left += !peer->closing;
		script_peer_close(peer, false);
	} else if (n > 0 && peer->script[peer->at].what == 'r') {
		script_play(peer);
	}
}

static inline void script_accept(uv_stream_t *listener, int status)
{
	(void)status;
	struct script_server *server = listener->data;
	struct script_peer *peer = st_alloc(sizeof *peer);
	peer->server = server;
	peer->handles = 2;
	if (listener == (uv_stream_t *)&server->pipe) {
		(void)uv_pipe_init(server->loop, &peer->as.pipe, 0);
	} else {
		(void)uv_tcp_init(server->loop, &peer->as.tcp);
	}
	(void)uv_timer_init(server->loop, &peer->timer);
	peer->as.handle.data = peer;
	peer->timer.data = peer;
	int script = server->n_connections++;
	peer->script = server->scripts[script < server->n_scripts ? script : server->n_scripts - 1];
	peer->next = server->peers;
	server->peers = peer;
	server->n_open++;
	server->n_open_peak =
	    server->n_open > server->n_open_peak ? server->n_open : server->n_open_peak;
	(void)uv_accept(listener, &peer->as.stream);
	(void)uv_read_start(&peer->as.stream, script_alloc, script_read);
	script_play(peer);
}

static inline void script_listen(struct script_server *server, uv_loop_t *loop)
{
	*server = (struct script_server){.loop = loop};
	(void)signal(SIGPIPE, SIG_IGN); /* libuv writes to peers that are gone */
	struct sockaddr_in any;
	(void)uv_ip4_addr("127.0.0.1", 0, &any);
	(void)uv_tcp_init(loop, &server->tcp);
	(void)uv_tcp_bind(&server->tcp, (struct sockaddr *)&any, 0);
	server->tcp.data = server;
	server->listener = (uv_stream_t *)&server->tcp;
	if (uv_listen(server->listener, 512, script_accept) != 0) {
		abort();
	}
	int len = sizeof any;
	(void)uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&any, &len);
	server->port = ntohs(any.sin_port);
}

static inline void script_listen_unix(struct script_server *server, uv_loop_t *loop,
				      const char *path)
{
	*server = (struct script_server){.loop = loop};
	(void)uv_pipe_init(loop, &server->pipe, 0);
	server->pipe.data = server;
	server->listener = (uv_stream_t *)&server->pipe;
	if (uv_pipe_bind(&server->pipe, path) != 0 ||
	    uv_listen(server->listener, 16, script_accept) != 0) {
		abort();
	}
}

static inline void script_add(struct script_server *server,
			      const struct script_act acts[SCRIPT_ACTS_MAX])
{
	memcpy(server->scripts[server->n_scripts++], acts, SCRIPT_ACTS_MAX * sizeof acts[0]);
}

/* Closes everything; the loop must run once more. */
static inline void script_close(struct script_server *server)
{
	if (!uv_is_closing((uv_handle_t *)server->listener)) {
		uv_close((uv_handle_t *)server->listener, NULL);
	}
	for (struct script_peer *peer = server->peers; peer != NULL; peer = peer->next) {
		script_peer_close(peer, false);
	}
	for (int i = 0; i < server->n_requests && i < SCRIPT_REQUESTS_MAX; i++) {
		st_free(server->requests[i]);
		server->requests[i] = NULL;
	}
}

#endif
