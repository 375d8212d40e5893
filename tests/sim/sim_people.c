/* SPDX-License-Identifier: Apache-2.0 */
/* What do people ask for: submit, decide, resolve, hold back, change limits; and who should not? */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "schemas/json.h"
#include "schemas/mem.h"
#include "tests/sim/sim.h"

struct st_actor sim_actor(const char *name, const char *tenant, enum st_role role)
{
	struct st_actor actor = {.role = role};
	(void)snprintf(actor.name, sizeof actor.name, "%s", name);
	(void)snprintf(actor.tenant, sizeof actor.tenant, "%s", tenant);
	return actor;
}

/* ---- submit ---- */

static void note_wish(struct sim_wish *wish, const struct st_def *def)
{
	wish->n_steps = (int)def->n_steps;
	wish->limits = def->envelope.run;
	memcpy(wish->tenant, def->scope_id[ST_SCOPE_TENANT], sizeof wish->tenant);
	for (size_t i = 0; i < def->n_steps; i++) {
		const json_t *least = json_object_get(def->steps[i].with, "min_useful_output");
		wish->steps[i].limits = def->steps[i].limits;
		wish->steps[i].for_each = def->steps[i].for_each != NULL;
		wish->steps[i].concurrent = def->steps[i].for_each_concurrent;
		wish->steps[i].min_useful = json_integer_value(least);
		wish->steps[i].sleeps = strcmp(def->steps[i].uses, "sleep") == 0;
	}
}

static void trace_definition(struct sim *s, int i, const struct st_def *def)
{
	if (s->options->trace) {
		char *text = st_json_compact(def->doc);
		sim_trace(s, "submit %d: %s", i, text);
		st_free(text);
	}
}

static struct sim_wish *next_wish(struct sim *s, int *i)
{
	for (*i = 0; *i < s->n_wishes; (*i)++) {
		struct sim_wish *wish = &s->wishes[*i];
		if (wish->wanted && !wish->stepped) {
			return wish;
		}
	}
	return NULL;
}

/* A client asks until it is answered, always under the same key. */
bool sim_act_submit(struct sim *s, struct sim_rng *rng)
{
	int i = 0;
	struct sim_wish *wish = next_wish(s, &i);
	if (wish == NULL || s->draining) {
		return false;
	}
	struct sim_rng own = sim_rng_of(s->options->seed, 2, (uint64_t)i);
	struct st_idempotency key = {{0}, {0}};
	uint64_t word = sim_next(&own);
	memcpy(key.key_hash, &word, sizeof word);
	struct st_event event = {.type = ST_EVENT_SUBMIT, .reply = s};
	event.actor = sim_actor(sim_chance(&own, 70) ? "ann" : "bob", "", ST_ROLE_SUBMITTER);
	event.idempotency = &key;
	event.submit.def = sim_gen_definition(s->base, s->options->seed, i);
	trace_definition(s, i, event.submit.def);
	note_wish(wish, event.submit.def);
	memcpy(wish->by, event.actor.name, sizeof wish->by);
	if (!s->healed && sim_chance(rng, 5) && sim_fires(s, SIM_CONTROL_ROLE)) {
		event.actor.role = ST_ROLE_VIEWER;
	}
	s->submitting = wish;
	(void)sim_step(s, &event);
	s->submitting = NULL;
	return true;
}

/* ---- decide ---- */

static struct sim_run *some_run(struct sim *s, struct sim_rng *rng)
{
	if (s->store.n_runs == 0) {
		return NULL;
	}
	return sim_store_run(&s->store, 1 + (int64_t)sim_roll(rng, (uint64_t)s->store.n_runs));
}

/* One that waits, if there is any. */
static struct sim_run *some_halted(struct sim *s, struct sim_rng *rng)
{
	struct sim_run *run = some_run(s, rng);
	for (int i = 0; i < 5 && run != NULL && !run->halted; i++) {
		run = some_run(s, rng);
	}
	return run != NULL && (run->halted || sim_chance(rng, 10)) ? run : NULL;
}

