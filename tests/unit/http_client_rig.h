/* SPDX-License-Identifier: Apache-2.0 */
/* How does a test send requests to a scripted server? Loop, server and client in one. */
#ifndef ST_TESTS_HTTP_CLIENT_RIG_H
#define ST_TESTS_HTTP_CLIENT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <uv.h>

#include "schemas/call.h"
#include "schemas/mem.h"
#include "steps/io/http.h"
#include "tests/unit/script_server.h"

struct rig {
	uv_loop_t loop;
	struct script_server server;
	struct st_http_client *client;
	bool closed;
};

/* What a test learns of a call. */
struct result {
	bool done;
	int n_done;
	struct st_http_response response;
};

/* Tests have no ledger to get one from; the client only looks that there is one. */
static inline const struct st_grant *any_grant(void)
{
	static const char grant = 'g';
	return (const struct st_grant *)&grant;
}

static inline void rig_open(struct rig *rig, const struct st_http_options *options)
{
	static const struct st_http_options defaults = {.calls_max = 0};
	struct st_diag diag = {.code = ST_OK};
	*rig = (struct rig){.closed = false};
	assert_int_equal(uv_loop_init(&rig->loop), 0);
	script_listen(&rig->server, &rig->loop);
	options = options != NULL ? options : &defaults;
	if (st_http_client_new(&rig->loop, options, &rig->client, &diag) != ST_OK) {
		fail_msg("no client: %s", diag.text);
	}
}

static inline void rig_closed(void *arg)
{
	struct rig *rig = arg;
	rig->closed = true;
}

/* Also checks that nothing is left behind on the loop. */
static inline void rig_close(struct rig *rig)
{
	st_http_client_close(rig->client, rig_closed, rig);
	script_close(&rig->server);
	(void)uv_run(&rig->loop, UV_RUN_DEFAULT);
	assert_true(rig->closed);
	assert_int_equal(uv_loop_close(&rig->loop), 0);
}

static inline struct st_http_request rig_request(const struct rig *rig, const char *method,
						 const char *target)
{
	struct st_http_request request = {
	    .connect_ms = 5000, .idle_ms = 5000, .total_ms = 10000, .response_bytes_max = 1 << 20};
	struct st_buf url = {0};
	(void)snprintf(request.method, sizeof request.method, "%s", method);
	st_buf_addf(&url, "http://127.0.0.1:%d%s", rig->server.port, target);
	request.url = st_buf_take(&url);
	return request;
}

static inline struct st_http_request rig_request_to(const char *url)
{
	struct st_http_request request = {.method = "GET",
					  .connect_ms = 5000,
					  .idle_ms = 5000,
					  .total_ms = 10000,
					  .response_bytes_max = 1 << 20};
	request.url = st_strdup(url);
	return request;
}

static inline void rig_done(void *arg, struct st_http_response *response)
{
	struct result *result = arg;
	result->done = true;
	result->n_done++;
	result->response = *response;
	*response = (struct st_http_response){.status = 0};
}

static inline void rig_wait(struct rig *rig, const bool *done)
{
	while (!*done) {
		assert_true(uv_run(&rig->loop, UV_RUN_ONCE) != 0 || *done);
	}
}

/* Sends and waits; the caller finishes the response. */
static inline struct st_http_response rig_send(struct rig *rig, struct st_http_request *request)
{
	struct result result = {.done = false};
	(void)st_http_send(rig->client, any_grant(), request, rig_done, &result);
	assert_false(result.done);
	rig_wait(rig, &result.done);
	return result.response;
}

static inline struct st_http_response rig_get(struct rig *rig, const char *target)
{
	struct st_http_request request = rig_request(rig, "GET", target);
	return rig_send(rig, &request);
}

/* Lets what is under way on the loop settle: two turns without waiting. */
static inline void rig_settle(struct rig *rig)
{
	for (int i = 0; i < 20; i++) {
		(void)uv_run(&rig->loop, UV_RUN_NOWAIT);
	}
}

#define OK_HEAD(length) "HTTP/1.1 200 OK\r\nContent-Length: " #length "\r\n\r\n"

#endif
