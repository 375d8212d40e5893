/* SPDX-License-Identifier: Apache-2.0 */
/* What does a client that makes its calls itself change? A handler: only orchestrator/core.c calls
 * it. */
#ifndef ST_ORCHESTRATOR_CLIENT_H
#define ST_ORCHESTRATOR_CLIENT_H

#include "orchestrator/state.h"

/* Each answers who asked. */

/* Holds for a call; or refuses, and halts the run so that a person can decide. */
void st_client_hold(struct st_turn *turn, struct st_run *run, const struct st_event *event);
/* Settles or voids. ST_ERR_EXISTS: it is not open; the store knows how it ended, if it was ever. */
void st_client_settle(struct st_turn *turn, struct st_run *run, const struct st_event *event);
void st_client_extend(struct st_turn *turn, struct st_run *run, const struct st_event *event);
/* Ends a step of the kind "client". */
void st_client_end_step(struct st_turn *turn, struct st_run *run, const struct st_event *event);

#endif
