/* SPDX-License-Identifier: Apache-2.0 */
#include "budgets/ledger.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "schemas/mem.h"

/*
 * A hold walks the chain twice: the first walk only looks and notes every refusal, the second one
 * writes, and runs only when the first found none. So there is nothing to undo. A call asks for one
 * to four of the meters; they are picked out once.
 */
struct picked {
	size_t n;
	enum st_meter meters[ST_METER_COUNT];
};

static void pick(const struct st_amounts *a, const struct st_amounts *b, struct picked *out)
{
	out->n = 0;
	for (int m = 0; m < ST_METER_COUNT; m++) {
		assert(a->of[m] >= 0);
		assert(b->of[m] >= 0);
		if ((a->of[m] | b->of[m]) != 0) {
			out->meters[out->n++] = (enum st_meter)m;
		}
	}
}

void st_accounts_fini(struct st_accounts *accounts)
{
	if (accounts == NULL) {
		return;
	}
	st_free(accounts->of);
	accounts->of = NULL;
	accounts->n = 0;
	accounts->cap = 0;
	accounts->dirty = false;
}

/* The place of a meter: its account's, or where that would go. */
static size_t place(const struct st_accounts *accounts, enum st_meter meter)
{
	size_t i = 0;
	while (i < accounts->n && accounts->of[i].meter < meter) {
		i++;
	}
	return i;
}

struct st_account *st_accounts_find(struct st_accounts *accounts, enum st_meter meter)
{
	assert((unsigned)meter < ST_METER_COUNT);
	size_t i = place(accounts, meter);
	if (i == accounts->n || accounts->of[i].meter != meter) {
		return NULL;
	}
	return &accounts->of[i];
}

static struct st_account *add_account(struct st_accounts *accounts, enum st_meter meter,
				      int64_t limit)
{
	assert(accounts->n < ST_METER_COUNT);
	if (accounts->n == accounts->cap) {
		accounts->cap = accounts->cap == 0 ? 4 : accounts->cap * 2;
		accounts->of = st_realloc(accounts->of, accounts->cap * sizeof(struct st_account));
	}
	size_t i = place(accounts, meter);
	memmove(&accounts->of[i + 1], &accounts->of[i],
		(accounts->n - i) * sizeof(struct st_account));
	accounts->of[i] = (struct st_account){.meter = meter, .limit = limit, .dirty = true};
	accounts->n++;
	accounts->dirty = true;
	return &accounts->of[i];
}

struct st_account *st_accounts_open(struct st_accounts *accounts, enum st_meter meter,
				    int64_t limit)
{
	assert(limit >= ST_UNLIMITED);
	struct st_account *account = st_accounts_find(accounts, meter);
	return account != NULL ? account : add_account(accounts, meter, limit);
}

/* The account to hold on and to settle to, or NULL: a step has accounts only of what is limited
 * for it, since everything else that it uses is counted by its run. */
static struct st_account *counted(struct st_accounts *accounts, enum st_meter meter)
{
	return accounts->scope == ST_SCOPE_STEP ? st_accounts_find(accounts, meter)
						: st_accounts_open(accounts, meter, ST_UNLIMITED);
}

static void touch(struct st_accounts *accounts, struct st_account *account)
{
	account->dirty = true;
	accounts->dirty = true;
}

/* How much more can be held; without a limit, how much more can be counted. */
static int64_t room_of(const struct st_account *account)
{
	int64_t total = account->limit == ST_UNLIMITED
			    ? INT64_MAX
			    : st_add_saturating(account->limit, account->granted);
	int64_t used = st_add_saturating(account->settled, account->held);
	return total > used ? total - used : 0;
}

int64_t st_ledger_remaining(const struct st_account *account)
{
	return account->limit == ST_UNLIMITED ? ST_UNLIMITED : room_of(account);
}

