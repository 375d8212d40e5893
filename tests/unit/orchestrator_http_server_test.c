/* SPDX-License-Identifier: Apache-2.0 */
#include "http_rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\n" RIG_HOST "\r\n"

struct client {
	int fd;
	struct st_buf in;
};

static struct client client_open(struct rig *rig, const char *request)
{
	struct client client = {.fd = rig_connect(rig)};
	char *text = rig_text(rig, request);
	rig_send(rig, client.fd, text, strlen(text));
	st_free(text);
	return client;
}

static void client_close(struct client *client)
{
	st_buf_fini(&client->in);
	(void)close(client->fd);
}

static void expect_answer(struct rig *rig, struct client *client, const char *part)
{
	char *answer = rig_answer(rig, client->fd, &client->in, false);
	assert_non_null(answer);
	if (strstr(answer, part) == NULL) {
		fail_msg("'%s' is not in: %s", part, answer);
	}
	st_free(answer);
}

static void expect_end(struct rig *rig, struct client *client)
{
	char *rest = rig_rest(rig, client->fd, &client->in, NULL);
	assert_string_equal(rest, "");
	st_free(rest);
}

static void every_answer_carries_the_security_headers(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	static const char *const requests[] = {GET("/echo"), GET("/none"), GET("/a%zz"),
					       "GET /echo HTTP/1.1\r\nHost: evil.test\r\n\r\n"};
	static const char *const wanted[] = {
	    "\r\nDate: ",
	    "\r\nX-Content-Type-Options: nosniff\r\n",
	    "\r\nCache-Control: no-store\r\n",
	    "\r\nContent-Security-Policy: default-src 'none'",
	    "\r\nX-Frame-Options: DENY\r\n",
	};
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		struct client client = client_open(&rig, requests[i]);
		char *answer = rig_answer(&rig, client.fd, &client.in, false);
		for (size_t j = 0; j < sizeof wanted / sizeof wanted[0]; j++) {
			assert_non_null(strstr(answer, wanted[j]));
		}
		assert_null(strstr(answer, "Access-Control"));
		st_free(answer);
		client_close(&client);
	}
	rig_finish(&rig);
}

static void one_connection_serves_a_thousand_requests(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	struct client client = {.fd = rig_connect(&rig)};
	for (int i = 0; i < 1000; i++) {
		struct st_buf request = {0};
		st_buf_addf(&request, "POST /echo?q=%d HTTP/1.1\r\n" RIG_HOST, i);
		st_buf_add_text(&request, i % 2 == 0 ? "Content-Length: 2\r\n\r\nhi"
						     : "Transfer-Encoding: chunked\r\n\r\n"
						       "2\r\nhi\r\n0\r\n\r\n");
		char *text = rig_text(&rig, request.data);
		rig_send(&rig, client.fd, text, strlen(text));
		st_buf_clear(&request);
		st_buf_addf(&request, "POST /echo q=%d len=2 body=hi", i);
		expect_answer(&rig, &client, request.data);
		st_buf_fini(&request);
		st_free(text);
	}
	assert_int_equal(rig.handled, 1000);
	assert_int_equal(st_http_server_stats(rig.server).connections, 1);
	client_close(&client);
	rig_finish(&rig);
}

