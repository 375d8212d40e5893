/* SPDX-License-Identifier: Apache-2.0 */
/* What are laws, faults and sights called? */
#include "tests/sim/sim.h"

static const struct {
	const char *name;
	const char *ids;
	const char *text;
	const char *where;
} LAWS[] = {
#define X(NAME, ids, text, where) {#NAME, ids, text, where},
    SIM_LAW_X(X)
#undef X
};

static const char *const FAULTS[] = {
#define X(NAME, name) name,
    SIM_FAULT_X(X)
#undef X
};

static const char *const SEEN[] = {
#define X(NAME, name) name,
    SIM_SEEN_X(X)
#undef X
};

_Static_assert(SIM_FAULT_COUNT <= 64, "a mask has a bit for each");

const char *sim_law_name(enum sim_law law)
{
	return LAWS[law].name;
}

const char *sim_law_ids(enum sim_law law)
{
	return LAWS[law].ids;
}

const char *sim_law_text(enum sim_law law)
{
	return LAWS[law].text;
}

const char *sim_law_where(enum sim_law law)
{
	return LAWS[law].where;
}

const char *sim_fault_name(int fault)
{
	return FAULTS[fault];
}

const char *sim_seen_name(int seen)
{
	return SEEN[seen];
}
