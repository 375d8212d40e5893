/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hostile job tries, from inside. Usage: box_probe ABUSE [ARGUMENT]
 * Exits with 0 when it was held back, with 1 (and a line that says how) when it got through, with
 * 77 when this kernel does not know what it takes.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int leaks;

static void leak(const char *what, const char *more)
{
	(void)printf("LEAK: %s %s\n", what, more);
	leaks++;
}

static void must_fail(const char *what, long rc)
{
	if (rc >= 0) {
		leak(what, "succeeded");
	} else {
		(void)printf("%s: %s\n", what, strerror(errno));
	}
}

/* The kernel must never have come as far as looking at the arguments. */
static void must_be_refused(const char *what, long rc)
{
	must_fail(what, rc);
	if (rc < 0 && errno != EPERM && errno != ENOSYS) {
		leak(what, "was let through by the filter");
	}
}

static void try_terminal(const char *argument)
{
	(void)argument;
	char c = 'x';
	must_fail("open /dev/tty", open("/dev/tty", O_RDWR));
	int pty = posix_openpt(O_RDWR | O_NOCTTY);
	if (pty < 0 || grantpt(pty) != 0 || unlockpt(pty) != 0) {
		(void)printf("no pty: %s\n", strerror(errno));
		return;
	}
	int tty = open(ptsname(pty), O_RDWR);
	must_fail("TIOCSTI", ioctl(tty, TIOCSTI, &c));
	must_fail("TIOCSTI behind a wider number",
		  syscall(SYS_ioctl, tty, 0xffffffff00000000UL | TIOCSTI, &c));
	must_fail("TIOCLINUX", ioctl(tty, TIOCLINUX, &c));
}

static void try_keeper(const char *argument)
{
	static const char *const files[] = {"environ",	"mem", "maps", "fd",
					    "root/etc", "cwd", "exe",  "io"};
	(void)argument;
	char text[64];
	char bytes[16];
	struct iovec here = {bytes, sizeof bytes};
	struct iovec there = {(void *)0x400000, sizeof bytes};
	must_fail("ptrace attach", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
	must_fail("ptrace seize", ptrace(PTRACE_SEIZE, 1, NULL, NULL));
	must_fail("process_vm_readv", process_vm_readv(1, &here, 1, &there, 1, 0));
	must_fail("process_vm_writev", process_vm_writev(1, &here, 1, &there, 1, 0));
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		(void)snprintf(text, sizeof text, "/proc/1/%s", files[i]);
		must_fail(text, open(text, O_RDONLY));
	}
	long pidfd = syscall(SYS_pidfd_open, 1, 0);
	must_fail("pidfd_getfd", syscall(SYS_pidfd_getfd, pidfd, 3, 0));
	(void)kill(1, SIGKILL);
	(void)kill(1, SIGSTOP);
	(void)kill(1, SIGTERM);
	(void)kill(getppid(), SIGSEGV);
}

