/* SPDX-License-Identifier: Apache-2.0 */
/* How does a keeper run one command after the other until it is told to go? */
#ifndef ST_SANDBOX_IO_KEEPER_KEEP_H
#define ST_SANDBOX_IO_KEEPER_KEEP_H

#include "sandbox/order.h"

/* All signals are blocked. Never returns. */
_Noreturn void st_keep(const struct st_order *order);

#endif
