/* SPDX-License-Identifier: Apache-2.0 */
/* The back end without a daemon: reads the store, and drives a run itself where somebody decides.
 */
#include <jansson.h>
#include <uv.h>

#include "orchestrator/io/backend_private.h"
#include "orchestrator/io/foreground.h"
#include "orchestrator/io/store_access.h"
#include "orchestrator/io/store_artifact.h"
#include "schemas/mem.h"

#define POLL_MS 200

static int view_usage(struct st_backend *backend, const struct st_view *view, struct st_buf *out,
		      struct st_diag *diag)
{
	struct st_read_usage usage = {
	    .of = {.run = view->run, .tenant = view->tenant},
	    .by = view->by,
	    .from = ST_TIME_NONE,
	    .to = ST_TIME_NONE,
	};
	if (view->from != NULL && st_time_parse(view->from, &usage.from) != ST_OK) {
		return st_fail_at(diag, ST_ERR_INVALID, "/from", "expected an RFC 3339 time");
	}
	if (view->to != NULL && st_time_parse(view->to, &usage.to) != ST_OK) {
		return st_fail_at(diag, ST_ERR_INVALID, "/to", "expected an RFC 3339 time");
	}
	return st_reader_usage(backend->reader, &usage, out, diag);
}

static int view_list(struct st_backend *backend, const struct st_view *view, struct st_buf *out,
		     struct st_diag *diag)
{
	const struct st_read_list list = {
	    .tenant = view->tenant,
	    .state = view->state,
	    .workflow = view->workflow,
	    .cursor = view->cursor,
	    .limit = view->limit,
	};
	return st_reader_list(backend->reader, &list, out, diag);
}

static int view_artifact(struct st_backend *backend, const struct st_view *view, struct st_buf *out,
			 struct st_diag *diag)
{
	const struct st_read_artifact which = {
	    .of = {.run = view->run, .tenant = view->tenant},
	    .call = view->call,
	    .path = view->path,
	};
	return st_reader_artifact(backend->reader, &which, out, diag);
}

int st_store_view(struct st_backend *backend, const struct st_view *view, struct st_buf *out,
		  struct st_diag *diag)
{
	struct st_reader *reader = backend->reader;
	const struct st_read_of of = {.run = view->run, .tenant = view->tenant};
	struct st_read_timeline page = {.of = of, .after_seq = view->after_seq};
	switch (view->type) {
	case ST_VIEW_RUN:
		return st_reader_run(reader, of, out, diag);
	case ST_VIEW_LIST:
		return view_list(backend, view, out, diag);
	case ST_VIEW_TIMELINE:
		return st_reader_timeline(reader, &page, out, diag);
	case ST_VIEW_CALLS:
		return st_reader_calls(reader, of, out, diag);
	case ST_VIEW_HOLDS:
		return st_reader_holds(reader, of, out, diag);
	case ST_VIEW_TRANSCRIPTS:
		return st_reader_transcripts(reader, of, view->call, out, diag);
	case ST_VIEW_ARTIFACTS:
		return st_reader_artifacts(reader, of, out, diag);
	case ST_VIEW_ARTIFACT:
		return view_artifact(backend, view, out, diag);
	case ST_VIEW_APPROVALS:
		return st_reader_approvals(reader, view->tenant, out, diag);
	case ST_VIEW_USAGE:
		return view_usage(backend, view, out, diag);
	case ST_VIEW_TOKENS:
		return st_reader_tokens(reader, view->tenant, out, diag);
	}
	return st_fail(diag, ST_ERR_UNSUPPORTED, "a store has no such view");
}

/* Following */

struct seeing {
	struct st_follow *follow;
	bool enough;
};

static void see_one(void *arg, const struct st_event_view *event)
{
	struct seeing *seeing = arg;
	if (!seeing->enough) {
		seeing->follow->after_seq = event->seq;
		seeing->enough = seeing->follow->see(seeing->follow->arg, event);
	}
}

int st_store_follow(struct st_backend *backend, struct st_follow *follow, struct st_diag *diag)
{
	struct seeing seeing = {.follow = follow};
	for (;;) {
		struct st_read_timeline page = {.of = {.run = follow->run},
						.after_seq = follow->after_seq};
		int err = st_reader_events(backend->reader, &page, see_one, &seeing, diag);
		if (err != ST_OK || seeing.enough) {
			return err;
		}
		uv_sleep(POLL_MS);
	}
}

/* Where the run stands before the event: what was told before is not told again. */
static int look_up(struct st_backend *backend, struct st_foreground *foreground,
		   struct st_diag *diag)
{
	struct st_buf json = {0};
	const struct st_read_of of = {.run = foreground->event.run};
	int err = st_reader_run(backend->reader, of, &json, diag);
	if (err == ST_OK) {
		json_t *run = json_loads(json.data, 0, NULL);
		const char *state = json_string_value(json_object_get(run, "state"));
		int at = state != NULL ? st_machine_state_parse(&st_run_machine, state) : -1;
		foreground->after_seq = json_integer_value(json_object_get(run, "seq"));
		foreground->only_follow = foreground->event.type == ST_EVENT_RESUME &&
					  (at == ST_RUN_QUEUED || at == ST_RUN_RUNNING);
		json_decref(run);
	}
	st_buf_fini(&json);
	return err;
}

int st_store_act(struct st_backend *backend, const struct st_act *act)
{
	struct st_diag diag = {0};
	struct st_foreground foreground = {
	    .cli = backend->cli,
	    .store_uri = backend->store_uri,
	    .event = *act->event,
	    .only_this = !act->goes_on,
	    .any_end = act->event->type == ST_EVENT_DECIDE &&
		       act->event->decide.decision == ST_DECISION_DENY,
	};
	foreground.event.actor = st_foreground_actor();
	if (look_up(backend, &foreground, &diag) != ST_OK) {
		return st_cli_fail(backend->cli, &diag);
	}
	return st_foreground_drive(&foreground);
}
