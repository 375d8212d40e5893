/* SPDX-License-Identifier: Apache-2.0 */
/* What kinds of step are there, and what does each declare? A new kind is one file and one row. */
#ifndef ST_STEPS_KIND_H
#define ST_STEPS_KIND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "schemas/call.h"
#include "schemas/config.h"
#include "schemas/envelope.h"
#include "schemas/err.h"
#include "schemas/git.h"
#include "schemas/meter.h"
#include "schemas/time.h"

/* How the shell performs a call of this kind. */
enum st_via {
	ST_VIA_NOTHING, /* done as soon as its hold is durable (noop) */
	ST_VIA_TIMER,	/* waits plan.wait_ms (sleep) */
	ST_VIA_PERSON,	/* halts for a decision (approval) */
	ST_VIA_CLIENT,	/* a client does it and says when it is done (client) */
	ST_VIA_HTTP,
	ST_VIA_JOB,
	ST_VIA_GIT, /* a worker thread, on the run's workspace */
};

enum st_idempotence {
	ST_IDEMPOTENT,	 /* same key, same effect: after an unknown outcome the same attempt is sent
			    again */
	ST_REPEATABLE,	 /* no side effect but a cost: the hold is settled whole, a new attempt
			    follows */
	ST_UNREPEATABLE, /* a side effect: in doubt until a person or the provider says what
			    happened */
};

/* What is left for this call: the least `remaining` over all scopes, per meter (ST_UNLIMITED where
 * no account limits it), and the run's job caps. */
struct st_room {
	struct st_amounts left;
	struct st_job_caps job;
};

#define ST_CLAMP_NAME_MAX 32
#define ST_INTENT_MAX 256

/* A bound of the request that was lowered to fit. */
struct st_clamp {
	char what[ST_CLAMP_NAME_MAX]; /* "max_output_tokens", "timeout_seconds"; "" for none */
	int64_t asked;
	int64_t given;
};

/* The worst case of one call. Plain data. */
struct st_plan {
	struct st_amounts bound; /* what is held, whether or not it fits */
	struct st_clamp clamp;
	bool dangerous;
	bool side_effects;
	enum st_idempotence idempotence;
	bool exact_count_may_help; /* refused on tokens or cost, but the provider can count exactly
				    */
	int64_t counted_input; /* in: exact input tokens from the provider, -1 when not asked yet */
	int64_t timeout_ms;
	int64_t wait_ms;       /* ST_VIA_TIMER: from the start of the call */
	st_time wait_until;    /* ST_VIA_TIMER: the moment instead; ST_TIME_NONE: wait_ms counts */
	int64_t log_bytes_max; /* ST_VIA_JOB: of this job's output */
	char intent[ST_INTENT_MAX]; /* one line for people: "POST https://…", "claude-… ≤ 4000
				       tokens"; raw */
};

/* What a kind needs to know about the call it makes a request for. Borrowed. */
struct st_call_context {
	const struct st_config *config;
	const char *idempotency_key; /* "<call id>-<attempt>" */
	const char *provider_key;    /* resolved API key or NULL */
	const char *run_id;
	const char *step_id;
	int64_t step_timeout_ms; /* from the definition; 0: the kind's default */
};

struct st_kind {
	const char *name;    /* "model.generate" */
	const char *summary; /* one line for docs and help */
	enum st_via via;
	uint32_t meters; /* bit per enum st_meter that it may hold */
	bool side_effects;
	bool dangerous;
	enum st_idempotence idempotence; /* unless the plan says otherwise */
	const char *in_doubt;		 /* one line: what happens after an unknown outcome */

	/* At admission: is `with` (still with expressions in it) sensible under this config? May be
	 * NULL. The pointer in diag is relative to `with`. */
	int (*check)(const json_t *with, const struct st_config *config, struct st_diag *diag);
	/* The worst case of a call with these evaluated params. Failures: ST_ERR_INVALID (bad
	 * params), ST_ERR_UNSUPPORTED (no bound can be given: says so; no price under a cost
	 * budget). */
	int (*plan)(const json_t *params, const struct st_config *config,
		    const struct st_room *room, int64_t step_timeout_ms, int64_t counted_input,
		    struct st_plan *out, struct st_diag *diag);
	/* Writes the name of the provider whose key the call needs and returns it; NULL when it
	 * needs none (then the function itself may be NULL, too). */
	const char *(*provider)(const json_t *params, char name[ST_NAME_MAX]);
	/* ST_VIA_HTTP: the request, rewritten to the plan's bound. */
	int (*request)(const json_t *params, const struct st_plan *plan,
		       const struct st_call_context *context, struct st_http_request *out,
		       struct st_diag *diag);
	/* ST_VIA_HTTP: the request that asks for an exact input count, or NULL; and its answer. */
	int (*count_request)(const json_t *params, const struct st_call_context *context,
			     struct st_http_request *out, struct st_diag *diag);
	int (*count_answer)(const json_t *params, const struct st_config *config,
			    const struct st_http_response *response, int64_t *input_tokens);
	/* What the answer means. Never fails: what cannot be read is UNKNOWN or FAILED. ST_VIA_HTTP
	 * only needs the response; the others take NULL for it. Fills *out, which needs no init. */
	void (*answer)(const json_t *params, const struct st_plan *plan,
		       const struct st_config *config, const struct st_http_response *response,
		       struct st_outcome *out);
	/* ST_VIA_JOB */
	int (*job)(const json_t *params, const struct st_plan *plan, struct st_job_spec *out,
		   struct st_diag *diag);
	void (*job_answer)(const json_t *params, const struct st_plan *plan,
			   const struct st_job_result *result, struct st_outcome *out);
	/* ST_VIA_GIT; the spec borrows from params. */
	int (*git)(const json_t *params, const struct st_plan *plan, struct st_git_spec *out,
		   struct st_diag *diag);
	void (*git_answer)(const json_t *params, const struct st_plan *plan,
			   const struct st_git_result *result, struct st_outcome *out);
};

#define ST_METER_BIT(meter) (UINT32_C(1) << ST_METER_##meter)

/* NULL when there is no such kind. */
const struct st_kind *st_kind_find(const char *name);
/* The whole table, for docs and tests; n rows. */
const struct st_kind *const *st_kind_all(size_t *n);

#endif
