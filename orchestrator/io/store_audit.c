/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every table that belongs to runs is read once, by run, all at the same time: a cursor waits at
 * the rows of the next run. So a run's rows are brought together without holding more than one run,
 * and a row that belongs to no run is left over.
 */
#include "orchestrator/io/store_audit.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/io/clock.h"
#include "orchestrator/io/store_read.h"
#include "orchestrator/io/store_reading.h"
#include "orchestrator/io/store_sqlite.h"
#include "schemas/mem.h"
#include "schemas/sql.h"

#define COLUMNS_MAX 32

struct cursor {
	sqlite3_stmt *stmt;
	int n; /* columns of the table; the one behind them is the run */
	bool there;
};

struct reading {
	struct st_reader *reader;
	struct st_audit *audit;
	struct cursor cursors[ST_AUDIT_TABLE_COUNT];
	struct st_id run; /* the only one, or none */
	int64_t run_no;
	struct st_diag *diag;
	int err;
};

/* Where the rows of each table are found, and in which order: by run, then by number. */
static const struct {
	const char *from;
	const char *run; /* an expression; NULL: it belongs to none */
	const char *order;
} sources[ST_AUDIT_TABLE_COUNT] = {
    [ST_AUDIT_META] = {"meta x", NULL, "x.name"},
    [ST_AUDIT_SCOPE] = {"scope x", NULL, "x.no"},
    [ST_AUDIT_TOKEN] = {"token x", NULL, "x.no"},
    [ST_AUDIT_ANSWER] = {"answer x", NULL, "x.rowid"},
    [ST_AUDIT_RUN] = {"run x", "x.no", "x.no"},
    [ST_AUDIT_DEF] = {"def x", "x.run", "x.run"},
    [ST_AUDIT_EVENT] = {"event f JOIN event x ON x.no >= f.no AND x.no < f.no + f.n", "f.run_no",
			"f.run_no, f.seq, x.no"},
    [ST_AUDIT_ATTEMPT] = {"attempt x", "x.run_no", "x.run_no, x.no"},
    [ST_AUDIT_SETTLEMENT] = {"settlement x LEFT JOIN attempt h ON h.no = x.hold", "h.run_no",
			     "h.run_no, x.hold"},
    [ST_AUDIT_GRANT] = {"grant_ x", "x.run_no", "x.run_no, x.no"},
    [ST_AUDIT_HALT] = {"halt x", "x.run_no", "x.run_no, x.no"},
    [ST_AUDIT_EXTERNAL_ID] = {"external_id x", "x.run_no", "x.run_no, x.no"},
    [ST_AUDIT_TRANSCRIPT] = {"transcript x", "x.run_no", "x.run_no, x.no"},
    [ST_AUDIT_ARTIFACT] = {"artifact x", "x.run_no", "x.run_no, x.no"},
    [ST_AUDIT_STEP] = {"step x", "x.no >> 22", "x.no"},
    [ST_AUDIT_ACCOUNT] = {"account x", "x.no >> 20", "x.no"},
};

static void fail(struct reading *r, int rc)
{
	if (r->err == ST_OK) {
		r->err = st_store_fail(r->reader->db, rc, r->diag, "reading the store");
	}
}

static void found(struct reading *r, enum st_law law, const char *table, const char *key,
		  const char *says)
{
	struct st_finding finding = {.law = law};
	(void)snprintf(finding.table, sizeof finding.table, "%s", table);
	(void)snprintf(finding.key, sizeof finding.key, "%s", key);
	(void)snprintf(finding.says, sizeof finding.says, "%s", says);
	(void)snprintf(finding.should, sizeof finding.should, "%s", st_law_text(law));
	st_audit_found(r->audit, &finding);
}

/* Cursors */

static void step(struct reading *r, struct cursor *c)
{
	int rc = sqlite3_step(c->stmt);
	c->there = rc == SQLITE_ROW;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		fail(r, rc);
	}
}

