/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/call_end.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/queue.h"
#include "orchestrator/registry.h"
#include "orchestrator/run.h"
#include "orchestrator/step.h"
#include "orchestrator/tell.h"
#include "redact/redact.h"
#include "schemas/mem.h"
#include "steps/retry.h"

/* How often an idempotent call of unknown outcome is sent again before a person is asked. */
#define RESENDS_MAX 5
#define RESEND_BASE_MS 500
#define RESEND_MAX_MS 30000

/* A count of more input tokens than this is no count. */
#define COUNTED_MAX (INT64_C(1) << 40)

struct place {
	int step;
	int k;
	struct st_item *item;
};

static bool find_flight(struct st_run *run, int64_t call_no, struct place *place)
{
	for (int i = 0; i < (int)run->def->n_steps; i++) {
		for (int k = 0; k < run->steps[i].n_items; k++) {
			struct st_item *item = &run->steps[i].items[k];
			if (item->flight != NULL && item->flight->no == call_no) {
				*place = (struct place){.step = i, .k = k, .item = item};
				return true;
			}
		}
	}
	return false;
}

static struct st_about about_flight(const struct place *place)
{
	return (struct st_about){.step = place->step,
				 .item = place->k,
				 .call = st_grant_call(place->item->flight->grant)};
}

void st_flight_end(struct st_turn *turn, struct st_run *run, struct st_flight *flight,
		   struct st_about what, const struct st_end *given)
{
	struct st_end end = *given;
	const struct st_amounts *held = st_grant_amounts(flight->grant);
	const struct st_chain chain = st_run_chain(run, what.step);
	enum st_hold_state to = end.voided ? ST_HOLD_VOIDED : ST_HOLD_SETTLED;
	struct st_amounts overrun = {{0}};
	assert(st_machine_allows(&st_hold_machine, (int)flight->state, (int)to));
	if (end.voided) {
		st_ledger_void(&chain, held);
	} else {
		st_ledger_settle(&chain, held, end.used, &overrun);
	}
	end.overrun = &overrun;
	struct st_row_settlement *row = st_rows_add_settlement(&turn->update->rows);
	row->hold_no = flight->no;
	row->at = st_run_at(turn, run);
	row->voided = end.voided;
	row->estimated = end.estimated;
	row->used = end.voided ? (struct st_amounts){{0}} : *end.used;
	row->overrun = overrun;
	(void)snprintf(row->by, sizeof row->by, "%s", end.by);
	struct st_row_call *call = st_rows_add_call(&turn->update->rows);
	call->no = flight->no;
	call->state = to;
	call->ended_at = st_run_at(turn, run);
	call->expires_at = ST_TIME_NONE; /* its attempt is not written anew */
	call->result = st_tell_end(turn, &end);
	st_run_emit(turn, run, end.voided ? "call.voided" : "call.settled", what,
		    st_clean_copy(call->result));
	if (!st_amounts_are_zero(&overrun)) {
		st_run_emit(turn, run, "call.overrun", what, st_clean_copy(call->result));
	}
	st_grant_free(flight->grant);
	json_decref(flight->params);
	st_free(flight);
}

static void end_flight(struct st_turn *turn, struct st_run *run, const struct place *place,
		       const struct st_end *end)
{
	st_flight_end(turn, run, place->item->flight, about_flight(place), end);
	place->item->flight = NULL;
	place->item->dirty = true;
}

void st_call_external_id(struct st_turn *turn, struct st_run *run, struct st_about what,
			 const struct st_external_id *from)
{
	struct st_row_external_id *row = st_rows_add_external_id(&turn->update->rows);
	row->run_no = run->no;
	row->step = what.step;
	row->item = what.item;
	row->call = what.call;
	row->at = st_run_at(turn, run);
	row->kind = st_tell_text(turn, from->kind);
	row->id = st_tell_text(turn, from->id);
	row->url = st_tell_text(turn, from->url);
	st_run_emit(turn, run, "external_id.recorded", what,
		    st_tell_external_id(turn, row->kind, row->id, row->url));
}

static void record_external_ids(struct st_turn *turn, struct st_run *run, const struct place *place,
				const struct st_outcome *outcome)
{
	for (size_t i = 0; i < outcome->n_external_ids; i++) {
		st_call_external_id(turn, run, about_flight(place), &outcome->external_ids[i]);
	}
}

