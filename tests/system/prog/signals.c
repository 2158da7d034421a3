/* test: libc=musl,glibc */
/* Signals: handlers, masks, order, information, alternate stacks, restarts, faults. */
#include "tests/system/prog/signals/handlers.h"

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
