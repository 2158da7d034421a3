/* test: libc=musl,glibc */
/* Signals: handlers, masks, order, information, alternate stacks, restarts, faults. */
#include "tests/system/prog/check.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile int seen[64], seen_count;
static volatile siginfo_t last_info;

static void note(int signo) {
    if (seen_count < 64)
        seen[seen_count++] = signo;
}

static void note_info(int signo, siginfo_t *info, void *context) {
    (void)context;
    note(signo);
    last_info = *info;
}

static void handle(int signo, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK(sigaction(signo, &action, NULL) == 0);
}

static void handle_info(int signo, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
    CHECK(sigaction(signo, &action, NULL) == 0);
}

static void block(int how, int signo) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    CHECK(sigprocmask(how, &set, NULL) == 0);
}

TEST(handler_runs) {
    handle(SIGUSR1, note, 0);
    CHECK(raise(SIGUSR1) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK_EQ(seen_count, 2);
    CHECK_EQ(seen[0], SIGUSR1);
}

TEST(information_of_kill) {
    handle_info(SIGUSR1, note_info, 0);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(last_info.si_signo, SIGUSR1);
    CHECK_EQ(last_info.si_code, SI_USER);
    CHECK_EQ(last_info.si_pid, getpid());
    CHECK_EQ(last_info.si_uid, getuid());
    syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
    CHECK_EQ(last_info.si_code, SI_TKILL);
    union sigval value = {.sival_int = 1234};
    CHECK(sigqueue(getpid(), SIGUSR1, value) == 0);
    CHECK_EQ(last_info.si_code, SI_QUEUE);
    CHECK_EQ(last_info.si_value.sival_int, 1234);
}

TEST(information_of_child) {
    handle_info(SIGCHLD, note_info, 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(17);
    while (seen_count == 0)
        check_sleep_ms(1);
    CHECK_EQ(last_info.si_code, CLD_EXITED);
    CHECK_EQ(last_info.si_pid, pid);
    CHECK_EQ(last_info.si_status, 17);
    CHECK_EXITS(pid, 17);
}

TEST(blocked_waits) {
    handle(SIGUSR1, note, 0);
    block(SIG_BLOCK, SIGUSR1);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(seen_count, 0);
    sigset_t pending;
    CHECK(sigpending(&pending) == 0);
    CHECK(sigismember(&pending, SIGUSR1) && !sigismember(&pending, SIGUSR2));
    block(SIG_UNBLOCK, SIGUSR1);
    CHECK_EQ(seen_count, 1); /* ordinary signals do not queue */
}

TEST(realtime_queue_in_order) {
    handle_info(SIGRTMIN, note_info, 0);
    handle_info(SIGRTMIN + 1, note_info, 0);
    handle(SIGUSR1, note, 0);
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    union sigval value = {.sival_int = 0};
    sigqueue(getpid(), SIGRTMIN + 1, value);
    for (int i = 0; i < 3; i++) {
        value.sival_int = i;
        sigqueue(getpid(), SIGRTMIN, value);
    }
    kill(getpid(), SIGUSR1);
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
        CHECK_EQ(info.si_value.sival_int, i);
    }
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN + 1);
    struct timespec zero = {0, 0};
    CHECK_ERRNO(sigtimedwait(&set, &info, &zero), EAGAIN);
}

static void nested(int signo) {
    int before = seen_count;
    note(signo);
    if (signo == SIGUSR1) {
        raise(SIGUSR1); /* blocked while its handler runs */
        CHECK_EQ(seen_count, before + 1);
        raise(SIGUSR2);
        CHECK_EQ(seen_count, before + 2);
        signal(SIGUSR1, note);
    }
}

TEST(handlers_nest) {
    handle(SIGUSR1, nested, 0);
    handle(SIGUSR2, nested, 0);
    raise(SIGUSR1);
    CHECK_EQ(seen_count, 3);
    CHECK_EQ(seen[1], SIGUSR2);
    CHECK_EQ(seen[2], SIGUSR1);
}

static void check_mask(int signo) {
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(sigismember(&now, SIGHUP));
    CHECK_EQ(sigismember(&now, signo), signo == SIGUSR1);
    note(signo);
}

TEST(mask_of_the_action) {
    struct sigaction action = {.sa_handler = check_mask};
    sigaddset(&action.sa_mask, SIGHUP);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    action.sa_flags = SA_NODEFER;
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR2);
    CHECK_EQ(seen_count, 2);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(!sigismember(&now, SIGHUP) && !sigismember(&now, SIGUSR1));
}

