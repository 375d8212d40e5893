/* SPDX-License-Identifier: Apache-2.0 */
/* Which files did the jobs of a run leave, and what is in them? Read through a struct st_reader. */
#ifndef ST_ORCHESTRATOR_IO_STORE_ARTIFACT_H
#define ST_ORCHESTRATOR_IO_STORE_ARTIFACT_H

#include "orchestrator/io/store_read.h"

/* JSON array, oldest first: [{"call","attempt","step","item"?,"path","bytes","hash","at"}]. Names
 * and sizes only: this may be shown to whoever may see the run. */
int st_reader_artifacts(struct st_reader *reader, struct st_read_of of, struct st_buf *out,
			struct st_diag *diag);

/* A path of a call; the last attempt that left it counts. */
struct st_read_artifact {
	struct st_read_of of;
	struct st_id call;
	const char *path;
};
/*
 * Appends the file's bytes as the job wrote them. They went through no redaction and may hold
 * secrets: for approvers only, and the caller wipes them with st_seal_buf_wipe. This is the one
 * thing that needs the store's key to be read, and it is read for this alone. ST_ERR_NOT_FOUND: no
 * such run, call or path; ST_ERR_UNAVAILABLE, ST_ERR_FORBIDDEN: the key is not there, or others can
 * read it; ST_ERR_CORRUPT: the bytes are not what was stored.
 */
int st_reader_artifact(struct st_reader *reader, const struct st_read_artifact *which,
		       struct st_buf *out, struct st_diag *diag);

#endif
