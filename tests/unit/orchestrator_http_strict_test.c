/* SPDX-License-Identifier: Apache-2.0 */
#include "http_rig.h"

#include "orchestrator/http_target.h"

struct row {
	const char *request;
	int status;
	bool closes;
};

#define GET_ECHO "GET /echo HTTP/1.1\r\n" RIG_HOST
#define POST_ECHO "POST /echo HTTP/1.1\r\n" RIG_HOST

static const struct row rows[] = {
    {GET_ECHO "\r\n", 200, false},
    {"\r\n" GET_ECHO "\r\n", 200, false},
    {"GET /echo HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", 200, false},
    {"GET /echo HTTP/1.1\r\nhOST:[::1]:PORT\r\n\r\n", 200, false},
    {"GET http://localhost:PORT/echo HTTP/1.1\r\n" RIG_HOST "\r\n", 200, false},
    {"GET /echo HTTP/1.1\r\nHost: ours.example\r\n\r\n", 200, false},
    {"GET /echo HTTP/1.1\r\nHost: ours.example:9\r\n\r\n", 200, false},
    /* Host */
    {"GET /echo HTTP/1.1\r\n\r\n", 400, true},
    {"GET /echo HTTP/1.0\r\n\r\n", 400, true},
    {GET_ECHO RIG_HOST "\r\n", 400, true},
    {"GET /echo HTTP/1.1\r\nHost: evil.test\r\n\r\n", 421, true},
    {"GET /echo HTTP/1.1\r\nHost: 127.0.0.1.evil.test:PORT\r\n\r\n", 421, true},
    {"GET /echo HTTP/1.1\r\nHost: localhost:1\r\n\r\n", 421, true},
    {"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n", 421, true},
    {"GET /echo HTTP/1.1\r\nHost: localhost:PORT@evil.test\r\n\r\n", 421, true},
    {"GET /echo HTTP/1.1\r\nHost:\r\n\r\n", 421, true},
    {"GET http://evil.test/echo HTTP/1.1\r\n" RIG_HOST "\r\n", 421, true},
    /* headers that may come once */
    {GET_ECHO "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", 400, true},
    {GET_ECHO "Idempotency-Key: a\r\nidempotency-key: a\r\n\r\n", 400, true},
    {GET_ECHO "Accept: a/b\r\nAccept: c/d\r\n\r\n", 200, false},
    /* how long is the body? */
    {POST_ECHO "Content-Length: 2\r\n\r\nhi", 200, false},
    {POST_ECHO "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 400, true},
    {POST_ECHO "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", 400, true},
    {POST_ECHO "Content-Length: 2, 2\r\n\r\nhi", 400, true},
    {POST_ECHO "Content-Length: +2\r\n\r\nhi", 400, true},
    {POST_ECHO "Content-Length: -2\r\n\r\nhi", 400, true},
    {POST_ECHO "Content-Length: 0x2\r\n\r\nhi", 400, true},
    {POST_ECHO "Content-Length: 2 2\r\n\r\nhi", 400, true},
    {POST_ECHO "Content-Length:\r\n\r\nhi", 400, true},
    {POST_ECHO "Content-Length: 99999999999999999999\r\n\r\n", 400, true},
    {POST_ECHO "Content-Length: 18446744073709551616\r\n\r\n", 400, true},
    {POST_ECHO "Content-Length: 10737418240\r\n\r\n", 413, true},
    {POST_ECHO "Content-Length: 1025\r\n\r\n", 413, true},
    {POST_ECHO "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", 400, true},
    {POST_ECHO "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, true},
    {POST_ECHO "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200, false},
    {POST_ECHO "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\nX: y\r\n\r\n", 200, false},
    {POST_ECHO "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400, true},
    {POST_ECHO "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, true},
    {POST_ECHO "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, true},
    {POST_ECHO "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, true},
    {POST_ECHO "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400, true},
    {"POST /echo HTTP/1.0\r\n" RIG_HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, true},
    {POST_ECHO "Transfer-Encoding: chunked\r\n\r\n+2\r\nhi\r\n0\r\n\r\n", 400, true},
    {POST_ECHO "Transfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n", 400, true},
    {POST_ECHO "Transfer-Encoding: chunked\r\n\r\n2 \r\nhi\r\n0\r\n\r\n", 400, true},
    {POST_ECHO "Transfer-Encoding: chunked\r\n\r\n2\nhi\r\n0\r\n\r\n", 400, true},
    {POST_ECHO "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\n0\r\n\r\n", 400, true},
    {POST_ECHO "Transfer-Encoding: chunked\r\n\r\n2\r\nhix\r\n0\r\n\r\n", 400, true},
    {POST_ECHO "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\nhi", 400, true},
    {POST_ECHO "Transfer-Encoding: chunked\r\n\r\n401\r\nhi", 413, true},
    {POST_ECHO "Transfer-Encoding: chunked\r\n\r\n400\r\nhi", 0, false},
    {POST_ECHO "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi", 415, true},
    {POST_ECHO "Content-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi", 200, false},
    {POST_ECHO "Expect: tea\r\nContent-Length: 2\r\n\r\nhi", 417, true},
    /* lines */
    {"GET /echo HTTP/1.1\nHost: localhost:PORT\n\n", 400, true},
    {"GET /echo HTTP/1.1\r\nHost: localhost:PORT\n\r\n", 400, true},
    {"GET /echo HTTP/1.1\r\nHost: localhost:PORT\r\r\n\r\n", 400, true},
    {GET_ECHO "X: a\rb\r\n\r\n", 400, true},
    {GET_ECHO "\rX", 400, true},
    {GET_ECHO "X : a\r\n\r\n", 400, true},
    {GET_ECHO "X\t: a\r\n\r\n", 400, true},
    {GET_ECHO "X: a\r\n b\r\n\r\n", 400, true},
    {GET_ECHO " X: a\r\n\r\n", 400, true},
    {GET_ECHO ": a\r\n\r\n", 400, true},
    {GET_ECHO "X\r\n\r\n", 400, true},
    {GET_ECHO "X: a\x01\r\n\r\n", 400, true},
    {GET_ECHO "X(: a\r\n\r\n", 400, true},
    {GET_ECHO "X: \xc3\xa4\r\n\r\n", 200, false},
    {GET_ECHO "X: \t a \t\r\nY:\r\n\r\n", 200, false},
    /* request line */
    {"GET /echo\r\n", 400, true},
    {"GET /echo HTTP/0.9\r\n" RIG_HOST "\r\n", 400, true},
    {"GET /echo HTTP/2.0\r\n" RIG_HOST "\r\n", 505, true},
    {"GET /echo HTTP/1.2\r\n" RIG_HOST "\r\n", 505, true},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, true},
    {"GET /echo http/1.1\r\n" RIG_HOST "\r\n", 400, true},
    {"GET  /echo HTTP/1.1\r\n" RIG_HOST "\r\n", 400, true},
    {"GET /echo  HTTP/1.1\r\n" RIG_HOST "\r\n", 400, true},
    {"GET /echo HTTP/1.1 \r\n" RIG_HOST "\r\n", 400, true},
    {" GET /echo HTTP/1.1\r\n" RIG_HOST "\r\n", 400, true},
    {"GET\t/echo\tHTTP/1.1\r\n" RIG_HOST "\r\n", 400, true},
    {"\x16\x03\x01\x02", 400, true},
    {"\r\n\r\n\r\n\r\n" GET_ECHO "\r\n", 400, true},
    {"TRACE /echo HTTP/1.1\r\n" RIG_HOST "\r\n", 405, true},
    {"CONNECT localhost:PORT HTTP/1.1\r\n" RIG_HOST "\r\n", 405, true},
    {"PROPFIND /echo HTTP/1.1\r\n" RIG_HOST "\r\n", 405, true},
    {"BREW /echo HTTP/1.1\r\n" RIG_HOST "\r\n", 501, true},
    {"get /echo HTTP/1.1\r\n" RIG_HOST "\r\n", 501, true},
    {"OPTIONS * HTTP/1.1\r\n" RIG_HOST "\r\n", 200, false},
    /* targets */
    {"GET /%65cho?q=%41+b HTTP/1.1\r\n" RIG_HOST "\r\n", 200, false},
    {"GET echo HTTP/1.1\r\n" RIG_HOST "\r\n", 400, true},
    {"GET /a%2 HTTP/1.1\r\n" RIG_HOST "\r\n", 400, true},
    {"GET /a%zz HTTP/1.1\r\n" RIG_HOST "\r\n", 400, true},
    {"GET /a%00 HTTP/1.1\r\n" RIG_HOST "\r\n", 400, true},
    {"GET /a%0d%0a HTTP/1.1\r\n" RIG_HOST "\r\n", 400, true},
    {"GET /a%c0%af HTTP/1.1\r\n" RIG_HOST "\r\n", 400, true},
    {"GET /a%ed%a0%80 HTTP/1.1\r\n" RIG_HOST "\r\n", 400, true},
    {"GET /a\xc3\xa4 HTTP/1.1\r\n" RIG_HOST "\r\n", 400, true},
    {"GET /a#b HTTP/1.1\r\n" RIG_HOST "\r\n", 400, true},
    {"GET /a%2fb HTTP/1.1\r\n" RIG_HOST "\r\n", 404, true},
    {"GET /../etc HTTP/1.1\r\n" RIG_HOST "\r\n", 404, true},
    {"GET /%2e%2E/etc HTTP/1.1\r\n" RIG_HOST "\r\n", 404, true},
    {"GET /a?q=1&q=2 HTTP/1.1\r\n" RIG_HOST "\r\n", 400, true},
    /* offers that are not taken up */
    {GET_ECHO "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 200, false},
    {GET_ECHO "Connection: close\r\n\r\n", 200, true},
    {"GET /echo HTTP/1.0\r\n" RIG_HOST "\r\n", 200, true},
    {"GET /echo HTTP/1.0\r\n" RIG_HOST "Connection: keep-alive\r\n\r\n", 200, false},
};

static const char *const hosts[] = {"ours.example", NULL};

static void run_row(struct rig *rig, const struct row *row)
{
	char *text = rig_text(rig, row->request);
	int fd = rig_connect(rig);
	struct st_buf in = {0};
	rig_send(rig, fd, text, strlen(text));
	if (row->status == 0) { /* more must come first: ask nothing, see nothing */
		(void)shutdown(fd, SHUT_WR);
	}
	char *answer = rig_answer(rig, fd, &in, false);
	bool closes = answer != NULL && strstr(answer, "Connection: close\r\n") != NULL;
	if (rig_status(answer) != row->status || closes != row->closes) {
		fail_msg("%s\n gave: %s", row->request, answer != NULL ? answer : "(nothing)");
	}
	if (closes) {
		(void)shutdown(fd, SHUT_WR);
		bool reset = false;
		char *rest = rig_rest(rig, fd, &in, &reset);
		assert_string_equal(rest, "");
		assert_false(reset);
		st_free(rest);
	}
	st_free(answer);
	st_free(text);
	st_buf_fini(&in);
	(void)close(fd);
}

static void each_request_is_taken_or_refused_as_the_table_says(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){.body_bytes_max = 1024, .hosts = hosts});
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		run_row(&rig, &rows[i]);
	}
	rig_finish(&rig);
}

static void what_is_refused_never_reaches_the_handler(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){.body_bytes_max = 1024, .hosts = hosts});
	size_t good = 0;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		run_row(&rig, &rows[i]);
		good += rows[i].status == 200;
	}
	assert_int_equal(rig.handled, good);
	assert_int_equal(st_http_server_stats(&(*rig.server)).requests, good);
	rig_finish(&rig);
}

static void nothing_is_read_differently_byte_by_byte(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){.body_bytes_max = 1024, .hosts = hosts});
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *text = rig_text(&rig, rows[i].request);
		int fd = rig_connect(&rig);
		struct st_buf in = {0};
		for (size_t at = 0; text[at] != '\0'; at++) {
			rig_send(&rig, fd, text + at, 1);
		}
		(void)shutdown(fd, SHUT_WR);
		char *answer = rig_answer(&rig, fd, &in, false);
		if (rig_status(answer) != rows[i].status) {
			fail_msg("%s\n gave: %s", rows[i].request, answer != NULL ? answer : "-");
		}
		st_free(answer);
		st_buf_fini(&in);
		st_free(text);
		(void)close(fd);
	}
	rig_finish(&rig);
}

