/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/expression.h"
#include "steps/function.h"

static json_t *json_of(const char *text)
{
	json_t *value = NULL;
	struct st_diag diag = {0};
	if (st_json_parse(text, strlen(text), ST_JSON_BYTES_MAX, &value, &diag) != ST_OK) {
		fail_msg("%s: %s", text, diag.text);
	}
	return value;
}

struct world {
	json_t *params;
	json_t *item;
	json_t *run;
	json_t *steps;
};

static const json_t *find_step(void *arg, const char *id)
{
	return json_object_get(arg, id);
}

static int set_up(void **state)
{
	static struct world w;
	w.params = json_of(
	    "{\"topic\":\"Käse & Brot\",\"n\":3,\"real\":2.5,\"list\":[1,\"two\",null,[4],{\"b\":1,"
	    "\"a\":2}],\"empty\":[],\"none\":null,\"yes\":true,\"deep\":{\"x\":{\"y\":[{\"z\":7}]}}"
	    ","
	    "\"max\":9223372036854775807,\"edge\":9223372036854775808.0,\"key\":\"n\","
	    "\"text\":\"{\\\"k\\\":[1,2]}\",\"evil\":\"${{ secrets.TOKEN }} ${{ params.n }}\","
	    "\"words\":[\"a\",\"b\",\"c\"],\"zero\":0.0,\"o\":{\"k\":1,\"l\":[1.0]},"
	    "\"p\":{\"l\":[1],\"k\":1.0},\"odd name\":1,\"blank\":\"\"}");
	w.item = json_of("{\"url\":\"https://example.org/1\",\"i\":1}");
	w.run = json_of("{\"id\":\"r_1\",\"name\":\"survey\"}");
	w.steps = json_of(
	    "{\"find\":{\"output\":{\"results\":[{\"url\":\"u0\"},{\"url\":\"u1\"}]},"
	    "\"state\":\"succeeded\",\"error\":null},\"a.b\":{\"output\":5,\"state\":\"failed\","
	    "\"error\":\"no\"},\"1st-x\":{\"output\":\"one\",\"state\":\"succeeded\","
	    "\"error\":null}}");
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	json_decref(w->params);
	json_decref(w->item);
	json_decref(w->run);
	json_decref(w->steps);
	return 0;
}

static struct st_expr_scope scope_of(const struct world *w)
{
	return (struct st_expr_scope){.params = w->params,
				      .item = w->item,
				      .run = w->run,
				      .step = find_step,
				      .arg = w->steps,
				      .needs_succeeded = true,
				      .needs_failed = false};
}

struct row {
	const char *text;
	const char *expected; /* canonical JSON, or "CODE words that the message must hold" */
};

static void run_row(const struct st_expr_scope *scope, const struct row *row)
{
	struct st_expr *expr = NULL;
	struct st_diag diag = {0};
	char got[ST_DIAG_TEXT_MAX + 64];
	json_t *value = NULL;
	int rc = st_expr_parse(row->text, &expr, &diag);
	bool parsed = rc == ST_OK;
	if (parsed) {
		rc = st_expr_eval(expr, scope, &value, &diag);
	}
	if (rc == ST_OK) {
		st_autofree char *text = st_json_canonical(value);
		(void)snprintf(got, sizeof got, "%s", text);
		json_decref(value);
		if (strcmp(got, row->expected) != 0) {
			fail_msg("%s\n  is %s\n  not %s", row->text, got, row->expected);
		}
	} else {
		assert_null(value);
		assert_int_equal(diag.code, rc);
		(void)snprintf(got, sizeof got, "%s%s %s", parsed ? "" : "parse ",
			       st_err_name((enum st_err)rc), diag.text);
		/* The first word or two are the kind of failure, the rest is looked for. */
		size_t kind = strcspn(row->expected, ":");
		const char *words = row->expected[kind] == ':' ? row->expected + kind + 1 : "";
		if (strncmp(got, row->expected, kind) != 0 || strstr(got, words) == NULL) {
			fail_msg("%s\n  gave \"%s\"\n  not \"%s\"", row->text, got, row->expected);
		}
	}
	st_expr_free(expr);
}

