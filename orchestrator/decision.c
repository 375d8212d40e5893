/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/decision.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "schemas/decode.h"
#include "schemas/name.h"

static bool is_listed(const char *name, const char *const *known)
{
	for (; *known != NULL; known++) {
		if (strcmp(name, *known) == 0) {
			return true;
		}
	}
	return false;
}

/* A misspelt field must not mean that nothing was said. `known` ends with NULL. */
static int check_fields(struct st_decode *decode, const json_t *object, const char *const *known)
{
	const char *name = NULL;
	json_t *value = NULL;
	if (object == NULL) {
		return st_fail(decode->diag, ST_ERR_INVALID, "the body is empty: send an object");
	}
	if (!json_is_object(object)) {
		return st_decode_mismatch(decode, "an object", object);
	}
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		if (!is_listed(name, known)) {
			(void)st_decode_enter(decode, name);
			return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
					  "there is no field \"%.64s\" here", name);
		}
	}
	return ST_OK;
}

static int check_length(struct st_decode *decode, const char *name, const char *text, size_t max)
{
	if (text == NULL || strlen(text) <= max) {
		return ST_OK;
	}
	(void)st_decode_enter(decode, name);
	return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
			  "longer than %zu bytes: shorten it", max);
}

static int get_reason(struct st_decode *decode, const json_t *body, const char **reason)
{
	*reason = NULL;
	int err = st_decode_get_text(decode, body, "reason", reason);
	return err != ST_OK ? err : check_length(decode, "reason", *reason, ST_REASON_BYTES_MAX);
}

/* The text of a field that must be there. */
static int need_text(struct st_decode *decode, const json_t *body, const char *name,
		     const char **out)
{
	*out = NULL;
	int err = st_decode_get_text(decode, body, name, out);
	if (err == ST_OK && *out == NULL) {
		(void)st_decode_enter(decode, name);
		err = st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				 "the field \"%s\" is missing", name);
	}
	return err;
}

static int get_meter(struct st_decode *decode, const char *name, enum st_meter *out)
{
	if (st_meter_parse(name, out)) {
		return ST_OK;
	}
	return st_fail_at(
	    decode->diag, ST_ERR_INVALID, decode->pointer,
	    "there is no meter \"%.64s\"; meters are tokens, tool_steps, cost_nusd and "
	    "those that verdicts name",
	    name);
}

/* {meter: n} over what `amounts` holds. */
static int get_amounts(struct st_decode *decode, const json_t *object, struct st_amounts *amounts)
{
	const char *name = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		enum st_meter meter = ST_METER_TOKENS;
		size_t mark = st_decode_enter(decode, name);
		int err = get_meter(decode, name, &meter);
		if (err == ST_OK) {
			err = st_decode_int(decode, value, 0, INT64_MAX, &amounts->of[meter]);
		}
		if (err != ST_OK) {
			return err;
		}
		st_decode_leave(decode, mark);
	}
	return ST_OK;
}

static int get_grant(struct st_decode *decode, const json_t *item, struct st_grant_asked *grant)
{
	static const char *const known[] = {"scope", "meter", "amount", NULL};
	static const int64_t range[2] = {1, INT64_MAX};
	const char *scope = NULL;
	const char *meter = NULL;
	int err = check_fields(decode, item, known);
	if (err == ST_OK) {
		err = st_decode_get_text(decode, item, "scope", &scope);
	}
	if (err == ST_OK) {
		err = need_text(decode, item, "meter", &meter);
	}
	if (err != ST_OK) {
		return err;
	}
	grant->scope = ST_SCOPE_RUN;
	if (scope != NULL &&
	    (!st_scope_parse(scope, &grant->scope) || grant->scope > ST_SCOPE_RUN)) {
		(void)st_decode_enter(decode, "scope");
		return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "grants go to the scope \"run\" or \"step\", not \"%.64s\"",
				  scope);
	}
	size_t mark = st_decode_enter(decode, "meter");
	err = get_meter(decode, meter, &grant->meter);
	if (err != ST_OK) {
		return err;
	}
	st_decode_leave(decode, mark);
	grant->amount = 0;
	err = st_decode_get_int(decode, item, "amount", range, &grant->amount);
	if (err == ST_OK && grant->amount == 0) {
		err = st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				 "the field \"amount\" is missing");
	}
	return err;
}

