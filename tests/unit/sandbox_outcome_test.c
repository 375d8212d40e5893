/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "sandbox/outcome.h"
#include "schemas/mem.h"

#define EXITED ST_JOB_STATUS_EXITED
#define KILLED ST_JOB_STATUS_SIGNALLED
#define UNABLE ST_JOB_STATUS_NOT_STARTED
#define NONE ST_JOB_CAUSE_NONE
#define LIMIT ST_JOB_CAUSE_LIMIT
#define ABORT ST_JOB_CAUSE_ABORT
#define LOST ST_JOB_CAUSE_LOST

static void every_job_has_exactly_the_end_it_had(void **state)
{
	(void)state;
	static const struct {
		size_t n_commands;
		size_t n_records; /* all but the last exited with 0 */
		enum st_job_status status;
		int value;
		enum st_job_cause at_end; /* decided when the last command's main process ended */
		enum st_job_cause cause;  /* decided by the end of the job */
		enum st_job_end end;
		int exit_code;
		bool goes_on;
	} rows[] = {
	    {1, 1, EXITED, 0, NONE, NONE, ST_JOB_EXITED, 0, false},
	    {2, 1, EXITED, 0, NONE, NONE, ST_JOB_EXITED, 0, true},
	    {2, 1, EXITED, 3, NONE, NONE, ST_JOB_EXITED, 3, false},
	    {2, 2, EXITED, 3, NONE, NONE, ST_JOB_EXITED, 3, false},
	    {1, 1, KILLED, 15, NONE, NONE, ST_JOB_SIGNALLED, 143, false},
	    /* A limit that passes while strays are swept does not undo an end. */
	    {1, 1, EXITED, 0, NONE, LIMIT, ST_JOB_EXITED, 0, false},
	    {2, 1, EXITED, 3, NONE, LIMIT, ST_JOB_EXITED, 3, false},
	    {1, 1, KILLED, 9, NONE, ABORT, ST_JOB_SIGNALLED, 137, false},
	    /* But the next command did not get its turn. */
	    {2, 1, EXITED, 0, NONE, LIMIT, ST_JOB_TIMED_OUT, 0, false},
	    {2, 1, EXITED, 0, NONE, ABORT, ST_JOB_ABORTED, 0, false},
	    {1, 1, KILLED, 15, LIMIT, LIMIT, ST_JOB_TIMED_OUT, 143, false},
	    {1, 1, EXITED, 0, LIMIT, LIMIT, ST_JOB_TIMED_OUT, 0, false},
	    {1, 1, KILLED, 9, ABORT, ABORT, ST_JOB_ABORTED, 137, false},
	    {1, 1, KILLED, 9, LOST, NONE, ST_JOB_ABORTED, 137, false},
	    /* NOT_STARTED means that nothing at all ran. */
	    {2, 1, UNABLE, ENOENT, NONE, NONE, ST_JOB_NOT_STARTED, 127, false},
	    {2, 1, UNABLE, EACCES, NONE, NONE, ST_JOB_NOT_STARTED, 126, false},
	    {2, 2, UNABLE, ENOENT, NONE, NONE, ST_JOB_EXITED, 127, false},
	    {2, 0, EXITED, 0, NONE, ABORT, ST_JOB_NOT_STARTED, 0, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct st_job_log log;
		struct st_job_result result;
		st_job_log_init(&log, rows[i].n_commands);
		log.cause = rows[i].cause;
		for (size_t k = 0; k < rows[i].n_records; k++) {
			bool last = k + 1 == rows[i].n_records;
			struct st_job_record *record = st_job_log_next(&log);
			record->status = last ? rows[i].status : EXITED;
			record->value = last ? rows[i].value : 0;
			record->cause = last ? rows[i].at_end : NONE;
		}
		assert_int_equal(st_job_log_goes_on(&log), rows[i].goes_on);
		st_job_outcome(&log, 7, &result);
		assert_int_equal(result.end, rows[i].end);
		assert_int_equal(result.exit_code, rows[i].exit_code);
		assert_int_equal(result.wall_ms, 7);
		assert_int_equal(json_array_size(result.transcript), rows[i].n_records);
		st_job_result_fini(&result);
		st_job_log_fini(&log);
	}
}

static void a_transcript_tells_what_was_seen_and_kept(void **state)
{
	(void)state;
	struct st_job_log log;
	struct st_job_result result;
	st_job_log_init(&log, 1);
	struct st_job_record *record = st_job_log_next(&log);
	record->command = st_strdup("make");
	record->status = KILLED;
	record->value = 9;
	memcpy(record->signal, "SIGKILL", 8);
	record->started_ms = 1;
	record->wall_ms = 2;
	record->cpu_ms = 3;
	st_tail_init(&record->out, 4);
	st_tail_add(&record->out, "abcdefgh", 8);
	record->out_bytes = 10;
	record->err_bytes = 1;
	st_tail_init(&record->err, 4);
	st_tail_add(&record->err, "\xFF", 1);
	st_job_outcome(&log, 3, &result);
	assert_int_equal(result.bytes_seen, 11);
	char *text = json_dumps(result.transcript, JSON_COMPACT);
	assert_string_equal(text, "[{\"command\":\"make\",\"exit_code\":137,\"signal\":\"SIGKILL\","
				  "\"started_ms\":1,\"wall_ms\":2,\"cpu_ms\":3,"
				  "\"stdout\":\"a\\n[stint: 4 bytes dropped]\\nfgh\","
				  "\"stderr\":\"\xEF\xBF\xBD\",\"stdout_bytes\":10,"
				  "\"stderr_bytes\":1,\"truncated\":true}]");
	st_free(text);
	st_job_result_fini(&result);
	st_job_log_fini(&log);
}

static void one_loud_command_does_not_silence_the_others(void **state)
{
	(void)state;
	struct st_job_log log;
	st_job_log_init(&log, 3);
	static const size_t sizes[][2] = {{1000, 0}, {10, 20}, {5, 400}};
	char bytes[1000];
	memset(bytes, 'x', sizeof bytes);
	for (size_t i = 0; i < 3; i++) {
		struct st_job_record *record = st_job_log_next(&log);
		st_tail_init(&record->out, 1000);
		st_tail_init(&record->err, 1000);
		st_tail_add(&record->out, bytes, sizes[i][0]);
		st_tail_add(&record->err, bytes, sizes[i][1]);
		st_job_log_trim(&log, 1000);
	}
	assert_int_equal(st_tail_kept(&log.records[1].out), 10);
	assert_int_equal(st_tail_kept(&log.records[1].err), 20);
	assert_int_equal(st_tail_kept(&log.records[2].out), 5);
	assert_int_equal(st_tail_kept(&log.records[2].err), 400);
	assert_int_equal(st_tail_kept(&log.records[0].out), 565);
	st_job_log_fini(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_job_has_exactly_the_end_it_had),
	    cmocka_unit_test(a_transcript_tells_what_was_seen_and_kept),
	    cmocka_unit_test(one_loud_command_does_not_silence_the_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
