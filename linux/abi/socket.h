/* Sockets: families, types, options, messages, and the errors that only they return. */
#pragma once

#include <stdint.h>

enum { AF_UNSPEC = 0, AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10, AF_NETLINK = 16, AF_PACKET = 17, AF_MAX = 46 };

enum {
    SOCK_STREAM = 1,
    SOCK_DGRAM = 2,
    SOCK_RAW = 3,
    SOCK_SEQPACKET = 5,
    SOCK_PACKET = 10,
    SOCK_TYPE_MASK = 15,
    SOCK_NONBLOCK = 04000,
    SOCK_CLOEXEC = 02000000,
};

enum {
    MSG_PEEK = 0x2,
    MSG_CTRUNC = 0x8,
    MSG_TRUNC = 0x20,
    MSG_DONTWAIT = 0x40,
    MSG_EOR = 0x80,
    MSG_WAITALL = 0x100,
    MSG_NOSIGNAL = 0x4000,
    MSG_MORE = 0x8000,
    MSG_CMSG_CLOEXEC = 0x40000000,
};

enum { SHUT_RD = 0, SHUT_WR = 1, SHUT_RDWR = 2 };

enum {
    SOL_SOCKET = 1,
    SO_TYPE = 3,
    SO_ERROR = 4,
    SO_BROADCAST = 6,
    SO_SNDBUF = 7,
    SO_RCVBUF = 8,
    SO_PASSCRED = 16,
    SO_PEERCRED = 17,
    SO_RCVTIMEO = 20,
    SO_SNDTIMEO = 21,
    SO_BINDTODEVICE = 25,
    SO_ATTACH_FILTER = 26,
    SO_DETACH_FILTER = 27,
    SO_ACCEPTCONN = 30,
    SO_PEERSEC = 31,
    SO_RCVBUFFORCE = 33,
    SO_PROTOCOL = 38,
    SO_DOMAIN = 39,
    SO_LOCK_FILTER = 44,
    SOL_PACKET = 263,
    SCM_CREDENTIALS = 2, /* with SOL_SOCKET */
};

struct msghdr64 {
    uint64_t name;
    uint32_t name_length, padding;
    uint64_t iov, iov_count;
    uint64_t control, control_length;
    uint32_t flags, padding2;
};
_Static_assert(sizeof(struct msghdr64) == 56, "struct msghdr");

struct ucred {
    int32_t pid;
    uint32_t uid, gid;
};

enum socket_error {
    EPROTOTYPE = 91,
    ENOPROTOOPT = 92,
    EPROTONOSUPPORT = 93,
    ESOCKTNOSUPPORT = 94,
    EADDRINUSE = 98,
    EADDRNOTAVAIL = 99,
    ENETDOWN = 100,
    ECONNRESET = 104,
    EISCONN = 106,
    ENOTCONN = 107,
    ECONNREFUSED = 111,
};
