/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "redact/redact.h"
#include "sandbox/io/host.h"
#include "sandbox/io/job.h"
#include "sandbox/io/lineage.h"
#include "sandbox/io/workdir.h"
#include "schemas/mem.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#endif

#define SECRET "tr0ub4dor-and-3-horses"

struct fixture {
	uv_loop_t loop;
	struct st_redactor *redactor;
	struct st_host *host;
	struct st_box_options options;
	struct st_box box;
	char base[64]; /* fresh work directories */
	char dir[64];  /* a given work directory */
	const char *workdirs[1];
};

/* Where a result ends up. */
struct ended {
	bool is;
	struct st_job_result result;
};

static const struct st_grant *grant_for_test(void)
{
	/* Jobs look at their grant and keep nothing of it; budgets/ tests how one is made. */
	static const int any = 1;
	return (const struct st_grant *)(const void *)&any;
}

static int set_up(void **state)
{
	struct fixture *f = st_alloc(sizeof *f);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->redactor = st_redactor_new();
	assert_int_equal(st_redactor_secret(f->redactor, "HORSES", SECRET, strlen(SECRET), NULL),
			 ST_OK);
	assert_int_equal(st_redactor_build(f->redactor, NULL), ST_OK);
	(void)snprintf(f->base, sizeof f->base, "/tmp/stint-base-XXXXXX");
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/stint-dir-XXXXXX");
	assert_non_null(mkdtemp(f->base));
	assert_non_null(mkdtemp(f->dir));
	/* What holds without a box; sandbox_box_test.c has the rest. */
	f->options = st_box_options_default();
	f->options.isolation = ST_ISOLATION_NONE;
	assert_int_equal(st_host_new(&f->host, NULL), ST_OK);
	f->box = (struct st_box){
	    &f->loop,	 f->base, f->redactor, {ST_UNLIMITED, ST_UNLIMITED, ST_UNLIMITED},
	    f->workdirs, 1,	  f->host,     &f->options};
	f->workdirs[0] = f->dir;
	*state = f;
	return 0;
}

/* Whatever a job did: no handle, no child, no work directory is left of it. */
static int tear_down(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(rmdir(f->base), 0);
	assert_int_equal(st_workdir_remove(f->dir, NULL), ST_OK);
	st_host_free(f->host);
	st_redactor_free(f->redactor);
	st_free(f);
	return 0;
}

/* JSON with ` for ", which reads better here; long limits. */
static struct st_job_spec spec_of(const char *commands)
{
	char *text = st_strdup(commands);
	for (char *p = text; *p != '\0'; p++) {
		*p = *p == '`' ? '"' : *p;
	}
	json_error_t error;
	struct st_job_spec spec = {.soft_ms = 5000, .hard_ms = 6000, .log_bytes_max = 65536};
	spec.commands = json_loads(text, 0, &error);
	if (spec.commands == NULL) {
		fail_msg("%s: %s", text, error.text);
	}
	st_free(text);
	return spec;
}

static void on_done(void *arg, struct st_job_result *result)
{
	struct ended *ended = arg;
	assert_false(ended->is);
	ended->is = true;
	ended->result = *result;
}

static struct st_job_result run(struct fixture *f, struct st_job_spec spec)
{
	struct ended ended = {0};
	assert_non_null(st_job_start(&f->box, grant_for_test(), &spec, on_done, &ended));
	assert_null(spec.commands);
	while (!ended.is) {
		assert_int_not_equal(uv_run(&f->loop, UV_RUN_ONCE) == 0 && !ended.is, 1);
	}
	return ended.result;
}

/* In the given directory, where the test can look afterwards. */
static struct st_job_result run_here(struct fixture *f, const char *commands, int64_t soft_ms,
				     int64_t hard_ms)
{
	struct st_job_spec spec = spec_of(commands);
	spec.workdir = st_strdup(f->dir);
	spec.soft_ms = soft_ms;
	spec.hard_ms = hard_ms;
	return run(f, spec);
}

static const char *text_of(const struct st_job_result *result, size_t command, const char *field)
{
	const json_t *record = json_array_get(result->transcript, command);
	const char *text = json_string_value(json_object_get(record, field));
	assert_non_null(text);
	return text;
}

static int64_t number_of(const struct st_job_result *result, size_t command, const char *field)
{
	return json_integer_value(
	    json_object_get(json_array_get(result->transcript, command), field));
}

/* The pid that a job wrote into a file of its directory. */
static pid_t pid_in(const struct fixture *f, const char *name)
{
	char path[128];
	char text[32] = {0};
	(void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof text - 1) > 0);
	(void)close(fd);
	pid_t pid = (pid_t)strtol(text, NULL, 10);
	assert_true(pid > 1);
	return pid;
}

