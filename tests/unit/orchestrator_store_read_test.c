/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <jansson.h>

#include "tests/unit/store_rig.h"

#define RUN_1 "r_019a0000-0072-7000-8000-000000000001"
#define CALL_1 "c_019a0000-0063-7000-8000-000000000001"

/* A rig with a reader beside its writer. */
struct fixture {
	struct store_rig *rig;
	struct st_reader *reader;
	struct st_rows rows;
	struct st_diag diag;
	json_t *got;
};

static int set_up(void **state)
{
	struct fixture *f = st_alloc(sizeof *f);
	f->rig = rig_new();
	*state = f;
	return st_reader_open(f->rig->path, &f->reader, &f->diag);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	json_decref(f->got);
	st_reader_close(f->reader);
	rig_free(f->rig);
	st_free(f);
	return 0;
}

/* Takes an answer apart; it must be JSON. */
static const json_t *parse(struct fixture *f, struct st_buf *out)
{
	json_error_t error;
	json_decref(f->got);
	f->got = json_loads(out->data, JSON_REJECT_DUPLICATES, &error);
	if (f->got == NULL) {
		print_error("%s\n%s\n", error.text, out->data);
	}
	assert_non_null(f->got);
	st_buf_fini(out);
	return f->got;
}

/* What stands at a path like "steps/0/usage", as compact text. */
static void assert_at(const json_t *value, const char *path, const char *expected)
{
	char part[64];
	size_t len = 0;
	for (const char *p = path; *p != '\0'; p += p[len] == '/' ? len + 1 : len) {
		len = strcspn(p, "/");
		(void)snprintf(part, sizeof part, "%.*s", (int)len, p);
		value = json_is_array(value) ? json_array_get(value, strtoul(part, NULL, 10))
					     : json_object_get(value, part);
	}
	char *text = value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	if (text == NULL || strcmp(text, expected) != 0) {
		print_error("%s is %s, not %s\n", path, text != NULL ? text : "missing", expected);
	}
	assert_string_equal(text != NULL ? text : "", expected);
	free(text);
}

static const struct st_read_of first = {
    .run = {{0x01, 0x9a, 0, 0, 0, 'r', 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}}};

static void add_halt(struct fixture *f)
{
	struct st_row_halt *halt = st_rows_add_halt(&f->rows);
	halt->insert = true;
	halt->id = rig_id('x', 1);
	halt->run_no = 1;
	halt->kind = ST_HALT_BUDGET;
	halt->step = 1;
	halt->item = 1;
	halt->verdict = rig_clean(
	    f->rig, "{\"allowed\":false,\"refused\":[{\"scope\":\"run\",\"scope_id\":\"r\","
		    "\"meter\":\"tokens\",\"window\":null,\"limit\":2000,\"granted\":0,"
		    "\"settled\":1210,\"held\":0,\"asked\":1500,\"remaining\":790}],"
		    "\"suggest\":{\"action\":\"request_approval\",\"until\":null,\"model\":null}}");
	halt->intent = rig_clean(f->rig, "read a page");
	halt->since = RIG_T0 + 50;
	halt->decided_at = ST_TIME_NONE;
}

/* Run 1: its first step is done, the second waits for tokens, the third has not started. */
static void halt_run_1(struct fixture *f)
{
	const struct st_amounts used = rig_amounts(900, 5000000);
	struct st_row_run *run = rig_add_run(f->rig, &f->rows, 1);
	run->state = ST_RUN_HALTED;
	run->halt = rig_id('x', 1);
	run->open = true;
	struct st_row_step *find = rig_add_step(&f->rows, 1, 0, 0);
	find->state = ST_STEP_SUCCEEDED;
	find->item_state = ST_ITEM_SUCCEEDED;
	find->ended_at = RIG_T0 + 40;
	find->output = st_strdup("{\"results\":[1]}");
	find->shown = rig_clean(f->rig, "{\"results\":[1]}");
	rig_add_step(&f->rows, 1, 1, 0)->n_items = 2;
	struct st_row_step *item = rig_add_step(&f->rows, 1, 1, 1);
	item->item_state = ST_ITEM_SUCCEEDED;
	item->attempt = 3;
	item->shown = rig_clean(f->rig, "\"one\"");
	item->citations = rig_clean(f->rig, "[{\"url\":\"https://a\"}]");
	(void)rig_add_step(&f->rows, 1, 1, 2);
	(void)rig_add_call(f->rig, &f->rows, 1, 1, 0);
	(void)rig_add_call(f->rig, &f->rows, 2, 1, 1);
	rig_add_end(f->rig, &f->rows, 1, &used);
	rig_add_account(&f->rows, 1, -1, ST_METER_TOKENS, 2000);
	rig_add_account(&f->rows, 1, -1, ST_METER_COST_NUSD, -1);
	rig_add_account(&f->rows, 1, 1, ST_METER_TOKENS, 500);
	struct st_row_external_id *external = st_rows_add_external_id(&f->rows);
	external->run_no = 1;
	external->call = rig_id('c', 1);
	external->kind = rig_clean(f->rig, "exa.request");
	external->id = rig_clean(f->rig, "q-17");
	add_halt(f);
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
}

