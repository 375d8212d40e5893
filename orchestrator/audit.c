/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timeline is chained, so it is taken as what happened; from it follows what every other row of
 * the run must say. Rows are looked at one by one against that, and the sums over holds and
 * settlements against the accounts. Only what one run told is kept in memory, and one line for each
 * wider scope.
 */
#include "orchestrator/audit.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/audit_private.h"
#include "schemas/mem.h"

/* Which law a table's rows stand under, and what looks at them. */
static const struct {
	enum st_law law;
	void (*see)(const struct st_audit_at *at);
} tables[] = {
    [ST_AUDIT_META] = {ST_LAW_SEALS, st_audit_see_meta},
    [ST_AUDIT_SCOPE] = {ST_LAW_NUMBERS, st_audit_see_scope},
    [ST_AUDIT_TOKEN] = {ST_LAW_RECORDS, st_audit_see_token},
    [ST_AUDIT_ANSWER] = {ST_LAW_RECORDS, st_audit_see_answer},
    [ST_AUDIT_RUN] = {ST_LAW_STATES, NULL},
    [ST_AUDIT_DEF] = {ST_LAW_SEALS, st_audit_see_def},
    [ST_AUDIT_EVENT] = {ST_LAW_CHAIN, st_audit_see_event},
    [ST_AUDIT_ATTEMPT] = {ST_LAW_HOLDS, st_audit_see_attempt},
    [ST_AUDIT_SETTLEMENT] = {ST_LAW_HOLDS, st_audit_see_settlement},
    [ST_AUDIT_GRANT] = {ST_LAW_DECISIONS, st_audit_see_grant},
    [ST_AUDIT_HALT] = {ST_LAW_DECISIONS, st_audit_see_halt},
    [ST_AUDIT_EXTERNAL_ID] = {ST_LAW_RECORDS, st_audit_see_external_id},
    [ST_AUDIT_TRANSCRIPT] = {ST_LAW_RECORDS, st_audit_see_transcript},
    [ST_AUDIT_ARTIFACT] = {ST_LAW_RECORDS, st_audit_see_artifact},
    [ST_AUDIT_STEP] = {ST_LAW_STATES, st_audit_see_step},
    [ST_AUDIT_ACCOUNT] = {ST_LAW_LEDGER, st_audit_see_account},
};
static_assert(sizeof tables / sizeof tables[0] == ST_AUDIT_TABLE_COUNT, "every table is there");

struct st_audit *st_audit_new(const struct st_audit_options *options)
{
	struct st_audit *audit = st_alloc(sizeof *audit);
	audit->options = *options;
	audit->result.sealed_seen = options->key != NULL;
	(void)crypto_generichash_init(&audit->digest, NULL, 0, ST_HASH_BYTES);
	return audit;
}

void st_audit_free(struct st_audit *audit)
{
	if (audit == NULL) {
		return;
	}
	st_audit_run_free(audit->run);
	st_free(audit->scopes);
	st_free(audit->by_name);
	st_free(audit);
}

/* Rows */

/* Which tables number their rows from 1 on. The others have numbers that mean something. */
static bool is_counted(enum st_audit_table table)
{
	static const uint32_t counted =
	    1U << ST_AUDIT_SCOPE | 1U << ST_AUDIT_TOKEN | 1U << ST_AUDIT_RUN;
	return (counted >> table & 1) != 0;
}

static void see_number(const struct st_audit_at *at)
{
	struct st_audit *audit = at->audit;
	enum st_audit_table table = at->row->table;
	if (is_counted(table) && !audit->options.one_run) {
		struct st_audit_at number = *at;
		number.law = ST_LAW_NUMBERS;
		int64_t no = audit->last_no[table] + 1;
		if (!st_audit_int(&number, 0, no)) {
			no = st_cell_int(&at->row->cells[0]);
		}
		audit->last_no[table] = no;
	}
	audit->result.rows[table]++;
}

static void begin_run(const struct st_audit_at *at)
{
	if (at->audit->run != NULL) {
		st_audit_run_end(at->audit);
	}
	see_number(at);
	st_audit_run_begin(at->audit, at->row);
}

void st_audit_see(struct st_audit *audit, const struct st_audit_row *row)
{
	const struct st_audit_at at = {.audit = audit, .row = row, .law = tables[row->table].law};
	st_audit_count(audit, ST_LAW_NUMBERS, 1);
	if (row->table == ST_AUDIT_RUN) {
		begin_run(&at);
		return;
	}
	see_number(&at);
	st_audit_count(audit, at.law, 1);
	if (row->table == ST_AUDIT_ACCOUNT && st_cell_int(&row->cells[0]) < 0) {
		if (audit->run != NULL) {
			st_audit_run_end(audit);
		}
		st_audit_see_wide(&at);
		return;
	}
	bool of_run = row->table > ST_AUDIT_RUN;
	bool known =
	    audit->run != NULL && (row->table <= ST_AUDIT_EVENT || audit->run->def != NULL);
	if (!of_run || known) {
		tables[row->table].see(&at);
	}
}

/* A scope that has no account where one was used, or that no run names. */
static void end_scope(struct st_audit *audit, const struct st_audit_scope *scope)
{
	struct st_cell cells[SCOPE_N] = {{.type = ST_CELL_INT, .n = scope->no}};
	const struct st_audit_row row = {.table = ST_AUDIT_SCOPE, .cells = cells};
	struct st_audit_at at = {.audit = audit, .row = &row, .law = ST_LAW_NUMBERS};
	if (!scope->used) {
		(void)st_audit_wrong(&at, -1, "a scope that a run names");
	}
	at.law = ST_LAW_LEDGER;
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if (scope->sums.of[m].touched && (scope->seen >> m & 1) == 0) {
			char should[96];
			(void)snprintf(should, sizeof should, "a scope with an account of %s",
				       st_meter_name((enum st_meter)m));
			(void)st_audit_wrong(&at, -1, should);
		}
	}
}

const struct st_audit_result *st_audit_end(struct st_audit *audit)
{
	if (audit->run != NULL) {
		st_audit_run_end(audit);
	}
	for (size_t i = 0; i < audit->n_scopes && !audit->options.one_run; i++) {
		end_scope(audit, &audit->scopes[i]);
	}
	(void)crypto_generichash_final(&audit->digest, audit->result.digest, ST_HASH_BYTES);
	return &audit->result;
}