static void assert_gone(pid_t pid)
{
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void assert_end(const struct st_job_result *result, enum st_job_end end, int exit_code)
{
	if (result->end != end || result->exit_code != exit_code) {
		char *text = json_dumps(result->transcript, 0);
		print_error("end %d code %d error \"%s\" %s\n", result->end, result->exit_code,
			    result->error, text);
		st_free(text);
	}
	assert_int_equal(result->end, end);
	assert_int_equal(result->exit_code, exit_code);
}

static void commands_run_in_order_until_one_fails(void **state)
{
	struct st_job_result result = run(
	    *state, spec_of("[`echo one`, [`sh`, `-c`, `echo two >&2; exit 7`], `echo three`]"));
	assert_end(&result, ST_JOB_EXITED, 7);
	assert_int_equal(json_array_size(result.transcript), 2);
	assert_string_equal(text_of(&result, 0, "command"), "echo one");
	assert_string_equal(text_of(&result, 0, "stdout"), "one\n");
	assert_string_equal(text_of(&result, 1, "command"), "sh -c 'echo two >&2; exit 7'");
	assert_string_equal(text_of(&result, 1, "stdout"), "");
	assert_string_equal(text_of(&result, 1, "stderr"), "two\n");
	assert_int_equal(number_of(&result, 1, "exit_code"), 7);
	assert_int_equal(number_of(&result, 1, "stderr_bytes"), 4);
	assert_int_equal(result.bytes_seen, 8);
	assert_true(number_of(&result, 1, "started_ms") >= number_of(&result, 0, "wall_ms"));
	assert_string_equal(result.error, "");
	st_job_result_fini(&result);
}

static void a_quick_death_by_signal_is_no_timeout(void **state)
{
	struct st_job_result result = run(*state, spec_of("[`kill -TERM $$`]"));
	assert_end(&result, ST_JOB_SIGNALLED, 128 + SIGTERM);
	assert_string_equal(text_of(&result, 0, "signal"), "SIGTERM");
	st_job_result_fini(&result);
	result = run(*state, spec_of("[`kill -SEGV $$`]"));
	assert_end(&result, ST_JOB_SIGNALLED, 128 + SIGSEGV);
	st_job_result_fini(&result);
}

static void ignored_signals_of_the_daemon_are_not_inherited(void **state)
{
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);
	struct st_job_result result = run(*state, spec_of("[`kill -PIPE $$; echo alive`]"));
	(void)signal(SIGPIPE, before);
	assert_end(&result, ST_JOB_SIGNALLED, 128 + SIGPIPE);
	st_job_result_fini(&result);
}

static void nothing_of_the_daemon_reaches_a_job(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(setenv("PLANTED_TOKEN", "planted-value", 1), 0);
	int planted = open("/etc/passwd", O_RDONLY); /* without close-on-exec, on purpose */
	int high = fcntl(planted, F_DUPFD, 100);
	assert_true(high >= 100);
	struct st_job_spec spec =
	    spec_of("[[`env`], [`ls`, `/proc/self/fd`], `pwd; umask; ulimit "
		    "-c; ulimit -n; ps -o sid= -p $$ | tr -d \\` \\`; echo $$`]");
	spec.env = json_pack("{s:s}", "GREETING", "hello world");
	struct st_job_result result = run(f, spec);
	(void)close(planted);
	(void)close(high);
	(void)unsetenv("PLANTED_TOKEN");
	assert_end(&result, ST_JOB_EXITED, 0);

	char home[128] = "";
	const char *env = text_of(&result, 0, "stdout");
	const char *at = strstr(env, "HOME=");
	assert_non_null(at);
	(void)snprintf(home, sizeof home, "%.*s", (int)strcspn(at + 5, "\n"), at + 5);
	assert_memory_equal(home, f->base, strlen(f->base));
	char expected[512];
	(void)snprintf(expected, sizeof expected,
		       "GREETING=hello world\nPATH=/usr/local/bin:/usr/bin:/bin\nLANG=C.UTF-8\n"
		       "STINT_JOB=1\nHOME=%s\nTMPDIR=%s\n",
		       home, home);
	assert_string_equal(env, expected);
	assert_string_equal(text_of(&result, 1, "stdout"), "0\n1\n2\n3\n"); /* 3: ls itself */

	const char *rest = text_of(&result, 2, "stdout");
	(void)snprintf(expected, sizeof expected, "%s\n0077\n0\n1024\n", home);
	assert_memory_equal(rest, expected, strlen(expected));
	/* It leads a session of its own: session id and pid are the same line twice. */
	const char *session = rest + strlen(expected);
	size_t len = strcspn(session, "\n");
	assert_true(len > 0);
	assert_memory_equal(session, session + len + 1, len);
	st_job_result_fini(&result);
}

