/* SPDX-License-Identifier: Apache-2.0 */
/* Which values are secret because of the command, statement or file that they stand in? */
#ifndef ST_REDACT_STRUCTURE_H
#define ST_REDACT_STRUCTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "redact/place.h"

/* "-p VALUE", "-a VALUE", "-u user:VALUE" of programs that take secrets so; `at` is the space. */
bool st_structure_match_flag(struct st_place *place, size_t at, struct st_find *find);
/* "--user name:VALUE"; `at` is the second dash. */
bool st_structure_match_user(struct st_place *place, size_t at, struct st_find *find);
/* "htpasswd -b FILE USER VALUE"; `at` is where the command begins. */
bool st_structure_match_htpasswd(struct st_place *place, size_t at, struct st_find *find);
/* "PASSWORD 'VALUE'", "IDENTIFIED BY 'VALUE'"; `at` lies within the word. */
bool st_structure_match_sql(struct st_place *place, size_t at, struct st_find *find);
/* "login NAME password VALUE" of .netrc; `at` lies within "password". */
bool st_structure_match_netrc(struct st_place *place, size_t at, struct st_find *find);
/* A line "host:port:database:user:VALUE" of .pgpass; `at` is the colon before the port. */
bool st_structure_match_pgpass(struct st_place *place, size_t at, struct st_find *find);

#endif
