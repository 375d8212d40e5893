/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. http_listen.c binds; this file accepts and counts; http_conn.c reads,
 * writes and keeps time for one connection; http_request.c turns bytes into a checked request;
 * http_reply.c writes answers. Everything runs on the loop's thread. A connection owns its
 * exchange until the handler has it; from then on the handler does, and each only holds a pointer
 * to the other, which is cleared when one of them ends.
 */
#include "orchestrator/io/http_server.h"

#include <assert.h>
#include <string.h>
#include <sys/resource.h>

#include "orchestrator/io/http_private.h"
#include "schemas/mem.h"

#define BACKLOG 1024
#define REFUSALS_MAX 32 /* connections over the limit that are told so; more are just closed */

static void fill_defaults(struct st_http_options *options)
{
#define DEFAULT(field, value) options->field = options->field != 0 ? options->field : (value)
	DEFAULT(body_bytes_max, 1024 * 1024);
	DEFAULT(header_bytes_max, 16 * 1024);
	DEFAULT(url_bytes_max, 8 * 1024);
	DEFAULT(headers_max, 100);
	DEFAULT(queue_bytes_max, 64 * 1024);
	DEFAULT(connections_max, 1024);
	DEFAULT(per_peer_max, 64);
	DEFAULT(request_ms, 30 * 1000);
	DEFAULT(idle_ms, 60 * 1000);
	DEFAULT(write_ms, 30 * 1000);
	DEFAULT(drain_ms, 5 * 1000);
	DEFAULT(linger_ms, 2 * 1000);
#undef DEFAULT
	/* Calls to the outside need descriptors too: visitors never get more than half. */
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    files.rlim_cur / 2 < options->connections_max) {
		options->connections_max = files.rlim_cur / 2;
	}
}

static void server_free(struct st_http_server *server)
{
	st_buf_fini(&server->scratch);
	st_free(server->url);
	st_free(server->path);
	st_free(server);
}

static void on_failed_closed(uv_handle_t *handle)
{
	server_free(handle->data);
}

static size_t count_peer(const struct st_http_server *server, const struct st_conn *mine)
{
	size_t n = 0;
	for (const struct st_conn *conn = server->conns; conn != NULL; conn = conn->next) {
		n += conn->counts && memcmp(conn->peer, mine->peer, sizeof mine->peer) == 0;
	}
	return n;
}

static void read_peer(struct st_conn *conn)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage room;
	} address = {0};
	int len = (int)sizeof address;
	if (conn->server->is_unix || uv_tcp_getpeername(&conn->io.tcp, &address.any, &len) != 0) {
		return;
	}
	if (address.any.sa_family == AF_INET6) {
		memcpy(conn->peer, &address.v6.sin6_addr, 16);
	} else {
		memcpy(conn->peer, &address.v4.sin_addr, 4);
	}
	conn->counts = true;
}

static struct st_conn *conn_new(struct st_http_server *server)
{
	struct st_conn *conn = st_alloc(sizeof *conn);
	conn->server = server;
	int error = server->is_unix ? uv_pipe_init(server->loop, &conn->io.pipe, 0)
				    : uv_tcp_init(server->loop, &conn->io.tcp);
	if (error != 0) {
		st_free(conn);
		return NULL;
	}
	(void)uv_timer_init(server->loop, &conn->timer);
	conn->io.handle.data = conn;
	conn->timer.data = conn;
	conn->open_handles = 2;
	conn->next = server->conns;
	conn->link = &server->conns;
	if (conn->next != NULL) {
		conn->next->link = &conn->next;
	}
	server->conns = conn;
	server->stats.connections++;
	return conn;
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct st_http_server *server = listener->data;
	struct st_conn *conn = status == 0 ? conn_new(server) : NULL;
	if (conn == NULL) {
		return;
	}
	size_t over = server->stats.connections > server->options.connections_max
			  ? server->stats.connections - server->options.connections_max
			  : 0;
	if (uv_accept(listener, &conn->io.stream) != 0 || over > REFUSALS_MAX) {
		st_conn_close(conn);
		return;
	}
	read_peer(conn);
	bool crowd = conn->counts &&
		     server->options.per_peer_max < server->options.connections_max &&
		     count_peer(server, conn) > server->options.per_peer_max;
	if (over > 0 || crowd) {
		conn->counts = false;
		st_conn_refuse(conn, over > 0 ? 503 : 429, "too many connections; try again later");
		return;
	}
	st_conn_start(conn);
}

