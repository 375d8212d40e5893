/* SPDX-License-Identifier: Apache-2.0 */
/* What do the tools see, do and say? They know the truth: which call arrived how often, and whether
 * its effect is there. One that honours keys has the effect of a key once. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "schemas/mem.h"
#include "tests/sim/sim.h"

/* ---- a call arrives ---- */

static size_t n_in_flight(const struct sim *s, enum st_via via)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n_flights; i++) {
		n += s->flights[i].call.kind->via == via;
	}
	return n;
}

static int64_t request_tokens_max(struct sim *s, const struct st_effect_call *call)
{
	const struct st_call_context context = {.config = s->config,
						.idempotency_key = "k",
						.provider_key = "sk",
						.run_id = "r",
						.step_id = call->step};
	struct st_http_request request = {0};
	struct st_diag diag = {0};
	int err = call->kind->request(call->params, call->plan, &context, &request, &diag);
	sim_check(s, BOUND_SENT, err == ST_OK, "no request: %s", diag.text);
	json_t *body = json_loads(request.body, 0, NULL);
	const json_t *most = json_object_get(body, "max_tokens");
	most = most != NULL ? most : json_object_get(body, "max_completion_tokens");
	int64_t tokens = most != NULL ? json_integer_value(most) : -1;
	json_decref(body);
	st_http_request_fini(&request);
	return tokens;
}

static void check_bound(struct sim *s, const struct st_effect_call *call,
			const struct sim_hold *hold)
{
	const struct st_clamp *clamp = &call->plan->clamp;
	bool clamped = clamp->what[0] != '\0';
	const struct st_amounts *held = &hold->row.amounts;
	if (call->count) {
		return;
	}
	sim_check(s, CLAMP_TOLD, hold->clamp_told == clamped || hold->n_sent > 0,
		  "call %lld is clamped, and the timeline does not say so",
		  (long long)call->call_no);
	if (strcmp(call->kind->name, "model.generate") == 0 &&
	    (clamped || call->call_no % 4 == 0)) {
		int64_t most = request_tokens_max(s, call);
		int64_t given = clamped ? clamp->given : most;
		sim_check(s, BOUND_SENT,
			  most > 0 && most == given && most < held->of[ST_METER_TOKENS],
			  "asked for %lld tokens, clamped to %lld, %lld held", (long long)most,
			  (long long)given, (long long)held->of[ST_METER_TOKENS]);
		const struct sim_run *run = sim_store_run(&s->store, hold->row.run_no);
		int64_t least = run->steps[hold->row.step].min_useful;
		sim_check(s, CLAMP_TOLD, !clamped || (least > 0 && given >= least),
			  "clamped to %lld, %lld are useful", (long long)given, (long long)least);
		sim_saw(s, SIM_SEEN_CHECKED_REQUESTS);
	} else if (call->kind->via == ST_VIA_JOB) {
		struct st_job_spec spec = {0};
		struct st_diag diag = {0};
		int err = call->kind->job(call->params, call->plan, &spec, &diag);
		sim_check(s, BOUND_SENT,
			  err == ST_OK && spec.hard_ms <= held->of[ST_METER_SANDBOX_SECONDS] * 1000,
			  "a job of %lld ms under %lld seconds", (long long)spec.hard_ms,
			  (long long)held->of[ST_METER_SANDBOX_SECONDS]);
		st_job_spec_fini(&spec);
		sim_saw(s, SIM_SEEN_CHECKED_REQUESTS);
	}
}

static void check_slots(struct sim *s, const struct st_effect_call *call,
			const struct sim_hold *hold)
{
	const struct sim_run *run = sim_store_run(&s->store, hold->row.run_no);
	int of_step = 1;
	for (size_t i = 0; i < s->n_flights; i++) {
		of_step += s->flights[i].run_no == hold->row.run_no &&
			   s->flights[i].step == hold->row.step;
	}
	sim_check(s, SLOTS, of_step <= run->steps[hold->row.step].concurrent,
		  "%d calls of step %d at once", of_step, hold->row.step);
	size_t n = n_in_flight(s, call->kind->via) + 1;
	bool fits = call->kind->via == ST_VIA_HTTP  ? (int64_t)n <= s->config->calls_max
		    : call->kind->via == ST_VIA_JOB ? (int64_t)n <= s->config->jobs_max
						    : true;
	sim_check(s, SLOTS, fits, "%zu at once of %s", n, call->kind->name);
}

