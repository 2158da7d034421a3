/* epoll, eventfd, timerfd and signalfd. */
#pragma once

#include <stdint.h>

#include "linux/abi/poll.h"

enum { EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3, EPOLL_CLOEXEC = 02000000 };

#define EPOLLEXCLUSIVE (1U << 28)
#define EPOLLWAKEUP    (1U << 29)
#define EPOLLONESHOT   (1U << 30)
#define EPOLLET        (1U << 31)

struct epoll_event64 {
    uint32_t events;
    uint64_t data;
} __attribute__((packed));
_Static_assert(sizeof(struct epoll_event64) == 12, "struct epoll_event");

enum { EFD_SEMAPHORE = 1, EFD_NONBLOCK = 04000, EFD_CLOEXEC = 02000000 };

enum {
    TFD_NONBLOCK = 04000,
    TFD_CLOEXEC = 02000000,
    TFD_TIMER_ABSTIME = 1,
    TFD_TIMER_CANCEL_ON_SET = 2,
};
#define TFD_IOC_SET_TICKS 0x40085400U

enum { SFD_NONBLOCK = 04000, SFD_CLOEXEC = 02000000 };

struct signalfd_siginfo64 {
    uint32_t signo;
    int32_t error, code;
    uint32_t pid, uid;
    int32_t fd;
    uint32_t tid, band, overrun, trapno;
    int32_t status, value_int;
    uint64_t value, utime, stime, address;
    uint16_t address_lsb, padding;
    int32_t syscall;
    uint64_t call_address;
    uint32_t arch;
    uint8_t reserved[28];
};
_Static_assert(sizeof(struct signalfd_siginfo64) == 128, "struct signalfd_siginfo");
