/* SPDX-License-Identifier: Apache-2.0 */
/* Which run does FILE with its --param ask for? */
#ifndef ST_ORCHESTRATOR_IO_DEFINITION_H
#define ST_ORCHESTRATOR_IO_DEFINITION_H

#include "orchestrator/io/cli.h"
#include "schemas/buf.h"
#include "schemas/config.h"
#include "schemas/def.h"

/* All take the file from the command's first argument ("-": standard input) and params from its
 * --param. At most ST_JSON_BYTES_MAX are read. */

/* Reads, decodes and checks it against this config; gives *out (st_def_free). */
int st_definition_read(const struct st_cli *cli, const struct st_schemas *schemas,
		       const struct st_config *config, struct st_def **out, struct st_diag *diag);
/* Appends its JSON with the params filled in, for a server to check. */
int st_definition_text(const struct st_cli *cli, struct st_buf *out, struct st_diag *diag);

#endif
