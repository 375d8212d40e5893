/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timeline of a run, as it grows: server-sent events.
 *
 *   open ──▶ reading ──▶ what was read is written ──▶ more? once the client has taken it: reading
 *               ▲                  └▶ all told: the run is over ? end : wait
 *               └── the timeline has grown ──────────────────────────────┘
 *
 * A stream listens before it reads first, so that no event falls between.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/io/api_private.h"
#include "schemas/mem.h"
#include "schemas/state.h"

#define EVENTS_AT_ONCE 100
#define HEARTBEAT_MS 15000

struct st_api_stream {
	struct st_api_stream *next; /* in its bucket */
	struct st_api_request *request;
	int64_t seq;   /* of the last event told */
	int64_t known; /* the timeline is at least so long */
	bool resumed;  /* the client came with Last-Event-ID */
	bool begun;
	bool reading;
	bool draining; /* waits for the client to take what was written */
	bool more;     /* what was read last was a full page */
	bool over;     /* the run is in a final state */
	bool ended;    /* client gone or daemon stopping: end as soon as nothing is being read */
};

static struct st_api_stream **bucket_of(struct st_api_server *api, struct st_id run)
{
	/* the last byte of a UUIDv7 is random */
	return &api->streams[run.bytes[15] & (ST_API_STREAM_BUCKETS - 1)];
}

static void on_grown(struct st_watcher *watcher, struct st_id run, int64_t seq);
static void on_heartbeat(uv_timer_t *timer);

static void join(struct st_api_server *api, struct st_api_stream *stream)
{
	struct st_api_stream **bucket = bucket_of(api, stream->request->run);
	stream->next = *bucket;
	*bucket = stream;
	if (api->n_streams++ == 0) {
		api->watcher.grown = on_grown;
		st_engine_watch(api->options.engine, &api->watcher);
		(void)uv_timer_start(&api->heartbeat, on_heartbeat, HEARTBEAT_MS, HEARTBEAT_MS);
	}
}

static void leave(struct st_api_server *api, struct st_api_stream *stream)
{
	struct st_api_stream **at = bucket_of(api, stream->request->run);
	while (*at != stream) {
		at = &(*at)->next;
	}
	*at = stream->next;
	if (--api->n_streams == 0 && !api->closing) {
		st_engine_unwatch(api->options.engine, &api->watcher);
		(void)uv_timer_stop(&api->heartbeat);
	}
}

static void end(struct st_api_stream *stream)
{
	struct st_api_request *request = stream->request;
	leave(request->api, stream);
	if (stream->begun) {
		st_exchange_stream_end(request->exchange);
	} else {
		/* 204 tells an EventSource not to come back: there is nothing left to tell. */
		const struct st_http_reply nothing = {.status = stream->ended ? 503 : 204};
		st_exchange_reply(request->exchange, &nothing);
	}
	st_free(stream);
	st_api_request_free(request);
}

/* Reading, on a worker thread */

static bool is_final(const char *type)
{
	const char *state = strncmp(type, "run.", 4) == 0 ? type + 4 : "";
	return strcmp(state, "succeeded") == 0 || strcmp(state, "failed") == 0 ||
	       strcmp(state, "cancelled") == 0 || strcmp(state, "blocked") == 0;
}

static void see(void *arg, const struct st_event_view *event)
{
	struct st_api_stream *stream = arg;
	struct st_buf *out = &stream->request->out;
	st_buf_addf(out, "id: %lld\ndata: ", (long long)event->seq);
	st_buf_add_text(out, event->json);
	st_buf_add_text(out, "\n\n");
	stream->over = stream->over || is_final(event->type);
}

static struct st_api_stream *stream_of(const struct st_api_request *request)
{
	return request->stream;
}

static int read_page(struct st_reader *reader, struct st_api_request *request)
{
	struct st_api_stream *stream = stream_of(request);
	struct st_read_timeline page = {
	    .of = {.run = request->run, .tenant = request->actor.tenant},
	    .after_seq = stream->seq,
	    .limit = EVENTS_AT_ONCE};
	st_buf_clear(&request->out);
	int err = st_reader_events(reader, &page, see, stream, &request->diag);
	stream->more = page.last_seq - stream->seq >= EVENTS_AT_ONCE;
	stream->seq = page.last_seq;
	return err;
}

/* Also looks whether the run is over: its last event may have been told already. */
static int read_first(struct st_reader *reader, struct st_api_request *request)
{
	struct st_api_stream *stream = stream_of(request);
	const struct st_read_of of = {.run = request->run, .tenant = request->actor.tenant};
	int err = st_reader_run(reader, of, &request->out, &request->diag);
	if (err != ST_OK) {
		return err;
	}
	json_t *run = json_loadb(request->out.data, request->out.len, 0, NULL);
	const char *name = json_string_value(json_object_get(run, "state"));
	int state = name != NULL ? st_machine_state_parse(&st_run_machine, name) : -1;
	stream->over = state >= 0 && st_machine_final(&st_run_machine, state);
	json_decref(run);
	return read_page(reader, request);
}

/* Writing, on the loop */

static void on_read(struct st_api_request *request);

static void read_more(struct st_api_stream *stream)
{
	stream->reading = true;
	st_api_read_start(stream->request, read_page, on_read);
}