static void two_hundred_connections_are_served_at_once(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){.per_peer_max = 300});
	struct client clients[200];
	for (size_t i = 0; i < 200; i++) {
		clients[i] = client_open(&rig, GET("/later"));
	}
	rig_until(&rig, &rig.n_pending, 200);
	assert_int_equal(st_http_server_stats(rig.server).exchanges, 200);
	for (size_t i = 200; i-- > 0;) {
		st_exchange_reply_json(rig.pending[i], 200, "{\"ok\":true}");
	}
	for (size_t i = 0; i < 200; i++) {
		expect_answer(&rig, &clients[i], "{\"ok\":true}");
		client_close(&clients[i]);
	}
	rig_finish(&rig);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	struct client client = client_open(
	    &rig, GET("/later") "POST /echo?q=2 HTTP/1.1\r\n" RIG_HOST
				"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" GET(
				    "/later") "POST /echo?q=4 HTTP/1.1\r\n" RIG_HOST
					      "Content-Length: 1\r\n\r\ny" GET("/echo?q=5"));
	/* The client says that no more will come; all five are still answered. */
	(void)shutdown(client.fd, SHUT_WR);
	rig_until(&rig, &rig.n_pending, 1);
	assert_int_equal(rig.handled, 1);
	st_exchange_reply_json(rig.pending[0], 200, "{\"n\":1}");
	assert_int_equal(rig.handled, 1); /* the handler is not entered from inside a reply */
	rig_until(&rig, &rig.n_pending, 2);
	st_exchange_reply_json(rig.pending[1], 200, "{\"n\":3}");
	expect_answer(&rig, &client, "{\"n\":1}");
	expect_answer(&rig, &client, "q=2 len=1 body=x");
	expect_answer(&rig, &client, "{\"n\":3}");
	expect_answer(&rig, &client, "q=4 len=1 body=y");
	expect_answer(&rig, &client, "q=5 len=0");
	expect_end(&rig, &client);
	client_close(&client);
	rig_finish(&rig);
}

static void a_flood_of_pipelined_requests_is_not_hoarded(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	struct client client = client_open(&rig, GET("/later"));
	rig_until(&rig, &rig.n_pending, 1);
	char *text = rig_text(&rig, GET("/echo"));
	size_t len = strlen(text);
	size_t sent = 0;
	int room = 16384;
	(void)setsockopt(client.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	/* Until both the server's and the kernel's buffers are full. */
	for (int quiet = 0; quiet < 100; quiet++) {
		ssize_t n = send(client.fd, text + sent % len, len - sent % len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		quiet = n > 0 ? 0 : quiet;
		(void)uv_run(&rig.loop, UV_RUN_NOWAIT);
		assert_true(sent < (size_t)16 << 20);
	}
	assert_int_equal(rig.handled, 1);
	st_exchange_reply_json(rig.pending[0], 200, "{}");
	expect_answer(&rig, &client, "{}");
	for (size_t i = 0; i < sent / len; i++) {
		expect_answer(&rig, &client, "GET /echo");
	}
	st_free(text);
	client_close(&client);
	rig_finish(&rig);
}

static void head_has_the_length_but_not_the_body(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	struct client client =
	    client_open(&rig, "HEAD /echo HTTP/1.1\r\n" RIG_HOST "\r\n" GET("/none") GET("/echo"));
	char *answer = rig_answer(&rig, client.fd, &client.in, true);
	assert_non_null(strstr(answer, "Content-Length: 26\r\n"));
	st_free(answer);
	answer = rig_answer(&rig, client.fd, &client.in, false);
	assert_int_equal(rig_status(answer), 204);
	assert_null(strstr(answer, "Content-Length"));
	st_free(answer);
	expect_answer(&rig, &client, "GET /echo");
	client_close(&client);
	rig_finish(&rig);
}

static void a_body_is_invited_only_when_it_will_be_taken(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){.body_bytes_max = 10});
	struct client client =
	    client_open(&rig, "POST /echo HTTP/1.1\r\n" RIG_HOST
			      "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	expect_answer(&rig, &client, "HTTP/1.1 100 Continue\r\n\r\n");
	rig_send(&rig, client.fd, "hi", 2);
	expect_answer(&rig, &client, "body=hi");
	client_close(&client);
	client = client_open(&rig, "POST /echo HTTP/1.1\r\n" RIG_HOST
				   "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n");
	expect_answer(&rig, &client, "HTTP/1.1 413 ");
	client_close(&client);
	rig_finish(&rig);
}

static void a_refusal_is_readable_while_the_body_is_still_sent(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	size_t len = (size_t)4 << 20;
	char *body = st_alloc(len);
	struct client client =
	    client_open(&rig, "POST /echo HTTP/1.1\r\n" RIG_HOST "Content-Length: 4194304\r\n\r\n");
	rig_send(&rig, client.fd, body, len);
	expect_answer(&rig, &client, "HTTP/1.1 413 ");
	(void)shutdown(client.fd, SHUT_WR);
	expect_end(&rig, &client);
	st_free(body);
	client_close(&client);
	rig_finish(&rig);
}

static void a_slow_request_ends_at_the_deadline(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){.request_ms = 60, .linger_ms = 20});
	struct client head = client_open(&rig, "GET /echo HT");
	struct client body =
	    client_open(&rig, "POST /echo HTTP/1.1\r\n" RIG_HOST "Content-Length: 9\r\n\r\nx");
	struct client silent = client_open(&rig, "");
	uint64_t from = uv_hrtime();
	/* Each byte that comes does not put the deadline off. */
	while (rig.handled == 0 && uv_hrtime() - from < UINT64_C(50000000)) {
		(void)send(head.fd, "T", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		struct client other = client_open(&rig, GET("/echo"));
		expect_answer(&rig, &other, "GET /echo");
		client_close(&other);
		rig.handled = 0;
	}
	expect_answer(&rig, &head, "HTTP/1.1 408 ");
	expect_answer(&rig, &body, "HTTP/1.1 408 ");
	expect_end(&rig, &silent);
	client_close(&head);
	client_close(&body);
	client_close(&silent);
	rig_finish(&rig);
}