static void run_rows(void **state, const struct row *rows, size_t n)
{
	struct st_expr_scope scope = scope_of(*state);
	for (size_t i = 0; i < n; i++) {
		run_row(&scope, &rows[i]);
	}
}

#define RUN_ROWS(rows) run_rows(state, rows, sizeof(rows) / sizeof((rows)[0]))

static void paths_lead_to_values(void **state)
{
	static const struct row rows[] = {
	    {"params.topic", "\"Käse & Brot\""},
	    {"  params . n\t", "3"},
	    {"params['odd name']", "1"},
	    {"params[\"n\"]", "3"},
	    {"params[params.key]", "3"},
	    {"params.list[3][0]", "4"},
	    {"params.list[params.n + 1]", "parse INVALID:column 12"},
	    {"params.deep.x.y[0].z", "7"},
	    {"params.none", "null"},
	    {"item.url", "\"https://example.org/1\""},
	    {"item", "{\"i\":1,\"url\":\"https://example.org/1\"}"},
	    {"run.id", "\"r_1\""},
	    {"steps.find.output.results[1].url", "\"u1\""},
	    {"steps.find.output.results[item.i].url", "\"u1\""},
	    {"steps.find.state", "\"succeeded\""},
	    {"steps.find.error", "null"},
	    {"steps['a.b'].output", "5"},
	    {"steps['a.b']", "{\"error\":\"no\",\"output\":5,\"state\":\"failed\"}"},
	    {"steps.1st-x.output", "\"one\""},
	    {"(params.deep).x.y", "[{\"z\":7}]"},
	    {"from_json(params.text).k[1]", "2"},
	    {"first(params.words)", "\"a\""},
	    {"first(steps.find.output.results).url", "\"u0\""},
	};
	RUN_ROWS(rows);
}

static void a_path_that_leads_nowhere_is_an_error_that_names_it(void **state)
{
	static const struct row rows[] = {
	    {"params.nope", "NOT_FOUND:params.nope"},
	    {"params.topic.x", "NOT_FOUND:params.topic.x"},
	    {"params.none.x", "NOT_FOUND:params.none.x"},
	    {"params.list[5]", "NOT_FOUND:params.list[5]: the array has 5 elements"},
	    {"params.list[-1]", "NOT_FOUND:params.list[-1]"},
	    {"params.list['x']", "NOT_FOUND:params.list.x"},
	    {"params.list[true]", "NOT_FOUND:params.list[…]"},
	    {"params[0]", "NOT_FOUND:params[0]"},
	    {"  params.deep.x.nope.z", "NOT_FOUND:column 3: there is no params.deep.x.nope:"},
	    {"steps.nope.output", "NOT_FOUND:steps.nope"},
	    {"steps.find.output.results[2].url", "NOT_FOUND:steps.find.output.results[2]:"},
	    {"from_json('{}').x", "NOT_FOUND:(…).x"},
	    {"first(params.empty)", "NOT_FOUND:first() of an empty array"},
	    {"length(params.nope)", "NOT_FOUND:params.nope"},
	    {"params.nope == 1", "NOT_FOUND"},
	    {"1 == params.nope", "NOT_FOUND"},
	    {"!params.nope", "NOT_FOUND"},
	    {"params.n == 3 && params.nope", "NOT_FOUND"},
	    {"params.list[params.nope]", "NOT_FOUND:params.nope"},
	    {"params.nope[params.nope2]", "NOT_FOUND:params.nope:"},
	};
	RUN_ROWS(rows);
	struct st_expr_scope nothing = {0};
	static const struct row bare[] = {{"params", "NOT_FOUND:there is no params here"},
					  {"params.x", "NOT_FOUND:there is no params.x here"},
					  {"item.url", "NOT_FOUND:item.url"},
					  {"run.id", "NOT_FOUND:run.id"},
					  {"steps.a.output", "NOT_FOUND:steps.a here"},
					  {"default(item.url, 'x')", "\"x\""}};
	for (size_t i = 0; i < sizeof bare / sizeof bare[0]; i++) {
		run_row(&nothing, &bare[i]);
	}
}

