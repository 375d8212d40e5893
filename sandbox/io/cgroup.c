/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. There are three kinds of machine. Version 2 alone: one group serves all
 * uses. Version 1 alone: a group in each controller's hierarchy, and nothing that kills at once.
 * Hybrid: the limits are in version 1, and an empty version 2 beside it still kills at once. So
 * each use has a home of its own, and a job has one group, under one name, in all homes.
 *
 * A name says which process made it (number and time of start), so that after a crash the next
 * daemon knows which groups are nobody's. Groups are made below the group that we are in ourselves:
 * limits that were put on us hold for the jobs, too.
 *
 * In version 2 a group that hands controllers down may hold no process itself. Where we are alone
 * in our group, as a service is that systemd delegates one to, we move into one below it; where
 * others are in it, it is not ours to change, and there are no limits by group.
 */
#include "sandbox/io/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES = 4096, REMOVE_TRIES = 200, CPU_PERIOD_US = 100000 };

/* Processes of ours that are in the group beside the job's: outside and inside of the box. */
enum { OWN_PIDS = 2 };

static const char own_prefix[] = "stint-";

const char *st_cgroup_use_name(enum st_cgroup_use use)
{
	static const char *const names[] = {
#define X(name, text) [ST_CGROUP_##name] = (text),
	    ST_CGROUP_USE_X(X)
#undef X
	};
	return names[use];
}

static bool read_file(const char *path, char text[FILE_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, FILE_BYTES - 1);
	if (fd >= 0) {
		(void)close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	return n >= 0;
}

static bool read_below(const char *folder, const char *name, char text[FILE_BYTES])
{
	char path[ST_CGROUP_PATH_MAX + 192];
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	return read_file(path, text);
}

static bool write_below(const char *folder, const char *name, const char *text)
{
	char path[ST_CGROUP_PATH_MAX + 192];
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		return false;
	}
	bool done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	int saved = errno;
	(void)close(fd);
	errno = saved;
	return done;
}

static bool write_number(const char *folder, const char *name, int64_t number)
{
	char text[24];
	(void)snprintf(text, sizeof text, "%lld", (long long)number);
	return write_below(folder, name, text);
}

/* The number behind a word at the beginning of a line, or -1. "" stands for the whole file. */
static int64_t number_of(const char *folder, const char *name, const char *word)
{
	char text[FILE_BYTES];
	if (!read_below(folder, name, text)) {
		return -1;
	}
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n' ? 1 : 0;
		size_t len = strlen(word);
		if (strncmp(line, word, len) == 0 && (len == 0 || line[len] == ' ')) {
			return strtoll(line + len, NULL, 10);
		}
	}
	return -1;
}

/* A word is among those between commas or blanks. */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);
	for (const char *at = list; (at = strstr(at, word)) != NULL; at += len) {
		bool begins = at == list || strchr(", \n", at[-1]) != NULL;
		if (begins && (at[len] == '\0' || strchr(", \n", at[len]) != NULL)) {
			return true;
		}
	}
	return false;
}

/* Our own path in a hierarchy: the line "N:CONTROLLERS:PATH" of /proc/self/cgroup; for version 2
 * the controllers are empty. */
static bool own_path(const char *controller, char out[ST_CGROUP_PATH_MAX])
{
	char text[FILE_BYTES];
	if (!read_file("/proc/self/cgroup", text)) {
		return false;
	}
	char *rest = text;
	for (char *line = NULL; (line = strsep(&rest, "\n")) != NULL;) {
		char *controllers = strchr(line, ':');
		char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
		if (path == NULL) {
			continue;
		}
		*path = '\0';
		bool is = controller == NULL ? controllers[1] == '\0'
					     : has_word(controllers + 1, controller);
		if (is) {
			const char *below = strcmp(path + 1, "/") == 0 ? "" : path + 1;
			(void)snprintf(out, ST_CGROUP_PATH_MAX, "%s", below);
			return true;
		}
	}
	return false;
}

/* Where a hierarchy is mounted. */
static bool mount_point(const char *controller, char out[ST_CGROUP_PATH_MAX])
{
	char line[FILE_BYTES];
	bool found = false;
	FILE *mounts = fopen("/proc/self/mounts", "re");
	while (mounts != NULL && !found && fgets(line, sizeof line, mounts) != NULL) {
		char *rest = line;
		(void)strsep(&rest, " ");
		const char *path = strsep(&rest, " ");
		const char *type = strsep(&rest, " ");
		const char *flags = strsep(&rest, " ");
		if (flags == NULL) {
			continue;
		}
		found = controller == NULL
			    ? strcmp(type, "cgroup2") == 0
			    : strcmp(type, "cgroup") == 0 && has_word(flags, controller);
		if (found) {
			(void)snprintf(out, ST_CGROUP_PATH_MAX, "%s", path);
		}
	}
	if (mounts != NULL) {
		(void)fclose(mounts);
	}
	return found;
}