static void an_idle_connection_is_closed(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){.idle_ms = 30});
	struct client client = client_open(&rig, GET("/echo"));
	expect_answer(&rig, &client, "GET /echo");
	expect_end(&rig, &client);
	client_close(&client);
	rig_finish(&rig);
}

static void too_many_connections_are_told_so(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){.connections_max = 8, .per_peer_max = 4});
	struct client clients[8];
	for (size_t i = 0; i < 4; i++) {
		clients[i] = client_open(&rig, GET("/later"));
	}
	rig_until(&rig, &rig.n_pending, 4);
	struct client more = client_open(&rig, GET("/echo"));
	expect_answer(&rig, &more, "HTTP/1.1 429 ");
	(void)shutdown(more.fd, SHUT_WR);
	expect_end(&rig, &more);
	client_close(&more);
	/* Those in flight are unharmed, and a place that is left can be taken. */
	st_exchange_reply_json(rig.pending[0], 200, "{}");
	expect_answer(&rig, &clients[0], "{}");
	client_close(&clients[0]);
	while (st_http_server_stats(rig.server).connections > 3) {
		rig_turn(&rig, -1);
	}
	clients[0] = client_open(&rig, GET("/echo"));
	expect_answer(&rig, &clients[0], "GET /echo");
	for (size_t i = 1; i < 4; i++) {
		st_exchange_reply_json(rig.pending[i], 200, "{}");
		expect_answer(&rig, &clients[i], "{}");
	}
	for (size_t i = 0; i < 4; i++) {
		client_close(&clients[i]);
	}
	rig_finish(&rig);
	rig_open(&rig, (struct st_http_options){.connections_max = 2, .per_peer_max = 2});
	clients[0] = client_open(&rig, GET("/echo"));
	clients[1] = client_open(&rig, GET("/echo"));
	expect_answer(&rig, &clients[1], "GET /echo");
	clients[2] = client_open(&rig, GET("/echo"));
	expect_answer(&rig, &clients[2], "HTTP/1.1 503 ");
	for (size_t i = 0; i < 3; i++) {
		client_close(&clients[i]);
	}
	rig_finish(&rig);
}

