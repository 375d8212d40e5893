/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/needs.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/json.h"
#include "schemas/mem.h"

#define NO_STEP UINT16_MAX
#define CYCLE_SHOWN_MAX 8

/* Open addressing with at least half the places free: ids to step indices. */
#define PLACES 2048
_Static_assert(PLACES >= 2 * ST_STEPS_MAX, "the table of ids stays half empty");
_Static_assert(ST_STEPS_MAX < NO_STEP, "an index of a step fits");

struct linker {
	struct st_def *def;
	struct st_diag *diag;
	uint32_t mask;	/* places - 1, a power of two fitting the number of steps */
	uint16_t *step; /* of each place, or NO_STEP */
	char pointer[ST_DIAG_POINTER_MAX];
};

static uint32_t hash_text(const char *text)
{
	uint32_t hash = 2166136261U;
	for (; *text != '\0'; text++) {
		hash = (hash ^ (uint8_t)*text) * 16777619U;
	}
	return hash ^ hash >> 15;
}

/* The place where the id is, or where it belongs. */
static uint16_t *place_of(struct linker *linker, const char *id)
{
	uint32_t at = hash_text(id) & linker->mask;
	while (linker->step[at] != NO_STEP &&
	       strcmp(linker->def->steps[linker->step[at]].id, id) != 0) {
		at = (at + 1) & linker->mask;
	}
	return &linker->step[at];
}

static int enter_ids(struct linker *linker)
{
	struct st_def *def = linker->def;
	for (size_t i = 0; i < def->n_steps; i++) {
		uint16_t *place = place_of(linker, def->steps[i].id);
		if (*place != NO_STEP) {
			(void)snprintf(linker->pointer, sizeof linker->pointer, "/steps/%zu/id", i);
			return st_fail_at(linker->diag, ST_ERR_INVALID, linker->pointer,
					  "\"%s\" is the id of step %u already", def->steps[i].id,
					  (unsigned)*place);
		}
		*place = (uint16_t)i;
	}
	return ST_OK;
}

static bool stands_before(const struct st_def_step *step, uint16_t need)
{
	for (size_t i = 0; i < step->n_needs; i++) {
		if (step->needs[i] == need) {
			return true;
		}
	}
	return false;
}

static int link_need(struct linker *linker, size_t at, const json_t *need)
{
	struct st_def_step *step = &linker->def->steps[at];
	if (!json_is_string(need)) {
		return st_fail_at(linker->diag, ST_ERR_INVALID, linker->pointer,
				  "expected the id of a step, got %s", st_json_type_text(need));
	}
	const char *id = json_string_value(need);
	uint16_t found = *place_of(linker, id);
	if (found == NO_STEP) {
		return st_fail_at(linker->diag, ST_ERR_INVALID, linker->pointer,
				  "there is no step \"%.80s\"", id);
	}
	if (found == at) {
		return st_fail_at(linker->diag, ST_ERR_INVALID, linker->pointer,
				  "a step cannot need itself");
	}
	if (stands_before(step, found)) {
		return st_fail_at(linker->diag, ST_ERR_INVALID, linker->pointer,
				  "\"%s\" is needed already", id);
	}
	step->needs[step->n_needs++] = found;
	return ST_OK;
}

static int link_step(struct linker *linker, size_t at, const json_t *from)
{
	const json_t *needs = json_object_get(from, "needs");
	if (needs == NULL) {
		return ST_OK;
	}
	(void)snprintf(linker->pointer, sizeof linker->pointer, "/steps/%zu/needs", at);
	size_t n = json_array_size(needs);
	if (!json_is_array(needs) || n >= linker->def->n_steps + 1) {
		return st_fail_at(linker->diag, ST_ERR_INVALID, linker->pointer,
				  "expected an array of ids of other steps");
	}
	linker->def->steps[at].needs = st_alloc_array(n, sizeof(uint16_t));
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(linker->pointer, sizeof linker->pointer, "/steps/%zu/needs/%zu", at,
			       i);
		int code = link_need(linker, at, json_array_get(needs, i));
		if (code != ST_OK) {
			return code;
		}
	}
	return ST_OK;
}

/* The first need of a step that is left which is left, too. */
static size_t next_in_cycle(const struct st_def *def, const uint16_t *waits, size_t at)
{
	size_t i = 0;
	while (waits[def->steps[at].needs[i]] == 0) {
		i++;
		assert(i < def->steps[at].n_needs);
	}
	return def->steps[at].needs[i];
}