/* The group that we are in, if we may make others below it. */
static bool find_own(const char *controller, char out[ST_CGROUP_PATH_MAX])
{
	char mounted[ST_CGROUP_PATH_MAX];
	char below[ST_CGROUP_PATH_MAX];
	if (!mount_point(controller, mounted) || !own_path(controller, below)) {
		return false;
	}
	int n = snprintf(out, ST_CGROUP_PATH_MAX, "%s%s", mounted, below);
	return n > 0 && n < ST_CGROUP_PATH_MAX && access(out, W_OK) == 0;
}

static bool alone_in(const char *folder)
{
	char text[FILE_BYTES];
	return read_below(folder, "cgroup.procs", text) &&
	       strtol(text, NULL, 10) == (long)getpid() &&
	       strchr(text, '\n') == strrchr(text, '\n');
}

/* Version 2: hands the controllers that we need down from our own group. */
static bool hand_down(char folder[ST_CGROUP_PATH_MAX])
{
	static const char wanted[] = "+memory +pids +cpu";
	char controllers[FILE_BYTES];
	char text[ST_CGROUP_PATH_MAX + 32];
	if (!read_below(folder, "cgroup.controllers", controllers) ||
	    !has_word(controllers, "memory") || !has_word(controllers, "pids") ||
	    !has_word(controllers, "cpu")) {
		return false;
	}
	if (write_below(folder, "cgroup.subtree_control", wanted)) {
		return true;
	}
	if (errno != EBUSY || !alone_in(folder)) {
		return false;
	}
	(void)snprintf(text, sizeof text, "%s/stint-daemon", folder);
	return (mkdir(text, 0755) == 0 || errno == EEXIST) &&
	       write_below(text, "cgroup.procs", "0") &&
	       write_below(folder, "cgroup.subtree_control", wanted);
}

