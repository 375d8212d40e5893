/* SPDX-License-Identifier: Apache-2.0 */
/* What may start now, and is the run over? Calls call, step and run. */
#ifndef ST_ORCHESTRATOR_SCHEDULE_H
#define ST_ORCHESTRATOR_SCHEDULE_H

#include "orchestrator/state.h"

/* Starts what can start, ends what has ended. Call it when anything about the run changed. */
void st_run_schedule(struct st_turn *turn, struct st_run *run);

#endif
