/*
 * What the boot code has to say. Boot is silent when all is well: COM1 belongs to the programs that run
 * later. Notes go to the debug port alone (QEMU's -debugcon), the last words of a failed boot to COM1 as
 * well.
 */
#pragma once

/* Sets up COM1 and COM2: before anything is written anywhere, since that is what a sender waits for. */
void boot_lines_open(void);
/* Writes the line "keel: start" to COM1, COM2 and the debug port. What comes before it on the serial lines
 * was written by the firmware or a boot program; from here on they belong to Keel. */
void boot_mark(void);

/* Writes "keel: ", the text and a line end to the debug port. */
void boot_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same on the debug port and COM1; then ends QEMU through isa-debug-exit (value 0x7f) or stops the CPU.
 */
_Noreturn void boot_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
