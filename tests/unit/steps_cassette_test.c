/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/http_client_rig.h"

#include <sys/stat.h>
#include <unistd.h>

#include "steps/io/cassette.h"

static char folder[] = "/tmp/stint-cassette-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/stint-cassette-XXXXXX");
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/tape.json", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(folder); /* so nothing else was left in it */
}

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static char *read_file(void)
{
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	struct st_buf buf = {0};
	size_t got = fread(st_buf_reserve(&buf, 1 << 20), 1, 1 << 20, file);
	buf.len = got;
	buf.data[got] = '\0';
	assert_int_equal(fclose(file), 0);
	return st_buf_take(&buf);
}

static struct st_http_request ask(const char *method, const char *url, const char *body)
{
	struct st_http_request request = rig_request_to(url);
	(void)snprintf(request.method, sizeof request.method, "%s", method);
	request.body = st_strdup(body);
	request.body_len = body != NULL ? strlen(body) : 0;
	return request;
}

/* The body that the cassette answers with, "-" for none; the caller frees it. */
static char *answer(struct st_cassette *cassette, const char *method, const char *url,
		    const char *body)
{
	struct st_http_request request = ask(method, url, body);
	struct st_http_response response = {.status = 0};
	struct st_diag diag = {.code = ST_OK};
	int rc = st_cassette_answer(cassette, &request, &response, &diag);
	char *text = st_strdup(rc == ST_OK ? response.body : "-");
	assert_true(rc == ST_OK || (rc == ST_ERR_NOT_FOUND && diag.text[0] != '\0'));
	assert_true(rc != ST_OK || response.replayed);
	st_http_response_fini(&response);
	st_http_request_fini(&request);
	return text;
}

static void check_answer(struct st_cassette *cassette, const char *body, const char *wanted)
{
	st_autofree char *got = answer(cassette, "POST", "https://api.example/v1?x=1", body);
	assert_string_equal(got, wanted);
}

#define ENTRY(body, answer)                                                                        \
	"{\"request\":{\"method\":\"POST\",\"target\":\"/v1?x=1\",\"body\":" body "},"             \
	"\"response\":{\"status\":200,\"headers\":{\"a\":\"b\"},\"body_text\":\"" answer "\"}}"
#define TAPE(options, entries) "{\"stint_cassette\":1," options "\"entries\":[" entries "]}"

static struct st_cassette *load(const char *text)
{
	write_file(text);
	struct st_cassette *cassette = NULL;
	struct st_diag diag = {.code = ST_OK};
	if (st_cassette_load(path, &cassette, &diag) != ST_OK) {
		fail_msg("%s", diag.text);
	}
	return cassette;
}

static void equal_content_is_answered_in_order_of_use(void **state)
{
	(void)state;
	struct st_cassette *cassette =
	    load(TAPE("", ENTRY("{\"a\":1,\"b\":2}", "one") "," ENTRY(
			      "{\"a\":2}", "other") "," ENTRY("{\"b\":2,\"a\":1}", "two")));
	check_answer(cassette, "{ \"b\": 2, \"a\": 1 }", "one");
	check_answer(cassette, "{\"a\":1,\"b\":2}", "two");
	check_answer(cassette, "{\"a\":2}", "other");
	check_answer(cassette, "{\"a\":1,\"b\":2}", "one");
	check_answer(cassette, "{\"a\":3}", "-");
	check_answer(cassette, NULL, "-");
	st_autofree char *get = answer(cassette, "GET", "https://api.example/v1?x=1", "{\"a\":2}");
	assert_string_equal(get, "-");
	st_autofree char *elsewhere =
	    answer(cassette, "POST", "https://api.example/v2?x=1", "{\"a\":2}");
	assert_string_equal(elsewhere, "-");
	st_cassette_free(cassette);
}

static void by_order_the_body_does_not_matter(void **state)
{
	(void)state;
	struct st_cassette *cassette =
	    load(TAPE("\"match\":\"order\",", ENTRY("1", "one") "," ENTRY("{\"a\":2}", "two")));
	check_answer(cassette, "{\"now\":123}", "one");
	check_answer(cassette, "{\"now\":124}", "two");
	check_answer(cassette, "text", "one");
	st_autofree char *other = answer(cassette, "POST", "http://api.example/v1?y", NULL);
	assert_string_equal(other, "two");
	st_cassette_free(cassette);
}

