/* SPDX-License-Identifier: Apache-2.0 */
/* How does text from elsewhere look on a terminal, where it must not do anything? */
#ifndef ST_ORCHESTRATOR_SHOWN_H
#define ST_ORCHESTRATOR_SHOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/buf.h"

/* What the reader looks at. */
struct st_look {
	int width; /* columns; 0: as wide as it gets */
	bool colour;
};

/* Adds text so that a terminal only shows it: control characters, escape sequences, marks that
 * turn the writing direction and bytes that are no UTF-8 become "\n", "\x1b", "\u{202e}". */
void st_shown_add(struct st_buf *out, const char *text, size_t len);
/* The same, but lines and tabs stay what they are. */
void st_shown_add_lines(struct st_buf *out, const char *text, size_t len);

/* How many columns shown text takes. */
size_t st_shown_columns(const char *shown);
/* Adds shown text, at most `columns` wide: what is cut off ends in "…". Returns what it took. */
size_t st_shown_add_cut(struct st_buf *out, const char *shown, size_t columns);

/* An amount of a meter as people write it: money as "$1.25", all else as a plain number. */
void st_shown_add_amount(struct st_buf *out, const char *meter, int64_t amount);

/* SGR for a state or kind of event, around text; nothing without colour. */
void st_shown_add_coloured(struct st_buf *out, struct st_look look, const char *sgr,
			   const char *text);

#endif
