/* SPDX-License-Identifier: Apache-2.0 */
/* Where does a job without a place of its own work, and how is that place removed again? */
#ifndef ST_SANDBOX_IO_WORKDIR_H
#define ST_SANDBOX_IO_WORKDIR_H

#include <stddef.h>

#include "schemas/err.h"

/* Makes a new empty directory, mode 0700, in base (absolute, exists). Gives its path (st_free).
 * Failures: ST_ERR_INVALID, ST_ERR_IO. */
int st_workdir_make(const char *base, char **path, struct st_diag *diag);

/* Directories that jobs may be given to work in, with all below them. Borrowed. */
struct st_workdirs {
	const char *const *paths;
	size_t n;
};

/* Follows the links of a path that a job was given, and gives where it leads (st_free), if that is
 * a directory at or below one of the allowed, whose own links are followed, too. Failures:
 * ST_ERR_INVALID, ST_ERR_IO; then out is untouched. */
int st_workdir_resolve(const char *path, const struct st_workdirs *allowed, char **out,
		       struct st_diag *diag);

/* Opens a work directory for st_collect (O_PATH): what is put in its place later does not matter.
 * -1 when that fails. */
int st_workdir_open(const char *path);

/*
 * Removes the directory with everything in it, however hostile: follows no symbolic link, leaves no
 * file system, needs few descriptors for any depth, opens directories that forbid it. Blocks; does
 * not touch the heap's shared state, may run on any thread. Failures: ST_ERR_IO, with the first
 * reason; as much as possible is gone then.
 */
int st_workdir_remove(const char *path, struct st_diag *diag);

#endif