static void a_mebibyte_of_arguments_arrives(void **state)
{
	struct st_job_spec spec =
	    spec_of("[[`sh`, `-c`, `echo $#; printf %s \\\"${16}\\\" | wc -c`, `sh`], `grep -c "
		    "'NoNewPrivs:.1' /proc/self/status`]");
	char *big = st_alloc(65537);
	memset(big, 'x', 65536);
	for (int i = 0; i < 16; i++) {
		(void)json_array_append_new(json_array_get(spec.commands, 0), json_string(big));
	}
	struct st_job_result result = run(*state, spec);
	assert_end(&result, ST_JOB_EXITED, 0);
	assert_string_equal(text_of(&result, 0, "stdout"), "16\n65536\n");
	assert_true(strlen(text_of(&result, 0, "command")) < 5000);
	assert_string_equal(text_of(&result, 1, "stdout"), "1\n");
	st_free(big);
	st_job_result_fini(&result);
}

static void each_command_reads_the_whole_stdin(void **state)
{
	struct st_job_spec spec = spec_of("[`cat`, `wc -c`, `echo > /proc/self/fd/0`]");
	spec.stdin_text = st_strdup("$HOME `quoted' \"x\"\n");
	struct st_job_result result = run(*state, spec);
	assert_string_equal(text_of(&result, 0, "stdout"), "$HOME `quoted' \"x\"\n");
	assert_string_equal(text_of(&result, 1, "stdout"), "19\n");
	assert_int_not_equal(result.exit_code, 0); /* sealed: no command changes it for the next */
	st_job_result_fini(&result);

	spec = spec_of("[`cat; wc -c`]");
	result = run(*state, spec);
	assert_string_equal(text_of(&result, 0, "stdout"), "0\n");
	st_job_result_fini(&result);
}

static void a_job_that_ignores_term_is_killed_at_the_hard_limit(void **state)
{
	struct fixture *f = *state;
	struct st_job_result result = run_here(
	    f, "[`trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done`, `echo never`]", 100,
	    250);
	assert_end(&result, ST_JOB_TIMED_OUT, 128 + SIGKILL);
	assert_int_equal(json_array_size(result.transcript), 1);
	assert_true(result.wall_ms >= 250);
	assert_true(result.wall_ms < 2000);
	assert_gone(pid_in(f, "pid"));
	st_job_result_fini(&result);
}

static void a_job_may_tidy_up_at_the_soft_limit(void **state)
{
	struct st_job_result result = run_here(
	    *state, "[`trap 'echo bye; exit 3' TERM; while :; do sleep 0.01; done`]", 100, 4000);
	assert_end(&result, ST_JOB_TIMED_OUT, 3);
	assert_string_equal(text_of(&result, 0, "stdout"), "bye\n");
	assert_true(result.wall_ms >= 100);
	assert_true(result.wall_ms < 3000);
	st_job_result_fini(&result);
}

static void a_stopped_job_is_killed_at_the_limit(void **state)
{
	struct st_job_result result = run_here(*state, "[`kill -STOP $$`]", 100, 200);
	assert_int_equal(result.end, ST_JOB_TIMED_OUT);
	st_job_result_fini(&result);
}

static void the_limits_are_those_of_all_commands_together(void **state)
{
	struct st_job_result result = run_here(*state, "[`sleep 0.3`, `sleep 5`]", 600, 2000);
	assert_end(&result, ST_JOB_TIMED_OUT, 128 + SIGTERM);
	assert_int_equal(json_array_size(result.transcript), 2);
	assert_true(number_of(&result, 1, "wall_ms") < 600);
	st_job_result_fini(&result);
}

static void a_timed_out_job_takes_its_strays_along(void **state)
{
	struct fixture *f = *state;
	struct st_job_result result =
	    run_here(f,
		     "[`(setsid sh -c 'trap \\`\\` TERM; echo $$ > pid; while :; do sleep 1; done' "
		     "&); trap '' TERM; while :; do sleep 0.02; done`]",
		     200, 300);
	assert_end(&result, ST_JOB_TIMED_OUT, 128 + SIGKILL);
	assert_gone(pid_in(f, "pid"));
	st_job_result_fini(&result);
}

