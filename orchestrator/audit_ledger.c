/* SPDX-License-Identifier: Apache-2.0 */
/* Do the accounts say what holds, settlements, grants and limits add up to? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/audit_private.h"
#include "schemas/mem.h"

static int64_t total_of(const struct st_audit_sum *sum)
{
	return sum->limit == ST_UNLIMITED ? INT64_MAX : st_add_saturating(sum->limit, sum->granted);
}

/* limit + granted = settled + held + remaining, and remaining is below 0 only as far as a call that
 * was made passed its hold. */
static void check_conservation(const struct st_audit_at *at, const struct st_audit_sum *sum)
{
	int64_t total = total_of(sum);
	int64_t used = st_add_saturating(sum->settled, sum->held);
	if (used > total && used - total > sum->overrun) {
		(void)st_audit_wrong(at, ACCOUNT_SETTLED,
				     "no more, with what is held, than the limit, the grants and "
				     "recorded overruns");
	}
}

static void check_account(const struct st_audit_at *at, const struct st_audit_sum *sum)
{
	(void)st_audit_int(at, ACCOUNT_LIMIT, sum->limit);
	(void)st_audit_int(at, ACCOUNT_GRANTED, sum->granted);
	(void)st_audit_int(at, ACCOUNT_SETTLED, sum->settled);
	(void)st_audit_int(at, ACCOUNT_HELD, sum->held);
	(void)st_audit_int(at, ACCOUNT_OVERRUN, sum->overrun);
	check_conservation(at, sum);
}

/* The parts of an account's number, or false. */
static bool place_of(const struct st_audit_run *run, int64_t no, int *step, enum st_meter *meter)
{
	int64_t rest = no - (run->no << 20);
	if (run->def == NULL || rest < 0 || rest >= 1 << 20 || (rest & 255) >= ST_METER_COUNT) {
		return false;
	}
	*step = (int)(rest >> 8) - 1;
	*meter = (enum st_meter)(rest & 255);
	return *step < (int)run->def->n_steps;
}

void st_audit_see_account(const struct st_audit_at *at)
{
	struct st_audit_run *run = at->audit->run;
	const struct st_cell *cells = at->row->cells;
	int step = -1;
	enum st_meter meter = ST_METER_TOKENS;
	if (!place_of(run, st_cell_int(&cells[ACCOUNT_NO]), &step, &meter)) {
		(void)st_audit_wrong(at, ACCOUNT_NO, "the number of an account of this run");
		return;
	}
	struct st_audit_sums *sums = step < 0 ? &run->sums : &run->steps[step].sums;
	struct st_audit_sum *sum = &sums->of[meter];
	if (!sum->touched) {
		(void)st_audit_wrong(at, -1, "none: no limit and no call touched it");
		return;
	}
	sum->touched = false; /* it was seen */
	(void)st_audit_null(at, ACCOUNT_SCOPE_NO);
	(void)st_audit_text(at, ACCOUNT_SCOPE, step < 0 ? "run" : "step");
	(void)st_audit_text(at, ACCOUNT_METER, st_meter_name(meter));
	check_account(at, sum);
}

/* Scopes wider than a run */

static struct st_audit_scope *scope_no(struct st_audit *audit, int64_t no)
{
	for (size_t low = 0, high = audit->n_scopes; low < high;) {
		size_t middle = low + (high - low) / 2;
		if (audit->scopes[middle].no == no) {
			return &audit->scopes[middle];
		}
		if (audit->scopes[middle].no < no) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return NULL;
}

void st_audit_see_scope(const struct st_audit_at *at)
{
	struct st_audit *audit = at->audit;
	const struct st_cell *cells = at->row->cells;
	enum st_scope scope = ST_SCOPE_STEP;
	if (!st_scope_parse(st_cell_text(&cells[SCOPE_SCOPE]), &scope) || scope <= ST_SCOPE_RUN) {
		(void)st_audit_wrong(at, SCOPE_SCOPE, "a scope wider than a run");
		return;
	}
	audit->scopes = st_audit_grow(audit->scopes, &audit->scopes_cap, audit->n_scopes,
				      sizeof *audit->scopes);
	struct st_audit_scope *kept = &audit->scopes[audit->n_scopes++];
	kept->no = st_cell_int(&cells[SCOPE_NO]);
	kept->scope = scope;
	(void)snprintf(kept->id, sizeof kept->id, "%s", st_cell_text(&cells[SCOPE_ID]));
	for (int m = 0; m < ST_METER_COUNT; m++) {
		kept->sums.of[m].limit = ST_UNLIMITED;
	}
}

static int compare_names(const struct st_audit_scope *a, enum st_scope scope, const char *id)
{
	return a->scope != scope ? (a->scope < scope ? -1 : 1) : strcmp(a->id, id);
}

static int compare_scopes(const void *a, const void *b)
{
	const struct st_audit_scope *left = *(struct st_audit_scope *const *)a;
	const struct st_audit_scope *right = *(struct st_audit_scope *const *)b;
	return compare_names(left, right->scope, right->id);
}

/* All scopes were seen before the first run: from then on they are found by their names. */
static void sort_scopes(struct st_audit *audit)
{
	audit->by_name = st_alloc_array(audit->n_scopes + 1, sizeof(struct st_audit_scope *));
	for (size_t i = 0; i < audit->n_scopes; i++) {
		audit->by_name[i] = &audit->scopes[i];
	}
	qsort(audit->by_name, audit->n_scopes, sizeof(struct st_audit_scope *), compare_scopes);
}

static struct st_audit_scope *scope_named(struct st_audit *audit, enum st_scope scope,
					  const char *id)
{
	if (audit->by_name == NULL) {
		sort_scopes(audit);
	}
	for (size_t low = 0, high = audit->n_scopes; low < high;) {
		size_t middle = low + (high - low) / 2;
		int order = compare_names(audit->by_name[middle], scope, id);
		if (order == 0) {
			return audit->by_name[middle];
		}
		low = order < 0 ? middle + 1 : low;
		high = order < 0 ? high : middle;
	}
	return NULL;
}

static void add_run_to_scope(struct st_audit_scope *scope, const struct st_audit_run *run,
			     uint32_t touched)
{
	scope->used = true;
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if (m == ST_METER_WALL_SECONDS || (touched >> m & 1) == 0) {
			continue;
		}
		struct st_audit_sum *to = &scope->sums.of[m];
		const struct st_audit_sum *from = &run->sums.of[m];
		to->touched = true;
		to->settled = st_add_saturating(to->settled, from->settled);
		to->held = st_add_saturating(to->held, from->held);
		to->overrun = st_add_saturating(to->overrun, from->overrun);
	}
}