static void a_client_that_leaves_is_noticed_and_the_exchange_stays(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	struct client client = client_open(&rig, GET("/later"));
	struct client other = client_open(&rig, GET("/later"));
	rig_until(&rig, &rig.n_pending, 2);
	assert_true(st_exchange_is_open(rig.pending[0]));
	client_close(&client);
	rig_until(&rig, &rig.gone, 1);
	assert_false(st_exchange_is_open(rig.pending[0]));
	assert_string_equal(st_exchange_path(rig.pending[0]), "/later");
	st_exchange_reply_json(rig.pending[0], 200, "{}");
	/* The same for one that resets. */
	struct linger cut = {.l_onoff = 1};
	(void)setsockopt(other.fd, SOL_SOCKET, SO_LINGER, &cut, sizeof cut);
	client_close(&other);
	rig_until(&rig, &rig.gone, 2);
	st_exchange_problem(rig.pending[1], &(struct st_http_problem){.status = 409});
	rig_finish(&rig);
}

static void a_stream_reaches_its_reader_in_chunks(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	struct client client =
	    client_open(&rig, "GET /sse HTTP/1.1\r\n" RIG_HOST "Connection: close\r\n\r\n");
	rig_until(&rig, &rig.n_pending, 1);
	assert_int_equal(st_exchange_stream_write(rig.pending[0], "data: 1\n\n", 9), 0);
	assert_int_equal(st_exchange_stream_write(rig.pending[0], "", 0), 0);
	assert_int_equal(st_exchange_stream_write(rig.pending[0], "data: 2\n\n", 9), 0);
	st_exchange_stream_end(rig.pending[0]);
	char *all = rig_rest(&rig, client.fd, &client.in, NULL);
	assert_non_null(strstr(all, "Content-Type: text/event-stream\r\n"));
	assert_non_null(strstr(all, "Transfer-Encoding: chunked\r\n"));
	assert_non_null(strstr(all, "\r\n\r\n9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n"));
	st_free(all);
	client_close(&client);
	client = client_open(&rig, "GET /sse HTTP/1.0\r\n" RIG_HOST "\r\n");
	rig_until(&rig, &rig.n_pending, 2);
	assert_int_equal(st_exchange_stream_write(rig.pending[1], "data: 1\n\n", 9), 0);
	st_exchange_stream_end(rig.pending[1]);
	all = rig_rest(&rig, client.fd, &client.in, NULL);
	assert_null(strstr(all, "Transfer-Encoding"));
	assert_non_null(strstr(all, "\r\n\r\ndata: 1\n\n"));
	st_free(all);
	client_close(&client);
	rig_finish(&rig);
}

static void a_reader_that_is_too_slow_is_dropped_alone(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	struct client slow = client_open(&rig, GET("/sse"));
	rig_until(&rig, &rig.n_pending, 1);
	struct client quick = client_open(&rig, GET("/sse"));
	rig_until(&rig, &rig.n_pending, 2);
	char event[1024];
	memset(event, 'e', sizeof event);
	size_t sent = 0;
	bool dropped = false;
	/* The kernel takes some megabytes before anything queues here. */
	for (int i = 0; i < 64 << 10 && !dropped; i++) {
		dropped = st_exchange_stream_write(rig.pending[0], event, sizeof event) != 0;
		assert_true(st_exchange_stream_queued(rig.pending[0]) <= (64 << 10) + 1040);
		assert_int_equal(st_exchange_stream_write(rig.pending[1], event, sizeof event), 0);
		sent++;
		(void)rig_receive(quick.fd, &quick.in, NULL);
		(void)uv_run(&rig.loop, UV_RUN_NOWAIT);
	}
	assert_true(dropped);
	assert_int_equal(st_http_server_stats(rig.server).dropped, 1);
	rig_until(&rig, &rig.gone, 1);
	assert_int_equal(st_exchange_stream_write(rig.pending[0], "x", 1), ST_ERR_NET);
	st_exchange_stream_end(rig.pending[0]);
	st_exchange_stream_end(rig.pending[1]);
	while (quick.in.len < 5 || memcmp(quick.in.data + quick.in.len - 5, "0\r\n\r\n", 5) != 0) {
		assert_true(rig_receive(quick.fd, &quick.in, NULL));
		rig_turn(&rig, quick.fd);
	}
	assert_true(quick.in.len > sent * sizeof event);
	client_close(&slow);
	client_close(&quick);
	rig_finish(&rig);
}

