/* SPDX-License-Identifier: Apache-2.0 */
/* How does a call end? Below orchestrator/call.c, which makes it; calls step, run and queue. */
#ifndef ST_ORCHESTRATOR_CALL_END_H
#define ST_ORCHESTRATOR_CALL_END_H

#include "orchestrator/run.h"
#include "orchestrator/state.h"
#include "orchestrator/tell.h"

/* The one end of a hold: ledger, settlement row, call row, timeline. Frees the flight. */
void st_flight_end(struct st_turn *turn, struct st_run *run, struct st_flight *flight,
		   struct st_about what, const struct st_end *given);
/* Records what the outside world called what a call made. */
void st_call_external_id(struct st_turn *turn, struct st_run *run, struct st_about what,
			 const struct st_external_id *from);

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
	const struct st_clean *reason; /* or NULL */
};
/* What that makes of a hold of so much. Borrows all three. */
struct st_end st_call_resolved(const struct st_resolution *resolution,
			       const struct st_amounts *held);
void st_call_resolve(struct st_turn *turn, struct st_run *run, int step, int item,
		     const struct st_resolution *resolution);

#endif
