/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/store_read.h"

#include <string.h>

#include "orchestrator/io/store_reading.h"
#include "orchestrator/io/store_sqlite.h"
#include "schemas/mem.h"
#include "schemas/sql.h"

/* A reader waits for nobody but a recovery, which is short. */
static const char *const reader_pragmas = "PRAGMA query_only=ON;"
					  "PRAGMA trusted_schema=OFF;"
					  "PRAGMA cell_size_check=ON;"
					  "PRAGMA busy_timeout=1000;"
					  "PRAGMA cache_size=-4096;"
					  "PRAGMA temp_store=MEMORY;";

static int open_db(struct st_reader *reader, struct st_diag *diag)
{
	int64_t version = 0;
	st_store_set_up();
	int err = st_store_find(reader->path, diag);
	if (err != ST_OK) {
		return err;
	}
	int rc = sqlite3_open_v2(reader->path, &reader->db,
				 SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK) {
		rc = sqlite3_exec(reader->db, reader_pragmas, NULL, NULL, NULL);
	}
	if (rc != SQLITE_OK) {
		return st_store_fail(reader->db, rc, diag, reader->path);
	}
	(void)sqlite3_extended_result_codes(reader->db, 1);
	err = st_store_check_header(reader->db, reader->path, &version, diag);
	if (err == ST_OK && version < ST_SQL_SQLITE_VERSION) {
		err = st_fail(diag, ST_ERR_UNSUPPORTED,
			      "%s was made by an older stint (version %lld, this one wants %d); "
			      "stint serve brings it up when it starts",
			      reader->path, (long long)version, ST_SQL_SQLITE_VERSION);
	}
	return err;
}

int st_reader_open(const char *uri, struct st_reader **out, struct st_diag *diag)
{
	const char *path = st_store_path(uri, diag);
	if (path == NULL) {
		return ST_ERR_INVALID;
	}
	struct st_reader *reader = st_alloc(sizeof *reader);
	reader->path = st_strdup(path);
	int err = open_db(reader, diag);
	if (err != ST_OK) {
		st_reader_close(reader);
		return err;
	}
	*out = reader;
	return ST_OK;
}

void st_reader_close(struct st_reader *reader)
{
	if (reader == NULL) {
		return;
	}
	for (size_t i = 0; i < reader->n_cached; i++) {
		(void)sqlite3_finalize(reader->cache[i].stmt);
	}
	(void)sqlite3_close(reader->db);
	st_free(reader->path);
	st_free(reader);
}

static const char begin_sql[] = "BEGIN";
static const char end_sql[] = "ROLLBACK";

int st_reader_begin(struct st_reader *reader, struct st_diag *diag)
{
	struct st_reading r = st_reading_begin(reader, begin_sql);
	(void)st_reading_next(&r);
	return st_reading_end(&r, diag);
}

void st_reader_end(struct st_reader *reader)
{
	struct st_reading r = st_reading_begin(reader, end_sql);
	(void)st_reading_next(&r);
	(void)st_reading_end(&r, NULL);
}

int st_reader_answer_with(struct st_reader *reader, const struct st_question *question,
			  struct st_buf *out, struct st_diag *diag)
{
	size_t before = out->len;
	int64_t no = 0;
	int err = st_reader_begin(reader, diag);
	if (err != ST_OK) {
		return err;
	}
	reader->out = out;
	if (question->of != NULL) {
		err = st_reader_find_run(reader, *question->of, &no, diag);
	}
	if (err == ST_OK) {
		err = question->ask(reader, question->arg, no, out, diag);
	}
	st_reader_end(reader);
	reader->out = NULL;
	if (err == ST_OK) {
		st_put_done(out);
	} else if (out->data != NULL) {
		out->len = before;
		out->data[before] = '\0';
	}
	return err;
}

int st_reader_find_run(struct st_reader *reader, struct st_read_of of, int64_t *no,
		       struct st_diag *diag)
{
	static const char sql[] =
	    "SELECT no FROM run WHERE id = ?1 AND tenant = coalesce(?2, tenant)";
	struct st_reading r = st_reading_begin(reader, sql);
	st_reading_bind_bytes(&r, 1, of.run.bytes, sizeof of.run.bytes);
	st_reading_bind_text(&r, 2, of.tenant);
	bool found = st_reading_next(&r);
	if (found) {
		*no = st_reading_int(&r, 0);
	}
	int err = st_reading_end(&r, diag);
	if (err == ST_OK && !found) {
		char text[ST_ID_TEXT_MAX];
		err = st_fail(diag, ST_ERR_NOT_FOUND, "there is no run %s",
			      st_id_format(of.run, ST_ID_RUN, text));
	}
	return err;
}