static void literals_are_read_exactly(void **state)
{
	static const struct row rows[] = {
	    {"0", "0"},
	    {"-0", "0"},
	    {"007", "7"},
	    {"9223372036854775807", "9223372036854775807"},
	    {"-9223372036854775808", "-9223372036854775808"},
	    {"9223372036854775808", "parse INVALID:does not fit"},
	    {"-9223372036854775809", "parse INVALID:does not fit"},
	    {"99999999999999999999999999999999", "parse INVALID:does not fit"},
	    {"18446744073709551616", "parse INVALID:does not fit"},
	    {"1.5", "parse INVALID:only whole decimal"},
	    {"1e3", "parse INVALID:only whole decimal"},
	    {"0x10", "parse INVALID:only whole decimal"},
	    {"- 1", "parse INVALID:missing here"},
	    {"-", "parse INVALID:missing here"},
	    {"+1", "parse INVALID:missing here"},
	    {"''", "\"\""},
	    {"\"\"", "\"\""},
	    {"'a\"b'", "\"a\\\"b\""},
	    {"\"a'b\"", "\"a'b\""},
	    {"'\\'\\\"\\\\\\n\\t\\r'", "\"'\\\"\\\\\\n\\t\\r\""},
	    {"'\\x'", "parse INVALID:unknown escape"},
	    {"'\\", "parse INVALID:unknown escape"},
	    {"'open", "parse INVALID:no closing quote"},
	    {"'\xff'", "parse INVALID:not UTF-8"},
	    {"'ä' \xc3", "parse INVALID:column 5"},
	    {"'${{ params.n }}'", "\"${{ params.n }}\""},
	    {"true", "true"},
	    {"false", "false"},
	    {"null", "null"},
	    {"True", "parse INVALID:unknown name \"True\""},
	};
	RUN_ROWS(rows);
}

static void operators_follow_their_rules(void **state)
{
	static const struct row rows[] = {
	    {"1 == 1", "true"},
	    {"1 != 1", "false"},
	    {"1==2||2==2", "true"},
	    {"!true", "false"},
	    {"!!'x'", "true"},
	    {"! params.none", "true"},
	    {"!params.zero && !params.empty && !params.blank && !0", "true"},
	    {"1 && 'a'", "true"},
	    {"0 || ''", "false"},
	    {"true || false && false", "true"},
	    {"(true || false) && false", "false"},
	    {"false && params.nope", "false"},
	    {"true || params.nope", "true"},
	    {"1 < 2 && 2 <= 2 && 3 > 2 && 2 >= 2", "true"},
	    {"2 < 2 || 3 <= 2 || 2 > 2 || 1 >= 2", "false"},
	    {"'a' < 'b' && 'a' < 'aa' && 'Z' < 'a' && '' < 'a'", "true"},
	    {"'b' < 'a' || 'aa' < 'a' || 'a' < 'a'", "false"},
	    {"params.real > 2 && params.real < 3 && 3 > params.real", "true"},
	    {"params.real >= params.real && params.zero < params.real", "true"},
	    /* A 64-bit integer and a fraction are compared exactly. */
	    {"params.max < params.edge && params.edge > params.max", "true"},
	    {"params.max == params.edge", "false"},
	    {"params.zero == 0 && 0 == params.zero", "true"},
	    {"params.real == 2", "false"},
	    {"-9223372036854775808 < params.real", "true"},
	    {"params.o == params.p", "true"},
	    {"params.o == params.deep", "false"},
	    {"params.list == params.list", "true"},
	    {"params.list == params.words", "false"},
	    {"params.words == from_json('[\"a\",\"b\",\"d\"]')", "false"},
	    {"from_json('{\"a\":1}') == from_json('{\"b\":1}')", "false"},
	    {"from_json('{\"a\":1}') == from_json('{\"a\":2}')", "false"},
	    /* Values of different types are unequal, but have no order. */
	    {"1 == '1'", "false"},
	    {"1 != '1'", "true"},
	    {"null == false", "false"},
	    {"null == null", "true"},
	    {"true == true", "true"},
	    {"params.empty == params.none", "false"},
	    {"1 < '2'", "INVALID:column 3: only two numbers or two texts"},
	    {"null < 1", "INVALID:not null"},
	    {"true < false", "INVALID"},
	    {"params.list >= params.list", "INVALID:an array"},
	    {"1 < 2 < 3", "parse INVALID:two at a time"},
	    {"1 == 1 == true", "parse INVALID:two at a time"},
	    {"(1 == 1) == true", "true"},
	    {"1 = 1", "parse INVALID:operator or the end"},
	    {"1 | 1", "parse INVALID:operator or the end"},
	    {"true &&", "parse INVALID:value is missing at the end"},
	    {"|| true", "parse INVALID:missing here"},
	    {"!", "parse INVALID:missing at the end"},
	    {"1 ==", "parse INVALID:missing at the end"},
	    {"!= 1", "parse INVALID:missing here"},
	    {"1 2", "parse INVALID:column 3"},
	};
	RUN_ROWS(rows);
}

