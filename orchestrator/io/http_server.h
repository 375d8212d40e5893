/* SPDX-License-Identifier: Apache-2.0 */
/* Who may connect, and who answers? An HTTP/1.1 server on a libuv loop. */
#ifndef ST_ORCHESTRATOR_IO_HTTP_SERVER_H
#define ST_ORCHESTRATOR_IO_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/err.h"

struct st_exchange; /* http_exchange.h */
struct st_http_server;
struct uv_loop_s;

/* Zero means the default in brackets. */
struct st_http_options {
	const char *listen;	  /* "127.0.0.1:0", "[::1]:8080", "localhost:0" or "unix:PATH" */
	bool allow_remote;	  /* permits an address that is not loopback */
	const char *const *hosts; /* more allowed Host values, ends with NULL; kept, not copied */
	size_t body_bytes_max;	  /* [1 MiB] larger ones get 413 */
	size_t header_bytes_max;  /* [16 KiB] 431 */
	size_t url_bytes_max;	  /* [8 KiB] 414 */
	size_t headers_max;	  /* [100] 431 */
	size_t queue_bytes_max;	  /* [64 KiB] a stream's client that lets more pile up is dropped */
	size_t connections_max;	  /* [1024] 503; lowered to half of the descriptor limit */
	size_t per_peer_max;	  /* [64] connections of one address, 429; not for unix sockets */
	uint64_t request_ms;	  /* [30 s] from the first byte to the whole request: 408 */
	uint64_t idle_ms;	  /* [60 s] between requests */
	uint64_t write_ms;	  /* [30 s] a client that reads nearly nothing so long is dropped */
	uint64_t drain_ms;	  /* [5 s] for exchanges that are open at close */
	uint64_t linger_ms;	  /* [2 s] for a refused client to read why */
};

struct st_http_handler {
	/* One whole, checked request. The exchange is the handler's until it is replied to, which
	 * may be at once or at any later time on the loop's thread. */
	void (*handle)(void *arg, struct st_exchange *exchange);
	/* The largest body for this request, asked when its head is there (method, path, headers;
	 * no body yet); NULL: options.body_bytes_max for all. */
	size_t (*body_bytes_max)(void *arg, const struct st_exchange *exchange);
	void *arg;
};

struct st_http_stats {
	uint64_t requests;  /* handed to the handler */
	uint64_t refused;   /* answered by the server itself: 4xx for malformed ones, limits */
	uint64_t dropped;   /* connections cut: too slow to read or queue full */
	size_t connections; /* open now */
	size_t exchanges;   /* with the handler now, client still there */
};

/*
 * Listens. A stale unix socket (nobody accepts there) is replaced; a live one is left alone:
 * ST_ERR_BUSY. Unix sockets are made with mode 0600. Gives the server in *out. Failures:
 * ST_ERR_INVALID (listen text), ST_ERR_FORBIDDEN (not loopback), ST_ERR_BUSY (address in use),
 * ST_ERR_EXISTS (the path is something else), ST_ERR_NET; then *out is untouched.
 */
int st_http_server_new(struct uv_loop_s *loop, const struct st_http_options *options,
		       const struct st_http_handler *handler, struct st_http_server **out,
		       struct st_diag *diag);

/* "http://127.0.0.1:PORT" or "unix:PATH"; lives as long as the server. */
const char *st_http_server_url(const struct st_http_server *server);
unsigned st_http_server_port(const struct st_http_server *server); /* 0 for a unix socket */
struct st_http_stats st_http_server_stats(const struct st_http_server *server);

/*
 * Stops listening at once, lets open exchanges end within drain_ms, then cuts what is left, frees
 * the server and calls done. Exchanges not yet replied to stay valid until they are, also after
 * that. Call it once.
 */
void st_http_server_close(struct st_http_server *server, void (*done)(void *arg), void *arg);

#endif
