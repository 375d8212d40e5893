/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/io/host.h"

#include <assert.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/io/filter.h"
#include "sandbox/io/spawn.h"
#include "sandbox/order.h"
#include "sandbox/plan.h"
#include "schemas/mem.h"

enum { TRIAL_MS = 10000 };

/* program.S */
extern const char st_keeper_program[];
extern const char st_keeper_program_end[];

static int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return abi < 0 ? 0 : (int)abi;
}

/* Root in name is not enough: in a container it often is only that. */
static bool is_root(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}};
	const uint32_t needed = 1U << CAP_SYS_ADMIN | 1U << CAP_SETUID | 1U << CAP_SETGID |
				1U << CAP_SETPCAP | 1U << CAP_CHOWN | 1U << CAP_NET_ADMIN;
	return geteuid() == 0 && syscall(SYS_capget, &header, data) == 0 &&
	       (data[0].effective & needed) == needed;
}

static void look_at(const char *path, struct st_host_path *out)
{
	struct stat info;
	if (lstat(path, &info) != 0) {
		return;
	}
	if (S_ISLNK(info.st_mode)) {
		ssize_t n = readlink(path, out->target, sizeof out->target - 1);
		out->kind =
		    n > 0 && (size_t)n < sizeof out->target - 1 ? ST_HOST_LINK : ST_HOST_ABSENT;
	} else if (S_ISDIR(info.st_mode)) {
		out->kind = ST_HOST_DIRECTORY;
	} else if (S_ISREG(info.st_mode)) {
		out->kind = ST_HOST_FILE;
	}
}

int st_host_order(const struct st_host *host, const struct st_job_plan *plan,
		  const struct st_scene *scene, const struct st_box_limits *limits)
{
	/* By process what cannot be bounded for all together; and only in a box, since elsewhere
	 * the job's user has other processes. */
	bool each_memory = scene != NULL && host->cgroups.of[ST_CGROUP_MEMORY].version == 0;
	bool each_user = scene != NULL && host->cgroups.of[ST_CGROUP_PIDS].version == 0;
	const struct st_order_parts parts = {
	    .plan = plan,
	    .scene = scene,
	    .filter = host->filter.data,
	    .filter_bytes = host->filter.len,
	    .head =
		{
		    .become = host->root,
		    .landlock = host->landlock,
		    .fresh = scene != NULL && scene->own_workdir,
		    .sweep_ms = ST_JOB_SWEEP_MS,
		    .files_max = limits->open_files,
		    .processes_max = each_user ? limits->processes : -1,
		    .data_bytes = each_memory ? limits->memory_bytes : -1,
		    .file_bytes = scene != NULL && !scene->own_workdir ? limits->disk_bytes : -1,
		},
	};
	struct st_buf order = {0};
	st_order_make(&parts, &order);
	int fd = st_spawn_file("stint-order", order.data, order.len);
	st_buf_fini(&order);
	return fd;
}

/* Waits for the box to stand, or to say why it does not. */
static void judge_trial(struct st_host *host, const struct st_spawned *trial,
			const struct st_scene *scene)
{
	static const char *const stages[ST_KEEPER_STAGE_COUNT] = {
#define X(name, text) text,
	    ST_KEEPER_STAGE_X(X)
#undef X
	};
	struct st_keeper_note note = {0};
	int fd = -1;
	struct pollfd polled = {.fd = trial->control_fd, .events = POLLIN};
	(void)poll(&polled, 1, TRIAL_MS);
	int heard = st_spawn_hear(trial, &note, &fd);
	if (fd >= 0) {
		(void)close(fd);
	}
	if (heard == 1 && note.kind == ST_KEEPER_READY) {
		return;
	}
	if (heard != 1 || note.kind != ST_KEEPER_NOT_STARTED) {
		(void)snprintf(host->fault, sizeof host->fault,
			       "a box that was made on trial gave no answer");
		return;
	}
	bool mount = note.detail >= 0 && (size_t)note.detail < scene->n_mounts;
	(void)snprintf(host->fault, sizeof host->fault, "%s%s%s: %s", stages[note.stage],
		       mount ? ", at " : "", mount ? scene->mounts[note.detail].to : "",
		       strerror(note.value));
}

/* Makes a box for a job without anything special, and lets it go again. */
static void try_box(struct st_host *host)
{
	const struct st_job_caps caps = {INT64_MAX, INT64_MAX, INT64_MAX};
	const struct st_box_options options = st_box_options_default();
	struct st_job_spec spec = {
	    .commands = json_pack("[s]", "true"), .soft_ms = 1, .hard_ms = 2};
	struct st_job_plan *plan = NULL;
	struct st_scene scene;
	struct st_spawned trial = st_spawn_none();
	struct st_diag diag = {0};
	int rc = st_job_plan_make(&spec, &caps, &plan, &diag);
	assert(rc == ST_OK);
	st_job_plan_place(plan, ST_SCENE_WORKDIR, ST_SCENE_TMP);
	st_scene_make(host->paths, &options, NULL, &scene);
	int order = st_host_order(host, plan, &scene, &options.limits);
	if (order < 0 || st_spawn(host->program_fd, order, true, &trial, &diag) != ST_OK) {
		(void)snprintf(host->fault, sizeof host->fault, "%.200s",
			       order < 0 ? strerror(errno) : diag.text);
	} else {
		st_spawn_tell(&trial, ST_KEEPER_TERM); /* there is nobody to hear it */
		judge_trial(host, &trial, &scene);
	}
	st_spawn_cut(&trial);
	st_spawn_reap(&trial);
	st_spawn_close(&trial);
	if (order >= 0) {
		(void)close(order);
	}
	st_scene_fini(&scene);
	st_job_plan_free(plan);
	st_job_spec_fini(&spec);
}

int st_host_new(struct st_host **out, struct st_diag *diag)
{
	struct st_host *host = st_alloc(sizeof *host);
	struct st_diag why = {0};
	size_t len = (size_t)(st_keeper_program_end - st_keeper_program);
	host->root = is_root();
	host->landlock = landlock_abi();
	st_cgroup_home_find(&host->cgroups);
	host->program_fd = st_spawn_file("stint-keeper", st_keeper_program, len);
	if (host->program_fd < 0) {
		int rc =
		    st_fail(diag, ST_ERR_IO, "jobs cannot be run, their keeper has no place: %s",
			    strerror(errno));
		st_host_free(host);
		return rc;
	}
	for (size_t i = 0; st_scene_paths[i] != NULL; i++) {
		assert(i < ST_SCENE_PATHS_MAX);
		look_at(st_scene_paths[i], &host->paths[i]);
	}
	if (geteuid() == 0 && !host->root) {
		(void)snprintf(host->fault, sizeof host->fault,
			       "stint runs as root, but without the rights to make a job another "
			       "user: run it as an ordinary user, or with CAP_SYS_ADMIN");
	} else if (st_filter_make(&host->filter, &why) != ST_OK) {
		(void)snprintf(host->fault, sizeof host->fault, "%.200s", why.text);
	} else {
		try_box(host);
	}
	*out = host;
	return ST_OK;
}

void st_host_free(struct st_host *host)
{
	if (host == NULL) {
		return;
	}
	if (host->program_fd >= 0) {
		(void)close(host->program_fd);
	}
	st_buf_fini(&host->filter);
	st_free(host);
}