void sim_tool_arrives(struct sim *s, struct st_effect_call *call)
{
	struct sim_hold *hold = sim_store_hold(&s->store, call->call_no);
	sim_check(s, PERSIST_FIRST, hold != NULL, "call %lld leaves without a stored hold",
		  (long long)call->call_no);
	sim_check(s, PERSIST_FIRST, !hold->ended, "call %lld leaves, its hold has ended",
		  (long long)call->call_no);
	const struct st_amounts *granted = st_grant_amounts(call->grant);
	sim_check(s, PERSIST_FIRST, memcmp(granted, &hold->row.amounts, sizeof *granted) == 0,
		  "call %lld: another amount is held", (long long)call->call_no);
	bool same = st_id_equal(st_grant_call(call->grant), hold->call.id) &&
		    st_grant_attempt(call->grant) == hold->call.attempt;
	sim_check(s, ATTEMPT_KEY, same, "call %lld goes by another key", (long long)call->call_no);
	sim_check(s, SENT_ONCE, hold->n_sent == 0 || hold->call.idempotence == ST_IDEMPOTENT,
		  "call %lld (%s) is sent again", (long long)call->call_no, hold->call.kind);
	if (call->plan->dangerous && hold->n_sent == 0) {
		struct sim_item *item = sim_law_item(sim_store_run(&s->store, hold->row.run_no),
						     hold->row.step, hold->row.item);
		sim_check(s, DANGER, item->n_approved > 0,
			  "call %lld is dangerous, and nobody approved it",
			  (long long)call->call_no);
		item->n_approved = 0;
	}
	check_bound(s, call, hold);
	check_slots(s, call, hold);
	hold->n_sent++;
	hold->expected.told = SIM_TOLD_NOTHING;
	assert(s->n_flights < sizeof s->flights / sizeof s->flights[0]);
	s->flights[s->n_flights++] = (struct sim_flight){.call = *call,
							 .run_no = hold->row.run_no,
							 .step = hold->row.step,
							 .item = hold->row.item};
	*call = (struct st_effect_call){0};
}

void sim_tool_abort(struct sim *s, int64_t call_no)
{
	for (size_t i = 0; i < s->n_flights; i++) {
		s->flights[i].aborted =
		    s->flights[i].aborted || s->flights[i].call.call_no == call_no;
	}
	sim_saw(s, SIM_SEEN_ABORTS);
}

static void drop(struct sim *s, size_t i)
{
	struct st_effect_call *call = &s->flights[i].call;
	st_grant_free(call->grant);
	st_free(call->plan);
	json_decref(call->params);
	s->n_flights--;
	memmove(&s->flights[i], &s->flights[i + 1], (s->n_flights - i) * sizeof s->flights[0]);
}

/* The effect of the call is there now. */
static void happen(struct sim *s, struct sim_hold *hold)
{
	struct sim_run *run = sim_store_run(&s->store, hold->row.run_no);
	struct sim_item *item = sim_law_item(run, hold->row.step, hold->row.item);
	if (hold->happened || hold->call.idempotence == ST_REPEATABLE ||
	    strcmp(hold->call.kind, "noop") == 0) {
		return;
	}
	hold->happened = true;
	item->n_effects++;
	sim_check(s, EFFECT_ONCE, item->n_effects == 1 || item->lied,
		  "the effect of step %d item %d is there %d times", hold->row.step, hold->row.item,
		  item->n_effects);
}

void sim_tool_lose(struct sim *s)
{
	while (s->n_flights > 0) {
		struct sim_hold *hold = sim_store_hold(&s->store, s->flights[0].call.call_no);
		struct sim_rng rng = sim_rng_of(s->options->seed, 4, (uint64_t)hold->row.no);
		if (sim_chance(&rng, 50)) {
			happen(s, hold);
		}
		drop(s, 0);
	}
	for (int64_t no = 1; no <= s->store.n_holds; no++) {
		s->store.holds[no].expected.told = SIM_TOLD_UNKNOWN;
	}
}

