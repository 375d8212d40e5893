/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/http_client_rig.h"

static const char *const transport_names[] = {"ANSWERED",  "NOT_SENT",	"LOST",
					      "TIMED_OUT", "TOO_LARGE", "ABORTED"};

#define TEN "0123456789"
#define GZ_HEAD "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"

/* gzip of 100,000 zeros */
static const char bomb[] =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xf5\x4f\x6d\x0d"
    "\x0f\xa0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x80\x57\x03\x7d\x95\x11\xd4\xa0\x86\x01\x00";

/* What the server does, and what the caller must be told. A limit of 0 is the rig's. */
struct fate {
	const char *law;
	struct script_act acts[SCRIPT_ACTS_MAX];
	enum st_transport transport;
	int status;
	const char *body; /* NULL: any */
	int64_t idle_ms;
	int64_t total_ms;
	size_t bytes_max;
};

#define ANY (-1) /* a reset may take the headers with it */

/* clang-format off */
#define FATE(says, how, code, content, ...) \
	{.law = (says), .transport = ST_TRANSPORT_##how, .status = (code), .body = (content), \
	 .acts = {__VA_ARGS__}}
#define LIMITED(idle, total, bytes, says, how, code, content, ...) \
	{.law = (says), .transport = ST_TRANSPORT_##how, .status = (code), .body = (content), \
	 .idle_ms = (idle), .total_ms = (total), .bytes_max = (bytes), .acts = {__VA_ARGS__}}

static const struct fate fates[] = {
	FATE("a whole answer", ANSWERED, 200, "abc", READ, SEND(OK_HEAD(3) "abc")),
	FATE("an answer ended by the close", ANSWERED, 200, "abc",
	     READ, SEND("HTTP/1.1 200 OK\r\n\r\nabc"), CLOSE),
	FATE("an error status is an answer", ANSWERED, 503, "no",
	     READ, SEND("HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno")),
	FATE("an unknown status is an answer", ANSWERED, 599, "",
	     READ, SEND("HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n")),
	FATE("204 has no body", ANSWERED, 204, "", READ, SEND("HTTP/1.1 204 Nothing\r\n\r\n")),
	FATE("chunks are joined", ANSWERED, 200, "abcde",
	     READ, SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			"3\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n")),
	FATE("an early hint is skipped", ANSWERED, 200, "a",
	     READ, SEND("HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" OK_HEAD(1) "a")),
	FATE("what follows the body is not the answer's", ANSWERED, 200, "abc",
	     READ, SEND(OK_HEAD(3) "abcdef"), CLOSE),
	FATE("closed without a word", LOST, 0, "", READ, CLOSE),
	FATE("reset after the request", LOST, 0, "", READ, RESET),
	FATE("reset in the body", LOST, ANY, NULL, READ, SEND(OK_HEAD(30) TEN), RESET),
	FATE("closed in a header", LOST, 200, "",
	     READ, SEND("HTTP/1.1 200 OK\r\nContent-"), CLOSE),
	FATE("closed between headers", LOST, 200, "",
	     READ, SEND("HTTP/1.1 200 OK\r\nA: b\r\n"), CLOSE),
	FATE("closed in the body", LOST, 200, TEN, READ, SEND(OK_HEAD(30) TEN), CLOSE),
	FATE("closed between chunks", LOST, 200, "abc",
	     READ, SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"), CLOSE),
	FATE("a malformed chunk", LOST, 200, "",
	     READ, SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), CLOSE),
	FATE("only a 100", LOST, 100, "", READ, SEND("HTTP/1.1 100 Go on\r\n\r\n"), CLOSE),
	FATE("no HTTP at all", LOST, 0, "", READ, SEND("220 mail ready\r\n"), CLOSE),
	FATE("binary garbage", LOST, 0, "", READ, SEND("\x16\x03\x01\x00\x00\x01"), CLOSE),
	FATE("a broken gzip body", LOST, 200, "", READ, SEND(GZ_HEAD "nonsense"), CLOSE),
	LIMITED(60, 0, 0, "silence after the request", TIMED_OUT, 0, "", READ),
	LIMITED(60, 0, 0, "silence in the headers", TIMED_OUT, 200, "",
		READ, SEND("HTTP/1.1 200 OK\r\n")),
	LIMITED(60, 0, 0, "silence in the body", TIMED_OUT, 200, TEN,
		READ, SEND(OK_HEAD(30) TEN)),
	LIMITED(5000, 150, 0, "a drip that is never idle", TIMED_OUT, 200, NULL,
		READ, SEND(OK_HEAD(1000)), DRIP(TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN)),
	LIMITED(100, 0, 0, "a drip slower than the total, faster than idle", ANSWERED, 200, TEN TEN TEN,
		READ, SEND(OK_HEAD(30)), DRIP(TEN TEN TEN)),
	LIMITED(0, 0, 10, "a body of just the limit", ANSWERED, 200, TEN,
		READ, SEND(OK_HEAD(10) TEN)),
	LIMITED(0, 0, 10, "a body of one byte more", TOO_LARGE, 200, TEN,
		READ, SEND(OK_HEAD(11) TEN "x")),
	LIMITED(0, 0, 100000, "an endless body", TOO_LARGE, 200, NULL,
		READ, SEND("HTTP/1.1 200 OK\r\n\r\n"), SEND_TIMES(TEN, 1000000)),
	FATE("a header over 64 KiB", TOO_LARGE, 0, "",
	     READ, SEND("HTTP/1.1 200 OK\r\nA: "), SEND_TIMES(TEN TEN TEN TEN TEN TEN, 1200),
	     SEND("\r\n")),
	FATE("a header without end", LOST, 200, "",
	     READ, SEND("HTTP/1.1 200 OK\r\nA: "), SEND_TIMES(TEN TEN TEN TEN TEN TEN, 100000)),
	FATE("many headers over 64 KiB", TOO_LARGE, 0, "",
	     READ, SEND("HTTP/1.1 200 OK\r\nA: "),
	     SEND_TIMES(TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
			TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "\r\nA: ", 195)),
	FATE("201 headers", TOO_LARGE, 0, "",
	     READ, SEND("HTTP/1.1 200 OK\r\n"), SEND_TIMES("A: b\r\n", 201), SEND("\r\n")),
	FATE("200 headers", ANSWERED, 200, "",
	     READ, SEND("HTTP/1.1 200 OK\r\n"), SEND_TIMES("A: b\r\n", 199),
	     SEND("Content-Length: 0\r\n\r\n")),
	FATE("a flood of 100 Continue", TOO_LARGE, 100, "",
	     READ, SEND_TIMES("HTTP/1.1 100 Continue\r\n\r\n", 100000)),
};
/* clang-format on */

