/* SPDX-License-Identifier: Apache-2.0 */
/* What was asked of the outside world, what is still held for it, and what came back? */
#include <string.h>

#include "orchestrator/io/store_reading.h"

/* Calls */

enum {
	CALL_ID,
	CALL_ATTEMPT,
	CALL_STEP,
	CALL_ITEM,
	CALL_KIND,
	CALL_STATE,
	CALL_INTENT,
	CALL_PARAMS,
	CALL_PARAMS_HASH,
	CALL_AT,
	CALL_ENDED,
	CALL_RESULT,
	CALL_EXPIRES,
	CALL_HOLD,
	CALL_HELD,
	CALL_SETTLED_AT,
	CALL_BY,
	CALL_ESTIMATED,
	CALL_USED,
	CALL_OVERRUN,
	CALL_TRANSCRIPT
};
static const char calls_sql[] =
    "SELECT x.id, x.attempt, " ST_READ_PLACE_COLUMNS ", x.kind, x.state, x.intent, x.params, "
    "x.params_hash, x.at, x.ended_at, x.result, x.expires_at, h.id, h.amounts, t.at, t.by, "
    "t.estimated, t.used, "
    "t.overrun, EXISTS (SELECT 1 FROM transcript WHERE run_no = x.run_no AND call = x.id "
    "AND attempt = x.attempt) FROM call x JOIN hold h ON h.no = x.hold "
    "LEFT JOIN settlement t ON t.hold = x.hold " ST_READ_PLACE_JOIN
    "WHERE x.run_no = ?1 ORDER BY x.no";

/* Of a call that a client makes itself; others have none. */
static void put_expiry(struct st_buf *out, struct st_reading *r, int col)
{
	if (!st_reading_none(r, col)) {
		st_put_col_time(out, "expires_at", r, col);
	}
}

static void put_settlement(struct st_buf *out, struct st_reading *r)
{
	if (st_reading_none(r, CALL_SETTLED_AT)) {
		st_put_null(out, "settlement");
		return;
	}
	st_put_open(out, "settlement", '{');
	st_put_col_time(out, "at", r, CALL_SETTLED_AT);
	st_put_col_text(out, "by", r, CALL_BY);
	st_put_bool(out, "estimated", st_reading_int(r, CALL_ESTIMATED) != 0);
	st_put_col_amounts(out, "usage", r, CALL_USED);
	st_put_col_amounts(out, "overrun", r, CALL_OVERRUN);
	st_put_close(out, '}');
}

static void put_call(struct st_buf *out, struct st_reading *r, struct st_id run)
{
	st_put_open(out, NULL, '{');
	st_put_col_id(out, "id", r, CALL_ID, ST_ID_CALL);
	st_put_col_int(out, "attempt", r, CALL_ATTEMPT);
	st_put_id(out, "run", run, ST_ID_RUN);
	st_put_col_place(out, r, CALL_STEP);
	st_put_col_text(out, "kind", r, CALL_KIND);
	st_put_col_text(out, "state", r, CALL_STATE);
	st_put_col_text(out, "intent", r, CALL_INTENT);
	st_put_col_json(out, "params", r, CALL_PARAMS);
	st_put_col_hex(out, "params_hash", r, CALL_PARAMS_HASH);
	st_put_col_time(out, "at", r, CALL_AT);
	st_put_col_time(out, "ended_at", r, CALL_ENDED);
	put_expiry(out, r, CALL_EXPIRES);
	st_put_col_id(out, "hold", r, CALL_HOLD, ST_ID_HOLD);
	st_put_col_amounts(out, "held", r, CALL_HELD);
	put_settlement(out, r);
	st_put_col_json(out, "result", r, CALL_RESULT);
	st_put_bool(out, "transcript", st_reading_int(r, CALL_TRANSCRIPT) != 0);
	st_put_close(out, '}');
}

static int ask_calls(struct st_reader *reader, const void *arg, int64_t no, struct st_buf *out,
		     struct st_diag *diag)
{
	const struct st_read_of *of = arg;
	struct st_reading r = st_reading_begin(reader, calls_sql);
	st_reading_bind_int(&r, 1, no);
	st_put_open(out, NULL, '[');
	while (st_reading_next(&r)) {
		put_call(out, &r, of->run);
	}
	st_put_close(out, ']');
	return st_reading_end(&r, diag);
}

