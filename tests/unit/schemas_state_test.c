/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The laws of the four machines, over every pair of states. What a table allows is written down
 * here a second time, by hand, as the promises need it: a slip in the table is a difference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <string.h>

#include "schemas/state.h"

static const struct st_machine *const MACHINES[] = {&st_run_machine, &st_step_machine,
						    &st_item_machine, &st_hold_machine};
#define N_MACHINES (sizeof MACHINES / sizeof MACHINES[0])

/* "from>to to to; from>…": every pair that is allowed, nothing else is. */
static const char *const ALLOWED[N_MACHINES] = {
    "queued>running halted blocked_limit cancelled;"
    "running>halted succeeded failed cancelled;"
    "halted>running failed cancelled;",
    "pending>running failed skipped;"
    "running>succeeded failed cancelled;",
    "waiting>calling sleeping asking in_doubt failed cancelled;"
    "calling>waiting sleeping in_doubt succeeded failed cancelled;"
    "sleeping>waiting in_doubt succeeded failed cancelled;"
    "asking>waiting succeeded failed cancelled;"
    "in_doubt>waiting succeeded failed cancelled;",
    "held>sent voided;"
    "sent>in_doubt settled voided;"
    "in_doubt>settled voided;",
};

/* Does the list name `word` between separators? */
static bool names(const char *list, size_t len, const char *word)
{
	size_t n = strlen(word);
	for (size_t i = 0; i + n <= len; i++) {
		bool begins = i == 0 || list[i - 1] == ' ' || list[i - 1] == '>';
		bool ends = i + n == len || list[i + n] == ' ';
		if (begins && ends && memcmp(list + i, word, n) == 0) {
			return true;
		}
	}
	return false;
}

static bool written_down(const char *allowed, const char *from, const char *to)
{
	size_t n = strlen(from);
	for (const char *at = allowed; *at != '\0';) {
		size_t len = strcspn(at, ";");
		if (strncmp(at, from, n) == 0 && at[n] == '>') {
			return names(at + n + 1, len - n - 1, to);
		}
		at += len + 1;
	}
	return false;
}

static void every_pair_is_allowed_where_it_is_written_down_and_nowhere_else(void **state)
{
	(void)state;
	size_t n_pairs = 0;
	for (size_t i = 0; i < N_MACHINES; i++) {
		const struct st_machine *m = MACHINES[i];
		for (int from = 0; from < m->n_states; from++) {
			for (int to = 0; to < m->n_states; to++) {
				bool wanted = written_down(ALLOWED[i], m->states[from].name,
							   m->states[to].name);
				if (st_machine_allows(m, from, to) != wanted) {
					fail_msg("%s: %s to %s", m->name, m->states[from].name,
						 m->states[to].name);
				}
				n_pairs++;
			}
		}
	}
	assert_int_equal(n_pairs, 7 * 7 + 6 * 6 + 8 * 8 + 5 * 5);
}

static void no_state_follows_itself_and_no_bit_names_a_state_that_is_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_MACHINES; i++) {
		const struct st_machine *m = MACHINES[i];
		for (int s = 0; s < m->n_states; s++) {
			assert_false(st_machine_allows(m, s, s));
			assert_int_equal(m->states[s].next >> m->n_states, 0);
		}
	}
}

/* What can be reached from `from`, as a bit set, itself included. */
static uint32_t reach(const struct st_machine *m, int from)
{
	uint32_t seen = UINT32_C(1) << from;
	for (int round = 0; round < m->n_states; round++) {
		for (int s = 0; s < m->n_states; s++) {
			seen |= (seen >> s & 1) != 0 ? m->states[s].next : 0;
		}
	}
	return seen;
}

static void every_state_is_reached_from_the_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_MACHINES; i++) {
		const struct st_machine *m = MACHINES[i];
		assert_int_equal(reach(m, 0), (UINT32_C(1) << m->n_states) - 1);
	}
}

static void every_state_can_come_to_an_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_MACHINES; i++) {
		const struct st_machine *m = MACHINES[i];
		uint32_t finals = 0;
		for (int s = 0; s < m->n_states; s++) {
			finals |= st_machine_final(m, s) ? UINT32_C(1) << s : 0;
		}
		assert_int_not_equal(finals, 0);
		for (int s = 0; s < m->n_states; s++) {
			assert_int_not_equal(reach(m, s) & finals, 0);
		}
	}
}

/* Promises 5 and 6: nothing leaves an end, and what was sent is never taken back unseen. */
static void an_end_is_an_end(void **state)
{
	(void)state;
	static const int ends[] = {ST_HOLD_SETTLED, ST_HOLD_VOIDED};
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		assert_true(st_machine_final(&st_hold_machine, ends[i]));
	}
	assert_false(st_machine_allows(&st_hold_machine, ST_HOLD_HELD, ST_HOLD_SETTLED));
	assert_false(st_machine_allows(&st_hold_machine, ST_HOLD_SENT, ST_HOLD_HELD));
	assert_false(st_machine_allows(&st_hold_machine, ST_HOLD_IN_DOUBT, ST_HOLD_SENT));
	assert_true(st_machine_final(&st_run_machine, ST_RUN_CANCELLED));
	assert_false(st_machine_allows(&st_run_machine, ST_RUN_HALTED, ST_RUN_SUCCEEDED));
}

static void names_are_unique_and_survive_a_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_MACHINES; i++) {
		const struct st_machine *m = MACHINES[i];
		for (int s = 0; s < m->n_states; s++) {
			const char *name = st_machine_state_name(m, s);
			assert_int_equal(st_machine_state_parse(m, name), s);
			assert_int_not_equal(strlen(name), 0);
		}
		assert_int_equal(st_machine_state_parse(m, "nope"), -1);
		assert_int_equal(st_machine_state_parse(m, ""), -1);
		assert_int_equal(st_machine_state_parse(m, "Running"), -1);
	}
	for (int kind = 0; kind < ST_HALT_COUNT; kind++) {
		const char *name = st_halt_kind_name((enum st_halt_kind)kind);
		assert_int_equal(st_halt_kind_parse(name), kind);
	}
	assert_int_equal(st_halt_kind_parse("nope"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_pair_is_allowed_where_it_is_written_down_and_nowhere_else),
	    cmocka_unit_test(no_state_follows_itself_and_no_bit_names_a_state_that_is_not),
	    cmocka_unit_test(every_state_is_reached_from_the_first),
	    cmocka_unit_test(every_state_can_come_to_an_end),
	    cmocka_unit_test(an_end_is_an_end),
	    cmocka_unit_test(names_are_unique_and_survive_a_round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