/* Gives its text, borrowed from the row. */
static const struct st_clean *record_transcript(struct st_turn *turn, struct st_run *run,
						const struct place *place, const json_t *transcript)
{
	if (transcript == NULL) {
		return NULL;
	}
	struct st_row_transcript *row = st_rows_add_transcript(&turn->update->rows);
	row->run_no = run->no;
	row->call = st_grant_call(place->item->flight->grant);
	row->attempt = (int)st_grant_attempt(place->item->flight->grant);
	row->at = st_run_at(turn, run);
	row->text = st_redact_json(turn->core->options.redactor, transcript);
	return row->text;
}

/* Whatever the call came to; told once, since it is told with the one end of its hold. */
static void record_artifacts(struct st_turn *turn, struct st_run *run, const struct place *place,
			     const struct st_end *end)
{
	const struct st_flight *flight = place->item->flight;
	assert(end->n_artifacts <= ST_ARTIFACTS_MAX);
	for (size_t i = 0; i < end->n_artifacts; i++) {
		const struct st_artifact *from = &end->artifacts[i];
		struct st_row_artifact *row = st_rows_add_artifact(&turn->update->rows);
		row->no = st_row_artifact_no(flight->no, i);
		row->run_no = run->no;
		row->step = place->step;
		row->item = place->k;
		row->call = st_grant_call(flight->grant);
		row->attempt = (int)st_grant_attempt(flight->grant);
		row->at = st_run_at(turn, run);
		row->path = st_tell_text(turn, from->path);
		memcpy(row->hash, from->hash, sizeof row->hash);
		row->bytes = st_alloc(from->len + 1);
		memcpy(row->bytes, from->bytes, from->len);
		row->len = from->len;
	}
}

static void keep_output(struct st_item *item, const struct st_outcome *outcome)
{
	json_decref(item->output);
	item->output = outcome->output != NULL ? json_incref(outcome->output) : NULL;
}

/* Sleeps until another attempt, if one is left. */
static bool try_later(struct st_turn *turn, struct st_run *run, const struct place *place,
		      const struct st_outcome *outcome, const struct st_clean *error)
{
	const struct st_retry *retry = &run->def->steps[place->step].retry;
	struct st_item *item = place->item;
	bool given_up = st_step_is_failing(&run->steps[place->step]) ||
			(run->failing && !st_step_asks_for_status(run, place->step)) ||
			st_machine_final(&st_run_machine, (int)run->state);
	if (!outcome->retryable || item->attempt >= retry->attempts || given_up) {
		return false;
	}
	const struct st_backoff backoff = {.base_ms = retry->base_ms, .max_ms = retry->max_ms};
	item->due = st_add_saturating(turn->now, st_retry_wait_ms(&backoff, item->attempt,
								  outcome->retry_after_ms,
								  st_random_next(&turn->ids)));
	st_item_move(turn, run, item, ST_ITEM_SLEEPING);
	const struct st_about what = {.step = place->step, .item = place->k, .call = item->call};
	st_run_emit(turn, run, "step.retrying", what, st_tell_retry(turn, item, error));
	return true;
}

static void fail_item(struct st_turn *turn, struct st_run *run, const struct place *place,
		      const struct st_outcome *outcome, struct st_clean *error)
{
	if (st_machine_final(&st_run_machine, (int)run->state)) {
		st_clean_free(error);
		st_item_cancel(turn, run, place->step, place->k);
		return;
	}
	const char *code = outcome->error_code[0] != '\0' ? outcome->error_code : "call.failed";
	st_item_fail(turn, run, place->step, place->k, (struct st_failure){code, error});
}

/* Of a kind that sends nothing, nothing can have happened. */
static void was_not_made(struct st_turn *turn, struct st_run *run, const struct place *place)
{
	const struct st_end end = {
	    .voided = true, .by = "stint", .wall_ms = -1, .first_byte_ms = -1, .status = -1};
	end_flight(turn, run, place, &end);
	if (st_machine_final(&st_run_machine, (int)run->state)) {
		st_item_cancel(turn, run, place->step, place->k);
	} else if (place->item->state != ST_ITEM_WAITING) {
		st_item_move(turn, run, place->item, ST_ITEM_WAITING);
	}
}

