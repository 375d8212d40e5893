/* SPDX-License-Identifier: Apache-2.0 */
/* What happens when there are many calls, and when we give up on them? */
#include "tests/unit/http_client_rig.h"

#include "steps/sse.h"

#define EVENT "data: {\"n\":1}\n\n"
#define SSE_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

struct stream {
	struct st_sse sse;
	int n_events;
	struct result result;
};

static void on_event(void *arg, const struct st_sse_event *event)
{
	struct stream *stream = arg;
	stream->n_events += strcmp(event->data, "{\"n\":1}") == 0;
}

static void on_bytes(void *arg, const char *bytes, size_t len)
{
	struct stream *stream = arg;
	assert_int_equal(st_sse_feed(&stream->sse, bytes, len, on_event, stream), ST_OK);
}

static void two_hundred_streams_run_side_by_side(void **state)
{
	(void)state;
	struct rig rig;
	struct st_http_options options = {.calls_max = 200, .calls_per_host_max = 200};
	rig_open(&rig, &options);
	SCRIPT(&rig.server, READ, SEND(SSE_HEAD), DRIP(EVENT), SEND_TIMES(EVENT, 50), CLOSE);
	static struct stream streams[200];
	for (size_t i = 0; i < 200; i++) {
		streams[i] = (struct stream){.n_events = 0};
		st_sse_init(&streams[i].sse, 4096);
		struct st_http_request request = rig_request(&rig, "POST", "/stream");
		struct st_http_call *call =
		    st_http_send(rig.client, any_grant(), &request, rig_done, &streams[i].result);
		st_http_tap(call, on_bytes, &streams[i]);
	}
	for (size_t i = 0; i < 200; i++) {
		rig_wait(&rig, &streams[i].result.done);
		assert_int_equal(streams[i].result.response.transport, ST_TRANSPORT_ANSWERED);
		assert_int_equal(streams[i].n_events, 51);
		assert_int_equal(streams[i].result.response.body_len, 0);
		st_http_response_fini(&streams[i].result.response);
		st_sse_fini(&streams[i].sse);
	}
	assert_int_equal(rig.server.n_open_peak, 200);
	assert_int_equal(rig.server.n_requests, 200);
	rig_close(&rig);
}

static void no_more_calls_are_in_flight_than_allowed(void **state)
{
	(void)state;
	static const struct st_http_options limits[] = {{.calls_max = 3},
							{.calls_max = 50, .calls_per_host_max = 3}};
	for (size_t i = 0; i < 2; i++) {
		struct rig rig;
		rig_open(&rig, &limits[i]);
		SCRIPT(&rig.server, READ, DRIP(OK_HEAD(0)), CLOSE);
		struct result results[20] = {{.done = false}};
		for (size_t k = 0; k < 20; k++) {
			struct st_http_request request = rig_request(&rig, "POST", "/");
			(void)st_http_send(rig.client, any_grant(), &request, rig_done,
					   &results[k]);
		}
		for (size_t k = 0; k < 20; k++) {
			rig_wait(&rig, &results[k].done);
			assert_int_equal(results[k].response.transport, ST_TRANSPORT_ANSWERED);
			st_http_response_fini(&results[k].response);
		}
		assert_int_equal(rig.server.n_open_peak, 3);
		rig_close(&rig);
	}
}

static void a_call_that_only_waited_was_not_sent(void **state)
{
	(void)state;
	struct rig rig;
	struct st_http_options options = {.calls_max = 1};
	rig_open(&rig, &options);
	SCRIPT(&rig.server, READ);
	struct result first = {.done = false};
	struct result late = {.done = false};
	struct result aborted = {.done = false};
	struct st_http_request request = rig_request(&rig, "POST", "/first");
	struct st_http_call *call =
	    st_http_send(rig.client, any_grant(), &request, rig_done, &first);
	request = rig_request(&rig, "POST", "/late");
	request.total_ms = 50;
	(void)st_http_send(rig.client, any_grant(), &request, rig_done, &late);
	request = rig_request(&rig, "POST", "/aborted");
	struct st_http_call *other =
	    st_http_send(rig.client, any_grant(), &request, rig_done, &aborted);
	rig_wait(&rig, &late.done);
	assert_int_equal(late.response.transport, ST_TRANSPORT_NOT_SENT);
	st_http_abort(other);
	st_http_abort(other);
	assert_false(aborted.done);
	rig_wait(&rig, &aborted.done);
	assert_int_equal(aborted.response.transport, ST_TRANSPORT_NOT_SENT);
	assert_int_equal(rig.server.n_requests, 1);
	st_http_abort(call);
	rig_wait(&rig, &first.done);
	assert_int_equal(first.response.transport, ST_TRANSPORT_ABORTED);
	st_http_response_fini(&first.response);
	st_http_response_fini(&late.response);
	st_http_response_fini(&aborted.response);
	rig_close(&rig);
}

/* Waits until the server has seen so many requests, and its answers have arrived. */
static void wait_for_requests(struct rig *rig, int n)
{
	while (rig->server.n_requests < n) {
		(void)uv_run(&rig->loop, UV_RUN_ONCE);
	}
	rig_settle(rig);
}

