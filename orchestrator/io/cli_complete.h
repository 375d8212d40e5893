/* SPDX-License-Identifier: Apache-2.0 */
/* What may be typed next? For the shells, out of the one table of commands. */
#ifndef ST_ORCHESTRATOR_IO_CLI_COMPLETE_H
#define ST_ORCHESTRATOR_IO_CLI_COMPLETE_H

/* "stint help completion bash|zsh|fish" (NULL: bash): prints the shell's script. The exit code. */
int st_cli_complete(const char *shell);

#endif
