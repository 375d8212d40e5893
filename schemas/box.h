/* SPDX-License-Identifier: Apache-2.0 */
/* How is a sandbox job shut in, and how much may it take? Plain data, set by the operator. */
#ifndef ST_SCHEMAS_BOX_H
#define ST_SCHEMAS_BOX_H

#include <stddef.h>
#include <stdint.h>

/* X(NAME, "as in the config") */
#define ST_ISOLATION_X(X)                                                                          \
	X(FULL, "full") /* in a box, or not at all */                                              \
	X(BEST, "best") /* in a box where this machine can make one, else as with none */          \
	X(NONE, "none") /* a process of our own user */

enum st_isolation {
#define X(name, text) ST_ISOLATION_##name,
	ST_ISOLATION_X(X)
#undef X
	    ST_ISOLATION_COUNT
};
const char *st_isolation_name(enum st_isolation isolation);

/* Of one job. X(field, "as in the config", default, least, most) */
#define ST_BOX_LIMIT_X(X)                                                                          \
	X(memory_bytes, INT64_C(2) << 30, INT64_C(16) << 20, INT64_C(1) << 44)                     \
	X(processes, 512, 4, 4000000)                                                              \
	X(cpu_percent, 200, 1, 100000)                                                             \
	X(disk_bytes, INT64_C(1) << 30, 4096, INT64_C(1) << 44)                                    \
	X(disk_files, 200000, 16, 100000000)                                                       \
	X(tmp_bytes, INT64_C(256) << 20, 4096, INT64_C(1) << 44)                                   \
	X(open_files, 1024, 16, 1048576)

struct st_box_limits {
#define X(field, normal, least, most) int64_t field;
	ST_BOX_LIMIT_X(X)
#undef X
};

struct st_box_options {
	enum st_isolation isolation;
	struct st_box_limits limits;
	char **read_only; /* more of the host that jobs may read */
	size_t n_read_only;
};

/* Full isolation, the limits above, nothing more to read. */
struct st_box_options st_box_options_default(void);
/* One of the limits: its name, its bounds, and where it stands. NULL past the last. */
struct st_box_limit {
	const char *name;
	int64_t normal;
	int64_t least;
	int64_t most;
	size_t offset; /* in struct st_box_limits */
};
extern const struct st_box_limit st_box_limits[]; /* ended by a NULL name */

#endif