static void an_aborted_call_closes_its_connection_and_keeps_what_came(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(100) "part"));
	struct result result = {.done = false};
	struct st_http_request request = rig_request(&rig, "GET", "/");
	struct st_http_call *call =
	    st_http_send(rig.client, any_grant(), &request, rig_done, &result);
	wait_for_requests(&rig, 1);
	st_http_abort(call);
	rig_wait(&rig, &result.done);
	assert_int_equal(result.response.transport, ST_TRANSPORT_ABORTED);
	assert_int_equal(result.response.status, 200);
	assert_string_equal(result.response.body, "part");
	while (rig.server.n_left == 0) {
		(void)uv_run(&rig.loop, UV_RUN_ONCE);
	}
	assert_int_equal(result.n_done, 1);
	st_http_response_fini(&result.response);
	rig_close(&rig);
}

static void an_abort_after_the_end_changes_nothing(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	struct result result = {.done = false};
	struct st_http_request request = rig_request_to("ftp://nowhere/");
	struct st_http_call *call =
	    st_http_send(rig.client, any_grant(), &request, rig_done, &result);
	st_http_abort(call);
	rig_wait(&rig, &result.done);
	assert_non_null(strstr(result.response.error, "http://"));
	rig_settle(&rig);
	assert_int_equal(result.n_done, 1);
	st_http_response_fini(&result.response);
	rig_close(&rig);
}

struct nested {
	struct rig *rig;
	struct st_http_call *call;
	struct result inner;
	struct result outer;
};

static void send_and_abort_in_tap(void *arg, const char *bytes, size_t len)
{
	(void)bytes;
	(void)len;
	struct nested *nested = arg;
	struct st_http_request request = rig_request(nested->rig, "GET", "/inner");
	(void)st_http_send(nested->rig->client, any_grant(), &request, rig_done, &nested->inner);
	st_http_abort(nested->call);
}

static void a_tap_may_send_and_abort(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(100) "part"));
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(2) "in"));
	struct nested nested = {.rig = &rig};
	struct st_http_request request = rig_request(&rig, "GET", "/outer");
	nested.call = st_http_send(rig.client, any_grant(), &request, rig_done, &nested.outer);
	st_http_tap(nested.call, send_and_abort_in_tap, &nested);
	rig_wait(&rig, &nested.outer.done);
	rig_wait(&rig, &nested.inner.done);
	assert_int_equal(nested.outer.response.transport, ST_TRANSPORT_ABORTED);
	assert_int_equal(nested.inner.response.transport, ST_TRANSPORT_ANSWERED);
	st_http_response_fini(&nested.outer.response);
	st_http_response_fini(&nested.inner.response);
	rig_close(&rig);
}

struct chain {
	struct rig *rig;
	int left;
	bool done;
};

static void send_next(void *arg, struct st_http_response *response)
{
	struct chain *chain = arg;
	assert_int_equal(response->transport, ST_TRANSPORT_ANSWERED);
	st_http_response_fini(response);
	if (--chain->left == 0) {
		chain->done = true;
		return;
	}
	struct st_http_request request =
	    rig_request(chain->rig, chain->left % 2 == 0 ? "GET" : "POST", "/");
	(void)st_http_send(chain->rig->client, any_grant(), &request, send_next, chain);
}

static void a_callback_may_send_the_next(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, NULL);
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(0)), READ, SEND(OK_HEAD(0)), READ, SEND(OK_HEAD(0)),
	       CLOSE);
	struct chain chain = {.rig = &rig, .left = 100};
	struct st_http_request request = rig_request(&rig, "GET", "/");
	(void)st_http_send(rig.client, any_grant(), &request, send_next, &chain);
	rig_wait(&rig, &chain.done);
	assert_int_equal(rig.server.n_requests, 100);
	rig_close(&rig);
}

static void closing_ends_every_call_once(void **state)
{
	(void)state;
	struct rig rig;
	struct st_http_options options = {.calls_max = 10};
	rig_open(&rig, &options);
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(100) "part"));
	struct result results[20] = {{.done = false}};
	for (size_t i = 0; i < 20; i++) {
		struct st_http_request request = rig_request(&rig, "POST", "/");
		(void)st_http_send(rig.client, any_grant(), &request, rig_done, &results[i]);
	}
	wait_for_requests(&rig, 10);
	rig_close(&rig);
	int n_aborted = 0;
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(results[i].n_done, 1);
		enum st_transport transport = results[i].response.transport;
		assert_true(transport == ST_TRANSPORT_ABORTED ||
			    transport == ST_TRANSPORT_NOT_SENT);
		n_aborted += transport == ST_TRANSPORT_ABORTED;
		st_http_response_fini(&results[i].response);
	}
	assert_int_equal(n_aborted, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(two_hundred_streams_run_side_by_side),
	    cmocka_unit_test(no_more_calls_are_in_flight_than_allowed),
	    cmocka_unit_test(a_call_that_only_waited_was_not_sent),
	    cmocka_unit_test(an_aborted_call_closes_its_connection_and_keeps_what_came),
	    cmocka_unit_test(an_abort_after_the_end_changes_nothing),
	    cmocka_unit_test(a_tap_may_send_and_abort),
	    cmocka_unit_test(a_callback_may_send_the_next),
	    cmocka_unit_test(closing_ends_every_call_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
