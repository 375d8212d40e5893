/* SPDX-License-Identifier: Apache-2.0 */
/* What time is it, and what is random? The only readers of both. */
#ifndef ST_ORCHESTRATOR_IO_CLOCK_H
#define ST_ORCHESTRATOR_IO_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "schemas/time.h"

/* The wall clock. It may jump; the timeline's own order is kept by the core. */
st_time st_clock_now(void);
/* Two clocks read side by side, to tell time that passes from a clock that is set. */
struct st_clock {
	st_time wall;	   /* when last read */
	int64_t steady_ms; /* since boot, suspends included; nobody can set it */
};

/* Starts from now. */
void st_clock_start(struct st_clock *clock);
/* Reads the wall clock. *moved_ms: by how much it was set since the last reading; what is below
 * half a second is the clock being kept right and comes as 0. */
st_time st_clock_read(struct st_clock *clock, int64_t *moved_ms);

/* Fills out with n fresh words from the kernel's generator. */
void st_clock_random(uint64_t *out, size_t n);

#endif
