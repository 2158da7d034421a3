/*
 * Connected AF_UNIX sockets, as socketpair makes them. Both ends and what is under way between them live in
 * one pair, whose lock guards everything; it goes with the second end.
 */
#pragma once

#include "linux/abi/socket.h"
#include "linux/fs.h"
#include "linux/io/ring.h"

enum { SOCKET_RING = 1 << 18 };

struct socket_end {
    struct ring input;    /* what the other end sent; packets have their length (uint32_t) in front */
    struct waitq waiters; /* for input, and for room in the other end's input */
    bool closed, no_read, no_write; /* shutdown; closed means both */
    int32_t error;                  /* reported once: ECONNRESET */
    struct ucred credentials;       /* of who made it */
};

struct socket_pair {
    struct mutex lock;
    uint32_t type; /* SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM */
    struct socket_end ends[2];
};

extern const struct file_operations socket_operations[2]; /* for each end */

/* The pair behind a socket's file and which end it is; NULL: not a socket. */
struct socket_pair *socket_of(const struct file *file, unsigned *end);

/* Moves bytes with MSG_ flags; *truncated (may be NULL): the packet was longer. Bytes or an error; SIGPIPE is
 * the caller's. */
int64_t socket_send(struct file *file, struct buffer *buffer, uint32_t flags);
int64_t socket_receive(struct file *file, struct buffer *buffer, uint32_t flags, size_t *packet_length);
int socket_shutdown(struct file *file, int how);
/* Both ends as files, not installed. 0 or -ENOMEM. */
int socket_pair_create(uint32_t type, uint32_t flags, struct file *files[2]);
