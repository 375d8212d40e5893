/* SPDX-License-Identifier: Apache-2.0 */
/* What does a process in the box have to give up? */
#ifndef ST_SANDBOX_IO_KEEPER_CONFINE_H
#define ST_SANDBOX_IO_KEEPER_CONFINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "sandbox/order.h"

/* Takes every capability and, when `become` is not 0, makes us that user and group and no other's
 * member, for good. False: errno says why, and we must not go on. */
bool st_confine_privileges(uid_t become);

/* From now on, for us and all who descend from us, only the filter's system calls. */
bool st_confine_calls(const struct st_order *order);

/* A second wall behind the mounts: writing only where the scene lets the job write, no connection
 * and no signal to whoever is outside. For the calling process and its children. Does nothing where
 * the kernel has no Landlock. */
bool st_confine_writes(const struct st_order *order);

#endif
