/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is not on the list answers ENOSYS, as on a kernel that does not have it, so that programs
 * and libraries fall back; what is on it with a condition answers EPERM when that is not met. The
 * list is what compilers, interpreters, test runners, package managers and debuggers of one's own
 * processes need. Left out on purpose are: everything that makes or enters a namespace, mounts, or
 * changes the root; io_uring, bpf, perf, userfaultfd, keyrings, fanotify, handles of files,
 * modules, kexec, clocks, quotas, swap, the kernel's log. Calls of another width (i386, x32) are
 * refused whole.
 */
#include "sandbox/io/filter.h"

#include <asm/termbits.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/tty.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* TIOCSTI types into a terminal, TIOCLINUX into a console. */
#ifndef TIOCLINUX
#define TIOCLINUX 0x541C
#endif

static const char *const allowed[] = {
    /* files */
    "access", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range", "creat", "dup",
    "dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir", "fchmod",
    "fchmodat", "fchmodat2", "fchown", "fchownat", "fcntl", "fdatasync", "fgetxattr", "flistxattr",
    "flock", "fremovexattr", "fsetxattr", "fstat", "fstatfs", "fsync", "ftruncate", "futimesat",
    "getcwd", "getdents", "getdents64", "getxattr", "inotify_add_watch", "inotify_init",
    "inotify_init1", "ioctl", "inotify_rm_watch", "lchown", "lgetxattr", "link", "linkat",
    "listxattr", "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "mkdir", "mkdirat",
    "newfstatat", "open", "openat", "openat2", "pread64", "preadv", "preadv2", "pwrite64",
    "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv", "removexattr",
    "rename", "renameat", "renameat2", "rmdir", "sendfile", "setxattr", "splice", "stat", "statfs",
    "statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "tee", "truncate",
    "umask", "unlink", "unlinkat", "utime", "utimensat", "utimes", "vmsplice", "write", "writev",
    "cachestat",
    /* memory */
    "brk", "get_mempolicy", "madvise", "map_shadow_stack", "mbind", "membarrier", "memfd_create",
    "mincore", "mlock", "mlock2", "mlockall", "mmap", "mprotect", "mremap", "mseal", "msync",
    "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect",
    "process_madvise", "process_mrelease", "remap_file_pages", "set_mempolicy",
    "set_mempolicy_home_node",
    /* processes */
    "arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork", "vfork",
    "futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "get_robust_list",
    "get_thread_area", "getcpu", "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp",
    "getpid", "getppid", "getpriority", "getresgid", "getresuid", "getrlimit", "getrusage",
    "getsid", "gettid", "getuid", "ioprio_get", "ioprio_set", "kcmp", "kill", "pause",
    "pidfd_getfd", "pidfd_open", "pidfd_send_signal", "prctl", "prlimit64", "process_vm_readv",
    "process_vm_writev", "ptrace", "restart_syscall", "rseq", "sched_get_priority_max",
    "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
    "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr",
    "sched_setparam", "sched_setscheduler", "sched_yield", "seccomp", "set_robust_list",
    "set_thread_area", "set_tid_address", "setfsgid", "setfsuid", "setgid", "setgroups", "setpgid",
    "setpriority", "setregid", "setresgid", "setresuid", "setreuid", "setrlimit", "setsid",
    "setuid", "sysinfo", "tgkill", "time", "times", "tkill", "uname", "wait4", "waitid", "waitpid",
    "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
    /* signals, timers, waiting */
    "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "epoll_create", "epoll_create1",
    "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "getitimer",
    "gettimeofday", "nanosleep", "poll", "ppoll", "pselect6", "rt_sigaction", "rt_sigpending",
    "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
    "rt_tgsigqueueinfo", "select", "setitimer", "sigaltstack", "signalfd", "signalfd4",
    "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime",
    "timerfd_create", "timerfd_gettime", "timerfd_settime",
    /* talking */
    "accept", "accept4", "bind", "connect", "getpeername", "getrandom", "getsockname", "getsockopt",
    "ipc", "listen", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend",
    "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "pipe", "pipe2", "recvfrom", "recvmmsg",
    "recvmsg", "semctl", "semget", "semop", "semtimedop", "sendmmsg", "sendmsg", "sendto",
    "setsockopt", "shmat", "shmctl", "shmdt", "shmget", "shutdown"};

#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

