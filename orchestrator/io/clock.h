/* SPDX-License-Identifier: Apache-2.0 */
/* What time is it, and what is random? The only readers of both. */
#ifndef ST_ORCHESTRATOR_IO_CLOCK_H
#define ST_ORCHESTRATOR_IO_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "schemas/time.h"

/* The wall clock. It may jump; the timeline's own order is kept by the core. */
st_time st_clock_now(void);
/* Fills out with n fresh words from the kernel's generator. */
void st_clock_random(uint64_t *out, size_t n);

#endif
