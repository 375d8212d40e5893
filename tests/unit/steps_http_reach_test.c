/* SPDX-License-Identifier: Apache-2.0 */
/* Where may a request go? Guard, redirects, names, our own daemon. */
#include "tests/unit/http_client_rig.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <unistd.h>

/*
 * This program's own resolver stands before libc's: names under .test resolve as the tests say, and
 * hang.test not before it is released. All else must be numeric, so that no test asks a real
 * server.
 */
typedef int (*resolver)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static pthread_mutex_t hang_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hang_changed = PTHREAD_COND_INITIALIZER;
static int hanging;
static bool released;

static void hang(void)
{
	(void)pthread_mutex_lock(&hang_lock);
	hanging++;
	(void)pthread_cond_broadcast(&hang_changed);
	while (!released) {
		(void)pthread_cond_wait(&hang_changed, &hang_lock);
	}
	hanging--;
	(void)pthread_cond_broadcast(&hang_changed);
	(void)pthread_mutex_unlock(&hang_lock);
}

static void release(void)
{
	(void)pthread_mutex_lock(&hang_lock);
	released = true;
	(void)pthread_cond_broadcast(&hang_changed);
	while (hanging > 0) {
		(void)pthread_cond_wait(&hang_changed, &hang_lock);
	}
	(void)pthread_mutex_unlock(&hang_lock);
}

int getaddrinfo(const char *restrict name, const char *restrict service,
		const struct addrinfo *restrict hints, struct addrinfo **restrict out)
{
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
	resolver real = NULL;
	memcpy(&real, &symbol, sizeof real);
	struct addrinfo wanted = hints != NULL ? *hints : (struct addrinfo){.ai_family = 0};
	wanted.ai_flags |= AI_NUMERICHOST;
	if (strcmp(name, "hang.test") == 0) {
		hang();
		return EAI_AGAIN;
	}
	bool two = strcmp(name, "two.test") == 0;
	bool inside = strcmp(name, "inside.test") == 0;
	bool here = strcmp(name, "here.test") == 0;
	const char *first = two || inside ? "10.0.0.1" : here ? "127.0.0.1" : name;
	int rc = real(first, service, &wanted, out);
	return rc == 0 && two ? real("127.0.0.1", service, &wanted, &(*out)->ai_next) : rc;
}

/* A rig whose guard lets through what the test's server is at. */
static void open_with_hole(struct rig *rig, const char *allow)
{
	const char *const holes[] = {allow};
	struct st_http_options options = {.allow = holes, .n_allow = 1};
	rig_open(rig, &options);
}

static struct st_http_response send_guarded(struct rig *rig, const char *url, int redirects_max)
{
	struct st_http_request request = rig_request_to(url);
	request.guarded = true;
	request.redirects_max = redirects_max;
	(void)st_http_request_header(&request, "X-Api-Key", "s3cret");
	(void)st_http_request_header(&request, "Accept", "text/plain");
	return rig_send(rig, &request);
}

static char *url_of(const struct rig *rig, const char *host, const char *target)
{
	struct st_buf buf = {0};
	st_buf_addf(&buf, "http://%s:%d%s", host, rig->server.port, target);
	return st_buf_take(&buf);
}

static void every_spelling_of_this_machine_is_refused(void **state)
{
	(void)state;
	static const char *const hosts[] = {"127.0.0.1",
					    "2130706433",
					    "0x7f.1",
					    "0177.0.0.1",
					    "127.1",
					    "0",
					    "0.0.0.0",
					    "[::1]",
					    "[::]",
					    "localhost",
					    "127.0.0.1.",
					    "0x7f000001",
					    "[::ffff:7f00:1]",
					    "[::ffff:127.0.0.1]",
					    "here.test",
					    "HERE.test",
					    "inside.test",
					    "10.0.0.1",
					    "169.254.169.254",
					    "[fd00:ec2::254]",
					    "100.100.100.200",
					    "192.168.0.1",
					    "[fe80::1]",
					    "255.255.255.255",
					    "198.18.0.1",
					    "[64:ff9b::7f00:1]",
					    "metadata",
					    "metadata.google.internal"};
	struct rig rig;
	rig_open(&rig, NULL);
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(0)));
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		st_autofree char *url = url_of(&rig, hosts[i], "/");
		struct st_http_response response = send_guarded(&rig, url, 0);
		if (response.transport != ST_TRANSPORT_NOT_SENT) {
			fail_msg("%s was reached", hosts[i]);
		}
		st_http_response_fini(&response);
	}
	assert_int_equal(rig.server.n_connections, 0);
	rig_close(&rig);
}

