/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From rows back to runs. The store gives the rows of each run together, its RUN row first; scopes
 * come before all runs, each followed by its accounts. A call that is stored as sent and has no
 * settlement was in flight when we went down, or was kept for sending again when the run was
 * parked: either way st_call_lost decides by its kind.
 *
 * Rows that do not fit together are damage. A run with such rows is not taken in: nothing of it is
 * acted on, and who asked for it is told.
 */
#include "orchestrator/recover.h"

#include <assert.h>
#include <string.h>

#include "orchestrator/call_end.h"
#include "orchestrator/client_call.h"
#include "orchestrator/definitions.h"
#include "orchestrator/gate.h"
#include "orchestrator/registry.h"
#include "orchestrator/run.h"
#include "orchestrator/step.h"
#include "schemas/mem.h"

/* What is being put together. */
struct loading {
	struct st_turn *turn;
	struct st_run *run;   /* NULL: none yet, or this one is skipped */
	struct st_wide *wide; /* the scope whose accounts follow */
	struct st_diag *diag; /* or NULL */
	st_time alive_at;     /* the store was in use then, as far as it knows; or NONE */
	bool spoiled;	      /* what all runs share is damaged: none is taken in */
};

/* Puts the run that is being loaded aside, with what does not fit. */
static void damaged(struct loading *loading, const char *what)
{
	char id[ST_ID_TEXT_MAX] = "the store";
	struct st_run *run = loading->run;
	if (run != NULL) {
		(void)st_id_format(run->id, ST_ID_RUN, id);
		st_core_remove(loading->turn->core, run);
		st_run_free(run);
	}
	loading->spoiled = loading->spoiled || run == NULL;
	loading->run = NULL;
	(void)st_fail(loading->diag, ST_ERR_CORRUPT,
		      "%s: %s does not fit the rest; restore a backup", id, what);
}

/* Until when the run was surely live: its last event says so, unless it stands further behind the
 * last pulse than pulses do; then the clock was set back and the timeline only kept its order. */
static st_time seen_alive(const struct loading *loading, const struct st_row_run *row)
{
	st_time alive_at = loading->alive_at;
	bool counts = alive_at == ST_TIME_NONE || row->last_at - alive_at <= ST_PULSE_MS;
	return counts && row->last_at > alive_at ? row->last_at : alive_at;
}

