/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/io/clock.h"
#include "redact/redact.h"
#include "schemas/buf.h"

/* The process has one stderr; this is its one setting. */
static struct {
	enum st_log_level level;
	const struct st_redactor *redactor;
	int journal;
} logger = {.level = ST_LOG_INFO};

void st_log_setup(enum st_log_level level, const struct st_redactor *redactor)
{
	logger.level = level;
	logger.redactor = redactor;
	logger.journal = getenv("JOURNAL_STREAM") != NULL;
}

static const char *level_name(enum st_log_level level)
{
	switch (level) {
	case ST_LOG_ERROR:
		return "error";
	case ST_LOG_WARNING:
		return "warning";
	case ST_LOG_INFO:
		return "info";
	case ST_LOG_DEBUG:
		return "debug";
	}
	return "info";
}

void st_log(enum st_log_level level, const char *event, const char *format, ...)
{
	if (level > logger.level) {
		return;
	}
	char text[2048];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	char at[ST_TIME_TEXT_MAX];
	struct st_buf line = {0};
	if (logger.journal) {
		st_buf_addf(&line, "<%d>", (int)level);
	}
	st_buf_addf(&line, "{\"at\":\"%s\",\"level\":\"%s\",\"event\":\"%s\",\"text\":",
		    st_time_format(st_clock_now(), at), level_name(level), event);
	if (logger.redactor != NULL) {
		st_autoclean struct st_clean *clean =
		    st_redact_text(logger.redactor, text, strlen(text));
		st_buf_add_json_string(&line, st_clean_text(clean), st_clean_len(clean));
	} else {
		st_buf_add_text(&line, "\"\"");
	}
	st_buf_add_text(&line, "}\n");
	ssize_t written = write(STDERR_FILENO, line.data, line.len);
	(void)written; /* there is nobody left to tell */
	st_buf_fini(&line);
}
