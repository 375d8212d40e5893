/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer thread. The loop queues batches and loads; the thread takes all
 * that are queued, puts consecutive batches into one transaction (one sync for
 * all), runs loads between, and hands the finished jobs back through uv_async.
 * On a full disk it waits for room (store_room.c); after any other failure it
 * writes nothing any more.
 */
#include <assert.h>

#include "orchestrator/io/store_sqlite.h"
#include "orchestrator/rows_fini.h"
#include "schemas/mem.h"

/* Batches join one transaction until it has so many rows: enough to share a sync, few enough that
 * the loop goes on with the first while the next are written. */
#define JOINED_ROWS 4096
/* The log is folded into the database when it has so many pages. */
#define LOG_PAGES 4000

static void push(struct st_store_queue *queue, struct st_store_job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
}

static struct st_store_job *take_all(struct st_store_queue *queue)
{
	struct st_store_job *jobs = queue->first;
	queue->first = NULL;
	queue->last = &queue->first;
	return jobs;
}

static int run_sql(struct st_store_writer *writer, enum st_store_sql sql, struct st_diag *diag)
{
	sqlite3_stmt *stmt = writer->sql[sql];
	int rc = sqlite3_step(stmt);
	(void)sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? ST_OK : st_store_fail(writer->db, rc, diag, "a transaction");
}

static int put_rows(struct st_store_writer *writer, const struct st_rows *rows,
		    struct st_diag *diag)
{
	for (size_t i = 0; i < rows->n; i++) {
		int err = st_store_put(writer, &rows->of[i], diag);
		if (err != ST_OK) {
			return err;
		}
	}
	return ST_OK;
}

static int commit(struct st_store *store, struct st_diag *diag)
{
	int err = run_sql(&store->writer, ST_STORE_SQL_COMMIT, diag);
	if (err == ST_OK && store->writer.log_pages >= LOG_PAGES) {
		err = st_store_fold(store, false, diag);
	}
	return err;
}

/* One transaction for the batches from `first` up to, not including, `end`. */
static int write_batches(struct st_store *store, struct st_store_job *first,
			 const struct st_store_job *end, bool *wants_room, struct st_diag *diag)
{
	struct st_store_writer *writer = &store->writer;
	int err = run_sql(writer, ST_STORE_SQL_BEGIN, diag);
	for (struct st_store_job *job = first; job != end && err == ST_OK; job = job->next) {
		err = put_rows(writer, &job->rows, diag);
	}
	if (err == ST_OK) {
		err = st_store_put_events(writer, diag);
	}
	if (err == ST_OK) {
		err = commit(store, diag);
	}
	*wants_room = err != ST_OK && st_store_wants_room(writer->db);
	if (err != ST_OK && sqlite3_get_autocommit(writer->db) == 0) {
		struct st_diag ignored;
		(void)run_sql(writer, ST_STORE_SQL_ROLLBACK, &ignored);
	}
	return err;
}

/* There is room for what must be written, or there will be; see store_room.c. */
static int write_for_sure(struct st_store *store, struct st_store_job *first,
			  const struct st_store_job *end, struct st_diag *diag)
{
	bool wants_room = false;
	struct st_diag broken = {0};
	int err = write_batches(store, first, end, &wants_room, diag);
	for (int tries = 0; err != ST_OK && wants_room; tries++) {
		st_store_put_nothing(&store->writer);
		if (tries == 0) {
			st_store_reserve_spend(store);
		} else {
			st_store_set_room(store, ST_STORE_STUCK);
			if (!st_store_look_later(store, false)) {
				return err;
			}
		}
		if (st_store_fold(store, true, &broken) != ST_OK) {
			*diag = broken;
			return broken.code;
		}
		err = write_batches(store, first, end, &wants_room, diag);
		if (err == ST_OK) {
			st_store_set_room(store, st_store_reserve_fill(store) ? ST_STORE_ROOM
									      : ST_STORE_TIGHT);
		}
	}
	return err;
}

static void finish(struct st_store *store, struct st_store_job *job)
{
	if (!job->is_load) {
		st_rows_fini(&job->rows);
	}
	(void)pthread_mutex_lock(&store->mutex);
	push(&store->done, job);
	(void)pthread_mutex_unlock(&store->mutex);
}

static struct st_store_job *do_batches(struct st_store *store, struct st_store_job *first)
{
	struct st_store_job *end = first;
	struct st_diag diag = {0};
	for (size_t n = 0; end != NULL && !end->is_load && n < JOINED_ROWS; end = end->next) {
		n += end->rows.n;
	}
	int err = store->failed ? ST_ERR_UNAVAILABLE : write_for_sure(store, first, end, &diag);
	if (err != ST_OK && !store->failed) {
		store->failed = true;
		store->failure = diag;
	}
	for (struct st_store_job *job = first; job != end;) {
		struct st_store_job *next = job->next;
		job->err = err;
		job->diag = store->failure;
		finish(store, job);
		job = next;
	}
	return end;
}

static struct st_store_job *do_load(struct st_store *store, struct st_store_job *job)
{
	struct st_store_job *next = job->next;
	job->err = store->failed ? ST_ERR_UNAVAILABLE
				 : st_store_load(&store->writer, &job->run, &job->rows, &job->diag);
	finish(store, job);
	return next;
}