static void go_on(struct st_api_stream *stream)
{
	if (stream->reading || stream->draining) {
		return;
	}
	bool untold = stream->more || stream->known > stream->seq;
	if (stream->ended || (stream->over && !untold)) {
		end(stream);
	} else if (untold) {
		read_more(stream);
	}
}

static void on_drained(void *arg)
{
	struct st_api_stream *stream = arg;
	st_exchange_on_drain(stream->request->exchange, NULL, NULL);
	stream->draining = false;
	go_on(stream);
}

static void on_gone(void *arg)
{
	struct st_api_stream *stream = arg;
	stream->ended = true;
	stream->draining = false;
	go_on(stream);
}

static void begin(struct st_api_stream *stream)
{
	static const struct st_http_field fields[] = {{"X-Accel-Buffering", "no"}};
	const struct st_http_reply reply = {
	    .status = 200,
	    .content_type = "text/event-stream",
	    .headers = fields,
	    .n_headers = sizeof fields / sizeof fields[0],
	};
	stream->begun = true;
	st_exchange_stream_begin(stream->request->exchange, &reply);
	if (!st_exchange_on_close(stream->request->exchange, on_gone, stream)) {
		stream->ended = true;
	}
}

static void fail(struct st_api_stream *stream)
{
	struct st_api_request *request = stream->request;
	if (stream->begun) { /* what was told stays true; the client comes back for the rest */
		end(stream);
		return;
	}
	leave(request->api, stream);
	st_free(stream);
	st_api_fail_with(request, &request->diag);
}

static void on_read(struct st_api_request *request)
{
	struct st_api_stream *stream = stream_of(request);
	struct st_exchange *exchange = request->exchange;
	stream->reading = false;
	if (request->err != ST_OK) {
		fail(stream);
		return;
	}
	bool nothing_left = stream->over && stream->resumed && request->out.len == 0;
	if (!stream->begun && !nothing_left && !stream->ended) {
		begin(stream);
	}
	if (stream->begun && !stream->ended && request->out.len > 0) {
		stream->ended = st_exchange_stream_write(exchange, request->out.data,
							 request->out.len) != ST_OK;
		if (!stream->ended && st_exchange_stream_queued(exchange) > 0) {
			stream->draining = true;
			st_exchange_on_drain(exchange, on_drained, stream);
		}
	}
	go_on(stream);
}

static void on_grown(struct st_watcher *watcher, struct st_id run, int64_t seq)
{
	struct st_api_server *api =
	    (struct st_api_server *)(void *)((char *)watcher -
					     offsetof(struct st_api_server, watcher));
	struct st_api_stream *next = NULL;
	for (struct st_api_stream *s = *bucket_of(api, run); s != NULL; s = next) {
		next = s->next;
		if (st_id_equal(s->request->run, run) && seq > s->known) {
			s->known = seq;
			go_on(s);
		}
	}
}

static void on_heartbeat(uv_timer_t *timer)
{
	struct st_api_server *api = timer->data;
	for (size_t i = 0; i < ST_API_STREAM_BUCKETS; i++) {
		for (struct st_api_stream *s = api->streams[i]; s != NULL; s = s->next) {
			if (s->begun && !s->draining && !s->ended) {
				(void)st_exchange_stream_write(s->request->exchange, ":\n\n", 3);
			}
		}
	}
}

void st_api_streams_end(struct st_api_server *api)
{
	for (size_t i = 0; i < ST_API_STREAM_BUCKETS; i++) {
		struct st_api_stream *next = NULL;
		for (struct st_api_stream *s = api->streams[i]; s != NULL; s = next) {
			next = s->next;
			s->ended = true;
			s->draining = false;
			go_on(s);
		}
	}
}

static bool wants_stream(const struct st_exchange *exchange)
{
	const char *accept = st_exchange_header(exchange, "Accept");
	return accept != NULL && strcasestr(accept, "text/event-stream") != NULL &&
	       strcmp(st_exchange_method(exchange), "GET") == 0;
}

void st_api_handle_timeline(struct st_api_request *request)
{
	const char *last = st_exchange_header(request->exchange, "Last-Event-ID");
	static const int64_t range[2] = {0, INT64_MAX};
	int64_t after = 0;
	if (!wants_stream(request->exchange)) {
		st_api_read_start(request, st_api_read_timeline, st_api_read_reply);
		return;
	}
	if (request->api->closing) {
		st_api_refuse(request, ST_ERR_BUSY, "the daemon is stopping: ask again soon");
		return;
	}
	if (st_api_query_int(request, "after", range, &after, &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	if (last != NULL) {
		if (last[0] == '\0' || strspn(last, "0123456789") != strlen(last) ||
		    strlen(last) > 18) {
			st_api_refuse(request, ST_ERR_INVALID,
				      "Last-Event-ID is the number of an event");
			return;
		}
		after = strtoll(last, NULL, 10);
	}
	struct st_api_stream *stream = st_alloc(sizeof *stream);
	stream->request = request;
	stream->seq = after;
	stream->resumed = last != NULL;
	stream->reading = true;
	request->stream = stream;
	join(request->api, stream);
	st_api_read_start(request, read_first, on_read);
}
