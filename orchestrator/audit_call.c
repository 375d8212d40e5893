/* SPDX-License-Identifier: Apache-2.0 */
/* Has every call its hold, and every hold at most one end? */
#include <stdio.h>
#include <string.h>

#include "orchestrator/audit_private.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/kind.h"

/* What the timeline tells of calls */

static bool calls_may_leave(const struct st_audit_at *at)
{
	return at->audit->run->told == ST_RUN_RUNNING ||
	       st_audit_wrong(at, EVENT_TYPE, "no call while the run does not run");
}

static void tell_held(const struct st_audit_at *at, const struct st_audit_event *event,
		      struct st_audit_item *item)
{
	struct st_audit_run *run = at->audit->run;
	if (item->open > 0) {
		(void)st_audit_wrong(at, EVENT_TYPE, "the end of the call under way first");
	}
	struct st_audit_call *call = ST_AUDIT_ADD(&run->calls);
	call->id = event->call;
	call->step = event->step;
	call->item = event->item;
	call->counting = json_object_get(event->data, "purpose") != NULL;
	call->attempt = 1;
	call->at = event->at;
	(void)st_id_parse(st_audit_json_text(event->data, "hold"), ST_ID_HOLD, &call->hold);
	call->held = json_incref((json_t *)(uintptr_t)event->data);
	call->ended_at = ST_TIME_NONE;
	if (!call->counting) {
		call->attempt = ++item->attempt;
		item->resends = 0;
		item->call = event->call;
		item->has_approved = false;
	}
	item->open = run->calls.n;
	item->told = ST_ITEM_CALLING;
	item->started_at = item->started_at == ST_TIME_NONE ? event->at : item->started_at;
	if (json_integer_value(json_object_get(event->data, "attempt")) != call->attempt) {
		(void)st_audit_wrong(at, EVENT_DATA, "the next attempt");
	}
}

/* What became of the item, as far as the end of its call tells. */
static void end_item(struct st_audit_item *item, const struct st_audit_call *call,
		     const struct st_audit_event *event)
{
	const char *by = st_audit_json_text(event->data, "by");
	const char *code = json_string_value(json_object_get(event->data, "code"));
	bool stint = strcmp(by, "stint") == 0;
	bool provider = strcmp(by, "provider") == 0;
	item->open = 0;
	if (call->counting || (call->voided && !provider) || (stint && code == NULL)) {
		item->told = ST_ITEM_WAITING; /* no call was made, or a crash cut it off */
	} else if (code == NULL && !call->voided) {
		item->told = ST_ITEM_SUCCEEDED;
		item->ended_at = event->at;
	} else {
		item->told = ST_ITEM_FAILED;
		item->ended_at = event->at;
		st_free(item->error);
		item->error = st_strdup(json_string_value(json_object_get(event->data, "error")));
		(void)snprintf(item->code, sizeof item->code, "%s",
			       code != NULL ? code : "call.failed");
	}
}

static void tell_end(const struct st_audit_at *at, const struct st_audit_event *event,
		     struct st_audit_item *item)
{
	struct st_audit_run *run = at->audit->run;
	struct st_audit_call *call = &run->calls.of[item->open - 1];
	call->voided = strcmp(event->type, "call.voided") == 0;
	st_audit_tell_transcript(run, event, call->attempt);
	call->ended_at = event->at;
	call->end = st_strdup(event->text);
	call->end_doc = json_incref((json_t *)(uintptr_t)event->data);
	run->steps[event->step].last_end_at = event->at;
	st_audit_tell_citations(item, event);
	end_item(item, call, event);
}

/* Is it about the call that is under way? */
static bool is_open(const struct st_audit_at *at, const struct st_audit_event *event,
		    const struct st_audit_item *item)
{
	const struct st_audit_run *run = at->audit->run;
	return (item->open > 0 && st_id_equal(run->calls.of[item->open - 1].id, event->call)) ||
	       st_audit_wrong(at, EVENT_CALL, "a call that was held and has not ended");
}

