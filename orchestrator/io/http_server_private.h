/* SPDX-License-Identifier: Apache-2.0 */
/* What does a running HTTP server consist of? Private to http_*.c. */
#ifndef ST_ORCHESTRATOR_IO_HTTP_SERVER_PRIVATE_H
#define ST_ORCHESTRATOR_IO_HTTP_SERVER_PRIVATE_H

#include <uv.h>

#include "orchestrator/io/http_server.h"
#include "schemas/buf.h"

struct st_conn;

struct st_http_server {
	uv_loop_t *loop;
	struct st_http_options options; /* with the defaults filled in */
	struct st_http_handler handler;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} io;
	uv_timer_t drain;
	bool is_unix;
	bool closing;
	bool listener_closed;
	unsigned port;
	char *url;
	char *path; /* of the unix socket; NULL for TCP */
	uint64_t path_dev;
	uint64_t path_inode;
	struct st_conn *conns;
	struct st_http_stats stats;
	struct st_buf scratch; /* heads of replies */
	int64_t date_s;
	char date[40];
	void (*done)(void *arg);
	void *done_arg;
};

/* http_listen.c: binds and fills url, port, is_unix; the listening handle is initialised in both
 * outcomes when *initialised. */
int st_http_listen(struct st_http_server *server, bool *initialised, struct st_diag *diag);
void st_http_listen_unlink(struct st_http_server *server); /* the socket file, if it is ours */

/* http_server.c: the connection's handles are closed; frees it. */
void st_http_server_conn_gone(struct st_conn *conn);

#endif
