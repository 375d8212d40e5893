/* SPDX-License-Identifier: Apache-2.0 */
/* What do the parts of the SQLite store share? Private to
 * orchestrator/io/store_*. */
#ifndef ST_ORCHESTRATOR_IO_STORE_SQLITE_H
#define ST_ORCHESTRATOR_IO_STORE_SQLITE_H

#include <pthread.h>
#include <sqlite3.h>

#include "orchestrator/io/store.h"
#include "redact/seal.h"

#define ST_STORE_BUSY_MS 5000
#define ST_STORE_APPLICATION_ID 0x73746e74 /* "stnt" */

/* X(NAME, "SQL"): the writer's statements; see store_rows.c for what is bound.
 */
#define ST_STORE_SQL_X(X)                                                                          \
	X(BEGIN, "BEGIN IMMEDIATE")                                                                \
	X(COMMIT, "COMMIT")                                                                        \
	X(ROLLBACK, "ROLLBACK")                                                                    \
	X(RUN_INSERT, "INSERT INTO run VALUES "                                                    \
		      "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")                     \
	X(DEF_INSERT, "INSERT INTO def VALUES (?,?,?)")                                            \
	X(RUN_UPDATE, "UPDATE run SET state=?2, started_at=?3, ended_at=?4, last_at=?5, "          \
		      "active_ms=?6, "                                                             \
		      "active_at=?7, paused=?8, halt=?9, open=?10, seq=?11, hash=?12, "            \
		      "error_code=?13, error=coalesce(?14, error), approved=?15 WHERE no=?1")      \
	X(STEP_INSERT, "INSERT INTO step VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")            \
	X(STEP_UPDATE, "UPDATE step SET state=?4, item_state=?5, n_items=?6, "                     \
		       "attempt=?7, resends=?8, due=?9, "                                          \
		       "call=?10, started_at=?11, ended_at=?12, approved=?13, "                    \
		       "sealed_output=coalesce(?14, sealed_output), "                              \
		       "output=coalesce(?15, output), "                                            \
		       "citations=coalesce(?16, citations), error_code=?17, "                      \
		       "error=coalesce(?18, error) "                                               \
		       "WHERE no=?1")                                                              \
	X(SCOPE_INSERT, "INSERT INTO scope VALUES (?,?,?)")                                        \
	X(ACCOUNT_INSERT, "INSERT INTO account VALUES (?,?,?,?,?,?,?,?,?)")                        \
	X(ACCOUNT_UPDATE, "UPDATE account SET \"limit\"=?5, granted=?6, "                          \
			  "settled=?7, held=?8, overrun=?9 "                                       \
			  "WHERE no=?1")                                                           \
	X(ATTEMPT_INSERT, "INSERT INTO attempt VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")          \
	X(ATTEMPT_UPDATE, "UPDATE attempt SET state=?2, expires_at=?3 WHERE no=?1")                \
	X(SETTLEMENT_INSERT, "INSERT INTO settlement VALUES (?,?,?,?,?,?,?,?)")                    \
	X(GRANT_INSERT, "INSERT INTO grant_ VALUES (NULL,?,?,?,?,?,?,?,?)")                        \
	X(HALT_INSERT, "INSERT INTO halt VALUES (NULL,?,?,?,?,?,?,?,?,?,?,NULL,NULL,NULL,NULL)")   \
	X(HALT_UPDATE, "UPDATE halt SET decided_at=?2, decision=?3, by=?4, "                       \
		       "reason=?5 WHERE id=?1")                                                    \
	X(EVENT_INSERT, "INSERT INTO event VALUES (NULL,?,?,?,?,?,?,?,?,?,?)")                     \
	X(EXTERNAL_ID_INSERT, "INSERT INTO external_id VALUES (NULL,?,?,?,?,?,?,?,?)")             \
	X(TRANSCRIPT_INSERT, "INSERT INTO transcript VALUES (NULL,?,?,?,?,?)")                     \
	X(ARTIFACT_INSERT, "INSERT INTO artifact VALUES (?,?,?,?,?,?,?,?,?,?,?)")                  \
	X(ANSWER_INSERT, "INSERT INTO answer VALUES (?,?,?,?,?)")                                  \
	X(TOKEN_INSERT, "INSERT INTO token VALUES (NULL,?,?,?,?,?,?,?,NULL)")                      \
	X(TOKEN_UPDATE, "UPDATE token SET revoked_at=?2 WHERE id=?1 AND revoked_at IS NULL")       \
	X(PULSE_PUT, "INSERT INTO meta VALUES ('alive_at', ?1) ON CONFLICT (name) DO UPDATE SET "  \
		     "value=excluded.value")                                                       \
	X(ANSWER_FORGET, "DELETE FROM answer WHERE at < ?1 AND rowid IN "                          \
			 "(SELECT rowid FROM answer ORDER BY rowid LIMIT 1000)")

