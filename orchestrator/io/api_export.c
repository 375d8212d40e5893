/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything, as JSON lines, however much it is. A thread of its own reads into a bounded buffer
 * and waits while that is full; the loop takes from it what the client has room for.
 */
#include <pthread.h>
#include <string.h>

#include "orchestrator/io/api_private.h"
#include "schemas/mem.h"

#define BUFFER_BYTES 262144
#define WAKE_BYTES 32768

struct outflow {
	struct st_api_server *api;
	struct st_api_request *request; /* NULL once it was ended */
	struct st_read_of of;
	char *tenant; /* what of.tenant points to */
	struct st_reader *reader;
	uv_async_t async;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t room;
	bool begun;
	/* under the mutex */
	struct st_buf ready;
	bool stop;
	bool done;
	int err;
	struct st_diag diag;
};

/* The thread */

static int on_line(void *arg, const char *json, size_t len)
{
	struct outflow *out = arg;
	(void)pthread_mutex_lock(&out->mutex);
	while (out->ready.len >= BUFFER_BYTES && !out->stop) {
		(void)pthread_cond_wait(&out->room, &out->mutex);
	}
	bool stop = out->stop;
	if (!stop) {
		st_buf_add(&out->ready, json, len);
		st_buf_add_char(&out->ready, '\n');
	}
	bool wake = out->ready.len >= WAKE_BYTES;
	(void)pthread_mutex_unlock(&out->mutex);
	if (wake) {
		(void)uv_async_send(&out->async);
	}
	return stop ? ST_ERR_CANCELLED : 0;
}

static void *work(void *arg)
{
	struct outflow *out = arg;
	const struct st_read_sink sink = {.line = on_line, .arg = out};
	struct st_diag diag = {0};
	int err = st_reader_export(out->reader, out->of, &sink, &diag);
	(void)pthread_mutex_lock(&out->mutex);
	out->done = true;
	out->err = err;
	out->diag = diag;
	(void)pthread_mutex_unlock(&out->mutex);
	(void)uv_async_send(&out->async);
	return NULL;
}

/* The loop */

static void on_async_closed(uv_handle_t *handle)
{
	struct outflow *out = handle->data;
	struct st_api_server *api = out->api;
	(void)pthread_mutex_destroy(&out->mutex);
	(void)pthread_cond_destroy(&out->room);
	st_buf_fini(&out->ready);
	st_reader_close(out->reader);
	st_free(out->tenant);
	st_free(out);
	api->n_exports--;
	st_api_maybe_closed(api);
}

static void begin(struct outflow *out)
{
	const struct st_http_reply reply = {.status = 200, .content_type = "application/x-ndjson"};
	if (!out->begun) {
		out->begun = true;
		st_exchange_stream_begin(out->request->exchange, &reply);
	}
}

/* Answers what is left to answer. A stream that breaks is cut, not ended: the client must not take
 * it for everything. */
static void end_request(struct outflow *out, int err)
{
	struct st_api_request *request = out->request;
	out->request = NULL;
	if (err != ST_OK && !out->begun) {
		st_api_fail_with(request, &out->diag);
		return;
	}
	if (err != ST_OK) {
		st_exchange_abort(request->exchange);
	} else {
		st_exchange_stream_end(request->exchange);
	}
	st_api_request_free(request);
}

static void stop_thread(struct outflow *out)
{
	(void)pthread_mutex_lock(&out->mutex);
	out->stop = true;
	(void)pthread_cond_signal(&out->room);
	(void)pthread_mutex_unlock(&out->mutex);
}

static void on_gone(void *arg)
{
	struct outflow *out = arg;
	if (out->request != NULL) {
		begin(out);
		end_request(out, ST_OK); /* nobody is there to be told */
	}
	stop_thread(out);
}

static void on_drained(void *arg)
{
	(void)uv_async_send(&((struct outflow *)arg)->async);
}

/* Moves what is ready to the client, when it has taken what it was given before. */
static void pump(struct outflow *out)
{
	struct st_exchange *exchange = out->request->exchange;
	struct st_buf taken = {0};
	if (out->begun && st_exchange_stream_queued(exchange) > 0) {
		st_exchange_on_drain(exchange, on_drained, out);
		return;
	}
	(void)pthread_mutex_lock(&out->mutex);
	taken = out->ready;
	out->ready = (struct st_buf){0};
	(void)pthread_cond_signal(&out->room);
	(void)pthread_mutex_unlock(&out->mutex);
	if (taken.len > 0) {
		begin(out);
		(void)st_exchange_stream_write(exchange, taken.data, taken.len);
	}
	if (st_exchange_stream_queued(exchange) > 0) {
		st_exchange_on_drain(exchange, on_drained, out);
	}
	st_buf_fini(&taken);
}

static void on_async(uv_async_t *async)
{
	struct outflow *out = async->data;
	if (out->request != NULL) {
		pump(out);
	}
	(void)pthread_mutex_lock(&out->mutex);
	bool done = out->done;
	bool empty = out->ready.len == 0;
	int err = out->err;
	(void)pthread_mutex_unlock(&out->mutex);
	if (!done || (out->request != NULL && !empty && err == ST_OK)) {
		return;
	}
	if (out->request != NULL) {
		if (err == ST_OK) {
			begin(out); /* nothing to tell is an answer, too */
		}
		end_request(out, err);
	}
	(void)pthread_join(out->thread, NULL);
	uv_close((uv_handle_t *)async, on_async_closed);
}

/* Whatever it gives, out is not the caller's any more. */
static int start(struct outflow *out, struct st_diag *diag)
{
	struct st_api_server *api = out->api;
	int err = st_reader_open(api->options.store_uri, &out->reader, diag);
	if (err != ST_OK) {
		st_free(out->tenant);
		st_free(out);
		return err;
	}
	(void)pthread_mutex_init(&out->mutex, NULL);
	(void)pthread_cond_init(&out->room, NULL);
	(void)uv_async_init(api->options.loop, &out->async, on_async);
	out->async.data = out;
	api->n_exports++;
	if (pthread_create(&out->thread, NULL, work, out) != 0) {
		uv_close((uv_handle_t *)&out->async, on_async_closed);
		return st_fail(diag, ST_ERR_BUSY, "no thread can be started for the export");
	}
	return ST_OK;
}

static void refuse_busy(struct st_api_request *request)
{
	static const struct st_http_field later = {"Retry-After", "5"};
	const struct st_http_problem problem = {
	    .status = 429,
	    .detail = "other exports are running: ask again when they are done",
	    .headers = &later,
	    .n_headers = 1,
	};
	st_api_problem(request, &problem);
}

void st_api_handle_export(struct st_api_request *request)
{
	struct st_api_server *api = request->api;
	const char *run = st_exchange_query(request->exchange, "run");
	struct st_read_of of = {0};
	if (run != NULL && st_id_parse(run, ST_ID_RUN, &of.run) != ST_OK) {
		st_api_refuse(request, ST_ERR_INVALID, "the query parameter run takes a run's id");
		return;
	}
	if (st_api_tenant(request, &of.tenant, &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	if (api->n_exports >= ST_API_EXPORTS_MAX) {
		refuse_busy(request);
		return;
	}
	struct outflow *out = st_alloc(sizeof *out);
	out->api = api;
	out->request = request;
	out->tenant = st_strdup(of.tenant);
	out->of = of;
	out->of.tenant = out->tenant;
	if (start(out, &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	(void)st_exchange_on_close(request->exchange, on_gone, out);
}
