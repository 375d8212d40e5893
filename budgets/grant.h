/* SPDX-License-Identifier: Apache-2.0 */
/* May this call leave? */
#ifndef ST_BUDGETS_GRANT_H
#define ST_BUDGETS_GRANT_H

#include "budgets/ledger.h"
#include "schemas/id.h"
#include "schemas/meter.h"
#include "schemas/verdict.h"

/*
 * The permission to make one attempt of one call. Whoever has one knows that its worst case is held
 * on every account. Only this folder can make one: whoever starts a call takes a grant, so that a
 * call without a hold does not compile. One heap object, immutable.
 */
struct st_grant;

/* Which attempt of which call, and under which name its hold is kept. */
struct st_claim {
	struct st_id call;
	struct st_id hold;
	int64_t attempt; /* >= 1 */
};

/* Holds `asked` on the chain (st_ledger_hold) and gives the grant; NULL: refused, nothing changed,
 * see the verdict, which is always filled. */
struct st_grant *st_grant_make(const struct st_chain *chain, const struct st_amounts *asked,
			       const struct st_claim *claim, struct st_verdict *verdict);
/* For recovery only: the grant of a hold that the store has and that the loaded accounts count
 * already. Changes no account. */
struct st_grant *st_grant_restore(const struct st_amounts *held, const struct st_claim *claim);
/* A second object for the same hold, to be handed to whoever performs the call. */
struct st_grant *st_grant_copy(const struct st_grant *grant);
/* Frees the object; the hold stays until it is settled or voided in the ledger. NULL is fine. */
void st_grant_free(struct st_grant *grant);

struct st_id st_grant_call(const struct st_grant *grant);
struct st_id st_grant_hold(const struct st_grant *grant);
int64_t st_grant_attempt(const struct st_grant *grant);
/* What is held. Borrowed from the grant. */
const struct st_amounts *st_grant_amounts(const struct st_grant *grant);

#define ST_GRANT_KEY_MAX 64
/* Writes the idempotency key of this attempt, "c_<uuid>-<attempt>"; returns out. */
const char *st_grant_key(const struct st_grant *grant, char out[ST_GRANT_KEY_MAX]);

#endif
