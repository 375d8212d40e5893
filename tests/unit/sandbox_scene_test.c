/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <string.h>

#include "sandbox/scene.h"

static size_t index_of(const char *path)
{
	for (size_t i = 0; st_scene_paths[i] != NULL; i++) {
		if (strcmp(st_scene_paths[i], path) == 0) {
			return i;
		}
	}
	fail_msg("%s is not asked for", path);
	return 0;
}

static const struct st_mount *find(const struct st_scene *scene, const char *to)
{
	for (size_t i = 0; i < scene->n_mounts; i++) {
		if (strcmp(scene->mounts[i].to, to) == 0) {
			return &scene->mounts[i];
		}
	}
	return NULL;
}

static void what_is_not_on_the_host_is_not_in_the_box_and_links_stay_links(void **state)
{
	(void)state;
	struct st_host_path host[ST_SCENE_PATHS_MAX] = {{0}};
	const struct st_box_options options = st_box_options_default();
	struct st_scene scene;
	host[index_of("/usr")].kind = ST_HOST_DIRECTORY;
	host[index_of("/lib")] = (struct st_host_path){ST_HOST_LINK, "usr/lib"};
	st_scene_make(host, &options, NULL, &scene);
	assert_int_equal(find(&scene, "/usr")->kind, ST_MOUNT_READ);
	assert_int_equal(find(&scene, "/lib")->kind, ST_MOUNT_LINK);
	assert_string_equal(find(&scene, "/lib")->from, "usr/lib");
	assert_null(find(&scene, "/lib64"));
	st_scene_fini(&scene);
}

static void a_job_may_write_into_nothing_but_its_own(void **state)
{
	(void)state;
	struct st_host_path host[ST_SCENE_PATHS_MAX];
	struct st_box_options options = st_box_options_default();
	char tools[] = "/opt/tools";
	char *list[] = {tools};
	struct st_scene scene;
	memset(host, 0, sizeof host);
	for (size_t i = 0; st_scene_paths[i] != NULL; i++) {
		host[i].kind = ST_HOST_DIRECTORY;
	}
	options.read_only = list;
	options.n_read_only = 1;
	st_scene_make(host, &options, "/srv/checkout", &scene);
	assert_false(scene.own_workdir);
	for (size_t i = 0; i < scene.n_mounts; i++) {
		const struct st_mount *mount = &scene.mounts[i];
		if (mount->kind == ST_MOUNT_WRITE) {
			assert_string_equal(mount->to, "/srv/checkout");
		}
		if (mount->kind == ST_MOUNT_TMPFS) {
			assert_true(mount->bytes > 0 && mount->files > 0);
			assert_null(mount->from);
		}
	}
	assert_int_equal(find(&scene, tools)->kind, ST_MOUNT_READ);
	/* What is behind another may cover it. */
	assert_ptr_equal(&scene.mounts[scene.n_mounts - 1], find(&scene, "/srv/checkout"));
	assert_null(find(&scene, ST_SCENE_WORKDIR));
	st_scene_fini(&scene);
}

static void a_fresh_directory_has_the_limits_of_the_config(void **state)
{
	(void)state;
	struct st_host_path host[ST_SCENE_PATHS_MAX] = {{0}};
	struct st_box_options options = st_box_options_default();
	struct st_scene scene;
	options.limits.disk_bytes = 12345678;
	options.limits.disk_files = 99;
	st_scene_make(host, &options, NULL, &scene);
	const struct st_mount *work = find(&scene, ST_SCENE_WORKDIR);
	assert_true(scene.own_workdir);
	assert_true(work->owned);
	assert_int_equal(work->bytes, 12345678);
	assert_int_equal(work->files, 99);
	st_scene_fini(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_not_on_the_host_is_not_in_the_box_and_links_stay_links),
	    cmocka_unit_test(a_job_may_write_into_nothing_but_its_own),
	    cmocka_unit_test(a_fresh_directory_has_the_limits_of_the_config),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
