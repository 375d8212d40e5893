/* SPDX-License-Identifier: Apache-2.0 */
/* Questions for the store. They are asked on worker threads, each with a reader of its own, so that
 * a long list never holds up the loop. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/io/api_private.h"
#include "schemas/mem.h"

#define TIMELINE_DEFAULT 10000
#define TIMELINE_MAX 100000

/* Worker threads and readers */

static struct st_api_reader *take_reader(struct st_api_server *api, struct st_diag *diag, int *err)
{
	struct st_api_reader *reader = api->idle_readers;
	*err = ST_OK;
	if (reader != NULL) {
		api->idle_readers = reader->next;
		return reader;
	}
	if (api->n_readers == ST_API_READERS_MAX) {
		return NULL;
	}
	reader = st_alloc(sizeof *reader);
	*err = st_reader_open(api->options.store_uri, &reader->reader, diag);
	if (*err != ST_OK) {
		st_free(reader);
		return NULL;
	}
	api->n_readers++;
	return reader;
}

static void work(uv_work_t *job)
{
	struct st_api_request *request = job->data;
	int (*read)(struct st_reader *, struct st_api_request *) = request->read;
	request->err = read(request->reader->reader, request);
}

static void start(struct st_api_request *request);

static void on_worked(uv_work_t *job, int status)
{
	struct st_api_request *request = job->data;
	struct st_api_server *api = request->api;
	struct st_api_request *waiting = api->waiting;
	(void)status; /* never cancelled */
	request->reader->next = api->idle_readers;
	api->idle_readers = request->reader;
	request->reader = NULL;
	if (waiting != NULL) {
		api->waiting = waiting->next_waiting;
		start(waiting);
	}
	request->done(request);
}

static void wait_for_reader(struct st_api_request *request)
{
	struct st_api_request **at = &request->api->waiting;
	while (*at != NULL) {
		at = &(*at)->next_waiting;
	}
	request->next_waiting = NULL;
	*at = request;
}

static void start(struct st_api_request *request)
{
	int err = ST_OK;
	request->reader = take_reader(request->api, &request->diag, &err);
	if (err != ST_OK) {
		request->err = err;
		request->done(request);
		return;
	}
	if (request->reader == NULL) {
		wait_for_reader(request);
		return;
	}
	request->work.data = request;
	(void)uv_queue_work(request->api->options.loop, &request->work, work, on_worked);
}

void st_api_read_start(struct st_api_request *request,
		       int (*read)(struct st_reader *reader, struct st_api_request *request),
		       void (*done)(struct st_api_request *request))
{
	request->read = read;
	request->done = done;
	start(request);
}

