/* SPDX-License-Identifier: Apache-2.0 */
/* Rows back out of the database, in the order that recovery wants. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/io/store_sqlite.h"
#include "schemas/mem.h"
#include "steps/kind.h"

/* A query being read: columns are taken in order. */
struct reading {
	struct st_store_writer *writer;
	sqlite3_stmt *stmt;
	int rc;
	int i;
	bool damaged;
};

static struct reading query(struct st_store_writer *writer, const char *sql)
{
	struct reading r = {.writer = writer};
	r.rc = sqlite3_prepare_v2(writer->db, sql, -1, &r.stmt, NULL);
	return r;
}

static bool next(struct reading *r)
{
	if (r->rc != SQLITE_OK && r->rc != SQLITE_ROW) {
		return false;
	}
	r->rc = sqlite3_step(r->stmt);
	r->i = 0;
	return r->rc == SQLITE_ROW && !r->damaged;
}

static int end(struct reading *r, struct st_diag *diag)
{
	int err = ST_OK;
	if (r->damaged) {
		err = st_fail(diag, ST_ERR_CORRUPT,
			      "the store holds a value that stint did not write, or the seal key "
			      "is another store's; restore a backup with its key");
	} else if (r->rc != SQLITE_DONE) {
		err = st_store_fail(r->writer->db, r->rc, diag, "reading the store");
	}
	(void)sqlite3_finalize(r->stmt);
	return err;
}

static int64_t number(struct reading *r)
{
	return sqlite3_column_int64(r->stmt, r->i++);
}

static st_time moment(struct reading *r)
{
	bool none = sqlite3_column_type(r->stmt, r->i) == SQLITE_NULL;
	int64_t at = number(r);
	return none ? ST_TIME_NONE : at;
}

static const char *text(struct reading *r)
{
	const unsigned char *t = sqlite3_column_text(r->stmt, r->i++);
	return t != NULL ? (const char *)t : "";
}

static void name(struct reading *r, char *out, size_t size)
{
	int n = snprintf(out, size, "%s", text(r));
	r->damaged = r->damaged || n < 0 || (size_t)n >= size;
}

static void bytes(struct reading *r, void *out, size_t len)
{
	const void *blob = sqlite3_column_blob(r->stmt, r->i);
	int n = sqlite3_column_bytes(r->stmt, r->i++);
	if (blob != NULL && (size_t)n == len) {
		memcpy(out, blob, len);
	} else if (blob != NULL) {
		r->damaged = true;
	}
}

static void id(struct reading *r, struct st_id *out)
{
	*out = (struct st_id){{0}};
	bytes(r, out->bytes, sizeof out->bytes);
}

static int state(struct reading *r, const struct st_machine *machine)
{
	int value = st_machine_state_parse(machine, text(r));
	r->damaged = r->damaged || value < 0;
	return value < 0 ? 0 : value;
}

static void amounts(struct reading *r, struct st_amounts *out)
{
	if (st_amounts_parse(text(r), out) != ST_OK) {
		r->damaged = true;
	}
}

static char *unsealed(struct reading *r, struct st_id run, const char *what, int64_t no)
{
	const void *blob = sqlite3_column_blob(r->stmt, r->i);
	int n = sqlite3_column_bytes(r->stmt, r->i++);
	if (blob == NULL) {
		return NULL;
	}
	struct st_seal_key key;
	struct st_buf context = {0};
	struct st_buf plain = {0};
	st_store_seal_context(&context, run, what, no);
	st_seal_key_derive(&r->writer->key, run, &key);
	const struct st_seal_bytes bound_to = {context.data, context.len};
	const struct st_seal_bytes sealed = {blob, (size_t)n};
	r->damaged = r->damaged || st_unseal(&key, bound_to, sealed, &plain) != ST_OK;
	st_seal_key_wipe(&key);
	st_buf_fini(&context);
	return st_buf_take(&plain);
}

