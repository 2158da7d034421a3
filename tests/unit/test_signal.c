/* sources: linux/task/signal.c linux/task/deliver.c linux/task/sigcall.c linux/task/sigframe.c linux/lock.c
 */
/*
 * Signals of the personality: in which order they are taken, what queues and what does not, masks, default
 * actions, and what the calls check. test_signal_frames.c has the way into a handler and back.
 */
#include "tests/unit/signal_world.h"

/* ---- queues ---- */

TEST(order_is_faults_then_own_then_process) {
    set_up();
    send(NULL, SIGUSR1);
    send(NULL, SIGHUP);
    send(&tasks[0], SIGTERM);
    send(&tasks[0], SIGINT);
    send(&tasks[0], SIGSEGV);
    send(NULL, SIGRTMIN + 2);
    CHECK_EQ(take_number(), SIGSEGV);
    CHECK_EQ(take_number(), SIGINT);
    CHECK_EQ(take_number(), SIGTERM);
    CHECK_EQ(take_number(), SIGHUP);
    CHECK_EQ(take_number(), SIGUSR1);
    CHECK_EQ(take_number(), SIGRTMIN + 2);
    CHECK_EQ(take_number(), 0);
}

TEST(standard_signals_queue_once_real_time_ones_each) {
    struct signal_info info;
    set_up();
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(send_code(NULL, SIGUSR1, SI_QUEUE, 10 + i), 0);
        CHECK_EQ(send_code(NULL, SIGRTMIN + 5, SI_QUEUE, 20 + i), 0);
    }
    CHECK_EQ(take(&info), SIGUSR1);
    CHECK_EQ(info.value, 10);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(take(&info), SIGRTMIN + 5);
        CHECK_EQ(info.value, 20 + i);
    }
    CHECK_EQ(take(&info), 0);
}

TEST(the_queue_limit_refuses_only_queued_real_time_signals) {
    set_up();
    process.limits[RLIMIT_SIGPENDING].current = 2;
    CHECK_EQ(send_code(NULL, SIGRTMIN + 1, SI_QUEUE, 0), 0);
    CHECK_EQ(send_code(NULL, SIGRTMIN + 1, SI_QUEUE, 0), 0);
    CHECK_EQ(send_code(NULL, SIGRTMIN + 1, SI_QUEUE, 0), -EAGAIN);
    CHECK_EQ(send_code(NULL, SIGRTMIN + 1, SI_USER, 0), 0);
    CHECK_EQ(send_code(NULL, SIGUSR1, SI_QUEUE, 0), 0);
}

TEST(stop_and_continue_remove_each_other) {
    set_up();
    tasks[0].blocked = tasks[1].blocked = UINT64_MAX & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
    send(NULL, SIGTSTP);
    send(&tasks[1], SIGTTIN);
    send(NULL, SIGCONT);
    CHECK_EQ(process.shared_pending_set, signal_bit(SIGCONT));
    CHECK_EQ(tasks[1].pending_set, 0);
    send(NULL, SIGTTOU);
    CHECK_EQ(process.shared_pending_set, signal_bit(SIGTTOU));
}

TEST(ignored_signals_are_dropped_unless_blocked) {
    set_up();
    sighand.actions[SIGUSR1 - 1].handler = SIG_IGN;
    send(NULL, SIGUSR1);
    send(NULL, SIGCHLD);
    CHECK_EQ(process.shared_pending_set, 0);
    CHECK(!tasks[0].signal_pending);
    signal_set_blocked(&tasks[0], signal_bit(SIGUSR1));
    send(NULL, SIGUSR1);
    CHECK_EQ(process.shared_pending_set, signal_bit(SIGUSR1));

    struct sigaction64 ignore = {.handler = SIG_IGN};
    guest_copy_out(GUEST_BASE, &ignore, sizeof(ignore));
    CHECK_EQ(sys_rt_sigaction(SIGUSR1, GUEST_BASE, 0, 8), 0);
    CHECK_EQ(process.shared_pending_set, 0);
}

/* ---- masks and receivers ---- */

TEST(kill_and_stop_cannot_be_blocked) {
    set_up();
    signal_set_blocked(&tasks[0], UINT64_MAX);
    CHECK_EQ(tasks[0].blocked, UINT64_MAX & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP)));
}

