/* SPDX-License-Identifier: Apache-2.0 */
/* Where do a run's clones and its jobs' shared files lie? */
#ifndef ST_STEPS_IO_WORKSPACE_H
#define ST_STEPS_IO_WORKSPACE_H

#include "schemas/err.h"

/*
 * BASE/runs/RUN/files     what jobs with "workdir": "run" see; a clone's files are a directory in
 * it BASE/runs/RUN/git       the repositories, one for each clone: no job ever sees them, so
 * nothing in them (config, hooks, refs, objects) is anybody's but ours BASE/runs/RUN/old files that
 * were replaced; they go with the rest
 */

/* Makes what is missing of it, mode 0700. Gives RUN's directory (st_free). ST_ERR_IO. */
int st_workspace_make(const char *base, const char *run, char **out, struct st_diag *diag);
/* Its path (st_free), whether or not it is there. */
char *st_workspace_path(const char *base, const char *run);

#endif
