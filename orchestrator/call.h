/* SPDX-License-Identifier: Apache-2.0 */
/* How is a call made? Once its worst case is held; see orchestrator/call.c. Calls call_end for what
 * can no longer be sent, step, run, gate and queue. */
#ifndef ST_ORCHESTRATOR_CALL_H
#define ST_ORCHESTRATOR_CALL_H

#include "orchestrator/state.h"

/* Tries a waiting item of a running run: makes its call, halts the run to ask, sleeps or fails. */
void st_call_try(struct st_turn *turn, struct st_run *run, int step, int item);

#endif
