/* SPDX-License-Identifier: Apache-2.0 */
/* What is a moment, and how is it written? */
#ifndef ST_SCHEMAS_TIME_H
#define ST_SCHEMAS_TIME_H

#include <stdint.h>

/* Milliseconds since 1970-01-01T00:00:00Z. It always arrives from outside (in the event). */
typedef int64_t st_time;

#define ST_TIME_NONE INT64_MIN
#define ST_TIME_TEXT_MAX 32
#define ST_TIME_MAX INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

/* Writes RFC 3339 UTC with milliseconds ("2026-11-22T14:03:05.120Z"); ST_TIME_NONE writes "".
 * Times out of 0000..9999 are clamped. Returns out. */
const char *st_time_format(st_time at, char out[ST_TIME_TEXT_MAX]);

/* Reads RFC 3339 with zone (Z or +hh:mm), fraction optional. 0, or ST_ERR_INVALID. */
int st_time_parse(const char *text, st_time *out);

#endif
