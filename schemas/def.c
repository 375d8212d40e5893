/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/def.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "schemas/decode.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "schemas/needs.h"

#define FOR_EACH_CONCURRENT_DEFAULT 4
#define FOR_EACH_CONCURRENT_MAX 64
#define TIMEOUT_SECONDS_MAX 86400
#define RETRY_ATTEMPTS_DEFAULT 3
#define RETRY_BASE_SECONDS_DEFAULT 1
#define RETRY_BASE_SECONDS_MAX 3600
#define RETRY_SECONDS_DEFAULT 30
#define RETRY_SECONDS_MAX 86400
#define MS_PER_SECOND 1000

/* The scopes that a definition names itself, and the fields it does it with. */
static const struct {
	enum st_scope scope;
	const char *field;
} scopes[] = {
    {ST_SCOPE_WORKFLOW, "workflow"}, {ST_SCOPE_AGENT, "agent"},	  {ST_SCOPE_USER, "user"},
    {ST_SCOPE_PROJECT, "project"},   {ST_SCOPE_TENANT, "tenant"},
};

static int read_kind(struct st_decode *decode, const json_t *doc, enum st_run_kind *out)
{
	const char *name = NULL;
	int code = st_decode_get_text(decode, doc, "kind", &name);
	for (int kind = 0; name != NULL && kind < ST_RUN_KIND_COUNT; kind++) {
		if (strcmp(name, st_run_kind_name((enum st_run_kind)kind)) == 0) {
			*out = (enum st_run_kind)kind;
			return ST_OK;
		}
	}
	if (code == ST_OK) {
		code = st_fail_at(decode->diag, ST_ERR_INVALID, "/kind",
				  "expected one of: research, implementation");
	}
	return code;
}

static int read_head(struct st_decode *decode, const json_t *doc, struct st_def *def)
{
	static const int64_t version[2] = {1, 1};
	int64_t stint = 0;
	int code = st_decode_get_int(decode, doc, "stint", version, &stint);
	if (code != ST_OK) {
		return code;
	}
	if (stint == 0) {
		return st_fail_at(decode->diag, ST_ERR_INVALID, "",
				  "\"stint\" is missing: a definition begins with \"stint\": 1");
	}
	code = st_decode_get_name(decode, doc, "name", def->name);
	if (code == ST_OK && def->name[0] == '\0') {
		code = st_fail_at(decode->diag, ST_ERR_INVALID, "", "\"name\" is missing");
	}
	if (code == ST_OK) {
		code = read_kind(decode, doc, &def->kind);
	}
	for (int scope = ST_SCOPE_WORKFLOW; scope < ST_SCOPE_COUNT; scope++) {
		(void)snprintf(def->scope_id[scope], ST_NAME_MAX, "default");
	}
	for (size_t i = 0; code == ST_OK && i < sizeof scopes / sizeof scopes[0]; i++) {
		code = st_decode_get_name(decode, doc, scopes[i].field,
					  def->scope_id[scopes[i].scope]);
	}
	return code;
}

static int read_envelope(struct st_decode *decode, const json_t *doc,
			 const struct st_config *config, struct st_def *def)
{
	def->envelope = config->defaults[def->kind];
	const json_t *budget = json_object_get(doc, "budget");
	return budget == NULL ? ST_OK
			      : st_envelope_decode(budget, "/budget", &def->envelope, decode->diag);
}

/* The definition's own params under those given with the submission. */
static int merge_params(struct st_decode *decode, const json_t *doc, const json_t *given,
			struct st_def *def)
{
	const json_t *own = NULL;
	int code = st_decode_get_object(decode, doc, "params", &own);
	if (code != ST_OK) {
		return code;
	}
	def->params = own == NULL ? json_object() : json_copy((json_t *)own);
	if (given == NULL) {
		return ST_OK;
	}
	if (!json_is_object(given)) {
		return st_fail_at(decode->diag, ST_ERR_INVALID, "/params",
				  "the params given with a run are an object");
	}
	const char *name = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)given, name, value)
	{
		if (json_object_get(def->params, name) == NULL) {
			return st_fail_at(decode->diag, ST_ERR_INVALID, "/params",
					  "the definition has no param \"%.64s\" to override; give "
					  "it one with a default",
					  name);
		}
		int failed = json_object_set(def->params, name, value);
		assert(failed == 0);
	}
	return ST_OK;
}

