/* SPDX-License-Identifier: Apache-2.0 */
/* What does it cost to check and decode a definition of ten steps, next to parsing its text? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schemas/buf.h"
#include "schemas/def.h"
#include "schemas/json.h"
#include "schemas/schemas.h"

#define ROUNDS 20000
#define STEPS 10

static double now_us(void)
{
	struct timespec at;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

static char *definition(void)
{
	static const char *const kinds[] = {
	    "\"web.search\",\"with\":{\"provider\":\"exa\",\"query\":\"${{ params.topic }}\","
	    "\"results\":5}",
	    "\"web.extract\",\"for_each\":\"${{ steps.s0.output.results }}\",\"with\":{\"url\":"
	    "\"${{ item.url }}\"}",
	    "\"model.generate\",\"retry\":{\"attempts\":4},\"budget\":{\"tokens\":9000},\"with\":{"
	    "\"model\":\"anthropic/claude-sonnet-4-5\",\"prompt\":\"Compare: ${{ "
	    "steps.s1.output }}\",\"max_output_tokens\":4000,\"temperature\":0.2}",
	    "\"sandbox.job\",\"timeout_seconds\":600,\"with\":{\"run\":[\"make test\",[\"sh\","
	    "\"-c\",\"true\"]],\"timeout_seconds\":600,\"env\":{\"CI\":\"1\"}}",
	    "\"http.request\",\"with\":{\"method\":\"POST\",\"url\":\"https://example.org/\","
	    "\"headers\":{\"x-a\":\"b\"},\"body\":{\"a\":[1,2,3]},\"expect_status\":[200,201]}",
	};
	struct st_buf buf = {0};
	st_buf_add_text(&buf,
			"{\"stint\":1,\"name\":\"bench\",\"kind\":\"research\",\"tenant\":\"acme\","
			"\"labels\":{\"platform\":\"telegram\"},\"params\":{\"topic\":\"x\"},"
			"\"budget\":{\"tokens\":{\"run\":200000,\"step\":40000},\"tool_steps\":20,"
			"\"search\":{\"exa\":10},\"sandbox\":{\"jobs\":5,\"job_seconds\":600},"
			"\"cost_usd\":\"2.50\"},\"steps\":[");
	for (int i = 0; i < STEPS; i++) {
		st_buf_addf(&buf, "%s{\"id\":\"s%d\",", i > 0 ? "," : "", i);
		if (i > 0) {
			st_buf_addf(&buf, "\"needs\":[\"s%d\"],", i - 1);
		}
		st_buf_addf(&buf, "\"uses\":%s}", kinds[i % 5]);
	}
	st_buf_add_text(&buf, "]}");
	return st_buf_take(&buf);
}

static void fail_if(int code, const struct st_diag *diag)
{
	if (code != ST_OK) {
		(void)fprintf(stderr, "%s: %s\n", diag->pointer, diag->text);
		exit(1);
	}
}

int main(void)
{
	char *text = definition();
	struct st_schemas *schemas = st_schemas_new();
	struct st_config *config = st_config_new();
	double parse_us = 0;
	double check_us = 0;
	double decode_us = 0;
	for (int i = 0; i < ROUNDS; i++) {
		struct st_diag diag = {0};
		json_t *doc = NULL;
		struct st_def *def = NULL;
		double from = now_us();
		fail_if(st_json_parse(text, strlen(text), ST_JSON_BYTES_MAX, &doc, &diag), &diag);
		parse_us += now_us() - from;
		from = now_us();
		fail_if(st_schemas_check_run(schemas, doc, &diag), &diag);
		check_us += now_us() - from;
		const struct st_def_input input = {doc, NULL, config};
		from = now_us();
		fail_if(st_def_decode(schemas, &input, &def, &diag), &diag);
		decode_us += now_us() - from;
		st_def_free(def);
		json_decref(doc);
	}
	(void)printf("definition of %d steps, %zu bytes: parse %.1f us, check %.1f us (%.2f of "
		     "parsing), check and decode %.1f us (%.2f)\n",
		     STEPS, strlen(text), parse_us / ROUNDS, check_us / ROUNDS, check_us / parse_us,
		     decode_us / ROUNDS, decode_us / parse_us);
	st_config_free(config);
	st_schemas_free(schemas);
	free(text);
	return 0;
}
