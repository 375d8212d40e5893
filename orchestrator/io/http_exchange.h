/* SPDX-License-Identifier: Apache-2.0 */
/* What was asked, and how is it answered? One request and its reply, as a handler sees it. */
#ifndef ST_ORCHESTRATOR_IO_HTTP_EXCHANGE_H
#define ST_ORCHESTRATOR_IO_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct st_exchange;

struct st_http_field {
	const char *name;
	const char *value;
};

/* The request. Everything is borrowed from the exchange and ends with it. */
const char *st_exchange_method(const struct st_exchange *exchange); /* "GET" */
const char *st_exchange_path(const struct st_exchange *exchange);   /* percent-decoded once */
const char *st_exchange_target(const struct st_exchange *exchange); /* as it was sent */
const char *st_exchange_query(const struct st_exchange *exchange, const char *name); /* or NULL */
/* The first header of that name (any case), or NULL. */
const char *st_exchange_header(const struct st_exchange *exchange, const char *name);
/* All headers in order, names as they were sent. */
const struct st_http_field *st_exchange_headers(const struct st_exchange *exchange, size_t *n);
/* The whole body, NUL-ended ("" when there is none). */
const char *st_exchange_body(const struct st_exchange *exchange, size_t *len);
/* Is anybody still waiting for the answer, as far as is known? */
bool st_exchange_is_open(const struct st_exchange *exchange);

/*
 * Calls gone (once, from the loop, never from inside a function of this header) when the client
 * goes away before the reply has ended. The exchange must still be replied to, or its stream
 * ended; that may be done inside gone. Returns false, and never calls, when the client has gone
 * already.
 */
bool st_exchange_on_close(struct st_exchange *exchange, void (*gone)(void *arg), void *arg);

struct st_http_reply {
	int status;
	const char *content_type;	     /* NULL: none */
	const struct st_http_field *headers; /* more headers, n_headers of them; may be NULL */
	size_t n_headers;
	const char *body; /* copied if it cannot be sent at once */
	size_t body_len;
	int64_t stream_len; /* st_exchange_stream_begin: > 0 announces the length, else chunked */
	bool close;	    /* close the connection afterwards */
};

/*
 * Answers and ends the exchange, also when nobody waits any more; exchange is invalid afterwards.
 * Adds Date, framing, and the security headers (nosniff, no-store, a CSP that allows nothing, no
 * frames), of which Cache-Control and Content-Security-Policy can be given in headers instead.
 * Control characters in header values become spaces.
 */
void st_exchange_reply(struct st_exchange *exchange, const struct st_http_reply *reply);
/* The same with a body of JSON text (NUL-ended). */
void st_exchange_reply_json(struct st_exchange *exchange, int status, const char *json);

/* RFC 9457. Texts may be hostile: what is not UTF-8 is replaced. NULL leaves a member out. */
struct st_http_problem {
	int status;
	const char *type;  /* a slug: "idempotency-mismatch"; becomes urn:stint:problem:SLUG */
	const char *title; /* the same for every problem of the type; NULL: the status text */
	const char *detail;
	const char *pointer; /* JSON pointer into the request body; "" counts as NULL */
	const char *verdict; /* JSON text */
	const char *halt;    /* JSON text: what has to be decided first */
	const struct st_http_field *headers; /* as in struct st_http_reply */
	size_t n_headers;
};
void st_exchange_problem(struct st_exchange *exchange, const struct st_http_problem *problem);

/*
 * An answer in parts (SSE, exports). begin takes a reply without a body. write queues; 0, or
 * ST_ERR_NET when the client is gone, or has just been dropped because more than queue_bytes_max
 * was waiting already: stop writing then. end ends the exchange, always needed, invalid afterwards.
 */
void st_exchange_stream_begin(struct st_exchange *exchange, const struct st_http_reply *reply);
int st_exchange_stream_write(struct st_exchange *exchange, const void *bytes, size_t len);
void st_exchange_stream_end(struct st_exchange *exchange);
/* Bytes that wait to be taken by the client. */
size_t st_exchange_stream_queued(const struct st_exchange *exchange);
/* Calls drained from the loop each time nothing waits any more; NULL stops that. */
void st_exchange_on_drain(struct st_exchange *exchange, void (*drained)(void *arg), void *arg);

/* Ends the exchange by cutting the connection, so that the client cannot take what it has for the
 * whole answer. Invalid afterwards. */
void st_exchange_abort(struct st_exchange *exchange);

#endif
