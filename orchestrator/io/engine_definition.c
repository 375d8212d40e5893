/* SPDX-License-Identifier: Apache-2.0 */
/* From the text of a definition to what can be submitted; definitions that came lately are known.
 */
#include <sodium.h>
#include <string.h>

#include "orchestrator/admit.h"
#include "orchestrator/io/engine_private.h"
#include "schemas/json.h"

/* Longer ones are read anew each time: decoded they take many times their text. */
#define KNOWN_BYTES_MAX ((size_t)64 << 10)

/* What is for one tenant only is for that one also when the definition names none. */
static int fix_tenant(json_t *doc, const char *own, struct st_diag *diag)
{
	json_t *tenant = json_object_get(doc, "tenant");
	if (own[0] == '\0' || !json_is_object(doc)) {
		return ST_OK;
	}
	if (tenant == NULL) {
		(void)json_object_set_new(doc, "tenant", json_string(own));
		return ST_OK;
	}
	if (json_is_string(tenant) && strcmp(json_string_value(tenant), own) != 0) {
		return st_fail_at(diag, ST_ERR_FORBIDDEN, "/tenant",
				  "this token is bound to the tenant %s", own);
	}
	return ST_OK;
}

static int read_definition(const struct st_engine *engine, const struct st_engine_text *given,
			   struct st_def **out, struct st_diag *diag)
{
	struct st_def_input input = {.config = engine->config};
	struct st_def *def = NULL;
	int err = st_json_parse(given->text, given->len, ST_JSON_BYTES_MAX, &input.doc, diag);
	if (err == ST_OK) {
		err = fix_tenant(input.doc, given->tenant, diag);
	}
	if (err == ST_OK) {
		err = st_def_decode(engine->schemas, &input, &def, diag);
	}
	if (err == ST_OK) {
		err = st_admit_check(def, input.config, diag);
	}
	json_decref(input.doc);
	if (err != ST_OK) {
		st_def_free(def);
		return err;
	}
	*out = def;
	return ST_OK;
}

static void hash_text(const struct st_engine_text *given, uint8_t hash[ST_HASH_BYTES])
{
	crypto_generichash_state state;
	(void)crypto_generichash_init(&state, NULL, 0, ST_HASH_BYTES);
	(void)crypto_generichash_update(&state, (const uint8_t *)given->tenant,
					strlen(given->tenant) + 1);
	(void)crypto_generichash_update(&state, (const uint8_t *)given->text, given->len);
	(void)crypto_generichash_final(&state, hash, ST_HASH_BYTES);
}

/* The place of that text, or the one that was not asked for longest. */
static struct st_known *place_of(struct st_engine *engine, const uint8_t hash[ST_HASH_BYTES])
{
	struct st_known *place = &engine->known[0];
	for (size_t i = 0; i < ST_KNOWN_MAX; i++) {
		struct st_known *known = &engine->known[i];
		if (known->def != NULL && memcmp(known->hash, hash, ST_HASH_BYTES) == 0) {
			return known;
		}
		if (known->used_at < place->used_at) {
			place = known;
		}
	}
	return place;
}

int st_engine_definition(struct st_engine *engine, const struct st_engine_text *given,
			 struct st_def **out, struct st_diag *diag)
{
	uint8_t hash[ST_HASH_BYTES];
	if (given->len > KNOWN_BYTES_MAX) {
		return read_definition(engine, given, out, diag);
	}
	hash_text(given, hash);
	struct st_known *place = place_of(engine, hash);
	if (place->def == NULL || memcmp(place->hash, hash, ST_HASH_BYTES) != 0) {
		struct st_def *def = NULL;
		int err = read_definition(engine, given, &def, diag);
		if (err != ST_OK) {
			return err;
		}
		st_def_free(place->def);
		place->def = def;
		memcpy(place->hash, hash, ST_HASH_BYTES);
	}
	place->used_at = ++engine->n_asked;
	*out = st_def_share(place->def);
	return ST_OK;
}

void st_engine_forget_definitions(struct st_engine *engine)
{
	for (size_t i = 0; i < ST_KNOWN_MAX; i++) {
		st_def_free(engine->known[i].def);
		engine->known[i].def = NULL;
	}
}
