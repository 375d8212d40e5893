/* SPDX-License-Identifier: Apache-2.0 */
/* How does a keeper talk to the daemon? */
#ifndef ST_SANDBOX_IO_KEEPER_TELL_H
#define ST_SANDBOX_IO_KEEPER_TELL_H

#include "sandbox/io/keeper.h"

/* Sends a note; whether the daemon still listens is seen elsewhere. */
void st_tell(enum st_keeper_note_kind kind, int stage, int value);
/* EMPTY: was everything ended, and how much processor time did it take? */
void st_tell_empty(int unended, int64_t cpu_ms);
/* READY, with a copy of the descriptor unless it is -1. */
void st_tell_ready(int fd);
/* errno is why there is no box: says so, as the answer to the first command, and ends. */
_Noreturn void st_tell_no_box(enum st_keeper_stage stage, int detail);

/* One order; 0 when there is none yet, -1 at the end of the socket. fds are those that came along
 * (three, or all -1); they are the caller's. Does not wait. */
int st_hear(int fds[3]);

#endif