static int get_grants(struct st_decode *decode, const json_t *body, struct st_decide *out)
{
	const json_t *grants = NULL;
	int err = st_decode_get_array(decode, body, "grants", &grants);
	if (err != ST_OK || grants == NULL) {
		return err;
	}
	size_t mark = st_decode_enter(decode, "grants");
	if (json_array_size(grants) > ST_GRANTS_MAX) {
		return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "at most %d grants at once", ST_GRANTS_MAX);
	}
	for (size_t i = 0; i < json_array_size(grants); i++) {
		size_t inner = st_decode_enter_index(decode, i);
		err = get_grant(decode, json_array_get(grants, i), &out->grants[i]);
		if (err != ST_OK) {
			return err;
		}
		st_decode_leave(decode, inner);
	}
	out->n_grants = json_array_size(grants);
	st_decode_leave(decode, mark);
	return ST_OK;
}

static int decode_grant(struct st_decode *decode, const json_t *body, struct st_decide *out)
{
	static const char *const known[] = {"decision", "grants", "reason", NULL};
	int err = check_fields(decode, body, known);
	out->decision = ST_DECISION_GRANT;
	return err != ST_OK ? err : get_grants(decode, body, out);
}

static int decode_deny(struct st_decode *decode, const json_t *body, struct st_decide *out)
{
	static const char *const known[] = {"decision", "reason", NULL};
	out->decision = ST_DECISION_DENY;
	return check_fields(decode, body, known);
}

static int get_outcome(struct st_decode *decode, const json_t *body, struct st_decide *out)
{
	const char *outcome = NULL;
	int err = need_text(decode, body, "outcome", &outcome);
	if (err != ST_OK) {
		return err;
	}
	out->happened = strcmp(outcome, "happened") == 0;
	if (!out->happened && strcmp(outcome, "did_not_happen") != 0) {
		(void)st_decode_enter(decode, "outcome");
		return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "expected \"happened\" or \"did_not_happen\"");
	}
	return ST_OK;
}

static int get_call(struct st_decode *decode, const json_t *body, struct st_decide *out)
{
	const char *call = NULL;
	int err = st_decode_get_text(decode, body, "call", &call);
	if (err == ST_OK && call != NULL && st_id_parse(call, ST_ID_CALL, &out->call) != ST_OK) {
		(void)st_decode_enter(decode, "call");
		err = st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				 "expected the id of a call: c_ and a UUID");
	}
	return err;
}

/* {meter: n} of what a call uses. Time is counted by stint itself. */
static int get_used(struct st_decode *decode, const json_t *body, const char *name,
		    struct st_amounts *out)
{
	const json_t *used = NULL;
	int err = st_decode_get_object(decode, body, name, &used);
	if (err != ST_OK || used == NULL) {
		return err;
	}
	size_t mark = st_decode_enter(decode, name);
	err = get_amounts(decode, used, out);
	const char *wall = st_meter_name(ST_METER_WALL_SECONDS);
	for (int m = 0; m < ST_METER_COUNT && err == ST_OK; m++) {
		if (out->of[m] > ST_USED_MAX) {
			(void)st_decode_enter(decode, st_meter_name((enum st_meter)m));
			err = st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
					 "no call uses more than %" PRId64, ST_USED_MAX);
		}
	}
	if (err == ST_OK && json_object_get(used, wall) != NULL) {
		(void)st_decode_enter(decode, wall);
		err = st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				 "wall_seconds are counted by stint itself: leave them out");
	}
	if (err == ST_OK) {
		st_decode_leave(decode, mark);
	}
	return err;
}

