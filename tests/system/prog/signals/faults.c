/* Stacks of handlers, faults and what is told of them, and the registers that a handler sees and leaves. */
#include "tests/system/prog/signals/handlers.h"

static char alternate[65536];

static void on_alternate(int signo) {
    char here;
    CHECK(&here >= alternate && &here < alternate + sizeof alternate);
    stack_t now;
    CHECK(sigaltstack(NULL, &now) == 0);
    CHECK(now.ss_flags & SS_ONSTACK);
    stack_t other = {.ss_sp = alternate, .ss_size = sizeof alternate};
    CHECK_ERRNO(sigaltstack(&other, NULL), EPERM);
    note(signo);
}

TEST(alternate_stack) {
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    CHECK(sigaltstack(&stack, NULL) == 0);
    handle(SIGUSR1, on_alternate, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK_EQ(seen_count, 1);
    stack.ss_size = 100;
    CHECK_ERRNO(sigaltstack(&stack, NULL), ENOMEM);
    stack.ss_flags = 0x1000;
    stack.ss_size = sizeof alternate;
    CHECK_ERRNO(sigaltstack(&stack, NULL), EINVAL);
    stack.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&stack, NULL) == 0);
}

static sigjmp_buf escape;

static void on_overflow(int signo, siginfo_t *info, void *context) {
    (void)context;
    char here;
    CHECK(&here >= alternate && &here < alternate + sizeof alternate);
    last_info = *info;
    siglongjmp(escape, signo);
}

static __attribute__((noinline)) int recurse(volatile int depth) {
    volatile char waste[4096];
    waste[0] = (char)depth;
    return recurse(depth + 1) + waste[0] + 1;
}

TEST(stack_overflow_is_caught) {
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    CHECK(sigaltstack(&stack, NULL) == 0);
    handle_info(SIGSEGV, on_overflow, SA_ONSTACK);
    for (int round = 0; round < 2; round++) {
        int signo = sigsetjmp(escape, 1);
        if (signo == 0)
            recurse(0);
        CHECK_EQ(signo, SIGSEGV);
    }
}

static void fault_note(int signo, siginfo_t *info, void *context) {
    (void)context;
    last_info = *info;
    siglongjmp(escape, signo);
}

static int fault_at(volatile char *address, bool write_it) {
    int signo = sigsetjmp(escape, 1);
    if (signo == 0) {
        if (write_it)
            *address = 1;
        else
            (void)*address;
    }
    return signo;
}

TEST(fault_information) {
    handle_info(SIGSEGV, fault_note, 0);
    handle_info(SIGBUS, fault_note, 0);
    CHECK_EQ(fault_at((char *)16, false), SIGSEGV);
    CHECK_EQ(last_info.si_code, SEGV_MAPERR);
    CHECK_EQ((uintptr_t)last_info.si_addr, 16);
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_EQ(fault_at(page, false), 0);
    CHECK_EQ(fault_at(page + 5, true), SIGSEGV);
    CHECK_EQ(last_info.si_code, SEGV_ACCERR);
    CHECK(last_info.si_addr == page + 5);
    CHECK_EQ(fault_at((char *)0x8000000000000000ULL, false), SIGSEGV); /* not canonical */
    CHECK_EQ(last_info.si_code, SI_KERNEL);
    CHECK_EQ(fault_at((char *)0xffff800000001000ULL, true), SIGSEGV);
    CHECK_EQ(fault_at((char *)0x400000000000ULL, true), SIGSEGV); /* Keel's personality begins there */
    int fd = open("/tmp/short", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(ftruncate(fd, 100) == 0);
    char *file = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK_EQ(fault_at(file + 200, true), 0);
    CHECK_EQ(fault_at(file + 4096, true), SIGBUS);
    CHECK_EQ(last_info.si_code, BUS_ADRERR);
    CHECK(last_info.si_addr == file + 4096);
    unlink("/tmp/short");
}

TEST(arithmetic_and_illegal) {
    handle_info(SIGFPE, fault_note, 0);
    handle_info(SIGILL, fault_note, 0);
    handle_info(SIGTRAP, fault_note, 0);
    handle_info(SIGSEGV, fault_note, 0);
    int signo = sigsetjmp(escape, 1);
    if (signo == 0)
        __asm__ volatile("xor %%ecx, %%ecx\n xor %%edx, %%edx\n mov $1, %%eax\n div %%ecx" ::
                             : "rax", "rcx", "rdx");
    CHECK_EQ(signo, SIGFPE);
    CHECK_EQ(last_info.si_code, FPE_INTDIV);
    signo = sigsetjmp(escape, 1);
    if (signo == 0)
        __asm__ volatile("ud2");
    CHECK_EQ(signo, SIGILL);
    CHECK_EQ(last_info.si_code, ILL_ILLOPN);
    signo = sigsetjmp(escape, 1);
    if (signo == 0)
        __asm__ volatile("int3");
    CHECK_EQ(signo, SIGTRAP);
    signo = sigsetjmp(escape, 1);
    if (signo == 0)
        __asm__ volatile("hlt");
    CHECK_EQ(signo, SIGSEGV);
    CHECK_EQ(last_info.si_code, SI_KERNEL);
}

static void skip_instruction(int signo, siginfo_t *info, void *context) {
    (void)info;
    ucontext_t *user = context;
    user->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
    user->uc_mcontext.gregs[REG_RAX] = 0x1122334455667788;
    note(signo);
}

TEST(context_can_be_changed) {
    handle_info(SIGILL, skip_instruction, 0);
    uint64_t rax = 0, rbx = 0x5a5a;
    __asm__ volatile("mov $1, %%eax\n ud2\n" : "=a"(rax), "+b"(rbx) : : "memory");
    CHECK_EQ(rax, 0x1122334455667788);
    CHECK_EQ(rbx, 0x5a5a);
    CHECK_EQ(seen_count, 1);
}

static void use_vectors(int signo) {
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n pcmpeqd %%xmm7, %%xmm7\n pcmpeqd %%xmm15, %%xmm15" ::
                         : "xmm0", "xmm7", "xmm15");
    note(signo);
}

TEST(registers_survive_a_handler) {
    handle(SIGUSR1, use_vectors, 0);
    uint64_t low = 0, high = 0, r12 = 0, flags;
    long pid = getpid();
    __asm__ volatile("mov $0x123456789abcdef0, %%rax\n movq %%rax, %%xmm7\n movq %%rax, %%xmm15\n"
                     "mov $0x77, %%r12\n mov $62, %%eax\n mov %4, %%rdi\n mov $10, %%esi\n stc\n syscall\n"
                     "pushf\n pop %3\n movq %%xmm7, %0\n movq %%xmm15, %1\n mov %%r12, %2\n"
                     : "=&r"(low), "=&r"(high), "=&r"(r12), "=&r"(flags)
                     : "r"(pid)
                     : "rax", "rcx", "r11", "rdi", "rsi", "r12", "xmm7", "xmm15", "memory");
    CHECK_EQ(seen_count, 1);
    CHECK_EQ(low, 0x123456789abcdef0);
    CHECK_EQ(high, 0x123456789abcdef0);
    CHECK_EQ(r12, 0x77);
    CHECK(flags & 1);
}
