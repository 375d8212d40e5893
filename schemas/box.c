/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/box.h"

#include <assert.h>

const struct st_box_limit st_box_limits[] = {
#define X(field, normal, least, most)                                                              \
	{#field, normal, least, most, offsetof(struct st_box_limits, field)},
    ST_BOX_LIMIT_X(X)
#undef X
	{NULL, 0, 0, 0, 0},
};

const char *st_isolation_name(enum st_isolation isolation)
{
	static const char *const names[] = {
#define X(name, text) [ST_ISOLATION_##name] = (text),
	    ST_ISOLATION_X(X)
#undef X
	};
	assert(isolation < ST_ISOLATION_COUNT);
	return names[isolation];
}

struct st_box_options st_box_options_default(void)
{
	return (struct st_box_options){
	    .isolation = ST_ISOLATION_FULL,
	    .limits =
		{
#define X(field, normal, least, most) .field = (normal),
		    ST_BOX_LIMIT_X(X)
#undef X
		},
	};
}
