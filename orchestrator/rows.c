/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/rows.h"

#include <assert.h>
#include <string.h>

#include "orchestrator/gate.h"
#include "redact/redact.h"
#include "schemas/json.h"

static bool has_open_call(const struct st_run *run)
{
	if (run->n_clients > 0) {
		return true;
	}
	for (size_t i = 0; i < run->def->n_steps; i++) {
		for (int k = 0; k < run->steps[i].n_items; k++) {
			if (run->steps[i].items[k].flight != NULL) {
				return true;
			}
		}
	}
	return false;
}

/* While a run runs, most that happens to it changes nothing of its row but the head of its
 * timeline, which the timeline itself says. */
static bool run_is_as_put(struct st_run *run)
{
	const struct st_run_put now = {.any = true,
				       .approved = run->approval != NULL,
				       .paused = run->paused,
				       .state = run->state,
				       .failing = run->failing,
				       .active_at = run->active_at,
				       .active_ms = run->active_ms};
	const struct st_run_put *put = &run->put;
	bool same = put->any && run->state == ST_RUN_RUNNING && put->state == now.state &&
		    put->paused == now.paused && put->approved == now.approved &&
		    put->failing == now.failing && put->active_at == now.active_at &&
		    put->active_ms == now.active_ms;
	run->put = now;
	return same;
}

static void run_row(struct st_run *run, struct st_rows *rows)
{
	struct st_row_run *row = st_rows_add_run(rows);
	row->head_only = run_is_as_put(run);
	row->no = run->no;
	row->id = run->id;
	row->state = run->state;
	row->started_at = run->started_at;
	row->ended_at = run->ended_at;
	row->last_at = run->last_at;
	row->active_ms = run->active_ms;
	row->active_at = run->active_at;
	row->paused = run->paused;
	row->halt = run->halt.id;
	row->open = run->state != ST_RUN_RUNNING && has_open_call(run);
	row->seq = run->seq;
	memcpy(row->hash, run->hash, sizeof row->hash);
	memcpy(row->error_code, run->error_code, sizeof row->error_code);
	row->error = st_clean_copy(run->error);
	if (run->approval != NULL) {
		row->has_approved = true;
		memcpy(row->approved, st_approval_hash(run->approval), sizeof row->approved);
	}
}

static struct st_row_step *new_step_row(const struct st_run *run, int i, int item,
					struct st_rows *rows)
{
	const struct st_def_step *def = &run->def->steps[i];
	struct st_row_step *row = st_rows_add_step(rows);
	row->run_no = run->no;
	row->step = i;
	row->item = item;
	memcpy(row->id, def->id, sizeof row->id);
	memcpy(row->uses, def->uses, sizeof row->uses);
	row->state = run->steps[i].state;
	row->n_items = -1;
	row->due = ST_TIME_NONE;
	row->started_at = run->steps[i].started_at;
	row->ended_at = run->steps[i].ended_at;
	return row;
}

static void fill_item(const struct st_core *core, const struct st_item *item,
		      struct st_row_step *row)
{
	row->item_state = item->state;
	row->attempt = item->attempt;
	row->resends = item->resends;
	row->due = item->due;
	row->call = item->call;
	if (item->approval != NULL) {
		row->has_approved = true;
		memcpy(row->approved, st_approval_hash(item->approval), sizeof row->approved);
	}
	if (item->output != NULL) {
		row->output = st_json_compact(item->output);
		row->shown = st_redact_json(core->options.redactor, item->output);
	}
	row->citations = st_clean_copy(item->citations);
	memcpy(row->error_code, item->error_code, sizeof row->error_code);
	row->error = st_clean_copy(item->error);
}

static void single_step_rows(const struct st_core *core, struct st_run *run, int i,
			     struct st_rows *rows)
{
	struct st_step *step = &run->steps[i];
	struct st_item *item = step->expanded ? &step->items[0] : NULL;
	if (!step->dirty && !(item != NULL && item->dirty)) {
		return;
	}
	struct st_row_step *row = new_step_row(run, i, 0, rows);
	row->insert = !step->stored;
	if (item != NULL) {
		fill_item(core, item, row);
		item->dirty = false;
	}
	if (step->error_code[0] != '\0' && row->error == NULL) {
		memcpy(row->error_code, step->error_code, sizeof row->error_code);
		row->error = st_clean_copy(step->error);
	}
	step->stored = true;
	step->dirty = false;
}

