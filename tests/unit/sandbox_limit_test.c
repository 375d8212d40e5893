/* SPDX-License-Identifier: Apache-2.0 */
/* What a job may take, and what becomes of one that takes more. */
#include "tests/unit/box_rig.h"

#include <stdbool.h>

static const json_t *box_of(const struct st_job_result *result)
{
	const json_t *box = json_object_get(json_array_get(result->transcript, 0), "box");
	assert_non_null(box);
	return box;
}

static bool by_group(const struct rig *rig, enum st_cgroup_use use)
{
	return rig->host->cgroups.of[use].version != 0;
}

static int64_t used(const struct st_job_result *result, const char *name)
{
	return json_integer_value(json_object_get(json_object_get(box_of(result), "used"), name));
}

static int restore(void **state)
{
	struct rig *rig = *state;
	rig->options.limits = st_box_options_default().limits;
	return 0;
}

static void a_fork_bomb_ends_with_its_job_and_the_host_still_forks(void **state)
{
	struct rig *rig = *state;
	rig->options.limits.processes = 40;
	struct st_job_spec spec =
	    rig_spec(json_pack("[s]", "b() { b | b & b; }; b 2>&1; sleep 30"));
	spec.soft_ms = 700;
	spec.hard_ms = 900;
	struct st_job_result result = rig_run(rig, spec);
	assert_null(strstr(result.error, "did not end"));
	if (by_group(rig, ST_CGROUP_PIDS)) {
		assert_true(used(&result, "processes_refused") > 0);
	}
	st_job_result_fini(&result);
	pid_t child = fork();
	if (child == 0) {
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_job_that_takes_too_much_memory_fails_for_that_reason(void **state)
{
	struct rig *rig = *state;
	rig->options.limits.memory_bytes = 64 << 20;
	struct st_job_result result = rig_shell(rig, "head -c 300000000 /dev/zero | tail");
	assert_int_equal(result.end, ST_JOB_EXITED);
	assert_int_not_equal(result.exit_code, 0);
	assert_int_equal(result.out_of_memory, by_group(rig, ST_CGROUP_MEMORY));
	if (result.out_of_memory) {
		assert_non_null(strstr(result.error, "memory limit"));
		assert_true(used(&result, "oom_kills") > 0);
		assert_true(used(&result, "memory_peak_bytes") <= 64 << 20);
	}
	st_job_result_fini(&result);
}

static void files_in_memory_count_as_memory(void **state)
{
	struct rig *rig = *state;
	if (!by_group(rig, ST_CGROUP_MEMORY)) {
		print_message("skipped: there is no memory group here, the files' own cap holds\n");
		return;
	}
	rig->options.limits.memory_bytes = 32 << 20;
	struct st_job_result result =
	    rig_shell(rig, "head -c 100000000 /dev/zero > /dev/shm/a; test $? = 0 && "
			   "head -c 100000000 /dev/zero > big");
	assert_true(result.out_of_memory);
	st_job_result_fini(&result);
}

static void processor_time_is_held_to_its_share(void **state)
{
	struct rig *rig = *state;
	rig->options.limits.cpu_percent = 30;
	struct st_job_spec spec =
	    rig_spec(json_pack("[s]", "(while :; do :; done) & while :; do :; done"));
	spec.soft_ms = 900;
	spec.hard_ms = 1000;
	struct st_job_result result = rig_run(rig, spec);
	int64_t cpu_ms =
	    json_integer_value(json_object_get(json_array_get(result.transcript, 0), "cpu_ms"));
	assert_true(cpu_ms > 0);
	if (by_group(rig, ST_CGROUP_CPU)) {
		/* A period more at each end. */
		assert_true(cpu_ms <= result.wall_ms * 30 / 100 + 2 * 100);
	}
	st_job_result_fini(&result);
}

static void the_transcript_says_who_holds_which_limit(void **state)
{
	struct rig *rig = *state;
	struct st_job_result result = rig_shell(rig, "true");
	const json_t *memory = json_object_get(box_of(&result), "memory_bytes");
	const char *by = json_string_value(json_object_get(memory, "by"));
	assert_string_equal(json_string_value(json_object_get(box_of(&result), "isolation")),
			    "full");
	assert_int_equal(json_integer_value(json_object_get(memory, "limit")), INT64_C(2) << 30);
	assert_int_equal(strncmp(by, "cgroup", 6) == 0, by_group(rig, ST_CGROUP_MEMORY));
	assert_int_equal(strcmp(by, "each process") == 0, !by_group(rig, ST_CGROUP_MEMORY));
	st_job_result_fini(&result);
}

static void open_files_are_bounded(void **state)
{
	struct rig *rig = *state;
	rig->options.limits.open_files = 20;
	struct st_job_result result = rig_shell(rig, "ulimit -n; ulimit -Hn");
	assert_string_equal(rig_text(&result, 0), "20\n20\n");
	st_job_result_fini(&result);
}

/* As a daemon would leave it that was killed together with its keepers. */
static void groups_of_a_daemon_that_is_gone_are_found_and_ended(void **state)
{
	struct rig *rig = *state;
	struct st_cgroup_home home = rig->host->cgroups;
	struct st_cgroup group = {0};
	int status = 0;
	if (!by_group(rig, ST_CGROUP_KILL)) {
		print_message("skipped: no groups can be made here\n");
		return;
	}
	pid_t child = fork();
	if (child == 0) {
		(void)signal(SIGTERM, SIG_IGN);
		for (;;) {
			(void)pause();
		}
	}
	(void)snprintf(home.prefix, sizeof home.prefix, "stint-999999999.5-");
	assert_int_equal(st_cgroup_make(&home, &rig->options.limits, child, &group, NULL), ST_OK);
	char folder[1024];
	(void)snprintf(folder, sizeof folder, "%s/%s", home.of[ST_CGROUP_KILL].path, group.name);
	assert_int_equal(access(folder, F_OK), 0);
	st_cgroup_home_find(&home);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(access(folder, F_OK), -1);
}

#define WITH(test)                                                                                 \
	{                                                                                          \
#test, test, NULL, restore, rig                                                    \
	}

static int run_all(struct rig *rig)
{
	const struct CMUnitTest tests[] = {
	    WITH(a_fork_bomb_ends_with_its_job_and_the_host_still_forks),
	    WITH(a_job_that_takes_too_much_memory_fails_for_that_reason),
	    WITH(files_in_memory_count_as_memory),
	    WITH(processor_time_is_held_to_its_share),
	    WITH(the_transcript_says_who_holds_which_limit),
	    WITH(open_files_are_bounded),
	    WITH(groups_of_a_daemon_that_is_gone_are_found_and_ended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return rig_main(ST_BINARY_DIR "/tools/box_probe", run_all);
}