static void a_run_that_waits_is_told_whole(void **state)
{
	struct fixture *f = *state;
	struct st_buf out = {0};
	halt_run_1(f);
	assert_int_equal(st_reader_run(f->reader, first, &out, &f->diag), ST_OK);
	const json_t *got = parse(f, &out);
	assert_at(got, "id", "\"" RUN_1 "\"");
	assert_at(got, "state", "\"halted\"");
	assert_at(got, "created_at", "\"2026-11-18T11:06:40.000Z\"");
	assert_at(got, "ended_at", "null");
	assert_at(got, "halt/kind", "\"budget\"");
	assert_at(got, "halt/step", "\"read\"");
	assert_at(got, "halt/item", "2");
	assert_at(got, "halt/verdict/refused/0/asked", "1500");
	assert_at(got, "halt/suggested_grants",
		  "[{\"scope\":\"run\",\"meter\":\"tokens\",\"amount\":710}]");
	assert_at(got, "steps/0/id", "\"find\"");
	assert_at(got, "steps/0/usage",
		  "{\"tokens\":900,\"cost_nusd\":5000000,\"cost_usd\":\"0.005\"}");
	assert_at(got, "steps/0/external_ids",
		  "[{\"kind\":\"exa.request\",\"id\":\"q-17\",\"url\":null}]");
	assert_at(got, "steps/0/output", "{\"results\":[1]}");
	assert_at(got, "steps/1/items", "2");
	assert_at(got, "steps/1/items_done", "1");
	assert_at(got, "steps/1/attempt", "3");
	assert_at(got, "steps/1/output", "[\"one\",null]");
	assert_at(got, "steps/1/citations", "[{\"url\":\"https://a\"}]");
	assert_at(got, "steps/2",
		  "{\"id\":\"write\",\"uses\":\"model.generate\",\"state\":"
		  "\"pending\",\"attempt\":0,\"started_at\":null,\"ended_at\":null,"
		  "\"usage\":{},\"external_ids\":[],\"artifacts\":[],\"citations\":null,"
		  "\"output\":null,\"error\":null}");
	assert_at(got, "envelope/tokens",
		  "{\"limit\":2000,\"granted\":0,\"settled\":0,\"held\":0,"
		  "\"remaining\":2000}");
	assert_at(got, "envelope/cost_nusd/limit", "null");
	assert_at(got, "usage/cost_usd", "\"0.005\"");
}

static void a_halted_run_asks_for_what_it_lacks(void **state)
{
	struct fixture *f = *state;
	struct st_buf out = {0};
	halt_run_1(f);
	assert_int_equal(st_reader_envelope(f->reader, first, &out, &f->diag), ST_OK);
	assert_at(parse(f, &out), "steps/read/tokens/limit", "500");
	assert_int_equal(st_reader_approvals(f->reader, NULL, &out, &f->diag), ST_OK);
	assert_at(parse(f, &out), "0/run", "\"" RUN_1 "\"");
	assert_int_equal(st_reader_approvals(f->reader, "tenant-2", &out, &f->diag), ST_OK);
	assert_at(parse(f, &out), "", "[]");
}

