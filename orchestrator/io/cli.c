/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/cli.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/io/cli_help.h"
#include "orchestrator/shown.h"
#include "schemas/buf.h"
#include "schemas/mem.h"

const char *st_cli_get(const struct st_cli *cli, const char *name)
{
	for (size_t i = cli->n_values; i > 0; i--) {
		if (strcmp(cli->values[i - 1].option->name, name) == 0) {
			return cli->values[i - 1].value;
		}
	}
	const struct st_option *lists[] = {cli->command->options, st_common_options};
	for (size_t l = 0; l < 2; l++) {
		for (const struct st_option *o = lists[l]; o->name != NULL; o++) {
			if (strcmp(o->name, name) == 0 && o->env != NULL) {
				const char *value = getenv(o->env);
				return value != NULL && value[0] != '\0' ? value : NULL;
			}
		}
	}
	return NULL;
}

bool st_cli_has(const struct st_cli *cli, const char *name)
{
	return st_cli_get(cli, name) != NULL;
}

const char *st_cli_nth(const struct st_cli *cli, const char *name, size_t n)
{
	for (size_t i = 0; i < cli->n_values; i++) {
		if (strcmp(cli->values[i].option->name, name) == 0 && n-- == 0) {
			return cli->values[i].value;
		}
	}
	return NULL;
}

static enum st_exit exit_of(enum st_err code)
{
	switch (code) {
	case ST_OK:
		return ST_EXIT_DONE;
	case ST_ERR_INVALID:
	case ST_ERR_TOO_LARGE:
	case ST_ERR_NOT_FOUND:
	case ST_ERR_EXISTS:
	case ST_ERR_UNSUPPORTED:
		return ST_EXIT_USAGE;
	case ST_ERR_CONFLICT:
	case ST_ERR_FORBIDDEN:
	case ST_ERR_UNAUTHENTICATED:
	case ST_ERR_CANCELLED:
		return ST_EXIT_REFUSED;
	case ST_ERR_IO:
	case ST_ERR_NET:
	case ST_ERR_TIMEOUT:
	case ST_ERR_CORRUPT:
	case ST_ERR_FOREIGN:
	case ST_ERR_NEWER:
	case ST_ERR_BUSY:
	case ST_ERR_UNAVAILABLE:
		return ST_EXIT_UNREACHABLE;
	}
	return ST_EXIT_FAILED;
}

static void add_failure_json(struct st_buf *out, const struct st_diag *diag, const char *text)
{
	st_buf_add_text(out, "{\"error\":\"");
	for (const char *p = st_err_name(diag->code); *p != '\0'; p++) {
		st_buf_add_char(out, (char)tolower((unsigned char)*p));
	}
	st_buf_add_text(out, "\",\"detail\":");
	st_buf_add_json_string(out, text, strlen(text));
	if (diag->pointer[0] != '\0') {
		st_buf_add_text(out, ",\"pointer\":");
		st_buf_add_json_string(out, diag->pointer, strlen(diag->pointer));
	}
	st_buf_add_text(out, "}");
}

int st_cli_fail(const struct st_cli *cli, const struct st_diag *diag)
{
	const char *text = diag->text[0] != '\0' ? diag->text : st_err_text(diag->code);
	struct st_buf out = {0};
	if (cli->json) {
		add_failure_json(&out, diag, text);
	} else {
		st_buf_add_text(&out, "stint: ");
		if (diag->pointer[0] != '\0') {
			st_buf_add_text(&out, "at ");
			st_shown_add(&out, diag->pointer, strlen(diag->pointer));
			st_buf_add_text(&out, ": ");
		}
		st_shown_add_lines(&out, text, strlen(text));
	}
	(void)fprintf(stderr, "%s\n", out.data);
	st_buf_fini(&out);
	return (int)exit_of(diag->code);
}

int st_cli_usage(const struct st_cli *cli, const char *format, ...)
{
	va_list args;
	char text[512];
	struct st_buf shown = {0};
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	st_shown_add(&shown, text, strlen(text));
	(void)fprintf(stderr, "stint: %s", shown.data != NULL ? shown.data : "");
	st_buf_fini(&shown);
	if (cli->command != NULL) {
		(void)fprintf(stderr, "\nusage: stint %s %s\nsee: stint help %s\n",
			      cli->command->name, cli->command->args, cli->command->name);
	} else {
		(void)fputs("\nsee: stint help\n", stderr);
	}
	return ST_EXIT_USAGE;
}

