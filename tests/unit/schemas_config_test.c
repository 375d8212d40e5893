/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <string.h>

#include "schemas/config.h"
#include "schemas/json.h"
#include "schemas/schemas.h"

static int setup(void **state)
{
	*state = st_schemas_new();
	return 0;
}

static int teardown(void **state)
{
	st_schemas_free(*state);
	return 0;
}

static int decode(const struct st_schemas *schemas, const char *text, struct st_config **out,
		  struct st_diag *diag)
{
	json_t *doc = NULL;
	int code = st_json_parse(text, strlen(text), ST_JSON_BYTES_MAX, &doc, diag);
	if (code == ST_OK) {
		code = st_config_decode(schemas, doc, out, diag);
	}
	json_decref(doc);
	return code;
}

static void a_whole_config_is_decoded(void **state)
{
	static const char text[] =
	    "{\"providers\":{"
	    "\"anthropic\":{\"api\":\"anthropic\",\"key\":\"env:ANTHROPIC_API_KEY\"},"
	    "\"local\":{\"api\":\"openai\",\"base_url\":\"http://127.0.0.1:8080/v1///\"},"
	    "\"exa\":{\"api\":\"exa\",\"key\":\"file:/etc/stint/exa\",\"replay\":\"exa.json\"}},"
	    "\"prices\":{\"anthropic/claude-x\":{\"input_usd_per_million\":\"3.00\","
	    "\"output_usd_per_million\":15,\"cache_read_usd_per_million\":\"0.30\"},"
	    "\"exa\":{\"request_usd\":\"0.005\"}},"
	    "\"secrets\":{\"GITHUB_TOKEN\":\"env:GITHUB_TOKEN\",\"DEPLOY_KEY\":\"file:/k\"},"
	    "\"defaults\":{\"research\":{\"tokens\":7}},"
	    "\"outgoing\":{\"allow\":[\"10.0.0.0/8:443\",\"[::1]/128:8080\"]},"
	    "\"sandbox\":{\"workdirs\":[\"/srv/a\",\"/b\"]},"
	    "\"limits\":{\"calls\":9,\"jobs\":2}}";
	struct st_config *config = NULL;
	struct st_diag diag = {0};
	if (decode(*state, text, &config, &diag) != ST_OK) {
		fail_msg("%s: %s", diag.pointer, diag.text);
	}
	const struct st_provider *provider = st_config_provider(config, "anthropic");
	assert_int_equal(provider->api, ST_API_ANTHROPIC);
	assert_string_equal(provider->base_url, "https://api.anthropic.com");
	assert_string_equal(provider->key, "env:ANTHROPIC_API_KEY");
	assert_null(provider->replay);
	provider = st_config_provider(config, "local");
	assert_string_equal(provider->base_url, "http://127.0.0.1:8080/v1");
	assert_null(provider->key);
	assert_string_equal(st_config_provider(config, "exa")->replay, "exa.json");
	assert_null(st_config_provider(config, "openai"));
	const struct st_price *price = st_config_price(config, "anthropic/claude-x");
	assert_int_equal(price->input, 3000000000);
	assert_int_equal(price->output, 15000000000);
	assert_int_equal(price->cache_read, 300000000);
	assert_int_equal(price->cache_write, -1);
	assert_int_equal(price->request, -1);
	assert_int_equal(st_config_price(config, "exa")->request, 5000000);
	assert_null(st_config_price(config, "anthropic/claude-y"));
	assert_int_equal(config->n_secrets, 2);
	assert_string_equal(config->secrets[1].ref, "file:/k");
	assert_int_equal(config->defaults[ST_RUN_RESEARCH].run.of[ST_METER_TOKENS], 7);
	assert_int_equal(config->defaults[ST_RUN_IMPLEMENTATION].run.of[ST_METER_TOKENS], 1000000);
	assert_int_equal(config->n_outgoing_allow, 2);
	assert_int_equal(config->calls_max, 9);
	assert_int_equal(config->jobs_max, 2);
	assert_true(st_config_has_workdir(config, "/srv/a"));
	assert_true(st_config_has_workdir(config, "/b/c/d"));
	assert_false(st_config_has_workdir(config, "/srv"));
	assert_false(st_config_has_workdir(config, "/srv/ab"));
	assert_false(st_config_has_workdir(config, "/c"));
	st_config_free(config);
}

static void an_empty_config_is_the_built_in_one(void **state)
{
	struct st_config *config = NULL;
	assert_int_equal(decode(*state, "{}", &config, NULL), ST_OK);
	assert_int_equal(config->calls_max, 256);
	assert_int_equal(config->jobs_max, 4);
	assert_null(st_config_price(config, "x"));
	assert_null(st_config_provider(config, "x"));
	st_config_free(config);
}

#define PROVIDER(text) "{\"providers\":{\"p\":{\"api\":\"openai\"," text "}}}"

static void assert_refused(void **state, const char *text, const char *pointer)
{
	struct st_config *config = NULL;
	struct st_diag diag = {0};
	int code = decode(*state, text, &config, &diag);
	if (code != ST_ERR_INVALID || strcmp(diag.pointer, pointer) != 0) {
		fail_msg("%s: %d at '%s': %s", text, code, diag.pointer, diag.text);
	}
	assert_null(config);
}

