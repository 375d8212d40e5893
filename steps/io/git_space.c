/* SPDX-License-Identifier: Apache-2.0 */
/* The clone in the run's workspace: where it is, what it stands at, small notes beside it. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/mem.h"
#include "steps/io/git_work.h"

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
	(void)info;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

void st_git_remove_own(const char *path)
{
	(void)nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

void st_git_sync(const struct st_git_work *work)
{
	(void)syncfs(work->space_fd);
}

/* Who was killed in the middle of a change left its lock behind. Nobody else works here. */
static void break_locks(const struct st_git_work *work)
{
	static const char *const names[] = {"HEAD.lock", "packed-refs.lock", "config.lock"};
	char path[4400];
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", work->git_dir, names[i]);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof path, "%s/refs/stint/push.lock", work->git_dir);
	(void)unlink(path);
	if (work->spec.branch != NULL) {
		(void)snprintf(path, sizeof path, "%s/refs/heads/%s.lock", work->git_dir,
			       work->spec.branch);
		(void)unlink(path);
	}
}

/* The lock of the branch that HEAD stands on, known only once the repository is open. */
static void break_head_lock(const struct st_git_work *work)
{
	git_reference *head = NULL;
	char path[4400];
	if (git_reference_lookup(&head, work->repo, "HEAD") == 0 &&
	    git_reference_symbolic_target(head) != NULL) {
		(void)snprintf(path, sizeof path, "%s/%s.lock", work->git_dir,
			       git_reference_symbolic_target(head));
		(void)unlink(path);
	}
	git_reference_free(head);
}

int st_git_open(struct st_git_work *work)
{
	struct stat info;
	if (lstat(work->git_dir, &info) != 0) {
		return st_git_refuse(work, "git.no_clone",
				     "the run has no clone \"%s\": a git.clone step comes first",
				     work->spec.into);
	}
	break_locks(work);
	unsigned flags = GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE;
	if (git_repository_open_ext(&work->repo, work->git_dir, flags, NULL) < 0) {
		return st_git_failed(work, "the clone");
	}
	break_head_lock(work);
	return 0;
}

int st_git_note_write(struct st_git_work *work, const char *dir, const char *name,
		      const char *const lines[2])
{
	char path[4400];
	char made[4410];
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	(void)snprintf(made, sizeof made, "%s.new", path);
	assert(strpbrk(lines[0], "\r\n") == NULL);
	assert(strpbrk(lines[1], "\r\n") == NULL);
	int fd = open(made, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && dprintf(fd, "%s\n%s\n", lines[0], lines[1]) > 0 && fsync(fd) == 0;
	if (fd >= 0) {
		(void)close(fd);
	}
	int above = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = ok && above >= 0 && rename(made, path) == 0 && fsync(above) == 0;
	if (above >= 0) {
		(void)close(above);
	}
	return ok ? 0 : st_git_refuse(work, "git.io", "a note was not kept: %s", strerror(errno));
}

bool st_git_note_read(const char *dir, const char *name, char lines[2][2200])
{
	char path[4400];
	char text[4400];
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
	if (fd >= 0) {
		(void)close(fd);
	}
	if (n <= 0) {
		return false;
	}
	text[n] = '\0';
	const char *at = text;
	for (int i = 0; i < 2; i++) {
		size_t len = strcspn(at, "\n");
		if (len >= 2200 || at[len] != '\n') {
			return false;
		}
		memcpy(lines[i], at, len);
		lines[i][len] = '\0';
		at += len + 1;
	}
	return *at == '\0';
}

int st_git_head(struct st_git_work *work, git_commit **out)
{
	git_oid id;
	*out = NULL;
	int rc = git_reference_name_to_id(&id, work->repo, "HEAD");
	if (rc == GIT_ENOTFOUND || rc == GIT_EUNBORNBRANCH) {
		return 0;
	}
	rc = rc == 0 ? git_commit_lookup(out, work->repo, &id) : rc;
	return rc < 0 ? st_git_failed(work, "HEAD") : 0;
}

int st_git_tree_of(struct st_git_work *work, const git_commit *commit, git_tree **out)
{
	*out = NULL;
	if (commit != NULL && git_commit_tree(out, commit) < 0) {
		return st_git_failed(work, "the commit's tree");
	}
	return 0;
}

static bool is_hash(const char *name)
{
	size_t len = strlen(name);
	return len == GIT_OID_HEXSZ && strspn(name, "0123456789abcdef") == len;
}

int st_git_find(struct st_git_work *work, const char *name, git_commit **out)
{
	static const char *const places[] = {"refs/heads/", "refs/tags/"};
	git_oid id;
	char full[300];
	int rc = is_hash(name) ? git_oid_fromstr(&id, name) : GIT_ENOTFOUND;
	for (size_t i = 0; rc == GIT_ENOTFOUND && i < sizeof places / sizeof places[0]; i++) {
		(void)snprintf(full, sizeof full, "%s%s", places[i], name);
		rc = git_reference_name_to_id(&id, work->repo, full);
	}
	git_object *found = NULL;
	rc = rc == 0 ? git_object_lookup(&found, work->repo, &id, GIT_OBJECT_ANY) : rc;
	rc = rc == 0 ? git_object_peel((git_object **)out, found, GIT_OBJECT_COMMIT) : rc;
	git_object_free(found);
	return rc == 0
		   ? 0
		   : st_git_refuse(work, "git.no_ref", "the clone has no commit \"%.100s\"", name);
}

void st_git_tell_head(struct st_git_work *work)
{
	git_reference *head = NULL;
	git_oid id;
	struct st_git_result *result = &work->result;
	if (git_reference_name_to_id(&id, work->repo, "HEAD") == 0) {
		(void)git_oid_tostr(result->commit, sizeof result->commit, &id);
	}
	if (git_reference_lookup(&head, work->repo, "HEAD") == 0) {
		const char *name = git_reference_symbolic_target(head);
		bool branch = name != NULL && strncmp(name, "refs/heads/", 11) == 0;
		(void)snprintf(result->branch, sizeof result->branch, "%s",
			       branch ? name + 11 : "");
	}
	git_reference_free(head);
}
