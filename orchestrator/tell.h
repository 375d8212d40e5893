/* SPDX-License-Identifier: Apache-2.0 */
/* How is an event told in the timeline? Makes the `data` of each event type; see docs/timeline.md.
 */
#ifndef ST_ORCHESTRATOR_TELL_H
#define ST_ORCHESTRATOR_TELL_H

#include "orchestrator/state.h"

/* Free text of a person or a provider, redacted. NULL gives NULL. */
struct st_clean *st_tell_text(const struct st_turn *turn, const char *text);

/* All give a new object. Nothing is taken. */
struct st_clean *st_tell_nothing(const struct st_turn *turn);
struct st_clean *st_tell_submitted(const struct st_turn *turn, const struct st_run *run);
struct st_clean *st_tell_started(const struct st_turn *turn, const struct st_run *run, int step);
struct st_clean *st_tell_by(const struct st_turn *turn, const struct st_clean *reason);
struct st_clean *st_tell_error(const struct st_turn *turn, const char *code,
			       const struct st_clean *error);
struct st_clean *st_tell_held(const struct st_turn *turn, const struct st_flight *flight,
			      const struct st_clean *intent);
struct st_clean *st_tell_client_held(const struct st_turn *turn, const struct st_client_call *call,
				     const struct st_clean *intent);
/* What a client is told of the call that it holds for. */
struct st_clean *st_tell_client_call(const struct st_turn *turn, const struct st_run *run,
				     const struct st_client_call *call);
/* How it ended. */
struct st_settled {
	const struct st_client_call *call; /* not ended yet */
	const struct st_amounts *used;
	bool voided;
	bool estimated;
};
struct st_clean *st_tell_settled(const struct st_turn *turn, const struct st_run *run,
				 const struct st_settled *settled);
struct st_clean *st_tell_params_hash(const struct st_turn *turn,
				     const uint8_t params_hash[ST_HASH_BYTES]);
struct st_clean *st_tell_reported(const struct st_turn *turn, bool succeeded);
struct st_clean *st_tell_sent(const struct st_turn *turn, const struct st_flight *flight,
			      int resends);
struct st_clean *st_tell_clamped(const struct st_turn *turn, const struct st_clamp *clamp);
struct st_clean *st_tell_verdict(const struct st_turn *turn, const struct st_verdict *verdict);
struct st_clean *st_tell_halted(const struct st_turn *turn, const struct st_run *run,
				const struct st_clean *intent);
/* `why`; of a pause also who ended it. */
struct st_clean *st_tell_resumed(const struct st_turn *turn, const char *why,
				 const struct st_clean *reason);
/* Each end of a run says how long it ran. */
struct st_clean *st_tell_succeeded(const struct st_turn *turn, const struct st_run *run);
struct st_clean *st_tell_failed(const struct st_turn *turn, const struct st_run *run);
struct st_clean *st_tell_cancelled(const struct st_turn *turn, const struct st_run *run,
				   const struct st_clean *reason);
struct st_clean *st_tell_retry(const struct st_turn *turn, const struct st_item *item,
			       const struct st_clean *error);
struct st_clean *st_tell_skipped(const struct st_turn *turn, const char *why);
struct st_clean *st_tell_limits(const struct st_turn *turn, const struct st_amounts *limits,
				const struct st_clean *reason);

/* How a call ended; the same object is the call row's result. */
struct st_end {
	const struct st_amounts *used;
	const struct st_amounts *overrun;
	bool estimated;
	bool voided;
	const char *by;			  /* "provider", "stint", a person */
	const struct st_outcome *outcome; /* or NULL */
	const struct st_clean *error;	  /* or NULL */
	const struct st_clean *reason;	  /* or NULL: why a client took it back */
	int64_t wall_ms;		  /* -1: unknown */
	int64_t first_byte_ms;
	int status;
	const struct st_artifact *artifacts;
	size_t n_artifacts;
	const struct st_clean *transcript; /* or NULL; told by its hash */
	const struct st_clean *citations;  /* the same */
};
struct st_clean *st_tell_end(const struct st_turn *turn, const struct st_end *end);
/* A call that nobody knows the end of. */
struct st_clean *st_tell_doubt(const struct st_turn *turn, const struct st_end *end);
struct st_clean *st_tell_external_id(const struct st_turn *turn, const struct st_clean *kind,
				     const struct st_clean *id, const struct st_clean *url);

struct st_granted {
	struct st_id halt;
	const struct st_grant_asked *grants;
	size_t n_grants;
	const struct st_clean *reason;
	bool own_run;
};
struct st_clean *st_tell_granted(const struct st_turn *turn, const struct st_granted *granted);

struct st_clean *st_tell_resolved(const struct st_turn *turn, bool happened,
				  const struct st_clean *reason);

/* The answer to a mutation: {"id":"r_…","state":…,…}. */
struct st_clean *st_tell_run(const struct st_turn *turn, const struct st_run *run);

#endif
