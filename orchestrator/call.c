/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call's life.
 *
 * st_call_try evaluates the step's parameters, asks the kind for the worst case, asks the ledger
 * for all of it on all scopes, and only with a grant in hand adds the rows of the hold and the
 * intent and the effect that makes the call. The shell lets the effect out when the rows are
 * durable. What came of it enters as CALL_ENDED; the hold then has exactly one end, end_flight()
 * in call_end.c.
 *
 * - No allowance: the run halts, nothing was called; after a grant st_call_try again.
 * - Dangerous and not yet approved: the same, bound to the hash of the parameters.
 * - Answered: settled with what was used; the item succeeded, failed, or sleeps and is tried again
 *   with a new hold.
 * - Provably not made: voided.
 * - Unknown, idempotent kind: the same attempt is sent again under the same hold and key.
 * - Unknown, repeatable kind: settled whole (it may have been billed); a new attempt follows.
 * - Unknown, any other kind: in doubt. The hold stays, the run halts until it is resolved.
 */
#include "orchestrator/call.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/call_end.h"
#include "orchestrator/gate.h"
#include "orchestrator/queue.h"
#include "orchestrator/run.h"
#include "orchestrator/step.h"
#include "orchestrator/tell.h"
#include "redact/redact.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/template.h"

/* What one try works on. */
struct
try {
	struct st_turn *turn;
	struct st_run *run;
	int step;
	int k;
	const struct st_def_step *def;
	const struct st_kind *kind;
	struct st_item *item;
	json_t *params;	 /* with secret markers */
	json_t *display; /* without */
	uint8_t hash[ST_HASH_BYTES];
	struct st_plan plan;
};

static struct st_about about(const struct try *try)
{
	return (struct st_about){.step = try->step, .item = try->k, .call = try->item->call};
}

static void free_try(struct try *try)
{
	json_decref(try->params);
	json_decref(try->display);
}

static void fail_try(struct try *try, const char *code, const struct st_diag *diag)
{
	if (try->item->flight != NULL) { /* it was sent before and cannot be sent again */
		st_call_doubt(try->turn, try->run, try->step, try->k);
		return;
	}
	char text[ST_DIAG_TEXT_MAX + ST_DIAG_POINTER_MAX];
	(void)snprintf(text, sizeof text, "%s%s%s", diag->pointer,
		       diag->pointer[0] != '\0' ? ": " : "", diag->text);
	st_item_fail(try->turn, try->run, try->step, try->k,
		     (struct st_failure){code, st_tell_text(try->turn, text)});
}

static bool eval_params(struct try *try)
{
	struct st_diag diag = {0};
	if (json_object_size(try->def->with) == 0) {
		try->params = json_incref((json_t *)(uintptr_t)try->def->with);
		try->display = json_incref(try->params);
		return true;
	}
	const struct st_expr_scope scope = st_run_expr_scope(try->run, try->step, try->item);
	if (st_template_eval(try->def->with, &scope, &try->params, &diag) != ST_OK) {
		fail_try(try, "definition.expression", &diag);
		return false;
	}
	try->display = st_template_display(try->params);
	return true;
}

static void hash_params(struct try *try)
{
	bool empty = json_object_size(try->display) == 0;
	st_autofree char *made = empty ? NULL : st_json_canonical(try->display);
	const char *canonical = empty ? "{}" : made;
	crypto_generichash_state state;
	(void)crypto_generichash_init(&state, NULL, 0, ST_HASH_BYTES);
	(void)crypto_generichash_update(&state, (const uint8_t *)try->kind->name,
					strlen(try->kind->name) + 1);
	(void)crypto_generichash_update(&state, (const uint8_t *)canonical, strlen(canonical));
	(void)crypto_generichash_final(&state, try->hash, ST_HASH_BYTES);
}

static bool make_plan(struct try *try)
{
	struct st_diag diag = {0};
	struct st_room room = {.job = try->run->def->envelope.job};
	const struct st_chain chain = st_run_chain(try->run, try->step);
	st_ledger_room(&chain, &room.left);
	int err =
	    try->kind->plan(try->display, try->turn->core->options.config, &room,
			    try->def->timeout_ms, try->item->counted_input, &try->plan, &diag);
	if (err != ST_OK) {
		fail_try(try, err == ST_ERR_UNSUPPORTED ? "call.unbounded" : "call.parameters",
			 &diag);
		return false;
	}
	return true;
}

/* Halts for a decision about this item. */
static void ask(struct try *try, enum st_halt_kind kind, const struct st_verdict *verdict)
{
	struct st_halt halt = {
	    .kind = kind,
	    .step = try->step,
	    .item = try->k,
	    .call = try->item->call,
	    .verdict = (struct st_verdict *)(uintptr_t)verdict,
	};
	memcpy(halt.params_hash, try->hash, sizeof halt.params_hash);
	st_item_move(try->turn, try->run, try->item, ST_ITEM_ASKING);
	st_run_halt(try->turn, try->run, &halt, st_tell_text(try->turn, try->plan.intent));
}

