/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/guard.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "schemas/mem.h"

struct range {
	struct st_address address;
	unsigned bits; /* of 128 */
	uint16_t port; /* 0: all */
	const char *why;
};

/* The first that matches gives the reason. "2000::/3" is the only global unicast space handed out
 * so far; what lies outside and is not named here is refused as well. */
static const struct {
	const char *text;
	const char *why;
} refused_ranges[] = {
    {"0.0.0.0/8", "an unspecified address"},
    {"10.0.0.0/8", "a private address"},
    {"100.64.0.0/10", "a shared carrier address"},
    {"127.0.0.0/8", "a loopback address"},
    {"169.254.0.0/16", "a link-local or metadata address"},
    {"172.16.0.0/12", "a private address"},
    {"192.0.0.0/24", "a protocol assignment"},
    {"192.0.2.0/24", "a documentation address"},
    {"192.88.99.0/24", "a relay address"},
    {"192.168.0.0/16", "a private address"},
    {"198.18.0.0/15", "a benchmark address"},
    {"198.51.100.0/24", "a documentation address"},
    {"203.0.113.0/24", "a documentation address"},
    {"224.0.0.0/4", "a multicast address"},
    {"255.255.255.255/32", "the broadcast address"},
    {"240.0.0.0/4", "a reserved address"},
    {"::/128", "an unspecified address"},
    {"::1/128", "a loopback address"},
    {"64:ff9b::/96", "a NAT64 address"},
    {"64:ff9b:1::/48", "a NAT64 address"},
    {"100::/64", "a discard address"},
    {"2001::/23", "a protocol assignment"},
    {"2001:db8::/32", "a documentation address"},
    {"2002::/16", "a 6to4 address"},
    {"3fff::/20", "a documentation address"},
    {"fc00::/7", "a unique local address"},
    {"fe80::/10", "a link-local address"},
    {"fec0::/10", "a site-local address"},
    {"ff00::/8", "a multicast address"},
};

#define N_REFUSED (sizeof refused_ranges / sizeof refused_ranges[0])

struct st_guard {
	struct range refused[N_REFUSED];
	struct range global;
	struct range mapped;
	struct range *allowed;
	size_t n_allowed;
};

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct st_address st_address_v4(const uint8_t bytes[4])
{
	struct st_address address;
	memcpy(address.bytes, mapped_prefix, sizeof mapped_prefix);
	memcpy(address.bytes + sizeof mapped_prefix, bytes, 4);
	return address;
}

/* Reads a decimal of 1..5 digits without leading zeros. Returns the digits used, 0 for none. */
static size_t read_decimal(const char *text, size_t len, unsigned max, unsigned *out)
{
	unsigned value = 0;
	size_t i = 0;
	for (; i < len && i < 5 && text[i] >= '0' && text[i] <= '9'; i++) {
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	if (i == 0 || value > max || (i > 1 && text[0] == '0')) {
		return 0;
	}
	*out = value;
	return i;
}

static bool parse_v4(const char *text, size_t len, uint8_t out[4])
{
	size_t at = 0;
	for (size_t i = 0; i < 4; i++) {
		if (i > 0 && (at >= len || text[at++] != '.')) {
			return false;
		}
		unsigned value = 0;
		size_t used = read_decimal(text + at, len - at, 255, &value);
		if (used == 0) {
			return false;
		}
		out[i] = (uint8_t)value;
		at += used;
	}
	return at == len;
}

static bool read_group(const char *text, size_t len, uint8_t out[2])
{
	unsigned value = 0;
	if (len == 0 || len > 4) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		const char *digits = "0123456789abcdef";
		char c = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] - 'A' + 'a') : text[i];
		const char *digit = c != '\0' ? strchr(digits, c) : NULL;
		if (digit == NULL) {
			return false;
		}
		value = value * 16 + (unsigned)(digit - digits);
	}
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)(value & 0xff);
	return true;
}

/* Reads the groups; *n is the bytes read, *gap where "::" stood (SIZE_MAX: nowhere). */
static bool read_groups(const char *text, size_t len, uint8_t out[16], size_t *n, size_t *gap)
{
	size_t i = 0;
	if (len >= 2 && text[0] == ':' && text[1] == ':') {
		*gap = 0;
		i = 2;
	}
	while (i < len) {
		const char *colon = memchr(text + i, ':', len - i);
		size_t end = colon != NULL ? (size_t)(colon - text) : len;
		if (colon == NULL && *n <= 12 && parse_v4(text + i, len - i, out + *n)) {
			*n += 4;
			return true;
		}
		if (*n > 14 || !read_group(text + i, end - i, out + *n)) {
			return false;
		}
		*n += 2;
		i = end + 1;
		if (colon != NULL && i == len) {
			return false;
		}
		if (i < len && text[i] == ':') {
			if (*gap != SIZE_MAX) {
				return false;
			}
			*gap = *n;
			i++;
		}
	}
	return true;
}

static bool parse_v6(const char *text, size_t len, uint8_t out[16])
{
	uint8_t bytes[16] = {0};
	size_t n = 0;
	size_t gap = SIZE_MAX;
	if (!read_groups(text, len, bytes, &n, &gap) || (gap == SIZE_MAX ? n != 16 : n > 14)) {
		return false;
	}
	memset(out, 0, 16);
	size_t head = gap == SIZE_MAX ? n : gap;
	memcpy(out, bytes, head);
	memcpy(out + 16 - (n - head), bytes + head, n - head);
	return true;
}

bool st_address_parse(const char *text, size_t len, struct st_address *out)
{
	uint8_t v4[4];
	if (parse_v4(text, len, v4)) {
		*out = st_address_v4(v4);
		return true;
	}
	return len > 1 && parse_v6(text, len, out->bytes);
}

