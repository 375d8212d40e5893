/* SPDX-License-Identifier: Apache-2.0 */
/* How is a run held back, ended or given other limits? Handlers: only orchestrator/core.c calls
 * them. */
#ifndef ST_ORCHESTRATOR_CONTROL_H
#define ST_ORCHESTRATOR_CONTROL_H

#include "orchestrator/state.h"

/* Both answer if it may not be. Cancels, pauses or resumes: */
void st_control_run(struct st_turn *turn, struct st_run *run, const struct st_event *event);
void st_control_limits(struct st_turn *turn, struct st_run *run, const struct st_event *event);

#endif
