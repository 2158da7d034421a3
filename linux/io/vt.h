/* The ioctl calls of Linux's virtual terminals, as far as there is one, tty1, which always is the one that
 * shows. */
#pragma once

#include <stdint.h>

struct tty;

/* The result, or TTY_NOT_HANDLED (linux/io/tty_internal.h). */
int64_t vt_ioctl(struct tty *tty, uint32_t command, uint64_t argument);
