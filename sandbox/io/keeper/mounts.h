/* SPDX-License-Identifier: Apache-2.0 */
/* How does the box get a file system of its own? */
#ifndef ST_SANDBOX_IO_KEEPER_MOUNTS_H
#define ST_SANDBOX_IO_KEEPER_MOUNTS_H

#include <sys/types.h>

#include "sandbox/order.h"

/* Who owns what is made for the job: as numbers of the user namespace that we are in. */
struct st_owner {
	uid_t uid;
	gid_t gid;
	int mapped; /* the real number differs: files of a given directory are shown as its own */
};

/*
 * In a mount namespace of our own: builds the scene and makes it the root; nothing of the old one
 * can be reached afterwards. Tells the daemon and ends when something cannot be had. Returns the
 * work directory (O_PATH) when it is the box's own, or -1.
 */
int st_mounts_build(const struct st_order *order, const struct st_owner *owner);

#endif
