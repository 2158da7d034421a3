/* wait4 and waitid: options, id types and status words. */
#pragma once

#include <stdint.h>

#define WNOHANG     0x00000001U
#define WUNTRACED   0x00000002U
#define WSTOPPED    0x00000002U
#define WEXITED     0x00000004U
#define WCONTINUED  0x00000008U
#define WNOWAIT     0x01000000U
#define __WNOTHREAD 0x20000000U
#define __WALL      0x40000000U
#define __WCLONE    0x80000000U

enum { P_ALL = 0, P_PID = 1, P_PGID = 2, P_PIDFD = 3 };

/* Status words. */
#define WAIT_EXITED(code)    (((code)&0xff) << 8)
#define WAIT_SIGNALED(signo) (signo)
#define WAIT_STOPPED(signo)  ((signo) << 8 | 0x7f)
enum { WAIT_CONTINUED = 0xffff };