TEST(reset_hand) {
    handle(SIGUSR1, note, SA_RESETHAND);
    raise(SIGUSR1);
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
    CHECK(action.sa_handler == SIG_DFL);
    pid_t pid = fork();
    if (pid == 0) {
        raise(SIGUSR1);
        _exit(0);
    }
    CHECK_KILLED(pid, SIGUSR1);
}

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

/* Again and again: one of them finds the process where it waits, however slow the machine is. */
static void alarm_each(void (*handler)(int), int flags, long milliseconds) {
    handle(SIGALRM, handler, flags);
    struct timeval time = {0, milliseconds * 1000};
    struct itimerval timer = {time, time};
    CHECK(syscall(SYS_setitimer, ITIMER_REAL, &timer, NULL) == 0);
}

static int noted_at;
static void note_and_write(int signo) {
    note(signo);
    if (seen_count == 3)
        (void)!write(noted_at, "z", 1);
}

TEST(interrupted_and_restarted) {
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    alarm_each(note, 0, 20);
    CHECK_ERRNO(read(ends[0], &byte, 1), EINTR);
    CHECK(seen_count >= 1);
    alarm_each(note_and_write, SA_RESTART, 20);
    noted_at = ends[1];
    seen_count = 0;
    CHECK_EQ(read(ends[0], &byte, 1), 1); /* interrupted three times */
    CHECK_EQ(byte, 'z');
    CHECK(seen_count >= 3);
    alarm_each(note, SA_RESTART, 20);
    CHECK_ERRNO(pause(), EINTR);
}

TEST(sleep_tells_what_is_left) {
    alarm_each(note, SA_RESTART, 20);
    struct timespec time = {5, 0}, left = {0, 0};
    CHECK_ERRNO(nanosleep(&time, &left), EINTR);
    CHECK(left.tv_sec < 5 && left.tv_sec >= 0);
}

TEST(suspend_with_mask) {
    handle(SIGUSR1, note, 0);
    block(SIG_BLOCK, SIGUSR1);
    kill(getpid(), SIGUSR1);
    sigset_t none;
    sigemptyset(&none);
    CHECK_ERRNO(sigsuspend(&none), EINTR);
    CHECK_EQ(seen_count, 1);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(sigismember(&now, SIGUSR1));
}

TEST(ignored_and_default) {
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    raise(SIGCHLD);
    raise(SIGURG);
    raise(SIGWINCH);
    raise(SIGCONT);
    static const int deadly[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGABRT, SIGUSR2,   SIGPIPE,
                                 SIGALRM, SIGTERM, SIGPROF, SIGPOLL, SIGVTALRM, 40};
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            kill(getpid(), deadly[i]);
            _exit(0);
        }
        CHECK_KILLED(pid, deadly[i]);
    }
}

TEST(uncatchable) {
    CHECK_ERRNO(sigaction(SIGKILL, &(struct sigaction){.sa_handler = note}, NULL), EINVAL);
    CHECK_ERRNO(sigaction(SIGSTOP, &(struct sigaction){.sa_handler = SIG_IGN}, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, 1, NULL, NULL, 4), EINVAL);
    sigset_t all, now;
    sigfillset(&all);
    CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
    sigprocmask(SIG_SETMASK, NULL, &now);
    CHECK(!sigismember(&now, SIGKILL) && !sigismember(&now, SIGSTOP));
    CHECK_ERRNO(sigprocmask(77, &all, NULL), EINVAL);
}

TEST(kill_errors_and_probe) {
    CHECK(kill(getpid(), 0) == 0);
    CHECK_ERRNO(kill(getpid(), 65), EINVAL);
    CHECK_ERRNO(kill(getpid(), -1), EINVAL);
    CHECK_ERRNO(kill(9999999, 0), ESRCH);
    CHECK_ERRNO(kill(-9999999, 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_tgkill, 0, 1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 9999999, 0), ESRCH);
}

TEST(group_kill) {
    pid_t leader = fork();
    if (leader == 0) {
        setpgid(0, 0);
        for (int i = 0; i < 3; i++)
            if (fork() == 0)
                for (;;)
                    pause();
        for (;;)
            pause();
    }
    setpgid(leader, leader);
    check_sleep_ms(50);
    CHECK(kill(-leader, SIGTERM) == 0);
    CHECK_KILLED(leader, SIGTERM);
    for (int i = 0; i < 200 && kill(-leader, 0) == 0; i++)
        check_sleep_ms(5);
    CHECK_ERRNO(kill(-leader, 0), ESRCH);
}

