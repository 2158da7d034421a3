/*
 * Sockets: what the calls of each family do (struct socket_calls), and connected AF_UNIX sockets, as
 * socketpair makes them. Both ends of a pair and what is under way between them live in one structure, whose
 * lock guards everything; it goes with the second end. Packet sockets are linux/net/packet.h.
 */
#pragma once

#include "linux/abi/socket.h"
#include "linux/fs.h"
#include "linux/io/ring.h"

enum { SOCKET_RING = 1 << 18, SOCKET_NAME_MOST = 128, SOCKET_OPTION_MOST = 32 };

/* A socket's address as the calls pass it; length 0: none. */
struct socket_name {
    uint32_t length;
    uint8_t bytes[SOCKET_NAME_MOST];
};

struct socket_option {
    struct security_context *context; /* referenced: the value is its text with the 0; NULL: the bytes are */
    uint32_t length;
    uint8_t bytes[SOCKET_OPTION_MOST];
};

/* What a received message was like. */
struct socket_message {
    struct socket_name from;
    size_t length;    /* of the packet, which may be longer than what fitted; 0 for streams */
    bool credentials; /* the program wants to know who sent it: */
    struct ucred sender;
};

/* The calls of one family. A NULL entry gives -EOPNOTSUPP. They may block. */
struct socket_calls {
    int64_t (*bind)(struct file *file, const struct socket_name *name);
    int64_t (*connect)(struct file *file, const struct socket_name *name);
    int64_t (*listen)(struct file *file);
    int64_t (*accept)(struct file *file);
    int64_t (*shutdown)(struct file *file, int how);
    int64_t (*name)(struct file *file, bool peer, struct socket_name *name);
    int64_t (*option_get)(struct file *file, uint32_t level, uint32_t option, struct socket_option *value);
    /* The value is in the guest's memory: length bytes, which may be anything. */
    int64_t (*option_set)(struct file *file, uint32_t level, uint32_t option, uint64_t from, uint32_t length);
    /* Bytes moved, or an error; MSG_ flags. */
    int64_t (*send)(struct file *file, struct buffer *buffer, uint32_t flags, const struct socket_name *to);
    int64_t (*receive)(struct file *file, struct buffer *buffer, uint32_t flags,
                       struct socket_message *message);
};

/* Of a file that is a socket; NULL: it is none. */
const struct socket_calls *socket_calls_of(const struct file *file);

/* A socket's open file, which owns data from then on; NULL: no memory, and data stays the caller's. flags:
 * O_NONBLOCK. */
struct file *socket_file(const struct file_operations *operations, uint32_t flags, void *data);
/* Installs it; flags: O_CLOEXEC. The descriptor, or an error, and the file is gone. */
int64_t socket_fd(struct file *file, uint32_t flags);

/* An integer option's value. */
int64_t socket_option_number(struct socket_option *value, int32_t number);

struct socket_end {
    struct ring input;    /* what the other end sent; packets have their length (uint32_t) in front */
    struct waitq waiters; /* for input, and for room in the other end's input */
    bool closed, no_read, no_write;   /* shutdown; closed means both */
    int32_t error;                    /* reported once: ECONNRESET */
    struct ucred credentials;         /* of who made it */
    struct security_context *context; /* as its maker wanted it, referenced */
};

struct socket_pair {
    struct mutex lock;
    uint32_t type; /* SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM */
    struct socket_end ends[2];
};

extern const struct file_operations socket_operations[2]; /* for each end */
extern const struct socket_calls pair_calls;

/* The pair behind a socket's file and which end it is; NULL: not a socket. */
struct socket_pair *socket_of(const struct file *file, unsigned *end);

/* Moves bytes with MSG_ flags; *truncated (may be NULL): the packet was longer. Bytes or an error; SIGPIPE is
 * the caller's. */
int64_t socket_send(struct file *file, struct buffer *buffer, uint32_t flags);
int64_t socket_receive(struct file *file, struct buffer *buffer, uint32_t flags, size_t *packet_length);
int socket_shutdown(struct file *file, int how);
/* Both ends as files, not installed. 0 or -ENOMEM. */
int socket_pair_create(uint32_t type, uint32_t flags, struct file *files[2]);
