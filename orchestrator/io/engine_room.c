/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of effects while the disk is full? Ends of calls go on to the core and are written;
 * calls that this lets begin wait here, in order, until there is room. Their holds are on disk by
 * then, so if the process ends first they are recovered as calls that may have been made.
 */
#include "orchestrator/io/engine_private.h"
#include "orchestrator/io/log.h"
#include "schemas/mem.h"

bool st_engine_defers(struct st_engine *engine, struct st_effect *effect)
{
	struct st_deferred *deferred = &engine->deferred;
	if (engine->room == ST_STORE_ROOM || effect->type == ST_EFFECT_REPLY) {
		return false;
	}
	if (deferred->n == deferred->cap) {
		deferred->cap = deferred->cap == 0 ? 16 : 2 * deferred->cap;
		deferred->of = st_realloc(deferred->of, deferred->cap * sizeof deferred->of[0]);
	}
	deferred->of[deferred->n++] = *effect;
	return true;
}

static void let_all_out(struct st_engine *engine)
{
	struct st_deferred deferred = engine->deferred;
	engine->deferred = (struct st_deferred){0};
	for (size_t i = 0; i < deferred.n; i++) {
		st_engine_let_out(engine, &deferred.of[i]);
	}
	st_free(deferred.of);
}

void st_engine_drop_deferred(struct st_engine *engine)
{
	for (size_t i = 0; i < engine->deferred.n; i++) {
		st_effect_fini(&engine->deferred.of[i]);
	}
	st_free(engine->deferred.of);
	engine->deferred = (struct st_deferred){0};
}

/* Who waits for what is stuck is told now; it may be written later all the same. */
static void refuse_waiting(struct st_engine *engine)
{
	for (struct st_batch *batch = engine->writing; batch != NULL; batch = batch->next) {
		st_engine_refuse_replies(batch);
	}
	st_engine_refuse_replies(&engine->open);
}

void st_engine_on_room(void *arg, enum st_store_room room)
{
	struct st_engine *engine = arg;
	bool was_full = engine->room != ST_STORE_ROOM;
	engine->room = room;
	switch (room) {
	case ST_STORE_ROOM:
		st_log(ST_LOG_INFO, "store.room", "the disk has room again: going on");
		let_all_out(engine);
		return;
	case ST_STORE_TIGHT:
		if (!was_full) {
			st_log(ST_LOG_ERROR, "store.full",
			       "the disk is full: calls in flight are settled out of the reserve, "
			       "no call is made before there is room");
		}
		return;
	case ST_STORE_STUCK:
		st_log(ST_LOG_ERROR, "store.stuck",
		       "the disk is full, and the reserve is used up: what cannot be written waits "
		       "for room");
		refuse_waiting(engine);
		return;
	case ST_STORE_BROKEN:
		st_engine_fail(engine, "the disk did not sync the end of the store's log");
		return;
	}
}

bool st_engine_is_full(const struct st_engine *engine)
{
	return engine->room != ST_STORE_ROOM;
}
