/* SPDX-License-Identifier: Apache-2.0 */
/* Which names match a pattern, which of those files are kept, and what is said of the others? */
#ifndef ST_SANDBOX_ARTIFACT_H
#define ST_SANDBOX_ARTIFACT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/artifact.h"
#include "schemas/call.h"

struct st_redactor;

#define ST_HARVEST_CANDIDATES_MAX 256 /* matching files that are looked at */
#define ST_HARVEST_REFUSED_MAX 32     /* refusals that are told one by one */

/* One part of a pattern (part_len bytes) against one name; neither has a '/'. Time is at most the
 * product of both lengths. */
bool st_artifact_match(const char *part, size_t part_len, const char *name);
/* The part stands for one name only, itself. */
bool st_artifact_part_is_name(const char *part, size_t part_len);

/*
 * What is brought in from one job. Matching files are first named (the least names are looked at
 * when there are too many), then each is kept or refused. Nothing is dropped without a word.
 */
struct st_harvest {
	struct st_artifact_caps caps;
	const struct st_redactor *redactor; /* borrowed */
	char *candidates[ST_HARVEST_CANDIDATES_MAX];
	size_t n_candidates; /* sorted, no name twice */
	bool more;	     /* there were more than are looked at */
	struct st_artifact *kept;
	size_t n_kept;
	int64_t bytes;	 /* of those */
	json_t *refused; /* [{"path","reason"}], redacted, at most ST_HARVEST_REFUSED_MAX */
	int64_t n_unlisted;
};

void st_harvest_init(struct st_harvest *harvest, const struct st_artifact_caps *caps,
		     const struct st_redactor *redactor);
void st_harvest_fini(struct st_harvest *harvest);

/* Names a file that matches; copies the path. */
void st_harvest_name(struct st_harvest *harvest, const char *path);
/* May a file with this path and of so many bytes be kept? NULL, or why not (static text). The size
 * is -1 as long as it is not known. */
const char *st_harvest_fault(const struct st_harvest *harvest, const char *path, int64_t bytes);
/* Keeps a file, for which there is no fault. Takes the bytes. */
void st_harvest_keep(struct st_harvest *harvest, const char *path, char *bytes, size_t len);
/* Says why a file, or a pattern, gives nothing. The path may be any bytes; "" is for what concerns
 * them all, and is always told. */
void st_harvest_refuse(struct st_harvest *harvest, const char *path, const char *reason);

/*
 * Moves what was kept into the result, and tells it in the last record of the transcript as
 * "artifacts": {"kept":[{"path","bytes"}], "refused":[{"path","reason"}], "refused_unlisted":n}.
 */
void st_harvest_give(struct st_harvest *harvest, struct st_job_result *out);

#endif
