/* SPDX-License-Identifier: Apache-2.0 */
/* One step of the core and what a shell does around it: batches, commits, effects, loads. The laws
 * that can be seen on one step alone are checked here. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define STEPS_PER_BATCH_MAX 8
#define PROVE_EVERY 64

/* What a step gave, counted. */
struct gave {
	int n_grants;
	int n_closed;
	int n_decided;
	int n_changed; /* envelope.changed */
	int n_replies;
	int n_answers;
	enum st_err code;
	struct st_id run;
	int64_t granted; /* sum of all amounts, saturating */
	bool by_actor;	 /* all of it */
	struct st_id closed;
};

static void count_row(const struct st_row *row, const struct st_actor *actor, struct gave *gave)
{
	if (row->type == ST_ROW_GRANT) {
		gave->n_grants++;
		gave->granted = st_add_saturating(gave->granted, row->grant->amount);
		gave->by_actor = gave->by_actor && strcmp(row->grant->by, actor->name) == 0;
	} else if (row->type == ST_ROW_HALT && !row->halt->insert) {
		gave->n_closed++;
		gave->closed = row->halt->id;
		gave->by_actor = gave->by_actor && strcmp(row->halt->by, actor->name) == 0;
	} else if (row->type == ST_ROW_EVENT) {
		gave->n_decided += strncmp(row->event->type, "decision.", 9) == 0;
		gave->n_changed += strcmp(row->event->type, "envelope.changed") == 0;
	} else if (row->type == ST_ROW_ANSWER) {
		gave->n_answers++;
	}
}

static struct gave look(const struct sim *s, const struct st_event *event, size_t rows,
			size_t effects)
{
	struct gave gave = {.by_actor = true};
	for (size_t i = rows; i < s->open.rows.n; i++) {
		count_row(&s->open.rows.of[i], &event->actor, &gave);
	}
	for (size_t i = effects; i < s->open.n_effects; i++) {
		const struct st_effect *effect = &s->open.effects[i];
		if (effect->type == ST_EFFECT_REPLY) {
			gave.n_replies++;
			gave.code = effect->reply.code;
			gave.run = effect->reply.run;
		}
	}
	return gave;
}

static bool is_own(const struct sim *s, const struct st_event *event)
{
	for (int i = 0; i < s->n_wishes; i++) {
		if (s->wishes[i].stepped && st_id_equal(s->wishes[i].id, event->run)) {
			return strcmp(s->wishes[i].by, event->actor.name) == 0;
		}
	}
	return false;
}

static bool is_visible(const struct sim *s, const struct st_event *event)
{
	for (int i = 0; i < s->n_wishes; i++) {
		if (s->wishes[i].stepped && st_id_equal(s->wishes[i].id, event->run)) {
			return event->actor.tenant[0] == '\0' ||
			       strcmp(s->wishes[i].tenant, event->actor.tenant) == 0;
		}
	}
	return false;
}

static bool may(const struct sim *s, const struct st_event *event)
{
	static const enum st_role least[ST_EVENT_COUNT] = {
	    [ST_EVENT_SUBMIT] = ST_ROLE_SUBMITTER, [ST_EVENT_DECIDE] = ST_ROLE_APPROVER,
	    [ST_EVENT_CANCEL] = ST_ROLE_SUBMITTER, [ST_EVENT_PAUSE] = ST_ROLE_SUBMITTER,
	    [ST_EVENT_RESUME] = ST_ROLE_SUBMITTER, [ST_EVENT_LIMITS] = ST_ROLE_ADMIN,
	};
	if (event->actor.role < least[event->type]) {
		return false;
	}
	if (event->type == ST_EVENT_SUBMIT) {
		return true;
	}
	bool own = event->type == ST_EVENT_DECIDE && is_own(s, event) && !event->actor.embedded;
	return is_visible(s, event) && !own;
}

/* Granted without amounts: exactly what lacked, as the verdict of the halt says. */
static void law_lack(struct sim *s, const struct st_event *event, const struct gave *gave)
{
	const struct sim_run *run = sim_store_find(&s->store, event->run);
	struct st_verdict verdict;
	int64_t lack = 0;
	if (!run->halted || !st_id_equal(run->halt.id, gave->closed) ||
	    run->halt.kind != ST_HALT_BUDGET ||
	    st_verdict_parse(run->halt.verdict_json, &verdict) != ST_OK) {
		return;
	}
	for (size_t i = 0; i < verdict.n_refused; i++) {
		const struct st_refusal *r = &verdict.refused[i];
		lack = r->scope <= ST_SCOPE_RUN ? st_add_saturating(lack, st_ledger_lack(r)) : lack;
	}
	sim_check(s, GRANT_EXACT, gave->granted == lack, "%lld granted, %lld lacked",
		  (long long)gave->granted, (long long)lack);
}

