/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "redact/redact.h"
#include "schemas/buf.h"
#include "schemas/mem.h"

static struct st_redactor *redactor;

static int setup(void **state)
{
	(void)state;
	redactor = st_redactor_new();
	assert_int_equal(st_redactor_secret(redactor, "DECLARED", "decl4red/fake+secret", 20, NULL),
			 ST_OK);
	return st_redactor_build(redactor, NULL);
}

static int teardown(void **state)
{
	(void)state;
	st_redactor_free(redactor);
	return 0;
}

static void expect(const char *text, const char *wanted)
{
	st_autoclean struct st_clean *clean = st_redact_text(redactor, text, strlen(text));
	assert_string_equal(st_clean_text(clean), wanted);
	assert_int_equal(st_clean_len(clean), strlen(wanted));
	st_autoclean struct st_clean *again =
	    st_redact_text(redactor, st_clean_text(clean), st_clean_len(clean));
	assert_string_equal(st_clean_text(again), wanted);
	assert_int_equal(st_clean_redactions(again), 0);
}

#define PW "[redacted:password]"
#define VALUE "[redacted:value]"
#define HEADER "[redacted:header]"
#define URL "[redacted:url-password]"
#define PEM "[redacted:private-key]"

struct pair {
	const char *text;
	const char *wanted;
};

#define EXPECT_ALL(pairs)                                                                          \
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs)[0]; i++)                              \
	expect((pairs)[i].text, (pairs)[i].wanted)

static void keyed_values_are_found(void **state)
{
	(void)state;
	static const struct pair PAIRS[] = {
	    {"password=fake-pass-1", "password=" PW},
	    {"PASSWORD=fake,pass;1", "PASSWORD=" PW},
	    {"export DB_PASSWORD='fake pass 1'", "export DB_PASSWORD='" PW "'"},
	    {"PGPASSWORD=fakepass1 psql", "PGPASSWORD=" PW " psql"},
	    {"MYSQL_PWD=fakepass1", "MYSQL_PWD=" PW},
	    {"api_key: fake0key0value", "api_key: " VALUE},
	    {"  apiKey: \"fake0key0value\",", "  apiKey: \"" VALUE "\","},
	    {"API key: fake0key0value", "API key: " VALUE},
	    {"secret access key = fake0key0value", "secret access key = " VALUE},
	    {"config[\"client_secret\"] = \"fake0value\"",
	     "config[\"client_secret\"] = \"" VALUE "\""},
	    {"{\"access_token\":\"fake0value\",\"n\":1}",
	     "{\"access_token\":\"" VALUE "\",\"n\":1}"},
	    {"{\\\"token\\\":\\\"fake0\\\\\\\"value\\\",\\\"n\\\":1}",
	     "{\\\"token\\\":\\\"" VALUE "\\\",\\\"n\\\":1}"},
	    {"{\"password\":\"fa\\\"ke 1\"}", "{\"password\":\"" PW "\"}"},
	    {"?a=1&token=fake0value&b=2", "?a=1&token=" VALUE "&b=2"},
	    {"user=bob&password=fake0value&x=1", "user=bob&password=" PW "&x=1"},
	    {"a=1,password=fa,ke0value,b=2", "a=1,password=" PW ",b=2"},
	    {"Server=db;Password=fa;ke0value;Database=x", "Server=db;Password=" PW ";Database=x"},
	    {"AccountName=a;AccountKey=ZmFrZWZha2VmYWtl==;E=x",
	     "AccountName=a;AccountKey=" VALUE ";E=x"},
	    {"<password>fake0value</password>", "<password>" PW "</password>"},
	    {"--token fake0value --verbose", "--token " VALUE " --verbose"},
	    {"--password=fake0value run", "--password=" PW " run"},
	    {"token%3Dfake0value%26x%3D1", "token%3D" VALUE "%26x%3D1"},
	    {"a\\npassword=fake0value\\nb", "a\\npassword=" PW "\\nb"},
	    {"AWS_SECRET_ACCESS_KEY=FAKEfake/FAKE+fake0123FAKEfakeFAKEfake",
	     "AWS_SECRET_ACCESS_KEY=" VALUE},
	    {"password: correcthorse", "password: " PW},
	    {"password: 12345678", "password: " PW},
	    {"token => 'fake0value'", "token => '" VALUE "'"},
	    {"let api_key := fake0value", "let api_key := " VALUE},
	    {"(token=fake0value)", "(token=" VALUE ")"},
	    {"the secret: fake0value.", "the secret: " VALUE "."},
	    {"sig=fake0value0fake0value", "sig=" VALUE},
	    {"X-Amz-Signature=0123456789abcdef0123456789abcdef0123456789abcdef&x=1",
	     "X-Amz-Signature=" VALUE "&x=1"},
	    {"Summer password=Summer!2024", "Summer password=" PW},
	};
	EXPECT_ALL(PAIRS);
}

