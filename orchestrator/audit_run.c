/* SPDX-License-Identifier: Apache-2.0 */
/* Does a run's own row say what its timeline tells? */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/audit_private.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "telemetry/timeline.h"

static void keep_cells(struct st_audit_run *run, const struct st_audit_row *row)
{
	for (int i = 0; i < RUN_N; i++) {
		run->cells[i] = row->cells[i];
		if (row->cells[i].bytes != NULL) {
			run->cells[i].bytes = st_strndup(row->cells[i].bytes, row->cells[i].len);
		}
	}
}

void st_audit_run_begin(struct st_audit *audit, const struct st_audit_row *row)
{
	struct st_audit_run *run = st_alloc(sizeof *run);
	keep_cells(run, row);
	run->no = st_cell_int(&row->cells[RUN_NO]);
	run->id = st_cell_id(&row->cells[RUN_ID]);
	run->created_at = ST_TIME_NONE;
	run->started_at = ST_TIME_NONE;
	run->ended_at = ST_TIME_NONE;
	run->active_ms = -1;
	run->last_at = ST_TIME_NONE;
	run->put_at = ST_TIME_NONE;
	if (audit->options.key != NULL) {
		st_seal_key_derive(audit->options.key, run->id, &run->key);
	}
	audit->run = run;
}

/* The definition */

static void take_limits(struct st_audit_run *run)
{
	const struct st_def *def = run->def;
	run->steps = st_alloc_array(def->n_steps, sizeof *run->steps);
	for (int m = 0; m < ST_METER_COUNT; m++) {
		run->sums.of[m] = (struct st_audit_sum){true, def->envelope.run.of[m], 0, 0, 0, 0};
	}
	for (size_t i = 0; i < def->n_steps; i++) {
		struct st_audit_step *step = &run->steps[i];
		step->n_items = -1;
		step->started_at = ST_TIME_NONE;
		step->ended_at = ST_TIME_NONE;
		step->last_end_at = ST_TIME_NONE;
		for (int m = 0; m < ST_METER_COUNT; m++) {
			int64_t limit = def->steps[i].limits.of[m];
			step->sums.of[m].limit = limit;
			step->sums.of[m].touched = limit != ST_UNLIMITED;
		}
	}
}

static void read_def(const struct st_audit_at *at, const char *text, size_t len)
{
	struct st_audit_run *run = at->audit->run;
	struct st_diag diag = {0};
	json_t *doc = NULL;
	int err = st_json_parse(text, len, len, &doc, &diag);
	if (err == ST_OK) {
		const struct st_def_input input = {.doc = doc, .config = at->audit->options.config};
		err = st_def_decode(at->audit->options.schemas, &input, &run->def, &diag);
	}
	json_decref(doc);
	if (err != ST_OK) {
		(void)st_audit_wrong(at, DEF_SHOWN, diag.text);
		return;
	}
	take_limits(run);
}

void st_audit_see_def(const struct st_audit_at *at)
{
	struct st_audit_run *run = at->audit->run;
	struct st_buf plain = {0};
	if (run == NULL || st_cell_int(&at->row->cells[DEF_RUN]) != run->no || run->def != NULL) {
		(void)st_audit_wrong(at, DEF_RUN, "a run that has no other definition");
		return;
	}
	const struct st_cell *shown = &at->row->cells[DEF_SHOWN];
	st_audit_unseal(at, DEF_SEALED, "def", 0, &plain);
	if (plain.len > 0) {
		st_audit_shown(at, DEF_SHOWN, plain.data);
		read_def(at, plain.data, plain.len);
	} else {
		read_def(at, st_cell_text(shown), shown->type == ST_CELL_TEXT ? shown->len : 0);
	}
	st_seal_buf_wipe(&plain);
}

/* The end */

static void check_names(const struct st_audit_at *at)
{
	const struct st_audit_run *run = at->audit->run;
	const struct st_def *def = run->def;
	(void)st_audit_text(at, RUN_NAME, def->name);
	(void)st_audit_text(at, RUN_KIND, st_run_kind_name(def->kind));
	(void)st_audit_text(at, RUN_WORKFLOW, def->scope_id[ST_SCOPE_WORKFLOW]);
	(void)st_audit_text(at, RUN_AGENT, def->scope_id[ST_SCOPE_AGENT]);
	(void)st_audit_text(at, RUN_USER, def->scope_id[ST_SCOPE_USER]);
	(void)st_audit_text(at, RUN_PROJECT, def->scope_id[ST_SCOPE_PROJECT]);
	(void)st_audit_text(at, RUN_TENANT, def->scope_id[ST_SCOPE_TENANT]);
	(void)st_audit_text(at, RUN_PLATFORM, def->scope_id[ST_SCOPE_PLATFORM]);
}

/* How long it ran is known to the second from its account, and never more than the timeline says.
 */
