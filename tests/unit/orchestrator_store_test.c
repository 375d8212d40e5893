/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "schemas/sql.h"
#include "tests/unit/store_rig.h"

static int set_up(void **state)
{
	*state = rig_new();
	return 0;
}

static int tear_down(void **state)
{
	rig_free(*state);
	return 0;
}

/* What a load gave; taken so that it can be looked at afterwards. */
struct loaded {
	bool done;
	int err;
	struct st_rows rows;
};

static void take_rows(void *arg, int err, struct st_rows *rows)
{
	struct loaded *loaded = arg;
	loaded->done = true;
	loaded->err = err;
	loaded->rows = *rows;
	*rows = (struct st_rows){0};
}

static void load(struct store_rig *rig, struct st_id run, struct loaded *loaded)
{
	*loaded = (struct loaded){0};
	st_store_load_run(rig->store, run, take_rows, loaded);
	while (!loaded->done) {
		(void)uv_run(&rig->loop, UV_RUN_ONCE);
	}
}

/* The n-th loaded row of a type; the test fails without it. */
static const struct st_row *nth(const struct st_rows *rows, enum st_row_type type, int n)
{
	for (size_t i = 0; i < rows->n; i++) {
		if (rows->of[i].type == type && n-- == 0) {
			return &rows->of[i];
		}
	}
	fail_msg("row %d of type %d is missing", n, (int)type);
	return NULL;
}

