/* SPDX-License-Identifier: Apache-2.0 */
/* Where do the client commands get their answers: from a daemon, or from a store itself? */
#ifndef ST_ORCHESTRATOR_IO_BACKEND_H
#define ST_ORCHESTRATOR_IO_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "orchestrator/io/cli.h"
#include "orchestrator/io/store_read.h"
#include "schemas/buf.h"
#include "schemas/event.h"

struct st_backend;

/*
 * --url, else --store, else $STINT_URL, else $STINT_STORE, else the store of the foreground runs.
 * Gives *out; cli is borrowed for its life.
 */
int st_backend_open(const struct st_cli *cli, struct st_backend **out, struct st_diag *diag);
void st_backend_close(struct st_backend *backend); /* NULL is fine */
/* Would st_backend_open talk to a daemon? */
bool st_backend_names_server(const struct st_cli *cli);
bool st_backend_is_server(const struct st_backend *backend);

/* What can be looked at. X(NAME) */
#define ST_VIEW_X(X)                                                                               \
	X(RUN)                                                                                     \
	X(LIST)                                                                                    \
	X(TIMELINE)                                                                                \
	X(CALLS)                                                                                   \
	X(HOLDS)                                                                                   \
	X(TRANSCRIPTS)                                                                             \
	X(ARTIFACTS)                                                                               \
	X(ARTIFACT)                                                                                \
	X(APPROVALS)                                                                               \
	X(USAGE)                                                                                   \
	X(TOKENS)

enum st_view_type {
#define X(name) ST_VIEW_##name,
	ST_VIEW_X(X)
#undef X
};

/* All borrowed; what is zero or NULL narrows nothing. */
struct st_view {
	enum st_view_type type;
	struct st_id run;
	struct st_id call; /* TRANSCRIPTS, ARTIFACT */
	const char *path;  /* ARTIFACT */
	const char *tenant;
	const char *state;    /* LIST */
	const char *workflow; /* LIST */
	const char *cursor;   /* LIST */
	int limit;	      /* LIST */
	int64_t after_seq;    /* TIMELINE */
	const char *by;	      /* USAGE */
	const char *from;     /* USAGE; RFC 3339 */
	const char *to;	      /* USAGE */
};

/* Appends the JSON that the API answers; for ARTIFACT the bytes of the file. */
int st_backend_view(struct st_backend *backend, const struct st_view *view, struct st_buf *out,
		    struct st_diag *diag);
/* Everything of a run, or of all, line by line; see st_reader_export. */
int st_backend_export(struct st_backend *backend, struct st_id run, const struct st_read_sink *sink,
		      struct st_diag *diag);

/* Which run is meant: "r_…" in full, the unique beginning of one, or "last". ST_ERR_NOT_FOUND,
 * ST_ERR_INVALID (too short, or more than one begins like that). */
int st_backend_find(struct st_backend *backend, const char *text, struct st_id *run,
		    struct st_diag *diag);

struct st_follow {
	struct st_id run;
	int64_t after_seq; /* moves with what was seen */
	/* True: enough. */
	bool (*see)(void *arg, const struct st_event_view *event);
	void *arg;
};
/* Shows the timeline as far as it goes now, page by page. */
int st_backend_timeline(struct st_backend *backend, struct st_follow *follow, struct st_diag *diag);
/* Shows the timeline as it grows, until `see` has enough. */
int st_backend_follow(struct st_backend *backend, struct st_follow *follow, struct st_diag *diag);

/*
 * Brings a decision or a control event in and tells what came of it. A daemon goes on with the run
 * itself (`wait` follows it to its next stop); on a store the run is driven here: to its next stop
 * when `goes_on`, else only until the event is durable. The exit code of the command.
 */
struct st_act {
	const struct st_event *event;
	bool goes_on;
	bool wait;
};
int st_backend_act(struct st_backend *backend, const struct st_act *act);

/* Only with a server. Appends the answer to a mutation. */
struct st_backend_post {
	const char *method;
	const char *path;
	const char *body; /* or NULL */
	const char *key;  /* Idempotency-Key, or NULL */
};
int st_backend_post(struct st_backend *backend, const struct st_backend_post *post,
		    struct st_buf *out, struct st_diag *diag);
/* Only without one. */
const char *st_backend_store(const struct st_backend *backend);

/* Follows a run from behind an event to its end or next halt, telling as it goes. The exit code
 * that fits. */
int st_backend_wait(struct st_backend *backend, struct st_id run, int64_t after_seq);

#endif