static void headers_and_userinfo_are_found(void **state)
{
	(void)state;
	static const struct pair PAIRS[] = {
	    {"Authorization: Bearer fake0value0fake0value", "Authorization: Bearer " HEADER},
	    {"authorization: Basic ZmFrZTpmYWtl", "authorization: Basic " HEADER},
	    {"Authorization: fake0value0fake0value", "Authorization: " HEADER},
	    {"Proxy-Authorization: Basic ZmFrZTpmYWtl\r",
	     "Proxy-Authorization: Basic " HEADER "\r"},
	    {"-H 'Authorization: token fake0value' -v", "-H 'Authorization: token " HEADER "' -v"},
	    {"-H \"X-Api-Key: fake0value\" -v", "-H \"X-Api-Key: " VALUE "\" -v"},
	    {"\"Authorization\": \"Bearer fake0value\",",
	     "\"Authorization\": \"Bearer " HEADER "\","},
	    {"Cookie: a=b; session=fake", "Cookie: " HEADER},
	    {"Set-Cookie: sid=fake0; HttpOnly", "Set-Cookie: " HEADER},
	    {"{\\\"Cookie\\\": \\\"a=b; c=d\\\", \\\"x\\\": 1}",
	     "{\\\"Cookie\\\": \\\"" HEADER "\\\", \\\"x\\\": 1}"},
	    {"X-Goog-Api-Key: fake0value", "X-Goog-Api-Key: " VALUE},
	    {"x-auth-token: fake0value", "x-auth-token: " VALUE},
	    {"sent bearer fake0value0fake0value to", "sent bearer [redacted:bearer] to"},
	    {"postgres://bob:fake0@db/x", "postgres://bob:" URL "@db/x"},
	    {"redis://:p@ss@cache:6379/0", "redis://:" URL "@cache:6379/0"},
	    {"https://fake0value0fake0value@github.com/a/b", "https://" URL "@github.com/a/b"},
	    {"git clone https://x-access-token:fake@github.com/a/b",
	     "git clone https://x-access-token:" URL "@github.com/a/b"},
	};
	EXPECT_ALL(PAIRS);
}

#define LINE64 "FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfake\n"

static void private_keys_are_found_whole_and_cut(void **state)
{
	(void)state;
	static const struct pair PAIRS[] = {
	    {"a\n-----BEGIN RSA PRIVATE KEY-----\n" LINE64 LINE64
	     "FAKE=\n-----END RSA PRIVATE KEY-----\nb\n",
	     "a\n" PEM "\nb\n"},
	    {"-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n" LINE64
	     "-----END PRIVATE KEY-----",
	     PEM "\n"},
	    {"-----BEGIN EC PRIVATE KEY-----\n" LINE64 "and then prose follows\n",
	     PEM "\nand then prose follows\n"},
	    {"-----BEGIN OPENSSH PRIVATE KEY-----\n" LINE64 LINE64, PEM "\n"},
	    {"\"key\": \"-----BEGIN PRIVATE KEY-----\\nFAKE\\n-----END PRIVATE KEY-----\\n\", b",
	     "\"key\": \"" PEM "\\n\", b"},
	    {"\"-----BEGIN PRIVATE KEY-----\\nFAKEfake", "\"" PEM},
	    {"2026 | -----BEGIN PRIVATE KEY-----\n2026 | " LINE64 "2026 | done\n",
	     "2026 | " PEM "\n2026 | \n2026 | done\n"},
	    {LINE64 LINE64 "FAKE==\n-----END RSA PRIVATE KEY-----\nb\n", PEM "\nb\n"},
	    {"x\n" LINE64 "-----END PRIVATE KEY-----\n", "x\n" PEM "\n"},
	    {"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n" LINE64
	     "=FAKE\n-----END PGP PRIVATE KEY BLOCK-----\nb",
	     PEM "\nb"},
	};
	EXPECT_ALL(PAIRS);
}

