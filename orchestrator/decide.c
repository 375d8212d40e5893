/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/decide.h"

#include <assert.h>
#include <string.h>

#include "orchestrator/call_end.h"
#include "orchestrator/client_call.h"
#include "orchestrator/gate.h"
#include "orchestrator/run.h"
#include "orchestrator/step.h"
#include "orchestrator/stop.h"
#include "orchestrator/tell.h"

#define EXTERNAL_ID_BYTES_MAX 256

/* Exactly what the refused accounts lacked. */
static size_t lacking(const struct st_verdict *verdict, struct st_grant_asked *grants)
{
	size_t n = 0;
	for (size_t i = 0; i < verdict->n_refused && n < ST_GRANTS_MAX; i++) {
		const struct st_refusal *r = &verdict->refused[i];
		int64_t lack = st_ledger_lack(r);
		if (lack > 0 && r->scope <= ST_SCOPE_RUN) {
			grants[n++] = (struct st_grant_asked){r->scope, r->meter, lack};
		}
	}
	return n;
}

static struct st_accounts *accounts_of(struct st_run *run, enum st_scope scope)
{
	if (scope == ST_SCOPE_RUN) {
		return &run->accounts;
	}
	return run->halt.step >= 0 ? &run->steps[run->halt.step].accounts : NULL;
}

/* Would limit and grants of this account still be a number, with the first n of these? What the
 * account says and what the grants' rows add up to must never differ. */
static bool countable(const struct st_account *account, const struct st_grant_asked *grants,
		      size_t n)
{
	int64_t total = st_add_saturating(account->limit, account->granted);
	for (size_t i = 0; i < n; i++) {
		bool same = grants[i].meter == grants[n - 1].meter &&
			    grants[i].scope == grants[n - 1].scope;
		total = same ? st_add_saturating(total, grants[i].amount) : total;
	}
	return total < INT64_MAX;
}

/* Every grant names an account that has a limit to raise. */
static bool grants_fit(struct st_turn *turn, struct st_run *run,
		       const struct st_grant_asked *grants, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct st_accounts *accounts =
		    grants[i].scope <= ST_SCOPE_RUN ? accounts_of(run, grants[i].scope) : NULL;
		const struct st_account *account =
		    accounts != NULL ? st_accounts_find(accounts, grants[i].meter) : NULL;
		if (account == NULL || account->limit == ST_UNLIMITED || grants[i].amount <= 0) {
			st_gate_refuse(
			    turn, ST_ERR_INVALID,
			    "a grant must name an account of this run or of the halted step "
			    "that has a limit, and an amount above 0");
			return false;
		}
		if (!countable(account, grants, i + 1)) {
			st_gate_refuse(
			    turn, ST_ERR_INVALID,
			    "the limit and its grants together pass what can be counted");
			return false;
		}
	}
	return true;
}

static void apply_grants(struct st_turn *turn, struct st_run *run, const struct st_granted *granted)
{
	for (size_t i = 0; i < granted->n_grants; i++) {
		const struct st_grant_asked *asked = &granted->grants[i];
		st_ledger_grant(accounts_of(run, asked->scope), asked->meter, asked->amount);
		struct st_row_grant *row = st_rows_add_grant(&turn->update->rows);
		row->run_no = run->no;
		row->halt = granted->halt;
		row->step = asked->scope == ST_SCOPE_STEP ? run->halt.step : -1;
		row->meter = asked->meter;
		row->amount = asked->amount;
		row->at = st_run_at(turn, run);
		memcpy(row->by, turn->actor->name, sizeof row->by);
		row->reason = st_clean_copy(granted->reason);
	}
}

static struct st_about halt_about(const struct st_halt *halt)
{
	return (struct st_about){.step = halt->step, .item = halt->item, .call = halt->call};
}

static struct st_item *halted_item(struct st_run *run)
{
	const struct st_halt *halt = &run->halt;
	bool of_item = halt->step >= 0 && halt->item >= 0;
	return of_item ? &run->steps[halt->step].items[halt->item] : NULL;
}

/* A dangerous call needs one more dangerous.ops where the envelope has none left. */
static size_t grant_for_danger(struct st_run *run, struct st_grant_asked *grants)
{
	const struct st_account *account = st_accounts_find(&run->accounts, ST_METER_DANGEROUS_OPS);
	if (account == NULL || account->limit == ST_UNLIMITED || st_ledger_remaining(account) > 0) {
		return 0;
	}
	grants[0] = (struct st_grant_asked){ST_SCOPE_RUN, ST_METER_DANGEROUS_OPS, 1};
	return 1;
}