static void try_mounts(const char *argument)
{
	(void)argument;
	must_be_refused("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
	must_be_refused("remount", mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
	must_be_refused("umount", umount2("/proc", MNT_DETACH));
	must_be_refused("pivot_root", syscall(SYS_pivot_root, ".", "."));
	must_be_refused("chroot", chroot("/tmp"));
	must_be_refused("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
	must_be_refused("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
	must_be_refused("move_mount", syscall(SYS_move_mount, AT_FDCWD, "/tmp", AT_FDCWD, "/x", 0));
	must_be_refused("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, NULL, 0));
	must_be_refused("fspick", syscall(SYS_fspick, AT_FDCWD, "/", 0));
}

static void try_namespaces(const char *argument)
{
	static const struct {
		const char *name;
		int flag;
		const char *file;
	} spaces[] = {{"user", CLONE_NEWUSER, "user"},	    {"mount", CLONE_NEWNS, "mnt"},
		      {"pid", CLONE_NEWPID, "pid"},	    {"network", CLONE_NEWNET, "net"},
		      {"ipc", CLONE_NEWIPC, "ipc"},	    {"uts", CLONE_NEWUTS, "uts"},
		      {"cgroup", CLONE_NEWCGROUP, "cgroup"}};
	(void)argument;
	for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
		char path[64];
		must_be_refused(spaces[i].name, unshare(spaces[i].flag));
		long rc = syscall(SYS_clone, spaces[i].flag | SIGCHLD, NULL, NULL, NULL, NULL);
		if (rc == 0) {
			_exit(0);
		}
		must_be_refused("the same by clone", rc);
		(void)snprintf(path, sizeof path, "/proc/self/ns/%s", spaces[i].file);
		int fd = open(path, O_RDONLY);
		must_be_refused("setns", syscall(SYS_setns, fd, 0));
	}
	must_be_refused("time namespace", unshare(0x80));
	char zero[88] = {0};
	must_be_refused("clone3", syscall(SYS_clone3, zero, sizeof zero));
}

static void try_calls(const char *argument)
{
	(void)argument;
	union bpf_attr attr = {0};
	struct perf_event_attr perf = {.size = sizeof perf};
	char page[4096] = {0};
	must_be_refused("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr));
	must_be_refused("perf_event_open", syscall(SYS_perf_event_open, &perf, 0, -1, -1, 0));
	must_be_refused("io_uring_setup", syscall(SYS_io_uring_setup, 1, page));
	must_be_refused("io_setup", syscall(SYS_io_setup, 1, page));
	must_be_refused("userfaultfd", syscall(SYS_userfaultfd, 0));
	must_be_refused("keyctl", syscall(SYS_keyctl, 0, -3, 1));
	must_be_refused("add_key", syscall(SYS_add_key, "user", "stint", "x", 1, -3));
	must_be_refused("request_key", syscall(SYS_request_key, "user", "stint", NULL, 0));
	must_be_refused("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
	must_be_refused("init_module", syscall(SYS_init_module, page, 1, ""));
	must_be_refused("finit_module", syscall(SYS_finit_module, 0, "", 0));
	must_be_refused("delete_module", syscall(SYS_delete_module, "x", 0));
	must_be_refused("swapon", syscall(SYS_swapon, "/tmp", 0));
	must_be_refused("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
	must_be_refused("syslog", syscall(SYS_syslog, 3, page, sizeof page));
	must_be_refused("acct", syscall(SYS_acct, "/tmp/acct"));
	must_be_refused("quotactl", syscall(SYS_quotactl, 0, NULL, 0, NULL));
	must_be_refused("settimeofday", syscall(SYS_settimeofday, page, NULL));
	must_be_refused("clock_settime", syscall(SYS_clock_settime, 0, page));
	must_be_refused("open_by_handle_at", syscall(SYS_open_by_handle_at, AT_FDCWD, page, 0));
	must_be_refused("name_to_handle_at",
			syscall(SYS_name_to_handle_at, AT_FDCWD, "/", page, page, 0));
	must_be_refused("fanotify_init", syscall(SYS_fanotify_init, 0, 0));
	must_be_refused("sethostname", sethostname("x", 1));
	must_be_refused("personality", syscall(SYS_personality, 0x0400000)); /* READ_IMPLIES_EXEC */
}

static void try_other_widths(const char *argument)
{
	(void)argument;
#ifdef __x86_64__
	long rc = 20; /* getpid of i386 */
	__asm__ volatile("int $0x80" : "+a"(rc) : : "memory", "r8", "r9", "r10", "r11");
	if (rc >= 0) {
		leak("an i386 call", "was made");
	}
	must_be_refused("an x32 call", syscall(0x40000000L | SYS_getpid));
#endif
}

static void try_sockets(const char *argument)
{
	static const struct {
		const char *name;
		int family;
		int type;
	} sockets[] = {{"netlink", AF_NETLINK, SOCK_RAW}, {"vsock", AF_VSOCK, SOCK_STREAM},
		       {"alg", AF_ALG, SOCK_SEQPACKET},	  {"packet", AF_PACKET, SOCK_RAW},
		       {"key", AF_KEY, SOCK_RAW},	  {"bluetooth", AF_BLUETOOTH, SOCK_RAW},
		       {"tipc", AF_TIPC, SOCK_STREAM},	  {"raw", AF_INET, SOCK_RAW},
		       {"raw 6", AF_INET6, SOCK_RAW}};
	(void)argument;
	for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++) {
		int protocol =
		    sockets[i].family == AF_INET || sockets[i].family == AF_INET6 ? 1 : 0;
		must_be_refused(sockets[i].name,
				socket(sockets[i].family, sockets[i].type, protocol));
	}
	must_fail("ping", socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
}

static void try_writes(const char *argument)
{
	static const char *const paths[] = {"/proc/sys/kernel/core_pattern",
					    "/proc/sys/vm/drop_caches",
					    "/proc/sys/kernel/hostname",
					    "/proc/sysrq-trigger",
					    "/proc/self/oom_score_adj",
					    "/proc/self/uid_map",
					    "/etc/passwd",
					    "/usr/bin/env",
					    "/dev/null/x"};
	static const char *const made[] = {"/x",     "/usr/x",	"/usr/lib/x", "/etc/x",
					   "/dev/x", "/proc/x", "/run/x",     "/etc/ssl/certs/x"};
	(void)argument;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		must_fail(paths[i], open(paths[i], O_WRONLY));
	}
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
		must_fail(made[i], open(made[i], O_WRONLY | O_CREAT, 0600));
		must_fail(made[i], mkdir(made[i], 0700));
	}
	must_fail("mknod block", mknod("/tmp/disk", S_IFBLK | 0600, 254 << 8));
	must_fail("mknod char", mknod("/tmp/mem", S_IFCHR | 0600, 1 << 8 | 1));
	must_fail("chmod /usr", chmod("/usr", 0777));
	must_fail("rename /usr", rename("/usr", "/tmp/usr"));
}

static void try_rights(const char *argument)
{
	(void)argument;
	char line[256];
	FILE *status = fopen("/proc/self/status", "r");
	while (status != NULL && fgets(line, sizeof line, status) != NULL) {
		if (strncmp(line, "Cap", 3) == 0 && strspn(line + 8, "0") < 16) {
			leak("a capability:", line);
		}
		if (strncmp(line, "NoNewPrivs:", 11) == 0 && strchr(line, '1') == NULL) {
			leak("new privileges:", line);
		}
		if (strncmp(line, "Seccomp:", 8) == 0 && strchr(line, '2') == NULL) {
			leak("no filter:", line);
		}
		if (strncmp(line, "Groups:", 7) == 0 &&
		    strspn(line + 7, " \t\n65534") != strlen(line + 7)) {
			leak("a group:", line);
		}
	}
	if (status == NULL) {
		leak("no /proc", "");
	}
	if (getuid() == 0 || geteuid() == 0 || getgid() == 0) {
		leak("root", "");
	}
	must_fail("setuid(0)", setuid(0));
	must_fail("setgid(0)", setgid(0));
	must_fail("setgroups", syscall(SYS_setgroups, 0, NULL));
	must_fail("chown to root", chown(".", 0, 0));
	if (prctl(PR_CAPBSET_READ, 0) != 0) {
		leak("the bounding set", "is not empty");
	}
}

static void try_inherited(const char *argument)
{
	(void)argument;
	static const char *const known[] = {"PATH=", "LANG=", "STINT_JOB=", "HOME=", "TMPDIR="};
	for (int fd = 3; fd < 4096; fd++) {
		if (fcntl(fd, F_GETFD) >= 0) {
			(void)printf("LEAK: descriptor %d\n", fd);
			leaks++;
		}
	}
	for (char **variable = environ; *variable != NULL; variable++) {
		bool is_known = false;
		for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
			is_known = is_known || strncmp(*variable, known[i], strlen(known[i])) == 0;
		}
		if (!is_known) {
			leak("variable", *variable);
		}
	}
	struct rlimit core;
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max != 0) {
		leak("core files", "");
	}
	if (getsid(0) != getpid() || (umask(0) & 077) != 077) {
		leak("session or umask", "");
	}
	sigset_t blocked;
	(void)sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int number = 1; number < 32; number++) {
		struct sigaction action;
		if (sigismember(&blocked, number) == 1 ||
		    (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)) {
			leak("signal", strsignal(number));
		}
	}
}

/* Only process 1 and ourselves. */
static void try_processes(const char *argument)
{
	(void)argument;
	DIR *proc = opendir("/proc");
	const struct dirent *entry = NULL;
	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		long pid = strtol(entry->d_name, NULL, 10);
		if (pid > 1 && pid != getpid() && pid != getppid()) {
			leak("process", entry->d_name);
		}
	}
}

static void try_tcp_udp(const char *name, const struct sockaddr *address, socklen_t len)
{
	char text[128];
	int tcp = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int rc = tcp < 0 ? -1 : connect(tcp, address, len);
	(void)snprintf(text, sizeof text, "tcp to %s", name);
	if (rc != 0 && errno == EINPROGRESS) {
		leak(text, "has a route");
	}
	must_fail(text, rc);
	int udp = socket(address->sa_family, SOCK_DGRAM, 0);
	(void)snprintf(text, sizeof text, "udp to %s", name);
	must_fail(text, udp < 0 ? -1 : sendto(udp, "x", 1, 0, address, len));
}

static void try_network(const char *argument)
{
	static const char *const v4[] = {"1.1.1.1",	"169.254.169.254", "10.0.0.1",
					 "192.168.0.1", "255.255.255.255", "224.0.0.1"};
	static const char *const v6[] = {"2606:4700:4700::1111", "fd00:ec2::254", "fe80::1",
					 "::ffff:169.254.169.254", "64:ff9b::1.1.1.1"};
	(void)argument;
	for (size_t i = 0; i < sizeof v4 / sizeof v4[0]; i++) {
		struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
		(void)inet_pton(AF_INET, v4[i], &to.sin_addr);
		try_tcp_udp(v4[i], (const struct sockaddr *)&to, sizeof to);
	}
	for (size_t i = 0; i < sizeof v6 / sizeof v6[0]; i++) {
		struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
		(void)inet_pton(AF_INET6, v6[i], &to.sin6_addr);
		try_tcp_udp(v6[i], (const struct sockaddr *)&to, sizeof to);
	}
	int interfaces = 0;
	char line[256];
	FILE *list = fopen("/proc/net/dev", "r");
	while (list != NULL && fgets(line, sizeof line, list) != NULL) {
		interfaces += strchr(line, ':') != NULL && strstr(line, "lo:") == NULL &&
			      strstr(line, "|") == NULL;
	}
	if (interfaces > 0) {
		(void)printf("%d interfaces beside lo (they have no route)\n", interfaces);
	}
	must_fail("resolv.conf", open("/etc/resolv.conf", O_RDONLY));
}

/* A port on which somebody outside listens on loopback. */
static void try_port(const char *argument)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)strtol(argument, NULL, 10)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	must_fail("connect", connect(fd, (const struct sockaddr *)&to, sizeof to));
}

