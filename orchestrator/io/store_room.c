/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room for what must still be written when the disk is full. A file beside the store keeps some
 * MiB of the disk:
 *
 *   ROOM ──the disk is full──▶ TIGHT: the reserve was given back, the log was folded into the
 *     ▲                          │    database; ends and halts are written, nothing may begin
 *     └── the reserve is whole ──┤
 *                                └──▶ STUCK: not even they fit. They wait and are tried again.
 *
 * What does not fit is never dropped: a settlement that cannot be stored is tried again as a
 * settlement, and the call is not made again.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "orchestrator/io/store_sqlite.h"
#include "schemas/buf.h"

/* Ends and halts of what may be in flight: a few KiB each. */
#define RESERVE_BYTES (4 << 20)
#define LOOK_MS 250

bool st_store_wants_room(sqlite3 *db)
{
	int rc = sqlite3_extended_errcode(db);
	return (rc & 0xff) == SQLITE_FULL || rc == SQLITE_IOERR_SHMSIZE;
}

int st_store_reserve_open(struct st_store *store, struct st_diag *diag)
{
	struct st_buf name = {0};
	st_buf_addf(&name, "%s.reserve", store->path);
	store->reserve_fd = open(name.data, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err = store->reserve_fd >= 0 ? ST_OK
					 : st_fail(diag, ST_ERR_IO, "%s cannot be made: %s",
						   name.data, strerror(errno));
	st_buf_fini(&name);
	if (err == ST_OK && !st_store_reserve_fill(store)) {
		store->room = ST_STORE_TIGHT;
	}
	return err;
}

bool st_store_reserve_fill(struct st_store *store)
{
	if (posix_fallocate(store->reserve_fd, 0, RESERVE_BYTES) == 0) {
		return true;
	}
	st_store_reserve_spend(store); /* it may have got a part */
	return false;
}

void st_store_reserve_spend(struct st_store *store)
{
	int rc = ftruncate(store->reserve_fd, 0);
	assert(rc == 0);
}

int st_store_fold(struct st_store *store, bool all, struct st_diag *diag)
{
	sqlite3 *db = store->writer.db;
	int mode = all ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
	(void)sqlite3_busy_timeout(db, 0); /* readers are not waited for: there is a next time */
	int rc = sqlite3_wal_checkpoint_v2(db, NULL, mode, NULL, NULL);
	bool failed = (rc & 0xff) == SQLITE_IOERR && !st_store_wants_room(db);
	int err = failed ? st_store_fail(db, rc, diag, "the log cannot be folded in") : ST_OK;
	(void)sqlite3_busy_timeout(db, ST_STORE_BUSY_MS);
	return err;
}

void st_store_set_room(struct st_store *store, enum st_store_room room)
{
	(void)pthread_mutex_lock(&store->mutex);
	bool changed = store->room != room;
	store->room = room;
	(void)pthread_mutex_unlock(&store->mutex);
	if (changed) {
		(void)uv_async_send(&store->async);
	}
}

bool st_store_look_later(struct st_store *store, bool idle)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	(void)pthread_mutex_lock(&store->mutex);
	int rc = 0;
	while (rc == 0 && !store->stopping && !(idle && store->queued.first != NULL)) {
		rc = pthread_cond_timedwait(&store->wakeup, &store->mutex, &until);
	}
	bool on = !store->stopping;
	(void)pthread_mutex_unlock(&store->mutex);
	return on;
}
