/* SPDX-License-Identifier: Apache-2.0 */
/* What does a job find around it: which files, how much room, how many of everything? */
#ifndef ST_SANDBOX_SCENE_H
#define ST_SANDBOX_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/box.h"
#include "schemas/buf.h"

#define ST_SCENE_MOUNTS_MAX 256
#define ST_SCENE_WORKDIR "/work" /* of a job without a directory of its own */
#define ST_SCENE_TMP "/tmp"

enum st_mount_kind {
	ST_MOUNT_READ,	/* what is there outside, read-only */
	ST_MOUNT_WRITE, /* the same, to be changed */
	ST_MOUNT_DEVICE,
	ST_MOUNT_TMPFS, /* empty, of `bytes` and `files` at most */
	ST_MOUNT_PROC,
	ST_MOUNT_DEVPTS,
	ST_MOUNT_LINK, /* a symbolic link to `from` */
	ST_MOUNT_TEXT, /* a file that holds `from` */
	ST_MOUNT_KIND_COUNT,
};

/* One thing in the box. Owned strings. */
struct st_mount {
	enum st_mount_kind kind;
	char *from; /* NULL where nothing outside stands for it */
	char *to;
	int64_t bytes;
	int64_t files;
	bool owned; /* it belongs to the job's user */
};

/* In order: what lies below another stands behind it. */
struct st_scene {
	struct st_mount *mounts;
	size_t n_mounts;
	bool own_workdir; /* the work directory is made in the box */
};

enum st_host_kind { ST_HOST_ABSENT, ST_HOST_DIRECTORY, ST_HOST_FILE, ST_HOST_LINK };

/* What is at a path outside; `target` only for a link. */
struct st_host_path {
	enum st_host_kind kind;
	char target[256];
};

/* The paths that a scene may be made of; the answers stand in the same order. Ended by NULL. */
#define ST_SCENE_PATHS_MAX 64
extern const char *const st_scene_paths[];

/*
 * Fills out. `host` answers st_scene_paths; `read_only` are the operator's own, n of them.
 * `workdir` is a directory outside that the job is given, at the same path, or NULL: then it gets
 * an empty one at ST_SCENE_WORKDIR, of limits->disk_bytes.
 */
void st_scene_make(const struct st_host_path *host, const struct st_box_options *options,
		   const char *workdir, struct st_scene *out);
void st_scene_fini(struct st_scene *scene);
/* Adds one line for each mount. */
void st_scene_print(const struct st_scene *scene, struct st_buf *buf);

#endif
