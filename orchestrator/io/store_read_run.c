/* SPDX-License-Identifier: Apache-2.0 */
/* What is a run now? One object with its steps, its halt, what it used and what it may use. */
#include <string.h>

#include "orchestrator/io/store_reading.h"
#include "schemas/mem.h"
#include "schemas/state.h"

/* What other tables say about a step. */
struct extra {
	struct st_amounts used;
	struct st_buf external_ids; /* members of an array, each with its comma */
	struct st_buf artifacts;    /* the same */
};

/* A run being told. */
struct telling {
	struct st_reader *reader;
	int64_t no;
	struct st_buf *out;
	struct st_diag *diag;
	struct st_read_def def;
	size_t n_steps;
	struct extra *extras;
	struct st_amounts used;
};

static void add_amounts(struct st_amounts *sum, const struct st_amounts *more)
{
	for (int m = 0; m < ST_METER_COUNT; m++) {
		sum->of[m] = st_add_saturating(sum->of[m], more->of[m]);
	}
}

static int gather_usage(struct telling *telling)
{
	static const char sql[] = "SELECT c.step, t.used FROM call c JOIN settlement t "
				  "ON t.hold = c.hold WHERE c.run_no = ?1 AND t.voided = 0";
	struct st_reading r = st_reading_begin(telling->reader, sql);
	st_reading_bind_int(&r, 1, telling->no);
	while (st_reading_next(&r)) {
		struct st_amounts used;
		int64_t step = st_reading_int(&r, 0);
		st_reading_amounts(&r, 1, &used);
		add_amounts(&telling->used, &used);
		if (step >= 0 && (size_t)step < telling->n_steps) {
			add_amounts(&telling->extras[step].used, &used);
		}
	}
	return st_reading_end(&r, telling->diag);
}

static int gather_external_ids(struct telling *telling)
{
	static const char sql[] = "SELECT step, kind, id, url FROM external_id WHERE run_no = ?1 "
				  "ORDER BY no";
	struct st_reading r = st_reading_begin(telling->reader, sql);
	st_reading_bind_int(&r, 1, telling->no);
	while (st_reading_next(&r)) {
		int64_t step = st_reading_int(&r, 0);
		if (step < 0 || (size_t)step >= telling->n_steps) {
			continue;
		}
		struct st_buf *out = &telling->extras[step].external_ids;
		st_put_open(out, NULL, '{');
		st_put_col_text(out, "kind", &r, 1);
		st_put_col_text(out, "id", &r, 2);
		st_put_col_text(out, "url", &r, 3);
		st_put_close(out, '}');
	}
	return st_reading_end(&r, telling->diag);
}

static int gather_artifacts(struct telling *telling)
{
	static const char sql[] = "SELECT step, call, path, bytes, hash FROM artifact "
				  "WHERE run_no = ?1 ORDER BY no";
	struct st_reading r = st_reading_begin(telling->reader, sql);
	st_reading_bind_int(&r, 1, telling->no);
	while (st_reading_next(&r)) {
		int64_t step = st_reading_int(&r, 0);
		if (step < 0 || (size_t)step >= telling->n_steps) {
			continue;
		}
		struct st_buf *out = &telling->extras[step].artifacts;
		st_put_open(out, NULL, '{');
		st_put_col_id(out, "call", &r, 1, ST_ID_CALL);
		st_put_col_text(out, "path", &r, 2);
		st_put_col_int(out, "bytes", &r, 3);
		st_put_col_hex(out, "hash", &r, 4);
		st_put_close(out, '}');
	}
	return st_reading_end(&r, telling->diag);
}

/* Steps */

enum {
	STEP_NO,
	STEP_ID,
	STEP_USES,
	STEP_STATE,
	STEP_ITEM_STATE,
	STEP_N_ITEMS,
	STEP_ATTEMPT,
	STEP_DUE,
	STEP_CALL,
	STEP_STARTED,
	STEP_ENDED,
	STEP_OUTPUT,
	STEP_CITATIONS,
	STEP_ERROR_CODE,
	STEP_ERROR
};
static const char steps_sql[] =
    "SELECT no, id, uses, state, item_state, n_items, attempt, due, call, started_at, ended_at, "
    "output, citations, error_code, error FROM step "
    "WHERE no >= ?1 << 22 AND no < (?1 + 1) << 22 ORDER BY no";

