/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "orchestrator/io/store_artifact.h"
#include "redact/seal.h"
#include "schemas/sql.h"
#include "tests/unit/store_rig.h"

#define CONTENT "key: " RIG_SECRET ",\0binary,"
#define CONTENT_LEN (sizeof CONTENT - 1)

struct fixture {
	struct store_rig *rig;
	struct st_reader *reader;
	struct st_rows rows;
	struct st_diag diag;
	struct st_read_artifact which;
	struct st_buf out;
};

static void add_artifact(struct fixture *f, int64_t call_no, size_t n, const char *path)
{
	struct st_row_artifact *row = st_rows_add_artifact(&f->rows);
	row->no = st_row_artifact_no(call_no, n);
	row->run_no = 1;
	row->call = rig_id('c', 1);
	row->attempt = (int)call_no;
	row->at = RIG_T0 + 40;
	row->path = rig_clean(f->rig, path);
	row->len = CONTENT_LEN;
	row->bytes = st_alloc(CONTENT_LEN + 1);
	memcpy(row->bytes, CONTENT, CONTENT_LEN);
	row->bytes[0] = (char)('0' + call_no);
	(void)crypto_generichash(row->hash, sizeof row->hash, (const uint8_t *)row->bytes, row->len,
				 NULL, 0);
}

/* One run, whose first call left out/a and out/b, and out/a again at its second attempt. */
static int set_up(void **state)
{
	struct fixture *f = st_alloc(sizeof *f);
	f->rig = rig_new();
	*state = f;
	(void)rig_add_run(f->rig, &f->rows, 1);
	struct st_row_step *step = rig_add_step(&f->rows, 1, 0, 0);
	step->citations = rig_clean(f->rig, "[{\"url\":\"https://a\",\"title\":\"A\"}]");
	(void)rig_add_call(f->rig, &f->rows, 1, 1, 0);
	add_artifact(f, 1, 0, "out/a");
	add_artifact(f, 1, 1, "out/b");
	add_artifact(f, 2, 0, "out/a");
	f->which = (struct st_read_artifact){
	    .of = {.run = rig_id('r', 1)}, .call = rig_id('c', 1), .path = "out/a"};
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	return st_reader_open(f->rig->path, &f->reader, &f->diag);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	st_seal_buf_wipe(&f->out);
	st_reader_close(f->reader);
	rig_free(f->rig);
	st_free(f);
	return 0;
}

static int read_it(struct fixture *f)
{
	return st_reader_artifact(f->reader, &f->which, &f->out, &f->diag);
}

static void what_a_job_left_comes_back_byte_for_byte(void **state)
{
	struct fixture *f = *state;
	st_buf_add_text(&f->out, "before");
	f->which.path = "out/b";
	assert_int_equal(read_it(f), ST_OK);
	assert_int_equal(f->out.len, 6 + CONTENT_LEN);
	assert_memory_equal(f->out.data, "before1ey: ", 11);
	assert_memory_equal(f->out.data + 7, &CONTENT[1], CONTENT_LEN - 1);
	st_buf_clear(&f->out);
	f->which.path = "out/a";
	assert_int_equal(read_it(f), ST_OK);
	assert_int_equal(f->out.data[0], '2'); /* the last attempt */
}

static void nothing_of_the_content_lies_on_disk_in_clear(void **state)
{
	struct fixture *f = *state;
	static const char *const ends[] = {"", "-wal"};
	for (size_t i = 0; i < 2; i++) {
		char path[400];
		(void)snprintf(path, sizeof path, "%s%s", f->rig->path, ends[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		struct stat info;
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &info), 0);
		char *bytes = st_alloc((size_t)info.st_size + 1);
		assert_int_equal(read(fd, bytes, (size_t)info.st_size), info.st_size);
		(void)close(fd);
		assert_null(memmem(bytes, (size_t)info.st_size, RIG_SECRET, strlen(RIG_SECRET)));
		assert_null(memmem(bytes, (size_t)info.st_size, "binary,", 7));
		st_free(bytes);
	}
}

static void another_run_call_path_or_tenant_is_not_there(void **state)
{
	struct fixture *f = *state;
	const struct st_read_artifact right = f->which;
	f->which.path = "out/c";
	assert_int_equal(read_it(f), ST_ERR_NOT_FOUND);
	f->which.path = "out/%";
	assert_int_equal(read_it(f), ST_ERR_NOT_FOUND);
	f->which = right;
	f->which.call = rig_id('c', 2);
	assert_int_equal(read_it(f), ST_ERR_NOT_FOUND);
	f->which = right;
	f->which.of.run = rig_id('r', 2);
	assert_int_equal(read_it(f), ST_ERR_NOT_FOUND);
	f->which = right;
	f->which.of.tenant = "tenant-2";
	assert_int_equal(read_it(f), ST_ERR_NOT_FOUND);
	assert_int_equal(st_reader_artifacts(f->reader, f->which.of, &f->out, &f->diag),
			 ST_ERR_NOT_FOUND);
	assert_int_equal(f->out.len, 0);
}

