/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the pages of docs/ that say what the code says: states, errors, meters, kinds, fields,
 * commands, routes. Usage: reference_doc ROOT FOLDER. `cmake --build BUILD --target docs` puts
 * them into docs/, and the test docs.generated compares them with what is committed there.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/answer.h"
#include "orchestrator/io/api_private.h"
#include "orchestrator/io/cli.h"
#include "schemas/envelope.h"
#include "schemas/err.h"
#include "schemas/meter.h"
#include "schemas/state.h"
#include "steps/kind.h"

static const char *root;
static const char *folder;

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	exit(1);
}

static FILE *open_page(const char *name, const char *title, const char *source)
{
	char path[4096];
	(void)snprintf(path, sizeof path, "%s/%s.md", folder, name);
	FILE *page = fopen(path, "w");
	if (page == NULL) {
		die("%s cannot be written", path);
	}
	(void)fprintf(page,
		      "<!-- Made by tests/tools/reference_doc.c out of %s. To change this page, "
		      "change that, then: cmake --build BUILD --target docs -->\n\n# %s\n\n",
		      source, title);
	return page;
}

static void close_page(FILE *page)
{
	if (ferror(page) != 0 || fclose(page) != 0) {
		die("a page cannot be written");
	}
}

/* A sentence out of a text that begins with a small letter. */
static void sentence(FILE *page, const char *text)
{
	bool small = text[0] >= 'a' && text[0] <= 'z';
	(void)fprintf(page, "%c%s.", small ? text[0] - 'a' + 'A' : text[0], text + 1);
}

/* Words that stand alone, as code. */
static void words(FILE *page, const char *text)
{
	const char *separator = "";
	for (const char *word = text; *word != '\0';) {
		size_t len = strcspn(word, " ");
		(void)fprintf(page, "%s`%.*s`", separator, (int)len, word);
		separator = ", ";
		word += len + strspn(word + len, " ");
	}
}

/* Text in a cell of a table. */
static void cell(FILE *page, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '|' || *p == '<') {
			(void)fputc('\\', page);
		}
		(void)fputc(*p == '\n' ? ' ' : *p, page);
	}
}

static char *read_all(const char *name)
{
	char path[4096];
	(void)snprintf(path, sizeof path, "%s/%s", root, name);
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 20);
	if (file == NULL || text == NULL) {
		die("%s cannot be read", path);
		return NULL;
	}
	size_t n = fread(text, 1, (1 << 20) - 1, file);
	(void)fclose(file);
	if (n == 0 || n == (1 << 20) - 1) {
		die("%s is empty or too long", path);
	}
	return text;
}

/* ---- states ---- */

/* The comment that ends right above `#define NAME`, without its stars; "X(…" lines are for
 * programmers. */
static void drawing(FILE *page, const char *header, const char *name)
{
	char define[64];
	(void)snprintf(define, sizeof define, "#define %s(", name);
	const char *at = strstr(header, define);
	if (at == NULL) {
		die("schemas/state.h has no %s", name);
		return;
	}
	const char *from = at;
	while (from > header && strncmp(from, "\n/*\n", 4) != 0) {
		from--;
	}
	(void)fputs("```text\n", page);
	for (const char *line = from + 4; strncmp(line, " */", 3) != 0;) {
		const char *end = strchr(line, '\n');
		const char *text = line + (strncmp(line, " * ", 3) == 0 ? 3 : 2);
		if (strncmp(text, "X(", 2) != 0 &&
		    !(text >= end && strncmp(end, "\n * X(", 6) == 0)) {
			(void)fprintf(page, "%.*s\n", text < end ? (int)(end - text) : 0, text);
		}
		line = end + 1;
	}
	(void)fputs("```\n\n", page);
}

static void machine(FILE *page, const struct st_machine *m)
{
	(void)fputs("| state | may become |\n|---|---|\n", page);
	for (int from = 0; from < m->n_states; from++) {
		const char *separator = "";
		(void)fprintf(page, "| `%s` | ", m->states[from].name);
		for (int to = 0; to < m->n_states; to++) {
			if (st_machine_allows(m, from, to)) {
				(void)fprintf(page, "%s`%s`", separator, m->states[to].name);
				separator = ", ";
			}
		}
		(void)fprintf(page, "%s |\n", st_machine_final(m, from) ? "(final)" : "");
	}
	(void)fputc('\n', page);
}