/* Does argv begin with the command's words? Gives how many. */
static int matches(const struct st_command *command, int argc, char **argv)
{
	const char *name = command->name;
	for (int n = 0; n < argc; n++) {
		size_t len = strlen(argv[n]);
		if (strncmp(name, argv[n], len) != 0 || (name[len] != ' ' && name[len] != '\0')) {
			return 0;
		}
		if (name[len] == '\0') {
			return n + 1;
		}
		name += len + 1;
	}
	return 0;
}

static const struct st_command *find_command(int argc, char **argv, int *words)
{
	for (const struct st_command *c = st_commands; c->name != NULL; c++) {
		*words = matches(c, argc, argv);
		if (*words > 0) {
			return c;
		}
	}
	return NULL;
}

static const struct st_option *find_option(const struct st_command *command, const char *name,
					   size_t len)
{
	const struct st_option *lists[] = {command->options, st_common_options};
	for (size_t l = 0; l < 2; l++) {
		for (const struct st_option *o = lists[l]; o->name != NULL; o++) {
			if (strlen(o->name) == len && strncmp(o->name, name, len) == 0) {
				return o;
			}
		}
	}
	return NULL;
}

static bool takes_value(const struct st_cli *cli, const struct st_option *option)
{
	return option->value != NULL && cli->n_values < ST_CLI_VALUES_MAX;
}

/* One "--name", "--name=value" or "--name value"; moves *i past it. 0, or the exit code. */
static int parse_option(struct st_cli *cli, int argc, char **argv, int *i)
{
	const char *name = argv[*i] + 2;
	const char *equals = strchr(name, '=');
	size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
	const struct st_option *option = find_option(cli->command, name, len);
	if (option == NULL) {
		return st_cli_usage(cli, "there is no option --%.*s", (int)(len > 64 ? 64 : len),
				    name);
	}
	if ((option->flags & ST_OPTION_REPEATED) == 0 && st_cli_nth(cli, option->name, 0) != NULL) {
		return st_cli_usage(cli, "--%s may stand once only", option->name);
	}
	if (cli->n_values == ST_CLI_VALUES_MAX) {
		return st_cli_usage(cli, "more than %d options", ST_CLI_VALUES_MAX);
	}
	const char *value = "";
	if (takes_value(cli, option)) {
		value = equals != NULL ? equals + 1 : *i + 1 < argc ? argv[++*i] : NULL;
		if (value == NULL || (equals == NULL && strncmp(value, "--", 2) == 0)) {
			return st_cli_usage(cli, "--%s takes %s", option->name, option->value);
		}
	} else if (equals != NULL) {
		return st_cli_usage(cli, "--%s takes no value", option->name);
	}
	cli->values[cli->n_values].option = option;
	cli->values[cli->n_values++].value = value;
	(*i)++;
	return 0;
}

static int parse(struct st_cli *cli, int argc, char **argv)
{
	int i = 0;
	while (i < argc) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (strncmp(argv[i], "--", 2) != 0) {
			cli->args[cli->n_args++] = argv[i++];
			continue;
		}
		int code = parse_option(cli, argc, argv, &i);
		if (code != 0) {
			return code;
		}
	}
	while (i < argc) {
		cli->args[cli->n_args++] = argv[i++];
	}
	cli->json = st_cli_has(cli, "json");
	return 0;
}

static int run_command(struct st_cli *cli, int argc, char **argv, int words)
{
	const struct st_command *command = cli->command;
	int code = parse(cli, argc - 1 - words, argv + 1 + words);
	if (code != 0) {
		return code;
	}
	if (st_cli_has(cli, "help")) {
		return st_cli_help(words, argv + 1);
	}
	if (cli->n_args < command->args_min ||
	    (command->args_max >= 0 && cli->n_args > command->args_max)) {
		return st_cli_usage(cli, "%s takes %s", command->name,
				    command->args[0] != '\0' ? command->args : "no arguments");
	}
	return command->run(cli);
}

static int dispatch(int argc, char **argv)
{
	struct st_cli cli = {0};
	int words = 0;
	if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0) {
		return st_cli_help(argc - 2, argv + 2);
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("stint %s\n", ST_VERSION);
		return ST_EXIT_DONE;
	}
	cli.command = find_command(argc - 1, argv + 1, &words);
	if (cli.command == NULL) {
		return st_cli_unknown(argv[1]);
	}
	const char **args = st_alloc_array((size_t)argc, sizeof(char *));
	cli.args = args;
	int code = run_command(&cli, argc, argv, words);
	st_free(args);
	return code;
}

int st_cli_main(int argc, char **argv)
{
	int code = dispatch(argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout) != 0) {
		(void)fputs("stint: what was printed could not be written\n", stderr);
		code = code == ST_EXIT_DONE ? ST_EXIT_FAILED : code;
	}
	return code;
}