/* Run 1 as above, and what a call and a job left behind. */
static void calls_tell_what_was_asked_and_what_it_cost(void **state)
{
	struct fixture *f = *state;
	struct st_buf out = {0};
	halt_run_1(f);
	struct st_row_transcript *transcript = st_rows_add_transcript(&f->rows);
	transcript->run_no = 1;
	transcript->call = rig_id('c', 2);
	transcript->attempt = 1;
	transcript->at = RIG_T0;
	transcript->text = rig_clean(f->rig, "[{\"command\":\"make\"}]");
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);

	assert_int_equal(st_reader_calls(f->reader, first, &out, &f->diag), ST_OK);
	const json_t *got = parse(f, &out);
	assert_int_equal(json_array_size(got), 2);
	assert_at(got, "0/id", "\"" CALL_1 "\"");
	assert_at(got, "0/step", "\"find\"");
	assert_at(got, "0/params", "{\"query\":\"x\"}");
	assert_at(got, "0/held", "{\"tokens\":1000,\"cost_nusd\":7000000,\"cost_usd\":\"0.007\"}");
	assert_at(got, "0/settlement/usage/tokens", "900");
	assert_at(got, "0/settlement/overrun", "{}");
	assert_at(got, "0/transcript", "false");
	assert_at(got, "1/step", "\"read\"");
	assert_at(got, "1/item", "1");
	assert_at(got, "1/settlement", "null");
	assert_at(got, "1/transcript", "true");
	assert_int_equal(st_reader_transcripts(f->reader, first, rig_id('c', 2), &out, &f->diag),
			 ST_OK);
	assert_at(parse(f, &out), "0/transcript", "[{\"command\":\"make\"}]");
	assert_int_equal(st_reader_transcripts(f->reader, first, rig_id('c', 1), &out, &f->diag),
			 ST_ERR_NOT_FOUND);
	assert_int_equal(st_reader_external_ids(f->reader, first, &out, &f->diag), ST_OK);
	assert_at(parse(f, &out), "0/call", "\"" CALL_1 "\"");
}

static void a_hold_says_where_it_stands_and_who_frees_it(void **state)
{
	struct fixture *f = *state;
	struct st_buf out = {0};
	const struct st_read_of all = {.tenant = "tenant-1"};
	const struct st_read_of other = {.tenant = "tenant-2"};
	halt_run_1(f);
	assert_int_equal(st_reader_holds(f->reader, first, &out, &f->diag), ST_OK);
	const json_t *got = parse(f, &out);
	assert_int_equal(json_array_size(got), 1); /* the other one was settled */
	assert_at(got, "0/state", "\"sent\"");
	assert_int_equal(json_array_size(json_object_get(json_array_get(got, 0), "amounts")),
			 2 * ST_SCOPE_COUNT);
	assert_at(got, "0/amounts/0",
		  "{\"scope\":\"step\",\"scope_id\":\"read\",\"meter\":\"tokens\","
		  "\"amount\":1000}");
	assert_at(got, "0/amounts/12/scope_id", "\"tenant-1\"");
	struct st_row_call *call = st_rows_add_call(&f->rows);
	call->no = 2;
	call->state = ST_HOLD_IN_DOUBT;
	call->ended_at = ST_TIME_NONE;
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	assert_int_equal(st_reader_holds(f->reader, all, &out, &f->diag), ST_OK);
	got = parse(f, &out);
	assert_at(got, "0/state", "\"in_doubt\"");
	assert_non_null(
	    strstr(json_string_value(json_object_get(json_array_get(got, 0), "released_by")),
		   "stint resolve " RUN_1 " --call c_"));
	assert_int_equal(st_reader_holds(f->reader, other, &out, &f->diag), ST_OK);
	assert_at(parse(f, &out), "", "[]");
}

