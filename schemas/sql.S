/* SPDX-License-Identifier: Apache-2.0 */
/* The store's migrations, numbered, as NUL-ended text: see schemas/sql.h. */
	.section .rodata
	.global st_sql_sqlite_0001
st_sql_sqlite_0001:
	.incbin "schemas/sql/sqlite/0001_spine.sql"
	.byte 0
	.global st_sql_sqlite_0002
st_sql_sqlite_0002:
	.incbin "schemas/sql/sqlite/0002_views.sql"
	.byte 0
	.global st_sql_sqlite_0003
st_sql_sqlite_0003:
	.incbin "schemas/sql/sqlite/0003_artifacts.sql"
	.byte 0
	.section .note.GNU-stack,"",%progbits
