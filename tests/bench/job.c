/* SPDX-License-Identifier: Apache-2.0 */
/* How long does a job take that does nothing? Usage: bench_job [ROUNDS]. /bin/true is run by a
 * plain spawn, by stint without and with a box, and by bubblewrap when it is there; by turns, so
 * that a loaded machine slows them all alike. */
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "redact/redact.h"
#include "sandbox/io/host.h"
#include "sandbox/io/job.h"
#include "schemas/mem.h"

enum { WAYS = 4, ROUNDS_MAX = 2000 };

struct bench {
	uv_loop_t loop;
	struct st_box box;
	struct st_box_options options;
	char base[32];
	bool done;
	bool failed;
};

static double now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static bool spawn(const char *const *argv)
{
	char *const none[] = {NULL};
	pid_t pid = 0;
	int status = 1;
	return posix_spawn(&pid, argv[0], NULL, NULL, (char *const *)(void *)argv, none) == 0 &&
	       waitpid(pid, &status, 0) == pid && status == 0;
}

static void on_done(void *arg, struct st_job_result *result)
{
	struct bench *bench = arg;
	bench->done = true;
	bench->failed = result->end != ST_JOB_EXITED || result->exit_code != 0;
	if (bench->failed) {
		(void)fprintf(stderr, "bench_job: %s\n", result->error);
	}
	st_job_result_fini(result);
}

static bool job(struct bench *bench, enum st_isolation isolation)
{
	static const int grant = 1; /* only looked at */
	struct st_job_spec spec = {.commands = json_pack("[[s]]", "/usr/bin/true"),
				   .soft_ms = 60000,
				   .hard_ms = 61000,
				   .log_bytes_max = 4096};
	bench->options.isolation = isolation;
	bench->done = false;
	(void)st_job_start(&bench->box, (const struct st_grant *)(const void *)&grant, &spec,
			   on_done, bench);
	while (!bench->done) {
		(void)uv_run(&bench->loop, UV_RUN_ONCE);
	}
	return !bench->failed;
}

static bool run(struct bench *bench, int way)
{
	static const char *const plain[] = {"/usr/bin/true", NULL};
	static const char *const bwrap[] = {
	    "/usr/bin/bwrap", "--unshare-all", "--unshare-user", "--die-with-parent",
	    "--new-session",  "--ro-bind",     "/usr",		 "/usr",
	    "--symlink",      "usr/lib",       "/lib",		 "--symlink",
	    "usr/lib64",      "/lib64",	       "--symlink",	 "usr/bin",
	    "/bin",	      "--proc",	       "/proc",		 "--dev",
	    "/dev",	      "--size",	       "16777216",	 "--tmpfs",
	    "/tmp",	      "--clearenv",    "--cap-drop",	 "ALL",
	    "--chdir",	      "/tmp",	       "/usr/bin/true",	 NULL};
	switch (way) {
	case 0:
		return spawn(plain);
	case 1:
		return job(bench, ST_ISOLATION_NONE);
	case 2:
		return job(bench, ST_ISOLATION_FULL);
	default:
		return access(bwrap[0], X_OK) == 0 && spawn(bwrap);
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static const char *const names[WAYS] = {"posix_spawn", "stint, isolation none",
						"stint, isolation full", "bubblewrap"};
	static double took_ms[WAYS][ROUNDS_MAX];
	struct bench bench = {.base = "/tmp/stint-bench-XXXXXX"};
	struct st_host *host = NULL;
	struct st_redactor *redactor = st_redactor_new();
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 200;
	bool ran[WAYS] = {false};
	if (rounds < 1 || rounds > ROUNDS_MAX || mkdtemp(bench.base) == NULL ||
	    st_host_new(&host, NULL) != ST_OK || st_redactor_build(redactor, NULL) != ST_OK ||
	    uv_loop_init(&bench.loop) != 0) {
		return 2;
	}
	bench.options = st_box_options_default();
	bench.box = (struct st_box){.loop = &bench.loop,
				    .base_dir = bench.base,
				    .redactor = redactor,
				    .caps = {ST_UNLIMITED, ST_UNLIMITED, ST_UNLIMITED},
				    .host = host,
				    .options = &bench.options};
	for (long i = 0; i < rounds; i++) {
		for (int way = 0; way < WAYS; way++) {
			double start = now_ms();
			ran[way] = run(&bench, way);
			took_ms[way][i] = now_ms() - start;
		}
	}
	for (int way = 0; way < WAYS; way++) {
		qsort(took_ms[way], (size_t)rounds, sizeof(double), compare);
		(void)printf("%-24s median %6.2f ms  p95 %6.2f ms%s\n", names[way],
			     took_ms[way][rounds / 2], took_ms[way][rounds * 95 / 100],
			     ran[way] ? "" : "  (not available)");
	}
	(void)uv_run(&bench.loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&bench.loop);
	(void)rmdir(bench.base);
	st_host_free(host);
	st_redactor_free(redactor);
	return 0;
}
