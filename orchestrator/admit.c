/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/admit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/core_private.h"
#include "orchestrator/tell.h"
#include "redact/redact.h"
#include "schemas/buf.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/template.h"

/* What a reference is judged by. */
struct judge {
	const struct st_def *def;
	const struct st_config *config;
	int step;
};

static int step_index(const struct st_def *def, const char *id)
{
	for (size_t i = 0; i < def->n_steps; i++) {
		if (strcmp(def->steps[i].id, id) == 0) {
			return (int)i;
		}
	}
	return -1;
}

/* Marks everything that `step` waits for, directly or not. */
static void mark_ancestors(const struct st_def *def, int step, bool *marked)
{
	int stack[ST_STEPS_MAX];
	int n = 0;
	stack[n++] = step;
	while (n > 0) {
		const struct st_def_step *s = &def->steps[stack[--n]];
		for (size_t i = 0; i < s->n_needs; i++) {
			if (!marked[s->needs[i]]) {
				marked[s->needs[i]] = true;
				stack[n++] = s->needs[i];
			}
		}
	}
}

static bool comes_before(const struct judge *judge, int other)
{
	st_autofree bool *marked = st_alloc_array(judge->def->n_steps, sizeof *marked);
	mark_ancestors(judge->def, judge->step, marked);
	return marked[other];
}

static int judge_step(const struct judge *judge, const struct st_reference *ref,
		      struct st_diag *diag)
{
	int other = step_index(judge->def, ref->name);
	if (other < 0) {
		return st_fail_at(diag, ST_ERR_INVALID, ref->pointer, "there is no step \"%s\"",
				  ref->name);
	}
	if (!comes_before(judge, other)) {
		return st_fail_at(diag, ST_ERR_INVALID, ref->pointer,
				  "step \"%s\" need not have ended by then; add it to needs",
				  ref->name);
	}
	return ST_OK;
}

static int judge_secret(const struct judge *judge, const struct st_reference *ref,
			struct st_diag *diag)
{
	for (size_t i = 0; i < judge->config->n_secrets; i++) {
		if (strcmp(judge->config->secrets[i].name, ref->name) == 0) {
			return ST_OK;
		}
	}
	return st_fail_at(diag, ST_ERR_INVALID, ref->pointer,
			  "the operator's config declares no secret \"%s\"", ref->name);
}

static int judge_reference(void *arg, const struct st_reference *ref, struct st_diag *diag)
{
	const struct judge *judge = arg;
	switch (ref->kind) {
	case ST_REFERENCE_STEP:
		return judge_step(judge, ref, diag);
	case ST_REFERENCE_PARAM:
		if (ref->optional || ref->name[0] == '\0' ||
		    json_object_get(judge->def->params, ref->name) != NULL) {
			return ST_OK;
		}
		return st_fail_at(diag, ST_ERR_INVALID, ref->pointer,
				  "the definition has no param \"%s\"", ref->name);
	case ST_REFERENCE_ITEM:
		if (judge->def->steps[judge->step].for_each != NULL) {
			return ST_OK;
		}
		return st_fail_at(diag, ST_ERR_INVALID, ref->pointer,
				  "item is only known in a step with for_each");
	case ST_REFERENCE_SECRET:
		return judge_secret(judge, ref, diag);
	case ST_REFERENCE_RUN:
		return ST_OK;
	}
	return ST_OK;
}

/* Puts "/steps/i/field" before the pointer. */
static int at_field(struct st_diag *diag, int err, int step, const char *field)
{
	if (err != ST_OK && diag != NULL) {
		char pointer[ST_DIAG_POINTER_MAX];
		(void)snprintf(pointer, sizeof pointer, "/steps/%d/%s%.200s", step, field,
			       diag->pointer);
		memcpy(diag->pointer, pointer, sizeof pointer);
	}
	return err;
}

static int check_condition(const struct judge *judge, struct st_diag *diag)
{
	const char *text = judge->def->steps[judge->step].condition;
	const struct st_reference_sink sink = {.see = judge_reference,
					       .arg = (void *)(uintptr_t)judge};
	struct st_expr *expr = NULL;
	if (text == NULL) {
		return ST_OK;
	}
	int err = st_condition_parse(text, &expr, diag);
	if (err == ST_OK) {
		err = st_expr_references(expr, &sink, diag);
	}
	st_expr_free(expr);
	return err;
}

static int unknown_kind(const char *uses, struct st_diag *diag)
{
	struct st_buf known = {0};
	size_t n = 0;
	const struct st_kind *const *kinds = st_kind_all(&n);
	for (size_t i = 0; i < n; i++) {
		st_buf_addf(&known, "%s%s", i > 0 ? ", " : "", kinds[i]->name);
	}
	int err = st_fail(diag, ST_ERR_INVALID, "there is no step kind \"%s\"; there are %s", uses,
			  known.data);
	st_buf_fini(&known);
	return err;
}

static int check_step(const struct judge *judge, struct st_diag *diag)
{
	const struct st_def_step *def = &judge->def->steps[judge->step];
	const struct st_kind *kind = st_kind_find(def->uses);
	if (kind == NULL) {
		return at_field(diag, unknown_kind(def->uses, diag), judge->step, "uses");
	}
	const struct st_reference_sink sink = {.see = judge_reference,
					       .arg = (void *)(uintptr_t)judge};
	int err = ST_OK;
	if (json_object_size(def->with) > 0) {
		err =
		    at_field(diag, st_template_check(def->with, &sink, diag), judge->step, "with");
	}
	if (err == ST_OK && kind->check != NULL) {
		err = at_field(diag, kind->check(def->with, judge->config, diag), judge->step,
			       "with");
	}
	if (err == ST_OK) {
		err = at_field(diag, check_condition(judge, diag), judge->step, "if");
	}
	if (err == ST_OK && def->for_each != NULL) {
		err = at_field(diag, st_template_check(def->for_each, &sink, diag), judge->step,
			       "for_each");
	}
	return err;
}

