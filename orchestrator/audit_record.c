/* SPDX-License-Identifier: Apache-2.0 */
/* Are files, transcripts, answers, tokens and what is sealed those that were recorded? */
#include <stdio.h>
#include <string.h>

#include "orchestrator/audit_private.h"
#include "schemas/event.h"
#include "schemas/json.h"
#include "schemas/mem.h"

#define MARK "[redacted"

/* Sealed values */

void st_audit_unseal(const struct st_audit_at *at, int column, const char *what, int64_t no,
		     struct st_buf *plain)
{
	const struct st_audit_run *run = at->audit->run;
	const struct st_cell *cell = &at->row->cells[column];
	char text[ST_ID_TEXT_MAX];
	struct st_buf context = {0};
	if (at->audit->options.key == NULL) {
		return;
	}
	st_buf_addf(&context, "%s/%s/%lld", st_id_format(run->id, ST_ID_RUN, text), what,
		    (long long)no);
	const struct st_seal_bytes bound_to = {context.data, context.len};
	const struct st_seal_bytes closed = {cell->bytes,
					     cell->type == ST_CELL_BLOB ? cell->len : 0};
	if (st_unseal(&run->key, bound_to, closed, plain) != ST_OK) {
		(void)st_audit_wrong(at, column, "sealed bytes that this store's key opens");
	}
	st_buf_fini(&context);
}

/* Is `shown` the text with only some parts of it replaced by marks? */
static bool may_be_shown(const char *shown, const char *plain)
{
	for (;;) {
		const char *mark = strstr(shown, MARK);
		size_t len = mark != NULL ? (size_t)(mark - shown) : strlen(shown);
		if (mark == NULL) {
			size_t left = strlen(plain);
			return len <= left && strcmp(plain + left - len, shown) == 0;
		}
		if (strncmp(plain, shown, len) != 0) {
			return false;
		}
		const char *end = strchr(mark, ']');
		if (end == NULL) {
			return false;
		}
		shown = end + 1;
		mark = strstr(shown, MARK);
		len = mark != NULL ? (size_t)(mark - shown) : strlen(shown);
		if (mark == NULL) {
			continue;
		}
		/* The next plain part is somewhere behind what the mark stands for. */
		st_autofree char *part = st_strndup(shown, len);
		plain = strstr(plain, part);
		if (plain == NULL) {
			return false;
		}
	}
}

static bool shows(const json_t *shown, const json_t *plain, int depth);

/* NOLINTBEGIN(misc-no-recursion): ST_JSON_DEPTH_MAX levels. */
static bool shows_object(const json_t *shown, const json_t *plain, int depth)
{
	const char *name = NULL;
	json_t *value = NULL;
	bool marked = false;
	json_object_foreach((json_t *)(uintptr_t)shown, name, value)
	{
		const json_t *other = json_object_get(plain, name);
		marked = marked || strstr(name, MARK) != NULL;
		if (strstr(name, MARK) == NULL && (other == NULL || !shows(value, other, depth))) {
			return false;
		}
	}
	return marked || json_object_size(shown) == json_object_size(plain);
}

static bool shows(const json_t *shown, const json_t *plain, int depth)
{
	if (json_is_string(shown) && strstr(json_string_value(shown), MARK) != NULL) {
		return !json_is_string(plain) ||
		       may_be_shown(json_string_value(shown), json_string_value(plain));
	}
	if (json_typeof(shown) != json_typeof(plain) || depth == 0) {
		return false;
	}
	if (json_is_object(shown)) {
		return shows_object(shown, plain, depth - 1);
	}
	if (!json_is_array(shown)) {
		return json_equal(shown, plain) == 1;
	}
	bool same = json_array_size(shown) == json_array_size(plain);
	for (size_t i = 0; same && i < json_array_size(shown); i++) {
		same = shows(json_array_get(shown, i), json_array_get(plain, i), depth - 1);
	}
	return same;
}
/* NOLINTEND(misc-no-recursion) */