static void functions_do_what_the_reference_says(void **state)
{
	static const struct row rows[] = {
	    {"length('')", "0"},
	    {"length(params.topic)", "11"},
	    {"length(params.list)", "5"},
	    {"length(params.deep)", "1"},
	    {"length(1)", "INVALID:column 1: length() needs text, an array or an object, not"},
	    {"join(params.words, ', ')", "\"a, b, c\""},
	    {"join(params.empty, ',')", "\"\""},
	    {"join(from_json('[1,2.5,true,[1],{\"b\":1,\"a\":2}]'), '')",
	     "\"12.5true[1]{\\\"a\\\":2,\\\"b\\\":1}\""},
	    {"join(params.list, ',')", "INVALID:join() can not put null into text: element [2]"},
	    {"join('ab', ',')", "INVALID:join() needs an array first"},
	    {"join(params.words, 1)", "INVALID:join() needs text second"},
	    {"json(params.list)", "\"[1,\\\"two\\\",null,[4],{\\\"a\\\":2,\\\"b\\\":1}]\""},
	    {"json('x')", "\"\\\"x\\\"\""},
	    {"json(null)", "\"null\""},
	    {"from_json(json(params.deep)) == params.deep", "true"},
	    {"from_json('{\"a\":1,\"a\":2}')", "INVALID:from_json():"},
	    {"from_json('nope')", "INVALID:from_json():"},
	    {"from_json(1)", "INVALID:from_json() needs text"},
	    {"contains(params.topic, 'Brot')", "true"},
	    {"contains(params.topic, 'brot')", "false"},
	    {"contains('abc', '')", "true"},
	    {"contains(params.list, 'two')", "true"},
	    {"contains(params.list, 1)", "true"},
	    {"contains(params.list, '1')", "false"},
	    {"contains(params.list, null)", "true"},
	    {"contains(params.deep, 'x')", "true"},
	    {"contains(params.deep, 'y')", "false"},
	    {"contains(params.deep, 1)", "INVALID:contains() needs text second"},
	    {"contains('abc', 1)", "INVALID:contains() needs text second"},
	    {"contains(1, 1)", "INVALID:contains() needs text, an array or an object first"},
	};
	RUN_ROWS(rows);
}

static void functions_forgive_only_what_they_say(void **state)
{
	static const struct row rows[] = {
	    {"default(params.nope, 5)", "5"},
	    {"default(params.none, 5)", "5"},
	    {"default(params.n, 5)", "3"},
	    {"default(params.n, params.nope)", "3"},
	    {"default(params.nope, params.nope2)", "NOT_FOUND:params.nope2"},
	    {"default(params.nope, default(params.nope, 1))", "1"},
	    {"default(default(params.nope, params.nope), 1)", "1"},
	    {"default(length(params.nope), 0)", "0"},
	    {"default(first(params.empty), 'x')", "\"x\""},
	    {"default(false, true)", "false"},
	    /* Only that something is missing is forgiven. */
	    {"default(length(1), 0)", "INVALID:length()"},
	    {"slice('äbcdé', 1, 3)", "\"bc\""},
	    {"slice('äbcdé', 0, 1)", "\"ä\""},
	    {"slice('äbcdé', -1)", "\"é\""},
	    {"slice('abc', 1)", "\"bc\""},
	    {"slice('abc', 2, 1)", "\"\""},
	    {"slice('abc', -99, 99)", "\"abc\""},
	    {"slice('abc', -9223372036854775808, 9223372036854775807)", "\"abc\""},
	    {"slice('abc', 5)", "\"\""},
	    {"slice(params.words, 1, -1)", "[\"b\"]"},
	    {"slice(params.words, 2)", "[\"c\"]"},
	    {"slice(params.words, 3, 1)", "[]"},
	    {"slice('abc', '1')", "INVALID:slice() needs integers"},
	    {"slice('abc', 0, params.real)", "INVALID:slice() needs integers"},
	    {"slice(1, 0, 1)", "INVALID:slice() needs text or an array"},
	    {"first(params.list)", "1"},
	    {"first('abc')", "INVALID:first() needs an array"},
	    {"keys(params.list[4])", "[\"a\",\"b\"]"},
	    {"keys(from_json('{}'))", "[]"},
	    {"keys(params.list)", "INVALID:keys() needs an object"},
	};
	RUN_ROWS(rows);
}

