/* SPDX-License-Identifier: Apache-2.0 */
/* What would a store hold and give back? Rows are applied when their batch is committed, never
 * before, and read back in the order in which orchestrator/io/store_load.c gives them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "schemas/mem.h"
#include "tests/sim/sim.h"

struct sim_run *sim_store_run(struct sim_store *store, int64_t no)
{
	return no > 0 && no <= store->n_runs ? store->runs[no] : NULL;
}

struct sim_run *sim_store_find(struct sim_store *store, struct st_id id)
{
	for (int64_t no = 1; no <= store->n_runs; no++) {
		if (store->runs[no] != NULL && st_id_equal(store->runs[no]->id, id)) {
			return store->runs[no];
		}
	}
	return NULL;
}

struct sim_hold *sim_store_hold(struct sim_store *store, int64_t no)
{
	bool there = no > 0 && no <= store->n_holds && store->holds[no].there;
	return there ? &store->holds[no] : NULL;
}

int sim_store_scope(struct sim_store *store, enum st_scope scope, const char *id)
{
	int i = 0;
	if (store->scopes == NULL) {
		store->scopes = st_alloc_array(SIM_SCOPES_MAX, sizeof *store->scopes);
	}
	while (i < store->n_scopes &&
	       (store->scopes[i].row.scope != scope || strcmp(store->scopes[i].row.id, id) != 0)) {
		i++;
	}
	if (i == store->n_scopes) {
		assert(i < SIM_SCOPES_MAX);
		store->n_scopes++;
		store->scopes[i].row.scope = scope;
		(void)snprintf(store->scopes[i].row.id, ST_NAME_MAX, "%s", id);
	}
	return i;
}

/* ---- in ---- */

static void put_run(struct sim_store *store, const struct st_row_run *row)
{
	if (row->head_only) { /* the timeline says it */
		return;
	}
	if (row->insert) {
		struct sim_run *run = st_alloc(sizeof *run);
		assert(row->no < SIM_RUNS_MAX * 2);
		run->no = row->no;
		run->id = row->id;
		run->row = *row;
		run->row.def = st_strdup(row->def);
		run->row.shown = NULL;
		run->row.error = NULL;
		store->runs[row->no] = run;
		store->n_runs = row->no > store->n_runs ? row->no : store->n_runs;
		return;
	}
	struct st_row_run *kept = &store->runs[row->no]->row;
	kept->state = row->state;
	kept->started_at = row->started_at;
	kept->ended_at = row->ended_at;
	kept->last_at = row->last_at;
	kept->active_ms = row->active_ms;
	kept->active_at = row->active_at;
	kept->paused = row->paused;
	kept->halt = row->halt;
	kept->open = row->open;
	kept->seq = row->seq;
	memcpy(kept->hash, row->hash, sizeof kept->hash);
	memcpy(kept->error_code, row->error_code, sizeof kept->error_code);
}

static void put_step(struct sim_store *store, const struct st_row_step *row)
{
	struct sim_item *item = &store->runs[row->run_no]->steps[row->step].items[row->item];
	char *output = item->row.output;
	item->row = *row;
	item->row.output = output;
	if (row->output != NULL) {
		st_free(output);
		item->row.output = st_strdup(row->output);
	}
	item->row.shown = NULL;
	item->row.citations = NULL;
	item->row.error = NULL;
	item->stored = true;
	item->epoch = store->runs[row->run_no]->epoch;
}

static void put_account(struct sim_store *store, const struct st_row_account *row)
{
	struct sim_account *account = NULL;
	if (row->scope_no > 0) {
		int i = 0;
		while (i < store->n_scopes && store->scopes[i].row.no != row->scope_no) {
			i++;
		}
		assert(i < store->n_scopes);
		account = &store->scopes[i].accounts[row->meter];
	} else if (row->step < 0) {
		account = &store->runs[row->run_no]->accounts[row->meter];
	} else {
		account = &store->runs[row->run_no]->steps[row->step].accounts[row->meter];
	}
	account->row = *row;
	account->stored = true;
}

static void put_scope(struct sim_store *store, const struct st_row_scope *row)
{
	store->scopes[sim_store_scope(store, row->scope, row->id)].row.no = row->no;
}

static void put_hold(struct sim_store *store, const struct st_row_hold *row)
{
	if (row->no >= store->holds_cap) {
		int64_t cap = store->holds_cap == 0 ? 128 : store->holds_cap * 2;
		store->holds = st_realloc(store->holds, (size_t)cap * sizeof *store->holds);
		memset(store->holds + store->holds_cap, 0,
		       (size_t)(cap - store->holds_cap) * sizeof *store->holds);
		store->holds_cap = cap;
	}
	struct sim_hold *hold = &store->holds[row->no];
	*hold = (struct sim_hold){.there = true, .row = *row};
	store->n_holds = row->no > store->n_holds ? row->no : store->n_holds;
}

static void put_call(struct sim_store *store, const struct st_row_call *row)
{
	struct sim_hold *hold = &store->holds[row->no];
	if (row->insert) {
		hold->call = *row;
		hold->call.params = NULL;
		hold->call.intent = NULL;
		hold->call.result = NULL;
		hold->counting = strcmp(row->kind, "model.count") == 0;
		return;
	}
	hold->call.state = row->state;
	hold->call.ended_at = row->ended_at;
}

