/* SPDX-License-Identifier: Apache-2.0 */
/* Making, checking and opening the SQLite store. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orchestrator/io/store_sqlite.h"
#include "schemas/mem.h"
#include "schemas/sql.h"

#define URI_PREFIX "sqlite:"

const char *const st_store_migrations[] = {st_sql_sqlite_0001, st_sql_sqlite_0002,
					   st_sql_sqlite_0003};
_Static_assert(sizeof st_store_migrations / sizeof st_store_migrations[0] == ST_SQL_SQLITE_VERSION,
	       "every migration is listed");

static const char *const writer_pragmas =
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"
    "PRAGMA foreign_keys=ON;"
    "PRAGMA trusted_schema=OFF;"
    "PRAGMA cell_size_check=ON;"
    "PRAGMA busy_timeout=5000;"
    "PRAGMA cache_size=-2048;"
    "PRAGMA wal_autocheckpoint=0;" /* the writer does it, and looks at what comes of it */
    "PRAGMA journal_size_limit=67108864;"
    "PRAGMA secure_delete=OFF;" /* all is redacted or sealed */
    "PRAGMA temp_store=MEMORY;";

int st_store_fail(sqlite3 *db, int rc, struct st_diag *diag, const char *doing)
{
	int primary = rc & 0xff;
	const char *said = db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
	if (primary == SQLITE_NOTADB) {
		return st_fail(diag, ST_ERR_FOREIGN, "the file is no SQLite database: %s", said);
	}
	if (primary == SQLITE_CORRUPT) {
		return st_fail(diag, ST_ERR_CORRUPT,
			       "the store is damaged (%s): %s; restore a backup", doing, said);
	}
	if (primary == SQLITE_FULL) {
		return st_fail(diag, ST_ERR_IO, "the disk is full (%s): make room and start again",
			       doing);
	}
	if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) {
		return st_fail(diag, ST_ERR_BUSY, "the store is locked by another program (%s)",
			       doing);
	}
	return st_fail(diag, ST_ERR_IO, "%s: %s", doing, said);
}

const char *st_store_path(const char *uri, struct st_diag *diag)
{
	if (strncmp(uri, URI_PREFIX, strlen(URI_PREFIX)) == 0) {
		uri += strlen(URI_PREFIX);
	} else if (strstr(uri, "://") != NULL) {
		(void)st_fail(diag, ST_ERR_UNSUPPORTED,
			      "store %s: this build knows sqlite:PATH only", uri);
		return NULL;
	}
	if (uri[0] == '\0' || strlen(uri) > 3000) {
		(void)st_fail(diag, ST_ERR_INVALID, "the store needs a path: sqlite:PATH");
		return NULL;
	}
	return uri;
}

static int exec(sqlite3 *db, const char *sql, struct st_diag *diag, const char *doing)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? ST_OK : st_store_fail(db, rc, diag, doing);
}

static int read_pragma(sqlite3 *db, const char *sql, int64_t *out, struct st_diag *diag)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(stmt);
	}
	if (rc == SQLITE_ROW) {
		*out = sqlite3_column_int64(stmt, 0);
	}
	(void)sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? ST_OK : st_store_fail(db, rc, diag, "reading the header");
}

/* The seal key */

static void key_path(const char *path, struct st_buf *out)
{
	const char *given = getenv("STINT_SEAL_KEY_FILE");
	if (given != NULL) {
		st_buf_add_text(out, given);
	} else {
		st_buf_addf(out, "%s.key", path);
	}
}

int st_store_read_key(const char *path, struct st_seal_key *key, struct st_diag *diag)
{
	struct st_buf name = {0};
	struct stat st;
	int err = ST_OK;
	key_path(path, &name);
	int fd = open(name.data, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		bool broken = errno == EIO || errno == EMFILE || errno == ENFILE;
		err = st_fail(diag, broken ? ST_ERR_IO : ST_ERR_NOT_FOUND,
			      "the seal key %s cannot be read: %s; without it the store's outputs "
			      "cannot be opened",
			      name.data, strerror(errno));
	} else if (fstat(fd, &st) != 0 || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		err = st_fail(diag, ST_ERR_FORBIDDEN,
			      "the seal key %s can be used by others: chmod 600 it", name.data);
	} else if (st.st_size != ST_SEAL_KEY_BYTES ||
		   read(fd, key->bytes, sizeof key->bytes) != (ssize_t)sizeof key->bytes) {
		err = st_fail(diag, ST_ERR_CORRUPT, "the seal key %s is not %d bytes long",
			      name.data, ST_SEAL_KEY_BYTES);
	}
	if (fd >= 0) {
		(void)close(fd);
	}
	st_buf_fini(&name);
	return err;
}