static void refuse(struct st_verdict *verdict, const struct st_accounts *accounts,
		   const struct st_account *account, int64_t asked)
{
	assert(verdict->n_refused < ST_REFUSALS_MAX);
	struct st_refusal *refusal = &verdict->refused[verdict->n_refused++];
	refusal->scope = accounts->scope;
	refusal->meter = account->meter;
	memcpy(refusal->scope_id, accounts->id, sizeof refusal->scope_id);
	refusal->limit = account->limit;
	refusal->granted = account->granted;
	refusal->settled = account->settled;
	refusal->held = account->held;
	refusal->asked = asked;
	refusal->remaining = room_of(account);
	verdict->allowed = false;
	if (st_ledger_lack(refusal) == 0) {
		verdict->suggestion = ST_SUGGEST_FIX_DEFINITION;
	} else if (verdict->suggestion == ST_SUGGEST_NONE) {
		verdict->suggestion = ST_SUGGEST_REQUEST_APPROVAL;
	}
}

static void check(const struct st_chain *chain, const struct st_amounts *asked,
		  const struct picked *picked, struct st_verdict *verdict)
{
	verdict->allowed = true;
	verdict->suggestion = ST_SUGGEST_NONE;
	verdict->until = ST_TIME_NONE;
	verdict->n_refused = 0;
	for (size_t s = 0; s < ST_SCOPE_COUNT; s++) {
		struct st_accounts *accounts = chain->of[s];
		assert(accounts != NULL);
		for (size_t i = 0; i < picked->n; i++) {
			enum st_meter meter = picked->meters[i];
			const struct st_account *account = st_accounts_find(accounts, meter);
			if (account != NULL && asked->of[meter] > room_of(account)) {
				refuse(verdict, accounts, account, asked->of[meter]);
			}
		}
	}
}

void st_ledger_check(const struct st_chain *chain, const struct st_amounts *asked,
		     struct st_verdict *verdict)
{
	struct picked picked;
	pick(asked, asked, &picked);
	check(chain, asked, &picked, verdict);
}

bool st_ledger_hold(const struct st_chain *chain, const struct st_amounts *asked,
		    struct st_verdict *verdict)
{
	struct picked picked;
	pick(asked, asked, &picked);
	check(chain, asked, &picked, verdict);
	if (!verdict->allowed) {
		return false;
	}
	for (size_t s = 0; s < ST_SCOPE_COUNT; s++) {
		for (size_t i = 0; i < picked.n; i++) {
			enum st_meter meter = picked.meters[i];
			struct st_account *account = counted(chain->of[s], meter);
			if (account == NULL) {
				continue;
			}
			account->held += asked->of[meter];
			assert(account->held >= asked->of[meter]);
			touch(chain->of[s], account);
		}
	}
	return true;
}

void st_ledger_room(const struct st_chain *chain, struct st_amounts *left)
{
	for (int m = 0; m < ST_METER_COUNT; m++) {
		left->of[m] = ST_UNLIMITED;
	}
	for (size_t s = 0; s < ST_SCOPE_COUNT; s++) {
		const struct st_accounts *accounts = chain->of[s];
		for (size_t i = 0; i < accounts->n; i++) {
			int64_t remaining = st_ledger_remaining(&accounts->of[i]);
			int64_t *least = &left->of[accounts->of[i].meter];
			if (remaining != ST_UNLIMITED &&
			    (*least == ST_UNLIMITED || remaining < *least)) {
				*least = remaining;
			}
		}
	}
}

int64_t st_ledger_lack(const struct st_refusal *refusal)
{
	if (refusal->limit == ST_UNLIMITED) {
		return 0;
	}
	int64_t total = st_add_saturating(refusal->limit, refusal->granted);
	int64_t used = st_add_saturating(refusal->settled, refusal->held);
	if (refusal->asked > INT64_MAX - used) {
		return 0;
	}
	assert(used + refusal->asked > total);
	return used + refusal->asked - total;
}

