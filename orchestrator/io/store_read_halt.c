/* SPDX-License-Identifier: Apache-2.0 */
/* What does a run wait for, and what would do? Open halts. */
#include <string.h>

#include "orchestrator/io/store_reading.h"
#include "schemas/mem.h"
#include "schemas/verdict.h"

enum {
	HALT_ID,
	HALT_KIND,
	HALT_STEP,
	HALT_ITEM,
	HALT_CALL,
	HALT_SINCE,
	HALT_VERDICT,
	HALT_INTENT,
	HALT_PARAMS,
	HALT_RUN_NO
};

static void put_grant(struct st_buf *out, enum st_scope scope, enum st_meter meter, int64_t amount)
{
	st_put_open(out, NULL, '{');
	st_put_text(out, "scope", st_scope_name(scope));
	st_put_text(out, "meter", st_meter_name(meter));
	st_put_int(out, "amount", amount);
	st_put_close(out, '}');
}

/* What this account lacks for what was asked; 0: nothing, or no grant can help. */
static int64_t lack_of(const struct st_refusal *refusal)
{
	if (refusal->limit < 0) {
		return 0;
	}
	int64_t used = st_add_saturating(refusal->settled, refusal->held);
	int64_t total = st_add_saturating(refusal->limit, refusal->granted);
	if (refusal->asked > INT64_MAX - used) {
		return 0;
	}
	return used + refusal->asked > total ? used + refusal->asked - total : 0;
}

static void suggest_for_budget(struct st_buf *out, struct st_reading *r)
{
	struct st_verdict *verdict = st_alloc(sizeof *verdict);
	if (st_verdict_parse(st_reading_text(r, HALT_VERDICT), verdict) != ST_OK) {
		verdict->n_refused = 0;
	}
	for (size_t i = 0; i < verdict->n_refused; i++) {
		const struct st_refusal *refusal = &verdict->refused[i];
		int64_t lack = lack_of(refusal);
		if (lack > 0 && refusal->scope <= ST_SCOPE_RUN) {
			put_grant(out, refusal->scope, refusal->meter, lack);
		}
	}
	st_free(verdict);
}

/* A dangerous call needs one more dangerous.ops where the envelope has none left. */
static void suggest_for_danger(struct st_buf *out, struct st_reading *r)
{
	static const char sql[] = "SELECT 1 FROM account WHERE no = ?1 AND \"limit\" >= 0 "
				  "AND \"limit\" + granted - settled - held < 1";
	int64_t no = st_row_account_no(st_reading_int(r, HALT_RUN_NO), -1, ST_METER_DANGEROUS_OPS);
	struct st_reading account = st_reading_begin(r->reader, sql);
	st_reading_bind_int(&account, 1, no);
	if (st_reading_next(&account)) {
		put_grant(out, ST_SCOPE_RUN, ST_METER_DANGEROUS_OPS, 1);
	}
	if (st_reading_end(&account, NULL) != ST_OK) {
		r->damaged = true;
	}
}

void st_put_halt(struct st_buf *out, struct st_reading *r, const struct st_read_def *def)
{
	const char *kind = st_reading_text(r, HALT_KIND);
	bool dangerous = strcmp(kind, "dangerous") == 0;
	st_put_col_id(out, "id", r, HALT_ID, ST_ID_HALT);
	st_put_text(out, "kind", kind);
	st_put_place(out, def, (int)st_reading_int(r, HALT_STEP),
		     (int)st_reading_int(r, HALT_ITEM));
	st_put_col_id(out, "call", r, HALT_CALL, ST_ID_CALL);
	st_put_col_time(out, "since", r, HALT_SINCE);
	st_put_col_json(out, "verdict", r, HALT_VERDICT);
	st_put_col_text(out, "intent", r, HALT_INTENT);
	if (dangerous) {
		st_put_col_hex(out, "params_hash", r, HALT_PARAMS);
	}
	st_put_open(out, "suggested_grants", '[');
	if (strcmp(kind, "budget") == 0) {
		suggest_for_budget(out, r);
	} else if (dangerous) {
		suggest_for_danger(out, r);
	}
	st_put_close(out, ']');
}

static const char approvals_sql[] =
    "SELECT " ST_READ_HALT_COLUMNS ", r.id, r.name, r.kind, r.tenant, r.submitted_by FROM halt h "
    "JOIN run r ON r.no = h.run_no WHERE h.decided_at IS NULL "
    "AND r.tenant = coalesce(?1, r.tenant) ORDER BY h.since";

static int ask_approvals(struct st_reader *reader, const void *arg, int64_t run_no,
			 struct st_buf *out, struct st_diag *diag)
{
	struct st_reading r = st_reading_begin(reader, approvals_sql);
	int err = ST_OK;
	(void)run_no;
	st_reading_bind_text(&r, 1, arg);
	st_put_open(out, NULL, '[');
	while (err == ST_OK && st_reading_next(&r)) {
		struct st_read_def def;
		err = st_read_def_load(reader, st_reading_int(&r, HALT_RUN_NO), &def, diag);
		st_put_open(out, NULL, '{');
		st_put_halt(out, &r, &def);
		st_put_col_id(out, "run", &r, ST_READ_HALT_N, ST_ID_RUN);
		st_put_col_text(out, "run_name", &r, ST_READ_HALT_N + 1);
		st_put_col_text(out, "run_kind", &r, ST_READ_HALT_N + 2);
		st_put_col_text(out, "tenant", &r, ST_READ_HALT_N + 3);
		st_put_col_text(out, "submitted_by", &r, ST_READ_HALT_N + 4);
		st_put_close(out, '}');
		st_read_def_fini(&def);
	}
	st_put_close(out, ']');
	int end = st_reading_end(&r, err == ST_OK ? diag : NULL);
	return err == ST_OK ? end : err;
}

int st_reader_approvals(struct st_reader *reader, const char *tenant, struct st_buf *out,
			struct st_diag *diag)
{
	const struct st_question question = {.arg = tenant, .ask = ask_approvals};
	return st_reader_answer_with(reader, &question, out, diag);
}