static void put_error(struct st_buf *out, const struct st_reading *r, int code, int text)
{
	if (st_reading_none(r, code)) {
		st_put_null(out, "error");
		return;
	}
	st_put_open(out, "error", '{');
	st_put_col_text(out, "code", r, code);
	st_put_col_text(out, "text", r, text);
	st_put_close(out, '}');
}

static void put_extra(struct st_buf *out, const struct extra *extra)
{
	st_put_amounts(out, "usage", &extra->used);
	st_put_open(out, "external_ids", '[');
	st_buf_add(out, extra->external_ids.data, extra->external_ids.len);
	st_put_close(out, ']');
	st_put_open(out, "artifacts", '[');
	st_buf_add(out, extra->artifacts.data, extra->artifacts.len);
	st_put_close(out, ']');
}

static void put_pending(const struct telling *telling, size_t step)
{
	struct st_buf *out = telling->out;
	st_put_open(out, NULL, '{');
	st_put_text(out, "id", st_read_def_step_id(&telling->def, (int)step));
	st_put_text(out, "uses", st_read_def_step_uses(&telling->def, (int)step));
	st_put_text(out, "state", st_machine_state_name(&st_step_machine, ST_STEP_PENDING));
	st_put_int(out, "attempt", 0);
	st_put_null(out, "started_at");
	st_put_null(out, "ended_at");
	put_extra(out, &telling->extras[step]);
	st_put_null(out, "citations");
	st_put_null(out, "output");
	st_put_null(out, "error");
	st_put_close(out, '}');
}

/* What the items of a for_each came to, gathered row by row. */
struct items {
	int64_t n;
	int64_t done;
	int64_t attempt; /* the highest */
	struct st_buf citations;
};

static void add_item(struct items *items, struct st_reading *r, struct st_buf *outputs)
{
	int state = st_machine_state_parse(&st_item_machine, st_reading_text(r, STEP_ITEM_STATE));
	int64_t attempt = st_reading_int(r, STEP_ATTEMPT);
	const char *citations = st_reading_text(r, STEP_CITATIONS);
	size_t len = strlen(citations);
	items->done += state >= 0 && st_machine_final(&st_item_machine, state);
	items->attempt = attempt > items->attempt ? attempt : items->attempt;
	st_put_col_json(outputs, NULL, r, STEP_OUTPUT);
	if (len > 2 && citations[0] == '[') {
		st_buf_add(&items->citations, citations + 1, len - 2);
		st_buf_add_char(&items->citations, ',');
	}
}

static int64_t step_of(const struct st_reading *r)
{
	return st_reading_int(r, STEP_NO) >> 11 & 2047;
}

/* Reads the rows of the items, up to the next step's row. */
static bool put_items(struct st_buf *out, struct st_reading *r, int64_t step)
{
	struct items items = {.n = st_reading_int(r, STEP_N_ITEMS)};
	bool more = st_reading_next(r);
	st_put_open(out, "output", '[');
	while (more && step_of(r) == step) {
		add_item(&items, r, out);
		more = st_reading_next(r);
	}
	st_put_close(out, ']');
	st_put_int(out, "attempt", items.attempt);
	if (items.n >= 0) {
		st_put_int(out, "items", items.n);
	} else {
		st_put_null(out, "items");
	}
	st_put_int(out, "items_done", items.done);
	st_put_open(out, "citations", '[');
	st_buf_add(out, items.citations.data, items.citations.len);
	st_put_close(out, ']');
	st_buf_fini(&items.citations);
	return more;
}

/* Leaves the reading at the next step's row; false when there is none. */
static bool put_step(const struct telling *telling, struct st_reading *r)
{
	struct st_buf *out = telling->out;
	int64_t step = step_of(r);
	bool more = true;
	st_put_open(out, NULL, '{');
	st_put_col_text(out, "id", r, STEP_ID);
	st_put_col_text(out, "uses", r, STEP_USES);
	st_put_col_text(out, "state", r, STEP_STATE);
	st_put_col_time(out, "started_at", r, STEP_STARTED);
	st_put_col_time(out, "ended_at", r, STEP_ENDED);
	put_error(out, r, STEP_ERROR_CODE, STEP_ERROR);
	put_extra(out, &telling->extras[step]);
	if (st_read_def_step_repeats(&telling->def, (int)step)) {
		more = put_items(out, r, step);
	} else {
		st_put_col_int(out, "attempt", r, STEP_ATTEMPT);
		st_put_col_text(out, "doing", r, STEP_ITEM_STATE);
		st_put_col_time(out, "due", r, STEP_DUE);
		st_put_col_id(out, "call", r, STEP_CALL, ST_ID_CALL);
		st_put_col_json(out, "citations", r, STEP_CITATIONS);
		st_put_col_json(out, "output", r, STEP_OUTPUT);
		more = st_reading_next(r);
	}
	st_put_close(out, '}');
	return more;
}

