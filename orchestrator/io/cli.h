/* SPDX-License-Identifier: Apache-2.0 */
/* What can a person type, and what do the commands share? */
#ifndef ST_ORCHESTRATOR_IO_CLI_H
#define ST_ORCHESTRATOR_IO_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "schemas/err.h"

/* X(NAME, code, "what it means"): the exit codes of every command. */
#define ST_EXIT_X(X)                                                                               \
	X(DONE, 0, "done")                                                                         \
	X(FAILED, 1, "the run failed")                                                             \
	X(USAGE, 2, "usage, or an invalid definition or config")                                   \
	X(HALTED, 3, "the run is halted and waits for a decision")                                 \
	X(REFUSED, 4, "refused, denied or not permitted")                                          \
	X(UNREACHABLE, 5, "the server or the store is out of reach")

enum st_exit {
#define X(name, code, text) ST_EXIT_##name = (code),
	ST_EXIT_X(X)
#undef X
};

/* Bits of st_option.flags */
#define ST_OPTION_REPEATED 1U /* may stand more than once */

struct st_option {
	const char *name;  /* without the dashes */
	const char *value; /* what it takes, for help ("FILE"); NULL: nothing */
	const char *help;
	const char *env; /* taken from there when not given; or NULL */
	unsigned flags;
};

struct st_cli;

struct st_command {
	const char *name; /* "token create": a word or two */
	const char *args; /* "FILE|-", or "" */
	const char *summary;
	const char *text;    /* a paragraph for help and the manual, or NULL */
	const char *example; /* one line */
	int args_min;
	int args_max;			 /* -1: as many as there are */
	const struct st_option *options; /* ended by a NULL name; the common ones come on top */
	int (*run)(struct st_cli *cli);
};

/* Ended by a NULL name. Each group of commands stands in its own file. */
extern const struct st_command st_commands[];
extern const struct st_option st_common_options[];

/* The parsed command line. Everything is borrowed from argv or the environment. */
#define ST_CLI_VALUES_MAX 256
struct st_cli {
	const struct st_command *command;
	struct {
		const struct st_option *option;
		const char *value;
	} values[ST_CLI_VALUES_MAX];
	size_t n_values;
	const char **args;
	int n_args;
	bool json; /* --json */
};

/* The (last) value of an option, or its environment variable's, or NULL. */
const char *st_cli_get(const struct st_cli *cli, const char *name);
bool st_cli_has(const struct st_cli *cli, const char *name);
/* The n-th value of a repeated option, counted from 0, or NULL. */
const char *st_cli_nth(const struct st_cli *cli, const char *name, size_t n);
/* Says what is wrong on stderr ("stint: …" or problem JSON with --json) and gives the exit code
 * that fits the failure. */
int st_cli_fail(const struct st_cli *cli, const struct st_diag *diag);
int st_cli_usage(const struct st_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Parses and runs. The process's exit code. */
int st_cli_main(int argc, char **argv);

/* The commands; see st_commands in cli_commands.c. */
int st_cli_init(struct st_cli *cli);
int st_cli_serve(struct st_cli *cli);
int st_cli_run(struct st_cli *cli);
int st_cli_sandbox_exec(struct st_cli *cli);
int st_cli_sandbox_plan(struct st_cli *cli);

#endif
