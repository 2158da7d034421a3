/*
 * See posix.h. The table of what musl asks for; anything else is ENOSYS, which musl and its callers cope
 * with. Pointers come from this same process and are used unchecked: a bad one is this program's own fault.
 */
#include "lib/native/posix.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "lib/native/cpu.h"
#include "lib/native/keel.h"

enum { ARCH_SET_FS = 0x1002, SIGNAL_STATUS = 128, OWN_PID = 1 };

/* start.S knows these. */
_Static_assert(offsetof(struct utcb, self) == 184, "start.S");
_Static_assert(offsetof(struct utcb, posix_entry) == 192, "start.S");
_Static_assert(offsetof(struct utcb, posix_return) == 200, "start.S");
_Static_assert(offsetof(struct utcb, user) == 208, "start.S");
_Static_assert(offsetof(struct posix_frame, arguments) == 8, "start.S");
_Static_assert(offsetof(struct posix_frame, rip) == 56, "start.S");
_Static_assert(offsetof(struct posix_frame, rsp) == 64, "start.S");

static int64_t posix_write(uint64_t file, const void *bytes, uint64_t length) {
    if (file != 1 && file != 2)
        return -EBADF;
    log_bytes(bytes, length);
    return (int64_t)length;
}

static int64_t posix_writev(uint64_t file, const struct iovec *parts, uint64_t count) {
    int64_t total = 0;
    for (uint64_t i = 0; i < count; i++) {
        int64_t written = posix_write(file, parts[i].iov_base, parts[i].iov_len);
        if (written < 0)
            return written;
        total += written;
    }
    return total;
}

static int64_t posix_arch_prctl(uint64_t code, uint64_t value) {
    if (code != ARCH_SET_FS)
        return -EINVAL;
    fs_base_set(value);
    return 0;
}

/* Whole words until the caller's buffer is full; EIO when the CPU's generator fails for good. */
static int64_t posix_getrandom(unsigned char *buffer, uint64_t length) {
    for (uint64_t done = 0; done < length;) {
        uint64_t word;
        int tries = 0;
        while (!random_word_read(&word))
            if (++tries == 100)
                return -EIO;
        for (unsigned i = 0; i < sizeof word && done < length; i++)
            buffer[done++] = (unsigned char)(word >> i * 8);
    }
    return (int64_t)length;
}

/* MADV_FREE may be ignored; advice that changes what memory holds may not. */
static int64_t posix_advise(uint64_t advice) {
    return advice == MADV_DONTNEED || advice == MADV_REMOVE ? -EINVAL : 0;
}

static _Noreturn void posix_exit_group(uint64_t status) {
    for (;;)
        (void)keel_process_exit(status & 0xff);
}

int64_t posix_call(struct posix_frame *frame) {
    const uint64_t *a = frame->arguments;
    switch (frame->number) {
    case SYS_write:
        return posix_write(a[0], (const void *)a[1], a[2]);
    case SYS_writev:
        return posix_writev(a[0], (const struct iovec *)a[1], a[2]);
    case SYS_read:
    case SYS_readv:
    case SYS_close:
        return -EBADF;
    case SYS_ioctl:
        return -ENOTTY;
    case SYS_brk:
        return posix_brk(a[0]);
    case SYS_mmap:
        return posix_mmap(a);
    case SYS_munmap:
        return posix_munmap(a[0], a[1]);
    case SYS_mprotect:
        return posix_mprotect(a[0], a[1], a[2]);
    case SYS_madvise:
        return posix_advise(a[2]);
    case SYS_arch_prctl:
        return posix_arch_prctl(a[0], a[1]);
    case SYS_set_tid_address:
        return posix_set_tid_address(a[0]);
    case SYS_gettid:
        return posix_gettid();
    case SYS_getpid:
        return OWN_PID;
    case SYS_clone:
        return posix_clone(frame);
    case SYS_futex:
        return posix_futex(a);
    case SYS_sched_yield:
        return keel_thread_yield();
    case SYS_clock_gettime:
        return posix_clock_gettime(a[0], a[1]);
    case SYS_clock_nanosleep:
        return posix_clock_nanosleep(a[0], a[1], a[2]);
    case SYS_nanosleep:
        return posix_clock_nanosleep(1 /* CLOCK_MONOTONIC */, 0, a[0]);
    case SYS_getrandom:
        return posix_getrandom((unsigned char *)a[0], a[1]);
    case SYS_rt_sigaction:
    case SYS_rt_sigprocmask:
        return 0; /* there are no signals: none is ever delivered */
    case SYS_tkill:
    case SYS_tgkill:
    case SYS_kill:
        posix_exit_group(SIGNAL_STATUS + (frame->number == SYS_tgkill ? a[2] : a[1]));
    case SYS_exit:
        posix_thread_exit();
    case SYS_exit_group:
        posix_exit_group(a[0]);
    default:
        return -ENOSYS;
    }
}
