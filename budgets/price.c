/* SPDX-License-Identifier: Apache-2.0 */
#include "budgets/price.h"

#include <assert.h>
#include <stddef.h>

#define MILLION INT64_C(1000000)

/* A sum of products, exact to a millionth of a nano-USD. The arithmetic is split by hand because a
 * 128-bit integer is not ISO C. */
struct sum {
	int64_t whole;	   /* nano-USD, saturating */
	int64_t millionth; /* of a nano-USD; each product adds less than 10^12 */
};

static int64_t multiply(int64_t a, int64_t b)
{
	return a != 0 && b > INT64_MAX / a ? INT64_MAX : a * b;
}

/* tokens * price / 10^6, with tokens = q * 10^6 + r and price likewise, is
 * q * price + r * price_q + r * price_r / 10^6; only the last term has a fraction. */
static void sum_add(struct sum *sum, int64_t tokens, int64_t price)
{
	assert(tokens >= 0);
	assert(price >= 0);
	int64_t q = tokens / MILLION;
	int64_t r = tokens % MILLION;
	sum->whole = st_add_saturating(sum->whole, multiply(q, price));
	sum->whole = st_add_saturating(sum->whole, multiply(r, price / MILLION));
	sum->millionth += r * (price % MILLION);
}

static int64_t sum_round_up(const struct sum *sum, const struct st_price *price)
{
	int64_t cost = st_add_saturating(sum->whole, (sum->millionth + MILLION - 1) / MILLION);
	return price->request > 0 ? st_add_saturating(cost, price->request) : cost;
}

static int64_t or_zero(int64_t count)
{
	return count > 0 ? count : 0;
}

bool st_price_covers_model(const struct st_price *price)
{
	return price != NULL && price->input >= 0 && price->output >= 0;
}

int64_t st_price_usage(const struct st_price *price, const struct st_model_usage *usage)
{
	assert(st_price_covers_model(price));
	int64_t input = or_zero(usage->input);
	int64_t cache_read = or_zero(usage->cache_read);
	int64_t cache_write = or_zero(usage->cache_write);
	int64_t fresh = input - cache_read;
	fresh = or_zero(fresh) - cache_write;

	struct sum sum = {0, 0};
	sum_add(&sum, or_zero(fresh), price->input);
	sum_add(&sum, cache_read, price->cache_read >= 0 ? price->cache_read : price->input);
	sum_add(&sum, cache_write, price->cache_write >= 0 ? price->cache_write : price->input);
	sum_add(&sum, or_zero(usage->output), price->output);
	return sum_round_up(&sum, price);
}

int64_t st_price_worst_case(const struct st_price *price, int64_t input_tokens,
			    int64_t output_tokens)
{
	assert(st_price_covers_model(price));
	int64_t dearest = price->input > price->cache_write ? price->input : price->cache_write;
	dearest = dearest > price->cache_read ? dearest : price->cache_read;
	struct sum sum = {0, 0};
	sum_add(&sum, input_tokens, dearest);
	sum_add(&sum, output_tokens, price->output);
	return sum_round_up(&sum, price);
}
