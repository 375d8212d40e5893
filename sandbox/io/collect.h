/* SPDX-License-Identifier: Apache-2.0 */
/* How do a job's files get out of its directory? */
#ifndef ST_SANDBOX_IO_COLLECT_H
#define ST_SANDBOX_IO_COLLECT_H

#include "sandbox/artifact.h"

/*
 * Reads the regular files below `root` (a directory's descriptor) that match one of the patterns
 * (n of them, without fault), in order of their paths, as far as the caps of the harvest go. What
 * matches and is not kept is refused in the harvest, with the reason. Work, memory and descriptors
 * are bounded whatever lies there; nothing is opened for reading but regular files with one name.
 * Blocks; may run on any thread.
 */
void st_collect(int root, char *const *patterns, size_t n, struct st_harvest *harvest);

#endif
