/* SPDX-License-Identifier: Apache-2.0 */
/* The API's table and the document that describes it. What the daemon answers is tests/e2e/api.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "orchestrator/io/api_private.h"
#include "schemas/schemas.h"

static json_t *document(void)
{
	size_t len = 0;
	const char *text = st_schemas_text(ST_SCHEMAS_OPENAPI, &len);
	json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(doc);
	return doc;
}

static const json_t *operation(const json_t *doc, const struct st_api_route *route)
{
	char method[16];
	size_t len = strlen(route->method);
	assert_true(len < sizeof method);
	for (size_t i = 0; i <= len; i++) {
		char c = route->method[i];
		method[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	const json_t *path = json_object_get(json_object_get(doc, "paths"), route->pattern);
	return json_object_get(path, method);
}

static void the_document_describes_each_route_and_no_other(void **state)
{
	(void)state;
	json_t *doc = document();
	size_t described = 0;
	size_t n = 0;
	const char *path = NULL;
	json_t *methods = NULL;
	for (const struct st_api_route *r = st_api_routes; r->method != NULL; r++, n++) {
		const json_t *op = operation(doc, r);
		if (op == NULL) {
			fail_msg("%s %s is not described", r->method, r->pattern);
		}
		const char *role = json_string_value(json_object_get(op, "x-stint-role"));
		assert_string_equal(role != NULL ? role : "",
				    r->role == ST_API_OPEN ? ""
							   : st_role_name((enum st_role)r->role));
		assert_true((r->read != NULL) != (r->handle != NULL));
	}
	json_object_foreach(json_object_get(doc, "paths"), path, methods)
	{
		described += json_object_size(methods);
	}
	assert_int_equal(described, n);
	json_decref(doc);
}

static void add_parameters(const json_t *op, struct st_buf *names)
{
	size_t i = 0;
	const json_t *parameter = NULL;
	json_array_foreach(json_object_get(op, "parameters"), i, parameter)
	{
		const char *in = json_string_value(json_object_get(parameter, "in"));
		if (in != NULL && strcmp(in, "query") == 0) {
			st_buf_add_text(names,
					json_string_value(json_object_get(parameter, "name")));
			st_buf_add_char(names, ' ');
		}
	}
}

static size_t count_words(const char *text)
{
	size_t n = 0;
	for (; *text != '\0'; text++) {
		n += *text == ' ';
	}
	return n;
}

static void the_document_names_the_query_parameters_of_each_route(void **state)
{
	(void)state;
	json_t *doc = document();
	for (const struct st_api_route *r = st_api_routes; r->method != NULL; r++) {
		struct st_buf names = {0};
		st_buf_add_text(&names, "");
		add_parameters(operation(doc, r), &names);
		assert_int_equal(count_words(names.data), count_words(r->query));
		for (const char *word = r->query; *word != '\0'; word += strcspn(word, " ") + 1) {
			char one[64];
			(void)snprintf(one, sizeof one, "%.*s ", (int)strcspn(word, " "), word);
			if (strstr(names.data, one) == NULL) {
				fail_msg("%s %s: %s is not described", r->method, r->pattern, one);
			}
		}
		st_buf_fini(&names);
	}
	json_decref(doc);
}

static void resolve(const json_t *doc, const json_t *value, int depth)
{
	const char *key = NULL;
	json_t *member = NULL;
	size_t i = 0;
	assert_true(depth < 32);
	const char *ref = json_string_value(json_object_get(value, "$ref"));
	if (ref != NULL) {
		char section[32];
		char name[64];
		assert_int_equal(strncmp(ref, "#/components/", 13), 0);
		const char *slash = strchr(ref + 13, '/');
		assert_non_null(slash);
		(void)snprintf(section, sizeof section, "%.*s", (int)(slash - ref - 13), ref + 13);
		(void)snprintf(name, sizeof name, "%s", slash + 1);
		const json_t *found = json_object_get(
		    json_object_get(json_object_get(doc, "components"), section), name);
		if (found == NULL) {
			fail_msg("%s leads nowhere", ref);
		}
	}
	json_object_foreach((json_t *)(uintptr_t)value, key, member)
	{
		resolve(doc, member, depth + 1);
	}
	json_array_foreach(value, i, member)
	{
		resolve(doc, member, depth + 1);
	}
}

static void every_reference_of_the_document_leads_somewhere(void **state)
{
	(void)state;
	json_t *doc = document();
	assert_string_equal(json_string_value(json_object_get(doc, "openapi")), "3.1.0");
	resolve(doc, doc, 0);
	json_decref(doc);
}

#define RUN "r_01890000-0000-7000-8000-000000000000"
#define HALT "halt_01890000-0000-7000-8000-000000000000"
#define CALL "c_01890000-0000-7000-8000-000000000000"

static void paths_are_matched_whole_and_ids_strictly(void **state)
{
	(void)state;
	static const struct {
		const char *method;
		const char *path;
		const char *pattern; /* NULL: no route */
		const char *allow;
	} cases[] = {
	    {"GET", "/v1/runs", "/v1/runs", ""},
	    {"HEAD", "/v1/runs", "/v1/runs", ""},
	    {"GET", "/v1/runs/" RUN, "/v1/runs/{run}", ""},
	    {"POST", "/v1/runs/" RUN "/halts/" HALT, "/v1/runs/{run}/halts/{halt}", ""},
	    {"GET", "/v1/runs/" RUN "/halts/" HALT, NULL, "POST"},
	    {"PUT", "/v1/runs", NULL, "POST, GET, HEAD"},
	    {"GET", "/v1/runs/" RUN "/cancel", NULL, "POST"},
	    {"GET", "/v1/runs/", NULL, ""},
	    {"GET", "/v1/runs/x", NULL, ""},
	    {"GET", "/v1/runs/" HALT, NULL, ""},
	    {"GET", "/v1/runs/" RUN "/", NULL, ""},
	    {"GET", "/v1/runs/" RUN "x", NULL, ""},
	    {"GET", "/v1/runs/" RUN "/timeline/x", NULL, ""},
	    {"GET", "/v1//runs", NULL, ""},
	    {"GET", "//v1/runs", NULL, ""},
	    {"GET", "/", NULL, ""},
	    {"GET", "*", NULL, ""},
	    {"GET", "/V1/runs", NULL, ""},
	    {"DELETE", "/v1/tokens/'; DROP TABLE token;--", NULL, ""},
	    {"DELETE", "/v1/tokens/-x", NULL, ""},
	    {"GET", "/v1/runs/" RUN "/artifacts/" CALL "/out/a b?.txt",
	     "/v1/runs/{run}/artifacts/{call}/{path}", ""},
	    {"GET", "/v1/runs/" RUN "/artifacts/" CALL "/", NULL, ""},
	    {"GET", "/v1/runs/" RUN "/artifacts/" CALL, NULL, ""},
	    {"DELETE", "/v1/runs/" RUN "/artifacts/" CALL "/a", NULL, "GET, HEAD"},
	    {"DELETE", "/v1/tokens/t_1", "/v1/tokens/{token}", ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct st_api_request request = {0};
		char allow[64];
		const struct st_api_route *route =
		    st_api_route_find(&request, cases[i].method, cases[i].path, allow);
		if ((route == NULL) != (cases[i].pattern == NULL)) {
			fail_msg("%s %s", cases[i].method, cases[i].path);
		}
		if (route != NULL) {
			assert_string_equal(route->pattern, cases[i].pattern);
		} else {
			assert_string_equal(allow, cases[i].allow);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_document_describes_each_route_and_no_other),
	    cmocka_unit_test(the_document_names_the_query_parameters_of_each_route),
	    cmocka_unit_test(every_reference_of_the_document_leads_somewhere),
	    cmocka_unit_test(paths_are_matched_whole_and_ids_strictly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