/* Every step that is left waits for one that is left: following them leads into a cycle. */
static int tell_cycle(const struct linker *linker, const uint16_t *waits)
{
	const struct st_def *def = linker->def;
	size_t at = 0;
	while (waits[at] == 0) {
		at++;
	}
	/* So many moves lead past any tail, into the cycle itself. */
	for (size_t move = 0; move < def->n_steps; move++) {
		at = next_in_cycle(def, waits, at);
	}
	size_t first = at;
	for (size_t i = next_in_cycle(def, waits, at); i != at; i = next_in_cycle(def, waits, i)) {
		first = i < first ? i : first;
	}
	at = first;
	size_t shown = 0;
	struct st_buf text = {0};
	do {
		st_buf_addf(&text, "%s -> ", def->steps[at].id);
		at = next_in_cycle(def, waits, at);
	} while (at != first && ++shown < CYCLE_SHOWN_MAX);
	char pointer[64];
	(void)snprintf(pointer, sizeof pointer, "/steps/%zu/needs", first);
	int code =
	    st_fail_at(linker->diag, ST_ERR_INVALID, pointer, "steps wait for each other: %s%s",
		       text.data, at == first ? def->steps[first].id : "...");
	st_buf_fini(&text);
	return code;
}

/* For each step those that wait for it: waiting[first[i]] up to waiting[first[i + 1]]. */
struct waiters {
	size_t *first;
	uint16_t *waiting;
};

static struct waiters waiters_of(const struct st_def *def)
{
	size_t n = def->n_steps;
	struct waiters waiters = {.first = st_alloc_array(n + 2, sizeof waiters.first[0])};
	/* first[i + 2] counts, then first[i + 1] runs while filling, and ends where i + 1 begins.
	 */
	size_t edges = 0;
	for (size_t i = 0; i < n; i++) {
		edges += def->steps[i].n_needs;
		for (size_t j = 0; j < def->steps[i].n_needs; j++) {
			waiters.first[def->steps[i].needs[j] + 2]++;
		}
	}
	for (size_t i = 2; i < n + 2; i++) {
		waiters.first[i] += waiters.first[i - 1];
	}
	waiters.waiting = st_alloc_array(edges, sizeof waiters.waiting[0]);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < def->steps[i].n_needs; j++) {
			size_t on = def->steps[i].needs[j];
			waiters.waiting[waiters.first[on + 1]++] = (uint16_t)i;
		}
	}
	return waiters;
}

/* Takes away steps that wait for nothing until none is left; what stays is in a cycle or behind
 * one. Linear in steps and needs. */
static int check_cycles(const struct linker *linker)
{
	const struct st_def *def = linker->def;
	size_t n = def->n_steps;
	st_autofree uint16_t *waits = st_alloc_array(n, sizeof waits[0]);
	st_autofree uint16_t *ready = st_alloc_array(n, sizeof ready[0]);
	size_t n_ready = 0;
	for (size_t i = 0; i < n; i++) {
		waits[i] = (uint16_t)def->steps[i].n_needs;
		if (waits[i] == 0) {
			ready[n_ready++] = (uint16_t)i;
		}
	}
	struct waiters waiters = waiters_of(def);
	for (size_t done = 0; done < n_ready; done++) {
		size_t end = waiters.first[ready[done] + 1];
		for (size_t e = waiters.first[ready[done]]; e < end; e++) {
			if (--waits[waiters.waiting[e]] == 0) {
				ready[n_ready++] = waiters.waiting[e];
			}
		}
	}
	st_free(waiters.first);
	st_free(waiters.waiting);
	assert(n_ready <= n);
	return n_ready == n ? ST_OK : tell_cycle(linker, waits);
}

int st_needs_link(const json_t *steps, struct st_def *def, struct st_diag *diag)
{
	assert(def->n_steps <= ST_STEPS_MAX);
	assert(json_array_size(steps) == def->n_steps);
	uint32_t places = 16;
	while (places < 2 * def->n_steps) {
		places *= 2;
	}
	assert(places <= PLACES);
	st_autofree uint16_t *step = st_alloc_array(places, sizeof step[0]);
	memset(step, 0xff, places * sizeof step[0]);
	struct linker linker = {.def = def, .diag = diag, .mask = places - 1, .step = step};
	int code = enter_ids(&linker);
	for (size_t i = 0; code == ST_OK && i < def->n_steps; i++) {
		code = link_step(&linker, i, json_array_get(steps, i));
	}
	return code == ST_OK ? check_cycles(&linker) : code;
}
