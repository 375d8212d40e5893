/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/cli_help.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/io/cli_complete.h"
#include "orchestrator/shown.h"
#include "schemas/buf.h"

struct variable {
	const char *name;
	const char *help;
};

static const struct variable variables[] = {
    {"STINT_URL", "the server that client commands talk to"},
    {"STINT_TOKEN", "the bearer token that is sent to it"},
    {"STINT_STORE", "the store, sqlite:PATH, for commands that work on one themselves"},
    {"STINT_CONFIG", "the operator's config file"},
    {"STINT_SEAL_KEY_FILE", "the key that seals step outputs; else PATH.key beside the store"},
    {"NO_COLOR", "no colours on a terminal"},
    {NULL, NULL},
};

static void print_options(const struct st_option *options)
{
	for (const struct st_option *o = options; o->name != NULL; o++) {
		char left[64];
		(void)snprintf(left, sizeof left, "--%s%s%s", o->name, o->value != NULL ? " " : "",
			       o->value != NULL ? o->value : "");
		(void)printf("  %-26s %s%s%s%s\n", left, o->help, o->env != NULL ? " [$" : "",
			     o->env != NULL ? o->env : "", o->env != NULL ? "]" : "");
	}
}

static int help_command(const struct st_command *c)
{
	(void)printf("stint %s: %s\n\nusage: stint %s %s\n", c->name, c->summary, c->name, c->args);
	if (c->text != NULL) {
		(void)printf("\n%s\n", c->text);
	}
	(void)printf("\noptions:\n");
	print_options(c->options);
	print_options(st_common_options);
	(void)printf("\nexample:\n  %s\n", c->example);
	return ST_EXIT_DONE;
}

static int help_all(void)
{
	(void)printf("stint keeps AI agents' long work inside a budget envelope.\n\n"
		     "usage: stint COMMAND [ARGUMENTS] [OPTIONS]\n\ncommands:\n");
	for (const struct st_command *c = st_commands; c->name != NULL; c++) {
		(void)printf("  %-14s %s\n", c->name, c->summary);
	}
	(void)printf("\nhelp topics: stint help COMMAND | exit-codes | environment | man | "
		     "completion bash|zsh|fish\n");
	return ST_EXIT_DONE;
}

static int help_exit_codes(void)
{
#define X(name, code, text) (void)printf("  %d  %s\n", code, text);
	ST_EXIT_X(X)
#undef X
	return ST_EXIT_DONE;
}

static int help_environment(void)
{
	for (const struct variable *v = variables; v->name != NULL; v++) {
		(void)printf("  %-20s %s\n", v->name, v->help);
	}
	return ST_EXIT_DONE;
}

/* In man(7) a leading dot or quote and every backslash mean something. */
static void print_roff(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\\') {
			(void)fputs("\\e", stdout);
		} else if (*p == '-') {
			(void)fputs("\\-", stdout);
		} else if ((*p == '.' || *p == '\'') && (p == text || p[-1] == '\n')) {
			(void)printf("\\&%c", *p);
		} else {
			(void)putchar(*p);
		}
	}
}

/* A summary begins like a sentence here. */
static void print_summary(const char *text)
{
	(void)putchar(toupper((unsigned char)text[0]));
	print_roff(text + 1);
}

static void man_options(const struct st_option *options)
{
	for (const struct st_option *o = options; o->name != NULL; o++) {
		(void)printf(".TP\n\\fB\\-\\-");
		print_roff(o->name);
		(void)printf("\\fR");
		if (o->value != NULL) {
			(void)printf(" \\fI");
			print_roff(o->value);
			(void)printf("\\fR");
		}
		(void)putchar('\n');
		print_roff(o->help);
		if (o->env != NULL) {
			(void)printf(" ($%s)", o->env);
		}
		(void)putchar('\n');
	}
}

