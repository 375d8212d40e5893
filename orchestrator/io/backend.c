/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/backend.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/io/backend_private.h"
#include "orchestrator/io/foreground.h"
#include "orchestrator/io/progress.h"
#include "schemas/json.h"
#include "schemas/mem.h"

#define PREFIX_MIN 6
#define FIND_PAGES_MAX 20
#define UUID_LEN 36

static int open_server(struct st_backend *backend, const char *url, struct st_diag *diag)
{
	return st_client_new(url, st_cli_get(backend->cli, "token"), &backend->client, diag);
}

static int open_store(struct st_backend *backend, struct st_diag *diag)
{
	bool given = st_cli_get(backend->cli, "store") != NULL;
	int err = st_foreground_store(backend->cli, false, &backend->store_uri, diag);
	if (err == ST_OK) {
		err = st_reader_open(backend->store_uri, &backend->reader, diag);
	}
	if (err == ST_ERR_NOT_FOUND && !given) {
		err = st_fail(diag, ST_ERR_UNAVAILABLE,
			      "no run was made here yet, and no server is named: set STINT_URL, or "
			      "give --store");
	}
	return err;
}

bool st_backend_names_server(const struct st_cli *cli)
{
	return st_cli_nth(cli, "url", 0) != NULL ||
	       (st_cli_nth(cli, "store", 0) == NULL && st_cli_get(cli, "url") != NULL);
}

int st_backend_open(const struct st_cli *cli, struct st_backend **out, struct st_diag *diag)
{
	struct st_backend *backend = st_alloc(sizeof *backend);
	int err = ST_OK;
	backend->cli = cli;
	if (st_cli_nth(cli, "url", 0) != NULL && st_cli_nth(cli, "store", 0) != NULL) {
		err = st_fail(diag, ST_ERR_INVALID, "--url and --store: which of the two?");
	} else if (st_backend_names_server(cli)) {
		err = open_server(backend, st_cli_get(cli, "url"), diag);
	} else {
		err = open_store(backend, diag);
	}
	if (err != ST_OK) {
		st_backend_close(backend);
		return err;
	}
	*out = backend;
	return ST_OK;
}

void st_backend_close(struct st_backend *backend)
{
	if (backend == NULL) {
		return;
	}
	st_client_free(backend->client);
	st_reader_close(backend->reader);
	st_free(backend->store_uri);
	st_free(backend);
}

bool st_backend_is_server(const struct st_backend *backend)
{
	return backend->client != NULL;
}

const char *st_backend_store(const struct st_backend *backend)
{
	return backend->store_uri;
}

int st_backend_view(struct st_backend *backend, const struct st_view *view, struct st_buf *out,
		    struct st_diag *diag)
{
	return backend->client != NULL ? st_server_view(backend, view, out, diag)
				       : st_store_view(backend, view, out, diag);
}

int st_backend_export(struct st_backend *backend, struct st_id run, const struct st_read_sink *sink,
		      struct st_diag *diag)
{
	const struct st_read_of of = {.run = run};
	return backend->client != NULL ? st_server_export(backend, run, sink, diag)
				       : st_reader_export(backend->reader, of, sink, diag);
}

int st_backend_follow(struct st_backend *backend, struct st_follow *follow, struct st_diag *diag)
{
	return backend->client != NULL ? st_server_follow(backend, follow, diag)
				       : st_store_follow(backend, follow, diag);
}

int st_backend_act(struct st_backend *backend, const struct st_act *act)
{
	return backend->client != NULL ? st_server_act(backend, act) : st_store_act(backend, act);
}

int st_backend_post(struct st_backend *backend, const struct st_backend_post *post,
		    struct st_buf *out, struct st_diag *diag)
{
	const struct st_client_request request = {
	    .method = post->method, .path = post->path, .body = post->body, .key = post->key};
	return st_client_call(backend->client, &request, out, diag);
}

/* Events */