/* A number out of the file itself. */
static int64_t ask(const struct store_rig *rig, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	assert_int_equal(sqlite3_open_v2(rig->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	int rc = sqlite3_step(stmt);
	int64_t n = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	}
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return n;
}

static void add_parts(struct store_rig *rig, struct st_rows *rows)
{
	struct st_row_step *step = rig_add_step(rows, 1, 0, 0);
	step->due = RIG_T0 + 77;
	step->resends = 2;
	step->call = rig_id('c', 1);
	step->has_approved = true;
	memset(step->approved, 3, sizeof step->approved);
	step->output = st_strdup("{\"secret\":\"" RIG_SECRET "\"}");
	step->shown = rig_clean(rig, "{\"secret\":\"[redacted:key]\"}");
	(void)snprintf(step->error_code, sizeof step->error_code, "job.exit");
	rig_add_account(rows, 1, 0, ST_METER_TOKENS, 10);
	rig_add_account(rows, 1, -1, ST_METER_COST_NUSD, -1);
	(void)rig_add_call(rig, rows, 4, 1, 0);
	struct st_row_halt *halt = st_rows_add_halt(rows);
	halt->insert = true;
	halt->id = rig_id('x', 1);
	halt->run_no = 1;
	halt->kind = ST_HALT_DANGEROUS;
	halt->step = 0;
	halt->call = rig_id('c', 1);
	halt->verdict = rig_clean(rig, "{\"allowed\":false}");
	memset(halt->params_hash, 9, sizeof halt->params_hash);
	halt->since = RIG_T0 + 3;
	halt->decided_at = ST_TIME_NONE;
}

static void what_is_written_is_loaded_again(void **state)
{
	struct store_rig *rig = *state;
	struct st_rows rows = {0};
	struct loaded loaded;
	struct st_row_run *run = rig_add_run(rig, &rows, 1);
	run->halt = rig_id('x', 1);
	run->seq = 17;
	run->active_ms = 5;
	memset(run->hash, 8, sizeof run->hash);
	add_parts(rig, &rows);
	assert_int_equal(rig_write(rig, &rows), ST_OK);
	load(rig, rig_id('r', 1), &loaded);
	assert_int_equal(loaded.err, ST_OK);
	const struct st_row_run *r = nth(&loaded.rows, ST_ROW_RUN, 0)->run;
	assert_string_equal(r->def, RIG_DEF);
	assert_true(r->state == ST_RUN_RUNNING && r->seq == 17 && r->active_ms == 5);
	assert_true(r->started_at == RIG_T0 + 5 && r->ended_at == ST_TIME_NONE);
	assert_int_equal(r->hash[31], 8);
	assert_string_equal(r->submitted_by, "ann");
	const struct st_row_step *s = nth(&loaded.rows, ST_ROW_STEP, 0)->step;
	assert_string_equal(s->output, "{\"secret\":\"" RIG_SECRET "\"}");
	assert_true(s->due == RIG_T0 + 77 && s->resends == 2 && s->has_approved);
	assert_true(s->state == ST_STEP_RUNNING && s->item_state == ST_ITEM_CALLING);
	assert_string_equal(s->error_code, "job.exit");
	assert_true(nth(&loaded.rows, ST_ROW_ACCOUNT, 0)->account->limit == -1);
	assert_true(nth(&loaded.rows, ST_ROW_ACCOUNT, 1)->account->step == 0);
	const struct st_row_hold *h = nth(&loaded.rows, ST_ROW_HOLD, 0)->hold;
	assert_true(h->no == 4 && h->amounts.of[ST_METER_TOKENS] == 1000);
	const struct st_row_call *c = nth(&loaded.rows, ST_ROW_CALL, 0)->call;
	assert_true(c->hold_no == 4 && c->state == ST_HOLD_SENT && c->params_hash[0] == 0x5a);
	const struct st_row_halt *x = nth(&loaded.rows, ST_ROW_HALT, 0)->halt;
	assert_true(x->kind == ST_HALT_DANGEROUS && x->params_hash[0] == 9);
	assert_string_equal(x->verdict_json, "{\"allowed\":false}");
	st_rows_fini(&loaded.rows);
	load(rig, rig_id('r', 2), &loaded);
	assert_int_equal(loaded.err, ST_ERR_NOT_FOUND);
	st_rows_fini(&loaded.rows);
}

/* Everything but the run itself: how many rows of a type stand in the file. */
static void every_row_type_has_its_table(void **state)
{
	struct store_rig *rig = *state;
	struct st_rows rows = {0};
	const struct st_amounts used = rig_amounts(1, 2);
	(void)rig_add_run(rig, &rows, 1);
	add_parts(rig, &rows);
	rig_add_end(rig, &rows, 4, &used);
	rig_add_event(rig, &rows, 1, 1);
	struct st_row_scope *scope = st_rows_add_scope(&rows);
	scope->no = 1;
	scope->scope = ST_SCOPE_TENANT;
	(void)snprintf(scope->id, sizeof scope->id, "tenant-1");
	struct st_row_account *wide = st_rows_add_account(&rows);
	wide->insert = true;
	wide->no = st_row_wide_account_no(1, ST_METER_TOKENS);
	wide->scope_no = 1;
	wide->scope = ST_SCOPE_TENANT;
	wide->limit = 100;
	wide->settled = 40;
	struct st_row_grant *grant = st_rows_add_grant(&rows);
	grant->run_no = 1;
	grant->halt = rig_id('x', 1);
	grant->step = -1;
	grant->amount = 50;
	grant->at = RIG_T0;
	(void)snprintf(grant->by, sizeof grant->by, "bob");
	assert_int_equal(rig_write(rig, &rows), ST_OK);
	assert_true(ask(rig, "SELECT count(*) FROM v_run WHERE workflow = 'workflow-1' "
			     "AND created_at = '2026-11-18T11:06:40.000Z'") == 1);
	assert_true(ask(rig, "SELECT count(*) FROM v_step WHERE run = "
			     "'r_019a0000-0072-7000-8000-000000000001' AND id = 'find'") == 1);
	assert_true(ask(rig, "SELECT remaining FROM v_account WHERE scope_id = 'tenant-1'") == 60);
	assert_true(ask(rig, "SELECT remaining FROM v_account WHERE scope_id = 'find'") == 10);
	assert_true(ask(rig, "SELECT count(*) FROM v_account WHERE scope = 'run' "
			     "AND remaining IS NULL") == 1);
	assert_true(ask(rig, "SELECT count(*) FROM v_call WHERE state = 'settled' "
			     "AND step = 'find'") == 1);
	assert_true(ask(rig, "SELECT count(*) FROM v_hold WHERE call = "
			     "'c_019a0000-0063-7000-8000-000000000004'") == 1);
	assert_true(ask(rig, "SELECT used ->> '$.tokens' FROM v_settlement") == 1);
	assert_true(ask(rig, "SELECT amount FROM v_grant WHERE by = 'bob' AND halt = "
			     "'halt_019a0000-0078-7000-8000-000000000001'") == 50);
	assert_true(ask(rig, "SELECT seq FROM v_event WHERE type = 'run.submitted'") == 1);
}

static void live_runs_are_loaded_and_parked_ones_stay(void **state)
{
	struct store_rig *rig = *state;
	struct st_rows rows = {0};
	struct st_core_numbers numbers;
	for (int64_t no = 1; no <= 4; no++) {
		struct st_row_run *run = rig_add_run(rig, &rows, no);
		run->state = no == 1 ? ST_RUN_SUCCEEDED : no == 4 ? ST_RUN_RUNNING : ST_RUN_HALTED;
		run->ended_at = no == 1 ? RIG_T0 : ST_TIME_NONE;
		run->open = no == 3;
	}
	(void)rig_add_call(rig, &rows, 7, 3, 0);
	assert_int_equal(rig_write(rig, &rows), ST_OK);
	rig_close(rig);
	assert_int_equal(rig_open(rig), ST_OK);
	assert_int_equal(st_store_numbers(rig->store, &numbers, &rig->diag), ST_OK);
	assert_true(numbers.run == 5 && numbers.call == 8 && numbers.scope == 1);
	assert_int_equal(st_store_load_live(rig->store, &rows, &rig->diag), ST_OK);
	assert_true(nth(&rows, ST_ROW_RUN, 0)->run->no == 3); /* halted, a call in flight */
	assert_true(nth(&rows, ST_ROW_RUN, 1)->run->no == 4);
	assert_int_equal(rows.n, 4);
	st_rows_fini(&rows);
}

static void a_batch_is_written_whole_or_not_and_then_nothing_is(void **state)
{
	struct store_rig *rig = *state;
	struct st_rows rows = {0};
	const struct st_amounts used = rig_amounts(1, 0);
	(void)rig_add_run(rig, &rows, 1);
	assert_int_equal(rig_write(rig, &rows), ST_OK);
	(void)rig_add_run(rig, &rows, 2);
	(void)rig_add_call(rig, &rows, 1, 2, 0);
	rig_add_end(rig, &rows, 1, &used);
	rig_add_end(rig, &rows, 1, &used); /* a hold has one end */
	assert_int_equal(rig_write(rig, &rows), ST_ERR_IO);
	assert_non_null(strstr(rig->diag.text, "settlement"));
	(void)rig_add_run(rig, &rows, 3);
	assert_true(rig_write(rig, &rows) < 0);
	assert_non_null(strstr(rig->diag.text, "settlement")); /* still the first reason */
	assert_true(ask(rig, "SELECT count(*) FROM run") == 1);
	assert_true(ask(rig, "SELECT count(*) FROM hold") == 0);
}

static void a_call_without_its_hold_is_refused(void **state)
{
	struct store_rig *rig = *state;
	struct st_rows rows = {0};
	(void)rig_add_run(rig, &rows, 1);
	rig_add_call(rig, &rows, 1, 1, 0)->hold_no = 2;
	assert_true(rig_write(rig, &rows) < 0);
	assert_non_null(strstr(rig->diag.text, "without its hold"));
	assert_true(ask(rig, "SELECT count(*) FROM run") == 0);
}

static void an_end_of_no_hold_is_refused(void **state)
{
	struct store_rig *rig = *state;
	struct st_rows rows = {0};
	const struct st_amounts used = rig_amounts(1, 0);
	(void)rig_add_run(rig, &rows, 1);
	rig_add_end(rig, &rows, 1, &used);
	assert_true(rig_write(rig, &rows) < 0);
	assert_non_null(strstr(rig->diag.text, "FOREIGN KEY"));
}

static void a_call_that_ends_without_its_settlement_is_refused(void **state)
{
	struct store_rig *rig = *state;
	struct st_rows rows = {0};
	(void)rig_add_run(rig, &rows, 1);
	(void)rig_add_call(rig, &rows, 1, 1, 0);
	struct st_row_call *call = st_rows_add_call(&rows);
	call->no = 1;
	call->state = ST_HOLD_SETTLED;
	call->ended_at = RIG_T0 + 30;
	assert_true(rig_write(rig, &rows) < 0);
	assert_non_null(strstr(rig->diag.text, "without its settlement"));
}

/* The row of a running run is written when more than its timeline changes. */
static void the_timeline_says_how_far_a_running_run_is(void **state)
{
	struct store_rig *rig = *state;
	struct st_rows rows = {0};
	(void)rig_add_run(rig, &rows, 1);
	rig_add_event(rig, &rows, 1, 1);
	assert_int_equal(rig_write(rig, &rows), ST_OK);
	for (int64_t seq = 2; seq <= 4; seq++) {
		rig_add_event(rig, &rows, 1, seq);
	}
	struct st_row_run *run = st_rows_add_run(&rows);
	run->no = 1;
	run->head_only = true;
	run->state = ST_RUN_FAILED; /* must not be looked at */
	assert_int_equal(rig_write(rig, &rows), ST_OK);
	rig_close(rig);
	assert_int_equal(rig_open(rig), ST_OK);
	assert_int_equal(st_store_load_live(rig->store, &rows, &rig->diag), ST_OK);
	const struct st_row_run *loaded = nth(&rows, ST_ROW_RUN, 0)->run;
	assert_int_equal(loaded->state, ST_RUN_RUNNING);
	assert_int_equal(loaded->seq, 4);
	assert_int_equal(loaded->hash[0], 4);
	assert_true(loaded->last_at == RIG_T0 + 4);
	st_rows_fini(&rows);
	assert_true(ask(rig, "SELECT seq FROM v_run") == 4);
	assert_true(ask(rig, "SELECT hash LIKE '040404%' FROM v_run") == 1);
	rig_close(rig);
	(void)ask(rig, "DELETE FROM event WHERE seq = 4"); /* its end is gone: nobody goes on */
	assert_int_equal(rig_open(rig), ST_OK);
	assert_int_equal(st_store_load_live(rig->store, &rows, &rig->diag), ST_ERR_CORRUPT);
	st_rows_fini(&rows);
}

/* Batches and loads are done in the order given. */
/* More than SQLite's page cache and many times what is gathered before it goes to the WAL: pages
 * are written before the commit, and read back from there within it. */
static void a_commit_larger_than_the_cache_is_whole(void **state)
{
	enum { N = 40, BYTES = 1000000 };
	struct store_rig *rig = *state;
	struct st_rows rows = {0};
	char *text = st_alloc(BYTES + 1);
	(void)rig_add_run(rig, &rows, 1);
	for (int i = 0; i < N; i++) {
		memset(text, 'a' + i % 26, BYTES);
		struct st_row_transcript *row = st_rows_add_transcript(&rows);
		row->run_no = 1;
		row->call = rig_id('c', i % 7); /* into the middle of the index, too */
		row->attempt = i;
		row->text = rig_clean(rig, text);
	}
	assert_int_equal(rig_write(rig, &rows), ST_OK);
	st_free(text);
	assert_true(ask(rig, "SELECT sum(length(text)) FROM transcript") == (int64_t)N * BYTES);
	rig_close(rig);
	assert_int_equal(rig_open(rig), ST_OK);
	assert_true(ask(rig, "SELECT count(*) FROM pragma_integrity_check "
			     "WHERE integrity_check = 'ok'") == 1);
	assert_true(ask(rig, "SELECT count(*) FROM transcript WHERE "
			     "text = replace(hex(zeroblob(500000)), '00', substr(text, 1, 1) || "
			     "substr(text, 1, 1))") == N);
}

static void a_load_sees_what_was_queued_before_it(void **state)
{
	struct store_rig *rig = *state;
	struct st_rows rows = {0};
	struct loaded loaded;
	(void)rig_add_run(rig, &rows, 1);
	rig_queue(rig, &rows);
	struct st_row_run *run = rig_add_run(rig, &rows, 1);
	run->insert = false;
	run->state = ST_RUN_HALTED;
	rig_queue(rig, &rows);
	load(rig, rig_id('r', 1), &loaded);
	assert_int_equal(loaded.err, ST_OK);
	assert_true(nth(&loaded.rows, ST_ROW_RUN, 0)->run->state == ST_RUN_HALTED);
	st_rows_fini(&loaded.rows);
	assert_int_equal(rig_wait(rig), ST_OK);
}

static bool file_has(const struct store_rig *rig, const char *suffix, const char *needle)
{
	char path[400];
	bool found = false;
	(void)snprintf(path, sizeof path, "%s%s", rig->path, suffix);
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		return false;
	}
	char *bytes = st_alloc(16 << 20);
	size_t n = fread(bytes, 1, 16 << 20, file);
	found = memmem(bytes, n, needle, strlen(needle)) != NULL;
	st_free(bytes);
	(void)fclose(file);
	return found;
}