/* ---- a call ends ---- */

static void spoil_usage(struct sim *s, struct sim_rng *rng, struct st_outcome *out)
{
	uint64_t what = sim_roll(rng, 6);
	int m = (int)sim_roll(rng, ST_METER_WALL_SECONDS);
	if (what == 0 && sim_fires(s, SIM_USAGE_MISSING)) {
		out->usage_known = false;
	} else if (what == 1 && sim_fires(s, SIM_USAGE_NEGATIVE)) {
		out->usage.of[m] = sim_chance(rng, 50) ? INT64_MIN : -1;
	} else if (what == 2 && sim_chance(rng, 15) && sim_fires(s, SIM_USAGE_HUGE)) {
		out->usage.of[m] =
		    sim_chance(rng, 30) ? INT64_MAX : INT64_C(1) << (40 + sim_roll(rng, 5));
	} else if (what == 3 && sim_fires(s, SIM_USAGE_OVER)) {
		out->usage.of[ST_METER_TOOL_STEPS] += (int64_t)sim_roll(rng, 3);
		out->usage.of[ST_METER_TOKENS] += (int64_t)sim_roll(rng, 900);
	} else if (what == 4 && sim_fires(s, SIM_USAGE_OTHER)) {
		out->usage.of[m] += 1;
	} else if (what == 5) {
		for (int i = 0; i < ST_METER_COUNT; i++) { /* less than was held: as it should be */
			out->usage.of[i] = (int64_t)((uint64_t)out->usage.of[i] / (1 + what % 3));
		}
	}
}

static json_t *output(struct sim *s, struct sim_rng *rng)
{
	if (sim_chance(rng, 4) && sim_fires(s, SIM_SECRET)) {
		return json_pack("{s:s,s:s}", "token", SIM_CANARY, "note", "key " SIM_CANARY " ok");
	}
	if (sim_chance(rng, 10)) {
		return json_pack("{s:s,s:i}", "approve", "the budget of this run", "limit", 999999);
	}
	return sim_chance(rng, 50) ? json_pack("{s:i}", "n", (int)sim_roll(rng, 9)) : NULL;
}

/* A real answer of a provider, with odd counts in it, through the kind's own reading. */
static bool answer_body(struct sim *s, struct sim_rng *rng, const struct st_effect_call *call,
			struct st_outcome *out)
{
	static const char *const usages[] = {
	    "{\"input_tokens\":12,\"output_tokens\":7}",
	    "null",
	    "{}",
	    "{\"input_tokens\":-5,\"output_tokens\":7}",
	    "{\"input_tokens\":\"12\",\"output_tokens\":\"7\"}",
	    "{\"input_tokens\":12.5,\"output_tokens\":7.0}",
	    "{\"input_tokens\":1e300,\"output_tokens\":1}",
	    "[12,7]",
	    "\"12\"",
	    "{\"input_tokens\":9223372036854775807,\"output_tokens\":9223372036854775807}",
	};
	const char *model = json_string_value(json_object_get(call->params, "model"));
	if (model == NULL || strcmp(model, "anthropic/m") != 0 || !sim_fires(s, SIM_USAGE_BODY)) {
		return false;
	}
	size_t which = sim_roll(rng, sizeof usages / sizeof usages[0]);
	struct st_buf body = {0};
	st_buf_addf(&body,
		    "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\","
		    "\"content\":[{\"type\":\"text\",\"text\":\"%s\"}],\"stop_reason\":"
		    "\"end_turn\",\"usage\":%s}",
		    sim_chance(rng, 20) ? SIM_CANARY : "quack", usages[which]);
	const struct st_http_response response = {.transport = ST_TRANSPORT_ANSWERED,
						  .status = 200,
						  .body = body.data,
						  .body_len = body.len,
						  .first_byte_ms = 1,
						  .total_ms = 2};
	call->kind->answer(call->params, call->plan, s->config, &response, out);
	st_buf_fini(&body);
	bool absurd = which > 0 && which < 9;
	sim_check(s, RIGHT_END, !absurd || !out->usage_known, "usage %s was believed",
		  usages[which]);
	return true;
}