static void a_refusal_says_what_and_how_to_allow_it(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	struct st_http_response response = send_guarded(&rig, "http://10.1.2.3/", 0);
	assert_non_null(strstr(response.error, "10.1.2.3 is a private address"));
	assert_non_null(strstr(response.error, "outgoing.allow"));
	st_http_response_fini(&response);
	rig_close(&rig);
}

static void an_allowed_address_is_reached_and_no_other(void **state)
{
	(void)state;
	struct rig rig;
	open_with_hole(&rig, "127.0.0.1/32");
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(0)), CLOSE);
	/* two.test has a private address as well: that one is never connected to. */
	static const char *const hosts[] = {"127.0.0.1", "here.test", "two.test", "0x7f.1"};
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		st_autofree char *url = url_of(&rig, hosts[i], "/");
		struct st_http_response response = send_guarded(&rig, url, 0);
		assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
		st_http_response_fini(&response);
	}
	rig_close(&rig);
}

static void a_kept_connection_of_another_does_not_pass_the_guard(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(0)), READ, SEND(OK_HEAD(0)));
	struct st_http_response response = rig_get(&rig, "/open");
	assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
	st_http_response_fini(&response);
	st_autofree char *url = url_of(&rig, "127.0.0.1", "/guarded");
	response = send_guarded(&rig, url, 0);
	assert_int_equal(response.transport, ST_TRANSPORT_NOT_SENT);
	st_http_response_fini(&response);
	assert_int_equal(rig.server.n_requests, 1);
	rig_close(&rig);
}

static void a_name_that_hangs_does_not_hang_the_loop(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	struct st_http_request request = rig_request_to("http://hang.test/");
	request.connect_ms = 60;
	struct st_http_response response = rig_send(&rig, &request);
	assert_int_equal(response.transport, ST_TRANSPORT_NOT_SENT);
	st_http_response_fini(&response);

	request = rig_request_to("http://hang.test/");
	request.total_ms = 60;
	response = rig_send(&rig, &request);
	assert_int_equal(response.transport, ST_TRANSPORT_NOT_SENT);
	st_http_response_fini(&response);

	request = rig_request_to("http://hang.test/");
	struct result result = {.done = false};
	struct st_http_call *call =
	    st_http_send(rig.client, any_grant(), &request, rig_done, &result);
	rig_settle(&rig);
	st_http_abort(call);
	rig_wait(&rig, &result.done);
	assert_int_equal(result.response.transport, ST_TRANSPORT_NOT_SENT);
	st_http_response_fini(&result.response);
	rig_close(&rig);
	release();
}

/* --- redirects --- */

static void location(struct script_server *server, int script, const char *status, const char *to)
{
	static char heads[SCRIPTS_MAX][512];
	(void)snprintf(heads[script], sizeof heads[script],
		       "HTTP/1.1 %s\r\nLocation: %s\r\nContent-Length: 2\r\n\r\nto", status, to);
	struct script_act acts[SCRIPT_ACTS_MAX] = {
	    READ, {.what = 's', .text = heads[script], .len = strlen(heads[script])}, CLOSE};
	assert_int_equal(server->n_scripts, script);
	script_add(server, acts);
}

static void a_redirect_is_followed_with_its_headers_to_the_same_origin(void **state)
{
	(void)state;
	static const char *const statuses[] = {"301 M", "302 F", "303 S", "307 T", "308 P"};
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
		struct rig rig;
		open_with_hole(&rig, "127.0.0.1/32");
		location(&rig.server, 0, statuses[i], "../b?c=d#e");
		SCRIPT(&rig.server, READ, SEND(OK_HEAD(4) "done"));
		st_autofree char *url = url_of(&rig, "127.0.0.1", "/x/y");
		struct st_http_response response = send_guarded(&rig, url, 1);
		assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
		assert_int_equal(response.status, 200);
		assert_string_equal(response.body, "done");
		assert_int_equal(strncmp(rig.server.requests[1], "GET /b?c=d HTTP", 15), 0);
		assert_non_null(strstr(rig.server.requests[1], "X-Api-Key: s3cret"));
		st_http_response_fini(&response);
		rig_close(&rig);
	}
}

