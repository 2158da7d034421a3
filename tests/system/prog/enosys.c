/* test: libc=musl */
/* Calls that do not exist: ENOSYS, whatever the arguments; registers survive. */
#include "tests/system/prog/check.h"

#include <sys/syscall.h>

TEST(unknown_numbers) {
    static const long numbers[] = {335, 400, 423, 512, 1000, 4095, 100000, 0x7fffffff, -2, 0x40000000 + 39};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        CHECK_ERRNO(syscall(numbers[i], 1, 2, 3, 4, 5, 6), ENOSYS);
        CHECK_ERRNO(syscall(numbers[i], -1, -1, -1, -1, -1, -1), ENOSYS);
    }
}

TEST(removed_calls) {
    static const int numbers[] = {
        SYS_create_module,   SYS_get_kernel_syms, SYS_query_module,   SYS_nfsservctl,
        SYS_getpmsg,         SYS_putpmsg,         SYS_afs_syscall,    SYS_tuxcall,
        SYS_security,        SYS__sysctl,         SYS_uselib,         SYS_set_thread_area,
        SYS_get_thread_area, SYS_epoll_ctl_old,   SYS_epoll_wait_old, SYS_vserver};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        CHECK_ERRNO(syscall(numbers[i], 0, 0, 0, 0, 0, 0), ENOSYS);
}

TEST(registers_survive) {
    long rbx, rbp_like, r12, r13, r14, r15, rdi, rsi, rdx, r8, r9, r10, rax = 400;
    __asm__ volatile("mov $1, %%rbx\n mov $2, %%r12\n mov $3, %%r13\n mov $4, %%r14\n mov $5, %%r15\n"
                     "mov $6, %%rdi\n mov $7, %%rsi\n mov $8, %%rdx\n mov $9, %%r8\n mov $10, %%r9\n"
                     "mov $11, %%r10\n syscall\n"
                     "mov %%rbx, %1\n mov %%r12, %2\n mov %%r13, %3\n mov %%r14, %4\n mov %%r15, %5\n"
                     "mov %%rdi, %6\n mov %%rsi, %7\n mov %%rdx, %8\n mov %%r8, %9\n mov %%r9, %10\n"
                     "mov %%r10, %11\n"
                     : "+a"(rax), "=m"(rbx), "=m"(r12), "=m"(r13), "=m"(r14), "=m"(r15), "=m"(rdi), "=m"(rsi),
                       "=m"(rdx), "=m"(r8), "=m"(r9), "=m"(r10)
                     :
                     : "rbx", "rcx", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rdx", "r8", "r9",
                       "r10", "memory");
    rbp_like = rbx + r12 + r13 + r14 + r15 + rdi + rsi + rdx + r8 + r9 + r10;
    CHECK_EQ(rax, -ENOSYS);
    CHECK_EQ(rbp_like, 66);
}

TEST_MAIN()
