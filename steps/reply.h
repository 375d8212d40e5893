/* SPDX-License-Identifier: Apache-2.0 */
/* What does an HTTP answer mean, before anyone reads its body? */
#ifndef ST_STEPS_REPLY_H
#define ST_STEPS_REPLY_H

#include <stdbool.h>

#include "schemas/call.h"

#define ST_RETRY_AFTER_MS_MAX INT64_C(3600000)

/* An outcome with nothing in it yet: UNKNOWN, and the whole hold would be settled. */
void st_reply_begin(struct st_outcome *out, const struct st_http_response *response);

/* Ends the outcome with a failure: state, error code, text for people (cut to fit). */
void st_reply_end(struct st_outcome *out, enum st_outcome_state state, const char *code,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The answer did not arrive whole: ends the outcome as NOT_MADE or UNKNOWN, and says true. */
bool st_reply_no_answer(struct st_outcome *out, const char *who,
			const struct st_http_response *response);

/*
 * The rules for a provider whose work costs and has no side effect. True when the answer is no 2xx
 * and the outcome is ended:
 *   NOT_SENT                  NOT_MADE, retryable
 *   LOST, TIMED_OUT           UNKNOWN, retryable: it may have been billed
 *   TOO_LARGE, ABORTED        UNKNOWN, not retryable
 *   408 409 425 429           FAILED, retryable after what the answer asks for; nothing was done
 *   529 "overloaded_error"    the same: the one 5xx that says it was turned away at the door
 *   other 5xx                 FAILED, retryable, the hold is settled whole: a proxy that gave up
 *                             (502, 504, often 503) says nothing about the work behind it
 *   all else                  FAILED, not retryable, nothing was done
 * "Nothing was done" is a known usage of one tool step. `x-should-retry: false` and an exhausted
 * account (insufficient_quota) take the retry away.
 */
bool st_reply_refused(struct st_outcome *out, const char *who,
		      const struct st_http_response *response);

/* How long the answer asks to wait: Retry-After as seconds, or as a date against the answer's own
 * Date, or retry-after-ms; capped at ST_RETRY_AFTER_MS_MAX. -1: not asked, or not sensibly. */
int64_t st_reply_retry_after_ms(const struct st_http_response *response);

/* Copies the message out of an error body of any of the usual forms; "" when there is none. */
void st_reply_message(const struct st_http_response *response, char *out, size_t size);

#endif
