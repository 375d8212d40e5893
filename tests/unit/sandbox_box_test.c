/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile job tries, one by one, from inside a real box. */
#include "tests/unit/box_rig.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sandbox/scene.h"

static struct st_job_result probe(struct rig *rig, const char *abuse, const char *argument)
{
	char path[96];
	(void)snprintf(path, sizeof path, "%s/box_probe", rig->tools);
	return rig_run(rig, rig_spec(json_pack("[[s,s,s]]", path, abuse, argument)));
}

static void assert_held(struct rig *rig, const char *abuse, const char *argument)
{
	struct st_job_result result = probe(rig, abuse, argument);
	rig_expect(&result, ST_JOB_EXITED, 0);
	st_job_result_fini(&result);
}

#define HELD(test, abuse)                                                                          \
	static void test(void **state)                                                             \
	{                                                                                          \
		assert_held(*state, abuse, "");                                                    \
	}

HELD(no_terminal_can_be_typed_into, "terminal")
HELD(process_1_can_be_neither_read_nor_ended, "keeper")
HELD(nothing_can_be_mounted, "mounts")
HELD(no_namespace_can_be_made_or_entered, "namespaces")
HELD(dangerous_calls_are_refused, "calls")
HELD(calls_of_another_width_are_refused, "widths")
HELD(only_unix_and_internet_sockets_can_be_made, "sockets")
HELD(the_system_is_read_only, "writes")
HELD(a_job_has_no_rights_and_is_not_root, "rights")
HELD(nothing_is_inherited, "inherited")
HELD(only_its_own_processes_are_seen, "processes")
HELD(there_is_no_network, "network")
HELD(there_is_no_way_back_to_the_old_root, "escapes")

static void listeners_on_the_hosts_loopback_are_out_of_reach(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	char port[16];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	(void)snprintf(port, sizeof port, "%u", ntohs(address.sin_port));
	assert_held(*state, "port", port);
	(void)close(fd);
}

static void abstract_sockets_of_the_host_are_out_of_reach(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char name[64];
	(void)snprintf(name, sizeof name, "stint-test-%d", getpid());
	memcpy(address.sun_path + 1, name, strlen(name));
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_held(*state, "abstract", name);
	(void)close(fd);
}