static void end_asking(struct st_turn *turn, struct st_run *run, const struct st_halt *halt)
{
	if (halt->step < 0 || halt->item < 0) {
		if (halt->kind == ST_HALT_DANGEROUS) { /* its client asks again */
			st_approval_free(run->approval);
			run->approval = st_approval_decide(turn, run, halt);
		}
		return;
	}
	struct st_item *item = &run->steps[halt->step].items[halt->item];
	if (item->state != ST_ITEM_ASKING) {
		return;
	}
	if (halt->kind == ST_HALT_APPROVAL) {
		st_item_succeed(turn, run, halt->step, halt->item);
		return;
	}
	if (halt->kind == ST_HALT_DANGEROUS) {
		st_approval_free(item->approval);
		item->approval = st_approval_decide(turn, run, halt);
	}
	st_item_move(turn, run, item, ST_ITEM_WAITING);
}

static void decide_grant(struct st_turn *turn, struct st_run *run, const struct st_decide *decide)
{
	struct st_halt halt = run->halt;
	struct st_grant_asked grants[ST_GRANTS_MAX];
	size_t n = decide->n_grants;
	assert(n <= ST_GRANTS_MAX);
	memcpy(grants, decide->grants, n * sizeof grants[0]);
	if (halt.kind == ST_HALT_IN_DOUBT || halt.kind == ST_HALT_PAUSED) {
		st_gate_refuse(turn, ST_ERR_CONFLICT,
			       halt.kind == ST_HALT_PAUSED ? "the run is paused: resume it"
							   : "a call is in doubt: resolve it");
		return;
	}
	if (n == 0 && halt.kind == ST_HALT_BUDGET) {
		n = lacking(halt.verdict, grants);
	} else if (n == 0 && halt.kind == ST_HALT_DANGEROUS) {
		n = grant_for_danger(run, grants);
	}
	if (!grants_fit(turn, run, grants, n)) {
		return;
	}
	struct st_clean *reason = st_tell_text(turn, decide->reason);
	const struct st_granted granted = {.halt = halt.id,
					   .grants = grants,
					   .n_grants = n,
					   .reason = reason,
					   .own_run = st_gate_own_run(turn, run)};
	apply_grants(turn, run, &granted);
	st_run_emit(turn, run, "decision.granted", halt_about(&halt),
		    st_tell_granted(turn, &granted));
	st_run_close_halt(turn, run, "granted", reason);
	st_run_continue(turn, run, "granted", NULL);
	end_asking(turn, run, &halt);
	turn->answer = run;
}

static void decide_deny(struct st_turn *turn, struct st_run *run, const struct st_decide *decide)
{
	struct st_halt halt = run->halt;
	struct st_item *item = halted_item(run);
	if (halt.kind == ST_HALT_PAUSED || halt.kind == ST_HALT_IN_DOUBT) {
		st_gate_refuse(turn, ST_ERR_CONFLICT,
			       halt.kind == ST_HALT_PAUSED
				   ? "the run is paused: resume or cancel it"
				   : "a call is in doubt: resolve it");
		return;
	}
	struct st_clean *reason = st_tell_text(turn, decide->reason);
	st_run_emit(turn, run, "decision.denied", halt_about(&halt), st_tell_by(turn, reason));
	struct st_clean *why = st_clean_copy(reason);
	st_run_close_halt(turn, run, "denied", reason);
	if (item != NULL && item->state == ST_ITEM_ASKING) {
		st_run_continue(turn, run, "denied", NULL);
		st_item_fail(turn, run, halt.step, halt.item, (struct st_failure){"denied", why});
	} else { /* the run as a whole: its wall clock, or a call of a client */
		memcpy(run->error_code, "denied", sizeof "denied");
		st_clean_free(run->error);
		run->error = why != NULL ? why : st_tell_text(turn, "denied");
		st_run_stop(turn, run, ST_RUN_FAILED);
		st_run_emit(turn, run, "run.failed", ST_ABOUT_RUN, st_tell_failed(turn, run));
	}
	turn->answer = run;
}

/* A call in doubt: of an item, or of a client. */
struct doubt {
	struct st_about what;
	struct st_item *item;	       /* or NULL */
	struct st_client_call *client; /* or NULL */
};

