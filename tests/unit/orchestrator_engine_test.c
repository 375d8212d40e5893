/* SPDX-License-Identifier: Apache-2.0 */
/* Does the engine let out only what is durable, answer everybody once, and go down clean? */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
/* cmocka needs the standard headers first. */
#include <cmocka.h>

#include "orchestrator/admit.h"
#include "orchestrator/io/clock.h"
#include "orchestrator/io/engine.h"
#include "orchestrator/io/store.h"
#include "schemas/json.h"
#include "schemas/mem.h"

#define PATIENCE_MS 20000

struct rig {
	uv_loop_t loop;
	uv_timer_t patience;
	char folder[256];
	char path[300];
	char config[300];
	struct st_engine *engine;
	struct st_watcher watcher;
	int n_grown;
	int n_failures;
	bool closed;
	bool late;
};

struct asker {
	struct st_waiter waiter;
	int n_answers;
	enum st_err code;
	struct st_id run;
};

static void on_answer(struct st_waiter *waiter, const struct st_effect_reply *reply)
{
	struct asker *asker = (struct asker *)waiter;
	asker->n_answers++;
	asker->code = reply->code;
	asker->run = reply->run;
}

static struct asker asks(void)
{
	return (struct asker){.waiter = {.answer = on_answer}};
}

static void on_grown(struct st_watcher *watcher, struct st_id run, int64_t seq)
{
	struct rig *rig = (struct rig *)(void *)((char *)watcher - offsetof(struct rig, watcher));
	(void)run;
	(void)seq;
	rig->n_grown++;
}

static void on_late(uv_timer_t *timer)
{
	struct rig *rig = timer->data;
	rig->late = true;
}

static void on_failure(void *arg)
{
	struct rig *rig = arg;
	rig->n_failures++;
}

static void on_closed(void *arg)
{
	struct rig *rig = arg;
	rig->closed = true;
}

static void rig_start(struct rig *rig)
{
	struct st_diag diag = {0};
	const struct st_engine_options options = {
	    .loop = &rig->loop, .store_uri = rig->path, .config_path = rig->config};
	if (st_engine_new(&options, &rig->engine, &diag) != ST_OK) {
		fail_msg("%s", diag.text);
	}
	rig->closed = false;
	rig->watcher.grown = on_grown;
	st_engine_watch(rig->engine, &rig->watcher);
	st_engine_on_failure(rig->engine, on_failure, rig);
}

