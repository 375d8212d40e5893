/* SPDX-License-Identifier: Apache-2.0 */
/* Where does one of many exact needles occur in a text? */
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

/* A position in the automaton: how far the last bytes lead into the needles. 0 is nowhere. */
uint32_t st_automaton_step(const struct st_automaton *automaton, uint32_t node, uint8_t byte);
/* The position that holds fewer of the last bytes, the most that are still a beginning. */
uint32_t st_automaton_fail(const struct st_automaton *automaton, uint32_t node);
/* The same position, or of a needle's very end the longest one that may still go on. */
uint32_t st_automaton_live(const struct st_automaton *automaton, uint32_t node);
/* How many of the last bytes may be the beginning of a needle. */
size_t st_automaton_depth(const struct st_automaton *automaton, uint32_t node);
/* The length of the longest needle that ends here, and its number; 0: none does. */
size_t st_automaton_hit(const struct st_automaton *automaton, uint32_t node, uint32_t *name);
/* From position 0: passes over the offsets from `at` where no needle begins, but none of the last
 * three before `end`. */
size_t st_automaton_skip(const struct st_automaton *automaton, const char *data, size_t at,
			 size_t end);

#endif
