/* SPDX-License-Identifier: Apache-2.0 */
/* What does a person's decision change? A handler: only orchestrator/core.c calls it. */
#ifndef ST_ORCHESTRATOR_DECIDE_H
#define ST_ORCHESTRATOR_DECIDE_H

#include "orchestrator/state.h"

/* Grants or denies what the open halt asks for, or resolves a call in doubt. Answers if it may not.
 */
void st_decide_run(struct st_turn *turn, struct st_run *run, const struct st_event *event);

#endif
