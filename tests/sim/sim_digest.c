/* SPDX-License-Identifier: Apache-2.0 */
/* Are these the same rows and effects, byte for byte? */
#include <string.h>

#include "tests/sim/sim.h"

static uint64_t add_bytes(uint64_t digest, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t word = 0;
		memcpy(&word, p, sizeof word);
		digest = (digest ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		digest ^= digest >> 29;
	}
	uint64_t rest = len;
	memcpy(&rest, p, len);
	digest = (digest ^ rest ^ (uint64_t)len << 56) * UINT64_C(0xbf58476d1ce4e5b9);
	return digest ^ digest >> 32;
}

static uint64_t add_text(uint64_t digest, const char *text)
{
	return text == NULL ? add_bytes(digest, "\xff", 1) : add_bytes(digest, text, strlen(text));
}

static uint64_t add_clean(uint64_t digest, const struct st_clean *clean)
{
	return add_text(digest, clean != NULL ? st_clean_text(clean) : NULL);
}

/* The plain members of a copy whose pointers are NULL, then what they pointed to. Rows are made
 * zeroed, so that what lies between their members is equal, too. */

static uint64_t add_run(uint64_t d, struct st_row_run row)
{
	d = add_clean(add_clean(add_text(d, row.def), row.shown), row.error);
	row.def = NULL;
	row.shown = NULL;
	row.error = NULL;
	return add_bytes(d, &row, sizeof row);
}

static uint64_t add_step(uint64_t d, struct st_row_step row)
{
	d = add_clean(add_clean(add_clean(add_text(d, row.output), row.shown), row.citations),
		      row.error);
	row.output = NULL;
	row.shown = NULL;
	row.citations = NULL;
	row.error = NULL;
	return add_bytes(d, &row, sizeof row);
}

static uint64_t add_call(uint64_t d, struct st_row_call row)
{
	d = add_clean(add_clean(add_clean(d, row.params), row.intent), row.result);
	row.params = NULL;
	row.intent = NULL;
	row.result = NULL;
	return add_bytes(d, &row, sizeof row);
}

static uint64_t add_halt(uint64_t d, struct st_row_halt row)
{
	d = add_text(add_clean(add_clean(add_clean(d, row.verdict), row.intent), row.reason),
		     row.verdict_json);
	row.verdict = NULL;
	row.intent = NULL;
	row.reason = NULL;
	row.verdict_json = NULL;
	return add_bytes(d, &row, sizeof row);
}

static uint64_t add_row(uint64_t d, const struct st_row *row)
{
	d = add_bytes(d, &row->type, sizeof row->type);
	switch (row->type) {
	case ST_ROW_RUN:
		return add_run(d, *row->run);
	case ST_ROW_STEP:
		return add_step(d, *row->step);
	case ST_ROW_CALL:
		return add_call(d, *row->call);
	case ST_ROW_HALT:
		return add_halt(d, *row->halt);
	case ST_ROW_SCOPE:
		return add_bytes(d, row->scope, sizeof *row->scope);
	case ST_ROW_ACCOUNT:
		return add_bytes(d, row->account, sizeof *row->account);
	case ST_ROW_HOLD:
		return add_bytes(d, row->hold, sizeof *row->hold);
	case ST_ROW_SETTLEMENT:
		return add_bytes(d, row->settlement, sizeof *row->settlement);
	case ST_ROW_GRANT:
		return add_clean(add_bytes(d, &row->grant->amount, sizeof row->grant->amount),
				 row->grant->reason);
	case ST_ROW_EVENT:
		return add_clean(add_bytes(d, row->event->hash, sizeof row->event->hash),
				 row->event->data);
	case ST_ROW_EXTERNAL_ID:
		return add_clean(add_clean(d, row->external_id->id), row->external_id->url);
	case ST_ROW_ANSWER:
		return add_clean(add_bytes(d, row->answer->key_hash, ST_HASH_BYTES),
				 row->answer->body);
	case ST_ROW_TRANSCRIPT:
		return add_clean(d, row->transcript->text);
	case ST_ROW_PULSE:
		return add_bytes(d, &row->pulse->at, sizeof row->pulse->at);
	case ST_ROW_ARTIFACT:
	case ST_ROW_TOKEN:
		return d;
	}
	return d;
}

static uint64_t add_effect(uint64_t d, const struct st_effect *effect)
{
	char key[ST_GRANT_KEY_MAX];
	d = add_bytes(d, &effect->type, sizeof effect->type);
	switch (effect->type) {
	case ST_EFFECT_CALL:
		d = add_text(d, st_grant_key(effect->call.grant, key));
		return add_bytes(d, &effect->call.plan->bound, sizeof effect->call.plan->bound);
	case ST_EFFECT_ABORT:
		return add_bytes(d, &effect->abort_call_no, sizeof effect->abort_call_no);
	case ST_EFFECT_REPLY:
		d = add_bytes(d, &effect->reply.code, sizeof effect->reply.code);
		return add_clean(d, effect->reply.body);
	}
	return d;
}

uint64_t sim_digest_update(uint64_t digest, const struct st_update *update)
{
	for (size_t i = 0; i < update->rows.n; i++) {
		digest = add_row(digest, &update->rows.of[i]);
	}
	for (size_t i = 0; i < update->n_effects; i++) {
		digest = add_effect(digest, &update->effects[i]);
	}
	return digest;
}