void st_store_seal_context(struct st_buf *out, struct st_id run, const char *what, int64_t no)
{
	char text_of_run[ST_ID_TEXT_MAX];
	st_buf_addf(out, "%s/%s/%lld", st_id_format(run, ST_ID_RUN, text_of_run), what,
		    (long long)no);
}

static int load_scopes(struct st_store_writer *writer, struct st_rows *out, struct st_diag *diag)
{
	struct reading r =
	    query(writer, "SELECT s.no, s.scope, s.id, a.no, a.meter, a.\"limit\", a.granted, "
			  "a.settled, a.held, a.overrun FROM scope s "
			  "LEFT JOIN account a ON a.no < 0 AND a.no <= -(s.no << 8) - 1 "
			  "AND a.no >= -(s.no << 8) - 256 ORDER BY s.no");
	int64_t last = 0;
	while (next(&r)) {
		int64_t no = number(&r);
		enum st_scope scope = ST_SCOPE_PLATFORM;
		r.damaged = r.damaged || !st_scope_parse(text(&r), &scope);
		if (no != last) {
			struct st_row_scope *row = st_rows_add_scope(out);
			row->no = no;
			row->scope = scope;
			name(&r, row->id, sizeof row->id);
			last = no;
		} else {
			r.i++;
		}
		if (sqlite3_column_type(r.stmt, r.i) == SQLITE_NULL) {
			continue;
		}
		struct st_row_account *account = st_rows_add_account(out);
		account->no = number(&r);
		account->step = -1;
		account->scope_no = no;
		account->scope = scope;
		r.damaged = r.damaged || !st_meter_parse(text(&r), &account->meter);
		account->limit = number(&r);
		account->granted = number(&r);
		account->settled = number(&r);
		account->held = number(&r);
		account->overrun = number(&r);
	}
	return end(&r, diag);
}

static void read_run(struct reading *r, struct st_row_run *row)
{
	row->no = number(r);
	id(r, &row->id);
	name(r, row->submitted_by, sizeof row->submitted_by);
	row->created_at = number(r);
	row->def = unsealed(r, row->id, "def", 0);
	row->state = (enum st_run_state)state(r, &st_run_machine);
	row->started_at = moment(r);
	row->ended_at = moment(r);
	row->last_at = number(r);
	row->active_ms = number(r);
	row->active_at = moment(r);
	row->paused = number(r) != 0;
	id(r, &row->halt);
	row->seq = number(r);
	bytes(r, row->hash, sizeof row->hash);
	r->damaged = r->damaged || number(r) == 0; /* the end of its timeline is gone */
	name(r, row->error_code, sizeof row->error_code);
	row->has_approved = sqlite3_column_type(r->stmt, r->i) != SQLITE_NULL;
	bytes(r, row->approved, sizeof row->approved);
}

static int load_steps(struct st_store_writer *writer, const struct st_row_run *run,
		      struct st_rows *out, struct st_diag *diag)
{
	struct reading r =
	    query(writer, "SELECT no, id, uses, state, item_state, n_items, attempt, resends, due, "
			  "call, started_at, ended_at, approved, sealed_output, error_code "
			  "FROM step WHERE no >= ?1 << 22 AND no < (?1 + 1) << 22 ORDER BY no");
	(void)sqlite3_bind_int64(r.stmt, 1, run->no);
	while (next(&r)) {
		struct st_row_step *row = st_rows_add_step(out);
		int64_t no = number(&r);
		row->run_no = run->no;
		row->step = (int)(no >> 11 & 2047);
		row->item = (int)(no & 2047);
		name(&r, row->id, sizeof row->id);
		name(&r, row->uses, sizeof row->uses);
		row->state = (enum st_step_state)state(&r, &st_step_machine);
		row->item_state = (enum st_item_state)state(&r, &st_item_machine);
		row->n_items = (int)number(&r);
		row->attempt = (int)number(&r);
		row->resends = (int)number(&r);
		row->due = moment(&r);
		id(&r, &row->call);
		row->started_at = moment(&r);
		row->ended_at = moment(&r);
		row->has_approved = sqlite3_column_type(r.stmt, r.i) != SQLITE_NULL;
		bytes(&r, row->approved, sizeof row->approved);
		row->output = unsealed(&r, run->id, "output", no);
		name(&r, row->error_code, sizeof row->error_code);
	}
	return end(&r, diag);
}

