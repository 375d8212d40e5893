/* SPDX-License-Identifier: Apache-2.0 */
/* How do stored rows become runs again? A handler: only orchestrator/core.c calls it. */
#ifndef ST_ORCHESTRATOR_RECOVER_H
#define ST_ORCHESTRATOR_RECOVER_H

#include "orchestrator/state.h"

/* Takes in the runs of a LOAD event; what does not fit together is left out, and who asked is told.
 */
void st_recover_load(struct st_turn *turn, const struct st_event *event);

#endif