static void tell_doubt(struct st_audit_run *run, const struct st_audit_event *event,
		       struct st_audit_item *item)
{
	st_audit_tell_transcript(run, event, run->calls.of[item->open - 1].attempt);
	if (strcmp(st_audit_json_text(event->data, "code"), "call.in_doubt") == 0) {
		run->calls.of[item->open - 1].in_doubt = true;
		item->told = ST_ITEM_IN_DOUBT;
	}
}

static void tell_sent(struct st_audit_run *run, const struct st_audit_event *event,
		      struct st_audit_item *item)
{
	run->calls.of[item->open - 1].sent = true;
	item->told = ST_ITEM_CALLING;
	item->resends = (int)json_integer_value(json_object_get(event->data, "resend"));
}

/* Calls that clients make themselves */

static struct st_audit_call *client_call(struct st_audit_run *run, struct st_id id)
{
	for (size_t i = run->calls.n; i > 0; i--) {
		struct st_audit_call *call = &run->calls.of[i - 1];
		if (call->item < 0 && call->end == NULL && st_id_equal(call->id, id)) {
			return call;
		}
	}
	return NULL;
}

static void hold_for_client(struct st_audit_run *run, const struct st_audit_event *event)
{
	struct st_audit_call *call = ST_AUDIT_ADD(&run->calls);
	call->id = event->call;
	call->step = event->step;
	call->item = -1;
	call->attempt = 1;
	call->at = event->at;
	call->ended_at = ST_TIME_NONE;
	(void)st_id_parse(st_audit_json_text(event->data, "hold"), ST_ID_HOLD, &call->hold);
	call->held = json_incref((json_t *)(uintptr_t)event->data);
}

static void tell_client(struct st_audit_call *call, const struct st_audit_event *event)
{
	if (strcmp(event->type, "call.in_doubt") == 0) {
		call->in_doubt = true;
	} else if (strcmp(event->type, "call.overrun") != 0) {
		call->voided = strcmp(event->type, "call.voided") == 0;
		call->ended_at = event->at;
		call->end = st_strdup(event->text);
		call->end_doc = json_incref((json_t *)(uintptr_t)event->data);
	}
}

/* False: it is about a call of ours. */
static bool tell_if_client(const struct st_audit_at *at, const struct st_audit_event *event)
{
	struct st_audit_run *run = at->audit->run;
	struct st_audit_call *call = client_call(run, event->call);
	bool held = strcmp(event->type, "call.held") == 0;
	if (held && json_object_get(event->data, "expires_at") != NULL) {
		if (calls_may_leave(at)) {
			hold_for_client(run, event);
		}
		return true;
	}
	if (call != NULL) {
		tell_client(call, event);
	}
	/* The overrun of a call that has just ended says nothing new. */
	return call != NULL || strcmp(event->type, "call.overrun") == 0;
}

void st_audit_tell_call(const struct st_audit_at *given, const struct st_audit_event *event)
{
	struct st_audit_at at = *given;
	struct st_audit_run *run = at.audit->run;
	const char *what = event->type + strlen("call.");
	struct st_audit_item *item = st_audit_item(run, event->step, event->item);
	bool end = strcmp(what, "settled") == 0 || strcmp(what, "voided") == 0;
	at.law = ST_LAW_HOLDS;
	if (tell_if_client(&at, event)) {
		return;
	}
	if (item == NULL) {
		(void)st_audit_wrong(&at, EVENT_ITEM, "an item of a step that started");
	} else if (strcmp(what, "held") == 0) {
		if (calls_may_leave(&at)) {
			tell_held(&at, event, item);
		}
	} else if (strcmp(what, "sent") == 0) {
		if (calls_may_leave(&at) && is_open(&at, event, item)) {
			tell_sent(run, event, item);
		}
	} else if (end && is_open(&at, event, item)) {
		tell_end(&at, event, item);
	} else if (strcmp(what, "in_doubt") == 0 && is_open(&at, event, item)) {
		tell_doubt(run, event, item);
	}
}

/* The rows */