static void check_fate(size_t i, const char *method)
{
	struct rig rig;
	rig_open(&rig, NULL);
	script_add(&rig.server, fates[i].acts);
	struct st_http_request request = rig_request(&rig, method, "/");
	request.idle_ms = fates[i].idle_ms > 0 ? fates[i].idle_ms : request.idle_ms;
	request.total_ms = fates[i].total_ms > 0 ? fates[i].total_ms : request.total_ms;
	request.response_bytes_max =
	    fates[i].bytes_max > 0 ? fates[i].bytes_max : request.response_bytes_max;
	size_t bytes_max = request.response_bytes_max;
	struct st_http_response response = rig_send(&rig, &request);
	assert_null(request.url);
	if (response.transport != fates[i].transport) {
		fail_msg("%s: %s, not %s: %s", fates[i].law, transport_names[response.transport],
			 transport_names[fates[i].transport], response.error);
	}
	if ((response.status != fates[i].status && fates[i].status != ANY) ||
	    (fates[i].body != NULL && strcmp(response.body, fates[i].body) != 0)) {
		fail_msg("%s: %d \"%s\"", fates[i].law, response.status, response.body);
	}
	assert_true((response.error[0] == '\0') == (response.transport == ST_TRANSPORT_ANSWERED));
	assert_true(response.body_len <= bytes_max);
	assert_int_equal(rig.server.n_requests, 1);
	assert_int_equal(rig.server.n_connections, 1);
	st_http_response_fini(&response);
	rig_close(&rig);
}

static void every_fate_is_told_exactly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
		check_fate(i, "GET");
		check_fate(i, "POST");
	}
}

static void a_gzip_bomb_is_cut_at_the_limit(void **state)
{
	(void)state;
	static const size_t limits[] = {1000, 200000};
	for (size_t i = 0; i < 2; i++) {
		struct rig rig;
		rig_open(&rig, NULL);
		SCRIPT(&rig.server, READ, SEND(GZ_HEAD),
		       {.what = 's', .text = bomb, .len = sizeof bomb - 1}, CLOSE);
		struct st_http_request request = rig_request(&rig, "GET", "/");
		request.response_bytes_max = limits[i];
		struct st_http_response response = rig_send(&rig, &request);
		assert_true(strstr(rig.server.requests[0], "Accept-Encoding: gzip") != NULL);
		if (i == 0) {
			assert_int_equal(response.transport, ST_TRANSPORT_TOO_LARGE);
			assert_int_equal(response.body_len, limits[i]);
		} else {
			assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
			assert_int_equal(response.body_len, 100000);
		}
		st_http_response_fini(&response);
		rig_close(&rig);
	}
}

