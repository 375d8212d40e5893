/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/io/keeper/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/scene.h"

enum { CAPABILITIES_MAX = 64 };

/* Newer than the headers of the oldest system we build on. */
#define FS_REFER (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define SCOPES UINT64_C(3) /* abstract sockets and signals */

/* What a path may be used for when it is only there to be read. */
#define WRITES                                                                                     \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                           \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                           \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                               \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                             \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* As the kernel reads it; the part behind a kernel's own length must be zero. */
struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

static bool drop_bounds(void)
{
	for (int capability = 0; capability < CAPABILITIES_MAX; capability++) {
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL) {
			return false;
		}
	}
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0;
}

static bool drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}};
	return syscall(SYS_capset, &header, none) == 0;
}

static bool become_user(uid_t become)
{
	uid_t uid[3];
	bool done = setgroups(0, NULL) == 0 && setresgid(become, become, become) == 0 &&
		    setresuid(become, become, become) == 0 &&
		    getresuid(&uid[0], &uid[1], &uid[2]) == 0;
	return done && uid[0] == become && uid[1] == become && uid[2] == become;
}

bool st_confine_privileges(uid_t become)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && drop_bounds() &&
	       (become == 0 || become_user(become)) && drop_capabilities() &&
	       prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

bool st_confine_calls(const struct st_order *order)
{
	const struct sock_fprog program = {
	    .len = (unsigned short)(order->filter_bytes / sizeof(struct sock_filter)),
	    .filter = order->filter.code,
	};
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

static bool allow_below(int rules, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access,
						  .parent_fd = open(path, O_PATH | O_CLOEXEC)};
	bool done = rule.parent_fd >= 0 && syscall(SYS_landlock_add_rule, rules,
						   LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	int saved = errno;
	(void)close(rule.parent_fd);
	errno = saved;
	return done;
}

static bool allow_all(int rules, const struct st_order *order, uint64_t access)
{
	for (size_t i = 0; i < order->n_mounts; i++) {
		const struct st_order_mount *mount = &order->mounts.list[i];
		uint64_t here = 0;
		if (mount->kind == ST_MOUNT_TMPFS || mount->kind == ST_MOUNT_WRITE ||
		    mount->kind == ST_MOUNT_DEVPTS) {
			here = access;
		} else if (mount->kind == ST_MOUNT_DEVICE) {
			here = access & (LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE);
		}
		if (here != 0 && !allow_below(rules, mount->to.text, here)) {
			return false;
		}
	}
	return true;
}

bool st_confine_writes(const struct st_order *order)
{
	struct ruleset handled = {.fs = WRITES};
	size_t len = sizeof handled.fs;
	if (order->landlock < 1) {
		return true;
	}
	if (order->landlock >= 2) {
		handled.fs |= FS_REFER;
	}
	if (order->landlock >= 3) {
		handled.fs |= FS_TRUNCATE;
	}
	if (order->landlock >= 6) {
		handled.scoped = SCOPES;
		len = sizeof handled;
	}
	int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, len, 0);
	bool done = rules >= 0 && allow_all(rules, order, handled.fs) &&
		    syscall(SYS_landlock_restrict_self, rules, 0) == 0;
	int saved = errno;
	if (rules >= 0) {
		(void)close(rules);
	}
	errno = saved;
	return done;
}