static void a_split_at_any_byte_changes_nothing(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	char *text = rig_text(&rig, "POST /echo?q=%C3%A4 HTTP/1.1\r\n" RIG_HOST
				    "Transfer-Encoding: chunked\r\nX-Y: z\r\n\r\n"
				    "2\r\nhi\r\n4;x=y\r\n you\r\n0\r\nT: u\r\n\r\n");
	for (size_t at = 1; at < strlen(text); at++) {
		int fd = rig_connect(&rig);
		struct st_buf in = {0};
		rig_send(&rig, fd, text, at);
		rig_send(&rig, fd, text + at, strlen(text) - at);
		char *answer = rig_answer(&rig, fd, &in, false);
		assert_non_null(answer);
		assert_non_null(strstr(answer, "\r\n\r\nPOST /echo q=\xc3\xa4 len=6 body=hi you"));
		st_free(answer);
		st_buf_fini(&in);
		(void)close(fd);
	}
	st_free(text);
	rig_finish(&rig);
}

static int ask_padded(struct rig *rig, const char *before, size_t n, const char *after)
{
	struct st_buf request = {0};
	st_buf_add_text(&request, before);
	for (size_t i = 0; i < n; i++) {
		st_buf_add_char(&request, 'a');
	}
	st_buf_add_text(&request, after);
	int status = rig_once(rig, request.data);
	st_buf_fini(&request);
	return status;
}

