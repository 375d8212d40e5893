/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/clock.h"

#include <sodium.h>
#include <time.h>

#define SET_MIN_MS 500

static int64_t read_ms(clockid_t clock)
{
	struct timespec now;
	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

st_time st_clock_now(void)
{
	return read_ms(CLOCK_REALTIME);
}

void st_clock_start(struct st_clock *clock)
{
	clock->wall = read_ms(CLOCK_REALTIME);
	clock->steady_ms = read_ms(CLOCK_BOOTTIME);
}

st_time st_clock_read(struct st_clock *clock, int64_t *moved_ms)
{
	const struct st_clock before = *clock;
	st_clock_start(clock);
	int64_t moved = (clock->wall - before.wall) - (clock->steady_ms - before.steady_ms);
	*moved_ms = moved >= SET_MIN_MS || moved <= -SET_MIN_MS ? moved : 0;
	return clock->wall;
}

void st_clock_random(uint64_t *out, size_t n)
{
	randombytes_buf(out, n * sizeof out[0]);
}
