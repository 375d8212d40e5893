/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "orchestrator/io/cli.h"

#define WIDTH_MIN 40 /* narrower than this, lines wrap */
#define WIDTH_MAX 10000

static int width_of_stdout(bool terminal)
{
	const char *given = getenv("COLUMNS");
	char *end = NULL;
	long columns = given != NULL ? strtol(given, &end, 10) : 0;
	struct winsize size = {0};
	if (given != NULL && *end == '\0' && columns > 0 && columns <= WIDTH_MAX) {
		return columns < WIDTH_MIN ? WIDTH_MIN : (int)columns;
	}
	if (!terminal) {
		return 0;
	}
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
		return 80;
	}
	return size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col;
}

struct st_look st_term_look(void)
{
	const char *none = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	bool terminal = isatty(STDOUT_FILENO) == 1;
	return (struct st_look){
	    .width = width_of_stdout(terminal),
	    .colour = terminal && (none == NULL || none[0] == '\0') &&
		      (term == NULL || strcmp(term, "dumb") != 0),
	};
}

int st_term_print(const struct st_buf *text)
{
	if (text->len > 0 && fwrite(text->data, 1, text->len, stdout) != text->len) {
		return ST_EXIT_FAILED;
	}
	return fflush(stdout) == 0 ? ST_EXIT_DONE : ST_EXIT_FAILED;
}
