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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "redact/redact.h"
#include "sandbox/io/beneath.h"
#include "sandbox/io/collect.h"
#include "sandbox/io/workdir.h"
#include "schemas/mem.h"

struct fixture {
	struct st_redactor *redactor;
	char dir[64];
	int root;
	struct st_harvest harvest;
};

static int set_up(void **state)
{
	static const struct st_artifact_caps caps = {ST_ARTIFACTS_MAX, ST_ARTIFACT_BYTES_MAX,
						     ST_ARTIFACTS_BYTES_MAX};
	struct fixture *f = st_alloc(sizeof *f);
	f->redactor = st_redactor_new();
	assert_int_equal(st_redactor_build(f->redactor, NULL), ST_OK);
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/stint-collect-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->root = st_workdir_open(f->dir);
	assert_true(f->root >= 0);
	st_harvest_init(&f->harvest, &caps, f->redactor);
	*state = f;
	return 0;
}

static size_t n_descriptors(void)
{
	size_t n = 0;
	DIR *directory = opendir("/proc/self/fd");
	assert_non_null(directory);
	while (readdir(directory) != NULL) {
		n++;
	}
	(void)closedir(directory);
	return n;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	st_harvest_fini(&f->harvest);
	(void)close(f->root);
	assert_int_equal(st_workdir_remove(f->dir, NULL), ST_OK);
	st_redactor_free(f->redactor);
	st_free(f);
	return 0;
}

