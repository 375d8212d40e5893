/* SPDX-License-Identifier: Apache-2.0 */
/* How does a store come to have its tables? */
#ifndef ST_SCHEMAS_SQL_H
#define ST_SCHEMAS_SQL_H

/* The migrations of schemas/sql/sqlite in order; the n-th takes a store from version n - 1 to n. */
extern const char st_sql_sqlite_0001[];
extern const char st_sql_sqlite_0002[];
extern const char st_sql_sqlite_0003[];

#define ST_SQL_SQLITE_VERSION 3

#endif