static void law_decide(struct sim *s, const struct st_event *event, const struct gave *gave)
{
	const struct st_decide *decide = &event->decide;
	sim_check(s, DECIDED_ONCE, gave->n_decided == (gave->code == ST_OK), "%d decisions for %s",
		  gave->n_decided, st_err_name(gave->code));
	sim_check(s, DECIDED_ONCE, gave->n_closed <= 1, "%d halts closed at once", gave->n_closed);
	bool bound = st_id_is_none(decide->halt) || gave->n_closed == 0 ||
		     st_id_equal(decide->halt, gave->closed);
	sim_check(s, DECIDED_ONCE, bound, "another halt was decided than the one that was shown");
	if (gave->code != ST_OK || decide->decision != ST_DECISION_GRANT) {
		sim_check(s, GRANT_EXACT, gave->n_grants == 0, "a grant that nobody gave");
		return;
	}
	int64_t asked = 0;
	for (size_t i = 0; i < decide->n_grants; i++) {
		asked = st_add_saturating(asked, decide->grants[i].amount);
	}
	bool exact = gave->n_grants == (int)decide->n_grants && gave->granted == asked;
	sim_check(s, GRANT_EXACT, decide->n_grants == 0 || exact, "%lld granted, %lld asked",
		  (long long)gave->granted, (long long)asked);
	if (decide->n_grants == 0) {
		law_lack(s, event, gave);
	}
}

/* An own run's limits are not raised; the model must be up to date to say that. */
static bool raises_own(struct sim *s, const struct st_event *event)
{
	const struct sim_run *run = sim_store_find(&s->store, event->run);
	if (run == NULL || !is_own(s, event) || event->actor.embedded || s->n_sealed > 0 ||
	    s->n_open_steps > 0) {
		return false;
	}
	for (int m = 0; m < ST_METER_COUNT; m++) {
		const struct sim_account *account = &run->accounts[m];
		if (account->limit != ST_UNLIMITED && event->limits.run.of[m] > account->limit) {
			return true;
		}
	}
	return false;
}

static void law_limits(struct sim *s, const struct st_event *event, const struct gave *gave)
{
	struct sim_run *run = sim_store_find(&s->store, event->run);
	if (gave->code != ST_OK || gave->n_replies == 0) {
		return;
	}
	sim_check(s, MAY_DECIDE, !raises_own(s, event), "own limits were raised");
	run->asked[run->n_asked++] = event->limits.run;
}

static void law_step(struct sim *s, const struct st_event *event, size_t rows, size_t effects)
{
	struct gave gave = look(s, event, rows, effects);
	bool asks = event->reply != NULL;
	sim_check(s, ANSWERED, gave.n_replies == asks, "%d answers to one %s", gave.n_replies,
		  st_event_type_name(event->type));
	bool decides = event->type == ST_EVENT_DECIDE;
	bool controls = decides || event->type == ST_EVENT_CANCEL || event->type == ST_EVENT_RESUME;
	sim_check(s, MAY_DECIDE, decides || gave.n_grants + gave.n_decided == 0,
		  "%s decides something", st_event_type_name(event->type));
	sim_check(s, MAY_DECIDE, controls || gave.n_closed == 0, "%s closes a halt",
		  st_event_type_name(event->type));
	sim_check(s, ENVELOPE, event->type == ST_EVENT_LIMITS || gave.n_changed == 0,
		  "%s changes limits", st_event_type_name(event->type));
	sim_check(s, AUDIT, gave.by_actor, "a decision in another's name");
	if (!asks) {
		return;
	}
	s->result->seen[SIM_SEEN_REFUSED] += gave.code != ST_OK;
	sim_check(s, MAY_DECIDE, may(s, event) || gave.code != ST_OK, "%s may not %s",
		  event->actor.name, st_event_type_name(event->type));
	int changes =
	    gave.n_grants + gave.n_closed + gave.n_decided + gave.n_changed + gave.n_answers;
	sim_check(s, REFUSED_IS_NOTHING, gave.code == ST_OK || changes == 0,
		  "%s was refused and changed something", st_event_type_name(event->type));
	bool kept = event->idempotency == NULL || gave.n_answers == (gave.code == ST_OK);
	sim_check(s, DURABLE, kept, "the answer is not kept under its key");
	if (decides) {
		law_decide(s, event, &gave);
	} else if (event->type == ST_EVENT_LIMITS) {
		law_limits(s, event, &gave);
	} else if (event->type == ST_EVENT_SUBMIT && gave.code == ST_OK) {
		s->submitting->stepped = true;
		s->submitting->id = gave.run;
	}
	sim_trace(s, "   %s", st_err_name(gave.code));
}

static void trace_rows(struct sim *s, size_t from)
{
	for (size_t i = from; i < s->open.rows.n; i++) {
		const struct st_row_event *event = s->open.rows.of[i].event;
		if (s->open.rows.of[i].type == ST_ROW_EVENT) {
			sim_trace(s, "   r%lld %s %s[%d] %.180s", (long long)event->run_no,
				  event->type, event->step, event->item,
				  st_clean_text(event->data));
		}
	}
}