static int make_key(const char *path, struct st_diag *diag)
{
	struct st_buf name = {0};
	struct st_seal_key key;
	int err = ST_OK;
	if (getenv("STINT_SEAL_KEY_FILE") != NULL) {
		err = st_store_read_key(path, &key, diag);
		st_seal_key_wipe(&key);
		return err;
	}
	key_path(path, &name);
	int fd = open(name.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	randombytes_buf(key.bytes, sizeof key.bytes);
	if (fd < 0 || write(fd, key.bytes, sizeof key.bytes) != (ssize_t)sizeof key.bytes ||
	    fsync(fd) != 0) {
		err = st_fail(diag, ST_ERR_IO, "the seal key %s cannot be made: %s", name.data,
			      strerror(errno));
	}
	if (fd >= 0) {
		(void)close(fd);
	}
	st_seal_key_wipe(&key);
	st_buf_fini(&name);
	return err;
}

/* Making a store */

static int migrate(sqlite3 *db, int64_t from, struct st_diag *diag)
{
	int err = exec(db, "BEGIN IMMEDIATE", diag, "a migration");
	for (int64_t n = from; n < ST_SQL_SQLITE_VERSION && err == ST_OK; n++) {
		char version[64];
		(void)snprintf(version, sizeof version, "PRAGMA user_version=%d", (int)n + 1);
		err = exec(db, st_store_migrations[n], diag, "a migration");
		if (err == ST_OK) {
			err = exec(db, version, diag, "a migration");
		}
	}
	if (err != ST_OK) {
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		return err;
	}
	return exec(db, "COMMIT", diag, "a migration");
}

static int fill_new(const char *path, struct st_diag *diag)
{
	sqlite3 *db = NULL;
	char id[64];
	int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	int err = rc == SQLITE_OK ? ST_OK : st_store_fail(db, rc, diag, path);
	(void)snprintf(id, sizeof id, "PRAGMA application_id=%d", ST_STORE_APPLICATION_ID);
	if (err == ST_OK) {
		err = exec(db, id, diag, "a new store");
	}
	if (err == ST_OK) {
		err = exec(db, writer_pragmas, diag, "a new store");
	}
	if (err == ST_OK) {
		err = migrate(db, 0, diag);
	}
	(void)sqlite3_close(db);
	return err;
}

static pthread_once_t sqlite_once = PTHREAD_ONCE_INIT;

/* Memory statistics take a lock at each of SQLite's allocations, and nobody reads them. */
static void set_up_sqlite(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void)sqlite3_initialize();
}

void st_store_set_up(void)
{
	(void)pthread_once(&sqlite_once, set_up_sqlite);
}

int st_store_create(const char *uri, struct st_diag *diag)
{
	const char *path = st_store_path(uri, diag);
	if (path == NULL) {
		return ST_ERR_INVALID;
	}
	st_store_set_up();
	if (sodium_init() < 0) {
		return st_fail(diag, ST_ERR_IO, "libsodium cannot start");
	}
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		return errno == EEXIST
			   ? st_fail(diag, ST_ERR_EXISTS, "there is a file at %s already", path)
			   : st_fail(diag, ST_ERR_IO, "%s cannot be made: %s", path,
				     strerror(errno));
	}
	(void)close(fd);
	int err = make_key(path, diag);
	if (err == ST_OK) {
		err = fill_new(path, diag);
	}
	if (err != ST_OK) {
		(void)unlink(path);
	}
	return err;
}

/* Opening one */

static int take_lock(const char *path, int *out, struct st_diag *diag)
{
	struct st_buf name = {0};
	char pid[32] = "";
	int err = ST_OK;
	st_buf_addf(&name, "%s.lock", path);
	int fd = open(name.data, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		err = st_fail(diag, ST_ERR_IO, "%s cannot be made: %s", name.data, strerror(errno));
	} else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		ssize_t n = read(fd, pid, sizeof pid - 1);
		pid[n > 0 ? n : 0] = '\0';
		err = st_fail(diag, ST_ERR_BUSY, "the store %s is in use by process %s", path,
			      pid[0] != '\0' ? pid : "(unknown)");
		(void)close(fd);
	} else {
		int len = snprintf(pid, sizeof pid, "%ld", (long)getpid());
		if (ftruncate(fd, 0) != 0 || write(fd, pid, (size_t)len) != (ssize_t)len) {
			pid[0] = '\0'; /* only a courtesy to who finds it locked */
		}
		*out = fd;
	}
	st_buf_fini(&name);
	return err;
}