static bool is_row_of(const struct st_audit_call *call, const struct st_cell *cells)
{
	return !call->seen && st_id_equal(call->hold, st_cell_id(&cells[ATTEMPT_HOLD]));
}

/*
 * Rows come in the order in which calls were held. One that is not about the next call may be about
 * a later one, when a row is missing; else it is the next one's and says something wrong.
 */
static struct st_audit_call *find_call(struct st_audit_calls *calls, const struct st_cell *cells)
{
	for (size_t i = 0; i < calls->n; i++) {
		size_t at = (calls->next + i) % calls->n;
		if (is_row_of(&calls->of[at], cells)) {
			calls->next = at + 1;
			return &calls->of[at];
		}
	}
	return calls->next < calls->n ? &calls->of[calls->next++] : NULL;
}

static struct st_audit_call *call_no(struct st_audit_run *run, int64_t no)
{
	for (size_t low = 0, high = run->calls.n; low < high;) {
		size_t middle = low + (high - low) / 2;
		struct st_audit_call *call = &run->calls.of[middle];
		if (call->no == no) {
			return call;
		}
		low = call->no < no ? middle + 1 : low;
		high = call->no < no ? high : middle;
	}
	return NULL;
}

static void add_held(struct st_audit_sums *sums, const struct st_amounts *amounts, bool held)
{
	for (int m = 0; m < ST_METER_COUNT; m++) {
		struct st_audit_sum *sum = &sums->of[m];
		if (amounts->of[m] != 0) {
			sum->held = st_add_saturating(sum->held, held ? amounts->of[m] : 0);
		}
	}
}

/* A hold stands on all of its scopes, with the same amounts. */
static void add_hold(struct st_audit *audit, const struct st_audit_call *call)
{
	struct st_audit_run *run = audit->run;
	bool open = call->end == NULL;
	if (call->step >= 0) {
		add_held(&run->steps[call->step].sums, &call->amounts, open);
	}
	add_held(&run->sums, &call->amounts, open);
}

/* Where redaction took nothing away, the parameters are those that were hashed. */
static void check_params(const struct st_audit_at *at, const char *kind)
{
	const struct st_cell *params = &at->row->cells[ATTEMPT_PARAMS];
	json_t *doc = json_loadb(st_cell_text(params),
				 params->type == ST_CELL_TEXT ? params->len : 0, 0, NULL);
	if (doc == NULL) {
		(void)st_audit_wrong(at, ATTEMPT_PARAMS, "JSON");
	} else if (strstr(params->bytes, "[redacted") == NULL) {
		st_autofree char *canonical = st_json_canonical(doc);
		uint8_t hash[ST_HASH_BYTES];
		crypto_generichash_state state;
		(void)crypto_generichash_init(&state, NULL, 0, sizeof hash);
		(void)crypto_generichash_update(&state, (const uint8_t *)kind, strlen(kind) + 1);
		(void)crypto_generichash_update(&state, (const uint8_t *)canonical,
						strlen(canonical));
		(void)crypto_generichash_final(&state, hash, sizeof hash);
		(void)st_audit_blob(at, ATTEMPT_PARAMS_HASH, hash, sizeof hash);
	}
	json_decref(doc);
}

/* Of some kinds the parameters say whether a call may be made again: then their plan is asked. */
static bool idempotence_fits(const struct st_audit_at *at, const struct st_audit_call *call)
{
	const struct st_cell *cells = at->row->cells;
	const struct st_def_step *step = &at->audit->run->def->steps[call->step];
	const struct st_kind *kind = st_kind_find(step->uses);
	int64_t said = st_cell_int(&cells[ATTEMPT_IDEMPOTENCE]);
	struct st_room room = {.job = at->audit->run->def->envelope.job};
	struct st_plan plan = {.idempotence = ST_REPEATABLE};
	if (call->counting || kind == NULL) {
		return kind != NULL && said == ST_REPEATABLE;
	}
	if (kind->idempotence != ST_UNREPEATABLE) {
		return said == (int64_t)kind->idempotence;
	}
	for (int m = 0; m < ST_METER_COUNT; m++) {
		room.left.of[m] = ST_UNLIMITED;
	}
	json_t *params = json_loads(st_cell_text(&cells[ATTEMPT_PARAMS]), 0, NULL);
	int err =
	    kind->plan(params, at->audit->options.config, &room, step->timeout_ms, -1, &plan, NULL);
	json_decref(params);
	return err == ST_OK ? said == (int64_t)plan.idempotence
			    : said >= ST_IDEMPOTENT && said <= ST_UNREPEATABLE;
}

