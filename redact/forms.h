/* SPDX-License-Identifier: Apache-2.0 */
/* In which spellings may a declared secret turn up? */
#ifndef ST_REDACT_FORMS_H
#define ST_REDACT_FORMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redact/automaton.h"

/* One spelling: a place in the vault and the number of the secret's name. */
struct st_form {
	size_t at;
	uint32_t len;
	uint32_t name;
};

/* All spellings of all secrets, in locked memory. All zero is empty. */
struct st_forms {
	uint8_t *vault;
	size_t vault_len;
	size_t vault_cap;
	struct st_form *items;
	size_t n;
	size_t cap;
};

/*
 * Adds every spelling of a secret: raw, base64 and base64url in three alignments, hex, percent,
 * JSON once and twice escaped, HTML, shell; and those of its lines and JSON leaves. False when
 * bytes_max would be passed; what was added is taken back then.
 */
bool st_forms_add(struct st_forms *forms, const uint8_t *bytes, size_t len, uint32_t name,
		  size_t bytes_max);
/* The spellings as needles that borrow from the vault; st_free the array. */
struct st_needle *st_forms_needles(const struct st_forms *forms);
void st_forms_fini(struct st_forms *forms); /* zeroes the vault */

#endif