int st_store_check_header(sqlite3 *db, const char *path, int64_t *version, struct st_diag *diag)
{
	int64_t application_id = 0;
	int err = read_pragma(db, "PRAGMA application_id", &application_id, diag);
	if (err == ST_OK) {
		err = read_pragma(db, "PRAGMA user_version", version, diag);
	}
	if (err != ST_OK) {
		return err;
	}
	if (application_id != ST_STORE_APPLICATION_ID) {
		return st_fail(diag, ST_ERR_FOREIGN,
			       "%s is not a stint store; make one with: stint init --store "
			       "sqlite:PATH",
			       path);
	}
	if (*version > ST_SQL_SQLITE_VERSION) {
		return st_fail(diag, ST_ERR_NEWER,
			       "%s was made by a newer stint (version %lld, this one knows %d)",
			       path, (long long)*version, ST_SQL_SQLITE_VERSION);
	}
	return ST_OK;
}

/* Tables that a hand added triggers to, or that miss, would make us write
 * something else. */
static int check_schema(sqlite3 *db, const char *path, struct st_diag *diag)
{
	int64_t triggers = 0;
	int err = read_pragma(db, "SELECT count(*) FROM sqlite_schema WHERE type='trigger'",
			      &triggers, diag);
	if (err == ST_OK && triggers > 0) {
		err = st_fail(diag, ST_ERR_CORRUPT,
			      "%s has %lld triggers that stint did not make; drop them", path,
			      (long long)triggers);
	}
	return err;
}

int st_store_find(const char *path, struct st_diag *diag)
{
	struct stat st;
	if (stat(path, &st) != 0) {
		if (errno != ENOENT && errno != ENOTDIR) {
			return st_fail(diag, errno == EACCES ? ST_ERR_FORBIDDEN : ST_ERR_IO,
				       "the store %s cannot be reached: %s", path, strerror(errno));
		}
		return st_fail(diag, ST_ERR_NOT_FOUND,
			       "there is no store at %s; make one with: stint init --store "
			       "sqlite:%s",
			       path, path);
	}
	if (!S_ISREG(st.st_mode) || st.st_size == 0) {
		return st_fail(diag, ST_ERR_FOREIGN,
			       "%s is %s; make a store with stint init at a path where nothing is",
			       path, S_ISREG(st.st_mode) ? "empty" : "no plain file");
	}
	return ST_OK;
}

/* SQLite reads what misses of the last page as zeros. Only the database itself can be short: what
 * a crash left half done in a checkpoint still stands in the WAL. */
static int check_size(sqlite3 *db, const char *path, struct st_diag *diag)
{
	struct st_buf wal = {0};
	struct stat st = {0};
	int64_t n_pages = 0;
	int64_t page_bytes = 0;
	st_buf_addf(&wal, "%s-wal", path);
	bool has_wal = stat(wal.data, &st) == 0 && st.st_size > 0;
	st_buf_fini(&wal);
	int err = read_pragma(db, "PRAGMA page_count", &n_pages, diag);
	if (err == ST_OK) {
		err = read_pragma(db, "PRAGMA page_size", &page_bytes, diag);
	}
	if (err == ST_OK && !has_wal &&
	    (stat(path, &st) != 0 || st.st_size < n_pages * page_bytes)) {
		err = st_fail(diag, ST_ERR_CORRUPT,
			      "%s is cut off: it should have %lld bytes; restore a backup", path,
			      (long long)n_pages * page_bytes);
	}
	return err;
}

static int open_db(struct st_store *store, struct st_diag *diag)
{
	sqlite3 **db = &store->writer.db;
	int64_t version = 0;
	int err = st_store_find(store->path, diag);
	if (err == ST_OK) {
		err = take_lock(store->path, &store->lock_fd, diag);
	}
	if (err != ST_OK) {
		return err;
	}
	int rc =
	    sqlite3_open_v2(store->path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK) {
		return st_store_fail(*db, rc, diag, store->path);
	}
	(void)sqlite3_extended_result_codes(*db, 1);
	err = st_store_check_header(*db, store->path, &version, diag);
	if (err == ST_OK && version < ST_SQL_SQLITE_VERSION) {
		err = migrate(*db, version, diag);
	}
	if (err == ST_OK) {
		err = check_size(*db, store->path, diag);
	}
	if (err == ST_OK) {
		err = check_schema(*db, store->path, diag);
	}
	if (err == ST_OK) {
		err = exec(*db, writer_pragmas, diag, "opening the store");
	}
	return err;
}

