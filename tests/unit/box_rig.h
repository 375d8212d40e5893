/* SPDX-License-Identifier: Apache-2.0 */
/* How does a test run jobs in a real box, as root and as an ordinary user? */
#ifndef ST_TESTS_BOX_RIG_H
#define ST_TESTS_BOX_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "redact/redact.h"
#include "sandbox/io/host.h"
#include "sandbox/io/job.h"
#include "sandbox/io/workdir.h"
#include "schemas/mem.h"

#define ORDINARY_UID 54321

/* One for all tests of a group: what a daemon has. */
struct rig {
	uv_loop_t loop;
	struct st_redactor *redactor;
	struct st_host *host;
	struct st_box_options options;
	struct st_box box;
	char base[64];
	char dir[64];	/* jobs may be given it */
	char tools[64]; /* holds box_probe; jobs may read it */
	char *tools_list[1];
	const char *workdirs[1];
};

struct rig_end {
	bool is;
	struct st_job_result result;
};

static void rig_on_done(void *arg, struct st_job_result *result)
{
	struct rig_end *end = arg;
	assert_false(end->is);
	end->is = true;
	end->result = *result;
}

static inline const struct st_grant *rig_grant(void)
{
	static const int any = 1;
	return (const struct st_grant *)(const void *)&any;
}

static inline void rig_copy(const char *from, const char *to)
{
	char bytes[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	assert_true(in >= 0 && out >= 0);
	for (ssize_t n; (n = read(in, bytes, sizeof bytes)) > 0;) {
		assert_int_equal(write(out, bytes, (size_t)n), n);
	}
	assert_int_equal(fchmod(out, 0755), 0);
	(void)close(in);
	(void)close(out);
}

static inline struct rig *rig_new(int probe_fd)
{
	struct rig *rig = st_alloc(sizeof *rig);
	char path[96];
	char from[32];
	assert_int_equal(uv_loop_init(&rig->loop), 0);
	rig->redactor = st_redactor_new();
	assert_int_equal(st_redactor_build(rig->redactor, NULL), ST_OK);
	(void)snprintf(rig->base, sizeof rig->base, "/tmp/stint-base-XXXXXX");
	(void)snprintf(rig->dir, sizeof rig->dir, "/tmp/stint-dir-XXXXXX");
	(void)snprintf(rig->tools, sizeof rig->tools, "/tmp/stint-tools-XXXXXX");
	assert_non_null(mkdtemp(rig->base));
	assert_non_null(mkdtemp(rig->dir));
	assert_non_null(mkdtemp(rig->tools));
	assert_int_equal(chmod(rig->tools, 0755), 0);
	(void)snprintf(path, sizeof path, "%s/box_probe", rig->tools);
	(void)snprintf(from, sizeof from, "/proc/self/fd/%d", probe_fd);
	rig_copy(from, path);
	rig->workdirs[0] = rig->dir;
	rig->tools_list[0] = rig->tools;
	rig->options = st_box_options_default();
	rig->options.read_only = rig->tools_list;
	rig->options.n_read_only = 1;
	assert_int_equal(st_host_new(&rig->host, NULL), ST_OK);
	rig->box = (struct st_box){.loop = &rig->loop,
				   .base_dir = rig->base,
				   .redactor = rig->redactor,
				   .caps = {ST_UNLIMITED, ST_UNLIMITED, ST_UNLIMITED},
				   .workdirs = rig->workdirs,
				   .n_workdirs = 1,
				   .host = rig->host,
				   .options = &rig->options};
	return rig;
}

static inline void rig_free(struct rig *rig)
{
	assert_int_equal(uv_run(&rig->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&rig->loop), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(rmdir(rig->base), 0);
	assert_int_equal(st_workdir_remove(rig->dir, NULL), ST_OK);
	assert_int_equal(st_workdir_remove(rig->tools, NULL), ST_OK);
	st_host_free(rig->host);
	st_redactor_free(rig->redactor);
	st_free(rig);
}

static inline struct st_job_spec rig_spec(json_t *commands)
{
	assert_non_null(commands);
	return (struct st_job_spec){
	    .commands = commands, .soft_ms = 20000, .hard_ms = 25000, .log_bytes_max = 65536};
}

static inline struct st_job_result rig_run(struct rig *rig, struct st_job_spec spec)
{
	struct rig_end end = {0};
	(void)st_job_start(&rig->box, rig_grant(), &spec, rig_on_done, &end);
	while (!end.is) {
		(void)uv_run(&rig->loop, UV_RUN_ONCE);
	}
	return end.result;
}

static inline struct st_job_result rig_shell(struct rig *rig, const char *line)
{
	return rig_run(rig, rig_spec(json_pack("[s]", line)));
}

static inline const char *rig_text(const struct st_job_result *result, size_t command)
{
	const char *text = json_string_value(
	    json_object_get(json_array_get(result->transcript, command), "stdout"));
	return text == NULL ? "" : text;
}

/* Checks the end, and prints everything when it is another. */
static inline void rig_expect(const struct st_job_result *result, enum st_job_end end, int code)
{
	if (result->end != end || result->exit_code != code) {
		char *text = json_dumps(result->transcript, JSON_INDENT(1));
		print_error("end %d code %d error \"%s\" %s\n", result->end, result->exit_code,
			    result->error, text);
		st_free(text);
	}
	assert_int_equal(result->end, end);
	assert_int_equal(result->exit_code, code);
}

/*
 * Runs the tests as who we are and, when that is root, once more as an ordinary user. `build_dir`
 * holds tools/box_probe. Where no box can be made, says why and skips. The exit code.
 */
static inline int rig_main(const char *probe, int (*run_all)(struct rig *rig))
{
	int probe_fd = open(probe, O_RDONLY | O_CLOEXEC);
	int failed = 0;
	if (probe_fd < 0) {
		print_message("skipped: %s is not there\n", probe);
		return 77;
	}
	for (int round = 0; round < (geteuid() == 0 ? 2 : 1); round++) {
		(void)fflush(NULL);
		pid_t child = fork();
		if (child == 0) {
			if (round == 1 &&
			    (setgid(ORDINARY_UID) != 0 || setuid(ORDINARY_UID) != 0)) {
				_exit(1);
			}
			struct rig *rig = rig_new(probe_fd);
			print_message("# as uid %u\n", geteuid());
			if (rig->host->fault[0] != '\0') {
				print_message("skipped: no box here: %s\n", rig->host->fault);
				rig_free(rig);
				exit(0);
			}
			int rc = run_all(rig);
			rig_free(rig);
			exit(rc == 0 ? 0 : 1);
		}
		int status = 0;
		assert_int_equal(waitpid(child, &status, 0), child);
		failed += status != 0;
	}
	return failed == 0 ? 0 : 1;
}

#endif