static void files_of_the_daemon_are_not_there(void **state)
{
	struct rig *rig = *state;
	char path[96];
	assert_held(rig, "path", rig->base);
	(void)snprintf(path, sizeof path, "%s/stint.db.key", rig->dir);
	assert_int_equal(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
	assert_held(rig, "path", path);
	(void)snprintf(path, sizeof path, "/proc/%d/environ", getpid());
	assert_held(rig, "path", path);
}

static void shared_memory_of_the_host_is_not_there(void **state)
{
	char key[16];
	key_t number = (key_t)(0x51000000 + getpid());
	int id = shmget(number, 4096, IPC_CREAT | IPC_EXCL | 0666);
	assert_true(id >= 0);
	(void)snprintf(key, sizeof key, "%d", number);
	assert_held(*state, "shm", key);
	assert_int_equal(shmctl(id, IPC_RMID, NULL), 0);
}

static void processes_outside_have_no_number_inside(void **state)
{
	char pid[16];
	(void)snprintf(pid, sizeof pid, "%d", getpid());
	assert_held(*state, "signal", pid);
}

static void a_job_is_a_user_of_its_own_to_the_host(void **state)
{
	struct rig *rig = *state;
	struct st_job_result result = rig_shell(rig, "id -u; id -un; hostname; pwd; ls -A");
	rig_expect(&result, ST_JOB_EXITED, 0);
	unsigned long uid = strtoul(rig_text(&result, 0), NULL, 10);
	assert_true(geteuid() == 0 ? uid >= 2000000000UL : uid == 1000);
	assert_non_null(strstr(rig_text(&result, 0), "\njob\nstint\n/work\n"));
	st_job_result_fini(&result);
}

static void commands_of_a_job_share_their_files_but_no_process(void **state)
{
	struct rig *rig = *state;
	struct st_job_spec spec = rig_spec(json_pack(
	    "[s,s,s]", "echo one > a; echo two > /tmp/b; (setsid sleep 100 &) ; sleep 0.1",
	    "cat a /tmp/b", "ps -e -o comm= | grep -c sleep || true"));
	struct st_job_result result = rig_run(rig, spec);
	rig_expect(&result, ST_JOB_EXITED, 0);
	assert_string_equal(rig_text(&result, 1), "one\ntwo\n");
	assert_string_equal(rig_text(&result, 2), "0\n");
	st_job_result_fini(&result);
}

static void a_full_disk_is_the_jobs_own(void **state)
{
	struct rig *rig = *state;
	rig->options.limits.disk_bytes = 4 << 20;
	rig->options.limits.disk_files = 100;
	rig->options.limits.tmp_bytes = 1 << 20;
	struct st_job_result result = rig_shell(
	    rig, "head -c 5000000 /dev/zero > big; head -c 2000000 /dev/zero > /tmp/big; "
		 "head -c 2000000 /dev/zero > /dev/shm/big; rm big; "
		 "for i in $(seq 200); do touch $i || break; done; ls | wc -l; "
		 "truncate -s 100G sparse 2>/dev/null; stat -c %s /tmp/big /dev/shm/big; df -k . "
		 "| tail -1");
	rig->options.limits = st_box_options_default().limits;
	rig_expect(&result, ST_JOB_EXITED, 0);
	assert_memory_equal(rig_text(&result, 0), "99\n", 3);
	assert_non_null(strstr(rig_text(&result, 0), "1048576\n1048576\n"));
	st_job_result_fini(&result);
}

static void whoever_left_session_and_parent_dies_with_the_job(void **state)
{
	struct rig *rig = *state;
	struct st_job_spec spec = rig_spec(json_pack(
	    "[s]",
	    "(setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' &) ; "
	    "(setsid sh -c 'setsid sleep 1000 & disown; exec sleep 1000' > /dev/null 2>&1 &); "
	    "sleep 0.1; echo done"));
	struct st_job_result result = rig_run(rig, spec);
	rig_expect(&result, ST_JOB_EXITED, 0);
	assert_string_equal(result.error, "");
	assert_true(result.wall_ms < 10000);
	st_job_result_fini(&result);
}

static void a_job_that_kills_all_it_can_only_hurts_itself(void **state)
{
	struct rig *rig = *state;
	struct st_job_result result = rig_shell(rig, "kill -9 -1; echo alive");
	rig_expect(&result, ST_JOB_EXITED, 0);
	assert_string_equal(rig_text(&result, 0), "alive\n");
	st_job_result_fini(&result);
}

static void a_job_that_ignores_term_is_killed_in_the_box_too(void **state)
{
	struct rig *rig = *state;
	struct st_job_spec spec = rig_spec(
	    json_pack("[s,s]", "trap '' TERM; while :; do sleep 0.05; done", "echo never"));
	spec.soft_ms = 200;
	spec.hard_ms = 400;
	struct st_job_result result = rig_run(rig, spec);
	rig_expect(&result, ST_JOB_TIMED_OUT, 128 + SIGKILL);
	assert_int_equal(json_array_size(result.transcript), 1);
	st_job_result_fini(&result);
}

static void files_come_out_of_the_box(void **state)
{
	struct rig *rig = *state;
	struct st_job_spec spec =
	    rig_spec(json_pack("[s]", "mkdir out; printf one > out/1; ln -s /etc/passwd out/2; "
				      "mkfifo out/3; ln out/1 out/4; printf x > out/5; python3 -c "
				      "'import socket; s=socket.socket(socket.AF_UNIX); "
				      "s.bind(\"out/6\")' || : > out/6; chmod 0 out/5"));
	spec.artifacts = json_pack("[s]", "out/*");
	spec.artifact_caps = (struct st_artifact_caps){ST_ARTIFACTS_MAX, ST_ARTIFACT_BYTES_MAX,
						       ST_ARTIFACTS_BYTES_MAX};
	struct st_job_result result = rig_run(rig, spec);
	rig_expect(&result, ST_JOB_EXITED, 0);
	for (size_t i = 0; i < result.n_artifacts; i++) {
		assert_true(strcmp(result.artifacts[i].path, "out/5") == 0 ||
			    strcmp(result.artifacts[i].path, "out/6") == 0);
	}
	st_job_result_fini(&result);
}

/* Of a directory that belongs to whoever runs stint, and to nobody of the box. */
static void a_given_directory_is_written_as_its_owner(void **state)
{
	struct rig *rig = *state;
	struct stat info;
	char path[96];
	struct st_job_spec spec = rig_spec(
	    json_pack("[s]", "pwd; echo made > made; stat -c %U made .; test -O . && echo mine"));
	spec.workdir = st_strdup(rig->dir);
	struct st_job_result result = rig_run(rig, spec);
	rig_expect(&result, ST_JOB_EXITED, 0);
	assert_non_null(strstr(rig_text(&result, 0), "\njob\njob\nmine\n"));
	assert_memory_equal(rig_text(&result, 0), rig->dir, strlen(rig->dir));
	(void)snprintf(path, sizeof path, "%s/made", rig->dir);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_uid, geteuid());
	st_job_result_fini(&result);
}

