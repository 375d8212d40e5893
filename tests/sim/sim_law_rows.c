/* SPDX-License-Identifier: Apache-2.0 */
/* Does what is committed obey the laws of states, times, decisions and secrets? */
#include <stdlib.h>
#include <string.h>

#include "schemas/verdict.h"
#include "telemetry/timeline.h"
#include "tests/sim/sim.h"

static bool is(const struct st_row_event *event, const char *type)
{
	return strcmp(event->type, type) == 0;
}

static void reach(struct sim *s, int machine, int state)
{
	s->result->states[machine] |= UINT32_C(1) << state;
}

/* Clocks may be set in between: a run that runs all the while goes by what really passes. What
 * halted or was loaded since may have missed it, and in a long batch the clock may be set twice. */
void sim_law_not_early(struct sim *s, const struct sim_run *run, const struct sim_item *item,
		       st_time at)
{
	if (!item->stored || item->row.item_state != ST_ITEM_SLEEPING ||
	    item->row.due == ST_TIME_NONE ||
	    (s->moved != 0 && (!s->eager || item->epoch != run->epoch))) {
		return;
	}
	int64_t due = item->row.due - item->moved;
	sim_check(s, NOT_EARLY, at - s->told >= due, "goes on at %lld, due at %lld",
		  (long long)(at - s->told), (long long)due);
}

/* ---- the timeline ---- */

static void move_run(struct sim *s, struct sim_run *run, enum st_run_state to)
{
	sim_check(s, MACHINE, st_machine_allows(&st_run_machine, (int)run->state, (int)to),
		  "run %lld: from %s to %s", (long long)run->no,
		  st_machine_state_name(&st_run_machine, (int)run->state),
		  st_machine_state_name(&st_run_machine, (int)to));
	run->state = to;
	run->epoch++;
	reach(s, 0, (int)to);
}

static void run_event(struct sim *s, struct sim_run *run, const struct st_row_event *event)
{
	bool running = run->state == ST_RUN_RUNNING;
	if (is(event, "run.started")) {
		move_run(s, run, ST_RUN_RUNNING);
	} else if (is(event, "run.halted") || (is(event, "run.paused") && running)) {
		sim_check(s, MACHINE, run->halted, "run %lld halts without a halt",
			  (long long)run->no);
		move_run(s, run, ST_RUN_HALTED);
	} else if (is(event, "run.resumed") && strstr(st_clean_text(event->data), "\"after\"")) {
		sim_check(s, MACHINE, !run->halted, "run %lld goes on under an open halt",
			  (long long)run->no);
		move_run(s, run, ST_RUN_RUNNING);
	} else if (is(event, "run.succeeded")) {
		move_run(s, run, ST_RUN_SUCCEEDED);
	} else if (is(event, "run.failed")) {
		move_run(s, run, ST_RUN_FAILED);
	} else if (is(event, "run.cancelled")) {
		move_run(s, run, ST_RUN_CANCELLED);
	} else {
		bool over = st_machine_final(&st_run_machine, (int)run->state);
		sim_check(s, MACHINE, !over, "%s of a run that is over", event->type);
	}
}

static void step_event(struct sim *s, struct sim_run *run, const struct st_row_event *event)
{
	int step = (int)strtol(event->step + 1, NULL, 10);
	bool starts = is(event, "step.started");
	sim_check(s, STEP_ONCE, !run->steps[step].ended, "%s %s after its end", event->type,
		  event->step);
	sim_check(s, HALTED, !starts || run->state == ST_RUN_RUNNING, "%s in a run that is %s",
		  event->type, st_machine_state_name(&st_run_machine, (int)run->state));
	run->steps[step].ended = !starts && !is(event, "step.retrying");
	s->result->seen[SIM_SEEN_RETRIES] += is(event, "step.retrying");
}

static void call_event(struct sim *s, struct sim_run *run, const struct st_row_event *event)
{
	int step = (int)strtol(event->step + 1, NULL, 10);
	if (is(event, "call.held") || is(event, "call.sent")) {
		struct sim_item *item = sim_law_item(run, step, event->item - 1);
		sim_check(s, HALTED, run->state == ST_RUN_RUNNING, "%s in a run that is %s",
			  event->type, st_machine_state_name(&st_run_machine, (int)run->state));
		sim_check(s, STEP_ONCE, !run->steps[step].ended, "%s %s after its end", event->type,
			  event->step);
		sim_law_not_early(s, run, item, event->at);
	}
	s->result->seen[SIM_SEEN_RESENDS] +=
	    is(event, "call.sent") && strstr(st_clean_text(event->data), "\"resend\"") != NULL;
	s->result->seen[SIM_SEEN_CLAMPS] += is(event, "call.clamped");
}

