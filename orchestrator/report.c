/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/report.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/report_private.h"
#include "schemas/meter.h"

#define SECONDS_LEN 19 /* of "2026-11-22T14:03:05" */

const char *st_report_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text != NULL ? text : "";
}

int64_t st_report_int(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

void st_report_cell(struct st_table *table, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	if (json_is_integer(value)) {
		st_table_add_int(table, json_integer_value(value));
	} else {
		st_table_add(table, st_report_text(object, name));
	}
}

void st_report_cell_time(struct st_table *table, const json_t *object, const char *name)
{
	const char *text = st_report_text(object, name);
	char cut[SECONDS_LEN + 2];
	if (strlen(text) <= SECONDS_LEN) {
		st_table_add(table, text);
		return;
	}
	(void)snprintf(cut, sizeof cut, "%.*sZ", SECONDS_LEN, text);
	st_table_add(table, cut);
}

static bool is_money(const char *meter)
{
	return strncmp(meter, "cost_", strlen("cost_")) == 0;
}

void st_report_cell_usage(struct st_table *table, const json_t *usage)
{
	struct st_buf text = {0};
	const char *meter = NULL;
	json_t *amount = NULL;
	json_object_foreach((json_t *)usage, meter, amount)
	{
		if (!is_money(meter)) {
			st_buf_addf(&text, "%s%lld %s", text.len > 0 ? ", " : "",
				    (long long)json_integer_value(amount), meter);
		}
	}
	st_table_add(table, text.data);
	st_buf_fini(&text);
}

void st_report_cell_cost(struct st_table *table, const json_t *usage)
{
	const char *meter = st_meter_name(ST_METER_COST_NUSD);
	const json_t *cost = json_object_get(usage, meter);
	if (json_is_integer(cost)) {
		st_table_add_amount(table, meter, json_integer_value(cost));
	} else {
		st_table_add(table, NULL);
	}
}

void st_report_cell_step(struct st_table *table, const json_t *object)
{
	int64_t item = st_report_int(object, "item");
	struct st_buf text = {0};
	st_buf_add_text(&text, st_report_text(object, "step"));
	if (item > 0) {
		st_buf_addf(&text, "[%lld]", (long long)item);
	}
	st_table_add(table, text.data);
	st_buf_fini(&text);
}

void st_report_add(struct st_buf *out, const json_t *object, const char *name)
{
	const char *text = st_report_text(object, name);
	st_shown_add(out, text, strlen(text));
}

const char *st_report_colour(const char *state)
{
	static const struct {
		const char *state;
		const char *sgr;
	} colours[] = {
	    {"succeeded", "32"}, {"running", "36"},    {"halted", "1;33"},
	    {"failed", "1;31"},	 {"cancelled", "31"},  {"blocked_limit", "1;31"},
	    {"skipped", "2"},	 {"in_doubt", "1;33"},
	};
	for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++) {
		if (strcmp(colours[i].state, state) == 0) {
			return colours[i].sgr;
		}
	}
	return "";
}

void st_report_runs(const json_t *list, struct st_look look, struct st_buf *out)
{
	static const struct st_column columns[] = {
	    {"RUN", false, false},  {"NAME", false, true},	{"KIND", false, true},
	    {"STATE", false, true}, {"WAITS FOR", false, true}, {"CREATED", false, false},
	};
	struct st_table table = {.columns = columns, .n_columns = 6};
	size_t i = 0;
	const json_t *run = NULL;
	json_array_foreach(json_object_get(list, "runs"), i, run)
	{
		st_report_cell(&table, run, "id");
		st_report_cell(&table, run, "name");
		st_report_cell(&table, run, "kind");
		st_report_cell(&table, run, "state");
		st_report_cell(&table, json_object_get(run, "halt"), "kind");
		st_report_cell_time(&table, run, "created_at");
	}
	st_table_print(&table, look, "no runs", out);
	const char *cursor = st_report_text(list, "next_cursor");
	if (cursor[0] != '\0') {
		st_buf_add_text(out, "more: --cursor ");
		st_report_add(out, list, "next_cursor");
		st_buf_add_char(out, '\n');
	}
}

