/* SPDX-License-Identifier: Apache-2.0 */
/* The program. */
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orchestrator/io/cli.h"

/* A closed standard stream would be the next file that is opened, say the store, and what is
 * printed would go there. What stands in for it takes nothing, so that printing fails. */
static void fill_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0) {
			(void)open(fd == STDIN_FILENO ? "/dev/null" : "/dev/full", O_RDWR);
		}
	}
}

int main(int argc, char **argv)
{
	const struct rlimit none = {0, 0};
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a write that passes a limit fails as on a full disk */
	(void)umask(077);
	fill_streams();
	/* Secrets live in this memory: no core file, no ptrace by others. */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return st_cli_main(argc, argv);
}