static void fail_with(struct st_outcome *out, enum st_outcome_state state, const char *code,
		      const char *text)
{
	out->state = state;
	(void)snprintf(out->error_code, sizeof out->error_code, "%s", code);
	(void)snprintf(out->error, sizeof out->error, "%s", text);
}

/* Something that is not a success, if this call may have it. */
static bool go_wrong(struct sim *s, struct sim_rng *rng, const struct sim_flight *flight,
		     struct st_outcome *out)
{
	struct sim_hold *hold = sim_store_hold(&s->store, flight->call.call_no);
	uint64_t what = sim_roll(rng, 100);
	if (!flight->aborted && what >= s->fault_p) {
		return false;
	}
	what = flight->aborted ? 60 + sim_roll(rng, 60) : sim_roll(rng, 100);
	bool done = hold->happened; /* it then is done, whatever else is said */
	out->retryable = sim_chance(rng, 75);
	if (what < 35 && !done && sim_fires(s, SIM_TOOL_FAILS)) {
		fail_with(out, ST_OUTCOME_FAILED, "sim.fails", "no, " SIM_CANARY);
	} else if (what < 60 && what >= 35 && !done && sim_fires(s, SIM_TOOL_NOT_MADE)) {
		fail_with(out, ST_OUTCOME_NOT_MADE, "sim.not_made", "no such host");
	} else if (what < 80 && what >= 60 && sim_fires(s, SIM_TOOL_LOST_BEFORE)) {
		fail_with(out, ST_OUTCOME_UNKNOWN, "sim.lost", "no answer");
	} else if (what >= 80 && what < 100 && sim_fires(s, SIM_TOOL_LOST_AFTER)) {
		happen(s, hold);
		fail_with(out, ST_OUTCOME_UNKNOWN, "sim.lost", "no answer");
	} else {
		return false;
	}
	if (sim_chance(rng, 25) && sim_fires(s, SIM_TOOL_WAIT)) {
		static const int64_t waits[] = {0, 1000, 3600000, INT64_C(1000000000000),
						INT64_MAX};
		out->retry_after_ms = waits[sim_roll(rng, 5)];
	}
	return true;
}

/* What will be told, and with it how the hold has to end. */
static void note_told(struct sim_hold *hold, const struct st_outcome *out)
{
	bool known = out->usage_known;
	for (int m = 0; m < ST_METER_COUNT; m++) {
		known = known && out->usage.of[m] >= 0 && out->usage.of[m] <= ST_USED_MAX;
	}
	hold->expected.voided = out->state == ST_OUTCOME_NOT_MADE;
	hold->expected.estimated = !hold->expected.voided && !known;
	hold->expected.used = known ? out->usage : hold->row.amounts;
	hold->expected.told = hold->counting			 ? SIM_TOLD_COUNT
			      : out->state == ST_OUTCOME_UNKNOWN ? SIM_TOLD_UNKNOWN
								 : SIM_TOLD_END;
}

static void make_outcome(struct sim *s, struct sim_rng *rng, const struct sim_flight *flight,
			 struct st_outcome *out)
{
	struct sim_hold *hold = sim_store_hold(&s->store, flight->call.call_no);
	*out = (struct st_outcome){.retry_after_ms = -1,
				   .usage_known = true,
				   .usage = hold->row.amounts,
				   .model = {-1, -1, -1, -1, -1}};
	if (flight->call.kind->via == ST_VIA_NOTHING) {
		flight->call.kind->answer(flight->call.params, flight->call.plan, s->config, NULL,
					  out);
		return;
	}
	if (!s->healed && go_wrong(s, rng, flight, out)) {
		return;
	}
	happen(s, hold);
	if (!s->healed && !hold->counting && sim_chance(rng, 40) &&
	    answer_body(s, rng, &flight->call, out)) {
		return;
	}
	out->state = ST_OUTCOME_SUCCEEDED;
	out->output = output(s, rng);
	if (!s->healed && sim_chance(rng, 30)) {
		spoil_usage(s, rng, out);
	}
	if (sim_chance(rng, 10)) {
		st_outcome_external_id(out, "sim.thing",
				       sim_chance(rng, 20) ? SIM_CANARY : "x\r\n=1", NULL);
	}
}

