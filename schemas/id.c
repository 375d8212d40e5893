/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/id.h"

#include <string.h>

#include "schemas/err.h"

/* The finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
 * generators", 2014): a bijection with good avalanche. */
static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t st_random_next(struct st_id_source *source)
{
	source->count++;
	uint64_t low = mix(source->random[0] + source->count * UINT64_C(0x9e3779b97f4a7c15));
	return low ^ mix(source->random[1] ^ (source->count << 32 | source->count));
}

struct st_id st_id_next(struct st_id_source *source)
{
	struct st_id id;
	uint64_t ms = (uint64_t)(source->now < 0 ? 0 : source->now);
	uint64_t high = (ms << 16) | 0x7000U | (st_random_next(source) & 0x0fffU);
	uint64_t low =
	    (st_random_next(source) & UINT64_C(0x3fffffffffffffff)) | UINT64_C(0x8000000000000000);
	for (int i = 0; i < 8; i++) {
		id.bytes[i] = (uint8_t)(high >> (56 - 8 * i));
		id.bytes[8 + i] = (uint8_t)(low >> (56 - 8 * i));
	}
	return id;
}

const char *st_id_format(struct st_id id, const char *prefix, char out[ST_ID_TEXT_MAX])
{
	static const char hex[] = "0123456789abcdef";
	size_t n = strlen(prefix);
	if (n > ST_ID_TEXT_MAX - 37) {
		n = ST_ID_TEXT_MAX - 37;
	}
	memcpy(out, prefix, n);
	char *p = out + n;
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10) {
			*p++ = '-';
		}
		*p++ = hex[id.bytes[i] >> 4];
		*p++ = hex[id.bytes[i] & 15];
	}
	*p = '\0';
	return out;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int st_id_parse(const char *text, const char *prefix, struct st_id *out)
{
	size_t n = strlen(prefix);
	if (strncmp(text, prefix, n) != 0 || strlen(text + n) != 36) {
		return ST_ERR_INVALID;
	}
	const char *p = text + n;
	struct st_id id = {{0}};
	for (int i = 0; i < 16; i++) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *p++ != '-') {
			return ST_ERR_INVALID;
		}
		int high = hex_value(p[0]);
		int low = high < 0 ? -1 : hex_value(p[1]);
		if (low < 0) {
			return ST_ERR_INVALID;
		}
		id.bytes[i] = (uint8_t)(high << 4 | low);
		p += 2;
	}
	*out = id;
	return ST_OK;
}

bool st_id_equal(struct st_id a, struct st_id b)
{
	return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool st_id_is_none(struct st_id id)
{
	return st_id_equal(id, (struct st_id){{0}});
}