static void add_filter(struct st_buf *sql, const struct reading *r, enum st_audit_table table)
{
	if (table == ST_AUDIT_EVENT) {
		st_buf_add_text(sql, " WHERE f.n > 0");
	}
	if (r->run_no == 0) {
		return;
	}
	st_buf_add_text(sql, table == ST_AUDIT_EVENT ? " AND " : " WHERE ");
	if (table == ST_AUDIT_STEP || table == ST_AUDIT_ACCOUNT) {
		int bits = table == ST_AUDIT_STEP ? 22 : 20;
		st_buf_addf(sql, "x.no >= %lld << %d AND x.no < %lld << %d", (long long)r->run_no,
			    bits, (long long)r->run_no + 1, bits);
	} else {
		st_buf_addf(sql, "%s = %lld", sources[table].run, (long long)r->run_no);
	}
}

static void open_cursor(struct reading *r, enum st_audit_table table)
{
	struct cursor *c = &r->cursors[table];
	struct st_buf sql = {0};
	const char *const *columns = st_audit_columns(table);
	st_buf_add_text(&sql, "SELECT ");
	for (c->n = 0; columns[c->n] != NULL; c->n++) {
		st_buf_addf(&sql, "x.\"%s\",", columns[c->n]);
	}
	const char *run = sources[table].run;
	st_buf_addf(&sql, "%s FROM %s", run != NULL ? run : "0", sources[table].from);
	if (run != NULL) {
		add_filter(&sql, r, table);
	}
	st_buf_addf(&sql, " ORDER BY %s", sources[table].order);
	int rc = sqlite3_prepare_v2(r->reader->db, sql.data, -1, &c->stmt, NULL);
	st_buf_fini(&sql);
	if (rc != SQLITE_OK) {
		fail(r, rc);
		return;
	}
	step(r, c);
}

static struct st_cell cell_of(sqlite3_stmt *stmt, int i)
{
	struct st_cell cell = {.type = ST_CELL_NULL};
	switch (sqlite3_column_type(stmt, i)) {
	case SQLITE_INTEGER:
		cell.type = ST_CELL_INT;
		cell.n = sqlite3_column_int64(stmt, i);
		break;
	case SQLITE_TEXT:
		cell.type = ST_CELL_TEXT;
		cell.bytes = (const char *)sqlite3_column_text(stmt, i);
		break;
	case SQLITE_BLOB:
		cell.type = ST_CELL_BLOB;
		cell.bytes = sqlite3_column_blob(stmt, i);
		cell.bytes = cell.bytes != NULL ? cell.bytes : "";
		break;
	default: /* STRICT tables have no other types but for NULL */
		break;
	}
	cell.len = cell.bytes != NULL ? (size_t)sqlite3_column_bytes(stmt, i) : 0;
	return cell;
}

static void see(struct reading *r, enum st_audit_table table)
{
	struct cursor *c = &r->cursors[table];
	struct st_cell cells[COLUMNS_MAX];
	for (int i = 0; i < c->n; i++) {
		cells[i] = cell_of(c->stmt, i);
	}
	const struct st_audit_row row = {.table = table, .cells = cells};
	st_audit_see(r->audit, &row);
	step(r, c);
}

/* A row of no run, or of one that is not there. */
static void stray(struct reading *r, enum st_audit_table table)
{
	struct cursor *c = &r->cursors[table];
	char key[64];
	const char *const *columns = st_audit_columns(table);
	(void)snprintf(key, sizeof key, "%s=%lld", columns[0],
		       (long long)sqlite3_column_int64(c->stmt, 0));
	found(r, ST_LAW_NUMBERS, st_audit_table_name(table), key,
	      "a row of a run that is not there");
	step(r, c);
}

static int64_t run_of(const struct cursor *c)
{
	return sqlite3_column_int64(c->stmt, c->n);
}

static bool has(const struct reading *r, enum st_audit_table table)
{
	return r->err == ST_OK && r->cursors[table].there;
}

