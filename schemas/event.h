/* SPDX-License-Identifier: Apache-2.0 */
/* What enters the core? */
#ifndef ST_SCHEMAS_EVENT_H
#define ST_SCHEMAS_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "schemas/call.h"
#include "schemas/def.h"
#include "schemas/err.h"
#include "schemas/id.h"
#include "schemas/meter.h"
#include "schemas/row.h"
#include "schemas/time.h"

enum st_role { ST_ROLE_VIEWER, ST_ROLE_SUBMITTER, ST_ROLE_APPROVER, ST_ROLE_ADMIN, ST_ROLE_COUNT };
const char *st_role_name(enum st_role role);
int st_role_parse(const char *name); /* or -1 */

/* Who asks. */
struct st_actor {
	char name[ST_NAME_MAX];	  /* of the token, or the person at the terminal */
	char tenant[ST_NAME_MAX]; /* "" for all */
	enum st_role role;
	bool embedded; /* a command that works on the store itself, for the one person who can: may
			* decide about own runs, and the record says so */
};

#define ST_EVENT_X(X)                                                                              \
	X(SUBMIT, "submit")                                                                        \
	X(LOAD, "load")                                                                            \
	X(CALL_ENDED, "call_ended")                                                                \
	X(COUNTED, "counted")                                                                      \
	X(TIMER, "timer")                                                                          \
	X(DECIDE, "decide")                                                                        \
	X(CANCEL, "cancel")                                                                        \
	X(PAUSE, "pause")                                                                          \
	X(RESUME, "resume")                                                                        \
	X(LIMITS, "limits")                                                                        \
	X(DRAIN, "drain")

enum st_event_type {
#define X(NAME, text) ST_EVENT_##NAME,
	ST_EVENT_X(X)
#undef X
	    ST_EVENT_COUNT
};
const char *st_event_type_name(enum st_event_type type);

enum st_decision { ST_DECISION_GRANT, ST_DECISION_DENY, ST_DECISION_RESOLVE };

#define ST_GRANTS_MAX 16

struct st_grant_asked {
	enum st_scope scope; /* STEP or RUN */
	enum st_meter meter;
	int64_t amount; /* > 0 */
};

/* What a person decided. Borrowed by the core for the step. */
struct st_decide {
	enum st_decision decision;
	struct st_id halt; /* none: the run's open one */
	struct st_grant_asked grants[ST_GRANTS_MAX];
	size_t n_grants;	 /* 0: exactly what the refused accounts lacked */
	struct st_id call;	 /* RESOLVE: which call */
	bool happened;		 /* RESOLVE */
	bool usage_known;	 /* RESOLVE */
	struct st_amounts usage; /* RESOLVE */
	const char *external_id; /* RESOLVE: or NULL */
	const char *reason;	 /* or NULL; raw */
};

/* What a request is known by when it is asked again. */
struct st_idempotency {
	uint8_t key_hash[ST_HASH_BYTES];  /* of tenant, method, path and key */
	uint8_t body_hash[ST_HASH_BYTES]; /* of what was asked */
};

struct st_event {
	enum st_event_type type;
	st_time now;	    /* one reading for the whole event */
	int64_t moved_ms;   /* by so much the clock was set since the event before; 0: it was not */
	uint64_t random[2]; /* fresh for every event; ids and jitter come out of it */
	void *reply;	    /* handed back in the reply effect; NULL: nobody waits */
	/* NULL, or borrowed until the answer: an ST_OK answer is kept under it, in the same batch
	 */
	const struct st_idempotency *idempotency;
	struct st_actor actor;
	struct st_id run; /* all but SUBMIT, LOAD, TIMER, DRAIN */
	union {
		struct {
			struct st_def *def; /* taken when the submit is accepted */
		} submit;
		struct {
			const struct st_rows *rows; /* borrowed; see orchestrator/recover.h */
			struct st_diag *diag; /* out: what does not fit together, code ST_OK for
						 all is well; or NULL */
		} load;
		struct {
			int64_t call_no;
			struct st_outcome *outcome; /* borrowed; its json is taken by reference */
			const json_t *transcript;   /* borrowed, already redacted; or NULL */
			const struct st_artifact *artifacts; /* borrowed */
			size_t n_artifacts;
			int64_t wall_ms;
			int64_t first_byte_ms;
			int status; /* HTTP status or exit code; -1: none */
		} ended;
		struct {
			int64_t call_no;
			int64_t input_tokens; /* -1: the provider could not say */
		} counted;
		struct st_decide decide;
		struct {
			const char *reason; /* or NULL; raw */
		} control;
		struct {
			struct st_amounts run; /* ST_UNLIMITED: unchanged */
			const char *reason;
		} limits;
	};
};

#endif