static void usage_is_summed_by_what_was_asked(void **state)
{
	struct fixture *f = *state;
	struct st_buf out = {0};
	const struct st_amounts used = rig_amounts(10, 500);
	halt_run_1(f);
	struct st_row_run *run = rig_add_run(f->rig, &f->rows, 2);
	(void)snprintf(run->scope_id[ST_SCOPE_TENANT], ST_NAME_MAX, "tenant-2");
	(void)rig_add_call(f->rig, &f->rows, 3, 2, 0);
	rig_add_end(f->rig, &f->rows, 3, &used);
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	static const char *const bys[] = {"run",     "step",   "workflow", "agent", "user",
					  "project", "tenant", "day",	   "kind",  NULL};
	for (size_t i = 0; i < sizeof bys / sizeof bys[0]; i++) {
		const struct st_read_usage usage = {
		    .by = bys[i], .from = ST_TIME_NONE, .to = ST_TIME_NONE};
		assert_int_equal(st_reader_usage(f->reader, &usage, &out, &f->diag), ST_OK);
		const json_t *got = parse(f, &out);
		assert_at(got, "total/usage",
			  "{\"tokens\":910,\"cost_nusd\":5000500,\"cost_usd\":\"0.0050005\"}");
	}
	struct st_read_usage usage = {.by = "step", .from = ST_TIME_NONE, .to = ST_TIME_NONE};
	usage.of = first;
	assert_int_equal(st_reader_usage(f->reader, &usage, &out, &f->diag), ST_OK);
	const json_t *got = parse(f, &out);
	assert_at(got, "groups/0/key", "\"" RUN_1 "/find\"");
	assert_at(got, "groups/0/calls", "1");
	usage = (struct st_read_usage){
	    .by = "day", .of.tenant = "tenant-2", .from = RIG_T0, .to = RIG_T0 + 31};
	assert_int_equal(st_reader_usage(f->reader, &usage, &out, &f->diag), ST_OK);
	got = parse(f, &out);
	assert_at(got, "groups",
		  "[{\"key\":\"2026-11-18\",\"calls\":1,\"estimated\":0,\"usage\":"
		  "{\"tokens\":10,\"cost_nusd\":500,\"cost_usd\":\"0.0000005\"}}]");
	usage.to = RIG_T0 + 30;
	assert_int_equal(st_reader_usage(f->reader, &usage, &out, &f->diag), ST_OK);
	assert_at(parse(f, &out), "groups", "[]");
	usage.by = "colour";
	assert_int_equal(st_reader_usage(f->reader, &usage, &out, &f->diag), ST_ERR_INVALID);
}

struct lines {
	int n;
	int stop_at;
	int of_table[16];
};

static int see_line(void *arg, const char *json, size_t len)
{
	static const char *const tables[] = {"run",	    "step",	  "account", "hold",
					     "call",	    "settlement", "grant",   "halt",
					     "external_id", "transcript", "event"};
	struct lines *lines = arg;
	json_t *line = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(line);
	const char *table = json_string_value(json_object_get(line, "table"));
	for (int i = 0; i < 11; i++) {
		lines->of_table[i] += strcmp(tables[i], table) == 0;
	}
	json_decref(line);
	return ++lines->n == lines->stop_at ? 7 : 0;
}

static void an_export_holds_every_row_of_the_run_and_no_other(void **state)
{
	struct fixture *f = *state;
	struct lines lines = {0};
	const struct st_read_sink sink = {.line = see_line, .arg = &lines};
	static const int expected[] = {1, 4, 3, 2, 2, 1, 0, 1, 1, 0, 1};
	halt_run_1(f);
	(void)rig_add_run(f->rig, &f->rows, 2);
	rig_add_event(f->rig, &f->rows, 1, 1);
	rig_add_event(f->rig, &f->rows, 2, 1);
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	assert_int_equal(st_reader_export(f->reader, first, &sink, &f->diag), ST_OK);
	assert_memory_equal(lines.of_table, expected, sizeof expected);
	const struct st_read_of all = {.tenant = "tenant-1"};
	lines = (struct lines){0};
	assert_int_equal(st_reader_export(f->reader, all, &sink, &f->diag), ST_OK);
	assert_int_equal(lines.n, 18);
	lines = (struct lines){.stop_at = 3};
	assert_int_equal(st_reader_export(f->reader, all, &sink, &f->diag), 7);
	assert_int_equal(lines.n, 3);
	const struct st_read_of none = {.tenant = "tenant-2"};
	lines = (struct lines){0};
	assert_int_equal(st_reader_export(f->reader, none, &sink, &f->diag), ST_OK);
	assert_int_equal(lines.n, 0);
}

