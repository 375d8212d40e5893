/* SPDX-License-Identifier: Apache-2.0 */
/* What names a run, call, hold or halt? */
#ifndef ST_SCHEMAS_ID_H
#define ST_SCHEMAS_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "schemas/time.h"

/* A UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then random bits. */
struct st_id {
	uint8_t bytes[16];
};

#define ST_ID_TEXT_MAX 48 /* prefix, 36 characters, NUL */

#define ST_ID_RUN "r_"
#define ST_ID_CALL "c_"
#define ST_ID_HOLD "h_"
#define ST_ID_HALT "halt_"

/* Makes ids out of what arrived in an event: its time and its random words. Pure: the same event
 * gives the same ids in the same order. */
struct st_id_source {
	st_time now;
	uint64_t random[2];
	uint64_t count;
};

struct st_id st_id_next(struct st_id_source *source);
/* The next 64 pseudo-random bits of the same event, for jitter. */
uint64_t st_random_next(struct st_id_source *source);

/* Writes prefix + canonical UUID; returns out. */
const char *st_id_format(struct st_id id, const char *prefix, char out[ST_ID_TEXT_MAX]);
/* Reads exactly prefix + 36 characters (lower-case hex). 0, or ST_ERR_INVALID. */
int st_id_parse(const char *text, const char *prefix, struct st_id *out);
bool st_id_equal(struct st_id a, struct st_id b);
bool st_id_is_none(struct st_id id); /* all zero: no id */

#endif
