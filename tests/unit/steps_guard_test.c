/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include "schemas/mem.h"
#include "steps/guard.h"
#include "steps/redirect.h"
#include "steps/url.h"

static struct st_guard *guard_with(const char *const *allow, size_t n)
{
	struct st_guard *guard = NULL;
	struct st_diag diag;
	assert_int_equal(st_guard_new(allow, n, &guard, &diag), ST_OK);
	return guard;
}

static bool permits(const struct st_guard *guard, const char *text, uint16_t port)
{
	struct st_address address;
	if (!st_address_parse(text, strlen(text), &address)) {
		fail_msg("%s is no address", text);
	}
	return st_guard_refusal(guard, &address, port) == NULL;
}

static const char *const refused[] = {"127.0.0.1",
				      "127.255.255.255",
				      "0.0.0.0",
				      "0.1.2.3",
				      "10.0.0.1",
				      "10.255.255.255",
				      "172.16.0.1",
				      "172.31.255.255",
				      "192.168.0.1",
				      "100.64.0.1",
				      "100.127.255.255",
				      "100.100.100.200",
				      "169.254.169.254",
				      "169.254.0.1",
				      "198.18.0.1",
				      "198.19.255.255",
				      "224.0.0.1",
				      "239.255.255.255",
				      "240.0.0.1",
				      "255.255.255.255",
				      "192.0.0.8",
				      "192.0.2.1",
				      "198.51.100.1",
				      "203.0.113.9",
				      "192.88.99.1",
				      "::",
				      "::1",
				      "::2",
				      "::ffff:127.0.0.1",
				      "::ffff:7f00:1",
				      "::ffff:10.0.0.1",
				      "::ffff:169.254.169.254",
				      "::127.0.0.1",
				      "::7f00:1",
				      "64:ff9b::7f00:1",
				      "64:ff9b::8.8.8.8",
				      "64:ff9b:1::1",
				      "fe80::1",
				      "febf::1",
				      "fec0::1",
				      "fc00::1",
				      "fd00:ec2::254",
				      "fdff::1",
				      "ff02::1",
				      "2001:db8::1",
				      "2001::1",
				      "2001:10::1",
				      "2002:7f00:1::",
				      "3fff::1",
				      "100::1",
				      "4000::1",
				      "e000::1",
				      "1fff::1",
				      "5f00::1"};
static const char *const permitted[] = {
    "1.1.1.1",	       "8.8.8.8",	  "9.255.255.255",
    "11.0.0.0",	       "100.63.255.255",  "100.128.0.0",
    "126.255.255.255", "128.0.0.0",	  "169.253.255.255",
    "169.255.0.0",     "172.15.255.255",  "172.32.0.0",
    "192.167.255.255", "192.169.0.0",	  "198.17.255.255",
    "198.20.0.0",      "223.255.255.255", "::ffff:8.8.8.8",
    "2606:4700::1111", "2a00:1450::1",	  "2001:4860:4860::8888",
    "3ffe::1"};

static void only_public_addresses_are_permitted(void **state)
{
	(void)state;
	struct st_guard *guard = guard_with(NULL, 0);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		if (permits(guard, refused[i], 443)) {
			fail_msg("%s got through", refused[i]);
		}
	}
	for (size_t i = 0; i < sizeof permitted / sizeof permitted[0]; i++) {
		if (!permits(guard, permitted[i], 443)) {
			fail_msg("%s was refused", permitted[i]);
		}
	}
	st_guard_free(guard);
}

