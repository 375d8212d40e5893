/* SPDX-License-Identifier: Apache-2.0 */
/* Where do declared secrets lie in a text, also when line ends or colours lie within them? */
#ifndef ST_REDACT_SEEK_H
#define ST_REDACT_SEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redact/automaton.h"
#include "redact/gap.h"

#define ST_SEEK_KINDS 4

/* A part of the text that interrupts what may be a secret. */
struct st_seek_gap {
	size_t at;
	size_t len;
};

/*
 * How far a text got. All zero is the beginning. Offsets count from where the caller's data
 * begins, see st_seek_drop.
 */
struct st_seek {
	size_t at;		    /* looked at up to here */
	uint32_t strict;	    /* the automaton's node, every byte counted */
	uint32_t loose;		    /* without the gaps; 0: strict tells all */
	size_t segment_at;	    /* where the last gap ended */
	size_t gap_end;		    /* more than at: within a gap */
	size_t floor;		    /* what lies before has left, at the end of its line */
	bool indent;		    /* spaces from here on belong to the gap */
	size_t next[ST_SEEK_KINDS]; /* no byte of each kind stands between at and here */
	struct st_seek_gap *gaps;   /* those within what loose holds */
	size_t n;
	size_t cap;
};

struct st_seek_hit {
	size_t start;
	size_t end;
	uint32_t name;
};

/*
 * Goes on to `end` of the text. True when a needle was found: it is in *hit; call again. It stops
 * early where it must know more of the text than is there, and may go on a little past `end`.
 */
bool st_seek_run(struct st_seek *view, const struct st_automaton *automaton,
		 const struct st_known *text, size_t end, struct st_seek_hit *hit);
/* What lies before this offset cannot be part of a needle any more. */
size_t st_seek_settled(const struct st_seek *view, const struct st_automaton *automaton);
/* The text lost its first bytes, all of them settled. */
void st_seek_drop(struct st_seek *view, size_t bytes);
void st_seek_fini(struct st_seek *view);

#endif
