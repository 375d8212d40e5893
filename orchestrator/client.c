/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/client.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/call_end.h"
#include "orchestrator/client_call.h"
#include "orchestrator/gate.h"
#include "orchestrator/registry.h"
#include "orchestrator/run.h"
#include "orchestrator/schedule.h"
#include "orchestrator/step.h"
#include "orchestrator/tell.h"
#include "schemas/buf.h"
#include "schemas/mem.h"

#define OPEN_MAX 1024 /* of one run; each is looked at whenever one ends */

#define NO_AMOUNTS                                                                                 \
	"no call uses less than 0 or more than 10000000000000 of anything, and wall_seconds are "  \
	"counted by stint itself"

/* What one ask for a hold works on. */
struct ask {
	struct st_turn *turn;
	struct st_run *run;
	const struct st_client_hold *hold;
	int step;			    /* -1: none */
	uint8_t params_hash[ST_HASH_BYTES]; /* what an approval is bound to */
};

static void refuse(struct st_turn *turn, const struct st_run *run, const char *why)
{
	st_turn_reply(turn, ST_ERR_CONFLICT, run, st_tell_text(turn, why));
}

/* May this actor act as a client of the run at all? */
static bool admits(struct st_turn *turn, const struct st_run *run)
{
	return st_gate_admits(turn, run, ST_ROLE_SUBMITTER,
			      "making calls takes the role submitter");
}

/* Can a call use so much? What cannot be is a mistake of the client, not a matter for a person. */
static bool can_be_used(const struct st_amounts *amounts)
{
	bool can = amounts->of[ST_METER_WALL_SECONDS] == 0;
	for (int m = 0; m < ST_METER_COUNT; m++) {
		can = can && amounts->of[m] >= 0 && amounts->of[m] <= ST_USED_MAX;
	}
	return can;
}

static bool find_step(const struct st_run *run, const char *id, int *step)
{
	for (int i = 0; i < (int)run->def->n_steps; i++) {
		if (strcmp(run->def->steps[i].id, id) == 0) {
			*step = i;
			return true;
		}
	}
	return false;
}

/* Only a running run, and of it only a running step, takes new calls. */
static bool run_takes_calls(struct ask *ask)
{
	struct st_run *run = ask->run;
	if (run->state != ST_RUN_RUNNING) {
		refuse(ask->turn, run,
		       run->halt.kind != ST_HALT_NONE
			   ? "the run is halted: ask again when it goes on"
		       : st_machine_final(&st_run_machine, (int)run->state)
			   ? "the run is over"
			   : "the run has not started: ask again when it has");
		return false;
	}
	if (run->n_clients >= OPEN_MAX) {
		refuse(ask->turn, run,
		       "1024 calls of clients are open in this run: settle some first");
		return false;
	}
	return true;
}

static bool step_takes_calls(struct ask *ask)
{
	ask->step = -1;
	if (ask->hold->step == NULL) {
		return true;
	}
	if (!find_step(ask->run, ask->hold->step, &ask->step)) {
		st_gate_refuse(ask->turn, ST_ERR_INVALID, "the run has no step of this name");
		return false;
	}
	if (ask->run->steps[ask->step].state != ST_STEP_RUNNING) {
		refuse(ask->turn, ask->run, "the step is not running");
		return false;
	}
	return true;
}

/* What a person approves is this kind with these amounts for this step, too, not only what the
 * client says its parameters come to. */
static void bind(struct ask *ask)
{
	const struct st_client_hold *hold = ask->hold;
	struct st_buf text = {0};
	st_buf_add(&text, hold->kind, strlen(hold->kind) + 1);
	if (hold->step != NULL) {
		st_buf_add(&text, hold->step, strlen(hold->step));
	}
	st_buf_add_char(&text, '\0');
	st_amounts_add_json(&text, &hold->amounts);
	st_buf_add_char(&text, '\0');
	st_buf_add(&text, hold->params_hash, sizeof hold->params_hash);
	(void)crypto_generichash(ask->params_hash, sizeof ask->params_hash,
				 (const uint8_t *)text.data, text.len, NULL, 0);
	st_buf_fini(&text);
}

