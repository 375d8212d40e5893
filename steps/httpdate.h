/* SPDX-License-Identifier: Apache-2.0 */
/* Which moment is an HTTP date? */
#ifndef ST_STEPS_HTTPDATE_H
#define ST_STEPS_HTTPDATE_H

#include "schemas/time.h"

/* Reads the one form that senders must use (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". The
 * name of the weekday is not checked. 0, or ST_ERR_INVALID. */
int st_httpdate_parse(const char *text, st_time *out);

#endif