static void a_bad_box_says_where(void **state)
{
	static const struct {
		const char *text;
		const char *pointer;
	} rows[] = {
	    {"{\"sandbox\":{\"isolation\":\"off\"}}", "/sandbox/isolation"},
	    {"{\"sandbox\":{\"isolation\":false}}", "/sandbox/isolation"},
	    {"{\"sandbox\":{\"read_only\":[\"/\"]}}", "/sandbox/read_only/0"},
	    {"{\"sandbox\":{\"memory_bytes\":1}}", "/sandbox/memory_bytes"},
	    {"{\"sandbox\":{\"processes\":\"many\"}}", "/sandbox/processes"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_refused(state, rows[i].text, rows[i].pointer);
	}
}

static void a_bad_config_says_where(void **state)
{
	static const struct {
		const char *text;
		const char *pointer;
	} rows[] = {
	    {"[]", ""},
	    {"{\"providers\":[]}", "/providers"},
	    {"{\"providers\":{\"p\":{}}}", "/providers/p"},
	    {"{\"providers\":{\"p\":{\"api\":\"bing\"}}}", "/providers/p/api"},
	    {"{\"providers\":{\"..\":{\"api\":\"openai\"}}}", "/providers/.."},
	    {"{\"providers\":{\"a/b\":{\"api\":\"openai\"}}}", "/providers/a~1b"},
	    {PROVIDER("\"key\":\"sk-123\""), "/providers/p/key"},
	    {PROVIDER("\"key\":\"env:\""), "/providers/p/key"},
	    {PROVIDER("\"key\":\"env:A B\""), "/providers/p/key"},
	    {PROVIDER("\"key\":\"file:relative\""), "/providers/p/key"},
	    {PROVIDER("\"base_url\":\"ftp://x\""), "/providers/p/base_url"},
	    {PROVIDER("\"base_url\":\"https://\""), "/providers/p/base_url"},
	    {PROVIDER("\"base_url\":\"https://user:pass@host/\""), "/providers/p/base_url"},
	    {PROVIDER("\"base_url\":\"https://host/?a=1\""), "/providers/p/base_url"},
	    {PROVIDER("\"base_url\":\"https://ho st\""), "/providers/p/base_url"},
	    {PROVIDER("\"base_url\":\"https://h\\r\\nx\""), "/providers/p/base_url"},
	    {PROVIDER("\"base_url\":5"), "/providers/p/base_url"},
	    {PROVIDER("\"replay\":\"\""), "/providers/p/replay"},
	    {"{\"prices\":{\"a/b\":{\"input_usd_per_million\":-1}}}",
	     "/prices/a~1b/input_usd_per_million"},
	    {"{\"prices\":{\"a/b\":{\"input_usd_per_million\":0.5}}}",
	     "/prices/a~1b/input_usd_per_million"},
	    {"{\"prices\":{\"a/b\":{\"request_usd\":1000000000000000000}}}",
	     "/prices/a~1b/request_usd"},
	    {"{\"prices\":{\"a/b\":{\"request_usd\":\"EUR 5\"}}}", "/prices/a~1b/request_usd"},
	    {"{\"prices\":{\"a/b\":5}}", "/prices/a~1b"},
	    {"{\"prices\":{\"a\":{},\"a\":{}}}", "/prices/a"},
	    {"{\"secrets\":{\"A\":\"hunter2\"}}", "/secrets/A"},
	    {"{\"secrets\":{\"A\":7}}", "/secrets/A"},
	    {"{\"secrets\":{\"-A\":\"env:A\"}}", "/secrets/-A"},
	    {"{\"defaults\":{\"research\":{\"tokenz\":7}}}", "/defaults/research/tokenz"},
	    {"{\"outgoing\":{\"allow\":\"10.0.0.0/8\"}}", "/outgoing/allow"},
	    {"{\"outgoing\":{\"allow\":[\"10.0.0.0/8\",\"x y\"]}}", "/outgoing/allow/1"},
	    {"{\"outgoing\":{\"allow\":[5]}}", "/outgoing/allow/0"},
	    {"{\"sandbox\":{\"workdirs\":\"/srv\"}}", "/sandbox/workdirs"},
	    {"{\"sandbox\":{\"workdirs\":[\"/srv\",\"srv\"]}}", "/sandbox/workdirs/1"},
	    {"{\"sandbox\":{\"workdirs\":[\"/\"]}}", "/sandbox/workdirs/0"},
	    {"{\"sandbox\":{\"workdirs\":[\"/srv/\"]}}", "/sandbox/workdirs/0"},
	    {"{\"sandbox\":{\"workdirs\":[\"/srv/..\"]}}", "/sandbox/workdirs/0"},
	    {"{\"sandbox\":{\"workdirs\":[\"/srv/../x\"]}}", "/sandbox/workdirs/0"},
	    {"{\"sandbox\":{\"workdir\":[]}}", "/sandbox/workdir"},
	    {"{\"limits\":{\"calls\":0}}", "/limits/calls"},
	    {"{\"limits\":{\"jobs\":\"4\"}}", "/limits/jobs"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_refused(state, rows[i].text, rows[i].pointer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_config_is_decoded),
	    cmocka_unit_test(an_empty_config_is_the_built_in_one),
	    cmocka_unit_test(a_bad_config_says_where),
	    cmocka_unit_test(a_bad_box_says_where),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
