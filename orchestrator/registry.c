/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/registry.h"

#include <assert.h>
#include <string.h>

#include "orchestrator/answer.h"
#include "orchestrator/queue.h"
#include "schemas/mem.h"

/* UUIDv7 ends in random bits; its first bytes are the time. */
static size_t hash_id(struct st_id id)
{
	uint64_t low = 0;
	memcpy(&low, id.bytes + 8, sizeof low);
	return (size_t)(low * UINT64_C(0x9e3779b97f4a7c15) >> 20);
}

struct st_run *st_core_find(const struct st_core *core, struct st_id id)
{
	size_t mask = core->runs_cap - 1;
	for (size_t i = hash_id(id) & mask; core->runs[i] != NULL; i = (i + 1) & mask) {
		if (st_id_equal(core->runs[i]->id, id)) {
			return core->runs[i];
		}
	}
	return NULL;
}

static void put_in_table(struct st_core *core, struct st_run *run)
{
	size_t mask = core->runs_cap - 1;
	size_t i = hash_id(run->id) & mask;
	while (core->runs[i] != NULL) {
		i = (i + 1) & mask;
	}
	core->runs[i] = run;
	run->table_index = i;
}

void st_core_insert(struct st_core *core, struct st_run *run)
{
	assert(st_core_find(core, run->id) == NULL);
	if ((core->n_runs + 1) * 2 > core->runs_cap) {
		struct st_run **old = core->runs;
		size_t old_cap = core->runs_cap;
		core->runs_cap *= 2;
		core->runs = st_alloc_array(core->runs_cap, sizeof(struct st_run *));
		for (size_t i = 0; i < old_cap; i++) {
			if (old[i] != NULL) {
				put_in_table(core, old[i]);
			}
		}
		st_free(old);
	}
	put_in_table(core, run);
	core->n_runs++;
}

/* Open addressing without tombstones: what follows in the cluster is put in anew. */
void st_core_remove(struct st_core *core, struct st_run *run)
{
	size_t mask = core->runs_cap - 1;
	size_t i = run->table_index;
	assert(core->runs[i] == run);
	core->runs[i] = NULL;
	core->n_runs--;
	for (i = (i + 1) & mask; core->runs[i] != NULL; i = (i + 1) & mask) {
		struct st_run *next = core->runs[i];
		core->runs[i] = NULL;
		put_in_table(core, next);
	}
}

struct st_wide *st_core_wide(struct st_core *core, enum st_scope scope, const char *id)
{
	uint32_t hash = UINT32_C(2166136261) + (uint32_t)scope; /* FNV-1a */
	for (const char *p = id; *p != '\0'; p++) {
		hash = (hash ^ (uint8_t)*p) * UINT32_C(16777619);
	}
	struct st_wide **bucket = &core->wides[hash & (core->wides_cap - 1)];
	for (struct st_wide *wide = *bucket; wide != NULL; wide = wide->next) {
		if (wide->accounts.scope == scope && strcmp(wide->accounts.id, id) == 0) {
			return wide;
		}
	}
	struct st_wide *wide = st_alloc(sizeof *wide);
	wide->no = core->numbers.scope++;
	wide->accounts.scope = scope;
	memcpy(wide->accounts.id, id, strlen(id) + 1);
	wide->next = *bucket;
	*bucket = wide;
	core->n_wides++;
	return wide;
}

void st_core_mark(struct st_core *core, struct st_run *run)
{
	if (!run->dirty) {
		run->dirty = true;
		st_run_list_add(&core->dirty, run);
	}
}

void st_core_touch(struct st_core *core, struct st_run *run)
{
	st_core_mark(core, run);
	if (!run->touched) {
		run->touched = true;
		st_run_list_add(&core->touched, run);
	}
}

/* Who asks again gets the same answer, also after a crash. Refusals changed nothing and are not
 * kept: asking again may then succeed. */
static void keep_answer(struct st_turn *turn, const struct st_clean *body)
{
	struct st_row_answer *row = st_rows_add_answer(&turn->update->rows);
	memcpy(row->key_hash, turn->idempotency->key_hash, sizeof row->key_hash);
	memcpy(row->body_hash, turn->idempotency->body_hash, sizeof row->body_hash);
	row->at = turn->now;
	row->status = st_answer_event_status(turn->type, ST_OK);
	row->body = st_clean_copy(body);
}

void st_turn_reply(struct st_turn *turn, enum st_err code, const struct st_run *run,
		   struct st_clean *body)
{
	if (turn->reply == NULL) {
		st_clean_free(body);
		return;
	}
	if (code == ST_OK && turn->idempotency != NULL && body != NULL) {
		keep_answer(turn, body);
	}
	struct st_effect *effect = st_update_add(turn->update, ST_EFFECT_REPLY);
	effect->reply.token = turn->reply;
	effect->reply.code = code;
	effect->reply.body = body;
	if (run != NULL) {
		effect->reply.run = run->id;
		effect->reply.state = run->state;
		effect->reply.halt = run->halt.id;
		effect->reply.halt_kind = run->halt.kind;
	}
	turn->reply = NULL;
}

void st_turn_refuse(struct st_turn *turn, const struct st_run *run, struct st_clean *verdict)
{
	size_t before = turn->update->n_effects;
	st_turn_reply(turn, ST_ERR_CONFLICT, run, verdict);
	if (turn->update->n_effects > before) {
		turn->update->effects[before].reply.refused = true;
	}
}