/* A meter that a call of the run asked for or used is an account of each scope. */
static uint32_t touched_meters(const struct st_audit_run *run)
{
	uint32_t touched = 0;
	struct st_amounts used;
	for (size_t i = 0; i < run->calls.n; i++) {
		const struct st_audit_call *call = &run->calls.of[i];
		st_audit_json_amounts(json_object_get(call->end_doc, "usage"), &used);
		for (int m = 0; m < ST_METER_COUNT; m++) {
			bool any = call->amounts.of[m] != 0 || used.of[m] != 0;
			touched |= any ? 1U << m : 0;
		}
	}
	return touched;
}

static void add_to_scopes(const struct st_audit_at *at)
{
	static const int columns[ST_SCOPE_COUNT] = {
	    [ST_SCOPE_WORKFLOW] = RUN_WORKFLOW, [ST_SCOPE_AGENT] = RUN_AGENT,
	    [ST_SCOPE_USER] = RUN_USER,		[ST_SCOPE_PROJECT] = RUN_PROJECT,
	    [ST_SCOPE_TENANT] = RUN_TENANT,	[ST_SCOPE_PLATFORM] = RUN_PLATFORM};
	const struct st_audit_run *run = at->audit->run;
	uint32_t touched = touched_meters(run);
	for (int s = ST_SCOPE_WORKFLOW; s < ST_SCOPE_COUNT; s++) {
		struct st_audit_scope *scope =
		    scope_named(at->audit, (enum st_scope)s, run->def->scope_id[s]);
		if (scope == NULL) {
			(void)st_audit_wrong(at, columns[s], "a scope that has a row");
		} else {
			add_run_to_scope(scope, run, touched);
		}
	}
}

void st_audit_see_wide(const struct st_audit_at *at)
{
	const struct st_cell *cells = at->row->cells;
	int64_t no = -(st_cell_int(&cells[ACCOUNT_NO]) + 1);
	int64_t meter = no & 255;
	struct st_audit_scope *scope = scope_no(at->audit, no >> 8);
	if (scope == NULL || meter >= ST_METER_COUNT) {
		(void)st_audit_wrong(at, ACCOUNT_NO, "the number of an account of a scope");
		return;
	}
	scope->seen |= 1U << meter;
	if (!scope->sums.of[meter].touched) {
		(void)st_audit_wrong(at, -1, "none: no call touched it");
		return;
	}
	(void)st_audit_int(at, ACCOUNT_SCOPE_NO, scope->no);
	(void)st_audit_text(at, ACCOUNT_SCOPE, st_scope_name(scope->scope));
	(void)st_audit_text(at, ACCOUNT_METER, st_meter_name((enum st_meter)meter));
	check_account(at, &scope->sums.of[meter]);
}

/* The end of a run */

static void find_missing_accounts(const struct st_audit_at *at, const struct st_audit_sums *sums,
				  int step)
{
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if (sums->of[m].touched) {
			char key[40];
			int64_t no = st_row_account_no(at->audit->run->no, step, (enum st_meter)m);
			(void)snprintf(key, sizeof key, "no=%lld", (long long)no);
			st_audit_missing(at->audit, ST_LAW_LEDGER, ST_AUDIT_ACCOUNT, key);
		}
	}
}

/* Of a run that succeeded nothing is open; else only what was in flight or in doubt may be. */
static void find_missing_of(struct st_audit *audit, const struct st_audit_call *call)
{
	char id[ST_ID_TEXT_MAX];
	char key[64];
	(void)snprintf(key, sizeof key, "no=%lld", (long long)call->no);
	if (call->no == 0) {
		(void)snprintf(key, sizeof key, "id=%s", st_id_format(call->hold, ST_ID_HOLD, id));
	}
	bool open = call->end == NULL;
	if (!call->seen) {
		st_audit_missing(audit, ST_LAW_HOLDS, ST_AUDIT_ATTEMPT, key);
	}
	if (open != !call->seen_end || (open && audit->run->told == ST_RUN_SUCCEEDED)) {
		(void)snprintf(key, sizeof key, "hold=%lld", (long long)call->no);
		st_audit_missing(audit, ST_LAW_HOLDS, ST_AUDIT_SETTLEMENT, key);
	}
}

void st_audit_end_ledger(const struct st_audit_at *at)
{
	const struct st_audit_run *run = at->audit->run;
	if (!at->audit->options.one_run) {
		add_to_scopes(at);
	}
	for (size_t i = 0; i < run->calls.n; i++) {
		find_missing_of(at->audit, &run->calls.of[i]);
	}
	find_missing_accounts(at, &run->sums, -1);
	for (size_t i = 0; i < run->def->n_steps; i++) {
		find_missing_accounts(at, &run->steps[i].sums, (int)i);
	}
}
