/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store costs a step: the rows of no-op steps, one step of each of many runs in a commit,
 * through the writer thread. Usage: bench_store [STEPS [PER_COMMIT]]; prints a line of JSON for
 * each commit size, with CPU time of the whole process; rows are made
 * before the clock starts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/unit/store_rig.h"

#define EVENTS_OF_STEP 4
#define WIDE_SCOPES 6

static double seconds(clockid_t clock)
{
	struct timespec t;
	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add_bench_event(const struct store_rig *rig, struct st_rows *rows, int64_t run_no,
			    int64_t seq)
{
	static const char *const types[] = {"step.started", "call.held", "call.settled",
					    "step.succeeded"};
	static const char *const data[] = {
	    "{\"uses\":\"noop\"}",
	    "{\"hold\":\"h_019a0000-0068-7000-8000-000000000001\",\"attempt\":1,"
	    "\"amounts\":{\"tool_steps\":1},\"intent\":\"nothing\"}",
	    "{\"by\":\"provider\",\"usage\":{\"tool_steps\":1},\"wall_ms\":0}", "{}"};
	struct st_row_event *event = st_rows_add_event(rows);
	event->run_no = run_no;
	event->run = rig_id('r', run_no);
	event->seq = seq;
	event->at = RIG_T0 + seq;
	event->type = types[seq % EVENTS_OF_STEP];
	(void)snprintf(event->step, sizeof event->step, "s%d", (int)(seq / EVENTS_OF_STEP));
	if (seq % EVENTS_OF_STEP == 1 || seq % EVENTS_OF_STEP == 2) {
		event->call = rig_id('c', seq);
	}
	event->data = rig_clean(rig, data[seq % EVENTS_OF_STEP]);
	memset(event->hash, (int)seq, sizeof event->hash);
}

/* Step `step` of a run, started and ended within one commit; its call has number `no`. */
static void add_step(const struct store_rig *rig, struct st_rows *rows, int64_t run_no, int step,
		     int64_t no)
{
	struct st_amounts used = {{0}};
	used.of[ST_METER_TOOL_STEPS] = 1;
	struct st_row_call *call = rig_add_call(rig, rows, no, run_no, step);
	rows->of[rows->n - 2].hold->amounts = used;
	(void)snprintf(call->kind, sizeof call->kind, "noop");
	rig_add_end(rig, rows, no, &used);
	for (int i = 0; i < EVENTS_OF_STEP; i++) {
		add_bench_event(rig, rows, run_no, (int64_t)step * EVENTS_OF_STEP + i + 2);
	}
	struct st_row_step *row = rig_add_step(rows, run_no, 0, 0);
	row->step = step;
	row->state = ST_STEP_SUCCEEDED;
	row->item_state = ST_ITEM_SUCCEEDED;
	row->ended_at = RIG_T0 + 11;
	row->call = rig_id('c', no);
	rig_add_account(rows, run_no, -1, ST_METER_TOOL_STEPS, 100000);
	rows->of[rows->n - 1].account->insert = false;
	rows->of[rows->n - 1].account->settled = step + 1;
	struct st_row_run *run = st_rows_add_run(rows);
	run->no = run_no;
	run->head_only = step > 0;
	run->id = rig_id('r', run_no);
	run->state = ST_RUN_RUNNING;
	run->started_at = RIG_T0 + 5;
	run->ended_at = ST_TIME_NONE;
	run->last_at = RIG_T0 + step;
	run->active_at = RIG_T0 + 5;
	run->seq = (int64_t)(step + 1) * EVENTS_OF_STEP + 1;
	memset(run->hash, step, sizeof run->hash);
}

static void add_wide(struct st_rows *rows, int scope_no, bool insert, int64_t settled)
{
	if (insert) {
		struct st_row_scope *scope = st_rows_add_scope(rows);
		scope->no = scope_no;
		scope->scope = (enum st_scope)(ST_SCOPE_RUN + scope_no);
		(void)snprintf(scope->id, sizeof scope->id, "default");
	}
	struct st_row_account *account = st_rows_add_account(rows);
	account->insert = insert;
	account->no = st_row_wide_account_no(scope_no, ST_METER_TOOL_STEPS);
	account->scope_no = scope_no;
	account->scope = (enum st_scope)(ST_SCOPE_RUN + scope_no);
	account->meter = ST_METER_TOOL_STEPS;
	account->limit = -1;
	account->settled = settled;
}

static void add_runs(struct store_rig *rig, int n)
{
	struct st_rows rows = {0};
	for (int no = 1; no <= n; no++) {
		(void)rig_add_run(rig, &rows, no);
		rig_add_account(&rows, no, -1, ST_METER_TOOL_STEPS, 100000);
	}
	for (int scope = 1; scope <= WIDE_SCOPES; scope++) {
		add_wide(&rows, scope, true, 0);
	}
	if (rig_write(rig, &rows) != ST_OK) {
		(void)fprintf(stderr, "%s\n", rig->diag.text);
		exit(1);
	}
}

/* One commit: step `step` of each run. */
static struct st_rows make_commit(const struct store_rig *rig, int n_runs, int step)
{
	struct st_rows rows = {0};
	for (int no = 1; no <= n_runs; no++) {
		add_step(rig, &rows, no, step, (int64_t)step * n_runs + no);
	}
	for (int scope = 1; scope <= WIDE_SCOPES; scope++) {
		add_wide(&rows, scope, false, (int64_t)step * n_runs);
	}
	return rows;
}

static void run(int n_steps, int per_commit)
{
	struct store_rig *rig = rig_new();
	int n_commits = n_steps / per_commit;
	struct st_rows *commits = st_alloc_array((size_t)n_commits + 1, sizeof commits[0]);
	size_t n_rows = 0;
	struct stat st = {0};
	for (int i = 0; i < n_commits; i++) {
		commits[i] = make_commit(rig, per_commit, i);
		n_rows += commits[i].n;
	}
	add_runs(rig, per_commit);
	double wall = seconds(CLOCK_MONOTONIC);
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < n_commits; i++) {
		if (rig_write(rig, &commits[i]) != ST_OK) {
			(void)fprintf(stderr, "%s\n", rig->diag.text);
			exit(1);
		}
	}
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	rig_close(rig);
	(void)stat(rig->path, &st);
	int done = n_commits * per_commit;
	(void)printf(
	    "{\"bench\":\"store\",\"steps\":%d,\"steps_per_commit\":%d,\"rows_per_s\":%.0f,"
	    "\"steps_per_s\":%.0f,\"cpu_us_per_step\":%.1f,\"bytes_per_step\":%.0f}\n",
	    done, per_commit, (double)n_rows / wall, (double)done / wall, cpu * 1e6 / done,
	    (double)st.st_size / done);
	st_free(commits);
	rig_free(rig);
}

int main(int argc, char **argv)
{
	int n_steps = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 25600;
	if (n_steps < 1000) {
		(void)fprintf(stderr, "usage: %s [STEPS >= 1000 [PER_COMMIT]]\n", argv[0]);
		return 2;
	}
	if (argc > 2) {
		run(n_steps, (int)strtol(argv[2], NULL, 10));
	} else {
		run(n_steps, 256);
		run(n_steps, 1000);
	}
	return 0;
}
