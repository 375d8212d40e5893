/* SPDX-License-Identifier: Apache-2.0 */
/* How does a run end before its steps have? Calls call_end, step and run. */
#ifndef ST_ORCHESTRATOR_STOP_H
#define ST_ORCHESTRATOR_STOP_H

#include "orchestrator/state.h"

/* Ends the run now: cancelled or failed. Nothing starts any more; what is in flight is aborted and
 * settles when it ends; what is in doubt stays in doubt. */
void st_run_stop(struct st_turn *turn, struct st_run *run, enum st_run_state to);

#endif
