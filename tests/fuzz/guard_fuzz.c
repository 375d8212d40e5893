/* SPDX-License-Identifier: Apache-2.0 */
/* Can a URL or an address be spelled so that the guard lets it inside? */
#include "fuzz.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "schemas/mem.h"
#include "steps/guard.h"
#include "steps/url.h"

/* The IPv4 addresses that are never public, by their first bytes. */
static bool is_inside(const uint8_t v4[4])
{
	return v4[0] == 0 || v4[0] == 10 || v4[0] == 127 || v4[0] >= 224 ||
	       (v4[0] == 100 && (v4[1] & 0xc0) == 64) || (v4[0] == 169 && v4[1] == 254) ||
	       (v4[0] == 172 && (v4[1] & 0xf0) == 16) || (v4[0] == 192 && v4[1] == 168) ||
	       (v4[0] == 198 && (v4[1] & 0xfe) == 18);
}

static void check_v4(const struct st_guard *guard, const uint8_t v4[4], uint16_t port)
{
	struct st_address plain = st_address_v4(v4);
	bool refused = st_guard_refusal(guard, &plain, port) != NULL;
	assert(refused || !is_inside(v4));
	static const uint8_t prefixes[][12] = {
	    {0, 0x64, 0xff, 0x9b},			/* NAT64 */
	    {0},					/* ::a.b.c.d */
	    {0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, /* translated */
	};
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		struct st_address inner;
		memcpy(inner.bytes, prefixes[i], 12);
		memcpy(inner.bytes + 12, v4, 4);
		assert(st_guard_refusal(guard, &inner, port) != NULL || !is_inside(v4));
	}
	struct st_address six_to_four = {.bytes = {0x20, 0x02, v4[0], v4[1], v4[2], v4[3]}};
	assert(st_guard_refusal(guard, &six_to_four, port) != NULL || !is_inside(v4));
}

static void check_url(const char *text)
{
	struct st_url url;
	struct st_diag diag = {0};
	int code = st_url_parse(text, &url, &diag);
	assert((code == ST_OK) == (diag.text[0] == '\0'));
	if (code != ST_OK) {
		return;
	}
	assert(url.port > 0 && strlen(url.host) > 0 && strlen(url.host) < ST_URL_HOST_MAX);
	assert(strpbrk(text, "\\@ \t\r\n") == NULL || strpbrk(url.target, "@") != NULL);
	for (const char *p = text; *p != '\0'; p++) {
		assert(*p > 0x20 && *p < 0x7f);
	}
	for (const char *p = url.host; *p != '\0'; p++) {
		assert(strchr("/?#@\\ ", *p) == NULL && (*p < 'A' || *p > 'Z'));
	}
	assert(st_url_same_origin(&url, &url));
}

/* What we take for an address, the system takes for the same. */
static void check_text(const char *text)
{
	struct st_address address;
	uint8_t real[16];
	if (!st_address_parse(text, strlen(text), &address)) {
		return;
	}
	if (inet_pton(AF_INET6, text, real) != 1) {
		uint8_t v4[4];
		assert(inet_pton(AF_INET, text, v4) == 1);
		struct st_address mapped = st_address_v4(v4);
		memcpy(real, mapped.bytes, 16);
	}
	assert(memcmp(address.bytes, real, 16) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct st_guard *guard;
	if (guard == NULL) {
		assert(st_guard_new(NULL, 0, &guard, NULL) == ST_OK);
	}
	if (size >= 6) {
		check_v4(guard, data, (uint16_t)(data[4] << 8 | data[5]));
	}
	char *text = st_strndup((const char *)data, size);
	check_url(text);
	check_text(text);
	(void)st_guard_name_refusal(text);
	const char *const allow[] = {text};
	struct st_guard *other = NULL;
	struct st_diag diag = {0};
	int code = st_guard_new(allow, 1, &other, &diag);
	assert((code == ST_OK) == (other != NULL) && (code == ST_OK) == (diag.text[0] == '\0'));
	st_guard_free(other);
	st_free(text);
	return 0;
}
