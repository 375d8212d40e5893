/* SPDX-License-Identifier: Apache-2.0 */
/* What can this machine give to a box? */
#ifndef ST_SANDBOX_IO_HOST_H
#define ST_SANDBOX_IO_HOST_H

#include <stdbool.h>

#include "sandbox/io/cgroup.h"
#include "sandbox/scene.h"
#include "schemas/buf.h"
#include "schemas/err.h"

/* Looked at once, when the daemon starts, and then only read. */
struct st_host {
	int program_fd; /* the keeper */
	struct st_buf filter;
	bool root;    /* we may become, and mount, what we like */
	int landlock; /* ABI; 0: none */
	struct st_cgroup_home cgroups;
	struct st_host_path paths[ST_SCENE_PATHS_MAX];
	char fault[256]; /* why there can be no box; "": there can */
};

/* Looks, and makes one box to see whether it stands. Where it does not, the host is given all
 * the same, with its fault. ST_ERR_IO only when no job can be run at all. */
int st_host_new(struct st_host **out, struct st_diag *diag);
void st_host_free(struct st_host *host);

/* The order for a plan that was placed, in a sealed file; -1 and errno. `scene` is NULL for no box.
 */
struct st_job_plan;
int st_host_order(const struct st_host *host, const struct st_job_plan *plan,
		  const struct st_scene *scene, const struct st_box_limits *limits);

#endif
