/*
 * From bytes of a fuzzing input to arguments of Linux calls: numbers and structures that make sense for the
 * kind of argument, now and then any extreme number or bad pointer. Structures are put into the running
 * program's scratch memory.
 */
#pragma once

#include <stdint.h>

struct cursor {
    const uint8_t *at, *end;
    uint64_t random; /* what follows behind the end */
    unsigned calls;
};

uint8_t next_byte(struct cursor *cursor);
uint64_t next_word(struct cursor *cursor, unsigned bytes);

/*
 * One argument of a kind:
 *   f d   descriptor, directory's descriptor or AT_FDCWD       p q   any path, path that may be destroyed
 *   b z   scratch memory, or NULL now and then                 c     scratch memory with bytes of the input
 *   s l o size in bytes, in pages, file offset                 a     address for mmap and its kin
 *   i g   small number, a few bits                             P S   process (never 1), signal number
 *   t T   one time or two, or NULL                             m A   signal set, struct sigaction
 *   v V   struct iovec list, list of texts                     N R   flags of open, struct open_how
 *   I C U Q  command of ioctl, fcntl, futex, prctl             X     argument of fcntl
 *   n H e name, attributes and event of a POSIX queue        W G J semaphore operations, message, command
 *   j w   id of IPC objects, flags of their calls              K 3   flags of clone, struct clone_args
 *   O E   struct pollfd list, struct epoll_event               0 8   just that number
 *   Y y u M  socket family, type, address, message             other: any word
 */
uint64_t argument(struct cursor *cursor, char kind);
/* Fills some scratch memory with bytes of the input; where. */
uint64_t bytes_in(struct cursor *cursor);
/* The id that semget, msgget or shmget gave last. */
extern uint64_t ipc_id;
/* Names of POSIX message queues. */
enum { QUEUE_NAMES = 4 };
extern const char *const queue_names[QUEUE_NAMES];
/* A handler that does nothing. */
void on_signal(int signo, uint64_t info, uint64_t context);
