/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/state.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define X(state, text, successors) {.name = (text), .next = (successors)},
static const struct st_machine_state run_states[] = {ST_RUN_STATE_X(X)};
static const struct st_machine_state step_states[] = {ST_STEP_STATE_X(X)};
static const struct st_machine_state item_states[] = {ST_ITEM_STATE_X(X)};
static const struct st_machine_state hold_states[] = {ST_HOLD_STATE_X(X)};
#undef X

const struct st_machine st_run_machine = {"run", run_states, ST_RUN_STATE_COUNT};
const struct st_machine st_step_machine = {"step", step_states, ST_STEP_STATE_COUNT};
const struct st_machine st_item_machine = {"item", item_states, ST_ITEM_STATE_COUNT};
const struct st_machine st_hold_machine = {"hold", hold_states, ST_HOLD_STATE_COUNT};

static const char *const halt_kinds[] = {
#define X(name, text) text,
    ST_HALT_X(X)
#undef X
};

bool st_machine_allows(const struct st_machine *machine, int from, int to)
{
	assert(from >= 0 && from < machine->n_states);
	assert(to >= 0 && to < machine->n_states);
	return (machine->states[from].next >> to & 1) != 0;
}

bool st_machine_final(const struct st_machine *machine, int state)
{
	assert(state >= 0 && state < machine->n_states);
	return machine->states[state].next == 0;
}

const char *st_machine_state_name(const struct st_machine *machine, int state)
{
	assert(state >= 0 && state < machine->n_states);
	return machine->states[state].name;
}

int st_machine_state_parse(const struct st_machine *machine, const char *name)
{
	for (int i = 0; i < machine->n_states; i++) {
		if (strcmp(machine->states[i].name, name) == 0) {
			return i;
		}
	}
	return -1;
}

const char *st_halt_kind_name(enum st_halt_kind kind)
{
	assert((unsigned)kind < ST_HALT_COUNT);
	return halt_kinds[kind];
}

int st_halt_kind_parse(const char *name)
{
	for (int i = 0; i < ST_HALT_COUNT; i++) {
		if (strcmp(halt_kinds[i], name) == 0) {
			return i;
		}
	}
	return -1;
}
