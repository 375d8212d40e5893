/* SPDX-License-Identifier: Apache-2.0 */
/* Which values in running text are secret because of what stands before them? */
#ifndef ST_REDACT_KEYED_H
#define ST_REDACT_KEYED_H

#include <stdbool.h>
#include <stddef.h>

#include "redact/place.h"

/*
 * A key around `at` and its value: "key=value", "key: value", "\"key\": \"value\"", "--key value",
 * "<key>value<", "Header: value", "key%3Dvalue". find->next is always set, and is behind `at`.
 */
bool st_keyed_match(struct st_place *place, size_t at, struct st_find *find);
/* "Bearer <token>" wherever it stands. */
bool st_keyed_match_bearer(struct st_place *place, size_t at, struct st_find *find);
/* The password of "://user:password@host"; `at` is the colon. */
bool st_keyed_match_url(struct st_place *place, size_t at, struct st_find *find);

#endif
