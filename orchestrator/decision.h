/* SPDX-License-Identifier: Apache-2.0 */
/* What does the body of a request about a run, a call or a token ask for? */
#ifndef ST_ORCHESTRATOR_DECISION_H
#define ST_ORCHESTRATOR_DECISION_H

#include <jansson.h>

#include "schemas/event.h"

#define ST_REASON_BYTES_MAX 4096
#define ST_EXTERNAL_ID_BYTES_MAX 256

/* All: 0, or ST_ERR_INVALID with the pointer of the value. Unknown fields are errors. Texts in what
 * they give are borrowed from the body. A body of NULL is an empty object. */

/* {"decision":"grant","grants":[{"scope":"run","meter":"tokens","amount":n}],"reason"} ·
 * {"decision":"deny","reason"} · {"decision":"resolve","outcome":"happened"|"did_not_happen",
 * "call","external_id","usage":{meter:n},"reason"}. `out->halt` is left alone. */
int st_decision_decode(const json_t *body, struct st_decide *out, struct st_diag *diag);

/* {"reason"}; NULL in *reason when none is given. */
int st_control_decode(const json_t *body, const char **reason, struct st_diag *diag);

/* {"limits":{meter:n},"reason"}: at least one limit, each >= 0; the others are ST_UNLIMITED. */
int st_limits_decode(const json_t *body, struct st_amounts *limits, const char **reason,
		     struct st_diag *diag);

/* {"kind","amounts":{meter:n},"step","params_hash","ttl_seconds"} */
int st_client_hold_decode(const json_t *body, struct st_client_hold *out, struct st_diag *diag);
/* {"usage":{meter:n},"external_id"}; `out->call` is left alone. */
int st_client_settle_decode(const json_t *body, struct st_client_end *out, struct st_diag *diag);
/* {"ttl_seconds"} */
int st_client_extend_decode(const json_t *body, struct st_client_extend *out, struct st_diag *diag);
/* {"outcome":"succeeded"|"failed","item","output","error"}; `out->step` is left alone. */
int st_step_end_decode(const json_t *body, struct st_step_end *out, struct st_diag *diag);

/* What somebody wants a new token to be. */
struct st_token_wish {
	struct st_actor actor; /* tenant and name "" when they are not given */
	st_time expires_at;    /* NONE: never */
};

/* {"role","tenant","name","expires_at"} of a new token; expires_at must lie behind now. */
int st_token_decode(const json_t *body, st_time now, struct st_token_wish *out,
		    struct st_diag *diag);

#endif
