/* SPDX-License-Identifier: Apache-2.0 */
/* Which numbers does a seed give? */
#include "tests/sim/sim.h"

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

struct sim_rng sim_rng_of(uint64_t seed, uint64_t a, uint64_t b)
{
	struct sim_rng rng = {mix(seed + UINT64_C(0x9e3779b97f4a7c15))};
	rng.state = mix(rng.state ^ mix(a + UINT64_C(0x632be59bd9b4e019)));
	rng.state = mix(rng.state ^ mix(b + UINT64_C(0xd1342543de82ef95)));
	return rng;
}

uint64_t sim_next(struct sim_rng *rng)
{
	rng->state += UINT64_C(0x9e3779b97f4a7c15);
	return mix(rng->state);
}

uint64_t sim_roll(struct sim_rng *rng, uint64_t n)
{
	return sim_next(rng) % n;
}

bool sim_chance(struct sim_rng *rng, unsigned p)
{
	return sim_roll(rng, 100) < p;
}
