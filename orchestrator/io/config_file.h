/* SPDX-License-Identifier: Apache-2.0 */
/* What files does the operator give us? */
#ifndef ST_ORCHESTRATOR_IO_CONFIG_FILE_H
#define ST_ORCHESTRATOR_IO_CONFIG_FILE_H

#include "schemas/buf.h"
#include "schemas/config.h"
#include "schemas/err.h"
#include "schemas/schemas.h"

/* Reads a whole file ("-": standard input), at most bytes_max; appends to out.
 */
int st_file_read(const char *path, size_t bytes_max, struct st_buf *out, struct st_diag *diag);
/*
 * Reads and decodes the config; path NULL gives the built-in defaults. The file
 * must be a plain file that only its owner can write (ST_ERR_FORBIDDEN): who
 * can write it can spend.
 */
int st_config_read(const struct st_schemas *schemas, const char *path, struct st_config **out,
		   struct st_diag *diag);
/* Makes the directory where jobs work, "<store path>.work", mode 0700, and
 * gives its absolute path in *out (st_free). */
int st_work_dir(const char *store_uri, char **out, struct st_diag *diag);

#endif
