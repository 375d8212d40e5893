/* SPDX-License-Identifier: Apache-2.0 */
/* The program. */
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "orchestrator/io/cli.h"

int main(int argc, char **argv)
{
	const struct rlimit none = {0, 0};
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a write that passes a limit fails as on a full disk */
	(void)umask(077);
	/* Secrets live in this memory: no core file, no ptrace by others. */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return st_cli_main(argc, argv);
}
