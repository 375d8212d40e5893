/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/scene.h"

#include <assert.h>
#include <string.h>

#include "schemas/mem.h"

enum { SHM_FILES = 4096, TMP_FILES = 100000 };

/* The programs, and of /etc what programs need to run at all. Neither secrets nor the host's users
 * are among it: /etc as a whole stays outside. */
const char *const st_scene_paths[] = {
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    NULL,
};

static const struct {
	const char *to;
	const char *text;
} texts[] = {
    {"/etc/hosts", "127.0.0.1 localhost stint\n::1 localhost\n"},
    {"/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
};

static const struct {
	const char *to;
	const char *from;
} dev_links[] = {
    {"/dev/fd", "/proc/self/fd"},	{"/dev/ptmx", "pts/ptmx"},
    {"/dev/stderr", "/proc/self/fd/2"}, {"/dev/stdin", "/proc/self/fd/0"},
    {"/dev/stdout", "/proc/self/fd/1"},
};

static const char *const devices[] = {"/dev/full", "/dev/null", "/dev/random", "/dev/urandom",
				      "/dev/zero"};

static struct st_mount *add(struct st_scene *scene, enum st_mount_kind kind, const char *from,
			    const char *to)
{
	assert(scene->n_mounts < ST_SCENE_MOUNTS_MAX);
	assert(to[0] == '/');
	struct st_mount *mount = &scene->mounts[scene->n_mounts++];
	*mount = (struct st_mount){.kind = kind, .from = st_strdup(from), .to = st_strdup(to)};
	return mount;
}

static void add_host(struct st_scene *scene, const char *path, const struct st_host_path *host)
{
	switch (host->kind) {
	case ST_HOST_ABSENT:
		return;
	case ST_HOST_LINK:
		(void)add(scene, ST_MOUNT_LINK, host->target, path);
		return;
	case ST_HOST_DIRECTORY:
	case ST_HOST_FILE:
		(void)add(scene, ST_MOUNT_READ, path, path);
		return;
	}
	assert(false);
}

static void add_dev(struct st_scene *scene, const struct st_box_limits *limits)
{
	for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
		(void)add(scene, ST_MOUNT_DEVICE, devices[i], devices[i]);
	}
	for (size_t i = 0; i < sizeof dev_links / sizeof dev_links[0]; i++) {
		(void)add(scene, ST_MOUNT_LINK, dev_links[i].from, dev_links[i].to);
	}
	(void)add(scene, ST_MOUNT_DEVPTS, NULL, "/dev/pts");
	struct st_mount *shm = add(scene, ST_MOUNT_TMPFS, NULL, "/dev/shm");
	shm->bytes = limits->tmp_bytes;
	shm->files = SHM_FILES;
	shm->owned = true;
}

static void add_tmp(struct st_scene *scene, const struct st_box_limits *limits)
{
	struct st_mount *tmp = add(scene, ST_MOUNT_TMPFS, NULL, ST_SCENE_TMP);
	tmp->bytes = limits->tmp_bytes;
	tmp->files = TMP_FILES;
	tmp->owned = true;
}

static void add_work(struct st_scene *scene, const struct st_box_limits *limits,
		     const char *workdir)
{
	scene->own_workdir = workdir == NULL;
	if (workdir != NULL) {
		(void)add(scene, ST_MOUNT_WRITE, workdir, workdir);
		return;
	}
	struct st_mount *work = add(scene, ST_MOUNT_TMPFS, NULL, ST_SCENE_WORKDIR);
	work->bytes = limits->disk_bytes;
	work->files = limits->disk_files;
	work->owned = true;
}

void st_scene_make(const struct st_host_path *host, const struct st_box_options *options,
		   const char *workdir, struct st_scene *out)
{
	*out = (struct st_scene){0};
	out->mounts = st_alloc_array(ST_SCENE_MOUNTS_MAX, sizeof out->mounts[0]);
	for (size_t i = 0; st_scene_paths[i] != NULL; i++) {
		add_host(out, st_scene_paths[i], &host[i]);
	}
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		(void)add(out, ST_MOUNT_TEXT, texts[i].text, texts[i].to);
	}
	(void)add(out, ST_MOUNT_PROC, NULL, "/proc");
	add_dev(out, &options->limits);
	add_tmp(out, &options->limits);
	for (size_t i = 0; i < options->n_read_only; i++) {
		(void)add(out, ST_MOUNT_READ, options->read_only[i], options->read_only[i]);
	}
	/* Last, so that nothing covers it. */
	add_work(out, &options->limits, workdir);
}

void st_scene_fini(struct st_scene *scene)
{
	for (size_t i = 0; i < scene->n_mounts; i++) {
		st_free(scene->mounts[i].from);
		st_free(scene->mounts[i].to);
	}
	st_free(scene->mounts);
	*scene = (struct st_scene){0};
}

static const char *kind_name(enum st_mount_kind kind)
{
	static const char *const names[ST_MOUNT_KIND_COUNT] = {
	    [ST_MOUNT_READ] = "read-only", [ST_MOUNT_WRITE] = "writable",
	    [ST_MOUNT_DEVICE] = "device",  [ST_MOUNT_TMPFS] = "empty",
	    [ST_MOUNT_PROC] = "proc",	   [ST_MOUNT_DEVPTS] = "devpts",
	    [ST_MOUNT_LINK] = "link",	   [ST_MOUNT_TEXT] = "text",
	};
	assert(kind < ST_MOUNT_KIND_COUNT);
	return names[kind];
}

void st_scene_print(const struct st_scene *scene, struct st_buf *buf)
{
	for (size_t i = 0; i < scene->n_mounts; i++) {
		const struct st_mount *mount = &scene->mounts[i];
		st_buf_addf(buf, "mount: %-9s %s", kind_name(mount->kind), mount->to);
		if (mount->kind == ST_MOUNT_TMPFS) {
			st_buf_addf(buf, " bytes=%lld files=%lld", (long long)mount->bytes,
				    (long long)mount->files);
		} else if (mount->kind == ST_MOUNT_LINK) {
			st_buf_addf(buf, " -> %s", mount->from);
		}
		st_buf_add_char(buf, '\n');
	}
}
