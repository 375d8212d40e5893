/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/io/workdir.h"
#include "schemas/mem.h"

enum { NOBODY = 65534, DEEP = 2500 };

/* A base directory with a bystander in it that no removal may touch. */
static char base[64];

static int make_base(void **state)
{
	(void)state;
	(void)snprintf(base, sizeof base, "/tmp/stint-test-XXXXXX");
	assert_non_null(mkdtemp(base));
	assert_int_equal(chmod(base, 0777), 0);
	char victim[128];
	(void)snprintf(victim, sizeof victim, "%s/victim", base);
	assert_int_equal(mkdir(victim, 0755), 0);
	(void)snprintf(victim, sizeof victim, "%s/victim/kept", base);
	int fd = open(victim, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	(void)close(fd);
	return 0;
}

static int drop_base(void **state)
{
	(void)state;
	char victim[128];
	(void)snprintf(victim, sizeof victim, "%s/victim/kept", base);
	assert_int_equal(access(victim, F_OK), 0);
	assert_int_equal(st_workdir_remove(base, NULL), ST_OK);
	return 0;
}

static void touch(int at, const char *name)
{
	int fd = openat(at, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
}

static int make_dir(char **path)
{
	struct st_diag diag;
	assert_int_equal(st_workdir_make(base, path, &diag), ST_OK);
	int at = open(*path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(at >= 0);
	return at;
}

static void remove_dir(int at, char *path)
{
	struct st_diag diag = {0};
	(void)close(at);
	assert_int_equal(st_workdir_remove(path, &diag), ST_OK);
	assert_int_equal(access(path, F_OK), -1);
	st_free(path);
}

static void a_new_directory_is_empty_and_ours_alone(void **state)
{
	(void)state;
	char *path = NULL;
	struct stat info;
	int at = make_dir(&path);
	assert_int_equal(fstat(at, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0700);
	remove_dir(at, path);
	assert_int_equal(st_workdir_make("relative", &path, NULL), ST_ERR_INVALID);
	assert_int_equal(st_workdir_make("/nonexistent/base", &path, NULL), ST_ERR_IO);
}

static void links_are_removed_and_not_followed(void **state)
{
	(void)state;
	char *path = NULL;
	int at = make_dir(&path);
	assert_int_equal(symlinkat("../victim", at, "link"), 0);
	assert_int_equal(symlinkat("../victim/kept", at, "file"), 0);
	assert_int_equal(symlinkat("link", at, "loop"), 0);
	char from[128];
	(void)snprintf(from, sizeof from, "%s/victim/kept", base);
	assert_int_equal(linkat(AT_FDCWD, from, at, "hard", 0), 0);
	remove_dir(at, path);
	/* The work directory itself swapped for a link: nothing behind it is touched. */
	char swapped[128];
	(void)snprintf(swapped, sizeof swapped, "%s/swapped", base);
	assert_int_equal(symlink("victim", swapped), 0);
	assert_int_equal(st_workdir_remove(swapped, NULL), ST_ERR_IO);
}

static void strange_names_and_kinds_are_removed(void **state)
{
	(void)state;
	char *path = NULL;
	char longest[256];
	memset(longest, 'n', 255);
	longest[255] = '\0';
	int at = make_dir(&path);
	touch(at, "-rf");
	touch(at, "a\nb");
	touch(at, "\xFF\xFE");
	touch(at, "...");
	touch(at, longest);
	assert_int_equal(mkfifoat(at, "fifo", 0600), 0);
	char other[64];
	for (int i = 0; i < 500; i++) {
		(void)snprintf(other, sizeof other, "d%d", i);
		assert_int_equal(mkdirat(at, other, 0700), 0);
	}
	remove_dir(at, path);
}

static void any_depth_is_removed(void **state)
{
	(void)state;
	char *path = NULL;
	int at = make_dir(&path);
	int deep = dup(at);
	for (int i = 0; i < DEEP; i++) {
		assert_int_equal(mkdirat(deep, "d", 0700), 0);
		touch(deep, "f");
		int next = openat(deep, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void)close(deep);
		deep = next;
	}
	(void)close(deep);
	remove_dir(at, path);
}

static void locked(void)
{
	char *path = NULL;
	int at = make_dir(&path);
	assert_int_equal(mkdirat(at, "locked", 0700), 0);
	assert_int_equal(mkdirat(at, "locked/in", 0700), 0);
	touch(at, "locked/in/f");
	assert_int_equal(fchmodat(at, "locked/in", 0, 0), 0);
	assert_int_equal(fchmodat(at, "locked", 0, 0), 0);
	assert_int_equal(fchmod(at, 0), 0);
	remove_dir(at, path);
}

static void locked_directories_are_opened_and_removed(void **state)
{
	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		/* Root passes every lock, so this must be somebody else. */
		if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0) {
			_exit(1);
		}
		locked();
		_exit(0);
	}
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_given_directory_is_where_its_links_lead_if_that_is_allowed(void **state)
{
	(void)state;
	static const struct {
		const char *path; /* below the base */
		const char *leads_to;
	} rows[] = {
	    {"/own", "/own"},
	    {"/own/sub", "/own/sub"},
	    {"/own/inside", "/own/sub"},
	    {"/own/./sub//", "/own/sub"},
	    {"/own/sub/..", "/own"},
	    {"/own/outside", NULL},
	    {"/own/up", NULL},
	    {"/own/file", NULL},
	    {"/own/missing", NULL},
	    {"/own/..", NULL},
	    {"/owner", NULL},
	    {"", NULL},
	};
	int at = open(base, O_DIRECTORY | O_CLOEXEC);
	char allowed[PATH_MAX];
	char real[PATH_MAX];
	(void)snprintf(allowed, sizeof allowed, "%s/own", base);
	const char *const paths[] = {"/nonexistent", allowed};
	const struct st_workdirs workdirs = {paths, 2};
	assert_non_null(realpath(base, real));
	assert_int_equal(mkdirat(at, "own", 0755), 0);
	assert_int_equal(mkdirat(at, "owner", 0755), 0);
	assert_int_equal(mkdirat(at, "own/sub", 0755), 0);
	touch(at, "own/file");
	assert_int_equal(symlinkat("sub", at, "own/inside"), 0);
	assert_int_equal(symlinkat("/", at, "own/outside"), 0);
	assert_int_equal(symlinkat("../owner", at, "own/up"), 0);
	(void)close(at);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char path[PATH_MAX];
		char expected[PATH_MAX + 16];
		char *out = NULL;
		(void)snprintf(path, sizeof path, "%s%s", base, rows[i].path);
		int rc = st_workdir_resolve(path, &workdirs, &out, NULL);
		if ((rc == ST_OK) != (rows[i].leads_to != NULL)) {
			fail_msg("%s: %d", rows[i].path, rc);
		}
		if (rc == ST_OK) {
			(void)snprintf(expected, sizeof expected, "%s%s", real, rows[i].leads_to);
			assert_string_equal(out, expected);
			st_free(out);
		} else {
			assert_null(out);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_new_directory_is_empty_and_ours_alone, make_base,
					    drop_base),
	    cmocka_unit_test_setup_teardown(links_are_removed_and_not_followed, make_base,
					    drop_base),
	    cmocka_unit_test_setup_teardown(strange_names_and_kinds_are_removed, make_base,
					    drop_base),
	    cmocka_unit_test_setup_teardown(any_depth_is_removed, make_base, drop_base),
	    cmocka_unit_test_setup_teardown(
		a_given_directory_is_where_its_links_lead_if_that_is_allowed, make_base, drop_base),
	    cmocka_unit_test_setup_teardown(locked_directories_are_opened_and_removed, make_base,
					    drop_base),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