/* An accepted order to change limits takes effect where the timeline says so. */
static void envelope_event(struct sim *s, struct sim_run *run)
{
	sim_check(s, ENVELOPE, run->n_asked > 0, "limits of run %lld changed, and nobody may",
		  (long long)run->no);
	const struct st_amounts asked = run->asked[0];
	run->n_asked--;
	memmove(run->asked, run->asked + 1, run->n_asked * sizeof run->asked[0]);
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if (asked.of[m] != ST_UNLIMITED) {
			sim_law_touch(s, &run->accounts[m]);
			run->accounts[m].limit = asked.of[m];
		}
	}
	sim_saw(s, SIM_SEEN_LIMITED);
}

void sim_law_timeline(struct sim *s, const struct st_row_event *event)
{
	struct sim_run *run = sim_store_run(&s->store, event->run_no);
	sim_check(s, TIMELINE, run != NULL && st_id_equal(run->id, event->run),
		  "an event of run %lld, which is not there", (long long)event->run_no);
	sim_check(s, TIMELINE, event->seq == run->seq + 1, "event %lld after %lld",
		  (long long)event->seq, (long long)run->seq);
	sim_check(s, TIMELINE, event->seq == 1 || event->at >= run->last_at, "%s goes back in time",
		  event->type);
	if (s->chained) {
		uint8_t hash[ST_HASH_BYTES];
		st_timeline_link(run->hash, event, hash);
		sim_check(s, TIMELINE, memcmp(hash, event->hash, sizeof hash) == 0,
			  "event %lld is not linked to the one before", (long long)event->seq);
	}
	run->seq = event->seq;
	run->last_at = event->at;
	memcpy(run->hash, event->hash, sizeof run->hash);
	if (strncmp(event->type, "run.", 4) == 0) {
		if (!is(event, "run.submitted")) {
			run_event(s, run, event);
		}
	} else if (strncmp(event->type, "step.", 5) == 0) {
		step_event(s, run, event);
	} else if (strncmp(event->type, "call.", 5) == 0) {
		call_event(s, run, event);
	} else if (is(event, "envelope.changed")) {
		envelope_event(s, run);
	}
}

/* ---- halts ---- */

static void check_refusal(struct sim *s, struct sim_run *run, const struct st_row_halt *halt,
			  const struct st_refusal *r)
{
	bool wall = r->meter == ST_METER_WALL_SECONDS;
	const struct sim_account *account = sim_law_account(s, run, halt->step, r->scope, r->meter);
	sim_check(s, VERDICT,
		  account->open && account->limit == r->limit && account->granted == r->granted,
		  "%s %s: the verdict says limit %lld, granted %lld; it is %lld, %lld",
		  st_scope_name(r->scope), st_meter_name(r->meter), (long long)r->limit,
		  (long long)r->granted, (long long)account->limit, (long long)account->granted);
	if (wall) {
		return;
	}
	sim_check(s, VERDICT, account->settled == r->settled && account->held == r->held,
		  "%s %s: the verdict says settled %lld, held %lld; it is %lld, %lld",
		  st_scope_name(r->scope), st_meter_name(r->meter), (long long)r->settled,
		  (long long)r->held, (long long)account->settled, (long long)account->held);
	sim_check(s, VERDICT, r->asked > sim_law_room(account), "%s %s: %lld were left for %lld",
		  st_scope_name(r->scope), st_meter_name(r->meter),
		  (long long)sim_law_room(account), (long long)r->asked);
}

