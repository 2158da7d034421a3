/*
 * The container's own terminal or streams, over links to the serial and display drivers (abi/console.h).
 *
 *   terminal mode: link "console", a tty: /dev/ttyS0, /dev/console, and the controlling terminal of process 1
 *   stream mode:   link "console" carries standard input and output as bytes, link "stderr" standard error.
 * Input is escaped: 0x10 0x10 is the byte 0x10, 0x10 0x04 the end of input. These files are no terminals:
 * they look like pipes.
 *
 * In both modes the link "display", when there is one, is /dev/tty1 (and /dev/tty0). With console=tty0 on the
 * kernel's command line, and no other console= behind it, it is what /dev/console is and, in terminal mode,
 * where process 1 runs. With console=hvc0 a port of a virtio console is (port.h).
 *
 * A helper thread per link waits for the driver's events.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/rights.h"
#include "linux/abi/termios.h"

struct file;
struct process;

struct console_handles { /* of one link; HANDLE_NONE everywhere: there is none, output is dropped, input is at
                            its end */
    handle_t memory, kick, call;
};

struct console_options {
    struct console_handles console, errors, display;
    bool tty;
    struct winsize winsize;
};

/* Maps the links, starts the threads, registers the devices. Once, before fs_start. 0 or an error. */
int console_start(const struct console_options *options);

/* Waits for the port that the command line makes the console; after offers_start. */
void console_wait(void);

/* The files for descriptors 0, 1, 2 of process 1, each with a reference for the caller. NULL: no memory. */
struct file *console_standard_file(unsigned fd);
/* Terminal mode: gives process 1's session the terminal and its group the foreground. No locks held. */
void console_take_control(struct process *first);

/* The keyboard of the display's terminal (linux/input/keyboard.c): whether there is one to type on, how its
 * cursor keys and keypad send (enum keyboard_mode), and what was typed. No locks held for console_type. */
bool console_has_display(void);
unsigned console_keyboard_modes(void);
void console_type(const uint8_t *bytes, size_t length);

/* Writes a text (no 0) to standard error's place; from any thread, blocks until taken. For messages before or
 * without process 1. */
void console_message(const char *text, size_t length);

/* Waits until all output has left the machine, or the link is broken. Before the container ends. */
void console_flush(void);
