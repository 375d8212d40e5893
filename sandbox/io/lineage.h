/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes are our children at this moment? Safe to call between fork and exec. */
#ifndef ST_SANDBOX_IO_LINEAGE_H
#define ST_SANDBOX_IO_LINEAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Writes up to `max` pids of children of the calling process, which has one thread; zombies
 * included. A list of processes that are being born and reparented is never exact: what counts as
 * "no children left" is ECHILD from waitid, not an empty list. Only async-signal-safe calls, no
 * heap. Returns how many were written.
 */
size_t st_children_list(pid_t *pids, size_t max);

/* The same by walking all of /proc, for kernels without /proc/PID/task/TID/children. */
size_t st_children_scan(pid_t *pids, size_t max);

#endif
