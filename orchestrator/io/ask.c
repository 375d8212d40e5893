/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/ask.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/amount.h"
#include "orchestrator/io/term.h"
#include "orchestrator/report.h"

static const char *choices_of(enum st_halt_kind kind)
{
	static const char *const choices[ST_HALT_COUNT] = {
	    [ST_HALT_BUDGET] =
		"[a]pprove what it lacked, METER=AMOUNT …, [d]eny, [c]ancel, [l]eave",
	    [ST_HALT_DANGEROUS] = "[a]pprove this one call, [d]eny, [c]ancel, [l]eave",
	    [ST_HALT_APPROVAL] = "[a]pprove, [d]eny, [c]ancel, [l]eave",
	    [ST_HALT_IN_DOUBT] = "it [h]appened, it did [n]ot happen, [c]ancel, [l]eave",
	    [ST_HALT_PAUSED] = "[r]esume, [c]ancel, [l]eave",
	};
	return choices[kind] != NULL ? choices[kind] : "[c]ancel, [l]eave";
}

static void show(const struct st_ask *ask)
{
	struct st_buf text = {0};
	st_buf_add_text(&text, "\nhalted: nothing is called until you decide\n");
	st_report_halt(ask->halted, st_term_look(), &text);
	st_buf_addf(&text, "%s: ", choices_of(ask->kind));
	(void)st_term_print(&text);
	st_buf_fini(&text);
}

/* "tokens=500 cost_usd=0.10" into grants. Says what is wrong with one. */
static bool parse_grants(struct st_ask *ask)
{
	char *rest = NULL;
	for (char *word = strtok_r(ask->line, " \t\n", &rest); word != NULL;
	     word = strtok_r(NULL, " \t\n", &rest)) {
		struct st_diag diag = {0};
		if (st_amount_grant(&ask->decide, word, ask->halted, &diag) != ST_OK) {
			(void)printf("%s\n", diag.text);
			return false;
		}
	}
	return ask->decide.n_grants > 0;
}

/* The word itself or its first letter; nothing that only begins like it: "abort" approves nothing.
 */
static bool says(const struct st_ask *ask, const char *word)
{
	size_t len = strcspn(ask->line, " \t\r\n");
	return ask->line[len + strspn(ask->line + len, " \t\r\n")] == '\0' &&
	       ((len == 1 && ask->line[0] == word[0]) ||
		(len == strlen(word) && strncmp(ask->line, word, len) == 0));
}

static bool decides(struct st_ask *ask, enum st_decision decision)
{
	ask->decide.decision = decision;
	return true;
}

static bool understand(struct st_ask *ask)
{
	bool open = ask->kind == ST_HALT_BUDGET || ask->kind == ST_HALT_DANGEROUS ||
		    ask->kind == ST_HALT_APPROVAL;
	ask->decide = (struct st_decide){.halt = ask->halt, .call = ask->call};
	ask->choice = ST_ASK_DECIDE;
	if (ask->kind == ST_HALT_BUDGET && strchr(ask->line, '=') != NULL) {
		return decides(ask, ST_DECISION_GRANT) && parse_grants(ask);
	}
	if (open && says(ask, "approve")) {
		return decides(ask, ST_DECISION_GRANT);
	}
	if (open && says(ask, "deny")) {
		return decides(ask, ST_DECISION_DENY);
	}
	if (ask->kind == ST_HALT_IN_DOUBT && (says(ask, "happened") || says(ask, "not"))) {
		ask->decide.happened = says(ask, "happened");
		return decides(ask, ST_DECISION_RESOLVE);
	}
	ask->choice = says(ask, "cancel")  ? ST_ASK_CANCEL
		      : says(ask, "leave") ? ST_ASK_LEAVE
					   : ST_ASK_RESUME;
	return ask->choice != ST_ASK_RESUME || (ask->kind == ST_HALT_PAUSED && says(ask, "resume"));
}

static void end_question(struct st_ask *ask)
{
	(void)uv_poll_stop(&ask->input);
	json_decref(ask->halted);
	ask->halted = NULL;
}

/* A terminal gives whole lines. Its end means that nobody is there any more. */
static void on_line(uv_poll_t *input, int status, int events)
{
	struct st_ask *ask = input->data;
	(void)events;
	ssize_t n = status == 0 ? read(STDIN_FILENO, ask->line, sizeof ask->line - 1) : 0;
	if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
		return;
	}
	if (n <= 0) {
		(void)snprintf(ask->line, sizeof ask->line, "leave");
		n = (ssize_t)strlen(ask->line);
	}
	ask->line[n] = '\0';
	if (!understand(ask)) {
		(void)printf("not understood; once more: ");
		(void)fflush(stdout);
		return;
	}
	end_question(ask);
	ask->answered(ask);
}

static void remember(struct st_ask *ask, const json_t *halt)
{
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
	ask->halted = json_incref((json_t *)halt);
}

void st_ask_start(uv_loop_t *loop, struct st_ask *ask, const char *run_json)
{
	json_t *run = json_loads(run_json, 0, NULL);
	remember(ask, json_object_get(run, "halt"));
	json_decref(run);
	show(ask);
	if (!ask->open) {
		(void)uv_poll_init(loop, &ask->input, STDIN_FILENO);
		ask->input.data = ask;
		ask->open = true;
	}
	(void)uv_poll_start(&ask->input, UV_READABLE, on_line);
}

void st_ask_close(struct st_ask *ask)
{
	if (ask->open) {
		end_question(ask);
		uv_close((uv_handle_t *)&ask->input, NULL);
		ask->open = false;
	}
}