static void sleep_for(struct try *try)
{
	st_time now = try->turn->now;
	st_time due = try->plan.wait_until != ST_TIME_NONE
			  ? try->plan.wait_until
			  : st_add_saturating(now, try->plan.wait_ms);
	try->item->due = due < now ? now : due;
	try->item->started_at = st_run_at(try->turn, try->run);
	st_item_move(try->turn, try->run, try->item, ST_ITEM_SLEEPING);
}

/* The client works on it, and says itself when it is done; see orchestrator/client.c. */
static void wait_for_client(struct try *try)
{
	struct st_item *item = try->item;
	item->due = st_add_saturating(try->turn->now, try->plan.timeout_ms);
	item->started_at = st_run_at(try->turn, try->run);
	st_item_move(try->turn, try->run, item, ST_ITEM_SLEEPING);
}

/* Takes the intent. */
static void add_hold_rows(const struct try *try, const struct st_flight *flight,
			  struct st_clean *intent)
{
	struct st_rows *rows = &try->turn->update->rows;
	const struct st_grant *grant = flight->grant;
	struct st_row_hold *hold = st_rows_add_hold(rows);
	hold->no = flight->no;
	hold->id = st_grant_hold(grant);
	hold->run_no = try->run->no;
	hold->step = try->step;
	hold->item = try->k;
	hold->at = st_run_at(try->turn, try->run);
	hold->amounts = *st_grant_amounts(grant);
	struct st_row_call *call = st_rows_add_call(rows);
	call->insert = true;
	call->no = flight->no;
	call->id = st_grant_call(grant);
	call->attempt = (int)st_grant_attempt(grant);
	call->hold_no = flight->no;
	call->run_no = try->run->no;
	call->step = try->step;
	call->item = try->k;
	(void)snprintf(call->kind, sizeof call->kind, "%s",
		       flight->counting ? "model.count" : try->kind->name);
	call->idempotence = (int)flight->idempotence;
	memcpy(call->params_hash, try->hash, sizeof call->params_hash);
	call->params = json_object_size(try->display) == 0
			   ? st_tell_nothing(try->turn)
			   : st_redact_json(try->turn->core->options.redactor, try->display);
	call->intent = intent;
	call->at = flight->since;
	call->state = flight->state;
	call->ended_at = ST_TIME_NONE;
	call->expires_at = ST_TIME_NONE;
}

static void add_call_effect(const struct try *try, const struct st_flight *flight)
{
	struct st_effect *effect = st_update_add(try->turn->update, ST_EFFECT_CALL);
	effect->call.grant = st_grant_copy(flight->grant);
	effect->call.call_no = flight->no;
	effect->call.kind = try->kind;
	effect->call.plan = st_alloc(sizeof *effect->call.plan);
	*effect->call.plan = flight->plan;
	effect->call.params = json_incref(flight->params);
	effect->call.run = try->run->id;
	memcpy(effect->call.step, try->def->id, sizeof effect->call.step);
	effect->call.step_timeout_ms = try->def->timeout_ms;
	effect->call.count = flight->counting;
	effect->call.again = try->item->resends > 0;
}

/* With the grant in hand: rows, timeline and effect, all in this one transition. */
static void take_off(struct try *try, struct st_grant *grant, bool counting)
{
	struct st_flight *flight = st_alloc(sizeof *flight);
	flight->no = try->turn->core->numbers.call++;
	flight->grant = grant;
	flight->state = ST_HOLD_HELD;
	flight->idempotence = counting ? ST_REPEATABLE : try->plan.idempotence;
	flight->plan = try->plan;
	flight->params = json_incref(try->params);
	flight->counting = counting;
	flight->since = st_run_at(try->turn, try->run);
	try->item->flight = flight;
	struct st_about what = about(try);
	what.call = st_grant_call(grant);
	flight->state = ST_HOLD_SENT;
	struct st_clean *intent = st_tell_text(try->turn, try->plan.intent);
	add_hold_rows(try, flight, intent);
	if (try->plan.clamp.what[0] != '\0' && !counting) {
		st_run_emit(try->turn, try->run, "call.clamped", what,
			    st_tell_clamped(try->turn, &try->plan.clamp));
	}
	st_run_emit(try->turn, try->run, "call.held", what,
		    st_tell_held(try->turn, flight, intent));
	if (try->kind->via != ST_VIA_NOTHING) {
		st_run_emit(try->turn, try->run, "call.sent", what,
			    st_tell_sent(try->turn, flight, 0));
	}
	st_queue_take(try->turn->core, try->run, try->kind);
	st_item_move(try->turn, try->run, try->item, ST_ITEM_CALLING);
	add_call_effect(try, flight);
}

