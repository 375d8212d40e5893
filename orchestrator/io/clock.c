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

void st_clock_random(uint64_t out[2])
{
	randombytes_buf(out, 2 * sizeof out[0]);
}
