/* SPDX-License-Identifier: Apache-2.0 */
/* How do tests get a store with something in it? A store in a directory of its own, written through
 * the real writer thread, and rows of one made-up run. */
#ifndef ST_TESTS_STORE_RIG_H
#define ST_TESTS_STORE_RIG_H

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "orchestrator/io/store.h"
#include "orchestrator/io/store_access.h"
#include "orchestrator/io/store_read.h"
#include "orchestrator/rows_fini.h"
#include "redact/redact.h"
#include "schemas/mem.h"

#define RIG_T0 INT64_C(1795000000000) /* 2026-11-18T11:06:40.000Z */
#define RIG_SECRET "correct-horse-battery-staple"

struct store_rig {
	uv_loop_t loop;
	char folder[256];
	char path[300];
	struct st_store *store;
	struct st_redactor *redactor;
	int waiting;
	int err; /* of the last write */
	struct st_diag diag;
};

static inline void rig_closed(void *arg)
{
	struct store_rig *rig = arg;
	rig->store = NULL;
}

static inline int rig_open(struct store_rig *rig)
{
	return st_store_open(&rig->loop, rig->path, &rig->store, &rig->diag);
}

static inline void rig_close(struct store_rig *rig)
{
	if (rig->store != NULL) {
		st_store_close(rig->store, rig_closed, rig);
		(void)uv_run(&rig->loop, UV_RUN_DEFAULT);
	}
}

/* An empty, open store in a fresh folder. */
static inline struct store_rig *rig_new(void)
{
	struct store_rig *rig = st_alloc(sizeof *rig);
	const char *tmp = getenv("TMPDIR");
	(void)snprintf(rig->folder, sizeof rig->folder, "%s/stint-store-XXXXXX",
		       tmp != NULL ? tmp : "/tmp");
	char *made = mkdtemp(rig->folder);
	assert(made != NULL);
	(void)snprintf(rig->path, sizeof rig->path, "%s/s.db", made);
	(void)uv_loop_init(&rig->loop);
	rig->redactor = st_redactor_new();
	(void)st_redactor_build(rig->redactor, NULL);
	int err = st_store_create(rig->path, &rig->diag);
	assert(err == ST_OK);
	err = rig_open(rig);
	assert(err == ST_OK);
	return rig;
}

static inline void rig_free(struct store_rig *rig)
{
	rig_close(rig);
	(void)uv_run(&rig->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&rig->loop);
	st_redactor_free(rig->redactor);
	DIR *folder = opendir(rig->folder);
	for (struct dirent *entry = NULL; folder != NULL && (entry = readdir(folder)) != NULL;) {
		char path[600];
		(void)snprintf(path, sizeof path, "%s/%s", rig->folder, entry->d_name);
		(void)unlink(path);
	}
	(void)closedir(folder);
	(void)rmdir(rig->folder);
	st_free(rig);
}

static inline void rig_written(void *arg, int err, const struct st_diag *diag)
{
	struct store_rig *rig = arg;
	rig->waiting--;
	rig->err = err;
	rig->diag = *diag;
}

/* Hands a batch over; rig_wait waits for all of them. */
static inline void rig_queue(struct store_rig *rig, struct st_rows *rows)
{
	rig->waiting++;
	st_store_write(rig->store, rows, rig_written, rig);
}

static inline int rig_wait(struct store_rig *rig)
{
	while (rig->waiting > 0) {
		(void)uv_run(&rig->loop, UV_RUN_ONCE);
	}
	return rig->err;
}

static inline int rig_write(struct store_rig *rig, struct st_rows *rows)
{
	rig_queue(rig, rows);
	return rig_wait(rig);
}

/* Ids that tests can tell apart: kind, then number. */
static inline struct st_id rig_id(char kind, int64_t n)
{
	struct st_id id = {{0x01, 0x9a, 0, 0, 0, (uint8_t)kind, 0x70, 0, 0x80}};
	for (int i = 0; i < 6; i++) {
		id.bytes[15 - i] = (uint8_t)(n >> (8 * i));
	}
	return id;
}

static inline struct st_clean *rig_clean(const struct store_rig *rig, const char *text)
{
	return text != NULL ? st_redact_text(rig->redactor, text, strlen(text)) : NULL;
}

static inline struct st_amounts rig_amounts(int64_t tokens, int64_t cost_nusd)
{
	struct st_amounts amounts = {{0}};
	amounts.of[ST_METER_TOKENS] = tokens;
	amounts.of[ST_METER_COST_NUSD] = cost_nusd;
	return amounts;
}

#define RIG_DEF                                                                                    \
	"{\"stint\":1,\"name\":\"survey\",\"kind\":\"research\",\"steps\":["                       \
	"{\"id\":\"find\",\"uses\":\"web.search\"},"                                               \
	"{\"id\":\"read\",\"uses\":\"web.extract\",\"for_each\":\"${{ steps.find.output }}\"},"    \
	"{\"id\":\"write\",\"uses\":\"model.generate\"}]}"

