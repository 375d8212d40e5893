/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/core.h"

#include <assert.h>
#include <string.h>

#include "orchestrator/call_end.h"
#include "orchestrator/client.h"
#include "orchestrator/control.h"
#include "orchestrator/decide.h"
#include "orchestrator/definitions.h"
#include "orchestrator/jump.h"
#include "orchestrator/queue.h"
#include "orchestrator/recover.h"
#include "orchestrator/registry.h"
#include "orchestrator/rows.h"
#include "orchestrator/run.h"
#include "orchestrator/schedule.h"
#include "orchestrator/submit.h"
#include "orchestrator/tell.h"
#include "schemas/mem.h"

#define RUNS_CAP_MIN 256
#define WIDES_CAP 1024
#define DEFINITIONS_MAX 16

struct st_core *st_core_new(const struct st_core_options *options,
			    const struct st_core_numbers *numbers)
{
	assert(options->config != NULL);
	assert(options->redactor != NULL);
	assert(numbers->run > 0);
	assert(numbers->call > 0);
	struct st_core *core = st_alloc(sizeof *core);
	core->options = *options;
	core->numbers = *numbers;
	core->definitions = options->definitions;
	if (core->definitions == NULL) {
		core->own_definitions = st_definitions_new(DEFINITIONS_MAX);
		core->definitions = core->own_definitions;
	}
	core->runs_cap = RUNS_CAP_MIN;
	core->runs = st_alloc_array(core->runs_cap, sizeof(struct st_run *));
	core->wides_cap = WIDES_CAP;
	core->wides = st_alloc_array(core->wides_cap, sizeof(struct st_wide *));
	return core;
}

static void free_wides(struct st_core *core)
{
	for (size_t i = 0; i < core->wides_cap; i++) {
		for (struct st_wide *wide = core->wides[i]; wide != NULL;) {
			struct st_wide *next = wide->next;
			st_accounts_fini(&wide->accounts);
			st_free(wide);
			wide = next;
		}
	}
	st_free(core->wides);
}

void st_core_free(struct st_core *core)
{
	if (core == NULL) {
		return;
	}
	for (size_t i = 0; i < core->runs_cap; i++) {
		if (core->runs[i] != NULL) {
			st_run_free(core->runs[i]);
		}
	}
	free_wides(core);
	st_definitions_free(core->own_definitions);
	st_free(core->runs);
	st_free(core->timers.of);
	for (int slot = 0; slot < ST_SLOT_COUNT; slot++) {
		st_free(core->waiting[slot].list.of);
	}
	st_free(core->dirty.of);
	st_free(core->touched.of);
	st_free(core);
}

static void on_timer(struct st_turn *turn)
{
	struct st_core *core = turn->core;
	while (core->timers.n > 0 && core->timers.of[0]->due <= turn->now) {
		struct st_run *run = core->timers.of[0];
		st_queue_set_due(core, run, ST_TIME_NONE);
		st_core_touch(core, run);
	}
}

static void on_run_event(struct st_turn *turn, const struct st_event *event)
{
	struct st_run *run = st_core_find(turn->core, event->run);
	if (run == NULL) {
		st_turn_reply(turn, ST_ERR_NOT_FOUND, NULL, NULL);
		return;
	}
	switch (event->type) {
	case ST_EVENT_CALL_ENDED:
		st_call_ended(turn, run, event);
		break;
	case ST_EVENT_COUNTED:
		st_call_counted(turn, run, event);
		break;
	case ST_EVENT_DECIDE:
		st_decide_run(turn, run, event);
		break;
	case ST_EVENT_CANCEL:
	case ST_EVENT_PAUSE:
	case ST_EVENT_RESUME:
		st_control_run(turn, run, event);
		break;
	case ST_EVENT_LIMITS:
		st_control_limits(turn, run, event);
		break;
	case ST_EVENT_CLIENT_HOLD:
		st_client_hold(turn, run, event);
		break;
	case ST_EVENT_CLIENT_END:
		st_client_settle(turn, run, event);
		break;
	case ST_EVENT_CLIENT_EXTEND:
		st_client_extend(turn, run, event);
		break;
	case ST_EVENT_STEP_END:
		st_client_end_step(turn, run, event);
		break;
	case ST_EVENT_SUBMIT:
	case ST_EVENT_LOAD:
	case ST_EVENT_TIMER:
	case ST_EVENT_DRAIN:
	case ST_EVENT_COUNT:
		assert(false && "an event of no run");
	}
}

/* Schedules what this step touched. Who has waited for a slot comes before who would take it
 * again; a run that no longer wants the slot leaves it to the next. */
static void settle_down(struct st_turn *turn)
{
	struct st_core *core = turn->core;
	for (struct st_run *run; (run = st_queue_next(core)) != NULL;) {
		st_run_schedule(turn, run);
		st_core_touch(core, run);
	}
	for (size_t i = 0; i < core->touched.n; i++) {
		struct st_run *run = core->touched.of[i];
		run->touched = false;
		st_run_schedule(turn, run);
		st_queue_set_due(core, run, st_run_due(run));
	}
	core->touched.n = 0;
}