static int get_usage(struct st_decode *decode, const json_t *body, struct st_amounts *usage,
		     bool *known)
{
	*known = json_object_get(body, "usage") != NULL;
	return get_used(decode, body, "usage", usage);
}

static int get_external_id(struct st_decode *decode, const json_t *body, const char **id)
{
	int err = st_decode_get_text(decode, body, "external_id", id);
	return err != ST_OK ? err
			    : check_length(decode, "external_id", *id, ST_EXTERNAL_ID_BYTES_MAX);
}

static int decode_resolve(struct st_decode *decode, const json_t *body, struct st_decide *out)
{
	static const char *const known[] = {"decision", "outcome", "call", "external_id",
					    "usage",	"reason",  NULL};
	int err = check_fields(decode, body, known);
	out->decision = ST_DECISION_RESOLVE;
	if (err == ST_OK) {
		err = get_outcome(decode, body, out);
	}
	if (err == ST_OK) {
		err = get_call(decode, body, out);
	}
	if (err == ST_OK) {
		err = get_external_id(decode, body, &out->external_id);
	}
	return err != ST_OK ? err : get_usage(decode, body, &out->usage, &out->usage_known);
}

int st_decision_decode(const json_t *body, struct st_decide *out, struct st_diag *diag)
{
	static const struct {
		const char *name;
		int (*decode)(struct st_decode *decode, const json_t *body, struct st_decide *out);
	} decisions[] = {
	    {"grant", decode_grant}, {"deny", decode_deny}, {"resolve", decode_resolve}};
	struct st_decode decode = {.diag = diag};
	const char *decision = NULL;
	if (!json_is_object(body)) { /* says so; the fields depend on the decision */
		return check_fields(&decode, body, NULL);
	}
	int err = need_text(&decode, body, "decision", &decision);
	if (err == ST_OK) {
		err = get_reason(&decode, body, &out->reason);
	}
	if (err != ST_OK) {
		return err;
	}
	for (size_t i = 0; i < sizeof decisions / sizeof decisions[0]; i++) {
		if (strcmp(decision, decisions[i].name) == 0) {
			return decisions[i].decode(&decode, body, out);
		}
	}
	(void)st_decode_enter(&decode, "decision");
	return st_fail_at(diag, ST_ERR_INVALID, decode.pointer,
			  "expected \"grant\", \"deny\" or \"resolve\"");
}

int st_control_decode(const json_t *body, const char **reason, struct st_diag *diag)
{
	static const char *const known[] = {"reason", NULL};
	struct st_decode decode = {.diag = diag};
	*reason = NULL;
	if (body == NULL) {
		return ST_OK;
	}
	int err = check_fields(&decode, body, known);
	return err != ST_OK ? err : get_reason(&decode, body, reason);
}

int st_limits_decode(const json_t *body, struct st_amounts *limits, const char **reason,
		     struct st_diag *diag)
{
	static const char *const known[] = {"limits", "reason", NULL};
	struct st_decode decode = {.diag = diag};
	const json_t *object = NULL;
	for (int m = 0; m < ST_METER_COUNT; m++) {
		limits->of[m] = ST_UNLIMITED;
	}
	int err = check_fields(&decode, body, known);
	if (err == ST_OK) {
		err = get_reason(&decode, body, reason);
	}
	if (err == ST_OK) {
		err = st_decode_get_object(&decode, body, "limits", &object);
	}
	if (err != ST_OK) {
		return err;
	}
	(void)st_decode_enter(&decode, "limits");
	if (json_object_size(object) == 0) {
		return st_fail_at(diag, ST_ERR_INVALID, decode.pointer,
				  "name at least one limit: {\"limits\":{\"tokens\":200000}}");
	}
	return get_amounts(&decode, object, limits);
}

