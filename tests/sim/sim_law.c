/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does what is committed obey the laws of money?
 *
 * The model adds up holds, ends, grants and orders, row by row, in the order in which they were
 * written; nothing of the core's own sums is used. When a batch is through, every account that the
 * model touched must have a row that says the same, and no other account may have changed. That is
 * the cheap incremental law: it costs what the batch costs. sim_law_full.c sums everything anew at
 * each restart and at the end.
 *
 * Out of the core's sight, and so not here: I21, I35 to I41 (disk, files, processes), I24 (rates),
 * I26 (breaker), I27 (sockets), I29 to I32 (windows), I33 and I34 (several nodes), I45 (alerts),
 * I48 (exports); these need the shell or do not exist yet. I18 is seen in part (kept answers), I42
 * in text only, I43 through what it protects (ENVELOPE, GRANT_EXACT), I46 for changes only, I47 as
 * the number of runs in memory.
 */
#include <assert.h>
#include <string.h>

#include "schemas/verdict.h"
#include "tests/sim/sim.h"

struct sim_account *sim_law_account(struct sim *s, struct sim_run *run, int step,
				    enum st_scope scope, enum st_meter meter)
{
	if (scope == ST_SCOPE_STEP) {
		return &run->steps[step].accounts[meter];
	}
	if (scope == ST_SCOPE_RUN) {
		return &run->accounts[meter];
	}
	return &s->store.scopes[run->scopes[scope]].accounts[meter];
}

void sim_law_touch(struct sim *s, struct sim_account *account)
{
	if (!account->open) {
		account->open = true;
		account->limit = ST_UNLIMITED;
	}
	if (!account->touched) {
		account->touched = true;
		assert(s->n_touched < sizeof s->touched / sizeof s->touched[0]);
		s->touched[s->n_touched++] = account;
	}
}

struct sim_account *sim_law_counted(struct sim *s, struct sim_run *run, int step,
				    enum st_scope scope, enum st_meter meter)
{
	struct sim_account *account = sim_law_account(s, run, step, scope, meter);
	if (scope == ST_SCOPE_STEP && !account->open) {
		return NULL;
	}
	sim_law_touch(s, account);
	return account;
}

int64_t sim_law_room(const struct sim_account *account)
{
	int64_t total = account->limit == ST_UNLIMITED
			    ? INT64_MAX
			    : st_add_saturating(account->limit, account->granted);
	int64_t used = st_add_saturating(account->settled, account->held);
	return total > used ? total - used : 0;
}

struct sim_item *sim_law_item(struct sim_run *run, int step, int k)
{
	return &run->steps[step].items[run->steps[step].for_each ? k + 1 : 0];
}

/* ---- a new run ---- */

static const struct sim_wish *wish_of(const struct sim *s, struct st_id id)
{
	for (int i = 0; i < s->n_wishes; i++) {
		if (s->wishes[i].stepped && st_id_equal(s->wishes[i].id, id)) {
			return &s->wishes[i];
		}
	}
	return NULL;
}

static void open_account(struct sim *s, struct sim_account *account, int64_t limit)
{
	account->open = true;
	account->limit = limit;
	sim_law_touch(s, account);
}