enum st_err sim_step(struct sim *s, struct st_event *event)
{
	size_t rows = s->open.rows.n;
	size_t effects = s->open.n_effects;
	struct sim_rng rng = sim_rng_of(s->options->seed, 3, (uint64_t)s->tick);
	event->now = s->now;
	event->moved_ms = s->moved - s->told;
	s->told = s->moved;
	event->random[0] = sim_next(&rng) + (uint64_t)s->n_asked++;
	event->random[1] = sim_next(&rng);
	st_core_step(s->core, event, &s->open);
	s->result->n_steps++;
	s->n_open_steps++;
	if (s->options->trace) {
		trace_rows(s, rows);
	}
	law_step(s, event, rows, effects);
	enum st_err code = look(s, event, rows, effects).code;
	if (s->result->n_steps % PROVE_EVERY == 0) {
		st_core_prove(s->core);
	}
	if (s->eager) {
		sim_commit_all(s);
	} else if (s->n_open_steps >= STEPS_PER_BATCH_MAX) {
		sim_seal(s);
	}
	return code;
}

/* ---- batches ---- */

void sim_seal(struct sim *s)
{
	if (s->n_open_steps == 0) {
		return;
	}
	if (s->n_sealed == SIM_BATCHES_MAX) {
		sim_commit(s, SIZE_MAX);
	}
	st_core_flush(s->core, &s->open);
	s->sealed[s->n_sealed++] = s->open;
	s->open = (struct st_update){0};
	s->n_open_steps = 0;
}

static void answer(struct sim *s, const struct st_effect_reply *reply)
{
	if (reply->code != ST_OK) {
		return;
	}
	const struct sim_run *run = sim_store_find(&s->store, reply->run);
	sim_check(s, DURABLE, run != NULL, "answered for a run that is not stored");
	for (int i = 0; i < s->n_wishes; i++) {
		s->wishes[i].committed =
		    s->wishes[i].committed ||
		    (s->wishes[i].stepped && st_id_equal(s->wishes[i].id, run->id));
	}
}

static void let_out(struct sim *s, struct st_effect *effect)
{
	switch (effect->type) {
	case ST_EFFECT_CALL:
		sim_tool_arrives(s, &effect->call);
		break;
	case ST_EFFECT_ABORT:
		sim_tool_abort(s, effect->abort_call_no);
		break;
	case ST_EFFECT_REPLY:
		answer(s, &effect->reply);
		break;
	}
}

void sim_commit(struct sim *s, size_t effects_max)
{
	if (s->n_sealed == 0) {
		return;
	}
	struct st_update batch = s->sealed[0];
	s->n_sealed--;
	memmove(s->sealed, s->sealed + 1, s->n_sealed * sizeof s->sealed[0]);
	if (s->options->digest) {
		s->result->digest = sim_digest_update(s->result->digest, &batch);
	}
	for (size_t i = 0; i < batch.rows.n; i++) {
		sim_law_row(s, &batch.rows, i);
	}
	s->result->n_rows += batch.rows.n;
	sim_law_batch(s);
	for (size_t i = 0; i < batch.n_effects && i < effects_max; i++) {
		let_out(s, &batch.effects[i]);
	}
	st_update_fini(&batch);
}

void sim_commit_all(struct sim *s)
{
	sim_seal(s);
	while (s->n_sealed > 0) {
		sim_commit(s, SIZE_MAX);
	}
}

void sim_pass(struct sim *s, int64_t ms)
{
	s->now += ms;
}

void sim_set_clock(struct sim *s, st_time to)
{
	s->moved += to - s->now;
	s->now = to;
}

void sim_pulse(struct sim *s)
{
	st_rows_add_pulse(&s->open.rows)->at = s->now;
	s->n_open_steps++;
}

bool sim_need(struct sim *s, int64_t run_no)
{
	const struct sim_run *run = sim_store_run(&s->store, run_no);
	if (run == NULL || st_core_has(s->core, run->id)) {
		return run != NULL;
	}
	sim_commit_all(s); /* the read waits behind what was to be written */
	struct st_rows rows = {0};
	struct st_diag diag = {0};
	struct st_event event = {.type = ST_EVENT_LOAD, .load = {.rows = &rows, .diag = &diag}};
	sim_store_load(&s->store, run_no, &rows);
	bool eager = s->eager;
	s->eager = false; /* nothing may be flushed before the event that wants the run */
	(void)sim_step(s, &event);
	s->eager = eager;
	st_rows_fini(&rows);
	sim_check(s, LOADS, diag.code == ST_OK, "%s", diag.text);
	sim_saw(s, SIM_SEEN_LOADS);
	return st_core_has(s->core, run->id);
}