static void an_allow_entry_opens_its_range_and_port_only(void **state)
{
	(void)state;
	static const char *const allow[] = {"10.0.0.0/8:443", "[::1]/128:8080", "127.0.0.1/32",
					    "192.168.1.7",    "fd00::/8",	"172.16.0.0/13:80"};
	struct st_guard *guard = guard_with(allow, sizeof allow / sizeof allow[0]);
	assert_true(permits(guard, "10.200.0.1", 443));
	assert_false(permits(guard, "10.200.0.1", 80));
	assert_true(permits(guard, "::1", 8080));
	assert_false(permits(guard, "::1", 8081));
	assert_true(permits(guard, "127.0.0.1", 1));
	assert_true(permits(guard, "::ffff:127.0.0.1", 1));
	assert_false(permits(guard, "127.0.0.2", 1));
	assert_true(permits(guard, "192.168.1.7", 9));
	assert_false(permits(guard, "192.168.1.6", 9));
	assert_true(permits(guard, "fd00:ec2::254", 80));
	assert_false(permits(guard, "fc00::1", 80));
	assert_true(permits(guard, "172.23.255.255", 80));
	assert_false(permits(guard, "172.24.0.0", 80));
	st_guard_free(guard);
}

static void a_bad_allow_entry_is_named(void **state)
{
	(void)state;
	static const char *const bad[] = {"",
					  "10.0.0.0/33",
					  "10.0.0.0/",
					  "10.0.0.0/8:0",
					  "10.0.0.0/8:65536",
					  "10.0.0.1/8",
					  "10.0.0/8",
					  "example.com",
					  "[::1/128",
					  "[::1]/129",
					  "10.0.0.0/8 ",
					  "010.0.0.0/8",
					  "10.0.0.0/08",
					  "10.0.0.0/8:80x",
					  "1::2::3",
					  "1:2:3:4:5:6:7:8:9",
					  ":1:2:3:4:5:6:7",
					  "1:2:3:4:5:6:7:",
					  "::1.2.3.4.5",
					  "12345::"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const char *const allow[] = {"10.0.0.0/8", bad[i]};
		struct st_guard *guard = NULL;
		struct st_diag diag;
		if (st_guard_new(allow, 2, &guard, &diag) != ST_ERR_INVALID) {
			fail_msg("\"%s\" was taken", bad[i]);
		}
		assert_string_equal(diag.pointer, "/outgoing/allow/1");
		assert_null(guard);
	}
}

static void metadata_names_are_refused(void **state)
{
	(void)state;
	assert_non_null(st_guard_name_refusal("metadata.google.internal"));
	assert_non_null(st_guard_name_refusal("metadata.google.internal."));
	assert_non_null(st_guard_name_refusal("metadata"));
	assert_null(st_guard_name_refusal("metadata.example.com"));
	assert_null(st_guard_name_refusal(""));
}

static void urls_are_taken_apart(void **state)
{
	(void)state;
	static const struct {
		const char *url;
		const char *host;
		const char *target;
		uint16_t port;
		bool https;
	} good[] = {
	    {"http://a", "a", "", 80, false},
	    {"HTTPS://Example.COM/x?y=@:z", "example.com", "/x?y=@:z", 443, true},
	    {"http://127.0.0.1:8080?q", "127.0.0.1", "?q", 8080, false},
	    {"http://[::1]:65535/", "::1", "/", 65535, false},
	    {"http://[::FFFF:127.0.0.1]", "::ffff:127.0.0.1", "", 80, false},
	    {"http://a:1", "a", "", 1, false},
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct st_url url;
		struct st_diag diag;
		assert_int_equal(st_url_parse(good[i].url, &url, &diag), ST_OK);
		assert_string_equal(url.host, good[i].host);
		assert_string_equal(url.target, good[i].target);
		assert_int_equal(url.port, good[i].port);
		assert_true(url.https == good[i].https);
	}
}

static const char *const ambiguous[] = {"",
					"http",
					"http:",
					"http:/",
					"http://",
					"http:///x",
					"http://?x",
					"//a/b",
					"/a",
					"ftp://a",
					"file:///etc/passwd",
					"gopher://a",
					"httpx://a",
					"http//a",
					" http://a",
					"http://user:s3cret@a/",
					"http://s3cret@a",
					"http://a#s3cret",
					"http://a/#x",
					"http://a\\@b/",
					"http://a/\\x",
					"http://a\tb/",
					"http://a/\nx",
					"http://a/\rx",
					"http://a b/",
					"http://a/ x",
					"http://a/\x7f",
					"http://a:0/",
					"http://a:65536/",
					"http://a:/",
					"http://a:x/",
					"http://a:80x/",
					"http://a:999999999999/",
					"http://a:-1/",
					"http://[::1",
					"http://[::1]x/",
					"http://[zz]/",
					"http://[]/",
					"http://[::1%25lo]/",
					"http://a%2eb/",
					"http://a;b/",
					"http://a,b",
					"http://a&b",
					"http://\xe2\x91\xa0/",
					"http://a/\xc3\xa9",
					"http://a:80:80/",
					"http://::1/"};