void st_core_step(struct st_core *core, const struct st_event *event, struct st_update *update)
{
	struct st_turn turn = {
	    .core = core,
	    .update = update,
	    .now = event->now,
	    .ids = {.now = event->now, .random = {event->random[0], event->random[1]}},
	    .actor = &event->actor,
	    .reply = event->reply,
	    .type = event->type,
	    .idempotency = event->idempotency,
	};
	if (event->moved_ms != 0) {
		st_core_move_clock(&turn, event->moved_ms);
	}
	switch (event->type) {
	case ST_EVENT_SUBMIT:
		st_run_submit(&turn, event);
		break;
	case ST_EVENT_LOAD:
		st_recover_load(&turn, event);
		break;
	case ST_EVENT_TIMER:
		on_timer(&turn);
		break;
	case ST_EVENT_DRAIN:
		core->draining = true;
		break;
	case ST_EVENT_CALL_ENDED:
	case ST_EVENT_COUNTED:
	case ST_EVENT_DECIDE:
	case ST_EVENT_CANCEL:
	case ST_EVENT_PAUSE:
	case ST_EVENT_RESUME:
	case ST_EVENT_LIMITS:
	case ST_EVENT_CLIENT_HOLD:
	case ST_EVENT_CLIENT_END:
	case ST_EVENT_CLIENT_EXTEND:
	case ST_EVENT_STEP_END:
		on_run_event(&turn, event);
		break;
	case ST_EVENT_COUNT:
		assert(false && "no such event");
	}
	settle_down(&turn);
	const struct st_run *run = turn.answer;
	bool asked = run != NULL && turn.reply != NULL;
	st_turn_reply(&turn, ST_OK, run, asked ? st_tell_run(&turn, run) : NULL);
}

static void forget(struct st_core *core, struct st_run *run)
{
	assert(!run->queued[ST_SLOT_CALL]);
	assert(!run->queued[ST_SLOT_JOB]);
	st_queue_set_due(core, run, ST_TIME_NONE);
	st_core_remove(core, run);
	st_run_free(run);
}

void st_core_flush(struct st_core *core, struct st_update *update)
{
	assert(core->touched.n == 0);
	for (size_t i = 0; i < core->dirty.n; i++) {
		struct st_run *run = core->dirty.of[i];
		st_rows_of_run(core, run, &update->rows);
		for (int scope = ST_SCOPE_WORKFLOW; scope < ST_SCOPE_COUNT; scope++) {
			st_rows_of_wide(run->wide[scope], &update->rows); /* if it changed */
		}
		run->dirty = false;
		if (st_run_parked(run)) {
			forget(core, run);
		}
	}
	core->dirty.n = 0;
}

st_time st_core_deadline(const struct st_core *core)
{
	return core->timers.n > 0 ? core->timers.of[0]->due : ST_TIME_NONE;
}

bool st_core_has(const struct st_core *core, struct st_id run)
{
	return st_core_find(core, run) != NULL;
}

size_t st_core_runs(const struct st_core *core)
{
	return core->n_runs;
}

size_t st_core_calls_in_flight(const struct st_core *core)
{
	size_t n = 0;
	for (size_t i = 0; i < core->runs_cap; i++) {
		n += core->runs[i] != NULL ? core->runs[i]->n_flights : 0;
	}
	return n;
}

static void add_held(struct st_amounts *sum, const struct st_flight *flight)
{
	for (int m = 0; m < ST_METER_COUNT && flight != NULL; m++) {
		sum->of[m] += st_grant_amounts(flight->grant)->of[m];
	}
}

/* What is held is what the calls hold that are open, and each is counted as what it is. */
static void prove_holds(struct st_run *run)
{
	struct st_amounts sum = {{0}};
	size_t n_doubts = 0;
	size_t n_sent = 0;
	for (size_t i = 0; i < run->def->n_steps; i++) {
		for (int k = 0; k < run->steps[i].n_items; k++) {
			add_held(&sum, run->steps[i].items[k].flight);
			n_doubts += run->steps[i].items[k].state == ST_ITEM_IN_DOUBT;
		}
	}
	for (size_t i = 0; i < run->n_clients; i++) {
		add_held(&sum, run->clients[i].flight);
		n_doubts += run->clients[i].flight->state == ST_HOLD_IN_DOUBT;
		n_sent += run->clients[i].flight->state == ST_HOLD_SENT;
	}
	for (size_t i = 0; i < run->accounts.n; i++) {
		assert(run->accounts.of[i].held == sum.of[run->accounts.of[i].meter]);
	}
	assert(run->no_step.n == 0);
	assert(n_doubts == run->n_doubts);
	assert(n_sent == run->n_clients_sent);
	assert(run->n_clients == 0 || run->state != ST_RUN_SUCCEEDED);
}

void st_core_prove(const struct st_core *core)
{
	for (size_t i = 0; i < core->runs_cap; i++) {
		struct st_run *run = core->runs[i];
		if (run == NULL) {
			continue;
		}
		for (int step = 0; step < (int)run->def->n_steps; step++) {
			struct st_chain chain = st_run_chain(run, step);
			st_ledger_prove(&chain);
		}
		prove_holds(run);
		assert(run->state != ST_RUN_BLOCKED || run->n_flights == 0);
	}
}