static void once_means_once(void **state)
{
	(void)state;
	struct st_cassette *cassette = load(TAPE("\"once\":true,", ENTRY("{}", "one")));
	check_answer(cassette, "{}", "one");
	check_answer(cassette, "{}", "-");
	st_cassette_free(cassette);
}

static void a_damaged_cassette_is_refused_with_the_place(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *pointer;
	} bad[] = {
	    {"", ""},
	    {"[]", "/stint_cassette"},
	    {"{\"stint_cassette\":2,\"entries\":[]}", "/stint_cassette"},
	    {"{\"stint_cassette\":1}", "/entries"},
	    {TAPE("\"match\":\"best\",", ""), "/match"},
	    {TAPE("\"once\":1,", ""), "/once"},
	    {TAPE("", "{}"), "/entries/0/request"},
	    {TAPE("", ENTRY("1", "a") ",{\"request\":{\"method\":\"GET\",\"target\":\"/\"}}"),
	     "/entries/1/response"},
	    {TAPE("", "{\"request\":{\"method\":\"GET\",\"target\":\"x\"},\"response\":{}}"),
	     "/entries/0/request"},
	    {TAPE("", "{\"request\":{\"method\":\"GET\",\"target\":\"/\"},\"response\":"
		      "{\"status\":200,\"headers\":{\"a\":1}}}"),
	     "/entries/0/response"},
	    {TAPE("", "{\"request\":{\"method\":\"GET\",\"target\":\"/\"},\"response\":"
		      "{\"status\":200,\"body_base64\":\"*\"}}"),
	     "/entries/0/response"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct st_cassette *cassette = NULL;
		struct st_diag diag = {.code = ST_OK};
		write_file(bad[i].text);
		assert_int_equal(st_cassette_load(path, &cassette, &diag), ST_ERR_INVALID);
		assert_string_equal(diag.pointer, bad[i].pointer);
		assert_non_null(strstr(diag.text, "tape.json"));
		assert_null(cassette);
	}
	struct st_cassette *cassette = NULL;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(st_cassette_load(path, &cassette, NULL), ST_ERR_NOT_FOUND);
}

static struct st_http_response send_to(struct rig *rig, const char *target, const char *cassette)
{
	struct st_http_request request = rig_request(rig, "POST", target);
	request.body = st_strdup("{\"q\": 1}");
	request.body_len = strlen(request.body);
	request.cassette = cassette;
	(void)st_http_request_header(&request, "Authorization", "Bearer s3cret");
	(void)st_http_request_header(&request, "x-api-key", "s3cret");
	(void)st_http_request_header(&request, "Content-Type", "application/json");
	return rig_send(rig, &request);
}

