/* SPDX-License-Identifier: Apache-2.0 */
/* Does every expression end, with a value within bounds or an error, and always the same one? */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/expression.h"

static const char world[] =
    "{\"params\":{\"a\":[1,2,3],\"b\":{\"c\":\"text\",\"d\":null},\"n\":-5,\"t\":\"abcabc\","
    "\"f\":1.5,\"e\":[],\"u\":\"\\u00e4\\u20ac\",\"j\":\"[1,{\\\"x\\\":2}]\"},"
    "\"item\":{\"k\":[0,false]},\"run\":{\"id\":\"r\"},"
    "\"step\":{\"output\":{\"list\":[1,\"two\"]},\"state\":\"succeeded\",\"error\":null}}";

static const json_t *step_of(void *arg, const char *id)
{
	assert(strlen(id) < ST_EXPR_NAME_MAX);
	return strcmp(id, "s") == 0 ? json_object_get(arg, "step") : NULL;
}

static int see(void *arg, const struct st_reference *reference, struct st_diag *diag)
{
	(void)diag;
	assert(reference->name != NULL && strlen(reference->name) <= ST_EXPR_TEXT_MAX);
	++*(size_t *)arg;
	return ST_OK;
}

static void evaluate(const struct st_expr *expr, json_t *values)
{
	const struct st_expr_scope scope = {.params = json_object_get(values, "params"),
					    .item = json_object_get(values, "item"),
					    .run = json_object_get(values, "run"),
					    .step = step_of,
					    .arg = values,
					    .needs_succeeded = true};
	json_t *out[2] = {NULL, NULL};
	int code[2];
	for (int i = 0; i < 2; i++) {
		struct st_diag diag = {0};
		code[i] = st_expr_eval(expr, &scope, &out[i], &diag);
		assert((code[i] == ST_OK) == (out[i] != NULL));
		assert((code[i] == ST_OK) == (diag.text[0] == '\0'));
	}
	assert(code[0] == code[1]);
	if (code[0] == ST_OK) {
		char *text = st_json_compact(out[0]);
		assert(json_equal(out[0], out[1]) && strlen(text) <= ST_EXPR_OUTPUT_MAX);
		st_free(text);
	}
	json_decref(out[0]);
	json_decref(out[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static json_t *values;
	if (values == NULL) {
		values = json_loads(world, 0, NULL);
		assert(values != NULL);
	}
	char *before = st_json_canonical(values);
	char *text = st_strndup((const char *)data, size);
	for (int is_condition = 0; is_condition < 2; is_condition++) {
		struct st_expr *expr = NULL;
		struct st_diag diag = {0};
		int code = is_condition ? st_condition_parse(text, &expr, &diag)
					: st_expr_parse(text, &expr, &diag);
		assert((code == ST_OK) == (expr != NULL));
		assert((code == ST_OK) == (diag.text[0] == '\0'));
		if (expr != NULL) {
			size_t n = 0;
			const struct st_reference_sink sink = {.see = see, .arg = &n};
			assert(st_expr_references(expr, &sink, &diag) == ST_OK);
			evaluate(expr, values);
			st_expr_free(expr);
		}
	}
	char *after = st_json_canonical(values);
	assert(strcmp(before, after) == 0); /* evaluating changes nothing */
	st_free(after);
	st_free(before);
	st_free(text);
	return 0;
}
