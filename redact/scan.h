/* SPDX-License-Identifier: Apache-2.0 */
/* How do all rules together turn a text, whole or in pieces, into what may be seen? */
#ifndef ST_REDACT_SCAN_H
#define ST_REDACT_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "redact/keyed.h"
#include "redact/pem.h"
#include "redact/seek.h"
#include "redact/span.h"
#include "schemas/buf.h"

struct st_redactor;

/* A secret that ran up to the end of a part of a very long line goes on in the next part. */
struct st_carry {
	const char *rule; /* NULL: none */
	size_t at;
	bool words; /* a space does not end it */
	bool shown; /* its marker has left */
};

/*
 * How far a text got. All offsets count from where the caller's data begins; when the caller
 * drops the beginning of its data it says so with st_scan_drop.
 */
struct st_scan {
	const struct st_redactor *redactor;
	struct st_seek seek; /* of declared secrets */
	size_t unit_at;	     /* the rules were asked up to here: a line's beginning, mostly */
	size_t newline_at;   /* no newline between unit_at and here */
	size_t tail_at;	     /* base64 lines from here to unit_at may be a key's tail */
	size_t out_at;	     /* everything up to here has left */
	struct st_pem pem;
	struct st_carry carry;
	struct st_keyed_pair pair;
	struct st_spans exact;
	struct st_spans shape;
	size_t *ruled_at; /* by number of an operator's rule: the last line end that was asked */
	size_t redactions;
	unsigned decoded; /* how often this text was decoded from another */
	/* Told of each marker as it leaves; offsets are those of the caller's data. */
	void (*told)(void *arg, const struct st_span *span);
	void *told_arg;
};

void st_scan_init(struct st_scan *scan, const struct st_redactor *redactor);
/*
 * Takes data[0, len), of which a beginning was taken before, and adds to out what may leave.
 * final: the text ends here, everything leaves.
 */
void st_scan_advance(struct st_scan *scan, const char *data, size_t len, bool final,
		     struct st_buf *out);
/* Adds to out the words of the unfinished line that are harmless as far as can be told. */
void st_scan_peek(struct st_scan *scan, const char *data, size_t len, struct st_buf *out);
/* How many bytes at the beginning of data are no longer needed. */
size_t st_scan_droppable(const struct st_scan *scan);
void st_scan_drop(struct st_scan *scan, size_t bytes);
void st_scan_fini(struct st_scan *scan);

#endif
