/* SPDX-License-Identifier: Apache-2.0 */
/* What did the person mean by METER=AMOUNT? */
#ifndef ST_ORCHESTRATOR_AMOUNT_H
#define ST_ORCHESTRATOR_AMOUNT_H

#include <jansson.h>

#include "schemas/event.h"

/* Reads "tokens=500" or "cost_usd=0.25" (dollars, kept as cost_nusd). The amount is above 0.
 * ST_ERR_INVALID lists the meters. */
int st_amount_parse(const char *text, enum st_meter *meter, int64_t *amount, struct st_diag *diag);

/*
 * Adds the grants that "[run:|step:]METER=AMOUNT" asks for. Without a scope: one for each account
 * of the run and its step that refused this meter in the halt (JSON as the API gives it, or NULL),
 * and for the run where none did.
 */
int st_amount_grant(struct st_decide *decide, const char *text, const json_t *halt,
		    struct st_diag *diag);

#endif