static void a_reader_that_stands_still_is_dropped(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){.write_ms = 30});
	struct client client = client_open(&rig, GET("/big"));
	bool reset = false;
	while (st_http_server_stats(rig.server).dropped == 0) {
		rig_turn(&rig, -1);
	}
	char *rest = rig_rest(&rig, client.fd, &client.in, &reset);
	assert_true(strlen(rest) < (size_t)8 << 20);
	st_free(rest);
	client_close(&client);
	rig_finish(&rig);
	rig_open(&rig, (struct st_http_options){0});
	client = client_open(&rig, GET("/big"));
	char *answer = rig_answer(&rig, client.fd, &client.in, false);
	assert_non_null(answer);
	assert_true(strlen(answer) > (size_t)8 << 20);
	st_free(answer);
	client_close(&client);
	rig_finish(&rig);
}

static void rig_drained(void *arg)
{
	((struct rig *)arg)->drained++;
}

static void a_long_stream_can_wait_for_its_reader(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	struct client client = client_open(&rig, GET("/sse"));
	rig_until(&rig, &rig.n_pending, 1);
	struct st_exchange *exchange = rig.pending[0];
	st_exchange_on_drain(exchange, rig_drained, &rig);
	char *part = st_alloc(32768);
	size_t sent = 0;
	for (size_t rounds = 1; rounds <= 3; rounds++) {
		while (st_exchange_stream_queued(exchange) == 0) {
			assert_int_equal(st_exchange_stream_write(exchange, part, 32768), 0);
			sent += 32768;
		}
		while (rig.drained < rounds) {
			(void)rig_receive(client.fd, &client.in, NULL);
			rig_turn(&rig, client.fd);
		}
	}
	st_exchange_stream_end(exchange);
	while (client.in.len < sent) {
		assert_true(rig_receive(client.fd, &client.in, NULL));
		rig_turn(&rig, client.fd);
	}
	st_free(part);
	client_close(&client);
	rig_finish(&rig);
}

static void an_aborted_answer_cannot_be_taken_for_a_whole_one(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	struct client client = client_open(&rig, GET("/sse"));
	rig_until(&rig, &rig.n_pending, 1);
	assert_int_equal(st_exchange_stream_write(rig.pending[0], "part", 4), 0);
	st_exchange_abort(rig.pending[0]);
	bool reset = false;
	char *rest = rig_rest(&rig, client.fd, &client.in, &reset);
	assert_true(reset);
	assert_null(strstr(rest, "\r\n0\r\n"));
	st_free(rest);
	client_close(&client);
	rig_finish(&rig);
}

static void close_lets_open_exchanges_end(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	struct client idle = client_open(&rig, GET("/echo"));
	expect_answer(&rig, &idle, "GET /echo");
	struct client busy = client_open(&rig, GET("/later"));
	rig_until(&rig, &rig.n_pending, 1);
	st_http_server_close(rig.server, rig_closed, &rig);
	expect_end(&rig, &idle);
	assert_false(rig.closed);
	st_exchange_reply_json(rig.pending[0], 200, "{}");
	char *answer = rig_answer(&rig, busy.fd, &busy.in, false);
	assert_non_null(strstr(answer, "Connection: close\r\n"));
	st_free(answer);
	client_close(&busy);
	client_close(&idle);
	while (!rig.closed) {
		rig_turn(&rig, -1);
	}
	rig_finish(&rig);
}

