/* SPDX-License-Identifier: Apache-2.0 */
/* How is a group of processes bounded, measured and ended as one? */
#ifndef ST_SANDBOX_IO_CGROUP_H
#define ST_SANDBOX_IO_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "schemas/box.h"
#include "schemas/err.h"

#define ST_CGROUP_PATH_MAX 512

/* What a group is used for; each may stand in a hierarchy of its own. X(NAME, "name") */
#define ST_CGROUP_USE_X(X)                                                                         \
	X(MEMORY, "memory")                                                                        \
	X(PIDS, "pids")                                                                            \
	X(CPU, "cpu")                                                                              \
	X(KILL, "kill") /* ends all at once; version 2 only */

enum st_cgroup_use {
#define X(name, text) ST_CGROUP_##name,
	ST_CGROUP_USE_X(X)
#undef X
	    ST_CGROUP_USE_COUNT
};
const char *st_cgroup_use_name(enum st_cgroup_use use);

/* Where this process may make groups. Looked at once. */
struct st_cgroup_home {
	struct {
		int version;		       /* 1, 2, or 0: it cannot be had */
		char path[ST_CGROUP_PATH_MAX]; /* new groups are made in it */
	} of[ST_CGROUP_USE_COUNT];
	char prefix[64]; /* of the names of our groups: which process made them */
};

/*
 * Finds out, and removes groups of daemons that are gone, with every process in them: so a job
 * whose daemon was killed is found again here, and ended.
 */
void st_cgroup_home_find(struct st_cgroup_home *home);

/* One job's group. All-zero is none. */
struct st_cgroup {
	const struct st_cgroup_home *home;
	char name[96];
};

/* Makes it with its limits, and puts the process in. Failures: ST_ERR_IO; then nothing is left. */
int st_cgroup_make(const struct st_cgroup_home *home, const struct st_box_limits *limits, pid_t pid,
		   struct st_cgroup *out, struct st_diag *diag);
/* KILL to all in it, where the kernel can do that at once. */
void st_cgroup_kill(const struct st_cgroup *group);

/* What it used; -1: not known. */
struct st_cgroup_usage {
	int64_t cpu_ms;
	int64_t memory_peak_bytes;
	int64_t oom_kills;
	int64_t pids_refused; /* processes that were not made */
};
void st_cgroup_measure(const struct st_cgroup *group, struct st_cgroup_usage *out);
/* Removes it; what still lives in it is ended first. May wait a little. */
void st_cgroup_remove(struct st_cgroup *group);

#endif