static void add_amounts(struct st_table *table, const json_t *amounts)
{
	struct st_buf text = {0};
	size_t i = 0;
	const json_t *amount = NULL;
	json_array_foreach(amounts, i, amount)
	{
		const char *meter = st_report_text(amount, "meter");
		if (strcmp(st_report_text(amount, "scope"), st_scope_name(ST_SCOPE_RUN)) != 0) {
			continue; /* it is the same amount on every scope */
		}
		st_buf_add_text(&text, text.len > 0 ? ", " : "");
		st_shown_add_amount(&text, meter, st_report_int(amount, "amount"));
		st_buf_addf(&text, " %s", meter);
	}
	st_table_add(table, text.data);
	st_buf_fini(&text);
}

void st_report_holds(const json_t *holds, struct st_look look, struct st_buf *out)
{
	static const struct st_column columns[] = {
	    {"CALL", false, false},	{"RUN", false, false},	 {"STEP", false, true},
	    {"STATE", false, false},	{"SINCE", false, false}, {"HELD", false, true},
	    {"ENDS WHEN", false, true},
	};
	struct st_table table = {.columns = columns, .n_columns = 7};
	size_t i = 0;
	const json_t *hold = NULL;
	json_array_foreach(holds, i, hold)
	{
		st_report_cell(&table, hold, "call");
		st_report_cell(&table, hold, "run");
		st_report_cell_step(&table, hold);
		st_report_cell(&table, hold, "state");
		st_report_cell_time(&table, hold, "since");
		add_amounts(&table, json_object_get(hold, "amounts"));
		st_report_cell(&table, hold, "released_by");
	}
	st_table_print(&table, look, "nothing is held", out);
}

void st_report_usage(const json_t *usage, struct st_look look, struct st_buf *out)
{
	const char *by = st_report_text(usage, "by");
	const struct st_column columns[] = {
	    {by[0] != '\0' ? by : "key", false, false},
	    {"CALLS", true, false},
	    {"ESTIMATED", true, false},
	    {"COST", true, false},
	    {"USAGE", false, true},
	};
	struct st_table table = {.columns = columns, .n_columns = 5};
	size_t i = 0;
	const json_t *group = NULL;
	const json_t *total = json_object_get(usage, "total");
	json_array_foreach(json_object_get(usage, "groups"), i, group)
	{
		st_report_cell(&table, group, "key");
		st_report_cell(&table, group, "calls");
		st_report_cell(&table, group, "estimated");
		st_report_cell_cost(&table, json_object_get(group, "usage"));
		st_report_cell_usage(&table, json_object_get(group, "usage"));
	}
	if (i > 1) {
		st_table_add(&table, "total");
		st_report_cell(&table, total, "calls");
		st_report_cell(&table, total, "estimated");
		st_report_cell_cost(&table, json_object_get(total, "usage"));
		st_report_cell_usage(&table, json_object_get(total, "usage"));
	}
	st_table_print(&table, look, "nothing was used", out);
}

void st_report_tokens(const json_t *tokens, struct st_look look, struct st_buf *out)
{
	static const struct st_column columns[] = {
	    {"TOKEN", false, false},   {"NAME", false, true},	  {"ROLE", false, false},
	    {"TENANT", false, true},   {"CREATED", false, false}, {"EXPIRES", false, false},
	    {"REVOKED", false, false},
	};
	struct st_table table = {.columns = columns, .n_columns = 7};
	size_t i = 0;
	const json_t *token = NULL;
	json_array_foreach(tokens, i, token)
	{
		const char *tenant = st_report_text(token, "tenant");
		st_report_cell(&table, token, "id");
		st_report_cell(&table, token, "name");
		st_report_cell(&table, token, "role");
		st_table_add(&table, tenant[0] != '\0' ? tenant : "(all)");
		st_report_cell_time(&table, token, "created_at");
		st_report_cell_time(&table, token, "expires_at");
		st_report_cell_time(&table, token, "revoked_at");
	}
	st_table_print(&table, look, "no tokens", out);
}

void st_report_calls(const json_t *calls, struct st_look look, struct st_buf *out)
{
	static const struct st_column columns[] = {
	    {"CALL", false, false}, {"ATTEMPT", true, false}, {"STEP", false, true},
	    {"KIND", false, true},  {"STATE", false, false},  {"WOULD", false, true},
	};
	struct st_table table = {.columns = columns, .n_columns = 6};
	size_t i = 0;
	const json_t *call = NULL;
	json_array_foreach(calls, i, call)
	{
		st_report_cell(&table, call, "id");
		st_report_cell(&table, call, "attempt");
		st_report_cell_step(&table, call);
		st_report_cell(&table, call, "kind");
		st_report_cell(&table, call, "state");
		st_report_cell(&table, call, "intent");
	}
	st_table_print(&table, look, "no calls", out);
}