bool st_backend_show(struct st_follow *follow, const json_t *event)
{
	const char *type = json_string_value(json_object_get(event, "type"));
	const char *at = json_string_value(json_object_get(event, "at"));
	const char *step = json_string_value(json_object_get(event, "step"));
	const char *call = json_string_value(json_object_get(event, "call"));
	st_autofree char *data = st_json_compact(json_object_get(event, "data"));
	st_autofree char *json = st_json_compact(event);
	struct st_event_view view = {
	    .seq = json_integer_value(json_object_get(event, "seq")),
	    .type = type != NULL ? type : "",
	    .step = step != NULL ? step : "",
	    .item = (int)json_integer_value(json_object_get(event, "item")),
	    .call = call != NULL ? call : "",
	    .data = data,
	    .json = json,
	};
	if (at == NULL || st_time_parse(at, &view.at) != ST_OK) {
		view.at = 0;
	}
	follow->after_seq = view.seq;
	return follow->see(follow->arg, &view);
}

/* A page; *more when another may follow. */
static int show_page(struct st_backend *backend, struct st_follow *follow, bool *more,
		     struct st_diag *diag)
{
	struct st_buf json = {0};
	const struct st_view view = {
	    .type = ST_VIEW_TIMELINE, .run = follow->run, .after_seq = follow->after_seq};
	int err = st_backend_view(backend, &view, &json, diag);
	*more = false;
	if (err == ST_OK) {
		json_t *page = json_loadb(json.data, json.len, 0, NULL);
		size_t i = 0;
		const json_t *event = NULL;
		int64_t before = follow->after_seq;
		bool enough = false;
		json_array_foreach(page, i, event)
		{
			enough = enough || st_backend_show(follow, event);
		}
		*more = !enough && follow->after_seq > before;
		json_decref(page);
	}
	st_buf_fini(&json);
	return err;
}

int st_backend_timeline(struct st_backend *backend, struct st_follow *follow, struct st_diag *diag)
{
	bool more = true;
	int err = ST_OK;
	while (more && err == ST_OK) {
		err = show_page(backend, follow, &more, diag);
	}
	return err;
}

/* Looking for a run */

struct search {
	const char *prefix; /* behind "r_"; "" takes the first */
	size_t found;
	struct st_id run;
	char cursor[512];
};

/* A page of the list. True when the search may end. */
static bool search_page(struct search *search, const char *json)
{
	json_t *page = json_loads(json, 0, NULL);
	const char *cursor = json_string_value(json_object_get(page, "next_cursor"));
	size_t i = 0;
	const json_t *run = NULL;
	json_array_foreach(json_object_get(page, "runs"), i, run)
	{
		const char *id = json_string_value(json_object_get(run, "id"));
		struct st_id found;
		if (id == NULL || st_id_parse(id, ST_ID_RUN, &found) != ST_OK ||
		    strncmp(id + strlen(ST_ID_RUN), search->prefix, strlen(search->prefix)) != 0) {
			continue;
		}
		if (search->found++ == 0) {
			search->run = found;
		}
		if (search->prefix[0] == '\0') {
			break;
		}
	}
	(void)snprintf(search->cursor, sizeof search->cursor, "%s", cursor != NULL ? cursor : "");
	json_decref(page);
	return search->cursor[0] == '\0' || search->found > 1 || search->prefix[0] == '\0';
}

static int search_runs(struct st_backend *backend, struct search *search, struct st_diag *diag)
{
	bool last = search->prefix[0] == '\0';
	for (int page = 0; page < FIND_PAGES_MAX; page++) {
		struct st_buf json = {0};
		const struct st_view view = {
		    .type = ST_VIEW_LIST,
		    .limit = last ? 1 : ST_READ_PAGE_MAX,
		    .cursor = search->cursor[0] != '\0' ? search->cursor : NULL,
		};
		int err = st_backend_view(backend, &view, &json, diag);
		bool over = err != ST_OK || search_page(search, json.data);
		st_buf_fini(&json);
		if (over) {
			return err;
		}
	}
	return ST_OK;
}

