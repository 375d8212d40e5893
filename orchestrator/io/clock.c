/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/clock.h"

#include <sodium.h>
#include <time.h>

st_time st_clock_now(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (st_time)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void st_clock_random(uint64_t *out, size_t n)
{
	randombytes_buf(out, n * sizeof out[0]);
}