int st_reader_calls(struct st_reader *reader, struct st_read_of of, struct st_buf *out,
		    struct st_diag *diag)
{
	const struct st_question question = {.of = &of, .arg = &of, .ask = ask_calls};
	return st_reader_answer_with(reader, &question, out, diag);
}

/* Holds */

enum {
	HOLD_ID,
	HOLD_CALL,
	HOLD_ATTEMPT,
	HOLD_RUN,
	HOLD_STEP,
	HOLD_ITEM,
	HOLD_STATE,
	HOLD_SINCE,
	HOLD_AMOUNTS,
	HOLD_INTENT,
	HOLD_EXPIRES,
	HOLD_WORKFLOW
};
#define HOLDS                                                                                      \
	"SELECT x.id, c.id, c.attempt, r.id, " ST_READ_PLACE_COLUMNS ", c.state, x.at, "           \
	"x.amounts, c.intent, c.expires_at, r.workflow, r.agent, r.user, r.project, r.tenant, "    \
	"r.platform "                                                                              \
	"FROM run r CROSS JOIN call c ON c.run_no = r.no JOIN hold x ON x.no = "                   \
	"c.no " ST_READ_PLACE_JOIN "WHERE c.ended_at IS NULL "
static const char holds_of_run_sql[] = HOLDS "AND r.no = ?1 ORDER BY c.no";
static const char holds_sql[] =
    HOLDS "AND r.no IN (SELECT no FROM live) AND r.tenant = coalesce(?1, r.tenant) ORDER BY c.no";

/* The same amounts stand on every scope that the call touches. */
static void put_scope_amounts(struct st_buf *out, enum st_scope scope, const char *scope_id,
			      const struct st_amounts *amounts)
{
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if (amounts->of[m] == 0) {
			continue;
		}
		st_put_open(out, NULL, '{');
		st_put_text(out, "scope", st_scope_name(scope));
		st_put_text(out, "scope_id", scope_id);
		st_put_text(out, "meter", st_meter_name((enum st_meter)m));
		st_put_int(out, "amount", amounts->of[m]);
		st_put_close(out, '}');
	}
}

static void put_amounts(struct st_buf *out, struct st_reading *r, const char *run)
{
	struct st_amounts amounts;
	st_reading_amounts(r, HOLD_AMOUNTS, &amounts);
	st_put_open(out, "amounts", '[');
	if (!st_reading_none(r, HOLD_STEP)) {
		put_scope_amounts(out, ST_SCOPE_STEP, st_reading_text(r, HOLD_STEP), &amounts);
	}
	put_scope_amounts(out, ST_SCOPE_RUN, run, &amounts);
	for (int scope = ST_SCOPE_WORKFLOW; scope < ST_SCOPE_COUNT; scope++) {
		put_scope_amounts(out, (enum st_scope)scope,
				  st_reading_text(r, HOLD_WORKFLOW + scope - ST_SCOPE_WORKFLOW),
				  &amounts);
	}
	st_put_close(out, ']');
}

static void put_released_by(struct st_buf *out, struct st_reading *r, const char *run,
			    const char *call)
{
	const char *state = st_reading_text(r, HOLD_STATE);
	struct st_buf text = {0};
	if (strcmp(state, "in_doubt") == 0) {
		st_buf_addf(&text,
			    "a person who knows whether the call happened: stint resolve %s --call "
			    "%s --as happened|did-not-happen",
			    run, call);
	} else if (!st_reading_none(r, HOLD_EXPIRES)) {
		st_buf_addf(&text, "the client that makes the call: stint call settle %s", call);
	} else {
		st_buf_add_text(&text, "stint, when the call answers or its time is over");
	}
	st_put_text(out, "released_by", text.data);
	st_buf_fini(&text);
}

static void put_hold(struct st_buf *out, struct st_reading *r)
{
	char run[ST_ID_TEXT_MAX];
	char call[ST_ID_TEXT_MAX];
	struct st_id id;
	st_reading_bytes(r, HOLD_RUN, id.bytes, sizeof id.bytes);
	(void)st_id_format(id, ST_ID_RUN, run);
	st_reading_bytes(r, HOLD_CALL, id.bytes, sizeof id.bytes);
	(void)st_id_format(id, ST_ID_CALL, call);
	st_put_open(out, NULL, '{');
	st_put_col_id(out, "id", r, HOLD_ID, ST_ID_HOLD);
	st_put_text(out, "call", call);
	st_put_col_int(out, "attempt", r, HOLD_ATTEMPT);
	st_put_text(out, "run", run);
	st_put_col_place(out, r, HOLD_STEP);
	st_put_col_text(out, "state", r, HOLD_STATE);
	st_put_col_time(out, "since", r, HOLD_SINCE);
	put_amounts(out, r, run);
	st_put_col_text(out, "reason", r, HOLD_INTENT);
	put_expiry(out, r, HOLD_EXPIRES);
	put_released_by(out, r, run, call);
	st_put_close(out, '}');
}

