/* SPDX-License-Identifier: Apache-2.0 */
/* How do the parts of the HTTP server share a connection? Private to http_*.c. */
#ifndef ST_ORCHESTRATOR_IO_HTTP_PRIVATE_H
#define ST_ORCHESTRATOR_IO_HTTP_PRIVATE_H

#include <llhttp.h>
#include <uv.h>

#include "orchestrator/http_lint.h"
#include "orchestrator/http_target.h"
#include "orchestrator/io/http_exchange.h"
#include "orchestrator/io/http_server_private.h"
#include "schemas/buf.h"

/*
 *        ┌──────────────── keep-alive ──────────────────┐
 *        ▼                                              │
 *  IDLE ──▶ HEAD ──▶ BODY ──▶ HANDLING ──▶ (STREAMING) ──▶ REPLYING ──▶ LINGER ──▶ CLOSED
 *              └───────┴── refused by the server ───────────┘    (and from anywhere to CLOSED)
 */
enum st_conn_state {
	ST_CONN_IDLE,	   /* no byte of a request yet */
	ST_CONN_HEAD,	   /* the head is incomplete */
	ST_CONN_BODY,	   /* the head is accepted */
	ST_CONN_HANDLING,  /* the exchange is with the handler */
	ST_CONN_STREAMING, /* the handler has begun a stream */
	ST_CONN_REPLYING,  /* the whole answer is queued */
	ST_CONN_LINGER,	   /* sent; what still comes is thrown away so that the answer is read */
	ST_CONN_CLOSED,	   /* handles are closing */
};

struct st_conn {
	struct st_http_server *server;
	struct st_conn *next;
	struct st_conn **link; /* what points here */
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} io;
	uv_timer_t timer;
	uv_shutdown_t shutdown;
	unsigned open_handles;
	enum st_conn_state state;
	uint8_t peer[16]; /* address; all zero for unix sockets */
	bool counts;	  /* for the peer limit */
	bool keep;	  /* after this answer, wait for another request */
	bool reading;
	bool eof;	/* the client sends nothing more */
	bool busy;	/* inside st_conn_process */
	bool head_done; /* what llhttp calls a header now is a trailer */
	bool complete;	/* llhttp saw the end of the message */

	struct st_buf in; /* received; the first in_at bytes are used up */
	size_t in_at;
	struct st_http_lint lint;
	llhttp_t parser;
	int refusal; /* status decided inside a parser callback */
	const char *refusal_why;
	size_t framing_bytes; /* of a chunked body: everything that is not data */
	size_t body_bytes_max;
	struct st_exchange *exchange; /* from a whole head until the reply has ended */

	uint64_t bytes_queued; /* ever given to the stream */
	uint64_t bytes_seen;   /* taken by the kernel when the write timer was armed */
	uint64_t bytes_lingered;
};

struct st_exchange {
	struct st_conn *conn; /* NULL after the connection is gone */
	char *head;	      /* header texts point into it */
	struct st_http_field *headers;
	size_t n_headers;
	char method[16];
	const char *target_text; /* in head */
	size_t target_len;
	struct st_http_target target;
	struct st_buf body;
	bool http10;
	bool is_head;
	bool chunked; /* the stream */
	bool told;    /* gone was called */
	void (*gone)(void *arg);
	void *gone_arg;
	void (*drained)(void *arg);
	void *drained_arg;
};

/* http_conn.c */
void st_conn_start(struct st_conn *conn); /* accepted: begins to read */
void st_conn_move(struct st_conn *conn, enum st_conn_state to);
void st_conn_process(struct st_conn *conn);
void st_conn_close(struct st_conn *conn);
void st_conn_reset(struct st_conn *conn); /* as close, with RST where there is TCP */
/* Queues bytes; an error closes the connection. */
void st_conn_write(struct st_conn *conn, const uv_buf_t *bufs, unsigned n);
/* The answer is queued whole: wait until it is sent. */
void st_conn_replied(struct st_conn *conn, bool keep);

/* http_request.c */
/* Takes the head; 0: go on with the body. Else a status; conn->refusal_why says why. */
int st_request_begin(struct st_conn *conn, const char *head, size_t len);
/* Feeds the body from conn->in. 0, or a status as above; conn->complete at the end. */
int st_request_body(struct st_conn *conn);
void st_exchange_free(struct st_exchange *exchange);

/* http_reply.c */
void st_conn_refuse(struct st_conn *conn, int status, const char *why);
/* For fault-injecting test servers: bytes as they are; then close when end. */
void st_exchange_raw(struct st_exchange *exchange, const void *bytes, size_t len, bool end);

#endif