/* Text can be damaged on its way here; what is shown must stay JSON all the same. */
static void bytes_that_are_no_text_are_mended(void **state)
{
	struct fixture *f = *state;
	struct st_buf out = {0};
	struct st_row_run *run = rig_add_run(f->rig, &f->rows, 1);
	run->state = ST_RUN_FAILED;
	(void)snprintf(run->error_code, sizeof run->error_code, "job.exit");
	run->error = rig_clean(f->rig, "a \xff\xfe \"b\"\n");
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	assert_int_equal(st_reader_run(f->reader, first, &out, &f->diag), ST_OK);
	assert_at(parse(f, &out), "error/text", "\"a \xef\xbf\xbd\xef\xbf\xbd \\\"b\\\"\\n\"");
}

static void a_run_of_another_tenant_is_not_there(void **state)
{
	struct fixture *f = *state;
	struct st_buf out = {0};
	struct st_read_of of = first;
	st_buf_add_text(&out, "before");
	(void)rig_add_run(f->rig, &f->rows, 1);
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	of.tenant = "tenant-2";
	assert_int_equal(st_reader_run(f->reader, of, &out, &f->diag), ST_ERR_NOT_FOUND);
	assert_string_equal(out.data, "before");
	assert_non_null(strstr(f->diag.text, RUN_1));
	of.tenant = "tenant-1";
	assert_int_equal(st_reader_run(f->reader, of, &out, &f->diag), ST_OK);
	of.run = rig_id('r', 2);
	of.tenant = NULL;
	assert_int_equal(st_reader_run(f->reader, of, &out, &f->diag), ST_ERR_NOT_FOUND);
	st_buf_fini(&out);
}

static void lists_go_page_by_page_and_refuse_forged_cursors(void **state)
{
	struct fixture *f = *state;
	struct st_buf out = {0};
	char cursor[80];
	for (int64_t no = 1; no <= 5; no++) {
		struct st_row_run *run = rig_add_run(f->rig, &f->rows, no);
		run->state = no == 2 ? ST_RUN_FAILED : ST_RUN_RUNNING;
		(void)snprintf(run->scope_id[ST_SCOPE_TENANT], ST_NAME_MAX, "t%d", (int)(no % 2));
	}
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	struct st_read_list list = {.limit = 2};
	assert_int_equal(st_reader_list(f->reader, &list, &out, &f->diag), ST_OK);
	const json_t *got = parse(f, &out);
	assert_int_equal(json_array_size(json_object_get(got, "runs")), 2);
	assert_at(got, "runs/0/id", "\"r_019a0000-0072-7000-8000-000000000005\"");
	(void)snprintf(cursor, sizeof cursor, "%s",
		       json_string_value(json_object_get(got, "next_cursor")));
	list.cursor = cursor;
	list.limit = 3;
	assert_int_equal(st_reader_list(f->reader, &list, &out, &f->diag), ST_OK);
	got = parse(f, &out);
	assert_at(got, "runs/2/id", "\"" RUN_1 "\"");
	assert_at(got, "next_cursor", "null");
	cursor[3] = cursor[3] == '4' ? '5' : '4';
	static const char *const forged[] = {"p1-", "4", "p1-4-0000000000000000",
					     "p1-ffffffffffffff"};
	for (size_t i = 0; i < 4; i++) {
		list.cursor = forged[i];
		assert_int_equal(st_reader_list(f->reader, &list, &out, &f->diag), ST_ERR_INVALID);
		assert_string_equal(f->diag.pointer, "/cursor");
	}
	list = (struct st_read_list){.tenant = "t0", .state = "failed", .workflow = "workflow-1"};
	assert_int_equal(st_reader_list(f->reader, &list, &out, &f->diag), ST_OK);
	got = parse(f, &out);
	assert_int_equal(json_array_size(json_object_get(got, "runs")), 1);
	list.tenant = "t1";
	assert_int_equal(st_reader_list(f->reader, &list, &out, &f->diag), ST_OK);
	assert_at(parse(f, &out), "runs", "[]");
	list.state = "lost";
	assert_int_equal(st_reader_list(f->reader, &list, &out, &f->diag), ST_ERR_INVALID);
}