TEST(a_process_signal_goes_to_a_task_that_takes_it) {
    set_up();
    current = NULL;
    send(NULL, SIGTERM);
    CHECK(tasks[0].signal_pending && !tasks[1].signal_pending);
    CHECK_EQ(kicks[1], 1);
    set_up();
    signal_set_blocked(&tasks[0], signal_bit(SIGTERM));
    send(NULL, SIGTERM);
    CHECK(!tasks[0].signal_pending && tasks[1].signal_pending);
    CHECK_EQ(kicks[2], 1);
    CHECK(!signal_interrupts(&tasks[0]) && signal_interrupts(&tasks[1]));
}

TEST(blocking_hands_a_pending_signal_to_another_task) {
    set_up();
    send(NULL, SIGTERM);
    CHECK(!tasks[1].signal_pending);
    signal_set_blocked(&tasks[0], signal_bit(SIGTERM));
    CHECK(!tasks[0].signal_pending && tasks[1].signal_pending);
}

TEST(unblocking_makes_it_deliverable) {
    set_up();
    signal_set_blocked(&tasks[0], signal_bit(SIGUSR2));
    send(&tasks[0], SIGUSR2);
    CHECK(!tasks[0].signal_pending);
    CHECK_EQ(take_number(), 0);
    signal_set_blocked(&tasks[0], 0);
    CHECK(tasks[0].signal_pending);
    CHECK_EQ(take_number(), SIGUSR2);
}

TEST(sigprocmask_follows_how) {
    sigset_t64 set = signal_bit(SIGHUP) | signal_bit(SIGKILL), old;
    set_up();
    guest_copy_out(GUEST_BASE, &set, sizeof(set));
    CHECK_EQ(sys_rt_sigprocmask(SIG_BLOCK, GUEST_BASE, 0, 8), 0);
    CHECK_EQ(tasks[0].blocked, signal_bit(SIGHUP));
    CHECK_EQ(sys_rt_sigprocmask(7, GUEST_BASE, 0, 8), -EINVAL);
    CHECK_EQ(sys_rt_sigprocmask(7, 0, GUEST_BASE + 64, 8), 0);
    guest_copy_in(&old, GUEST_BASE + 64, sizeof(old));
    CHECK_EQ(old, signal_bit(SIGHUP));
    CHECK_EQ(sys_rt_sigprocmask(SIG_BLOCK, GUEST_BASE, 0, 4), -EINVAL);
    CHECK_EQ(sys_rt_sigprocmask(SIG_BLOCK, 8, 0, 8), -EFAULT);
    CHECK_EQ(sys_rt_sigprocmask(SIG_UNBLOCK, GUEST_BASE, 0, 8), 0);
    CHECK_EQ(tasks[0].blocked, 0);
}

TEST(timedwait_takes_blocked_signals_and_times_out) {
    sigset_t64 set = signal_bit(SIGUSR1) | signal_bit(SIGCHLD);
    uint64_t zero = 0;
    set_up();
    guest_copy_out(GUEST_BASE, &set, sizeof(set));
    guest_copy_out(GUEST_BASE + 8, &zero, sizeof(zero));
    signal_set_blocked(&tasks[0], set);
    CHECK_EQ(sys_rt_sigtimedwait(GUEST_BASE, 0, GUEST_BASE + 8, 8), -EAGAIN);
    send(NULL, SIGCHLD);
    CHECK_EQ(sys_rt_sigtimedwait(GUEST_BASE, GUEST_BASE + 256, GUEST_BASE + 8, 8), SIGCHLD);
    struct siginfo64 info;
    guest_copy_in(&info, GUEST_BASE + 256, sizeof(info));
    CHECK_EQ(info.signo, SIGCHLD);
    CHECK_EQ(info.sender.pid, 7);
    CHECK_EQ(sys_rt_sigtimedwait(GUEST_BASE, 0, GUEST_BASE + 8, 8), -EAGAIN);
    CHECK_EQ(tasks[0].wait_set, 0);
}

static void send_usr1(void) {
    send(NULL, SIGUSR1);
}
static void send_term(void) {
    send(NULL, SIGTERM);
}

TEST(timedwait_wakes_for_its_set_and_is_interrupted_by_others) {
    sigset_t64 set = signal_bit(SIGUSR1);
    set_up();
    guest_copy_out(GUEST_BASE, &set, sizeof(set));
    signal_set_blocked(&tasks[0], set);
    tasks[1].blocked = UINT64_MAX;
    on_park = send_usr1;
    CHECK_EQ(sys_rt_sigtimedwait(GUEST_BASE, 0, 0, 8), SIGUSR1);
    handle(SIGTERM, 0, 0);
    on_park = send_term;
    CHECK_EQ(sys_rt_sigtimedwait(GUEST_BASE, 0, 0, 8), -EINTR);
}

/* ---- default actions ---- */