static void a_refused_connection_sent_nothing(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	/* A port that was free a moment ago: bound, but nobody listens. */
	uv_tcp_t bound;
	struct sockaddr_in any;
	int len = sizeof any;
	(void)uv_ip4_addr("127.0.0.1", 0, &any);
	(void)uv_tcp_init(&rig.loop, &bound);
	assert_int_equal(uv_tcp_bind(&bound, (struct sockaddr *)&any, 0), 0);
	assert_int_equal(uv_tcp_getsockname(&bound, (struct sockaddr *)&any, &len), 0);
	char url[64];
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(any.sin_port));
	struct st_http_request request = rig_request_to(url);
	struct st_http_response response = rig_send(&rig, &request);
	assert_int_equal(response.transport, ST_TRANSPORT_NOT_SENT);
	assert_int_equal(response.first_byte_ms, -1);
	assert_non_null(strstr(response.error, "nothing was sent"));
	st_http_response_fini(&response);
	uv_close((uv_handle_t *)&bound, NULL);
	rig_close(&rig);
}

static void a_failed_handshake_sent_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct rig rig;
		rig_open(&rig, NULL);
		switch (i) {
		case 0:
			SCRIPT(&rig.server, SEND("HTTP/1.1 400 Not TLS\r\n\r\n"), CLOSE);
			break;
		case 1:
			SCRIPT(&rig.server, CLOSE);
			break;
		case 2:
			SCRIPT(&rig.server, RESET);
			break;
		default:
			SCRIPT(&rig.server, {.what = 'h'});
			break;
		}
		char url[64];
		(void)snprintf(url, sizeof url, "https://127.0.0.1:%d/", rig.server.port);
		struct st_http_request request = rig_request_to(url);
		(void)snprintf(request.method, sizeof request.method, "POST");
		request.connect_ms = i == 3 ? 100 : 5000;
		struct st_http_response response = rig_send(&rig, &request);
		assert_int_equal(response.transport, ST_TRANSPORT_NOT_SENT);
		assert_int_equal(rig.server.n_connections, 1);
		st_http_response_fini(&response);
		rig_close(&rig);
	}
}

static void a_request_body_that_nobody_reads_is_lost(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	SCRIPT(&rig.server, READ);
	struct st_http_request request = rig_request(&rig, "POST", "/");
	request.body_len = (size_t)8 << 20;
	request.body = st_alloc(request.body_len + 1);
	request.idle_ms = 150;
	struct st_http_response response = rig_send(&rig, &request);
	assert_int_equal(response.transport, ST_TRANSPORT_TIMED_OUT);
	st_http_response_fini(&response);
	rig_close(&rig);
}

static void the_request_on_the_wire_is_what_was_asked(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(0)));
	static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
	for (size_t i = 0; i < 5; i++) {
		struct st_http_request request = rig_request(&rig, methods[i], "/a?b=c%20d");
		assert_true(st_http_request_header(&request, "X-One", "1: \xc3\xa9"));
		assert_true(st_http_request_header(&request, "X-None", ""));
		bool body = i % 2 == 0;
		request.body = body ? st_strdup("{\"a\":1}") : NULL;
		request.body_len = body ? 7 : 0;
		struct st_http_response response = rig_send(&rig, &request);
		assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
		const char *seen = rig.server.requests[i];
		char line[64];
		(void)snprintf(line, sizeof line, "%s /a?b=c%%20d HTTP/1.1\r\n", methods[i]);
		assert_int_equal(strncmp(seen, line, strlen(line)), 0);
		assert_non_null(strstr(seen, "\r\nX-One: 1: \xc3\xa9\r\n"));
		assert_non_null(strstr(seen, "\r\nX-None:\r\n"));
		assert_non_null(strstr(seen, "\r\nUser-Agent: stint\r\n"));
		assert_null(strstr(seen, "Content-Type"));
		assert_null(strstr(seen, "Expect"));
		assert_true((strstr(seen, "\r\n\r\n{\"a\":1}") != NULL) == body);
		st_http_response_fini(&response);
	}
	rig_close(&rig);
}

static void a_head_request_has_no_body_to_wait_for(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(500)));
	struct st_http_request request = rig_request(&rig, "HEAD", "/");
	struct st_http_response response = rig_send(&rig, &request);
	assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
	assert_string_equal(st_http_response_header(&response, "content-length"), "500");
	st_http_response_fini(&response);
	rig_close(&rig);
}

