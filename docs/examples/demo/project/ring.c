/* SPDX-License-Identifier: Apache-2.0 */
#include "ring.h"

int ring_put(struct ring *ring, int value)
{
	if (ring->len > RING_MAX) {
		return 0;
	}
	ring->values[(ring->first + ring->len) % RING_MAX] = value;
	ring->len++;
	return 1;
}

int ring_take(struct ring *ring, int *value)
{
	if (ring->len == 0) {
		return 0;
	}
	*value = ring->values[ring->first];
	ring->first = (ring->first + 1) % RING_MAX;
	ring->len--;
	return 1;
}