static void sizes_are_bounded(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	assert_int_equal(ask_padded(&rig, GET_ECHO "X: ", 17 << 10, "\r\n\r\n"), 431);
	assert_int_equal(ask_padded(&rig, GET_ECHO "X: ", 15 << 10, "\r\n\r\n"), 200);
	assert_int_equal(ask_padded(&rig, GET_ECHO, 17 << 10, ": x\r\n\r\n"), 431);
	assert_int_equal(ask_padded(&rig, "GET /", 64 << 10, " HTTP/1.1\r\n" RIG_HOST "\r\n"), 414);
	assert_int_equal(ask_padded(&rig, "GET /", 8191, " HTTP/1.1\r\n" RIG_HOST "\r\n"), 200);
	assert_int_equal(ask_padded(&rig, "GET /", 8192, " HTTP/1.1\r\n" RIG_HOST "\r\n"), 414);
	assert_int_equal(ask_padded(&rig, "", 64 << 10, ""), 414);
	struct st_buf many = {0};
	st_buf_add_text(&many, GET_ECHO);
	for (int i = 0; i < 500; i++) {
		st_buf_addf(&many, "X-%d: y\r\n", i);
	}
	st_buf_add_text(&many, "\r\n");
	assert_int_equal(rig_once(&rig, many.data), 431);
	st_buf_fini(&many);
	rig_finish(&rig);
}

