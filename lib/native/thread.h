/* One thread of a native process, as its runtime sees it. Only the thread itself touches it while it runs. */
#pragma once

#include <stdint.h>

#include "abi/rights.h"
#include "lib/base/list.h"
#include "lib/native/posix.h"

/* Who uses utcb.user[] (start.S knows the offsets). */
enum { UTCB_USER_BARE = 0, UTCB_USER_STACK = 1, UTCB_USER_THREAD = 2 };

struct posix_thread {
    struct posix_frame frame; /* first: start.S reads the new thread's registers here */
    uint64_t tls;
    uint64_t clear_tid; /* address that is zeroed and woken at exit; 0: none */
    uint64_t region;    /* start of its addresses; 0: the first thread */
    uint32_t tid;
    uint32_t gone;   /* the kernel stores 1 when the thread no longer uses its stack */
    handle_t handle; /* the kernel's thread */
    struct list dead_link;
};

struct posix_thread *posix_thread_own(void);
void posix_thread_prepare(struct posix_thread *thread);
/* In start.S. */
void posix_enter(void);
void posix_thread_start(void);
