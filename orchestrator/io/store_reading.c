/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/store_reading.h"

#include <assert.h>
#include <string.h>

#include "orchestrator/http_target.h"
#include "orchestrator/io/store_sqlite.h"
#include "sandbox/tail.h"
#include "schemas/envelope.h"
#include "schemas/json.h"
#include "schemas/money.h"

/* Reading */

static sqlite3_stmt *prepare(struct st_reader *reader, const char *sql, int *rc)
{
	for (size_t i = 0; i < reader->n_cached; i++) {
		if (reader->cache[i].text == sql) {
			return reader->cache[i].stmt;
		}
	}
	assert(reader->n_cached < ST_READER_STATEMENTS_MAX);
	sqlite3_stmt *stmt = NULL;
	*rc = sqlite3_prepare_v3(reader->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
	if (*rc == SQLITE_OK) {
		reader->cache[reader->n_cached].text = sql;
		reader->cache[reader->n_cached++].stmt = stmt;
	}
	return stmt;
}

struct st_reading st_reading_begin(struct st_reader *reader, const char *sql)
{
	struct st_reading r = {.reader = reader, .rc = SQLITE_OK};
	r.stmt = prepare(reader, sql, &r.rc);
	return r;
}

struct st_reading st_reading_begin_once(struct st_reader *reader, const char *sql)
{
	struct st_reading r = {.reader = reader, .once = true};
	r.rc = sqlite3_prepare_v2(reader->db, sql, -1, &r.stmt, NULL);
	return r;
}

static void note(struct st_reading *r, int rc)
{
	if (r->rc == SQLITE_OK) {
		r->rc = rc;
	}
}

void st_reading_bind_int(struct st_reading *r, int i, int64_t n)
{
	note(r, sqlite3_bind_int64(r->stmt, i, n));
}

void st_reading_bind_text(struct st_reading *r, int i, const char *text)
{
	if (text != NULL && text[0] != '\0') {
		note(r, sqlite3_bind_text(r->stmt, i, text, -1, SQLITE_TRANSIENT));
	}
}

void st_reading_bind_bytes(struct st_reading *r, int i, const void *bytes, size_t len)
{
	note(r, sqlite3_bind_blob64(r->stmt, i, bytes, len, SQLITE_TRANSIENT));
}

static bool is_too_large(const struct st_reader *reader)
{
	return reader->out != NULL && reader->out->len > ST_READ_ANSWER_BYTES_MAX;
}

bool st_reading_next(struct st_reading *r)
{
	if ((r->rc != SQLITE_OK && r->rc != SQLITE_ROW) || r->damaged || is_too_large(r->reader)) {
		return false;
	}
	r->rc = sqlite3_step(r->stmt);
	return r->rc == SQLITE_ROW;
}

int st_reading_end(struct st_reading *r, struct st_diag *diag)
{
	int err = ST_OK;
	if (r->damaged) {
		err = st_fail(diag, ST_ERR_CORRUPT,
			      "the store holds a value that stint did not write, or the seal key "
			      "is another store's; restore a backup with its key");
	} else if (r->rc != SQLITE_OK && r->rc != SQLITE_ROW && r->rc != SQLITE_DONE) {
		err = st_store_fail(r->reader->db, r->rc, diag, "reading the store");
	} else if (is_too_large(r->reader)) {
		err = st_fail(diag, ST_ERR_TOO_LARGE,
			      "the answer passes %d MiB; ask for a page of it, or use stint export",
			      (int)(ST_READ_ANSWER_BYTES_MAX >> 20));
	}
	if (r->once) {
		(void)sqlite3_finalize(r->stmt);
	} else if (r->stmt != NULL) {
		(void)sqlite3_reset(r->stmt);
		(void)sqlite3_clear_bindings(r->stmt);
	}
	return err;
}

bool st_reading_none(const struct st_reading *r, int col)
{
	return sqlite3_column_type(r->stmt, col) == SQLITE_NULL;
}

int64_t st_reading_int(const struct st_reading *r, int col)
{
	return sqlite3_column_int64(r->stmt, col);
}

st_time st_reading_time(const struct st_reading *r, int col)
{
	return st_reading_none(r, col) ? ST_TIME_NONE : st_reading_int(r, col);
}

const char *st_reading_text(const struct st_reading *r, int col)
{
	const unsigned char *text = sqlite3_column_text(r->stmt, col);
	return text != NULL ? (const char *)text : "";
}

void st_reading_bytes(struct st_reading *r, int col, void *out, size_t len)
{
	const void *blob = sqlite3_column_blob(r->stmt, col);
	memset(out, 0, len);
	if (blob != NULL && sqlite3_column_bytes(r->stmt, col) == (int)len) {
		memcpy(out, blob, len);
	} else if (blob != NULL) {
		r->damaged = true;
	}
}

void st_reading_amounts(struct st_reading *r, int col, struct st_amounts *out)
{
	*out = (struct st_amounts){{0}};
	if (!st_reading_none(r, col) && st_amounts_parse(st_reading_text(r, col), out) != ST_OK) {
		r->damaged = true;
	}
}

/* Writing */

static void put_key(struct st_buf *out, const char *key)
{
	if (key != NULL) {
		st_buf_add_json_string(out, key, strlen(key));
		st_buf_add_char(out, ':');
	}
}

void st_put_done(struct st_buf *out)
{
	if (out->len > 0 && out->data[out->len - 1] == ',') {
		out->data[--out->len] = '\0';
	}
}

void st_put_open(struct st_buf *out, const char *key, char bracket)
{
	put_key(out, key);
	st_buf_add_char(out, bracket);
}

void st_put_close(struct st_buf *out, char bracket)
{
	st_put_done(out);
	st_buf_add_char(out, bracket);
	st_buf_add_char(out, ',');
}

void st_put_null(struct st_buf *out, const char *key)
{
	put_key(out, key);
	st_buf_add_text(out, "null,");
}

void st_put_int(struct st_buf *out, const char *key, int64_t n)
{
	put_key(out, key);
	st_buf_add_int(out, n);
	st_buf_add_char(out, ',');
}

void st_put_bool(struct st_buf *out, const char *key, bool value)
{
	put_key(out, key);
	st_buf_add_text(out, value ? "true," : "false,");
}

static void put_string(struct st_buf *out, const char *key, const char *text, size_t len)
{
	put_key(out, key);
	if (st_http_utf8_valid(text, len)) {
		st_buf_add_json_string(out, text, len);
	} else {
		struct st_buf mended = {0};
		st_tail_utf8(&mended, text, len);
		st_buf_add_json_string(out, mended.data, mended.len);
		st_buf_fini(&mended);
	}
	st_buf_add_char(out, ',');
}

void st_put_text(struct st_buf *out, const char *key, const char *text)
{
	if (text == NULL) {
		st_put_null(out, key);
	} else {
		put_string(out, key, text, strlen(text));
	}
}

void st_put_time(struct st_buf *out, const char *key, st_time at)
{
	char text[ST_TIME_TEXT_MAX];
	st_put_text(out, key, at == ST_TIME_NONE ? NULL : st_time_format(at, text));
}

void st_put_id(struct st_buf *out, const char *key, struct st_id id, const char *prefix)
{
	char text[ST_ID_TEXT_MAX];
	st_put_text(out, key, st_id_is_none(id) ? NULL : st_id_format(id, prefix, text));
}

void st_put_hex(struct st_buf *out, const char *key, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	put_key(out, key);
	st_buf_add_char(out, '"');
	for (size_t i = 0; i < len; i++) {
		st_buf_add_char(out, digits[bytes[i] >> 4]);
		st_buf_add_char(out, digits[bytes[i] & 15]);
	}
	st_buf_add_text(out, "\",");
}

void st_put_amounts(struct st_buf *out, const char *key, const struct st_amounts *amounts)
{
	int64_t cost = amounts->of[ST_METER_COST_NUSD];
	char usd[32];
	put_key(out, key);
	st_amounts_add_json(out, amounts);
	st_buf_add_char(out, ',');
	if (cost > 0) {
		out->len -= 2; /* reopen it */
		st_buf_add_char(out, ',');
		st_put_text(out, "cost_usd", st_money_format(cost, usd));
		st_put_close(out, '}');
	}
}

void st_put_col_text(struct st_buf *out, const char *key, const struct st_reading *r, int col)
{
	const char *text = (const char *)sqlite3_column_text(r->stmt, col);
	if (text == NULL) {
		st_put_null(out, key);
	} else {
		put_string(out, key, text, (size_t)sqlite3_column_bytes(r->stmt, col));
	}
}

/* One line that begins as JSON does: enough to keep lines and members apart. What a value holds is
 * for the audit to check. */
static bool is_one_line(const char *json, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)json[i] < ' ') {
			return false;
		}
	}
	return len > 0 && strchr("{[\"tfn-0123456789", json[0]) != NULL;
}

