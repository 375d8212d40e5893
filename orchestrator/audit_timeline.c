/* SPDX-License-Identifier: Apache-2.0 */
/* Is the timeline whole, and what does it tell of the run and its steps? */
#include <stdio.h>
#include <string.h>

#include "orchestrator/audit_private.h"
#include "schemas/mem.h"
#include "telemetry/timeline.h"

static char *copy_or_null(const json_t *doc, const char *name)
{
	return st_strdup(json_string_value(json_object_get(doc, name)));
}

static void keep_text(char **to, const json_t *doc, const char *name)
{
	st_free(*to);
	*to = copy_or_null(doc, name);
}

/* Runs */

/* It stops: the seconds that it ran are settled, and pass the limit when nobody asked in time. */
static void stop_clock(struct st_audit_run *run, const struct st_audit_event *event)
{
	struct st_audit_sum *wall = &run->sums.of[ST_METER_WALL_SECONDS];
	const json_t *told = json_object_get(event->data, "active_ms");
	if (!json_is_integer(told) || json_integer_value(told) < 0) {
		return;
	}
	run->active_ms = json_integer_value(told);
	int64_t seconds = run->active_ms / 1000;
	int64_t total =
	    wall->limit < 0 ? INT64_MAX : st_add_saturating(wall->limit, run->wall_granted);
	if (seconds > wall->settled) {
		wall->settled = seconds;
		wall->overrun = seconds > total ? seconds - total : 0;
	}
}

static void move_run(const struct st_audit_at *at, enum st_run_state to)
{
	struct st_audit_run *run = at->audit->run;
	if (!st_machine_allows(&st_run_machine, (int)run->told, (int)to)) {
		char should[96];
		struct st_audit_at states = *at;
		states.law = ST_LAW_STATES;
		(void)snprintf(should, sizeof should, "what may follow when the run is %s",
			       st_machine_state_name(&st_run_machine, (int)run->told));
		(void)st_audit_wrong(&states, EVENT_TYPE, should);
	}
	run->told = to;
}

static void close_halt(struct st_audit_run *run, const struct st_audit_event *event,
		       const char *decision)
{
	if (run->open_halt == 0) {
		return;
	}
	struct st_audit_halt *halt = &run->halts.of[run->open_halt - 1];
	const char *by = json_string_value(json_object_get(event->data, "by"));
	halt->decision = decision;
	halt->decided_at = event->at;
	halt->by_told = by != NULL;
	(void)snprintf(halt->by, sizeof halt->by, "%s", by != NULL ? by : "");
	if (strcmp(decision, "cancelled") != 0) {
		halt->reason = copy_or_null(event->data, "reason");
	}
	run->open_halt = 0;
}

static void tell_halted(const struct st_audit_at *at, const struct st_audit_event *event)
{
	struct st_audit_run *run = at->audit->run;
	const char *kind = st_audit_json_text(event->data, "kind");
	int parsed = st_halt_kind_parse(kind);
	struct st_audit_halt *halt = ST_AUDIT_ADD(&run->halts);
	(void)st_id_parse(st_audit_json_text(event->data, "halt"), ST_ID_HALT, &halt->id);
	halt->kind = parsed < 0 ? ST_HALT_NONE : (enum st_halt_kind)parsed;
	halt->step = event->step;
	halt->item = event->step < 0 ? 0 : event->item;
	halt->call = event->call;
	halt->verdict = run->verdict;
	run->verdict = NULL;
	halt->intent = copy_or_null(event->data, "intent");
	(void)snprintf(halt->params_hash, sizeof halt->params_hash, "%s",
		       st_audit_json_text(event->data, "params_hash"));
	halt->of_client = halt->intent != NULL && strstr(halt->intent, " by a client: ") != NULL;
	halt->since = event->at;
	stop_clock(run, event);
	halt->decided_at = ST_TIME_NONE;
	run->open_halt = run->halts.n;
	struct st_audit_item *item = st_audit_item(run, event->step, event->item);
	if (item != NULL && halt->kind != ST_HALT_IN_DOUBT && !halt->of_client) {
		item->told = ST_ITEM_ASKING;
		item->call = st_id_is_none(event->call) ? item->call : event->call;
	}
	move_run(at, ST_RUN_HALTED);
}

static void tell_resumed(const struct st_audit_at *at, const struct st_audit_event *event)
{
	struct st_audit_run *run = at->audit->run;
	const char *after = json_string_value(json_object_get(event->data, "after"));
	if (after == NULL) {
		run->paused = false;
		return;
	}
	if (strcmp(after, "paused") == 0) {
		run->paused = false;
		close_halt(run, event, "resumed");
	} else if (run->open_halt > 0 && strcmp(after, "resolved") == 0) {
		close_halt(run, event, "resolved"); /* a client spoke after all */
	}
	move_run(at, ST_RUN_RUNNING);
}