static void into_doubt(struct st_turn *turn, struct st_run *run, const struct place *place,
		       const struct st_end *end)
{
	struct st_flight *flight = place->item->flight;
	if (run->steps[place->step].kind->via == ST_VIA_NOTHING) {
		was_not_made(turn, run, place);
		return;
	}
	assert(st_machine_allows(&st_hold_machine, (int)flight->state, ST_HOLD_IN_DOUBT));
	flight->state = ST_HOLD_IN_DOUBT;
	struct st_row_call *call = st_rows_add_call(&turn->update->rows);
	call->no = flight->no;
	call->state = ST_HOLD_IN_DOUBT;
	call->ended_at = ST_TIME_NONE;
	call->expires_at = ST_TIME_NONE;
	run->n_doubts++;
	st_item_move(turn, run, place->item, ST_ITEM_IN_DOUBT);
	st_run_emit(turn, run, "call.in_doubt", about_flight(place), st_tell_doubt(turn, end));
}

/* The same attempt under the same hold and key, after a pause. */
static bool resend(struct st_turn *turn, struct st_run *run, const struct place *place,
		   bool at_once)
{
	struct st_item *item = place->item;
	if (item->resends >= RESENDS_MAX || st_machine_final(&st_run_machine, (int)run->state)) {
		return false;
	}
	if (at_once) {
		st_item_move(turn, run, item, ST_ITEM_WAITING);
		return true;
	}
	const struct st_backoff backoff = {.base_ms = RESEND_BASE_MS, .max_ms = RESEND_MAX_MS};
	item->due = turn->now +
		    st_retry_wait_ms(&backoff, item->resends + 1, -1, st_random_next(&turn->ids));
	st_item_move(turn, run, item, ST_ITEM_SLEEPING);
	return true;
}

/* Nobody knows whether the call was made. `crashed`: it was in flight when we went down. */
static void on_unknown(struct st_turn *turn, struct st_run *run, const struct place *place,
		       const struct st_outcome *outcome, const struct st_end *given)
{
	struct st_end end = *given;
	struct st_flight *flight = place->item->flight;
	bool crashed = outcome->error_code[0] == '\0';
	if (flight->idempotence == ST_REPEATABLE) {
		const struct st_amounts held = *st_grant_amounts(flight->grant);
		st_run_emit(turn, run, "call.in_doubt", about_flight(place),
			    st_tell_error(turn, "call.unknown", end.error));
		end.used = &held;
		end.estimated = true;
		end_flight(turn, run, place, &end);
		if (crashed && !st_machine_final(&st_run_machine, (int)run->state)) {
			st_item_move(turn, run, place->item, ST_ITEM_WAITING);
		} else if (!try_later(turn, run, place, outcome, end.error)) {
			fail_item(turn, run, place, outcome, st_clean_copy(end.error));
		}
		return;
	}
	if (flight->idempotence == ST_IDEMPOTENT && resend(turn, run, place, crashed)) {
		return;
	}
	into_doubt(turn, run, place, &end);
}

/* What a provider tells about its use can be anything; an amount that cannot be tells nothing. */
static bool tells_usage(const struct st_outcome *outcome)
{
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if (outcome->usage.of[m] < 0 || outcome->usage.of[m] > ST_USED_MAX) {
			return false;
		}
	}
	return outcome->usage_known;
}

static void on_known(struct st_turn *turn, struct st_run *run, const struct place *place,
		     const struct st_outcome *outcome, const struct st_end *given)
{
	struct st_end end = *given;
	const struct st_amounts held = *st_grant_amounts(place->item->flight->grant);
	end.voided = outcome->state == ST_OUTCOME_NOT_MADE;
	end.estimated = !end.voided && !tells_usage(outcome);
	end.used = end.estimated ? &held : &outcome->usage;
	if (outcome->state == ST_OUTCOME_SUCCEEDED && outcome->citations != NULL) {
		st_clean_free(place->item->citations);
		place->item->citations =
		    st_redact_json(turn->core->options.redactor, outcome->citations);
		end.citations = place->item->citations;
	}
	record_external_ids(turn, run, place, outcome);
	record_artifacts(turn, run, place, given);
	end_flight(turn, run, place, &end);
	if (outcome->state == ST_OUTCOME_SUCCEEDED) {
		keep_output(place->item, outcome);
		st_item_succeed(turn, run, place->step, place->k);
	} else if (!try_later(turn, run, place, outcome, end.error)) {
		fail_item(turn, run, place, outcome, st_clean_copy(end.error));
	}
}

/* Counting is free and only refines the bound: whatever came of it, the item goes on. */
static void end_count(struct st_turn *turn, struct st_run *run, const struct place *place,
		      int64_t input_tokens)
{
	const struct st_amounts nothing = {{0}};
	const struct st_end end = {
	    .used = &nothing, .by = "provider", .wall_ms = -1, .first_byte_ms = -1, .status = -1};
	end_flight(turn, run, place, &end);
	place->item->counted_input =
	    input_tokens >= 0 && input_tokens <= COUNTED_MAX ? input_tokens : -1;
	if (st_machine_final(&st_run_machine, (int)run->state)) {
		st_item_cancel(turn, run, place->step, place->k);
	} else {
		st_item_move(turn, run, place->item, ST_ITEM_WAITING);
	}
}

