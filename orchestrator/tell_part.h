/* SPDX-License-Identifier: Apache-2.0 */
/* Which parts do several events' data share? */
#ifndef ST_ORCHESTRATOR_TELL_PART_H
#define ST_ORCHESTRATOR_TELL_PART_H

#include "orchestrator/tell.h"

struct st_clean_builder st_tell_begin(const struct st_turn *turn);
/* As a JSON string, or null. */
void st_tell_add_text(struct st_clean_builder *b, const struct st_clean *clean);
void st_tell_add_bool(struct st_clean_builder *b, bool value);
void st_tell_add_amounts(struct st_clean_builder *b, const struct st_amounts *amounts);
/* "by":… and how. */
void st_tell_add_actor(struct st_clean_builder *b, const struct st_turn *turn);
void st_tell_add_time(struct st_clean_builder *b, st_time at);
/* In hexadecimal digits. */
void st_tell_add_hash(struct st_clean_builder *b, const uint8_t hash[ST_HASH_BYTES]);
/* ,"name":"…": the hash of the text; nothing when it is NULL. */
void st_tell_add_text_hash(struct st_clean_builder *b, const char *name,
			   const struct st_clean *text);

#endif
