/* SPDX-License-Identifier: Apache-2.0 */
/* Which steps wait for which, and can all of them be run? */
#ifndef ST_SCHEMAS_NEEDS_H
#define ST_SCHEMAS_NEEDS_H

#include <jansson.h>

#include "schemas/def.h"

/*
 * Fills needs and n_needs of every step out of the "needs" of `steps`, the array that def->steps
 * was read from. ST_ERR_INVALID: two steps of one id, a need that is no step, is the step itself or
 * stands twice, or steps that wait for each other. def->steps may then be filled in part; it is
 * freed as ever.
 */
int st_needs_link(const json_t *steps, struct st_def *def, struct st_diag *diag);

#endif
