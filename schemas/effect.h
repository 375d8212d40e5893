/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves the core? Nothing of it may happen before the rows of the same step are durable. */
#ifndef ST_SCHEMAS_EFFECT_H
#define ST_SCHEMAS_EFFECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "schemas/err.h"
#include "schemas/id.h"
#include "schemas/row.h"

struct st_grant; /* budgets/grant.h: the permission to call */
struct st_kind;	 /* steps/kind.h */
struct st_plan;

enum st_effect_type {
	ST_EFFECT_CALL,	 /* make this call */
	ST_EFFECT_ABORT, /* give up on a call in flight */
	ST_EFFECT_REPLY, /* answer who asked */
};

/* All owned. */
struct st_effect_call {
	struct st_grant *grant;
	int64_t call_no;
	const struct st_kind *kind;
	struct st_plan *plan;
	json_t *params; /* evaluated, secrets still to be filled in (st_template_fill) */
	struct st_id run;
	char step[ST_NAME_MAX];
	int64_t step_timeout_ms;
	bool count; /* only ask the provider for the exact input count */
	bool again; /* the same attempt was let out before, and its outcome is unknown */
};

struct st_effect_reply {
	void *token;	  /* event.reply */
	enum st_err code; /* ST_OK, or why not */
	struct st_id run;
	enum st_run_state state;
	struct st_clean *body; /* JSON of the answer, or problem detail text; or NULL */
	bool refused;	       /* the answer is a verdict (body, JSON) or a dangerous call's halt */
	struct st_id halt; /* the run's open one, where it keeps what was asked from being done */
	enum st_halt_kind halt_kind;
};

struct st_effect {
	enum st_effect_type type;
	union {
		struct st_effect_call call;
		int64_t abort_call_no;
		struct st_effect_reply reply;
	};
};

/* What one or more steps gave, in order. All-zero is empty. */
struct st_update {
	struct st_rows rows;
	struct st_effect *effects;
	size_t n_effects;
	size_t effects_cap;
};

struct st_effect *st_update_add(struct st_update *update, enum st_effect_type type);

#endif