static void requests_that_would_break_the_framing_are_not_sent(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *value;
	} bad[] = {{"Host", "x"},
		   {"content-length", "3"},
		   {"Transfer-Encoding", "chunked"},
		   {"Connection", "close"},
		   {"a(b", "c"},
		   {"Upgrade", "h2c"}};
	struct rig rig;
	rig_open(&rig, NULL);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct st_http_request request = rig_request(&rig, "GET", "/");
		assert_true(st_http_request_header(&request, bad[i].name, bad[i].value));
		struct st_http_response response = rig_send(&rig, &request);
		assert_int_equal(response.transport, ST_TRANSPORT_NOT_SENT);
		st_http_response_fini(&response);
	}
	static const char *const methods[] = {"", "get", "CONNECT", "TRACE", "GE T"};
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		struct st_http_request request = rig_request(&rig, methods[i], "/");
		struct st_http_response response = rig_send(&rig, &request);
		assert_int_equal(response.transport, ST_TRANSPORT_NOT_SENT);
		st_http_response_fini(&response);
	}
	struct st_http_request request = rig_request_to("http://u:s3cret@127.0.0.1/");
	struct st_http_response response = rig_send(&rig, &request);
	assert_int_equal(response.transport, ST_TRANSPORT_NOT_SENT);
	assert_null(strstr(response.error, "s3cret"));
	st_http_response_fini(&response);
	assert_int_equal(rig.server.n_connections, 0);
	rig_close(&rig);
}

static int count_method(const struct script_server *server, const char *method)
{
	int n = 0;
	for (int i = 0; i < server->n_requests; i++) {
		n += strncmp(server->requests[i], method, strlen(method)) == 0;
	}
	return n;
}

static void a_post_goes_out_once_whatever_becomes_of_kept_connections(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	/* Answers the first request on a connection, takes the second and resets. */
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(1) "a"), READ, RESET);
	SCRIPT(&rig.server, READ, RESET);
	struct st_http_response response = rig_get(&rig, "/first");
	assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
	st_http_response_fini(&response);
	struct st_http_request request = rig_request(&rig, "POST", "/second");
	response = rig_send(&rig, &request);
	assert_int_equal(response.transport, ST_TRANSPORT_LOST);
	st_http_response_fini(&response);
	rig_settle(&rig);
	assert_int_equal(count_method(&rig.server, "POST"), 1);
	assert_int_equal(rig.server.n_requests, 2);
	rig_close(&rig);
}

static void a_get_uses_a_kept_connection_and_survives_its_death(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(1) "a"), READ, SEND(OK_HEAD(1) "b"), READ, RESET);
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(1) "c"));
	static const char *const bodies[] = {"a", "b", "c"};
	static const int connections[] = {1, 1, 2};
	for (size_t i = 0; i < 3; i++) {
		struct st_http_response response = rig_get(&rig, "/");
		assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
		assert_string_equal(response.body, bodies[i]);
		assert_int_equal(rig.server.n_connections, connections[i]);
		st_http_response_fini(&response);
	}
	rig_close(&rig);
}

static void the_environment_does_not_choose_a_proxy(void **state)
{
	(void)state;
	(void)setenv("http_proxy", "http://127.0.0.1:1/", 1);
	(void)setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
	struct rig rig;
	rig_open(&rig, NULL);
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(0)));
	struct st_http_response response = rig_get(&rig, "/");
	assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
	st_http_response_fini(&response);
	rig_close(&rig);
	(void)unsetenv("http_proxy");
	(void)unsetenv("ALL_PROXY");
}

static void the_answer_has_its_headers_and_times(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	SCRIPT(&rig.server, READ,
	       SEND("HTTP/1.1 103 Hints\r\nEarly: 1\r\n\r\n"
		    "HTTP/1.1 200 OK\r\nX-A:  b c \t\r\nEmpty:\r\n"
		    "x-a: second\r\nContent-Length: 0\r\n\r\n"));
	struct st_http_response response = rig_get(&rig, "/");
	assert_int_equal(response.n_headers, 4);
	assert_string_equal(st_http_response_header(&response, "x-a"), "b c");
	assert_string_equal(st_http_response_header(&response, "empty"), "");
	assert_null(st_http_response_header(&response, "early"));
	assert_true(response.first_byte_ms >= 0);
	assert_true(response.total_ms >= response.first_byte_ms);
	assert_string_equal(response.body, "");
	st_http_response_fini(&response);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_fate_is_told_exactly),
	    cmocka_unit_test(a_gzip_bomb_is_cut_at_the_limit),
	    cmocka_unit_test(a_refused_connection_sent_nothing),
	    cmocka_unit_test(a_failed_handshake_sent_nothing),
	    cmocka_unit_test(a_request_body_that_nobody_reads_is_lost),
	    cmocka_unit_test(the_request_on_the_wire_is_what_was_asked),
	    cmocka_unit_test(a_head_request_has_no_body_to_wait_for),
	    cmocka_unit_test(requests_that_would_break_the_framing_are_not_sent),
	    cmocka_unit_test(a_post_goes_out_once_whatever_becomes_of_kept_connections),
	    cmocka_unit_test(a_get_uses_a_kept_connection_and_survives_its_death),
	    cmocka_unit_test(the_environment_does_not_choose_a_proxy),
	    cmocka_unit_test(the_answer_has_its_headers_and_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
