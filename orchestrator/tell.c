/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/tell.h"

#include <sodium.h>
#include <string.h>

#include "orchestrator/tell_part.h"
#include "redact/redact.h"

#define LITERAL(text) st_clean_add_literal(&b, text)

static const struct st_redactor *redactor_of(const struct st_turn *turn)
{
	return turn->core->options.redactor;
}

struct st_clean *st_tell_text(const struct st_turn *turn, const char *text)
{
	return text != NULL ? st_redact_text(redactor_of(turn), text, strlen(text)) : NULL;
}

struct st_clean *st_tell_nothing(const struct st_turn *turn)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_submitted(const struct st_turn *turn, const struct st_run *run)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"name\":");
	st_clean_add_name(&b, run->def->name);
	LITERAL(",\"kind\":");
	st_clean_add_name(&b, st_run_kind_name(run->def->kind));
	LITERAL(",\"by\":");
	st_clean_add_name(&b, run->submitted_by);
	LITERAL(",\"envelope\":");
	st_tell_add_amounts(&b, &run->def->envelope.run);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_started(const struct st_turn *turn, const struct st_run *run, int step)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"uses\":");
	st_clean_add_name(&b, run->steps[step].kind->name);
	if (run->def->steps[step].for_each != NULL) {
		LITERAL(",\"items\":");
		st_clean_add_int(&b, run->steps[step].n_items);
	}
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

static void add_active(struct st_clean_builder *b, const struct st_run *run)
{
	st_clean_add_literal(b, "\"active_ms\":");
	st_clean_add_int(b, run->active_ms);
}

struct st_clean *st_tell_succeeded(const struct st_turn *turn, const struct st_run *run)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{");
	add_active(&b, run);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_failed(const struct st_turn *turn, const struct st_run *run)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"code\":");
	st_clean_add_name(&b, run->error_code[0] != '\0' ? run->error_code : "unknown");
	LITERAL(",\"error\":");
	st_tell_add_text(&b, run->error);
	LITERAL(",");
	add_active(&b, run);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_cancelled(const struct st_turn *turn, const struct st_run *run,
				   const struct st_clean *reason)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{");
	st_tell_add_actor(&b, turn);
	LITERAL(",\"reason\":");
	st_tell_add_text(&b, reason);
	LITERAL(",");
	add_active(&b, run);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_by(const struct st_turn *turn, const struct st_clean *reason)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{");
	st_tell_add_actor(&b, turn);
	LITERAL(",\"reason\":");
	st_tell_add_text(&b, reason);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_error(const struct st_turn *turn, const char *code,
			       const struct st_clean *error)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"code\":");
	st_clean_add_name(&b, code[0] != '\0' ? code : "unknown");
	LITERAL(",\"error\":");
	st_tell_add_text(&b, error);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_held(const struct st_turn *turn, const struct st_flight *flight,
			      const struct st_clean *intent)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"hold\":");
	st_clean_add_id(&b, st_grant_hold(flight->grant), ST_ID_HOLD);
	LITERAL(",\"attempt\":");
	st_clean_add_int(&b, st_grant_attempt(flight->grant));
	LITERAL(",\"amounts\":");
	st_tell_add_amounts(&b, st_grant_amounts(flight->grant));
	LITERAL(",\"intent\":");
	st_tell_add_text(&b, intent);
	if (flight->counting) {
		LITERAL(",\"purpose\":\"count\"");
	}
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_client_held(const struct st_turn *turn, const struct st_client_call *call,
				     const struct st_clean *intent)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"hold\":");
	st_clean_add_id(&b, st_grant_hold(call->flight->grant), ST_ID_HOLD);
	LITERAL(",\"attempt\":");
	st_clean_add_int(&b, st_grant_attempt(call->flight->grant));
	LITERAL(",\"amounts\":");
	st_tell_add_amounts(&b, st_grant_amounts(call->flight->grant));
	LITERAL(",\"intent\":");
	st_clean_add_clean(&b, intent);
	LITERAL(",\"expires_at\":");
	st_tell_add_time(&b, call->expires_at);
	LITERAL(",");
	st_tell_add_actor(&b, turn);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

