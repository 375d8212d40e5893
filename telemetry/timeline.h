/* SPDX-License-Identifier: Apache-2.0 */
/* How is a timeline chained, so that an edit is found? */
#ifndef ST_TELEMETRY_TIMELINE_H
#define ST_TELEMETRY_TIMELINE_H

#include "schemas/row.h"

/* An event as it is stored. All borrowed. */
struct st_link {
	struct st_id run;
	int64_t seq;
	st_time at;
	const char *type;
	const char *step; /* "" for none */
	int64_t item;
	struct st_id call;
	const char *data;
	size_t data_len;
};

/*
 * The event's link: BLAKE2b-256 over the hash before it and every stored field of the event, each
 * preceded by its length so that no two events share one encoding. `before` is all zero for the
 * first event of a run. Everything of `event` but `hash` must be set.
 */
void st_timeline_link(const uint8_t before[ST_HASH_BYTES], const struct st_row_event *event,
		      uint8_t out[ST_HASH_BYTES]);

/* The same of an event that was read back, whose data nobody calls clean. */
void st_timeline_relink(const uint8_t before[ST_HASH_BYTES], const struct st_link *event,
			uint8_t out[ST_HASH_BYTES]);

#endif
