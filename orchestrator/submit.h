/* SPDX-License-Identifier: Apache-2.0 */
/* How does a definition become a run? A handler: only orchestrator/core.c calls it. */
#ifndef ST_ORCHESTRATOR_SUBMIT_H
#define ST_ORCHESTRATOR_SUBMIT_H

#include "orchestrator/state.h"

/* Takes event->submit.def. The run is running when this returns, unless the reply says why not. */
void st_run_submit(struct st_turn *turn, const struct st_event *event);

#endif
