/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in the place of a secret, and when does the secret come in? */
#ifndef ST_STEPS_SECRET_H
#define ST_STEPS_SECRET_H

#include <jansson.h>
#include <stdbool.h>

#include "schemas/err.h"

/*
 * A marker stands for a string with secrets in it: {"\xff": ["text", {"\xff": "NAME"}, "text"]}.
 * See template.h for why nobody else can make one.
 */
#define ST_SECRET_MARKER "\xff"

/* Are there markers in the value? */
bool st_template_has_secrets(const json_t *value);

/* `resolve` gives the value of a secret, NUL-ended, borrowed until it is called again; NULL: there
 * is no such secret. */
struct st_secret_source {
	const char *(*resolve)(void *arg, const char *name);
	void *arg;
};

/*
 * Gives plain JSON with the secrets in place, to be sent at once and freed, never kept. Failures:
 * ST_ERR_NOT_FOUND (names the secret), ST_ERR_INVALID (a value is not UTF-8), ST_ERR_TOO_LARGE,
 * with the JSON pointer. No message holds a secret's value.
 */
int st_template_fill(const json_t *value, const struct st_secret_source *source, json_t **out,
		     struct st_diag *diag);

/* Plain JSON with "[secret:NAME]" in place of each secret: what is stored, hashed and shown. A new
 * reference, never NULL. */
json_t *st_template_display(const json_t *value);

#endif
