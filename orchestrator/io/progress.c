/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/progress.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/io/term.h"
#include "orchestrator/shown.h"
#include "schemas/state.h"

#define STEP_COLUMNS 12
#define HEAD_COLUMNS 36	  /* time, mark, type */
#define LINE_COLUMNS 1000 /* of the data where there is no terminal */

struct look {
	const char *type;
	const char *mark;
	const char *colour; /* ANSI SGR */
	int state;	    /* of the run, or -1 */
};

static const struct look looks[] = {
    {"run.submitted", "+", "1", ST_RUN_QUEUED},
    {"run.started", ">", "1", ST_RUN_RUNNING},
    {"run.resumed", ">", "1", ST_RUN_RUNNING},
    {"run.halted", "!", "1;33", ST_RUN_HALTED},
    {"run.paused", "!", "1;33", ST_RUN_HALTED},
    {"run.blocked", "x", "1;31", ST_RUN_BLOCKED},
    {"run.succeeded", "=", "1;32", ST_RUN_SUCCEEDED},
    {"run.failed", "x", "1;31", ST_RUN_FAILED},
    {"run.cancelled", "x", "1;31", ST_RUN_CANCELLED},
    {"verdict.refused", "!", "33", -1},
    {"call.in_doubt", "?", "33", -1},
    {"call.overrun", "!", "31", -1},
    {"step.failed", "x", "31", -1},
    {"step.succeeded", "=", "32", -1},
    {NULL, " ", "", -1},
};

static const struct look *look_of(const char *type)
{
	const struct look *look = looks;
	while (look->type != NULL && strcmp(look->type, type) != 0) {
		look++;
	}
	return look;
}

int st_progress_state(const char *type)
{
	return look_of(type)->state;
}

static void add_refusal(struct st_buf *line, const json_t *data)
{
	static const char *const amounts[] = {"limit", "granted", "settled",
					      "held",  "asked",	  "remaining"};
	size_t i = 0;
	const json_t *refused = NULL;
	json_array_foreach(json_object_get(data, "refused"), i, refused)
	{
		const char *scope = json_string_value(json_object_get(refused, "scope"));
		const char *meter = json_string_value(json_object_get(refused, "meter"));
		st_buf_addf(line, "%s %s %s:", i > 0 ? ";" : "", scope != NULL ? scope : "?",
			    meter != NULL ? meter : "?");
		for (size_t a = 0; a < sizeof amounts / sizeof amounts[0]; a++) {
			const json_t *amount = json_object_get(refused, amounts[a]);
			st_buf_addf(line, "%s %s ", a > 0 ? "," : "", amounts[a]);
			st_shown_add_amount(line, meter != NULL ? meter : "",
					    json_integer_value(amount));
		}
	}
}

/* name=value for what a person can use; ids and hashes stand in the JSON. */
static void add_data(struct st_buf *line, const json_t *data)
{
	const char *key = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)data, key, value)
	{
		if (json_is_null(value) || strcmp(key, "hold") == 0 || strcmp(key, "halt") == 0 ||
		    strcmp(key, "params_hash") == 0) {
			continue;
		}
		char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		st_buf_addf(line, "  %s=%s", key, text != NULL ? text : "?");
		free(text);
	}
}

/* Everything that came from outside is escaped; the line is cut to the terminal. */
static void add_line(struct st_buf *out, const struct st_event_view *event, struct st_look look)
{
	const struct look *mark = look_of(event->type);
	char at[ST_TIME_TEXT_MAX];
	char head[32];
	struct st_buf raw = {0};
	struct st_buf shown = {0};
	json_t *data = json_loads(event->data, 0, NULL);
	(void)snprintf(head, sizeof head, "%s %-20.20s", mark->mark, event->type);
	st_buf_addf(&raw, event->item > 0 ? "%s[%d]" : "%s", event->step, event->item);
	while (raw.len < STEP_COLUMNS) {
		st_buf_add_char(&raw, ' ');
	}
	if (strcmp(event->type, "verdict.refused") == 0) {
		add_refusal(&raw, data);
	} else {
		add_data(&raw, data);
	}
	st_shown_add(&shown, raw.data, raw.len);
	st_buf_addf(out, "%.12s ", st_time_format(event->at, at) + strlen("2026-11-22T"));
	st_shown_add_coloured(out, look, mark->colour, head);
	st_buf_add_char(out, ' ');
	(void)st_shown_add_cut(out, shown.data,
			       look.width > HEAD_COLUMNS ? (size_t)(look.width - HEAD_COLUMNS)
							 : LINE_COLUMNS);
	while (out->data[out->len - 1] == ' ') {
		out->len--;
	}
	json_decref(data);
	st_buf_fini(&raw);
	st_buf_fini(&shown);
}

void st_progress_print(const struct st_event_view *event, bool json)
{
	struct st_buf line = {0};
	if (json) {
		st_buf_add_text(&line, event->json);
	} else {
		add_line(&line, event, st_term_look());
	}
	st_buf_add_char(&line, '\n');
	(void)st_term_print(&line);
	st_buf_fini(&line);
}