static void look_alikes_survive(void **state)
{
	(void)state;
	static const char *const TEXTS[] = {
	    "commit 3f786850e387550fdab836ed7e6dc881de23001b",
	    "id 550e8400-e29b-41d4-a716-446655440000",
	    "r_01890a5d-ac96-774b-bcce-b302099a8057 c_01890a5d-ac96-774b-bcce-b302099a8057",
	    "h_01890a5d-ac96-774b-bcce-b302099a8057 halt_01890a5d-ac96-774b-bcce-b302099a8057",
	    "msg_01XFDUDYJgAACzvnptvVoYEL req_011CSHoEeqs5C35K2UUqR7Fy",
	    "toolu_01T1x1fJ34qAmk2tNTrN7Up6",
	    "chatcmpl-9nZ2yYQvTx0Ex4mPl3fakeid call_abc123DEF456ghi789JKL012",
	    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	    "\"integrity\": \"sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcgSpIdNs6c5H0NE8XYX==\"",
	    "token: ${{ secrets.GITHUB_TOKEN }}",
	    "password: ${DB_PASSWORD}",
	    "password=$DB_PASSWORD",
	    "API_KEY=<your-api-key>",
	    "api_key: your_api_key_here",
	    "password: \"********\"",
	    "token=xxxxxxxxxxxxxxxx",
	    "max_tokens=4096 token_count: 123456 total_tokens: 9999999",
	    "\"max_tokens\": 4096000, \"completion_tokens\": 1234567",
	    "\"token_type\": \"bearer_token\", \"expires_in\": 3600000",
	    "public_key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFAKE",
	    "primary_key: customer_number",
	    "PASSWORD_FILE=/run/secrets/db_password",
	    "token_url: https://auth.example.com/oauth/token",
	    "secret_name: prod/database/main",
	    "next_page_token=CAESBgoEIgIIAQ0123",
	    "token = get_token(request)",
	    "const token = process.env.GITHUB_TOKEN;",
	    "password = user.password",
	    "api_key=os.environ['API_KEY']",
	    "def login(password: str, token: Optional[str] = None):",
	    "Password: required for this account",
	    "Token: the thing that you need",
	    "tokens: many, secretary: Alice Someone",
	    "author: Bob Somebody <bob@example.com>",
	    "git@github.com:owner/repo.git ssh://git@github.com/owner/repo.git",
	    "https://registry.example.com/@scope/package/-/package-1.0.0.tgz",
	    "see https://example.com:8443/path?email=a@example.com",
	    ("-----BEGIN CERTIFICATE-----\n" LINE64 "-----END CERTIFICATE-----\n"),
	    ("-----BEGIN PUBLIC KEY-----\n" LINE64 "-----END PUBLIC KEY-----\n"),
	    "if (s.startsWith(\"-----BEGIN PRIVATE KEY-----\")) {",
	    (LINE64 "done\n"),
	    "Authorization: see the manual",
	    "Authorization: Bearer <token>",
	    "Authorization: Bearer ${TOKEN}",
	    "the cookie: chocolate",
	    "pk_live_FAKEfakeFAKEfakeFAKEfake",
	    "csrf_token: 0123456789abcdef",
	    "author_token_count: 1234567",
	    "[redacted:password] and [redacted:value]",
	    "Task-sk-1234 risk-assessment desk-lamp",
	    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M8",
	};
	for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
		expect(TEXTS[i], TEXTS[i]);
}

static void redactions_are_counted(void **state)
{
	(void)state;
	const char text[] = "password=fake-pass-1 and decl4red/fake+secret";
	st_autoclean struct st_clean *clean = st_redact_text(redactor, text, sizeof text - 1);
	assert_int_equal(st_clean_redactions(clean), 2);
	assert_false(st_clean_failed(clean));
	st_autoclean struct st_clean *empty = st_redact_text(redactor, "", 0);
	assert_int_equal(st_clean_len(empty), 0);
	assert_string_equal(st_clean_text(empty), "");
}

static void overlapping_finds_make_one_marker(void **state)
{
	(void)state;
	expect("password=decl4red/fake+secret", "password=[redacted:DECLARED]");
	expect("password=xdecl4red/fake+secretx", "password=[redacted:DECLARED]");
	expect("decl4red/fake+secretdecl4red/fake+secret",
	       "[redacted:DECLARED][redacted:DECLARED]");
}