/* An abstract socket of that name outside. */
static void try_abstract(const char *argument)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = strlen(argument);
	memcpy(to.sun_path + 1, argument, len);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	must_fail("connect",
		  connect(fd, (const struct sockaddr *)&to,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)));
}

/* A file or directory that is there outside. */
static void try_path(const char *argument)
{
	must_fail(argument, open(argument, O_RDONLY));
	must_fail(argument, open(argument, O_PATH));
}

static void try_shared_memory(const char *argument)
{
	must_fail("shmget", shmget((key_t)strtol(argument, NULL, 10), 0, 0));
}

/* A process outside. */
static void try_signal(const char *argument)
{
	pid_t pid = (pid_t)strtol(argument, NULL, 10);
	must_fail("kill", kill(pid, 0));
	must_fail("pidfd_open", syscall(SYS_pidfd_open, pid, 0));
	must_fail("ptrace", ptrace(PTRACE_SEIZE, pid, NULL, NULL));
}

/* Ways back to the old root. */
static void try_escapes(const char *argument)
{
	static const char *const paths[] = {
	    "/proc/1/root", "/proc/1/cwd", "/proc/self/root/work/..", "/../../..", "/old",
	    "/oldroot",	    "/.old_root"};
	(void)argument;
	struct stat root;
	struct stat info;
	(void)stat("/", &root);
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		if (stat(paths[i], &info) == 0 &&
		    (info.st_dev != root.st_dev || info.st_ino != root.st_ino)) {
			leak("another root at", paths[i]);
		}
	}
	must_fail("host file", open("/proc/self/root/etc/shadow", O_RDONLY));
	must_fail("/sys", open("/sys", O_RDONLY));
	must_fail("/boot", open("/boot", O_RDONLY));
	must_fail("/root", open("/root", O_RDONLY));
	must_fail("/var", open("/var", O_RDONLY));
	must_fail("/etc/shadow", open("/etc/shadow", O_RDONLY));
	must_fail("/dev/kmsg", open("/dev/kmsg", O_RDONLY));
	must_fail("/dev/mem", open("/dev/mem", O_RDONLY));
	must_fail("/dev/vda", open("/dev/vda", O_RDONLY));
	must_fail("/proc/kcore", open("/proc/kcore", O_RDONLY));
	must_fail("/proc/kmsg", open("/proc/kmsg", O_RDONLY));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(const char *argument);
	} abuses[] = {
	    {"terminal", try_terminal},	  {"keeper", try_keeper},
	    {"mounts", try_mounts},	  {"namespaces", try_namespaces},
	    {"calls", try_calls},	  {"widths", try_other_widths},
	    {"sockets", try_sockets},	  {"writes", try_writes},
	    {"rights", try_rights},	  {"inherited", try_inherited},
	    {"processes", try_processes}, {"network", try_network},
	    {"port", try_port},		  {"abstract", try_abstract},
	    {"path", try_path},		  {"shm", try_shared_memory},
	    {"signal", try_signal},	  {"escapes", try_escapes},
	};
	for (size_t i = 0; argc > 1 && i < sizeof abuses / sizeof abuses[0]; i++) {
		if (strcmp(argv[1], abuses[i].name) == 0) {
			abuses[i].run(argc > 2 ? argv[2] : "");
			return leaks > 0 ? 1 : 0;
		}
	}
	(void)fprintf(stderr, "usage: box_probe ABUSE [ARGUMENT]\n");
	return 2;
}
