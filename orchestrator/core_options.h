/* SPDX-License-Identifier: Apache-2.0 */
/* What does the core go by, from its first event on? */
#ifndef ST_ORCHESTRATOR_CORE_OPTIONS_H
#define ST_ORCHESTRATOR_CORE_OPTIONS_H

#include <stdint.h>

struct st_config;
struct st_definitions;
struct st_redactor;
struct st_schemas;

/* What the core goes by. All borrowed for its whole life, none but the last changed by it. */
struct st_core_options {
	const struct st_config *config;
	const struct st_redactor *redactor;
	const struct st_schemas *schemas;
	struct st_definitions *definitions; /* see orchestrator/definitions.h; NULL: own ones */
};

/* The next free row numbers, as the store knows them at start. */
struct st_core_numbers {
	int64_t run;
	int64_t call; /* of calls and holds, which share numbers */
	int64_t scope;
};

#endif
