/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/http_private.h"

#include <assert.h>
#include <string.h>

#include "schemas/mem.h"

#define READ_BYTES 16384
#define AHEAD_BYTES_MAX 65536	    /* of later requests, kept while one is answered */
#define DRAIN_BYTES_MIN 16384	    /* what a client must take in each write_ms */
#define LINGER_BYTES_MAX (16 << 20) /* thrown away after a refusal */

#define TO(state) (1u << ST_CONN_##state)

static const struct {
	const char *name;
	unsigned next;
} states[] = {
    [ST_CONN_IDLE] = {"idle", TO(HEAD) | TO(REPLYING) | TO(CLOSED)},
    [ST_CONN_HEAD] = {"head", TO(BODY) | TO(REPLYING) | TO(CLOSED)},
    [ST_CONN_BODY] = {"body", TO(HANDLING) | TO(REPLYING) | TO(CLOSED)},
    [ST_CONN_HANDLING] = {"handling", TO(STREAMING) | TO(REPLYING) | TO(CLOSED)},
    [ST_CONN_STREAMING] = {"streaming", TO(REPLYING) | TO(CLOSED)},
    [ST_CONN_REPLYING] = {"replying", TO(IDLE) | TO(LINGER) | TO(CLOSED)},
    [ST_CONN_LINGER] = {"linger", TO(CLOSED)},
    [ST_CONN_CLOSED] = {"closed", 0},
};

struct write {
	uv_write_t req;
	struct st_conn *conn;
	char bytes[];
};

static void on_timer(uv_timer_t *timer);
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

void st_conn_move(struct st_conn *conn, enum st_conn_state to)
{
	assert((states[conn->state].next & (1u << to)) != 0);
	conn->state = to;
}

static void arm(struct st_conn *conn, uint64_t ms)
{
	(void)uv_timer_start(&conn->timer, on_timer, ms, 0);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void)suggested;
	struct st_conn *conn = handle->data;
	*buf = uv_buf_init(st_buf_reserve(&conn->in, READ_BYTES), READ_BYTES);
}

static void set_reading(struct st_conn *conn, bool on)
{
	if (conn->reading == on || conn->eof || conn->state == ST_CONN_CLOSED) {
		return;
	}
	conn->reading = on;
	if (!on) {
		(void)uv_read_stop(&conn->io.stream);
	} else if (uv_read_start(&conn->io.stream, on_alloc, on_read) != 0) {
		st_conn_close(conn);
	}
}

void st_conn_start(struct st_conn *conn)
{
	assert(conn->state == ST_CONN_IDLE);
	if (!conn->server->is_unix) {
		(void)uv_tcp_nodelay(&conn->io.tcp, 1);
	}
	arm(conn, conn->server->options.request_ms);
	set_reading(conn, true);
}

/* --- the end of a connection --- */

static void on_closed(uv_handle_t *handle)
{
	struct st_conn *conn = handle->data;
	if (--conn->open_handles > 0) {
		return;
	}
	struct st_exchange *exchange = conn->exchange;
	if (exchange != NULL) {
		exchange->conn = NULL;
		if (exchange->gone != NULL && !exchange->told) {
			exchange->told = true;
			exchange->gone(exchange->gone_arg);
		}
	}
	st_http_server_conn_gone(conn);
}

static void close_with(struct st_conn *conn, bool reset)
{
	if (conn->state == ST_CONN_CLOSED) {
		return;
	}
	if (conn->state <= ST_CONN_BODY) {
		/* The handler has not seen it: nobody else will free it. */
		st_exchange_free(conn->exchange);
		conn->exchange = NULL;
	}
	st_conn_move(conn, ST_CONN_CLOSED);
	uv_close((uv_handle_t *)&conn->timer, on_closed);
	if (!reset || conn->server->is_unix || uv_tcp_close_reset(&conn->io.tcp, on_closed) != 0) {
		uv_close(&conn->io.handle, on_closed);
	}
}

void st_conn_close(struct st_conn *conn)
{
	close_with(conn, false);
}

void st_conn_reset(struct st_conn *conn)
{
	close_with(conn, true);
}

static void drop(struct st_conn *conn)
{
	conn->server->stats.dropped++;
	st_conn_reset(conn);
}

/* --- writing --- */

static uint64_t taken(const struct st_conn *conn)
{
	return conn->bytes_queued - uv_stream_get_write_queue_size(&conn->io.stream);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
	(void)req;
	(void)status;
}