TEST(no_zombies_when_ignored) {
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_NOCLDWAIT};
    sigaction(SIGCHLD, &action, NULL);
    pid = fork();
    if (pid == 0)
        _exit(0);
    while (waitpid(pid, NULL, 0) >= 0 || errno == EINTR)
        continue;
    int problem = errno;
    CHECK_EQ(problem, ECHILD);
}

TEST(stop_discards_continue) {
    block(SIG_BLOCK, SIGTSTP);
    block(SIG_BLOCK, SIGCONT);
    raise(SIGTSTP);
    sigset_t pending;
    sigpending(&pending);
    CHECK(sigismember(&pending, SIGTSTP));
    raise(SIGCONT);
    sigpending(&pending);
    CHECK(!sigismember(&pending, SIGTSTP) && sigismember(&pending, SIGCONT));
    raise(SIGTSTP);
    sigpending(&pending);
    CHECK(sigismember(&pending, SIGTSTP) && !sigismember(&pending, SIGCONT));
    signal(SIGTSTP, SIG_IGN);
}

TEST(killed_while_stopped) {
    pid_t pid = fork();
    int status;
    if (pid == 0)
        for (;;)
            pause();
    kill(pid, SIGSTOP);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    kill(pid, SIGTERM);
    check_sleep_ms(10);
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    kill(pid, SIGKILL);
    CHECK_KILLED(pid, SIGKILL);
}

TEST(busy_loop_is_killed) {
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            __asm__ volatile("");
    check_sleep_ms(20);
    kill(pid, SIGINT);
    CHECK_KILLED(pid, SIGINT);
}

static volatile unsigned long ticks;
struct race {
    volatile int round, got;
};
static struct race *race;

static void race_got(int signo) {
    (void)signo;
    race->got++;
}

/* One signal for each round, sent while the receiver changes its mask. Were one lost, both would wait for
 * ever: nothing that the receiver does until it comes looks for pending ones. */
TEST(none_is_lost_while_masks_change) {
    enum { ROUNDS = 200 };
    race = mmap(NULL, sizeof *race, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(race != MAP_FAILED);
    handle(SIGUSR1, race_got, 0);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 1; i <= ROUNDS; i++) {
            if (i % 2)
                race->round = i;
            block(SIG_BLOCK, SIGUSR1);
            race->round = i;
            block(SIG_UNBLOCK, SIGUSR1);
            while (race->got < i)
                sched_yield();
        }
        _exit(0);
    }
    for (int i = 1; i <= ROUNDS; i++) {
        while (race->round < i)
            sched_yield();
        CHECK(kill(child, SIGUSR1) == 0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
}

static void tick(int signo) {
    (void)signo;
    ticks++;
}

TEST(storm_of_signals) {
    handle(SIGUSR1, tick, 0);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 3000; i++)
            kill(parent, SIGUSR1);
        _exit(0);
    }
    volatile double sum = 0;
    int status = -1;
    while (waitpid(pid, &status, WNOHANG) != pid)
        for (int i = 0; i < 1000; i++)
            sum += 1.5;
    CHECK_EQ(status, 0);
    CHECK(ticks > 0);
    CHECK(sum / 1.5 == (double)(unsigned long)(sum / 1.5));
}

static void return_wildly(int signo, siginfo_t *info, void *context) {
    (void)signo;
    (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] = (long long)0xffffffff80000000ULL;
}

TEST(bad_frames_only_kill_their_program) {
    pid_t pid = fork();
    if (pid == 0) {
        handle_info(SIGUSR1, return_wildly, 0);
        raise(SIGUSR1);
        _exit(0);
    }
    CHECK_KILLED(pid, SIGSEGV);
    pid = fork();
    if (pid == 0) {
        handle(SIGUSR1, note, 0);
        __asm__ volatile("mov $39, %%eax\n syscall\n mov %%eax, %%edi\n mov $8, %%rsp\n mov $62, %%eax\n"
                         "mov $10, %%esi\n syscall\n" ::
                             : "rax", "rdi", "rsi", "rcx", "r11", "memory");
        _exit(0);
    }
    CHECK_KILLED(pid, SIGSEGV);
    pid = fork();
    if (pid == 0) {
        __asm__ volatile("mov $8, %%rsp\n mov $15, %%eax\n syscall\n" ::: "rax", "rcx", "r11", "memory");
        _exit(0);
    }
    CHECK_KILLED(pid, SIGSEGV);
}

TEST_MAIN()
