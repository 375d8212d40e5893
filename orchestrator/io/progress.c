/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/progress.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schemas/state.h"

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

static bool in_colour(void)
{
	const char *none = getenv("NO_COLOR");
	return isatty(STDOUT_FILENO) == 1 && (none == NULL || none[0] == '\0');
}

static void print_refusal(const json_t *data)
{
	size_t i = 0;
	const json_t *r = NULL;
	json_array_foreach(json_object_get(data, "refused"), i, r)
	{
		(void)printf("  %s %s: limit %lld, granted %lld, settled %lld, held %lld, asked "
			     "%lld, remaining %lld",
			     json_string_value(json_object_get(r, "scope")),
			     json_string_value(json_object_get(r, "meter")),
			     json_integer_value(json_object_get(r, "limit")),
			     json_integer_value(json_object_get(r, "granted")),
			     json_integer_value(json_object_get(r, "settled")),
			     json_integer_value(json_object_get(r, "held")),
			     json_integer_value(json_object_get(r, "asked")),
			     json_integer_value(json_object_get(r, "remaining")));
	}
}

/* Values are shown as they are in the data, cut to a line; control characters are escaped there. */
static void print_data(const char *type, const char *text)
{
	json_t *data = json_loads(text, 0, NULL);
	const char *key = NULL;
	json_t *value = NULL;
	if (strcmp(type, "verdict.refused") == 0) {
		print_refusal(data);
		json_decref(data);
		return;
	}
	json_object_foreach(data, key, value)
	{
		char *shown = NULL;
		if (strcmp(key, "hold") == 0 || json_is_null(value) ||
		    strcmp(key, "params_hash") == 0) {
			continue;
		}
		shown = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		(void)printf("  %s=%.160s", key, shown != NULL ? shown : "?");
		free(shown);
	}
	json_decref(data);
}

void st_progress_print(const struct st_event_view *event, bool json)
{
	if (json) {
		(void)printf("%s\n", event->json);
		(void)fflush(stdout);
		return;
	}
	const struct look *look = look_of(event->type);
	bool colour = in_colour() && look->colour[0] != '\0';
	char at[ST_TIME_TEXT_MAX];
	char step[96] = "";
	if (event->item > 0) {
		(void)snprintf(step, sizeof step, "%s[%d]", event->step, event->item);
	} else {
		(void)snprintf(step, sizeof step, "%s", event->step);
	}
	(void)st_time_format(event->at, at);
	(void)printf("%.12s ", at + 11);
	if (colour) {
		(void)printf("\033[%sm", look->colour);
	}
	(void)printf("%s %-20s", look->mark, event->type);
	if (colour) {
		(void)printf("\033[0m");
	}
	(void)printf(" %-12s", step);
	print_data(event->type, event->data);
	(void)printf("\n");
	(void)fflush(stdout);
}
