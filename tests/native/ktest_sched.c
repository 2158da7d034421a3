/* The scheduler, and the calls that hand the CPU from thread to thread. */
#include "tests/native/ktest.h"

static int64_t port;

/* Answers each call with its words, one more in the first and last, until the label is 99. */
static void echo_server(uint64_t i) {
    struct ipc_message message;
    uint64_t flags = 0;
    do {
        ipc_receive((handle_t)port, DEADLINE_NEVER, flags, &message);
        message.words[0]++;
        message.words[IPC_WORDS - 1]++;
        flags = IPC_REPLY;
    } while (message.label != 99);
    ipc_receive((handle_t)port, 0, flags, &message);
    thread_end(i);
}

static int64_t echo(int64_t handle, uint64_t label, uint64_t deadline) {
    struct ipc_message message = {.label = label, .words = {10, 11, 12, 13, 14, 15, 16, 17}};
    int64_t result = ipc_call((handle_t)handle, deadline, &message);
    if (result)
        return result;
    for (unsigned i = 0; i < IPC_WORDS; i++)
        EQ(message.words[i], 10 + i + (i == 0 || i == IPC_WORDS - 1));
    EQ(message.label, label);
    return 0;
}

/* A call that has often gone through still notices that its handle means something else or nothing. */
static void test_call_handle_changes(void) {
    port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    handle_t server = thread_start(0, echo_server);
    for (unsigned round = 0; round < 50; round++) {
        int64_t copy = keel_handle_duplicate(port, RIGHT_SEND), other;
        for (unsigned i = 0; i < 3; i++) {
            EQ(echo(copy, i, DEADLINE_NEVER), 0);
            EQ(echo(port, i, clock_now() + 1000 * MS), 0);
        }
        EQ(keel_handle_close(copy), 0);
        EQ(echo(copy, 1, DEADLINE_NEVER), -EBADF);
        other = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
        EQ(echo(other, 1, DEADLINE_NEVER), -EINVAL);
        EQ(keel_handle_close(other), 0);
    }
    int64_t copy = keel_handle_duplicate(port, RIGHT_SEND);
    int64_t reader = keel_handle_duplicate(port, RIGHT_RECV);
    for (unsigned i = 0; i < 3; i++)
        EQ(echo(copy, i, DEADLINE_NEVER), 0);
    EQ(keel_handle_revoke(port), 0);
    EQ(echo(copy, 1, DEADLINE_NEVER), -EBADF);
    EQ(echo(reader, 1, DEADLINE_NEVER), -EBADF);
    EQ(echo(port, 99, DEADLINE_NEVER), 0);
    thread_join(0, server);
    EQ(keel_handle_close(copy), 0);
    EQ(keel_handle_close(reader), 0);
    EQ(keel_handle_close(port), 0);
}

const struct test sched_tests[] = {
    {"call_handle_changes", test_call_handle_changes},
    {NULL, NULL},
};
