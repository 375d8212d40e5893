/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/row.h"

#include <assert.h>
#include <string.h>

#include "schemas/artifact.h"
#include "schemas/effect.h"
#include "schemas/event.h"
#include "schemas/mem.h"

#define STEP_BITS 11
#define ITEM_BITS 11
#define ARTIFACT_BITS 8

static_assert(ST_STEPS_MAX < 1 << STEP_BITS, "a step index fits its bits");
static_assert(ST_FOR_EACH_MAX < 1 << ITEM_BITS, "an item index fits its bits");
static_assert(ST_ARTIFACTS_MAX <= 1 << ARTIFACT_BITS, "a file of a job fits its bits");
static_assert(ST_ARTIFACT_HASH_BYTES == ST_HASH_BYTES, "an artifact's hash is one of ours");
static_assert(ST_METER_COUNT <= 1 << 8, "a meter fits its bits");

int64_t st_row_step_no(int64_t run_no, int step, int item)
{
	assert(step >= 0 && step < 1 << STEP_BITS);
	assert(item >= 0 && item < 1 << ITEM_BITS);
	return run_no << (STEP_BITS + ITEM_BITS) | (int64_t)step << ITEM_BITS | item;
}

int64_t st_row_account_no(int64_t run_no, int step, enum st_meter meter)
{
	assert(step >= -1 && step < ST_STEPS_MAX);
	return run_no << 20 | (int64_t)(step + 1) << 8 | (int64_t)meter;
}

int64_t st_row_wide_account_no(int64_t scope_no, enum st_meter meter)
{
	assert(scope_no >= 0);
	return -(scope_no << 8 | (int64_t)meter) - 1;
}

int64_t st_row_artifact_no(int64_t call_no, size_t n)
{
	assert(call_no > 0);
	assert(n < ST_ARTIFACTS_MAX);
	return call_no << ARTIFACT_BITS | (int64_t)n;
}

static struct st_row *add(struct st_rows *rows, enum st_row_type type)
{
	if (rows->n == rows->cap) {
		rows->cap = rows->cap == 0 ? 64 : rows->cap * 2;
		rows->of = st_realloc(rows->of, rows->cap * sizeof *rows->of);
	}
	struct st_row *row = &rows->of[rows->n++];
	row->type = type;
	return row;
}

/* The first chunk is small: most updates are, too. */
#define CHUNK_BYTES_FIRST ((size_t)4096)
#define CHUNK_BYTES ((size_t)32768)

struct st_rows_chunk {
	struct st_rows_chunk *next;
	size_t used;
	size_t size;
	_Alignas(16) unsigned char bytes[];
};

static_assert(sizeof(struct st_row_run) < CHUNK_BYTES_FIRST, "every row fits a chunk");

static void *take(struct st_rows *rows, size_t size)
{
	size = (size + 15) & ~(size_t)15;
	struct st_rows_chunk *chunk = rows->chunks;
	if (chunk == NULL || chunk->used + size > chunk->size) {
		size_t bytes = chunk == NULL ? CHUNK_BYTES_FIRST : CHUNK_BYTES;
		chunk = st_realloc(NULL, sizeof *chunk + bytes);
		*chunk = (struct st_rows_chunk){.next = rows->chunks, .size = bytes};
		rows->chunks = chunk;
	}
	void *p = chunk->bytes + chunk->used;
	chunk->used += size;
	return memset(p, 0, size);
}

void st_rows_release(struct st_rows *rows)
{
	while (rows->chunks != NULL) {
		struct st_rows_chunk *next = rows->chunks->next;
		st_free(rows->chunks);
		rows->chunks = next;
	}
	st_free(rows->of);
	*rows = (struct st_rows){0};
}

#define X(NAME, member)                                                                            \
	struct st_row_##member *st_rows_add_##member(struct st_rows *rows)                         \
	{                                                                                          \
		struct st_row_##member *p = take(rows, sizeof *p);                                 \
		add(rows, ST_ROW_##NAME)->member = p;                                              \
		return p;                                                                          \
	}
ST_ROW_X(X)
#undef X

void st_rows_move(struct st_rows *rows, const struct st_row *row)
{
	switch (row->type) {
#define X(NAME, member)                                                                            \
	case ST_ROW_##NAME:                                                                        \
		*st_rows_add_##member(rows) = *row->member;                                        \
		return;
		ST_ROW_X(X)
#undef X
	}
}

struct st_effect *st_update_add(struct st_update *update, enum st_effect_type type)
{
	if (update->n_effects == update->effects_cap) {
		update->effects_cap = update->effects_cap == 0 ? 16 : update->effects_cap * 2;
		update->effects =
		    st_realloc(update->effects, update->effects_cap * sizeof *update->effects);
	}
	struct st_effect *effect = &update->effects[update->n_effects++];
	*effect = (struct st_effect){.type = type};
	return effect;
}

const char *st_role_name(enum st_role role)
{
	static const char *const names[] = {"viewer", "submitter", "approver", "admin"};
	assert((unsigned)role < ST_ROLE_COUNT);
	return names[role];
}

const char *st_event_type_name(enum st_event_type type)
{
	static const char *const names[] = {
#define X(NAME, text) text,
	    ST_EVENT_X(X)
#undef X
	};
	assert((unsigned)type < ST_EVENT_COUNT);
	return names[type];
}

int st_role_parse(const char *name)
{
	for (int i = 0; i < ST_ROLE_COUNT; i++) {
		if (strcmp(st_role_name((enum st_role)i), name) == 0) {
			return i;
		}
	}
	return -1;
}
