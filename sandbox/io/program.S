/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper, as it was built, for host.c to put into memory and start. */
	.section .rodata
	.balign 64
	.global st_keeper_program
	.type st_keeper_program, @object
st_keeper_program:
	.incbin ST_KEEPER_PROGRAM
	.global st_keeper_program_end
	.type st_keeper_program_end, @object
st_keeper_program_end:
	.byte 0
	.size st_keeper_program, st_keeper_program_end - st_keeper_program
	.section .note.GNU-stack, "", @progbits
