/* SPDX-License-Identifier: Apache-2.0 */
/* How are the rows of a store brought before an audit? */
#ifndef ST_ORCHESTRATOR_IO_STORE_AUDIT_H
#define ST_ORCHESTRATOR_IO_STORE_AUDIT_H

#include "orchestrator/audit.h"

struct st_store_audit {
	struct st_id run; /* none: the whole store */
	struct st_audit_result result;
	bool has_key; /* the seal key was there */
	int64_t wall_ms;
};

/*
 * Reads the store in one snapshot, while others may write, and changes nothing. One run is in
 * memory at a time. ST_OK also when something is wrong: see the result. Failures are those of
 * opening and reading; a database that SQLite calls damaged is a finding.
 */
int st_store_audit(const char *uri, struct st_store_audit *audit, struct st_diag *diag);

#endif