static int get_expiry(struct st_decode *decode, const json_t *body, st_time now,
		      struct st_token_wish *out)
{
	const json_t *value = json_object_get(body, "expires_at");
	out->expires_at = ST_TIME_NONE;
	if (value == NULL || json_is_null(value)) {
		return ST_OK;
	}
	const char *text = json_string_value(value);
	(void)st_decode_enter(decode, "expires_at");
	if (text == NULL || st_time_parse(text, &out->expires_at) != ST_OK) {
		return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "expected a time such as \"2027-01-31T00:00:00Z\", or null");
	}
	if (out->expires_at <= now) {
		return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "this time is over: the token would be worthless");
	}
	return ST_OK;
}

int st_token_decode(const json_t *body, st_time now, struct st_token_wish *out,
		    struct st_diag *diag)
{
	static const char *const known[] = {"role", "tenant", "name", "expires_at", NULL};
	struct st_decode decode = {.diag = diag};
	const char *role = NULL;
	int err = check_fields(&decode, body, known);
	*out = (struct st_token_wish){0};
	if (err == ST_OK) {
		err = need_text(&decode, body, "role", &role);
	}
	if (err == ST_OK && st_role_parse(role) < 0) {
		(void)st_decode_enter(&decode, "role");
		err = st_fail_at(diag, ST_ERR_INVALID, decode.pointer,
				 "expected \"viewer\", \"submitter\", \"approver\" or \"admin\"");
	}
	if (err == ST_OK) {
		out->actor.role = (enum st_role)st_role_parse(role);
		err = st_decode_get_name(&decode, body, "tenant", out->actor.tenant);
	}
	if (err == ST_OK) {
		err = st_decode_get_name(&decode, body, "name", out->actor.name);
	}
	return err != ST_OK ? err : get_expiry(&decode, body, now, out);
}

/* Calls that clients make */

static int get_ttl(struct st_decode *decode, const json_t *body, int64_t *ttl_seconds)
{
	static const int64_t range[2] = {1, ST_CLIENT_TTL_SECONDS_MAX};
	*ttl_seconds = ST_CLIENT_TTL_SECONDS;
	return st_decode_get_int(decode, body, "ttl_seconds", range, ttl_seconds);
}

static int get_kind(struct st_decode *decode, const json_t *body, char out[ST_CALL_KIND_MAX])
{
	const char *kind = NULL;
	int err = need_text(decode, body, "kind", &kind);
	if (err == ST_OK && (!st_name_is_valid(kind) || strlen(kind) >= ST_CALL_KIND_MAX)) {
		(void)st_decode_enter(decode, "kind");
		err = st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				 "say in up to %d of A-Z a-z 0-9 . _ - what sort of call it is: "
				 "\"model.generate\"",
				 ST_CALL_KIND_MAX - 1);
	}
	if (err == ST_OK) {
		memcpy(out, kind, strlen(kind) + 1);
	}
	return err;
}

static int get_params_hash(struct st_decode *decode, const json_t *body, struct st_client_hold *out)
{
	const char *hex = NULL;
	size_t len = 0;
	int err = st_decode_get_text(decode, body, "params_hash", &hex);
	out->has_params_hash = hex != NULL;
	if (err != ST_OK || hex == NULL) {
		return err;
	}
	if (strlen(hex) != 2 * (size_t)ST_HASH_BYTES ||
	    sodium_hex2bin(out->params_hash, ST_HASH_BYTES, hex, strlen(hex), NULL, &len, NULL) !=
		0 ||
	    len != ST_HASH_BYTES) {
		(void)st_decode_enter(decode, "params_hash");
		return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "expected a hash of %d bytes in hex digits", ST_HASH_BYTES);
	}
	return ST_OK;
}

