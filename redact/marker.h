/* SPDX-License-Identifier: Apache-2.0 */
/* What stands where a secret stood? */
#ifndef ST_REDACT_MARKER_H
#define ST_REDACT_MARKER_H

#include <stddef.h>
#include <stdint.h>

#include "schemas/buf.h"

#define ST_REDACT_MARKER_BEGIN "[redacted:"
#define ST_REDACT_ERROR ST_REDACT_MARKER_BEGIN "error]"
/*
 * Adds the marker that stands for a secret: "[redacted:<rule>:<fingerprint>]"; without the latter
 * when it is 0 (st_redactor_key).
 */
void st_redact_marker(struct st_buf *buf, const char *rule, uint32_t fingerprint);
#define ST_REDACT_MARKER_MAX 128 /* bytes of one marker */
/* The length of the marker that text begins with, or 0. */
size_t st_redact_marker_len(const char *text, size_t len);

#endif
