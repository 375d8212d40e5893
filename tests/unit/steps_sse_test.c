/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include "schemas/buf.h"
#include "schemas/mem.h"
#include "steps/sse.h"

static void write_down(void *arg, const struct st_sse_event *event)
{
	struct st_buf *out = arg;
	st_buf_addf(out, "%s/%s/", event->name, event->id);
	st_buf_add_json_string(out, event->data, event->data_len);
	st_buf_add_char(out, ';');
}

static int feed_cut(const char *stream, size_t len, size_t first, size_t second, struct st_buf *out)
{
	struct st_sse sse;
	st_sse_init(&sse, 64);
	int rc = st_sse_feed(&sse, stream, first, write_down, out);
	rc |= st_sse_feed(&sse, stream + first, second - first, write_down, out);
	rc |= st_sse_feed(&sse, stream + second, len - second, write_down, out);
	st_sse_fini(&sse);
	return rc;
}

static const struct {
	const char *stream;
	const char *events;
} table[] = {
    {"data: a\n\n", "message//\"a\";"},
    {"data:a\r\rdata: b\r\n\r\n", "message//\"a\";message//\"b\";"},
    {"data: a\ndata: b\r\ndata\rdata:  c\n\n", "message//\"a\\nb\\n\\n c\";"},
    {"event: ping\nid: 7\ndata: {}\n\ndata: x\n\n", "ping/7/\"{}\";message/7/\"x\";"},
    {": comment\n\nretry: 10\nfoo: bar\n\ndata:\n\n", "message//\"\";"},
    {"event: lost\n\ndata: y\n\n", "message//\"y\";"},
    {"data: whole\n\ndata: cut off\n", "message//\"whole\";"},
    {"\xef\xbb\xbf"
     "data: mark\n\n",
     "message//\"mark\";"},
    {"\xef\xbb\xbf\xef\xbb\xbf"
     "data: twice\n\n",
     ""},
    {"\ndata: a\n\n", "message//\"a\";"},
    {"datum: a\ndat: b\ndata:c\n\n", "message//\"c\";"},
    {"data: \xc3\xa9:z\n\n", "message//\"\xc3\xa9:z\";"},
};

static void events_are_the_same_however_the_stream_is_cut(void **state)
{
	(void)state;
	for (size_t row = 0; row < sizeof table / sizeof table[0]; row++) {
		size_t len = strlen(table[row].stream);
		for (size_t i = 0; i <= len; i++) {
			for (size_t j = i; j <= len; j++) {
				struct st_buf out = {0};
				st_buf_add_text(&out, "");
				assert_int_equal(feed_cut(table[row].stream, len, i, j, &out), 0);
				assert_string_equal(out.data, table[row].events);
				st_buf_fini(&out);
			}
		}
	}
}

static void nul_bytes_are_data_but_no_id(void **state)
{
	(void)state;
	static const char stream[] = "id: a\n\ndata: x\0y\nid: b\0c\n\ndata\0: z\n\n";
	struct st_buf out = {0};
	assert_int_equal(feed_cut(stream, sizeof stream - 1, 3, 9, &out), 0);
	assert_string_equal(out.data, "message/a/\"x\\u0000y\";");
	st_buf_fini(&out);
}

static void an_event_over_the_cap_ends_the_stream(void **state)
{
	(void)state;
	char line[200];
	memset(line, 'x', sizeof line);
	struct st_sse sse;
	struct st_buf out = {0};
	st_sse_init(&sse, 64);
	assert_int_equal(st_sse_feed(&sse, "data: a\n\n", 9, write_down, &out), ST_OK);
	assert_int_equal(st_sse_feed(&sse, line, 64, write_down, &out), ST_OK);
	assert_int_equal(st_sse_feed(&sse, line, 1, write_down, &out), ST_ERR_TOO_LARGE);
	assert_int_equal(st_sse_feed(&sse, "\n\n", 2, write_down, &out), ST_ERR_TOO_LARGE);
	assert_string_equal(out.data, "message//\"a\";");
	st_sse_fini(&sse);
	st_buf_clear(&out);

	st_sse_init(&sse, 64);
	int rc = ST_OK;
	for (int i = 0; i < 100 && rc == ST_OK; i++) {
		rc = st_sse_feed(&sse, "data: abc\n", 10, write_down, &out);
	}
	assert_int_equal(rc, ST_ERR_TOO_LARGE);
	assert_true(sse.data.len <= 64);
	st_sse_fini(&sse);
	st_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(events_are_the_same_however_the_stream_is_cut),
	    cmocka_unit_test(nul_bytes_are_data_but_no_id),
	    cmocka_unit_test(an_event_over_the_cap_ends_the_stream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
