/* SPDX-License-Identifier: Apache-2.0 */
/* Do the rows of steps and items say what the timeline tells? */
#include <stdio.h>
#include <string.h>

#include "orchestrator/audit_private.h"
#include "schemas/mem.h"
#include "steps/kind.h"

/* The row of a step, or of one item of its for_each. */
struct place {
	const struct st_audit_at *at;
	const struct st_def_step *def;
	struct st_audit_step *step;
	struct st_audit_item *item; /* NULL: none was made */
	bool whole;		    /* the step's row */
};

static bool is_over(const struct st_audit_run *run)
{
	return st_machine_final(&st_run_machine, (int)run->told);
}

static bool is_failing(const struct st_audit_step *step)
{
	for (int k = 0; k < step->n_items; k++) {
		if (step->items[k].told == ST_ITEM_FAILED) {
			return true;
		}
	}
	return step->told == ST_STEP_FAILED;
}

#define OF(name) (UINT32_C(1) << ST_ITEM_##name)

/* What an item may have come to without a word: it wakes, it sleeps, it fails before its call. */
static uint32_t silent_states(const struct place *place)
{
	const struct st_audit_item *item = place->item;
	bool client = strcmp(place->def->uses, "client") == 0;
	bool timer = client || strcmp(place->def->uses, "sleep") == 0;
	switch (item->told) {
	case ST_ITEM_WAITING:
		return OF(WAITING) | (timer ? OF(SLEEPING) | OF(SUCCEEDED) : 0) |
		       (timer && !client ? 0 : OF(FAILED));
	case ST_ITEM_CALLING: /* its outcome may be unknown, and it is to be sent again */
		return OF(CALLING) | OF(WAITING) | OF(SLEEPING);
	case ST_ITEM_SLEEPING:
		return OF(SLEEPING) | OF(WAITING) | OF(FAILED);
	case ST_ITEM_ASKING:
	case ST_ITEM_IN_DOUBT:
	case ST_ITEM_SUCCEEDED:
	case ST_ITEM_FAILED:
	case ST_ITEM_CANCELLED:
	case ST_ITEM_STATE_COUNT:
		break;
	}
	return UINT32_C(1) << item->told;
}

static uint32_t item_states(const struct place *place)
{
	const struct st_audit_run *run = place->at->audit->run;
	bool final = st_machine_final(&st_step_machine, (int)place->step->told);
	uint32_t states = silent_states(place);
	if (is_over(run) || is_failing(place->step)) {
		states |= states & (OF(WAITING) | OF(SLEEPING) | OF(ASKING)) ? OF(CANCELLED) : 0;
		states |= is_over(run) && place->item->told == ST_ITEM_FAILED ? OF(CANCELLED) : 0;
	}
	/* A step that ended has items that ended; one that failed by itself says so. */
	if (final) {
		states &= OF(SUCCEEDED) | OF(FAILED) | OF(CANCELLED);
	}
	if (place->whole && !final) {
		states &= ~(OF(SUCCEEDED) | OF(FAILED));
	}
	return states;
}

static void say_states(const struct place *place, int column, uint32_t states)
{
	struct st_buf should = {0};
	for (int i = 0; i < ST_ITEM_STATE_COUNT; i++) {
		if ((states >> i & 1) != 0) {
			st_buf_addf(&should, "%s%s", should.len > 0 ? " or " : "",
				    st_machine_state_name(&st_item_machine, i));
		}
	}
	(void)st_audit_wrong(place->at, column, should.len > 0 ? should.data : "nothing");
	st_buf_fini(&should);
}

static enum st_item_state check_item_state(const struct place *place)
{
	const struct st_cell *cell = &place->at->row->cells[STEP_ITEM_STATE];
	int said = st_machine_state_parse(&st_item_machine, st_cell_text(cell));
	bool none = place->item == NULL || (place->whole && place->def->for_each != NULL);
	uint32_t states = none ? OF(WAITING) : item_states(place);
	if (said < 0 || (states >> said & 1) == 0) {
		say_states(place, STEP_ITEM_STATE, states);
		return none ? ST_ITEM_WAITING : place->item->told;
	}
	return (enum st_item_state)said;
}

/* Who sleeps has a time to wake. Which one is not told for good: it moves when somebody sets the
 * clock. */
static void check_due(const struct place *place, enum st_item_state state)
{
	if (place->item == NULL || state != ST_ITEM_SLEEPING) {
		(void)st_audit_null(place->at, STEP_DUE);
	} else if (place->at->row->cells[STEP_DUE].type != ST_CELL_INT) {
		(void)st_audit_wrong(place->at, STEP_DUE, "when it wakes");
	}
}

