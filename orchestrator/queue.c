/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/queue.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

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

static bool slot_of(const struct st_kind *kind, enum st_slot *slot)
{
	*slot = kind->via == ST_VIA_JOB ? ST_SLOT_JOB : ST_SLOT_CALL;
	return kind->via == ST_VIA_JOB || kind->via == ST_VIA_HTTP;
}

static bool is_free(const struct st_core *core, enum st_slot slot)
{
	const struct st_config *config = core->options.config;
	return slot == ST_SLOT_JOB ? (int64_t)core->n_jobs < config->jobs_max
				   : (int64_t)core->n_calls < config->calls_max;
}

bool st_queue_slot(struct st_core *core, struct st_run *run, const struct st_kind *kind)
{
	enum st_slot slot;
	if (kind->via == ST_VIA_JOB && (int64_t)run->n_jobs >= run->def->envelope.job.concurrent) {
		return false; /* the end of one of its own jobs schedules the run again */
	}
	if (!slot_of(kind, &slot) || is_free(core, slot)) {
		return true;
	}
	if (!run->queued[slot]) {
		run->queued[slot] = true;
		st_run_list_add(&core->waiting[slot].list, run);
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

static struct st_run *leave(struct st_waiting *waiting, enum st_slot slot)
{
	struct st_run_list *list = &waiting->list;
	struct st_run *run = list->of[waiting->first++];
	run->queued[slot] = false;
	if (waiting->first * 2 >= list->n) { /* moves each entry once on average */
		list->n -= waiting->first;
		memmove(list->of, list->of + waiting->first, list->n * sizeof(struct st_run *));
		waiting->first = 0;
	}
	return run;
}

struct st_run *st_queue_next(struct st_core *core)
{
	for (int i = 0; i < ST_SLOT_COUNT; i++) {
		struct st_waiting *waiting = &core->waiting[i];
		if (waiting->first < waiting->list.n && is_free(core, (enum st_slot)i)) {
			return leave(waiting, (enum st_slot)i);
		}
	}
	return NULL;
}