static void load_run(struct loading *loading, const struct st_row_run *row)
{
	struct st_core *core = loading->turn->core;
	loading->run = NULL;
	loading->wide = NULL;
	if (loading->spoiled || st_core_find(core, row->id) != NULL) {
		return;
	}
	struct st_def *def = st_definitions_read(core->definitions, &core->options, row->def);
	if (def == NULL) { /* it was accepted once */
		damaged(loading, "a run's definition");
		return;
	}
	struct st_run *run = st_run_new(core, def);
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
	st_time until = seen_alive(loading, row);
	if (row->active_at != ST_TIME_NONE && until > row->active_at) {
		run->active_ms += until - row->active_at; /* down time is nobody's */
	}
	if (row->has_approved) {
		run->approval = st_approval_restore_run(row);
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

static bool load_item(struct st_item *item, const struct st_row_step *row)
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
		item->output = json_loads(row->output, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	}
	bool due = item->due != ST_TIME_NONE || item->state != ST_ITEM_SLEEPING;
	return due && item->attempt >= 0 && item->resends >= 0 &&
	       (row->output == NULL || item->output != NULL);
}

/* The row of a step as a whole. */
static bool load_whole(struct st_run *run, const struct st_row_step *row)
{
	struct st_step *step = &run->steps[row->step];
	const struct st_def_step *def = &run->def->steps[row->step];
	step->state = row->state;
	step->stored = true;
	step->started_at = row->started_at;
	step->ended_at = row->ended_at;
	memcpy(step->error_code, row->error_code, sizeof step->error_code);
	if (step->state == ST_STEP_FAILED && !def->continue_on_error) {
		run->failing = true;
	}
	if (def->for_each != NULL && row->n_items >= 0) {
		if (row->n_items > ST_FOR_EACH_MAX) {
			return false;
		}
		st_step_make_items(step, row->n_items);
	} else if (def->for_each == NULL && row->started_at != ST_TIME_NONE) {
		st_step_make_items(step, 1);
		return load_item(&step->items[0], row);
	}
	return true;
}

static bool load_step(struct st_run *run, const struct st_row_step *row)
{
	if (row->step < 0 || row->step >= (int)run->def->n_steps) {
		return false;
	}
	struct st_step *step = &run->steps[row->step];
	if (row->item == 0) {
		return !step->stored && load_whole(run, row);
	}
	bool there = row->item > 0 && row->item <= step->n_items &&
		     run->def->steps[row->step].for_each != NULL;
	return there && load_item(&step->items[row->item - 1], row);
}

static bool account_fits(const struct loading *loading, const struct st_row_account *row)
{
	bool sane = row->limit >= ST_UNLIMITED && row->granted >= 0 && row->settled >= 0 &&
		    row->held >= 0 && row->overrun >= 0 && row->overrun <= row->settled;
	if (row->scope_no > 0) {
		return sane && loading->wide != NULL && loading->wide->no == row->scope_no;
	}
	return sane && (loading->run == NULL ||
			(row->step >= -1 && row->step < (int)loading->run->def->n_steps));
}

static void load_account(struct loading *loading, const struct st_row_account *row)
{
	struct st_accounts *accounts = NULL;
	if (!account_fits(loading, row)) {
		damaged(loading, "an account");
		return;
	}
	if (row->scope_no > 0) {
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
	bool there =
	    step >= 0 && step < (int)run->def->n_steps && k >= 0 && k < run->steps[step].n_items;
	return there ? &run->steps[step].items[k] : NULL;
}

static bool load_flight(const struct st_row_hold *hold, const struct st_row_call *row,
			struct st_flight **out)
{
	bool open = row->state == ST_HOLD_SENT || row->state == ST_HOLD_IN_DOUBT;
	bool kept = row->idempotence >= ST_IDEMPOTENT && row->idempotence <= ST_UNREPEATABLE;
	if (hold->no != row->hold_no || !open || !kept || row->attempt < 1) {
		return false;
	}
	const struct st_claim claim = {.call = row->id, .hold = hold->id, .attempt = row->attempt};
	struct st_flight *flight = st_alloc(sizeof *flight);
	flight->no = row->no;
	flight->grant = st_grant_restore(&hold->amounts, &claim);
	flight->state = row->state;
	flight->idempotence = (enum st_idempotence)row->idempotence;
	flight->since = row->at;
	*out = flight;
	return true;
}

/* A hold that has no end yet, with its call right behind it. */
static bool load_call(struct st_run *run, const struct st_row_hold *hold,
		      const struct st_row_call *row)
{
	struct st_item *item = item_at(run, row->step, row->item);
	struct st_client_call client = {.step = row->step, .expires_at = row->expires_at};
	bool of_client = row->item == -1 && row->expires_at != ST_TIME_NONE && row->step >= -1 &&
			 row->step < (int)run->def->n_steps;
	if (of_client && load_flight(hold, row, &client.flight)) {
		memcpy(client.kind, row->kind, sizeof client.kind);
		st_client_add(run, &client);
	} else if (item != NULL && item->flight == NULL && load_flight(hold, row, &item->flight)) {
		item->flight->counting = strcmp(row->kind, "model.count") == 0;
	} else {
		return false;
	}
	run->n_doubts += row->state == ST_HOLD_IN_DOUBT;
	return true;
}

static bool load_halt(struct st_run *run, const struct st_row_halt *row)
{
	struct st_halt *halt = &run->halt;
	bool whole = row->step == -1;
	bool of_step = row->item == -1 && row->step >= 0 && row->step < (int)run->def->n_steps;
	if (halt->kind != ST_HALT_NONE ||
	    (!whole && !of_step && item_at(run, row->step, row->item) == NULL)) {
		return false;
	}
	halt->id = row->id;
	halt->kind = row->kind;
	halt->step = row->step;
	halt->item = row->item;
	halt->since = row->since;
	halt->call = row->call;
	memcpy(halt->params_hash, row->params_hash, sizeof halt->params_hash);
	if (row->verdict_json != NULL) {
		struct st_verdict verdict; /* large, and filled only as far as it is needed */
		if (st_verdict_parse(row->verdict_json, &verdict) != ST_OK) {
			return false;
		}
		halt->verdict = st_verdict_copy(&verdict);
	}
	return (halt->kind == ST_HALT_BUDGET) == (halt->verdict != NULL);
}

/* Does what an item is at agree with the call that it has or has not? */
static bool item_fits(const struct st_item *item)
{
	const struct st_flight *flight = item->flight;
	bool in_doubt = flight != NULL && flight->state == ST_HOLD_IN_DOUBT;
	if (item->state == ST_ITEM_IN_DOUBT || in_doubt) {
		return item->state == ST_ITEM_IN_DOUBT && in_doubt;
	}
	bool may_have_one = item->state == ST_ITEM_CALLING || item->state == ST_ITEM_WAITING ||
			    item->state == ST_ITEM_SLEEPING;
	return flight != NULL ? may_have_one : item->state != ST_ITEM_CALLING;
}

static bool run_fits(struct st_run *run)
{
	for (int i = 0; i < (int)run->def->n_steps; i++) {
		struct st_step *step = &run->steps[i];
		if (step->state == ST_STEP_RUNNING && st_step_expand(run, i, NULL) != ST_OK) {
			return false;
		}
		for (int k = 0; k < step->n_items; k++) {
			bool active =
			    !st_machine_final(&st_item_machine, (int)step->items[k].state);
			if (!item_fits(&step->items[k]) ||
			    (active && step->state != ST_STEP_RUNNING)) {
				return false;
			}
		}
	}
	return (run->state == ST_RUN_HALTED) == (run->halt.kind != ST_HALT_NONE);
}

/* Everything of the run is there: what was in flight is lost, what was waiting goes on. */
static void wake_run(struct loading *loading)
{
	struct st_run *run = loading->run;
	if (run == NULL) {
		return;
	}
	if (!run_fits(run)) {
		damaged(loading, "the state of a step");
		return;
	}
	run->accounts.dirty = false; /* as loaded; a lost call may change it again */
	for (int i = 0; i < (int)run->def->n_steps; i++) {
		run->steps[i].accounts.dirty = false;
	}
	for (int i = 0; i < (int)run->def->n_steps; i++) {
		for (int k = 0; k < run->steps[i].n_items; k++) {
			if (run->steps[i].items[k].state == ST_ITEM_CALLING) {
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
		if (loading->run != NULL && !load_step(loading->run, row->step)) {
			damaged(loading, "a step");
		}
		return;
	case ST_ROW_CALL:
		if (loading->run != NULL &&
		    (i == 0 || rows->of[i - 1].type != ST_ROW_HOLD ||
		     !load_call(loading->run, rows->of[i - 1].hold, row->call))) {
			damaged(loading, "a call");
		}
		return;
	case ST_ROW_HALT:
		if (loading->run != NULL && !load_halt(loading->run, row->halt)) {
			damaged(loading, "a halt");
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
	case ST_ROW_PULSE:
		loading->alive_at = row->pulse->at;
		return;
	}
}

void st_recover_load(struct st_turn *turn, const struct st_event *event)
{
	struct loading loading = {.turn = turn, .diag = event->load.diag, .alive_at = ST_TIME_NONE};
	for (size_t i = 0; i < event->load.rows->n; i++) {
		load_row(&loading, event->load.rows, i);
	}
	wake_run(&loading);
}
