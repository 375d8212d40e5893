/* SPDX-License-Identifier: Apache-2.0 */
/* How do the frames of a commit reach the WAL in few system calls? Private to
 * orchestrator/io/store_*. */
#ifndef ST_ORCHESTRATOR_IO_STORE_VFS_H
#define ST_ORCHESTRATOR_IO_STORE_VFS_H

#define ST_STORE_VFS "stint"

/* Makes ST_STORE_VFS known to SQLite; call it once per process. 0, or what SQLite said. */
int st_store_vfs_register(void);

#endif
