/* SPDX-License-Identifier: Apache-2.0 */
/* May this definition become a run? */
#ifndef ST_ORCHESTRATOR_ADMIT_H
#define ST_ORCHESTRATOR_ADMIT_H

#include "schemas/config.h"
#include "schemas/def.h"

/*
 * What st_def_decode cannot know: that every step's kind exists, that its `with` makes sense under
 * this config, that all expressions parse and refer only to params, steps that come before, items
 * where there is a for_each, and declared secrets. ST_ERR_INVALID with the pointer.
 */
int st_admit_check(const struct st_def *def, const struct st_config *config, struct st_diag *diag);

#endif
