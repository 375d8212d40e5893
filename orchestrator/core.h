/* SPDX-License-Identifier: Apache-2.0 */
/* Given what is so and what happened: what is so now, and what has to be done? */
#ifndef ST_ORCHESTRATOR_CORE_H
#define ST_ORCHESTRATOR_CORE_H

#include <stdbool.h>

#include "orchestrator/core_options.h"
#include "schemas/config.h"
#include "schemas/effect.h"
#include "schemas/event.h"

struct st_core;

struct st_core *st_core_new(const struct st_core_options *options,
			    const struct st_core_numbers *numbers);
void st_core_free(struct st_core *core);

/*
 * Takes one event. Appends rows and effects to `update`; the caller lets no effect out before the
 * rows of this update (and those that st_core_flush adds) are durable. Deterministic: the same core
 * and event give the same rows and effects. An event that is not legal now changes nothing, and its
 * reply says why.
 */
void st_core_step(struct st_core *core, const struct st_event *event, struct st_update *update);

/* Appends the rows of everything that changed since the last flush, each once, then forgets runs
 * that neither act nor wait for a time. Call it once before a batch is handed to the store. */
void st_core_flush(struct st_core *core, struct st_update *update);

/* When a TIMER event is due; ST_TIME_NONE: not before something else happens. */
st_time st_core_deadline(const struct st_core *core);

/* Is this run in memory? If not, LOAD it before other events for it. */
bool st_core_has(const struct st_core *core, struct st_id run);
size_t st_core_runs(const struct st_core *core);
size_t st_core_calls_in_flight(const struct st_core *core);

/* Asserts the laws that can be seen from inside: conservation on every account, holds = calls in
 * flight. For tests and the simulator; linear in everything. */
void st_core_prove(const struct st_core *core);

#endif
