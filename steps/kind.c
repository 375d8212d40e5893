/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/kind.h"

#include <assert.h>
#include <string.h>

#include "steps/kind_rows.h"

/* In the order of the documentation. */
static const struct st_kind *const KINDS[] = {
    &st_kind_model, &st_kind_search,   &st_kind_extract, &st_kind_sandbox,
    &st_kind_http,  &st_kind_approval, &st_kind_sleep,	 &st_kind_noop,
};

#define N_KINDS (sizeof KINDS / sizeof KINDS[0])

const struct st_kind *st_kind_find(const char *name)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		if (strcmp(KINDS[i]->name, name) == 0) {
			return KINDS[i];
		}
	}
	return NULL;
}

const struct st_kind *const *st_kind_all(size_t *n)
{
	*n = N_KINDS;
	return KINDS;
}

void st_kind_plan_begin(const struct st_kind *kind, int64_t step_timeout_ms, int64_t default_ms,
			struct st_plan *out)
{
	assert(step_timeout_ms >= 0);
	assert(default_ms > 0);
	*out = (struct st_plan){.dangerous = kind->dangerous,
				.side_effects = kind->side_effects,
				.idempotence = kind->idempotence,
				.counted_input = -1,
				.wait_until = ST_TIME_NONE};
	out->timeout_ms = step_timeout_ms > 0 ? step_timeout_ms : default_ms;
}