static void flushed(struct st_conn *conn)
{
	if (conn->keep && !conn->server->closing) {
		st_conn_move(conn, ST_CONN_IDLE);
		conn->lint = (struct st_http_lint){0};
		/* What has come already is looked at from the loop, never from inside the handler's
		 * call; st_conn_process, when that is what called the handler, goes on by itself.
		 */
		bool waiting = conn->in_at < conn->in.len || conn->eof;
		arm(conn, waiting ? 0 : conn->server->options.idle_ms);
		set_reading(conn, true);
		return;
	}
	st_conn_move(conn, ST_CONN_LINGER);
	st_buf_fini(&conn->in);
	conn->in_at = 0;
	if (conn->eof || uv_shutdown(&conn->shutdown, &conn->io.stream, on_shutdown) != 0) {
		st_conn_close(conn);
		return;
	}
	arm(conn, conn->server->options.linger_ms);
	set_reading(conn, true);
}

static void on_written(uv_write_t *req, int status)
{
	struct write *write = (struct write *)req;
	struct st_conn *conn = write->conn;
	st_free(write);
	if (conn->state == ST_CONN_CLOSED) {
		return;
	}
	if (status != 0) {
		st_conn_close(conn);
		return;
	}
	if (uv_stream_get_write_queue_size(&conn->io.stream) > 0) {
		return;
	}
	if (conn->state == ST_CONN_REPLYING) {
		flushed(conn);
	} else if (conn->state == ST_CONN_STREAMING) {
		(void)uv_timer_stop(&conn->timer);
		if (conn->exchange->drained != NULL) {
			conn->exchange->drained(conn->exchange->drained_arg);
		}
	}
}

/* Copies what is left of bufs after `skip` bytes and lets libuv send it. */
static void queue_rest(struct st_conn *conn, const uv_buf_t *bufs, unsigned n, size_t skip)
{
	size_t total = 0;
	for (unsigned i = 0; i < n; i++) {
		total += bufs[i].len;
	}
	struct write *write = st_alloc(sizeof *write + total - skip);
	write->conn = conn;
	size_t at = 0;
	for (unsigned i = 0; i < n; i++) {
		size_t from = skip < bufs[i].len ? skip : bufs[i].len;
		skip -= from;
		if (bufs[i].len > from) {
			memcpy(write->bytes + at, bufs[i].base + from, bufs[i].len - from);
			at += bufs[i].len - from;
		}
	}
	uv_buf_t rest = uv_buf_init(write->bytes, (unsigned)at);
	if (uv_write(&write->req, &conn->io.stream, &rest, 1, on_written) != 0) {
		st_free(write);
		st_conn_close(conn);
		return;
	}
	bool after_request = conn->state >= ST_CONN_HANDLING;
	if (after_request && uv_stream_get_write_queue_size(&conn->io.stream) > 0 &&
	    !uv_is_active((uv_handle_t *)&conn->timer)) {
		conn->bytes_seen = taken(conn);
		arm(conn, conn->server->options.write_ms);
	}
}

void st_conn_write(struct st_conn *conn, const uv_buf_t *bufs, unsigned n)
{
	if (conn->state == ST_CONN_CLOSED) {
		return;
	}
	size_t total = 0;
	for (unsigned i = 0; i < n; i++) {
		total += bufs[i].len;
	}
	assert(total < UINT32_MAX);
	conn->bytes_queued += total;
	int sent = 0;
	if (uv_stream_get_write_queue_size(&conn->io.stream) == 0) {
		sent = uv_try_write(&conn->io.stream, bufs, n);
		if (sent < 0 && sent != UV_EAGAIN) {
			st_conn_close(conn);
			return;
		}
		sent = sent < 0 ? 0 : sent;
	}
	if ((size_t)sent < total) {
		queue_rest(conn, bufs, n, (size_t)sent);
	}
}

void st_conn_replied(struct st_conn *conn, bool keep)
{
	if (conn->state == ST_CONN_CLOSED) {
		return;
	}
	conn->keep = keep;
	st_conn_move(conn, ST_CONN_REPLYING);
	if (uv_stream_get_write_queue_size(&conn->io.stream) == 0) {
		flushed(conn);
		return;
	}
	conn->bytes_seen = taken(conn);
	arm(conn, conn->server->options.write_ms);
}

/* --- time --- */

static void on_timer(uv_timer_t *timer)
{
	struct st_conn *conn = timer->data;
	switch (conn->state) {
	case ST_CONN_IDLE:
		if (conn->in_at < conn->in.len || conn->eof) {
			st_conn_process(conn);
		} else {
			st_conn_close(conn);
		}
		return;
	case ST_CONN_HEAD:
	case ST_CONN_BODY:
		st_conn_refuse(conn, 408, "the request did not arrive in time");
		return;
	case ST_CONN_STREAMING:
	case ST_CONN_REPLYING:
		if (taken(conn) - conn->bytes_seen < DRAIN_BYTES_MIN) {
			drop(conn);
			return;
		}
		conn->bytes_seen = taken(conn);
		arm(conn, conn->server->options.write_ms);
		return;
	case ST_CONN_LINGER:
		st_conn_close(conn);
		return;
	case ST_CONN_HANDLING:
	case ST_CONN_CLOSED:
		return;
	}
}

/* --- reading --- */

