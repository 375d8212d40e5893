/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/verdict.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/err.h"

const char *st_suggestion_name(enum st_suggestion suggestion)
{
	static const char *const names[] = {
	    [ST_SUGGEST_NONE] = "none",
	    [ST_SUGGEST_REQUEST_APPROVAL] = "request_approval",
	    [ST_SUGGEST_WAIT] = "wait",
	    [ST_SUGGEST_DOWNGRADE_MODEL] = "downgrade_model",
	    [ST_SUGGEST_USE_CACHE] = "use_cache",
	    [ST_SUGGEST_FIX_DEFINITION] = "fix_definition",
	};
	return names[suggestion];
}

static void add_refusal(struct st_buf *buf, const struct st_refusal *r)
{
	st_buf_addf(buf, "{\"scope\":\"%s\",\"scope_id\":", st_scope_name(r->scope));
	st_buf_add_json_string(buf, r->scope_id, strlen(r->scope_id));
	st_buf_addf(buf, ",\"meter\":\"%s\",\"window\":null", st_meter_name(r->meter));
	st_buf_addf(buf, ",\"limit\":%lld,\"granted\":%lld", (long long)r->limit,
		    (long long)r->granted);
	st_buf_addf(buf, ",\"settled\":%lld,\"held\":%lld", (long long)r->settled,
		    (long long)r->held);
	st_buf_addf(buf, ",\"asked\":%lld,\"remaining\":%lld}", (long long)r->asked,
		    (long long)r->remaining);
}

void st_verdict_add_json(struct st_buf *buf, const struct st_verdict *verdict)
{
	char until[ST_TIME_TEXT_MAX];
	st_buf_addf(buf, "{\"allowed\":%s,\"refused\":[", verdict->allowed ? "true" : "false");
	for (size_t i = 0; i < verdict->n_refused; i++) {
		if (i > 0) {
			st_buf_add_char(buf, ',');
		}
		add_refusal(buf, &verdict->refused[i]);
	}
	st_buf_addf(buf, "],\"suggest\":{\"action\":\"%s\",\"until\":",
		    st_suggestion_name(verdict->suggestion));
	if (verdict->until == ST_TIME_NONE) {
		st_buf_add_text(buf, "null");
	} else {
		st_buf_addf(buf, "\"%s\"", st_time_format(verdict->until, until));
	}
	st_buf_add_text(buf, ",\"model\":null}}");
}

static bool parse_refusal(const json_t *from, struct st_refusal *r)
{
	const char *scope = json_string_value(json_object_get(from, "scope"));
	const char *meter = json_string_value(json_object_get(from, "meter"));
	const char *id = json_string_value(json_object_get(from, "scope_id"));
	if (scope == NULL || meter == NULL || id == NULL || strlen(id) >= sizeof r->scope_id ||
	    !st_scope_parse(scope, &r->scope) || !st_meter_parse(meter, &r->meter)) {
		return false;
	}
	(void)snprintf(r->scope_id, sizeof r->scope_id, "%s", id);
	r->limit = json_integer_value(json_object_get(from, "limit"));
	r->granted = json_integer_value(json_object_get(from, "granted"));
	r->settled = json_integer_value(json_object_get(from, "settled"));
	r->held = json_integer_value(json_object_get(from, "held"));
	r->asked = json_integer_value(json_object_get(from, "asked"));
	r->remaining = json_integer_value(json_object_get(from, "remaining"));
	return r->limit >= ST_UNLIMITED && r->granted >= 0 && r->settled >= 0 && r->held >= 0 &&
	       r->asked >= 0 && r->remaining >= 0;
}

int st_verdict_parse(const char *json, struct st_verdict *verdict)
{
	json_t *doc = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	const json_t *refused = json_object_get(doc, "refused");
	size_t n = json_array_size(refused);
	bool sound = json_is_array(refused) && n <= ST_REFUSALS_MAX;
	for (size_t i = 0; sound && i < n; i++) {
		sound = parse_refusal(json_array_get(refused, i), &verdict->refused[i]);
	}
	json_decref(doc);
	if (!sound) {
		return ST_ERR_INVALID;
	}
	verdict->allowed = false;
	verdict->suggestion = ST_SUGGEST_REQUEST_APPROVAL;
	verdict->until = ST_TIME_NONE;
	verdict->n_refused = n;
	return ST_OK;
}
