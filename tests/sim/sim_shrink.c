/* SPDX-License-Identifier: Apache-2.0 */
/* What is the least that still fails? Every part of a world has its own random stream, so that
 * parts can be left out: ticks at the end, runs, classes of faults, ticks in the middle. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/sim.h"

#define TRIES_MAX 1500

struct shrink {
	const struct sim_base *base;
	struct sim_options *best;
	uint8_t *skip;
	enum sim_law law;
	int n_tries;
	struct sim_result result;
};

/* Does it still fail by the same law? Then it is the best so far. */
static bool still_fails(struct shrink *sh, const struct sim_options *options)
{
	struct sim_result result;
	if (sh->n_tries++ >= TRIES_MAX) {
		return false;
	}
	sim_world_run(sh->base, options, &result, NULL);
	if (!result.failed || result.law != sh->law) {
		return false;
	}
	sh->result = result;
	*sh->best = *options;
	return true;
}

static void fewer_steps(struct shrink *sh)
{
	struct sim_options o = *sh->best;
	if (sh->result.tick + 1 < o.steps) {
		o.steps = sh->result.tick + 1;
		(void)still_fails(sh, &o);
	}
	for (int less = sh->best->steps / 2; less > 0; less /= 2) {
		o = *sh->best;
		o.steps -= less;
		(void)still_fails(sh, &o);
	}
}

static void fewer_runs(struct shrink *sh)
{
	for (int i = SIM_RUNS_MAX - 1; i >= 0; i--) {
		struct sim_options o = *sh->best;
		o.runs &= ~(UINT32_C(1) << i);
		if (o.runs != sh->best->runs) {
			(void)still_fails(sh, &o);
		}
	}
}

static void fewer_faults(struct shrink *sh)
{
	for (int i = 0; i < SIM_FAULT_COUNT; i++) {
		struct sim_options o = *sh->best;
		o.without |= UINT64_C(1) << i;
		if (o.without != sh->best->without) {
			(void)still_fails(sh, &o);
		}
	}
}

/* Leaves out ticks, first long pieces, then shorter ones. */
static void fewer_ticks(struct shrink *sh)
{
	uint8_t *skip = sh->skip;
	for (int piece = sh->best->steps / 2; piece > 0; piece /= 2) {
		for (int at = 0; at < sh->best->steps; at += piece) {
			uint8_t kept[4096];
			int n = sh->best->steps - at < piece ? sh->best->steps - at : piece;
			memcpy(kept, skip + at, (size_t)n);
			if (memchr(kept, 0, (size_t)n) == NULL) {
				continue;
			}
			memset(skip + at, 1, (size_t)n);
			struct sim_options o = *sh->best;
			o.skip = skip;
			if (!still_fails(sh, &o)) {
				memcpy(skip + at, kept, (size_t)n);
			}
		}
	}
}

void sim_shrink(const struct sim_base *base, struct sim_options *options, uint8_t *skip,
		struct sim_result *result)
{
	struct shrink sh = {
	    .base = base, .best = options, .skip = skip, .law = result->law, .result = *result};
	options->skip = skip;
	int said = dup(STDERR_FILENO); /* assertions speak there, at each try */
	int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
	(void)dup2(nothing, STDERR_FILENO);
	fewer_steps(&sh);
	fewer_runs(&sh);
	fewer_faults(&sh);
	fewer_ticks(&sh);
	fewer_steps(&sh);
	fewer_runs(&sh);
	(void)dup2(said, STDERR_FILENO);
	(void)close(said);
	(void)close(nothing);
	*result = sh.result;
}
