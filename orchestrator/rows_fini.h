/* SPDX-License-Identifier: Apache-2.0 */
/* Who frees what a core step gave? */
#ifndef ST_ORCHESTRATOR_ROWS_FINI_H
#define ST_ORCHESTRATOR_ROWS_FINI_H

#include "schemas/effect.h"

/* Free every row with all it owns (sealed text is wiped first); the list is then empty and usable.
 * Any thread may do it. */
void st_rows_fini(struct st_rows *rows);
/* Frees one effect's contents. */
void st_effect_fini(struct st_effect *effect);
/* Both, for a whole update. */
void st_update_fini(struct st_update *update);

#endif
