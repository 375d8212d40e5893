/* SPDX-License-Identifier: Apache-2.0 */
/* What does the store hold, as JSON for people, API and CLI? */
#ifndef ST_ORCHESTRATOR_IO_STORE_READ_H
#define ST_ORCHESTRATOR_IO_STORE_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "schemas/buf.h"
#include "schemas/err.h"
#include "schemas/row.h"

/*
 * A connection of its own that can only read: beside a running stint or without one, never waiting
 * for the writer. Used by one thread at a time. Each answer is one consistent snapshot. What it
 * shows went through redaction before it was stored; sealed columns
 * are read by st_reader_artifact alone.
 *
 * All functions: 0 or a failure with diag; JSON is appended to `out`, which keeps its old content
 * alone after a failure. Failures besides those that are named: ST_ERR_CORRUPT, ST_ERR_BUSY,
 * ST_ERR_IO.
 */
struct st_reader;

/* Gives *out. ST_ERR_NOT_FOUND, ST_ERR_FORBIDDEN, ST_ERR_FOREIGN, ST_ERR_NEWER, ST_ERR_UNSUPPORTED
 * (a store that an older stint made and `stint serve` has not brought up yet). */
int st_reader_open(const char *uri, struct st_reader **out, struct st_diag *diag);
void st_reader_close(struct st_reader *reader); /* NULL is fine */

/* Whose data. A run of another tenant is ST_ERR_NOT_FOUND, as one that is not there. */
struct st_read_of {
	struct st_id run;   /* none: of all runs, where the function says so */
	const char *tenant; /* NULL or "": of all tenants */
};

/* The object "run" of the API, with steps that have not started yet, outputs, usage, envelope. */
int st_reader_run(struct st_reader *reader, struct st_read_of of, struct st_buf *out,
		  struct st_diag *diag);

#define ST_READ_PAGE_DEFAULT 50
#define ST_READ_PAGE_MAX 500

/* NULL or "": any. limit 0: the default; more than the maximum is cut to it. */
struct st_read_list {
	const char *tenant;
	const char *state;
	const char *workflow;
	const char *cursor; /* next_cursor of the page before */
	int limit;
};
/* {"runs":[…],"next_cursor":"…"|null}, newest first. ST_ERR_INVALID with pointer /cursor or /state
 * or /limit. */
int st_reader_list(struct st_reader *reader, const struct st_read_list *list, struct st_buf *out,
		   struct st_diag *diag);

/* Borrowed for the call of `see`. */
struct st_event_view {
	int64_t seq;
	st_time at;
	const char *type;
	const char *step; /* "" for none */
	int item;	  /* 0 for none */
	const char *call; /* "c_…", "" for none */
	const char *data; /* JSON */
	const char *json; /* the whole event, one line without its end */
};
struct st_read_timeline {
	struct st_read_of of;
	int64_t after_seq; /* 0: from the start */
	int limit;	   /* 0: all */
	int64_t last_seq;  /* out: of the last event given, or after_seq */
};
/* A JSON array of events. */
int st_reader_timeline(struct st_reader *reader, struct st_read_timeline *page, struct st_buf *out,
		       struct st_diag *diag);
/* The same, one by one. `see` must not call this reader. */
int st_reader_events(struct st_reader *reader, struct st_read_timeline *page,
		     void (*see)(void *arg, const struct st_event_view *event), void *arg,
		     struct st_diag *diag);

/* JSON arrays, oldest first: the attempts of calls of a run; the holds that have no end yet (of a
 * run or of all); external ids of a run. */
int st_reader_calls(struct st_reader *reader, struct st_read_of of, struct st_buf *out,
		    struct st_diag *diag);
int st_reader_holds(struct st_reader *reader, struct st_read_of of, struct st_buf *out,
		    struct st_diag *diag);
int st_reader_external_ids(struct st_reader *reader, struct st_read_of of, struct st_buf *out,
			   struct st_diag *diag);
/* [{"attempt","at","transcript":[…]}] of one call; ST_ERR_NOT_FOUND when it has none. */
int st_reader_transcripts(struct st_reader *reader, struct st_read_of of, struct st_id call,
			  struct st_buf *out, struct st_diag *diag);
/* {"run":…,"envelope":{meter:account},"steps":{step:{meter:account}}} */
int st_reader_envelope(struct st_reader *reader, struct st_read_of of, struct st_buf *out,
		       struct st_diag *diag);
/* JSON array of the open halts, oldest first, each with its run and the grants that would do. */
int st_reader_approvals(struct st_reader *reader, const char *tenant, struct st_buf *out,
			struct st_diag *diag);

/* What was settled, by settlement time. */
struct st_read_usage {
	struct st_read_of of;
	const char *by; /* run step workflow agent user project tenant day kind; NULL: run */
	st_time from;	/* ST_TIME_NONE: from the start */
	st_time to;	/* exclusive; ST_TIME_NONE: until now */
};
/* {"by":…,"groups":[{"key":…,"calls":n,"estimated":n,"usage":{…}}],"total":{…}}. ST_ERR_INVALID
 * with pointer /by. */
int st_reader_usage(struct st_reader *reader, const struct st_read_usage *usage, struct st_buf *out,
		    struct st_diag *diag);

/* Everything of a run, or of all, as JSON lines of bounded memory: {"table":"run",…}. `line` is
 * called without the line's end; a value other than 0 stops and is given back. */
struct st_read_sink {
	int (*line)(void *arg, const char *json, size_t len);
	void *arg;
};
int st_reader_export(struct st_reader *reader, struct st_read_of of,
		     const struct st_read_sink *sink, struct st_diag *diag);

#endif