static void another_origin_gets_no_key(void **state)
{
	(void)state;
	struct rig rig;
	open_with_hole(&rig, "127.0.0.1/32");
	struct script_server other;
	script_listen(&other, &rig.loop);
	SCRIPT(&other, READ, SEND(OK_HEAD(4) "done"));
	char to[64];
	(void)snprintf(to, sizeof to, "http://127.0.0.1:%d/z", other.port);
	location(&rig.server, 0, "302 Found", to);
	st_autofree char *url = url_of(&rig, "127.0.0.1", "/");
	struct st_http_response response = send_guarded(&rig, url, 5);
	assert_string_equal(response.body, "done");
	assert_null(strstr(other.requests[0], "s3cret"));
	assert_non_null(strstr(other.requests[0], "Accept: text/plain"));
	st_http_response_fini(&response);
	script_close(&other);
	rig_close(&rig);
}

/* Follows one redirect to `to`; the redirect itself must be the answer, and say `why`. */
static void check_not_followed(const char *method, bool guarded, const char *to, const char *why)
{
	struct rig rig;
	rig_open(&rig, NULL);
	location(&rig.server, 0, "307 Temporary", to);
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(4) "done"));
	struct st_http_request request = rig_request(&rig, method, "/");
	request.guarded = guarded;
	request.redirects_max = 5;
	struct st_http_response response = rig_send(&rig, &request);
	assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
	assert_int_equal(response.status, 307);
	assert_string_equal(response.body, "to");
	if (strstr(response.error, why) == NULL) {
		fail_msg("%s: \"%s\"", to, response.error);
	}
	assert_null(strstr(response.error, "s3cret"));
	assert_int_equal(rig.server.n_requests, 1);
	st_http_response_fini(&response);
	rig_close(&rig);
}

static void redirects_out_of_bounds_are_the_answer(void **state)
{
	(void)state;
	/* The first request was free to go anywhere; where it is led is not. */
	check_not_followed("GET", false, "http://10.0.0.1/", "10.0.0.1 is a private address");
	check_not_followed("GET", false, "http://here.test/", "127.0.0.1 is a loopback address");
	check_not_followed("GET", false, "http://metadata.google.internal/", "metadata name");
	check_not_followed("GET", false, "file:///etc/passwd", "must begin with http");
	check_not_followed("GET", false, "gopher://a/", "must begin with http");
	check_not_followed("GET", false, "ftp://a/", "must begin with http");
	check_not_followed("GET", false, "http://u:s3cret@here.test/", "user name");
	check_not_followed("GET", false, "http://a:99999/", "not followed");
	check_not_followed("POST", false, "/again", "only a GET or HEAD");
	check_not_followed("PUT", false, "/again", "only a GET or HEAD");
}

static void a_redirect_loop_ends(void **state)
{
	(void)state;
	struct rig rig;
	open_with_hole(&rig, "127.0.0.1/32");
	location(&rig.server, 0, "302 Found", "/");
	st_autofree char *url = url_of(&rig, "127.0.0.1", "/");
	struct st_http_response response = send_guarded(&rig, url, 20);
	assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
	assert_int_equal(response.status, 302);
	assert_non_null(strstr(response.error, "20 were followed"));
	assert_int_equal(rig.server.n_requests, 21);
	st_http_response_fini(&response);
	rig_close(&rig);
}

static void a_redirect_without_location_or_wish_is_an_answer(void **state)
{
	(void)state;
	struct rig rig;
	open_with_hole(&rig, "127.0.0.1/32");
	SCRIPT(&rig.server, READ, SEND("HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n"), CLOSE);
	st_autofree char *url = url_of(&rig, "127.0.0.1", "/");
	for (int redirects_max = 0; redirects_max < 2; redirects_max++) {
		struct st_http_response response = send_guarded(&rig, url, redirects_max);
		assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
		assert_int_equal(response.status, 301);
		assert_string_equal(response.error, "");
		st_http_response_fini(&response);
	}
	rig_close(&rig);
}

