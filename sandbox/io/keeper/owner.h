/* SPDX-License-Identifier: Apache-2.0 */
/* How are numbers of users translated for the box? */
#ifndef ST_SANDBOX_IO_KEEPER_OWNER_H
#define ST_SANDBOX_IO_KEEPER_OWNER_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "sandbox/io/keeper/mounts.h"

/* In a new user namespace: we are `inside` there and `outside` elsewhere, and nobody else is there.
 * Takes no privilege. */
bool st_owner_map_self(const struct st_owner *inside, uid_t uid, gid_t gid);

/* A user namespace for an idmapped mount (close-on-exec): what belongs to `files` is shown as
 * `owner`'s, what belongs to others as nobody's. Takes root. -1 and errno when it cannot be. */
int st_owner_namespace(const struct stat *files, const struct st_owner *owner);

#endif