static bool find_doubt(struct st_run *run, struct st_id call, struct doubt *doubt)
{
	*doubt = (struct doubt){.what = {.call = call}};
	for (int i = 0; i < (int)run->def->n_steps; i++) {
		for (int j = 0; j < run->steps[i].n_items; j++) {
			struct st_item *item = &run->steps[i].items[j];
			if (item->state == ST_ITEM_IN_DOUBT && item->flight != NULL &&
			    st_id_equal(item->call, call)) {
				doubt->what.step = i;
				doubt->what.item = j;
				doubt->item = item;
				return true;
			}
		}
	}
	struct st_client_call *client = st_client_find(run, call);
	if (client == NULL || client->flight->state != ST_HOLD_IN_DOUBT) {
		return false;
	}
	doubt->what = st_client_about(client);
	doubt->client = client;
	return true;
}

static void note_resolution(struct st_turn *turn, struct st_run *run, const struct doubt *doubt,
			    const struct st_decide *decide)
{
	struct st_clean *reason = st_tell_text(turn, decide->reason);
	st_run_emit(turn, run, "decision.resolved", doubt->what,
		    st_tell_resolved(turn, decide->happened, reason));
	st_clean_free(reason);
	if (!decide->happened) {
		return;
	}
	if (doubt->item != NULL) {
		json_decref(doubt->item->output);
		doubt->item->output =
		    json_pack("{s:b,s:s?}", "resolved", 1, "external_id", decide->external_id);
	}
	if (decide->external_id != NULL) {
		const struct st_external_id id = {.kind = "resolved",
						  .id = (char *)(uintptr_t)decide->external_id};
		st_call_external_id(turn, run, doubt->what, &id);
	}
}

/* Which call is resolved: the one that is named, or the one that the open halt is about. */
static struct st_id decide_call(const struct st_run *run, const struct st_decide *decide)
{
	bool about_halt = st_id_is_none(decide->call) && run->halt.kind == ST_HALT_IN_DOUBT &&
			  st_id_equal(decide->halt, run->halt.id);
	return about_halt ? run->halt.call : decide->call;
}

/* Can what the person says be kept? Answers if not. */
static bool resolution_fits(struct st_turn *turn, const struct st_decide *decide)
{
	bool fits = true;
	for (int m = 0; m < ST_METER_COUNT && decide->usage_known; m++) {
		fits = fits && decide->usage.of[m] >= 0 && decide->usage.of[m] <= ST_USED_MAX;
	}
	if (!fits) {
		st_gate_refuse(turn, ST_ERR_INVALID,
			       "what one call used is not below 0 nor above 10000000000000");
		return false;
	}
	if (decide->external_id != NULL && strlen(decide->external_id) > EXTERNAL_ID_BYTES_MAX) {
		st_gate_refuse(turn, ST_ERR_INVALID, "an external id has at most 256 bytes");
		return false;
	}
	return true;
}

static void decide_resolve(struct st_turn *turn, struct st_run *run, const struct st_decide *decide)
{
	struct doubt doubt;
	if (!resolution_fits(turn, decide)) {
		return;
	}
	const struct st_id asked = decide_call(run, decide);
	if (!find_doubt(run, asked, &doubt)) {
		st_gate_refuse(turn, ST_ERR_CONFLICT, "this call is not in doubt");
		return;
	}
	note_resolution(turn, run, &doubt, decide);
	st_run_resolved(turn, run, asked, st_tell_text(turn, decide->reason));
	const struct st_resolution resolution = {.happened = decide->happened,
						 .usage_known = decide->usage_known,
						 .usage = &decide->usage,
						 .by = turn->actor->name};
	if (doubt.client != NULL) {
		st_client_resolve(turn, run, doubt.client, &resolution);
	} else {
		st_call_resolve(turn, run, doubt.what.step, doubt.what.item, &resolution);
	}
	turn->answer = run;
}

void st_decide_run(struct st_turn *turn, struct st_run *run, const struct st_event *event)
{
	const struct st_decide *decide = &event->decide;
	if (!st_gate_decides(turn, run)) {
		return;
	}
	if (decide->decision == ST_DECISION_RESOLVE) {
		decide_resolve(turn, run, decide);
		return;
	}
	if (run->halt.kind == ST_HALT_NONE ||
	    (!st_id_is_none(decide->halt) && !st_id_equal(decide->halt, run->halt.id))) {
		st_gate_refuse(turn, ST_ERR_CONFLICT,
			       "this halt is decided already or is not the run's open one");
		return;
	}
	if (decide->decision == ST_DECISION_GRANT) {
		decide_grant(turn, run, decide);
	} else {
		decide_deny(turn, run, decide);
	}
}