static bool refuse(struct st_conn *conn, int status, const char *why)
{
	st_conn_refuse(conn, status, why);
	return false;
}

static bool step_head(struct st_conn *conn)
{
	const struct st_http_options *options = &conn->server->options;
	const struct st_http_limits limits = {.url_bytes_max = options->url_bytes_max,
					      .header_bytes_max = options->header_bytes_max,
					      .headers_max = options->headers_max};
	const char *data = conn->in.data + conn->in_at;
	int status = st_http_lint_scan(&conn->lint, &limits, data, conn->in.len - conn->in_at);
	if (status == ST_HTTP_LINT_MORE) {
		return false;
	}
	if (status != ST_HTTP_LINT_DONE) {
		return refuse(conn, status, conn->lint.why);
	}
	size_t from = conn->lint.from;
	conn->in_at += conn->lint.at;
	status = st_request_begin(conn, data + from, conn->lint.at - from);
	if (status != 0) {
		return refuse(conn, status, conn->refusal_why);
	}
	if (conn->state == ST_CONN_CLOSED) {
		return false; /* inviting the body found nobody there */
	}
	st_conn_move(conn, ST_CONN_BODY);
	return true;
}

static bool step_body(struct st_conn *conn)
{
	int status = conn->complete ? 0 : st_request_body(conn);
	if (status != 0) {
		return refuse(conn, status, conn->refusal_why);
	}
	if (!conn->complete) {
		return false;
	}
	(void)uv_timer_stop(&conn->timer);
	st_conn_move(conn, ST_CONN_HANDLING);
	conn->server->stats.requests++;
	conn->server->handler.handle(conn->server->handler.arg, conn->exchange);
	return true;
}

static bool step(struct st_conn *conn)
{
	switch (conn->state) {
	case ST_CONN_IDLE:
		if (conn->in_at == conn->in.len) {
			return false;
		}
		st_conn_move(conn, ST_CONN_HEAD);
		arm(conn, conn->server->options.request_ms);
		return true;
	case ST_CONN_HEAD:
		return step_head(conn);
	case ST_CONN_BODY:
		return step_body(conn);
	case ST_CONN_HANDLING:
	case ST_CONN_STREAMING:
	case ST_CONN_REPLYING:
	case ST_CONN_LINGER:
	case ST_CONN_CLOSED:
		return false;
	}
	return false;
}

/* Moves what is not used up to the front; an idle connection keeps no memory. */
static void compact(struct st_conn *conn)
{
	if (conn->in_at == conn->in.len) {
		if (conn->state == ST_CONN_HEAD || conn->state == ST_CONN_BODY) {
			st_buf_clear(&conn->in);
		} else {
			st_buf_fini(&conn->in);
		}
	} else if (conn->in_at > 0) {
		memmove(conn->in.data, conn->in.data + conn->in_at, conn->in.len - conn->in_at);
		conn->in.len -= conn->in_at;
	}
	conn->in_at = 0;
}

void st_conn_process(struct st_conn *conn)
{
	if (conn->busy) {
		return;
	}
	conn->busy = true;
	while (step(conn)) {
	}
	conn->busy = false;
	if (conn->state == ST_CONN_CLOSED) {
		return;
	}
	compact(conn);
	if (conn->eof && conn->state <= ST_CONN_BODY) {
		st_conn_close(conn);
	} else if (conn->state != ST_CONN_LINGER && conn->in.len > AHEAD_BYTES_MAX) {
		set_reading(conn, false);
	}
}

static void on_eof(struct st_conn *conn)
{
	set_reading(conn, false);
	conn->eof = true;
	struct st_exchange *exchange = conn->exchange;
	switch (conn->state) {
	case ST_CONN_HANDLING:
		/* It may only have closed its sending side: the answer is still written. */
		if (exchange->gone != NULL && !exchange->told) {
			exchange->told = true;
			exchange->gone(exchange->gone_arg);
		}
		return;
	case ST_CONN_REPLYING:
		return;
	case ST_CONN_IDLE:
		if (conn->in_at < conn->in.len) {
			return; /* whole requests may wait there; the timer looks at them */
		}
		st_conn_close(conn);
		return;
	case ST_CONN_HEAD:
	case ST_CONN_BODY:
	case ST_CONN_STREAMING:
	case ST_CONN_LINGER:
	case ST_CONN_CLOSED:
		st_conn_close(conn);
		return;
	}
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	(void)buf;
	struct st_conn *conn = stream->data;
	if (n == UV_EOF) {
		on_eof(conn);
		return;
	}
	if (n < 0) {
		st_conn_close(conn);
		return;
	}
	if (conn->state == ST_CONN_LINGER) {
		conn->bytes_lingered += (uint64_t)n;
		if (conn->bytes_lingered > LINGER_BYTES_MAX) {
			st_conn_close(conn);
		}
		return;
	}
	conn->in.len += (size_t)n;
	st_conn_process(conn);
}
