/* SPDX-License-Identifier: Apache-2.0 */
/* How does a call end? Below orchestrator/call.c, which makes it; calls step, run and queue. */
#ifndef ST_ORCHESTRATOR_CALL_END_H
#define ST_ORCHESTRATOR_CALL_END_H

#include "orchestrator/state.h"

void st_call_ended(struct st_turn *turn, struct st_run *run, const struct st_event *event);
void st_call_counted(struct st_turn *turn, struct st_run *run, const struct st_event *event);
void st_call_lost(struct st_turn *turn, struct st_run *run, int step, int item);
/* A call that would have been sent again no longer will be. */
void st_call_doubt(struct st_turn *turn, struct st_run *run, int step, int item);
/* A person or the provider says how a call in doubt ended. */
struct st_resolution {
	bool happened;
	bool usage_known;
	const struct st_amounts *usage;
	const char *by;
};
void st_call_resolve(struct st_turn *turn, struct st_run *run, int step, int item,
		     const struct st_resolution *resolution);

#endif
