/* sources: linux/[!hm]*.c linux/task/*.c linux/fs/*.c linux/io/*.c linux/net/*.c linux/ipc/*.c
 * linux/block/*.c linux/input/*.c linux/arch/host/*.c tests/host/*.c tests/host/guest/*.c lib/base/tree.c
 * lib/base/format.c lib/base/elf.c lib/base/cpio.c lib/pci/accelerator.c lib/virtqueue/*.c
 * linux/device/functions.c linux/usb/*.c */
/* flags: -iquote tests/host -pthread */
/*
 * POSIX message queues on the whole personality in simulation: order against a model, limits, who waits and
 * who goes first, timeouts, notifications, and allocations that fail. The same behaviour is shown by
 * tests/system/prog/mqueue.c on Linux itself.
 */
#include <string.h>

#include "linux/abi/fcntl.h"
#include "linux/abi/mqueue.h"
#include "linux/abi/resource.h"
#include "linux/abi/signal.h"
#include "linux/abi/time.h"
#include "linux/heap.h"
#include "linux/ipc/mqueue.h"
#include "linux/syscalls.h"
#include "tests/unit/program.h"
#include "tests/unit/random.h"

enum { COUNT = 10, SIZE = 64, STEPS = 2000, PRIORITIES = 4, USER = 1000, SECOND = 1000000000 };

/* ---- the calls; their buffers are the program's, at the same places in its children ---- */

static uint64_t text_at, number_at, state_at;

static void buffers_make(void) {
    text_at = guest_alloc(SIZE);
    number_at = guest_alloc(8);
    state_at = guest_alloc(sizeof(struct mq_attr64));
}

static int64_t queue_make(const char *name, int64_t count, int64_t size, uint32_t flags) {
    const struct mq_attr64 attributes = {.messages_most = count, .size_most = size};
    return guest(mq_open, guest_text(name), O_CREAT | O_EXCL | O_RDWR | flags, 0600,
                 guest_bytes(&attributes, sizeof attributes));
}

static int64_t queue_new(const char *name) {
    int64_t queue = queue_make(name, COUNT, SIZE, 0);
    CHECK(queue >= 0);
    return queue;
}

static void queue_end(int64_t queue, const char *name) {
    CHECK_EQ(guest(close, (uint64_t)queue), 0);
    CHECK_EQ(guest(mq_unlink, guest_text(name)), 0);
}

static int64_t count_of(int64_t queue) {
    struct mq_attr64 found;
    CHECK_EQ(guest(mq_getsetattr, (uint64_t)queue, 0, state_at), 0);
    guest_get(&found, state_at, sizeof found);
    return found.count;
}

static int64_t send_until(int64_t queue, const char *text, uint32_t priority, uint64_t deadline) {
    guest_put(text_at, text, strlen(text));
    return guest(mq_timedsend, (uint64_t)queue, text_at, strlen(text), priority, deadline);
}

static int64_t send(int64_t queue, const char *text, uint32_t priority) {
    return send_until(queue, text, priority, 0);
}

/* What came is in `got`. */
static char got[SIZE + 1];
static uint32_t got_priority;

static int64_t receive_until(int64_t queue, uint64_t deadline) {
    int64_t length = guest(mq_timedreceive, (uint64_t)queue, text_at, SIZE, number_at, deadline);
    if (length < 0)
        return length;
    memset(got, 0, sizeof got);
    guest_get(got, text_at, (size_t)length);
    guest_get(&got_priority, number_at, sizeof got_priority);
    return length;
}

static void expect(int64_t queue, const char *text, uint32_t priority) {
    CHECK_EQ(receive_until(queue, 0), strlen(text));
    if (strcmp(got, text) != 0)
        fprintf(stderr, "came: %s, expected: %s\n", got, text);
    CHECK(!strcmp(got, text) && got_priority == priority);
}

static uint64_t now_ns(void) {
    struct timespec64 time;
    uint64_t at = guest_alloc(sizeof time);
    CHECK_EQ(guest(clock_gettime, CLOCK_REALTIME, at), 0);
    guest_get(&time, at, sizeof time);
    return (uint64_t)time.seconds * SECOND + (uint64_t)time.nanoseconds;
}

static uint64_t deadline_at_ns(uint64_t ns) {
    const struct timespec64 time = {(int64_t)(ns / SECOND), (int64_t)(ns % SECOND)};
    return guest_bytes(&time, sizeof time);
}

/* Until everybody else waits: only then does simulated time go on. */
static void settle(void) {
    const struct timespec64 moment = {0, 1000000};
    CHECK_EQ(guest(nanosleep, guest_bytes(&moment, sizeof moment), 0), 0);
}