void st_audit_shown(const struct st_audit_at *at, int column, const char *plain)
{
	const struct st_cell *cell = &at->row->cells[column];
	json_t *real = json_loads(plain, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	json_t *shown = json_loadb(st_cell_text(cell), cell->type == ST_CELL_TEXT ? cell->len : 0,
				   JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (real == NULL || shown == NULL || !shows(shown, real, ST_JSON_DEPTH_MAX)) {
		(void)st_audit_wrong(at, column, "what is sealed, redacted");
	}
	json_decref(real);
	json_decref(shown);
}

/* Hashes that the timeline names */

static bool read_hash(const json_t *doc, const char *name, uint8_t hash[ST_HASH_BYTES])
{
	const char *hex = json_string_value(json_object_get(doc, name));
	size_t len = 0;
	return hex != NULL &&
	       sodium_hex2bin(hash, ST_HASH_BYTES, hex, strlen(hex), NULL, &len, NULL) == 0 &&
	       len == ST_HASH_BYTES;
}

static void hash_of(const void *bytes, size_t len, uint8_t hash[ST_HASH_BYTES])
{
	(void)crypto_generichash(hash, ST_HASH_BYTES, bytes, len, NULL, 0);
}

void st_audit_tell_transcript(struct st_audit_run *run, const struct st_audit_event *event,
			      int attempt)
{
	uint8_t hash[ST_HASH_BYTES];
	if (!read_hash(event->data, "transcript", hash)) {
		return;
	}
	struct st_audit_transcript *told = ST_AUDIT_ADD(&run->transcripts);
	told->call = event->call;
	told->attempt = attempt;
	told->at = event->at;
	memcpy(told->hash, hash, sizeof hash);
}

static void check_text_hash(const struct st_audit_at *at, int column,
			    const uint8_t should[ST_HASH_BYTES])
{
	const struct st_cell *cell = &at->row->cells[column];
	uint8_t hash[ST_HASH_BYTES];
	hash_of(st_cell_text(cell), cell->type == ST_CELL_TEXT ? cell->len : 0, hash);
	if (memcmp(hash, should, sizeof hash) != 0) {
		(void)st_audit_wrong(at, column, "the text whose hash the timeline tells");
	}
}

void st_audit_see_transcript(const struct st_audit_at *at)
{
	struct st_audit_run *run = at->audit->run;
	if (run->transcripts.next == run->transcripts.n) {
		(void)st_audit_wrong(at, -1, "none: the timeline tells of no more transcripts");
		return;
	}
	const struct st_audit_transcript *told = &run->transcripts.of[run->transcripts.next++];
	(void)st_audit_int(at, TRANSCRIPT_RUN_NO, run->no);
	(void)st_audit_id(at, TRANSCRIPT_CALL, told->call);
	(void)st_audit_int(at, TRANSCRIPT_ATTEMPT, told->attempt);
	(void)st_audit_time(at, TRANSCRIPT_AT, told->at);
	check_text_hash(at, TRANSCRIPT_TEXT, told->hash);
}

void st_audit_see_citations(const struct st_audit_at *at, const struct st_audit_item *item)
{
	if (item == NULL || !item->cites) {
		(void)st_audit_null(at, STEP_CITATIONS);
	} else {
		check_text_hash(at, STEP_CITATIONS, item->citations);
	}
}

void st_audit_tell_citations(struct st_audit_item *item, const struct st_audit_event *event)
{
	uint8_t hash[ST_HASH_BYTES];
	if (read_hash(event->data, "citations", hash)) {
		item->cites = true;
		memcpy(item->citations, hash, sizeof hash);
	}
}

/* Files */

/* Files are recorded in the order of the ends that name them, and lie in that of their calls. */
static const json_t *file_told(struct st_audit_run *run, int64_t no, struct st_audit_call **call)
{
	for (size_t i = 0; i < run->calls.n; i++) {
		*call = &run->calls.of[i];
		if ((*call)->no == no >> 8) {
			return json_array_get(json_object_get((*call)->end_doc, "artifacts"),
					      (size_t)(no & 255));
		}
	}
	return NULL;
}

static void check_content(const struct st_audit_at *at, int64_t no,
			  const uint8_t should[ST_HASH_BYTES])
{
	struct st_audit_at seals = *at;
	struct st_buf plain = {0};
	uint8_t hash[ST_HASH_BYTES];
	seals.law = ST_LAW_SEALS;
	int64_t before = at->audit->result.wrong[ST_LAW_SEALS];
	st_audit_count(at->audit, ST_LAW_SEALS, 1);
	st_audit_unseal(&seals, ARTIFACT_SEALED_CONTENT, "artifact", no, &plain);
	bool opened =
	    at->audit->options.key != NULL && before == at->audit->result.wrong[ST_LAW_SEALS];
	hash_of(plain.data != NULL ? plain.data : "", plain.len, hash);
	if (opened && memcmp(hash, should, sizeof hash) != 0) {
		(void)st_audit_wrong(&seals, ARTIFACT_SEALED_CONTENT, "the file that was recorded");
	}
	st_seal_buf_wipe(&plain);
}

void st_audit_see_artifact(const struct st_audit_at *at)
{
	struct st_audit_run *run = at->audit->run;
	struct st_audit_call *call = NULL;
	int64_t no = st_cell_int(&at->row->cells[ARTIFACT_NO]);
	const json_t *told = file_told(run, no, &call);
	uint8_t hash[ST_HASH_BYTES];
	if (told == NULL || !read_hash(told, "hash", hash)) {
		(void)st_audit_wrong(at, ARTIFACT_NO, "the number of a file that a call left");
		return;
	}
	run->next_file++;
	(void)st_audit_int(at, ARTIFACT_RUN_NO, run->no);
	(void)st_audit_int(at, ARTIFACT_STEP, call->step);
	(void)st_audit_int(at, ARTIFACT_ITEM, call->item);
	(void)st_audit_id(at, ARTIFACT_CALL, call->id);
	(void)st_audit_int(at, ARTIFACT_ATTEMPT, call->attempt);
	(void)st_audit_time(at, ARTIFACT_AT, call->ended_at);
	(void)st_audit_text(at, ARTIFACT_PATH, st_audit_json_text(told, "path"));
	(void)st_audit_int(at, ARTIFACT_BYTES, json_integer_value(json_object_get(told, "bytes")));
	(void)st_audit_blob(at, ARTIFACT_HASH, hash, sizeof hash);
	check_content(at, no, hash);
}

/* What belongs to no run */

/* When the store was in use last: a moment, and nothing else says which. */
static void see_pulse(const struct st_audit_at *at)
{
	const char *said = st_cell_text(&at->row->cells[META_VALUE]);
	if (said[0] == '\0' || said[strspn(said, "0123456789")] != '\0') {
		(void)st_audit_wrong(at, META_VALUE, "milliseconds since 1970");
	}
}

void st_audit_see_meta(const struct st_audit_at *at)
{
	const struct st_seal_key *key = at->audit->options.key;
	char mark[ST_SEAL_MARK_MAX];
	if (strcmp(st_cell_text(&at->row->cells[META_NAME]), "alive_at") == 0) {
		see_pulse(at);
		return;
	}
	(void)st_audit_text(at, META_NAME, "seal_key");
	if (key != NULL) {
		(void)st_audit_text(at, META_VALUE, st_seal_key_mark(key, mark));
	}
}

void st_audit_see_token(const struct st_audit_at *at)
{
	const struct st_cell *cells = at->row->cells;
	struct st_id id;
	if (st_id_parse(st_cell_text(&cells[TOKEN_ID]), "t_", &id) != ST_OK) {
		(void)st_audit_wrong(at, TOKEN_ID, "the id of a token");
	}
	if (st_role_parse(st_cell_text(&cells[TOKEN_ROLE])) < 0) {
		(void)st_audit_wrong(at, TOKEN_ROLE, "a role that there is");
	}
}

void st_audit_see_answer(const struct st_audit_at *at)
{
	const struct st_cell *cells = at->row->cells;
	int64_t status = st_cell_int(&cells[ANSWER_STATUS]);
	if (status != 200 && status != 201) {
		(void)st_audit_wrong(at, ANSWER_STATUS, "200 or 201");
	}
}
