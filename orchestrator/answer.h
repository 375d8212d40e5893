/* SPDX-License-Identifier: Apache-2.0 */
/* Which HTTP status tells what the core answered? The core keeps it beside the answer, so that a
 * request that is asked again gets the same one. */
#ifndef ST_ORCHESTRATOR_ANSWER_H
#define ST_ORCHESTRATOR_ANSWER_H

#include "schemas/err.h"
#include "schemas/event.h"

/* 200 for ST_OK, 4xx for what the asker can mend, 503 for what only the operator can. */
int st_answer_status(enum st_err code);
/* The same for the answer to an event: 201 where it made something. */
int st_answer_event_status(enum st_event_type type, enum st_err code);

#endif