static void a_daemon_that_left_session_and_parent_is_killed(void **state)
{
	struct fixture *f = *state;
	/* It ignores TERM and holds both pipes; the command ends well at once. */
	struct st_job_result result =
	    run_here(f,
		     "[`(setsid sh -c 'trap \\`\\` TERM HUP; echo $$ > pid; while :; do sleep 1; "
		     "done' &); until [ -s pid ]; do :; done; echo main done`, `echo next`]",
		     5000, 6000);
	assert_end(&result, ST_JOB_EXITED, 0);
	assert_string_equal(text_of(&result, 0, "stdout"), "main done\n");
	assert_string_equal(text_of(&result, 1, "stdout"), "next\n");
	assert_string_equal(result.error, "");
	assert_true(result.wall_ms < 2000);
	assert_gone(pid_in(f, "pid"));
	st_job_result_fini(&result);
}

static void strays_are_asked_before_they_are_killed(void **state)
{
	struct fixture *f = *state;
	struct st_job_result result =
	    run_here(f,
		     "[`(trap 'echo asked; exit' TERM; echo up > pid; while :; do sleep 0.01; "
		     "done) & until [ -s pid ]; do :; done`]",
		     5000, 6000);
	assert_end(&result, ST_JOB_EXITED, 0);
	assert_string_equal(text_of(&result, 0, "stdout"), "asked\n");
	assert_true(result.wall_ms < 1000);
	st_job_result_fini(&result);
}

static void closed_outputs_do_not_end_or_hang_a_job(void **state)
{
	struct st_job_result result = run(*state, spec_of("[`exec >&- 2>&-; sleep 0.05; exit 4`]"));
	assert_end(&result, ST_JOB_EXITED, 4);
	assert_true(result.wall_ms >= 50);
	st_job_result_fini(&result);
}

static long resident_bytes(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	assert_non_null(file);
	char line[128];
	assert_non_null(fgets(line, sizeof line, file));
	(void)fclose(file);
	char *end = NULL;
	(void)strtol(line, &end, 10);
	pages = strtol(end, NULL, 10);
	return pages * sysconf(_SC_PAGESIZE);
}

static void count_turn(uv_timer_t *timer)
{
	++*(int *)timer->data;
}

static void a_flood_is_counted_and_memory_stays_flat(void **state)
{
	struct fixture *f = *state;
	int turns = 0;
	uv_timer_t ticker;
	assert_int_equal(uv_timer_init(&f->loop, &ticker), 0);
	ticker.data = &turns;
	struct st_job_result result = run_here(f, "[`yes | head -c 300000`]", 2000, 3000);
	st_job_result_fini(&result);
	long before = resident_bytes();
	assert_int_equal(uv_timer_start(&ticker, count_turn, 5, 5), 0);
	result = run_here(f, "[`yes; :`, `echo never`]", 300, 400);
	long grown = resident_bytes() - before;
	uv_close((uv_handle_t *)&ticker, NULL);
	assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0); /* it lies on our stack */
	assert_int_equal(result.end, ST_JOB_TIMED_OUT);
	assert_true(result.bytes_seen > 300000);
	assert_int_equal(number_of(&result, 0, "stdout_bytes"), result.bytes_seen);
	assert_true(
	    json_is_true(json_object_get(json_array_get(result.transcript, 0), "truncated")));
	const char *kept = text_of(&result, 0, "stdout");
	assert_true(strlen(kept) <= 65536 + 64);
	assert_non_null(strstr(kept, "\n[stint: "));
	/* The loop went on for others: 60 ticks were due in 300 ms. */
	assert_true(turns >= 3);
	print_message("flood: %lld bytes seen, resident memory grew by %ld bytes, %d ticks\n",
		      (long long)result.bytes_seen, grown, turns);
#ifdef UNDER_ASAN
	print_message("memory not judged: the sanitizer keeps freed blocks\n");
#else
	assert_true(grown < 4L * 1024 * 1024);
#endif
	st_job_result_fini(&result);
}

static void a_secret_split_over_writes_is_masked(void **state)
{
	struct fixture *f = *state;
	struct st_job_spec spec = spec_of(
	    "[`printf tr0ub4dor; sleep 0.03; printf %s -and-3; sleep 0.03; echo -horses; echo "
	    "tr0ub4dor-and-3-horses >&2`, [`printf`, `%s`, `tr0ub4dor-and-3-horses`]]");
	struct st_job_result result = run(f, spec);
	assert_end(&result, ST_JOB_EXITED, 0);
	char *text = json_dumps(result.transcript, 0);
	assert_null(strstr(text, SECRET));
	assert_non_null(strstr(text_of(&result, 0, "stdout"), "[redacted:"));
	assert_non_null(strstr(text_of(&result, 1, "command"), "[redacted:"));
	assert_int_equal(number_of(&result, 1, "stdout_bytes"), strlen(SECRET));
	st_free(text);
	st_job_result_fini(&result);
}