static void send_cont(void) {
    send(NULL, SIGCONT);
}

TEST(stop_waits_for_continue_and_reports_both) {
    set_up();
    list_remove(&tasks[1].thread_link);
    process.thread_count = 1;
    send(NULL, SIGTSTP);
    on_park = send_cont;
    CHECK(task_ready(current));
    CHECK_EQ(notified, CLD_CONTINUED);
    CHECK(process.continued && !process.stopped);
    group_is_orphaned = true; /* nobody could continue it: not stopped */
    notified = 0;
    send(NULL, SIGTSTP);
    CHECK(task_ready(current));
    CHECK_EQ(notified, 0);
}

TEST(default_actions) {
    static const uint8_t ignored[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH};
    static const uint8_t stopping[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    for (int signo = 1; signo <= LINUX_SIGNALS; signo++) {
        if (memchr(stopping, signo, sizeof(stopping)))
            continue;
        set_up();
        send(NULL, signo);
        bool goes_on = memchr(ignored, signo, sizeof(ignored));
        if (signo != SIGKILL)
            CHECK_EQ(task_ready(current), goes_on);
        CHECK_EQ(end_status, goes_on ? -1 : signo);
    }
}

TEST(a_fault_kills_even_when_blocked_or_ignored) {
    struct signal_info info = {.signo = SIGSEGV, .code = SEGV_MAPERR, .address = 16};
    set_up();
    handle(SIGSEGV, 0, 0);
    signal_set_blocked(current, signal_bit(SIGSEGV));
    signal_force(current, &info);
    CHECK(!task_ready(current));
    CHECK_EQ(end_status, SIGSEGV);
    set_up();
    handle(SIGSEGV, SA_SIGINFO, 0);
    signal_from_fault(current, 0x1234, 2, -EACCES);
    CHECK(task_ready(current));
    struct siginfo64 raw;
    guest_copy_in(&raw, current->utcb->guest.rsi, sizeof(raw));
    CHECK_EQ(raw.code, SEGV_ACCERR);
    CHECK_EQ(raw.fault.address, 0x1234);
}

/* ---- calls ---- */

TEST(kill_checks_its_target_before_its_signal) {
    set_up();
    CHECK_EQ(sys_kill(4711, 100), -ESRCH);
    CHECK_EQ(sys_kill(100, 65), -EINVAL);
    CHECK_EQ(sys_kill(100, 0), 0);
    CHECK_EQ(sys_kill((uint64_t)-100, SIGUSR1), 0);
    CHECK_EQ(take_number(), SIGUSR1);
    CHECK_EQ(sys_kill((uint64_t)-1, SIGUSR1), -ESRCH);
    CHECK_EQ(sys_tgkill(100, 101, SIGUSR2), 0);
    CHECK_EQ(tasks[1].pending_set, signal_bit(SIGUSR2));
    CHECK_EQ(sys_tgkill(99, 101, SIGUSR2), -ESRCH);
    CHECK_EQ(sys_tkill(0, SIGUSR2), -EINVAL);
}

TEST(sigaction_checks_and_shows) {
    struct sigaction64 action = {.handler = HANDLER,
                                 .flags = 0x12345678abcULL | SA_RESTART,
                                 .mask = UINT64_MAX},
                       old;
    set_up();
    guest_copy_out(GUEST_BASE, &action, sizeof(action));
    CHECK_EQ(sys_rt_sigaction(SIGKILL, GUEST_BASE, 0, 8), -EINVAL);
    CHECK_EQ(sys_rt_sigaction(SIGKILL, 0, GUEST_BASE + 64, 8), 0);
    CHECK_EQ(sys_rt_sigaction(65, GUEST_BASE, 0, 8), -EINVAL);
    CHECK_EQ(sys_rt_sigaction(SIGHUP, GUEST_BASE, 0, 16), -EINVAL);
    CHECK_EQ(sys_rt_sigaction(SIGHUP, 1, 0, 8), -EFAULT);
    CHECK_EQ(sys_rt_sigaction(SIGHUP, GUEST_BASE, 0, 8), 0);
    CHECK_EQ(sys_rt_sigaction(SIGHUP, 0, GUEST_BASE, 8), 0);
    guest_copy_in(&old, GUEST_BASE, sizeof(old));
    CHECK_EQ(old.handler, HANDLER);
    CHECK(!(old.flags & 0x12000000000ULL) && (old.flags & SA_RESTART));
    CHECK(!(old.mask & (signal_bit(SIGKILL) | signal_bit(SIGSTOP))));
}

TEST_MAIN();
