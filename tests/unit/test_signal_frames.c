/* sources: linux/task/signal.c linux/task/deliver.c linux/task/sigcall.c linux/task/sigframe.c linux/lock.c
 */
/* Signal frames of the personality: into a handler and back, stacks, and calls that begin anew. */
#include "tests/unit/signal_world.h"

/* ---- frames ---- */

TEST(a_handler_runs_and_returns_to_the_same_state) {
    set_up();
    struct guest_registers before = current->utcb->guest;
    handle(SIGUSR1, SA_SIGINFO, signal_bit(SIGHUP));
    signal_set_blocked(current, signal_bit(SIGINT));
    memset(vector_state, 0x5a, 512);
    CHECK_EQ(send_code(&tasks[0], SIGUSR1, SI_QUEUE, 77), 0);
    CHECK(task_ready(current));
    const struct guest_registers *now = &current->utcb->guest;
    CHECK_EQ(now->rip, HANDLER);
    CHECK_EQ(now->rdi, SIGUSR1);
    CHECK_EQ(now->rax, 0);
    CHECK_EQ(now->rsp % 16, 8);
    CHECK(now->rsp < STACK_TOP - 128);
    uint64_t return_address;
    guest_copy_in(&return_address, now->rsp, sizeof(return_address));
    CHECK_EQ(return_address, RESTORER);
    struct siginfo64 info;
    guest_copy_in(&info, now->rsi, sizeof(info));
    CHECK_EQ(info.signo, SIGUSR1);
    CHECK_EQ(info.sender.value, 77);
    struct ucontext64 ucontext;
    guest_copy_in(&ucontext, now->rdx, sizeof(ucontext));
    CHECK_EQ(ucontext.context.rip, CODE);
    CHECK_EQ(ucontext.context.fpstate % 64, 0);
    CHECK_EQ(ucontext.mask, signal_bit(SIGINT));
    CHECK_EQ(vector_state[0], 0);
    CHECK_EQ(current->blocked, signal_bit(SIGINT) | signal_bit(SIGHUP) | signal_bit(SIGUSR1));
    handler_return();
    CHECK(!memcmp(&before, &current->utcb->guest, sizeof(before)));
    CHECK_EQ(current->blocked, signal_bit(SIGINT));
    CHECK_EQ(vector_state[100], 0x5a);
}

TEST(of_two_handlers_the_last_taken_runs_first) {
    set_up();
    handle(SIGHUP, 0, 0);
    handle(SIGINT, 0, 0);
    send(NULL, SIGINT);
    send(NULL, SIGHUP);
    CHECK(task_ready(current));
    CHECK_EQ(current->utcb->guest.rdi, SIGINT);
    handler_return();
    CHECK_EQ(current->utcb->guest.rdi, SIGHUP);
    handler_return();
    CHECK_EQ(current->utcb->guest.rip, CODE);
}

TEST(a_handlers_mask_holds_the_next_signal_back) {
    set_up();
    handle(SIGHUP, 0, signal_bit(SIGINT));
    handle(SIGINT, 0, 0);
    send(NULL, SIGINT);
    send(NULL, SIGHUP);
    CHECK(task_ready(current));
    CHECK_EQ(current->utcb->guest.rdi, SIGHUP);
    CHECK(!current->signal_pending);
    handler_return();
    CHECK(current->signal_pending);
    CHECK(task_ready(current));
    CHECK_EQ(current->utcb->guest.rdi, SIGINT);
}

TEST(resethand_and_nodefer) {
    set_up();
    handle(SIGUSR1, SA_RESETHAND | SA_NODEFER, 0);
    send(NULL, SIGUSR1);
    CHECK(task_ready(current));
    CHECK_EQ(current->blocked, 0);
    CHECK_EQ(sighand.actions[SIGUSR1 - 1].handler, SIG_DFL);
}

