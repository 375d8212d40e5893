/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/io/keeper/tell.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS = 3 };

union control {
	char bytes[CMSG_SPACE(FDS * sizeof(int))];
	struct cmsghdr align;
};

static void send_note(const struct st_keeper_note *note, int fd)
{
	struct iovec part = {(void *)note, sizeof *note};
	union control control = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof fd);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
	}
	while (sendmsg(ST_KEEPER_CONTROL_FD, &message, MSG_NOSIGNAL) < 0 && errno == EINTR) {
	}
}

void st_tell(enum st_keeper_note_kind kind, int stage, int value)
{
	const struct st_keeper_note note = {(int32_t)kind, (int32_t)stage, (int32_t)value, -1};
	send_note(&note, -1);
}

void st_tell_empty(int unended, int64_t cpu_ms)
{
	int64_t most = cpu_ms > INT32_MAX ? INT32_MAX : cpu_ms;
	const struct st_keeper_note note = {ST_KEEPER_EMPTY, 0, unended, (int32_t)most};
	send_note(&note, -1);
}

void st_tell_ready(int fd)
{
	const struct st_keeper_note note = {ST_KEEPER_READY, 0, 0, -1};
	send_note(&note, fd);
}

_Noreturn void st_tell_no_box(enum st_keeper_stage stage, int detail)
{
	const struct st_keeper_note note = {ST_KEEPER_NOT_STARTED, (int32_t)stage, errno, detail};
	send_note(&note, -1);
	st_tell_empty(0, 0);
	_exit(126);
}

int st_hear(int fds[3])
{
	char order = 0;
	struct iovec part = {&order, 1};
	union control control = {0};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof control.bytes};
	for (int i = 0; i < FDS; i++) {
		fds[i] = -1;
	}
	ssize_t n = recvmsg(ST_KEEPER_CONTROL_FD, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return 0;
	}
	if (n <= 0) {
		return -1;
	}
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (header != NULL && header->cmsg_len == CMSG_LEN(FDS * sizeof(int))) {
		memcpy(fds, CMSG_DATA(header), FDS * sizeof(int));
	}
	return order;
}