/* Halts for a decision, and says so; the client asks again after it. */
static void halt(struct ask *ask, enum st_halt_kind kind, const struct st_verdict *verdict)
{
	const struct st_client_hold *hold = ask->hold;
	struct st_buf intent = {0};
	struct st_halt halt = {.kind = kind,
			       .step = ask->step,
			       .item = -1,
			       .verdict = (struct st_verdict *)(uintptr_t)verdict};
	memcpy(halt.params_hash, ask->params_hash, sizeof halt.params_hash);
	st_buf_addf(&intent, "%s by a client: ", hold->kind);
	st_amounts_add_json(&intent, &hold->amounts);
	if (hold->has_params_hash) {
		char hex[2 * ST_HASH_BYTES + 1];
		(void)sodium_bin2hex(hex, sizeof hex, hold->params_hash, ST_HASH_BYTES);
		st_buf_addf(&intent, " with parameters %s", hex);
	}
	st_run_halt(ask->turn, ask->run, &halt, st_tell_text(ask->turn, intent.data));
	st_turn_refuse(ask->turn, ask->run,
		       verdict != NULL ? st_tell_verdict(ask->turn, verdict) : NULL);
	st_buf_fini(&intent);
}

static void take_off(struct ask *ask, struct st_grant *grant)
{
	struct st_turn *turn = ask->turn;
	struct st_run *run = ask->run;
	struct st_client_call call = {.step = ask->step};
	call.flight = st_alloc(sizeof *call.flight);
	call.flight->no = turn->core->numbers.call++;
	call.flight->grant = grant;
	call.flight->state = ST_HOLD_SENT; /* from now on it may have been */
	call.flight->idempotence = ST_UNREPEATABLE;
	call.flight->since = st_run_at(turn, run);
	call.expires_at = st_add_saturating(turn->now, ask->hold->ttl_seconds * 1000);
	memcpy(call.kind, ask->hold->kind, sizeof call.kind);
	st_client_add(run, &call);
	st_client_tell_held(turn, run, &call, ask->params_hash,
			    ask->hold->has_params_hash
				? st_tell_params_hash(turn, ask->hold->params_hash)
				: st_tell_nothing(turn));
	st_core_touch(turn->core, run);
	st_turn_reply(turn, ST_OK, run, st_tell_client_call(turn, run, &call));
}

static void hold(struct ask *ask)
{
	struct st_turn *turn = ask->turn;
	struct st_run *run = ask->run;
	struct st_verdict verdict; /* large, and filled only as far as it is needed */
	bool dangerous = ask->hold->amounts.of[ST_METER_DANGEROUS_OPS] > 0;
	bind(ask);
	if (!can_be_used(&ask->hold->amounts)) {
		st_gate_refuse(turn, ST_ERR_INVALID, NO_AMOUNTS);
		return;
	}
	if (dangerous && !ask->hold->has_params_hash) {
		st_gate_refuse(turn, ST_ERR_INVALID,
			       "a dangerous call needs params_hash: what a person approves");
		return;
	}
	if (dangerous && !st_approval_covers(run->approval, ask->params_hash)) {
		halt(ask, ST_HALT_DANGEROUS, NULL);
		return;
	}
	const struct st_chain chain = st_run_chain(run, ask->step);
	struct st_claim claim = {.attempt = 1};
	claim.call = st_id_next(&turn->ids);
	claim.hold = st_id_next(&turn->ids);
	struct st_grant *grant = st_grant_make(&chain, &ask->hold->amounts, &claim, &verdict);
	if (grant == NULL) {
		halt(ask, ST_HALT_BUDGET, &verdict);
		return;
	}
	if (dangerous) { /* it was for one call */
		st_approval_free(run->approval);
		run->approval = NULL;
	}
	take_off(ask, grant);
}

void st_client_hold(struct st_turn *turn, struct st_run *run, const struct st_event *event)
{
	struct ask ask = {.turn = turn, .run = run, .hold = &event->hold};
	if (!admits(turn, run)) {
		return;
	}
	if (turn->core->draining) {
		st_gate_refuse(turn, ST_ERR_UNAVAILABLE, "the server is stopping");
		return;
	}
	st_run_schedule(turn, run); /* what is due now comes first: an expiry, the wall clock */
	st_core_touch(turn->core, run);
	if (run_takes_calls(&ask) && step_takes_calls(&ask)) {
		hold(&ask);
	}
}

/* Ends */

/* What is told of the end: the same as the store tells of it later. */
static struct st_clean *tell_settled(const struct st_turn *turn, const struct st_run *run,
				     const struct st_client_call *call,
				     const struct st_client_end *end)
{
	const struct st_amounts *held = st_grant_amounts(call->flight->grant);
	const struct st_settled settled = {
	    .call = call,
	    .voided = end->voided,
	    .estimated = !end->voided && !end->usage_known,
	    .used = end->usage_known ? &end->usage : held,
	};
	return st_tell_settled(turn, run, &settled);
}

