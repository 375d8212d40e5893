/* SPDX-License-Identifier: Apache-2.0 */
/* One run, in full: where it stands, why it waits, what it used, what it may use yet. */
#include <string.h>

#include "orchestrator/report_private.h"
#include "schemas/meter.h"
#include "schemas/state.h"

#define BAR 20

static void add_label(struct st_buf *out, const char *label, const json_t *object, const char *name)
{
	if (st_report_text(object, name)[0] != '\0') {
		st_buf_addf(out, "  %-10s ", label);
		st_report_add(out, object, name);
		st_buf_add_char(out, '\n');
	}
}

static void cell_amount(struct st_table *table, const json_t *account, const char *name)
{
	const json_t *amount = json_object_get(account, name);
	if (json_is_integer(amount)) {
		st_table_add_amount(table, st_report_text(account, "meter"),
				    json_integer_value(amount));
	} else {
		st_table_add(table, NULL);
	}
}

static void add_verdict(const json_t *verdict, struct st_look look, struct st_buf *out)
{
	static const struct st_column columns[] = {
	    {"SCOPE", false, false}, {"ID", false, true},      {"METER", false, false},
	    {"LIMIT", true, false},  {"GRANTED", true, false}, {"SETTLED", true, false},
	    {"HELD", true, false},   {"ASKED", true, false},   {"REMAINING", true, false},
	};
	static const char *const amounts[] = {"limit", "granted", "settled",
					      "held",  "asked",	  "remaining"};
	struct st_table table = {.columns = columns, .n_columns = 9, .indent = 2};
	size_t i = 0;
	const json_t *refused = NULL;
	json_array_foreach(json_object_get(verdict, "refused"), i, refused)
	{
		st_report_cell(&table, refused, "scope");
		st_report_cell(&table, refused, "scope_id");
		st_report_cell(&table, refused, "meter");
		for (size_t a = 0; a < sizeof amounts / sizeof amounts[0]; a++) {
			cell_amount(&table, refused, amounts[a]);
		}
	}
	st_table_print(&table, look, NULL, out);
}

static void add_grants(const json_t *halt, struct st_buf *out)
{
	size_t i = 0;
	const json_t *grant = NULL;
	json_array_foreach(json_object_get(halt, "suggested_grants"), i, grant)
	{
		st_buf_add_text(out, i == 0 ? "   # grants " : ", ");
		st_report_add(out, grant, "meter");
		st_buf_addf(out, "=%lld", (long long)st_report_int(grant, "amount"));
	}
}

/* What to type next. */
static void add_next(const json_t *halt, const char *run, struct st_buf *out)
{
	int kind = st_halt_kind_parse(st_report_text(halt, "kind"));
	st_buf_addf(out, "  %-10s ", "next");
	if (kind == ST_HALT_PAUSED) {
		st_buf_addf(out, "stint resume %s\n", run);
		return;
	}
	if (kind == ST_HALT_IN_DOUBT) {
		st_buf_addf(out, "stint resolve %s --call ", run);
		st_report_add(out, halt, "call");
		st_buf_add_text(out, " --as happened|did-not-happen\n");
		return;
	}
	st_buf_addf(out, "stint approve %s", run);
	add_grants(halt, out);
	st_buf_addf(out, "\n  %-10s stint deny %s\n", "or", run);
}

void st_report_halt(const json_t *halt, struct st_look look, struct st_buf *out)
{
	add_label(out, "because", halt, "kind");
	add_label(out, "since", halt, "since");
	add_label(out, "step", halt, "step");
	add_label(out, "call", halt, "call");
	add_label(out, "would", halt, "intent");
	add_label(out, "hash", halt, "params_hash");
	add_verdict(json_object_get(halt, "verdict"), look, out);
}

