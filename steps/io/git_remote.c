/* SPDX-License-Identifier: Apache-2.0 */
/* Which remotes may be used, and how are they connected? */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/mem.h"
#include "steps/guard.h"
#include "steps/io/git_work.h"
#include "steps/url.h"

#define REFS_MAX 200000
#define OBJECTS_MAX 5000000

static bool is_at_or_below(const char *path, const char *above)
{
	size_t len = strlen(above);
	return strncmp(path, above, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool is_allowed(const struct st_git_work *work, const char *real)
{
	char above[PATH_MAX];
	for (size_t i = 0; i < work->options->n_local; i++) {
		if (realpath(work->options->local[i], above) != NULL &&
		    is_at_or_below(real, above)) {
			return true;
		}
	}
	return false;
}

/* Objects of a repository that borrows are somewhere else, where the operator allows nothing. */
static int check_repository(struct st_git_work *work, const char *real)
{
	static const char *const borrowing[] = {"objects/info/alternates", "commondir",
						"objects/info/http-alternates"};
	char path[PATH_MAX];
	struct stat info;
	for (size_t i = 0; i < sizeof borrowing / sizeof borrowing[0]; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", real, borrowing[i]);
		if (lstat(path, &info) == 0) {
			return st_git_refuse(work, "git.local",
					     "the repository borrows from another (%s)",
					     borrowing[i]);
		}
	}
	static const char *const own[] = {"", "/objects", "/refs", "/HEAD"};
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
		(void)snprintf(path, sizeof path, "%s%s", real, own[i]);
		if (lstat(path, &info) != 0 || S_ISLNK(info.st_mode)) {
			return st_git_refuse(work, "git.local", "it is no bare repository");
		}
		if (info.st_uid != geteuid()) {
			return st_git_refuse(work, "git.local",
					     "the repository belongs to another user");
		}
	}
	return 0;
}

int st_git_local_path(struct st_git_work *work, const char *url, char **out)
{
	const char *path = strncmp(url, "file://", 7) == 0 ? url + 7 : url;
	char real[PATH_MAX];
	*out = NULL;
	if (path[0] != '/') {
		return 0;
	}
	if (realpath(path, real) == NULL) {
		return st_git_refuse(work, "git.local", "the repository cannot be found: %s",
				     strerror(errno));
	}
	if (!is_allowed(work, real)) {
		return st_git_refuse(work, "git.local",
				     "the path leads to where the operator allows no repository");
	}
	int rc = check_repository(work, real);
	if (rc == 0) {
		*out = st_strdup(real);
	}
	return rc;
}

static bool is_here(const char *host)
{
	struct st_address address;
	return strcmp(host, "localhost") == 0 ||
	       (st_address_parse(host, strlen(host), &address) && st_address_is_loopback(&address));
}

int st_git_remote(struct st_git_work *work, const char *url, git_remote **out)
{
	char *local = NULL;
	struct st_url parsed;
	struct st_diag diag = {0};
	int rc = st_git_local_path(work, url, &local);
	if (rc == 0 && local == NULL) {
		const char *why = NULL;
		if (st_url_parse(url, &parsed, &diag) != ST_OK) {
			rc = st_git_refuse(work, "git.url", "%s", diag.text);
		} else if ((why = st_guard_name_refusal(parsed.host)) != NULL) {
			rc = st_git_refuse(work, "git.guard", "the server is %s", why);
		} else if (work->spec.token != NULL && !parsed.https && !is_here(parsed.host)) {
			rc = st_git_refuse(work, "git.insecure",
					   "a token is not sent over http: give an https URL");
		}
	}
	if (rc == 0) {
		git_remote_create_options options;
		int set =
		    git_remote_create_options_init(&options, GIT_REMOTE_CREATE_OPTIONS_VERSION);
		assert(set == 0);
		options.repository = work->repo;
		options.flags =
		    GIT_REMOTE_CREATE_SKIP_INSTEADOF | GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC;
		rc = git_remote_create_with_opts(out, local != NULL ? local : url, &options);
		rc = rc < 0 ? st_git_failed(work, "the remote") : 0;
	}
	st_free(local);
	return rc;
}

static int on_received(const git_indexer_progress *stats, void *arg)
{
	struct st_git_work *work = arg;
	if (st_git_stopped(work)) {
		return -1;
	}
	if ((int64_t)stats->received_bytes > work->options->bytes_max ||
	    stats->total_objects > OBJECTS_MAX) {
		return st_git_refuse(work, "git.too_large",
				     "the repository passes %lld bytes or %d objects",
				     (long long)work->options->bytes_max, OBJECTS_MAX);
	}
	work->result.bytes = (int64_t)stats->received_bytes;
	return 0;
}

static int on_words(const char *text, int len, void *arg)
{
	(void)text; /* what a server likes to say is nobody's evidence */
	(void)len;
	return st_git_stopped(arg) ? -1 : 0;
}

static int on_packing(int stage, uint32_t current, uint32_t total, void *arg)
{
	(void)stage;
	(void)current;
	(void)total;
	return st_git_stopped(arg) ? -1 : 0;
}

static int on_ref_told(const char *name, const char *status, void *arg)
{
	struct st_git_work *work = arg;
	(void)name;
	work->pushing = false; /* a definite answer, either way */
	return status == NULL ? 0
			      : st_git_refuse(work, "git.rejected",
					      "the remote refused the branch: %.200s", status);
}

void st_git_callbacks(struct st_git_work *work, git_remote_callbacks *out)
{
	int rc = git_remote_init_callbacks(out, GIT_REMOTE_CALLBACKS_VERSION);
	assert(rc == 0);
	out->transport = st_git_wire_new;
	out->sideband_progress = on_words;
	out->transfer_progress = on_received;
	out->pack_progress = on_packing;
	out->push_update_reference = on_ref_told;
	out->payload = work;
}

int st_git_connect(struct st_git_work *work, git_remote *remote, git_direction direction)
{
	git_remote_connect_options options;
	int set = git_remote_connect_options_init(&options, GIT_REMOTE_CONNECT_OPTIONS_VERSION);
	assert(set == 0);
	st_git_callbacks(work, &options.callbacks);
	int rc = git_remote_connect_ext(remote, direction, &options);
	const git_remote_head **heads = NULL;
	size_t n = 0;
	rc = rc == 0 ? git_remote_ls(&heads, &n, remote) : rc;
	if (rc < 0) {
		return st_git_failed(work, "the remote");
	}
	return n <= REFS_MAX ? 0
			     : st_git_refuse(work, "git.too_large",
					     "the remote has %zu refs, more than %d", n, REFS_MAX);
}

const git_remote_head *st_git_remote_ref(struct st_git_work *work, git_remote *remote,
					 const char *name)
{
	const git_remote_head **heads = NULL;
	size_t n = 0;
	(void)work;
	if (git_remote_ls(&heads, &n, remote) < 0) {
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(heads[i]->name, name) == 0) {
			return heads[i];
		}
	}
	return NULL;
}
