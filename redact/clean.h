/* SPDX-License-Identifier: Apache-2.0 */
/* Which text may be stored or shown? Only what redact/ made: a struct st_clean. */
#ifndef ST_REDACT_CLEAN_H
#define ST_REDACT_CLEAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/buf.h"
#include "schemas/id.h"
#include "schemas/meter.h"
#include "schemas/state.h"

/*
 * Opaque on purpose: a sink that takes a struct st_clean cannot be handed raw text. One heap
 * block, never changed after it was made, so it may be read by any thread.
 */
struct st_clean;
struct st_redactor;

const char *st_clean_text(const struct st_clean *clean); /* NUL-ended, never NULL */
size_t st_clean_len(const struct st_clean *clean);
/* How many places were replaced by a marker. */
size_t st_clean_redactions(const struct st_clean *clean);
/* True when redaction could not be done and the text (or a part) is "[redacted:error]". */
bool st_clean_failed(const struct st_clean *clean);
/* Gives a copy. NULL gives NULL. */
struct st_clean *st_clean_copy(const struct st_clean *clean);
void st_clean_free(struct st_clean *clean); /* NULL is fine */

#define st_autoclean __attribute__((cleanup(st_clean_cleanup)))
void st_clean_cleanup(struct st_clean **clean);

/*
 * Clean JSON put together by stint itself. Hot events are literals, numbers, ids and names, which
 * need no scan; anything that came from outside goes through add_text or add_json, which redact.
 *
 *	struct st_clean_builder b;
 *	st_clean_builder_init(&b, redactor);
 *	st_clean_add_literal(&b, "{\"call\":");
 *	st_clean_add_id(&b, call->id, ST_ID_CALL);
 *	st_clean_add_literal(&b, ",\"tokens\":");
 *	st_clean_add_int(&b, tokens);
 *	st_clean_add_literal(&b, "}");
 *	struct st_clean *clean = st_clean_builder_finish(&b);
 *
 * The fields belong to redact/; touching them elsewhere forges clean text.
 */
struct st_clean_builder {
	const struct st_redactor *private_redactor;
	struct st_buf private_buf;
	size_t private_redactions;
	bool private_failed;
};

/* Borrows the redactor, which must be built, until finish or fini. */
void st_clean_builder_init(struct st_clean_builder *builder, const struct st_redactor *redactor);
/* Gives the text and leaves the builder empty (init it again to reuse it). */
struct st_clean *st_clean_builder_finish(struct st_clean_builder *builder);
void st_clean_builder_fini(struct st_clean_builder *builder); /* drops an unfinished text */

/* Adds a string literal as it stands; anything else does not compile. */
#define st_clean_add_literal(builder, text)                                                        \
	st_clean_builder_add_literal((builder), "" text "", sizeof("" text "") - 1)
void st_clean_builder_add_literal(struct st_clean_builder *builder, const char *text, size_t len);

void st_clean_add_int(struct st_clean_builder *builder, int64_t n);
/* Adds "prefix + UUID" as a JSON string; prefix is one of ST_ID_*. */
void st_clean_add_id(struct st_clean_builder *builder, struct st_id id, const char *prefix);

#define ST_CLEAN_NAME_MAX 128
/*
 * Adds a name (enum name, step id, meter, scope) as a JSON string: [A-Za-z0-9._-], 1 to
 * ST_CLEAN_NAME_MAX bytes, and not itself a secret. Anything else becomes "[redacted:name]".
 */
void st_clean_add_name(struct st_clean_builder *builder, const char *name);
/* Add a word of stint's own as a JSON string: no scan, since it is none of anybody's secrets. */
void st_clean_add_meter(struct st_clean_builder *builder, enum st_meter meter);
void st_clean_add_scope(struct st_clean_builder *builder, enum st_scope scope);
void st_clean_add_state(struct st_clean_builder *builder, const struct st_machine *machine,
			int state);
/* Adds other clean text as a JSON string; bytes that are not UTF-8, and NUL, become U+FFFD. */
void st_clean_add_clean(struct st_clean_builder *builder, const struct st_clean *clean);
/* Adds clean text that is JSON itself (made by st_redact_json or a builder) as it stands. */
void st_clean_add_clean_json(struct st_clean_builder *builder, const struct st_clean *json);
/* Redacts text from outside and adds it as a JSON string, as add_clean does. */
void st_clean_add_text(struct st_clean_builder *builder, const char *text, size_t len);
/* Redacts a JSON value from outside and adds it. */
void st_clean_add_json(struct st_clean_builder *builder, const json_t *value);

#endif