static int load_accounts(struct st_store_writer *writer, const struct st_row_run *run,
			 struct st_rows *out, struct st_diag *diag)
{
	struct reading r =
	    query(writer, "SELECT no, scope, meter, \"limit\", granted, settled, held, overrun "
			  "FROM account WHERE no >= ?1 << 20 AND no < (?1 + 1) << 20 ORDER BY no");
	(void)sqlite3_bind_int64(r.stmt, 1, run->no);
	while (next(&r)) {
		struct st_row_account *row = st_rows_add_account(out);
		row->no = number(&r);
		row->run_no = run->no;
		row->step = (int)(row->no >> 8 & 4095) - 1;
		r.damaged = r.damaged || !st_scope_parse(text(&r), &row->scope);
		r.damaged = r.damaged || !st_meter_parse(text(&r), &row->meter);
		row->limit = number(&r);
		row->granted = number(&r);
		row->settled = number(&r);
		row->held = number(&r);
		row->overrun = number(&r);
	}
	return end(&r, diag);
}

static int load_calls(struct st_store_writer *writer, const struct st_row_run *run,
		      struct st_rows *out, struct st_diag *diag)
{
	struct reading r =
	    query(writer, "SELECT h.no, h.id, h.step, h.item, h.at, h.amounts, c.no, "
			  "c.id, c.attempt, "
			  "c.kind, c.idempotence, c.params_hash, c.at, c.state, c.expires_at "
			  "FROM call c JOIN hold h ON h.no = c.hold "
			  "WHERE c.run_no = ?1 AND c.ended_at IS NULL ORDER BY c.no");
	(void)sqlite3_bind_int64(r.stmt, 1, run->no);
	while (next(&r)) {
		struct st_row_hold *hold = st_rows_add_hold(out);
		hold->no = number(&r);
		hold->run_no = run->no;
		id(&r, &hold->id);
		hold->step = (int)number(&r);
		hold->item = (int)number(&r);
		hold->at = number(&r);
		amounts(&r, &hold->amounts);
		struct st_row_call *call = st_rows_add_call(out);
		call->no = number(&r);
		call->hold_no = hold->no;
		call->run_no = run->no;
		call->step = hold->step;
		call->item = hold->item;
		id(&r, &call->id);
		call->attempt = (int)number(&r);
		name(&r, call->kind, sizeof call->kind);
		call->idempotence = (int)number(&r);
		bytes(&r, call->params_hash, sizeof call->params_hash);
		call->at = number(&r);
		call->state = (enum st_hold_state)state(&r, &st_hold_machine);
		call->ended_at = ST_TIME_NONE;
		call->expires_at = moment(&r);
	}
	return end(&r, diag);
}