/* Waits for something to do; meanwhile looks for room when there is none. */
static struct st_store_job *await(struct st_store *store)
{
	(void)pthread_mutex_lock(&store->mutex);
	while (store->queued.first == NULL && !store->stopping) {
		if (store->room == ST_STORE_ROOM) {
			(void)pthread_cond_wait(&store->wakeup, &store->mutex);
			continue;
		}
		(void)pthread_mutex_unlock(&store->mutex);
		if (st_store_reserve_fill(store)) {
			st_store_set_room(store, ST_STORE_ROOM);
		} else {
			(void)st_store_look_later(store, true);
		}
		(void)pthread_mutex_lock(&store->mutex);
	}
	struct st_store_job *job = take_all(&store->queued);
	(void)pthread_mutex_unlock(&store->mutex);
	return job;
}

/* SQLite would do it when it is closed, and keep to itself what became of it. */
static void fold_last(struct st_store *store)
{
	if (!store->failed && st_store_fold(store, true, &store->failure) != ST_OK) {
		store->failed = true;
		st_store_set_room(store, ST_STORE_BROKEN);
	}
}

static void *work(void *arg)
{
	struct st_store *store = arg;
	for (;;) {
		struct st_store_job *job = await(store);
		if (job == NULL) {
			fold_last(store);
		}
		if (job == NULL) {
			return NULL;
		}
		while (job != NULL) {
			job = job->is_load ? do_load(store, job) : do_batches(store, job);
			(void)uv_async_send(&store->async);
		}
	}
}

static void on_async(uv_async_t *async)
{
	struct st_store *store = async->data;
	(void)pthread_mutex_lock(&store->mutex);
	struct st_store_job *job = take_all(&store->done);
	enum st_store_room room = store->room;
	(void)pthread_mutex_unlock(&store->mutex);
	if (store->room_changed != NULL && room != store->told) {
		store->told = room;
		store->room_changed(store->room_arg, room);
	}
	while (job != NULL) {
		struct st_store_job *next = job->next;
		if (job->is_load) {
			job->loaded(job->arg, job->err, &job->rows);
			st_rows_fini(&job->rows);
		} else {
			job->written(job->arg, job->err, &job->diag);
		}
		st_free(job);
		job = next;
	}
}

static void enqueue(struct st_store *store, struct st_store_job *job)
{
	(void)pthread_mutex_lock(&store->mutex);
	assert(!store->stopping);
	push(&store->queued, job);
	(void)pthread_mutex_unlock(&store->mutex);
	(void)pthread_cond_signal(&store->wakeup); /* the mutex is free when the thread wakes */
}

void st_store_write(struct st_store *store, struct st_rows *rows,
		    void (*written)(void *arg, int err, const struct st_diag *diag), void *arg)
{
	struct st_store_job *job = st_alloc(sizeof *job);
	job->rows = *rows;
	job->written = written;
	job->arg = arg;
	*rows = (struct st_rows){0};
	enqueue(store, job);
}

void st_store_load_run(struct st_store *store, struct st_id run,
		       void (*loaded)(void *arg, int err, struct st_rows *rows), void *arg)
{
	struct st_store_job *job = st_alloc(sizeof *job);
	job->is_load = true;
	job->run = run;
	job->loaded = loaded;
	job->arg = arg;
	enqueue(store, job);
}

void st_store_on_room(struct st_store *store, void (*changed)(void *arg, enum st_store_room room),
		      void *arg)
{
	store->room_changed = changed;
	store->room_arg = arg;
	(void)uv_async_send(&store->async);
}

static int note_log_pages(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct st_store_writer *writer = arg;
	(void)db;
	(void)name;
	writer->log_pages = pages;
	return SQLITE_OK;
}

int st_store_start(uv_loop_t *loop, struct st_store *store, struct st_diag *diag)
{
	store->queued.last = &store->queued.first;
	store->done.last = &store->done.first;
	pthread_condattr_t steady;
	(void)pthread_mutex_init(&store->mutex, NULL);
	(void)pthread_condattr_init(&steady);
	(void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&store->wakeup, &steady);
	(void)pthread_condattr_destroy(&steady);
	(void)sqlite3_wal_hook(store->writer.db, note_log_pages, &store->writer);
	int rc = uv_async_init(loop, &store->async, on_async);
	store->async.data = store;
	if (rc != 0 || pthread_create(&store->thread, NULL, work, store) != 0) {
		return st_fail(diag, ST_ERR_IO, "the store's writer thread cannot be started");
	}
	return ST_OK;
}

static void on_closed(uv_handle_t *handle)
{
	struct st_store *store = handle->data;
	void (*closed)(void *) = store->closed;
	void *arg = store->closed_arg;
	on_async(&store->async); /* what was finished meanwhile */
	(void)pthread_mutex_destroy(&store->mutex);
	(void)pthread_cond_destroy(&store->wakeup);
	st_store_release(store);
	closed(arg);
}

void st_store_close(struct st_store *store, void (*closed)(void *arg), void *arg)
{
	store->closed = closed;
	store->closed_arg = arg;
	(void)pthread_mutex_lock(&store->mutex);
	store->stopping = true;
	(void)pthread_cond_signal(&store->wakeup);
	(void)pthread_mutex_unlock(&store->mutex);
	(void)pthread_join(store->thread, NULL);
	uv_close((uv_handle_t *)&store->async, on_closed);
}
