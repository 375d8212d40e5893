/* SPDX-License-Identifier: Apache-2.0 */
/* Which events does a stream of server-sent events hold? */
#ifndef ST_STEPS_SSE_H
#define ST_STEPS_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "schemas/buf.h"
#include "schemas/err.h"

/* Borrowed, valid during the callback. NUL-ended; data may hold NULs of its own. */
struct st_sse_event {
	const char *name; /* "message" unless the event says otherwise */
	const char *id;	  /* the last id the stream gave, "" for none */
	const char *data; /* the data lines, joined by LF */
	size_t data_len;
};

typedef void (*st_sse_cb)(void *arg, const struct st_sse_event *event);

/* A parser that takes the stream in pieces, cut anywhere. Lines end in CR, LF or CRLF; comments and
 * unknown fields are skipped; an event without data, or one the stream's end cuts off, is none. */
struct st_sse {
	size_t event_bytes_max;
	struct st_buf line;
	struct st_buf data;
	struct st_buf name;
	struct st_buf id;
	bool has_data;
	bool after_cr;
	bool past_start; /* a byte order mark can no longer come */
	bool failed;
};

void st_sse_init(struct st_sse *sse, size_t event_bytes_max);
void st_sse_fini(struct st_sse *sse);

/* Calls back for each event that these bytes complete. ST_ERR_TOO_LARGE when an event or a line
 * passes event_bytes_max: from then on the stream is lost and every call says so again. */
int st_sse_feed(struct st_sse *sse, const char *bytes, size_t len, st_sse_cb callback, void *arg);

#endif
