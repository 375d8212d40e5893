/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows say what a run is now? Calls only the gate, for the hash of an approval. */
#ifndef ST_ORCHESTRATOR_ROWS_H
#define ST_ORCHESTRATOR_ROWS_H

#include "orchestrator/state.h"

/* Appends the rows of a dirty run. */
void st_rows_of_run(struct st_core *core, struct st_run *run, struct st_rows *rows);
void st_rows_of_wide(struct st_wide *wide, struct st_rows *rows);

#endif
