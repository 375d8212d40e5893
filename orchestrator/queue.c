/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for what: times and free slots. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "orchestrator/core_private.h"
#include "schemas/mem.h"

void st_run_list_add(struct st_run_list *list, struct st_run *run)
{
	if (list->n == list->cap) {
		list->cap = list->cap == 0 ? 16 : list->cap * 2;
		list->of = st_realloc(list->of, list->cap * sizeof(struct st_run *));
	}
	list->of[list->n++] = run;
}

static void place(struct st_run_list *heap, size_t i, struct st_run *run)
{
	heap->of[i] = run;
	run->heap_index = i;
}

static void sift_up(struct st_run_list *heap, size_t i)
{
	struct st_run *run = heap->of[i];
	while (i > 0 && heap->of[(i - 1) / 2]->due > run->due) {
		place(heap, i, heap->of[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(heap, i, run);
}

static void sift_down(struct st_run_list *heap, size_t i)
{
	struct st_run *run = heap->of[i];
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= heap->n) {
			break;
		}
		if (child + 1 < heap->n && heap->of[child + 1]->due < heap->of[child]->due) {
			child++;
		}
		if (heap->of[child]->due >= run->due) {
			break;
		}
		place(heap, i, heap->of[child]);
		i = child;
	}
	place(heap, i, run);
}

static void heap_remove(struct st_run_list *heap, struct st_run *run)
{
	size_t i = run->heap_index;
	assert(i < heap->n);
	assert(heap->of[i] == run);
	struct st_run *last = heap->of[--heap->n];
	run->heap_index = SIZE_MAX;
	if (last == run) {
		return;
	}
	place(heap, i, last);
	sift_up(heap, i);
	sift_down(heap, last->heap_index);
}

void st_queue_set_due(struct st_core *core, struct st_run *run, st_time due)
{
	if (run->heap_index != SIZE_MAX) {
		if (run->due == due) {
			return;
		}
		heap_remove(&core->timers, run);
	}
	run->due = due;
	if (due != ST_TIME_NONE) {
		st_run_list_add(&core->timers, run);
		run->heap_index = core->timers.n - 1;
		sift_up(&core->timers, run->heap_index);
	}
}

static bool free_slot(const struct st_core *core, enum st_via via)
{
	const struct st_config *config = core->options.config;
	if (via == ST_VIA_JOB) {
		return (int64_t)core->n_jobs < config->jobs_max;
	}
	return via != ST_VIA_HTTP || (int64_t)core->n_calls < config->calls_max;
}

bool st_queue_slot(struct st_core *core, struct st_run *run, const struct st_kind *kind)
{
	if (kind->via == ST_VIA_JOB && (int64_t)run->n_jobs >= run->def->envelope.job.concurrent) {
		return false; /* the end of one of its own jobs schedules the run again */
	}
	if (free_slot(core, kind->via)) {
		return true;
	}
	if (!run->queued) {
		run->queued = true;
		st_run_list_add(&core->waiting, run);
	}
	return false;
}

void st_queue_take(struct st_core *core, struct st_run *run, const struct st_kind *kind)
{
	run->n_flights++;
	if (kind->via == ST_VIA_JOB) {
		core->n_jobs++;
		run->n_jobs++;
	} else if (kind->via == ST_VIA_HTTP) {
		core->n_calls++;
	}
}

void st_queue_give(struct st_core *core, struct st_run *run, const struct st_kind *kind)
{
	assert(run->n_flights > 0);
	run->n_flights--;
	if (kind->via == ST_VIA_JOB) {
		assert(core->n_jobs > 0);
		assert(run->n_jobs > 0);
		core->n_jobs--;
		run->n_jobs--;
	} else if (kind->via == ST_VIA_HTTP) {
		assert(core->n_calls > 0);
		core->n_calls--;
	}
}

void st_queue_pump(struct st_core *core)
{
	const struct st_config *config = core->options.config;
	size_t free_slots = 0;
	if ((int64_t)core->n_calls < config->calls_max) {
		free_slots += (size_t)(config->calls_max - (int64_t)core->n_calls);
	}
	if ((int64_t)core->n_jobs < config->jobs_max) {
		free_slots += (size_t)(config->jobs_max - (int64_t)core->n_jobs);
	}
	size_t n = core->waiting.n < free_slots ? core->waiting.n : free_slots;
	if (n == 0) {
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct st_run *run = core->waiting.of[i];
		run->queued = false;
		st_core_touch(core, run);
	}
	core->waiting.n -= n;
	memmove(core->waiting.of, core->waiting.of + n, core->waiting.n * sizeof(struct st_run *));
}