static int64_t spawn(guest_program program, void *argument) {
    guest_child(program, argument);
    int64_t pid = guest(fork, 0);
    CHECK(pid > 0);
    return pid;
}

static void reap(int64_t pid, int32_t expected) {
    int32_t status = -1;
    uint64_t at = guest_alloc(sizeof status);
    CHECK_EQ(guest(wait4, (uint64_t)pid, at, 0, 0), pid);
    guest_get(&status, at, sizeof status);
    CHECK_EQ(status, expected);
}

/* ---- order ---- */

/* Messages go by priority, then by arrival; a full queue takes none, an empty one gives none. */
PROGRAM(order) {
    unsigned held[PRIORITIES][COUNT], counts[PRIORITIES] = {0}, total = 0, full = 0, empty = 0;
    buffers_make();
    int64_t queue = queue_make("order", COUNT, SIZE, O_NONBLOCK);
    CHECK(queue >= 0);
    for (unsigned step = 0; step < STEPS; step++) {
        char text[16];
        if (random_below(2)) {
            unsigned priority = random_below(PRIORITIES);
            snprintf(text, sizeof text, "%u", step);
            CHECK_EQ(send(queue, text, priority * 10000), total == COUNT ? -EAGAIN : 0);
            full += total == COUNT;
            if (total < COUNT) {
                held[priority][counts[priority]++] = step;
                total++;
            }
        } else if (!total) {
            CHECK_EQ(receive_until(queue, 0), -EAGAIN);
            empty++;
        } else {
            unsigned best = PRIORITIES - 1;
            while (!counts[best])
                best--;
            snprintf(text, sizeof text, "%u", held[best][0]);
            expect(queue, text, best * 10000);
            memmove(&held[best][0], &held[best][1], --counts[best] * sizeof held[best][0]);
            total--;
        }
        CHECK_EQ(count_of(queue), total);
    }
    CHECK(full > 10 && empty > 10);
    queue_end(queue, "order");
    return 0;
}

/* ---- limits ---- */

PROGRAM(limits) {
    char name[8];
    int64_t queues[9];
    buffers_make();
    CHECK_EQ(queue_make("root", MQ_MESSAGES_HARD + 1, SIZE, 0), -EINVAL);
    CHECK_EQ(queue_make("root", 1, MQ_SIZE_HARD + 1, 0), -EINVAL);
    CHECK_EQ(queue_make("root", MQ_MESSAGES_HARD, MQ_SIZE_HARD, 0), -EMFILE); /* RLIMIT_MSGQUEUE */
    int64_t queue = queue_make("root", 11, SIZE, 0);
    CHECK(queue >= 0);
    queue_end(queue, "root");
    CHECK_EQ(guest(setuid, USER), 0);
    CHECK_EQ(queue_make("q", 11, SIZE, 0), -EINVAL);
    CHECK_EQ(queue_make("q", 10, 8193, 0), -EINVAL);
    CHECK_EQ(queue_make("q", 0, SIZE, 0), -EINVAL);
    CHECK_EQ(queue_make("q", -1, SIZE, 0), -EINVAL);
    CHECK_EQ(queue_make("q", 1, 0, 0), -EINVAL);
    /* 819,200 bytes hold nine queues of 82,880, and what one gives back another one gets. */
    for (unsigned i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "q%u", i);
        CHECK((queues[i] = queue_make(name, 10, 8192, 0)) >= 0);
    }
    CHECK_EQ(queue_make("q9", 10, 8192, 0), -EMFILE);
    queue_end(queues[0], "q0");
    CHECK((queues[0] = queue_make("q0", 10, 8192, 0)) >= 0);
    CHECK_EQ(guest(mq_unlink, guest_text("q0")), 0);
    CHECK_EQ(queue_make("q9", 10, 8192, 0), -EMFILE); /* it is open still */
    CHECK_EQ(guest(close, (uint64_t)queues[0]), 0);
    for (unsigned i = 1; i < 9; i++) {
        snprintf(name, sizeof name, "q%u", i);
        queue_end(queues[i], name);
    }
    mqueue_limits.queues_max = 1;
    queue = queue_new("only");
    CHECK_EQ(queue_make("other", 1, 1, 0), -ENOSPC);
    mqueue_limits.queues_max = 256;
    CHECK_EQ(send(queue, "x", MQ_PRIO_MAX), -EINVAL);
    CHECK_EQ(send(queue, "x", MQ_PRIO_MAX - 1), 0);
    CHECK_EQ(guest(mq_timedsend, (uint64_t)queue, text_at, SIZE + 1, 0, 0), -EMSGSIZE);
    CHECK_EQ(guest(mq_timedreceive, (uint64_t)queue, text_at, SIZE - 1, 0, 0), -EMSGSIZE);
    expect(queue, "x", MQ_PRIO_MAX - 1);
    queue_end(queue, "only");
    return 0;
}

