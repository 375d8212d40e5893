/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/io/workspace.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "schemas/buf.h"

char *st_workspace_path(const char *base, const char *run)
{
	struct st_buf path = {0};
	st_buf_addf(&path, "%s/runs/%s", base, run);
	return st_buf_take(&path);
}

static int make_one(const char *above, const char *name, struct st_diag *diag)
{
	struct st_buf path = {0};
	st_buf_addf(&path, "%s%s", above, name);
	int rc = ST_OK;
	if (mkdir(path.data, 0700) != 0 && errno != EEXIST) {
		rc = st_fail(diag, ST_ERR_IO, "%s cannot be made: %s", path.data, strerror(errno));
	}
	st_buf_fini(&path);
	return rc;
}

int st_workspace_make(const char *base, const char *run, char **out, struct st_diag *diag)
{
	static const char *const parts[] = {"", "/files", "/git", "/old"};
	struct st_buf path = {0};
	st_buf_addf(&path, "%s/runs/%s", base, run);
	int rc = make_one(base, "/runs", diag);
	for (size_t i = 0; rc == ST_OK && i < sizeof parts / sizeof parts[0]; i++) {
		rc = make_one(path.data, parts[i], diag);
	}
	if (rc == ST_OK) {
		*out = st_buf_take(&path);
	}
	st_buf_fini(&path);
	return rc;
}