static void a_secret_on_the_cut_is_masked_before_the_cut(void **state)
{
	/* With a cap of 8 to 60 bytes the cut falls on every place of the secret. */
	for (int64_t cap = 8; cap <= 60; cap += 4) {
		struct st_job_spec spec =
		    spec_of("[`echo padding tr0ub4dor-and-3-horses padding`]");
		spec.log_bytes_max = cap;
		struct st_job_result result = run(*state, spec);
		assert_null(strstr(text_of(&result, 0, "stdout"), "tr0"));
		assert_null(strstr(text_of(&result, 0, "stdout"), "orses"));
		st_job_result_fini(&result);
	}
}

static void output_that_is_no_text_is_kept_as_text(void **state)
{
	struct st_job_result result = run(*state, spec_of("[`printf 'a\\\\000b\\\\377c'`]"));
	assert_string_equal(text_of(&result, 0, "stdout"), "a\xEF\xBF\xBD"
							   "b\xEF\xBF\xBD"
							   "c");
	assert_int_equal(result.bytes_seen, 5);
	st_job_result_fini(&result);
}

static void a_fresh_directory_goes_with_its_hostile_contents(void **state)
{
	struct st_job_result result = run(
	    *state,
	    spec_of("[`mkdir -p a/b locked; ln -s / a/root; ln -s .. up; touch -- -rf locked/x; "
		    "mkfifo pipe; chmod 000 locked a/b; chmod 500 a .; echo $PWD`]"));
	assert_end(&result, ST_JOB_EXITED, 0);
	assert_string_equal(result.error, "");
	char dir[128];
	(void)snprintf(dir, sizeof dir, "%s", text_of(&result, 0, "stdout"));
	dir[strcspn(dir, "\n")] = '\0';
	assert_int_equal(access(dir, F_OK), -1);
	st_job_result_fini(&result);
}

static void what_cannot_be_started_says_why(void **state)
{
	struct fixture *f = *state;
	struct st_job_result result = run(f, spec_of("[[`no-such-program`]]"));
	assert_end(&result, ST_JOB_NOT_STARTED, 127);
	assert_non_null(strstr(result.error, "No such file"));
	assert_true(
	    json_is_null(json_object_get(json_array_get(result.transcript, 0), "exit_code")));
	st_job_result_fini(&result);

	/* That the shell does not find a program is the shell's own exit, not a failure to start.
	 */
	result = run(f, spec_of("[`no-such-program`]"));
	assert_end(&result, ST_JOB_EXITED, 127);
	st_job_result_fini(&result);

	result = run(f, spec_of("[`echo x > plain`, [`./plain`]]"));
	assert_end(&result, ST_JOB_EXITED, 126);
	assert_non_null(strstr(result.error, "Permission denied"));
	st_job_result_fini(&result);

	struct st_job_spec spec = spec_of("[`true`]");
	spec.workdir = st_strdup("/nonexistent/dir");
	result = run(f, spec);
	assert_int_equal(result.end, ST_JOB_NOT_STARTED);
	assert_non_null(strstr(result.error, "work directory"));
	st_job_result_fini(&result);

	f->box.n_workdirs = 0;
	result = run_here(f, "[`true`]", 5000, 6000);
	assert_int_equal(result.end, ST_JOB_NOT_STARTED);
	assert_non_null(strstr(result.error, "workdirs"));
	st_job_result_fini(&result);

	result = run(f, spec_of("[1]"));
	assert_int_equal(result.end, ST_JOB_NOT_STARTED);
	assert_memory_equal(result.error, "/commands/0: ", 13);
	st_job_result_fini(&result);
}

static void running_out_of_descriptors_is_told_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct rlimit before;
	struct st_job_result warm = run(f, spec_of("[`true`]"));
	st_job_result_fini(&warm);
	int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (int room = 0; room < 8; room++) {
		struct rlimit low = {(rlim_t)(lowest + room), before.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
		struct st_job_spec spec = spec_of("[`true`]");
		spec.workdir = st_strdup(f->dir);
		struct st_job_result result = run(f, spec);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (result.end != ST_JOB_NOT_STARTED) {
			assert_end(&result, ST_JOB_EXITED, 0);
		}
		st_job_result_fini(&result);
		int now = open("/dev/null", O_RDONLY | O_CLOEXEC);
		(void)close(now);
		assert_int_equal(now, lowest);
	}
}