int st_backend_find(struct st_backend *backend, const char *text, struct st_id *run,
		    struct st_diag *diag)
{
	struct search search = {.prefix = text};
	bool last = strcmp(text, "last") == 0;
	if (st_id_parse(text, ST_ID_RUN, run) == ST_OK) {
		return ST_OK;
	}
	if (last) {
		search.prefix = "";
	} else if (strncmp(text, ST_ID_RUN, strlen(ST_ID_RUN)) == 0) {
		search.prefix += strlen(ST_ID_RUN);
	}
	size_t len = strlen(search.prefix);
	if (!last && (len < PREFIX_MIN || len >= UUID_LEN ||
		      strspn(search.prefix, "0123456789abcdef-") != len)) {
		return st_fail(diag, ST_ERR_INVALID,
			       "%.80s is no run: give r_ and its hexadecimal digits (the first %d "
			       "or more), or last",
			       text, PREFIX_MIN);
	}
	int err = search_runs(backend, &search, diag);
	if (err != ST_OK) {
		return err;
	}
	if (search.found > 1) {
		return st_fail(
		    diag, ST_ERR_INVALID,
		    "more than one run begins with %s: give more of it (see: stint list)", text);
	}
	if (search.found == 0) {
		return last ? st_fail(diag, ST_ERR_NOT_FOUND, "there is no run yet")
			    : st_fail(diag, ST_ERR_NOT_FOUND, "no run begins with %s", text);
	}
	*run = search.run;
	return ST_OK;
}

/* Waiting */

struct waiting {
	const struct st_cli *cli;
	int state;
	bool denied;
};

static bool see_until_stop(void *arg, const struct st_event_view *event)
{
	struct waiting *waiting = arg;
	int state = st_progress_state(event->type);
	st_progress_print(event, waiting->cli->json);
	if (strcmp(event->type, "decision.denied") == 0) {
		waiting->denied = true;
	}
	if (state >= 0) {
		waiting->state = state;
	}
	return state == ST_RUN_HALTED || (state >= 0 && st_machine_final(&st_run_machine, state));
}

/* Halts are history when somebody decided in the meantime. */
static bool stands(struct st_backend *backend, struct st_id run)
{
	struct st_buf json = {0};
	struct st_diag ignored = {0};
	const struct st_view view = {.type = ST_VIEW_RUN, .run = run};
	bool halted = true;
	if (st_backend_view(backend, &view, &json, &ignored) == ST_OK) {
		json_t *doc = json_loads(json.data, 0, NULL);
		const char *state = json_string_value(json_object_get(doc, "state"));
		halted = state == NULL ||
			 st_machine_state_parse(&st_run_machine, state) == ST_RUN_HALTED;
		json_decref(doc);
	}
	st_buf_fini(&json);
	return halted;
}

int st_backend_wait(struct st_backend *backend, struct st_id run, int64_t after_seq)
{
	struct st_diag diag = {0};
	struct waiting waiting = {.cli = backend->cli, .state = -1};
	struct st_follow follow = {
	    .run = run, .after_seq = after_seq, .see = see_until_stop, .arg = &waiting};
	do {
		if (st_backend_follow(backend, &follow, &diag) != ST_OK) {
			return st_cli_fail(backend->cli, &diag);
		}
	} while (waiting.state == ST_RUN_HALTED && !stands(backend, run));
	switch (waiting.state) {
	case ST_RUN_SUCCEEDED:
		return ST_EXIT_DONE;
	case ST_RUN_HALTED:
		return ST_EXIT_HALTED;
	case ST_RUN_BLOCKED:
		return ST_EXIT_REFUSED;
	default:
		return waiting.denied ? ST_EXIT_REFUSED : ST_EXIT_FAILED;
	}
}