static void what_was_recorded_is_replayed_without_the_server(void **state)
{
	(void)state;
	struct rig rig;
	struct st_http_options options = {.record_path = path};
	rig_open(&rig, &options);
	SCRIPT(&rig.server, READ,
	       SEND("HTTP/1.1 201 Made\r\nSet-Cookie: s3cret\r\nX-Id: 7\r\n\r\n{\"id\":7}"), CLOSE);
	SCRIPT(&rig.server, READ, SEND("HTTP/1.1 200 OK\r\n\r\ndata: hi\n\n"), CLOSE);
	SCRIPT(&rig.server, READ, SEND("HTTP/1.1 500 No\r\n\r\n\xff\x01\x02"), CLOSE);
	SCRIPT(&rig.server, READ, CLOSE);
	static const char *const bodies[] = {"{\"id\":7}", "data: hi\n\n", "\xff\x01\x02"};
	for (size_t i = 0; i < 4; i++) {
		struct st_http_response response = send_to(&rig, "/v1/x?key=s3cret&a=b", NULL);
		assert_false(response.replayed);
		st_http_response_fini(&response);
	}
	assert_null(st_http_client_record_failure(rig.client));
	rig_close(&rig);

	st_autofree char *text = read_file();
	assert_null(strstr(text, "s3cret"));
	assert_non_null(strstr(text, "/v1/x?key=MASKED&a=b"));
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);

	rig_open(&rig, NULL);
	for (size_t i = 0; i < 3; i++) {
		struct st_http_response response = send_to(&rig, "/v1/x?key=other&a=b", path);
		assert_int_equal(response.transport, ST_TRANSPORT_ANSWERED);
		assert_true(response.replayed);
		assert_string_equal(response.body, bodies[i]);
		assert_true(i != 0 || response.status == 201);
		const char *id = st_http_response_header(&response, "x-id");
		assert_true((i == 0) == (id != NULL));
		st_http_response_fini(&response);
	}
	struct st_http_response response = send_to(&rig, "/v1/y", path);
	assert_int_equal(response.transport, ST_TRANSPORT_NOT_SENT);
	assert_non_null(strstr(response.error, "POST /v1/y"));
	st_http_response_fini(&response);
	response = send_to(&rig, "/v1/y", "/nonexistent/tape.json");
	assert_int_equal(response.transport, ST_TRANSPORT_NOT_SENT);
	assert_non_null(strstr(response.error, "/nonexistent/tape.json"));
	st_http_response_fini(&response);
	assert_int_equal(rig.server.n_connections, 0);
	rig_close(&rig);
}

static void a_replayed_answer_obeys_the_limit(void **state)
{
	(void)state;
	write_file(TAPE("\"match\":\"order\",", ENTRY("{}", "0123456789")));
	struct rig rig;
	rig_open(&rig, NULL);
	struct st_http_request request = ask("POST", "http://api.example/v1", "{}");
	request.cassette = path;
	request.response_bytes_max = 4;
	struct st_http_response response = rig_send(&rig, &request);
	assert_int_equal(response.transport, ST_TRANSPORT_TOO_LARGE);
	assert_string_equal(response.body, "0123");
	st_http_response_fini(&response);
	rig_close(&rig);
}

static void recording_goes_on_in_an_existing_file(void **state)
{
	(void)state;
	write_file(TAPE("", ENTRY("{\"q\":1}", "kept")));
	struct rig rig;
	struct st_http_options options = {.record_path = path};
	rig_open(&rig, &options);
	SCRIPT(&rig.server, READ, SEND(OK_HEAD(3) "new"));
	struct st_http_response response = send_to(&rig, "/v1?x=1", NULL);
	st_http_response_fini(&response);
	rig_close(&rig);
	struct st_cassette *cassette = NULL;
	assert_int_equal(st_cassette_load(path, &cassette, NULL), ST_OK);
	check_answer(cassette, "{\"q\":1}", "kept");
	check_answer(cassette, "{\"q\":1}", "new");
	st_cassette_free(cassette);
}

static void a_place_that_cannot_be_written_is_told_at_once(void **state)
{
	(void)state;
	uv_loop_t loop;
	assert_int_equal(uv_loop_init(&loop), 0);
	struct st_http_client *client = NULL;
	struct st_diag diag = {.code = ST_OK};
	struct st_http_options options = {.record_path = "/nonexistent/tape.json"};
	assert_int_equal(st_http_client_new(&loop, &options, &client, &diag), ST_ERR_IO);
	write_file("not a cassette");
	options.record_path = path;
	assert_int_equal(st_http_client_new(&loop, &options, &client, &diag), ST_ERR_INVALID);
	st_autofree char *text = read_file();
	assert_string_equal(text, "not a cassette");
	assert_null(client);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
#define LAW(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
	const struct CMUnitTest tests[] = {
	    LAW(equal_content_is_answered_in_order_of_use),
	    LAW(by_order_the_body_does_not_matter),
	    LAW(once_means_once),
	    LAW(a_damaged_cassette_is_refused_with_the_place),
	    LAW(what_was_recorded_is_replayed_without_the_server),
	    LAW(a_replayed_answer_obeys_the_limit),
	    LAW(recording_goes_on_in_an_existing_file),
	    LAW(a_place_that_cannot_be_written_is_told_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