static void fifty_jobs_run_side_by_side(void **state)
{
	enum { JOBS = 50 };
	struct fixture *f = *state;
	static struct ended ended[JOBS];
	memset(ended, 0, sizeof ended);
	for (int i = 0; i < JOBS; i++) {
		char commands[128];
		(void)snprintf(commands, sizeof commands, "[`echo %d; sleep 0.1; exit %d`]", i, i);
		struct st_job_spec spec = spec_of(commands);
		(void)st_job_start(&f->box, grant_for_test(), &spec, on_done, &ended[i]);
	}
	assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
	for (int i = 0; i < JOBS; i++) {
		char text[16];
		(void)snprintf(text, sizeof text, "%d\n", i);
		assert_true(ended[i].is);
		assert_end(&ended[i].result, ST_JOB_EXITED, i);
		assert_string_equal(text_of(&ended[i].result, 0, "stdout"), text);
		st_job_result_fini(&ended[i].result);
	}
}

struct aborter {
	uv_timer_t timer;
	struct st_job *job;
	bool hard;
};

static void on_abort(uv_timer_t *timer)
{
	struct aborter *aborter = timer->data;
	st_job_abort(aborter->job, aborter->hard);
	uv_close((uv_handle_t *)timer, NULL);
}

static struct st_job_result run_aborted(struct fixture *f, const char *commands, uint64_t after_ms,
					bool hard)
{
	struct ended ended = {0};
	struct aborter aborter = {.hard = hard};
	struct st_job_spec spec = spec_of(commands);
	aborter.job = st_job_start(&f->box, grant_for_test(), &spec, on_done, &ended);
	aborter.timer.data = &aborter;
	(void)uv_timer_init(&f->loop, &aborter.timer);
	(void)uv_timer_start(&aborter.timer, on_abort, after_ms, 0);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(ended.is);
	return ended.result;
}

static void an_aborted_job_ends_soon_and_says_so(void **state)
{
	struct st_job_result result = run_aborted(
	    *state, "[`trap 'exit 5' TERM; while :; do sleep 0.01; done`, `echo never`]", 100,
	    false);
	assert_end(&result, ST_JOB_ABORTED, 5);
	assert_true(result.wall_ms < 1500);
	assert_int_equal(json_array_size(result.transcript), 1);
	st_job_result_fini(&result);

	result = run_aborted(*state, "[`trap '' TERM; while :; do sleep 0.01; done`]", 100, true);
	assert_end(&result, ST_JOB_ABORTED, 128 + SIGKILL);
	assert_true(result.wall_ms < 1500);
	st_job_result_fini(&result);
}

static void a_job_aborted_before_it_began_did_not_start(void **state)
{
	struct fixture *f = *state;
	struct ended ended = {0};
	struct st_job_spec spec = spec_of("[`echo x`]");
	struct st_job *job = st_job_start(&f->box, grant_for_test(), &spec, on_done, &ended);
	st_job_abort(job, true);
	assert_false(ended.is);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(ended.result.end, ST_JOB_NOT_STARTED);
	assert_int_equal(json_array_size(ended.result.transcript), 0);
	st_job_result_fini(&ended.result);
}

static void a_job_that_kills_its_keeper_dies_with_it(void **state)
{
	struct fixture *f = *state;
	struct st_job_result result =
	    run_here(f, "[`echo $$ > pid; kill -KILL $PPID; while :; do :; done`]", 5000, 6000);
	assert_end(&result, ST_JOB_ABORTED, 128 + SIGKILL);
	assert_non_null(strstr(result.error, "keeper"));
	assert_true(result.wall_ms < 2000);
	st_job_result_fini(&result);
}

/* Waits for a process that is not our child to be gone. */
static void wait_gone(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0) {
		assert_int_equal(errno, ESRCH);
		return;
	}
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&polled, 1, 5000), 1);
	(void)close(fd);
}

static void a_keeper_that_does_not_answer_is_cut(void **state)
{
	struct fixture *f = *state;
	struct st_job_result result =
	    run_here(f, "[`echo $$ > pid; kill -STOP $PPID; exec sleep 60`]", 50, 100);
	assert_end(&result, ST_JOB_TIMED_OUT, 128 + SIGKILL);
	wait_gone(pid_in(f, "pid"));
	st_job_result_fini(&result);
}