static const char *submitter_of(const struct sim *s, const struct sim_run *run)
{
	for (int i = 0; i < s->n_wishes; i++) {
		if (s->wishes[i].stepped && st_id_equal(s->wishes[i].id, run->id)) {
			return s->wishes[i].by;
		}
	}
	return "";
}

/* Somebody who may, or somebody who may not. */
static struct st_actor decider(struct sim *s, struct sim_rng *rng, const struct sim_run *run)
{
	const char *own = submitter_of(s, run);
	const char *other = strcmp(own, "bob") == 0 ? "ann" : "bob";
	uint64_t who = sim_roll(rng, 20);
	if (who == 0 && sim_fires(s, SIM_DECIDE_OWN)) {
		return sim_actor(own, "", sim_chance(rng, 50) ? ST_ROLE_APPROVER : ST_ROLE_ADMIN);
	}
	if (who == 1 && sim_fires(s, SIM_DECIDE_ROLE)) {
		return sim_actor("vic", "", (enum st_role)sim_roll(rng, ST_ROLE_APPROVER));
	}
	if (who == 2 && sim_fires(s, SIM_DECIDE_TENANT)) {
		const char *tenant = s->store.scopes[run->scopes[ST_SCOPE_TENANT]].row.id;
		return sim_actor("eve", strcmp(tenant, "t0") == 0 ? "t1" : "t0", ST_ROLE_ADMIN);
	}
	if (who == 3) { /* the one person of a store of one's own */
		struct st_actor actor = sim_actor(own, "", ST_ROLE_ADMIN);
		actor.embedded = true;
		return actor;
	}
	return sim_actor(other, "", ST_ROLE_APPROVER);
}

static struct sim_hold *doubt_of(struct sim *s, const struct sim_run *run)
{
	for (int64_t no = 1; no <= s->store.n_holds; no++) {
		struct sim_hold *hold = &s->store.holds[no];
		if (hold->there && !hold->ended && hold->row.run_no == run->no &&
		    hold->call.state == ST_HOLD_IN_DOUBT) {
			return hold;
		}
	}
	return NULL;
}

/* Asks, and keeps in mind how the hold in doubt then has to end. */
static enum st_err resolve(struct sim *s, struct st_event *event, struct sim_hold *hold)
{
	const struct st_decide *decide = &event->decide;
	int64_t no = hold->row.no;
	const struct sim_expected saved = hold->expected;
	struct sim_item *item = sim_law_item(sim_store_run(&s->store, hold->row.run_no),
					     hold->row.step, hold->row.item);
	bool lied = item->lied;
	item->lied = item->lied || (hold->happened && !decide->happened);
	hold->expected.told = SIM_TOLD_PERSON;
	hold->expected.voided = !decide->happened;
	hold->expected.estimated = decide->happened && !decide->usage_known;
	hold->expected.used = decide->usage_known ? decide->usage : hold->row.amounts;
	memcpy(hold->expected.by, event->actor.name, sizeof hold->expected.by);
	enum st_err code = sim_step(s, event);
	if (code != ST_OK) {
		sim_store_hold(&s->store, no)->expected = saved;
		item->lied = lied;
	}
	return code;
}

static void choose_grants(struct sim *s, struct sim_rng *rng, const struct sim_run *run,
			  struct st_decide *decide)
{
	uint64_t what = sim_roll(rng, 10);
	struct st_grant_asked *asked = &decide->grants[0];
	*asked = (struct st_grant_asked){ST_SCOPE_RUN, (enum st_meter)sim_roll(rng, 7), 1};
	if (run->halt.kind == ST_HALT_BUDGET && run->halt.step >= 0 && sim_chance(rng, 30)) {
		asked->scope = ST_SCOPE_STEP;
	}
	if (what == 0 && sim_fires(s, SIM_DECIDE_LITTLE)) {
		decide->n_grants = 1;
	} else if (what == 1 && sim_fires(s, SIM_DECIDE_MUCH)) {
		asked->amount = sim_chance(rng, 50) ? INT64_MAX : INT64_MAX / 2;
		decide->n_grants = 1;
	} else if (what == 2 && sim_fires(s, SIM_DECIDE_ODD)) {
		asked->scope = (enum st_scope)sim_roll(rng, ST_SCOPE_COUNT);
		asked->amount = -(int64_t)sim_roll(rng, 3);
		decide->n_grants = 1;
	} else if (what == 3) { /* two accounts, or one twice */
		decide->grants[1] = *asked;
		decide->grants[1].amount = 5;
		decide->n_grants = 2;
	}
}

