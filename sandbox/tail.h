/* SPDX-License-Identifier: Apache-2.0 */
/* Which part of an endless output is kept, and what is said about the rest? */
#ifndef ST_SANDBOX_TAIL_H
#define ST_SANDBOX_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/buf.h"

/*
 * Keeps the first quarter of `cap` bytes and the last three quarters, drops what is between, and
 * counts everything. Feed it redacted bytes only: a secret that is cut in two before redaction is
 * no longer recognised. Memory grows with what is kept, never past `cap`.
 */
struct st_tail {
	size_t head_max;
	size_t ring_max;
	struct st_buf head;
	char *ring; /* of ring_cap bytes; the oldest byte is at ring_at once it is full */
	size_t ring_cap;
	size_t ring_at;
	size_t ring_len;
	int64_t seen;
};

void st_tail_init(struct st_tail *tail, size_t cap);
void st_tail_fini(struct st_tail *tail); /* all-zero is fine */
void st_tail_add(struct st_tail *tail, const void *bytes, size_t len);
size_t st_tail_kept(const struct st_tail *tail);
int64_t st_tail_dropped(const struct st_tail *tail);
/* Keeps at most `cap` from now on; what is kept already is cut in its middle. */
void st_tail_shrink(struct st_tail *tail, size_t cap);

/*
 * Adds what was kept as UTF-8: head, a line that says how many bytes were dropped (only when some
 * were), tail. Bytes that are not UTF-8, and NUL, become U+FFFD (three bytes for one). A character
 * that the cut went through is left out whole. True when something was dropped.
 */
bool st_tail_text(const struct st_tail *tail, struct st_buf *out);

/* Adds any bytes as UTF-8 in the same way. */
void st_tail_utf8(struct st_buf *out, const char *bytes, size_t len);

/* The largest level so that the sum of min(sizes[i], level) is at most `cap`: how several outputs
 * share one cap without cutting a short one for the sake of a long one. */
size_t st_tail_level(const size_t *sizes, size_t n, size_t cap);

#endif