static void tell_count(struct sim *s, struct sim_rng *rng, int64_t call_no, struct st_id run)
{
	static const int64_t odd[] = {-1, 0, INT64_MAX, INT64_MIN, INT64_C(1) << 41};
	struct st_event event = {.type = ST_EVENT_COUNTED, .run = run};
	event.counted.call_no = call_no;
	event.counted.input_tokens = 40 + (int64_t)sim_roll(rng, 300);
	if (!s->healed && sim_chance(rng, 30) && sim_fires(s, SIM_COUNT_ODD)) {
		event.counted.input_tokens = odd[sim_roll(rng, 5)];
	}
	sim_trace(s, "call %lld counted %lld", (long long)call_no,
		  (long long)event.counted.input_tokens);
	(void)sim_step(s, &event);
}

static void tell_end(struct sim *s, struct st_id run, int64_t call_no, struct st_outcome *out)
{
	struct st_event event = {.type = ST_EVENT_CALL_ENDED, .run = run};
	event.ended.call_no = call_no;
	event.ended.outcome = out;
	event.ended.wall_ms = 3;
	event.ended.first_byte_ms = -1;
	event.ended.status = -1;
	sim_trace(s, "call %lld ended: state %d, %s", (long long)call_no, (int)out->state,
		  out->error_code);
	(void)sim_step(s, &event);
	st_outcome_fini(out);
}

bool sim_act_answer(struct sim *s, struct sim_rng *rng)
{
	if (s->n_flights == 0) {
		return false;
	}
	size_t i = s->healed ? 0 : sim_roll(rng, s->n_flights);
	struct sim_hold *hold = sim_store_hold(&s->store, s->flights[i].call.call_no);
	struct st_id run = s->flights[i].call.run;
	int64_t call_no = s->flights[i].call.call_no;
	s->landed_run = run;
	s->landed_no = call_no;
	if (hold->counting && (s->healed || sim_chance(rng, 80))) {
		hold->expected.told = SIM_TOLD_COUNT;
		drop(s, i);
		tell_count(s, rng, call_no, run);
		return true;
	}
	struct st_outcome out;
	make_outcome(s, rng, &s->flights[i], &out);
	note_told(hold, &out);
	drop(s, i);
	tell_end(s, run, call_no, &out);
	return true;
}

/* Ends and counts of calls that are not in flight: none of them may have any effect. */
bool sim_act_nonsense(struct sim *s, struct sim_rng *rng)
{
	sim_commit_all(s); /* what the core has sent is in flight now */
	struct st_id run = s->landed_run;
	int64_t call_no = s->landed_no;
	if (sim_chance(rng, 50)) {
		if (call_no == 0 || !sim_fires(s, SIM_ANSWER_TWICE)) {
			return false;
		}
	} else {
		int64_t no = 1 + (int64_t)sim_roll(rng, (uint64_t)s->store.n_runs + 1);
		const struct sim_run *other = sim_store_run(&s->store, no);
		if (other == NULL || !sim_fires(s, SIM_ANSWER_WRONG)) {
			return false;
		}
		run = other->id;
		call_no = (int64_t)sim_roll(rng, (uint64_t)s->store.n_holds + 3);
	}
	for (size_t i = 0; i < s->n_flights; i++) {
		if (s->flights[i].call.call_no == call_no &&
		    st_id_equal(s->flights[i].call.run, run)) {
			return false;
		}
	}
	if (sim_chance(rng, 30)) {
		tell_count(s, rng, call_no, run);
		return true;
	}
	struct st_outcome out = {.state = (enum st_outcome_state)sim_roll(rng, 4),
				 .retry_after_ms = -1,
				 .usage_known = true,
				 .usage = {{7, 7, 7}}};
	tell_end(s, run, call_no, &out);
	return true;
}
