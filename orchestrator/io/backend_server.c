/* SPDX-License-Identifier: Apache-2.0 */
/* The back end that asks a daemon, in the words of the API. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "orchestrator/io/backend_private.h"
#include "orchestrator/io/term.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "schemas/state.h"
#include "steps/sse.h"

#define EVENT_BYTES_MAX (8 * 1024 * 1024)
#define LINE_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define RETRIES_MAX 10
#define RETRY_MS 500

/* Paths */

static void add_query(struct st_buf *path, const char *name, const char *value)
{
	if (value == NULL || value[0] == '\0') {
		return;
	}
	st_buf_addf(path, "%c%s=", strchr(path->data, '?') == NULL ? '?' : '&', name);
	st_client_escape(path, value);
}

static void add_query_int(struct st_buf *path, const char *name, int64_t value)
{
	char text[24];
	(void)snprintf(text, sizeof text, "%lld", (long long)value);
	add_query(path, name, value > 0 ? text : NULL);
}

static void add_run(struct st_buf *path, struct st_id run, const char *behind)
{
	char text[ST_ID_TEXT_MAX];
	st_buf_addf(path, "/v1/runs/%s%s", st_id_format(run, ST_ID_RUN, text), behind);
}

static void add_call(struct st_buf *path, const struct st_view *view, const char *behind)
{
	char text[ST_ID_TEXT_MAX];
	add_run(path, view->run, behind);
	st_buf_add_text(path, st_id_format(view->call, ST_ID_CALL, text));
}

/* Part by part: an escaped slash means something else to a server. */
static void add_file(struct st_buf *path, const struct st_view *view)
{
	const char *file = view->path;
	add_call(path, view, "/artifacts/");
	for (;;) {
		size_t len = strcspn(file, "/");
		st_autofree char *part = st_strndup(file, len);
		st_buf_add_char(path, '/');
		st_client_escape(path, part);
		if (file[len] == '\0') {
			return;
		}
		file += len + 1;
	}
}

static void path_of(const struct st_view *view, struct st_buf *path)
{
	char text[ST_ID_TEXT_MAX];
	bool of_run = !st_id_is_none(view->run);
	switch (view->type) {
	case ST_VIEW_RUN:
		add_run(path, view->run, "");
		return;
	case ST_VIEW_LIST:
		st_buf_add_text(path, "/v1/runs");
		add_query(path, "state", view->state);
		add_query(path, "tenant", view->tenant);
		add_query(path, "workflow", view->workflow);
		add_query(path, "cursor", view->cursor);
		add_query_int(path, "limit", view->limit);
		return;
	case ST_VIEW_TIMELINE:
		add_run(path, view->run, "/timeline");
		add_query_int(path, "after", view->after_seq);
		return;
	case ST_VIEW_CALLS:
		add_run(path, view->run, "/calls");
		return;
	case ST_VIEW_HOLDS:
		if (of_run) {
			add_run(path, view->run, "/holds");
		} else {
			st_buf_add_text(path, "/v1/holds");
			add_query(path, "tenant", view->tenant);
		}
		return;
	case ST_VIEW_TRANSCRIPTS:
		add_call(path, view, "/transcripts/");
		return;
	case ST_VIEW_ARTIFACTS:
		add_run(path, view->run, "/artifacts");
		return;
	case ST_VIEW_ARTIFACT:
		add_file(path, view);
		return;
	case ST_VIEW_APPROVALS:
		st_buf_add_text(path, "/v1/approvals");
		add_query(path, "tenant", view->tenant);
		return;
	case ST_VIEW_USAGE:
		st_buf_add_text(path, "/v1/usage");
		add_query(path, "by", view->by);
		add_query(path, "from", view->from);
		add_query(path, "to", view->to);
		add_query(path, "tenant", view->tenant);
		add_query(path, "run", of_run ? st_id_format(view->run, ST_ID_RUN, text) : NULL);
		return;
	case ST_VIEW_TOKENS:
		st_buf_add_text(path, "/v1/tokens");
		add_query(path, "tenant", view->tenant);
		return;
	}
}

