/* SPDX-License-Identifier: Apache-2.0 */
#include "http_rig.h"

#include <sys/resource.h>

static char directory[] = "/tmp/stint-http-XXXXXX";

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int unix_socket(const char *path, bool listening)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	int result = listening ? bind(fd, (struct sockaddr *)&address, sizeof address)
			       : connect(fd, (struct sockaddr *)&address, sizeof address);
	assert_int_equal(result, 0);
	return fd;
}

static int try_listen(uv_loop_t *loop, const char *address, bool remote)
{
	struct st_http_server *server = NULL;
	struct st_diag diag = {0};
	struct st_http_handler handler = {.handle = rig_handle};
	struct st_http_options options = {.listen = address, .allow_remote = remote};
	int status = st_http_server_new(loop, &options, &handler, &server, &diag);
	if (status == 0) {
		st_http_server_close(server, NULL, NULL);
	} else {
		assert_null(server);
		assert_int_equal(diag.code, status);
		assert_true(strlen(diag.text) > 0);
	}
	assert_int_equal(uv_run(loop, UV_RUN_DEFAULT), 0);
	return status;
}

static void only_loopback_is_served_unless_told_otherwise(void **state)
{
	(void)state;
	uv_loop_t loop;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(try_listen(&loop, "127.0.0.1:0", false), 0);
	assert_int_equal(try_listen(&loop, "127.9.9.9:0", false), 0);
	assert_int_equal(try_listen(&loop, "localhost:0", false), 0);
	assert_int_equal(try_listen(&loop, "0.0.0.0:0", false), ST_ERR_FORBIDDEN);
	assert_int_equal(try_listen(&loop, "[::]:0", false), ST_ERR_FORBIDDEN);
	assert_int_equal(try_listen(&loop, "[::ffff:10.0.0.1]:0", false), ST_ERR_FORBIDDEN);
	assert_int_equal(try_listen(&loop, "10.0.0.1:0", false), ST_ERR_FORBIDDEN);
	assert_int_equal(try_listen(&loop, "0.0.0.0:0", true), 0);
	static const char *const bad[] = {
	    "",	       "127.0.0.1",	  "127.0.0.1:",	   "127.0.0.1:x", ":80",   "127.0.0.1:-1",
	    "127.1:0", "127.0.0.1:65536", "example.org:1", "::1:80",	  "[::1]", "[127.0.0.1]:0",
	    "[]:0",    "127.0.0.1:+1",	  "unix:"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(try_listen(&loop, bad[i], true), ST_ERR_INVALID);
	}
	assert_int_equal(try_listen(&loop, NULL, true), ST_ERR_INVALID);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_port_in_use_is_said_to_be(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	const char *address = st_http_server_url(rig.server) + strlen("http://");
	assert_true(st_http_server_port(rig.server) > 0);
	uv_loop_t loop;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(try_listen(&loop, address, false), ST_ERR_BUSY);
	assert_int_equal(uv_loop_close(&loop), 0);
	rig_finish(&rig);
}

static void a_unix_socket_is_private_and_goes_with_its_server(void **state)
{
	(void)state;
	char path[128];
	char address[160];
	(void)snprintf(path, sizeof path, "%s/s", directory);
	(void)snprintf(address, sizeof address, "unix:%s", path);
	mode_t mask = umask(0);
	struct rig rig;
	rig_open(&rig, (struct st_http_options){.listen = address, .per_peer_max = 1});
	(void)umask(mask);
	assert_string_equal(st_http_server_url(rig.server), address);
	struct stat info;
	assert_int_equal(lstat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	int fds[3];
	for (size_t i = 0; i < 3; i++) {
		struct st_buf in = {0};
		fds[i] = unix_socket(path, false);
		const char *request = "GET /echo HTTP/1.1\r\nHost: any.thing\r\n\r\n";
		rig_send(&rig, fds[i], request, strlen(request));
		char *answer = rig_answer(&rig, fds[i], &in, false);
		assert_int_equal(rig_status(answer), 200);
		st_free(answer);
		st_buf_fini(&in);
	}
	for (size_t i = 0; i < 3; i++) {
		(void)close(fds[i]);
	}
	rig_finish(&rig);
	assert_int_equal(lstat(path, &info), -1);
}

static void a_stale_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	(void)state;
	char path[128];
	char address[160];
	(void)snprintf(path, sizeof path, "%s/s", directory);
	(void)snprintf(address, sizeof address, "unix:%s", path);
	uv_loop_t loop;
	assert_int_equal(uv_loop_init(&loop), 0);
	(void)close(unix_socket(path, true)); /* bound, never unlinked: what a crash leaves */
	struct rig rig;
	rig_open(&rig, (struct st_http_options){.listen = address});
	assert_int_equal(try_listen(&loop, address, false), ST_ERR_BUSY);
	int fd = unix_socket(path, false); /* still there */
	(void)close(fd);
	rig_finish(&rig);
	/* Nor is anything else that stands there. */
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	(void)close(fd);
	assert_int_equal(try_listen(&loop, address, false), ST_ERR_EXISTS);
	struct stat info;
	assert_int_equal(lstat(path, &info), 0);
	(void)unlink(path);
	assert_int_equal(symlink("nowhere", path), 0);
	assert_int_equal(try_listen(&loop, address, false), ST_ERR_EXISTS);
	(void)unlink(path);
	assert_int_equal(try_listen(&loop, "unix:/nonexistent/dir/s", false), ST_ERR_IO);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_socket_that_is_no_longer_ours_is_left_alone(void **state)
{
	(void)state;
	char path[128];
	char address[160];
	(void)snprintf(path, sizeof path, "%s/s", directory);
	(void)snprintf(address, sizeof address, "unix:%s", path);
	struct rig rig;
	rig_open(&rig, (struct st_http_options){.listen = address});
	(void)unlink(path);
	int fd = unix_socket(path, true);
	rig_finish(&rig);
	struct stat info;
	assert_int_equal(lstat(path, &info), 0);
	(void)close(fd);
	(void)unlink(path);
}

static void visitors_leave_descriptors_for_calls(void **state)
{
	(void)state;
	struct rlimit kept;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &kept), 0);
	struct rlimit few = {.rlim_cur = 64, .rlim_max = kept.rlim_max};
	struct rig rig;
	int fds[40];
	/* The clients of this test need descriptors too, so the limit is only low while the server
	 * reads it. */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	rig_open(&rig, (struct st_http_options){.per_peer_max = 1000});
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &kept), 0);
	size_t served = 0;
	for (size_t i = 0; i < 40; i++) {
		fds[i] = rig_connect(&rig);
		char *text = rig_text(&rig, "GET /echo HTTP/1.1\r\n" RIG_HOST "\r\n");
		struct st_buf in = {0};
		rig_send(&rig, fds[i], text, strlen(text));
		char *answer = rig_answer(&rig, fds[i], &in, false);
		assert_int_equal(rig_status(answer), i < 32 ? 200 : 503);
		served += rig_status(answer) == 200;
		st_free(answer);
		st_free(text);
		st_buf_fini(&in);
	}
	assert_int_equal(served, 32);
	for (size_t i = 0; i < 40; i++) {
		(void)close(fds[i]);
	}
	rig_finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_loopback_is_served_unless_told_otherwise),
	    cmocka_unit_test(a_port_in_use_is_said_to_be),
	    cmocka_unit_test(a_unix_socket_is_private_and_goes_with_its_server),
	    cmocka_unit_test(a_stale_socket_is_replaced_and_a_live_one_is_not),
	    cmocka_unit_test(a_socket_that_is_no_longer_ours_is_left_alone),
	    cmocka_unit_test(visitors_leave_descriptors_for_calls),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
