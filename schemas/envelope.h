/* SPDX-License-Identifier: Apache-2.0 */
/* What may a run spend? */
#ifndef ST_SCHEMAS_ENVELOPE_H
#define ST_SCHEMAS_ENVELOPE_H

#include <jansson.h>
#include <stdint.h>

#include "schemas/err.h"
#include "schemas/meter.h"

enum st_run_kind { ST_RUN_RESEARCH, ST_RUN_IMPLEMENTATION, ST_RUN_KIND_COUNT };
const char *st_run_kind_name(enum st_run_kind kind);

/* Bounds of a single sandbox job; they are not consumed. */
struct st_job_caps {
	int64_t job_seconds; /* wall clock of one job */
	int64_t log_bytes;   /* kept of each job's output */
	int64_t concurrent;  /* jobs of the run at one moment */
};

/* The limits written when a run starts. Each is >= 0, or ST_UNLIMITED where nothing was said for a
 * step. The run's own limits are never ST_UNLIMITED. */
struct st_envelope {
	struct st_amounts run;
	struct st_amounts step; /* for each step that says nothing itself */
	struct st_job_caps job;
};

/* The safe default of a run kind: every meter has a limit; infra.ops, deploy.attempts and
 * dangerous.ops are 0. The figures stand in docs/budgets.md. */
struct st_envelope st_envelope_default(enum st_run_kind kind);

/*
 * Reads a "budget" object over `envelope`, which holds the defaults: fields that are there replace
 * them, fields that are not stay. `pointer` is the JSON pointer of the object, for errors. Unknown
 * fields, negative or fractional numbers, and money that is not an integer or a decimal string are
 * ST_ERR_INVALID; `envelope` is then untouched.
 */
int st_envelope_decode(const json_t *budget, const char *pointer, struct st_envelope *envelope,
		       struct st_diag *diag);

/* The "budget" object that says all of it, so that decoding it over any defaults gives the same. A
 * new reference. */
json_t *st_envelope_encode(const struct st_envelope *envelope);

/* Reads a step's own "budget" object: the same field names, plain integers. Meters not named stay
 * as they are in `limits`. */
int st_step_budget_decode(const json_t *budget, const char *pointer, struct st_amounts *limits,
			  struct st_diag *diag);

#endif
