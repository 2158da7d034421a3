/* How calls enter and leave the kernel, and what every CPU is told to check. */
#include "abi/debug.h"
#include "tests/native/ktest.h"

enum {
    CR0_WP = 1 << 16,
    CR4_UMIP = 1 << 11,
    CR4_SMEP = 1 << 20,
    CR4_SMAP = 1 << 21,
    EFER_NXE = 1 << 11,
    CPUS_MOST = 64,
};

/* ---- registers ---- */

/* A call keeps every register but rax, rcx and r11, however it leaves the kernel. */
static void test_registers_kept(void) {
    static const uint64_t numbers[] = {KEEL_CALL_null,         KEEL_CALL_thread_yield,  0x1fff, 0x1000 + 54,
                                       KEEL_CALL_event_signal, KEEL_CALL_space_protect, 0x2000};
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uint64_t seen[12];
        uint64_t number = numbers[i], *at = seen;
        __asm__ volatile("push %%rbx\n\t"
                         "push %%rbp\n\t"
                         "mov $0x101, %%edi\n\t"
                         "mov $0x102, %%esi\n\t"
                         "mov $0x103, %%edx\n\t"
                         "mov $0x104, %%r8d\n\t"
                         "mov $0x105, %%r9d\n\t"
                         "mov $0x106, %%r10d\n\t"
                         "mov $0x107, %%ebp\n\t"
                         "mov $0x108, %%r12d\n\t"
                         "mov $0x109, %%r13d\n\t"
                         "mov $0x10a, %%r14d\n\t"
                         "mov $0x10b, %%r15d\n\t"
                         "push %0\n\t"
                         "mov $0x10c, %%ebx\n\t"
                         "syscall\n\t"
                         "xchg %%rbx, (%%rsp)\n\t"
                         "mov %%rdi, 0(%%rbx)\n\t"
                         "mov %%rsi, 8(%%rbx)\n\t"
                         "mov %%rdx, 16(%%rbx)\n\t"
                         "mov %%r8, 24(%%rbx)\n\t"
                         "mov %%r9, 32(%%rbx)\n\t"
                         "mov %%r10, 40(%%rbx)\n\t"
                         "mov %%rbp, 48(%%rbx)\n\t"
                         "mov %%r12, 56(%%rbx)\n\t"
                         "mov %%r13, 64(%%rbx)\n\t"
                         "mov %%r14, 72(%%rbx)\n\t"
                         "mov %%r15, 80(%%rbx)\n\t"
                         "pop 88(%%rbx)\n\t"
                         "pop %%rbp\n\t"
                         "pop %%rbx"
                         : "+c"(at), "+a"(number)
                         :
                         : "rdi", "rsi", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc",
                           "memory");
        for (unsigned k = 0; k < 12; k++)
            EQ(seen[k], 0x101 + k);
    }
}

/* ---- protection ---- */

static void protection_check(uint64_t debug) {
    struct debug_protection now;
    EQ(keel_debug_control(debug, DEBUG_PROTECTION, keel_pointer(&now)), 0);
    EQ(!(now.cr0 & CR0_WP), 0);
    EQ(!(now.efer & EFER_NXE), 0);
    EQ(!(now.cr4 & CR4_SMEP), !now.smep);
    EQ(!(now.cr4 & CR4_SMAP), !now.smap);
    EQ(!(now.cr4 & CR4_UMIP), !now.umip);
    EQ(now.smep & now.smap & now.umip, 1); /* QEMU's -cpu max has them all */
}

/* On every CPU; only the debug kernel tells. */
static void test_protection(void) {
    struct system_info info;
    uint64_t debug = handle_find("debug");
    if (keel_debug_control(debug, DEBUG_STRETCH_RESET, 0) != 0)
        return;
    keel_object_info(handle_find("info"), keel_pointer(&info), sizeof(info));
    for (uint64_t cpu = 0; cpu < info.cpus && cpu < CPUS_MOST; cpu++) {
        EQ(keel_thread_set(0, 1, 1ULL << cpu), 0);
        protection_check(debug);
    }
    EQ(keel_thread_set(0, 1, UINT64_MAX), 0);
}

const struct test entry_tests[] = {
    {"registers_kept", test_registers_kept}, {"protection", test_protection}, {0}};