static int read_retry(struct st_decode *decode, const json_t *step, struct st_retry *out)
{
	static const int64_t attempts_range[2] = {1, ST_ATTEMPTS_MAX};
	static const int64_t base_range[2] = {0, RETRY_BASE_SECONDS_MAX};
	static const int64_t max_range[2] = {0, RETRY_SECONDS_MAX};
	int64_t attempts = RETRY_ATTEMPTS_DEFAULT;
	int64_t base = RETRY_BASE_SECONDS_DEFAULT;
	int64_t max = -1;
	const json_t *retry = NULL;
	int code = st_decode_get_object(decode, step, "retry", &retry);
	if (retry != NULL) {
		size_t mark = st_decode_enter(decode, "retry");
		code = st_decode_get_int(decode, retry, "attempts", attempts_range, &attempts);
		if (code == ST_OK) {
			code = st_decode_get_int(decode, retry, "base_seconds", base_range, &base);
		}
		if (code == ST_OK) {
			code = st_decode_get_int(decode, retry, "max_seconds", max_range, &max);
		}
		if (code == ST_OK && max >= 0 && max < base) {
			code = st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
					  "max_seconds is less than base_seconds");
		}
		st_decode_leave(decode, mark);
	}
	if (max < 0) {
		max = base > RETRY_SECONDS_DEFAULT ? base : RETRY_SECONDS_DEFAULT;
	}
	*out = (struct st_retry){(int)attempts, base * MS_PER_SECOND, max * MS_PER_SECOND};
	return code;
}

static int read_for_each(struct st_decode *decode, const json_t *step, struct st_def_step *out)
{
	static const int64_t range[2] = {1, FOR_EACH_CONCURRENT_MAX};
	int64_t concurrent = FOR_EACH_CONCURRENT_DEFAULT;
	int code = st_decode_get_int(decode, step, "for_each_concurrent", range, &concurrent);
	if (code != ST_OK) {
		return code;
	}
	out->for_each_concurrent = (int)concurrent;
	const json_t *over = json_object_get(step, "for_each");
	if (over == NULL) {
		return ST_OK;
	}
	size_t mark = st_decode_enter(decode, "for_each");
	if (!json_is_string(over) && !json_is_array(over)) {
		code = st_decode_mismatch(decode, "an array or an expression ${{ … }}", over);
	} else if (json_array_size(over) > ST_FOR_EACH_MAX) {
		code = st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "%zu items; at most %d are accepted", json_array_size(over),
				  ST_FOR_EACH_MAX);
	}
	st_decode_leave(decode, mark);
	out->for_each = over;
	return code;
}

static int read_limits(struct st_decode *decode, const json_t *step, struct st_def_step *out)
{
	for (int meter = 0; meter < ST_METER_COUNT; meter++) {
		out->limits.of[meter] = ST_UNLIMITED;
	}
	const json_t *budget = json_object_get(step, "budget");
	if (budget == NULL) {
		return ST_OK;
	}
	size_t mark = st_decode_enter(decode, "budget");
	int code = st_step_budget_decode(budget, decode->pointer, &out->limits, decode->diag);
	st_decode_leave(decode, mark);
	return code;
}

static int read_identity(struct st_decode *decode, const json_t *step, struct st_def_step *out)
{
	int code = st_decode_get_name(decode, step, "id", out->id);
	if (code != ST_OK) {
		return code;
	}
	const char *uses = NULL;
	code = st_decode_get_text(decode, step, "uses", &uses);
	if (code != ST_OK) {
		return code;
	}
	if (out->id[0] == '\0' || uses == NULL) {
		return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "\"%s\" is missing", out->id[0] == '\0' ? "id" : "uses");
	}
	if (uses[0] == '\0' || strlen(uses) >= sizeof out->uses) {
		return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "\"%.40s\" is no step kind", uses);
	}
	memcpy(out->uses, uses, strlen(uses) + 1);
	return ST_OK;
}