static void check_approved(const struct place *place)
{
	const struct st_audit_item *item = place->item;
	uint8_t hash[ST_HASH_BYTES] = {0};
	if (item == NULL || !item->has_approved) {
		(void)st_audit_null(place->at, STEP_APPROVED);
		return;
	}
	(void)sodium_hex2bin(hash, sizeof hash, item->approved, strlen(item->approved), NULL, NULL,
			     NULL);
	(void)st_audit_blob(place->at, STEP_APPROVED, hash, sizeof hash);
}

static void check_call(const struct place *place)
{
	const struct st_audit_item *item = place->item;
	const struct st_cell *cell = &place->at->row->cells[STEP_CALL];
	const struct st_id none = {{0}};
	bool told = item != NULL && !st_id_is_none(item->call);
	bool counted = item != NULL && !told && item->started_at != ST_TIME_NONE;
	(void)st_audit_int(place->at, STEP_ATTEMPT, item != NULL ? item->attempt : 0);
	(void)st_audit_int(place->at, STEP_RESENDS, item != NULL ? item->resends : 0);
	if (!counted || cell->type != ST_CELL_BLOB) {
		(void)st_audit_id(place->at, STEP_CALL, told ? item->call : none);
	}
}

/* A cancelled step ends with its run, or with the last of its calls. */
static st_time cancelled_at(const struct place *place)
{
	const struct st_audit_run *run = place->at->audit->run;
	st_time last = place->step->last_end_at;
	return last != ST_TIME_NONE && last > run->ended_at ? last : run->ended_at;
}

/* The row of an item says of itself what a step's row says of the step. */
static void check_item_row(const struct place *place, enum st_item_state state)
{
	bool final = st_machine_final(&st_item_machine, (int)state);
	(void)st_audit_text(place->at, STEP_STATE,
			    final ? st_machine_state_name(&st_item_machine, (int)state)
				  : st_machine_state_name(&st_step_machine, ST_STEP_RUNNING));
}

static void check_step_state(const struct place *place)
{
	const struct st_audit_at *at = place->at;
	const struct st_audit_step *step = place->step;
	const char *cancelled = st_machine_state_name(&st_step_machine, ST_STEP_CANCELLED);
	bool is_cancelled = strcmp(st_cell_text(&at->row->cells[STEP_STATE]), cancelled) == 0;
	bool may = step->told == ST_STEP_RUNNING && is_over(at->audit->run);
	if (!is_cancelled || !may) {
		(void)st_audit_text(at, STEP_STATE,
				    st_machine_state_name(&st_step_machine, (int)step->told));
	}
	bool ended_silently = is_cancelled && may;
	(void)st_audit_time(at, STEP_STARTED_AT, step->started_at);
	(void)st_audit_time(at, STEP_ENDED_AT,
			    ended_silently ? cancelled_at(place) : step->ended_at);
}

static void check_failure(const struct place *place, enum st_item_state state)
{
	const struct st_audit_at *at = place->at;
	const struct st_audit_item *item = place->item;
	if (place->whole) {
		const char *code = place->step->code;
		(void)st_audit_text(at, STEP_ERROR_CODE, code[0] != '\0' ? code : NULL);
		(void)st_audit_text(at, STEP_ERROR, place->step->error);
	} else if (state != ST_ITEM_FAILED) {
		(void)st_audit_null(at, STEP_ERROR_CODE);
		(void)st_audit_null(at, STEP_ERROR);
	} else if (item->code[0] != '\0') {
		(void)st_audit_text(at, STEP_ERROR_CODE, item->code);
		(void)st_audit_text(at, STEP_ERROR, item->error);
	}
}

static bool starts_silently(const struct place *place)
{
	return strcmp(place->def->uses, "sleep") == 0 || strcmp(place->def->uses, "client") == 0;
}

/* When an item of a for_each began and ended, as far as its calls and halts tell. */
static void check_item_times(const struct place *place, enum st_item_state state)
{
	const struct st_audit_item *item = place->item;
	const struct st_cell *cells = place->at->row->cells;
	bool final = st_machine_final(&st_item_machine, (int)state);
	bool told = state == item->told && item->ended_at != ST_TIME_NONE;
	if (item->started_at != ST_TIME_NONE || !starts_silently(place)) {
		(void)st_audit_time(place->at, STEP_STARTED_AT, item->started_at);
	}
	if (!final || told) {
		(void)st_audit_time(place->at, STEP_ENDED_AT,
				    final ? item->ended_at : ST_TIME_NONE);
	} else if (cells[STEP_ENDED_AT].type != ST_CELL_INT) {
		(void)st_audit_wrong(place->at, STEP_ENDED_AT, "when it ended");
	}
}