/* Everything of one run, table after table. Accounts of wider scopes come before all runs. */
static void see_run(struct reading *r)
{
	int64_t no = run_of(&r->cursors[ST_AUDIT_RUN]);
	see(r, ST_AUDIT_RUN);
	for (int t = ST_AUDIT_DEF; t < ST_AUDIT_TABLE_COUNT; t++) {
		enum st_audit_table table = (enum st_audit_table)t;
		while (has(r, table) && run_of(&r->cursors[t]) < no) {
			stray(r, table);
		}
		while (has(r, table) && run_of(&r->cursors[t]) == no) {
			see(r, table);
		}
	}
}

/* The accounts of wider scopes have numbers below 0, and are judged when all runs were seen. */
static void see_wide(struct reading *r)
{
	struct cursor *c = &r->cursors[ST_AUDIT_ACCOUNT];
	(void)sqlite3_finalize(c->stmt);
	c->stmt = NULL;
	int rc =
	    sqlite3_prepare_v2(r->reader->db,
			       "SELECT no, scope_no, scope, meter, \"limit\", granted, settled, "
			       "held, overrun, 0 FROM account WHERE no < 0 ORDER BY no DESC",
			       -1, &c->stmt, NULL);
	if (rc != SQLITE_OK) {
		fail(r, rc);
		return;
	}
	step(r, c);
	while (has(r, ST_AUDIT_ACCOUNT)) {
		see(r, ST_AUDIT_ACCOUNT);
	}
}

static void see_shared(struct reading *r)
{
	for (int t = ST_AUDIT_META; t <= ST_AUDIT_ANSWER; t++) {
		open_cursor(r, (enum st_audit_table)t);
		while (has(r, (enum st_audit_table)t)) {
			see(r, (enum st_audit_table)t);
		}
	}
}

static void see_runs(struct reading *r)
{
	for (int t = ST_AUDIT_RUN; t < ST_AUDIT_TABLE_COUNT; t++) {
		open_cursor(r, (enum st_audit_table)t);
	}
	while (has(r, ST_AUDIT_ACCOUNT) && run_of(&r->cursors[ST_AUDIT_ACCOUNT]) < 0) {
		step(r, &r->cursors[ST_AUDIT_ACCOUNT]);
	}
	while (has(r, ST_AUDIT_RUN)) {
		see_run(r);
	}
	for (int t = ST_AUDIT_DEF; t < ST_AUDIT_TABLE_COUNT; t++) {
		while (has(r, (enum st_audit_table)t)) {
			stray(r, (enum st_audit_table)t);
		}
	}
	if (r->run_no == 0) {
		see_wide(r);
	}
}

/* What SQLite can say by itself */

typedef void (*row_fn)(struct reading *r, sqlite3_stmt *stmt);

static void each_row(struct reading *r, const char *sql, row_fn see_row)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(r->reader->db, sql, -1, &stmt, NULL);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW) {
			see_row(r, stmt);
		}
	}
	(void)sqlite3_finalize(stmt);
	if (rc != SQLITE_DONE) {
		fail(r, rc);
	}
}

static const char *text_of(sqlite3_stmt *stmt, int i)
{
	const char *text = (const char *)sqlite3_column_text(stmt, i);
	return text != NULL ? text : "";
}

static void see_integrity(struct reading *r, sqlite3_stmt *stmt)
{
	if (strcmp(text_of(stmt, 0), "ok") != 0) {
		found(r, ST_LAW_FILE, "the database", "", text_of(stmt, 0));
	}
}

static void see_reference(struct reading *r, sqlite3_stmt *stmt)
{
	char key[64];
	char says[96];
	(void)snprintf(key, sizeof key, "rowid=%s", text_of(stmt, 1));
	(void)snprintf(says, sizeof says, "a row of %s that is not there", text_of(stmt, 2));
	found(r, ST_LAW_FILE, text_of(stmt, 0), key, says);
}

static void see_pages(struct reading *r, sqlite3_stmt *stmt)
{
	st_audit_count(r->audit, ST_LAW_FILE, sqlite3_column_int64(stmt, 0));
}

