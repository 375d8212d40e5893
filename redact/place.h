/* SPDX-License-Identifier: Apache-2.0 */
/* What stands left and right of an offset? Answers that are asked often are kept. */
#ifndef ST_REDACT_PLACE_H
#define ST_REDACT_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redact/chars.h"

#define ST_PLACE_CLASSES_MAX 48

/* A set of bytes. */
struct st_class {
	uint64_t bits[4];
};

struct st_stretch {
	size_t from;
	size_t to;
};

/*
 * A part of a text: whole lines, or a part of one very long line. No rule looks outside of it,
 * and none looks over the end of a line. The kept answers make hostile texts cost linear time.
 */
struct st_place {
	const char *data;
	size_t begin;
	size_t end;
	struct st_stretch line; /* to: the newline, or end */
	struct st_stretch runs[ST_ALPHABET_COUNT];
	struct st_stretch class_runs[ST_PLACE_CLASSES_MAX];
};

void st_place_init(struct st_place *place, const char *data, size_t begin, size_t end);
/* The end of the line that `at` is in. */
size_t st_place_line_end(struct st_place *place, size_t at);
/* The end of the run of an alphabet's bytes from at; `at` when there is none. */
size_t st_place_run_end(struct st_place *place, enum st_alphabet alphabet, size_t at);
/* The same for a class, which has a number of its own. */
size_t st_place_class_end(struct st_place *place, size_t number, const struct st_class *class,
			  size_t at);
/* Whether a word may begin at `at`: no letter or digit before it, or one that ends an escape. */
bool st_place_is_word_start(const struct st_place *place, size_t at);

/* Whether one of our markers ends there: what follows was part of a longer word once. */
bool st_place_is_after_marker(const struct st_place *place, size_t at);

/* What a rule found: replace [start, end) and go on at next. */
struct st_find {
	size_t start;
	size_t end;
	size_t next;
	const char *rule;
	const char *quote; /* put around the marker, for JSON must stay JSON; or NULL */
};

#endif