static void new_run(struct sim *s, const struct st_row_run *row)
{
	struct sim_run *run = sim_store_run(&s->store, row->no);
	const struct sim_wish *wish = wish_of(s, row->id);
	sim_check(s, DURABLE, wish != NULL, "run %lld was never asked for", (long long)row->no);
	sim_check(s, AUDIT, strcmp(row->submitted_by, wish->by) == 0, "submitted by \"%s\"",
		  row->submitted_by);
	sim_saw(s, SIM_SEEN_RUNS);
	run->n_steps = wish->n_steps;
	run->state = row->state;
	s->result->states[0] |= UINT32_C(1) << row->state;
	for (int scope = ST_SCOPE_WORKFLOW; scope < ST_SCOPE_COUNT; scope++) {
		run->scopes[scope] =
		    sim_store_scope(&s->store, (enum st_scope)scope, row->scope_id[scope]);
	}
	for (int m = 0; m < ST_METER_COUNT; m++) {
		open_account(s, &run->accounts[m], wish->limits.of[m]);
	}
	for (int i = 0; i < wish->n_steps; i++) {
		run->steps[i].for_each = wish->steps[i].for_each;
		run->steps[i].sleeps = wish->steps[i].sleeps;
		run->steps[i].concurrent = wish->steps[i].concurrent;
		run->steps[i].min_useful = wish->steps[i].min_useful;
		for (int m = 0; m < ST_METER_COUNT; m++) {
			if (wish->steps[i].limits.of[m] != ST_UNLIMITED) {
				open_account(s, &run->steps[i].accounts[m],
					     wish->steps[i].limits.of[m]);
			}
		}
	}
}

/* ---- holds and their ends ---- */

static void check_may_call(struct sim *s, struct sim_run *run, const struct st_row_hold *row,
			   const struct st_row_call *call)
{
	struct sim_item *item = sim_law_item(run, row->step, row->item);
	sim_check(s, HALTED, run->state == ST_RUN_RUNNING, "a hold of run %lld, which is %s",
		  (long long)row->run_no, st_machine_state_name(&st_run_machine, (int)run->state));
	bool over = run->steps[row->step].ended ||
		    (item->stored && st_machine_final(&st_item_machine, (int)item->row.item_state));
	sim_check(s, STEP_ONCE, !over, "a hold for step %d item %d, which has ended", row->step,
		  row->item);
	sim_law_not_early(s, run, item, row->at);
	if (strcmp(call->kind, "model.count") == 0) {
		return;
	}
	sim_check(s, ATTEMPT_KEY, call->attempt == item->attempt + 1, "attempt %d after %d",
		  call->attempt, item->attempt);
	sim_check(s, ATTEMPT_KEY, item->attempt == 0 || st_id_equal(item->call, call->id),
		  "another call id for attempt %d", call->attempt);
	item->attempt = call->attempt;
	item->call = call->id;
}

/* Does the timeline say this right behind the row? */
static bool told(const struct st_rows *rows, size_t i, const char *type, size_t n)
{
	for (size_t k = i + 1; k < rows->n && k < i + n; k++) {
		if (rows->of[k].type == ST_ROW_EVENT &&
		    strcmp(rows->of[k].event->type, type) == 0) {
			return true;
		}
	}
	return false;
}

static void law_hold(struct sim *s, const struct st_rows *rows, size_t i)
{
	const struct st_row_hold *row = rows->of[i].hold;
	struct sim_run *run = sim_store_run(&s->store, row->run_no);
	bool paired = i + 1 < rows->n && rows->of[i + 1].type == ST_ROW_CALL &&
		      rows->of[i + 1].call->insert && rows->of[i + 1].call->hold_no == row->no &&
		      rows->of[i + 1].call->run_no == row->run_no &&
		      rows->of[i + 1].call->step == row->step &&
		      rows->of[i + 1].call->item == row->item;
	sim_check(s, PERSIST_FIRST, paired, "hold %lld has no call behind it", (long long)row->no);
	sim_check(s, ONE_END, row->no > s->store.n_holds, "hold number %lld again",
		  (long long)row->no);
	check_may_call(s, run, row, rows->of[i + 1].call);
	for (int scope = 0; scope < ST_SCOPE_COUNT; scope++) {
		for (int m = 0; m < ST_METER_COUNT; m++) {
			int64_t asked = row->amounts.of[m];
			if (asked == 0) {
				continue;
			}
			struct sim_account *account = sim_law_counted(
			    s, run, row->step, (enum st_scope)scope, (enum st_meter)m);
			if (account == NULL) {
				continue;
			}
			sim_check(s, NO_OVERSPEND, asked > 0 && asked <= sim_law_room(account),
				  "%lld %s held in scope %s, where %lld are left", (long long)asked,
				  st_meter_name((enum st_meter)m),
				  st_scope_name((enum st_scope)scope),
				  (long long)sim_law_room(account));
			account->held += asked;
		}
	}
	sim_saw(s, strcmp(rows->of[i + 1].call->kind, "model.count") == 0 ? SIM_SEEN_COUNTS
									  : SIM_SEEN_CALLS);
}