static void a_hop_that_fails_after_the_first_is_never_not_sent(void **state)
{
	(void)state;
	struct rig rig;
	const char *const holes[] = {"127.0.0.1/32"};
	struct st_http_options options = {.allow = holes, .n_allow = 1};
	rig_open(&rig, &options);
	location(&rig.server, 0, "302 Found", "http://127.0.0.1:1/");
	st_autofree char *url = url_of(&rig, "127.0.0.1", "/");
	struct st_http_response response = send_guarded(&rig, url, 5);
	assert_int_equal(response.transport, ST_TRANSPORT_LOST);
	st_http_response_fini(&response);
	rig_close(&rig);
}

/* --- our own daemon --- */

static struct st_http_response send_local(struct rig *rig, const char *unix_path, const char *url)
{
	struct result result = {.done = false};
	struct st_http_request request = rig_request_to(url);
	request.redirects_max = 5;
	(void)st_http_send_local(rig->client, unix_path, &request, rig_done, &result);
	rig_wait(rig, &result.done);
	return result.response;
}

static void the_local_entry_reaches_this_machine_only(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	location(&rig.server, 0, "302 Found", "http://10.0.0.1/");
	static const char *const near[] = {"127.0.0.1", "here.test", "two.test"};
	for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
		st_autofree char *url = url_of(&rig, near[i], "/");
		struct st_http_response response = send_local(&rig, NULL, url);
		assert_int_equal(response.status, 302);
		assert_string_equal(response.error, "");
		st_http_response_fini(&response);
	}
	static const char *const far[] = {"10.0.0.1", "0.0.0.0", "192.0.2.1", "inside.test"};
	for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
		st_autofree char *url = url_of(&rig, far[i], "/");
		struct st_http_response response = send_local(&rig, NULL, url);
		assert_int_equal(response.transport, ST_TRANSPORT_NOT_SENT);
		assert_non_null(strstr(response.error, "not this machine"));
		st_http_response_fini(&response);
	}
	assert_int_equal(rig.server.n_requests, 3);
	rig_close(&rig);
}

static void the_local_entry_speaks_over_a_unix_socket(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	char folder[] = "/tmp/stint-http-XXXXXX";
	assert_non_null(mkdtemp(folder));
	char path[64];
	(void)snprintf(path, sizeof path, "%s/socket", folder);
	struct script_server other;
	script_listen_unix(&other, &rig.loop, path);
	SCRIPT(&other, READ, SEND(OK_HEAD(4) "done"));
	struct st_http_response response = send_local(&rig, path, "http://stint/v1/runs");
	assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
	assert_string_equal(response.body, "done");
	assert_non_null(strstr(other.requests[0], "GET /v1/runs HTTP/1.1\r\nHost: stint\r\n"));
	st_http_response_fini(&response);
	script_close(&other);
	rig_settle(&rig);
	response = send_local(&rig, path, "http://stint/v1/runs");
	assert_int_equal(response.transport, ST_TRANSPORT_NOT_SENT);
	st_http_response_fini(&response);
	rig_close(&rig);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_spelling_of_this_machine_is_refused),
	    cmocka_unit_test(a_refusal_says_what_and_how_to_allow_it),
	    cmocka_unit_test(an_allowed_address_is_reached_and_no_other),
	    cmocka_unit_test(a_kept_connection_of_another_does_not_pass_the_guard),
	    cmocka_unit_test(a_name_that_hangs_does_not_hang_the_loop),
	    cmocka_unit_test(a_redirect_is_followed_with_its_headers_to_the_same_origin),
	    cmocka_unit_test(another_origin_gets_no_key),
	    cmocka_unit_test(redirects_out_of_bounds_are_the_answer),
	    cmocka_unit_test(a_redirect_loop_ends),
	    cmocka_unit_test(a_redirect_without_location_or_wish_is_an_answer),
	    cmocka_unit_test(a_hop_that_fails_after_the_first_is_never_not_sent),
	    cmocka_unit_test(the_local_entry_reaches_this_machine_only),
	    cmocka_unit_test(the_local_entry_speaks_over_a_unix_socket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
