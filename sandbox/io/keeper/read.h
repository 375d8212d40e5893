/* SPDX-License-Identifier: Apache-2.0 */
/* How does a keeper get at its order? */
#ifndef ST_SANDBOX_IO_KEEPER_READ_H
#define ST_SANDBOX_IO_KEEPER_READ_H

#include "sandbox/order.h"

/* Maps the file privately and puts pointers where distances stood. Ends the process when the file
 * is none of ours. It stays mapped; the descriptor is closed. */
const struct st_order *st_order_read(int fd);

/* A list as execve takes it. */
char *const *st_order_strings(const union st_order_list *list);

#endif
