/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's workloads on a real store, in this process:
 *   w1 [RUNS [STEPS]]  runs of sequential no-op steps, submitted in bulk: durable steps per second
 *   w2 [RUNS]          runs of one step, one after the other: submit to step start
 *   w5 [RUNS]          runs parked for an approval: memory each
 *   w6 [RUNS]          kill -9 in the middle (a child process), then the time to finish
 * Each prints JSON beside a raw probe: the time of one fdatasync on the same file system; w1 also
 * beside what SQLite alone does with the same bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "orchestrator/io/engine.h"
#include "orchestrator/io/store.h"
#include "schemas/buf.h"
#include "schemas/mem.h"

#define EVENTS_OF_RUN 3 /* submitted, started, succeeded */
#define EVENTS_OF_STEP 4

struct bench {
	uv_loop_t loop;
	struct st_engine *engine;
	struct st_watcher watcher;
	char path[256];
	char *definition;
	int n_runs;
	int n_steps;
	int64_t last_seq; /* of a run that is done */
	int n_done;
	int n_submitted;
	double started;
	double first_step; /* w2: when the step's start was durable */
	double *latencies;
	void (*done)(struct bench *bench);
};

static double now_s(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
	struct rusage u;
	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static long rss_kib(void)
{
	long pages = 0;
	long resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f != NULL) {
		char line[128] = "";
		if (fgets(line, sizeof line, f) != NULL) {
			char *rest = NULL;
			pages = strtol(line, &rest, 10);
			resident = strtol(rest, NULL, 10);
		}
		(void)fclose(f);
	}
	(void)pages;
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static int by_value(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;
	return (*x > *y) - (*x < *y);
}

/* The median of raw fdatasync calls after a 4 KiB write, in milliseconds. */
static double probe_ms(const char *dir)
{
	enum { N = 64 };
	double took[N];
	char path[300];
	char block[4096];
	memset(block, 7, sizeof block);
	(void)snprintf(path, sizeof path, "%s/probe", dir);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (int i = 0; i < N; i++) {
		double t = now_s();
		if (pwrite(fd, block, sizeof block, (off_t)(i % 16) * 4096) < 0 ||
		    fdatasync(fd) != 0) {
			perror("probe");
			exit(1);
		}
		took[i] = (now_s() - t) * 1000;
	}
	(void)close(fd);
	(void)unlink(path);
	qsort(took, N, sizeof took[0], by_value);
	return took[N / 2];
}

/*
 * The raw rate: the rows of one no-op step as plain inserts of the same bytes into one table, by
 * SQLite alone, 256 steps a commit, WAL and synchronous=FULL. Steps per second.
 */
static double raw_steps_per_s(const char *dir)
{
	enum { STEPS = 10240, STEPS_A_COMMIT = 256, ROWS_A_STEP = 13, ROW_BYTES = 73 };
	char path[300];
	char row[ROW_BYTES];
	sqlite3 *db = NULL;
	sqlite3_stmt *insert = NULL;
	memset(row, 'x', sizeof row);
	(void)snprintf(path, sizeof path, "%s/raw.db", dir);
	int rc = sqlite3_open(path, &db);
	if (rc == SQLITE_OK) {
		rc = sqlite3_exec(db,
				  "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
				  "CREATE TABLE t (no INTEGER PRIMARY KEY, a INTEGER, b BLOB)",
				  NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK) {
		rc = sqlite3_prepare_v2(db, "INSERT INTO t VALUES (NULL,?,?)", -1, &insert, NULL);
	}
	double t = now_s();
	for (int i = 0; i < STEPS && rc == SQLITE_OK; i++) {
		if (i % STEPS_A_COMMIT == 0) {
			rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
		}
		for (int k = 0; k < ROWS_A_STEP; k++) {
			(void)sqlite3_bind_int(insert, 1, i);
			(void)sqlite3_bind_blob(insert, 2, row, ROW_BYTES, SQLITE_STATIC);
			(void)sqlite3_step(insert);
			rc = rc == SQLITE_OK ? sqlite3_reset(insert) : rc;
		}
		if ((i + 1) % STEPS_A_COMMIT == 0) {
			rc = rc == SQLITE_OK ? sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) : rc;
		}
	}
	double took = now_s() - t;
	if (rc != SQLITE_OK) {
		(void)fprintf(stderr, "raw: %s\n", sqlite3_errmsg(db));
		exit(1);
	}
	(void)sqlite3_finalize(insert);
	(void)sqlite3_close(db);
	return STEPS / took;
}

static char *make_definition(int n_steps, const char *kind)
{
	struct st_buf d = {0};
	st_buf_add_text(&d,
			"{\"stint\":1,\"name\":\"bench\",\"kind\":\"implementation\",\"budget\":{"
			"\"tool_steps\":100000},\"steps\":[");
	for (int i = 0; i < n_steps; i++) {
		st_buf_addf(&d, "%s{\"id\":\"s%d\",\"uses\":\"%s\"", i > 0 ? "," : "", i, kind);
		if (strcmp(kind, "approval") == 0) {
			st_buf_add_text(&d, ",\"with\":{\"message\":\"go on?\"}");
		}
		if (i > 0) {
			st_buf_addf(&d, ",\"needs\":[\"s%d\"]", i - 1);
		}
		st_buf_add_text(&d, "}");
	}
	st_buf_add_text(&d, "]}");
	return st_buf_take(&d);
}

/* What a submit over the API costs but for the socket. */
static void submit(struct bench *bench)
{
	struct st_diag diag = {0};
	struct st_event event = {.type = ST_EVENT_SUBMIT};
	const struct st_engine_text given = {
	    .text = bench->definition, .len = strlen(bench->definition), .tenant = ""};
	if (st_engine_definition(bench->engine, &given, &event.submit.def, &diag) != ST_OK) {
		(void)fprintf(stderr, "%s: %s\n", diag.pointer, diag.text);
		exit(1);
	}
	(void)snprintf(event.actor.name, sizeof event.actor.name, "bench");
	event.actor.role = ST_ROLE_ADMIN;
	bench->n_submitted++;
	st_engine_event(bench->engine, &event, NULL);
}

static void on_closed(void *arg)
{
	(void)arg;
}

static void stop(struct bench *bench)
{
	st_engine_unwatch(bench->engine, &bench->watcher);
	st_engine_close(bench->engine, 0, on_closed, NULL);
}

static void on_grown(struct st_watcher *watcher, struct st_id run, int64_t seq)
{
	struct bench *bench =
	    (struct bench *)(void *)((char *)watcher - offsetof(struct bench, watcher));
	(void)run;
	if (seq == 3) {
		bench->first_step = now_s();
	}
	if (seq == bench->last_seq && ++bench->n_done >= bench->n_submitted) {
		bench->done(bench);
	}
}

static void open_engine(struct bench *bench)
{
	struct st_diag diag = {0};
	const struct st_engine_options options = {.loop = &bench->loop, .store_uri = bench->path};
	(void)uv_loop_init(&bench->loop);
	if (access(bench->path, F_OK) != 0 && st_store_create(bench->path, &diag) != ST_OK) {
		(void)fprintf(stderr, "%s\n", diag.text);
		exit(1);
	}
	bench->watcher.grown = on_grown;
	if (st_engine_new(&options, &bench->engine, &diag) != ST_OK) {
		(void)fprintf(stderr, "%s\n", diag.text);
		exit(1);
	}
	st_engine_watch(bench->engine, &bench->watcher);
}

static void w1(struct bench *bench, const char *dir)
{
	bench->definition = make_definition(bench->n_steps, "noop");
	bench->last_seq = EVENTS_OF_RUN + (int64_t)EVENTS_OF_STEP * bench->n_steps;
	bench->done = stop;
	double sync_ms = probe_ms(dir);
	open_engine(bench);
	double t = now_s();
	double c = cpu_s();
	for (int i = 0; i < bench->n_runs; i++) {
		submit(bench);
	}
	double submitted = now_s();
	(void)uv_run(&bench->loop, UV_RUN_DEFAULT);
	double steps = (double)bench->n_runs * bench->n_steps;
	double took = now_s() - t;
	double cpu = cpu_s() - c;
	double raw = raw_steps_per_s(dir);
	(void)printf("{\"workload\":\"w1\",\"runs\":%d,\"steps\":%d,\"steps_per_s\":%.0f,"
		     "\"cpu_s_per_1000_steps\":%.4f,\"submit_s\":%.3f,\"total_s\":%.3f,"
		     "\"fdatasync_ms\":%.3f,\"raw_steps_per_s\":%.0f,\"of_raw\":%.2f,"
		     "\"rss_kib\":%ld}\n",
		     bench->n_runs, bench->n_steps, steps / took, cpu / steps * 1000, submitted - t,
		     took, sync_ms, raw, steps / took / raw, rss_kib());
}

static void w2_next(struct bench *bench)
{
	bench->latencies[bench->n_done - 1] = (bench->first_step - bench->started) * 1000;
	if (bench->n_done == bench->n_runs) {
		stop(bench);
		return;
	}
	bench->started = now_s();
	submit(bench);
}

static void w2(struct bench *bench, const char *dir)
{
	bench->n_steps = 1;
	bench->definition = make_definition(1, "noop");
	bench->last_seq = EVENTS_OF_RUN + EVENTS_OF_STEP;
	bench->latencies = st_alloc_array((size_t)bench->n_runs, sizeof(double));
	bench->done = w2_next;
	double sync_ms = probe_ms(dir);
	open_engine(bench);
	bench->started = now_s();
	submit(bench);
	(void)uv_run(&bench->loop, UV_RUN_DEFAULT);
	double after_ms = probe_ms(dir);
	qsort(bench->latencies, (size_t)bench->n_runs, sizeof(double), by_value);
	(void)printf("{\"workload\":\"w2\",\"runs\":%d,\"submit_to_start_p50_ms\":%.3f,"
		     "\"p99_ms\":%.3f,\"fdatasync_ms\":[%.3f,%.3f]}\n",
		     bench->n_runs, bench->latencies[bench->n_runs / 2],
		     bench->latencies[bench->n_runs * 99 / 100], sync_ms, after_ms);
}

#define W5_WAVE 100 /* submitted side by side */

static void no_more(struct bench *bench)
{
	(void)bench;
}

static void w5_wave(struct bench *bench, int n)
{
	for (int i = 0; i < n; i++) {
		submit(bench);
	}
	while (bench->n_done < bench->n_submitted && uv_run(&bench->loop, UV_RUN_ONCE) != 0) {
	}
}

static void w5(struct bench *bench)
{
	bench->n_steps = 1;
	bench->definition = make_definition(1, "approval");
	bench->last_seq = 4; /* submitted, started, step started, halted */
	open_engine(bench);
	bench->done = no_more;
	w5_wave(bench, W5_WAVE); /* warm: caches and tables are there */
	long before = rss_kib();
	while (bench->n_submitted < bench->n_runs) {
		w5_wave(bench, W5_WAVE);
	}
	size_t in_memory = st_engine_count(bench->engine).runs;
	long after = rss_kib();
	stop(bench);
	(void)uv_run(&bench->loop, UV_RUN_DEFAULT);
	(void)printf("{\"workload\":\"w5\",\"runs\":%d,\"runs_in_memory\":%zu,"
		     "\"rss_before_kib\":%ld,\"rss_after_kib\":%ld,\"kib_per_run\":%.3f}\n",
		     bench->n_runs, in_memory, before, after,
		     (double)(after - before) / bench->n_runs);
}

static void w6_child(struct bench *bench)
{
	open_engine(bench);
	for (int i = 0; i < bench->n_runs; i++) {
		submit(bench);
	}
	while (uv_run(&bench->loop, UV_RUN_ONCE) != 0) {
		if (bench->n_done > bench->n_runs / 3 ||
		    st_engine_count(bench->engine).batches > 8) {
			(void)kill(getpid(), SIGKILL);
		}
	}
}

static void w6(struct bench *bench, const char *dir)
{
	bench->definition = make_definition(bench->n_steps, "noop");
	bench->last_seq = EVENTS_OF_RUN + (int64_t)EVENTS_OF_STEP * bench->n_steps;
	bench->done = no_more;
	pid_t child = fork();
	if (child == 0) {
		w6_child(bench);
		_exit(0);
	}
	int status = 0;
	(void)waitpid(child, &status, 0);
	double sync_ms = probe_ms(dir);
	double t = now_s();
	double c = cpu_s();
	open_engine(bench);
	double ready = now_s();
	size_t open_runs = st_engine_count(bench->engine).runs;
	while (st_engine_count(bench->engine).runs > 0 && uv_run(&bench->loop, UV_RUN_ONCE) != 0) {
	}
	double took = now_s() - t;
	stop(bench);
	(void)uv_run(&bench->loop, UV_RUN_DEFAULT);
	(void)printf("{\"workload\":\"w6\",\"runs\":%d,\"steps\":%d,\"killed\":%s,"
		     "\"open_after_kill\":%zu,\"ready_s\":%.3f,\"all_done_s\":%.3f,\"cpu_s\":%.3f,"
		     "\"fdatasync_ms\":%.3f}\n",
		     bench->n_runs, bench->n_steps, WIFSIGNALED(status) ? "true" : "false",
		     open_runs, ready - t, took, cpu_s() - c, sync_ms);
}

static int number(int argc, char **argv, int i, int otherwise)
{
	return argc > i ? (int)strtol(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	const char *which = argc > 1 ? argv[1] : "w1";
	char dir[] = "bench-XXXXXX";
	struct bench *bench = st_alloc(sizeof *bench);
	if (mkdtemp(dir) == NULL) {
		perror("mkdtemp");
		return 1;
	}
	(void)snprintf(bench->path, sizeof bench->path, "%s/store.db", dir);
	bench->n_steps = number(argc, argv, 3, 10);
	if (strcmp(which, "w1") == 0) {
		bench->n_runs = number(argc, argv, 2, 1000);
		w1(bench, dir);
	} else if (strcmp(which, "w2") == 0) {
		bench->n_runs = number(argc, argv, 2, 300);
		w2(bench, dir);
	} else if (strcmp(which, "w5") == 0) {
		bench->n_runs = number(argc, argv, 2, 10000);
		w5(bench);
	} else if (strcmp(which, "w6") == 0) {
		bench->n_runs = number(argc, argv, 2, 1000);
		bench->n_steps = number(argc, argv, 3, 5);
		w6(bench, dir);
	} else {
		(void)fprintf(stderr, "usage: bench_engine w1|w2|w5|w6 [RUNS [STEPS]]\n");
		return 2;
	}
	return 0;
}
