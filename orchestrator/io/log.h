/* SPDX-License-Identifier: Apache-2.0 */
/* What does the operator read while the daemon runs? One JSON line per message,
 * on stderr. */
#ifndef ST_ORCHESTRATOR_IO_LOG_H
#define ST_ORCHESTRATOR_IO_LOG_H

struct st_redactor;

enum st_log_level { ST_LOG_ERROR = 3, ST_LOG_WARNING = 4, ST_LOG_INFO = 6, ST_LOG_DEBUG = 7 };

/* Which lines are written (INFO at first), and what redacts them (NULL:
 * messages are then withheld but for their event name). Borrowed; call it
 * before threads start. */
void st_log_setup(enum st_log_level level, const struct st_redactor *redactor);
/* {"at":…,"level":…,"event":"store.failed","text":…}. `event` is a literal.
 * When stderr is a journal ($JOURNAL_STREAM), "<N>" stands before the line. */
void st_log(enum st_log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
