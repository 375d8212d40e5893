/* SPDX-License-Identifier: Apache-2.0 */
/* How does a command talk to a daemon? */
#ifndef ST_ORCHESTRATOR_IO_CLIENT_H
#define ST_ORCHESTRATOR_IO_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "schemas/buf.h"
#include "schemas/err.h"

/* One daemon and a loop of its own: each call blocks until it is answered. */
struct st_client;

/*
 * url: "http://127.0.0.1:PORT" or "unix:PATH"; only this machine is reached. token may be NULL.
 * Gives *out. ST_ERR_INVALID for another url or a token that is none.
 */
int st_client_new(const char *url, const char *token, struct st_client **out, struct st_diag *diag);
void st_client_free(struct st_client *client); /* NULL is fine */

/* All borrowed for the call. */
struct st_client_request {
	const char *method;
	const char *path; /* with its query, escaped */
	const char *body; /* JSON, or NULL */
	const char *key;  /* Idempotency-Key; NULL: a fresh one where the method changes something
			   */
	const char *last_event_id; /* asks for a stream of events from there, or NULL */
};

/*
 * Appends the body of a 2xx answer. What the server refuses comes back as the failure that fits its
 * status, with the text and pointer of its problem document. ST_ERR_UNAVAILABLE: no server, or it
 * cannot answer now.
 */
int st_client_call(struct st_client *client, const struct st_client_request *request,
		   struct st_buf *out, struct st_diag *diag);

struct st_client_stream {
	/* Bytes of a 2xx body as they come. True: enough, stop. */
	bool (*see)(void *arg, const char *bytes, size_t len);
	void *arg;
};
/* 0 when the stream ended or was stopped; ST_ERR_NET when it broke: it may be asked for again. */
int st_client_stream(struct st_client *client, const struct st_client_request *request,
		     const struct st_client_stream *stream, struct st_diag *diag);

/* Adds text to a path or query, percent-escaped. */
void st_client_escape(struct st_buf *out, const char *text);

#endif
