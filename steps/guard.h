/* SPDX-License-Identifier: Apache-2.0 */
/* May a URL that a definition or a tool gave us reach this address? */
#ifndef ST_STEPS_GUARD_H
#define ST_STEPS_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/err.h"

/* An IPv6 address, or an IPv4 one in its mapped form ::ffff:a.b.c.d. */
struct st_address {
	uint8_t bytes[16];
};

struct st_address st_address_v4(const uint8_t bytes[4]);
/* Dotted IPv4 (four plain decimals) or IPv6 text without brackets and zone. */
bool st_address_parse(const char *text, size_t len, struct st_address *out);
bool st_address_is_loopback(const struct st_address *address);

struct st_guard;

/*
 * The built-in rules refuse everything that is not a public unicast address: loopback, private,
 * link-local, shared (100.64/10), benchmark, documentation, multicast, broadcast, unspecified,
 * unique local, NAT64 and other translated ranges, also when mapped into IPv6. Each allow entry
 * opens a hole in them: "10.0.0.0/8:443", "127.0.0.1/32", "[::1]/128:8080"; without a prefix it
 * names one address, without a port all ports. ST_ERR_INVALID names the bad entry by its JSON
 * pointer in the config and quotes it; *out is then untouched.
 */
int st_guard_new(const char *const *allow, size_t n_allow, struct st_guard **out,
		 struct st_diag *diag);
void st_guard_free(struct st_guard *guard);

/* NULL: permitted. Else why not, in a few words ("a private address"); borrowed from the guard. */
const char *st_guard_refusal(const struct st_guard *guard, const struct st_address *address,
			     uint16_t port);
/* The same for a host name, before it is resolved: names that clouds keep for their metadata. */
const char *st_guard_name_refusal(const char *host);

#endif
