/* SPDX-License-Identifier: Apache-2.0 */
/* What do the reports share? Private to orchestrator/report*.c. */
#ifndef ST_ORCHESTRATOR_REPORT_PRIVATE_H
#define ST_ORCHESTRATOR_REPORT_PRIVATE_H

#include "orchestrator/report.h"
#include "orchestrator/table.h"

/* A member, or "" / 0 when it is not there or something else. */
const char *st_report_text(const json_t *object, const char *name);
int64_t st_report_int(const json_t *object, const char *name);

/* Cells. A time is cut to its seconds, "2026-11-22T14:03:05Z". */
void st_report_cell(struct st_table *table, const json_t *object, const char *name);
void st_report_cell_time(struct st_table *table, const json_t *object, const char *name);
/* "2 tokens, 1 search.exa": everything but money. */
void st_report_cell_usage(struct st_table *table, const json_t *usage);
void st_report_cell_cost(struct st_table *table, const json_t *usage);
/* "find", or "read[3]" for an item. */
void st_report_cell_step(struct st_table *table, const json_t *object);

/* Adds a member's text, escaped. */
void st_report_add(struct st_buf *out, const json_t *object, const char *name);
/* SGR of a run's or step's state. */
const char *st_report_colour(const char *state);

#endif