static int load_halt(struct st_store_writer *writer, const struct st_row_run *run,
		     struct st_rows *out, struct st_diag *diag)
{
	struct reading r =
	    query(writer, "SELECT id, kind, step, item, call, verdict, params_hash, since "
			  "FROM halt WHERE id = ?1 AND decided_at IS NULL");
	(void)sqlite3_bind_blob(r.stmt, 1, run->halt.bytes, sizeof run->halt.bytes, SQLITE_STATIC);
	while (next(&r)) {
		struct st_row_halt *row = st_rows_add_halt(out);
		row->run_no = run->no;
		id(&r, &row->id);
		int kind = st_halt_kind_parse(text(&r));
		r.damaged = r.damaged || kind < 0;
		row->kind = kind < 0 ? ST_HALT_NONE : (enum st_halt_kind)kind;
		row->step = (int)number(&r);
		row->item = (int)number(&r);
		id(&r, &row->call);
		bool none = sqlite3_column_type(r.stmt, r.i) == SQLITE_NULL;
		const char *verdict = text(&r);
		row->verdict_json = none ? NULL : st_strdup(verdict);
		bytes(&r, row->params_hash, sizeof row->params_hash);
		row->since = number(&r);
		row->decided_at = ST_TIME_NONE;
	}
	return end(&r, diag);
}

#define RUN_COLUMNS                                                                                \
	"SELECT r.no, r.id, submitted_by, created_at, sealed, state, started_at, ended_at, "       \
	"coalesce(e.at, last_at), active_ms, active_at, paused, halt, coalesce(e.seq, r.seq), "    \
	"coalesce(e.hash, r.hash), e.seq >= r.seq OR NOT EXISTS (SELECT 1 FROM event "             \
	"WHERE n > 0 AND run_no = r.no), error_code, approved "                                    \
	"FROM run r JOIN def ON run = r.no LEFT JOIN event e ON e.no = "                           \
	"(SELECT f.no + f.n - 1 FROM event f WHERE f.n > 0 AND f.run_no = r.no "                   \
	"ORDER BY f.seq DESC LIMIT 1) "

static int load_parts(struct st_store_writer *writer, const struct st_row_run *run,
		      struct st_rows *out, struct st_diag *diag)
{
	int err = load_steps(writer, run, out, diag);
	if (err == ST_OK) {
		err = load_accounts(writer, run, out, diag);
	}
	if (err == ST_OK) {
		err = load_calls(writer, run, out, diag);
	}
	if (err == ST_OK && !st_id_is_none(run->halt)) {
		err = load_halt(writer, run, out, diag);
	}
	return err;
}

/* Halted runs stay on disk until somebody decides, unless a call of theirs was
 * in flight. */
static const char live_sql[] = RUN_COLUMNS "WHERE r.no IN (SELECT no FROM live) ORDER BY r.no";
static const char one_sql[] = RUN_COLUMNS "WHERE r.id = ?1";

int st_store_load(struct st_store_writer *writer, const struct st_id *run, struct st_rows *out,
		  struct st_diag *diag)
{
	struct reading r = query(writer, run == NULL ? live_sql : one_sql);
	int err = ST_OK;
	bool any = false;
	if (run != NULL) {
		(void)sqlite3_bind_blob(r.stmt, 1, run->bytes, sizeof run->bytes, SQLITE_STATIC);
	}
	while (err == ST_OK && next(&r)) {
		struct st_row_run *row = st_rows_add_run(out);
		read_run(&r, row);
		any = true;
		if (!r.damaged) {
			err = load_parts(writer, row, out, diag);
		}
	}
	if (err != ST_OK) {
		(void)sqlite3_finalize(r.stmt);
		return err;
	}
	err = end(&r, diag);
	if (err == ST_OK && run != NULL && !any) {
		err = st_fail(diag, ST_ERR_NOT_FOUND, "no such run");
	}
	return err;
}

static int load_pulse(struct st_store_writer *writer, struct st_rows *out, struct st_diag *diag)
{
	struct reading r =
	    query(writer, "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'alive_at'");
	while (next(&r)) {
		st_rows_add_pulse(out)->at = number(&r);
	}
	return end(&r, diag);
}

int st_store_load_live(struct st_store *store, struct st_rows *out, struct st_diag *diag)
{
	int err = load_pulse(&store->writer, out, diag);
	if (err == ST_OK) {
		err = load_scopes(&store->writer, out, diag);
	}
	return err == ST_OK ? st_store_load(&store->writer, NULL, out, diag) : err;
}
