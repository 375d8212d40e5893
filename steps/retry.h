/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before the next attempt? */
#ifndef ST_STEPS_RETRY_H
#define ST_STEPS_RETRY_H

#include <stdint.h>

#define ST_RETRY_AFTER_MAX_MS INT64_C(3600000) /* what a provider may ask for at most */

struct st_backoff {
	int64_t base_ms; /* upper bound of the first wait, >= 0 */
	int64_t max_ms;	 /* upper bound of every wait, >= 0 */
};

/* The upper bound of the wait after `failures` failed attempts (>= 1): base doubled each time, at
 * most max_ms, never wrapping. */
int64_t st_retry_ceiling_ms(const struct st_backoff *backoff, int64_t failures);

/*
 * The wait itself, >= 0: full jitter, evenly spread over 0..ceiling by `random`, so that runs that
 * failed together do not come back together. When the provider asked for retry_after_ms (-1: it did
 * not), that is waited at least, at most ST_RETRY_AFTER_MAX_MS of it, and the jitter comes on top.
 */
int64_t st_retry_wait_ms(const struct st_backoff *backoff, int64_t failures, int64_t retry_after_ms,
			 uint64_t random);

#endif
