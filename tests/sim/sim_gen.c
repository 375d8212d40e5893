/* SPDX-License-Identifier: Apache-2.0 */
/* Which definitions and configs does a seed give? Valid ones only: what is not valid never reaches
 * the core. */
#include <stdlib.h>

#include "orchestrator/admit.h"
#include "schemas/json.h"
#include "tests/sim/sim.h"

/* A definition being written. */
struct gen {
	struct sim_rng rng;
	struct st_buf *out;
	int step;
	uint32_t needs; /* bit per earlier step */
	uint32_t lists; /* bit per step that gives an array of at most SIM_ITEMS_MAX */
	bool each;	/* the present step has a for_each */
};

static int64_t pick(struct gen *g, const int64_t *from, size_t n)
{
	return from[sim_roll(&g->rng, n)];
}
#define PICK(g, ...)                                                                               \
	pick((g), (const int64_t[]){__VA_ARGS__},                                                  \
	     sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* Adds ,"name":value where value is not below 0. */
static void field(struct gen *g, const char *name, int64_t value)
{
	if (value >= 0) {
		st_buf_addf(g->out, "%s\"%s\":%lld",
			    g->out->data[g->out->len - 1] == '{' ? "" : ",", name,
			    (long long)value);
	}
}

static void gen_budget(struct gen *g)
{
	if (sim_chance(&g->rng, 40)) { /* enough of everything */
		st_buf_add_text(g->out, "\"budget\":{\"tool_steps\":200,\"http_requests\":99,"
					"\"dangerous_ops\":9,\"sandbox\":{\"concurrent\":2}},");
		return;
	}
	st_buf_add_text(g->out, "\"budget\":{");
	field(g, "tool_steps", PICK(g, -1, -1, -1, 0, 1, 2, 3, 5, 8, INT64_MAX));
	field(g, "tokens", PICK(g, -1, -1, 0, 100, 1400, 3000, 9000, INT64_MAX - 1));
	field(g, "http_requests", PICK(g, -1, -1, -1, 0, 1, 2, 5));
	field(g, "cost_nusd", PICK(g, -1, -1, 0, 1, 5000000, 20000000, INT64_MAX));
	field(g, "wall_seconds", PICK(g, -1, -1, -1, -1, 0, 1, 10, 100, INT64_MAX));
	field(g, "dangerous_ops", PICK(g, -1, 0, 1, 3));
	if (sim_chance(&g->rng, 50)) {
		st_buf_addf(g->out, "%s\"sandbox\":{",
			    g->out->data[g->out->len - 1] == '{' ? "" : ",");
		field(g, "jobs", PICK(g, -1, 0, 1, 3, 9));
		field(g, "seconds", PICK(g, -1, -1, 0, 5, 700, 5000));
		field(g, "job_seconds", PICK(g, -1, -1, 1, 30));
		field(g, "concurrent", PICK(g, -1, 1, 1, 2));
		st_buf_add_char(g->out, '}');
	}
	if (sim_chance(&g->rng, 50)) {
		st_buf_addf(g->out, "%s\"search\":{\"exa\":%d}",
			    g->out->data[g->out->len - 1] == '{' ? "" : ",",
			    (int)sim_roll(&g->rng, 4));
	}
	st_buf_add_text(g->out, "},");
}

/* The whole of `uses` and `with`. */

static void gen_noop(struct gen *g)
{
	st_buf_add_text(g->out, "\"uses\":\"noop\",\"with\":{");
	if (sim_chance(&g->rng, 15)) {
		st_buf_add_text(g->out, "\"fail\":true");
	} else if (!g->each && sim_chance(&g->rng, 40)) {
		g->lists |= UINT32_C(1) << g->step;
		st_buf_addf(g->out, "\"output\":%s",
			    sim_chance(&g->rng, 70) ? "[\"a\",\"b\",3]" : "[]");
	} else {
		st_buf_addf(g->out, "\"output\":{\"n\":%d}", g->step);
	}
	st_buf_add_char(g->out, '}');
}

static void gen_http(struct gen *g)
{
	static const char *const with[] = {"\"method\":\"GET\"",
					   "\"method\":\"PUT\"",
					   "\"method\":\"POST\",\"idempotent\":true",
					   "\"method\":\"POST\"",
					   "\"method\":\"PATCH\"",
					   "\"method\":\"DELETE\"",
					   "\"method\":\"PUT\",\"dangerous\":true",
					   "\"method\":\"POST\",\"dangerous\":true"};
	st_buf_addf(g->out,
		    "\"uses\":\"http.request\",\"with\":{%s,\"url\":\"https://x.example/%s\"}",
		    with[sim_roll(&g->rng, sizeof with / sizeof with[0])],
		    g->each ? "${{ json(item) }}" : "y");
}

static void gen_job(struct gen *g)
{
	st_buf_add_text(g->out, "\"uses\":\"sandbox.job\",\"with\":{\"run\":[\"true\"]");
	field(g, "timeout_seconds", PICK(g, -1, 1, 20, 600));
	st_buf_addf(g->out, "%s}", sim_chance(&g->rng, 40) ? ",\"repeatable\":true" : "");
}

static void gen_model(struct gen *g)
{
	static const char *const models[] = {"anthropic/m", "anthropic/m", "openai/g",
					     "anthropic/free"};
	int64_t most = PICK(g, 1, 50, 500, 4000);
	st_buf_addf(g->out,
		    "\"uses\":\"model.generate\",\"with\":{\"model\":\"%s\",\"stream\":false,"
		    "\"max_output_tokens\":%lld",
		    models[sim_roll(&g->rng, 4)], (long long)most);
	if (sim_chance(&g->rng, 60)) {
		field(g, "min_useful_output", 1 + (int64_t)sim_roll(&g->rng, (uint64_t)most));
	}
	st_buf_add_text(g->out, ",\"prompt\":\"");
	for (int64_t n = PICK(g, 1, 4, 120); n > 0; n--) {
		st_buf_add_text(g->out, "say what ");
	}
	st_buf_add_text(g->out, "\"}");
}

static void gen_other(struct gen *g, uint64_t which)
{
	switch (which) {
	case 0:
		st_buf_addf(g->out, "\"uses\":\"sleep\",\"with\":{\"seconds\":%lld}",
			    (long long)PICK(g, 0, 1, 5, 30, 86400));
		return;
	case 1:
		st_buf_add_text(g->out, "\"uses\":\"approval\",\"with\":{\"message\":\"on?\"}");
		return;
	case 2:
		st_buf_add_text(g->out, "\"uses\":\"web.search\",\"with\":{\"query\":\"ducks\"}");
		return;
	default:
		st_buf_add_text(g->out, "\"uses\":\"web.extract\",\"with\":{\"url\":"
					"\"https://x.example/\",\"pdf_pages\":2}");
		return;
	}
}

static void gen_kind(struct gen *g)
{
	uint64_t which = sim_roll(&g->rng, 100);
	if (which < 24) {
		gen_noop(g);
	} else if (which < 54) {
		gen_http(g);
	} else if (which < 66) {
		gen_job(g);
	} else if (which < 80) {
		gen_model(g);
	} else {
		gen_other(g, (which - 80) / 5);
	}
}

static void gen_needs(struct gen *g)
{
	bool any = false;
	g->needs = 0;
	for (int i = 0; i < g->step; i++) {
		if (!sim_chance(&g->rng, g->step - i == 1 ? 45 : 12)) {
			continue;
		}
		g->needs |= UINT32_C(1) << i;
		st_buf_addf(g->out, "%s\"s%d\"", any ? "," : ",\"needs\":[", i);
		any = true;
	}
	st_buf_add_text(g->out, any ? "]" : "");
}

static void gen_each(struct gen *g)
{
	uint32_t lists = g->lists & g->needs;
	g->each = sim_chance(&g->rng, 28);
	if (!g->each) {
		return;
	}
	if (lists != 0 && sim_chance(&g->rng, 60)) {
		int from = 0;
		while ((lists >> from & 1) == 0) {
			from++;
		}
		st_buf_addf(g->out, ",\"for_each\":\"${{ steps.s%d.output }}\"", from);
	} else {
		st_buf_addf(g->out, ",\"for_each\":\"${{ params.xs }}\"");
	}
	field(g, "for_each_concurrent", PICK(g, -1, 1, 2, 3));
}

static void gen_condition(struct gen *g)
{
	static const char *const conditions[] = {"always()",  "always()", "failure()",
						 "success()", "false",	  "params.on"};
	if (sim_chance(&g->rng, 80)) {
		return;
	}
	int need = 0;
	while (need < g->step && (g->needs >> need & 1) == 0) {
		need++;
	}
	if (need < g->step && sim_chance(&g->rng, 25)) { /* leads nowhere, now and then */
		st_buf_addf(g->out, ",\"if\":\"steps.s%d.output.n == %d\"", need, need);
		return;
	}
	st_buf_addf(g->out, ",\"if\":\"%s\"", conditions[sim_roll(&g->rng, 6)]);
}

static void gen_step(struct gen *g)
{
	st_buf_addf(g->out, "%s{\"id\":\"s%d\"", g->step > 0 ? "," : "", g->step);
	gen_needs(g);
	gen_each(g);
	gen_condition(g);
	if (sim_chance(&g->rng, 45)) {
		st_buf_addf(g->out, ",\"retry\":{\"attempts\":%lld",
			    (long long)PICK(g, 1, 2, 3, 20));
		int64_t base = PICK(g, -1, 0, 2, 3600);
		field(g, "base_seconds", base);
		field(g, "max_seconds", base == -1 ? -1 : base + PICK(g, 0, 3, 80000));
		st_buf_add_char(g->out, '}');
	}
	if (sim_chance(&g->rng, 20)) {
		st_buf_add_text(g->out, ",\"continue_on_error\":true");
	}
	field(g, "timeout_seconds", PICK(g, -1, -1, -1, 1, 50));
	if (sim_chance(&g->rng, 20)) {
		st_buf_add_text(g->out, ",\"budget\":{");
		field(g, "tool_steps", PICK(g, 0, 1, 2, 4));
		field(g, "tokens", PICK(g, -1, 0, 500, 2000));
		st_buf_add_char(g->out, '}');
	}
	st_buf_add_char(g->out, ',');
	gen_kind(g);
	st_buf_add_char(g->out, '}');
}

static void gen_definition(uint64_t pool, int i, struct st_buf *out)
{
	struct gen g = {.rng = sim_rng_of(pool, 1, (uint64_t)i), .out = out};
	static const char *const xs[] = {"[]", "[1]", "[1,2]", "[1,2,3,4]", "[\"a\",{\"b\":1}]"};
	int n = 1 + (int)sim_roll(&g.rng, SIM_STEPS_MAX - 1);
	st_buf_addf(out,
		    "{\"stint\":1,\"name\":\"sim\",\"kind\":\"%s\",\"tenant\":\"t%d\","
		    "\"project\":\"p%d\",\"user\":\"u%d\",\"agent\":\"a%d\",\"workflow\":\"w%d\",",
		    sim_chance(&g.rng, 70) ? "implementation" : "research",
		    (int)sim_roll(&g.rng, 2), (int)sim_roll(&g.rng, 2), (int)sim_roll(&g.rng, 2),
		    (int)sim_roll(&g.rng, 2), (int)sim_roll(&g.rng, 2));
	st_buf_addf(out, "\"params\":{\"xs\":%s,\"on\":%s},", xs[sim_roll(&g.rng, 5)],
		    sim_chance(&g.rng, 50) ? "true" : "false");
	gen_budget(&g);
	st_buf_add_text(out, "\"steps\":[");
	for (g.step = 0; g.step < n; g.step++) {
		gen_step(&g);
	}
	st_buf_add_text(out, "]}");
}

static struct st_def *decode(const struct sim_base *base, const struct st_buf *text)
{
	struct st_diag diag = {0};
	struct st_def *def = NULL;
	json_t *doc = NULL;
	int err = st_json_parse(text->data, text->len, ST_JSON_BYTES_MAX, &doc, &diag);
	const struct st_def_input input = {.doc = doc, .config = base->configs[0]};
	err = err != ST_OK ? err : st_def_decode(base->schemas, &input, &def, &diag);
	err = err != ST_OK ? err : st_admit_check(def, base->configs[0], &diag);
	if (err != ST_OK) {
		(void)fprintf(stderr, "the generator made what is not valid: %s: %s\n%s\n",
			      diag.pointer, diag.text, text->data);
		exit(2);
	}
	json_decref(doc);
	return def;
}

void sim_gen_forget(struct sim_pool *pool)
{
	for (int i = 0; i < SIM_POOL_MAX; i++) {
		st_def_free(pool->defs[i]);
		pool->defs[i] = NULL;
	}
}

/* To read a definition costs as much as to run it: neighbouring worlds have the same ones, each
 * with others and in another order. */
struct st_def *sim_gen_definition(const struct sim_base *base, uint64_t seed, int i)
{
	struct sim_pool *pool = base->pool;
	struct sim_rng rng = sim_rng_of(seed, 8, (uint64_t)i);
	int k = (int)sim_roll(&rng, SIM_POOL_MAX);
	if (pool->no != seed / SIM_POOL_WORLDS) {
		sim_gen_forget(pool);
		pool->no = seed / SIM_POOL_WORLDS;
	}
	if (pool->defs[k] == NULL) {
		struct st_buf text = {0};
		gen_definition(pool->no, k, &text);
		pool->defs[k] = decode(base, &text);
		st_buf_fini(&text);
	}
	return st_def_share(pool->defs[k]);
}

json_t *sim_gen_config(int variant)
{
	static const int calls[] = {1, 2, 3, 256};
	static const int jobs[] = {1, 1, 2, 4};
	json_t *config = json_loads(
	    "{\"providers\":{\"anthropic\":{\"api\":\"anthropic\"},\"openai\":{\"api\":\"openai\"},"
	    "\"exa\":{\"api\":\"exa\"},\"firecrawl\":{\"api\":\"firecrawl\"}},\"prices\":{"
	    "\"anthropic/m\":{\"input_usd_per_million\":\"3\",\"output_usd_per_million\":\"15\"},"
	    "\"openai/g\":{\"input_usd_per_million\":\"1\",\"output_usd_per_million\":\"2.5\"},"
	    "\"exa\":{\"request_usd\":\"0.005\"},\"firecrawl\":{\"request_usd\":\"0.001\"}}}",
	    0, NULL);
	json_t *limits = json_pack("{s:i,s:i}", "calls", calls[variant], "jobs", jobs[variant]);
	(void)json_object_set_new(config, "limits", limits);
	return config;
}
