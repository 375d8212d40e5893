/* SPDX-License-Identifier: Apache-2.0 */
/* How do rows of text line up under each other? */
#ifndef ST_ORCHESTRATOR_TABLE_H
#define ST_ORCHESTRATOR_TABLE_H

#include "orchestrator/shown.h"

struct st_column {
	const char *title;
	bool right; /* numbers */
	bool cut;   /* gives way when the terminal is narrow; ids and numbers never do */
};

/* Cells are added row by row. The columns are borrowed. */
struct st_table {
	const struct st_column *columns;
	size_t n_columns;
	size_t indent;
	char **cells; /* as they are shown */
	size_t n;
	size_t cap;
};

/* The next cell: raw text (NULL: "-"), which is shown escaped. */
void st_table_add(struct st_table *table, const char *text);
void st_table_add_int(struct st_table *table, int64_t n);
void st_table_add_amount(struct st_table *table, const char *meter, int64_t amount);
/* Adds the table under its titles and empties it. Without rows: `none` on a line of its own, or
 * nothing when that is NULL. */
void st_table_print(struct st_table *table, struct st_look look, const char *none,
		    struct st_buf *out);

#endif
