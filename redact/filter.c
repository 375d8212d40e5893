/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/filter.h"

#include <stdbool.h>
#include <string.h>

/* Of the hash the upper bits are well mixed. */
static uint32_t hash_of(uint32_t group)
{
	return (group * UINT32_C(0x9e3779b1)) >> (32 - ST_FILTER_BITS);
}

static unsigned may_be(const struct st_filter *filter, uint32_t group)
{
	uint32_t hash = hash_of(group);
	return (unsigned)(filter->words[hash >> 6] >> (hash & 63)) & 1u;
}

static uint32_t group_at(const char *at)
{
	uint32_t group;
	memcpy(&group, at, sizeof group);
	return group;
}

void st_filter_add(struct st_filter *filter, const void *four_bytes)
{
	uint32_t hash = hash_of(group_at(four_bytes));
	filter->words[hash >> 6] |= UINT64_C(1) << (hash & 63);
}

size_t st_filter_next(const struct st_filter *filter, const char *data, size_t at, size_t end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	/* Eight bytes hold five groups: one test for all of them. */
	while (end - at >= 8) {
		uint64_t word;
		memcpy(&word, data + at, sizeof word);
		unsigned any = may_be(filter, (uint32_t)word);
		any |= may_be(filter, (uint32_t)(word >> 8)) << 1;
		any |= may_be(filter, (uint32_t)(word >> 16)) << 2;
		any |= may_be(filter, (uint32_t)(word >> 24)) << 3;
		any |= may_be(filter, (uint32_t)(word >> 32)) << 4;
		if (any != 0) {
			while ((any & 1) == 0) {
				any >>= 1;
				at++;
			}
			return at;
		}
		at += 5;
	}
#endif
	while (end - at >= 4 && may_be(filter, group_at(data + at)) == 0)
		at++;
	return at;
}