static void check_amounts(const struct st_audit_at *at, struct st_audit_call *call)
{
	const struct st_cell *cells = at->row->cells;
	struct st_amounts told;
	st_audit_json_amounts(json_object_get(call->held, "amounts"), &told);
	(void)st_audit_amounts(at, ATTEMPT_AMOUNTS, &told);
	if (st_amounts_parse(st_cell_text(&cells[ATTEMPT_AMOUNTS]), &call->amounts) != ST_OK) {
		call->amounts = told;
	}
	add_hold(at->audit, call);
}

static void check_kind(const struct st_audit_at *at, const struct st_audit_call *call)
{
	const char *uses = at->audit->run->def->steps[call->step].uses;
	(void)st_audit_text(at, ATTEMPT_KIND, call->counting ? "model.count" : uses);
	if (!idempotence_fits(at, call)) {
		(void)st_audit_wrong(at, ATTEMPT_IDEMPOTENCE, "what the step's kind says");
	}
	check_params(at, uses);
	(void)st_audit_null(at, ATTEMPT_EXPIRES_AT);
}

/* The kind, the step, the amounts and the hash of its parameters, if the client gave one. */
static void bind_client(const struct st_audit_at *at, const struct st_audit_call *call,
			uint8_t out[ST_HASH_BYTES])
{
	const struct st_cell *cells = at->row->cells;
	const struct st_audit_run *run = at->audit->run;
	const char *kind = st_cell_text(&cells[ATTEMPT_KIND]);
	uint8_t given[ST_HASH_BYTES] = {0};
	struct st_buf text = {0};
	json_t *params = json_loads(st_cell_text(&cells[ATTEMPT_PARAMS]), 0, NULL);
	const char *hex = st_audit_json_text(params, "params_hash");
	(void)sodium_hex2bin(given, sizeof given, hex, strlen(hex), NULL, NULL, NULL);
	json_decref(params);
	st_buf_add(&text, kind, strlen(kind) + 1);
	if (call->step >= 0) {
		st_buf_add_text(&text, run->def->steps[call->step].id);
	}
	st_buf_add_char(&text, '\0');
	st_buf_add_text(&text, st_cell_text(&cells[ATTEMPT_AMOUNTS]));
	st_buf_add_char(&text, '\0');
	st_buf_add(&text, given, sizeof given);
	(void)crypto_generichash(out, ST_HASH_BYTES, (const uint8_t *)text.data, text.len, NULL, 0);
	st_buf_fini(&text);
}

/* It may be extended without a word, as long as it runs. */
static void check_client(const struct st_audit_at *at, const struct st_audit_call *call)
{
	uint8_t hash[ST_HASH_BYTES];
	bind_client(at, call, hash);
	(void)st_audit_int(at, ATTEMPT_IDEMPOTENCE, ST_UNREPEATABLE);
	(void)st_audit_blob(at, ATTEMPT_PARAMS_HASH, hash, sizeof hash);
	if (at->row->cells[ATTEMPT_EXPIRES_AT].type != ST_CELL_INT) {
		(void)st_audit_wrong(at, ATTEMPT_EXPIRES_AT, "until when the client may speak");
	}
}