static void see(void *arg, const struct st_event_view *event)
{
	struct st_buf *seen = arg;
	st_buf_addf(seen, "%d %s %s %s;", (int)event->seq, event->type, event->call, event->data);
	assert_null(strchr(event->json, '\n'));
}

static void a_timeline_goes_on_where_it_was_left(void **state)
{
	struct fixture *f = *state;
	struct st_buf out = {0};
	(void)rig_add_run(f->rig, &f->rows, 1);
	for (int64_t seq = 1; seq <= 4; seq++) {
		rig_add_event(f->rig, &f->rows, 1, seq);
	}
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	struct st_read_timeline page = {.of = first, .limit = 2};
	assert_int_equal(st_reader_timeline(f->reader, &page, &out, &f->diag), ST_OK);
	const json_t *got = parse(f, &out);
	assert_int_equal(json_array_size(got), 2);
	assert_at(got, "0/run", "\"" RUN_1 "\"");
	assert_at(got, "0/step", "null");
	assert_at(got, "1/data", "{\"n\":1}");
	assert_at(got, "1/hash",
		  "\"0202020202020202020202020202020202020202020202020202020202020202\"");
	assert_true(page.last_seq == 2);
	page.after_seq = 3;
	assert_int_equal(st_reader_events(f->reader, &page, see, &out, &f->diag), ST_OK);
	assert_string_equal(out.data,
			    "4 call.held c_019a0000-0063-7000-8000-000000000004 {\"n\":1};");
	assert_true(page.last_seq == 4);
	page.after_seq = 4;
	assert_int_equal(st_reader_events(f->reader, &page, see, &out, &f->diag), ST_OK);
	assert_true(page.last_seq == 4);
	st_buf_fini(&out);
}

/* Events of a run that one commit adds lie together; a timeline goes across commits all the same.
 */
static void a_timeline_is_whole_across_commits_and_runs(void **state)
{
	static const int64_t until[] = {1, 4, 5, 9, 12};
	struct fixture *f = *state;
	struct st_buf out = {0};
	int64_t seq = 1;
	(void)rig_add_run(f->rig, &f->rows, 1);
	(void)rig_add_run(f->rig, &f->rows, 2);
	for (size_t commit = 0; commit < sizeof until / sizeof until[0]; commit++) {
		for (; seq <= until[commit]; seq++) { /* the runs take turns within a commit */
			rig_add_event(f->rig, &f->rows, 1 + (seq & 1), seq);
			rig_add_event(f->rig, &f->rows, 2 - (seq & 1), seq);
		}
		assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	}
	for (int64_t after = 0; after <= 12; after++) {
		struct st_read_timeline page = {.of = first, .after_seq = after, .limit = 3};
		assert_int_equal(st_reader_timeline(f->reader, &page, &out, &f->diag), ST_OK);
		const json_t *got = parse(f, &out);
		size_t n = after > 9 ? (size_t)(12 - after) : 3;
		assert_int_equal(json_array_size(got), n);
		for (size_t i = 0; i < n; i++) {
			const json_t *event = json_array_get(got, i);
			assert_int_equal(json_integer_value(json_object_get(event, "seq")),
					 after + 1 + (int64_t)i);
			assert_at(event, "run", "\"" RUN_1 "\"");
		}
	}
	struct lines lines = {0};
	const struct st_read_sink sink = {.line = see_line, .arg = &lines};
	assert_int_equal(st_reader_export(f->reader, first, &sink, &f->diag), ST_OK);
	assert_int_equal(lines.of_table[10], 12);
}

