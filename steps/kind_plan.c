/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "steps/kind_rows.h"

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
