/* SPDX-License-Identifier: Apache-2.0 */
/* What does the person at the terminal say to a halt? */
#ifndef ST_ORCHESTRATOR_IO_ASK_H
#define ST_ORCHESTRATOR_IO_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

#include "schemas/event.h"

enum st_ask_choice { ST_ASK_LEAVE, ST_ASK_CANCEL, ST_ASK_RESUME, ST_ASK_DECIDE };

/* All-zero before the first question. Owned by the caller until the loop let go of it, after
 * st_ask_close. */
struct st_ask {
	void (*answered)(struct st_ask *ask);
	enum st_ask_choice choice;
	struct st_decide decide; /* with ST_ASK_DECIDE */
	/* its own */
	uv_poll_t input;
	bool open;
	enum st_halt_kind kind;
	struct st_id halt;
	struct st_id call;
	json_t *halted; /* the halt as it was shown */
	char line[1024];
};

/* Shows the halt of the run (the JSON that st_reader_run gives) and asks on the terminal, while the
 * loop goes on. One question at a time. */
void st_ask_start(uv_loop_t *loop, struct st_ask *ask, const char *run_json);
/* Gives up a question that is open; `answered` is not called any more. */
void st_ask_close(struct st_ask *ask);

#endif
