/* SPDX-License-Identifier: Apache-2.0 */
/* How does a row become JSON? Private to orchestrator/io/store_*: the readers share it. */
#ifndef ST_ORCHESTRATOR_IO_STORE_READING_H
#define ST_ORCHESTRATOR_IO_STORE_READING_H

#include <jansson.h>
#include <sqlite3.h>

#include "orchestrator/io/store_read.h"

#define ST_READER_STATEMENTS_MAX 96

struct st_reader {
	sqlite3 *db;
	char *path;
	struct { /* statements by the address of their text */
		const char *text;
		sqlite3_stmt *stmt;
	} cache[ST_READER_STATEMENTS_MAX];
	size_t n_cached;
	const struct st_buf *out; /* the answer being put together, or NULL */
};

/* An answer is held in memory: more than this is ST_ERR_TOO_LARGE. */
#define ST_READ_ANSWER_BYTES_MAX ((size_t)64 << 20)

int st_reader_begin(struct st_reader *reader, struct st_diag *diag);
void st_reader_end(struct st_reader *reader);

/* Asks within one snapshot and takes back what a failure left in `out`. */
struct st_question {
	const struct st_read_of *of; /* NULL: of no run; else its number is found first */
	const void *arg;
	int (*ask)(struct st_reader *reader, const void *arg, int64_t run_no, struct st_buf *out,
		   struct st_diag *diag);
};
int st_reader_answer_with(struct st_reader *reader, const struct st_question *question,
			  struct st_buf *out, struct st_diag *diag);
/* The number of a run that may be seen, within a snapshot. ST_ERR_NOT_FOUND. */
int st_reader_find_run(struct st_reader *reader, struct st_read_of of, int64_t *no,
		       struct st_diag *diag);

/* A query being read. `sql` must be static text. */
struct st_reading {
	struct st_reader *reader;
	sqlite3_stmt *stmt;
	int rc;
	bool damaged; /* a value that we did not write */
	bool once;    /* the statement is not kept */
};
struct st_reading st_reading_begin(struct st_reader *reader, const char *sql);
/* The same with any text, for what is seldom asked. */
struct st_reading st_reading_begin_once(struct st_reader *reader, const char *sql);
void st_reading_bind_int(struct st_reading *r, int i, int64_t n);
void st_reading_bind_text(struct st_reading *r, int i, const char *text); /* "" and NULL: NULL */
void st_reading_bind_bytes(struct st_reading *r, int i, const void *bytes, size_t len);
bool st_reading_next(struct st_reading *r);
int st_reading_end(struct st_reading *r, struct st_diag *diag);

/* Columns. Text is never NULL and borrowed until the next row. */
bool st_reading_none(const struct st_reading *r, int col);
int64_t st_reading_int(const struct st_reading *r, int col);
st_time st_reading_time(const struct st_reading *r, int col);
const char *st_reading_text(const struct st_reading *r, int col);
void st_reading_bytes(struct st_reading *r, int col, void *out, size_t len);
void st_reading_amounts(struct st_reading *r, int col, struct st_amounts *out);

/*
 * JSON out: each adds `"key":value,` (key NULL: `value,`); st_put_close drops the comma before it
 * and adds one after it; st_put_done drops the last one.
 */
void st_put_open(struct st_buf *out, const char *key, char bracket);
void st_put_close(struct st_buf *out, char bracket);
void st_put_done(struct st_buf *out);
void st_put_null(struct st_buf *out, const char *key);
void st_put_int(struct st_buf *out, const char *key, int64_t n);
void st_put_bool(struct st_buf *out, const char *key, bool value);
void st_put_text(struct st_buf *out, const char *key, const char *text); /* NULL: null */
void st_put_time(struct st_buf *out, const char *key, st_time at);
void st_put_id(struct st_buf *out, const char *key, struct st_id id, const char *prefix);
void st_put_hex(struct st_buf *out, const char *key, const uint8_t *bytes, size_t len);
/* {"tokens":5,…} and, where there is a cost, "cost_usd" beside it. */
void st_put_amounts(struct st_buf *out, const char *key, const struct st_amounts *amounts);

/* The same out of a column. Text that is not UTF-8 is mended; JSON that is none is damage. */
void st_put_col_text(struct st_buf *out, const char *key, const struct st_reading *r, int col);
void st_put_col_json(struct st_buf *out, const char *key, struct st_reading *r, int col);
void st_put_col_time(struct st_buf *out, const char *key, const struct st_reading *r, int col);
void st_put_col_int(struct st_buf *out, const char *key, const struct st_reading *r, int col);
void st_put_col_id(struct st_buf *out, const char *key, struct st_reading *r, int col,
		   const char *prefix);
void st_put_col_hex(struct st_buf *out, const char *key, const struct st_reading *r, int col);
void st_put_col_amounts(struct st_buf *out, const char *key, struct st_reading *r, int col);

/* The steps of a definition, as people may see it. */
struct st_read_def {
	json_t *doc;
	const json_t *steps; /* borrowed from doc */
};
int st_read_def_load(struct st_reader *reader, int64_t run_no, struct st_read_def *def,
		     struct st_diag *diag);
void st_read_def_fini(struct st_read_def *def);
/* "" when the definition has no such step. */
const char *st_read_def_step_id(const struct st_read_def *def, int step);
const char *st_read_def_step_uses(const struct st_read_def *def, int step);
bool st_read_def_step_repeats(const struct st_read_def *def, int step); /* has a for_each */

/* The columns that st_put_col_place reads: of the table named x, whose step row is joined as s. */
#define ST_READ_PLACE_COLUMNS                                                                      \
	"s.id AS step, CASE WHEN s.n_items >= 0 AND x.item >= 0 THEN x.item + 1 END AS item"
#define ST_READ_PLACE_JOIN "LEFT JOIN step s ON s.no = (x.run_no << 22) | (x.step << 11) "
void st_put_col_place(struct st_buf *out, const struct st_reading *r, int first);

/* Adds "step":id and, in a for_each, "item":1… */
void st_put_place(struct st_buf *out, const struct st_read_def *def, int step, int item);

/* The columns that st_put_halt reads, in order, beginning with column 0; then run_no. */
#define ST_READ_HALT_COLUMNS                                                                       \
	"h.id, h.kind, h.step, h.item, h.call, h.since, h.verdict, h.intent, h.params_hash, "      \
	"h.run_no"
#define ST_READ_HALT_N 10
/* The members of an open halt, without the braces. */
void st_put_halt(struct st_buf *out, struct st_reading *r, const struct st_read_def *def);

#endif
