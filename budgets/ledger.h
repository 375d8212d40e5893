/* SPDX-License-Identifier: Apache-2.0 */
/* Is there allowance for this call on every account that it touches? */
#ifndef ST_BUDGETS_LEDGER_H
#define ST_BUDGETS_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/err.h"
#include "schemas/meter.h"
#include "schemas/verdict.h"

/*
 * One meter of one scope instance. Conservation holds after every function below:
 *
 *	limit + granted = settled + held + remaining,  every term >= 0
 *
 * except after an overrun (a call that was made and cost more than was held): then settled + held
 * may pass limit + granted by at most `overrun`, remaining is 0, and every further ask above 0 is
 * refused until a grant covers it. Sums saturate at INT64_MAX and never wrap; `held` is always
 * exact, because an ask that could no longer be counted is refused, even where there is no limit.
 */
struct st_account {
	enum st_meter meter;
	int64_t limit;	 /* ST_UNLIMITED, or >= 0 */
	int64_t granted; /* sum of the approved increases */
	int64_t settled; /* really used */
	int64_t held;	 /* worst case of what is under way */
	int64_t overrun; /* sum of what passed its hold; part of settled */
	int64_t row;	 /* the store's row number, 0: none yet; the ledger ignores it */
	bool dirty;	 /* changed since the owner cleared this; a new account is dirty */
};

/* The accounts of one scope instance: only meters that were touched or limited, sorted by meter.
 * All-zero but for scope and id is a valid empty set. */
struct st_accounts {
	enum st_scope scope;
	char id[ST_NAME_MAX];
	struct st_account *of;
	size_t n;
	size_t cap;
	bool dirty; /* one of them is dirty; the owner clears this with theirs */
};

void st_accounts_fini(struct st_accounts *accounts);
/* The account of that meter, or NULL. Valid until an account is added to the same set. */
struct st_account *st_accounts_find(struct st_accounts *accounts, enum st_meter meter);
/* Finds it (its limit stays as it is), or adds it with that limit and nothing used. */
struct st_account *st_accounts_open(struct st_accounts *accounts, enum st_meter meter,
				    int64_t limit);

/* The scope instances that one call touches, narrowest first. None is NULL, all are different. */
struct st_chain {
	struct st_accounts *of[ST_SCOPE_COUNT];
};

/*
 * Holds `asked` on every account of the chain, or on none. True: held. False: nothing changed, and
 * the verdict names every account that refused, narrowest scope first, then in meter order. The
 * verdict is always filled, but its `refused` only up to n_refused. Missing accounts are opened
 * without a limit, but for the step's: it has those that are limited for it, and no others. An ask
 * of 0 on a meter is never refused and touches nothing.
 */
bool st_ledger_hold(const struct st_chain *chain, const struct st_amounts *asked,
		    struct st_verdict *verdict);
/* The answer that st_ledger_hold would give. Changes nothing. */
void st_ledger_check(const struct st_chain *chain, const struct st_amounts *asked,
		     struct st_verdict *verdict);

/* ST_UNLIMITED when there is no limit, else >= 0. */
int64_t st_ledger_remaining(const struct st_account *account);
/* The least remaining over all scopes, per meter; ST_UNLIMITED where none limits. */
void st_ledger_room(const struct st_chain *chain, struct st_amounts *left);
/* What a grant must add so that the ask of this refusal fits, > 0; or 0 when no grant can help: the
 * account has no limit, or the sum passes what can be counted. */
int64_t st_ledger_lack(const struct st_refusal *refusal);

/*
 * Ends a hold: gives back `held`, adds `used`. What passes the hold is the overrun: written to
 * *overrun and added to the accounts; a meter that was not held at all is overrun whole. It is a
 * bug to give back more than is held.
 */
void st_ledger_settle(const struct st_chain *chain, const struct st_amounts *held,
		      const struct st_amounts *used, struct st_amounts *overrun);
/* Ends the hold of a call that provably was not made. */
void st_ledger_void(const struct st_chain *chain, const struct st_amounts *held);

/* Raises what was granted by amount >= 0. It is a bug to call this on an account that is missing or
 * has no limit: see st_ledger_lack. */
void st_ledger_grant(struct st_accounts *accounts, enum st_meter meter, int64_t amount);
/*
 * A live change of the limit (ST_UNLIMITED or >= 0); opens the account when it is missing.
 * Failures: ST_ERR_INVALID; ST_ERR_CONFLICT for a limit below the present one and below what is
 * settled and held already, with the least possible limit in the text. The account is then
 * untouched.
 */
int st_ledger_set_limit(struct st_accounts *accounts, enum st_meter meter, int64_t limit,
			struct st_diag *diag);

/* Asserts conservation on every account of the chain, and that they are sorted. */
void st_ledger_prove(const struct st_chain *chain);

#endif
