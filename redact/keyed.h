/* SPDX-License-Identifier: Apache-2.0 */
/* Which values in running text are secret because of what stands before them? */
#ifndef ST_REDACT_KEYED_H
#define ST_REDACT_KEYED_H

#include <stdbool.h>
#include <stddef.h>

#include "redact/keyname.h"
#include "redact/place.h"

/*
 * A secret's name that stood where its value did not: "name: DB_PASSWORD", "key": "token",
 * variable "password". A "value" or "default" on the same line or the next is the secret.
 */
struct st_keyed_pair {
	enum st_keyname key; /* PLAIN: none */
	size_t line_end;     /* of its line; the next begins behind */
};
void st_keyed_pair_drop(struct st_keyed_pair *pair, size_t bytes);

/*
 * A key around `at` and its value: "key=value", "key: value", "\"key\": \"value\"", "--key value",
 * "<key>value<", "Header: value", "key%3Dvalue". find->next is always set, and is behind `at`.
 */
bool st_keyed_match(struct st_place *place, size_t at, struct st_keyed_pair *pair,
		    struct st_find *find);
/* The value of a pair; `at` lies in its "value" or "default". */
bool st_keyed_match_pair(struct st_place *place, size_t at, struct st_keyed_pair *pair,
			 struct st_find *find);
#endif
