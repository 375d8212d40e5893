/* SPDX-License-Identifier: Apache-2.0 */
/* Where do credentials stand that have no name: bearer tokens and the users of addresses? */
#ifndef ST_REDACT_CREDENTIAL_H
#define ST_REDACT_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "redact/place.h"

/* "Bearer <token>" wherever it stands. */
bool st_credential_match_bearer(struct st_place *place, size_t at, struct st_find *find);
/* The password of "://user:password@host"; `at` is the colon. */
bool st_credential_match_url(struct st_place *place, size_t at, struct st_find *find);

#endif
