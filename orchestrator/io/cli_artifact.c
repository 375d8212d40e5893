/* SPDX-License-Identifier: Apache-2.0 */
/* Getting one file that a sandbox job left. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/io/backend.h"
#include "orchestrator/io/cli_client.h"
#include "redact/seal.h"

static const char *text_of(const json_t *artifact, const char *name)
{
	const char *text = json_string_value(json_object_get(artifact, name));
	return text != NULL ? text : "";
}

/* Which call left the file? Several attempts of one call are one: the last is given. */
static int choose(const struct st_cli *cli, const json_t *artifacts, struct st_id *call,
		  struct st_diag *diag)
{
	const char *path = cli->args[1];
	const char *asked = st_cli_get(cli, "call");
	const char *found = NULL;
	size_t i = 0;
	const json_t *artifact = NULL;
	json_array_foreach(artifacts, i, artifact)
	{
		const char *id = text_of(artifact, "call");
		if (strcmp(text_of(artifact, "path"), path) != 0 ||
		    (asked != NULL && strcmp(asked, id) != 0)) {
			continue;
		}
		if (found != NULL && strcmp(found, id) != 0) {
			return st_fail(diag, ST_ERR_INVALID,
				       "more than one call left %.200s: say which with --call",
				       path);
		}
		found = id;
	}
	if (found == NULL || st_id_parse(found, ST_ID_CALL, call) != ST_OK) {
		return st_fail(diag, ST_ERR_NOT_FOUND,
			       "no job left %.200s: stint artifacts %.80s lists what there is",
			       path, cli->args[0]);
	}
	return ST_OK;
}

static int find_call(struct st_backend *backend, const struct st_cli *cli, struct st_view *view,
		     struct st_diag *diag)
{
	struct st_buf json = {0};
	view->type = ST_VIEW_ARTIFACTS;
	int err = st_backend_view(backend, view, &json, diag);
	if (err == ST_OK) {
		json_t *artifacts = json_loadb(json.data, json.len, 0, NULL);
		err = choose(cli, artifacts, &view->call, diag);
		json_decref(artifacts);
	}
	st_buf_fini(&json);
	return err;
}

static int write_all(int fd, const struct st_buf *bytes)
{
	for (size_t at = 0; at < bytes->len;) {
		ssize_t n = write(fd, bytes->data + at, bytes->len - at);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return -1;
		}
		at += (size_t)n;
	}
	return 0;
}

/* For its owner's eyes only, and never over what is there. */
static int save(const char *to, const struct st_buf *bytes, struct st_diag *diag)
{
	bool is_stdout = to == NULL || strcmp(to, "-") == 0;
	int fd = is_stdout ? STDOUT_FILENO
			   : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return st_fail(diag, errno == EEXIST ? ST_ERR_EXISTS : ST_ERR_IO,
			       "%.300s cannot be made: %s", to, strerror(errno));
	}
	int rc = write_all(fd, bytes);
	int reason = errno;
	if (!is_stdout && close(fd) != 0 && rc == 0) {
		rc = -1;
		reason = errno;
	}
	return rc == 0
		   ? ST_OK
		   : st_fail(diag, ST_ERR_IO, "the file cannot be written: %s", strerror(reason));
}

int st_cli_artifact_get(struct st_cli *cli)
{
	struct st_diag diag = {0};
	struct st_buf bytes = {0};
	struct st_backend *backend = NULL;
	struct st_view view = {.path = cli->args[1]};
	const char *to = st_cli_get(cli, "output");
	if (to == NULL && isatty(STDOUT_FILENO) == 1) {
		return st_cli_usage(cli, "a file may hold anything and is not shown on a terminal: "
					 "give --output FILE");
	}
	int err = st_backend_open(cli, &backend, &diag);
	if (err == ST_OK) {
		err = st_backend_find(backend, cli->args[0], &view.run, &diag);
	}
	if (err == ST_OK) {
		err = find_call(backend, cli, &view, &diag);
	}
	if (err == ST_OK) {
		view.type = ST_VIEW_ARTIFACT;
		err = st_backend_view(backend, &view, &bytes, &diag);
	}
	if (err == ST_OK) {
		err = save(to, &bytes, &diag);
	}
	st_seal_buf_wipe(&bytes);
	st_backend_close(backend);
	return err == ST_OK ? ST_EXIT_DONE : st_cli_fail(cli, &diag);
}