void st_call_ended(struct st_turn *turn, struct st_run *run, const struct st_event *event)
{
	struct place place;
	if (!find_flight(run, event->ended.call_no, &place) ||
	    place.item->state != ST_ITEM_CALLING) {
		return; /* told twice or too late: it has had its one end */
	}
	const struct st_outcome *outcome = event->ended.outcome;
	st_queue_give(turn->core, run, run->steps[place.step].kind);
	if (place.item->flight->counting) {
		end_count(turn, run, &place, -1);
		return;
	}
	struct st_end end = {
	    .by = "provider",
	    .outcome = outcome,
	    .error = outcome->error[0] != '\0' ? st_tell_text(turn, outcome->error) : NULL,
	    .wall_ms = event->ended.wall_ms,
	    .first_byte_ms = event->ended.first_byte_ms,
	    .status = event->ended.status,
	    .artifacts = event->ended.artifacts,
	    .n_artifacts = event->ended.n_artifacts,
	    .transcript = record_transcript(turn, run, &place, event->ended.transcript),
	};
	struct st_clean *error = (struct st_clean *)(uintptr_t)end.error;
	if (outcome->state == ST_OUTCOME_UNKNOWN) {
		end.by = "stint";
		on_unknown(turn, run, &place, outcome, &end);
	} else {
		on_known(turn, run, &place, outcome, &end);
	}
	st_clean_free(error);
	st_core_touch(turn->core, run);
}

void st_call_counted(struct st_turn *turn, struct st_run *run, const struct st_event *event)
{
	struct place place;
	if (!find_flight(run, event->counted.call_no, &place) || !place.item->flight->counting ||
	    place.item->state != ST_ITEM_CALLING) {
		return;
	}
	st_queue_give(turn->core, run, run->steps[place.step].kind);
	end_count(turn, run, &place, event->counted.input_tokens);
}

void st_call_lost(struct st_turn *turn, struct st_run *run, int step, int item)
{
	struct place place = {.step = step, .k = item, .item = &run->steps[step].items[item]};
	const struct st_outcome crashed = {.state = ST_OUTCOME_UNKNOWN, .retry_after_ms = -1};
	struct st_end end = {.by = "stint", .wall_ms = -1, .first_byte_ms = -1, .status = -1};
	struct st_clean *error = st_tell_text(turn, "stint stopped while the call was in flight");
	end.error = error;
	on_unknown(turn, run, &place, &crashed, &end);
	st_clean_free(error);
}

void st_call_doubt(struct st_turn *turn, struct st_run *run, int step, int item)
{
	const struct place place = {.step = step, .k = item, .item = &run->steps[step].items[item]};
	const struct st_end unknown = {.by = "stint"};
	into_doubt(turn, run, &place, &unknown);
}

struct st_end st_call_resolved(const struct st_resolution *resolution,
			       const struct st_amounts *held)
{
	return (struct st_end){
	    .used = resolution->usage_known ? resolution->usage : held,
	    .estimated = resolution->happened && !resolution->usage_known,
	    .voided = !resolution->happened,
	    .by = resolution->by,
	    .reason = resolution->reason,
	    .wall_ms = -1,
	    .first_byte_ms = -1,
	    .status = -1,
	};
}

void st_call_resolve(struct st_turn *turn, struct st_run *run, int step, int item,
		     const struct st_resolution *resolution)
{
	struct place place = {.step = step, .k = item, .item = &run->steps[step].items[item]};
	struct st_flight *flight = place.item->flight;
	assert(flight != NULL && flight->state == ST_HOLD_IN_DOUBT);
	const struct st_amounts held = *st_grant_amounts(flight->grant);
	const struct st_end end = st_call_resolved(resolution, &held);
	assert(run->n_doubts > 0);
	run->n_doubts--;
	end_flight(turn, run, &place, &end);
	if (resolution->happened) {
		st_item_succeed(turn, run, step, item);
	} else if (st_machine_final(&st_run_machine, (int)run->state)) {
		st_item_cancel(turn, run, step, item);
	} else {
		st_item_move(turn, run, place.item, ST_ITEM_WAITING);
	}
}