TEST(sigsuspend_puts_the_old_mask_back_after_the_handler) {
    sigset_t64 set = 0;
    set_up();
    signal_set_blocked(current, signal_bit(SIGUSR1));
    handle(SIGUSR1, 0, 0);
    send(&tasks[0], SIGUSR1);
    guest_copy_out(GUEST_BASE, &set, sizeof(set));
    CHECK_EQ(sys_rt_sigsuspend(GUEST_BASE, 8), -ERESTARTNOHAND);
    CHECK_EQ(current->blocked, 0);
    current->restart = -ERESTARTNOHAND;
    CHECK(task_ready(current));
    CHECK_EQ(current->utcb->guest.rip, HANDLER);
    handler_return();
    CHECK_EQ((int64_t)current->utcb->guest.rax, -EINTR);
    CHECK_EQ(current->blocked, signal_bit(SIGUSR1));
}

TEST(the_alternate_stack_is_used_once_and_not_overflowed) {
    struct stack64 stack = {.sp = ALTSTACK, .size = 4096}, old;
    set_up();
    guest_copy_out(GUEST_BASE, &stack, sizeof(stack));
    CHECK_EQ(sys_sigaltstack(GUEST_BASE, 0), 0);
    handle(SIGUSR1, SA_ONSTACK | SA_NODEFER, 0);
    handle(SIGUSR2, SA_ONSTACK, 0);
    send(&tasks[0], SIGUSR1);
    CHECK(task_ready(current));
    uint64_t first = current->utcb->guest.rsp;
    CHECK(first > ALTSTACK && first < ALTSTACK + 4096);
    CHECK_EQ(sys_sigaltstack(0, GUEST_BASE), 0);
    guest_copy_in(&old, GUEST_BASE, sizeof(old));
    CHECK_EQ(old.flags, SS_ONSTACK);
    guest_copy_out(GUEST_BASE, &stack, sizeof(stack));
    CHECK_EQ(sys_sigaltstack(GUEST_BASE, 0), -EPERM);
    send(&tasks[0], SIGUSR2);
    CHECK(task_ready(current));
    CHECK(current->utcb->guest.rsp < first && current->utcb->guest.rsp > ALTSTACK);
    send(&tasks[0], SIGUSR1); /* a third frame does not fit: the program dies of SIGSEGV */
    CHECK(!task_ready(current));
    CHECK_EQ(end_status, SIGSEGV);
}

TEST(a_bad_stack_ends_the_program) {
    set_up();
    handle(SIGUSR1, 0, 0);
    current->utcb->guest.rsp = 64;
    send(&tasks[0], SIGUSR1);
    CHECK(!task_ready(current));
    CHECK_EQ(end_status, SIGSEGV);
    set_up();
    sys_rt_sigreturn(); /* with a frame of zeros: the registers become zero, nothing else happens */
    CHECK_EQ(current->utcb->guest.rip, 0);
    current->utcb->guest.rsp = 64;
    sys_rt_sigreturn();
    CHECK(!task_ready(current));
    CHECK_EQ(end_status, SIGSEGV);
}

/* ---- restarts ---- */

static void check_restart(int64_t code, int handler_flags, uint64_t rip, uint64_t rax) {
    set_up();
    current->utcb->guest.rax = CALL_NUMBER;
    current->restart = code;
    if (handler_flags >= 0) {
        handle(SIGUSR1, (uint64_t)handler_flags, 0);
        send(&tasks[0], SIGUSR1);
    }
    CHECK(task_ready(current));
    if (handler_flags >= 0)
        handler_return();
    CHECK_EQ(current->utcb->guest.rip, rip);
    CHECK_EQ(current->utcb->guest.rax, rax);
    CHECK_EQ(current->restart, 0);
}

TEST(interrupted_calls_restart_as_linux_does) {
    const uint64_t again = CODE - 2, interrupted = (uint64_t)-EINTR;
    check_restart(-ERESTARTSYS, -1, again, CALL_NUMBER);
    check_restart(-ERESTARTSYS, 0, CODE, interrupted);
    check_restart(-ERESTARTSYS, SA_RESTART, again, CALL_NUMBER);
    check_restart(-ERESTARTNOINTR, 0, again, CALL_NUMBER);
    check_restart(-ERESTARTNOHAND, -1, again, CALL_NUMBER);
    check_restart(-ERESTARTNOHAND, SA_RESTART, CODE, interrupted);
    check_restart(-ERESTART_RESTARTBLOCK, -1, again, 219);
    check_restart(-ERESTART_RESTARTBLOCK, SA_RESTART, CODE, interrupted);
}

TEST_MAIN();