/* Plays a daemon that starts a job and never comes back from its loop. */
_Noreturn static void be_daemon(const char *dir)
{
	struct ended ended = {0};
	uv_loop_t loop;
	struct st_redactor *redactor = st_redactor_new();
	(void)uv_loop_init(&loop);
	if (st_redactor_build(redactor, NULL) != ST_OK) {
		_exit(1);
	}
	struct st_box_options options = st_box_options_default();
	struct st_host *host = NULL;
	options.isolation = ST_ISOLATION_NONE;
	if (st_host_new(&host, NULL) != ST_OK) {
		_exit(1);
	}
	struct st_box box = {&loop, dir, redactor, {ST_UNLIMITED, ST_UNLIMITED, ST_UNLIMITED},
			     &dir,  1,	 host,	   &options};
	struct st_job_spec spec = spec_of(
	    "[`(setsid sh -c 'trap \\`\\` TERM; echo $$ > stray; while :; do sleep 1; done' &); "
	    "until [ -s stray ]; do :; done; echo $$ > up; while :; do sleep 1; done`]");
	spec.workdir = st_strdup(dir);
	(void)st_job_start(&box, grant_for_test(), &spec, on_done, &ended);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	_exit(1);
}

static void when_the_daemon_is_killed_its_jobs_go_too(void **state)
{
	struct fixture *f = *state;
	char path[128];
	char text[32] = {0};
	(void)snprintf(path, sizeof path, "%s/up", f->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	pid_t daemon = fork();
	if (daemon == 0) {
		be_daemon(f->dir);
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof text - 1) > 0);
	(void)close(fd);
	pid_t main_pid = (pid_t)strtol(text, NULL, 10);
	pid_t stray = pid_in(f, "stray");
	assert_int_equal(kill(main_pid, 0), 0);
	assert_int_equal(kill(daemon, SIGKILL), 0);
	assert_int_equal(waitpid(daemon, NULL, 0), daemon);
	wait_gone(main_pid);
	wait_gone(stray);
}

static void children_are_found_with_and_without_the_kernels_list(void **state)
{
	(void)state;
	pid_t made[3];
	pid_t listed[16];
	pid_t scanned[16];
	for (size_t i = 0; i < 3; i++) {
		made[i] = fork();
		if (made[i] == 0) {
			(void)pause();
			_exit(0);
		}
	}
	assert_int_equal(st_children_list(listed, 16), 3);
	assert_int_equal(st_children_scan(scanned, 16), 3);
	assert_int_equal(st_children_scan(scanned, 2), 2);
	for (size_t i = 0; i < 3; i++) {
		assert_true(made[i] == listed[0] || made[i] == listed[1] || made[i] == listed[2]);
		assert_int_equal(listed[i], made[i]);
		assert_int_equal(kill(made[i], SIGKILL), 0);
		assert_int_equal(waitpid(made[i], NULL, 0), made[i]);
	}
	assert_int_equal(st_children_list(listed, 16), 0);
	assert_int_equal(st_children_scan(scanned, 16), 0);
}

#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static struct st_job_spec spec_that_keeps(const char *commands, const char *pattern)
{
	struct st_job_spec spec = spec_of(commands);
	spec.artifacts = json_pack("[s]", pattern);
	spec.artifact_caps = (struct st_artifact_caps){ST_ARTIFACTS_MAX, ST_ARTIFACT_BYTES_MAX,
						       ST_ARTIFACTS_BYTES_MAX};
	return spec;
}

static void files_of_a_job_are_kept_before_its_directory_goes(void **state)
{
	struct st_job_result result =
	    run(*state, spec_that_keeps("[`mkdir out; printf one > out/1; ln -s /etc/passwd "
					"out/2; mkfifo out/3`, `printf '\\\\0x' > out/4`]",
					"out/*"));
	assert_end(&result, ST_JOB_EXITED, 0);
	assert_int_equal(result.n_artifacts, 2);
	assert_string_equal(result.artifacts[0].path, "out/1");
	assert_int_equal(result.artifacts[0].len, 3);
	assert_memory_equal(result.artifacts[0].bytes, "one", 3);
	assert_string_equal(result.artifacts[1].path, "out/4");
	assert_int_equal(result.artifacts[1].len, 2);
	assert_memory_equal(result.artifacts[1].bytes, "\0x", 2);
	assert_null(json_object_get(json_array_get(result.transcript, 0), "artifacts"));
	const json_t *told = json_object_get(json_array_get(result.transcript, 1), "artifacts");
	assert_int_equal(json_array_size(json_object_get(told, "kept")), 2);
	assert_int_equal(json_array_size(json_object_get(told, "refused")), 2);
	st_job_result_fini(&result);
}

static void files_of_a_job_that_failed_are_kept_too(void **state)
{
	struct st_job_result result =
	    run(*state, spec_that_keeps("[`echo why > core.log; kill -KILL $$`]", "*.log"));
	assert_end(&result, ST_JOB_SIGNALLED, 137);
	assert_int_equal(result.n_artifacts, 1);
	st_job_result_fini(&result);
	struct st_job_spec spec = spec_that_keeps("[`echo why > a.log; sleep 60`]", "*.log");
	spec.soft_ms = 150;
	spec.hard_ms = 300;
	result = run(*state, spec);
	assert_int_equal(result.end, ST_JOB_TIMED_OUT);
	assert_int_equal(result.n_artifacts, 1);
	st_job_result_fini(&result);
}