/* ---- who waits ---- */

enum { WAITERS = 4 };

static struct user {
    int64_t queue;
    int nice;
    char text[8]; /* it sends; "": it receives */
    char came[SIZE + 1];
} waiters[WAITERS];
static int64_t pids[WAITERS];

static int wait_at_queue(void *argument) {
    struct user *waiter = argument;
    CHECK_EQ(guest(setpriority, 0, 0, (uint64_t)(int64_t)waiter->nice), 0);
    if (waiter->text[0])
        return send(waiter->queue, waiter->text, 0) != 0;
    if (receive_until(waiter->queue, 0) < 0)
        return 1;
    strcpy(waiter->came, got);
    return 0;
}

/* They begin to wait one after the other. */
static void waiters_start(int64_t queue, const int *nice, const char *const *texts) {
    for (unsigned i = 0; i < WAITERS; i++) {
        waiters[i] = (struct user){.queue = queue, .nice = nice[i]};
        if (texts)
            strcpy(waiters[i].text, texts[i]);
        pids[i] = spawn(wait_at_queue, &waiters[i]);
        settle();
    }
}

/* The best one first, among equals who came first; one that was killed takes nothing with it. */
PROGRAM(receivers) {
    static const int nice[WAITERS] = {5, 0, 5, 0};
    static const char *const texts[] = {"one", "two", "three"};
    static const unsigned order[] = {3, 0, 2};
    buffers_make();
    int64_t queue = queue_new("receivers");
    waiters_start(queue, nice, NULL);
    CHECK_EQ(guest(kill, (uint64_t)pids[1], SIGKILL), 0);
    reap(pids[1], SIGKILL);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(send(queue, texts[i], 3), 0);
        CHECK_EQ(count_of(queue), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        reap(pids[order[i]], 0);
        CHECK(!strcmp(waiters[order[i]].came, texts[i]));
    }
    queue_end(queue, "receivers");
    return 0;
}

PROGRAM(senders) {
    static const int nice[WAITERS] = {5, 0, 5, 0};
    static const char *const texts[WAITERS] = {"a", "b", "c", "d"};
    buffers_make();
    int64_t queue = queue_make("senders", 1, SIZE, 0);
    CHECK_EQ(send(queue, "full", 0), 0);
    waiters_start(queue, nice, texts);
    CHECK_EQ(guest(kill, (uint64_t)pids[3], SIGKILL), 0);
    reap(pids[3], SIGKILL);
    expect(queue, "full", 0);
    expect(queue, "b", 0);
    expect(queue, "a", 0);
    expect(queue, "c", 0);
    CHECK_EQ(count_of(queue), 0);
    for (unsigned i = 0; i < 3; i++)
        reap(pids[i], 0);
    queue_end(queue, "senders");
    return 0;
}

/* ---- timeouts ---- */

PROGRAM(timeouts) {
    const struct timespec64 wrong = {1, SECOND};
    uint64_t invalid, past;
    buffers_make();
    invalid = guest_bytes(&wrong, sizeof wrong);
    past = deadline_at_ns(1);
    int64_t queue = queue_make("timeouts", 1, SIZE, 0);
    CHECK_EQ(receive_until(queue, past), -ETIMEDOUT);
    CHECK_EQ(receive_until(queue, invalid), -EINVAL);
    uint64_t until = now_ns() + 5ULL * SECOND;
    CHECK_EQ(receive_until(queue, deadline_at_ns(until)), -ETIMEDOUT);
    CHECK(now_ns() >= until && now_ns() < until + SECOND);
    CHECK_EQ(send_until(queue, "x", 0, past), 0); /* it need not wait */
    CHECK_EQ(send_until(queue, "y", 0, past), -ETIMEDOUT);
    CHECK_EQ(send_until(queue, "y", 0, invalid), -EINVAL);
    until = now_ns() + 5ULL * SECOND;
    CHECK_EQ(send_until(queue, "late", 0, deadline_at_ns(until)), -ETIMEDOUT);
    CHECK(now_ns() >= until && now_ns() < until + SECOND);
    CHECK_EQ(receive_until(queue, past), 1);
    CHECK_EQ(count_of(queue), 0); /* what came too late is not there */
    queue_end(queue, "timeouts");
    return 0;
}

/* ---- notifications ---- */

static unsigned told;
static struct siginfo64 last;

static void on_signal(int signo, uint64_t info, uint64_t context) {
    (void)signo, (void)context;
    told++;
    guest_get(&last, info, sizeof last);
}

static int64_t notify(int64_t queue, int32_t how, int32_t signo, uint64_t value) {
    const struct sigevent64 event = {.value = value, .signo = signo, .notify = how};
    return guest(mq_notify, (uint64_t)queue, guest_bytes(&event, sizeof event));
}

