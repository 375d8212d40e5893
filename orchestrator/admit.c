/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/admit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "redact/redact.h"
#include "schemas/buf.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/kind.h"
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
