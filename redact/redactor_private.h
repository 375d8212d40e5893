/* SPDX-License-Identifier: Apache-2.0 */
/* What is inside a redactor? Only for redact/ itself. */
#ifndef ST_REDACT_REDACTOR_PRIVATE_H
#define ST_REDACT_REDACTOR_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "redact/anchor.h"
#include "redact/automaton.h"
#include "redact/fingerprint.h"
#include "redact/forms.h"
#include "redact/token.h"

#define ST_REDACTOR_NAME_MAX 64

struct st_redactor {
	bool built;
	struct st_fingerprint_key key;
	uint32_t *fingerprints; /* of the declared secrets, like names */
	struct st_tokens *tokens;
	struct st_rules *rules; /* NULL: none */
	struct st_anchors *anchors;
	struct st_automaton *exact; /* NULL when no secret is declared */
	struct st_forms forms;	    /* empty after build */
	char (*names)[ST_REDACTOR_NAME_MAX + 1];
	size_t n;
	size_t cap;
};

#endif
