/* SPDX-License-Identifier: Apache-2.0 */
#include "budgets/grant.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "schemas/mem.h"

struct st_grant {
	struct st_claim claim;
	struct st_amounts held;
};

/* The prefix and UUID of the call, '-', the longest int64_t, NUL. */
_Static_assert(2 + 36 + 1 + 19 + 1 <= ST_GRANT_KEY_MAX, "an idempotency key fits");

struct st_grant *st_grant_restore(const struct st_amounts *held, const struct st_claim *claim)
{
	assert(claim->attempt >= 1);
	assert(!st_id_is_none(claim->call));
	assert(!st_id_is_none(claim->hold));
	struct st_grant *grant = st_alloc(sizeof *grant);
	grant->claim = *claim;
	grant->held = *held;
	return grant;
}

struct st_grant *st_grant_make(const struct st_chain *chain, const struct st_amounts *asked,
			       const struct st_claim *claim, struct st_verdict *verdict)
{
	if (!st_ledger_hold(chain, asked, verdict)) {
		return NULL;
	}
	return st_grant_restore(asked, claim);
}

struct st_grant *st_grant_copy(const struct st_grant *grant)
{
	return st_grant_restore(&grant->held, &grant->claim);
}

void st_grant_free(struct st_grant *grant)
{
	st_free(grant);
}

struct st_id st_grant_call(const struct st_grant *grant)
{
	return grant->claim.call;
}

struct st_id st_grant_hold(const struct st_grant *grant)
{
	return grant->claim.hold;
}

int64_t st_grant_attempt(const struct st_grant *grant)
{
	return grant->claim.attempt;
}

const struct st_amounts *st_grant_amounts(const struct st_grant *grant)
{
	return &grant->held;
}

const char *st_grant_key(const struct st_grant *grant, char out[ST_GRANT_KEY_MAX])
{
	char call[ST_ID_TEXT_MAX];
	int n = snprintf(out, ST_GRANT_KEY_MAX, "%s-%" PRId64,
			 st_id_format(grant->claim.call, ST_ID_CALL, call), grant->claim.attempt);
	assert(n > 0);
	assert(n < ST_GRANT_KEY_MAX);
	return out;
}