static void open_halt(struct sim *s, struct sim_run *run, const struct st_row_halt *halt)
{
	static const enum sim_seen seen[ST_HALT_COUNT] = {
	    [ST_HALT_BUDGET] = SIM_SEEN_HALT_BUDGET,  [ST_HALT_DANGEROUS] = SIM_SEEN_HALT_DANGEROUS,
	    [ST_HALT_IN_DOUBT] = SIM_SEEN_HALT_DOUBT, [ST_HALT_APPROVAL] = SIM_SEEN_HALT_APPROVAL,
	    [ST_HALT_PAUSED] = SIM_SEEN_HALT_PAUSED,
	};
	sim_check(s, HALTED, run->state == ST_RUN_RUNNING, "a halt in a run that is %s",
		  st_machine_state_name(&st_run_machine, (int)run->state));
	sim_check(s, HALTED, !run->halted, "a second open halt");
	sim_saw(s, seen[halt->kind]);
	if (halt->kind != ST_HALT_BUDGET) {
		return;
	}
	struct st_verdict verdict;
	bool read = halt->verdict != NULL &&
		    st_verdict_parse(st_clean_text(halt->verdict), &verdict) == ST_OK;
	sim_check(s, VERDICT, read && verdict.n_refused > 0, "a budget halt without a verdict");
	for (size_t i = 0; i < verdict.n_refused; i++) {
		check_refusal(s, run, halt, &verdict.refused[i]);
	}
}

void sim_law_halt(struct sim *s, const struct st_row_halt *halt)
{
	struct sim_run *run = sim_store_run(&s->store, halt->run_no);
	if (halt->insert) {
		open_halt(s, run, halt);
		return;
	}
	sim_check(s, DECIDED_ONCE, run->halted && st_id_equal(run->halt.id, halt->id),
		  "a decision on a halt that is not open");
	if (run->halt.kind == ST_HALT_DANGEROUS && strcmp(halt->decision, "granted") == 0) {
		sim_law_item(run, run->halt.step, run->halt.item)->n_approved = 1;
	}
	sim_check(s, AUDIT,
		  halt->by[0] != '\0' && halt->decision[0] != '\0' &&
		      halt->decided_at != ST_TIME_NONE,
		  "a decision without who, what or when");
}

/* ---- rows of runs, steps, calls ---- */

/* Can `to` follow `from` in any number of moves? */
static bool reachable(const struct st_machine *machine, int from, int to)
{
	uint32_t seen = UINT32_C(1) << from;
	for (int round = 0; round < machine->n_states; round++) {
		for (int i = 0; i < machine->n_states; i++) {
			seen |= (seen >> i & 1) != 0 ? machine->states[i].next : 0;
		}
	}
	return (seen >> to & 1) != 0;
}

void sim_law_run_row(struct sim *s, const struct st_row_run *row)
{
	const struct sim_run *run = sim_store_run(&s->store, row->no);
	sim_check(s, MACHINE, row->state == run->state, "run %lld is %s; its timeline says %s",
		  (long long)row->no, st_machine_state_name(&st_run_machine, (int)row->state),
		  st_machine_state_name(&st_run_machine, (int)run->state));
	sim_check(s, TIMELINE,
		  row->seq == run->seq && row->last_at == run->last_at &&
		      memcmp(row->hash, run->hash, ST_HASH_BYTES) == 0,
		  "run %lld does not end where its timeline does", (long long)row->no);
	sim_check(s, NOT_EARLY, s->moved != 0 || row->active_ms <= s->now - run->row.created_at,
		  "run %lld: active for %lld ms, and %lld have passed", (long long)row->no,
		  (long long)row->active_ms, (long long)(s->now - run->row.created_at));
	sim_check(s, MACHINE, !row->head_only || row->state == ST_RUN_RUNNING,
		  "run %lld has more to write than its head", (long long)row->no);
	bool runs_on = row->state == ST_RUN_RUNNING || row->state == ST_RUN_SUCCEEDED;
	sim_check(s, HALTED, !row->paused || row->state != ST_RUN_RUNNING,
		  "run %lld is paused and runs", (long long)row->no);
	sim_check(s, HALTED, run->n_doubts == 0 || !runs_on,
		  "run %lld goes on, and a call is in doubt", (long long)row->no);
	bool same = run->halted ? st_id_equal(row->halt, run->halt.id) : st_id_is_none(row->halt);
	sim_check(s, MACHINE, same && run->halted == (run->state == ST_RUN_HALTED),
		  "run %lld: its halt is not the open one", (long long)row->no);
	sim_check(s, MONOTONE, row->active_ms >= run->row.active_ms,
		  "run %lld: active %lld ms < %lld", (long long)row->no, (long long)row->active_ms,
		  (long long)run->row.active_ms);
	reach(s, 0, (int)row->state);
}

