/* SPDX-License-Identifier: Apache-2.0 */
/* Which lines belong to a private key, also when its beginning or end was cut off? */
#ifndef ST_REDACT_PEM_H
#define ST_REDACT_PEM_H

#include <stdbool.h>
#include <stddef.h>

#include "redact/place.h"

#define ST_PEM_RULE "private-key"
#define ST_PEM_LINES_MAX 200
#define ST_PEM_TAIL_LINES_MAX 128

/* Where in a block a text is. All zero: in none. */
struct st_pem {
	bool inside;
	unsigned lines;
	size_t width;	 /* of the first line of base64 */
	bool short_line; /* a shorter one was seen: the block ends now */
};

/*
 * "-----BEGIN ... PRIVATE KEY"; `at` is the last of the dashes. When the block goes on in the next
 * line, pem->inside is true afterwards.
 */
bool st_pem_match_begin(struct st_pem *pem, struct st_place *place, size_t at,
			struct st_find *find);
/* "-----END ... PRIVATE KEY" whose beginning was cut off. tail_min: look no farther back. */
bool st_pem_match_end(struct st_place *place, size_t at, size_t tail_min, struct st_find *find);
/*
 * The line from `at`, inside a block: true when (part of) it belongs to the key, which is then in
 * *find. When pem->inside is false afterwards, the text goes on at find->next as usual.
 */
bool st_pem_match_line(struct st_pem *pem, struct st_place *place, size_t at, struct st_find *find);
/*
 * Where the lines of base64 that end at `at`, the beginning of a line, begin; `at` when there are
 * none. They may be the tail of a key whose END line is still to come.
 */
size_t st_pem_tail_start(const char *data, size_t min, size_t at);

#endif
