/* SPDX-License-Identifier: Apache-2.0 */
/* What does the person who typed the command look at? */
#ifndef ST_ORCHESTRATOR_IO_TERM_H
#define ST_ORCHESTRATOR_IO_TERM_H

#include "orchestrator/shown.h"
#include "schemas/buf.h"

/* Of stdout: $COLUMNS, or the terminal's width; without limit where there is no terminal. Colour
 * on a terminal, unless $NO_COLOR or TERM=dumb. */
struct st_look st_term_look(void);
/* Writes to stdout. The exit code: ST_EXIT_DONE, or ST_EXIT_FAILED when nobody takes it. */
int st_term_print(const struct st_buf *text);

#endif
