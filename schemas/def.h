/* SPDX-License-Identifier: Apache-2.0 */
/* What did the developer ask for? A run definition, decoded. */
#ifndef ST_SCHEMAS_DEF_H
#define ST_SCHEMAS_DEF_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "schemas/config.h"
#include "schemas/envelope.h"
#include "schemas/schemas.h"
#include "schemas/verdict.h"

#define ST_STEPS_MAX 1000
#define ST_FOR_EACH_MAX 1000
#define ST_ATTEMPTS_MAX 20

struct st_retry {
	int attempts; /* tries in all, 1..ST_ATTEMPTS_MAX */
	int64_t base_ms;
	int64_t max_ms;
};

struct st_def_step {
	char id[ST_NAME_MAX];
	char uses[32];
	const json_t *with;	 /* borrowed from doc: an object, never NULL */
	const char *condition;	 /* "if", or NULL; borrowed from doc */
	const json_t *for_each;	 /* an expression string or an array, or NULL; borrowed from doc */
	int for_each_concurrent; /* iterations at one moment, >= 1 (default 4) */
	uint16_t *needs;	 /* indices of steps */
	size_t n_needs;
	bool continue_on_error; /* a failure of this step does not fail the run */
	int64_t timeout_ms;	/* of one attempt; 0: the kind's default */
	struct st_retry retry;
	struct st_amounts limits; /* step scope; ST_UNLIMITED where nothing was said */
};

/* Immutable once decoded, and shared by all runs of the same definition, on one thread. */
struct st_def {
	size_t n_owners;
	json_t *doc; /* owned: the definition as it was submitted */
	char name[ST_NAME_MAX];
	enum st_run_kind kind;
	char scope_id[ST_SCOPE_COUNT][ST_NAME_MAX]; /* workflow..platform; "default" where not
						     * named; STEP and RUN are empty here */
	json_t *params; /* borrowed from doc merged with overrides: owned */
	struct st_envelope envelope;
	struct st_def_step *steps;
	size_t n_steps;
	json_t *empty; /* owned: the empty object that stands in for a missing `with` */
};

/* All borrowed for the call; of doc a reference is kept, so it must not change any more. */
struct st_def_input {
	json_t *doc;			/* as st_json_parse gave it */
	const json_t *params;		/* an object, or NULL */
	const struct st_config *config; /* the defaults of the envelope */
};

/*
 * Checks a definition that was parsed with st_json_parse against run.schema.json and decodes it.
 * `params` overrides the definition's own and may only name params that the definition has. Steps
 * are checked for unique ids, known `needs`, no cycle. Gives *out, free with st_def_free; on
 * failure diag says what, where and what to do. Not checked here: kinds, expressions (see
 * orchestrator/admit.h).
 */
int st_def_decode(const struct st_schemas *schemas, const struct st_def_input *input,
		  struct st_def **out, struct st_diag *diag);
/* Gives it to another owner too, who frees it as well. */
struct st_def *st_def_share(struct st_def *def);
void st_def_free(struct st_def *def);

#endif