static void what_can_not_be_parsed_says_where_and_why(void **state)
{
	static const struct row rows[] = {
	    {"", "parse INVALID:column 1: the expression is empty"},
	    {"  ", "parse INVALID:empty"},
	    {"nope", "parse INVALID:column 1: unknown name \"nope\""},
	    {"ä", "parse INVALID:column 1"},
	    {"param.x", "parse INVALID:unknown name \"param\""},
	    {"secrets.TOKEN", "parse INVALID:a secret can not take part"},
	    {"'ä' == secrets.TOKEN", "parse INVALID:column 8: a secret"},
	    {"length(secrets.TOKEN)", "parse INVALID:a secret"},
	    {"default(secrets.TOKEN, 1)", "parse INVALID:a secret"},
	    {"params[secrets.TOKEN]", "parse INVALID:a secret"},
	    {"lenght(params.x)", "parse INVALID:unknown function \"lenght\"; there are length"},
	    {"eval('1')", "parse INVALID:unknown function"},
	    {"length()", "parse INVALID:it is length(x)"},
	    {"length(1, 2)", "parse INVALID:it is length(x)"},
	    {"slice('a')", "parse INVALID:it is slice(x, from, to)"},
	    {"slice('a', 1, 2, 3, 4, 5)", "parse INVALID:it is slice(x, from, to)"},
	    {"length(1", "parse INVALID:\",\" or \")\""},
	    {"length(,)", "parse INVALID"},
	    {"length(1,)", "parse INVALID"},
	    {"(1", "parse INVALID:never closed"},
	    {"()", "parse INVALID:missing here"},
	    {"params[0", "parse INVALID:\"[\" is never closed"},
	    {"params[]", "parse INVALID:missing here"},
	    {"params.", "parse INVALID:name is missing"},
	    {"params..x", "parse INVALID:name is missing"},
	    {"params.'x'", "parse INVALID:['name']"},
	    {"steps", "parse INVALID:name the step"},
	    {"steps == 1", "parse INVALID:name the step"},
	    {"steps[params.key].output", "parse INVALID:name the step"},
	    {"steps[0].output", "parse INVALID:name the step"},
	    {"(steps).find.output", "parse INVALID:name the step"},
	    {"steps.find.outputs", "parse INVALID:.output, .state and .error"},
	    {"steps.find[params.key]", "parse INVALID:.output, .state and .error"},
	    {"params.x }}", "parse INVALID:operator or the end"},
	    {"${{ params.x }}", "parse INVALID:column 1"},
	    {"success()", "parse INVALID:only in a condition"},
	    {"always() || true", "parse INVALID:only in a condition"},
	};
	RUN_ROWS(rows);
}

/* Gives n copies of `part` and then `tail`. */
static char *repeat(const char *part, size_t n, const char *tail)
{
	struct st_buf buf = {0};
	for (size_t i = 0; i < n; i++) {
		st_buf_add_text(&buf, part);
	}
	st_buf_add_text(&buf, tail);
	return st_buf_take(&buf);
}

static int parse_code(const char *text)
{
	struct st_expr *expr = NULL;
	struct st_diag diag = {0};
	int rc = st_expr_parse(text, &expr, &diag);
	assert_int_equal(rc == ST_OK, expr != NULL);
	st_expr_free(expr);
	return rc;
}