void st_api_read_reply(struct st_api_request *request)
{
	char link[160];
	char id[ST_ID_TEXT_MAX];
	const struct st_http_field field = {"Link", link};
	struct st_http_reply reply = {.status = 200,
				      .content_type = "application/json",
				      .body = request->out.data,
				      .body_len = request->out.len};
	if (request->err != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	if (request->next_seq > 0) {
		(void)snprintf(link, sizeof link, "</v1/runs/%s/timeline?after=%lld>; rel=\"next\"",
			       st_id_format(request->run, ST_ID_RUN, id),
			       (long long)request->next_seq);
		reply.headers = &field;
		reply.n_headers = 1;
	}
	st_api_reply(request, &reply);
}

/* Query parameters */

int st_api_tenant(struct st_api_request *request, const char **tenant, struct st_diag *diag)
{
	const char *asked = st_exchange_query(request->exchange, "tenant");
	const char *own = request->actor.tenant[0] != '\0' ? request->actor.tenant : NULL;
	if (own != NULL && asked != NULL && strcmp(own, asked) != 0) {
		return st_fail(diag, ST_ERR_FORBIDDEN, "this token is bound to the tenant %s", own);
	}
	*tenant = own != NULL ? own : asked;
	return ST_OK;
}

int st_api_query_int(const struct st_api_request *request, const char *name, const int64_t range[2],
		     int64_t *out, struct st_diag *diag)
{
	const char *text = st_exchange_query(request->exchange, name);
	char *end = NULL;
	if (text == NULL) {
		return ST_OK;
	}
	int64_t n = strtoll(text, &end, 10);
	if (strspn(text, "0123456789") != strlen(text) || text[0] == '\0' || strlen(text) > 18 ||
	    n < range[0] || n > range[1]) {
		return st_fail(diag, ST_ERR_INVALID,
			       "the query parameter %s takes an integer from %lld to %lld", name,
			       (long long)range[0], (long long)range[1]);
	}
	*out = n;
	return ST_OK;
}

static int query_time(const struct st_api_request *request, const char *name, st_time *out,
		      struct st_diag *diag)
{
	const char *text = st_exchange_query(request->exchange, name);
	if (text != NULL && st_time_parse(text, out) != ST_OK) {
		return st_fail(diag, ST_ERR_INVALID,
			       "the query parameter %s takes a time like 2026-11-22T14:00:00Z",
			       name);
	}
	return ST_OK;
}

/* What is asked */

static struct st_read_of of(const struct st_api_request *request)
{
	return (struct st_read_of){.run = request->run, .tenant = request->actor.tenant};
}

int st_api_read_run(struct st_reader *reader, struct st_api_request *request)
{
	return st_reader_run(reader, of(request), &request->out, &request->diag);
}

int st_api_read_calls(struct st_reader *reader, struct st_api_request *request)
{
	return st_reader_calls(reader, of(request), &request->out, &request->diag);
}

int st_api_read_envelope(struct st_reader *reader, struct st_api_request *request)
{
	return st_reader_envelope(reader, of(request), &request->out, &request->diag);
}

int st_api_read_external_ids(struct st_reader *reader, struct st_api_request *request)
{
	return st_reader_external_ids(reader, of(request), &request->out, &request->diag);
}

int st_api_read_transcripts(struct st_reader *reader, struct st_api_request *request)
{
	return st_reader_transcripts(reader, of(request), request->call, &request->out,
				     &request->diag);
}

int st_api_read_holds(struct st_reader *reader, struct st_api_request *request)
{
	struct st_read_of whose = of(request);
	int err = st_api_tenant(request, &whose.tenant, &request->diag);
	return err != ST_OK ? err : st_reader_holds(reader, whose, &request->out, &request->diag);
}

int st_api_read_approvals(struct st_reader *reader, struct st_api_request *request)
{
	const char *tenant = NULL;
	int err = st_api_tenant(request, &tenant, &request->diag);
	return err != ST_OK ? err
			    : st_reader_approvals(reader, tenant, &request->out, &request->diag);
}

int st_api_read_tokens(struct st_reader *reader, struct st_api_request *request)
{
	const char *tenant = NULL;
	int err = st_api_tenant(request, &tenant, &request->diag);
	return err != ST_OK ? err : st_reader_tokens(reader, tenant, &request->out, &request->diag);
}

int st_api_read_runs(struct st_reader *reader, struct st_api_request *request)
{
	static const int64_t range[2] = {1, ST_READ_PAGE_MAX};
	const struct st_exchange *exchange = request->exchange;
	int64_t limit = 0;
	struct st_read_list list = {
	    .state = st_exchange_query(exchange, "state"),
	    .workflow = st_exchange_query(exchange, "workflow"),
	    .cursor = st_exchange_query(exchange, "cursor"),
	};
	int err = st_api_tenant(request, &list.tenant, &request->diag);
	if (err == ST_OK) {
		err = st_api_query_int(request, "limit", range, &limit, &request->diag);
	}
	list.limit = (int)limit;
	return err != ST_OK ? err : st_reader_list(reader, &list, &request->out, &request->diag);
}

int st_api_read_timeline(struct st_reader *reader, struct st_api_request *request)
{
	static const int64_t seqs[2] = {0, INT64_MAX};
	static const int64_t limits[2] = {1, TIMELINE_MAX};
	struct st_read_timeline page = {.of = of(request)};
	int64_t limit = TIMELINE_DEFAULT;
	int err = st_api_query_int(request, "after", seqs, &page.after_seq, &request->diag);
	if (err == ST_OK) {
		err = st_api_query_int(request, "limit", limits, &limit, &request->diag);
	}
	if (err != ST_OK) {
		return err;
	}
	page.limit = (int)limit;
	err = st_reader_timeline(reader, &page, &request->out, &request->diag);
	/* A timeline has no gaps: a full page is one whose numbers fill it. */
	if (err == ST_OK && page.last_seq - page.after_seq >= limit) {
		request->next_seq = page.last_seq;
	}
	return err;
}

int st_api_read_usage(struct st_reader *reader, struct st_api_request *request)
{
	const char *run = st_exchange_query(request->exchange, "run");
	struct st_read_usage usage = {.by = st_exchange_query(request->exchange, "by"),
				      .from = ST_TIME_NONE,
				      .to = ST_TIME_NONE};
	struct st_diag *diag = &request->diag;
	int err = st_api_tenant(request, &usage.of.tenant, diag);
	if (err == ST_OK && run != NULL && st_id_parse(run, ST_ID_RUN, &usage.of.run) != ST_OK) {
		err = st_fail(diag, ST_ERR_INVALID, "the query parameter run takes a run's id");
	}
	if (err == ST_OK) {
		err = query_time(request, "from", &usage.from, diag);
	}
	if (err == ST_OK) {
		err = query_time(request, "to", &usage.to, diag);
	}
	if (err == ST_OK && usage.from != ST_TIME_NONE && usage.to != ST_TIME_NONE &&
	    usage.to < usage.from) {
		err = st_fail(diag, ST_ERR_INVALID, "the range ends before it starts");
	}
	return err != ST_OK ? err : st_reader_usage(reader, &usage, &request->out, diag);
}