static void put_halt(struct sim_store *store, const struct st_row_halt *row)
{
	struct sim_run *run = store->runs[row->run_no];
	st_free(run->halt.verdict_json);
	run->halt.verdict_json = NULL;
	run->halted = row->insert;
	if (!row->insert) {
		run->last_halt = row->id;
		return;
	}
	run->halt = *row;
	run->halt.verdict_json =
	    row->verdict != NULL ? st_strdup(st_clean_text(row->verdict)) : NULL;
	run->halt.verdict = NULL;
	run->halt.intent = NULL;
	run->halt.reason = NULL;
}

void sim_store_put(struct sim *s, struct st_row *row)
{
	struct sim_store *store = &s->store;
	switch (row->type) {
	case ST_ROW_RUN:
		put_run(store, row->run);
		return;
	case ST_ROW_STEP:
		put_step(store, row->step);
		store->runs[row->step->run_no]
		    ->steps[row->step->step]
		    .items[row->step->item]
		    .moved = s->told;
		return;
	case ST_ROW_SCOPE:
		put_scope(store, row->scope);
		return;
	case ST_ROW_ACCOUNT:
		put_account(store, row->account);
		return;
	case ST_ROW_HOLD:
		put_hold(store, row->hold);
		return;
	case ST_ROW_CALL:
		put_call(store, row->call);
		return;
	case ST_ROW_SETTLEMENT:
		store->holds[row->settlement->hold_no].ended = true;
		store->holds[row->settlement->hold_no].used = row->settlement->used;
		return;
	case ST_ROW_HALT:
		put_halt(store, row->halt);
		return;
	case ST_ROW_PULSE:
		store->alive_at = row->pulse->at;
		return;
	case ST_ROW_GRANT:
	case ST_ROW_EVENT:
	case ST_ROW_EXTERNAL_ID:
	case ST_ROW_TRANSCRIPT:
	case ST_ROW_ARTIFACT:
	case ST_ROW_ANSWER:
	case ST_ROW_TOKEN:
		return;
	}
}

/* ---- out ---- */

static void load_steps(const struct sim_run *run, struct st_rows *out)
{
	for (int i = 0; i < run->n_steps; i++) {
		for (int k = 0; k <= SIM_ITEMS_MAX; k++) {
			const struct sim_item *item = &run->steps[i].items[k];
			if (item->stored) {
				struct st_row_step *row = st_rows_add_step(out);
				*row = item->row;
				row->output = st_strdup(item->row.output);
			}
		}
	}
}

static void load_accounts(const struct sim_account *accounts, struct st_rows *out)
{
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if (accounts[m].stored) {
			*st_rows_add_account(out) = accounts[m].row;
		}
	}
}

static void load_calls(const struct sim_store *store, int64_t run_no, struct st_rows *out)
{
	for (int64_t no = 1; no <= store->n_holds; no++) {
		const struct sim_hold *hold = &store->holds[no];
		if (hold->there && !hold->ended && hold->row.run_no == run_no) {
			*st_rows_add_hold(out) = hold->row;
			*st_rows_add_call(out) = hold->call;
		}
	}
}

static void load_run(const struct sim_store *store, const struct sim_run *run, struct st_rows *out)
{
	struct st_row_run *row = st_rows_add_run(out);
	*row = run->row;
	row->def = st_strdup(run->row.def);
	row->seq = run->seq; /* the end of the timeline */
	row->last_at = run->last_at;
	memcpy(row->hash, run->hash, sizeof row->hash);
	load_steps(run, out);
	load_accounts(run->accounts, out);
	for (int i = 0; i < run->n_steps; i++) {
		load_accounts(run->steps[i].accounts, out);
	}
	load_calls(store, run->no, out);
	if (run->halted) {
		struct st_row_halt *halt = st_rows_add_halt(out);
		*halt = run->halt;
		halt->verdict_json = st_strdup(run->halt.verdict_json);
	}
}

void sim_store_load(struct sim_store *store, int64_t run_no, struct st_rows *out)
{
	if (run_no == 0 && store->alive_at != ST_TIME_NONE) {
		st_rows_add_pulse(out)->at = store->alive_at;
	}
	for (int i = 0; run_no == 0 && i < store->n_scopes; i++) {
		if (store->scopes[i].row.no > 0) {
			*st_rows_add_scope(out) = store->scopes[i].row;
			load_accounts(store->scopes[i].accounts, out);
		}
	}
	for (int64_t no = 1; no <= store->n_runs; no++) {
		const struct sim_run *run = store->runs[no];
		bool live = run->row.state == ST_RUN_QUEUED || run->row.state == ST_RUN_RUNNING;
		bool wanted = run_no == 0 ? live || run->row.open : run_no == no;
		if (wanted) {
			load_run(store, run, out);
		}
	}
}

void sim_store_fini(struct sim_store *store)
{
	for (int64_t no = 1; no <= store->n_runs; no++) {
		struct sim_run *run = store->runs[no];
		st_free(run->row.def);
		st_free(run->halt.verdict_json);
		for (int i = 0; i < SIM_STEPS_MAX; i++) {
			for (int k = 0; k <= SIM_ITEMS_MAX; k++) {
				st_free(run->steps[i].items[k].row.output);
			}
		}
		st_free(run);
	}
	st_free(store->scopes);
	st_free(store->holds);
	*store = (struct sim_store){0};
}