static void tell_ended(const struct st_audit_at *at, const struct st_audit_event *event,
		       enum st_run_state to)
{
	struct st_audit_run *run = at->audit->run;
	if (to == ST_RUN_CANCELLED) {
		close_halt(run, event, "cancelled");
	}
	run->ended_at = event->at;
	stop_clock(run, event);
	move_run(at, to);
}

static void tell_run(const struct st_audit_at *at, const struct st_audit_event *event)
{
	struct st_audit_run *run = at->audit->run;
	const char *what = event->type + strlen("run.");
	int state = st_machine_state_parse(&st_run_machine, what);
	if (strcmp(what, "submitted") == 0) {
		run->created_at = event->at;
		keep_text(&run->submitted_by, event->data, "by");
	} else if (strcmp(what, "started") == 0) {
		run->started_at = event->at;
		move_run(at, ST_RUN_RUNNING);
	} else if (json_object_get(event->data, "halt") != NULL) {
		run->paused = run->paused || strcmp(what, "paused") == 0;
		tell_halted(at, event);
	} else if (strcmp(what, "paused") == 0) {
		run->paused = true;
	} else if (strcmp(what, "resumed") == 0) {
		tell_resumed(at, event);
	} else if (state >= 0 && st_machine_final(&st_run_machine, state)) {
		tell_ended(at, event, (enum st_run_state)state);
	} else {
		(void)st_audit_wrong(at, EVENT_TYPE, "a type of event that there is");
	}
}

/* Decisions */

static void take_grants(struct st_audit_run *run, const struct st_audit_event *event)
{
	size_t i = 0;
	const json_t *granted = NULL;
	json_array_foreach(json_object_get(event->data, "grants"), i, granted)
	{
		struct st_audit_grant *grant = ST_AUDIT_ADD(&run->grants);
		bool of_step = strcmp(st_audit_json_text(granted, "scope"), "step") == 0;
		(void)st_id_parse(st_audit_json_text(event->data, "halt"), ST_ID_HALT,
				  &grant->halt);
		grant->step = of_step ? event->step : -1;
		(void)st_meter_parse(st_audit_json_text(granted, "meter"), &grant->meter);
		grant->amount = json_integer_value(json_object_get(granted, "amount"));
		grant->at = event->at;
		bool wall = grant->step < 0 && grant->meter == ST_METER_WALL_SECONDS;
		run->wall_granted = st_add_saturating(
		    run->wall_granted, wall && grant->amount > 0 ? grant->amount : 0);
		(void)snprintf(grant->by, sizeof grant->by, "%s",
			       st_audit_json_text(event->data, "by"));
		grant->reason = copy_or_null(event->data, "reason");
	}
}

static void end_asking(struct st_audit_run *run, const struct st_audit_event *event,
		       const struct st_audit_halt *halt)
{
	struct st_audit_item *item = st_audit_item(run, halt->step, halt->item);
	if (halt->of_client && halt->kind == ST_HALT_DANGEROUS) {
		memcpy(run->approved, halt->params_hash, sizeof run->approved);
	}
	if (halt->of_client || item == NULL || item->told != ST_ITEM_ASKING) {
		return;
	}
	item->told = ST_ITEM_WAITING;
	if (halt->kind == ST_HALT_APPROVAL) {
		item->told = ST_ITEM_SUCCEEDED;
		item->ended_at = event->at;
	} else if (halt->kind == ST_HALT_DANGEROUS) {
		item->has_approved = true;
		memcpy(item->approved, halt->params_hash, sizeof item->approved);
	}
}

static void deny(struct st_audit_run *run, const struct st_audit_event *event,
		 const struct st_audit_halt *halt)
{
	struct st_audit_item *item = st_audit_item(run, halt->step, halt->item);
	if (item == NULL || halt->of_client) { /* the run as a whole */
		memcpy(run->code, "denied", sizeof "denied");
		keep_text(&run->error, event->data, "reason");
		run->error = run->error != NULL ? run->error : st_strdup("denied");
		return;
	}
	item->told = ST_ITEM_FAILED;
	item->ended_at = event->at;
	memcpy(item->code, "denied", sizeof "denied");
	keep_text(&item->error, event->data, "reason");
}