static void choose_halt(struct sim *s, struct sim_rng *rng, const struct sim_run *run,
			struct st_decide *decide)
{
	uint64_t what = sim_roll(rng, 10);
	decide->halt = what < 5 ? run->halt.id : (struct st_id){{0}};
	if (what == 9 && sim_fires(s, SIM_DECIDE_STALE)) {
		const struct sim_run *other = some_run(s, rng);
		decide->halt = sim_chance(rng, 60) ? run->last_halt : other->halt.id;
		decide->halt.bytes[15] |= 1; /* never none */
	}
}

bool sim_act_decide(struct sim *s, struct sim_rng *rng)
{
	struct sim_run *run = some_halted(s, rng);
	struct st_event event = {.type = ST_EVENT_DECIDE, .reply = s};
	struct st_decide *decide = &event.decide;
	if (run == NULL || !sim_need(s, run->no)) {
		return false;
	}
	event.run = run->id;
	event.actor = decider(s, rng, run);
	decide->reason = sim_chance(rng, 10) ? "because " SIM_CANARY : NULL;
	struct sim_hold *hold = doubt_of(s, run);
	if (hold != NULL && sim_chance(rng, 70)) {
		decide->decision = ST_DECISION_RESOLVE;
		decide->call = hold->call.id;
		decide->happened = hold->happened;
		if (sim_chance(rng, 10) && sim_fires(s, SIM_RESOLVE_LIE)) {
			decide->happened = !decide->happened;
		}
		decide->usage_known = sim_chance(rng, 30);
		decide->usage.of[sim_roll(rng, 5)] = (int64_t)sim_roll(rng, 40) - 3;
		decide->external_id = sim_chance(rng, 30) ? "pr-1" : NULL;
		sim_trace(s, "%s resolves call %lld: %d", event.actor.name, (long long)hold->row.no,
			  decide->happened);
		(void)resolve(s, &event, hold);
		return true;
	}
	bool deny = sim_chance(rng, 15) && sim_fires(s, SIM_DENY);
	decide->decision = deny ? ST_DECISION_DENY : ST_DECISION_GRANT;
	choose_halt(s, rng, run, decide);
	if (!deny) {
		choose_grants(s, rng, run, decide);
	}
	sim_trace(s, "%s %s r%lld", event.actor.name, deny ? "denies" : "grants",
		  (long long)run->no);
	(void)sim_step(s, &event);
	if (sim_chance(rng, 15) && sim_fires(s, SIM_DECIDE_TWICE) && sim_need(s, run->no)) {
		sim_trace(s, "… and again");
		(void)sim_step(s, &event);
	}
	return true;
}

/* ---- hold back ---- */

bool sim_act_control(struct sim *s, struct sim_rng *rng)
{
	struct sim_run *run = some_run(s, rng);
	struct st_event event = {.type = ST_EVENT_RESUME, .reply = s};
	uint64_t what = sim_roll(rng, 20);
	if (run == NULL) {
		return false;
	}
	if (what < 8) {
		if (!sim_fires(s, SIM_PAUSE)) {
			return false;
		}
		event.type = ST_EVENT_PAUSE;
	} else if (what == 8) {
		if (!sim_fires(s, SIM_CANCEL)) {
			return false;
		}
		event.type = ST_EVENT_CANCEL;
	}
	bool senseless = event.type == ST_EVENT_RESUME
			     ? !run->row.paused
			     : st_machine_final(&st_run_machine, (int)run->state);
	if (senseless && !sim_chance(rng, 10)) {
		return false;
	}
	event.actor = sim_actor("ann", "", ST_ROLE_SUBMITTER);
	event.control.reason = sim_chance(rng, 20) ? "tired of " SIM_CANARY : NULL;
	if (sim_chance(rng, 10) && sim_fires(s, SIM_CONTROL_ROLE)) {
		event.actor.role = ST_ROLE_VIEWER;
	} else if (sim_chance(rng, 5)) {
		event.actor = sim_actor("eve", "t9", ST_ROLE_ADMIN);
	}
	event.run = run->id;
	if (!sim_need(s, run->no)) {
		return false;
	}
	sim_trace(s, "%s: %s r%lld", event.actor.name, st_event_type_name(event.type),
		  (long long)run->no);
	(void)sim_step(s, &event);
	return true;
}

