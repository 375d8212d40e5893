/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clone is made beside its place: repository fetched, files written, then the files are moved to
 * where jobs see them, and last the repository. That move is what makes the clone be there; who
 * finds files without a repository finds the rest of a clone that was cut short.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/mem.h"
#include "steps/io/git_work.h"

#define NOTE "stint-origin"

/* What of the remote is wanted. */
struct wanted {
	const git_remote_head *head;
	char ref[300];	  /* its full name there */
	char branch[256]; /* to stand on; "": on the commit */
};

static int choose_named(struct st_git_work *work, git_remote *remote, struct wanted *out)
{
	static const char *const places[] = {"refs/heads/", "refs/tags/"};
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		(void)snprintf(out->ref, sizeof out->ref, "%s%s", places[i], work->spec.ref);
		out->head = st_git_remote_ref(work, remote, out->ref);
		if (out->head != NULL) {
			(void)snprintf(out->branch, sizeof out->branch, "%s",
				       i == 0 ? work->spec.ref : "");
			return 0;
		}
	}
	return st_git_refuse(work, "git.no_ref", "the remote has no branch or tag \"%s\"",
			     work->spec.ref);
}

static int choose(struct st_git_work *work, git_remote *remote, struct wanted *out)
{
	*out = (struct wanted){.head = NULL};
	if (work->spec.ref != NULL) {
		return choose_named(work, remote, out);
	}
	out->head = st_git_remote_ref(work, remote, "HEAD");
	(void)snprintf(out->ref, sizeof out->ref, "HEAD");
	git_buf name = {0};
	bool known = git_remote_default_branch(&name, remote) == 0 &&
		     strncmp(name.ptr, "refs/heads/", 11) == 0 && strlen(name.ptr) < 256;
	(void)snprintf(out->branch, sizeof out->branch, "%s", known ? name.ptr + 11 : "main");
	git_buf_dispose(&name);
	return 0; /* without a head the remote is empty, and the clone, too */
}

static int fetch(struct st_git_work *work, git_remote *remote, struct wanted *wanted)
{
	char spec[320];
	(void)snprintf(spec, sizeof spec, "%s:refs/stint/fetched", wanted->ref);
	char *const specs[] = {spec};
	const git_strarray list = {(char **)(uintptr_t)specs, 1};
	git_fetch_options options;
	int set = git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION);
	assert(set == 0);
	st_git_callbacks(work, &options.callbacks);
	options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
	options.update_fetchhead = 0;
	options.prune = GIT_FETCH_NO_PRUNE;
#if LIBGIT2_VER_MAJOR > 1 || LIBGIT2_VER_MINOR >= 7
	options.depth = (int)work->spec.depth;
#endif
	return git_remote_download(remote, &list, &options) < 0 ? st_git_failed(work, "the fetch")
								: 0;
}

/* HEAD on the branch, and the branch on the commit. */
static int set_head(struct st_git_work *work, const struct wanted *wanted)
{
	char full[300];
	git_reference *made = NULL;
	git_object *found = NULL;
	git_object *commit = NULL;
	int rc = 0;
	(void)snprintf(full, sizeof full, "refs/heads/%s", wanted->branch);
	if (wanted->head != NULL) {
		rc = git_object_lookup(&found, work->repo, &wanted->head->oid, GIT_OBJECT_ANY);
		rc = rc == 0 ? git_object_peel(&commit, found, GIT_OBJECT_COMMIT) : rc;
	}
	if (rc == 0 && commit != NULL && wanted->branch[0] != '\0') {
		rc = git_reference_create(&made, work->repo, full, git_object_id(commit), 1, NULL);
		git_reference_free(made);
	}
	if (rc == 0 && wanted->branch[0] == '\0') {
		rc = git_repository_set_head_detached(work->repo, git_object_id(commit));
	} else if (rc == 0) {
		rc = git_repository_set_head(work->repo, full);
	}
	git_object_free(found);
	git_object_free(commit);
	return rc < 0 ? st_git_failed(work, "what was fetched") : 0;
}

