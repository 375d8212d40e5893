/* SPDX-License-Identifier: Apache-2.0 */
/* Which runs and wider scopes does the core hold, and which of them changed? Calls only the queue.
 */
#ifndef ST_ORCHESTRATOR_REGISTRY_H
#define ST_ORCHESTRATOR_REGISTRY_H

#include "orchestrator/state.h"

struct st_run *st_core_find(const struct st_core *core, struct st_id id); /* or NULL */
void st_core_insert(struct st_core *core, struct st_run *run);
void st_core_remove(struct st_core *core, struct st_run *run);
/* Finds or makes the instance. */
struct st_wide *st_core_wide(struct st_core *core, enum st_scope scope, const char *id);
/* The run's rows must be written at the next flush. */
void st_core_mark(struct st_core *core, struct st_run *run);
/* The run is scheduled before this step ends. */
void st_core_touch(struct st_core *core, struct st_run *run);

/* Answers who asked, if anybody did. `body` is taken and may be NULL. */
void st_turn_reply(struct st_turn *turn, enum st_err code, const struct st_run *run,
		   struct st_clean *body);
/* Answers who asked that it may not be now: the run was halted for a decision on it. The verdict
 * (JSON, taken) may be NULL. */
void st_turn_refuse(struct st_turn *turn, const struct st_run *run, struct st_clean *verdict);

#endif
