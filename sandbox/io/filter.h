/* SPDX-License-Identifier: Apache-2.0 */
/* Which system calls may a job make? */
#ifndef ST_SANDBOX_IO_FILTER_H
#define ST_SANDBOX_IO_FILTER_H

#include "schemas/buf.h"
#include "schemas/err.h"

/* Adds the filter as the kernel takes it, an array of struct sock_filter for this machine's own
 * calls, to an empty buffer. ST_ERR_UNSUPPORTED when libseccomp cannot make one. */
int st_filter_make(struct st_buf *out, struct st_diag *diag);

#endif
