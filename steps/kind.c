/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/kind.h"

#include <string.h>

#include "steps/kind_rows.h"

/* In the order of the documentation. */
static const struct st_kind *const KINDS[] = {
    &st_kind_model,    &st_kind_search,	   &st_kind_extract,	&st_kind_sandbox,
    &st_kind_http,     &st_kind_git_clone, &st_kind_git_branch, &st_kind_git_commit,
    &st_kind_git_push, &st_kind_git_diff,  &st_kind_client,	&st_kind_approval,
    &st_kind_sleep,    &st_kind_noop,
};

#define N_KINDS (sizeof KINDS / sizeof KINDS[0])

const struct st_kind *st_kind_find(const char *name)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		if (strcmp(KINDS[i]->name, name) == 0) {
			return KINDS[i];
		}
	}
	return NULL;
}

const struct st_kind *const *st_kind_all(size_t *n)
{
	*n = N_KINDS;
	return KINDS;
}
