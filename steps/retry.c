/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/retry.h"

#include <assert.h>

int64_t st_retry_ceiling_ms(const struct st_backoff *backoff, int64_t failures)
{
	assert(backoff->base_ms >= 0);
	assert(backoff->max_ms >= 0);
	assert(failures >= 1);
	int64_t ceiling = backoff->base_ms;
	/* A ceiling above 0 passes every max_ms within 63 doublings; 0 stays 0. */
	for (int64_t i = 1; i < failures && i < 64 && ceiling < backoff->max_ms; i++) {
		ceiling = ceiling > INT64_MAX / 2 ? INT64_MAX : ceiling * 2;
	}
	return ceiling < backoff->max_ms ? ceiling : backoff->max_ms;
}

/* Evenly 0..most. The bias of the remainder is below most / 2^64. */
static int64_t spread(int64_t most, uint64_t random)
{
	return (int64_t)(random % ((uint64_t)most + 1));
}

int64_t st_retry_wait_ms(const struct st_backoff *backoff, int64_t failures, int64_t retry_after_ms,
			 uint64_t random)
{
	int64_t wait = spread(st_retry_ceiling_ms(backoff, failures), random);
	if (retry_after_ms <= 0) {
		return wait;
	}
	int64_t least =
	    retry_after_ms < ST_RETRY_AFTER_MAX_MS ? retry_after_ms : ST_RETRY_AFTER_MAX_MS;
	return wait > INT64_MAX - least ? INT64_MAX : wait + least;
}