static void add_client_call(struct st_clean_builder *b, const struct st_run *run,
			    const struct st_client_call *call)
{
	const struct st_grant *grant = call->flight->grant;
	st_clean_add_literal(b, "{\"call\":");
	st_clean_add_id(b, st_grant_call(grant), ST_ID_CALL);
	st_clean_add_literal(b, ",\"hold\":");
	st_clean_add_id(b, st_grant_hold(grant), ST_ID_HOLD);
	st_clean_add_literal(b, ",\"run\":");
	st_clean_add_id(b, run->id, ST_ID_RUN);
	st_clean_add_literal(b, ",\"step\":");
	if (call->step >= 0) {
		st_clean_add_name(b, run->def->steps[call->step].id);
	} else {
		st_clean_add_literal(b, "null");
	}
	st_clean_add_literal(b, ",\"kind\":");
	st_clean_add_name(b, call->kind);
	st_clean_add_literal(b, ",\"amounts\":");
	st_tell_add_amounts(b, st_grant_amounts(grant));
}

struct st_clean *st_tell_client_call(const struct st_turn *turn, const struct st_run *run,
				     const struct st_client_call *call)
{
	struct st_clean_builder b = st_tell_begin(turn);
	char key[ST_GRANT_KEY_MAX];
	add_client_call(&b, run, call);
	LITERAL(",\"idempotency_key\":");
	st_clean_add_name(&b, st_grant_key(call->flight->grant, key));
	LITERAL(",\"expires_at\":");
	st_tell_add_time(&b, call->expires_at);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_settled(const struct st_turn *turn, const struct st_run *run,
				 const struct st_settled *settled)
{
	struct st_clean_builder b = st_tell_begin(turn);
	const struct st_amounts *held = st_grant_amounts(settled->call->flight->grant);
	struct st_amounts used = {{0}};
	struct st_amounts overrun = {{0}};
	for (int m = 0; m < ST_METER_COUNT && !settled->voided; m++) {
		int64_t n = settled->used->of[m];
		used.of[m] = n;
		overrun.of[m] = n > held->of[m] ? n - held->of[m] : 0;
	}
	add_client_call(&b, run, settled->call);
	LITERAL(",\"state\":");
	st_clean_add_state(&b, &st_hold_machine,
			   settled->voided ? ST_HOLD_VOIDED : ST_HOLD_SETTLED);
	LITERAL(",\"usage\":");
	st_tell_add_amounts(&b, &used);
	LITERAL(",\"overrun\":");
	st_tell_add_amounts(&b, &overrun);
	LITERAL(",\"estimated\":");
	st_tell_add_bool(&b, settled->estimated);
	LITERAL(",\"by\":");
	st_clean_add_name(&b, turn->actor->name);
	LITERAL(",\"at\":");
	st_tell_add_time(&b, turn->now);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_reported(const struct st_turn *turn, bool succeeded)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"succeeded\":");
	st_tell_add_bool(&b, succeeded);
	LITERAL(",");
	st_tell_add_actor(&b, turn);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_sent(const struct st_turn *turn, const struct st_flight *flight,
			      int resends)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"attempt\":");
	st_clean_add_int(&b, st_grant_attempt(flight->grant));
	if (resends > 0) {
		LITERAL(",\"resend\":");
		st_clean_add_int(&b, resends);
	}
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_clamped(const struct st_turn *turn, const struct st_clamp *clamp)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"what\":");
	st_clean_add_name(&b, clamp->what);
	LITERAL(",\"asked\":");
	st_clean_add_int(&b, clamp->asked);
	LITERAL(",\"given\":");
	st_clean_add_int(&b, clamp->given);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

static void add_refusal(struct st_clean_builder *b, const struct st_refusal *r)
{
	st_clean_add_literal(b, "{\"scope\":");
	st_clean_add_scope(b, r->scope);
	st_clean_add_literal(b, ",\"scope_id\":");
	st_clean_add_name(b, r->scope_id);
	st_clean_add_literal(b, ",\"meter\":");
	st_clean_add_meter(b, r->meter);
	st_clean_add_literal(b, ",\"window\":null,\"limit\":");
	st_clean_add_int(b, r->limit);
	st_clean_add_literal(b, ",\"granted\":");
	st_clean_add_int(b, r->granted);
	st_clean_add_literal(b, ",\"settled\":");
	st_clean_add_int(b, r->settled);
	st_clean_add_literal(b, ",\"held\":");
	st_clean_add_int(b, r->held);
	st_clean_add_literal(b, ",\"asked\":");
	st_clean_add_int(b, r->asked);
	st_clean_add_literal(b, ",\"remaining\":");
	st_clean_add_int(b, r->remaining);
	st_clean_add_literal(b, "}");
}