static void tell_decision(const struct st_audit_at *at, const struct st_audit_event *event)
{
	struct st_audit_run *run = at->audit->run;
	const char *what = event->type + strlen("decision.");
	bool granted = strcmp(what, "granted") == 0;
	bool denied = strcmp(what, "denied") == 0;
	if (granted) {
		take_grants(run, event);
	}
	if (run->open_halt == 0) {
		if (granted || denied) {
			(void)st_audit_wrong(at, EVENT_TYPE, "a decision on an open halt");
		}
		return;
	}
	const struct st_audit_halt *halt = &run->halts.of[run->open_halt - 1];
	if (granted || denied) {
		close_halt(run, event, granted ? "granted" : "denied");
		if (granted) {
			end_asking(run, event, halt);
		} else {
			deny(run, event, halt);
		}
	} else if (halt->kind == ST_HALT_IN_DOUBT && st_id_equal(halt->call, event->call)) {
		close_halt(run, event, "resolved");
	}
}

static void tell_limits(struct st_audit_run *run, const struct st_audit_event *event)
{
	const char *name = NULL;
	json_t *value = NULL;
	enum st_meter meter = ST_METER_TOKENS;
	json_object_foreach(json_object_get(event->data, "limits"), name, value)
	{
		if (st_meter_parse(name, &meter)) {
			json_int_t limit = json_integer_value(value);
			run->sums.of[meter].limit = limit > 0 ? limit : 0;
		}
	}
}

/* Steps */

static void make_items(struct st_audit_step *step, int n)
{
	step->items = st_alloc_array((size_t)(n > 0 ? n : 1), sizeof *step->items);
	step->n_items = n;
	for (int k = 0; k < n; k++) {
		step->items[k].told = ST_ITEM_WAITING;
		step->items[k].started_at = ST_TIME_NONE;
		step->items[k].ended_at = ST_TIME_NONE;
	}
}

static void start_step(struct st_audit_step *step, const struct st_audit_event *event)
{
	const json_t *items = json_object_get(event->data, "items");
	json_int_t n = json_is_integer(items) ? json_integer_value(items) : 1;
	step->started_at = event->at;
	if (step->items == NULL && n >= 0 && n <= ST_FOR_EACH_MAX) {
		make_items(step, (int)n);
	}
}

/* The first step that fails for good says why the run will. */
static void fail_step(struct st_audit_run *run, const struct st_audit_event *event)
{
	struct st_audit_step *step = &run->steps[event->step];
	const char *code = st_audit_json_text(event->data, "code");
	(void)snprintf(step->code, sizeof step->code, "%s", code);
	keep_text(&step->error, event->data, "error");
	if (run->def->steps[event->step].continue_on_error || run->code[0] != '\0' ||
	    st_machine_final(&st_run_machine, (int)run->told)) {
		return;
	}
	(void)snprintf(run->code, sizeof run->code, "%s", code);
	keep_text(&run->error, event->data, "error");
}

static void retry_item(struct st_audit_run *run, const struct st_audit_event *event)
{
	struct st_audit_item *item = st_audit_item(run, event->step, event->item);
	if (item == NULL) {
		return;
	}
	item->told = ST_ITEM_SLEEPING;
}

/* A step without for_each is its one item. */
static void end_item(struct st_audit_step *step, enum st_step_state to)
{
	if (step->n_items < 0) {
		return;
	}
	if (to == ST_STEP_SUCCEEDED) {
		step->items[0].told = ST_ITEM_SUCCEEDED;
	} else if (to == ST_STEP_FAILED) {
		step->items[0].told = ST_ITEM_FAILED;
	}
}

static void tell_step(const struct st_audit_at *at, const struct st_audit_event *event)
{
	struct st_audit_run *run = at->audit->run;
	struct st_audit_step *step = &run->steps[event->step];
	const char *what = event->type + strlen("step.");
	if (strcmp(what, "reported") == 0) {
		return; /* how it ended comes next */
	}
	if (strcmp(what, "retrying") == 0) {
		retry_item(run, event);
		return;
	}
	int to = strcmp(what, "started") == 0 ? (int)ST_STEP_RUNNING
					      : st_machine_state_parse(&st_step_machine, what);
	if (to < 0 || !st_machine_allows(&st_step_machine, (int)step->told, to)) {
		char should[96];
		struct st_audit_at states = *at;
		states.law = ST_LAW_STATES;
		(void)snprintf(should, sizeof should, "what may follow when the step is %s",
			       st_machine_state_name(&st_step_machine, (int)step->told));
		(void)st_audit_wrong(&states, EVENT_TYPE, should);
		return;
	}
	step->told = (enum st_step_state)to;
	if (to == ST_STEP_RUNNING) {
		start_step(step, event);
		return;
	}
	step->ended_at = event->at;
	if (to == ST_STEP_FAILED) {
		fail_step(run, event);
	}
	if (run->def->steps[event->step].for_each == NULL) {
		end_item(step, step->told);
	}
}

static bool is_of(const struct st_audit_event *event, const char *prefix)
{
	return strncmp(event->type, prefix, strlen(prefix)) == 0;
}

