/* SPDX-License-Identifier: Apache-2.0 */
/* Are halts and grants those that the timeline tells of? */
#include <stdio.h>
#include <string.h>

#include "orchestrator/audit_private.h"
#include "schemas/mem.h"

void st_audit_see_grant(const struct st_audit_at *at)
{
	struct st_audit_run *run = at->audit->run;
	const struct st_cell *cells = at->row->cells;
	if (run->grants.next == run->grants.n) {
		(void)st_audit_wrong(at, -1, "none: the timeline tells of no more grants");
		return;
	}
	const struct st_audit_grant *grant = &run->grants.of[run->grants.next++];
	(void)st_audit_int(at, GRANT_RUN_NO, run->no);
	(void)st_audit_id(at, GRANT_HALT, grant->halt);
	(void)st_audit_int(at, GRANT_STEP, grant->step);
	(void)st_audit_text(at, GRANT_METER, st_meter_name(grant->meter));
	(void)st_audit_int(at, GRANT_AMOUNT, grant->amount);
	(void)st_audit_time(at, GRANT_AT, grant->at);
	(void)st_audit_text(at, GRANT_BY, grant->by);
	(void)st_audit_text(at, GRANT_REASON, grant->reason);
	int64_t amount = st_cell_int(&cells[GRANT_AMOUNT]);
	struct st_audit_sums *sums = grant->step < 0 ? &run->sums : &run->steps[grant->step].sums;
	int64_t *granted = &sums->of[grant->meter].granted;
	*granted = st_add_saturating(*granted, amount > 0 ? amount : grant->amount);
}

static void check_decision(const struct st_audit_at *at, const struct st_audit_halt *halt)
{
	(void)st_audit_time(at, HALT_DECIDED_AT, halt->decided_at);
	(void)st_audit_text(at, HALT_DECISION, halt->decision);
	if (halt->decision == NULL) {
		(void)st_audit_null(at, HALT_BY);
		(void)st_audit_null(at, HALT_REASON);
	} else if (halt->by_told) {
		(void)st_audit_text(at, HALT_BY, halt->by);
		(void)st_audit_text(at, HALT_REASON, halt->reason);
	} else if (at->row->cells[HALT_BY].type != ST_CELL_TEXT) {
		(void)st_audit_wrong(at, HALT_BY, "who decided");
	}
}

/* What is asked about is told; nothing is asked about the run as a whole. */
static void check_hash(const struct st_audit_at *at, const struct st_audit_halt *halt)
{
	uint8_t hash[ST_HASH_BYTES] = {0};
	bool told = sodium_hex2bin(hash, sizeof hash, halt->params_hash, strlen(halt->params_hash),
				   NULL, NULL, NULL) == 0 &&
		    halt->params_hash[0] != '\0';
	if (told || halt->params_hash[0] == '\0') {
		(void)st_audit_blob(at, HALT_PARAMS_HASH, hash, sizeof hash);
	}
}

static bool is_of_client(const struct st_audit_run *run, const struct st_audit_halt *halt)
{
	bool found = halt->of_client;
	for (size_t i = 0; i < run->calls.n && !found && halt->kind == ST_HALT_IN_DOUBT; i++) {
		const struct st_audit_call *call = &run->calls.of[i];
		found = call->item < 0 && st_id_equal(call->id, halt->call);
	}
	return found;
}

void st_audit_see_halt(const struct st_audit_at *at)
{
	struct st_audit_run *run = at->audit->run;
	if (run->halts.next == run->halts.n) {
		(void)st_audit_wrong(at, -1, "none: the timeline tells of no more halts");
		return;
	}
	const struct st_audit_halt *halt = &run->halts.of[run->halts.next++];
	(void)st_audit_id(at, HALT_ID, halt->id);
	(void)st_audit_int(at, HALT_RUN_NO, run->no);
	(void)st_audit_text(at, HALT_KIND, st_halt_kind_name(halt->kind));
	(void)st_audit_int(at, HALT_STEP, halt->step);
	(void)st_audit_int(at, HALT_ITEM, is_of_client(run, halt) ? -1 : halt->item);
	(void)st_audit_id(at, HALT_CALL, halt->call);
	(void)st_audit_text(at, HALT_VERDICT, halt->verdict);
	(void)st_audit_text(at, HALT_INTENT, halt->intent);
	check_hash(at, halt);
	(void)st_audit_time(at, HALT_SINCE, halt->since);
	check_decision(at, halt);
}

void st_audit_see_external_id(const struct st_audit_at *at)
{
	struct st_audit_run *run = at->audit->run;
	if (run->externals.next == run->externals.n) {
		(void)st_audit_wrong(at, -1, "none: the timeline tells of no more ids");
		return;
	}
	const struct st_audit_external *told = &run->externals.of[run->externals.next++];
	(void)st_audit_int(at, EXTERNAL_ID_RUN_NO, run->no);
	(void)st_audit_int(at, EXTERNAL_ID_STEP, told->step);
	if (st_cell_int(&at->row->cells[EXTERNAL_ID_ITEM]) != -1) { /* of a client's call */
		(void)st_audit_int(at, EXTERNAL_ID_ITEM, told->item);
	}
	(void)st_audit_id(at, EXTERNAL_ID_CALL, told->call);
	(void)st_audit_time(at, EXTERNAL_ID_AT, told->at);
	(void)st_audit_text(at, EXTERNAL_ID_KIND, st_audit_json_text(told->data, "kind"));
	(void)st_audit_text(at, EXTERNAL_ID_ID, st_audit_json_text(told->data, "id"));
	(void)st_audit_text(at, EXTERNAL_ID_URL,
			    json_string_value(json_object_get(told->data, "url")));
}

static void say_missing(const struct st_audit_at *at, enum st_audit_table table, size_t n)
{
	char key[40];
	(void)snprintf(key, sizeof key, "the %zu of the run", n);
	st_audit_missing(at->audit, at->law, table, key);
}

static size_t files_told(const struct st_audit_run *run)
{
	size_t n = 0;
	for (size_t i = 0; i < run->calls.n; i++) {
		n += json_array_size(json_object_get(run->calls.of[i].end_doc, "artifacts"));
	}
	return n;
}

void st_audit_end_records(const struct st_audit_at *given)
{
	struct st_audit_at at = *given;
	const struct st_audit_run *run = at.audit->run;
	size_t files = files_told(run);
	if (run->externals.next < run->externals.n) {
		say_missing(&at, ST_AUDIT_EXTERNAL_ID, run->externals.n);
	}
	if (run->next_file < files) {
		say_missing(&at, ST_AUDIT_ARTIFACT, files);
	}
	if (run->transcripts.next < run->transcripts.n) {
		say_missing(&at, ST_AUDIT_TRANSCRIPT, run->transcripts.n);
	}
	at.law = ST_LAW_DECISIONS;
	if (run->halts.next < run->halts.n) {
		say_missing(&at, ST_AUDIT_HALT, run->halts.n);
	}
	if (run->grants.next < run->grants.n) {
		say_missing(&at, ST_AUDIT_GRANT, run->grants.n);
	}
}