static void tokens_are_found_by_hash_alone(void **state)
{
	struct fixture *f = *state;
	struct st_buf out = {0};
	struct st_row_token found;
	uint8_t hash[ST_HASH_BYTES] = {7};
	struct st_row_token *token = st_rows_add_token(&f->rows);
	token->insert = true;
	memcpy(token->hash, hash, sizeof hash);
	(void)snprintf(token->id, sizeof token->id, "t1");
	(void)snprintf(token->role, sizeof token->role, "viewer");
	(void)snprintf(token->name, sizeof token->name, "ann");
	token->created_at = RIG_T0;
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	assert_int_equal(st_reader_token(f->reader, hash, &found, &f->diag), ST_OK);
	assert_string_equal(found.name, "ann");
	assert_string_equal(found.tenant, "");
	assert_int_equal(st_reader_tokens(f->reader, NULL, &out, &f->diag), ST_OK);
	assert_null(strstr(out.data, "0700"));
	assert_at(parse(f, &out), "0/tenant", "null");
	hash[31] = 1;
	assert_int_equal(st_reader_token(f->reader, hash, &found, &f->diag),
			 ST_ERR_UNAUTHENTICATED);
	hash[31] = 0;
	token = st_rows_add_token(&f->rows);
	(void)snprintf(token->id, sizeof token->id, "t1");
	token->revoked_at = RIG_T0 + 9;
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	assert_int_equal(st_reader_token(f->reader, hash, &found, &f->diag),
			 ST_ERR_UNAUTHENTICATED);
	assert_non_null(strstr(f->diag.text, "revoked"));
}

static void an_answer_is_kept_word_for_word(void **state)
{
	struct fixture *f = *state;
	struct st_read_answer answer = {0};
	struct st_row_answer *row = st_rows_add_answer(&f->rows);
	memset(row->key_hash, 1, sizeof row->key_hash);
	memset(row->body_hash, 2, sizeof row->body_hash);
	row->at = RIG_T0;
	row->status = 201;
	row->body = rig_clean(f->rig, "{\"id\":\"r\"}\n");
	uint8_t key[ST_HASH_BYTES];
	memcpy(key, row->key_hash, sizeof key);
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	assert_int_equal(st_reader_answer(f->reader, key, &answer, &f->diag), ST_OK);
	assert_true(answer.found);
	assert_int_equal(answer.status, 201);
	assert_int_equal(answer.body_hash[0], 2);
	assert_string_equal(answer.body.data, "{\"id\":\"r\"}\n");
	st_buf_fini(&answer.body);
	key[0] = 9;
	assert_int_equal(st_reader_answer(f->reader, key, &answer, &f->diag), ST_OK);
	assert_false(answer.found);
}

static bool is_kept(struct fixture *f, uint8_t which)
{
	uint8_t key[ST_HASH_BYTES] = {which};
	struct st_read_answer answer = {0};
	assert_int_equal(st_reader_answer(f->reader, key, &answer, &f->diag), ST_OK);
	st_buf_fini(&answer.body);
	return answer.found;
}

static void a_pulse_forgets_answers_that_are_old_and_no_others(void **state)
{
	struct fixture *f = *state;
	for (uint8_t i = 1; i <= 3; i++) {
		struct st_row_answer *row = st_rows_add_answer(&f->rows);
		row->key_hash[0] = i;
		row->at = RIG_T0 + i;
		row->status = 200;
		row->body = rig_clean(f->rig, "{}\n");
	}
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	struct st_row_pulse *pulse = st_rows_add_pulse(&f->rows);
	*pulse = (struct st_row_pulse){.at = RIG_T0, .answers_before = ST_TIME_NONE};
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	assert_true(is_kept(f, 1));
	pulse = st_rows_add_pulse(&f->rows);
	*pulse = (struct st_row_pulse){.at = RIG_T0, .answers_before = RIG_T0 + 3};
	assert_int_equal(rig_write(f->rig, &f->rows), ST_OK);
	assert_false(is_kept(f, 1));
	assert_false(is_kept(f, 2));
	assert_true(is_kept(f, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_run_that_waits_is_told_whole, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_halted_run_asks_for_what_it_lacks, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_run_of_another_tenant_is_not_there, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(lists_go_page_by_page_and_refuse_forged_cursors, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_timeline_goes_on_where_it_was_left, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_timeline_is_whole_across_commits_and_runs, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(tokens_are_found_by_hash_alone, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_answer_is_kept_word_for_word, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_pulse_forgets_answers_that_are_old_and_no_others,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(calls_tell_what_was_asked_and_what_it_cost, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_hold_says_where_it_stands_and_who_frees_it, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(usage_is_summed_by_what_was_asked, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_export_holds_every_row_of_the_run_and_no_other,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(bytes_that_are_no_text_are_mended, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
