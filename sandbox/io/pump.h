/* SPDX-License-Identifier: Apache-2.0 */
/* How does one output of a command get from its pipe, redacted, into its capped log? */
#ifndef ST_SANDBOX_IO_PUMP_H
#define ST_SANDBOX_IO_PUMP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "redact/stream.h"
#include "sandbox/tail.h"

/* One pipe. The order is: bytes are counted, redacted, and only then cut by the tail. */
struct st_pump {
	uv_poll_t poll;
	uv_timer_t pause;
	int fd; /* borrowed: close it after the handles */
	bool ended;
	struct st_redact_stream *stream;
	struct st_tail *tail; /* borrowed */
	int64_t *seen;	      /* borrowed: bytes before redaction */
	int64_t flood_bytes;  /* past this many, reading is slowed down */
};

/* Starts reading. Borrows everything until the handles are closed. 0, or a libuv error, and then
 * nothing needs closing. */
int st_pump_start(struct st_pump *pump, uv_loop_t *loop, int fd,
		  const struct st_redactor *redactor);
/* When all writers are dead: takes what is still in the pipe and ends the redaction. A writer that
 * lives on cannot hold this up. */
void st_pump_finish(struct st_pump *pump);
/* Closes both handles; on_close runs for each. */
void st_pump_close(struct st_pump *pump, uv_close_cb on_close);

#endif