/* Jobs run here without a box, so that it does not matter whether one can be made. */
static void write_config(struct rig *rig)
{
	static const char text[] = "{\"sandbox\":{\"isolation\":\"none\"}}";
	(void)snprintf(rig->config, sizeof rig->config, "%s/config.json", rig->folder);
	int fd = open(rig->config, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static void rig_init(struct rig *rig)
{
	struct st_diag diag = {0};
	*rig = (struct rig){0};
	const char *tmp = getenv("TMPDIR");
	(void)snprintf(rig->folder, sizeof rig->folder, "%s/stint-engine-XXXXXX",
		       tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(rig->folder));
	(void)snprintf(rig->path, sizeof rig->path, "%s/s.db", rig->folder);
	assert_int_equal(uv_loop_init(&rig->loop), 0);
	(void)uv_timer_init(&rig->loop, &rig->patience);
	rig->patience.data = rig;
	(void)uv_timer_start(&rig->patience, on_late, PATIENCE_MS, 0);
	assert_int_equal(st_store_create(rig->path, &diag), ST_OK);
	write_config(rig);
	rig_start(rig);
}

static void rig_stop(struct rig *rig, int64_t grace_ms)
{
	st_engine_close(rig->engine, grace_ms, on_closed, rig);
	while (!rig->closed && !rig->late) {
		(void)uv_run(&rig->loop, UV_RUN_ONCE);
	}
	assert_true(rig->closed);
}

static void empty_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	for (struct dirent *e = NULL; dir != NULL && (e = readdir(dir)) != NULL;) {
		char path[600];
		(void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		if (unlink(path) != 0) {
			(void)rmdir(path);
		}
	}
	(void)closedir(dir);
	(void)rmdir(folder);
}

static void rig_fini(struct rig *rig)
{
	uv_close((uv_handle_t *)&rig->patience, NULL);
	(void)uv_run(&rig->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&rig->loop), 0);
	empty_folder(rig->folder);
}

static void rig_submit(struct rig *rig, const char *definition, struct asker *asker)
{
	struct st_diag diag = {0};
	json_t *doc = json_loads(definition, 0, NULL);
	struct st_event event = {.type = ST_EVENT_SUBMIT};
	const struct st_def_input input = {.doc = doc, .config = st_engine_config(rig->engine)};
	if (st_def_decode(st_engine_schemas(rig->engine), &input, &event.submit.def, &diag) !=
		ST_OK ||
	    st_admit_check(event.submit.def, input.config, &diag) != ST_OK) {
		fail_msg("%s: %s", diag.pointer, diag.text);
	}
	json_decref(doc);
	(void)snprintf(event.actor.name, sizeof event.actor.name, "ann");
	event.actor.role = ST_ROLE_SUBMITTER;
	st_engine_event(rig->engine, &event, asker != NULL ? &asker->waiter : NULL);
}

/* One number out of the store, read over another connection. */
static int64_t rig_sql(struct rig *rig, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	int64_t value = -1;
	assert_int_equal(sqlite3_open(rig->path, &db), SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		value = sqlite3_column_int64(stmt, 0);
	}
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return value;
}

#define DEF(steps) "{\"stint\":1,\"name\":\"t\",\"kind\":\"implementation\",\"steps\":[" steps "]}"
#define NOOP DEF("{\"id\":\"a\",\"uses\":\"noop\"}")
#define JOB                                                                                        \
	DEF("{\"id\":\"a\",\"uses\":\"sandbox.job\",\"with\":{\"run\":[\"sleep 60\"],"             \
	    "\"timeout_seconds\":60}}")

static struct st_def *define(struct rig *rig, const char *text, const char *tenant)
{
	struct st_diag diag = {0};
	struct st_def *def = NULL;
	const struct st_engine_text given = {.text = text, .len = strlen(text), .tenant = tenant};
	if (st_engine_definition(rig->engine, &given, &def, &diag) != ST_OK) {
		fail_msg("%s: %s", diag.pointer, diag.text);
	}
	return def;
}

static void submit_def(struct rig *rig, struct st_def *def)
{
	struct st_event event = {.type = ST_EVENT_SUBMIT, .submit.def = def};
	(void)snprintf(event.actor.name, sizeof event.actor.name, "ann");
	event.actor.role = ST_ROLE_SUBMITTER;
	st_engine_event(rig->engine, &event, NULL);
}

static void the_same_text_is_the_same_definition_for_each_tenant(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	struct st_def *one = define(&rig, NOOP, "");
	struct st_def *again = define(&rig, NOOP, "");
	struct st_def *acme = define(&rig, NOOP, "acme");
	struct st_def *other = define(&rig, DEF("{\"id\":\"b\",\"uses\":\"noop\"}"), "");
	assert_ptr_equal(one, again);
	assert_ptr_not_equal(one, acme);
	assert_ptr_not_equal(one, other);
	assert_string_equal(one->scope_id[ST_SCOPE_TENANT], "default");
	assert_string_equal(acme->scope_id[ST_SCOPE_TENANT], "acme");
	const char *foreign = "{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"tenant\":"
			      "\"acme\",\"steps\":[{\"id\":\"a\",\"uses\":\"noop\"}]}";
	const struct st_engine_text given = {foreign, strlen(foreign), "globex"};
	struct st_diag diag = {0};
	struct st_def *none = NULL;
	for (int i = 0; i < 2; i++) { /* what was refused is not known the next time */
		assert_int_equal(st_engine_definition(rig.engine, &given, &none, &diag),
				 ST_ERR_FORBIDDEN);
		assert_string_equal(diag.pointer, "/tenant");
	}
	assert_null(none);
	st_def_free(one);
	st_def_free(again);
	st_def_free(acme);
	st_def_free(other);
	rig_stop(&rig, 0);
	rig_fini(&rig);
}

/* More definitions than are known at a time, each submitted three times in turns. */
static void a_known_definition_is_stored_like_a_new_one(void **state)
{
	(void)state;
	enum { DEFINITIONS = 40, TIMES = 3 };
	struct rig rig;
	char text[300];
	rig_init(&rig);
	for (int i = 0; i < DEFINITIONS * TIMES; i++) {
		/* in runs of two, so that each is known the second time */
		(void)snprintf(text, sizeof text, DEF("{\"id\":\"s%d\",\"uses\":\"noop\"}"),
			       i / 2 % DEFINITIONS);
		submit_def(&rig, define(&rig, text, ""));
	}
	while (st_engine_count(rig.engine).runs > 0 && !rig.late) {
		(void)uv_run(&rig.loop, UV_RUN_ONCE);
	}
	rig_stop(&rig, 0);
	assert_int_equal(rig_sql(&rig, "SELECT count(*) FROM run WHERE state = 'succeeded'"),
			 DEFINITIONS * TIMES);
	assert_int_equal(rig_sql(&rig, "SELECT count(DISTINCT shown) FROM def"), DEFINITIONS);
	assert_int_equal(rig_sql(&rig, "SELECT count(*) FROM def JOIN step s ON s.no >> 22 = run "
				       "WHERE shown LIKE '%\"' || s.id || '\"%\"budget\":{%'"),
			 DEFINITIONS * TIMES);
	rig_fini(&rig);
}

static void a_sleeping_run_wakes_after_a_restart(void **state)
{
	(void)state;
	struct rig rig;
	char until[ST_TIME_TEXT_MAX];
	char definition[400];
	rig_init(&rig);
	(void)snprintf(definition, sizeof definition,
		       DEF("{\"id\":\"a\",\"uses\":\"sleep\",\"with\":{\"until\":\"%s\"}}"),
		       st_time_format(st_clock_now() + 600, until));
	rig_submit(&rig, definition, NULL);
	while (rig.n_grown < 3 && !rig.late) { /* submitted, started, step started */
		(void)uv_run(&rig.loop, UV_RUN_ONCE);
	}
	rig_stop(&rig, 0);
	rig.n_grown = 0;
	rig_start(&rig);
	while (rig.n_grown < 2 && !rig.late) { /* step and run succeeded */
		(void)uv_run(&rig.loop, UV_RUN_ONCE);
	}
	assert_false(rig.late);
	rig_stop(&rig, 0);
	assert_int_equal(rig_sql(&rig, "SELECT count(*) FROM run WHERE state='succeeded'"), 1);
	rig_fini(&rig);
}

static void after_a_failed_write_nothing_leaves_and_all_are_answered(void **state)
{
	(void)state;
	struct rig rig;
	struct asker first = asks();
	struct asker second = asks();
	struct asker third = asks();
	struct asker unknown = asks();
	rig_init(&rig);
	(void)rig_sql(&rig, "CREATE TRIGGER full BEFORE INSERT ON attempt BEGIN "
			    "SELECT RAISE(ABORT, 'full'); END");
	rig_submit(&rig, NOOP, &first);
	(void)uv_run(&rig.loop, UV_RUN_NOWAIT); /* the first batch is being written */
	rig_submit(&rig, NOOP, &second);
	struct st_event pause = {.type = ST_EVENT_PAUSE, .run = {{7}}};
	st_engine_event(rig.engine, &pause, &unknown.waiter); /* waits for a load */
	while (rig.n_failures == 0 && !rig.late) {
		(void)uv_run(&rig.loop, UV_RUN_ONCE);
	}
	assert_true(st_engine_failed(rig.engine));
	rig_submit(&rig, NOOP, &third);
	assert_int_equal(third.code, ST_ERR_UNAVAILABLE);
	rig_stop(&rig, 0);
	assert_int_equal(first.n_answers, 1);
	assert_int_equal(first.code, ST_ERR_UNAVAILABLE);
	assert_int_equal(second.n_answers, 1);
	assert_int_equal(second.code, ST_ERR_UNAVAILABLE);
	assert_int_equal(unknown.n_answers, 1);
	assert_int_equal(rig.n_failures, 1);
	assert_int_equal(rig.n_grown, 0);
	assert_int_equal(rig_sql(&rig, "SELECT count(*) FROM run"), 0);
	rig_fini(&rig);
}

static void closing_with_a_job_in_flight_leaves_it_for_the_next_start(void **state)
{
	(void)state;
	struct rig rig;
	struct asker asker = asks();
	struct asker late = asks();
	rig_init(&rig);
	rig_submit(&rig, JOB, &asker);
	while (asker.n_answers == 0 && !rig.late) {
		(void)uv_run(&rig.loop, UV_RUN_ONCE);
	}
	assert_int_equal(asker.code, ST_OK);
	assert_int_equal(st_engine_count(rig.engine).calls, 1);
	struct st_event pause = {.type = ST_EVENT_PAUSE, .run = {{7}}};
	st_engine_event(rig.engine, &pause, &late.waiter);
	rig_stop(&rig, 0);
	assert_int_equal(late.n_answers, 1);
	assert_int_equal(late.code, ST_ERR_NOT_FOUND);
	assert_int_equal(rig_sql(&rig, "SELECT count(*) FROM settlement"), 0);
	rig_start(&rig);
	rig_stop(&rig, 0);
	assert_int_equal(rig_sql(&rig, "SELECT count(*) FROM call WHERE state='in_doubt'"), 1);
	assert_int_equal(rig_sql(&rig, "SELECT count(*) FROM run WHERE state='halted'"), 1);
	rig_fini(&rig);
}

static void what_comes_in_while_closing_is_answered_and_what_was_answered_is_kept(void **state)
{
	(void)state;
	struct rig rig;
	static struct asker askers[64];
	rig_init(&rig);
	for (int i = 0; i < 32; i++) {
		askers[i] = asks();
		rig_submit(&rig, NOOP, &askers[i]);
	}
	st_engine_close(rig.engine, 0, on_closed, &rig);
	for (int i = 32; i < 64; i++) {
		askers[i] = asks();
		rig_submit(&rig, NOOP, &askers[i]);
	}
	while (!rig.closed && !rig.late) {
		(void)uv_run(&rig.loop, UV_RUN_ONCE);
	}
	assert_true(rig.closed);
	int64_t n_accepted = 0;
	for (int i = 0; i < 64; i++) {
		assert_int_equal(askers[i].n_answers, 1);
		n_accepted += askers[i].code == ST_OK;
	}
	assert_int_equal(rig_sql(&rig, "SELECT count(*) FROM run"), n_accepted);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_same_text_is_the_same_definition_for_each_tenant),
	    cmocka_unit_test(a_known_definition_is_stored_like_a_new_one),
	    cmocka_unit_test(a_sleeping_run_wakes_after_a_restart),
	    cmocka_unit_test(after_a_failed_write_nothing_leaves_and_all_are_answered),
	    cmocka_unit_test(closing_with_a_job_in_flight_leaves_it_for_the_next_start),
	    cmocka_unit_test(what_comes_in_while_closing_is_answered_and_what_was_answered_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