static void check_end(struct sim *s, const struct sim_hold *hold,
		      const struct st_row_settlement *row)
{
	static const struct st_amounts zero = {{0}};
	struct st_amounts used = hold->row.amounts;
	bool voided = false;
	bool estimated = true;
	const char *by = "stint";
	if (hold->expected.told == SIM_TOLD_UNKNOWN) {
		bool noop = strcmp(hold->call.kind, "noop") == 0;
		bool may = hold->call.idempotence == ST_REPEATABLE || noop;
		sim_check(s, RIGHT_END, may, "hold %lld of an unknown call of %s was ended",
			  (long long)row->hold_no, hold->call.kind);
		voided = noop && row->voided;
		estimated = !voided;
	} else if (hold->expected.told == SIM_TOLD_END || hold->expected.told == SIM_TOLD_PERSON) {
		used = hold->expected.used;
		voided = hold->expected.voided;
		estimated = hold->expected.estimated;
		by = hold->expected.told == SIM_TOLD_END ? "provider" : hold->expected.by;
	} else {
		sim_check(s, RIGHT_END, hold->expected.told == SIM_TOLD_COUNT,
			  "hold %lld was ended, and nobody said how", (long long)row->hold_no);
		used = zero;
		estimated = false;
		by = "provider";
	}
	used = voided ? zero : used;
	sim_check(s, RIGHT_END, row->voided == voided && row->estimated == estimated,
		  "hold %lld: voided %d, estimated %d; should be %d, %d", (long long)row->hold_no,
		  row->voided, row->estimated, voided, estimated);
	sim_check(s, RIGHT_END, memcmp(&used, &row->used, sizeof used) == 0,
		  "hold %lld: %lld tool_steps, %lld tokens used; told %lld, %lld",
		  (long long)row->hold_no, (long long)row->used.of[ST_METER_TOOL_STEPS],
		  (long long)row->used.of[ST_METER_TOKENS], (long long)used.of[ST_METER_TOOL_STEPS],
		  (long long)used.of[ST_METER_TOKENS]);
	sim_check(s, AUDIT, strcmp(row->by, by) == 0, "ended by \"%s\", not \"%s\"", row->by, by);
	sim_saw(s, voided ? SIM_SEEN_VOIDED : SIM_SEEN_RESOLVED);
	s->result->seen[SIM_SEEN_RESOLVED] -= !voided && hold->expected.told != SIM_TOLD_PERSON;
	s->result->seen[SIM_SEEN_ESTIMATED] += estimated;
}