/* A free call that asks the provider for the exact size of the input; it has its own id. */
static void count_first(struct try *try)
{
	struct st_verdict verdict;
	const struct st_chain chain = st_run_chain(try->run, try->step);
	const struct st_amounts nothing = {{0}};
	struct st_claim claim = {.attempt = 1};
	claim.call = st_id_next(&try->turn->ids);
	claim.hold = st_id_next(&try->turn->ids);
	struct st_grant *grant = st_grant_make(&chain, &nothing, &claim, &verdict);
	assert(grant != NULL);
	try->item->counted = true;
	take_off(try, grant, true);
}

/* The run's id with random bits of its own, the same for this item always: an older copy of the
 * store, put back, sends the keys that were sent before. */
static struct st_id call_id(const struct try *try)
{
	struct st_id id = try->run->id;
	const int32_t place[2] = {try->step, try->k};
	uint8_t hash[ST_HASH_BYTES];
	crypto_generichash_state state;
	(void)crypto_generichash_init(&state, NULL, 0, sizeof hash);
	(void)crypto_generichash_update(&state, id.bytes, sizeof id.bytes);
	(void)crypto_generichash_update(&state, (const uint8_t *)place, sizeof place);
	(void)crypto_generichash_final(&state, hash, sizeof hash);
	memcpy(id.bytes + 9, hash, sizeof id.bytes - 9); /* past the time, version and variant */
	return id;
}

static void hold_and_call(struct try *try)
{
	struct st_item *item = try->item;
	const struct st_chain chain = st_run_chain(try->run, try->step);
	if (st_id_is_none(item->call)) {
		item->call = call_id(try);
	}
	const struct st_claim claim = {
	    .call = item->call, .hold = st_id_next(&try->turn->ids), .attempt = item->attempt + 1};
	struct st_verdict verdict; /* large, and filled only as far as it is needed */
	struct st_grant *grant = st_grant_make(&chain, &try->plan.bound, &claim, &verdict);
	if (grant != NULL) {
		item->attempt++;
		item->resends = 0;
		st_approval_free(item->approval); /* it was for one call */
		item->approval = NULL;
		take_off(try, grant, false);
	} else if (try->plan.exact_count_may_help && !item->counted &&
		   try->kind->count_request != NULL) {
		count_first(try);
	} else {
		ask(try, ST_HALT_BUDGET, &verdict);
	}
}

/* A dangerous call goes on only with an approval of exactly these parameters. */
static bool approved(const struct try *try)
{
	return !try->plan.dangerous || st_approval_covers(try->item->approval, try->hash);
}

static void send_again(struct try *try)
{
	struct st_flight *flight = try->item->flight;
	if (flight->params == NULL) { /* recovered: the same template and outputs give the same */
		flight->params = json_incref(try->params);
		flight->plan = try->plan;
		flight->plan.bound = *st_grant_amounts(flight->grant);
	}
	try->item->resends++;
	st_run_emit(try->turn, try->run, "call.sent", about(try),
		    st_tell_sent(try->turn, flight, try->item->resends));
	st_queue_take(try->turn->core, try->run, try->kind);
	st_item_move(try->turn, try->run, try->item, ST_ITEM_CALLING);
	add_call_effect(try, flight);
}

static void go_on(struct try *try)
{
	if (try->item->flight != NULL) {
		send_again(try);
		return;
	}
	hash_params(try);
	switch (try->kind->via) {
	case ST_VIA_PERSON:
		ask(try, ST_HALT_APPROVAL, NULL);
		return;
	case ST_VIA_TIMER:
		sleep_for(try);
		return;
	case ST_VIA_CLIENT:
		wait_for_client(try);
		return;
	case ST_VIA_NOTHING:
	case ST_VIA_HTTP:
	case ST_VIA_JOB:
	case ST_VIA_GIT:
		break;
	}
	if (!approved(try)) {
		ask(try, ST_HALT_DANGEROUS, NULL);
		return;
	}
	hold_and_call(try);
}

void st_call_try(struct st_turn *turn, struct st_run *run, int step, int item)
{
	struct try try = {
	    .turn = turn,
	    .run = run,
	    .step = step,
	    .k = item,
	    .def = &run->def->steps[step],
	    .kind = run->steps[step].kind,
	    .item = &run->steps[step].items[item],
	};
	assert(run->state == ST_RUN_RUNNING);
	assert(try.item->state == ST_ITEM_WAITING);
	if (turn->core->draining || !st_queue_slot(turn->core, run, try.kind)) {
		return;
	}
	if (eval_params(&try) && make_plan(&try)) {
		go_on(&try);
	}
	free_try(&try);
}
