/* SPDX-License-Identifier: Apache-2.0 */
/* Where does one of many exact needles occur in a text that arrives in pieces? */
#ifndef ST_REDACT_AUTOMATON_H
#define ST_REDACT_AUTOMATON_H

#include <stddef.h>
#include <stdint.h>

#define ST_NEEDLE_MIN 4		  /* bytes */
#define ST_NEEDLE_MAX (60 * 1024) /* bytes */

/* Borrowed bytes to be found, and the number that is told when they are. */
struct st_needle {
	const uint8_t *bytes;
	uint32_t len;
	uint32_t name;
};

/* Immutable; its copy of the needles lies in locked memory that is zeroed when freed. */
struct st_automaton;

/* Sorts needles. Every needle has ST_NEEDLE_MIN to ST_NEEDLE_MAX bytes. sodium must be ready. */
struct st_automaton *st_automaton_new(struct st_needle *needles, size_t n);
void st_automaton_free(struct st_automaton *automaton);

/* How far a text got. All zero is the beginning. */
struct st_automaton_state {
	uint32_t node;
};

struct st_automaton_hit {
	size_t end; /* offset after the needle */
	uint32_t len;
	uint32_t name;
};

/*
 * Goes on from data[at] to data[end]. Returns the offset it reached: `end`, or less when a needle
 * ended there, which is then in *hit (the longest one that ends there; len is 0 otherwise).
 */
size_t st_automaton_run(const struct st_automaton *automaton, struct st_automaton_state *state,
			const char *data, size_t at, size_t end, struct st_automaton_hit *hit);

/* How many of the last bytes may be the beginning of a needle. */
size_t st_automaton_held(const struct st_automaton *automaton, struct st_automaton_state state);

#endif
