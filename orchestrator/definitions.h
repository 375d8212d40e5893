/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which definitions were written down or read back lately? To decode one, and to redact it, costs
 * more than most else that happens to a run, and many runs have the same: it is done once for them.
 *
 * Holds so many of each, those that were asked for last; longer ones than 64 KiB are not kept. What
 * it gives is the same as without it. One may serve many cores, one after the other, as long as
 * their options are made alike.
 */
#ifndef ST_ORCHESTRATOR_DEFINITIONS_H
#define ST_ORCHESTRATOR_DEFINITIONS_H

#include <stddef.h>

#include "orchestrator/core_options.h"
#include "redact/clean.h"
#include "schemas/def.h"

struct st_definitions;

struct st_definitions *st_definitions_new(size_t n_max);
void st_definitions_free(struct st_definitions *definitions);

/* The definition that was stored as this text; free with st_def_free. NULL: the text is none, or
 * names a kind that there is not. */
struct st_def *st_definitions_read(struct st_definitions *definitions,
				   const struct st_core_options *options, const char *text);

/* How a definition is stored and how people see it. Writes every limit and param into def->doc
 * first, so that a later change of the defaults does not reach a run that has started. Gives *text
 * and *shown. */
void st_definitions_write(struct st_definitions *definitions, const struct st_core_options *options,
			  struct st_def *def, char **text, struct st_clean **shown);

#endif
