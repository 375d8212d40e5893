/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A push is a compare-and-swap of one ref. Before the first byte of it is sent, the value that the
 * ref had then and the commit that it is to become are written down beside the clone, under the
 * attempt's key. Whatever happens afterwards, the same attempt finds there what it meant:
 *
 *   the ref is at the commit           it happened
 *   the ref is where it was            it did not: the same swap is asked for
 *   the ref is anywhere else           somebody else moved it: a failure
 *
 * Over HTTP the swap is the server's: a push names the old value, and git refuses another. In a
 * repository of this machine it is ours, under the ref's lock.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "schemas/mem.h"
#include "steps/io/git_work.h"

#define PUSH_REF "refs/stint/push"

struct swap {
	char name[300]; /* refs/heads/… of the remote */
	char note[160];
	git_oid from; /* zero: it is not there */
	git_oid to;
};

/* What is to be pushed: as noted, or as it stands now. True in *noted when this is not the first
 * time. */
static int mean(struct st_git_work *work, struct swap *swap, bool *noted)
{
	char lines[2][2200];
	char full[300];
	(void)snprintf(full, sizeof full, "refs/heads/%s", work->spec.branch);
	(void)snprintf(swap->name, sizeof swap->name, "%s", full);
	(void)snprintf(swap->note, sizeof swap->note, "stint-push-%s", work->key);
	*noted = st_git_note_read(work->git_dir, swap->note, lines) &&
		 git_oid_fromstr(&swap->from, lines[0]) == 0 &&
		 git_oid_fromstr(&swap->to, lines[1]) == 0;
	if (*noted) {
		return 0;
	}
	return git_reference_name_to_id(&swap->to, work->repo, full) == 0
		   ? 0
		   : st_git_refuse(work, "git.no_ref", "the clone has no branch \"%s\"",
				   work->spec.branch);
}

static int note(struct st_git_work *work, const struct swap *swap)
{
	char from[ST_GIT_HASH_MAX];
	char to[ST_GIT_HASH_MAX];
	const char *const lines[] = {git_oid_tostr(from, sizeof from, &swap->from),
				     git_oid_tostr(to, sizeof to, &swap->to)};
	return st_git_note_write(work, work->git_dir, swap->note, lines);
}

/* May the ref go from there to our commit? Only forward, unless force was asked for. */
static int check_forward(struct st_git_work *work, const struct swap *swap)
{
	if (work->spec.force || git_oid_is_zero(&swap->from)) {
		return 0;
	}
	int rc = git_graph_descendant_of(work->repo, &swap->to, &swap->from);
	if (rc == 1) {
		return 0;
	}
	return st_git_refuse(work, "git.conflict",
			     "the remote's branch \"%s\" has commits that this one lacks; clone it "
			     "anew, or push another branch",
			     work->spec.branch);
}

/* 1: it is there already; 0: to be pushed. */
static int judge(struct st_git_work *work, struct swap *swap, const git_oid *there, bool noted)
{
	if (git_oid_equal(there, &swap->to)) {
		work->result.changed = noted; /* by this attempt, as far as anybody can tell */
		return 1;
	}
	if (noted) {
		return git_oid_equal(there, &swap->from)
			   ? 0
			   : st_git_refuse(work, "git.conflict",
					   "the remote's branch \"%s\" was moved by somebody else "
					   "while the push was on its way",
					   work->spec.branch);
	}
	git_oid_cpy(&swap->from, there);
	int rc = check_forward(work, swap);
	return rc == 0 ? note(work, swap) : rc;
}

/* ---- over HTTP ---- */

static int upload(struct st_git_work *work, git_remote *remote, const struct swap *swap)
{
	char spec[700];
	git_reference *ref = NULL;
	if (git_reference_create(&ref, work->repo, PUSH_REF, &swap->to, 1, NULL) < 0) {
		return st_git_failed(work, "the push");
	}
	git_reference_free(ref);
	(void)snprintf(spec, sizeof spec, "%s" PUSH_REF ":%s", work->spec.force ? "+" : "",
		       swap->name);
	char *const specs[] = {spec};
	const git_strarray list = {(char **)(uintptr_t)specs, 1};
	git_push_options options;
	int set = git_push_options_init(&options, GIT_PUSH_OPTIONS_VERSION);
	assert(set == 0);
	st_git_callbacks(work, &options.callbacks);
	options.pb_parallelism = 1;
	int rc = git_remote_upload(remote, &list, &options);
	if (rc < 0) {
		return st_git_failed(work, "the push");
	}
	work->result.changed = true;
	/* Said yes to the pack, but nothing about the ref: then nobody knows. */
	return work->pushing ? st_git_refuse(work, "git.network", "the remote said nothing") : 0;
}

static int push_away(struct st_git_work *work, const char *url, struct swap *swap, bool noted)
{
	git_remote *remote = NULL;
	git_oid there = {{0}};
	int rc = st_git_remote(work, url, &remote);
	rc = rc == 0 ? st_git_connect(work, remote, GIT_DIRECTION_PUSH) : rc;
	if (rc == 0) {
		const git_remote_head *head = st_git_remote_ref(work, remote, swap->name);
		if (head != NULL) {
			git_oid_cpy(&there, &head->oid);
		}
		rc = judge(work, swap, &there, noted);
	}
	rc = rc == 0 ? upload(work, remote, swap) : rc;
	git_remote_free(remote);
	return rc;
}

