/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/cli_complete.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/io/cli.h"

#define TOPICS "exit-codes environment man completion"

/* The commands of one first word ("token create", "token list") stand together in the table. */
static int word_len(const struct st_command *c)
{
	return (int)strcspn(c->name, " ");
}

static bool begins_group(const struct st_command *c)
{
	return c == st_commands || word_len(c) != word_len(c - 1) ||
	       strncmp(c->name, c[-1].name, (size_t)word_len(c)) != 0;
}

static const char *second_word(const struct st_command *c)
{
	const char *space = strchr(c->name, ' ');
	return space != NULL ? space + 1 : "";
}

static const struct st_command *end_of_group(const struct st_command *c)
{
	do {
		c++;
	} while (c->name != NULL && !begins_group(c));
	return c;
}

/* The second words of a group, then the options of each of its commands that none before had. */
static void print_group_words(const struct st_command *first)
{
	const struct st_command *end = end_of_group(first);
	for (const struct st_command *c = first; c < end; c++) {
		(void)printf("%s%s", second_word(c), second_word(c)[0] != '\0' ? " " : "");
	}
	for (const struct st_command *c = first; c < end; c++) {
		for (const struct st_option *o = c->options; o->name != NULL; o++) {
			(void)printf("--%s ", o->name);
		}
	}
	for (const struct st_option *o = st_common_options; o->name != NULL; o++) {
		(void)printf("--%s ", o->name);
	}
}

static void print_first_words(void)
{
	(void)printf("help ");
	for (const struct st_command *c = st_commands; c->name != NULL; c++) {
		if (begins_group(c)) {
			(void)printf("%.*s ", word_len(c), c->name);
		}
	}
}

static void complete_bash(void)
{
	(void)printf("# bash completion for stint\n_stint() {\n"
		     "  local cur=${COMP_WORDS[COMP_CWORD]} words=\n"
		     "  if [ \"$COMP_CWORD\" = 1 ]; then\n    words=\"");
	print_first_words();
	(void)printf("\"\n  else\n    case ${COMP_WORDS[1]} in\n    help) words=\"" TOPICS " ");
	print_first_words();
	(void)printf("\" ;;\n");
	for (const struct st_command *c = st_commands; c->name != NULL; c = end_of_group(c)) {
		(void)printf("    %.*s) words=\"", word_len(c), c->name);
		print_group_words(c);
		(void)printf("\" ;;\n");
	}
	(void)printf("    esac\n  fi\n"
		     "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\n"
		     "complete -o default -F _stint stint\n");
}

/* In single quotes, without what _describe and _arguments give a meaning. */
static void print_plain(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (strchr("'[]:\\$`\"", *p) == NULL) {
			(void)putchar(*p);
		}
	}
}

static void zsh_options(const struct st_option *options)
{
	for (const struct st_option *o = options; o->name != NULL; o++) {
		bool repeated = (o->flags & ST_OPTION_REPEATED) != 0;
		(void)printf(" '%s--%s%s[", repeated ? "*" : "", o->name,
			     o->value != NULL ? "=" : "");
		print_plain(o->help);
		(void)printf("]");
		if (o->value != NULL) {
			(void)printf(":%s:%s", o->value,
				     strcmp(o->value, "FILE") == 0 ? "_files" : "");
		}
		(void)printf("'");
	}
}

static void zsh_group(const struct st_command *first)
{
	const struct st_command *end = end_of_group(first);
	(void)printf("  %.*s) _arguments", word_len(first), first->name);
	if (second_word(first)[0] != '\0') {
		(void)printf(" '2:command:(");
		for (const struct st_command *c = first; c < end; c++) {
			(void)printf("%s ", second_word(c));
		}
		(void)printf(")'");
	}
	zsh_options(first->options);
	zsh_options(st_common_options);
	(void)printf(" '*:file:_files' ;;\n");
}

static void complete_zsh(void)
{
	(void)printf("#compdef stint\n_stint() {\n  local -a commands=(\n    'help:explain'\n");
	for (const struct st_command *c = st_commands; c->name != NULL; c++) {
		if (begins_group(c)) {
			(void)printf("    '%.*s:", word_len(c), c->name);
			print_plain(c->summary);
			(void)printf("'\n");
		}
	}
	(void)printf("  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n"
		     "    return\n  fi\n  case $words[2] in\n"
		     "  help) _values topic " TOPICS " ${commands%%%%:*} ;;\n");
	for (const struct st_command *c = st_commands; c->name != NULL; c = end_of_group(c)) {
		zsh_group(c);
	}
	(void)printf("  esac\n}\n_stint \"$@\"\n");
}

static void complete_fish(void)
{
	(void)printf("# fish completion for stint\n"
		     "complete -c stint -n __fish_use_subcommand -f -a help -d 'explain'\n");
	for (const struct st_command *c = st_commands; c->name != NULL; c++) {
		const char *second = second_word(c);
		if (begins_group(c)) {
			(void)printf("complete -c stint -n __fish_use_subcommand -f -a %.*s -d '",
				     word_len(c), c->name);
			print_plain(c->summary);
			(void)printf("'\n");
		}
		if (second[0] != '\0') {
			(void)printf("complete -c stint -n '__fish_seen_subcommand_from %.*s' -f "
				     "-a %s\n",
				     word_len(c), c->name, second);
		}
		for (const struct st_option *o = c->options; o->name != NULL; o++) {
			(void)printf("complete -c stint -n '__fish_seen_subcommand_from %.*s' -l "
				     "%s%s -d '",
				     word_len(c), c->name, o->name, o->value != NULL ? " -r" : "");
			print_plain(o->help);
			(void)printf("'\n");
		}
	}
	(void)printf("complete -c stint -l json -d 'print JSON for scripts'\n"
		     "complete -c stint -l help -d 'explain this command'\n");
}

int st_cli_complete(const char *shell)
{
	if (shell == NULL || strcmp(shell, "bash") == 0) {
		complete_bash();
	} else if (strcmp(shell, "zsh") == 0) {
		complete_zsh();
	} else if (strcmp(shell, "fish") == 0) {
		complete_fish();
	} else {
		(void)fprintf(stderr, "stint: completion knows bash, zsh and fish\n");
		return ST_EXIT_USAGE;
	}
	return ST_EXIT_DONE;
}
