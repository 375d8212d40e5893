/* SPDX-License-Identifier: Apache-2.0 */
/* Which secrets can be told by their shape alone? */
#ifndef ST_REDACT_TOKEN_H
#define ST_REDACT_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redact/place.h"

#define ST_TOKEN_PARTS_MAX 14

/* A literal text, or a run of one class's bytes; max 0 is any number. */
struct st_token_part {
	const char *literal; /* NULL: a class */
	uint8_t len;	     /* of the literal */
	uint8_t class;
	uint16_t min;
	uint16_t max;
};

/* One row of the table. Its texts are borrowed from the table. */
struct st_token {
	const char *rule;
	const struct st_token_part *parts;
	uint8_t n;
	uint8_t anchor;		 /* the part that is looked for first; one class may precede it */
	uint16_t entropy_mibits; /* of what follows the first literal, at least, for each byte */
};

/*
 * The table, read from redact/tokens.json. A row's regex is a sequence of literal characters
 * (escaped where a regular expression needs it) and classes "[A-Za-z0-9_-]" with "{n}", "{n,}" or
 * "{n,m}". What is told twice in one place counts as one find.
 */
struct st_tokens {
	struct st_token *items;
	struct st_token_part *parts; /* of all items */
	size_t n;
	struct st_class classes[ST_PLACE_CLASSES_MAX];
	size_t n_classes;
	char *texts; /* of the literals and rules */
};

struct st_tokens *st_tokens_new(void);
void st_tokens_free(struct st_tokens *tokens); /* NULL is fine */
bool st_class_has(const struct st_class *class, char c);

/* Whether a token stands where its anchor is at `at`. */
bool st_token_match(const struct st_tokens *tokens, const struct st_token *token,
		    struct st_place *place, size_t at, struct st_find *find);

#endif