static int print_man(void)
{
	(void)printf(
	    ".TH STINT 1 \"\" \"stint %s\" \"User Commands\"\n.SH NAME\nstint \\- keeps AI "
	    "agents\\(aq long work inside a budget envelope\n.SH SYNOPSIS\n.B stint\n"
	    ".I COMMAND\n[ARGUMENTS] [OPTIONS]\n.SH COMMANDS\n",
	    ST_VERSION);
	for (const struct st_command *c = st_commands; c->name != NULL; c++) {
		(void)printf(".SS stint ");
		print_roff(c->name);
		(void)printf("\n.B stint ");
		print_roff(c->name);
		(void)printf("\n");
		print_roff(c->args);
		(void)printf("\n.PP\n");
		print_summary(c->summary);
		(void)printf(".\n");
		if (c->text != NULL) {
			(void)printf(".PP\n");
			print_roff(c->text);
			(void)putchar('\n');
		}
		man_options(c->options);
		(void)printf(".PP\n.EX\n");
		print_roff(c->example);
		(void)printf("\n.EE\n");
	}
	(void)printf(".SH OPTIONS\n");
	man_options(st_common_options);
	(void)printf(".SH EXIT STATUS\n");
#define X(name, code, text) (void)printf(".TP\n%d\n%s\n", code, text);
	ST_EXIT_X(X)
#undef X
	(void)printf(".SH ENVIRONMENT\n");
	for (const struct variable *v = variables; v->name != NULL; v++) {
		(void)printf(".TP\n%s\n", v->name);
		print_roff(v->help);
		(void)putchar('\n');
	}
	return ST_EXIT_DONE;
}

static bool is_command(const struct st_command *c, int argc, char **argv)
{
	char name[128] = "";
	size_t len = 0;
	for (int i = 0; i < argc && len < sizeof name; i++) {
		int n = snprintf(name + len, sizeof name - len, "%s%s", i > 0 ? " " : "", argv[i]);
		len += n > 0 ? (size_t)n : 0;
	}
	return strcmp(name, c->name) == 0;
}

int st_cli_help(int argc, char **argv)
{
	if (argc <= 0) {
		return help_all();
	}
	if (strcmp(argv[0], "exit-codes") == 0) {
		return help_exit_codes();
	}
	if (strcmp(argv[0], "environment") == 0) {
		return help_environment();
	}
	if (strcmp(argv[0], "man") == 0) {
		return print_man();
	}
	if (strcmp(argv[0], "completion") == 0) {
		return st_cli_complete(argc > 1 ? argv[1] : NULL);
	}
	for (const struct st_command *c = st_commands; c->name != NULL; c++) {
		if (is_command(c, argc, argv)) {
			return help_command(c);
		}
	}
	return st_cli_unknown(argv[0]);
}

/* Letters in common at the beginning and at the end: enough to catch a slip. */
static size_t likeness(const char *a, const char *b)
{
	size_t n = 0;
	size_t la = strlen(a);
	size_t lb = strcspn(b, " ");
	while (n < la && n < lb && a[n] == b[n]) {
		n++;
	}
	size_t m = 0;
	while (m < la - n && m < lb - n && a[la - 1 - m] == b[lb - 1 - m]) {
		m++;
	}
	return n + m;
}

int st_cli_unknown(const char *word)
{
	const struct st_command *best = NULL;
	size_t score = 1;
	for (const struct st_command *c = st_commands; c->name != NULL; c++) {
		size_t s = likeness(word, c->name);
		if (s > score) {
			score = s;
			best = c;
		}
	}
	struct st_buf shown = {0};
	st_shown_add(&shown, word, strnlen(word, 64));
	(void)fprintf(stderr, "stint: there is no command \"%s\"",
		      shown.data != NULL ? shown.data : "");
	st_buf_fini(&shown);
	if (best != NULL) {
		(void)fprintf(stderr, "; did you mean \"%s\"?", best->name);
	}
	(void)fprintf(stderr, "\nsee: stint help\n");
	return ST_EXIT_USAGE;
}
