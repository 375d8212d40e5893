/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the store's disk, and the process's memory, fail at the n-th call. For LD_PRELOAD.
 *
 * FAULTIO_CONTROL names a file of ten 64-bit numbers that is mapped and read live;
 * tests/crash/rig.py writes it. FAULTIO_WATCH is what the paths begin with that the plan is about:
 * the store and the files beside it. All other files are left alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#define FDS_MAX 4096

enum fault {
	FAULT_NONE,
	FAULT_SYNC,
	FAULT_WRITE,
	FAULT_SHORT,
	FAULT_LIE,
	FAULT_OPEN,
	FAULT_ALLOC,
	FAULT_FOLD /* a sync of the database itself, not of its log: that is a checkpoint */
};

struct control {
	_Atomic int64_t fault; /* enum fault */
	_Atomic int64_t nth;   /* of its calls, from 1 */
	_Atomic int64_t times; /* how many calls from then on; -1: all */
	_Atomic int64_t error; /* errno */
	_Atomic int64_t fired;
	_Atomic int64_t syncs; /* what was counted */
	_Atomic int64_t writes;
	_Atomic int64_t opens;
	_Atomic int64_t allocs;
	_Atomic int64_t folds;
};

/* The C library's own; our names stand before them. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

static struct control *control;
static const char *watch;
static _Atomic bool watched[FDS_MAX];
static _Atomic bool is_database[FDS_MAX];

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

static void find(void *out, const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);
	memcpy(out, &found, sizeof found);
}

__attribute__((constructor)) static void set_up(void)
{
	find(&real_write, "write");
	find(&real_pwrite, "pwrite64");
	find(&real_open, "open64");
	find(&real_close, "close");
	find(&real_fsync, "fsync");
	find(&real_fdatasync, "fdatasync");
	watch = getenv("FAULTIO_WATCH");
	const char *path = getenv("FAULTIO_CONTROL");
	int fd = path != NULL ? real_open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0) {
		return;
	}
	void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	control = page != MAP_FAILED ? page : NULL;
	(void)real_close(fd);
}

/* Counts a call; true when it is to fail. */
static bool hits(_Atomic int64_t *counter, enum fault fault)
{
	int64_t n = atomic_fetch_add(counter, 1) + 1;
	int64_t nth = atomic_load(&control->nth);
	int64_t times = atomic_load(&control->times);
	if (atomic_load(&control->fault) != (int64_t)fault || n < nth ||
	    (times >= 0 && n >= nth + times)) {
		return false;
	}
	atomic_fetch_add(&control->fired, 1);
	return true;
}

static bool is_watched(int fd)
{
	return control != NULL && fd >= 0 && fd < FDS_MAX && atomic_load(&watched[fd]);
}

static int fail(void)
{
	errno = (int)atomic_load(&control->error);
	return -1;
}

/* Files */

static int open_it(const char *path, int flags, mode_t mode)
{
	bool ours = control != NULL && watch != NULL && strncmp(path, watch, strlen(watch)) == 0;
	if (ours && hits(&control->opens, FAULT_OPEN)) {
		return fail();
	}
	int fd = real_open(path, flags, mode);
	if (fd >= 0 && fd < FDS_MAX) {
		atomic_store(&watched[fd], ours);
		atomic_store(&is_database[fd], ours && strcmp(path, watch) == 0);
	}
	return fd;
}

#define OPEN(NAME)                                                                                 \
	int NAME(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		va_list more;                                                                      \
		va_start(more, flags);                                                             \
		mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;     \
		va_end(more);                                                                      \
		return open_it(path, flags, mode);                                                 \
	}
OPEN(open)
OPEN(open64)

int close(int fd)
{
	if (fd >= 0 && fd < FDS_MAX) {
		atomic_store(&watched[fd], false);
	}
	return real_close(fd);
}

static bool sync_fails(int fd)
{
	bool fold =
	    is_watched(fd) && atomic_load(&is_database[fd]) && hits(&control->folds, FAULT_FOLD);
	return fold || (is_watched(fd) && hits(&control->syncs, FAULT_SYNC));
}

int fsync(int fd)
{
	return sync_fails(fd) ? fail() : real_fsync(fd);
}

int fdatasync(int fd)
{
	return sync_fails(fd) ? fail() : real_fdatasync(fd);
}

/* How much of `len` is to be written: all, half, none (and said to be all), or -1 for an error. */
static ssize_t share(size_t len)
{
	int64_t fault = atomic_load(&control->fault);
	bool about_writes = fault == FAULT_WRITE || fault == FAULT_SHORT || fault == FAULT_LIE;
	if (!hits(&control->writes, about_writes ? (enum fault)fault : FAULT_WRITE)) {
		return (ssize_t)len;
	}
	/* A single byte is written or not: to say that it was when it was not would be a lie. */
	return fault == FAULT_SHORT ? (ssize_t)((len + 1) / 2) : fault == FAULT_LIE ? 0 : fail();
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	ssize_t part = is_watched(fd) ? share(len) : (ssize_t)len;
	if (part == 0 && len > 0) {
		return (ssize_t)len;
	}
	return part < 0 ? part : real_write(fd, bytes, (size_t)part);
}

#define PWRITE(NAME, type)                                                                         \
	ssize_t NAME(int fd, const void *bytes, size_t len, type at)                               \
	{                                                                                          \
		ssize_t part = is_watched(fd) ? share(len) : (ssize_t)len;                         \
		if (part == 0 && len > 0) {                                                        \
			return (ssize_t)len;                                                       \
		}                                                                                  \
		return part < 0 ? part : real_pwrite(fd, bytes, (size_t)part, at);                 \
	}
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

/* Memory */

static bool is_refused(void)
{
	if (control == NULL || !hits(&control->allocs, FAULT_ALLOC)) {
		return false;
	}
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return is_refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return is_refused() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	return is_refused() ? NULL : __libc_realloc(old, size);
}
