/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite writes each WAL frame with two system calls: its header, then its page. A commit of
 * hundreds of frames spends more time in entering the kernel than in copying. This layer over
 * SQLite's own VFS gathers writes to the WAL that follow one another and hands them on together.
 *
 * Why that is safe: nothing in the WAL counts before the commit frame is synced and the WAL index
 * says so, in this order, and xSync hands everything on before it syncs. That holds with
 * synchronous=FULL, which syncs at each commit; with less, other connections would be told of
 * frames that still stand here. Everything but a write that continues the last one, and a read
 * from what is gathered, hands on first. All other files go straight to the VFS below.
 */
#include "orchestrator/io/store_vfs.h"

#include <sqlite3.h>
#include <string.h>

#include "schemas/mem.h"

/* The VFS below takes no more in one write. */
#define GATHER_BYTES (128 * 1024 - 1)

/* An open WAL. The VFS below keeps its own struct behind this one. */
struct wal {
	sqlite3_file base;
	sqlite3_file *below;
	char *gathered;
	sqlite3_int64 at; /* where in the file `gathered` belongs */
	int len;
};

static struct wal *wal_of(sqlite3_file *file)
{
	return (struct wal *)(void *)file;
}

static int hand_on(struct wal *wal)
{
	int rc = SQLITE_OK;
	if (wal->len > 0) {
		rc = wal->below->pMethods->xWrite(wal->below, wal->gathered, wal->len, wal->at);
	}
	if (rc == SQLITE_OK) {
		wal->len = 0;
	}
	return rc;
}

static int wal_close(sqlite3_file *file)
{
	struct wal *wal = wal_of(file);
	int rc = hand_on(wal);
	int closed = wal->below->pMethods->xClose(wal->below);
	st_free(wal->gathered);
	return rc == SQLITE_OK ? closed : rc;
}

static int wal_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
	struct wal *wal = wal_of(file);
	if (at >= wal->at && at + len <= wal->at + wal->len) {
		memcpy(out, wal->gathered + (at - wal->at), (size_t)len);
		return SQLITE_OK;
	}
	int rc = at + len > wal->at ? hand_on(wal) : SQLITE_OK;
	return rc == SQLITE_OK ? wal->below->pMethods->xRead(wal->below, out, len, at) : rc;
}

static int wal_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
	struct wal *wal = wal_of(file);
	if (at != wal->at + wal->len || len > GATHER_BYTES - wal->len) {
		int rc = hand_on(wal);
		if (rc != SQLITE_OK) {
			return rc;
		}
		wal->at = at;
	}
	if (len > GATHER_BYTES) {
		wal->at = at + len;
		return wal->below->pMethods->xWrite(wal->below, bytes, len, at);
	}
	memcpy(wal->gathered + wal->len, bytes, (size_t)len);
	wal->len += len;
	return SQLITE_OK;
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct wal *wal = wal_of(file);
	int rc = hand_on(wal);
	return rc == SQLITE_OK ? wal->below->pMethods->xTruncate(wal->below, size) : rc;
}

static int wal_sync(sqlite3_file *file, int flags)
{
	struct wal *wal = wal_of(file);
	int rc = hand_on(wal);
	return rc == SQLITE_OK ? wal->below->pMethods->xSync(wal->below, flags) : rc;
}

static int wal_size(sqlite3_file *file, sqlite3_int64 *size)
{
	struct wal *wal = wal_of(file);
	int rc = hand_on(wal);
	return rc == SQLITE_OK ? wal->below->pMethods->xFileSize(wal->below, size) : rc;
}

static int wal_lock(sqlite3_file *file, int lock)
{
	struct wal *wal = wal_of(file);
	return wal->below->pMethods->xLock(wal->below, lock);
}

static int wal_unlock(sqlite3_file *file, int lock)
{
	struct wal *wal = wal_of(file);
	return wal->below->pMethods->xUnlock(wal->below, lock);
}

static int wal_is_reserved(sqlite3_file *file, int *out)
{
	struct wal *wal = wal_of(file);
	return wal->below->pMethods->xCheckReservedLock(wal->below, out);
}

static int wal_control(sqlite3_file *file, int op, void *arg)
{
	struct wal *wal = wal_of(file);
	int rc = hand_on(wal);
	return rc == SQLITE_OK ? wal->below->pMethods->xFileControl(wal->below, op, arg) : rc;
}

static int wal_sector_size(sqlite3_file *file)
{
	struct wal *wal = wal_of(file);
	return wal->below->pMethods->xSectorSize(wal->below);
}

static int wal_traits(sqlite3_file *file)
{
	struct wal *wal = wal_of(file);
	return wal->below->pMethods->xDeviceCharacteristics(wal->below);
}

/* Version 1: SQLite maps and shares the database, never the WAL. */
static const sqlite3_io_methods wal_methods = {
    .iVersion = 1,
    .xClose = wal_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_size,
    .xLock = wal_lock,
    .xUnlock = wal_unlock,
    .xCheckReservedLock = wal_is_reserved,
    .xFileControl = wal_control,
    .xSectorSize = wal_sector_size,
    .xDeviceCharacteristics = wal_traits,
};

static sqlite3_vfs *below_of(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
		    int *out_flags)
{
	sqlite3_vfs *below = below_of(vfs);
	if ((flags & SQLITE_OPEN_WAL) == 0) {
		return below->xOpen(below, name, file, flags, out_flags);
	}
	struct wal *wal = wal_of(file);
	*wal = (struct wal){.below = (sqlite3_file *)(void *)(wal + 1)};
	int rc = below->xOpen(below, name, wal->below, flags, out_flags);
	if (rc == SQLITE_OK) {
		wal->gathered = st_alloc(GATHER_BYTES);
		wal->base.pMethods = &wal_methods;
	} else if (wal->below->pMethods != NULL) { /* asks to be closed although it failed */
		(void)wal->below->pMethods->xClose(wal->below);
	}
	return rc;
}

int st_store_vfs_register(void)
{
	static sqlite3_vfs vfs;
	sqlite3_vfs *below = sqlite3_vfs_find(NULL);
	if (below == NULL) {
		return SQLITE_ERROR;
	}
	vfs = *below; /* all but opening files stays as it is */
	vfs.pNext = NULL;
	vfs.zName = ST_STORE_VFS;
	vfs.szOsFile = (int)sizeof(struct wal) + below->szOsFile;
	vfs.xOpen = vfs_open;
	vfs.pAppData = below;
	return sqlite3_vfs_register(&vfs, 0);
}