/* Numbers are given one after the other and no row is ever taken away. */
static void check_gaps(struct reading *r, const char *table)
{
	char sql[256];
	sqlite3_stmt *stmt = NULL;
	(void)snprintf(sql, sizeof sql,
		       "SELECT a.rowid - 1 FROM %s a WHERE a.rowid > 1 AND NOT EXISTS (SELECT 1 "
		       "FROM %s b WHERE b.rowid = a.rowid - 1) ORDER BY 1 LIMIT 1",
		       table, table);
	int rc = sqlite3_prepare_v2(r->reader->db, sql, -1, &stmt, NULL);
	rc = rc == SQLITE_OK ? sqlite3_step(stmt) : rc;
	if (rc == SQLITE_ROW) {
		(void)snprintf(sql, sizeof sql, "no=%lld",
			       (long long)sqlite3_column_int64(stmt, 0));
		found(r, ST_LAW_NUMBERS, table, sql, "nothing");
	} else if (rc != SQLITE_DONE) {
		fail(r, rc);
	}
	(void)sqlite3_finalize(stmt);
}

static void check_numbers(struct reading *r)
{
	static const char *const tables[] = {"run",  "scope",	    "attempt",	  "event", "grant_",
					     "halt", "external_id", "transcript", "token"};
	for (size_t i = 0; i < sizeof tables / sizeof tables[0] && r->err == ST_OK; i++) {
		check_gaps(r, tables[i]);
	}
}

/* Tables, indexes and views, against those of a store that is made now. */
static const char schema_sql[] =
    "SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema ORDER BY 1";

static int open_model(sqlite3 **db)
{
	int rc = sqlite3_open_v2(":memory:", db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	for (int i = 0; i < ST_SQL_SQLITE_VERSION && rc == SQLITE_OK; i++) {
		rc = sqlite3_exec(*db, st_store_migrations[i], NULL, NULL, NULL);
	}
	return rc;
}

static void compare_objects(struct reading *r, sqlite3_stmt *ours, sqlite3_stmt *model)
{
	int a = sqlite3_step(ours);
	int b = sqlite3_step(model);
	while (a == SQLITE_ROW || b == SQLITE_ROW) {
		int order = a != SQLITE_ROW   ? 1
			    : b != SQLITE_ROW ? -1
					      : strcmp(text_of(ours, 0), text_of(model, 0));
		st_audit_count(r->audit, ST_LAW_SCHEMA, 1);
		if (order < 0) {
			found(r, ST_LAW_SCHEMA, "the schema", text_of(ours, 0),
			      "one that stint did "
			      "not make");
		} else if (order > 0) {
			found(r, ST_LAW_SCHEMA, "the schema", text_of(model, 0), "nothing");
		} else if (strcmp(text_of(ours, 1), text_of(model, 1)) != 0) {
			found(r, ST_LAW_SCHEMA, "the schema", text_of(ours, 0), text_of(ours, 1));
		}
		a = order <= 0 ? sqlite3_step(ours) : a;
		b = order >= 0 ? sqlite3_step(model) : b;
	}
	if (a != SQLITE_DONE) {
		fail(r, a);
	}
}

static void check_schema(struct reading *r)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *ours = NULL;
	sqlite3_stmt *model = NULL;
	int rc = open_model(&db);
	if (rc == SQLITE_OK) {
		rc = sqlite3_prepare_v2(db, schema_sql, -1, &model, NULL);
	}
	if (rc == SQLITE_OK) {
		rc = sqlite3_prepare_v2(r->reader->db, schema_sql, -1, &ours, NULL);
	}
	if (rc == SQLITE_OK) {
		compare_objects(r, ours, model);
	} else {
		fail(r, rc);
	}
	(void)sqlite3_finalize(ours);
	(void)sqlite3_finalize(model);
	(void)sqlite3_close(db);
}

/* Which events lie together. `n` of the first says how many; the others say 0. */
struct group {
	int64_t no;
	int64_t n;
	int64_t seen;
	int64_t run_no;
	int64_t seq;
};

static void end_group(struct reading *r, const struct group *group)
{
	if (group->seen == group->n) {
		return;
	}
	struct st_finding finding = {.law = ST_LAW_NUMBERS, .table = "event", .column = "n"};
	(void)snprintf(finding.key, sizeof finding.key, "no=%lld", (long long)group->no);
	(void)snprintf(finding.says, sizeof finding.says, "%lld", (long long)group->n);
	(void)snprintf(finding.should, sizeof finding.should, "%lld", (long long)group->seen);
	st_audit_found(r->audit, &finding);
}

