/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/entropy.h"

#include <stdint.h>

#define LOOK_MAX 4096

/* The binary logarithm of n > 0, in 1/1024. */
static uint64_t log2_mibits(uint64_t n)
{
	unsigned whole = 0;
	while (n >> (whole + 1) != 0)
		whole++;
	/* A number from 1 to 2 in 1/2^30; squaring doubles its logarithm. */
	uint64_t x = whole <= 30 ? n << (30 - whole) : n >> (whole - 30);
	uint64_t result = whole;
	for (int bit = 0; bit < 10; bit++) {
		x = x * x >> 30;
		result = result << 1 | (x >> 31);
		x >>= x >> 31;
	}
	return result;
}

unsigned st_entropy_mibits(const char *text, size_t len)
{
	uint16_t counts[256] = {0};
	if (len > LOOK_MAX)
		len = LOOK_MAX;
	if (len == 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		counts[(unsigned char)text[i]]++;
	uint64_t sum = 0;
	for (size_t i = 0; i < 256; i++)
		if (counts[i] > 1)
			sum += counts[i] * log2_mibits(counts[i]);
	return (unsigned)(log2_mibits(len) - sum / len);
}
