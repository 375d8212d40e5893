/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a call that a client makes itself? Beside orchestrator/call.c; calls call_end and
 * run. */
#ifndef ST_ORCHESTRATOR_CLIENT_CALL_H
#define ST_ORCHESTRATOR_CLIENT_CALL_H

#include "orchestrator/call_end.h"
#include "orchestrator/run.h"
#include "orchestrator/state.h"

/* The open one of this id, or NULL. Valid until one is added or ends. */
struct st_client_call *st_client_find(const struct st_run *run, struct st_id call);
struct st_about st_client_about(const struct st_client_call *call);
/* The first in doubt, or NULL. */
struct st_client_call *st_client_doubt(const struct st_run *run);

/* Takes the flight; held already. Writes no rows. */
void st_client_add(struct st_run *run, const struct st_client_call *call);
/* The rows and the timeline of one that was added now. Takes what the client says of its
 * parameters. */
void st_client_tell_held(struct st_turn *turn, struct st_run *run,
			 const struct st_client_call *call,
			 const uint8_t params_hash[ST_HASH_BYTES], struct st_clean *params);
/* Writes its row anew: when it expires, or that it is in doubt. */
void st_client_put(struct st_turn *turn, const struct st_client_call *call);

/* Those whose time is over come into doubt. */
void st_client_expire(struct st_turn *turn, struct st_run *run);
/* Its one end: told by its client, or by a person when it is in doubt, which it then no longer is.
 */
void st_client_resolve(struct st_turn *turn, struct st_run *run, struct st_client_call *call,
		       const struct st_resolution *resolution);
/* The clock was set: their time is as long as it was. */
void st_client_move_clock(struct st_turn *turn, struct st_run *run, int64_t moved_ms);

#endif
