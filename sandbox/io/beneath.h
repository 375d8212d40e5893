/* SPDX-License-Identifier: Apache-2.0 */
/* How is a file opened below a directory that somebody hostile has filled? */
#ifndef ST_SANDBOX_IO_BENEATH_H
#define ST_SANDBOX_IO_BENEATH_H

/*
 * Opens a relative path below `root` (a directory's descriptor, O_PATH will do), close-on-exec. No
 * symbolic link is followed anywhere in the path, no ".." is taken, no mount is entered. Returns a
 * descriptor, or -1 and errno: ELOOP for a link, EXDEV for a way out or onto another file system.
 * With O_PATH, the last part may be a link itself, as with O_NOFOLLOW.
 */
int st_beneath_open(int root, const char *path, int flags);

/* The same where the kernel has no openat2: part by part. For st_beneath_open, and for tests. */
int st_beneath_open_by_parts(int root, const char *path, int flags);

#endif
