/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From rows back to runs. The store gives the rows of each run together, its RUN row first; scopes
 * come before all runs, each followed by its accounts. A call that is stored as sent and has no
 * settlement was in flight when we went down, or was kept for sending again when the run was
 * parked: either way st_call_lost decides by its kind.
 */
#include <assert.h>
#include <string.h>

#include "orchestrator/core_private.h"
#include "orchestrator/gate.h"
#include "schemas/json.h"
#include "schemas/mem.h"

/* What is being put together. */
struct loading {
	struct st_turn *turn;
	struct st_run *run;   /* NULL: none yet, or this one is skipped */
	struct st_wide *wide; /* the scope whose accounts follow */
};

static struct st_def *decode(const struct st_core *core, const char *text)
{
	struct st_diag diag = {0};
	json_t *doc = NULL;
	struct st_def *def = NULL;
	int err = st_json_parse(text, strlen(text), 4 * ST_JSON_BYTES_MAX, &doc, &diag);
	assert(err == ST_OK);
	const struct st_def_input input = {.doc = doc, .config = core->options.config};
	err = st_def_decode(core->options.schemas, &input, &def, &diag);
	assert(err == ST_OK); /* it was accepted once; a newer program must go on accepting it */
	json_decref(doc);
	return def;
}

static void load_run(struct loading *loading, const struct st_row_run *row)
{
	struct st_core *core = loading->turn->core;
	loading->run = NULL;
	loading->wide = NULL;
	if (st_core_find(core, row->id) != NULL) {
		return;
	}
	struct st_run *run = st_run_new(core, decode(core, row->def));
	run->no = row->no;
	run->id = row->id;
	run->state = row->state;
	run->paused = row->paused;
	memcpy(run->submitted_by, row->submitted_by, sizeof run->submitted_by);
	memcpy(run->error_code, row->error_code, sizeof run->error_code);
	run->created_at = row->created_at;
	run->started_at = row->started_at;
	run->ended_at = row->ended_at;
	run->last_at = row->last_at;
	run->active_ms = row->active_ms;
	run->seq = row->seq;
	memcpy(run->hash, row->hash, sizeof run->hash);
	if (row->active_at != ST_TIME_NONE && row->last_at > row->active_at) {
		run->active_ms += row->last_at - row->active_at; /* down time is nobody's */
	}
	run->active_at = run->state == ST_RUN_RUNNING ? loading->turn->now : ST_TIME_NONE;
	run->accounts.scope = ST_SCOPE_RUN;
	char id[ST_ID_TEXT_MAX];
	memcpy(run->accounts.id, st_id_format(run->id, ST_ID_RUN, id), sizeof id);
	for (size_t i = 0; i < run->def->n_steps; i++) {
		run->steps[i].accounts.scope = ST_SCOPE_STEP;
		memcpy(run->steps[i].accounts.id, run->def->steps[i].id, ST_NAME_MAX);
	}
	st_core_insert(core, run);
	loading->run = run;
}

static void load_item(struct st_item *item, const struct st_row_step *row)
{
	item->state = row->item_state;
	item->stored = true;
	item->dirty = false;
	item->attempt = row->attempt;
	item->resends = row->resends;
	item->due = row->due;
	item->call = row->call;
	item->started_at = row->started_at;
	item->ended_at = row->ended_at;
	memcpy(item->error_code, row->error_code, sizeof item->error_code);
	if (row->has_approved) {
		item->approval = st_approval_restore(row);
	}
	if (row->output != NULL) {
		item->output = json_loads(row->output, JSON_DECODE_ANY, NULL);
		assert(item->output != NULL);
	}
}

static void load_step(struct loading *loading, const struct st_row_step *row)
{
	struct st_run *run = loading->run;
	struct st_step *step = &run->steps[row->step];
	assert(row->step < (int)run->def->n_steps);
	bool many = run->def->steps[row->step].for_each != NULL;
	if (row->item > 0) {
		assert(row->item <= step->n_items);
		load_item(&step->items[row->item - 1], row);
		return;
	}
	step->state = row->state;
	step->stored = true;
	step->started_at = row->started_at;
	step->ended_at = row->ended_at;
	memcpy(step->error_code, row->error_code, sizeof step->error_code);
	if (step->state == ST_STEP_FAILED && !run->def->steps[row->step].continue_on_error) {
		run->failing = true;
	}
	if (many && row->n_items >= 0) {
		st_step_make_items(step, row->n_items);
	} else if (!many && row->started_at != ST_TIME_NONE) {
		st_step_make_items(step, 1);
		load_item(&step->items[0], row);
	}
}

