/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of at most RING_MAX numbers. */
#ifndef RING_H
#define RING_H

#define RING_MAX 4

struct ring {
	int values[RING_MAX];
	unsigned first;
	unsigned len;
};

/* 1 when the value was taken in, 0 when the ring is full; then nothing changes. */
int ring_put(struct ring *ring, int value);
/* 1 and the oldest value in *value, or 0 when the ring is empty. */
int ring_take(struct ring *ring, int *value);

#endif
