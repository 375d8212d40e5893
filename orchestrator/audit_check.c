/* SPDX-License-Identifier: Apache-2.0 */
/* Does a cell say what it should? */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/audit_private.h"

#define X(NAME, name) name,
static const char *const meta_columns[] = {ST_META_X(X) NULL};
static const char *const scope_columns[] = {ST_SCOPE_ROW_X(X) NULL};
static const char *const token_columns[] = {ST_TOKEN_X(X) NULL};
static const char *const answer_columns[] = {ST_ANSWER_X(X) NULL};
static const char *const run_columns[] = {ST_RUN_ROW_X(X) NULL};
static const char *const def_columns[] = {ST_DEF_X(X) NULL};
static const char *const event_columns[] = {ST_EVENT_ROW_X(X) NULL};
static const char *const attempt_columns[] = {ST_ATTEMPT_X(X) NULL};
static const char *const settlement_columns[] = {ST_SETTLEMENT_X(X) NULL};
static const char *const grant_columns[] = {ST_GRANT_X(X) NULL};
static const char *const halt_columns[] = {ST_HALT_ROW_X(X) NULL};
static const char *const external_id_columns[] = {ST_EXTERNAL_ID_X(X) NULL};
static const char *const transcript_columns[] = {ST_TRANSCRIPT_X(X) NULL};
static const char *const artifact_columns[] = {ST_ARTIFACT_X(X) NULL};
static const char *const step_columns[] = {ST_STEP_ROW_X(X) NULL};
static const char *const account_columns[] = {ST_ACCOUNT_X(X) NULL};
#undef X

static const struct {
	const char *name;
	const char *const *columns;
} tables[] = {
    [ST_AUDIT_META] = {"meta", meta_columns},
    [ST_AUDIT_SCOPE] = {"scope", scope_columns},
    [ST_AUDIT_TOKEN] = {"token", token_columns},
    [ST_AUDIT_ANSWER] = {"answer", answer_columns},
    [ST_AUDIT_RUN] = {"run", run_columns},
    [ST_AUDIT_DEF] = {"def", def_columns},
    [ST_AUDIT_EVENT] = {"event", event_columns},
    [ST_AUDIT_ATTEMPT] = {"attempt", attempt_columns},
    [ST_AUDIT_SETTLEMENT] = {"settlement", settlement_columns},
    [ST_AUDIT_GRANT] = {"grant_", grant_columns},
    [ST_AUDIT_HALT] = {"halt", halt_columns},
    [ST_AUDIT_EXTERNAL_ID] = {"external_id", external_id_columns},
    [ST_AUDIT_TRANSCRIPT] = {"transcript", transcript_columns},
    [ST_AUDIT_ARTIFACT] = {"artifact", artifact_columns},
    [ST_AUDIT_STEP] = {"step", step_columns},
    [ST_AUDIT_ACCOUNT] = {"account", account_columns},
};
static_assert(sizeof tables / sizeof tables[0] == ST_AUDIT_TABLE_COUNT, "every table is there");

static const struct {
	const char *name;
	const char *unit;
	const char *text;
} laws[] = {
#define X(NAME, name, unit, text) {name, unit, text},
    ST_LAW_X(X)
#undef X
};

const char *st_law_name(enum st_law law)
{
	return laws[law].name;
}

const char *st_law_unit(enum st_law law)
{
	return laws[law].unit;
}

const char *st_law_text(enum st_law law)
{
	return laws[law].text;
}

const char *st_audit_table_name(enum st_audit_table table)
{
	return tables[table].name;
}

const char *const *st_audit_columns(enum st_audit_table table)
{
	return tables[table].columns;
}

void st_audit_count(struct st_audit *audit, enum st_law law, int64_t n)
{
	audit->result.checked[law] += n;
}

void st_audit_found(struct st_audit *audit, const struct st_finding *finding)
{
	if (audit->result.n_wrong++ == 0) {
		audit->result.first = *finding;
	}
	audit->result.wrong[finding->law]++;
}

/* Cells */

int64_t st_cell_int(const struct st_cell *cell)
{
	return cell->type == ST_CELL_INT ? cell->n : INT64_MIN;
}

const char *st_cell_text(const struct st_cell *cell)
{
	return cell->type == ST_CELL_TEXT ? cell->bytes : "";
}

struct st_id st_cell_id(const struct st_cell *cell)
{
	struct st_id id = {{0}};
	if (cell->type == ST_CELL_BLOB && cell->len == sizeof id.bytes) {
		memcpy(id.bytes, cell->bytes, sizeof id.bytes);
	}
	return id;
}