static void load_account(struct loading *loading, const struct st_row_account *row)
{
	struct st_accounts *accounts = NULL;
	if (row->scope_no > 0) {
		assert(loading->wide != NULL && loading->wide->no == row->scope_no);
		accounts = &loading->wide->accounts;
	} else if (loading->run != NULL) {
		accounts = row->step < 0 ? &loading->run->accounts
					 : &loading->run->steps[row->step].accounts;
	}
	if (accounts == NULL) {
		return;
	}
	struct st_account *account = st_accounts_open(accounts, row->meter, row->limit);
	account->limit = row->limit;
	account->granted = row->granted;
	account->settled = row->settled;
	account->held = row->held;
	account->overrun = row->overrun;
	account->row = row->no;
	account->dirty = false;
}

static struct st_item *item_at(struct st_run *run, int step, int k)
{
	assert(step >= 0 && step < (int)run->def->n_steps);
	assert(k >= 0 && k < run->steps[step].n_items);
	return &run->steps[step].items[k];
}

/* A hold that has no end yet, with its call right behind it. */
static void load_call(struct loading *loading, const struct st_row_hold *hold,
		      const struct st_row_call *row)
{
	struct st_run *run = loading->run;
	struct st_item *item = item_at(run, row->step, row->item);
	assert(hold->no == row->hold_no);
	assert(item->flight == NULL);
	const struct st_claim claim = {.call = row->id, .hold = hold->id, .attempt = row->attempt};
	struct st_flight *flight = st_alloc(sizeof *flight);
	flight->no = row->no;
	flight->grant = st_grant_restore(&hold->amounts, &claim);
	flight->state = row->state;
	flight->idempotence = (enum st_idempotence)row->idempotence;
	flight->counting = strcmp(row->kind, "model.count") == 0;
	flight->since = row->at;
	item->flight = flight;
	run->n_doubts += row->state == ST_HOLD_IN_DOUBT;
}

static void load_halt(struct loading *loading, const struct st_row_halt *row)
{
	struct st_halt *halt = &loading->run->halt;
	assert(row->decided_at == ST_TIME_NONE);
	halt->id = row->id;
	halt->kind = row->kind;
	halt->step = row->step;
	halt->item = row->item;
	halt->since = row->since;
	halt->call = row->call;
	memcpy(halt->params_hash, row->params_hash, sizeof halt->params_hash);
	if (row->verdict_json != NULL) {
		halt->verdict = st_alloc(sizeof *halt->verdict);
		int err = st_verdict_parse(row->verdict_json, halt->verdict);
		assert(err == ST_OK);
	}
}

/* Everything of the run is there: what was in flight is lost, what was waiting goes on. */
static void wake_run(struct loading *loading)
{
	struct st_run *run = loading->run;
	struct st_diag diag;
	if (run == NULL) {
		return;
	}
	run->accounts.dirty = false; /* as loaded; a lost call may change it again */
	for (int i = 0; i < (int)run->def->n_steps; i++) {
		struct st_step *step = &run->steps[i];
		step->accounts.dirty = false;
		if (step->state == ST_STEP_RUNNING) {
			int err = st_step_expand(run, i, &diag);
			assert(err == ST_OK); /* the same outputs give the same items */
		}
		for (int k = 0; k < step->n_items; k++) {
			struct st_item *item = &step->items[k];
			if (item->state == ST_ITEM_CALLING) {
				assert(item->flight != NULL);
				st_call_lost(loading->turn, run, i, k);
			}
		}
	}
	st_core_touch(loading->turn->core, run);
	loading->run = NULL;
}

static void load_scope(struct loading *loading, const struct st_row_scope *row)
{
	struct st_core *core = loading->turn->core;
	int64_t next = core->numbers.scope;
	struct st_wide *wide = st_core_wide(core, row->scope, row->id);
	wide->no = row->no;
	wide->stored = true;
	core->numbers.scope = next > row->no ? next : row->no + 1;
	loading->wide = wide;
}

static void load_row(struct loading *loading, const struct st_rows *rows, size_t i)
{
	const struct st_row *row = &rows->of[i];
	switch (row->type) {
	case ST_ROW_RUN:
		wake_run(loading);
		load_run(loading, row->run);
		return;
	case ST_ROW_SCOPE:
		load_scope(loading, row->scope);
		return;
	case ST_ROW_ACCOUNT:
		load_account(loading, row->account);
		return;
	case ST_ROW_STEP:
		if (loading->run != NULL) {
			load_step(loading, row->step);
		}
		return;
	case ST_ROW_CALL:
		assert(i > 0 && rows->of[i - 1].type == ST_ROW_HOLD);
		if (loading->run != NULL) {
			load_call(loading, rows->of[i - 1].hold, row->call);
		}
		return;
	case ST_ROW_HALT:
		if (loading->run != NULL) {
			load_halt(loading, row->halt);
		}
		return;
	case ST_ROW_HOLD: /* taken together with the call behind it */
	case ST_ROW_SETTLEMENT:
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

void st_recover_load(struct st_turn *turn, const struct st_event *event)
{
	struct loading loading = {.turn = turn};
	for (size_t i = 0; i < event->load.rows->n; i++) {
		load_row(&loading, event->load.rows, i);
	}
	wake_run(&loading);
}
