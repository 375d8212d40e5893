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

/* Sorts needles. Every needle has ST_NEEDLE_MIN to ST_NEEDLE_MAX bytes. */
struct st_automaton *st_automaton_new(struct st_needle *needles, size_t n);
void st_automaton_free(struct st_automaton *automaton);

/* How far a text got. All zero is the beginning. */
struct st_automaton_state {
	uint32_t node;
	uint32_t hit_len; /* of the needle found last; 0: none */
	uint32_t hit_name;
};

/*
 * Goes on from data[at] to data[end]. Returns the offset it reached: `end`, or less when it stops
 * behind a needle: then state->hit_len is not 0 (it is the longest needle that ends there).
 */
size_t st_automaton_run(const struct st_automaton *automaton, struct st_automaton_state *state,
			const char *data, size_t at, size_t end);

/* How many of the last bytes may be the beginning of a needle. */
size_t st_automaton_held(const struct st_automaton *automaton, struct st_automaton_state state);

#endif