void st_report_artifacts(const json_t *artifacts, struct st_look look, struct st_buf *out)
{
	static const struct st_column columns[] = {
	    {"PATH", false, true},  {"BYTES", true, false},   {"STEP", false, true},
	    {"CALL", false, false}, {"ATTEMPT", true, false}, {"AT", false, false},
	};
	struct st_table table = {.columns = columns, .n_columns = 6};
	size_t i = 0;
	const json_t *artifact = NULL;
	json_array_foreach(artifacts, i, artifact)
	{
		st_report_cell(&table, artifact, "path");
		st_report_cell(&table, artifact, "bytes");
		st_report_cell_step(&table, artifact);
		st_report_cell(&table, artifact, "call");
		st_report_cell(&table, artifact, "attempt");
		st_report_cell_time(&table, artifact, "at");
	}
	st_table_print(&table, look, "no files were kept", out);
}

/* What became of the files that were asked for. */
static void add_files(struct st_buf *out, const json_t *told)
{
	size_t i = 0;
	const json_t *file = NULL;
	json_array_foreach(json_object_get(told, "kept"), i, file)
	{
		st_buf_add_text(out, "kept ");
		st_report_add(out, file, "path");
		st_buf_addf(out, ", %lld bytes\n", (long long)st_report_int(file, "bytes"));
	}
	json_array_foreach(json_object_get(told, "refused"), i, file)
	{
		bool named = st_report_text(file, "path")[0] != '\0';
		st_buf_add_text(out, named ? "not kept: " : "not all were looked at: ");
		st_report_add(out, file, "path");
		st_buf_add_text(out, named ? ": " : "");
		st_report_add(out, file, "reason");
		st_buf_add_char(out, '\n');
	}
	int64_t n = st_report_int(told, "refused_unlisted");
	if (n > 0) {
		st_buf_addf(out, "not kept: %lld more\n", (long long)n);
	}
}

static void add_stream(struct st_buf *out, const json_t *command, const char *name)
{
	const char *text = st_report_text(command, name);
	size_t len = strlen(text);
	if (len == 0) {
		return;
	}
	st_shown_add_lines(out, text, len);
	if (text[len - 1] != '\n') {
		st_buf_add_char(out, '\n');
	}
}

static void add_command(struct st_buf *out, const json_t *command, struct st_look look)
{
	struct st_buf line = {0};
	const json_t *typed = json_object_get(command, "command");
	size_t i = 0;
	const json_t *word = NULL;
	st_buf_add_text(&line, "$ ");
	if (json_is_string(typed)) {
		st_report_add(&line, command, "command");
	}
	json_array_foreach(typed, i, word)
	{
		const char *text = json_string_value(word);
		st_buf_add_text(&line, i > 0 ? " " : "");
		st_shown_add(&line, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
	}
	st_shown_add_coloured(out, look, "1", line.data);
	st_buf_fini(&line);
	st_buf_add_char(out, '\n');
	add_stream(out, command, "stdout");
	add_stream(out, command, "stderr");
	add_stream(out, command, "error");
	st_buf_addf(out, "exit %lld", (long long)st_report_int(command, "exit_code"));
	if (st_report_int(command, "signal") > 0) {
		st_buf_addf(out, ", signal %lld", (long long)st_report_int(command, "signal"));
	}
	st_buf_addf(out, ", %lld ms%s\n", (long long)st_report_int(command, "wall_ms"),
		    json_is_true(json_object_get(command, "truncated")) ? ", output was cut" : "");
	add_files(out, json_object_get(command, "artifacts"));
}

void st_report_transcripts(const json_t *transcripts, struct st_look look, struct st_buf *out)
{
	size_t i = 0;
	size_t n = 0;
	const json_t *attempt = NULL;
	const json_t *command = NULL;
	json_array_foreach(transcripts, i, attempt)
	{
		st_buf_addf(out, "attempt %lld at ", (long long)st_report_int(attempt, "attempt"));
		st_report_add(out, attempt, "at");
		st_buf_add_char(out, '\n');
		json_array_foreach(json_object_get(attempt, "transcript"), n, command)
		{
			add_command(out, command, look);
		}
	}
}