static void without_the_key_nothing_opens_but_all_else_is_read(void **state)
{
	struct fixture *f = *state;
	char key[400];
	(void)snprintf(key, sizeof key, "%s.key", f->rig->path);
	assert_int_equal(chmod(key, 0640), 0);
	assert_int_equal(read_it(f), ST_ERR_FORBIDDEN);
	assert_int_equal(unlink(key), 0);
	assert_int_equal(read_it(f), ST_ERR_UNAVAILABLE);
	assert_int_equal(f->diag.code, ST_ERR_UNAVAILABLE);
	int fd = open(key, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char other[ST_SEAL_KEY_BYTES] = {1};
	assert_int_equal(write(fd, other, sizeof other), sizeof other);
	(void)close(fd);
	assert_int_equal(read_it(f), ST_ERR_CORRUPT);
	assert_int_equal(f->out.len, 0);
	assert_int_equal(st_reader_artifacts(f->reader, f->which.of, &f->out, &f->diag), ST_OK);
}

static void exec(struct fixture *f, const char *sql)
{
	sqlite3 *db = NULL;
	char *error = NULL;
	assert_int_equal(sqlite3_open(f->rig->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK) {
		fail_msg("%s: %s", sql, error);
	}
	(void)sqlite3_close(db);
}

static void a_file_in_anothers_place_does_not_open(void **state)
{
	struct fixture *f = *state;
	exec(f, "UPDATE artifact SET sealed_content = (SELECT sealed_content FROM artifact WHERE "
		"path = 'out/b') WHERE path = 'out/a'");
	assert_int_equal(read_it(f), ST_ERR_CORRUPT);
	f->which.path = "out/b";
	exec(f, "UPDATE artifact SET hash = zeroblob(32) WHERE path = 'out/b'");
	assert_int_equal(read_it(f), ST_ERR_CORRUPT);
	assert_int_equal(f->out.len, 0);
}

static const json_t *parse(struct st_buf *out, json_t **keep)
{
	json_decref(*keep);
	*keep = json_loads(out->data, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(*keep);
	st_buf_clear(out);
	return *keep;
}

static void lists_runs_and_exports_name_the_files(void **state)
{
	struct fixture *f = *state;
	json_t *keep = NULL;
	assert_int_equal(st_reader_artifacts(f->reader, f->which.of, &f->out, &f->diag), ST_OK);
	const json_t *got = parse(&f->out, &keep);
	assert_int_equal(json_array_size(got), 3);
	const json_t *b = json_array_get(got, 1);
	assert_string_equal(json_string_value(json_object_get(b, "path")), "out/b");
	assert_string_equal(json_string_value(json_object_get(b, "step")), "find");
	assert_string_equal(json_string_value(json_object_get(b, "call")),
			    "c_019a0000-0063-7000-8000-000000000001");
	assert_int_equal(json_integer_value(json_object_get(b, "bytes")), CONTENT_LEN);
	assert_int_equal(strlen(json_string_value(json_object_get(b, "hash"))), 64);

	assert_int_equal(st_reader_run(f->reader, f->which.of, &f->out, &f->diag), ST_OK);
	got = parse(&f->out, &keep);
	const json_t *step = json_array_get(json_object_get(got, "steps"), 0);
	assert_int_equal(json_array_size(json_object_get(step, "artifacts")), 3);
	char *citations = json_dumps(json_object_get(step, "citations"), JSON_COMPACT);
	assert_string_equal(citations, "[{\"url\":\"https://a\",\"title\":\"A\"}]");
	free(citations);
	json_decref(keep);
}

static int count_artifacts(void *arg, const char *json, size_t len)
{
	int *n = arg;
	static const char start[] = "{\"table\":\"artifact\"";
	assert_null(memmem(json, len, "sealed", 6));
	*n += len > sizeof start && memcmp(json, start, sizeof start - 1) == 0;
	return 0;
}

static void an_export_has_the_names_and_not_the_content(void **state)
{
	struct fixture *f = *state;
	int n = 0;
	const struct st_read_sink sink = {.line = count_artifacts, .arg = &n};
	assert_int_equal(st_reader_export(f->reader, f->which.of, &sink, &f->diag), ST_OK);
	assert_int_equal(n, 3);
	exec(f, "SELECT run, step, call, at, path, bytes, hash FROM v_artifact");
}

static void an_older_store_is_brought_up(void **state)
{
	struct fixture *f = *state;
	st_reader_close(f->reader);
	f->reader = NULL;
	rig_close(f->rig);
	assert_int_equal(unlink(f->rig->path), 0);
	char id[64];
	(void)snprintf(id, sizeof id, "PRAGMA application_id=%d", 0x73746e74);
	exec(f, id);
	exec(f, st_sql_sqlite_0001);
	exec(f, st_sql_sqlite_0002);
	exec(f, "PRAGMA user_version=2");
	assert_int_equal(chmod(f->rig->path, 0600), 0);
	assert_int_equal(rig_open(f->rig), ST_OK);
	(void)rig_add_run(f->rig, &f->rows, 1);
	add_artifact(f, 1, 3, "after");
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	assert_int_equal(st_reader_open(f->rig->path, &f->reader, &f->diag), ST_OK);
	f->which.path = "after";
	assert_int_equal(read_it(f), ST_OK);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(what_a_job_left_comes_back_byte_for_byte),
	    T(nothing_of_the_content_lies_on_disk_in_clear),
	    T(another_run_call_path_or_tenant_is_not_there),
	    T(without_the_key_nothing_opens_but_all_else_is_read),
	    T(a_file_in_anothers_place_does_not_open),
	    T(lists_runs_and_exports_name_the_files),
	    T(an_export_has_the_names_and_not_the_content),
	    T(an_older_store_is_brought_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