/* One call that is allowed when its argument is as it should be. */
static const struct {
	const char *name;
	struct scmp_arg_cmp when;
} conditions[] = {
    {"clone", {0, SCMP_CMP_MASKED_EQ, NAMESPACES, 0}},
    {"socket", {0, SCMP_CMP_EQ, AF_UNIX, 0}},
    {"socket", {0, SCMP_CMP_EQ, AF_INET, 0}},
    {"socket", {0, SCMP_CMP_EQ, AF_INET6, 0}},
    {"socketpair", {0, SCMP_CMP_EQ, AF_UNIX, 0}},
    {"mknod", {1, SCMP_CMP_MASKED_EQ, S_IFMT, S_IFREG}},
    {"mknod", {1, SCMP_CMP_MASKED_EQ, S_IFMT, S_IFIFO}},
    {"mknod", {1, SCMP_CMP_MASKED_EQ, S_IFMT, S_IFSOCK}},
    {"mknodat", {2, SCMP_CMP_MASKED_EQ, S_IFMT, S_IFREG}},
    {"mknodat", {2, SCMP_CMP_MASKED_EQ, S_IFMT, S_IFIFO}},
    {"mknodat", {2, SCMP_CMP_MASKED_EQ, S_IFMT, S_IFSOCK}},
    {"personality", {0, SCMP_CMP_EQ, 0, 0}},
    {"personality", {0, SCMP_CMP_EQ, 0xffffffff, 0}},
    {"personality", {0, SCMP_CMP_EQ, 0x0040000, 0}}, /* no address randomisation: debuggers */
};

/* Known calls that answer EPERM instead of ENOSYS when they are refused: their absence would be
 * taken for an old kernel, or their refusal is something that programs expect. */
static const char *const refused[] = {"mount",
				      "umount2",
				      "pivot_root",
				      "chroot",
				      "unshare",
				      "setns",
				      "reboot",
				      "swapon",
				      "swapoff",
				      "bpf",
				      "syslog",
				      "acct",
				      "settimeofday",
				      "init_module",
				      "kexec_load",
				      "quotactl",
				      "add_key",
				      "keyctl",
				      "request_key",
				      "delete_module",
				      "finit_module",
				      "clock_settime",
				      "adjtimex",
				      "perf_event_open",
				      "open_by_handle_at",
				      "name_to_handle_at",
				      "sethostname",
				      "setdomainname",
				      "vhangup",
				      "iopl",
				      "ioperm",
				      "userfaultfd",
				      "fanotify_init",
				      "lookup_dcookie",
				      "nfsservctl"};

static bool add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);
		/* Below zero: another architecture's, or newer than the library. */
		if (number >= 0 &&
		    seccomp_rule_add_exact_array(filter, action, number, 0, NULL) < 0) {
			return false;
		}
	}
	return true;
}

static bool add_conditions(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
		int number = seccomp_syscall_resolve_name(conditions[i].name);
		if (number >= 0 && seccomp_rule_add_exact_array(filter, SCMP_ACT_ALLOW, number, 1,
								&conditions[i].when) < 0) {
			return false;
		}
	}
	return true;
}

/* In front of the whole: libseccomp can compare a number, or allow a call, but not allow it for all
 * numbers but two, of which the kernel only looks at the lower half. */
static void add_ioctl(struct st_buf *out)
{
	const unsigned lower = (unsigned)offsetof(struct seccomp_data, args[1]) +
			       (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0U : 4U);
	const struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 4),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, lower),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI, 1, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TIOCLINUX, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	st_buf_add(out, code, sizeof code);
}

static bool add_all(scmp_filter_ctx filter)
{
	return seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)) == 0 &&
	       seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 &&
	       add_names(filter, SCMP_ACT_ALLOW, allowed, sizeof allowed / sizeof allowed[0]) &&
	       add_names(filter, SCMP_ACT_ERRNO(EPERM), refused,
			 sizeof refused / sizeof refused[0]) &&
	       add_conditions(filter);
}

static bool export_filter(scmp_filter_ctx filter, struct st_buf *out)
{
	int fd = memfd_create("stint-filter", MFD_CLOEXEC);
	struct stat info;
	bool done = fd >= 0 && seccomp_export_bpf(filter, fd) == 0 && fstat(fd, &info) == 0;
	if (done) {
		size_t size = (size_t)info.st_size;
		done = pread(fd, st_buf_reserve(out, size), size, 0) == (ssize_t)size;
		out->len += done ? size : 0;
	}
	if (fd >= 0) {
		(void)close(fd);
	}
	return done;
}

int st_filter_make(struct st_buf *out, struct st_diag *diag)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	add_ioctl(out);
	bool done = filter != NULL && add_all(filter) && export_filter(filter, out);
	seccomp_release(filter);
	if (!done) {
		return st_fail(diag, ST_ERR_UNSUPPORTED,
			       "libseccomp makes no filter of system calls for this machine");
	}
	return ST_OK;
}