struct st_clean *st_tell_verdict(const struct st_turn *turn, const struct st_verdict *verdict)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"allowed\":");
	st_tell_add_bool(&b, verdict->allowed);
	LITERAL(",\"refused\":[");
	for (size_t i = 0; i < verdict->n_refused; i++) {
		if (i > 0) {
			LITERAL(",");
		}
		add_refusal(&b, &verdict->refused[i]);
	}
	LITERAL("],\"suggest\":{\"action\":");
	st_clean_add_name(&b, st_suggestion_name(verdict->suggestion));
	LITERAL(",\"until\":null,\"model\":null}}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_params_hash(const struct st_turn *turn,
				     const uint8_t params_hash[ST_HASH_BYTES])
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"params_hash\":");
	st_tell_add_hash(&b, params_hash);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_halted(const struct st_turn *turn, const struct st_run *run,
				const struct st_clean *intent)
{
	const struct st_halt *halt = &run->halt;
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"halt\":");
	st_clean_add_id(&b, halt->id, ST_ID_HALT);
	LITERAL(",\"kind\":");
	st_clean_add_name(&b, st_halt_kind_name(halt->kind));
	if (intent != NULL) {
		LITERAL(",\"intent\":");
		st_clean_add_clean(&b, intent);
	}
	if (!sodium_is_zero(halt->params_hash, sizeof halt->params_hash)) {
		LITERAL(",\"params_hash\":");
		st_tell_add_hash(&b, halt->params_hash);
	}
	LITERAL(",");
	add_active(&b, run);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_resumed(const struct st_turn *turn, const char *why,
				 const struct st_clean *reason)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"after\":");
	st_clean_add_name(&b, why);
	if (strcmp(why, "paused") == 0) {
		LITERAL(",");
		st_tell_add_actor(&b, turn);
		LITERAL(",\"reason\":");
		st_tell_add_text(&b, reason);
	}
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_retry(const struct st_turn *turn, const struct st_item *item,
			       const struct st_clean *error)
{
	struct st_clean_builder b = st_tell_begin(turn);
	char due[ST_TIME_TEXT_MAX];
	const char *text = st_time_format(item->due, due);
	LITERAL("{\"attempt\":");
	st_clean_add_int(&b, item->attempt);
	LITERAL(",\"due\":");
	st_clean_add_text(&b, text, strlen(text));
	LITERAL(",\"error\":");
	st_tell_add_text(&b, error);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_skipped(const struct st_turn *turn, const char *why)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"why\":");
	st_clean_add_name(&b, why);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_limits(const struct st_turn *turn, const struct st_amounts *limits,
				const struct st_clean *reason)
{
	struct st_clean_builder b = st_tell_begin(turn);
	bool first = true;
	LITERAL("{\"limits\":{");
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if (limits->of[m] == ST_UNLIMITED) {
			continue;
		}
		if (!first) {
			LITERAL(",");
		}
		first = false;
		st_clean_add_meter(&b, (enum st_meter)m);
		LITERAL(":");
		st_clean_add_int(&b, limits->of[m]);
	}
	LITERAL("},");
	st_tell_add_actor(&b, turn);
	LITERAL(",\"reason\":");
	st_tell_add_text(&b, reason);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

static void add_count(struct st_clean_builder *b, const char *name, int64_t n)
{
	if (n >= 0) {
		st_clean_add_literal(b, ",");
		st_clean_add_name(b, name);
		st_clean_add_literal(b, ":");
		st_clean_add_int(b, n);
	}
}

static void add_model_usage(struct st_clean_builder *b, const struct st_model_usage *model)
{
	add_count(b, "input_tokens", model->input);
	add_count(b, "cache_read_tokens", model->cache_read);
	add_count(b, "cache_write_tokens", model->cache_write);
	add_count(b, "output_tokens", model->output);
	add_count(b, "reasoning_tokens", model->reasoning);
}

static void add_artifacts(struct st_clean_builder *b, const struct st_end *end)
{
	st_clean_add_literal(b, ",\"artifacts\":[");
	for (size_t i = 0; i < end->n_artifacts; i++) {
		const struct st_artifact *artifact = &end->artifacts[i];
		char hash[2 * ST_ARTIFACT_HASH_BYTES + 1];
		(void)sodium_bin2hex(hash, sizeof hash, artifact->hash, sizeof artifact->hash);
		if (i > 0) {
			st_clean_add_literal(b, ",");
		}
		st_clean_add_literal(b, "{\"path\":");
		st_clean_add_text(b, artifact->path, strlen(artifact->path));
		st_clean_add_literal(b, ",\"bytes\":");
		st_clean_add_int(b, (int64_t)artifact->len);
		st_clean_add_literal(b, ",\"hash\":");
		st_clean_add_name(b, hash);
		st_clean_add_literal(b, "}");
	}
	st_clean_add_literal(b, "]");
}