/* Text that a byte of a marker's neighbourhood could change. */
static void redacting_twice_changes_nothing(void **state)
{
	(void)state;
	static const char *const PIECES[] = {
	    "password=",
	    "token: ",
	    "\"",
	    "'",
	    " ",
	    "\n",
	    "fake0value",
	    "Cookie: a=b",
	    ",",
	    "&key=1",
	    "Authorization: ",
	    "Bearer ",
	    "https://u:p@h/",
	    "<",
	    ">",
	    "decl4red/fake+secret",
	    "glpat-FAKEexample0FAKE1234",
	    "[redacted:x]",
	    "${X}",
	    "\\",
	    "-----BEGIN PRIVATE KEY-----",
	    "-----END PRIVATE KEY-----",
	    LINE64,
	    "--api-key ",
	    ";",
	    "hunter",
	    "(",
	    ")",
	    "secret",
	    "=",
	};
	uint32_t seed = 1;
	for (int round = 0; round < 20000; round++) {
		struct st_buf text = {0};
		for (int n = 0; n < 8; n++) {
			seed = seed * 1664525u + 1013904223u;
			st_buf_add_text(&text,
					PIECES[(seed >> 8) % (sizeof PIECES / sizeof PIECES[0])]);
		}
		struct st_clean *once = st_redact_text(redactor, text.data, text.len);
		struct st_clean *twice =
		    st_redact_text(redactor, st_clean_text(once), st_clean_len(once));
		if (strcmp(st_clean_text(once), st_clean_text(twice)) != 0)
			fail_msg("\n%s\n---\n%s\n---\n%s", text.data, st_clean_text(once),
				 st_clean_text(twice));
		assert_null(strstr(st_clean_text(once), "decl4red"));
		st_clean_free(once);
		st_clean_free(twice);
		st_buf_fini(&text);
	}
}

static double seconds_for(const char *piece, size_t len)
{
	struct st_buf text = {0};
	while (text.len < len)
		st_buf_add_text(&text, piece);
	clock_t start = clock();
	struct st_clean *clean = st_redact_text(redactor, text.data, text.len);
	double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
	st_clean_free(clean);
	st_buf_fini(&text);
	return seconds;
}

/* A slow machine is not quadratic time, which would be 16 times that of a quarter. */
static void assert_linear(const char *piece)
{
	double seconds = seconds_for(piece, 1 << 20);
	double quarter = seconds < 1.0 ? seconds : seconds_for(piece, 1 << 18);
	if (seconds > 10 * quarter) {
		fail_msg("1 MB of %s took %.2f s, a quarter %.2f s", piece, seconds, quarter);
	}
}

static void hostile_text_costs_linear_time(void **state)
{
	(void)state;
	static const char *const PIECES[] = {
	    "a",
	    "[",
	    "-----BEGIN",
	    "=",
	    "-----BEGIN PRIVATE KEY-----",
	    "-----END PRIVATE KEY-----",
	    "eyJ",
	    "eyJ-",
	    "sk-proj-",
	    "eyJ0eXAiOiJK.",
	    "token=<",
	    "token=f(",
	    "token:\"<",
	    "password",
	    "password=",
	    "password:'",
	    "cookie:",
	    "cookie: a",
	    "authorization: <",
	    "authorization: bearer <",
	    "bearer ",
	    "://",
	    "://a:",
	    "@://a",
	    "\\",
	    "\\\"token\\\":",
	    "[redacted:",
	    "[redacted:x]",
	    "decl4red",
	    "sig=",
	    "12345678:AA",
	    "MTIzNDU2",
	    "&key=",
	    "--token ",
	    "<token>",
	    "token%3D%26",
	    "decl4red/fake+secret",
	    "password=a,",
	    "_key_key",
	    "token: 'sig=",
	    "\n",
	    "A\n",
	    LINE64,
	    "SG.SG.",
	    "ghp_xoxb-",
	};
	for (size_t i = 0; i < sizeof PIECES / sizeof PIECES[0]; i++) {
		assert_linear(PIECES[i]);
	}
}

static void too_long_a_text_is_withheld(void **state)
{
	(void)state;
	char *text = st_alloc((size_t)ST_REDACT_TEXT_MAX + 1);
	st_autoclean struct st_clean *clean =
	    st_redact_text(redactor, text, (size_t)ST_REDACT_TEXT_MAX + 1);
	assert_string_equal(st_clean_text(clean), ST_REDACT_ERROR);
	assert_true(st_clean_failed(clean));
	st_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keyed_values_are_found),
	    cmocka_unit_test(headers_and_userinfo_are_found),
	    cmocka_unit_test(private_keys_are_found_whole_and_cut),
	    cmocka_unit_test(look_alikes_survive),
	    cmocka_unit_test(redactions_are_counted),
	    cmocka_unit_test(overlapping_finds_make_one_marker),
	    cmocka_unit_test(redacting_twice_changes_nothing),
	    cmocka_unit_test(hostile_text_costs_linear_time),
	    cmocka_unit_test(too_long_a_text_is_withheld),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
