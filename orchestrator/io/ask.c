/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/ask.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_member(const json_t *halt, const char *name, const char *label)
{
	const char *text = json_string_value(json_object_get(halt, name));
	if (text != NULL && text[0] != '\0') {
		(void)printf("  %-10s %s\n", label, text);
	}
}

static void print_lack(const json_t *verdict)
{
	size_t i = 0;
	const json_t *r = NULL;
	json_array_foreach(json_object_get(verdict, "refused"), i, r)
	{
		(void)printf("  %-10s %s of the %s: asked %lld, remaining %lld of %lld\n", "lacks",
			     json_string_value(json_object_get(r, "meter")),
			     json_string_value(json_object_get(r, "scope")),
			     json_integer_value(json_object_get(r, "asked")),
			     json_integer_value(json_object_get(r, "remaining")),
			     json_integer_value(json_object_get(r, "limit")) +
				 json_integer_value(json_object_get(r, "granted")));
	}
}

static void show(struct st_ask *ask, const json_t *halt)
{
	static const char *const choices[ST_HALT_COUNT] = {
	    [ST_HALT_BUDGET] =
		"[a]pprove what it lacked, METER=AMOUNT …, [d]eny, [c]ancel, [l]eave",
	    [ST_HALT_DANGEROUS] = "[a]pprove this one call, [d]eny, [c]ancel, [l]eave",
	    [ST_HALT_APPROVAL] = "[a]pprove, [d]eny, [c]ancel, [l]eave",
	    [ST_HALT_IN_DOUBT] = "it [h]appened, it did [n]ot happen, [c]ancel, [l]eave",
	    [ST_HALT_PAUSED] = "[r]esume, [c]ancel, [l]eave",
	};
	(void)printf("\nhalted: nothing is called until you decide\n");
	print_member(halt, "kind", "because");
	print_member(halt, "step", "step");
	print_member(halt, "intent", "would");
	print_lack(json_object_get(halt, "verdict"));
	(void)printf("%s: ", choices[ask->kind] != NULL ? choices[ask->kind] : "[l]eave");
	(void)fflush(stdout);
}

static void read_line(uv_work_t *work)
{
	struct st_ask *ask = work->data;
	if (fgets(ask->line, sizeof ask->line, stdin) == NULL) {
		(void)snprintf(ask->line, sizeof ask->line, "l");
	}
}

/* "tokens=500 cost_nusd=1000" into grants of the run. */
static bool parse_grants(struct st_ask *ask)
{
	char *rest = NULL;
	for (char *word = strtok_r(ask->line, " \t\n", &rest); word != NULL;
	     word = strtok_r(NULL, " \t\n", &rest)) {
		char *equals = strchr(word, '=');
		char *end = NULL;
		if (equals == NULL || ask->decide.n_grants == ST_GRANTS_MAX) {
			return false;
		}
		*equals = '\0';
		struct st_grant_asked *grant = &ask->decide.grants[ask->decide.n_grants++];
		grant->scope = ST_SCOPE_RUN;
		grant->amount = strtoll(equals + 1, &end, 10);
		if (!st_meter_parse(word, &grant->meter) || *end != '\0' || grant->amount <= 0) {
			return false;
		}
	}
	return ask->decide.n_grants > 0;
}

static bool understand(struct st_ask *ask)
{
	ask->decide = (struct st_decide){.halt = ask->halt, .call = ask->call};
	ask->choice = ST_ASK_DECIDE;
	if (ask->kind == ST_HALT_BUDGET && strchr(ask->line, '=') != NULL) {
		ask->decide.decision = ST_DECISION_GRANT;
		return parse_grants(ask);
	}
	switch (ask->line[0]) {
	case 'a':
		ask->decide.decision = ST_DECISION_GRANT;
		return ask->kind != ST_HALT_PAUSED && ask->kind != ST_HALT_IN_DOUBT;
	case 'd':
		ask->decide.decision = ST_DECISION_DENY;
		return ask->kind != ST_HALT_PAUSED && ask->kind != ST_HALT_IN_DOUBT;
	case 'h':
	case 'n':
		ask->decide.decision = ST_DECISION_RESOLVE;
		ask->decide.happened = ask->line[0] == 'h';
		return ask->kind == ST_HALT_IN_DOUBT;
	case 'r':
		ask->choice = ST_ASK_RESUME;
		return ask->kind == ST_HALT_PAUSED;
	case 'c':
		ask->choice = ST_ASK_CANCEL;
		return true;
	case 'l':
		ask->choice = ST_ASK_LEAVE;
		return true;
	default:
		return false;
	}
}

static void on_line(uv_work_t *work, int status)
{
	struct st_ask *ask = work->data;
	if (status == 0 && !understand(ask)) {
		(void)printf("not understood; once more: ");
		(void)fflush(stdout);
		(void)uv_queue_work(work->loop, work, read_line, on_line);
		return;
	}
	ask->answered(ask);
}

void st_ask_start(uv_loop_t *loop, struct st_ask *ask, const char *run_json)
{
	json_t *run = json_loads(run_json, 0, NULL);
	const json_t *halt = json_object_get(run, "halt");
	const char *kind = json_string_value(json_object_get(halt, "kind"));
	const char *id = json_string_value(json_object_get(halt, "id"));
	const char *call = json_string_value(json_object_get(halt, "call"));
	int which = kind != NULL ? st_halt_kind_parse(kind) : -1;
	ask->kind = which < 0 ? ST_HALT_NONE : (enum st_halt_kind)which;
	ask->halt = (struct st_id){{0}};
	ask->call = (struct st_id){{0}};
	if (id != NULL) {
		(void)st_id_parse(id, ST_ID_HALT, &ask->halt);
	}
	if (call != NULL) {
		(void)st_id_parse(call, ST_ID_CALL, &ask->call);
	}
	show(ask, halt);
	json_decref(run);
	ask->work.data = ask;
	(void)uv_queue_work(loop, &ask->work, read_line, on_line);
}