static void check_nesting(const char *open, const char *close)
{
	for (size_t n = ST_EXPR_NESTING_MAX - 1; n <= ST_EXPR_NESTING_MAX + 1; n++) {
		st_autofree char *left = repeat(open, n, "1");
		st_autofree char *text = repeat("", 0, left);
		struct st_buf buf = {0};
		st_buf_add_text(&buf, text);
		for (size_t i = 0; i < n; i++) {
			st_buf_add_text(&buf, close);
		}
		assert_int_equal(parse_code(buf.data),
				 n <= ST_EXPR_NESTING_MAX ? ST_OK : ST_ERR_INVALID);
		st_buf_fini(&buf);
	}
}

static void nesting_is_bounded_however_it_is_made(void **state)
{
	(void)state;
	check_nesting("(", ")");
	check_nesting("!", "");
	check_nesting("json(", ")");
	check_nesting("params[", "]");
	static const char *const openers[] = {"(", "!", "length(",  "params[", "[",  "{",
					      "-", "'", "default(", "!(",      "a.", "!!!((("};
	for (size_t i = 0; i < sizeof openers / sizeof openers[0]; i++) {
		st_autofree char *text = repeat(openers[i], 1000, "");
		assert_int_equal(parse_code(text), ST_ERR_INVALID);
	}
}

static void text_is_bounded_and_long_chains_do_not_nest(void **state)
{
	(void)state;
	st_autofree char *fits = repeat("1||", (ST_EXPR_TEXT_MAX - 1) / 3, "1");
	assert_true(strlen(fits) <= ST_EXPR_TEXT_MAX);
	struct row row = {fits, "true"};
	struct st_expr_scope scope = scope_of(*state);
	run_row(&scope, &row);
	st_autofree char *chain = repeat(".x", 4000, "");
	st_autofree char *path = repeat("params", 1, chain);
	assert_int_equal(parse_code(path), ST_OK);
	st_autofree char *spaces = repeat(" ", ST_EXPR_TEXT_MAX, "1");
	assert_int_equal(parse_code(spaces), ST_ERR_TOO_LARGE);
	st_autofree char *megabyte = repeat("1||", 350000, "1");
	assert_int_equal(parse_code(megabyte), ST_ERR_TOO_LARGE);
	struct st_expr *expr = NULL;
	assert_int_equal(st_condition_parse(megabyte, &expr, NULL), ST_ERR_TOO_LARGE);
	assert_null(expr);
}

static int eval_code(const char *text, const struct st_expr_scope *scope)
{
	struct st_expr *expr = NULL;
	json_t *value = NULL;
	assert_int_equal(st_expr_parse(text, &expr, NULL), ST_OK);
	int rc = st_expr_eval(expr, scope, &value, NULL);
	json_decref(value);
	st_expr_free(expr);
	return rc;
}

static void output_does_not_grow_past_its_bound(void **state)
{
	(void)state;
	json_t *params = json_object();
	json_t *list = json_array();
	st_autofree char *kilobyte = repeat("0123456789abcdef", 64, "");
	for (int i = 0; i < 1000; i++) {
		json_array_append_new(list, json_string(kilobyte));
	}
	json_object_set_new(params, "list", list);
	st_autofree char *quotes = repeat("\"", 100000, "");
	json_object_set_new(params, "quotes", json_string(quotes));
	struct st_expr_scope scope = {.params = params};
	assert_int_equal(eval_code("join(params.list, '')", &scope), ST_OK);
	/* The separator makes it too large, and it is found while joining. */
	st_autofree char *separator = repeat("-", 100, "')");
	st_autofree char *join = repeat("join(params.list, '", 1, separator);
	assert_int_equal(eval_code(join, &scope), ST_ERR_TOO_LARGE);
	assert_int_equal(eval_code("length(join(params.list, join(params.list, '')))", &scope),
			 ST_ERR_TOO_LARGE);
	/* Escapes double with each json(). */
	assert_int_equal(eval_code("json(params.quotes)", &scope), ST_OK);
	assert_int_equal(eval_code("json(json(json(json(json(params.quotes)))))", &scope),
			 ST_ERR_TOO_LARGE);
	/* A value that is too large to begin with. */
	json_array_extend(list, list);
	assert_int_equal(eval_code("params.list", &scope), ST_ERR_TOO_LARGE);
	assert_int_equal(eval_code("length(params.list)", &scope), ST_OK);
	assert_int_equal(eval_code("params.list == params.list", &scope), ST_ERR_TOO_LARGE);
	json_decref(params);
}