static int other_process(void *argument) {
    int64_t queue = *(const int64_t *)argument;
    CHECK_EQ(notify(queue, SIGEV_NONE, 0, 0), -EBUSY);
    CHECK_EQ(guest(mq_notify, (uint64_t)queue, 0), 0); /* which is not its own */
    CHECK_EQ(notify(queue, SIGEV_NONE, 0, 0), -EBUSY);
    return send(queue, "x", 0) != 0;
}

static int registers_and_ends(void *argument) {
    return notify(*(const int64_t *)argument, SIGEV_SIGNAL, SIGUSR1, 0) != 0;
}

PROGRAM(notifications) {
    static int64_t queue;
    buffers_make();
    told = 0;
    queue = queue_new("notifications");
    const uint64_t action[4] = {guest_handler_address(on_signal), SA_SIGINFO | SA_RESTART | SA_RESTORER,
                                guest_restorer(), 0};
    CHECK_EQ(guest(rt_sigaction, SIGUSR1, guest_bytes(action, sizeof action), 0, 8), 0);
    CHECK_EQ(notify(queue, 99, SIGUSR1, 0), -EINVAL);
    CHECK_EQ(notify(queue, SIGEV_SIGNAL, 65, 0), -EINVAL);
    CHECK_EQ(notify(99, SIGEV_SIGNAL, SIGUSR1, 0), -EBADF);
    CHECK_EQ(notify(queue, SIGEV_SIGNAL, SIGUSR1, 77), 0);
    CHECK_EQ(notify(queue, SIGEV_SIGNAL, SIGUSR1, 78), -EBUSY);
    int64_t pid = spawn(other_process, &queue);
    reap(pid, 0);
    CHECK_EQ(told, 1);
    CHECK(last.signo == SIGUSR1 && last.code == SI_MESGQ && last.sender.value == 77 &&
          last.sender.pid == pid);
    /* Once, and only when the queue was empty. */
    CHECK_EQ(notify(queue, SIGEV_SIGNAL, SIGUSR1, 0), 0);
    CHECK_EQ(send(queue, "y", 0), 0);
    CHECK_EQ(told, 1);
    expect(queue, "x", 0);
    expect(queue, "y", 0);
    /* Not for what a receiver waits for. */
    waiters[0] = (struct user){.queue = queue};
    pid = spawn(wait_at_queue, &waiters[0]);
    settle();
    CHECK_EQ(send(queue, "taken", 0), 0);
    reap(pid, 0);
    CHECK_EQ(told, 1);
    CHECK_EQ(send(queue, "z", 0), 0);
    CHECK_EQ(told, 2);
    expect(queue, "z", 0);
    CHECK_EQ(send(queue, "z", 0), 0);
    CHECK_EQ(told, 2);
    expect(queue, "z", 0);
    /* Any descriptor that its process closes ends it, and so does the end of the process. */
    CHECK_EQ(notify(queue, SIGEV_SIGNAL, SIGUSR1, 0), 0);
    CHECK_EQ(guest(close, (uint64_t)guest(dup, (uint64_t)queue)), 0);
    CHECK_EQ(send(queue, "z", 0), 0);
    CHECK_EQ(told, 2);
    reap(spawn(registers_and_ends, &queue), 0);
    CHECK_EQ(notify(queue, SIGEV_NONE, 0, 0), 0);
    queue_end(queue, "notifications");
    return 0;
}

/* ---- allocations that fail ---- */

/* Each one fails once: the error is ENOMEM, and nothing is left. */
PROGRAM(without_memory) {
    size_t used = 0;
    buffers_make();
    for (unsigned fail = 1; fail <= 16; fail++) {
        uint64_t name = guest_text("memory");
        host_fail_allocation(fail);
        int64_t queue = guest(mq_open, name, O_CREAT | O_RDWR, 0600, 0);
        int64_t result = queue < 0 ? queue : send(queue, "x", 0);
        host_fail_allocation(0);
        CHECK(result == 0 || result == -ENOMEM);
        if (queue >= 0)
            CHECK_EQ(count_of(queue), result == 0);
        if (queue >= 0)
            CHECK_EQ(guest(close, (uint64_t)queue), 0);
        int64_t unlinked = guest(mq_unlink, guest_text("memory"));
        CHECK(unlinked == 0 || unlinked == -ENOENT);
        CHECK(fail < 16 || (result == 0 && heap_used() == used));
        if (fail >= 12)
            used = heap_used();
    }
    return 0;
}

int main(void) {
    guest_boot();
    for (struct test *test = tests_first; test; test = test->next) {
        test->run();
        printf("ok %s\n", test->name);
    }
    return 0;
}