static void chunks_without_end_stop_at_the_limit(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){.body_bytes_max = 1000});
	struct st_buf request = {0};
	st_buf_add_text(&request, POST_ECHO "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 1001; i++) {
		st_buf_add_text(&request, "1\r\nx\r\n");
	}
	assert_int_equal(rig_once(&rig, request.data), 413);
	st_buf_clear(&request);
	st_buf_add_text(&request, POST_ECHO "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 1000; i++) {
		st_buf_add_text(&request, "1\r\nx\r\n");
	}
	st_buf_add_text(&request, "0\r\n\r\n");
	assert_int_equal(rig_once(&rig, request.data), 200);
	assert_int_equal(ask_padded(&rig, POST_ECHO "Transfer-Encoding: chunked\r\n\r\n1;",
				    64 << 10, "\r\nx\r\n0\r\n\r\n"),
			 400);
	assert_int_equal(
	    ask_padded(&rig, POST_ECHO "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: ",
		       64 << 10, "\r\n\r\n"),
	    400);
	st_buf_fini(&request);
	rig_finish(&rig);
}

static void a_nul_byte_is_refused_wherever_it_stands(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	char *text = rig_text(&rig, GET_ECHO "X: y\r\n\r\n");
	size_t len = strlen(text);
	for (size_t at = 0; at + 1 < len; at++) {
		char kept = text[at];
		text[at] = '\0';
		int fd = rig_connect(&rig);
		struct st_buf in = {0};
		rig_send(&rig, fd, text, len);
		char *answer = rig_answer(&rig, fd, &in, false);
		assert_int_equal(rig_status(answer), 400);
		st_free(answer);
		st_buf_fini(&in);
		(void)close(fd);
		text[at] = kept;
	}
	st_free(text);
	rig_finish(&rig);
}

