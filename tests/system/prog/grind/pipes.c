/*
 * Pipes and other things to wait on.
 */
#include "torturer.h"

#include <fcntl.h>
#include <poll.h>

void pipe_op(struct torturer *t) {
    long buffer = memory_good(t);
    switch (below(t, 14)) {
    case 0:
    case 1:
    case 2:
        if (!CALL2(SYS_pipe2, buffer, below(t, 2) ? O_NONBLOCK : 0)) {
            fd_keep(t, ((int *)buffer)[0]);
            fd_keep(t, ((int *)buffer)[1]);
        }
        break;
    case 3:
        if (!CALL6(SYS_socketpair, 1, 1 + below(t, 2), 0, buffer, 0, 0)) {
            fd_keep(t, ((int *)buffer)[0]);
            fd_keep(t, ((int *)buffer)[1]);
        }
        break;
    case 4:
        fd_keep(t, CALL2(SYS_eventfd2, below(t, 4), O_NONBLOCK));
        break;
    case 5:
        fd_keep(t, CALL2(SYS_timerfd_create, 1, O_NONBLOCK));
        break;
    case 6:
        fd_keep(t, CALL2(SYS_memfd_create, "a", 0));
        break;
    case 7:
        fd_keep(t, CALL3(SYS_open, "/dev/ptmx", O_RDWR | O_NONBLOCK, 0));
        break;
    case 8: {
        long epoll = CALL1(SYS_epoll_create1, 0);
        fd_keep(t, epoll);
        CALL6(SYS_epoll_ctl, epoll, 1, fd_any(t), buffer, 0, 0);
        CALL6(SYS_epoll_wait, epoll, buffer, 4, below(t, 3), 0, 0);
        break;
    }
    case 9:
    case 10: {
        struct pollfd *wait = (struct pollfd *)(buffer & -8L);
        for (int i = 0; i < 4; i++)
            wait[i] = (struct pollfd){(int)fd_any(t), (short)below(t, 64), 0};
        CALL3(SYS_poll, wait, 4, below(t, 5));
        break;
    }
    case 11:
        CALL3(SYS_ioctl, fd_any(t), below(t, 2) ? 0x5400 + below(t, 0x60) : (long)next_random(t),
              memory_any(t));
        break;
    case 12:
        CALL6(SYS_splice, fd_any(t), 0, fd_any(t), 0, below(t, 9000), below(t, 16));
        break;
    default:
        CALL3(below(t, 2) ? SYS_write : SYS_read, fd_any(t), buffer, below(t, 9000));
    }
}