/* ---- into a repository of this machine ---- */

static int add_known(git_revwalk *walk, git_repository *here, git_repository *there)
{
	git_reference_iterator *refs = NULL;
	git_reference *ref = NULL;
	int rc = git_reference_iterator_new(&refs, there);
	while (rc == 0 && git_reference_next(&ref, refs) == 0) {
		const git_oid *id = git_reference_target(ref);
		git_commit *commit = NULL;
		if (id != NULL && git_commit_lookup(&commit, here, id) == 0) {
			rc = git_revwalk_hide(walk, id);
		}
		git_commit_free(commit);
		git_reference_free(ref);
	}
	git_reference_iterator_free(refs);
	return rc;
}

static int send_objects(struct st_git_work *work, git_repository *there, const git_oid *to)
{
	git_revwalk *walk = NULL;
	git_packbuilder *pack = NULL;
	char place[4400];
	(void)snprintf(place, sizeof place, "%sobjects/pack", git_repository_path(there));
	int rc = git_revwalk_new(&walk, work->repo);
	rc = rc == 0 ? git_revwalk_push(walk, to) : rc;
	rc = rc == 0 ? add_known(walk, work->repo, there) : rc;
	rc = rc == 0 ? git_packbuilder_new(&pack, work->repo) : rc;
	rc = rc == 0 ? git_packbuilder_insert_walk(pack, walk) : rc;
	if (rc == 0 && git_packbuilder_object_count(pack) > 0) {
		rc = git_packbuilder_write(pack, place, 0, NULL, NULL);
	}
	git_packbuilder_free(pack);
	git_revwalk_free(walk);
	return rc < 0 ? st_git_failed(work, "the push") : 0;
}

static int swap_ref(struct st_git_work *work, git_repository *there, const struct swap *swap)
{
	git_reference *ref = NULL;
	git_odb *odb = NULL;
	if (git_repository_odb(&odb, there) == 0) {
		(void)git_odb_refresh(odb); /* or the new pack is not seen */
		git_odb_free(odb);
	}
	int rc = git_oid_is_zero(&swap->from)
		     ? git_reference_create(&ref, there, swap->name, &swap->to, 0, "stint push")
		     : git_reference_create_matching(&ref, there, swap->name, &swap->to, 1,
						     &swap->from, "stint push");
	git_reference_free(ref);
	if (rc == GIT_EMODIFIED || rc == GIT_EEXISTS) {
		return st_git_refuse(work, "git.conflict",
				     "the remote's branch \"%s\" was moved by somebody else",
				     work->spec.branch);
	}
	work->result.changed = rc == 0;
	work->result.retryable = rc == GIT_ELOCKED;
	return rc < 0 ? st_git_failed(work, "the remote's branch") : 0;
}

static int push_here(struct st_git_work *work, const char *path, struct swap *swap, bool noted)
{
	git_repository *there = NULL;
	git_oid now = {{0}};
	unsigned flags = GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE;
	int rc = git_repository_open_ext(&there, path, flags, NULL);
	if (rc < 0) {
		return st_git_failed(work, "the remote");
	}
	rc = git_reference_name_to_id(&now, there, swap->name);
	rc = rc < 0 && rc != GIT_ENOTFOUND ? st_git_failed(work, "the remote's branch")
					   : judge(work, swap, &now, noted);
	rc = rc == 0 ? send_objects(work, there, &swap->to) : rc;
	rc = rc == 0 ? swap_ref(work, there, swap) : rc;
	git_repository_free(there);
	return rc;
}

/* ---- both ---- */

static int find_url(struct st_git_work *work)
{
	char lines[2][2200];
	const char *url = work->spec.url;
	if (url == NULL && st_git_note_read(work->git_dir, "stint-origin", lines)) {
		url = lines[0];
	}
	if (url == NULL) {
		return st_git_refuse(work, "git.no_clone", "nobody knows where the clone is from");
	}
	(void)snprintf(work->result.url, sizeof work->result.url, "%s", url);
	return 0;
}

int st_git_push(struct st_git_work *work)
{
	struct swap swap = {.name = ""};
	char *path = NULL;
	bool noted = false;
	int rc = st_git_open(work);
	if (rc != 0) {
		/* What was noted is gone with it, so nobody can say what became of it. */
		work->pushing = work->again;
		return rc;
	}
	rc = find_url(work);
	rc = rc == 0 ? mean(work, &swap, &noted) : rc;
	rc = rc == 0 ? st_git_local_path(work, work->result.url, &path) : rc;
	if (rc == 0) {
		rc = path != NULL ? push_here(work, path, &swap, noted)
				  : push_away(work, work->result.url, &swap, noted);
	}
	st_free(path);
	/* Before the remote was asked again, nothing is known about what went before. */
	bool known = rc >= 0 || strcmp(work->result.code, "git.conflict") == 0 ||
		     strcmp(work->result.code, "git.rejected") == 0;
	work->pushing = !known && (work->pushing || noted);
	if (rc >= 0) {
		(void)git_oid_tostr(work->result.commit, sizeof work->result.commit, &swap.to);
		(void)snprintf(work->result.branch, sizeof work->result.branch, "%s",
			       work->spec.branch);
		return 0;
	}
	return rc;
}