/* When a process started, in the kernel's ticks; 0: there is none. */
static unsigned long long started_at(long pid)
{
	char path[64];
	char text[FILE_BYTES];
	(void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	if (!read_file(path, text)) {
		return 0;
	}
	/* The 2nd field may hold anything; the 22nd is the 20th behind it. */
	const char *at = strrchr(text, ')');
	for (int field = 0; at != NULL && field < 20; field++) {
		at = strchr(at + 1, ' ');
	}
	return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

static void kill_members(const char *folder)
{
	char text[FILE_BYTES];
	if (write_below(folder, "cgroup.kill", "1") || !read_below(folder, "cgroup.procs", text)) {
		return;
	}
	for (char *at = text; *at != '\0';) {
		char *end = at;
		long pid = strtol(at, &end, 10);
		if (end == at) {
			return;
		}
		if (pid > 1) {
			(void)kill((pid_t)pid, SIGKILL);
		}
		at = *end == '\n' ? end + 1 : end;
	}
}

static void remove_folder(const char *folder)
{
	for (int i = 0; i < REMOVE_TRIES && rmdir(folder) != 0 && errno == EBUSY; i++) {
		kill_members(folder);
		(void)poll(NULL, 0, 5);
	}
}

/* "stint-PID.START-NAME": nobody's when that process is gone. */
static bool is_nobodys(const char *name)
{
	char *end = NULL;
	if (strncmp(name, own_prefix, sizeof own_prefix - 1) != 0) {
		return false;
	}
	long pid = strtol(name + sizeof own_prefix - 1, &end, 10);
	if (pid <= 0 || *end != '.') {
		return false;
	}
	unsigned long long start = strtoull(end + 1, &end, 10);
	return *end == '-' && started_at(pid) != start;
}

static void remove_leftovers(const char *folder)
{
	char path[ST_CGROUP_PATH_MAX + 256];
	DIR *directory = opendir(folder);
	const struct dirent *entry = NULL;
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		if (entry->d_type == DT_DIR && is_nobodys(entry->d_name)) {
			(void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
			kill_members(path);
			remove_folder(path);
		}
	}
	if (directory != NULL) {
		(void)closedir(directory);
	}
}

void st_cgroup_home_find(struct st_cgroup_home *home)
{
	char second[ST_CGROUP_PATH_MAX];
	*home = (struct st_cgroup_home){0};
	bool has_second = find_own(NULL, second);
	bool limits = has_second && hand_down(second);
	for (int use = 0; use < ST_CGROUP_USE_COUNT; use++) {
		bool by_second = use == ST_CGROUP_KILL ? has_second : limits;
		const char *name = st_cgroup_use_name((enum st_cgroup_use)use);
		if (by_second) {
			home->of[use].version = 2;
			(void)snprintf(home->of[use].path, ST_CGROUP_PATH_MAX, "%s", second);
		} else if (use != ST_CGROUP_KILL && find_own(name, home->of[use].path)) {
			home->of[use].version = 1;
		}
		if (home->of[use].version != 0) {
			remove_leftovers(home->of[use].path);
		}
	}
	(void)snprintf(home->prefix, sizeof home->prefix, "%s%ld.%llu-", own_prefix, (long)getpid(),
		       started_at((long)getpid()));
}

static void folder_of(const struct st_cgroup *group, int use, char out[ST_CGROUP_PATH_MAX + 128])
{
	(void)snprintf(out, ST_CGROUP_PATH_MAX + 128, "%s/%s", group->home->of[use].path,
		       group->name);
}

static bool set_memory(const char *folder, int version, int64_t bytes)
{
	if (version == 2) {
		(void)write_number(folder, "memory.swap.max", 0);
		(void)write_number(folder, "memory.oom.group", 1);
		return write_number(folder, "memory.max", bytes);
	}
	bool done = write_number(folder, "memory.limit_in_bytes", bytes);
	(void)write_number(folder, "memory.memsw.limit_in_bytes", bytes);
	return done;
}

static bool set_cpu(const char *folder, int version, int64_t percent)
{
	int64_t quota_us = percent * (CPU_PERIOD_US / 100);
	if (version == 2) {
		char text[64];
		(void)snprintf(text, sizeof text, "%lld %d", (long long)quota_us, CPU_PERIOD_US);
		return write_below(folder, "cpu.max", text);
	}
	return write_number(folder, "cpu.cfs_period_us", CPU_PERIOD_US) &&
	       write_number(folder, "cpu.cfs_quota_us", quota_us);
}

static bool set_limit(const char *folder, int use, int version, const struct st_box_limits *limits)
{
	switch ((enum st_cgroup_use)use) {
	case ST_CGROUP_MEMORY:
		return set_memory(folder, version, limits->memory_bytes);
	case ST_CGROUP_PIDS:
		return write_number(folder, "pids.max", limits->processes + OWN_PIDS);
	case ST_CGROUP_CPU:
		return set_cpu(folder, version, limits->cpu_percent);
	case ST_CGROUP_KILL:
	case ST_CGROUP_USE_COUNT:
		break;
	}
	return true;
}

int st_cgroup_make(const struct st_cgroup_home *home, const struct st_box_limits *limits, pid_t pid,
		   struct st_cgroup *out, struct st_diag *diag)
{
	struct st_cgroup group = {.home = home};
	(void)snprintf(group.name, sizeof group.name, "%s%ld", home->prefix, (long)pid);
	for (int use = 0; use < ST_CGROUP_USE_COUNT; use++) {
		char folder[ST_CGROUP_PATH_MAX + 128];
		if (home->of[use].version == 0) {
			continue;
		}
		folder_of(&group, use, folder);
		if ((mkdir(folder, 0755) != 0 && errno != EEXIST) ||
		    !set_limit(folder, use, home->of[use].version, limits) ||
		    !write_number(folder, "cgroup.procs", pid)) {
			int rc =
			    st_fail(diag, ST_ERR_IO, "the job's %s cannot be bounded in %s: %s",
				    st_cgroup_use_name((enum st_cgroup_use)use), home->of[use].path,
				    strerror(errno));
			(void)kill(pid, SIGKILL);
			st_cgroup_remove(&group);
			return rc;
		}
	}
	*out = group;
	return ST_OK;
}

void st_cgroup_kill(const struct st_cgroup *group)
{
	char folder[ST_CGROUP_PATH_MAX + 128];
	if (group->home != NULL && group->home->of[ST_CGROUP_KILL].version != 0) {
		folder_of(group, ST_CGROUP_KILL, folder);
		(void)write_below(folder, "cgroup.kill", "1");
	}
}

void st_cgroup_measure(const struct st_cgroup *group, struct st_cgroup_usage *out)
{
	char memory[ST_CGROUP_PATH_MAX + 128];
	char pids[ST_CGROUP_PATH_MAX + 128];
	char cpu[ST_CGROUP_PATH_MAX + 128];
	*out = (struct st_cgroup_usage){-1, -1, -1, -1};
	if (group->home == NULL) {
		return;
	}
	folder_of(group, ST_CGROUP_MEMORY, memory);
	folder_of(group, ST_CGROUP_PIDS, pids);
	folder_of(group, ST_CGROUP_CPU, cpu);
	int version = group->home->of[ST_CGROUP_MEMORY].version;
	if (version == 2) {
		out->memory_peak_bytes = number_of(memory, "memory.peak", "");
		out->oom_kills = number_of(memory, "memory.events", "oom_kill");
		int64_t cpu_us = number_of(cpu, "cpu.stat", "usage_usec");
		out->cpu_ms = cpu_us < 0 ? -1 : cpu_us / 1000;
	} else if (version == 1) {
		out->memory_peak_bytes = number_of(memory, "memory.max_usage_in_bytes", "");
		out->oom_kills = number_of(memory, "memory.oom_control", "oom_kill");
	}
	if (group->home->of[ST_CGROUP_PIDS].version != 0) {
		out->pids_refused = number_of(pids, "pids.events", "max");
	}
}

void st_cgroup_remove(struct st_cgroup *group)
{
	for (int use = ST_CGROUP_USE_COUNT - 1; group->home != NULL && use >= 0; use--) {
		char folder[ST_CGROUP_PATH_MAX + 128];
		if (group->home->of[use].version != 0) {
			folder_of(group, use, folder);
			remove_folder(folder);
		}
	}
	*group = (struct st_cgroup){0};
}