struct st_clean *st_tell_doubt(const struct st_turn *turn, const struct st_end *end)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"code\":\"call.in_doubt\",\"error\":");
	st_tell_add_text(&b, end->error);
	st_tell_add_text_hash(&b, "transcript", end->transcript);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_end(const struct st_turn *turn, const struct st_end *end)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"by\":");
	st_clean_add_name(&b, end->by);
	if (!end->voided) {
		LITERAL(",\"usage\":");
		st_tell_add_amounts(&b, end->used);
	}
	if (end->estimated) {
		LITERAL(",\"estimated\":true");
	}
	if (end->reason != NULL) {
		LITERAL(",\"reason\":");
		st_clean_add_clean(&b, end->reason);
	}
	if (!st_amounts_are_zero(end->overrun)) {
		LITERAL(",\"overrun\":");
		st_tell_add_amounts(&b, end->overrun);
	}
	if (end->outcome != NULL) {
		add_model_usage(&b, &end->outcome->model);
		if (end->outcome->replayed) {
			LITERAL(",\"replayed\":true");
		}
	}
	add_count(&b, "status", end->status);
	add_count(&b, "wall_ms", end->wall_ms);
	add_count(&b, "first_byte_ms", end->first_byte_ms);
	if (end->n_artifacts > 0) {
		add_artifacts(&b, end);
	}
	st_tell_add_text_hash(&b, "transcript", end->transcript);
	st_tell_add_text_hash(&b, "citations", end->citations);
	if (end->outcome != NULL && end->outcome->error_code[0] != '\0') {
		LITERAL(",\"code\":");
		st_clean_add_name(&b, end->outcome->error_code);
	}
	if (end->error != NULL) {
		LITERAL(",\"error\":");
		st_clean_add_clean(&b, end->error);
	}
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_external_id(const struct st_turn *turn, const struct st_clean *kind,
				     const struct st_clean *id, const struct st_clean *url)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"kind\":");
	st_clean_add_clean(&b, kind);
	LITERAL(",\"id\":");
	st_clean_add_clean(&b, id);
	LITERAL(",\"url\":");
	st_tell_add_text(&b, url);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_granted(const struct st_turn *turn, const struct st_granted *granted)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"halt\":");
	st_clean_add_id(&b, granted->halt, ST_ID_HALT);
	LITERAL(",");
	st_tell_add_actor(&b, turn);
	if (granted->own_run) {
		LITERAL(",\"own_run\":true");
	}
	LITERAL(",\"grants\":[");
	for (size_t i = 0; i < granted->n_grants; i++) {
		if (i > 0) {
			LITERAL(",");
		}
		LITERAL("{\"scope\":");
		st_clean_add_scope(&b, granted->grants[i].scope);
		LITERAL(",\"meter\":");
		st_clean_add_meter(&b, granted->grants[i].meter);
		LITERAL(",\"amount\":");
		st_clean_add_int(&b, granted->grants[i].amount);
		LITERAL("}");
	}
	LITERAL("],\"reason\":");
	st_tell_add_text(&b, granted->reason);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_resolved(const struct st_turn *turn, bool happened,
				  const struct st_clean *reason)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"happened\":");
	st_tell_add_bool(&b, happened);
	LITERAL(",");
	st_tell_add_actor(&b, turn);
	LITERAL(",\"reason\":");
	st_tell_add_text(&b, reason);
	LITERAL("}");
	return st_clean_builder_finish(&b);
}

struct st_clean *st_tell_run(const struct st_turn *turn, const struct st_run *run)
{
	struct st_clean_builder b = st_tell_begin(turn);
	LITERAL("{\"id\":");
	st_clean_add_id(&b, run->id, ST_ID_RUN);
	LITERAL(",\"name\":");
	st_clean_add_name(&b, run->def->name);
	LITERAL(",\"kind\":");
	st_clean_add_name(&b, st_run_kind_name(run->def->kind));
	LITERAL(",\"state\":");
	st_clean_add_state(&b, &st_run_machine, (int)run->state);
	LITERAL(",\"tenant\":");
	st_clean_add_name(&b, run->def->scope_id[ST_SCOPE_TENANT]);
	if (run->halt.kind != ST_HALT_NONE) {
		LITERAL(",\"halt\":");
		st_clean_add_id(&b, run->halt.id, ST_ID_HALT);
	}
	LITERAL("}");
	return st_clean_builder_finish(&b);
}
