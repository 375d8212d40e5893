/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/tell_part.h"

#include <sodium.h>
#include <string.h>

struct st_clean_builder st_tell_begin(const struct st_turn *turn)
{
	struct st_clean_builder b;
	st_clean_builder_init(&b, turn->core->options.redactor);
	return b;
}

void st_tell_add_text(struct st_clean_builder *b, const struct st_clean *clean)
{
	if (clean != NULL) {
		st_clean_add_clean(b, clean);
	} else {
		st_clean_add_literal(b, "null");
	}
}

void st_tell_add_bool(struct st_clean_builder *b, bool value)
{
	if (value) {
		st_clean_add_literal(b, "true");
	} else {
		st_clean_add_literal(b, "false");
	}
}

void st_tell_add_amounts(struct st_clean_builder *b, const struct st_amounts *amounts)
{
	bool first = true;
	st_clean_add_literal(b, "{");
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if (amounts->of[m] == 0) {
			continue;
		}
		if (!first) {
			st_clean_add_literal(b, ",");
		}
		first = false;
		st_clean_add_meter(b, (enum st_meter)m);
		st_clean_add_literal(b, ":");
		st_clean_add_int(b, amounts->of[m]);
	}
	st_clean_add_literal(b, "}");
}

void st_tell_add_actor(struct st_clean_builder *b, const struct st_turn *turn)
{
	st_clean_add_literal(b, "\"by\":");
	st_clean_add_name(b, turn->actor->name);
	if (turn->actor->embedded) {
		st_clean_add_literal(b, ",\"embedded\":true");
	}
}

void st_tell_add_hash(struct st_clean_builder *b, const uint8_t hash[ST_HASH_BYTES])
{
	static const char hex[] = "0123456789abcdef";
	char text[2 * ST_HASH_BYTES + 1];
	for (int i = 0; i < ST_HASH_BYTES; i++) {
		text[2 * i] = hex[hash[i] >> 4];
		text[2 * i + 1] = hex[hash[i] & 15];
	}
	text[2 * ST_HASH_BYTES] = '\0';
	st_clean_add_name(b, text);
}

void st_tell_add_text_hash(struct st_clean_builder *b, const char *name,
			   const struct st_clean *text)
{
	uint8_t hash[ST_HASH_BYTES];
	if (text == NULL) {
		return;
	}
	(void)crypto_generichash(hash, sizeof hash, (const uint8_t *)st_clean_text(text),
				 st_clean_len(text), NULL, 0);
	st_clean_add_literal(b, ",");
	st_clean_add_name(b, name);
	st_clean_add_literal(b, ":");
	st_tell_add_hash(b, hash);
}

void st_tell_add_time(struct st_clean_builder *b, st_time at)
{
	char text[ST_TIME_TEXT_MAX];
	(void)st_time_format(at, text);
	st_clean_add_text(b, text, strlen(text));
}
