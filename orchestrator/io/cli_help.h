/* SPDX-License-Identifier: Apache-2.0 */
/* How are the commands explained? All out of the one table. */
#ifndef ST_ORCHESTRATOR_IO_CLI_HELP_H
#define ST_ORCHESTRATOR_IO_CLI_HELP_H

#include "orchestrator/io/cli.h"

/* "stint help [COMMAND | exit-codes | environment | man | completion SHELL]". The exit code. */
int st_cli_help(int argc, char **argv);
/* Says that there is no such command and which comes near. The exit code. */
int st_cli_unknown(const char *word);

#endif
