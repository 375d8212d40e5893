/* SPDX-License-Identifier: Apache-2.0 */
/* How does a person read what the API says in JSON? */
#ifndef ST_ORCHESTRATOR_REPORT_H
#define ST_ORCHESTRATOR_REPORT_H

#include <jansson.h>

#include "orchestrator/shown.h"

/*
 * Each takes a document in the API's shape (borrowed; members that are missing are left out) and
 * adds lines for a terminal. Nothing in the document can do more than be shown.
 */
void st_report_run(const json_t *run, struct st_look look, struct st_buf *out);
void st_report_runs(const json_t *list, struct st_look look, struct st_buf *out);
void st_report_holds(const json_t *holds, struct st_look look, struct st_buf *out);
void st_report_approvals(const json_t *halts, struct st_look look, struct st_buf *out);
void st_report_usage(const json_t *usage, struct st_look look, struct st_buf *out);
void st_report_tokens(const json_t *tokens, struct st_look look, struct st_buf *out);
void st_report_calls(const json_t *calls, struct st_look look, struct st_buf *out);
void st_report_artifacts(const json_t *artifacts, struct st_look look, struct st_buf *out);
void st_report_transcripts(const json_t *transcripts, struct st_look look, struct st_buf *out);

/* Why a run waits and which accounts refused: a part of the above. */
void st_report_halt(const json_t *halt, struct st_look look, struct st_buf *out);

#endif