int st_server_view(struct st_backend *backend, const struct st_view *view, struct st_buf *out,
		   struct st_diag *diag)
{
	struct st_buf path = {0};
	path_of(view, &path);
	const struct st_client_request request = {.method = "GET", .path = path.data};
	int err = st_client_call(backend->client, &request, out, diag);
	st_buf_fini(&path);
	return err;
}

/* Lines of an export */

struct lines {
	const struct st_read_sink *sink;
	struct st_buf line;
	int err;
};

static bool see_lines(void *arg, const char *bytes, size_t len)
{
	struct lines *lines = arg;
	while (len > 0 && lines->err == 0) {
		const char *end = memchr(bytes, '\n', len);
		size_t n = end != NULL ? (size_t)(end - bytes) : len;
		st_buf_add(&lines->line, bytes, n);
		if (lines->line.len > LINE_BYTES_MAX) {
			lines->err = ST_ERR_TOO_LARGE;
			break;
		}
		if (end != NULL && lines->line.len > 0) {
			lines->err =
			    lines->sink->line(lines->sink->arg, lines->line.data, lines->line.len);
			st_buf_clear(&lines->line);
		}
		n += end != NULL ? 1 : 0;
		bytes += n;
		len -= n;
	}
	return lines->err != 0;
}

int st_server_export(struct st_backend *backend, struct st_id run, const struct st_read_sink *sink,
		     struct st_diag *diag)
{
	char text[ST_ID_TEXT_MAX];
	struct st_buf path = {0};
	struct lines lines = {.sink = sink};
	const struct st_client_stream stream = {.see = see_lines, .arg = &lines};
	st_buf_add_text(&path, "/v1/export");
	add_query(&path, "run", st_id_is_none(run) ? NULL : st_id_format(run, ST_ID_RUN, text));
	const struct st_client_request request = {.method = "GET", .path = path.data};
	int err = st_client_stream(backend->client, &request, &stream, diag);
	st_buf_fini(&path);
	st_buf_fini(&lines.line);
	return err != ST_OK ? err : lines.err;
}

/* Following: server-sent events, asked for again from the last one when the stream breaks */

struct following {
	struct st_follow *follow;
	struct st_sse sse;
	bool enough;
	bool progress;
	bool ever; /* a stream was had at all */
	int err;
};

static void see_event(void *arg, const struct st_sse_event *sse)
{
	struct following *following = arg;
	json_t *event = json_loadb(sse->data, sse->data_len, 0, NULL);
	int64_t seq = json_integer_value(json_object_get(event, "seq"));
	if (!following->enough && seq > following->follow->after_seq) {
		following->progress = true;
		following->ever = true;
		following->enough = st_backend_show(following->follow, event);
	}
	json_decref(event);
}

static bool see_stream(void *arg, const char *bytes, size_t len)
{
	struct following *following = arg;
	following->err = st_sse_feed(&following->sse, bytes, len, see_event, following);
	return following->enough || following->err != ST_OK;
}

static int follow_once(struct st_backend *backend, struct following *following,
		       struct st_diag *diag)
{
	char last[24];
	struct st_buf path = {0};
	const struct st_client_stream stream = {.see = see_stream, .arg = following};
	(void)snprintf(last, sizeof last, "%lld", (long long)following->follow->after_seq);
	add_run(&path, following->follow->run, "/timeline");
	const struct st_client_request request = {
	    .method = "GET", .path = path.data, .last_event_id = last};
	st_sse_init(&following->sse, EVENT_BYTES_MAX);
	following->progress = false;
	int err = st_client_stream(backend->client, &request, &stream, diag);
	st_sse_fini(&following->sse);
	st_buf_fini(&path);
	if (err == ST_OK && following->err != ST_OK) {
		err = st_fail(diag, ST_ERR_TOO_LARGE, "an event is larger than %d bytes",
			      EVENT_BYTES_MAX);
	}
	return err;
}