static void check_output(const struct place *place, enum st_item_state state, int64_t no)
{
	const struct st_audit_at *at = place->at;
	const struct st_cell *cells = at->row->cells;
	bool sealed = cells[STEP_SEALED_OUTPUT].type != ST_CELL_NULL;
	struct st_buf plain = {0};
	if (sealed && state != ST_ITEM_SUCCEEDED) {
		(void)st_audit_wrong(at, STEP_SEALED_OUTPUT, "nothing before it succeeds");
	}
	if (!sealed) {
		(void)st_audit_null(at, STEP_OUTPUT);
		return;
	}
	struct st_audit_at seals = *at;
	seals.law = ST_LAW_SEALS;
	st_audit_count(at->audit, ST_LAW_SEALS, 1);
	st_audit_unseal(&seals, STEP_SEALED_OUTPUT, "output", no, &plain);
	if (plain.len > 0) {
		st_audit_shown(&seals, STEP_OUTPUT, plain.data);
	} else if (cells[STEP_OUTPUT].type != ST_CELL_TEXT) {
		(void)st_audit_wrong(at, STEP_OUTPUT, "what is sealed, redacted");
	}
	st_seal_buf_wipe(&plain);
}

static bool find_place(const struct st_audit_at *at, struct place *place, int64_t *no)
{
	struct st_audit_run *run = at->audit->run;
	*no = st_cell_int(&at->row->cells[STEP_NO]);
	int64_t rest = *no - (run->no << 22);
	int64_t step = rest >> 11;
	int64_t item = rest & 2047;
	if (run->def == NULL || rest < 0 || step >= (int64_t)run->def->n_steps) {
		return false;
	}
	place->def = &run->def->steps[step];
	place->step = &run->steps[step];
	place->whole = item == 0;
	place->item = st_audit_item(run, (int)step, place->whole ? 0 : (int)item - 1);
	if (place->whole && place->def->for_each != NULL) {
		place->item = NULL;
	}
	return place->whole || (place->item != NULL && place->def->for_each != NULL);
}

void st_audit_see_step(const struct st_audit_at *at)
{
	struct place place = {.at = at};
	int64_t no = 0;
	if (!find_place(at, &place, &no)) {
		(void)st_audit_wrong(at, STEP_NO, "the number of a step or item of this run");
		return;
	}
	if (place.step->told == ST_STEP_PENDING) {
		(void)st_audit_wrong(at, -1, "none: the step has not started");
		return;
	}
	if (place.whole) {
		place.step->seen = true;
	} else {
		place.item->seen = true;
	}
	bool many = place.whole && place.def->for_each != NULL;
	(void)st_audit_text(at, STEP_ID, place.def->id);
	(void)st_audit_text(at, STEP_USES, place.def->uses);
	(void)st_audit_int(at, STEP_N_ITEMS, many ? place.step->n_items : -1);
	enum st_item_state state = check_item_state(&place);
	if (place.whole) {
		check_step_state(&place);
	} else {
		check_item_row(&place, state);
	}
	check_call(&place);
	check_due(&place, state);
	check_approved(&place);
	check_failure(&place, state);
	if (!place.whole) {
		check_item_times(&place, state);
	}
	check_output(&place, state, no);
	st_audit_see_citations(at, place.item);
}

static void say_missing(const struct st_audit_at *at, int step, int item)
{
	char key[40];
	(void)snprintf(key, sizeof key, "no=%lld",
		       (long long)st_row_step_no(at->audit->run->no, step, item));
	st_audit_missing(at->audit, ST_LAW_STATES, ST_AUDIT_STEP, key);
}

void st_audit_end_steps(const struct st_audit_at *at)
{
	const struct st_audit_run *run = at->audit->run;
	for (int i = 0; i < (int)run->def->n_steps; i++) {
		const struct st_audit_step *step = &run->steps[i];
		bool many = run->def->steps[i].for_each != NULL;
		if (step->told != ST_STEP_PENDING && !step->seen) {
			say_missing(at, i, 0);
		}
		for (int k = 0; many && k < step->n_items; k++) {
			if (!step->items[k].seen) {
				say_missing(at, i, k + 1);
			}
		}
	}
}