void sim_law_step_row(struct sim *s, const struct st_row_step *row)
{
	struct sim_run *run = sim_store_run(&s->store, row->run_no);
	sim_check(s, MACHINE, row->item <= SIM_ITEMS_MAX && row->step < run->n_steps,
		  "no such item");
	struct sim_item *item = &run->steps[row->step].items[row->item];
	reach(s, 1, (int)row->state);
	reach(s, 2, (int)row->item_state);
	sim_check(s, MACHINE, row->insert == !item->stored, "step %d item %d: insert is %d",
		  row->step, row->item, row->insert);
	sim_check(s, ATTEMPT_KEY, row->attempt == item->attempt,
		  "step %d item %d: attempt %d, not %d", row->step, row->item, row->attempt,
		  item->attempt);
	if (!item->stored) {
		return;
	}
	int from = (int)item->row.item_state;
	bool kept =
	    row->item > 0 || (reachable(&st_step_machine, (int)item->row.state, (int)row->state));
	sim_check(s, MACHINE, kept && reachable(&st_item_machine, from, (int)row->item_state),
		  "step %d item %d: from %s to %s", row->step, row->item,
		  st_machine_state_name(&st_item_machine, from),
		  st_machine_state_name(&st_item_machine, (int)row->item_state));
	if (run->steps[row->step].sleeps && row->item_state == ST_ITEM_SUCCEEDED) {
		sim_law_not_early(s, run, item, row->ended_at);
	}
}

void sim_law_call_row(struct sim *s, const struct st_row_call *row)
{
	const struct sim_hold *hold = sim_store_hold(&s->store, row->no);
	sim_check(s, PERSIST_FIRST, hold != NULL, "call %lld without its hold", (long long)row->no);
	reach(s, 3, (int)row->state);
	if (row->insert) {
		sim_check(s, AUDIT, row->params != NULL && row->intent != NULL,
			  "a call without its intent");
		return;
	}
	sim_check(s, MACHINE,
		  st_machine_allows(&st_hold_machine, (int)hold->call.state, (int)row->state),
		  "call %lld: from %s to %s", (long long)row->no,
		  st_machine_state_name(&st_hold_machine, (int)hold->call.state),
		  st_machine_state_name(&st_hold_machine, (int)row->state));
	bool over = st_machine_final(&st_hold_machine, (int)row->state);
	struct sim_run *run = sim_store_run(&s->store, hold->row.run_no);
	run->n_doubts += over ? -(hold->call.state == ST_HOLD_IN_DOUBT) : 1;
	sim_check(s, ONE_END, over == hold->ended, "call %lld is %s, its hold %s",
		  (long long)row->no, st_machine_state_name(&st_hold_machine, (int)row->state),
		  hold->ended ? "ended" : "open");
	sim_check(s, RIGHT_END, over || hold->expected.told == SIM_TOLD_UNKNOWN,
		  "call %lld is in doubt, and nobody doubts it", (long long)row->no);
	s->result->seen[SIM_SEEN_DOUBTS] += !over;
}

/* ---- secrets ---- */

static void clean(struct sim *s, const struct st_clean *text)
{
	if (text != NULL) {
		sim_check(s, SECRETS, strstr(st_clean_text(text), SIM_CANARY) == NULL,
			  "a secret in \"%.60s\"", st_clean_text(text));
	}
}

void sim_law_secrets(struct sim *s, const struct st_row *row)
{
	if (row->type == ST_ROW_EVENT) {
		clean(s, row->event->data);
	} else if (row->type == ST_ROW_STEP) {
		clean(s, row->step->shown);
		clean(s, row->step->citations);
		clean(s, row->step->error);
	} else if (row->type == ST_ROW_CALL) {
		clean(s, row->call->params);
		clean(s, row->call->intent);
		clean(s, row->call->result);
	} else if (row->type == ST_ROW_RUN) {
		clean(s, row->run->shown);
		clean(s, row->run->error);
	} else if (row->type == ST_ROW_HALT) {
		clean(s, row->halt->verdict);
		clean(s, row->halt->intent);
		clean(s, row->halt->reason);
	} else if (row->type == ST_ROW_EXTERNAL_ID) {
		clean(s, row->external_id->id);
		clean(s, row->external_id->url);
	} else if (row->type == ST_ROW_GRANT) {
		clean(s, row->grant->reason);
	} else if (row->type == ST_ROW_ANSWER) {
		clean(s, row->answer->body);
	}
}
