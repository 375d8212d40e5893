/* SPDX-License-Identifier: Apache-2.0 */
/* What does a model call cost? */
#ifndef ST_BUDGETS_PRICE_H
#define ST_BUDGETS_PRICE_H

#include <stdbool.h>
#include <stdint.h>

#include "schemas/call.h"
#include "schemas/config.h"

/*
 * Prices are nano-USD per million tokens, costs are whole nano-USD. A cost is summed exactly and
 * rounded up once at the end, so that a call never costs less than its share; a sum that does not
 * fit saturates at INT64_MAX, which every limit refuses.
 */

/* May a model be called on a cost budget? It needs an input and an output price; the cache prices
 * have a fallback. `price` may be NULL. */
bool st_price_covers_model(const struct st_price *price);

/*
 * The cost of what a provider reported. Counts of -1 are taken as 0. Cached input without a price
 * of its own costs as much as fresh input: reads are nowhere dearer, and writes are dearer only
 * where they are asked for, which stint does not do. Needs st_price_covers_model.
 */
int64_t st_price_usage(const struct st_price *price, const struct st_model_usage *usage);

/* The most that a call with up to so many tokens can cost: all input at the dearest input price. */
int64_t st_price_worst_case(const struct st_price *price, int64_t input_tokens,
			    int64_t output_tokens);

#endif
