/* SPDX-License-Identifier: Apache-2.0 */
/* How is a timeline chained, so that an edit is found? */
#ifndef ST_TELEMETRY_TIMELINE_H
#define ST_TELEMETRY_TIMELINE_H

#include "schemas/row.h"

/*
 * The event's link: BLAKE2b-256 over the hash before it and every stored field of the event, each
 * preceded by its length so that no two events share one encoding. `before` is all zero for the
 * first event of a run. Everything of `event` but `hash` must be set.
 */
void st_timeline_link(const uint8_t before[ST_HASH_BYTES], const struct st_row_event *event,
		      uint8_t out[ST_HASH_BYTES]);

#endif