void st_report_approvals(const json_t *halts, struct st_look look, struct st_buf *out)
{
	size_t i = 0;
	const json_t *halt = NULL;
	json_array_foreach(halts, i, halt)
	{
		struct st_buf title = {0};
		struct st_buf run = {0};
		st_report_add(&run, halt, "run");
		st_report_add(&title, halt, "run");
		st_buf_add_text(&title, "  ");
		st_report_add(&title, halt, "run_name");
		st_buf_add_text(out, i > 0 ? "\n" : "");
		st_shown_add_coloured(out, look, "1", title.data);
		st_buf_add_char(out, '\n');
		st_report_halt(halt, look, out);
		add_next(halt, run.data != NULL ? run.data : "RUN", out);
		st_buf_fini(&title);
		st_buf_fini(&run);
	}
	if (json_array_size(halts) == 0) {
		st_buf_add_text(out, "nothing waits for a decision\n");
	}
}

static void add_title(struct st_buf *out, struct st_look look, const char *title)
{
	st_buf_add_char(out, '\n');
	st_shown_add_coloured(out, look, "1", title);
	st_buf_add_char(out, '\n');
}

static void add_head(const json_t *run, struct st_look look, struct st_buf *out)
{
	static const char *const scopes[] = {"tenant", "project", "workflow",
					     "agent",  "user",	  "platform"};
	struct st_buf state = {0};
	const char *mark = "";
	st_report_add(out, run, "id");
	st_buf_add_text(out, "  ");
	st_report_add(out, run, "name");
	st_buf_add_text(out, "  ");
	st_report_add(out, run, "kind");
	st_buf_add_text(out, "  ");
	st_report_add(&state, run, "state");
	st_shown_add_coloured(out, look, st_report_colour(st_report_text(run, "state")),
			      state.data != NULL ? state.data : "");
	st_buf_fini(&state);
	st_buf_add_text(out, "\n");
	for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++) {
		if (st_report_text(run, scopes[i])[0] != '\0') {
			st_buf_addf(out, "%s%s ", mark[0] != '\0' ? mark : "  ", scopes[i]);
			st_report_add(out, run, scopes[i]);
			mark = " · ";
		}
	}
	st_buf_add_text(out, mark[0] != '\0' ? "\n" : "");
	add_label(out, "by", run, "submitted_by");
	add_label(out, "created", run, "created_at");
	add_label(out, "started", run, "started_at");
	add_label(out, "ended", run, "ended_at");
	add_label(out, "failed", json_object_get(run, "error"), "code");
	add_label(out, "error", json_object_get(run, "error"), "text");
}

static void add_steps(const json_t *run, struct st_look look, struct st_buf *out)
{
	static const struct st_column columns[] = {
	    {"STEP", false, true},  {"USES", false, true},  {"STATE", false, false},
	    {"ITEMS", true, false}, {"TRIES", true, false}, {"COST", true, false},
	    {"USAGE", false, true}, {"ERROR", false, true},
	};
	struct st_table table = {.columns = columns, .n_columns = 8, .indent = 2};
	size_t i = 0;
	const json_t *step = NULL;
	add_title(out, look, "steps");
	json_array_foreach(json_object_get(run, "steps"), i, step)
	{
		struct st_buf items = {0};
		if (json_is_integer(json_object_get(step, "items"))) {
			st_buf_addf(&items, "%lld/%lld",
				    (long long)st_report_int(step, "items_done"),
				    (long long)st_report_int(step, "items"));
		}
		st_report_cell(&table, step, "id");
		st_report_cell(&table, step, "uses");
		st_report_cell(&table, step, "state");
		st_table_add(&table, items.data);
		st_report_cell(&table, step, "attempt");
		st_report_cell_cost(&table, json_object_get(step, "usage"));
		st_report_cell_usage(&table, json_object_get(step, "usage"));
		st_report_cell(&table, json_object_get(step, "error"), "text");
		st_buf_fini(&items);
	}
	st_table_print(&table, look, "none", out);
}

/* How many of BAR stand for part of total; what is more than nothing is at least one. */
static int64_t bar_of(int64_t part, int64_t total)
{
	if (part <= 0 || total <= 0) {
		return 0;
	}
	if (part >= total) {
		return BAR;
	}
	int64_t n = total > INT64_MAX / BAR ? part / (total / BAR) : part * BAR / total;
	return n < 1 ? 1 : n > BAR ? BAR : n;
}

