/* SPDX-License-Identifier: Apache-2.0 */
/* How does a person see a timeline go by? */
#ifndef ST_ORCHESTRATOR_IO_PROGRESS_H
#define ST_ORCHESTRATOR_IO_PROGRESS_H

#include <stdbool.h>

#include "orchestrator/io/store_read.h"

/* Prints one event on stdout: a line for people, or the event's JSON. */
void st_progress_print(const struct st_event_view *event, bool json);
/* The run state that an event of this type leads to, or -1. */
int st_progress_state(const char *type);

#endif
