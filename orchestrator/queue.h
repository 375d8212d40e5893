/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for what: times and free slots. Calls nothing of the core. */
#ifndef ST_ORCHESTRATOR_QUEUE_H
#define ST_ORCHESTRATOR_QUEUE_H

#include "orchestrator/state.h"

/* Grows as needed. */
void st_run_list_add(struct st_run_list *list, struct st_run *run);

/* The timer heap: sets run->due and keeps the run at its place; ST_TIME_NONE takes it out. */
void st_queue_set_due(struct st_core *core, struct st_run *run, st_time due);
/* Is there a free slot for a call of this kind? If not, the run is woken when there is. */
bool st_queue_slot(struct st_core *core, struct st_run *run, const struct st_kind *kind);
void st_queue_take(struct st_core *core, struct st_run *run, const struct st_kind *kind);
void st_queue_give(struct st_core *core, struct st_run *run, const struct st_kind *kind);
/* The run that has waited longest for a slot that is free now, no longer waiting; or NULL. */
struct st_run *st_queue_next(struct st_core *core);

#endif