static int ask_holds(struct st_reader *reader, const void *arg, int64_t no, struct st_buf *out,
		     struct st_diag *diag)
{
	const struct st_read_of *of = arg;
	struct st_reading r = st_reading_begin(reader, no > 0 ? holds_of_run_sql : holds_sql);
	if (no > 0) {
		st_reading_bind_int(&r, 1, no);
	} else {
		st_reading_bind_text(&r, 1, of->tenant);
	}
	st_put_open(out, NULL, '[');
	while (st_reading_next(&r)) {
		put_hold(out, &r);
	}
	st_put_close(out, ']');
	return st_reading_end(&r, diag);
}

int st_reader_holds(struct st_reader *reader, struct st_read_of of, struct st_buf *out,
		    struct st_diag *diag)
{
	const struct st_question question = {
	    .of = st_id_is_none(of.run) ? NULL : &of, .arg = &of, .ask = ask_holds};
	return st_reader_answer_with(reader, &question, out, diag);
}

/* External ids */

static int ask_external_ids(struct st_reader *reader, const void *arg, int64_t no,
			    struct st_buf *out, struct st_diag *diag)
{
	static const char sql[] =
	    "SELECT x.kind, x.id, x.url, " ST_READ_PLACE_COLUMNS ", x.call, x.at "
	    "FROM external_id x " ST_READ_PLACE_JOIN "WHERE x.run_no = ?1 ORDER BY x.no";
	struct st_reading r = st_reading_begin(reader, sql);
	(void)arg;
	st_reading_bind_int(&r, 1, no);
	st_put_open(out, NULL, '[');
	while (st_reading_next(&r)) {
		st_put_open(out, NULL, '{');
		st_put_col_text(out, "kind", &r, 0);
		st_put_col_text(out, "id", &r, 1);
		st_put_col_text(out, "url", &r, 2);
		st_put_col_place(out, &r, 3);
		st_put_col_id(out, "call", &r, 5, ST_ID_CALL);
		st_put_col_time(out, "at", &r, 6);
		st_put_close(out, '}');
	}
	st_put_close(out, ']');
	return st_reading_end(&r, diag);
}

int st_reader_external_ids(struct st_reader *reader, struct st_read_of of, struct st_buf *out,
			   struct st_diag *diag)
{
	const struct st_question question = {.of = &of, .ask = ask_external_ids};
	return st_reader_answer_with(reader, &question, out, diag);
}

/* Transcripts */

static int ask_transcripts(struct st_reader *reader, const void *arg, int64_t no,
			   struct st_buf *out, struct st_diag *diag)
{
	static const char sql[] = "SELECT attempt, at, text FROM transcript "
				  "WHERE run_no = ?1 AND call = ?2 ORDER BY attempt, no";
	const struct st_id *call = arg;
	struct st_reading r = st_reading_begin(reader, sql);
	bool any = false;
	st_reading_bind_int(&r, 1, no);
	st_reading_bind_bytes(&r, 2, call->bytes, sizeof call->bytes);
	st_put_open(out, NULL, '[');
	while (st_reading_next(&r)) {
		any = true;
		st_put_open(out, NULL, '{');
		st_put_col_int(out, "attempt", &r, 0);
		st_put_col_time(out, "at", &r, 1);
		st_put_col_json(out, "transcript", &r, 2);
		st_put_close(out, '}');
	}
	st_put_close(out, ']');
	int err = st_reading_end(&r, diag);
	if (err == ST_OK && !any) {
		char text[ST_ID_TEXT_MAX];
		err = st_fail(diag, ST_ERR_NOT_FOUND, "there is no transcript of %s in this run",
			      st_id_format(*call, ST_ID_CALL, text));
	}
	return err;
}

int st_reader_transcripts(struct st_reader *reader, struct st_read_of of, struct st_id call,
			  struct st_buf *out, struct st_diag *diag)
{
	const struct st_question question = {.of = &of, .arg = &call, .ask = ask_transcripts};
	return st_reader_answer_with(reader, &question, out, diag);
}
