/* SPDX-License-Identifier: Apache-2.0 */
/* May it be seen? Takes text from outside and gives it back without its secrets. */
#ifndef ST_REDACT_REDACT_H
#define ST_REDACT_REDACT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redact/clean.h"
#include "redact/marker.h"
#include "schemas/buf.h"
#include "schemas/err.h"

#define ST_REDACT_SECRET_MIN 6		      /* bytes; shorter ones would wreck the text */
#define ST_REDACT_SECRET_MAX (8 * 1024)	      /* bytes of one declared secret */
#define ST_REDACT_NEEDLE_BYTES_MAX (8 << 20)  /* bytes of all forms of all declared secrets */
#define ST_REDACT_TEXT_MAX (64 * 1024 * 1024) /* bytes of one text; longer ones are withheld */
#define ST_REDACT_DEPTH_MAX 64		      /* levels of one JSON value */

/*
 * The rules and the declared secrets. Made in two phases: new, secret*, build; from then on it
 * never changes and may be used by many threads at once.
 */
struct st_redactor;

struct st_redactor *st_redactor_new(void);
#define ST_REDACT_KEY_BYTES 32
/*
 * Markers carry a fingerprint from here on: the beginning of a keyed hash of what they stand for,
 * the same for all spellings of a declared secret. Without the key it tells nothing; so give each
 * tenant its own, and none to what could be guessed by trying: values of little entropy get no
 * fingerprint. To be called first, if at all.
 */
void st_redactor_key(struct st_redactor *redactor, const uint8_t key[ST_REDACT_KEY_BYTES]);
/*
 * Declares a secret under a name that may be shown ([A-Za-z0-9._-], at most 64 bytes). The value is
 * found raw and encoded (base64, hex, percent, JSON, HTML, shell), whole, and line by line or leaf
 * by leaf when it has several lines or is JSON. ST_ERR_INVALID, with a warning text for people
 * that never holds the value: too short, a plain word of stint's own markers, or a bad name; the
 * redactor is unchanged. ST_ERR_TOO_LARGE; ST_ERR_CONFLICT after build.
 */
int st_redactor_secret(struct st_redactor *redactor, const char *name, const void *bytes,
		       size_t len, struct st_diag *diag);
/* Adds the operator's own rules, see redact/rules.h for their form. Once, before build. */
int st_redactor_rules(struct st_redactor *redactor, const json_t *rules, struct st_diag *diag);
/* Seals the redactor. Call it exactly once, also when no secret is declared. */
int st_redactor_build(struct st_redactor *redactor, struct st_diag *diag);
void st_redactor_free(struct st_redactor *redactor); /* zeroes the secrets; NULL is fine */

/*
 * Redacts a whole text. Never NULL and never fails open: when the text cannot be redacted the
 * result is "[redacted:error]" and st_clean_failed() is true. Redacting twice changes nothing.
 */
struct st_clean *st_redact_text(const struct st_redactor *redactor, const char *text, size_t len);
/* What stood where a marker stands now; no text of it. */
struct st_redact_found {
	size_t start; /* in the text, in bytes */
	size_t end;
	const char *rule; /* of a declared secret its name */
	bool declared;
	uint32_t fingerprint; /* 0: none */
};
/* Tells what st_redact_text would replace, in order. */
void st_redact_explain(const struct st_redactor *redactor, const char *text, size_t len,
		       void (*found)(void *arg, const struct st_redact_found *found), void *arg);
/*
 * Redacts a JSON value and gives its compact text, which is valid JSON. Values under secret-named
 * keys become a marker string, other strings (and keys) are scanned, strings that hold JSON are
 * walked. Key order is kept.
 */
struct st_clean *st_redact_json(const struct st_redactor *redactor, const json_t *value);

#endif
