/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/git.h"

#include <assert.h>

const char *st_keep_name(enum st_keep keep)
{
	static const char *const names[ST_KEEP_COUNT] = {
	    [ST_KEEP_NEVER] = "never", [ST_KEEP_FAILED] = "failed", [ST_KEEP_ALWAYS] = "always"};
	assert(keep < ST_KEEP_COUNT);
	return names[keep];
}

struct st_git_options st_git_options_default(void)
{
	return (struct st_git_options){
	    .keep = ST_KEEP_NEVER, .bytes_max = INT64_C(1) << 30, .files_max = 200000};
}