static void note_external_id(struct st_audit_run *run, const struct st_audit_event *event)
{
	struct st_audit_external *external = ST_AUDIT_ADD(&run->externals);
	external->step = event->step;
	external->item = event->item;
	external->call = event->call;
	external->at = event->at;
	external->data = json_incref((json_t *)(uintptr_t)event->data);
}

void st_audit_tell(const struct st_audit_at *at, const struct st_audit_event *event)
{
	struct st_audit_run *run = at->audit->run;
	if (is_of(event, "step.") && event->step < 0) {
		(void)st_audit_wrong(at, EVENT_STEP, "a step of the definition");
	} else if (is_of(event, "run.")) {
		tell_run(at, event);
	} else if (is_of(event, "step.")) {
		tell_step(at, event);
	} else if (is_of(event, "call.")) {
		st_audit_tell_call(at, event);
	} else if (is_of(event, "decision.")) {
		tell_decision(at, event);
	} else if (strcmp(event->type, "envelope.changed") == 0) {
		tell_limits(run, event);
	} else if (strcmp(event->type, "verdict.refused") == 0) {
		st_free(run->verdict);
		run->verdict = st_strdup(event->text);
	} else if (strcmp(event->type, "external_id.recorded") == 0) {
		note_external_id(run, event);
	} else {
		(void)st_audit_wrong(at, EVENT_TYPE, "a type of event that there is");
	}
}

/* The chain */

static bool link_fits(const struct st_audit_at *at)
{
	struct st_audit_run *run = at->audit->run;
	const struct st_cell *cells = at->row->cells;
	const struct st_link link = {
	    .run = run->id,
	    .seq = st_cell_int(&cells[EVENT_SEQ]),
	    .at = st_cell_int(&cells[EVENT_AT]),
	    .type = st_cell_text(&cells[EVENT_TYPE]),
	    .step = st_cell_text(&cells[EVENT_STEP]),
	    .item = st_cell_int(&cells[EVENT_ITEM]),
	    .call = st_cell_id(&cells[EVENT_CALL]),
	    .data = st_cell_text(&cells[EVENT_DATA]),
	    .data_len = cells[EVENT_DATA].type == ST_CELL_TEXT ? cells[EVENT_DATA].len : 0,
	};
	uint8_t hash[ST_HASH_BYTES];
	st_timeline_relink(run->hash, &link, hash);
	bool fits = st_audit_int(at, EVENT_SEQ, run->seq + 1) &&
		    st_audit_blob(at, EVENT_HASH, hash, sizeof hash);
	run->seq = link.seq;
	if (cells[EVENT_HASH].type == ST_CELL_BLOB && cells[EVENT_HASH].len == sizeof hash) {
		memcpy(run->hash, cells[EVENT_HASH].bytes, sizeof hash);
	}
	if (link.at < run->last_at) {
		fits = st_audit_wrong(at, EVENT_AT, "not before the event before it");
	}
	run->last_at = link.at;
	if (link.seq == st_cell_int(&run->cells[RUN_SEQ])) {
		run->put_at = link.at;
		memcpy(run->put_hash, run->hash, sizeof run->put_hash);
	}
	/* An empty text hashes as none does, and a call of the wrong length as none. */
	bool plain = (cells[EVENT_STEP].type == ST_CELL_NULL || link.step[0] != '\0') &&
		     (cells[EVENT_CALL].type == ST_CELL_NULL || !st_id_is_none(link.call));
	return plain ? fits : st_audit_wrong(at, EVENT_STEP, "nothing, where there is none");
}

void st_audit_see_event(const struct st_audit_at *at)
{
	struct st_audit_run *run = at->audit->run;
	const struct st_cell *cells = at->row->cells;
	if (run == NULL || !st_audit_int(at, EVENT_RUN_NO, run->no) || !link_fits(at) ||
	    run->def == NULL) {
		return;
	}
	json_t *data = json_loadb(cells[EVENT_DATA].bytes, cells[EVENT_DATA].len, 0, NULL);
	struct st_audit_event event = {
	    .type = st_cell_text(&cells[EVENT_TYPE]),
	    .data = data,
	    .text = st_cell_text(&cells[EVENT_DATA]),
	    .step = st_audit_step_index(run, st_cell_text(&cells[EVENT_STEP])),
	    .call = st_cell_id(&cells[EVENT_CALL]),
	    .at = st_cell_int(&cells[EVENT_AT]),
	};
	int64_t item = st_cell_int(&cells[EVENT_ITEM]);
	event.item = item > 0 && item <= ST_FOR_EACH_MAX ? (int)item - 1 : 0;
	st_audit_tell(at, &event);
	json_decref(data);
}