static void law_settlement(struct sim *s, const struct st_rows *rows, size_t i)
{
	const struct st_row_settlement *row = rows->of[i].settlement;
	struct sim_hold *hold = sim_store_hold(&s->store, row->hold_no);
	bool over = false;
	sim_check(s, ONE_END, hold != NULL, "an end of hold %lld, which is not there",
		  (long long)row->hold_no);
	sim_check(s, ONE_END, !hold->ended, "hold %lld ends again", (long long)row->hold_no);
	bool paired = i + 1 < rows->n && rows->of[i + 1].type == ST_ROW_CALL &&
		      rows->of[i + 1].call->no == row->hold_no &&
		      rows->of[i + 1].call->ended_at == row->at;
	sim_check(s, ONE_END, paired, "the end of hold %lld is not followed by its call's",
		  (long long)row->hold_no);
	check_end(s, hold, row);
	struct sim_run *run = sim_store_run(&s->store, hold->row.run_no);
	for (int m = 0; m < ST_METER_COUNT; m++) {
		int64_t held = hold->row.amounts.of[m];
		int64_t used = row->used.of[m];
		int64_t passed = used > held ? used - held : 0;
		sim_check(s, OVERRUN_TOLD, row->overrun.of[m] == passed,
			  "hold %lld: %lld held, %lld used, overrun %lld", (long long)row->hold_no,
			  (long long)held, (long long)used, (long long)row->overrun.of[m]);
		over = over || passed > 0;
		for (int scope = 0; (held | used) != 0 && scope < ST_SCOPE_COUNT; scope++) {
			struct sim_account *account = sim_law_counted(
			    s, run, hold->row.step, (enum st_scope)scope, (enum st_meter)m);
			if (account == NULL) {
				continue;
			}
			account->held -= held;
			account->settled = st_add_saturating(account->settled, used);
			account->overrun = st_add_saturating(account->overrun, passed);
		}
	}
	sim_check(s, OVERRUN_TOLD, !over || told(rows, i, "call.overrun", 6),
		  "hold %lld was overrun, and the timeline does not say so",
		  (long long)row->hold_no);
	s->result->seen[SIM_SEEN_OVERRUNS] += over;
}

static void law_grant(struct sim *s, const struct st_row_grant *row)
{
	struct sim_run *run = sim_store_run(&s->store, row->run_no);
	sim_check(s, DECIDED_ONCE, run->halted && st_id_equal(run->halt.id, row->halt),
		  "a grant for a halt of run %lld that is not open", (long long)row->run_no);
	sim_check(s, AUDIT, row->by[0] != '\0' && row->at != ST_TIME_NONE, "a grant by nobody");
	sim_check(s, GRANT_EXACT, row->amount > 0 && (row->step < 0 || row->step == run->halt.step),
		  "a grant of %lld for step %d", (long long)row->amount, row->step);
	struct sim_account *account = sim_law_account(
	    s, run, row->step, row->step < 0 ? ST_SCOPE_RUN : ST_SCOPE_STEP, row->meter);
	sim_check(s, ENVELOPE, account->open && account->limit != ST_UNLIMITED,
		  "a grant for an account without a limit");
	account->granted = st_add_saturating(account->granted, row->amount);
	sim_law_touch(s, account);
	sim_saw(s, SIM_SEEN_GRANTS);
}

/* ---- accounts as they were written ---- */

static void law_account(struct sim *s, const struct st_row_account *row)
{
	struct sim_account *account = NULL;
	if (row->scope_no == 0) {
		struct sim_run *run = sim_store_run(&s->store, row->run_no);
		account = sim_law_account(s, run, row->step,
					  row->step < 0 ? ST_SCOPE_RUN : ST_SCOPE_STEP, row->meter);
	}
	for (int i = 0; i < s->store.n_scopes && account == NULL; i++) {
		if (s->store.scopes[i].row.no == row->scope_no) {
			account = &s->store.scopes[i].accounts[row->meter];
		}
	}
	sim_check(s, ALL_OR_NONE, account != NULL, "an account of scope %lld, which is not there",
		  (long long)row->scope_no);
	sim_check(s, ALL_OR_NONE, row->insert == !account->stored, "account %lld: insert is %d",
		  (long long)row->no, row->insert);
	sim_check(s, MONOTONE, !account->stored || row->settled >= account->row.settled,
		  "account %lld: settled %lld after %lld", (long long)row->no,
		  (long long)row->settled, (long long)account->row.settled);
	sim_law_touch(s, account);
}