int st_http_server_new(struct uv_loop_s *loop, const struct st_http_options *options,
		       const struct st_http_handler *handler, struct st_http_server **out,
		       struct st_diag *diag)
{
	assert(handler->handle != NULL);
	struct st_http_server *server = st_alloc(sizeof *server);
	server->loop = loop;
	server->options = *options;
	server->handler = *handler;
	server->date_s = -1;
	fill_defaults(&server->options);
	bool initialised = false;
	int status = st_http_listen(server, &initialised, diag);
	server->io.handle.data = server;
	if (status == ST_OK) {
		int error = uv_listen(&server->io.stream, BACKLOG, on_connection);
		if (error != 0) {
			status =
			    st_fail(diag, error == UV_EADDRINUSE ? ST_ERR_BUSY : ST_ERR_NET,
				    "cannot listen on %s: %s", options->listen, uv_strerror(error));
		}
	}
	if (status != ST_OK) {
		st_http_listen_unlink(server);
		if (initialised) {
			uv_close(&server->io.handle, on_failed_closed);
		} else {
			server_free(server);
		}
		return status;
	}
	(void)uv_timer_init(loop, &server->drain);
	server->drain.data = server;
	server->options.listen = NULL; /* borrowed for the call */
	*out = server;
	return ST_OK;
}

const char *st_http_server_url(const struct st_http_server *server)
{
	return server->url;
}

unsigned st_http_server_port(const struct st_http_server *server)
{
	return server->port;
}

struct st_http_stats st_http_server_stats(const struct st_http_server *server)
{
	struct st_http_stats stats = server->stats;
	for (const struct st_conn *conn = server->conns; conn != NULL; conn = conn->next) {
		stats.exchanges +=
		    conn->state == ST_CONN_HANDLING || conn->state == ST_CONN_STREAMING;
	}
	return stats;
}

static void on_all_closed(uv_handle_t *handle)
{
	struct st_http_server *server = handle->data;
	void (*done)(void *arg) = server->done;
	void *arg = server->done_arg;
	server_free(server);
	if (done != NULL) {
		done(arg);
	}
}

static void finish_close(struct st_http_server *server)
{
	if (server->closing && server->listener_closed && server->conns == NULL &&
	    !uv_is_closing((uv_handle_t *)&server->drain)) {
		uv_close((uv_handle_t *)&server->drain, on_all_closed);
	}
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct st_http_server *server = handle->data;
	server->listener_closed = true;
	finish_close(server);
}

static void on_drain_over(uv_timer_t *timer)
{
	struct st_http_server *server = timer->data;
	for (struct st_conn *conn = server->conns; conn != NULL; conn = conn->next) {
		st_conn_close(conn);
	}
}

void st_http_server_conn_gone(struct st_conn *conn)
{
	struct st_http_server *server = conn->server;
	*conn->link = conn->next;
	if (conn->next != NULL) {
		conn->next->link = conn->link;
	}
	server->stats.connections--;
	st_buf_fini(&conn->in);
	st_free(conn);
	finish_close(server);
}

void st_http_server_close(struct st_http_server *server, void (*done)(void *arg), void *arg)
{
	assert(!server->closing);
	server->closing = true;
	server->done = done;
	server->done_arg = arg;
	st_http_listen_unlink(server);
	uv_close(&server->io.handle, on_listener_closed);
	(void)uv_timer_start(&server->drain, on_drain_over, server->options.drain_ms, 0);
	for (struct st_conn *conn = server->conns; conn != NULL; conn = conn->next) {
		if (conn->state <= ST_CONN_BODY) {
			st_conn_close(conn);
		}
	}
}