static void write_states(void)
{
	FILE *page = open_page("states", "States", "schemas/state.h");
	char *header = read_all("schemas/state.h");
	(void)fputs(
	    "Four machines. Each is one table, and whatever moves a run, a step, an item or a "
	    "hold asserts that the table allows it: a transition that is not here stops "
	    "the program. Why they move: [architecture.md](architecture.md) and "
	    "[budgets.md](budgets.md).\n\n",
	    page);
	static const struct {
		const struct st_machine *machine;
		const char *title;
		const char *define;
	} all[] = {
	    {&st_run_machine, "Run", "ST_RUN_STATE_X"},
	    {&st_step_machine, "Step", "ST_STEP_STATE_X"},
	    {&st_item_machine, "Item", "ST_ITEM_STATE_X"},
	    {&st_hold_machine, "Hold and call", "ST_HOLD_STATE_X"},
	};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		(void)fprintf(page, "## %s\n\n", all[i].title);
		drawing(page, header, all[i].define);
		machine(page, all[i].machine);
	}
	(void)fputs("## Why a run is halted\n\n", page);
	for (int kind = ST_HALT_NONE + 1; kind < ST_HALT_COUNT; kind++) {
		(void)fprintf(page, "- `%s`\n", st_halt_kind_name((enum st_halt_kind)kind));
	}
	free(header);
	close_page(page);
}

/* ---- errors ---- */

/* The mapping stands in st_cli_fail, which says what it has to say on stderr. */
static int exit_code_of(enum st_err code)
{
	const struct st_cli cli = {0};
	struct st_diag diag = {.code = code};
	return st_cli_fail(&cli, &diag);
}

static void small_letters(FILE *page, const char *name)
{
	for (const char *p = name; *p != '\0'; p++) {
		(void)fputc(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p, page);
	}
}