void st_ledger_settle(const struct st_chain *chain, const struct st_amounts *held,
		      const struct st_amounts *used, struct st_amounts *overrun)
{
	struct picked picked;
	pick(held, used, &picked);
	struct st_amounts over = {{0}};
	for (size_t i = 0; i < picked.n; i++) {
		enum st_meter m = picked.meters[i];
		over.of[m] = used->of[m] > held->of[m] ? used->of[m] - held->of[m] : 0;
	}
	for (size_t s = 0; s < ST_SCOPE_COUNT; s++) {
		assert(chain->of[s] != NULL);
		for (size_t i = 0; i < picked.n; i++) {
			enum st_meter m = picked.meters[i];
			struct st_account *account = counted(chain->of[s], m);
			if (account == NULL) {
				continue;
			}
			assert(account->held >= held->of[m]);
			account->held -= held->of[m];
			account->settled = st_add_saturating(account->settled, used->of[m]);
			account->overrun = st_add_saturating(account->overrun, over.of[m]);
			touch(chain->of[s], account);
		}
	}
	*overrun = over;
}

void st_ledger_void(const struct st_chain *chain, const struct st_amounts *held)
{
	const struct st_amounts none = {{0}};
	struct st_amounts overrun;
	st_ledger_settle(chain, held, &none, &overrun);
}

void st_ledger_grant(struct st_accounts *accounts, enum st_meter meter, int64_t amount)
{
	assert(amount >= 0);
	struct st_account *account = st_accounts_find(accounts, meter);
	assert(account != NULL);
	assert(account->limit != ST_UNLIMITED);
	account->granted = st_add_saturating(account->granted, amount);
	touch(accounts, account);
}

/* The least limit under which what is settled and held fits. */
static int64_t least_limit(const struct st_account *account)
{
	int64_t used = st_add_saturating(account->settled, account->held);
	return used > account->granted ? used - account->granted : 0;
}

int st_ledger_set_limit(struct st_accounts *accounts, enum st_meter meter, int64_t limit,
			struct st_diag *diag)
{
	if (limit < ST_UNLIMITED) {
		return st_fail(diag, ST_ERR_INVALID, "a limit of %s must be 0 or more",
			       st_meter_name(meter));
	}
	struct st_account *account = st_accounts_open(accounts, meter, limit);
	bool lowers =
	    limit != ST_UNLIMITED && (account->limit == ST_UNLIMITED || limit < account->limit);
	if (lowers && limit < least_limit(account)) {
		return st_fail(diag, ST_ERR_CONFLICT,
			       "%" PRId64 " %s are used or held already and %" PRId64
			       " were granted: the limit can not go below %" PRId64,
			       st_add_saturating(account->settled, account->held),
			       st_meter_name(meter), account->granted, least_limit(account));
	}
	account->limit = limit;
	touch(accounts, account);
	return ST_OK;
}

static void prove_account(const struct st_account *account)
{
	assert((unsigned)account->meter < ST_METER_COUNT);
	assert(account->limit >= ST_UNLIMITED);
	assert(account->granted >= 0);
	assert(account->settled >= 0);
	assert(account->held >= 0);
	assert(account->overrun >= 0);
	assert(account->overrun <= account->settled);
	if (account->limit == ST_UNLIMITED) {
		return;
	}
	int64_t total = st_add_saturating(account->limit, account->granted);
	int64_t used = st_add_saturating(account->settled, account->held);
	int64_t remaining = st_ledger_remaining(account);
	assert(remaining >= 0);
	if (used > total) {
		assert(remaining == 0);
		assert(used - total <= account->overrun);
		return;
	}
	assert(used + remaining == total);
}

void st_ledger_prove(const struct st_chain *chain)
{
	for (size_t s = 0; s < ST_SCOPE_COUNT; s++) {
		const struct st_accounts *accounts = chain->of[s];
		assert(accounts != NULL);
		assert(accounts->n <= ST_METER_COUNT);
		for (size_t i = 0; i < accounts->n; i++) {
			assert(i == 0 || accounts->of[i - 1].meter < accounts->of[i].meter);
			prove_account(&accounts->of[i]);
		}
	}
}
