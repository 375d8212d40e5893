/* SPDX-License-Identifier: Apache-2.0 */
/* What does a set clock change? Called by the core only; calls registry, run and client_call. */
#ifndef ST_ORCHESTRATOR_JUMP_H
#define ST_ORCHESTRATOR_JUMP_H

#include "orchestrator/state.h"

/* Somebody set the clock, by moved_ms: what counts time goes on as if nobody had. */
void st_core_move_clock(struct st_turn *turn, int64_t moved_ms);

#endif