/* A daemon that restarts is gone for a moment; one that refuses says so at once. */
int st_server_follow(struct st_backend *backend, struct st_follow *follow, struct st_diag *diag)
{
	struct following following = {.follow = follow};
	for (int tries = 0;; tries++) {
		int err = follow_once(backend, &following, diag);
		if (following.enough) {
			return ST_OK;
		}
		tries = following.progress ? 0 : tries;
		bool again = err == ST_OK || err == ST_ERR_NET ||
			     (err == ST_ERR_UNAVAILABLE && following.ever);
		if (!again || tries == RETRIES_MAX) {
			return err != ST_OK ? err
					    : st_fail(diag, ST_ERR_NET,
						      "the server ends the stream again and again");
		}
		uv_sleep(RETRY_MS);
	}
}

/* Deciding */

static void add_grants(json_t *body, const struct st_decide *decide)
{
	json_t *grants = json_array();
	for (size_t i = 0; i < decide->n_grants; i++) {
		const struct st_grant_asked *grant = &decide->grants[i];
		json_t *one = json_object();
		(void)json_object_set_new(one, "scope", json_string(st_scope_name(grant->scope)));
		(void)json_object_set_new(one, "meter", json_string(st_meter_name(grant->meter)));
		(void)json_object_set_new(one, "amount", json_integer(grant->amount));
		(void)json_array_append_new(grants, one);
	}
	if (decide->n_grants > 0) {
		(void)json_object_set_new(body, "grants", grants);
	} else {
		json_decref(grants);
	}
}

static void add_resolution(json_t *body, const struct st_decide *decide)
{
	json_t *usage = json_object();
	char call[ST_ID_TEXT_MAX];
	(void)json_object_set_new(body, "call",
				  json_string(st_id_format(decide->call, ST_ID_CALL, call)));
	(void)json_object_set_new(body, "outcome",
				  json_string(decide->happened ? "happened" : "did_not_happen"));
	if (decide->external_id != NULL) {
		(void)json_object_set_new(body, "external_id", json_string(decide->external_id));
	}
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if (decide->usage.of[m] > 0) {
			(void)json_object_set_new(usage, st_meter_name((enum st_meter)m),
						  json_integer(decide->usage.of[m]));
		}
	}
	if (decide->usage_known) {
		(void)json_object_set_new(body, "usage", usage);
	} else {
		json_decref(usage);
	}
}

static char *body_of(const struct st_event *event)
{
	static const char *const decisions[] = {
	    [ST_DECISION_GRANT] = "grant",
	    [ST_DECISION_DENY] = "deny",
	    [ST_DECISION_RESOLVE] = "resolve",
	};
	json_t *body = json_object();
	const char *reason = event->control.reason;
	if (event->type == ST_EVENT_DECIDE) {
		reason = event->decide.reason;
		(void)json_object_set_new(body, "decision",
					  json_string(decisions[event->decide.decision]));
		if (event->decide.decision == ST_DECISION_GRANT) {
			add_grants(body, &event->decide);
		}
		if (event->decide.decision == ST_DECISION_RESOLVE) {
			add_resolution(body, &event->decide);
		}
	}
	if (reason != NULL) {
		(void)json_object_set_new(body, "reason", json_string(reason));
	}
	char *text = st_json_compact(body);
	json_decref(body);
	return text;
}

/* Which halt is meant, and where does the timeline stand? */
struct standing {
	char halt[ST_ID_TEXT_MAX];
	int64_t seq;
};