static void what_cannot_be_started_in_a_box_says_why(void **state)
{
	struct rig *rig = *state;
	struct st_job_result result = rig_run(rig, rig_spec(json_pack("[[s]]", "/no/such")));
	rig_expect(&result, ST_JOB_NOT_STARTED, 127);
	assert_non_null(strstr(result.error, "program: No such file"));
	st_job_result_fini(&result);
	char path[] = "/no/such/toolchain";
	char *missing[1] = {path};
	rig->options.read_only = missing;
	result = rig_shell(rig, "true");
	rig->options.read_only = rig->tools_list;
	assert_int_equal(result.end, ST_JOB_NOT_STARTED);
	assert_non_null(strstr(result.error, "/no/such/toolchain: No such file"));
	st_job_result_fini(&result);
}

static void without_a_box_a_job_is_refused_unless_the_operator_says_otherwise(void **state)
{
	struct rig *rig = *state;
	char fault[sizeof rig->host->fault];
	memcpy(fault, rig->host->fault, sizeof fault);
	(void)snprintf(rig->host->fault, sizeof rig->host->fault, "no namespaces");
	struct st_job_result result = rig_shell(rig, "true");
	assert_int_equal(result.end, ST_JOB_NOT_STARTED);
	assert_non_null(strstr(result.error, "cannot be isolated here (no namespaces)"));
	st_job_result_fini(&result);
	rig->options.isolation = ST_ISOLATION_BEST;
	result = rig_shell(rig, "pwd");
	rig->options.isolation = ST_ISOLATION_FULL;
	memcpy(rig->host->fault, fault, sizeof fault);
	rig_expect(&result, ST_JOB_EXITED, 0);
	assert_memory_equal(rig_text(&result, 0), rig->base, strlen(rig->base));
	st_job_result_fini(&result);
}

#define WITH(test)                                                                                 \
	{                                                                                          \
#test, test, NULL, NULL, rig                                                       \
	}

static int run_all(struct rig *rig)
{
	const struct CMUnitTest tests[] = {
	    WITH(no_terminal_can_be_typed_into),
	    WITH(process_1_can_be_neither_read_nor_ended),
	    WITH(nothing_can_be_mounted),
	    WITH(no_namespace_can_be_made_or_entered),
	    WITH(dangerous_calls_are_refused),
	    WITH(calls_of_another_width_are_refused),
	    WITH(only_unix_and_internet_sockets_can_be_made),
	    WITH(the_system_is_read_only),
	    WITH(a_job_has_no_rights_and_is_not_root),
	    WITH(nothing_is_inherited),
	    WITH(only_its_own_processes_are_seen),
	    WITH(there_is_no_network),
	    WITH(there_is_no_way_back_to_the_old_root),
	    WITH(listeners_on_the_hosts_loopback_are_out_of_reach),
	    WITH(abstract_sockets_of_the_host_are_out_of_reach),
	    WITH(files_of_the_daemon_are_not_there),
	    WITH(shared_memory_of_the_host_is_not_there),
	    WITH(processes_outside_have_no_number_inside),
	    WITH(a_job_is_a_user_of_its_own_to_the_host),
	    WITH(commands_of_a_job_share_their_files_but_no_process),
	    WITH(a_full_disk_is_the_jobs_own),
	    WITH(whoever_left_session_and_parent_dies_with_the_job),
	    WITH(a_job_that_kills_all_it_can_only_hurts_itself),
	    WITH(a_job_that_ignores_term_is_killed_in_the_box_too),
	    WITH(files_come_out_of_the_box),
	    WITH(a_given_directory_is_written_as_its_owner),
	    WITH(what_cannot_be_started_in_a_box_says_why),
	    WITH(without_a_box_a_job_is_refused_unless_the_operator_says_otherwise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return rig_main(ST_BINARY_DIR "/tools/box_probe", run_all);
}
