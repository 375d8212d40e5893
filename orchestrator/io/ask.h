/* SPDX-License-Identifier: Apache-2.0 */
/* What does the person at the terminal say to a halt? */
#ifndef ST_ORCHESTRATOR_IO_ASK_H
#define ST_ORCHESTRATOR_IO_ASK_H

#include <uv.h>

#include "schemas/event.h"

enum st_ask_choice { ST_ASK_LEAVE, ST_ASK_CANCEL, ST_ASK_RESUME, ST_ASK_DECIDE };

/* Owned by the caller until `answered` was called. */
struct st_ask {
	void (*answered)(struct st_ask *ask);
	enum st_ask_choice choice;
	struct st_decide decide; /* with ST_ASK_DECIDE */
	/* its own */
	uv_work_t work;
	enum st_halt_kind kind;
	struct st_id halt;
	struct st_id call;
	char line[1024];
};

/* Shows the halt of the run (the JSON that st_reader_run gives) and asks. The line is read on a
 * worker thread, so that the loop goes on. */
void st_ask_start(uv_loop_t *loop, struct st_ask *ask, const char *run_json);

#endif
