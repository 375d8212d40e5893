/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/amount.h"

#include <errno.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/decode.h"

#define METER_TEXT_MAX 64

static int unknown_meter(const char *text, struct st_diag *diag)
{
	struct st_buf known = {0};
	for (int m = 0; m < ST_METER_COUNT; m++) {
		st_buf_addf(&known, "%s, ", st_meter_name((enum st_meter)m));
	}
	int err =
	    st_fail(diag, ST_ERR_INVALID,
		    "expected METER=AMOUNT, got \"%.80s\"; meters: %scost_usd", text, known.data);
	st_buf_fini(&known);
	return err;
}

static bool read_dollars(const char *text, int64_t *nusd)
{
	struct st_decode decode = {0};
	json_t *value = json_string(text);
	int err = value != NULL ? st_decode_money(&decode, value, nusd) : ST_ERR_INVALID;
	json_decref(value);
	return err == ST_OK;
}

static bool read_whole(const char *text, int64_t *out)
{
	char *end = NULL;
	if (text[0] < '0' || text[0] > '9') {
		return false;
	}
	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0';
}

int st_amount_parse(const char *text, enum st_meter *meter, int64_t *amount, struct st_diag *diag)
{
	char name[METER_TEXT_MAX];
	const char *equals = strchr(text, '=');
	size_t len = equals != NULL ? (size_t)(equals - text) : 0;
	bool good = false;
	if (len == 0 || len >= sizeof name) {
		return unknown_meter(text, diag);
	}
	memcpy(name, text, len);
	name[len] = '\0';
	if (strcmp(name, "cost_usd") == 0) {
		*meter = ST_METER_COST_NUSD;
		good = read_dollars(equals + 1, amount);
	} else if (st_meter_parse(name, meter)) {
		good = read_whole(equals + 1, amount);
	} else {
		return unknown_meter(text, diag);
	}
	if (!good || *amount <= 0) {
		return st_fail(diag, ST_ERR_INVALID, "%s takes %s above 0, not \"%.80s\"", name,
			       strcmp(name, "cost_usd") == 0 ? "dollars" : "a whole number",
			       equals + 1);
	}
	return ST_OK;
}

static int add(struct st_decide *decide, const struct st_grant_asked *grant, struct st_diag *diag)
{
	if (decide->n_grants == ST_GRANTS_MAX) {
		return st_fail(diag, ST_ERR_TOO_LARGE, "more than %d grants at once",
			       ST_GRANTS_MAX);
	}
	decide->grants[decide->n_grants++] = *grant;
	return ST_OK;
}

/* Where the meter was refused, as far as a grant may reach. */
static int add_where_refused(struct st_decide *decide, struct st_grant_asked grant,
			     const json_t *halt, struct st_diag *diag)
{
	const json_t *verdict = json_object_get(halt, "verdict");
	size_t before = decide->n_grants;
	size_t i = 0;
	const json_t *refused = NULL;
	json_array_foreach(json_object_get(verdict, "refused"), i, refused)
	{
		const char *scope = json_string_value(json_object_get(refused, "scope"));
		const char *meter = json_string_value(json_object_get(refused, "meter"));
		if (scope == NULL || meter == NULL || !st_scope_parse(scope, &grant.scope) ||
		    grant.scope > ST_SCOPE_RUN || strcmp(meter, st_meter_name(grant.meter)) != 0) {
			continue;
		}
		int err = add(decide, &grant, diag);
		if (err != ST_OK) {
			return err;
		}
	}
	if (decide->n_grants > before) {
		return ST_OK;
	}
	grant.scope = ST_SCOPE_RUN;
	return add(decide, &grant, diag);
}

int st_amount_grant(struct st_decide *decide, const char *text, const json_t *halt,
		    struct st_diag *diag)
{
	static const enum st_scope scopes[] = {ST_SCOPE_RUN, ST_SCOPE_STEP};
	struct st_grant_asked grant = {0};
	bool named = false;
	for (size_t i = 0; i < 2 && !named; i++) {
		const char *name = st_scope_name(scopes[i]);
		if (strncmp(text, name, strlen(name)) == 0 && text[strlen(name)] == ':') {
			grant.scope = scopes[i];
			text += strlen(name) + 1;
			named = true;
		}
	}
	int err = st_amount_parse(text, &grant.meter, &grant.amount, diag);
	if (err != ST_OK) {
		return err;
	}
	return named ? add(decide, &grant, diag) : add_where_refused(decide, grant, halt, diag);
}