static int put_steps(struct telling *telling)
{
	struct st_reading r = st_reading_begin(telling->reader, steps_sql);
	st_reading_bind_int(&r, 1, telling->no);
	bool more = st_reading_next(&r);
	st_put_open(telling->out, "steps", '[');
	for (size_t i = 0; i < telling->n_steps; i++) {
		if (more && (size_t)step_of(&r) == i) {
			more = put_step(telling, &r);
		} else {
			put_pending(telling, i);
		}
	}
	st_put_close(telling->out, ']');
	r.damaged = r.damaged || more; /* a step that the definition does not have */
	return st_reading_end(&r, telling->diag);
}

/* Accounts */

static void put_account(struct st_buf *out, const struct st_reading *r, int first)
{
	int64_t limit = st_reading_int(r, first + 1);
	int64_t granted = st_reading_int(r, first + 2);
	int64_t settled = st_reading_int(r, first + 3);
	int64_t held = st_reading_int(r, first + 4);
	int64_t total = limit < 0 ? 0 : st_add_saturating(limit, granted);
	int64_t taken = st_add_saturating(settled, held);
	st_put_open(out, st_reading_text(r, first), '{');
	if (limit < 0) {
		st_put_null(out, "limit");
	} else {
		st_put_int(out, "limit", limit);
	}
	st_put_int(out, "granted", granted);
	st_put_int(out, "settled", settled);
	st_put_int(out, "held", held);
	if (limit < 0) {
		st_put_null(out, "remaining");
	} else {
		st_put_int(out, "remaining", total > taken ? total - taken : 0);
	}
	if (st_reading_int(r, first + 5) > 0) {
		st_put_col_int(out, "overrun", r, first + 5);
	}
	st_put_close(out, '}');
}

/* The run's own accounts are the first 256 numbers, its steps' follow. */
static const char run_accounts_sql[] =
    "SELECT meter, \"limit\", granted, settled, held, overrun FROM account "
    "WHERE no >= ?1 << 20 AND no < (?1 << 20) + 256 ORDER BY no";
static const char step_accounts_sql[] =
    "SELECT meter, \"limit\", granted, settled, held, overrun, (no >> 8 & 4095) - 1 FROM account "
    "WHERE no >= (?1 << 20) + 256 AND no < (?1 + 1) << 20 ORDER BY no";

static int put_envelope(struct st_reader *reader, int64_t no, struct st_buf *out,
			struct st_diag *diag)
{
	struct st_reading r = st_reading_begin(reader, run_accounts_sql);
	st_reading_bind_int(&r, 1, no);
	st_put_open(out, "envelope", '{');
	while (st_reading_next(&r)) {
		put_account(out, &r, 0);
	}
	st_put_close(out, '}');
	return st_reading_end(&r, diag);
}

static int put_step_accounts(struct st_reader *reader, const struct st_read_def *def, int64_t no,
			     struct st_buf *out, struct st_diag *diag)
{
	struct st_reading r = st_reading_begin(reader, step_accounts_sql);
	int64_t last = -1;
	st_reading_bind_int(&r, 1, no);
	st_put_open(out, "steps", '{');
	while (st_reading_next(&r)) {
		int64_t step = st_reading_int(&r, 6);
		if (step != last && last >= 0) {
			st_put_close(out, '}');
		}
		if (step != last) {
			st_put_open(out, st_read_def_step_id(def, (int)step), '{');
		}
		last = step;
		put_account(out, &r, 0);
	}
	if (last >= 0) {
		st_put_close(out, '}');
	}
	st_put_close(out, '}');
	return st_reading_end(&r, diag);
}

static int ask_envelope(struct st_reader *reader, const void *arg, int64_t no, struct st_buf *out,
			struct st_diag *diag)
{
	const struct st_read_of *of = arg;
	struct st_read_def def;
	int err = st_read_def_load(reader, no, &def, diag);
	st_put_open(out, NULL, '{');
	st_put_id(out, "run", of->run, ST_ID_RUN);
	if (err == ST_OK) {
		err = put_envelope(reader, no, out, diag);
	}
	if (err == ST_OK) {
		err = put_step_accounts(reader, &def, no, out, diag);
	}
	st_put_close(out, '}');
	st_read_def_fini(&def);
	return err;
}

