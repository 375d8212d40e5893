/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call of a client has a hold like any other, but nobody here sends it, so that nobody here knows
 * whether it was made. From its hold on it counts as sent; its client settles or voids it. When its
 * time is over it is in doubt: the hold stays until the client speaks after all, or a person does.
 */
#include "orchestrator/client_call.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/registry.h"
#include "orchestrator/tell.h"
#include "schemas/mem.h"

struct st_client_call *st_client_find(const struct st_run *run, struct st_id call)
{
	for (size_t i = 0; i < run->n_clients; i++) {
		if (st_id_equal(st_grant_call(run->clients[i].flight->grant), call)) {
			return &run->clients[i];
		}
	}
	return NULL;
}

struct st_client_call *st_client_doubt(const struct st_run *run)
{
	for (size_t i = 0; i < run->n_clients; i++) {
		if (run->clients[i].flight->state == ST_HOLD_IN_DOUBT) {
			return &run->clients[i];
		}
	}
	return NULL;
}

struct st_about st_client_about(const struct st_client_call *call)
{
	return (struct st_about){
	    .step = call->step, .item = -1, .call = st_grant_call(call->flight->grant)};
}

void st_client_add(struct st_run *run, const struct st_client_call *call)
{
	if (run->n_clients == run->clients_cap) {
		run->clients_cap = run->clients_cap == 0 ? 4 : run->clients_cap * 2;
		run->clients =
		    st_realloc(run->clients, run->clients_cap * sizeof(struct st_client_call));
	}
	run->clients[run->n_clients++] = *call;
	run->n_clients_sent += call->flight->state == ST_HOLD_SENT;
}

void st_client_tell_held(struct st_turn *turn, struct st_run *run,
			 const struct st_client_call *call,
			 const uint8_t params_hash[ST_HASH_BYTES], struct st_clean *params)
{
	const struct st_flight *flight = call->flight;
	char intent[ST_CALL_KIND_MAX + 32];
	(void)snprintf(intent, sizeof intent, "%s, made by the client", call->kind);
	struct st_row_hold *hold = st_rows_add_hold(&turn->update->rows);
	hold->no = flight->no;
	hold->id = st_grant_hold(flight->grant);
	hold->run_no = run->no;
	hold->step = call->step;
	hold->item = -1;
	hold->at = flight->since;
	hold->amounts = *st_grant_amounts(flight->grant);
	struct st_row_call *row = st_rows_add_call(&turn->update->rows);
	row->insert = true;
	row->no = flight->no;
	row->id = st_grant_call(flight->grant);
	row->attempt = (int)st_grant_attempt(flight->grant);
	row->hold_no = flight->no;
	row->run_no = run->no;
	row->step = call->step;
	row->item = -1;
	memcpy(row->kind, call->kind, sizeof row->kind);
	row->idempotence = (int)flight->idempotence;
	memcpy(row->params_hash, params_hash, sizeof row->params_hash);
	row->params = params;
	row->intent = st_tell_text(turn, intent);
	row->at = flight->since;
	row->state = flight->state;
	row->ended_at = ST_TIME_NONE;
	row->expires_at = call->expires_at;
	st_run_emit(turn, run, "call.held", st_client_about(call),
		    st_tell_client_held(turn, call, row->intent));
}

void st_client_put(struct st_turn *turn, const struct st_client_call *call)
{
	struct st_row_call *row = st_rows_add_call(&turn->update->rows);
	row->no = call->flight->no;
	row->state = call->flight->state;
	row->ended_at = ST_TIME_NONE;
	row->expires_at = call->expires_at;
}

static void into_doubt(struct st_turn *turn, struct st_run *run, struct st_client_call *call)
{
	struct st_clean *error = st_tell_text(turn, "its client did not say in time how it ended");
	assert(st_machine_allows(&st_hold_machine, (int)call->flight->state, ST_HOLD_IN_DOUBT));
	call->flight->state = ST_HOLD_IN_DOUBT;
	run->n_clients_sent--;
	run->n_doubts++;
	st_client_put(turn, call);
	st_run_emit(turn, run, "call.in_doubt", st_client_about(call),
		    st_tell_error(turn, "call.in_doubt", error));
	st_clean_free(error);
}

void st_client_expire(struct st_turn *turn, struct st_run *run)
{
	for (size_t i = 0; i < run->n_clients && run->n_clients_sent > 0; i++) {
		struct st_client_call *call = &run->clients[i];
		if (call->flight->state == ST_HOLD_SENT && call->expires_at <= turn->now) {
			into_doubt(turn, run, call);
		}
	}
}

void st_client_resolve(struct st_turn *turn, struct st_run *run, struct st_client_call *call,
		       const struct st_resolution *resolution)
{
	struct st_flight *flight = call->flight;
	const struct st_amounts held = *st_grant_amounts(flight->grant);
	const struct st_end end = st_call_resolved(resolution, &held);
	const struct st_about what = st_client_about(call);
	size_t i = (size_t)(call - run->clients);
	if (flight->state == ST_HOLD_IN_DOUBT) {
		assert(run->n_doubts > 0);
		run->n_doubts--;
	} else {
		assert(run->n_clients_sent > 0);
		run->n_clients_sent--;
	}
	memmove(call, call + 1, (run->n_clients - i - 1) * sizeof *call);
	run->n_clients--;
	st_flight_end(turn, run, flight, what, &end);
	st_core_touch(turn->core, run);
}

void st_client_move_clock(struct st_turn *turn, struct st_run *run, int64_t moved_ms)
{
	for (size_t i = 0; i < run->n_clients; i++) {
		struct st_client_call *call = &run->clients[i];
		if (call->flight->state == ST_HOLD_SENT) {
			call->expires_at += moved_ms;
			st_client_put(turn, call);
			st_core_touch(turn->core, run);
		}
	}
}
