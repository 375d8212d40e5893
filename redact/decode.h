/* SPDX-License-Identifier: Apache-2.0 */
/* What does a run of base64, hex or percent signs say in plain text? */
#ifndef ST_REDACT_DECODE_H
#define ST_REDACT_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "redact/place.h"
#include "schemas/buf.h"

#define ST_DECODE_MIN 20	  /* bytes of a run that is worth it */
#define ST_DECODE_MAX (64 * 1024) /* bytes of a run; what is longer holds data */

struct st_run {
	size_t start;
	size_t end;
};

/* The first run of a place that begins at `at` or behind and is at most ST_DECODE_MAX long; false:
 * none. */
bool st_decode_next(const struct st_place *place, size_t at, struct st_run *run);
/* Adds the plain text of a run to out. False, with nothing added, when it is no text. */
bool st_decode_run(const char *text, size_t len, struct st_buf *out);

#endif
