/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows does the table of kinds have? Private to the kinds. */
#ifndef ST_STEPS_KIND_ROWS_H
#define ST_STEPS_KIND_ROWS_H

#include "steps/kind.h"

extern const struct st_kind st_kind_noop;
extern const struct st_kind st_kind_sleep;
extern const struct st_kind st_kind_approval;
extern const struct st_kind st_kind_model;
extern const struct st_kind st_kind_search;
extern const struct st_kind st_kind_extract;
extern const struct st_kind st_kind_http;
extern const struct st_kind st_kind_sandbox;
extern const struct st_kind st_kind_client;
extern const struct st_kind st_kind_git_clone;
extern const struct st_kind st_kind_git_branch;
extern const struct st_kind st_kind_git_commit;
extern const struct st_kind st_kind_git_push;
extern const struct st_kind st_kind_git_diff;

/* An empty plan with what the kind declares; the step's own timeout replaces the kind's. */
void st_kind_plan_begin(const struct st_kind *kind, int64_t step_timeout_ms, int64_t default_ms,
			struct st_plan *out);

#endif