int st_client_hold_decode(const json_t *body, struct st_client_hold *out, struct st_diag *diag)
{
	static const char *const known[] = {"step",	   "kind",	  "amounts",
					    "params_hash", "ttl_seconds", NULL};
	struct st_decode decode = {.diag = diag};
	int err = check_fields(&decode, body, known);
	if (err == ST_OK) {
		err = get_kind(&decode, body, out->kind);
	}
	if (err == ST_OK) {
		err = st_decode_get_text(&decode, body, "step", &out->step);
	}
	if (err == ST_OK) {
		err = get_used(&decode, body, "amounts", &out->amounts);
	}
	if (err == ST_OK && st_amounts_are_zero(&out->amounts)) {
		(void)st_decode_enter(&decode, "amounts");
		return st_fail_at(diag, ST_ERR_INVALID, decode.pointer,
				  "say what the call may use at most: {\"tokens\":4000}");
	}
	if (err == ST_OK) {
		err = get_params_hash(&decode, body, out);
	}
	if (err == ST_OK && !out->has_params_hash && out->amounts.of[ST_METER_DANGEROUS_OPS] > 0) {
		(void)st_decode_enter(&decode, "params_hash");
		return st_fail_at(diag, ST_ERR_INVALID, decode.pointer,
				  "a dangerous call needs the hash of what a person approves");
	}
	return err != ST_OK ? err : get_ttl(&decode, body, &out->ttl_seconds);
}

int st_client_settle_decode(const json_t *body, struct st_client_end *out, struct st_diag *diag)
{
	static const char *const known[] = {"usage", "external_id", NULL};
	struct st_decode decode = {.diag = diag};
	if (body == NULL) {
		return ST_OK;
	}
	int err = check_fields(&decode, body, known);
	if (err == ST_OK) {
		err = get_external_id(&decode, body, &out->external_id);
	}
	return err != ST_OK ? err : get_usage(&decode, body, &out->usage, &out->usage_known);
}

int st_client_extend_decode(const json_t *body, struct st_client_extend *out, struct st_diag *diag)
{
	static const char *const known[] = {"ttl_seconds", NULL};
	struct st_decode decode = {.diag = diag};
	int err = body == NULL ? ST_OK : check_fields(&decode, body, known);
	return err != ST_OK ? err : get_ttl(&decode, body, &out->ttl_seconds);
}

/* Either what it gave or why it failed. */
static int get_result(struct st_decode *decode, const json_t *body, struct st_step_end *out)
{
	static const int64_t range[2] = {1, ST_FOR_EACH_MAX};
	int64_t item = 0;
	int err = st_decode_get_int(decode, body, "item", range, &item);
	if (err == ST_OK) {
		err = st_decode_get_text(decode, body, "error", &out->error);
	}
	if (err == ST_OK) {
		err = check_length(decode, "error", out->error, ST_REASON_BYTES_MAX);
	}
	if (err != ST_OK) {
		return err;
	}
	out->item = (int)item;
	out->output = json_object_get(body, "output");
	if (out->succeeded ? out->error != NULL : out->output != NULL) {
		(void)st_decode_enter(decode, out->succeeded ? "error" : "output");
		return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "a step that succeeded has an output, one that failed an error");
	}
	return ST_OK;
}

int st_step_end_decode(const json_t *body, struct st_step_end *out, struct st_diag *diag)
{
	static const char *const known[] = {"outcome", "item", "output", "error", NULL};
	struct st_decode decode = {.diag = diag};
	const char *outcome = NULL;
	int err = check_fields(&decode, body, known);
	if (err == ST_OK) {
		err = need_text(&decode, body, "outcome", &outcome);
	}
	if (err != ST_OK) {
		return err;
	}
	out->succeeded = strcmp(outcome, "succeeded") == 0;
	if (!out->succeeded && strcmp(outcome, "failed") != 0) {
		(void)st_decode_enter(&decode, "outcome");
		return st_fail_at(diag, ST_ERR_INVALID, decode.pointer,
				  "expected \"succeeded\" or \"failed\"");
	}
	return get_result(&decode, body, out);
}
