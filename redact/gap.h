/* SPDX-License-Identifier: Apache-2.0 */
/* What may interrupt a secret without being part of it? */
#ifndef ST_REDACT_GAP_H
#define ST_REDACT_GAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ST_GAP_UNKNOWN SIZE_MAX

/* A text of which `len` bytes are known; when it is final there are no more. */
struct st_known {
	const char *data;
	size_t len;
	bool final;
};

/*
 * The length of what begins at `at` and interrupts a line: a line end, raw or escaped ("\n",
 * "\\r"), a terminal's control sequence, raw or escaped
 * ("\u001b[1m"). 0: nothing does; ST_GAP_UNKNOWN: more text must come first. *line: it is a line
 * end, and spaces behind it belong to it.
 */
size_t st_gap_len(const struct st_known *text, size_t at, bool *line);
/* Copies bytes without their gaps; returns how many are left. */
size_t st_gap_strip(const uint8_t *bytes, size_t len, uint8_t *out);

#endif
