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
	X(CLIENT_HOLD, "client_hold")                                                              \
	X(CLIENT_END, "client_end")                                                                \
	X(CLIENT_EXTEND, "client_extend")                                                          \
	X(STEP_END, "step_end")                                                                    \
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

#define ST_CALL_KIND_MAX 32
#define ST_CLIENT_TTL_SECONDS 600
#define ST_CLIENT_TTL_SECONDS_MAX 86400

/* What a client asks for that makes a call itself. Borrowed by the core for the step, as are the
 * three below. */
struct st_client_hold {
	const char *step; /* its id, or NULL: of the run as a whole */
	char kind[ST_CALL_KIND_MAX];
	struct st_amounts amounts; /* what may be used at most; each >= 0, not all 0 */
	bool has_params_hash;
	uint8_t params_hash[ST_HASH_BYTES]; /* of the call's parameters, as the client counts it */
	int64_t ttl_seconds;		    /* 1 to ST_CLIENT_TTL_SECONDS_MAX */
};

/* How such a call ended, as its client says. */
struct st_client_end {
	struct st_id call;
	bool voided; /* it was not made */
	bool usage_known;
	struct st_amounts usage;
	const char *external_id; /* or NULL; raw */
	const char *reason;	 /* or NULL; raw */
};

struct st_client_extend {
	struct st_id call;
	int64_t ttl_seconds; /* from now */
};

/* How a step of the kind "client" ended. */
struct st_step_end {
	char step[ST_NAME_MAX];
	int item; /* 1…, of a for_each; 0: none was named */
	bool succeeded;
	json_t *output;	   /* borrowed, or NULL */
	const char *error; /* or NULL; raw */
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
		struct st_client_hold hold;
		struct st_client_end end;
		struct st_client_extend extend;
		struct st_step_end step_end;
	};
};

#endif
