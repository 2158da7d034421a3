/* poll and select. */
#pragma once

#include <stdint.h>

enum {
    POLLIN = 0x001,
    POLLPRI = 0x002,
    POLLOUT = 0x004,
    POLLERR = 0x008,
    POLLHUP = 0x010,
    POLLNVAL = 0x020,
    POLLRDNORM = 0x040,
    POLLRDBAND = 0x080,
    POLLWRNORM = 0x100,
    POLLWRBAND = 0x200,
    POLLMSG = 0x400,
    POLLRDHUP = 0x2000,
};

struct pollfd64 {
    int32_t fd;
    int16_t events, revents;
};