/* With the directories above it. */
static void put(const struct fixture *f, const char *path, const char *text)
{
	char *copy = st_strdup(path);
	for (char *slash = strchr(copy, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdirat(f->root, copy, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	st_free(copy);
	int fd = openat(f->root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static void collect(struct fixture *f, const char *first, const char *second)
{
	char *patterns[] = {st_strdup(first), st_strdup(second)};
	size_t before = n_descriptors();
	st_collect(f->root, patterns, second != NULL ? 2 : 1, &f->harvest);
	assert_int_equal(n_descriptors(), before);
	st_free(patterns[0]);
	st_free(patterns[1]);
}

/* The paths that were kept, with a space after each. */
static void assert_kept(const struct fixture *f, const char *expected)
{
	struct st_buf found = {0};
	st_buf_add_text(&found, "");
	for (size_t i = 0; i < f->harvest.n_kept; i++) {
		st_buf_addf(&found, "%s ", f->harvest.kept[i].path);
	}
	assert_string_equal(found.data, expected);
	st_buf_fini(&found);
}

/* Why this path is refused; "" when it is not. */
static const char *reason_for(const struct fixture *f, const char *path)
{
	for (size_t i = 0; i < json_array_size(f->harvest.refused); i++) {
		const json_t *entry = json_array_get(f->harvest.refused, i);
		if (strcmp(json_string_value(json_object_get(entry, "path")), path) == 0) {
			return json_string_value(json_object_get(entry, "reason"));
		}
	}
	return "";
}

static void assert_refused(const struct fixture *f, const char *path, const char *part)
{
	const char *reason = reason_for(f, path);
	if (strstr(reason, part) == NULL || reason[0] == '\0') {
		char *all = json_dumps(f->harvest.refused, 0);
		fail_msg("\"%s\": \"%s\" in %s", path, reason, all);
	}
}

static void what_matches_comes_out_whole_and_in_order(void **state)
{
	struct fixture *f = *state;
	put(f, "out/b.txt", "bee");
	put(f, "out/a.txt", "ay");
	put(f, "out/.hidden.txt", "no");
	put(f, "out/c.log", "no");
	put(f, "out/sub/d.txt", "no");
	put(f, "report.json", "{}");
	put(f, "empty", "");
	collect(f, "out/*.txt", "*");
	assert_kept(f, "empty out/a.txt out/b.txt report.json ");
	assert_string_equal(f->harvest.kept[1].bytes, "ay");
	assert_int_equal(f->harvest.kept[0].len, 0);
	assert_int_equal(json_array_size(f->harvest.refused), 0);
}

static void a_star_may_stand_for_a_directory(void **state)
{
	struct fixture *f = *state;
	put(f, "a/out/x", "1");
	put(f, "b/out/x", "2");
	put(f, "c/other/x", "3");
	put(f, "d", "no directory");
	collect(f, "?/out/x", "*/*/x");
	assert_kept(f, "a/out/x b/out/x c/other/x ");
	assert_int_equal(json_array_size(f->harvest.refused), 0);
}

static void a_pattern_that_finds_nothing_is_told(void **state)
{
	struct fixture *f = *state;
	put(f, "dir/x", "1");
	collect(f, "nowhere/*.txt", "dir");
	assert_kept(f, "");
	assert_refused(f, "nowhere/*.txt", "nothing matches");
	assert_refused(f, "dir", "nothing matches"); /* directories are not files */
}

static void links_out_of_the_directory_give_nothing(void **state)
{
	struct fixture *f = *state;
	put(f, "real", "mine");
	put(f, "z", "mine");
	assert_int_equal(symlinkat("/etc/passwd", f->root, "passwd"), 0);
	assert_int_equal(symlinkat("real", f->root, "inside"), 0);
	assert_int_equal(symlinkat("/etc", f->root, "etc"), 0);
	assert_int_equal(symlinkat("nowhere", f->root, "dangling"), 0);
	assert_int_equal(symlinkat("/proc/self/fd/0", f->root, "magic"), 0);
	collect(f, "*", "etc/passwd");
	assert_kept(f, "real z ");
	static const char *const links[] = {"passwd", "inside", "etc", "dangling", "magic"};
	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
		assert_refused(f, links[i], "symbolic link");
	}
	assert_refused(f, "etc/passwd", "symbolic link");
}

static void a_star_over_a_linked_directory_gives_nothing(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(symlinkat("/etc", f->root, "etc"), 0);
	collect(f, "etc/pass*", "*/passwd");
	assert_kept(f, "");
	assert_refused(f, "etc", "symbolic link");
	assert_refused(f, "etc/passwd", "symbolic link");
}

static void a_second_name_of_somebodys_file_gives_nothing(void **state)
{
	struct fixture *f = *state;
	put(f, "secret", "not the job's");
	assert_int_equal(mkdirat(f->root, "box", 0700), 0);
	assert_int_equal(linkat(f->root, "secret", f->root, "box/mine", 0), 0);
	collect(f, "box/mine", NULL);
	assert_kept(f, "");
	assert_refused(f, "box/mine", "hard link");
}

static void pipes_sockets_and_devices_are_not_even_opened(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(mkfifoat(f->root, "pipe", 0600), 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", f->dir);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
	(void)close(fd);
	bool device = mknodat(f->root, "zero", S_IFCHR | 0600, (dev_t)0x105) == 0; /* as root */
	collect(f, "*", NULL);
	assert_kept(f, "");
	assert_refused(f, "pipe", "no regular file");
	assert_refused(f, "socket", "no regular file");
	if (device) {
		assert_refused(f, "zero", "no regular file");
	} else {
		print_message("no device was tried: making one needs root\n");
	}
}

static void a_sparse_giant_is_not_read(void **state)
{
	struct fixture *f = *state;
	put(f, "giant", "x");
	put(f, "small", "x");
	int fd = openat(f->root, "giant", O_WRONLY | O_CLOEXEC);
	if (ftruncate(fd, (off_t)10 << 30) != 0) {
		(void)close(fd);
		print_message("skipped: no file of 10 GiB here: %s\n", strerror(errno));
		skip();
	}
	(void)close(fd);
	collect(f, "*", NULL);
	assert_kept(f, "small ");
	assert_refused(f, "giant", "larger than one file");
}

static void put_bytes(const struct fixture *f, const char *path, size_t n)
{
	char *bytes = st_alloc(n + 1);
	memset(bytes, 'x', n);
	put(f, path, bytes);
	st_free(bytes);
}

static void files_keep_to_their_size_and_to_that_of_all(void **state)
{
	struct fixture *f = *state;
	put_bytes(f, "a", ST_ARTIFACT_BYTES_MAX);
	put_bytes(f, "b", ST_ARTIFACT_BYTES_MAX + 1);
	put_bytes(f, "c", ST_ARTIFACT_BYTES_MAX);
	put_bytes(f, "d", ST_ARTIFACT_BYTES_MAX);
	put_bytes(f, "e", ST_ARTIFACT_BYTES_MAX - 1);
	put_bytes(f, "f", 2);
	put_bytes(f, "g", 1);
	collect(f, "*", NULL);
	assert_kept(f, "a c d e g ");
	assert_int_equal(f->harvest.bytes, ST_ARTIFACTS_BYTES_MAX);
	assert_refused(f, "b", "larger than one file");
	assert_refused(f, "f", "together");
}

static void ten_thousand_files_give_sixteen_and_a_word_on_the_rest(void **state)
{
	struct fixture *f = *state;
	char name[16];
	for (int i = 9999; i >= 0; i--) {
		(void)snprintf(name, sizeof name, "f%04d", i);
		int fd = openat(f->root, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		(void)close(fd);
	}
	collect(f, "*", "f*");
	assert_int_equal(f->harvest.n_kept, ST_ARTIFACTS_MAX);
	assert_string_equal(f->harvest.kept[0].path, "f0000");
	assert_string_equal(f->harvest.kept[15].path, "f0015");
	assert_refused(f, "", "more than 256 files match");
	assert_refused(f, "f0016", "as many files");
	assert_int_equal(json_array_size(f->harvest.refused), ST_HARVEST_REFUSED_MAX);
	assert_int_equal(f->harvest.n_unlisted, 256 - 16 + 1 - ST_HARVEST_REFUSED_MAX);
}

static void a_search_without_end_is_ended_and_told(void **state)
{
	struct fixture *f = *state;
	char name[16];
	for (int i = 0; i < 400; i++) { /* 64 patterns read 402 names, and 400 times 3 */
		(void)snprintf(name, sizeof name, "d%03d", i);
		assert_int_equal(mkdirat(f->root, name, 0700), 0);
	}
	char *patterns[ST_ARTIFACT_PATTERNS_MAX];
	for (size_t i = 0; i < ST_ARTIFACT_PATTERNS_MAX; i++) {
		struct st_buf text = {0};
		st_buf_addf(&text, "*/*x%zu", i);
		patterns[i] = st_buf_take(&text);
	}
	st_collect(f->root, patterns, ST_ARTIFACT_PATTERNS_MAX, &f->harvest);
	for (size_t i = 0; i < ST_ARTIFACT_PATTERNS_MAX; i++) {
		st_free(patterns[i]);
	}
	assert_refused(f, "*/*x0", "nothing matches");
	assert_refused(f, "", "the search ended here");
}

static void odd_names_are_told_and_not_kept(void **state)
{
	struct fixture *f = *state;
	put(f, "two\nlines", "x");
	put(f, "caf\xe9", "x");
	put(f, "caf\xc3\xa9", "x");
	put(f, "-rf", "x");
	put(f, "$(id); \"'", "x");
	collect(f, "*", NULL);
	assert_kept(f, "$(id); \"' -rf caf\xc3\xa9 ");
	assert_refused(f, "two\nlines", "control character");
	assert_refused(f, "caf\xef\xbf\xbd", "not UTF-8");
}

static void deep_and_long_paths_are_bounded(void **state)
{
	struct fixture *f = *state;
	char part[256];
	memset(part, 'd', 255);
	part[255] = '\0';
	struct st_buf path = {0};
	for (int i = 0; i < 5; i++) {
		st_buf_addf(&path, "%s%s", i > 0 ? "/" : "", part);
	}
	put(f, path.data, "too long a path");
	collect(f, "*/*/*/*/*", NULL);
	assert_kept(f, "");
	assert_int_equal(json_array_size(f->harvest.refused), 1);
	const json_t *entry = json_array_get(f->harvest.refused, 0);
	assert_non_null(
	    strstr(json_string_value(json_object_get(entry, "reason")), "over 1024 bytes"));
	st_buf_fini(&path);
}

static void another_directory_in_its_place_does_not_matter(void **state)
{
	struct fixture *f = *state;
	char moved[80];
	(void)snprintf(moved, sizeof moved, "%s.moved", f->dir);
	put(f, "passwd", "mine");
	assert_int_equal(rename(f->dir, moved), 0);
	assert_int_equal(symlink("/etc", f->dir), 0);
	collect(f, "passwd", NULL);
	assert_int_equal(unlink(f->dir), 0);
	assert_int_equal(rename(moved, f->dir), 0);
	assert_kept(f, "passwd ");
	assert_string_equal(f->harvest.kept[0].bytes, "mine");
}

static void a_directory_that_could_not_be_opened_is_told(void **state)
{
	struct fixture *f = *state;
	char pattern[] = "a*";
	char *patterns[] = {pattern};
	st_collect(-1, patterns, 1, &f->harvest);
	assert_refused(f, "a*", "could not be opened");
}

static void both_ways_to_open_go_nowhere_else(void **state)
{
	struct fixture *f = *state;
	put(f, "a/b/file", "x");
	assert_int_equal(symlinkat("b", f->root, "a/link"), 0);
	assert_int_equal(symlinkat("file", f->root, "a/b/link"), 0);
	assert_int_equal(symlinkat("..", f->root, "a/up"), 0);
	static const struct {
		const char *path;
		int flags;
		int error; /* 0: it opens */
	} rows[] = {
	    {"a/b/file", O_RDONLY, 0},
	    {"a/b", O_RDONLY | O_DIRECTORY, 0},
	    {".", O_RDONLY | O_DIRECTORY, 0},
	    {"a/b/link", O_PATH, 0}, /* the link itself */
	    {"a/b/none", O_RDONLY, ENOENT},
	    {"a/none/file", O_RDONLY, ENOENT},
	    {"a/b/file/x", O_RDONLY, ENOTDIR},
	    {"a/b/link", O_RDONLY, ELOOP},
	    {"a/link/file", O_RDONLY, ELOOP},
	    {"a/link/file", O_PATH, ELOOP},
	    {"a/link", O_RDONLY | O_DIRECTORY, ELOOP},
	    {"a/up/a/b/file", O_RDONLY, ELOOP},
	    {"..", O_RDONLY | O_DIRECTORY, EXDEV},
	    {"a/../../etc", O_RDONLY | O_DIRECTORY, EXDEV},
	    {"/etc/passwd", O_RDONLY, EXDEV},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (int way = 0; way < 2; way++) {
			int fd = way == 0 ? st_beneath_open(f->root, rows[i].path, rows[i].flags)
					  : st_beneath_open_by_parts(f->root, rows[i].path,
								     rows[i].flags);
			int error = fd < 0 ? errno : 0;
			if (error != rows[i].error) {
				fail_msg("%s, way %d: %s", rows[i].path, way, strerror(error));
			}
			if (fd >= 0) {
				assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
				(void)close(fd);
			}
		}
	}
	int slash = st_workdir_open("/");
	for (int way = 0; way < 2; way++) {
		int fd = way == 0 ? st_beneath_open(slash, "proc/self/environ", O_RDONLY)
				  : st_beneath_open_by_parts(slash, "proc/self/environ", O_RDONLY);
		assert_int_equal(fd, -1); /* another file system, and our own secrets */
		assert_true(errno == EXDEV || errno == ELOOP);
	}
	(void)close(slash);
}

/* As an ordinary user: in a child, because there is no way back. */
static void collect_as_nobody(struct fixture *f)
{
	char *patterns[] = {st_strdup("*"), st_strdup("shut/*"), st_strdup("shut/x")};
	if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
		_exit(9);
	}
	st_collect(f->root, patterns, 3, &f->harvest);
	bool good = f->harvest.n_kept == 1 && strcmp(f->harvest.kept[0].path, "mine") == 0 &&
		    strstr(reason_for(f, "locked"), "Permission denied") != NULL &&
		    strstr(reason_for(f, "shut"), "Permission denied") != NULL &&
		    strstr(reason_for(f, "shut/x"), "Permission denied") != NULL;
	_exit(good ? 0 : 1);
}

static void what_an_ordinary_user_may_not_read_is_told(void **state)
{
	struct fixture *f = *state;
	put(f, "mine", "x");
	put(f, "locked", "x");
	put(f, "shut/x", "x");
	static const char *const paths[] = {".", "mine", "locked", "shut", "shut/x"};
	for (size_t i = 0; geteuid() == 0 && i < sizeof paths / sizeof paths[0]; i++) {
		assert_int_equal(fchownat(f->root, paths[i], 65534, 65534, 0), 0);
	}
	assert_int_equal(fchmodat(f->root, "locked", 0, 0), 0);
	assert_int_equal(fchmodat(f->root, "shut", 0, 0), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		collect_as_nobody(f);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(what_matches_comes_out_whole_and_in_order),
	    T(a_star_may_stand_for_a_directory),
	    T(a_pattern_that_finds_nothing_is_told),
	    T(links_out_of_the_directory_give_nothing),
	    T(a_star_over_a_linked_directory_gives_nothing),
	    T(a_second_name_of_somebodys_file_gives_nothing),
	    T(pipes_sockets_and_devices_are_not_even_opened),
	    T(a_sparse_giant_is_not_read),
	    T(files_keep_to_their_size_and_to_that_of_all),
	    T(ten_thousand_files_give_sixteen_and_a_word_on_the_rest),
	    T(a_search_without_end_is_ended_and_told),
	    T(odd_names_are_told_and_not_kept),
	    T(deep_and_long_paths_are_bounded),
	    T(another_directory_in_its_place_does_not_matter),
	    T(a_directory_that_could_not_be_opened_is_told),
	    T(both_ways_to_open_go_nowhere_else),
	    T(what_an_ordinary_user_may_not_read_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
