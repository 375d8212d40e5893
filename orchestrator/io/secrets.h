/* SPDX-License-Identifier: Apache-2.0 */
/* What do the config's references to secrets stand for? */
#ifndef ST_ORCHESTRATOR_IO_SECRETS_H
#define ST_ORCHESTRATOR_IO_SECRETS_H

#include "schemas/config.h"

struct st_redactor;
struct st_secrets;

/*
 * Resolves every declared secret and provider key once: from the environment,
 * or from a file that nobody but its owner and group may read. One that is
 * missing is no failure here: calls that need it are refused, by name. Each
 * value found is declared to the redactor (not built yet). Gives *out.
 */
int st_secrets_load(const struct st_config *config, struct st_redactor *redactor,
		    struct st_secrets **out, struct st_diag *diag);
void st_secrets_free(struct st_secrets *secrets); /* zeroes the values; NULL is fine */

/* Borrowed; NULL when there is none. For st_secret_source. */
const char *st_secrets_get(void *secrets, const char *name);
const char *st_secrets_provider_key(const struct st_secrets *secrets, const char *provider);

#endif