static void a_job_that_did_not_start_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	char path[128];
	(void)snprintf(path, sizeof path, "%s/there-before", f->dir);
	assert_int_equal(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
	struct st_job_spec spec = spec_that_keeps("[[`/no/such/program`]]", "*");
	spec.workdir = st_strdup(f->dir);
	struct st_job_result result = run(f, spec);
	assert_end(&result, ST_JOB_NOT_STARTED, 127);
	assert_int_equal(result.n_artifacts, 0);
	st_job_result_fini(&result);
}

static void a_directory_put_in_the_place_of_the_jobs_own_gives_nothing(void **state)
{
	struct fixture *f = *state;
	struct st_job_result result =
	    run(f, spec_that_keeps("[`d=$PWD; echo mine > x; mv $d $d.away; mkdir $d; echo theirs "
				   "> $d/x; echo $d.away`]",
				   "x"));
	assert_end(&result, ST_JOB_EXITED, 0);
	char away[128];
	(void)snprintf(away, sizeof away, "%s", text_of(&result, 0, "stdout"));
	away[strcspn(away, "\n")] = '\0';
	assert_int_equal(st_workdir_remove(away, NULL), ST_OK);
	assert_int_equal(result.n_artifacts, 1);
	assert_memory_equal(result.artifacts[0].bytes, "mine\n", 5);
	st_job_result_fini(&result);
}

static void patterns_with_a_fault_start_no_job(void **state)
{
	struct st_job_result result =
	    run(*state, spec_that_keeps("[`true`]", "../../../etc/passwd"));
	assert_int_equal(result.end, ST_JOB_NOT_STARTED);
	assert_non_null(strstr(result.error, "pattern 1"));
	st_job_result_fini(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_BOX(commands_run_in_order_until_one_fails),
	    WITH_BOX(a_quick_death_by_signal_is_no_timeout),
	    WITH_BOX(ignored_signals_of_the_daemon_are_not_inherited),
	    WITH_BOX(nothing_of_the_daemon_reaches_a_job),
	    WITH_BOX(a_mebibyte_of_arguments_arrives),
	    WITH_BOX(each_command_reads_the_whole_stdin),
	    WITH_BOX(a_job_that_ignores_term_is_killed_at_the_hard_limit),
	    WITH_BOX(a_job_may_tidy_up_at_the_soft_limit),
	    WITH_BOX(a_stopped_job_is_killed_at_the_limit),
	    WITH_BOX(the_limits_are_those_of_all_commands_together),
	    WITH_BOX(a_timed_out_job_takes_its_strays_along),
	    WITH_BOX(a_daemon_that_left_session_and_parent_is_killed),
	    WITH_BOX(strays_are_asked_before_they_are_killed),
	    WITH_BOX(closed_outputs_do_not_end_or_hang_a_job),
	    WITH_BOX(a_flood_is_counted_and_memory_stays_flat),
	    WITH_BOX(a_secret_split_over_writes_is_masked),
	    WITH_BOX(a_secret_on_the_cut_is_masked_before_the_cut),
	    WITH_BOX(output_that_is_no_text_is_kept_as_text),
	    WITH_BOX(a_fresh_directory_goes_with_its_hostile_contents),
	    WITH_BOX(what_cannot_be_started_says_why),
	    WITH_BOX(running_out_of_descriptors_is_told_and_leaves_nothing),
	    WITH_BOX(fifty_jobs_run_side_by_side),
	    WITH_BOX(an_aborted_job_ends_soon_and_says_so),
	    WITH_BOX(a_job_aborted_before_it_began_did_not_start),
	    WITH_BOX(a_job_that_kills_its_keeper_dies_with_it),
	    WITH_BOX(a_keeper_that_does_not_answer_is_cut),
	    WITH_BOX(when_the_daemon_is_killed_its_jobs_go_too),
	    WITH_BOX(files_of_a_job_are_kept_before_its_directory_goes),
	    WITH_BOX(files_of_a_job_that_failed_are_kept_too),
	    WITH_BOX(a_job_that_did_not_start_leaves_nothing),
	    WITH_BOX(a_directory_put_in_the_place_of_the_jobs_own_gives_nothing),
	    WITH_BOX(patterns_with_a_fault_start_no_job),
	    WITH_BOX(children_are_found_with_and_without_the_kernels_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