static void sealed_text_stands_in_no_file(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".key", ".lock"};
	struct store_rig *rig = *state;
	struct st_rows rows = {0};
	struct st_row_run *run = rig_add_run(rig, &rows, 1);
	st_free(run->def);
	run->def = st_strdup("{\"params\":\"" RIG_SECRET "\"}");
	add_parts(rig, &rows);
	assert_int_equal(rig_write(rig, &rows), ST_OK);
	assert_true(file_has(rig, "-wal", "search exa: x")); /* what is clean can be found */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
			assert_false(file_has(rig, suffixes[i], RIG_SECRET));
			assert_false(file_has(rig, suffixes[i], "correct-horse"));
		}
		rig_close(rig); /* and after the checkpoint */
	}
	assert_true(file_has(rig, "", "search exa: x"));
}

static void one_process_writes_at_a_time(void **state)
{
	struct store_rig *rig = *state;
	struct st_store *second = NULL;
	struct st_diag diag = {0};
	char pid[32];
	assert_int_equal(st_store_open(&rig->loop, rig->path, &second, &diag), ST_ERR_BUSY);
	(void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
	assert_non_null(strstr(diag.text, pid));
	rig_close(rig);
	assert_int_equal(rig_open(rig), ST_OK);
}

/* What opening says, to write and to read. */
static void assert_refused(struct store_rig *rig, int err, const char *says)
{
	struct st_reader *reader = NULL;
	struct st_diag diag = {0};
	assert_int_equal(rig_open(rig), err);
	if (strstr(rig->diag.text, says) == NULL) {
		fail_msg("\"%s\" does not say \"%s\"", rig->diag.text, says);
	}
	assert_int_equal(st_reader_open(rig->path, &reader, &diag), err);
	assert_non_null(strstr(diag.text, says));
}

static void put_file(const struct store_rig *rig, const char *bytes, size_t len)
{
	FILE *file = fopen(rig->path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void files_that_are_no_store_are_refused_by_name(void **state)
{
	struct store_rig *rig = *state;
	char text[8192];
	rig_close(rig);
	memset(text, 'x', sizeof text);
	put_file(rig, text, sizeof text);
	assert_refused(rig, ST_ERR_FOREIGN, "no SQLite database");
	put_file(rig, text, 0);
	assert_refused(rig, ST_ERR_FOREIGN, "is empty");
	(void)unlink(rig->path);
	assert_refused(rig, ST_ERR_NOT_FOUND, "stint init");
	assert_true(access(rig->path, F_OK) != 0); /* and none was made */
	assert_int_equal(mkdir(rig->path, 0700), 0);
	assert_refused(rig, ST_ERR_FOREIGN, "no plain file");
	assert_int_equal(rmdir(rig->path), 0);
}

static void other_databases_and_versions_are_refused(void **state)
{
	struct store_rig *rig = *state;
	struct st_reader *reader = NULL;
	rig_close(rig);
	(void)ask(rig, "PRAGMA user_version=99");
	assert_refused(rig, ST_ERR_NEWER, "newer stint (version 99");
	(void)ask(rig, "PRAGMA user_version=1");
	assert_int_equal(st_reader_open(rig->path, &reader, &rig->diag), ST_ERR_UNSUPPORTED);
	char version[64];
	(void)snprintf(version, sizeof version, "PRAGMA user_version=%d", ST_SQL_SQLITE_VERSION);
	(void)ask(rig, version);
	(void)ask(rig, "PRAGMA application_id=7");
	assert_refused(rig, ST_ERR_FOREIGN, "not a stint store");
	(void)ask(rig, "PRAGMA application_id=1937010292");
	(void)ask(rig, "CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run; END");
	assert_int_equal(rig_open(rig), ST_ERR_CORRUPT);
	(void)ask(rig, "DROP TRIGGER t");
	assert_int_equal(rig_open(rig), ST_OK);
}

/* Cut in the middle of a page or between two: never opened as if it were whole. */
static void a_truncated_store_is_damaged(void **state)
{
	struct store_rig *rig = *state;
	struct st_rows rows = {0};
	struct stat st;
	for (int64_t no = 1; no <= 50; no++) {
		(void)rig_add_run(rig, &rows, no);
	}
	assert_int_equal(rig_write(rig, &rows), ST_OK);
	rig_close(rig);
	assert_int_equal(stat(rig->path, &st), 0);
	for (off_t size = st.st_size - 1; size > 100; size /= 2) {
		assert_int_equal(truncate(rig->path, size), 0);
		int err = rig_open(rig);
		if (err != ST_ERR_CORRUPT && err != ST_ERR_FOREIGN) {
			fail_msg("cut to %lld bytes: %d %s", (long long)size, err, rig->diag.text);
		}
	}
}

static void a_value_that_we_did_not_write_is_damage(void **state)
{
	struct store_rig *rig = *state;
	struct st_rows rows = {0};
	struct loaded loaded;
	(void)rig_add_run(rig, &rows, 1);
	add_parts(rig, &rows);
	assert_int_equal(rig_write(rig, &rows), ST_OK);
	(void)ask(rig, "UPDATE run SET state = 'lost'");
	load(rig, rig_id('r', 1), &loaded);
	assert_int_equal(loaded.err, ST_ERR_CORRUPT);
	st_rows_fini(&loaded.rows);
	(void)ask(rig, "UPDATE run SET state = 'running'");
	/* A sealed output that was moved to another step does not open there. */
	(void)ask(rig, "UPDATE step SET no = no + 1");
	load(rig, rig_id('r', 1), &loaded);
	assert_int_equal(loaded.err, ST_ERR_CORRUPT);
	st_rows_fini(&loaded.rows);
}

static void the_key_must_be_there_and_ours_alone(void **state)
{
	struct store_rig *rig = *state;
	char key[400];
	char aside[400];
	rig_close(rig);
	(void)snprintf(key, sizeof key, "%s.key", rig->path);
	(void)snprintf(aside, sizeof aside, "%s.aside", rig->path);
	assert_int_equal(chmod(key, 0640), 0);
	assert_int_equal(rig_open(rig), ST_ERR_FORBIDDEN);
	assert_non_null(strstr(rig->diag.text, "chmod 600"));
	assert_int_equal(chmod(key, 0600), 0);
	assert_int_equal(truncate(key, 31), 0);
	assert_int_equal(rig_open(rig), ST_ERR_CORRUPT);
	assert_int_equal(truncate(key, 33), 0);
	assert_int_equal(rig_open(rig), ST_ERR_CORRUPT);
	assert_int_equal(rename(key, aside), 0);
	assert_int_equal(rig_open(rig), ST_ERR_NOT_FOUND);
	assert_int_equal(symlink(aside, key), 0);
	assert_true(rig_open(rig) < 0);
}

static void another_stores_key_is_refused_at_the_start(void **state)
{
	struct store_rig *rig = *state;
	char key[400];
	char bytes[32];
	rig_close(rig);
	memset(bytes, 'k', sizeof bytes);
	(void)snprintf(key, sizeof key, "%s.key", rig->path);
	int fd = open(key, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, bytes, sizeof bytes), (int)sizeof bytes);
	(void)close(fd);
	assert_int_equal(rig_open(rig), ST_ERR_FORBIDDEN);
	assert_non_null(strstr(rig->diag.text, "STINT_SEAL_KEY_FILE"));
}

static void what_is_there_is_not_made_anew(void **state)
{
	struct store_rig *rig = *state;
	struct st_diag diag = {0};
	char uri[400];
	char path[400];
	assert_int_equal(st_store_create(rig->path, &diag), ST_ERR_EXISTS);
	/* A key without its store may be the only way into a backup: it is not overwritten. */
	(void)snprintf(path, sizeof path, "%s/t.db.key", rig->folder);
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	(void)snprintf(uri, sizeof uri, "sqlite:%s/t.db", rig->folder);
	assert_true(st_store_create(uri, &diag) < 0);
	assert_non_null(strstr(diag.text, "t.db.key"));
	assert_int_equal(access(path, F_OK), 0);
	path[strlen(path) - 4] = '\0';
	assert_true(access(path, F_OK) != 0);
	assert_int_equal(st_store_create("postgresql://x/y", &diag), ST_ERR_INVALID);
}

/* In a child process: the disk is full at some point; from then on nothing is accepted. */
static int fill_disk(void)
{
	struct store_rig *rig = rig_new();
	struct st_rows rows = {0};
	struct st_reader *reader = NULL;
	struct st_buf out = {0};
	const struct st_read_list list = {.limit = 1};
	const struct rlimit limit = {.rlim_cur = 400000, .rlim_max = 400000};
	int64_t no = 1;
	(void)signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0 ||
	    st_reader_open(rig->path, &reader, &rig->diag) != ST_OK) {
		return 2;
	}
	for (; no < 10000 && rig->err == ST_OK; no++) {
		(void)rig_add_run(rig, &rows, no);
		(void)rig_write(rig, &rows);
	}
	int first = rig->err;
	(void)rig_add_run(rig, &rows, no);
	int second = rig_write(rig, &rows);
	int read = st_reader_list(reader, &list, &out, &rig->diag);
	(void)fprintf(stderr, "%d rows, then %d, then %d: %s; reading: %d\n", (int)no, first,
		      second, rig->diag.text, read);
	bool right = no > 2 && no < 10000 && first < 0 && second < 0 && read == ST_OK;
	st_buf_fini(&out);
	st_reader_close(reader);
	rig_free(rig);
	return right ? 0 : 1;
}

static void a_store_that_cannot_write_refuses_everything_afterwards(void **state)
{
	int status = -1;
	(void)state;
	pid_t child = fork();
	if (child == 0) {
		_exit(fill_disk());
	}
	assert_true(waitpid(child, &status, 0) == child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_STORE(what_is_written_is_loaded_again),
	    WITH_STORE(every_row_type_has_its_table),
	    WITH_STORE(live_runs_are_loaded_and_parked_ones_stay),
	    WITH_STORE(a_batch_is_written_whole_or_not_and_then_nothing_is),
	    WITH_STORE(a_call_without_its_hold_is_refused),
	    WITH_STORE(an_end_of_no_hold_is_refused),
	    WITH_STORE(a_call_that_ends_without_its_settlement_is_refused),
	    WITH_STORE(the_timeline_says_how_far_a_running_run_is),
	    WITH_STORE(a_commit_larger_than_the_cache_is_whole),
	    WITH_STORE(a_load_sees_what_was_queued_before_it),
	    WITH_STORE(sealed_text_stands_in_no_file),
	    WITH_STORE(one_process_writes_at_a_time),
	    WITH_STORE(files_that_are_no_store_are_refused_by_name),
	    WITH_STORE(other_databases_and_versions_are_refused),
	    WITH_STORE(a_truncated_store_is_damaged),
	    WITH_STORE(a_value_that_we_did_not_write_is_damage),
	    WITH_STORE(the_key_must_be_there_and_ours_alone),
	    WITH_STORE(another_stores_key_is_refused_at_the_start),
	    WITH_STORE(what_is_there_is_not_made_anew),
	    cmocka_unit_test(a_store_that_cannot_write_refuses_everything_afterwards),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
