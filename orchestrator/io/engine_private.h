/* SPDX-License-Identifier: Apache-2.0 */
/* What is an engine made of? Private to orchestrator/io/engine*. */
#ifndef ST_ORCHESTRATOR_IO_ENGINE_PRIVATE_H
#define ST_ORCHESTRATOR_IO_ENGINE_PRIVATE_H

#include "orchestrator/core.h"
#include "orchestrator/io/clock.h"
#include "orchestrator/io/driver.h"
#include "orchestrator/io/engine.h"
#include "orchestrator/io/secrets.h"
#include "orchestrator/io/store.h"
#include "orchestrator/rows_fini.h"

#define ST_ENGINE_WORDS 256 /* even: events take two */

struct st_grown {
	struct st_id run;
	int64_t seq;
};

/* A run that is over once the batch is written. */
struct st_over {
	struct st_id run;
	bool succeeded;
};

struct st_batch {
	struct st_engine *engine;
	struct st_batch *next; /* that is being written, too */
	struct st_update update;
	struct st_grown *grown; /* timelines that watchers hear of */
	size_t n_grown;
	struct st_over *over;
	size_t n_over;
};

/* Effects that wait for room on the disk. */
struct st_deferred {
	struct st_effect *of;
	size_t n;
	size_t cap;
};

/* A run event that waits for its run to be loaded. */
struct st_pending {
	struct st_event event;
	struct st_waiter *waiter;
	struct st_pending *next;
};

/* One load under way, and who waits for it. */
struct st_load {
	struct st_engine *engine;
	struct st_id run;
	struct st_pending *first;
	struct st_pending **last;
	struct st_load *next;
};

/* A definition that was submitted lately, by the hash of its text and tenant. */
struct st_known {
	uint8_t hash[ST_HASH_BYTES];
	struct st_def *def; /* shared, or NULL */
	size_t used_at;	    /* the number of the asking that found it last */
};
#define ST_KNOWN_MAX 16

struct st_engine {
	struct st_engine_options options;
	struct st_config *config;
	struct st_schemas *schemas;
	struct st_redactor *redactor;
	struct st_secrets *secrets;
	struct st_store *store;
	struct st_driver *driver;
	struct st_core *core;
	char *work_dir;
	struct st_clock clock;
	struct st_batch open;
	int n_writing; /* batches that the store has and has not written */
	struct st_batch *writing;
	enum st_store_room room;
	struct st_deferred deferred;
	bool failed;
	bool leaving; /* nothing is taken from outside any more */
	bool loading; /* a run was loaded and the events that wait for it are coming in */
	int64_t grace_ms;
	uv_check_t check; /* runs after the loop has taken all ready events */
	uv_idle_t idle;	  /* keeps the loop from sleeping while `open` holds something */
	uv_timer_t timer; /* the core's deadline */
	uv_timer_t grace;
	uv_timer_t pulse; /* writes now and then that the store is in use */
	int n_handles;
	struct st_load *loads;
	struct st_watcher *watchers;
	void (*on_failure)(void *arg);
	void *on_failure_arg;
	void (*closed)(void *arg);
	void *closed_arg;
	struct st_engine_counts counts;
	uint64_t words[ST_ENGINE_WORDS]; /* random, not used yet */
	size_t words_left;
	struct st_known known[ST_KNOWN_MAX];
	size_t n_asked; /* for definitions */
};

/* Brings an event to the core; fills in time and random words. */
void st_engine_step(struct st_engine *engine, struct st_event *event);
/* Hands what has gathered to the writer, behind what it has already, and sets the timer anew. */
void st_engine_seal(struct st_engine *engine);
/* Nothing gathered and nothing promised. */
bool st_batch_is_empty(const struct st_batch *batch);
/* engine.c: lets an effect out, or defers it; tells who waits that there will be no answer. */
void st_engine_let_out(struct st_engine *engine, struct st_effect *effect);
void st_engine_refuse_replies(struct st_batch *batch);
/* The store failed: nothing leaves any more. */
void st_engine_fail(struct st_engine *engine, const char *why);
/* engine_room.c: true: the effect is taken, and waits for room. */
bool st_engine_defers(struct st_engine *engine, struct st_effect *effect);
void st_engine_drop_deferred(struct st_engine *engine);
void st_engine_on_room(void *arg, enum st_store_room room);
void st_engine_forget_definitions(struct st_engine *engine);
void st_engine_on_check(uv_check_t *check);
void st_engine_on_call_ended(void *arg, struct st_event *event);

#endif