bool sim_act_limits(struct sim *s, struct sim_rng *rng)
{
	struct sim_run *run = some_run(s, rng);
	struct st_event event = {.type = ST_EVENT_LIMITS, .reply = s};
	if (run == NULL || run->n_asked == sizeof run->asked / sizeof run->asked[0] ||
	    !sim_fires(s, SIM_LIMITS)) {
		return false;
	}
	static const int64_t limits[] = {0, 1, 2, 7, 300, 5000, INT64_MAX - 1, INT64_MAX};
	for (int m = 0; m < ST_METER_COUNT; m++) {
		event.limits.run.of[m] =
		    sim_chance(rng, 25) ? limits[sim_roll(rng, 8)] : ST_UNLIMITED;
	}
	event.actor = sim_actor("root", "", ST_ROLE_ADMIN);
	if (sim_chance(rng, 20) && sim_fires(s, SIM_LIMITS_ROLE)) {
		bool own = sim_chance(rng, 60);
		event.actor = own ? sim_actor(submitter_of(s, run), "", ST_ROLE_ADMIN)
				  : sim_actor("carl", "", ST_ROLE_APPROVER);
	}
	event.run = run->id;
	if (!sim_need(s, run->no)) {
		return false;
	}
	sim_trace(s, "%s changes limits of r%lld", event.actor.name, (long long)run->no);
	(void)sim_step(s, &event);
	return true;
}

/* ---- everybody comes to their senses ---- */

static enum st_err ask(struct sim *s, const struct sim_run *run, struct st_event event)
{
	event.reply = s;
	event.run = run->id;
	event.actor = sim_actor("zoe", "", ST_ROLE_ADMIN);
	(void)sim_need(s, run->no);
	enum st_err code = sim_step(s, &event);
	sim_commit_all(s);
	return code;
}

bool sim_people_settle(struct sim *s, int64_t no)
{
	struct sim_run *run = sim_store_run(&s->store, no);
	struct sim_hold *hold = run != NULL ? doubt_of(s, run) : NULL;
	if (hold != NULL) {
		struct st_event event = {.type = ST_EVENT_DECIDE, .reply = s, .run = run->id};
		event.actor = sim_actor("zoe", "", ST_ROLE_ADMIN);
		event.decide.decision = ST_DECISION_RESOLVE;
		event.decide.call = hold->call.id;
		event.decide.happened = hold->happened;
		(void)sim_need(s, no);
		enum st_err code = resolve(s, &event, hold);
		sim_check(s, RESTS, code == ST_OK, "a call in doubt cannot be resolved");
		sim_commit_all(s);
		return true;
	}
	if (run == NULL || !run->halted) {
		return false;
	}
	sim_trace(s, "r%lld: an answer to %s", (long long)no, st_halt_kind_name(run->halt.kind));
	if (run->halt.kind == ST_HALT_PAUSED) {
		return ask(s, run, (struct st_event){.type = ST_EVENT_RESUME}) == ST_OK;
	}
	struct st_event event = {.type = ST_EVENT_DECIDE};
	event.decide.halt = run->halt.id;
	event.decide.decision = s->tick % 3 == 0 ? ST_DECISION_DENY : ST_DECISION_GRANT;
	if (ask(s, run, event) != ST_OK) {
		event.decide.decision = ST_DECISION_DENY; /* what cannot be granted can be denied */
		event.decide.halt = run->halt.id;
		enum st_err code = ask(s, run, event);
		sim_check(s, RESTS, code == ST_OK, "a halt can be neither granted nor denied");
	}
	return true;
}
