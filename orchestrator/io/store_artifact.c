/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/store_artifact.h"

#include <sodium.h>
#include <string.h>

#include "orchestrator/io/store_reading.h"
#include "orchestrator/io/store_sqlite.h"

static int ask_artifacts(struct st_reader *reader, const void *arg, int64_t no, struct st_buf *out,
			 struct st_diag *diag)
{
	static const char sql[] =
	    "SELECT x.call, x.attempt, " ST_READ_PLACE_COLUMNS ", x.path, x.bytes, x.hash, x.at "
	    "FROM artifact x " ST_READ_PLACE_JOIN "WHERE x.run_no = ?1 ORDER BY x.no";
	struct st_reading r = st_reading_begin(reader, sql);
	(void)arg;
	st_reading_bind_int(&r, 1, no);
	st_put_open(out, NULL, '[');
	while (st_reading_next(&r)) {
		st_put_open(out, NULL, '{');
		st_put_col_id(out, "call", &r, 0, ST_ID_CALL);
		st_put_col_int(out, "attempt", &r, 1);
		st_put_col_place(out, &r, 2);
		st_put_col_text(out, "path", &r, 4);
		st_put_col_int(out, "bytes", &r, 5);
		st_put_col_hex(out, "hash", &r, 6);
		st_put_col_time(out, "at", &r, 7);
		st_put_close(out, '}');
	}
	st_put_close(out, ']');
	return st_reading_end(&r, diag);
}

int st_reader_artifacts(struct st_reader *reader, struct st_read_of of, struct st_buf *out,
			struct st_diag *diag)
{
	const struct st_question question = {.of = &of, .ask = ask_artifacts};
	return st_reader_answer_with(reader, &question, out, diag);
}

/* A sealed file and what it must be when it is opened. */
struct sealed {
	int64_t no;
	uint8_t hash[ST_HASH_BYTES];
	struct st_buf bytes;
};

static int find_sealed(struct st_reader *reader, const struct st_read_artifact *which,
		       struct sealed *found, struct st_diag *diag)
{
	static const char sql[] = "SELECT no, hash, sealed_content FROM artifact WHERE run_no = ?1 "
				  "AND call = ?2 AND path = ?3 ORDER BY no DESC LIMIT 1";
	int64_t run_no = 0;
	int err = st_reader_find_run(reader, which->of, &run_no, diag);
	if (err != ST_OK) {
		return err;
	}
	struct st_reading r = st_reading_begin(reader, sql);
	st_reading_bind_int(&r, 1, run_no);
	st_reading_bind_bytes(&r, 2, which->call.bytes, sizeof which->call.bytes);
	st_reading_bind_text(&r, 3, which->path);
	bool any = st_reading_next(&r);
	if (any) {
		found->no = st_reading_int(&r, 0);
		st_reading_bytes(&r, 1, found->hash, sizeof found->hash);
		const void *blob = sqlite3_column_blob(r.stmt, 2);
		st_buf_add(&found->bytes, blob != NULL ? blob : "",
			   (size_t)sqlite3_column_bytes(r.stmt, 2));
	}
	err = st_reading_end(&r, diag);
	return err != ST_OK || any
		   ? err
		   : st_fail(diag, ST_ERR_NOT_FOUND, "this call of the run left no such file");
}

static int read_key(const char *path, struct st_seal_key *key, struct st_diag *diag)
{
	int err = st_store_read_key(path, key, diag);
	if (err != ST_ERR_NOT_FOUND) {
		return err;
	}
	diag->code = ST_ERR_UNAVAILABLE; /* the file is there, the key is not */
	return ST_ERR_UNAVAILABLE;
}

static int open_sealed(const struct st_seal_key *instance, struct st_id run,
		       const struct sealed *sealed, struct st_buf *out, struct st_diag *diag)
{
	struct st_seal_key key;
	struct st_buf context = {0};
	uint8_t hash[ST_HASH_BYTES];
	size_t before = out->len;
	st_store_seal_context(&context, run, "artifact", sealed->no);
	st_seal_key_derive(instance, run, &key);
	const struct st_seal_bytes bound_to = {context.data, context.len};
	const struct st_seal_bytes closed = {sealed->bytes.data, sealed->bytes.len};
	int err = st_unseal(&key, bound_to, closed, out);
	st_seal_key_wipe(&key);
	st_buf_fini(&context);
	if (err != ST_OK) {
		return st_fail(diag, err,
			       "the file cannot be opened: it was changed, or sealed with another "
			       "key");
	}
	int rc = crypto_generichash(hash, sizeof hash, (const uint8_t *)out->data + before,
				    out->len - before, NULL, 0);
	if (rc != 0 || memcmp(hash, sealed->hash, sizeof hash) != 0) {
		sodium_memzero(out->data + before, out->len - before);
		out->len = before;
		out->data[before] = '\0';
		return st_fail(diag, ST_ERR_CORRUPT, "the file is not the one that was recorded");
	}
	return ST_OK;
}

int st_reader_artifact(struct st_reader *reader, const struct st_read_artifact *which,
		       struct st_buf *out, struct st_diag *diag)
{
	struct sealed sealed = {0};
	struct st_seal_key key;
	struct st_diag ignored;
	diag = diag != NULL ? diag : &ignored;
	int err = st_reader_begin(reader, diag);
	if (err != ST_OK) {
		return err;
	}
	err = find_sealed(reader, which, &sealed, diag);
	st_reader_end(reader);
	if (err == ST_OK) {
		err = read_key(reader->path, &key, diag);
		if (err == ST_OK) {
			err = open_sealed(&key, which->of.run, &sealed, out, diag);
		}
		st_seal_key_wipe(&key);
	}
	st_buf_fini(&sealed.bytes);
	return err;
}