static void describe(const struct st_cell *cell, char *out, size_t size)
{
	if (cell->type == ST_CELL_NULL) {
		(void)snprintf(out, size, "nothing");
	} else if (cell->type == ST_CELL_INT) {
		(void)snprintf(out, size, "%" PRId64, cell->n);
	} else if (cell->type == ST_CELL_TEXT) {
		(void)snprintf(out, size, "%s", cell->bytes);
	} else {
		size_t room = (size - 1) / 2;
		size_t len = cell->len < room ? cell->len : room;
		(void)sodium_bin2hex(out, size, (const uint8_t *)cell->bytes, len);
	}
}

static struct st_cell text_cell(const char *text)
{
	return (struct st_cell){.type = ST_CELL_TEXT, .bytes = text, .len = strlen(text)};
}

static bool wrong_cell(const struct st_audit_at *at, int column, const struct st_cell *should)
{
	struct st_finding finding = {.law = at->law};
	const struct st_cell *cells = at->row->cells;
	const char *const *columns = tables[at->row->table].columns;
	(void)snprintf(finding.table, sizeof finding.table, "%s", tables[at->row->table].name);
	char key[2 * ST_HASH_BYTES + 1];
	describe(&cells[0], key, sizeof key);
	(void)snprintf(finding.key, sizeof finding.key, "%s=%s", columns[0], key);
	if (column >= 0) {
		(void)snprintf(finding.column, sizeof finding.column, "%s", columns[column]);
		describe(&cells[column], finding.says, sizeof finding.says);
	}
	describe(should, finding.should, sizeof finding.should);
	if (at->audit->run != NULL) {
		finding.run = at->audit->run->id;
	}
	st_audit_found(at->audit, &finding);
	return false;
}

bool st_audit_wrong(const struct st_audit_at *at, int column, const char *should)
{
	const struct st_cell cell = text_cell(should);
	return wrong_cell(at, column, &cell);
}

void st_audit_missing(struct st_audit *audit, enum st_law law, enum st_audit_table table,
		      const char *key)
{
	struct st_finding finding = {.law = law, .says = "nothing", .should = "a row"};
	(void)snprintf(finding.table, sizeof finding.table, "%s", tables[table].name);
	(void)snprintf(finding.key, sizeof finding.key, "%s", key);
	if (audit->run != NULL) {
		finding.run = audit->run->id;
	}
	st_audit_found(audit, &finding);
}

bool st_audit_null(const struct st_audit_at *at, int column)
{
	const struct st_cell none = {.type = ST_CELL_NULL};
	return at->row->cells[column].type == ST_CELL_NULL || wrong_cell(at, column, &none);
}

bool st_audit_int(const struct st_audit_at *at, int column, int64_t should)
{
	const struct st_cell *cell = &at->row->cells[column];
	const struct st_cell right = {.type = ST_CELL_INT, .n = should};
	return (cell->type == ST_CELL_INT && cell->n == should) || wrong_cell(at, column, &right);
}

bool st_audit_text(const struct st_audit_at *at, int column, const char *should)
{
	if (should == NULL) {
		return st_audit_null(at, column);
	}
	const struct st_cell *cell = &at->row->cells[column];
	const struct st_cell right = text_cell(should);
	bool same = cell->type == ST_CELL_TEXT && cell->len == right.len &&
		    memcmp(cell->bytes, should, right.len) == 0;
	return same || wrong_cell(at, column, &right);
}

bool st_audit_blob(const struct st_audit_at *at, int column, const void *should, size_t len)
{
	const struct st_cell *cell = &at->row->cells[column];
	const struct st_cell right = {.type = ST_CELL_BLOB, .bytes = should, .len = len};
	bool same =
	    cell->type == ST_CELL_BLOB && cell->len == len && memcmp(cell->bytes, should, len) == 0;
	return same || wrong_cell(at, column, &right);
}

bool st_audit_id(const struct st_audit_at *at, int column, struct st_id should)
{
	return st_id_is_none(should) ? st_audit_null(at, column)
				     : st_audit_blob(at, column, should.bytes, sizeof should.bytes);
}

bool st_audit_time(const struct st_audit_at *at, int column, st_time should)
{
	return should == ST_TIME_NONE ? st_audit_null(at, column)
				      : st_audit_int(at, column, should);
}

bool st_audit_amounts(const struct st_audit_at *at, int column, const struct st_amounts *should)
{
	struct st_buf text = {0};
	st_amounts_add_json(&text, should);
	bool same = st_audit_text(at, column, text.data);
	st_buf_fini(&text);
	return same;
}