static void an_exchange_outlives_a_server_that_could_not_wait(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){.drain_ms = 20});
	struct client later = client_open(&rig, GET("/later"));
	struct client sse = client_open(&rig, GET("/sse"));
	rig_until(&rig, &rig.n_pending, 2);
	st_http_server_close(rig.server, rig_closed, &rig);
	while (!rig.closed) {
		rig_turn(&rig, -1);
	}
	assert_int_equal(rig.gone, 2);
	assert_int_equal(st_exchange_stream_write(rig.pending[1], "x", 1), ST_ERR_NET);
	st_exchange_reply_json(rig.pending[0], 200, "{}");
	st_exchange_stream_end(rig.pending[1]);
	client_close(&later);
	client_close(&sse);
	rig_finish(&rig);
}

static void a_problem_is_valid_json_whatever_its_texts_are(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, (struct st_http_options){0});
	struct client client = client_open(&rig, GET("/later") GET("/later"));
	rig_until(&rig, &rig.n_pending, 1);
	static const struct st_http_field evil = {"X-Evil", "a\r\nSet-Cookie: b"};
	st_exchange_problem(rig.pending[0], &(struct st_http_problem){.status = 422,
								      .type = "key-mismatch",
								      .title = "Other body",
								      .detail = "\"\n\xff",
								      .pointer = "/a~1b",
								      .verdict = "{\"x\":1}",
								      .headers = &evil,
								      .n_headers = 1});
	char *answer = rig_answer(&rig, client.fd, &client.in, false);
	assert_non_null(strstr(
	    answer, "\r\n\r\n{\"type\":\"urn:stint:problem:key-mismatch\",\"title\":\"Other body\","
		    "\"status\":422,\"detail\":\"\\\"\\n?\",\"pointer\":\"/a~1b\","
		    "\"verdict\":{\"x\":1}}"));
	assert_non_null(strstr(answer, "Content-Type: application/problem+json\r\n"));
	assert_null(strstr(answer, "\nSet-Cookie"));
	st_free(answer);
	rig_until(&rig, &rig.n_pending, 2);
	st_exchange_problem(rig.pending[1], &(struct st_http_problem){.status = 404});
	expect_answer(&rig, &client,
		      "{\"type\":\"urn:stint:problem:not-found\",\"title\":\"Not Found\","
		      "\"status\":404}");
	client_close(&client);
	rig_finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_answer_carries_the_security_headers),
	    cmocka_unit_test(one_connection_serves_a_thousand_requests),
	    cmocka_unit_test(two_hundred_connections_are_served_at_once),
	    cmocka_unit_test(pipelined_requests_are_answered_in_order),
	    cmocka_unit_test(a_flood_of_pipelined_requests_is_not_hoarded),
	    cmocka_unit_test(head_has_the_length_but_not_the_body),
	    cmocka_unit_test(a_body_is_invited_only_when_it_will_be_taken),
	    cmocka_unit_test(a_refusal_is_readable_while_the_body_is_still_sent),
	    cmocka_unit_test(a_slow_request_ends_at_the_deadline),
	    cmocka_unit_test(an_idle_connection_is_closed),
	    cmocka_unit_test(too_many_connections_are_told_so),
	    cmocka_unit_test(a_client_that_leaves_is_noticed_and_the_exchange_stays),
	    cmocka_unit_test(a_stream_reaches_its_reader_in_chunks),
	    cmocka_unit_test(a_reader_that_is_too_slow_is_dropped_alone),
	    cmocka_unit_test(a_reader_that_stands_still_is_dropped),
	    cmocka_unit_test(a_long_stream_can_wait_for_its_reader),
	    cmocka_unit_test(an_aborted_answer_cannot_be_taken_for_a_whole_one),
	    cmocka_unit_test(close_lets_open_exchanges_end),
	    cmocka_unit_test(an_exchange_outlives_a_server_that_could_not_wait),
	    cmocka_unit_test(a_problem_is_valid_json_whatever_its_texts_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
