/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/http_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "schemas/mem.h"

#define BACKLOG 1024
#define HOST_MAX 64

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage room;
};

static int fail_listen(struct st_diag *diag, const char *what, int uv_error)
{
	enum st_err code = uv_error == UV_EADDRINUSE ? ST_ERR_BUSY : ST_ERR_NET;
	return st_fail(diag, code, "cannot listen on %s: %s", what, uv_strerror(uv_error));
}

static int parse_port(const char *text, unsigned *out)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 5 || text[digits] != '\0') {
		return ST_ERR_INVALID;
	}
	unsigned port = 0;
	for (size_t i = 0; i < digits; i++) {
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	*out = port;
	return port <= 65535 ? ST_OK : ST_ERR_INVALID;
}

/* "127.0.0.1:0", "[::1]:0", "localhost:0". */
static int parse_address(const char *text, union address *out, struct st_diag *diag)
{
	const char *colon = strrchr(text, ':');
	unsigned port = 0;
	char host[HOST_MAX];
	size_t len = colon != NULL ? (size_t)(colon - text) : 0;
	if (len == 0 || len >= sizeof host || parse_port(colon + 1, &port) != ST_OK) {
		return st_fail(diag, ST_ERR_INVALID,
			       "listen address '%s': write 127.0.0.1:PORT, [::1]:PORT or unix:PATH",
			       text);
	}
	memcpy(host, text, len);
	host[len] = '\0';
	int error = UV_EINVAL;
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		error = uv_ip6_addr(host + 1, (int)port, &out->v6);
	} else {
		const char *name = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
		error = uv_ip4_addr(name, (int)port, &out->v4);
	}
	if (error != 0) {
		return st_fail(diag, ST_ERR_INVALID, "listen address '%s': not a numeric address",
			       text);
	}
	return ST_OK;
}

static bool is_loopback(const union address *address)
{
	if (address->any.sa_family == AF_INET6) {
		return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
	}
	return (ntohl(address->v4.sin_addr.s_addr) >> 24) == 127;
}

static int listen_tcp(struct st_http_server *server, bool *initialised, struct st_diag *diag)
{
	const char *text = server->options.listen;
	union address address = {0};
	int status = parse_address(text, &address, diag);
	if (status != ST_OK) {
		return status;
	}
	if (!is_loopback(&address) && !server->options.allow_remote) {
		return st_fail(diag, ST_ERR_FORBIDDEN,
			       "%s is not a loopback address: say so explicitly to serve others",
			       text);
	}
	int error = uv_tcp_init(server->loop, &server->io.tcp);
	if (error != 0) {
		return fail_listen(diag, text, error);
	}
	*initialised = true;
	error = uv_tcp_bind(&server->io.tcp, &address.any, 0);
	int len = (int)sizeof address;
	if (error == 0) {
		error = uv_tcp_getsockname(&server->io.tcp, &address.any, &len);
	}
	if (error != 0) {
		return fail_listen(diag, text, error);
	}
	bool v6 = address.any.sa_family == AF_INET6;
	server->port = ntohs(v6 ? address.v6.sin6_port : address.v4.sin_port);
	struct st_buf url = {0};
	st_buf_add_text(&url, "http://");
	const char *host = strncmp(text, "localhost:", 10) == 0 ? "127.0.0.1:" : text;
	st_buf_add(&url, host, (size_t)(strrchr(host, ':') - host));
	st_buf_addf(&url, ":%u", server->port);
	server->url = st_buf_take(&url);
	return ST_OK;
}

