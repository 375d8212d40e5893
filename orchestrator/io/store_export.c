/* SPDX-License-Identifier: Apache-2.0 */
/* Everything of a run, or of all, as JSON lines, one row in memory at a time. */
#include <string.h>

#include "orchestrator/io/store_reading.h"
#include "schemas/mem.h"

/*
 * The last character of a column's name says how its value is shown and is not part of the name:
 *   @ a time   ! JSON   # hex   ? a truth value   r c h k an id of a run, call, hold, halt (with
 * a ':' before it)   anything else: as it is.
 */
static const struct {
	const char *name;
	const char *select;
	const char *of_run; /* how its rows of one run are found */
} tables[] = {
    {"run",
     "x.id AS 'id:r', x.name, x.kind, x.state, x.workflow, x.agent, x.user, x.project, x.tenant, "
     "x.platform, x.submitted_by, x.created_at AS 'created_at@', x.started_at AS 'started_at@', "
     "x.ended_at AS 'ended_at@', x.active_ms, x.paused AS 'paused?', "
     "CASE x.state WHEN 'running' THEN (SELECT seq FROM head WHERE run_no = x.no) "
     "ELSE x.seq END AS seq, "
     "CASE x.state WHEN 'running' THEN (SELECT hash FROM head WHERE run_no = x.no) "
     "ELSE x.hash END AS 'hash#', x.error_code, x.error, d.shown AS 'definition!' "
     "FROM run x CROSS JOIN run r ON r.no = x.no JOIN def d ON d.run = x.no",
     "x.no = ?1"},
    {"step",
     "r.id AS 'run:r', x.id, x.uses, x.no >> 11 & 2047 AS step, x.no & 2047 AS item, x.state, "
     "x.item_state, x.attempt, x.started_at AS 'started_at@', x.ended_at AS 'ended_at@', "
     "x.output AS 'output!', x.citations AS 'citations!', x.error_code, x.error "
     "FROM step x CROSS JOIN run r ON r.no = x.no >> 22",
     "x.no >= ?1 << 22 AND x.no < (?1 + 1) << 22"},
    {"account",
     "r.id AS 'run:r', x.scope, s.id AS step, x.meter, "
     "CASE WHEN x.\"limit\" >= 0 THEN x.\"limit\" END AS 'limit', x.granted, x.settled, x.held, "
     "x.overrun FROM account x CROSS JOIN run r ON r.no = x.no >> 20 "
     "LEFT JOIN step s ON x.scope = 'step' "
     "AND s.no = ((x.no >> 20) << 22) | (((x.no >> 8 & 4095) - 1) << 11)",
     "x.no >= ?1 << 20 AND x.no < (?1 + 1) << 20"},
    {"hold",
     "x.id AS 'id:h', r.id AS 'run:r', " ST_READ_PLACE_COLUMNS ", x.at AS 'at@', "
     "x.amounts AS 'amounts!' FROM hold x CROSS JOIN run r ON r.no = x.run_no " ST_READ_PLACE_JOIN,
     "x.no IN (SELECT hold FROM call WHERE run_no = ?1)"},
    {"call",
     "x.id AS 'id:c', x.attempt, r.id AS 'run:r', " ST_READ_PLACE_COLUMNS ", x.kind, "
     "x.state, x.intent, x.params AS 'params!', x.params_hash AS 'params_hash#', x.at AS 'at@', "
     "x.ended_at AS 'ended_at@', x.result AS 'result!', h.id AS 'hold:h' "
     "FROM call x CROSS JOIN run r ON r.no = x.run_no JOIN hold h ON h.no = "
     "x.hold " ST_READ_PLACE_JOIN,
     "x.run_no = ?1"},
    {"settlement",
     "h.id AS 'hold:h', r.id AS 'run:r', t.at AS 'at@', t.voided AS 'voided?', "
     "t.estimated AS 'estimated?', t.used AS 'used!', t.overrun AS 'overrun!', t.by "
     "FROM call x CROSS JOIN settlement t ON t.hold = x.hold "
     "CROSS JOIN hold h ON h.no = x.hold CROSS JOIN run r ON r.no = x.run_no",
     "x.run_no = ?1"},
    {"grant",
     "r.id AS 'run:r', x.halt AS 'halt:k', s.id AS step, x.meter, x.amount, x.at AS 'at@', x.by, "
     "x.reason FROM grant_ x CROSS JOIN run r ON r.no = x.run_no " ST_READ_PLACE_JOIN,
     "x.run_no = ?1"},
    {"halt",
     "x.id AS 'id:k', r.id AS 'run:r', x.kind, " ST_READ_PLACE_COLUMNS ", "
     "x.call AS 'call:c', x.verdict AS 'verdict!', x.intent, x.params_hash AS 'params_hash#', "
     "x.since AS 'since@', x.decided_at AS 'decided_at@', x.decision, x.by, x.reason "
     "FROM halt x CROSS JOIN run r ON r.no = x.run_no " ST_READ_PLACE_JOIN,
     "x.run_no = ?1"},
    {"external_id",
     "r.id AS 'run:r', " ST_READ_PLACE_COLUMNS ", x.call AS 'call:c', x.at AS 'at@', "
     "x.kind, x.id, x.url FROM external_id x CROSS JOIN run r ON r.no = "
     "x.run_no " ST_READ_PLACE_JOIN,
     "x.run_no = ?1"},
    {"transcript",
     "r.id AS 'run:r', x.call AS 'call:c', x.attempt, x.at AS 'at@', x.text AS 'transcript!' "
     "FROM transcript x CROSS JOIN run r ON r.no = x.run_no",
     "x.run_no = ?1"},
    {"artifact",
     "r.id AS 'run:r', " ST_READ_PLACE_COLUMNS ", x.call AS 'call:c', x.attempt, x.at AS 'at@', "
     "x.path, x.bytes, x.hash AS 'hash#' FROM artifact x CROSS JOIN run r ON r.no = "
     "x.run_no " ST_READ_PLACE_JOIN,
     "x.run_no = ?1"},
    {"event",
     "x.seq, x.at AS 'at@', r.id AS 'run:r', x.step, nullif(x.item, 0) AS item, "
     "x.call AS 'call:c', x.type, x.data AS 'data!', x.hash AS 'hash#' "
     "FROM event f CROSS JOIN event x ON x.no >= f.no AND x.no < f.no + f.n "
     "CROSS JOIN run r ON r.no = f.run_no",
     "f.n > 0 AND f.run_no = ?1 ORDER BY f.seq"},
};