static int read_step(struct st_decode *decode, const json_t *step, const json_t *empty,
		     struct st_def_step *out)
{
	static const int64_t timeout_range[2] = {1, TIMEOUT_SECONDS_MAX};
	if (!json_is_object(step)) {
		return st_decode_mismatch(decode, "an object", step);
	}
	int code = read_identity(decode, step, out);
	out->with = empty;
	if (code == ST_OK) {
		code = st_decode_get_object(decode, step, "with", &out->with);
	}
	if (code == ST_OK) {
		code = st_decode_get_text(decode, step, "if", &out->condition);
	}
	if (code == ST_OK) {
		code = read_for_each(decode, step, out);
	}
	if (code == ST_OK) {
		code =
		    st_decode_get_bool(decode, step, "continue_on_error", &out->continue_on_error);
	}
	int64_t timeout = 0;
	if (code == ST_OK) {
		code = st_decode_get_int(decode, step, "timeout_seconds", timeout_range, &timeout);
		out->timeout_ms = timeout * MS_PER_SECOND;
	}
	if (code == ST_OK) {
		code = read_retry(decode, step, &out->retry);
	}
	return code == ST_OK ? read_limits(decode, step, out) : code;
}

/* What the run's budget says of each step that says nothing itself. */
static void limit_steps(struct st_def *def)
{
	for (size_t i = 0; i < def->n_steps; i++) {
		for (int m = 0; m < ST_METER_COUNT; m++) {
			int64_t *limit = &def->steps[i].limits.of[m];
			*limit = *limit == ST_UNLIMITED ? def->envelope.step.of[m] : *limit;
		}
	}
}

static int read_steps(struct st_decode *decode, const json_t *steps, struct st_def *def)
{
	def->steps = st_alloc_array(json_array_size(steps), sizeof def->steps[0]);
	def->n_steps = json_array_size(steps);
	size_t outer = st_decode_enter(decode, "steps");
	for (size_t i = 0; i < def->n_steps; i++) {
		size_t mark = st_decode_enter_index(decode, i);
		int code = read_step(decode, json_array_get(steps, i), def->empty, &def->steps[i]);
		if (code != ST_OK) {
			return code;
		}
		st_decode_leave(decode, mark);
	}
	st_decode_leave(decode, outer);
	limit_steps(def);
	return st_needs_link(steps, def, decode->diag);
}

/* Before anything else, so that a definition of any size is refused at once. */
static int check_size(const json_t *doc, const json_t **steps, struct st_diag *diag)
{
	if (!json_is_object(doc)) {
		return st_fail(diag, ST_ERR_INVALID, "a run definition is a JSON object, got %s",
			       st_json_type_text(doc));
	}
	*steps = json_object_get(doc, "steps");
	if (*steps == NULL) {
		return st_fail(diag, ST_ERR_INVALID, "\"steps\" is missing");
	}
	if (!json_is_array(*steps)) {
		return st_fail_at(diag, ST_ERR_INVALID, "/steps", "expected an array, got %s",
				  st_json_type_text(*steps));
	}
	size_t n = json_array_size(*steps);
	if (n < 1 || n > ST_STEPS_MAX) {
		return st_fail_at(diag, ST_ERR_INVALID, "/steps",
				  "%zu steps; a definition has 1 to %d", n, ST_STEPS_MAX);
	}
	return ST_OK;
}

int st_def_decode(const struct st_schemas *schemas, const struct st_def_input *input,
		  struct st_def **out, struct st_diag *diag)
{
	json_t *doc = input->doc;
	assert(doc != NULL);
	assert(input->config != NULL);
	assert(out != NULL);
	const json_t *steps = NULL;
	int code = check_size(doc, &steps, diag);
	if (code == ST_OK) {
		code = st_schemas_check_run(schemas, doc, diag);
	}
	if (code != ST_OK) {
		return code;
	}
	struct st_decode decode = {.diag = diag};
	struct st_def *def = st_alloc(sizeof *def);
	def->n_owners = 1;
	def->doc = json_incref(doc);
	def->empty = json_object();
	code = read_head(&decode, doc, def);
	if (code == ST_OK) {
		code = read_envelope(&decode, doc, input->config, def);
	}
	if (code == ST_OK) {
		code = merge_params(&decode, doc, input->params, def);
	}
	if (code == ST_OK) {
		code = read_steps(&decode, steps, def);
	}
	if (code != ST_OK) {
		st_def_free(def);
		return code;
	}
	*out = def;
	return ST_OK;
}

struct st_def *st_def_share(struct st_def *def)
{
	def->n_owners++;
	return def;
}

void st_def_free(struct st_def *def)
{
	if (def == NULL) {
		return;
	}
	assert(def->n_owners > 0);
	if (--def->n_owners > 0) {
		return;
	}
	for (size_t i = 0; i < def->n_steps; i++) {
		st_free(def->steps[i].needs);
	}
	st_free(def->steps);
	json_decref(def->params);
	json_decref(def->empty);
	json_decref(def->doc);
	st_free(def);
}