/* The row of an item says of itself what a step's row says of the step. */
static enum st_step_state state_of_item(enum st_item_state state)
{
	return state == ST_ITEM_SUCCEEDED   ? ST_STEP_SUCCEEDED
	       : state == ST_ITEM_FAILED    ? ST_STEP_FAILED
	       : state == ST_ITEM_CANCELLED ? ST_STEP_CANCELLED
					    : ST_STEP_RUNNING;
}

static void many_step_rows(const struct st_core *core, struct st_run *run, int i,
			   struct st_rows *rows)
{
	struct st_step *step = &run->steps[i];
	if (step->dirty) {
		struct st_row_step *row = new_step_row(run, i, 0, rows);
		row->insert = !step->stored;
		row->n_items = step->expanded ? step->n_items : -1;
		memcpy(row->error_code, step->error_code, sizeof row->error_code);
		row->error = st_clean_copy(step->error);
		step->stored = true;
		step->dirty = false;
	}
	for (int k = 0; k < step->n_items; k++) {
		struct st_item *item = &step->items[k];
		if (!item->dirty) {
			continue;
		}
		struct st_row_step *row = new_step_row(run, i, k + 1, rows);
		row->insert = !item->stored;
		row->state = state_of_item(item->state);
		row->started_at = item->started_at;
		row->ended_at = item->ended_at;
		fill_item(core, item, row);
		item->stored = true;
		item->dirty = false;
	}
}

/* Where the accounts of a set are kept. */
struct account_place {
	int64_t run_no;
	int step;
	int64_t scope_no;
};

static void account_rows(struct st_accounts *accounts, const struct account_place *place,
			 struct st_rows *rows)
{
	if (!accounts->dirty) {
		return;
	}
	accounts->dirty = false;
	for (size_t i = 0; i < accounts->n; i++) {
		struct st_account *account = &accounts->of[i];
		if (!account->dirty) {
			continue;
		}
		account->dirty = false;
		struct st_row_account *row = st_rows_add_account(rows);
		row->insert = account->row == 0;
		account->row = place->scope_no > 0
				   ? st_row_wide_account_no(place->scope_no, account->meter)
				   : st_row_account_no(place->run_no, place->step, account->meter);
		row->no = account->row;
		row->run_no = place->run_no;
		row->step = place->step;
		row->scope_no = place->scope_no;
		row->scope = accounts->scope;
		row->meter = account->meter;
		row->limit = account->limit;
		row->granted = account->granted;
		row->settled = account->settled;
		row->held = account->held;
		row->overrun = account->overrun;
	}
}

void st_rows_of_run(struct st_core *core, struct st_run *run, struct st_rows *rows)
{
	run_row(run, rows);
	for (int i = 0; i < (int)run->def->n_steps; i++) {
		if (run->def->steps[i].for_each == NULL) {
			single_step_rows(core, run, i, rows);
		} else {
			many_step_rows(core, run, i, rows);
		}
		const struct account_place place = {.run_no = run->no, .step = i};
		account_rows(&run->steps[i].accounts, &place, rows);
	}
	const struct account_place place = {.run_no = run->no, .step = -1};
	account_rows(&run->accounts, &place, rows);
}

void st_rows_of_wide(struct st_wide *wide, struct st_rows *rows)
{
	if (!wide->stored) {
		struct st_row_scope *row = st_rows_add_scope(rows);
		row->no = wide->no;
		row->scope = wide->accounts.scope;
		memcpy(row->id, wide->accounts.id, sizeof row->id);
		wide->stored = true;
	}
	const struct account_place place = {.step = -1, .scope_no = wide->no};
	account_rows(&wide->accounts, &place, rows);
}
