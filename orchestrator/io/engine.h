/* SPDX-License-Identifier: Apache-2.0 */
/* How do core, store and driver turn together? */
#ifndef ST_ORCHESTRATOR_IO_ENGINE_H
#define ST_ORCHESTRATOR_IO_ENGINE_H

#include <stdbool.h>
#include <uv.h>

#include "schemas/config.h"
#include "schemas/effect.h"
#include "schemas/event.h"
#include "schemas/schemas.h"

struct st_engine;
struct st_redactor;

/* The strings are borrowed for the engine's life. */
struct st_engine_options {
	uv_loop_t *loop;
	const char *store_uri;
	const char *config_path; /* NULL: the built-in defaults */
	const char *record_path; /* cassette to record to, or NULL */
	bool accept_clock;	 /* the clock is right although the store was used later than now */
};

/* Opens the store, loads what is live and goes on with it. Gives *out. Failures
 * say what to do. */
int st_engine_new(const struct st_engine_options *options, struct st_engine **out,
		  struct st_diag *diag);
/* Drains: no new call; what is in flight gets grace_ms to end; then everything
 * is closed and freed and `closed` called. */
void st_engine_close(struct st_engine *engine, int64_t grace_ms, void (*closed)(void *arg),
		     void *arg);

const struct st_config *st_engine_config(const struct st_engine *engine);
const struct st_redactor *st_engine_redactor(const struct st_engine *engine);
const struct st_schemas *st_engine_schemas(const struct st_engine *engine);
struct st_store *st_engine_store(struct st_engine *engine);

/* A definition as it was sent, and by whom. */
struct st_engine_text {
	const char *text;
	size_t len;
	const char *tenant; /* "", or the one that it is for, also when it does not say so */
};
/*
 * Parses, decodes and checks it for a SUBMIT; gives *out (st_def_free). The same text again gives
 * the same definition, which is kept for a while: it is often submitted many times. ST_ERR_INVALID,
 * ST_ERR_TOO_LARGE, or ST_ERR_FORBIDDEN for the definition of another tenant, with what, where and
 * what to do in diag.
 */
int st_engine_definition(struct st_engine *engine, const struct st_engine_text *given,
			 struct st_def **out, struct st_diag *diag);

/* Waits for the answer to an event. Owned by the caller until `answer` was
 * called: that happens once, when what it says is durable. */
struct st_waiter {
	void (*answer)(struct st_waiter *waiter, const struct st_effect_reply *reply);
};

/*
 * Brings an event in; fills in time and random words. A run that is not in
 * memory is loaded first. What the event borrows must last until the waiter is
 * answered (or, without a waiter, forever). SUBMIT takes the definition.
 */
void st_engine_event(struct st_engine *engine, const struct st_event *event,
		     struct st_waiter *waiter);
/* Rows that the core knows nothing of (tokens, answers): written with the next
 * batch; taken. The waiter, if any, is answered ST_OK when they are durable. */
void st_engine_rows(struct st_engine *engine, struct st_rows *rows, struct st_waiter *waiter);

/* Is told of every run whose timeline has grown, once that is durable. */
struct st_watcher {
	void (*grown)(struct st_watcher *watcher, struct st_id run, int64_t seq);
	struct st_watcher *next;
};
void st_engine_watch(struct st_engine *engine, struct st_watcher *watcher);
void st_engine_unwatch(struct st_engine *engine, struct st_watcher *watcher);

/* While the disk is full: nothing is taken from outside, no call is made; it may end by itself. */
bool st_engine_is_full(const struct st_engine *engine);
/* True once the store failed: nothing is accepted any more. */
bool st_engine_failed(const struct st_engine *engine);
/* Called when the store fails; the process must then end with an error. */
void st_engine_on_failure(struct st_engine *engine, void (*failed)(void *arg), void *arg);

struct st_engine_counts {
	size_t runs;	/* in memory */
	size_t calls;	/* in flight */
	size_t batches; /* written so far */
	size_t events;	/* taken so far */
};
struct st_engine_counts st_engine_count(const struct st_engine *engine);

#endif
