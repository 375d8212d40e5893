/* SPDX-License-Identifier: Apache-2.0 */
/* At which few offsets of a text is it worth asking a rule? */
#ifndef ST_REDACT_ANCHOR_H
#define ST_REDACT_ANCHOR_H

#include <stddef.h>
#include <stdint.h>

#include "redact/rules.h"
#include "redact/token.h"

enum st_anchor_kind {
	ST_ANCHOR_TOKEN,  /* a row of the table of shapes begins here */
	ST_ANCHOR_KEY,	  /* part of a key that may name a secret */
	ST_ANCHOR_BEARER, /* "bearer" */
	ST_ANCHOR_FLAG,	  /* " -p", with which some commands take a secret */
	ST_ANCHOR_USER,	  /* "-user" */
	ST_ANCHOR_HTPASSWD,
	ST_ANCHOR_SQL,	     /* "identified" */
	ST_ANCHOR_PGPASS,    /* ":5432:" */
	ST_ANCHOR_VALUE,     /* "value", "default": of a name that stood before */
	ST_ANCHOR_URL,	     /* one byte before "://" */
	ST_ANCHOR_PEM_BEGIN, /* the last dash before BEGIN */
	ST_ANCHOR_PEM_END,
	ST_ANCHOR_MARKER, /* "[redacted:" */
	ST_ANCHOR_RULE,	  /* a keyword of an operator's rule */
};

/* Small, for there are thousands. */
struct st_anchor {
	uint8_t kind;  /* enum st_anchor_kind */
	uint16_t of;   /* the number of the token or the operator's rule */
	uint16_t next; /* the next anchor with the same four bytes, or 0 */
};

/*
 * Every rule is found by four bytes that must stand in what it matches.
 * Immutable after new.
 */
struct st_anchors;

/* Borrows the table and the rules, which may be NULL. */
struct st_anchors *st_anchors_new(const struct st_tokens *tokens, const struct st_rules *rules);
void st_anchors_free(struct st_anchors *anchors);
/*
 * The first offset in [at, end) where an anchor stands, and its number in *first; `end` when there
 * is none.
 */
size_t st_anchors_next(const struct st_anchors *anchors, const char *data, size_t at, size_t end,
		       uint16_t *first);
/* The anchor with a number that is not 0. */
const struct st_anchor *st_anchors_get(const struct st_anchors *anchors, uint16_t number);

#endif