void st_put_col_json(struct st_buf *out, const char *key, struct st_reading *r, int col)
{
	const char *json = (const char *)sqlite3_column_text(r->stmt, col);
	size_t len = (size_t)sqlite3_column_bytes(r->stmt, col);
	if (json == NULL) {
		st_put_null(out, key);
		return;
	}
	r->damaged = r->damaged || !is_one_line(json, len) || !st_http_utf8_valid(json, len);
	put_key(out, key);
	st_buf_add(out, json, len);
	st_buf_add_char(out, ',');
}

void st_put_col_time(struct st_buf *out, const char *key, const struct st_reading *r, int col)
{
	st_put_time(out, key, st_reading_time(r, col));
}

void st_put_col_int(struct st_buf *out, const char *key, const struct st_reading *r, int col)
{
	if (st_reading_none(r, col)) {
		st_put_null(out, key);
	} else {
		st_put_int(out, key, st_reading_int(r, col));
	}
}

void st_put_col_id(struct st_buf *out, const char *key, struct st_reading *r, int col,
		   const char *prefix)
{
	struct st_id id;
	st_reading_bytes(r, col, id.bytes, sizeof id.bytes);
	st_put_id(out, key, id, prefix);
}

void st_put_col_hex(struct st_buf *out, const char *key, const struct st_reading *r, int col)
{
	const uint8_t *bytes = sqlite3_column_blob(r->stmt, col);
	if (bytes == NULL) {
		st_put_null(out, key);
	} else {
		st_put_hex(out, key, bytes, (size_t)sqlite3_column_bytes(r->stmt, col));
	}
}