int st_store_prepare(struct st_store_writer *writer, struct st_diag *diag)
{
	static const char *const sql[] = {
#define X(NAME, text) text,
	    ST_STORE_SQL_X(X)
#undef X
	};
	for (int i = 0; i < ST_STORE_SQL_COUNT; i++) {
		int rc = sqlite3_prepare_v3(writer->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
					    &writer->sql[i], NULL);
		if (rc != SQLITE_OK) {
			return st_store_fail(writer->db, rc, diag, "the store's tables");
		}
	}
	return ST_OK;
}

void st_store_finalize(struct st_store_writer *writer)
{
	for (int i = 0; i < ST_STORE_SQL_COUNT; i++) {
		(void)sqlite3_finalize(writer->sql[i]);
	}
	(void)sqlite3_close(writer->db);
	st_free(writer->events);
	st_seal_key_wipe(&writer->key);
	st_seal_key_wipe(&writer->run_key);
}

void st_store_release(struct st_store *store)
{
	if (store->failed) { /* a sync that failed is not tried again */
		(void)sqlite3_db_config(store->writer.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
					NULL);
	}
	st_store_finalize(&store->writer);
	if (store->reserve_fd >= 0) {
		(void)close(store->reserve_fd);
	}
	if (store->lock_fd >= 0) {
		(void)close(store->lock_fd);
	}
	st_free(store->path);
	st_free(store);
}

/* The first opening marks the store with its key; with another key nothing sealed would open. */
static int check_key(const struct st_store *store, struct st_diag *diag)
{
	sqlite3 *db = store->writer.db;
	char mark[ST_SEAL_MARK_MAX];
	sqlite3_stmt *stmt = NULL;
	bool same = false;
	st_seal_key_mark(&store->writer.key, mark);
	int rc = sqlite3_prepare_v2(db,
				    "INSERT INTO meta VALUES ('seal_key', ?1) ON CONFLICT (name) "
				    "DO UPDATE SET value = value RETURNING value = ?1",
				    -1, &stmt, NULL);
	if (rc == SQLITE_OK) {
		(void)sqlite3_bind_text(stmt, 1, mark, -1, SQLITE_STATIC);
		rc = sqlite3_step(stmt);
		same = rc == SQLITE_ROW && sqlite3_column_int(stmt, 0) == 1;
		rc = rc == SQLITE_ROW ? sqlite3_step(stmt) : rc;
	}
	(void)sqlite3_finalize(stmt);
	if (rc != SQLITE_DONE) {
		return st_store_fail(db, rc, diag, "the mark of the seal key");
	}
	return same ? ST_OK
		    : st_fail(diag, ST_ERR_FORBIDDEN,
			      "the seal key is not the one that %s was made with; give that "
			      "one: %s.key or $STINT_SEAL_KEY_FILE",
			      store->path, store->path);
}

int st_store_open(uv_loop_t *loop, const char *uri, struct st_store **out, struct st_diag *diag)
{
	const char *path = st_store_path(uri, diag);
	if (path == NULL) {
		return ST_ERR_INVALID;
	}
	st_store_set_up();
	struct st_store *store = st_alloc(sizeof *store);
	store->lock_fd = -1;
	store->reserve_fd = -1;
	store->path = st_strdup(path);
	int err = open_db(store, diag);
	if (err == ST_OK) {
		err = st_store_read_key(path, &store->writer.key, diag);
	}
	if (err == ST_OK) {
		err = check_key(store, diag);
	}
	if (err == ST_OK) {
		err = st_store_prepare(&store->writer, diag);
	}
	if (err == ST_OK) {
		err = st_store_reserve_open(store, diag);
	}
	/* What a process before us could not sync may be in the kernel's memory only, and marked as
	 * written there: it is written anew, into the database. */
	if (err == ST_OK) {
		err = st_store_fold(store, true, diag);
	}
	if (err == ST_OK) {
		err = st_store_start(loop, store, diag);
	}
	if (err != ST_OK) {
		st_store_release(store);
		return err;
	}
	*out = store;
	return ST_OK;
}

int st_store_numbers(struct st_store *store, struct st_core_numbers *numbers, struct st_diag *diag)
{
	sqlite3 *db = store->writer.db;
	int err = read_pragma(db, "SELECT coalesce(max(no),0)+1 FROM run", &numbers->run, diag);
	if (err == ST_OK) {
		err =
		    read_pragma(db, "SELECT coalesce(max(no),0)+1 FROM hold", &numbers->call, diag);
	}
	if (err == ST_OK) {
		err = read_pragma(db, "SELECT coalesce(max(no),0)+1 FROM scope", &numbers->scope,
				  diag);
	}
	return err;
}