static void the_work_of_an_evaluation_is_bounded(void **state)
{
	(void)state;
	json_t *params = json_object();
	st_autofree char *big = repeat("a", 1000000, "");
	json_object_set_new(params, "big", json_string(big));
	struct st_expr_scope scope = {.params = params};
	st_autofree char *few = repeat("contains(params.big,'b')||", 10, "true");
	assert_int_equal(eval_code(few, &scope), ST_OK);
	st_autofree char *many = repeat("contains(params.big,'b')||", 300, "true");
	assert_int_equal(eval_code(many, &scope), ST_ERR_TOO_LARGE);
	st_autofree char *lengths = repeat("!length(params.big)||", 300, "true");
	assert_int_equal(eval_code(lengths, &scope), ST_ERR_TOO_LARGE);
	json_decref(params);
}

static void values_that_are_too_deep_are_refused(void **state)
{
	(void)state;
	json_t *deep = json_integer(1);
	for (int i = 0; i < 200; i++) {
		json_t *outer = json_array();
		json_array_append_new(outer, deep);
		deep = outer;
	}
	json_t *params = json_object();
	json_object_set_new(params, "deep", deep);
	struct st_expr_scope scope = {.params = params};
	assert_int_equal(eval_code("params.deep == params.deep", &scope), ST_ERR_TOO_LARGE);
	assert_int_equal(eval_code("contains(params.deep, 1)", &scope), ST_ERR_TOO_LARGE);
	assert_int_equal(eval_code("json(params.deep)", &scope), ST_ERR_TOO_LARGE);
	assert_int_equal(eval_code("params.deep", &scope), ST_ERR_TOO_LARGE);
	assert_int_equal(eval_code("params.deep[0][0][0] && true", &scope), ST_OK);
	json_decref(params);
}

static void results_are_literal(void **state)
{
	static const struct row rows[] = {
	    {"params.evil", "\"${{ secrets.TOKEN }} ${{ params.n }}\""},
	    {"params[params.evil]", "NOT_FOUND"},
	    {"contains(params.evil, 'secrets')", "true"},
	};
	RUN_ROWS(rows);
}

struct condition_row {
	const char *text;
	bool expected;
	bool uses_status;
};

static void a_condition_may_stand_in_braces_and_asks_for_truth(void **state)
{
	static const struct condition_row rows[] = {
	    {"true", true, false},
	    {"${{ true }}", true, false},
	    {"  ${{ params.n > 2 }}  ", true, false},
	    {"${{ '}}' == '}}' }}", true, false},
	    {"'x'", true, false},
	    {"''", false, false},
	    {"0", false, false},
	    {"null", false, false},
	    {"params.empty", false, false},
	    {"params.deep", true, false},
	    {"from_json('{}')", false, false},
	    {"always()", true, true},
	    {"${{ failure() }}", false, true},
	    {"success() && steps.find.state == 'succeeded'", true, true},
	    {"!success() || failure()", false, true},
	    {"'always()' == 'x'", false, false},
	};
	struct st_expr_scope scope = scope_of(*state);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_expr *expr = NULL;
		struct st_diag diag = {0};
		bool result = !rows[i].expected;
		if (st_condition_parse(rows[i].text, &expr, &diag) != ST_OK ||
		    st_condition_eval(expr, &scope, &result, &diag) != ST_OK) {
			fail_msg("%s: %s", rows[i].text, diag.text);
		}
		assert_int_equal(result, rows[i].expected);
		assert_int_equal(st_expr_uses_status(expr), rows[i].uses_status);
		st_expr_free(expr);
	}
	scope.needs_succeeded = false;
	scope.needs_failed = true;
	struct st_expr *expr = NULL;
	bool result = false;
	assert_int_equal(st_condition_parse("failure() && !success() && always()", &expr, NULL),
			 ST_OK);
	assert_int_equal(st_condition_eval(expr, &scope, &result, NULL), ST_OK);
	assert_true(result);
	st_expr_free(expr);
}