static void utf8_is_told_from_other_bytes(void **state)
{
	(void)state;
	assert_true(st_http_utf8_valid("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10));
	static const char *const bad[] = {"\x80",	  "\xc0\xaf",	      "\xc3",
					  "\xe0\x80\xaf", "\xed\xa0\x80",     "\xe2\x82",
					  "\xff",	  "\xf4\x90\x80\x80", "\xf0\x80\x80\x80"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(st_http_utf8_valid(bad[i], strlen(bad[i])));
	}
}

static void hosts_are_matched_whole(void **state)
{
	(void)state;
	static const char *const extra[] = {"a.example:1", "b.example", "[fe80::1]", NULL};
	assert_true(st_http_host_allowed("LOCALHOST:80", 80, NULL));
	assert_true(st_http_host_allowed("localhost", 80, NULL));
	assert_true(st_http_host_allowed("a.example:1", 2, extra));
	assert_true(st_http_host_allowed("B.example:5", 2, extra));
	assert_true(st_http_host_allowed("[fe80::1]:5", 2, extra));
	static const char *const bad[] = {"a.example",
					  "a.example:11",
					  "b.example.x",
					  "xb.example",
					  "b.example:",
					  "b.example:1x",
					  "localhos",
					  "localhost:2:2",
					  "[::1]x:2",
					  "::1",
					  "",
					  ":2",
					  "localhost.:2",
					  "[::1:2"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(st_http_host_allowed(bad[i], 2, extra));
	}
}

static void a_query_holds_its_decoded_values(void **state)
{
	(void)state;
	const char *raw = "http://h?a=1%26+2&b&&c=%3D=&%64=";
	struct st_http_target target;
	assert_int_equal(st_http_target_parse(raw, strlen(raw), &target), 0);
	assert_string_equal(target.authority, "h");
	assert_string_equal(target.path, "/");
	assert_string_equal(st_http_target_query(&target, "a"), "1& 2");
	assert_string_equal(st_http_target_query(&target, "b"), "");
	assert_string_equal(st_http_target_query(&target, "c"), "==");
	assert_string_equal(st_http_target_query(&target, "d"), "");
	assert_null(st_http_target_query(&target, ""));
	st_http_target_fini(&target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_request_is_taken_or_refused_as_the_table_says),
	    cmocka_unit_test(what_is_refused_never_reaches_the_handler),
	    cmocka_unit_test(nothing_is_read_differently_byte_by_byte),
	    cmocka_unit_test(a_split_at_any_byte_changes_nothing),
	    cmocka_unit_test(sizes_are_bounded),
	    cmocka_unit_test(chunks_without_end_stop_at_the_limit),
	    cmocka_unit_test(a_nul_byte_is_refused_wherever_it_stands),
	    cmocka_unit_test(utf8_is_told_from_other_bytes),
	    cmocka_unit_test(hosts_are_matched_whole),
	    cmocka_unit_test(a_query_holds_its_decoded_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