static const char *prefix_of(char which)
{
	switch (which) {
	case 'r':
		return ST_ID_RUN;
	case 'c':
		return ST_ID_CALL;
	case 'h':
		return ST_ID_HOLD;
	default:
		return ST_ID_HALT;
	}
}

static void put_plain(struct st_buf *out, const char *name, const struct st_reading *r, int col)
{
	if (sqlite3_column_type(r->stmt, col) == SQLITE_INTEGER) {
		st_put_col_int(out, name, r, col);
	} else {
		st_put_col_text(out, name, r, col);
	}
}

static void put_column(struct st_buf *out, struct st_reading *r, int col)
{
	char name[64] = "";
	const char *full = sqlite3_column_name(r->stmt, col);
	size_t len = strlen(full);
	char how = full[len - 1];
	bool is_id = len > 2 && full[len - 2] == ':';
	size_t keep = is_id ? len - 2 : len - (strchr("@!#?", how) != NULL ? 1 : 0);
	memcpy(name, full, keep < sizeof name ? keep : sizeof name - 1);
	if (is_id) {
		st_put_col_id(out, name, r, col, prefix_of(how));
	} else if (how == '@') {
		st_put_col_time(out, name, r, col);
	} else if (how == '!') {
		st_put_col_json(out, name, r, col);
	} else if (how == '#') {
		st_put_col_hex(out, name, r, col);
	} else if (how == '?') {
		st_put_bool(out, name, st_reading_int(r, col) != 0);
	} else {
		put_plain(out, name, r, col);
	}
}

struct exporting {
	const struct st_read_of *of;
	const struct st_read_sink *sink;
};

static int export_rows(struct st_reading *r, const char *table, const struct st_read_sink *sink,
		       struct st_buf *line)
{
	int stopped = 0;
	while (stopped == 0 && st_reading_next(r)) {
		st_buf_clear(line);
		st_put_open(line, NULL, '{');
		st_put_text(line, "table", table);
		for (int col = 0; col < sqlite3_column_count(r->stmt); col++) {
			put_column(line, r, col);
		}
		st_put_close(line, '}');
		st_put_done(line);
		if (!r->damaged) {
			stopped = sink->line(sink->arg, line->data, line->len);
		}
	}
	st_buf_clear(line);
	return stopped;
}

static int ask_export(struct st_reader *reader, const void *arg, int64_t no, struct st_buf *out,
		      struct st_diag *diag)
{
	const struct exporting *exporting = arg;
	int err = ST_OK;
	for (size_t i = 0; i < sizeof tables / sizeof tables[0] && err == ST_OK; i++) {
		struct st_buf sql = {0};
		st_buf_addf(&sql, "SELECT %s WHERE %s", tables[i].select,
			    no > 0 ? tables[i].of_run : "r.tenant = coalesce(?1, r.tenant)");
		struct st_reading r = st_reading_begin_once(reader, sql.data);
		if (no > 0) {
			st_reading_bind_int(&r, 1, no);
		} else {
			st_reading_bind_text(&r, 1, exporting->of->tenant);
		}
		int stopped = export_rows(&r, tables[i].name, exporting->sink, out);
		err = st_reading_end(&r, diag);
		err = err == ST_OK ? stopped : err;
		st_buf_fini(&sql);
	}
	return err;
}

int st_reader_export(struct st_reader *reader, struct st_read_of of,
		     const struct st_read_sink *sink, struct st_diag *diag)
{
	struct st_buf line = {0};
	const struct exporting exporting = {.of = &of, .sink = sink};
	const struct st_question question = {
	    .of = st_id_is_none(of.run) ? NULL : &of, .arg = &exporting, .ask = ask_export};
	int err = st_reader_answer_with(reader, &question, &line, diag);
	st_buf_fini(&line);
	return err;
}
