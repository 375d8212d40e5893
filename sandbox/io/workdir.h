/* SPDX-License-Identifier: Apache-2.0 */
/* Where does a job without a place of its own work, and how is that place removed again? */
#ifndef ST_SANDBOX_IO_WORKDIR_H
#define ST_SANDBOX_IO_WORKDIR_H

#include "schemas/err.h"

/* Makes a new empty directory, mode 0700, in base (absolute, exists). Gives its path (st_free).
 * Failures: ST_ERR_INVALID, ST_ERR_IO. */
int st_workdir_make(const char *base, char **path, struct st_diag *diag);

/*
 * Removes the directory with everything in it, however hostile: follows no symbolic link, leaves no
 * file system, needs few descriptors for any depth, opens directories that forbid it. Blocks; does
 * not touch the heap's shared state, may run on any thread. Failures: ST_ERR_IO, with the first
 * reason; as much as possible is gone then.
 */
int st_workdir_remove(const char *path, struct st_diag *diag);

#endif