/* Nobody accepts at this path: 0. Somebody does, or it is no socket: a failure. */
static int clear_stale(const char *path, const struct sockaddr_un *address, struct st_diag *diag)
{
	struct stat info;
	if (lstat(path, &info) != 0) {
		return errno == ENOENT ? ST_OK
				       : st_fail(diag, ST_ERR_IO, "cannot look at %s: %s", path,
						 strerror(errno));
	}
	if (!S_ISSOCK(info.st_mode)) {
		return st_fail(diag, ST_ERR_EXISTS, "%s is there and is no socket", path);
	}
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0) {
		return st_fail(diag, ST_ERR_NET, "cannot make a socket: %s", strerror(errno));
	}
	int result = connect(probe, (const struct sockaddr *)address, sizeof *address);
	int reason = errno;
	(void)close(probe);
	if (result == 0 || reason != ECONNREFUSED) {
		return st_fail(diag, ST_ERR_BUSY,
			       "%s is in use: stop that server or take another path", path);
	}
	if (unlink(path) != 0 && errno != ENOENT) {
		return st_fail(diag, ST_ERR_IO, "cannot remove the stale socket %s: %s", path,
			       strerror(errno));
	}
	return ST_OK;
}

/* A bound, listening socket, mode 0600 from its first moment; or -1 with diag filled. */
static int bind_unix(const char *path, struct st_diag *diag)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, path, strlen(path));
	if (clear_stale(path, &address, diag) != ST_OK) {
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		(void)st_fail(diag, ST_ERR_NET, "cannot make a socket: %s", strerror(errno));
		return -1;
	}
	/* Linux gives the bound file the mode of the unbound socket. */
	if (fchmod(fd, 0600) != 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		(void)st_fail(diag, errno == EADDRINUSE ? ST_ERR_BUSY : ST_ERR_NET,
			      "cannot listen on unix:%s: %s", path, strerror(errno));
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Two servers that both see a stale socket must not remove each other's: one at a time, by a lock
 * on the directory, which leaves no file behind. */
static int lock_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash == NULL	  ? st_strdup(".")
			  : slash == path ? st_strdup("/")
					  : st_strndup(path, (size_t)(slash - path));
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	st_free(directory);
	if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

static int listen_unix(struct st_http_server *server, bool *initialised, struct st_diag *diag)
{
	const char *path = server->options.listen + strlen("unix:");
	struct sockaddr_un address;
	if (path[0] == '\0' || strlen(path) >= sizeof address.sun_path) {
		return st_fail(diag, ST_ERR_INVALID, "unix socket path '%s': 1 to %zu bytes", path,
			       sizeof address.sun_path - 1);
	}
	int lock = lock_directory(path);
	if (lock < 0) {
		return st_fail(diag, ST_ERR_IO, "cannot lock the directory of %s: %s", path,
			       strerror(errno));
	}
	int fd = bind_unix(path, diag);
	(void)close(lock);
	if (fd < 0) {
		return diag != NULL ? (int)diag->code : ST_ERR_NET;
	}
	struct stat info;
	if (lstat(path, &info) == 0) {
		server->path_dev = info.st_dev;
		server->path_inode = info.st_ino;
	}
	server->is_unix = true;
	server->path = st_strdup(path);
	server->url = st_strdup(server->options.listen);
	int error = uv_pipe_init(server->loop, &server->io.pipe, 0);
	*initialised = error == 0;
	if (error == 0) {
		error = uv_pipe_open(&server->io.pipe, fd);
	}
	if (error != 0) {
		(void)close(fd);
		return fail_listen(diag, server->url, error);
	}
	return ST_OK;
}

int st_http_listen(struct st_http_server *server, bool *initialised, struct st_diag *diag)
{
	const char *text = server->options.listen;
	if (text == NULL) {
		return st_fail(diag, ST_ERR_INVALID, "no listen address is given");
	}
	struct st_diag own = {0}; /* so that the code of a failure is there to return */
	int status = strncmp(text, "unix:", 5) == 0
			 ? listen_unix(server, initialised, diag != NULL ? diag : &own)
			 : listen_tcp(server, initialised, diag);
	return status;
}

void st_http_listen_unlink(struct st_http_server *server)
{
	struct stat info;
	if (server->path != NULL && lstat(server->path, &info) == 0 &&
	    info.st_dev == server->path_dev && info.st_ino == server->path_inode) {
		(void)unlink(server->path);
	}
}