static void check_groups(struct reading *r)
{
	sqlite3_stmt *stmt = NULL;
	struct group group = {0};
	int rc = sqlite3_prepare_v2(
	    r->reader->db, "SELECT no, n, run_no, seq FROM event ORDER BY no", -1, &stmt, NULL);
	rc = rc == SQLITE_OK ? sqlite3_step(stmt) : rc;
	for (; rc == SQLITE_ROW; rc = sqlite3_step(stmt)) {
		int64_t no = sqlite3_column_int64(stmt, 0);
		int64_t n = sqlite3_column_int64(stmt, 1);
		bool goes_on = n == 0 && sqlite3_column_int64(stmt, 2) == group.run_no &&
			       sqlite3_column_int64(stmt, 3) == group.seq + group.seen;
		if (goes_on) {
			group.seen++;
			continue;
		}
		end_group(r, &group);
		group = (struct group){.no = no,
				       .n = n,
				       .seen = 1,
				       .run_no = sqlite3_column_int64(stmt, 2),
				       .seq = sqlite3_column_int64(stmt, 3)};
	}
	end_group(r, &group);
	(void)sqlite3_finalize(stmt);
	if (rc != SQLITE_DONE) {
		fail(r, rc);
	}
}

/* All of it */

static int find_run(struct reading *r)
{
	const struct st_read_of of = {.run = r->run};
	return st_id_is_none(r->run) ? ST_OK
				     : st_reader_find_run(r->reader, of, &r->run_no, r->diag);
}

static void prove(struct reading *r)
{
	bool whole = r->run_no == 0;
	check_schema(r);
	if (whole && r->err == ST_OK) {
		check_numbers(r);
		check_groups(r);
		see_shared(r);
	}
	if (r->err == ST_OK) {
		see_runs(r);
	}
	if (whole && r->err == ST_OK) {
		each_row(r, "PRAGMA page_count", see_pages);
		each_row(r, "PRAGMA foreign_key_check", see_reference);
		each_row(r, "PRAGMA integrity_check(16)", see_integrity);
	}
	for (int t = 0; t < ST_AUDIT_TABLE_COUNT; t++) {
		(void)sqlite3_finalize(r->cursors[t].stmt);
	}
	if (r->err == ST_ERR_CORRUPT) { /* that it cannot be read is what was to be found out */
		found(r, ST_LAW_FILE, "the database", "", r->diag->text);
		r->err = ST_OK;
	}
}

static int run_audit(struct reading *r, struct st_store_audit *out)
{
	struct st_seal_key key;
	struct st_schemas *schemas = st_schemas_new();
	struct st_config *config = st_config_new();
	out->has_key = st_store_read_key(r->reader->path, &key, NULL) == ST_OK;
	int err = st_reader_begin(r->reader, r->diag);
	if (err == ST_OK) {
		err = find_run(r);
		const struct st_audit_options options = {.schemas = schemas,
							 .config = config,
							 .key = out->has_key ? &key : NULL,
							 .one_run = r->run_no != 0};
		r->audit = st_audit_new(&options);
		if (err == ST_OK) {
			prove(r);
			err = r->err;
		}
		st_reader_end(r->reader);
		out->result = *st_audit_end(r->audit);
		st_audit_free(r->audit);
	}
	st_seal_key_wipe(&key);
	st_config_free(config);
	st_schemas_free(schemas);
	return err;
}

int st_store_audit(const char *uri, struct st_store_audit *audit, struct st_diag *diag)
{
	struct reading r = {.run = audit->run, .diag = diag};
	st_time begun = st_clock_now();
	int err = st_reader_open(uri, &r.reader, diag);
	if (err == ST_OK) {
		err = run_audit(&r, audit);
	}
	st_reader_close(r.reader);
	audit->wall_ms = st_clock_now() - begun;
	return err;
}