/* A running run with that definition. */
static inline struct st_row_run *rig_add_run(const struct store_rig *rig, struct st_rows *rows,
					     int64_t no)
{
	struct st_row_run *run = st_rows_add_run(rows);
	run->insert = true;
	run->no = no;
	run->id = rig_id('r', no);
	run->def = st_strdup(RIG_DEF);
	run->shown = rig_clean(rig, RIG_DEF);
	(void)snprintf(run->name, sizeof run->name, "survey");
	run->kind = ST_RUN_RESEARCH;
	for (int scope = ST_SCOPE_WORKFLOW; scope < ST_SCOPE_COUNT; scope++) {
		(void)snprintf(run->scope_id[scope], ST_NAME_MAX, "%s-1",
			       st_scope_name((enum st_scope)scope));
	}
	(void)snprintf(run->submitted_by, sizeof run->submitted_by, "ann");
	run->created_at = RIG_T0;
	run->state = ST_RUN_RUNNING;
	run->started_at = RIG_T0 + 5;
	run->ended_at = ST_TIME_NONE;
	run->last_at = RIG_T0 + 5;
	run->active_at = RIG_T0 + 5;
	run->seq = 1;
	return run;
}

static inline struct st_row_step *rig_add_step(struct st_rows *rows, int64_t run_no, int step,
					       int item)
{
	static const char *const ids[] = {"find", "read", "write"};
	static const char *const uses[] = {"web.search", "web.extract", "model.generate"};
	struct st_row_step *row = st_rows_add_step(rows);
	row->insert = true;
	row->run_no = run_no;
	row->step = step;
	row->item = item;
	(void)snprintf(row->id, sizeof row->id, "%s", ids[step]);
	(void)snprintf(row->uses, sizeof row->uses, "%s", uses[step]);
	row->state = ST_STEP_RUNNING;
	row->item_state = ST_ITEM_CALLING;
	row->n_items = -1;
	row->attempt = 1;
	row->due = ST_TIME_NONE;
	row->started_at = RIG_T0 + 10;
	row->ended_at = ST_TIME_NONE;
	return row;
}

/* A hold and its call, sent. */
static inline struct st_row_call *rig_add_call(const struct store_rig *rig, struct st_rows *rows,
					       int64_t no, int64_t run_no, int step)
{
	struct st_row_hold *hold = st_rows_add_hold(rows);
	hold->no = no;
	hold->id = rig_id('h', no);
	hold->run_no = run_no;
	hold->step = step;
	hold->at = RIG_T0 + 20;
	hold->amounts = rig_amounts(1000, 7000000);
	struct st_row_call *call = st_rows_add_call(rows);
	call->insert = true;
	call->no = no;
	call->id = rig_id('c', no);
	call->attempt = 1;
	call->hold_no = no;
	call->run_no = run_no;
	call->step = step;
	(void)snprintf(call->kind, sizeof call->kind, "web.search");
	memset(call->params_hash, 0x5a, sizeof call->params_hash);
	call->params = rig_clean(rig, "{\"query\":\"x\"}");
	call->intent = rig_clean(rig, "search exa: x");
	call->at = RIG_T0 + 20;
	call->state = ST_HOLD_SENT;
	call->ended_at = ST_TIME_NONE;
	return call;
}

static inline void rig_add_end(const struct store_rig *rig, struct st_rows *rows, int64_t no,
			       const struct st_amounts *used)
{
	struct st_row_settlement *end = st_rows_add_settlement(rows);
	end->hold_no = no;
	end->at = RIG_T0 + 30;
	end->used = *used;
	(void)snprintf(end->by, sizeof end->by, "provider");
	struct st_row_call *call = st_rows_add_call(rows);
	call->no = no;
	call->state = ST_HOLD_SETTLED;
	call->ended_at = RIG_T0 + 30;
	call->result = rig_clean(rig, "{\"by\":\"provider\",\"status\":200}");
}

static inline void rig_add_account(struct st_rows *rows, int64_t run_no, int step,
				   enum st_meter meter, int64_t limit)
{
	struct st_row_account *account = st_rows_add_account(rows);
	account->insert = true;
	account->no = st_row_account_no(run_no, step, meter);
	account->run_no = run_no;
	account->step = step;
	account->scope = step < 0 ? ST_SCOPE_RUN : ST_SCOPE_STEP;
	account->meter = meter;
	account->limit = limit;
}

static inline void rig_add_event(const struct store_rig *rig, struct st_rows *rows, int64_t run_no,
				 int64_t seq)
{
	struct st_row_event *event = st_rows_add_event(rows);
	event->run_no = run_no;
	event->run = rig_id('r', run_no);
	event->seq = seq;
	event->at = RIG_T0 + seq;
	event->type = seq == 1 ? "run.submitted" : "call.held";
	if (seq > 1) {
		(void)snprintf(event->step, sizeof event->step, "find");
		event->call = rig_id('c', seq);
	}
	event->data = rig_clean(rig, "{\"n\":1}");
	memset(event->hash, (int)seq, sizeof event->hash);
}

#endif