int st_admit_check(const struct st_def *def, const struct st_config *config, struct st_diag *diag)
{
	for (int i = 0; i < (int)def->n_steps; i++) {
		const struct judge judge = {.def = def, .config = config, .step = i};
		int err = check_step(&judge, diag);
		if (err != ST_OK) {
			return err;
		}
	}
	return ST_OK;
}

/* The envelope is written when the run starts: every limit is an account of its own. */
static void open_accounts(struct st_run *run)
{
	const struct st_def *def = run->def;
	char id[ST_ID_TEXT_MAX];
	run->accounts.scope = ST_SCOPE_RUN;
	(void)st_id_format(run->id, ST_ID_RUN, id);
	(void)snprintf(run->accounts.id, sizeof run->accounts.id, "%s", id);
	for (int m = 0; m < ST_METER_COUNT; m++) {
		(void)st_accounts_open(&run->accounts, (enum st_meter)m, def->envelope.run.of[m]);
	}
	for (size_t i = 0; i < def->n_steps; i++) {
		struct st_accounts *accounts = &run->steps[i].accounts;
		accounts->scope = ST_SCOPE_STEP;
		memcpy(accounts->id, def->steps[i].id, sizeof accounts->id);
		for (int m = 0; m < ST_METER_COUNT; m++) {
			if (def->steps[i].limits.of[m] != ST_UNLIMITED) {
				(void)st_accounts_open(accounts, (enum st_meter)m,
						       def->steps[i].limits.of[m]);
			}
		}
	}
}

struct st_run *st_run_new(struct st_core *core, struct st_def *def)
{
	struct st_run *run = st_alloc(sizeof *run);
	run->def = def;
	run->halt.step = -1;
	run->started_at = ST_TIME_NONE;
	run->ended_at = ST_TIME_NONE;
	run->active_at = ST_TIME_NONE;
	run->due = ST_TIME_NONE;
	run->heap_index = SIZE_MAX;
	run->steps = st_alloc_array(def->n_steps, sizeof *run->steps);
	for (size_t i = 0; i < def->n_steps; i++) {
		run->steps[i].kind = st_kind_find(def->steps[i].uses);
		run->steps[i].started_at = ST_TIME_NONE;
		run->steps[i].ended_at = ST_TIME_NONE;
	}
	for (int scope = ST_SCOPE_WORKFLOW; scope < ST_SCOPE_COUNT; scope++) {
		run->wide[scope] = st_core_wide(core, (enum st_scope)scope, def->scope_id[scope]);
	}
	return run;
}

/* What is stored says every limit and param by itself: a later change of the defaults does not
 * reach a run that has started. */
static void fix_definition(struct st_def *def)
{
	(void)json_object_set_new(def->doc, "budget", st_envelope_encode(&def->envelope));
	if (def->params != NULL) {
		(void)json_object_set(def->doc, "params", def->params);
	}
}

static void add_run_row(struct st_turn *turn, const struct st_run *run)
{
	const struct st_def *def = run->def;
	struct st_row_run *row = st_rows_add_run(&turn->update->rows);
	row->insert = true;
	row->no = run->no;
	row->id = run->id;
	row->def = st_json_compact(def->doc);
	row->shown = st_redact_json(turn->core->options.redactor, def->doc);
	memcpy(row->name, def->name, sizeof row->name);
	row->kind = def->kind;
	memcpy(row->scope_id, def->scope_id, sizeof row->scope_id);
	memcpy(row->submitted_by, run->submitted_by, sizeof row->submitted_by);
	row->created_at = run->created_at;
	row->state = run->state;
	row->started_at = ST_TIME_NONE;
	row->ended_at = ST_TIME_NONE;
	row->active_at = ST_TIME_NONE;
}

void st_admit_submit(struct st_turn *turn, const struct st_event *event)
{
	struct st_core *core = turn->core;
	if (turn->actor->role < ST_ROLE_SUBMITTER) {
		st_def_free(event->submit.def);
		st_turn_reply(turn, ST_ERR_FORBIDDEN, NULL,
			      st_tell_text(turn, "submitting takes the role submitter"));
		return;
	}
	if (core->draining) {
		st_def_free(event->submit.def);
		st_turn_reply(turn, ST_ERR_UNAVAILABLE, NULL,
			      st_tell_text(turn, "the server is stopping"));
		return;
	}
	fix_definition(event->submit.def);
	struct st_run *run = st_run_new(core, event->submit.def);
	run->no = core->numbers.run++;
	run->id = st_id_next(&turn->ids);
	run->created_at = turn->now;
	memcpy(run->submitted_by, turn->actor->name, sizeof run->submitted_by);
	open_accounts(run);
	st_core_insert(core, run);
	add_run_row(turn, run);
	st_run_emit(turn, run, "run.submitted", ST_ABOUT_RUN, st_tell_submitted(turn, run));
	st_run_move(turn, run, ST_RUN_RUNNING);
	st_run_emit(turn, run, "run.started", ST_ABOUT_RUN, st_tell_nothing(turn));
	turn->answer = run;
}
