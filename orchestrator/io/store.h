/* SPDX-License-Identifier: Apache-2.0 */
/* How does what was decided survive? The store's face, whatever database is
 * behind it. */
#ifndef ST_ORCHESTRATOR_IO_STORE_H
#define ST_ORCHESTRATOR_IO_STORE_H

#include <uv.h>

#include "orchestrator/core.h"
#include "schemas/err.h"
#include "schemas/row.h"

struct st_store;

/* Makes an empty store at uri ("sqlite:PATH" or a path). ST_ERR_EXISTS when one
 * is there. */
int st_store_create(const char *uri, struct st_diag *diag);

/*
 * Opens the store for writing: one process at a time (ST_ERR_BUSY names the
 * other). Gives *out. ST_ERR_NOT_FOUND, ST_ERR_FOREIGN, ST_ERR_NEWER,
 * ST_ERR_CORRUPT, ST_ERR_FORBIDDEN (others can read the key), ST_ERR_IO; each
 * says what to do. Callbacks come on the loop.
 */
int st_store_open(uv_loop_t *loop, const char *uri, struct st_store **out, struct st_diag *diag);
/* Writes what is queued, closes, frees, then calls back. */
void st_store_close(struct st_store *store, void (*closed)(void *arg), void *arg);

/* At start, before anything was written: the next free numbers, and everything
 * that is live: scopes, each followed by its accounts; then each run that is
 * queued, running, or halted with a call in flight: RUN, STEPs in order,
 * ACCOUNTs, HOLD and CALL of each hold without an end, the open HALT. */
int st_store_numbers(struct st_store *store, struct st_core_numbers *numbers, struct st_diag *diag);
int st_store_load_live(struct st_store *store, struct st_rows *out, struct st_diag *diag);

/*
 * One batch, one transaction: all rows or none, synced before `written` is
 * called with ST_OK. Takes the rows. Batches are written in the order given;
 * what is queued together may share a sync. A full disk is no failure: the batch
 * waits for room. After a failure nothing is written any more and every
 * `written` gets the failure: the process must end and recover.
 */
void st_store_write(struct st_store *store, struct st_rows *rows,
		    void (*written)(void *arg, int err, const struct st_diag *diag), void *arg);

/* Is there room on the disk for what comes? */
enum st_store_room {
	ST_STORE_ROOM,
	ST_STORE_TIGHT,	 /* only for what must be written: nothing new may begin */
	ST_STORE_STUCK,	 /* not even for that: batches wait until there is */
	ST_STORE_BROKEN, /* when it was closed: the disk did not sync the last of it */
};
/* Tells when that changes, before it calls back the batches that were written meanwhile; and once
 * at the beginning when there is no room then. */
void st_store_on_room(struct st_store *store, void (*changed)(void *arg, enum st_store_room room),
		      void *arg);

/* The rows of one run in any state, as st_store_load_live gives them, once
 * everything queued so far is written. `loaded` may take the rows' contents;
 * ST_ERR_NOT_FOUND when there is no such run. */
void st_store_load_run(struct st_store *store, struct st_id run,
		       void (*loaded)(void *arg, int err, struct st_rows *rows), void *arg);

#endif