static void ambiguous_urls_are_refused_without_being_quoted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof ambiguous / sizeof ambiguous[0]; i++) {
		struct st_url url;
		struct st_diag diag = {.code = ST_OK};
		if (st_url_parse(ambiguous[i], &url, &diag) != ST_ERR_INVALID) {
			fail_msg("\"%s\" was taken", ambiguous[i]);
		}
		assert_null(strstr(diag.text, "s3cret"));
		assert_true(diag.text[0] != '\0');
	}
	char *long_url = st_alloc(9001);
	memset(long_url, 'a', 9000);
	memcpy(long_url, "http://a/", 9);
	struct st_url url;
	assert_int_equal(st_url_parse(long_url, &url, NULL), ST_ERR_TOO_LARGE);
	long_url[ST_URL_BYTES_MAX] = '\0';
	assert_int_equal(st_url_parse(long_url, &url, NULL), ST_OK);
	st_free(long_url);
}

static const char *refusal(const char *method, const char *body, const char *from, const char *to)
{
	struct st_http_request request = {.body = NULL};
	struct st_url a;
	struct st_url b;
	assert_int_equal(st_url_parse(from, &a, NULL), ST_OK);
	assert_int_equal(st_url_parse(to, &b, NULL), ST_OK);
	(void)snprintf(request.method, sizeof request.method, "%s", method);
	request.body = st_strdup(body);
	const char *why = st_redirect_refusal(&request, &a, &b);
	st_http_request_fini(&request);
	return why;
}

static void only_harmless_requests_are_redirected(void **state)
{
	(void)state;
	assert_null(refusal("GET", NULL, "http://a", "http://b"));
	assert_null(refusal("HEAD", NULL, "http://a", "https://b"));
	assert_non_null(refusal("GET", "x", "http://a", "http://a/y"));
	assert_non_null(refusal("POST", NULL, "http://a", "http://a/y"));
	assert_non_null(refusal("DELETE", NULL, "http://a", "http://a/y"));
	assert_non_null(refusal("GET", NULL, "https://a", "http://a/y"));
	assert_false(st_redirect_status(300));
	assert_false(st_redirect_status(304));
	assert_true(st_redirect_status(308));
}

static void another_origin_gets_no_header_that_could_be_a_secret(void **state)
{
	(void)state;
	struct st_http_request request = {.body = NULL};
	assert_true(st_http_request_header(&request, "X-Api-Key", "s"));
	assert_true(st_http_request_header(&request, "Accept", "text/html"));
	assert_true(st_http_request_header(&request, "Authorization", "s"));
	assert_true(st_http_request_header(&request, "ACCEPT-language", "de"));
	assert_true(st_http_request_header(&request, "Accept-Language-Key", "s"));
	assert_true(st_http_request_header(&request, "Cookie", "s"));
	st_redirect_strip(&request);
	assert_int_equal(request.n_headers, 2);
	assert_string_equal(request.headers[0].name, "Accept");
	assert_string_equal(request.headers[1].value, "de");
	st_http_request_fini(&request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_public_addresses_are_permitted),
	    cmocka_unit_test(an_allow_entry_opens_its_range_and_port_only),
	    cmocka_unit_test(a_bad_allow_entry_is_named),
	    cmocka_unit_test(metadata_names_are_refused),
	    cmocka_unit_test(urls_are_taken_apart),
	    cmocka_unit_test(ambiguous_urls_are_refused_without_being_quoted),
	    cmocka_unit_test(only_harmless_requests_are_redirected),
	    cmocka_unit_test(another_origin_gets_no_header_that_could_be_a_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
