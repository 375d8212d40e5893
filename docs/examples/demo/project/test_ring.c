/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "ring.h"

static int failed;

static void check(const char *what, int got, int expected)
{
	if (got != expected) {
		printf("FAIL: %s: expected %d, got %d\n", what, expected, got);
		failed = 1;
	}
}

int main(void)
{
	struct ring ring = {0};
	int value = 0;
	for (int i = 0; i < RING_MAX; i++) {
		check("a ring with room takes a value", ring_put(&ring, i), 1);
	}
	check("a full ring takes no value", ring_put(&ring, 99), 0);
	check("a ring that is not empty gives a value", ring_take(&ring, &value), 1);
	check("the oldest comes first", value, 0);
	printf(failed ? "test_ring: failed\n" : "test_ring: passed\n");
	return failed;
}