static void a_condition_is_one_expression(void **state)
{
	static const char *const bad[] = {"",
					  "${{ }}",
					  "${{",
					  "${{ true",
					  "${{ true }",
					  "${{ true }} && true",
					  "true }}",
					  "a ${{ true }}",
					  "}}",
					  "secrets.X == 'y'",
					  "${{ secrets.X }}",
					  "${{ true }}${{ true }}"};
	struct st_expr_scope scope = scope_of(*state);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct st_expr *expr = NULL;
		struct st_diag diag = {0};
		if (st_condition_parse(bad[i], &expr, &diag) != ST_ERR_INVALID) {
			fail_msg("\"%s\" was taken", bad[i]);
		}
		assert_null(expr);
		assert_true(diag.text[0] != '\0');
	}
	struct st_expr *expr = NULL;
	bool result = true;
	assert_int_equal(st_condition_parse("params.nope", &expr, NULL), ST_OK);
	assert_int_equal(st_condition_eval(expr, &scope, &result, NULL), ST_ERR_NOT_FOUND);
	assert_true(result);
	st_expr_free(expr);
	st_expr_free(NULL);
}

struct seen {
	char text[512];
	size_t stop_after;
};

static int see(void *arg, const struct st_reference *reference, struct st_diag *diag)
{
	static const char *const kinds[] = {"step", "param", "item", "run", "secret"};
	struct seen *seen = arg;
	size_t used = strlen(seen->text);
	(void)snprintf(seen->text + used, sizeof seen->text - used, "%s:%s%s ",
		       kinds[reference->kind], reference->name, reference->optional ? "?" : "");
	if (seen->stop_after > 0 && --seen->stop_after == 0) {
		return st_fail_at(diag, ST_ERR_FORBIDDEN, reference->pointer, "stop");
	}
	return ST_OK;
}

static void references_are_told_in_order(void **state)
{
	(void)state;
	struct st_expr *expr = NULL;
	assert_int_equal(
	    st_condition_parse("steps.a.output[params.i].x == item.y && "
			       "default(steps['b.c'].output, run.id) || params == run || params[0]",
			       &expr, NULL),
	    ST_OK);
	struct seen seen = {.stop_after = 0};
	struct st_reference_sink sink = {.see = see, .arg = &seen};
	struct st_diag diag = {0};
	assert_int_equal(st_expr_references(expr, &sink, &diag), ST_OK);
	assert_string_equal(seen.text, "step:a param:i item: step:b.c? run:id param: run: param: ");
	seen = (struct seen){.stop_after = 2};
	assert_int_equal(st_expr_references(expr, &sink, &diag), ST_ERR_FORBIDDEN);
	assert_string_equal(seen.text, "step:a param:i ");
	st_expr_free(expr);
}

static void every_function_is_found_by_its_name(void **state)
{
	(void)state;
	size_t n = 0;
	const struct st_function *all = st_function_all(&n);
	assert_int_equal(n, 12);
	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(st_function_find(all[i].name, strlen(all[i].name)), &all[i]);
		assert_true(strncmp(all[i].usage, all[i].name, strlen(all[i].name)) == 0);
		assert_true(all[i].args_max <= ST_FUNCTION_ARGS_MAX);
		assert_true(all[i].args_min <= all[i].args_max);
	}
	assert_null(st_function_find("len", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_lead_to_values),
	    cmocka_unit_test(a_path_that_leads_nowhere_is_an_error_that_names_it),
	    cmocka_unit_test(literals_are_read_exactly),
	    cmocka_unit_test(operators_follow_their_rules),
	    cmocka_unit_test(functions_do_what_the_reference_says),
	    cmocka_unit_test(functions_forgive_only_what_they_say),
	    cmocka_unit_test(what_can_not_be_parsed_says_where_and_why),
	    cmocka_unit_test(nesting_is_bounded_however_it_is_made),
	    cmocka_unit_test(text_is_bounded_and_long_chains_do_not_nest),
	    cmocka_unit_test(output_does_not_grow_past_its_bound),
	    cmocka_unit_test(the_work_of_an_evaluation_is_bounded),
	    cmocka_unit_test(values_that_are_too_deep_are_refused),
	    cmocka_unit_test(results_are_literal),
	    cmocka_unit_test(a_condition_may_stand_in_braces_and_asks_for_truth),
	    cmocka_unit_test(a_condition_is_one_expression),
	    cmocka_unit_test(references_are_told_in_order),
	    cmocka_unit_test(every_function_is_found_by_its_name),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