static bool matches(const struct range *range, const struct st_address *address)
{
	unsigned whole = range->bits / 8;
	unsigned rest = range->bits % 8;
	if (memcmp(range->address.bytes, address->bytes, whole) != 0) {
		return false;
	}
	unsigned differs =
	    rest == 0
		? 0U
		: (unsigned)(range->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest);
	return differs == 0;
}

static bool is_v4(const struct st_address *address)
{
	return memcmp(address->bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

bool st_address_is_loopback(const struct st_address *address)
{
	static const struct st_address six = {{[15] = 1}};
	return memcmp(address, &six, sizeof six) == 0 ||
	       (is_v4(address) && address->bytes[12] == 127);
}

/* Finds the end of the address in "a.b.c.d/8:443", "[::1]/128:8080", "::1/128". */
static const char *address_end(const char *text)
{
	if (*text == '[') {
		return strchr(text, ']');
	}
	const char *slash = strchr(text, '/');
	if (slash != NULL) {
		return slash;
	}
	const char *colon = strchr(text, ':');
	bool one_colon = colon != NULL && strchr(colon + 1, ':') == NULL;
	return one_colon ? colon : text + strlen(text);
}

static bool parse_tail(const char *p, bool v4, struct range *out)
{
	unsigned value = v4 ? 32 : 128;
	if (*p == '/') {
		size_t used = read_decimal(p + 1, strlen(p + 1), value, &value);
		if (used == 0) {
			return false;
		}
		p += 1 + used;
	}
	out->bits = v4 ? value + 96 : value;
	if (*p == ':') {
		size_t used = read_decimal(p + 1, strlen(p + 1), 65535, &value);
		if (used == 0 || value == 0) {
			return false;
		}
		out->port = (uint16_t)value;
		p += 1 + used;
	}
	return *p == '\0';
}

static bool parse_range(const char *text, struct range *out)
{
	*out = (struct range){.port = 0};
	const char *end = address_end(text);
	const char *from = *text == '[' ? text + 1 : text;
	if (end == NULL || !st_address_parse(from, (size_t)(end - from), &out->address)) {
		return false;
	}
	return parse_tail(*end == ']' ? end + 1 : end, is_v4(&out->address), out);
}

/* 10.1.2.3/8 is more likely a slip than a wish for all of 10/8. */
static bool has_host_bits(const struct range *range)
{
	for (unsigned bit = range->bits; bit < 128; bit++) {
		if ((range->address.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) {
			return true;
		}
	}
	return false;
}

static int parse_allowed(struct st_guard *guard, const char *const *allow, struct st_diag *diag)
{
	for (size_t i = 0; i < guard->n_allowed; i++) {
		char pointer[48];
		(void)snprintf(pointer, sizeof pointer, "/outgoing/allow/%zu", i);
		if (!parse_range(allow[i], &guard->allowed[i])) {
			return st_fail_at(diag, ST_ERR_INVALID, pointer,
					  "\"%.100s\" is no address range: write it like "
					  "\"10.0.0.0/8:443\" or \"[::1]/128:8080\"",
					  allow[i]);
		}
		if (has_host_bits(&guard->allowed[i])) {
			return st_fail_at(diag, ST_ERR_INVALID, pointer,
					  "\"%.100s\" has bits set beyond its prefix: widen the "
					  "prefix or zero them",
					  allow[i]);
		}
	}
	return ST_OK;
}

int st_guard_new(const char *const *allow, size_t n_allow, struct st_guard **out,
		 struct st_diag *diag)
{
	struct st_guard *guard = st_alloc(sizeof *guard);
	guard->allowed = st_alloc_array(n_allow, sizeof *guard->allowed);
	guard->n_allowed = n_allow;
	int rc = parse_allowed(guard, allow, diag);
	if (rc != ST_OK) {
		st_guard_free(guard);
		return rc;
	}
	for (size_t i = 0; i < N_REFUSED; i++) {
		bool ok = parse_range(refused_ranges[i].text, &guard->refused[i]);
		assert(ok);
		assert(!has_host_bits(&guard->refused[i]));
		guard->refused[i].why = refused_ranges[i].why;
	}
	bool global_ok = parse_range("2000::/3", &guard->global);
	bool mapped_ok = parse_range("0.0.0.0/0", &guard->mapped);
	assert(global_ok);
	assert(mapped_ok);
	*out = guard;
	return ST_OK;
}

void st_guard_free(struct st_guard *guard)
{
	if (guard != NULL) {
		st_free(guard->allowed);
		st_free(guard);
	}
}

const char *st_guard_refusal(const struct st_guard *guard, const struct st_address *address,
			     uint16_t port)
{
	for (size_t i = 0; i < guard->n_allowed; i++) {
		const struct range *range = &guard->allowed[i];
		if ((range->port == 0 || range->port == port) && matches(range, address)) {
			return NULL;
		}
	}
	for (size_t i = 0; i < N_REFUSED; i++) {
		if (matches(&guard->refused[i], address)) {
			return guard->refused[i].why;
		}
	}
	bool public = matches(&guard->global, address) || matches(&guard->mapped, address);
	return public ? NULL : "not a public address";
}

const char *st_guard_name_refusal(const char *host)
{
	static const char *const names[] = {"metadata", "metadata.google.internal", "metadata.goog",
					    "instance-data", "instance-data.ec2.internal"};
	size_t len = strlen(host);
	if (len > 0 && host[len - 1] == '.') {
		len--;
	}
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strlen(names[i]) == len && memcmp(names[i], host, len) == 0) {
			return "a cloud metadata name";
		}
	}
	return NULL;
}