void st_audit_see_attempt(const struct st_audit_at *at)
{
	struct st_audit_run *run = at->audit->run;
	const struct st_cell *cells = at->row->cells;
	struct st_audit_call *call = find_call(&run->calls, cells);
	if (call == NULL) {
		(void)st_audit_wrong(at, -1, "none: the timeline tells of no more calls");
		return;
	}
	enum st_hold_state state = call->in_doubt ? ST_HOLD_IN_DOUBT : ST_HOLD_SENT;
	call->seen = true;
	call->no = st_cell_int(&cells[ATTEMPT_NO]);
	(void)st_audit_id(at, ATTEMPT_CALL, call->id);
	(void)st_audit_int(at, ATTEMPT_ATTEMPT, call->attempt);
	(void)st_audit_id(at, ATTEMPT_HOLD, call->hold);
	(void)st_audit_int(at, ATTEMPT_RUN_NO, run->no);
	(void)st_audit_int(at, ATTEMPT_STEP, call->step);
	(void)st_audit_int(at, ATTEMPT_ITEM, call->item);
	if (call->item < 0) {
		check_client(at, call);
	} else {
		check_kind(at, call);
	}
	(void)st_audit_text(at, ATTEMPT_INTENT, st_audit_json_text(call->held, "intent"));
	(void)st_audit_time(at, ATTEMPT_AT, call->at);
	check_amounts(at, call);
	(void)st_audit_text(at, ATTEMPT_STATE, st_machine_state_name(&st_hold_machine, (int)state));
}

static void add_end(struct st_audit_run *run, const struct st_audit_call *call,
		    const struct st_amounts *used, const struct st_amounts *over)
{
	struct st_audit_sums *of_step = call->step >= 0 ? &run->steps[call->step].sums : NULL;
	struct st_audit_sums *sums[2] = {&run->sums, of_step};
	for (int i = 0; i < 2 && sums[i] != NULL; i++) {
		for (int m = 0; m < ST_METER_COUNT; m++) {
			struct st_audit_sum *sum = &sums[i]->of[m];
			sum->settled = st_add_saturating(sum->settled, used->of[m]);
			sum->overrun = st_add_saturating(sum->overrun, over->of[m]);
		}
	}
}

/* What is more than was held is an overrun, to the unit. */
static void check_overrun(const struct st_audit_at *at, const struct st_audit_call *call,
			  struct st_amounts *over)
{
	struct st_amounts used;
	st_audit_json_amounts(json_object_get(call->end_doc, "usage"), &used);
	for (int m = 0; m < ST_METER_COUNT; m++) {
		int64_t more = used.of[m] - call->amounts.of[m];
		over->of[m] = more > 0 && !call->voided ? more : 0;
	}
	(void)st_audit_amounts(at, SETTLEMENT_OVERRUN, over);
}

void st_audit_see_settlement(const struct st_audit_at *at)
{
	struct st_audit_run *run = at->audit->run;
	const struct st_cell *cells = at->row->cells;
	struct st_audit_call *call = call_no(run, st_cell_int(&cells[SETTLEMENT_HOLD]));
	struct st_amounts used = {{0}};
	struct st_amounts over = {{0}};
	if (call == NULL || call->end == NULL) {
		(void)st_audit_wrong(at, -1, "none: the call has not ended");
		return;
	}
	call->seen_end = true;
	if (!call->voided) {
		st_audit_json_amounts(json_object_get(call->end_doc, "usage"), &used);
	}
	(void)st_audit_time(at, SETTLEMENT_AT, call->ended_at);
	(void)st_audit_int(at, SETTLEMENT_VOIDED, call->voided);
	(void)st_audit_int(at, SETTLEMENT_ESTIMATED,
			   json_is_true(json_object_get(call->end_doc, "estimated")));
	(void)st_audit_amounts(at, SETTLEMENT_USED, &used);
	check_overrun(at, call, &over);
	(void)st_audit_text(at, SETTLEMENT_BY, st_audit_json_text(call->end_doc, "by"));
	(void)st_audit_text(at, SETTLEMENT_RESULT, call->end);
	if (st_amounts_parse(st_cell_text(&cells[SETTLEMENT_USED]), &used) == ST_OK) {
		add_end(run, call, &used, &over);
	}
}
