/* SPDX-License-Identifier: Apache-2.0 */
/* Which parts of a text are to be replaced? */
#ifndef ST_REDACT_SPAN_H
#define ST_REDACT_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct st_span {
	size_t start;
	size_t end;
	const char *rule;     /* for the marker; NULL: the part goes without one. Borrowed */
	size_t rule_at;	      /* where what the rule found began; of several the first is told */
	uint32_t fingerprint; /* of what the rule found; 0: none */
	bool declared;	      /* a declared secret's name is told before a rule's */
	bool shown;	      /* the marker has left already */
	const char *quote;    /* put around the marker; NULL: nothing. Borrowed */
};

#define ST_SPANS_OWN 8

/* A queue of spans that do not overlap, by offset. All zero is empty. */
struct st_spans {
	struct st_span own[ST_SPANS_OWN]; /* enough for most texts */
	struct st_span *more;		  /* used instead when they are not */
	size_t head;
	size_t n;
	size_t cap;
};

/* Adds a span, in most cases the last; spans in the queue that it overlaps become one with it. */
void st_spans_add(struct st_spans *spans, struct st_span span);
/* The first span, or NULL. */
struct st_span *st_spans_first(struct st_spans *spans);
struct st_span *st_spans_last(struct st_spans *spans); /* or NULL */
/* Adds all of from to an empty queue. */
void st_spans_copy(struct st_spans *to, struct st_spans *from);
void st_spans_drop_first(struct st_spans *spans);
/* Puts back what was dropped first, as it is now. */
void st_spans_put_first(struct st_spans *spans, struct st_span span);
/* Takes `bytes` from all offsets: the text lost its beginning. */
void st_spans_shift(struct st_spans *spans, size_t bytes);
/* Widens `into` by an overlapping span. */
void st_span_merge(struct st_span *into, const struct st_span *other);
void st_spans_fini(struct st_spans *spans);

#endif
