/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything here runs in a forked copy of a process with threads, so neither stdio nor opendir nor
 * malloc may be used: another thread may have held their locks at the moment of the fork.
 */
#include "sandbox/io/lineage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static ssize_t read_some(int fd, char *buf, size_t size)
{
	ssize_t n = 0;
	do {
		n = read(fd, buf, size);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* Puts `/proc/<pid><end>` into path. */
static void proc_path(char path[64], pid_t pid, const char *end)
{
	char digits[16];
	size_t n = 0;
	for (unsigned rest = (unsigned)pid; rest > 0 || n == 0; rest /= 10) {
		digits[n++] = (char)('0' + rest % 10);
	}
	char *to = path;
	memcpy(to, "/proc/", 6);
	to += 6;
	while (n > 0) {
		*to++ = digits[--n];
	}
	memcpy(to, end, strlen(end) + 1);
}

/* Reads numbers separated by blanks; a number may be cut by the end of a read. */
static size_t read_numbers(int fd, pid_t *pids, size_t max)
{
	char buf[1024];
	size_t count = 0;
	pid_t number = 0;
	ssize_t n = 0;
	while (count < max && (n = read_some(fd, buf, sizeof buf)) > 0) {
		for (ssize_t i = 0; i < n && count < max; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				number = number * 10 + (buf[i] - '0');
			} else if (number > 0) {
				pids[count++] = number;
				number = 0;
			}
		}
	}
	return count;
}

size_t st_children_list(pid_t *pids, size_t max)
{
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return st_children_scan(pids, max);
	}
	size_t n = read_numbers(fd, pids, max);
	(void)close(fd);
	return n;
}

/* The parent of a process, from the 4th field of its stat; 0 when it is gone. The 2nd field is its
 * name in parentheses and may itself hold blanks and parentheses: count from the last one. */
static pid_t parent_of(pid_t pid)
{
	char path[64];
	char buf[512];
	proc_path(path, pid, "/stat");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return 0;
	}
	ssize_t n = read_some(fd, buf, sizeof buf - 1);
	(void)close(fd);
	if (n <= 0) {
		return 0;
	}
	buf[n] = '\0';
	const char *p = strrchr(buf, ')');
	if (p == NULL || strlen(p) < 5) {
		return 0;
	}
	pid_t parent = 0;
	for (p += 4; *p >= '0' && *p <= '9'; p++) {
		parent = parent * 10 + (*p - '0');
	}
	return parent;
}

static pid_t name_to_pid(const char *name)
{
	pid_t pid = 0;
	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9' || pid > 100000000) {
			return 0;
		}
		pid = pid * 10 + (*name - '0');
	}
	return pid;
}

size_t st_children_scan(pid_t *pids, size_t max)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return 0;
	}
	_Alignas(struct dirent64) char buf[4096];
	pid_t self = getpid();
	size_t count = 0;
	long n = 0;
	while (count < max && (n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0) {
		for (long at = 0; at < n && count < max;) {
			const struct dirent64 *entry = (const void *)(buf + at);
			pid_t pid = name_to_pid(entry->d_name);
			if (pid > 0 && parent_of(pid) == self) {
				pids[count++] = pid;
			}
			at += entry->d_reclen;
		}
	}
	(void)close(fd);
	return count;
}