void st_put_col_amounts(struct st_buf *out, const char *key, struct st_reading *r, int col)
{
	struct st_amounts amounts;
	if (st_reading_none(r, col)) {
		st_put_null(out, key);
		return;
	}
	st_reading_amounts(r, col, &amounts);
	st_put_amounts(out, key, &amounts);
}

/* The definition */

int st_read_def_load(struct st_reader *reader, int64_t run_no, struct st_read_def *def,
		     struct st_diag *diag)
{
	static const char sql[] = "SELECT shown FROM def WHERE run = ?1";
	struct st_reading r = st_reading_begin(reader, sql);
	*def = (struct st_read_def){0};
	st_reading_bind_int(&r, 1, run_no);
	if (st_reading_next(&r)) {
		def->doc = json_loadb(st_reading_text(&r, 0),
				      (size_t)sqlite3_column_bytes(r.stmt, 0), 0, NULL);
		def->steps = json_object_get(def->doc, "steps");
		r.damaged = !json_is_array(def->steps);
	}
	return st_reading_end(&r, diag);
}

void st_read_def_fini(struct st_read_def *def)
{
	json_decref(def->doc);
	*def = (struct st_read_def){0};
}

static const char *member_of(const struct st_read_def *def, int step, const char *name)
{
	const json_t *found = step < 0 ? NULL : json_array_get(def->steps, (size_t)step);
	const char *text = json_string_value(json_object_get(found, name));
	return text != NULL ? text : "";
}

const char *st_read_def_step_id(const struct st_read_def *def, int step)
{
	return member_of(def, step, "id");
}

const char *st_read_def_step_uses(const struct st_read_def *def, int step)
{
	return member_of(def, step, "uses");
}

bool st_read_def_step_repeats(const struct st_read_def *def, int step)
{
	const json_t *found = step < 0 ? NULL : json_array_get(def->steps, (size_t)step);
	return json_object_get(found, "for_each") != NULL;
}

void st_put_place(struct st_buf *out, const struct st_read_def *def, int step, int item)
{
	const char *id = st_read_def_step_id(def, step);
	st_put_text(out, "step", step >= 0 ? id : NULL);
	if (item >= 0 && st_read_def_step_repeats(def, step)) {
		st_put_int(out, "item", item + 1);
	}
}

void st_put_col_place(struct st_buf *out, const struct st_reading *r, int first)
{
	st_put_col_text(out, "step", r, first);
	if (!st_reading_none(r, first + 1)) {
		st_put_col_int(out, "item", r, first + 1);
	}
}
