/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/guard.h"

#define CONFIG_BYTES_MAX (1024 * 1024)
#define CHUNK 65536

static int read_all(int fd, const char *path, size_t bytes_max, struct st_buf *out,
		    struct st_diag *diag)
{
	size_t start = out->len;
	for (;;) {
		char *to = st_buf_reserve(out, CHUNK);
		ssize_t n = read(fd, to, CHUNK);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return st_fail(diag, ST_ERR_IO, "%s cannot be read: %s", path,
				       strerror(errno));
		}
		if (n == 0) {
			return ST_OK;
		}
		out->len += (size_t)n;
		out->data[out->len] = '\0';
		if (out->len - start > bytes_max) {
			return st_fail(diag, ST_ERR_TOO_LARGE, "%s is larger than %zu bytes", path,
				       bytes_max);
		}
	}
}

int st_file_read(const char *path, size_t bytes_max, struct st_buf *out, struct st_diag *diag)
{
	if (strcmp(path, "-") == 0) {
		return read_all(STDIN_FILENO, "standard input", bytes_max, out, diag);
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		return st_fail(diag, errno == ENOENT ? ST_ERR_NOT_FOUND : ST_ERR_IO,
			       "%s cannot be opened: %s", path, strerror(errno));
	}
	int err = read_all(fd, path, bytes_max, out, diag);
	(void)close(fd);
	return err;
}

static int check_owner(const char *path, struct st_diag *diag)
{
	struct stat st;
	if (stat(path, &st) != 0) {
		return st_fail(diag, ST_ERR_NOT_FOUND, "config %s: %s", path, strerror(errno));
	}
	if (!S_ISREG(st.st_mode)) {
		return st_fail(diag, ST_ERR_FORBIDDEN, "config %s is not a plain file", path);
	}
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		return st_fail(diag, ST_ERR_FORBIDDEN,
			       "config %s can be written by others: who can write it can spend; "
			       "chmod go-w it",
			       path);
	}
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		return st_fail(diag, ST_ERR_FORBIDDEN, "config %s belongs to somebody else", path);
	}
	return ST_OK;
}

/* What the guard of outgoing requests would refuse is refused where the config is read. */
static int decode(const struct st_schemas *schemas, const json_t *doc, struct st_config **out,
		  struct st_diag *diag)
{
	struct st_config *config = NULL;
	struct st_guard *guard = NULL;
	int err = st_config_decode(schemas, doc, &config, diag);
	if (err == ST_OK) {
		err = st_guard_new((const char *const *)config->outgoing_allow,
				   config->n_outgoing_allow, &guard, diag);
	}
	if (err != ST_OK) {
		st_config_free(config);
		return err;
	}
	st_guard_free(guard);
	*out = config;
	return ST_OK;
}

int st_config_read(const struct st_schemas *schemas, const char *path, struct st_config **out,
		   struct st_diag *diag)
{
	struct st_buf text = {0};
	json_t *doc = NULL;
	if (path == NULL) {
		*out = st_config_new();
		return ST_OK;
	}
	int err = check_owner(path, diag);
	if (err == ST_OK) {
		err = st_file_read(path, CONFIG_BYTES_MAX, &text, diag);
	}
	if (err == ST_OK) {
		err = st_json_parse(text.data != NULL ? text.data : "", text.len, CONFIG_BYTES_MAX,
				    &doc, diag);
	}
	if (err == ST_OK) {
		err = decode(schemas, doc, out, diag);
	}
	if (err != ST_OK && diag != NULL && diag->text[0] != '\0') {
		(void)st_fail_wrap(diag, "config %s", path);
	}
	json_decref(doc);
	st_buf_fini(&text);
	return err;
}

int st_work_dir(const char *store_uri, char **out, struct st_diag *diag)
{
	const char *path =
	    strncmp(store_uri, "sqlite:", 7) == 0 ? store_uri + strlen("sqlite:") : store_uri;
	struct st_buf name = {0};
	char resolved[PATH_MAX];
	st_buf_addf(&name, "%s.work", path);
	if (mkdir(name.data, 0700) != 0 && errno != EEXIST) {
		int err =
		    st_fail(diag, ST_ERR_IO, "%s cannot be made: %s", name.data, strerror(errno));
		st_buf_fini(&name);
		return err;
	}
	const char *absolute = realpath(name.data, resolved);
	st_buf_fini(&name);
	if (absolute == NULL) {
		return st_fail(diag, ST_ERR_IO, "the work directory cannot be resolved: %s",
			       strerror(errno));
	}
	*out = st_strdup(resolved);
	return ST_OK;
}
