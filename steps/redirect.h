/* SPDX-License-Identifier: Apache-2.0 */
/* Is a redirect followed, and what goes along? */
#ifndef ST_STEPS_REDIRECT_H
#define ST_STEPS_REDIRECT_H

#include <stdbool.h>

#include "schemas/call.h"
#include "steps/url.h"

/* 301, 302, 303, 307 or 308? */
bool st_redirect_status(int status);

/* NULL: the request may be sent on to `to`. Else why not, a literal. Only a GET or HEAD without a
 * body is ever sent on: anything else might have an effect, and is never made twice. */
const char *st_redirect_refusal(const struct st_http_request *request, const struct st_url *from,
				const struct st_url *to);

/* Removes the headers that must not go to another origin: all but a few that hold no secret. */
void st_redirect_strip(struct st_http_request *request);

#endif