static void write_errors(void)
{
	FILE *page = open_page("errors", "Errors and exit codes",
			       "schemas/err.h, orchestrator/answer.c, orchestrator/io/cli.h");
	if (freopen("/dev/null", "w", stderr) == NULL) {
		die("no /dev/null");
	}
	(void)fputs(
	    "A failure has a code, a text that says what was wrong and what to do, and, "
	    "where it is about a document, the JSON pointer of the offending value. The API "
	    "gives it as `application/problem+json`, `type` being `urn:stint:problem:` and the "
	    "code with `-` for `_`; the commands print it on stderr, with `--json` as JSON.\n\nA "
	    "refusal by the budget is no "
	    "failure: see verdicts in [budgets.md](budgets.md).\n\n## Codes\n\n"
	    "| code | means | HTTP status | exit code |\n|---|---|---|---|\n",
	    page);
#define X(name, code, text)                                                                        \
	(void)fputs("| `", page);                                                                  \
	small_letters(page, #name);                                                                \
	(void)fprintf(page, "` | %s | %d | %d |\n", st_err_text(ST_ERR_##name),                    \
		      st_answer_status(ST_ERR_##name), exit_code_of(ST_ERR_##name));
	ST_ERR_X(X)
#undef X
	(void)fputs("\nA 503 carries `x-should-retry: false` when the store failed (it stays so "
		    "until the daemon is started again) or the disk is full (until there is "
		    "room), and `Retry-After: 5` when it is only busy.\n\n## Exit codes of every "
		    "command\n\n| code | means |\n|---|---|\n",
		    page);
#define X(name, code, text) (void)fprintf(page, "| %d | %s |\n", code, text);
	ST_EXIT_X(X)
#undef X
	close_page(page);
}

/* ---- meters ---- */

static void write_meters(void)
{
	FILE *page = open_page("meters", "Meters, scopes and default envelopes",
			       "schemas/meter.h and schemas/envelope.c");
	const struct st_envelope of[] = {st_envelope_default(ST_RUN_RESEARCH),
					 st_envelope_default(ST_RUN_IMPLEMENTATION)};
	(void)fputs("What a definition leaves out takes these limits, unless the operator's config "
		    "sets others under `defaults`. Every meter has one: nothing defaults to "
		    "unlimited. Amounts are integers.\n\n"
		    "| meter | counts | default, research | default, implementation |\n"
		    "|---|---|---|---|\n",
		    page);
	for (int m = 0; m < ST_METER_COUNT; m++) {
		(void)fprintf(page, "| `%s` | %s | %" PRId64 " | %" PRId64 " |\n",
			      st_meter_name((enum st_meter)m), st_meter_unit((enum st_meter)m),
			      of[0].run.of[m], of[1].run.of[m]);
	}
	(void)fprintf(page,
		      "\nBounds of a single sandbox job, which are not consumed:\n\n"
		      "| bound | default, research | default, implementation |\n|---|---|---|\n"
		      "| `sandbox.job_seconds` | %" PRId64 " | %" PRId64 " |\n"
		      "| `sandbox.log_bytes` | %" PRId64 " | %" PRId64 " |\n"
		      "| `sandbox.concurrent` | %" PRId64 " | %" PRId64 " |\n",
		      of[0].job.job_seconds, of[1].job.job_seconds, of[0].job.log_bytes,
		      of[1].job.log_bytes, of[0].job.concurrent, of[1].job.concurrent);
	(void)fputs("\nScopes, from the narrowest to the widest:", page);
	for (int s = 0; s < ST_SCOPE_COUNT; s++) {
		(void)fprintf(page, "%s `%s`", s > 0 ? "," : "", st_scope_name((enum st_scope)s));
	}
	(void)fputs(".\n", page);
	close_page(page);
}

/* ---- fields, out of the JSON Schemas ---- */

static json_t *load_schema(const char *name)
{
	char *text = read_all(name);
	json_error_t error;
	json_t *doc = json_loads(text, 0, &error);
	free(text);
	if (doc == NULL) {
		die("%s: %s", name, error.text);
	}
	return doc;
}

/* Follows "#/$defs/NAME" and "urn:…#/$defs/NAME"; else gives the schema itself. */
static const json_t *resolve(const json_t *run, const json_t *doc, const json_t *schema)
{
	const char *ref = json_string_value(json_object_get(schema, "$ref"));
	if (ref == NULL) {
		return schema;
	}
	const char *name = strrchr(ref, '/') + 1;
	const json_t *found =
	    json_object_get(json_object_get(ref[0] == '#' ? doc : run, "$defs"), name);
	if (found == NULL) {
		die("there is no %s", ref);
	}
	return found;
}

struct fields {
	FILE *page;
	const json_t *run; /* the schema of definitions, which the config's refers to */
	const json_t *doc;
};

static void add_bounds(const struct fields *fields, const json_t *schema)
{
	const json_t *min = json_object_get(schema, "minimum");
	const json_t *max = json_object_get(schema, "maximum");
	if (json_is_integer(min) && json_is_integer(max)) {
		(void)fprintf(fields->page, " %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT,
			      json_integer_value(min), json_integer_value(max));
	} else if (json_is_integer(min)) {
		(void)fprintf(fields->page, " ≥ %" JSON_INTEGER_FORMAT, json_integer_value(min));
	}
}

static void add_list(const struct fields *fields, const json_t *values)
{
	size_t i = 0;
	const json_t *value = NULL;
	json_array_foreach(values, i, value)
	{
		(void)fprintf(fields->page, "%s`%s`", i > 0 ? ", " : "", json_string_value(value));
	}
}

/* What may stand there: the first alternative that is no expression tells. */
static void add_type(const struct fields *fields, const json_t *given)
{
	const json_t *schema = resolve(fields->run, fields->doc, given);
	const json_t *any = json_object_get(schema, "anyOf");
	const json_t *type = json_object_get(schema, "type");
	if (type == NULL && json_is_array(any)) {
		schema = resolve(fields->run, fields->doc, json_array_get(any, 0));
		type = json_object_get(schema, "type");
	}
	if (json_object_get(schema, "enum") != NULL) {
		add_list(fields, json_object_get(schema, "enum"));
	} else if (json_object_get(given, "$ref") != NULL) {
		const char *title = json_string_value(json_object_get(schema, "title"));
		(void)fprintf(fields->page, "%.*s", (int)strcspn(title, ":"), title);
	} else if (json_is_array(type)) {
		add_list(fields, type);
	} else if (type != NULL) {
		(void)fputs(json_string_value(type), fields->page);
		add_bounds(fields, schema);
	} else {
		(void)fputs("any", fields->page);
	}
}

static bool is_required(const json_t *schema, const char *name)
{
	size_t i = 0;
	const json_t *value = NULL;
	json_array_foreach(json_object_get(schema, "required"), i, value)
	{
		if (strcmp(json_string_value(value), name) == 0) {
			return true;
		}
	}
	return false;
}

static void add_rows(const struct fields *fields, const json_t *schema, const char *prefix)
{
	const char *name = NULL;
	json_t *field = NULL;
	json_object_foreach(json_object_get(schema, "properties"), name, field)
	{
		const json_t *normal = json_object_get(field, "default");
		const char *said = json_string_value(json_object_get(field, "description"));
		(void)fprintf(fields->page, "| `%s%s` | ", prefix, name);
		add_type(fields, field);
		(void)fputs(" | ", fields->page);
		if (is_required(schema, name)) {
			(void)fputs("required", fields->page);
		} else if (normal != NULL) {
			char *text = json_dumps(normal, JSON_ENCODE_ANY | JSON_COMPACT);
			(void)fprintf(fields->page, "`%s`", text);
			free(text);
		}
		(void)fputs(" | ", fields->page);
		cell(fields->page, said != NULL ? said : "");
		(void)fputs(" |\n", fields->page);
		if (prefix[0] == '\0' && json_object_get(field, "properties") != NULL) {
			char below[80];
			(void)snprintf(below, sizeof below, "%s.", name);
			add_rows(fields, field, below); /* one level deep: prefix is set there */
		}
	}
}

static void add_table(const struct fields *fields, const json_t *schema)
{
	(void)fputs("| field | value | default | |\n|---|---|---|---|\n", fields->page);
	add_rows(fields, schema, "");
	(void)fputc('\n', fields->page);
}

static const json_t *def_of(const json_t *doc, const char *name)
{
	const json_t *found = json_object_get(json_object_get(doc, "$defs"), name);
	if (found == NULL) {
		die("no $defs/%s", name);
	}
	return found;
}

static void write_fields(const json_t *run, const json_t *config)
{
	FILE *page = open_page("fields", "Fields of a definition and of the config",
			       "schemas/json/run.schema.json and config.schema.json");
	const struct fields of_run = {page, run, run};
	const struct fields of_config = {page, run, config};
	(void)fputs(
	    "Every field there is; an unknown one is an error. The schemas themselves are "
	    "in [schemas/json](../schemas/json), for editors. What the fields are for, with "
	    "examples: [run-definition.md](run-definition.md).\n\n## A run definition\n\n",
	    page);
	add_table(&of_run, run);
	(void)fputs("### budget\n\n", page);
	add_table(&of_run, def_of(run, "budget"));
	(void)fputs("### A step\n\nWhat stands in `with` depends on the kind: see "
		    "[kinds.md](kinds.md).\n\n",
		    page);
	add_table(&of_run, def_of(run, "step"));
	(void)fputs("### budget of a step\n\n", page);
	add_table(&of_run, def_of(run, "step_budget"));
	(void)fputs("## The operator's config\n\n", page);
	add_table(&of_config, config);
	(void)fputs("### A provider\n\n", page);
	add_table(&of_config, def_of(config, "provider"));
	(void)fputs("### A price\n\n", page);
	add_table(&of_config, def_of(config, "price"));
	close_page(page);
}

/* ---- kinds ---- */

static void add_meters(FILE *page, uint32_t meters)
{
	const char *separator = "";
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if ((meters >> m & 1) != 0) {
			(void)fprintf(page, "%s`%s`", separator, st_meter_name((enum st_meter)m));
			separator = ", ";
		}
	}
	(void)fputs(meters == 0 ? "nothing" : "", page);
}

static void write_kinds(const json_t *run)
{
	static const char *const vias[] = {
	    [ST_VIA_NOTHING] = "nothing",
	    [ST_VIA_TIMER] = "a timer",
	    [ST_VIA_PERSON] = "a person's decision",
	    [ST_VIA_CLIENT] = "a client",
	    [ST_VIA_HTTP] = "HTTP",
	    [ST_VIA_JOB] = "processes in the sandbox",
	    [ST_VIA_GIT] = "libgit2 on the run's workspace",
	};
	static const char *const repeats[] = {
	    [ST_IDEMPOTENT] = "under the same key it has one effect",
	    [ST_REPEATABLE] = "costs again, changes nothing",
	    [ST_UNREPEATABLE] = "not by itself; its params may say that it is safe",
	};
	FILE *page =
	    open_page("kinds", "Step kinds", "steps/kind_*.c and schemas/json/run.schema.json");
	size_t n = 0;
	const struct st_kind *const *kinds = st_kind_all(&n);
	(void)fputs("What a step may use. How much each holds before it is called: "
		    "[budgets.md](budgets.md).\n\n",
		    page);
	for (size_t i = 0; i < n; i++) {
		const struct st_kind *kind = kinds[i];
		char def[64];
		(void)snprintf(def, sizeof def, "with.%s", kind->name);
		(void)fprintf(page, "## %s\n\n%s\n\n- goes by: %s\n- holds: ", kind->name,
			      kind->summary, vias[kind->via]);
		add_meters(page, kind->meters);
		(void)fprintf(page, "\n- side effects: %s\n",
			      kind->side_effects ? "yes, unless its params say otherwise" : "none");
		if (kind->via == ST_VIA_HTTP || kind->via == ST_VIA_JOB ||
		    kind->via == ST_VIA_GIT) {
			(void)fprintf(page, "- repeating it: %s\n", repeats[kind->idempotence]);
		}
		(void)fprintf(page, "- after an unknown outcome: %s\n\n", kind->in_doubt);
		const struct fields fields = {page, run, run};
		add_table(&fields, def_of(run, def));
	}
	close_page(page);
}

/* ---- commands and routes ---- */

static void add_options(FILE *page, const struct st_option *options)
{
	for (const struct st_option *o = options; o->name != NULL; o++) {
		(void)fprintf(page, "| `--%s%s%s` | ", o->name, o->value != NULL ? " " : "",
			      o->value != NULL ? o->value : "");
		cell(page, o->help);
		if (o->env != NULL) {
			(void)fprintf(page, "; else `$%s`", o->env);
		}
		(void)fputs(" |\n", page);
	}
}

static void write_commands(void)
{
	FILE *page = open_page("commands", "Commands", "orchestrator/io/cli_commands.c");
	(void)fputs(
	    "Every command takes `--json` and `--help`; `stint help man` prints the manual, "
	    "`stint help completion bash` the completions. Exit codes: "
	    "[errors.md](errors.md).\n\n",
	    page);
	for (const struct st_command *c = st_commands; c->name != NULL; c++) {
		(void)fprintf(page, "## stint %s\n\n", c->name);
		sentence(page, c->summary);
		(void)fprintf(page, "%s%s\n\n```sh\n%s\n```\n\n", c->text != NULL ? " " : "",
			      c->text != NULL ? c->text : "", c->example);
		(void)fprintf(page, "Usage: `stint %s%s%s`\n\n", c->name,
			      c->args[0] != '\0' ? " " : "", c->args);
		if (c->options[0].name != NULL) {
			(void)fputs("| option | |\n|---|---|\n", page);
			add_options(page, c->options);
			(void)fputc('\n', page);
		}
	}
	close_page(page);
}

static void write_routes(void)
{
	FILE *page = open_page("routes", "Routes of the HTTP API",
			       "orchestrator/io/api_route.c and schemas/json/openapi.json");
	json_t *openapi = load_schema("schemas/json/openapi.json");
	(void)fputs("The least role that may use each; a role may do all that the one before it "
		    "may. How to use them, with examples: [api.md](api.md). The whole description "
		    "is served at `/openapi.json`.\n\n"
		    "| route | role | query | |\n|---|---|---|---|\n",
		    page);
	for (const struct st_api_route *r = st_api_routes; r->method != NULL; r++) {
		char method[16] = "";
		for (size_t i = 0; r->method[i] != '\0' && i + 1 < sizeof method; i++) {
			method[i] = (char)(r->method[i] | 0x20);
		}
		const json_t *path = json_object_get(json_object_get(openapi, "paths"), r->pattern);
		const char *summary =
		    json_string_value(json_object_get(json_object_get(path, method), "summary"));
		if (summary == NULL) {
			die("openapi.json says nothing about %s %s", r->method, r->pattern);
		}
		(void)fprintf(page, "| `%s %s` | %s | ", r->method, r->pattern,
			      r->role == ST_API_OPEN ? "(no token)"
						     : st_role_name((enum st_role)r->role));
		words(page, r->query);
		(void)fputs(" | ", page);
		cell(page, summary != NULL ? summary : "");
		(void)fputs(" |\n", page);
	}
	json_decref(openapi);
	close_page(page);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		die("usage: reference_doc ROOT FOLDER");
	}
	root = argv[1];
	folder = argv[2];
	json_t *run = load_schema("schemas/json/run.schema.json");
	json_t *config = load_schema("schemas/json/config.schema.json");
	write_states();
	write_meters();
	write_fields(run, config);
	write_kinds(run);
	write_commands();
	write_routes();
	write_errors(); /* last: it closes stderr */
	json_decref(run);
	json_decref(config);
	return 0;
}