/* "[######==----------]": settled, held, free. */
static void add_bar(struct st_buf *out, int64_t settled, int64_t held, int64_t total)
{
	int64_t full = bar_of(settled, total);
	int64_t taken = bar_of(st_add_saturating(settled, held), total);
	taken = held > 0 && taken == full && full < BAR ? full + 1 : taken;
	st_buf_add_char(out, '[');
	for (int64_t i = 0; i < BAR; i++) {
		st_buf_add_char(out, i < full ? '#' : i < taken ? '=' : '-');
	}
	st_buf_add_char(out, ']');
}

/* Amounts are never below 0; a document may say so. */
static int64_t amount_of(const json_t *account, const char *name)
{
	int64_t amount = st_report_int(account, name);
	return amount > 0 ? amount : 0;
}

static void add_account(struct st_table *table, const char *meter, const json_t *account)
{
	int64_t total =
	    st_add_saturating(amount_of(account, "limit"), amount_of(account, "granted"));
	int64_t settled = amount_of(account, "settled");
	int64_t held = amount_of(account, "held");
	struct st_buf text = {0};
	st_table_add(table, meter);
	if (json_is_integer(json_object_get(account, "limit"))) {
		add_bar(&text, settled, held, total);
		st_table_add(table, text.data);
		st_buf_clear(&text);
		st_shown_add_amount(&text, meter, settled);
		st_buf_add_char(&text, '/');
		st_shown_add_amount(&text, meter, total);
		st_table_add(table, text.data);
	} else {
		st_table_add(table, "no limit");
		st_table_add_amount(table, meter, settled);
	}
	st_table_add_amount(table, meter, held);
	st_table_add_amount(table, meter, amount_of(account, "granted"));
	st_buf_fini(&text);
}

static void add_envelope(const json_t *run, struct st_look look, struct st_buf *out)
{
	static const struct st_column columns[] = {
	    {"METER", false, false}, {"", false, false},       {"SETTLED/LIMIT", true, false},
	    {"HELD", true, false},   {"GRANTED", true, false},
	};
	struct st_table table = {.columns = columns, .n_columns = 5, .indent = 2};
	const char *meter = NULL;
	json_t *account = NULL;
	add_title(out, look, "envelope");
	json_object_foreach((json_t *)json_object_get(run, "envelope"), meter, account)
	{
		add_account(&table, meter, account);
	}
	st_table_print(&table, look, "none", out);
}

static void add_external_ids(const json_t *run, struct st_look look, struct st_buf *out)
{
	static const struct st_column columns[] = {
	    {"STEP", false, true},
	    {"KIND", false, false},
	    {"ID", false, false},
	    {"URL", false, false},
	};
	struct st_table table = {.columns = columns, .n_columns = 4, .indent = 2};
	size_t i = 0;
	size_t n = 0;
	const json_t *step = NULL;
	const json_t *id = NULL;
	json_array_foreach(json_object_get(run, "steps"), i, step)
	{
		json_array_foreach(json_object_get(step, "external_ids"), n, id)
		{
			st_report_cell(&table, step, "id");
			st_report_cell(&table, id, "kind");
			st_report_cell(&table, id, "id");
			st_report_cell(&table, id, "url");
		}
	}
	if (table.n > 0) {
		add_title(out, look, "external ids");
	}
	st_table_print(&table, look, NULL, out);
}

void st_report_run(const json_t *run, struct st_look look, struct st_buf *out)
{
	const json_t *halt = json_object_get(run, "halt");
	add_head(run, look, out);
	if (json_is_object(halt)) {
		struct st_buf id = {0};
		add_title(out, look, "halted: nothing is called until somebody decides");
		st_report_add(&id, run, "id");
		st_report_halt(halt, look, out);
		add_next(halt, id.data != NULL ? id.data : "RUN", out);
		st_buf_fini(&id);
	}
	add_steps(run, look, out);
	add_envelope(run, look, out);
	add_external_ids(run, look, out);
}