enum st_store_sql {
#define X(NAME, text) ST_STORE_SQL_##NAME,
	ST_STORE_SQL_X(X)
#undef X
	    ST_STORE_SQL_COUNT
};

/* One connection that writes. Used by one thread at a time. */
struct st_store_writer {
	sqlite3 *db;
	sqlite3_stmt *sql[ST_STORE_SQL_COUNT];
	struct st_seal_key key;	    /* the instance's */
	struct st_seal_key run_key; /* of run_no, derived */
	int64_t run_no;
	struct st_id run_id;
	const struct st_row_event **events; /* of this transaction, written at its end */
	size_t n_events;
	size_t events_cap;
	const struct st_row_hold *hold;		    /* put, to be written with the call behind it */
	const struct st_row_settlement *settlement; /* the same */
	int log_pages;				    /* in the WAL after the last commit */
};

/* One batch or one load, in order. */
struct st_store_job {
	struct st_rows rows;
	bool is_load;
	struct st_id run;
	int err;
	struct st_diag diag;
	void (*written)(void *arg, int err, const struct st_diag *diag);
	void (*loaded)(void *arg, int err, struct st_rows *rows);
	void *arg;
	struct st_store_job *next;
};

struct st_store_queue {
	struct st_store_job *first;
	struct st_store_job **last;
};

struct st_store {
	char *path;
	int lock_fd;
	struct st_store_writer writer;
	uv_async_t async;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wakeup;
	struct st_store_queue queued;
	struct st_store_queue done;
	bool stopping;
	bool failed;
	int reserve_fd;
	enum st_store_room room; /* under the mutex, as `queued` and `done` are */
	enum st_store_room told; /* the loop's */
	void (*room_changed)(void *arg, enum st_store_room room);
	void *room_arg;
	struct st_diag failure;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ST_SQL_SQLITE_VERSION of them. */
extern const char *const st_store_migrations[];
/* Sets SQLite up for this process, once, before anything of it is used. */
void st_store_set_up(void);
/* What SQLite said, as one of ours. */
int st_store_fail(sqlite3 *db, int rc, struct st_diag *diag, const char *doing);
/* Starts the thread; releases what store_open.c opened. */
int st_store_start(uv_loop_t *loop, struct st_store *store, struct st_diag *diag);
void st_store_release(struct st_store *store);
int st_store_prepare(struct st_store_writer *writer, struct st_diag *diag);
void st_store_finalize(struct st_store_writer *writer);
/* Writes one row; the caller has begun a transaction. Events are kept for st_store_put_events, and
 * must live until then. */
int st_store_put(struct st_store_writer *writer, const struct st_row *row, struct st_diag *diag);
/* Writes the events put since the last time, in that order. */
int st_store_put_events(struct st_store_writer *writer, struct st_diag *diag);
/* Forgets what was put in a transaction that is rolled back. */
void st_store_put_nothing(struct st_store_writer *writer);
/* Did the last call fail because the disk is full? */
bool st_store_wants_room(sqlite3 *db);
/* The file that keeps room on the disk: opens it, makes it whole (false: no room), gives it back.
 */
int st_store_reserve_open(struct st_store *store, struct st_diag *diag);
bool st_store_reserve_fill(struct st_store *store);
void st_store_reserve_spend(struct st_store *store);
/* Writes the log into the database; `all`: and makes it empty. That readers or a full disk hinder
 * it is no failure; what the disk could not sync is. */
int st_store_fold(struct st_store *store, bool all, struct st_diag *diag);
/* Tells the loop. */
void st_store_set_room(struct st_store *store, enum st_store_room room);
/* Sleeps a little before looking for room again; `idle`: or until there is something to do. False:
 * the store is being closed. */
bool st_store_look_later(struct st_store *store, bool idle);
/* Is there a file that can be a store? */
int st_store_find(const char *path, struct st_diag *diag);
/* Is it ours, and of a version that we know? Gives the version, which may be an older one. */
int st_store_check_header(sqlite3 *db, const char *path, int64_t *version, struct st_diag *diag);
/* The path in a URI; NULL when it is not one of ours. */
const char *st_store_path(const char *uri, struct st_diag *diag);
/* The key that seals, from $STINT_SEAL_KEY_FILE or "<path>.key". */
int st_store_read_key(const char *path, struct st_seal_key *key, struct st_diag *diag);
int st_store_load(struct st_store_writer *writer, const struct st_id *run, struct st_rows *out,
		  struct st_diag *diag);
/* The context that a sealed value is bound to: "def", "output" of a step and item, or "artifact"
 * and its number. */
void st_store_seal_context(struct st_buf *out, struct st_id run, const char *what, int64_t no);

#endif