static int fill(struct st_git_work *work, const char *dir)
{
	git_repository_init_options options;
	int set = git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
	assert(set == 0);
	options.flags =
	    GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_NO_REINIT | GIT_REPOSITORY_INIT_MKDIR;
	options.initial_head = "main";
	git_remote *remote = NULL;
	struct wanted wanted;
	int rc = git_repository_init_ext(&work->repo, dir, &options);
	rc = rc < 0 ? st_git_failed(work, "the clone") : 0;
	rc = rc == 0 ? st_git_remote(work, work->spec.url, &remote) : rc;
	rc = rc == 0 ? st_git_connect(work, remote, GIT_DIRECTION_FETCH) : rc;
	rc = rc == 0 ? choose(work, remote, &wanted) : rc;
	rc = rc == 0 && wanted.head != NULL ? fetch(work, remote, &wanted) : rc;
	rc = rc == 0 ? set_head(work, &wanted) : rc;
	git_remote_free(remote);
	return rc;
}

static int move(struct st_git_work *work, const char *from, const char *to, unsigned flags)
{
	if (renameat2(work->space_fd, from, work->space_fd, to, flags) == 0) {
		return 0;
	}
	return st_git_refuse(work, errno == EEXIST ? "git.exists" : "git.io",
			     "the clone's files cannot take their place: %s", strerror(errno));
}

/* Files that the same attempt left when it was cut short; jobs may be at them, so they are only
 * moved away. */
static void set_aside(const struct st_git_work *work, const char *place)
{
	char old[80];
	(void)snprintf(old, sizeof old, "old/%llu", (unsigned long long)work->deadline_ns);
	(void)renameat2(work->space_fd, place, work->space_fd, old, RENAME_NOREPLACE);
}

static int place(struct st_git_work *work, const char *dir)
{
	char files[32];
	char to[128];
	git_commit *commit = NULL;
	git_tree *tree = NULL;
	int rc = st_git_head(work, &commit);
	rc = rc == 0 ? st_git_tree_of(work, commit, &tree) : rc;
	rc = rc == 0 ? st_git_write_files(work, tree, files) : rc;
	git_tree_free(tree);
	git_commit_free(commit);
	if (rc != 0) {
		return rc;
	}
	(void)snprintf(to, sizeof to, "files/%s", work->spec.into);
	if (work->again) {
		set_aside(work, to);
	}
	rc = move(work, files, to, RENAME_NOREPLACE);
	if (rc == 0) {
		st_git_sync(work);
		rc = rename(dir, work->git_dir) == 0
			 ? 0
			 : st_git_refuse(work, "git.io", "%s", strerror(errno));
	} else {
		char path[4400];
		(void)snprintf(path, sizeof path, "%s/%s", work->space, files);
		st_git_remove_own(path);
	}
	return rc;
}

/* It is there: from this very attempt, or from another step. */
static int find_made(struct st_git_work *work)
{
	char lines[2][2200];
	if (!st_git_note_read(work->git_dir, NOTE, lines) || strcmp(lines[1], work->key) != 0) {
		return st_git_refuse(work, "git.exists",
				     "the run has a clone \"%s\" already: name another with "
				     "\"into\"",
				     work->spec.into);
	}
	return st_git_open(work);
}

int st_git_clone(struct st_git_work *work)
{
	struct stat info;
	char dir[4400];
	const char *const note[] = {work->spec.url, work->key};
	int rc = 0;
	(void)snprintf(work->result.url, sizeof work->result.url, "%s", work->spec.url);
	(void)snprintf(dir, sizeof dir, "%s/git/.new", work->space);
#if LIBGIT2_VER_MAJOR == 1 && LIBGIT2_VER_MINOR < 7
	if (work->spec.depth > 0) {
		return st_git_refuse(work, "git.depth",
				     "libgit2 " LIBGIT2_VERSION
				     " cannot make a clone of a part of the history: leave out "
				     "\"depth\"");
	}
#endif
	if (lstat(work->git_dir, &info) == 0) {
		rc = find_made(work);
	} else {
		st_git_remove_own(dir);
		rc = fill(work, dir);
		rc = rc == 0 ? st_git_note_write(work, dir, NOTE, note) : rc;
		rc = rc == 0 ? place(work, dir) : rc;
		git_repository_free(work->repo); /* it knows only where it was */
		work->repo = NULL;
		if (rc != 0) {
			st_git_remove_own(dir);
		} else {
			rc = st_git_open(work);
		}
	}
	if (rc == 0) {
		st_git_sync(work);
		st_git_tell_head(work);
	}
	return rc;
}