void st_client_settle(struct st_turn *turn, struct st_run *run, const struct st_event *event)
{
	const struct st_client_end *end = &event->end;
	if (!admits(turn, run)) {
		return;
	}
	if (end->usage_known && !can_be_used(&end->usage)) {
		st_gate_refuse(turn, ST_ERR_INVALID, NO_AMOUNTS);
		return;
	}
	struct st_client_call *call = st_client_find(run, end->call);
	if (call == NULL) {
		st_gate_refuse(turn, ST_ERR_EXISTS, "this call has ended already");
		return;
	}
	const struct st_about what = st_client_about(call);
	struct st_clean *answer = tell_settled(turn, run, call, end);
	struct st_clean *reason = st_tell_text(turn, end->reason);
	const struct st_resolution resolution = {.happened = !end->voided,
						 .usage_known = end->usage_known,
						 .usage = &end->usage,
						 .by = turn->actor->name,
						 .reason = reason};
	if (end->external_id != NULL && !end->voided) {
		const struct st_external_id id = {.kind = "client",
						  .id = (char *)(uintptr_t)end->external_id};
		st_call_external_id(turn, run, what, &id);
	}
	if (call->flight->state == ST_HOLD_IN_DOUBT) {
		st_run_emit(turn, run, "decision.resolved", what,
			    st_tell_resolved(turn, !end->voided, reason));
		st_run_resolved(turn, run, end->call, st_clean_copy(reason));
	}
	st_client_resolve(turn, run, call, &resolution);
	st_clean_free(reason);
	st_turn_reply(turn, ST_OK, run, answer);
}

void st_client_extend(struct st_turn *turn, struct st_run *run, const struct st_event *event)
{
	if (!admits(turn, run)) {
		return;
	}
	struct st_client_call *call = st_client_find(run, event->extend.call);
	if (call == NULL) {
		st_gate_refuse(turn, ST_ERR_CONFLICT, "this call has ended already");
		return;
	}
	if (call->flight->state != ST_HOLD_SENT || call->expires_at <= turn->now) {
		refuse(turn, run, "this call has expired and is in doubt: settle or void it");
		st_core_touch(turn->core, run);
		return;
	}
	call->expires_at = st_add_saturating(turn->now, event->extend.ttl_seconds * 1000);
	st_client_put(turn, call);
	st_core_touch(turn->core, run);
	st_turn_reply(turn, ST_OK, run, st_tell_client_call(turn, run, call));
}

/* Steps */

/* The item that the client says it has ended. Answers if there is none. */
static bool find_item(struct st_turn *turn, struct st_run *run, const struct st_step_end *end,
		      int *step, int *item)
{
	if (!find_step(run, end->step, step) || run->steps[*step].kind->via != ST_VIA_CLIENT) {
		st_gate_refuse(turn, ST_ERR_INVALID,
			       "the run has no step of this name and of the kind \"client\"");
		return false;
	}
	bool many = run->def->steps[*step].for_each != NULL;
	if (many != (end->item > 0)) {
		st_gate_refuse(turn, ST_ERR_INVALID,
			       many ? "the step has several items: say which one, from 1"
				    : "the step has no items: leave \"item\" out");
		return false;
	}
	*item = many ? end->item - 1 : 0;
	const struct st_step *s = &run->steps[*step];
	if (*item >= s->n_items || s->items[*item].state != ST_ITEM_SLEEPING) {
		refuse(turn, run, "the step does not wait for its client");
		return false;
	}
	return true;
}

void st_client_end_step(struct st_turn *turn, struct st_run *run, const struct st_event *event)
{
	const struct st_step_end *end = &event->step_end;
	int step = 0;
	int item = 0;
	if (!admits(turn, run) || !find_item(turn, run, end, &step, &item)) {
		return;
	}
	struct st_item *ended = &run->steps[step].items[item];
	st_run_emit(turn, run, "step.reported", (struct st_about){.step = step, .item = item},
		    st_tell_reported(turn, end->succeeded));
	ended->due = ST_TIME_NONE;
	if (end->succeeded) {
		json_decref(ended->output);
		ended->output = end->output != NULL ? json_incref(end->output) : NULL;
		st_item_succeed(turn, run, step, item);
	} else {
		st_item_fail(turn, run, step, item,
			     (struct st_failure){"client.failed", st_tell_text(turn, end->error)});
	}
	turn->answer = run;
}
