/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/table.h"

#include <assert.h>
#include <string.h>

#include "schemas/mem.h"

#define COLUMNS_MAX 16
#define GAP 2
#define CUT_MIN 6 /* a column is not made narrower than this */

static void take(struct st_table *table, struct st_buf *shown)
{
	if (table->n == table->cap) {
		table->cap = table->cap == 0 ? 64 : table->cap * 2;
		table->cells = st_realloc(table->cells, table->cap * sizeof *table->cells);
	}
	table->cells[table->n++] = st_buf_take(shown);
}

void st_table_add(struct st_table *table, const char *text)
{
	struct st_buf shown = {0};
	if (text == NULL || text[0] == '\0') {
		text = "-";
	}
	st_shown_add(&shown, text, strlen(text));
	take(table, &shown);
}

void st_table_add_int(struct st_table *table, int64_t n)
{
	struct st_buf shown = {0};
	st_buf_add_int(&shown, n);
	take(table, &shown);
}

void st_table_add_amount(struct st_table *table, const char *meter, int64_t amount)
{
	struct st_buf shown = {0};
	st_shown_add_amount(&shown, meter, amount);
	take(table, &shown);
}

static void measure(const struct st_table *table, size_t widths[COLUMNS_MAX])
{
	for (size_t c = 0; c < table->n_columns; c++) {
		widths[c] = st_shown_columns(table->columns[c].title);
	}
	for (size_t i = 0; i < table->n; i++) {
		size_t columns = st_shown_columns(table->cells[i]);
		size_t c = i % table->n_columns;
		widths[c] = columns > widths[c] ? columns : widths[c];
	}
}

/* Takes columns away from the widest column that may be cut, until all fits or none can give. */
static void squeeze(const struct st_table *table, size_t width, size_t widths[COLUMNS_MAX])
{
	size_t total = table->indent + GAP * (table->n_columns - 1);
	for (size_t c = 0; c < table->n_columns; c++) {
		total += widths[c];
	}
	while (total > width) {
		size_t widest = table->n_columns;
		for (size_t c = 0; c < table->n_columns; c++) {
			if (table->columns[c].cut && widths[c] > CUT_MIN &&
			    (widest == table->n_columns || widths[c] > widths[widest])) {
				widest = c;
			}
		}
		if (widest == table->n_columns) {
			return;
		}
		widths[widest]--;
		total--;
	}
}

static void add_spaces(struct st_buf *out, size_t n)
{
	while (n-- > 0) {
		st_buf_add_char(out, ' ');
	}
}

static void print_cell(const struct st_column *column, const char *shown, size_t width,
		       struct st_buf *out)
{
	struct st_buf cut = {0};
	size_t taken = st_shown_add_cut(&cut, shown, width);
	if (column->right) {
		add_spaces(out, width - taken);
	}
	st_buf_add(out, cut.data != NULL ? cut.data : "", cut.len);
	if (!column->right) {
		add_spaces(out, width - taken);
	}
	st_buf_fini(&cut);
}

static void end_line(struct st_buf *out)
{
	while (out->len > 0 && out->data[out->len - 1] == ' ') {
		out->len--;
	}
	st_buf_add_char(out, '\n');
}

static void print_titles(const struct st_table *table, const size_t *widths, struct st_look look,
			 struct st_buf *out)
{
	struct st_buf line = {0};
	for (size_t c = 0; c < table->n_columns; c++) {
		add_spaces(&line, c > 0 ? GAP : 0);
		print_cell(&table->columns[c], table->columns[c].title, widths[c], &line);
	}
	end_line(&line);
	line.data[line.len - 1] = '\0';
	add_spaces(out, table->indent);
	st_shown_add_coloured(out, look, "1", line.data);
	st_buf_add_char(out, '\n');
	st_buf_fini(&line);
}

static void empty(struct st_table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		st_free(table->cells[i]);
	}
	st_free(table->cells);
	table->cells = NULL;
	table->n = 0;
	table->cap = 0;
}

void st_table_print(struct st_table *table, struct st_look look, const char *none,
		    struct st_buf *out)
{
	size_t widths[COLUMNS_MAX];
	assert(table->n_columns <= COLUMNS_MAX);
	assert(table->n % table->n_columns == 0);
	if (table->n == 0) {
		if (none != NULL) {
			add_spaces(out, table->indent);
			st_buf_addf(out, "%s\n", none);
		}
		return;
	}
	measure(table, widths);
	if (look.width > 0) {
		squeeze(table, (size_t)look.width, widths);
	}
	print_titles(table, widths, look, out);
	for (size_t i = 0; i < table->n; i++) {
		size_t c = i % table->n_columns;
		add_spaces(out, c == 0 ? table->indent : GAP);
		print_cell(&table->columns[c], table->cells[i], widths[c], out);
		if (c == table->n_columns - 1) {
			end_line(out);
		}
	}
	empty(table);
}