static int look_up(struct st_backend *backend, struct st_id run, struct standing *standing,
		   struct st_diag *diag)
{
	struct st_buf json = {0};
	const struct st_view view = {.type = ST_VIEW_RUN, .run = run};
	int err = st_server_view(backend, &view, &json, diag);
	if (err == ST_OK) {
		json_t *doc = json_loads(json.data, 0, NULL);
		const json_t *halt = json_object_get(doc, "halt");
		const char *id = json_string_value(json_object_get(halt, "id"));
		(void)snprintf(standing->halt, ST_ID_TEXT_MAX, "%s", id != NULL ? id : "");
		standing->seq = json_integer_value(json_object_get(doc, "seq"));
		json_decref(doc);
	}
	st_buf_fini(&json);
	return err;
}

static int path_of_decision(const struct st_event *event, struct standing *standing,
			    struct st_buf *path, struct st_diag *diag)
{
	if (!st_id_is_none(event->decide.halt)) {
		(void)st_id_format(event->decide.halt, ST_ID_HALT, standing->halt);
	}
	if (standing->halt[0] == '\0') {
		return st_fail(diag, ST_ERR_CONFLICT, "the run waits for no decision");
	}
	add_run(path, event->run, "/halts/");
	st_client_escape(path, standing->halt);
	return ST_OK;
}

static int path_of_event(const struct st_event *event, struct standing *standing,
			 struct st_buf *path, struct st_diag *diag)
{
	switch ((int)event->type) {
	case ST_EVENT_DECIDE:
		return path_of_decision(event, standing, path, diag);
	case ST_EVENT_CANCEL:
		add_run(path, event->run, "/cancel");
		return ST_OK;
	case ST_EVENT_PAUSE:
		add_run(path, event->run, "/pause");
		return ST_OK;
	default:
		add_run(path, event->run, "/resume");
		return ST_OK;
	}
}

static void tell_answer(const struct st_backend *backend, const struct st_event *event,
			const struct st_buf *answer)
{
	static const char *const done[] = {
	    [ST_DECISION_GRANT] = "was granted what was decided",
	    [ST_DECISION_DENY] = "was denied what it asked for",
	    [ST_DECISION_RESOLVE] = "goes by what was decided",
	};
	json_t *doc = json_loadb(answer->data != NULL ? answer->data : "", answer->len, 0, NULL);
	const char *state = json_string_value(json_object_get(doc, "state"));
	char id[ST_ID_TEXT_MAX];
	struct st_buf line = {0};
	if (backend->cli->json) {
		st_buf_add(&line, answer->data != NULL ? answer->data : "{}", answer->len);
	} else if (event->type == ST_EVENT_DECIDE) {
		st_buf_addf(&line, "%s %s", st_id_format(event->run, ST_ID_RUN, id),
			    done[event->decide.decision]);
	} else {
		st_buf_addf(&line, "%s is ", st_id_format(event->run, ST_ID_RUN, id));
		st_shown_add(&line, state != NULL ? state : "?",
			     strlen(state != NULL ? state : "?"));
	}
	st_buf_add_char(&line, '\n');
	(void)st_term_print(&line);
	st_buf_fini(&line);
	json_decref(doc);
}

int st_server_act(struct st_backend *backend, const struct st_act *act)
{
	struct st_diag diag = {0};
	struct st_buf path = {0};
	struct st_buf answer = {0};
	struct standing standing = {0};
	int err = look_up(backend, act->event->run, &standing, &diag);
	if (err == ST_OK) {
		err = path_of_event(act->event, &standing, &path, &diag);
	}
	if (err == ST_OK) {
		st_autofree char *body = body_of(act->event);
		const struct st_client_request request = {
		    .method = "POST", .path = path.data, .body = body};
		err = st_client_call(backend->client, &request, &answer, &diag);
	}
	if (err == ST_OK && !act->wait) {
		tell_answer(backend, act->event, &answer);
	}
	st_buf_fini(&path);
	st_buf_fini(&answer);
	if (err != ST_OK) {
		return st_cli_fail(backend->cli, &diag);
	}
	return act->wait ? st_backend_wait(backend, act->event->run, standing.seq) : ST_EXIT_DONE;
}
