/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/web.h"

#include <assert.h>
#include <stdio.h>

#include "schemas/json.h"
#include "steps/outgoing.h"
#include "steps/reply.h"

int st_web_provider(const struct st_config *config, const char *name, enum st_api api,
		    const struct st_provider **out, struct st_diag *diag)
{
	*out = st_outgoing_provider(config, name, "/provider", diag);
	if (*out == NULL) {
		return ST_ERR_INVALID;
	}
	if ((*out)->api != api) {
		return st_fail_at(diag, ST_ERR_INVALID, "/provider",
				  "this kind needs a provider whose \"api\" is \"%s\"; that of "
				  "\"%s\" is \"%s\"",
				  st_api_name(api), name, st_api_name((*out)->api));
	}
	return ST_OK;
}

int64_t st_web_price(const struct st_config *config, const char *provider, const char *unit)
{
	char key[sizeof((struct st_price *)NULL)->model];
	(void)snprintf(key, sizeof key, "%s/%s", provider, unit);
	const struct st_price *price = st_config_price(config, key);
	if (price == NULL || price->request < 0) {
		price = st_config_price(config, provider);
	}
	return price != NULL && price->request >= 0 ? price->request : -1;
}

int st_web_price_needed(int64_t nusd, const struct st_room *room, const char *provider,
			const char *unit, struct st_diag *diag)
{
	if (nusd >= 0 || room->left.of[ST_METER_COST_NUSD] == ST_UNLIMITED) {
		return ST_OK;
	}
	return st_fail_at(
	    diag, ST_ERR_UNSUPPORTED, "/provider",
	    "\"%s\" has no price, so nothing bounds its cost under a cost budget: set "
	    "\"request_usd\" of \"%s\" under \"prices\" in the config to the dearest %s",
	    provider, provider, unit);
}

int64_t st_web_cost(int64_t nusd, int64_t count)
{
	assert(count >= 0);
	if (nusd <= 0 || count == 0) {
		return 0;
	}
	return nusd > INT64_MAX / count ? INT64_MAX : nusd * count;
}

bool st_web_body(struct st_outcome *out, const char *who, const struct st_http_response *response,
		 json_t **body)
{
	if (st_reply_refused(out, who, response)) {
		return false;
	}
	if (response->body != NULL && st_json_parse(response->body, response->body_len,
						    response->body_len, body, NULL) == ST_OK) {
		if (json_is_object(*body)) {
			return true;
		}
		json_decref(*body);
	}
	out->retryable = true;
	st_reply_end(out, ST_OUTCOME_FAILED, "provider.bad_answer",
		     "%s answered with something that is no answer", who);
	return false;
}

json_t *st_web_citation(const json_t *url, const json_t *title)
{
	return json_pack("{s:O, s:O}", "url", url, "title", title);
}
