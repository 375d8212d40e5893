/* SPDX-License-Identifier: Apache-2.0 */
/* What do the two web kinds have in common? Private to web.search and web.extract. */
#ifndef ST_STEPS_WEB_H
#define ST_STEPS_WEB_H

#include <jansson.h>
#include <stdbool.h>

#include "schemas/call.h"
#include "schemas/config.h"
#include "schemas/err.h"
#include "steps/kind.h"

/* The provider of that name, which must speak `api`. ST_ERR_INVALID otherwise. */
int st_web_provider(const struct st_config *config, const char *name, enum st_api api,
		    const struct st_provider **out, struct st_diag *diag);

/* The price of one unit in nano-USD: "request_usd" of the config's price for "provider/unit", or
 * for the provider's bare name. -1: there is none. */
int64_t st_web_price(const struct st_config *config, const char *provider, const char *unit);
/* ST_ERR_UNSUPPORTED when there is no price (-1) and a cost budget needs one; the text names the
 * field to set. */
int st_web_price_needed(int64_t nusd, const struct st_room *room, const char *provider,
			const char *unit, struct st_diag *diag);

/* count units at nusd each, saturating; 0 when nusd is -1. */
int64_t st_web_cost(int64_t nusd, int64_t count);

/* Parses a whole 2xx answer into an object. False: the outcome is ended by the rules of reply.h, or
 * as FAILED and settled at what was held, because what cannot be read may have been billed. */
bool st_web_body(struct st_outcome *out, const char *who, const struct st_http_response *response,
		 json_t **body);

/* {"url","title"} of one source; a new reference. */
json_t *st_web_citation(const json_t *url, const json_t *title);

#endif
