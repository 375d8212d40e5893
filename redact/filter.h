/* SPDX-License-Identifier: Apache-2.0 */
/* At which offsets of a text may one of many four-byte groups stand? */
#ifndef ST_REDACT_FILTER_H
#define ST_REDACT_FILTER_H

#include <stddef.h>
#include <stdint.h>

#define ST_FILTER_BITS 17 /* 16 KiB: it must stay in the first-level cache */

/* A bit for each hash of four bytes. All zero passes over everything. */
struct st_filter {
	uint64_t words[1u << (ST_FILTER_BITS - 6)];
};

void st_filter_add(struct st_filter *filter, const void *four_bytes);
/* The first offset from `at` where a group may stand; more than end - 4 when there is none. */
size_t st_filter_next(const struct st_filter *filter, const char *data, size_t at, size_t end);

#endif