static void compare(struct sim *s, const struct sim_account *account)
{
	const struct st_row_account *row = &account->row;
	sim_check(s, ALL_OR_NONE, account->stored, "an account that changed has no row");
	const char *scope = st_scope_name(row->scope);
	const char *meter = st_meter_name(row->meter);
	sim_check(s, ENVELOPE, row->limit == account->limit && row->granted == account->granted,
		  "%s %s: limit %lld, granted %lld; should be %lld, %lld", scope, meter,
		  (long long)row->limit, (long long)row->granted, (long long)account->limit,
		  (long long)account->granted);
	if (row->meter == ST_METER_WALL_SECONDS) { /* a clock, not a sum */
		return;
	}
	sim_check(s, ALL_OR_NONE, row->held == account->held && row->settled == account->settled,
		  "%s %s: held %lld, settled %lld; the rows add up to %lld, %lld", scope, meter,
		  (long long)row->held, (long long)row->settled, (long long)account->held,
		  (long long)account->settled);
	sim_check(s, OVERRUN_TOLD, row->overrun == account->overrun,
		  "%s %s: overrun %lld, not %lld", scope, meter, (long long)row->overrun,
		  (long long)account->overrun);
	sim_check(s, CONSERVATION, row->held >= 0 && row->settled >= 0, "%s %s: below 0", scope,
		  meter);
	if (row->limit != ST_UNLIMITED) {
		int64_t total = st_add_saturating(row->limit, row->granted);
		int64_t used = st_add_saturating(row->settled, row->held);
		sim_check(s, CONSERVATION, used <= total || used - total <= row->overrun,
			  "%s %s: %lld of %lld, overrun %lld", scope, meter, (long long)used,
			  (long long)total, (long long)row->overrun);
	}
}

void sim_law_batch(struct sim *s)
{
	for (size_t i = 0; i < s->n_touched; i++) {
		s->touched[i]->touched = false;
		compare(s, s->touched[i]);
	}
	s->n_touched = 0;
}

/* ---- all rows ---- */

static void law_answer(struct sim *s, const struct st_row_answer *row)
{
	for (size_t i = 0; i < s->store.n_keys; i++) {
		sim_check(s, DURABLE,
			  memcmp(s->store.keys[i].key, row->key_hash, ST_HASH_BYTES) != 0,
			  "a key is answered twice");
	}
	assert(s->store.n_keys < sizeof s->store.keys / sizeof s->store.keys[0]);
	memcpy(s->store.keys[s->store.n_keys++].key, row->key_hash, ST_HASH_BYTES);
}

void sim_law_row(struct sim *s, const struct st_rows *rows, size_t i)
{
	const struct st_row *row = &rows->of[i];
	sim_law_secrets(s, row);
	switch (row->type) {
	case ST_ROW_RUN:
		if (row->run->insert) {
			sim_store_put(s, &rows->of[i]);
			new_run(s, row->run);
			return;
		}
		sim_law_run_row(s, row->run);
		break;
	case ST_ROW_STEP:
		sim_law_step_row(s, row->step);
		break;
	case ST_ROW_ACCOUNT:
		law_account(s, row->account);
		break;
	case ST_ROW_HOLD:
		law_hold(s, rows, i);
		sim_store_put(s, &rows->of[i]);
		sim_store_hold(&s->store, row->hold->no)->clamp_told =
		    told(rows, i, "call.clamped", 3);
		return;
	case ST_ROW_CALL:
		sim_law_call_row(s, row->call);
		break;
	case ST_ROW_SETTLEMENT:
		law_settlement(s, rows, i);
		break;
	case ST_ROW_GRANT:
		law_grant(s, row->grant);
		break;
	case ST_ROW_HALT:
		sim_law_halt(s, row->halt);
		break;
	case ST_ROW_EVENT:
		sim_law_timeline(s, row->event);
		break;
	case ST_ROW_ANSWER:
		law_answer(s, row->answer);
		break;
	case ST_ROW_SCOPE:
	case ST_ROW_PULSE:
	case ST_ROW_EXTERNAL_ID:
	case ST_ROW_TRANSCRIPT:
	case ST_ROW_ARTIFACT:
	case ST_ROW_TOKEN:
		break;
	}
	sim_store_put(s, &rows->of[i]);
}