int st_reader_envelope(struct st_reader *reader, struct st_read_of of, struct st_buf *out,
		       struct st_diag *diag)
{
	const struct st_question question = {.of = &of, .arg = &of, .ask = ask_envelope};
	return st_reader_answer_with(reader, &question, out, diag);
}

/* The run itself */

static int put_open_halt(struct telling *telling)
{
	static const char sql[] = "SELECT " ST_READ_HALT_COLUMNS " FROM halt h WHERE h.id = "
				  "(SELECT halt FROM run WHERE no = ?1) AND h.decided_at IS NULL";
	struct st_reading r = st_reading_begin(telling->reader, sql);
	st_reading_bind_int(&r, 1, telling->no);
	if (st_reading_next(&r)) {
		st_put_open(telling->out, "halt", '{');
		st_put_halt(telling->out, &r, &telling->def);
		st_put_close(telling->out, '}');
	} else {
		st_put_null(telling->out, "halt");
	}
	return st_reading_end(&r, telling->diag);
}

static const char run_sql[] =
    "SELECT id, name, kind, state, paused, workflow, agent, user, project, tenant, platform, "
    "submitted_by, created_at, started_at, ended_at, active_ms, "
    "CASE state WHEN 'running' THEN (SELECT seq FROM head WHERE run_no = ?1) ELSE seq END, "
    "error_code, error FROM run WHERE no = ?1";

static int put_head(struct telling *telling)
{
	static const char *const names[] = {"name", "kind", "state"};
	static const char *const scopes[] = {"workflow", "agent",    "user",	    "project",
					     "tenant",	 "platform", "submitted_by"};
	struct st_reading r = st_reading_begin(telling->reader, run_sql);
	struct st_buf *out = telling->out;
	st_reading_bind_int(&r, 1, telling->no);
	if (st_reading_next(&r)) {
		st_put_col_id(out, "id", &r, 0, ST_ID_RUN);
		for (int i = 0; i < 3; i++) {
			st_put_col_text(out, names[i], &r, 1 + i);
		}
		st_put_bool(out, "paused", st_reading_int(&r, 4) != 0);
		for (int i = 0; i < 7; i++) {
			st_put_col_text(out, scopes[i], &r, 5 + i);
		}
		st_put_col_time(out, "created_at", &r, 12);
		st_put_col_time(out, "started_at", &r, 13);
		st_put_col_time(out, "ended_at", &r, 14);
		st_put_col_int(out, "active_ms", &r, 15);
		st_put_col_int(out, "seq", &r, 16);
		put_error(out, &r, 17, 18);
	}
	return st_reading_end(&r, telling->diag);
}

static int put_parts(struct telling *telling)
{
	int err = gather_usage(telling);
	if (err == ST_OK) {
		err = gather_external_ids(telling);
	}
	if (err == ST_OK) {
		err = gather_artifacts(telling);
	}
	if (err == ST_OK) {
		err = put_head(telling);
	}
	if (err == ST_OK) {
		err = put_open_halt(telling);
	}
	if (err == ST_OK) {
		err = put_steps(telling);
	}
	if (err == ST_OK) {
		err = put_envelope(telling->reader, telling->no, telling->out, telling->diag);
	}
	st_put_amounts(telling->out, "usage", &telling->used);
	return err;
}

static int ask_run(struct st_reader *reader, const void *arg, int64_t no, struct st_buf *out,
		   struct st_diag *diag)
{
	struct telling telling = {.reader = reader, .no = no, .out = out, .diag = diag};
	(void)arg;
	int err = st_read_def_load(reader, no, &telling.def, diag);
	telling.n_steps = json_array_size(telling.def.steps);
	telling.extras = st_alloc_array(telling.n_steps + 1, sizeof telling.extras[0]);
	st_put_open(out, NULL, '{');
	if (err == ST_OK) {
		err = put_parts(&telling);
	}
	st_put_close(out, '}');
	for (size_t i = 0; i < telling.n_steps; i++) {
		st_buf_fini(&telling.extras[i].external_ids);
		st_buf_fini(&telling.extras[i].artifacts);
	}
	st_free(telling.extras);
	st_read_def_fini(&telling.def);
	return err;
}

int st_reader_run(struct st_reader *reader, struct st_read_of of, struct st_buf *out,
		  struct st_diag *diag)
{
	const struct st_question question = {.of = &of, .ask = ask_run};
	return st_reader_answer_with(reader, &question, out, diag);
}
