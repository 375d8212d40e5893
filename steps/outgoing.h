/* SPDX-License-Identifier: Apache-2.0 */
/* How does a request to the outside begin? */
#ifndef ST_STEPS_OUTGOING_H
#define ST_STEPS_OUTGOING_H

#include <jansson.h>

#include "schemas/call.h"
#include "schemas/config.h"
#include "schemas/err.h"
#include "steps/kind.h"

/* How long and how much. idle_ms may be above total_ms: then it is total_ms. */
struct st_outgoing_limits {
	int64_t total_ms;
	int64_t idle_ms;
	size_t response_bytes_max;
};

/* The provider of that name. NULL with a failure at `pointer` that names the config field. */
const struct st_provider *st_outgoing_provider(const struct st_config *config, const char *name,
					       const char *pointer, struct st_diag *diag);

/* Is this a URL that may be called? See steps/url.h; the failure is at `pointer`. */
int st_outgoing_url(const char *url, const char *pointer, struct st_diag *diag);

/* Writes "VERB scheme://host/path" for people, without the query, where secrets are passed. */
void st_outgoing_intent(char out[ST_INTENT_MAX], const char *verb, const char *url);

/* Begins *out: method, URL (copied), limits, no redirects, and the headers that every call of stint
 * carries: Idempotency-Key, x-stint-run, x-stint-step. The caller owns *out from then on. */
void st_outgoing_begin(struct st_http_request *out, const char *method, const char *url,
		       const struct st_outgoing_limits *limits,
		       const struct st_call_context *context);

/* The same for a POST to `path` below the provider's base URL, which may be a cassette. */
void st_outgoing_begin_at(struct st_http_request *out, const struct st_provider *provider,
			  const char *path, const struct st_outgoing_limits *limits,
			  const struct st_call_context *context);

/* Sets the body to the compact text of `body` and content-type to JSON. Takes the reference. */
void st_outgoing_json(struct st_http_request *out, json_t *body);

/* Adds the provider's key, when it has one, as `header`: bare, or behind "Bearer " for
 * "authorization". ST_ERR_NOT_FOUND when the config names a key and its source gives none (a
 * cassette needs none), ST_ERR_INVALID for a key that cannot be sent (line breaks): *out is then
 * freed; the key is never in the text. */
int st_outgoing_key(struct st_http_request *out, const struct st_provider *provider,
		    const char *header, const struct st_call_context *context,
		    struct st_diag *diag);

#endif