static void check_clock(const struct st_audit_at *at)
{
	const struct st_audit_run *run = at->audit->run;
	const struct st_cell *cells = at->row->cells;
	bool running = run->told == ST_RUN_RUNNING;
	int64_t active_ms = st_cell_int(&cells[RUN_ACTIVE_MS]);
	if (active_ms < 0 || active_ms < run->active_ms) {
		(void)st_audit_wrong(at, RUN_ACTIVE_MS, "as long as when it last stopped, or more");
	} else if (!running && run->active_ms >= 0) {
		(void)st_audit_int(at, RUN_ACTIVE_MS, run->active_ms);
	}
	if (!running) {
		(void)st_audit_null(at, RUN_ACTIVE_AT);
	} else if (cells[RUN_ACTIVE_AT].type != ST_CELL_INT) {
		(void)st_audit_wrong(at, RUN_ACTIVE_AT, "since when it runs");
	}
}

static bool has_open_call(const struct st_audit_run *run)
{
	for (size_t i = 0; i < run->calls.n; i++) {
		if (run->calls.of[i].end == NULL) {
			return true;
		}
	}
	return false;
}

/* An approval of a client's call is for one call: it stands, or it was used. */
static void check_approved(const struct st_audit_at *at)
{
	const struct st_audit_run *run = at->audit->run;
	uint8_t hash[ST_HASH_BYTES];
	if (run->approved[0] == '\0' || at->row->cells[RUN_APPROVED].type == ST_CELL_NULL) {
		(void)st_audit_null(at, RUN_APPROVED);
		return;
	}
	(void)sodium_hex2bin(hash, sizeof hash, run->approved, strlen(run->approved), NULL, NULL,
			     NULL);
	(void)st_audit_blob(at, RUN_APPROVED, hash, sizeof hash);
}

/* A step that failed before somebody cancelled the run says why it failed, one that the cancelling
 * itself ended does not; the timeline tells both the same. */
static void check_error(const struct st_audit_at *at)
{
	const struct st_audit_run *run = at->audit->run;
	bool none = at->row->cells[RUN_ERROR_CODE].type == ST_CELL_NULL;
	if (run->told == ST_RUN_CANCELLED && none) {
		(void)st_audit_null(at, RUN_ERROR);
		return;
	}
	(void)st_audit_text(at, RUN_ERROR_CODE, run->code[0] != '\0' ? run->code : NULL);
	(void)st_audit_text(at, RUN_ERROR, run->error);
}

static void check_state(const struct st_audit_at *at)
{
	const struct st_audit_run *run = at->audit->run;
	const struct st_id none = {{0}};
	bool halted = run->told == ST_RUN_HALTED && run->open_halt > 0;
	(void)st_audit_text(at, RUN_SUBMITTED_BY, run->submitted_by);
	(void)st_audit_time(at, RUN_CREATED_AT, run->created_at);
	(void)st_audit_text(at, RUN_STATE, st_machine_state_name(&st_run_machine, (int)run->told));
	(void)st_audit_time(at, RUN_STARTED_AT, run->started_at);
	(void)st_audit_time(at, RUN_ENDED_AT, run->ended_at);
	(void)st_audit_int(at, RUN_PAUSED, run->paused);
	(void)st_audit_id(at, RUN_HALT, halted ? run->halts.of[run->open_halt - 1].id : none);
	(void)st_audit_int(at, RUN_OPEN, run->told != ST_RUN_RUNNING && has_open_call(run));
	check_approved(at);
	check_error(at);
}

static void add_to_digest(struct st_audit *audit)
{
	const struct st_audit_run *run = audit->run;
	uint8_t seq[8];
	for (int i = 0; i < 8; i++) {
		seq[i] = (uint8_t)((uint64_t)run->seq >> (56 - 8 * i));
	}
	(void)crypto_generichash_update(&audit->digest, run->id.bytes, sizeof run->id.bytes);
	(void)crypto_generichash_update(&audit->digest, seq, sizeof seq);
	(void)crypto_generichash_update(&audit->digest, run->hash, sizeof run->hash);
}

/* The row names the last event; of a run that runs it may name one before it. */
static void check_head(const struct st_audit_at *at)
{
	const struct st_audit_run *run = at->audit->run;
	if (run->told != ST_RUN_RUNNING || run->put_at == ST_TIME_NONE) {
		(void)st_audit_int(at, RUN_SEQ, run->seq);
		(void)st_audit_blob(at, RUN_HASH, run->hash, sizeof run->hash);
		(void)st_audit_time(at, RUN_LAST_AT, run->last_at);
	} else {
		(void)st_audit_blob(at, RUN_HASH, run->put_hash, sizeof run->put_hash);
		(void)st_audit_time(at, RUN_LAST_AT, run->put_at);
	}
}

void st_audit_run_end(struct st_audit *audit)
{
	struct st_audit_run *run = audit->run;
	const struct st_audit_row row = {.table = ST_AUDIT_RUN, .cells = run->cells};
	struct st_audit_at at = {.audit = audit, .row = &row, .law = ST_LAW_CHAIN};
	check_head(&at);
	at.law = ST_LAW_STATES;
	st_audit_count(audit, ST_LAW_STATES, 1);
	if (run->def == NULL) {
		(void)st_audit_wrong(&at, -1, "a run with a definition");
	} else {
		check_names(&at);
		check_state(&at);
		check_clock(&at);
		st_audit_end_steps(&at);
		at.law = ST_LAW_LEDGER;
		st_audit_end_ledger(&at);
		at.law = ST_LAW_RECORDS;
		st_audit_end_records(&at);
	}
	add_to_digest(audit);
	st_audit_run_free(run);
	audit->run = NULL;
}
