/* SPDX-License-Identifier: Apache-2.0 */
/* Is a server believed only when its certificate says who it is? Needs the openssl command. */
#include "tests/unit/http_client_rig.h"

#include <signal.h>
#include <unistd.h>

static char folder[] = "/tmp/stint-tls-XXXXXX";
static char key[64];
static char cert[64];

/* A TLS server in a process of its own, which tells its port on its output. */
struct tls_server {
	uv_process_t process;
	uv_pipe_t out;
	struct st_buf said;
	long port;
};

static bool spawn(uv_loop_t *loop, uv_process_t *process, const char *const *args, uv_pipe_t *out)
{
	uv_stdio_container_t stdio[2] = {{.flags = UV_IGNORE}, {.flags = UV_IGNORE}};
	uv_process_options_t options = {
	    .file = args[0], .args = (char **)(uintptr_t)args, .stdio = stdio, .stdio_count = 2};
	if (out != NULL) {
		(void)uv_pipe_init(loop, out, 0);
		stdio[1].flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_WRITABLE_PIPE);
		stdio[1].data.stream = (uv_stream_t *)out;
	}
	return uv_spawn(loop, process, &options) == 0;
}

static bool make_certificate(void)
{
	assert_non_null(mkdtemp(folder));
	(void)snprintf(key, sizeof key, "%s/key.pem", folder);
	(void)snprintf(cert, sizeof cert, "%s/cert.pem", folder);
	const char *const args[] = {"openssl",
				    "req",
				    "-x509",
				    "-newkey",
				    "ec",
				    "-pkeyopt",
				    "ec_paramgen_curve:prime256v1",
				    "-nodes",
				    "-keyout",
				    key,
				    "-out",
				    cert,
				    "-days",
				    "2",
				    "-subj",
				    "/CN=localhost",
				    "-addext",
				    "subjectAltName=DNS:localhost",
				    NULL};
	uv_loop_t loop;
	uv_process_t process;
	(void)uv_loop_init(&loop);
	(void)spawn(&loop, &process, args, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&process, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&loop);
	return access(cert, R_OK) == 0;
}

static void on_said(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct tls_server *server = stream->data;
	if (n > 0) {
		st_buf_add(&server->said, buf->base, (size_t)n);
		const char *port = strstr(server->said.data, "ACCEPT 127.0.0.1:");
		if (port != NULL && strchr(port, '\n') != NULL) {
			server->port = strtol(port + 17, NULL, 10);
		}
	}
	st_free(buf->base);
}

static void start(struct rig *rig, struct tls_server *server)
{
	const char *const args[] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-key",
				    key,       "-cert",	   cert,      "-www",	     NULL};
	*server = (struct tls_server){.port = 0};
	assert_true(spawn(&rig->loop, &server->process, args, &server->out));
	server->out.data = server;
	(void)uv_read_start((uv_stream_t *)&server->out, script_alloc, on_said);
	while (server->port == 0) {
		assert_true(uv_run(&rig->loop, UV_RUN_ONCE) != 0);
	}
}

static void stop(struct tls_server *server)
{
	(void)uv_process_kill(&server->process, SIGKILL);
	uv_close((uv_handle_t *)&server->process, NULL);
	uv_close((uv_handle_t *)&server->out, NULL);
	st_buf_fini(&server->said);
}

static struct st_http_response get(struct rig *rig, const struct tls_server *server,
				   const char *host)
{
	char url[64];
	(void)snprintf(url, sizeof url, "https://%s:%ld/", host, server->port);
	struct st_http_request request = rig_request_to(url);
	return rig_send(rig, &request);
}

static void a_trusted_certificate_for_this_name_is_believed(void **state)
{
	(void)state;
	struct rig rig;
	struct tls_server server;
	struct st_http_options options = {.ca_file = cert};
	rig_open(&rig, &options);
	start(&rig, &server);
	for (int i = 0; i < 2; i++) {
		struct st_http_response response = get(&rig, &server, "localhost");
		assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
		assert_int_equal(response.status, 200);
		/* The second connection takes up the session of the first. */
		const char *how = i == 0 ? "New, TLSv1.3" : "Reused, TLSv1.3";
		assert_non_null(strstr(response.body, how));
		st_http_response_fini(&response);
	}
	stop(&server);
	rig_close(&rig);
}

static void any_other_certificate_ends_it_before_anything_is_sent(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct rig rig;
		struct tls_server server;
		struct st_http_options options = {.ca_file = i == 0 ? cert : NULL};
		rig_open(&rig, &options);
		start(&rig, &server);
		/* Trusted for another name, and for this name but not trusted. */
		struct st_http_response response =
		    get(&rig, &server, i == 0 ? "127.0.0.1" : "localhost");
		assert_int_equal(response.transport, ST_TRANSPORT_NOT_SENT);
		assert_non_null(strstr(response.error, "SSL"));
		st_http_response_fini(&response);
		stop(&server);
		rig_close(&rig);
	}
}

int main(void)
{
	bool able = make_certificate();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_trusted_certificate_for_this_name_is_believed),
	    cmocka_unit_test(any_other_certificate_ends_it_before_anything_is_sent),
	};
	int failed = 0;
	if (able) {
		failed = cmocka_run_group_tests(tests, NULL, NULL);
	} else {
		print_message("skipped: the openssl command makes no certificate here\n");
	}
	(void)unlink(key);
	(void)unlink(cert);
	(void)rmdir(folder);
	return failed;
}
