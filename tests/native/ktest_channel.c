/* Channels: messages of bytes and handles, their bounds and errors, waiting, closing and killing. */
#include "tests/native/ktest.h"

struct ends {
    handle_t a, b;
};

static struct ends channel_make(void) {
    handle_t handles[2] = {0, 0};
    EQ(keel_channel_create(keel_pointer(handles)), 0);
    return (struct ends){handles[0], handles[1]};
}

static void ends_close(struct ends ends) {
    EQ(keel_handle_close(ends.a), 0);
    EQ(keel_handle_close(ends.b), 0);
}

static int64_t write_word(handle_t end, uint64_t word) {
    return keel_channel_write(end, keel_pointer(&word), sizeof(word), 0, 0);
}

static int64_t write_handle(handle_t end, handle_t handle) {
    return keel_channel_write(end, 0, 0, keel_pointer(&handle), 1);
}

/* What the last read stored. */
struct inbox {
    char bytes[CHANNEL_BYTES];
    handle_t handles[CHANNEL_HANDLES];
    struct channel_sizes sizes;
};

static int64_t read_message(handle_t end, uint64_t deadline, struct inbox *inbox) {
    inbox->sizes = (struct channel_sizes){CHANNEL_BYTES, CHANNEL_HANDLES};
    return keel_channel_read(end, keel_pointer(inbox->bytes), keel_pointer(inbox->handles),
                             keel_pointer(&inbox->sizes), deadline);
}

static int64_t read_word(handle_t end, uint64_t deadline) {
    struct channel_sizes sizes = {8, 0};
    uint64_t word = 0;
    int64_t result = keel_channel_read(end, keel_pointer(&word), 0, keel_pointer(&sizes), deadline);
    return result ? result : (int64_t)word;
}

static struct inbox inbox;

static void test_messages(void) {
    struct ends ends = channel_make();
    static char big[CHANNEL_BYTES] = {'x', [CHANNEL_BYTES - 1] = 'y'};
    for (uint64_t i = 0; i < CHANNEL_QUEUE; i++)
        EQ(write_word(ends.a, 1000 + i), 0);
    EQ(write_word(ends.a, 0), -EAGAIN);
    EQ(write_word(ends.b, 7), 0); /* the other way is another queue */
    for (uint64_t i = 0; i < CHANNEL_QUEUE; i++)
        EQ(read_word(ends.b, 0), 1000 + i);
    EQ(read_word(ends.b, 0), -EAGAIN);
    uint64_t soon = clock_now() + 2 * MS;
    EQ(read_word(ends.b, soon), -ETIMEDOUT);
    EQ(clock_now() >= soon, 1);
    EQ(read_word(ends.a, DEADLINE_NEVER), 7);
    EQ(keel_channel_write(ends.a, keel_pointer(big), CHANNEL_BYTES, 0, 0), 0);
    EQ(keel_channel_write(ends.a, 0, 0, 0, 0), 0);
    EQ(read_message(ends.b, 0, &inbox), 0);
    EQ(inbox.sizes.bytes, CHANNEL_BYTES);
    EQ(memcmp(inbox.bytes, big, CHANNEL_BYTES), 0);
    EQ(read_message(ends.b, 0, &inbox), 0);
    EQ(inbox.sizes.bytes, 0);
    EQ(inbox.sizes.handles, 0);
    ends_close(ends);
}

static void test_refusals(void) {
    struct ends ends = channel_make();
    int64_t event = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    handle_t list[2] = {(handle_t)event, (handle_t)event};
    struct channel_sizes sizes = {3, 8};
    EQ(keel_channel_create(0x1000), -EFAULT);
    EQ(keel_channel_write(ends.a, keel_pointer(&inbox), CHANNEL_BYTES + 1, 0, 0), -EINVAL);
    EQ(keel_channel_write(ends.a, 0, 0, keel_pointer(&inbox), CHANNEL_HANDLES + 1), -EINVAL);
    EQ(keel_channel_write(ends.a, UINT64_MAX, UINT64_MAX, 0, UINT64_MAX), -EINVAL);
    EQ(keel_channel_write(ends.a, 0x1000, 4, 0, 0), -EFAULT);
    EQ(keel_channel_write(ends.a, 0, 0, 0x1000, 1), -EFAULT);
    EQ(keel_channel_write(ends.a, 0, 0, keel_pointer(list), 2), -EBADF);
    EQ(keel_channel_write(event, 0, 0, 0, 0), -EINVAL);
    EQ(keel_event_signal(event), 0);
    EQ(read_word(ends.b, 0), -EAGAIN); /* nothing of that arrived */

    /* What a reader cannot take stays, and it learns what it needs. */
    EQ(keel_channel_write(ends.a, keel_pointer("four"), 4, keel_pointer(list), 1), 0);
    EQ(keel_event_signal(event), -EBADF);
    EQ(keel_channel_read(ends.b, keel_pointer(&inbox), keel_pointer(list), keel_pointer(&sizes), 0),
       -EMSGSIZE);
    EQ(sizes.bytes, 4);
    EQ(sizes.handles, 1);
    EQ(read_word(ends.b, 0), -EMSGSIZE);
    EQ(keel_channel_read(ends.b, 0x1000, keel_pointer(list), keel_pointer(&sizes), 0), -EFAULT);
    EQ(keel_channel_read(ends.b, keel_pointer(&inbox), 0x1000, keel_pointer(&sizes), 0), -EFAULT);
    EQ(keel_channel_read(ends.b, keel_pointer(&inbox), keel_pointer(list), 0x1000, 0), -EFAULT);
    EQ(read_message(ends.b, 0, &inbox), 0);
    EQ(memcmp(inbox.bytes, "four", 4), 0);
    EQ(keel_event_wait(inbox.handles[0], 0), 1);
    EQ(keel_handle_close(inbox.handles[0]), 0);
    ends_close(ends);
}

static void test_rights(void) {
    struct ends ends = channel_make(), other = channel_make();
    int64_t event = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    int64_t held = keel_handle_duplicate(event, RIGHT_SEND);
    int64_t writer = keel_handle_duplicate(ends.a, RIGHT_WRITE);
    int64_t reader = keel_handle_duplicate(ends.b, RIGHT_READ);
    EQ(write_handle(ends.a, (handle_t)held), -EACCES); /* no GRANT */
    EQ(keel_event_signal(held), 0);
    EQ(read_word((handle_t)writer, 0), -EACCES);
    EQ(write_word((handle_t)reader, 0), -EACCES);
    EQ(write_handle(ends.a, ends.a), -EINVAL);
    EQ(write_handle(ends.a, ends.b), -EINVAL);
    EQ(write_handle(ends.b, (handle_t)writer), -EACCES);

    /* An end moves like anything else; revoked while it is under way, it arrives stale. */
    EQ(write_word(other.a, 5), 0);
    EQ(write_handle((handle_t)writer, other.b), 0);
    EQ(read_message((handle_t)reader, 0, &inbox), 0);
    EQ(read_word(inbox.handles[0], 0), 5);
    other.b = inbox.handles[0];
    int64_t copy = keel_handle_duplicate(event, RIGHT_ALL);
    EQ(write_handle(ends.a, (handle_t)copy), 0);
    EQ(keel_handle_revoke(event), 0);
    EQ(read_message(ends.b, 0, &inbox), 0);
    EQ(keel_event_signal(inbox.handles[0]), -EBADF);
    EQ(keel_handle_close(inbox.handles[0]), 0);

    /* A revoked end: its handles are stale, the channel lives. */
    EQ(keel_handle_revoke(ends.b), 0);
    EQ(read_word((handle_t)reader, 0), -EBADF);
    EQ(write_word(ends.a, 6), 0);
    EQ(read_word(ends.b, 0), 6);
    EQ(keel_handle_close(held), 0);
    EQ(keel_handle_close(event), 0);
    EQ(keel_handle_close(writer), 0);
    EQ(keel_handle_close(reader), 0);
    ends_close(ends);
    ends_close(other);
}

static void test_peer_closed(void) {
    struct ends ends = channel_make();
    EQ(write_word(ends.a, 1), 0);
    EQ(write_word(ends.a, 2), 0);
    EQ(write_word(ends.b, 3), 0); /* never read: goes with its end */
    EQ(keel_handle_close(ends.a), 0);
    EQ(write_word(ends.b, 4), -EPIPE);
    EQ(read_word(ends.b, DEADLINE_NEVER), 1);
    EQ(read_word(ends.b, DEADLINE_NEVER), 2);
    EQ(read_word(ends.b, DEADLINE_NEVER), -EPIPE);
    EQ(keel_handle_close(ends.b), 0);
}

/* ---- waiting ---- */

static struct ends shared;
static _Atomic int64_t results[THREADS];

static void reader_once(uint64_t i) {
    results[i] = read_word(shared.b, DEADLINE_NEVER);
    thread_end(i);
}

static void wait_blocked(handle_t thread) {
    struct thread_info info;
    do
        keel_thread_yield();
    while (keel_object_info(thread, keel_pointer(&info), sizeof(info)) == sizeof(info) &&
           info.state != THREAD_BLOCKED);
}

static void test_readers_wake(void) {
    handle_t threads[THREADS];
    for (int round = 0; round < 50; round++) {
        bool close = round % 2;
        shared = channel_make();
        for (unsigned i = 0; i < THREADS; i++) {
            threads[i] = thread_start(i, reader_once);
            if (round < 10)
                wait_blocked(threads[i]);
        }
        int64_t sum = 0;
        for (unsigned i = 0; i < (close ? 2 : THREADS); i++)
            EQ(write_word(shared.a, 100 + i), 0);
        if (close)
            EQ(keel_handle_close(shared.a), 0);
        for (unsigned i = 0; i < THREADS; i++) {
            thread_join(i, threads[i]);
            sum += results[i];
        }
        EQ(sum, close ? 201 + 2 * -EPIPE : 406);
        if (!close)
            EQ(keel_handle_close(shared.a), 0);
        EQ(keel_handle_close(shared.b), 0);
    }
}

/* A reader that was woken while its handle is revoked leaves the message to the one beside it. */
static handle_t revoked;
static void reader_revoked(uint64_t i) {
    struct channel_sizes sizes = {8, 0};
    uint64_t word;
    results[i] = keel_channel_read(revoked, keel_pointer(&word), 0, keel_pointer(&sizes), DEADLINE_NEVER);
    thread_end(i);
}

static void test_woken_in_vain(void) {
    shared = channel_make();
    revoked = (handle_t)keel_handle_duplicate(shared.b, RIGHT_READ);
    handle_t first = thread_start(0, reader_revoked);
    wait_blocked(first);
    EQ(keel_handle_close(revoked), 0);
    handle_t second = thread_start(1, reader_once);
    wait_blocked(second);
    EQ(write_word(shared.a, 9), 0);
    thread_join(0, first);
    thread_join(1, second);
    EQ(results[0], -EBADF);
    EQ(results[1], 9);
    ends_close(shared);
}

static void test_bound(void) {
    struct ends ends = channel_make();
    int64_t port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    struct port_packet packet;
    EQ(write_word(ends.a, 1), 0);
    EQ(keel_object_bind(ends.b, port, 55), 0); /* what is there already is told at once */
    EQ(packet_receive((handle_t)port, 0, &packet), 0);
    EQ(packet.key, 55);
    EQ(packet_receive((handle_t)port, 0, &packet), -EAGAIN);
    EQ(write_word(ends.a, 2), 0);
    EQ(write_word(ends.a, 3), 0);
    EQ(packet_receive((handle_t)port, DEADLINE_NEVER, &packet), 0);
    EQ(packet.count, 2);
    EQ(keel_handle_close(ends.a), 0);
    EQ(packet_receive((handle_t)port, DEADLINE_NEVER, &packet), 0);
    EQ(packet.key, 55);
    for (int64_t i = 1; i < 4; i++)
        EQ(read_word(ends.b, 0), i);
    EQ(read_word(ends.b, 0), -EPIPE);
    EQ(keel_handle_close(ends.b), 0);
    EQ(keel_handle_close(port), 0);
}

/* ---- many at once ---- */

enum { HAMMER_MESSAGES = 2000 };
static _Atomic uint64_t received, handles_received;

/* Even threads write, odd ones read; every fourth message carries an event. */
static void hammer(uint64_t i) {
    static struct inbox inboxes[THREADS];
    int64_t result = 0;
    for (uint64_t n = 0; n < HAMMER_MESSAGES && !(i & 1); n++) {
        handle_t event = n % 4 ? 0 : (handle_t)keel_handle_create(OBJECT_EVENT, 0, 0, 0);
        do
            result = keel_channel_write(shared.a, keel_pointer(&n), sizeof(n), keel_pointer(&event), !!event);
        while (result == -EAGAIN && (keel_thread_yield(), true));
        if (result)
            fail(__LINE__, "write", result, 0);
    }
    while (i & 1 && (result = read_message(shared.b, DEADLINE_NEVER, &inboxes[i])) == 0) {
        received++;
        for (unsigned h = 0; h < inboxes[i].sizes.handles; h++)
            handles_received += keel_handle_close(inboxes[i].handles[h]) == 0;
    }
    results[i] = result;
    thread_end(i);
}

static void test_hammer(void) {
    handle_t threads[THREADS];
    shared = channel_make();
    received = handles_received = 0;
    for (unsigned i = 0; i < THREADS; i++)
        threads[i] = thread_start(i, hammer);
    for (unsigned i = 0; i < THREADS; i += 2)
        thread_join(i, threads[i]);
    EQ(keel_handle_close(shared.a), 0);
    for (unsigned i = 1; i < THREADS; i += 2) {
        thread_join(i, threads[i]);
        EQ(results[i], -EPIPE);
    }
    EQ(received, THREADS / 2 * HAMMER_MESSAGES);
    EQ(handles_received, THREADS / 2 * HAMMER_MESSAGES / 4);
    EQ(keel_handle_close(shared.b), 0);
}

/* Makes channels with messages in them, some inside each other, and lets go of them in any order. */
static void churn(uint64_t i) {
    for (unsigned n = 0; n < 200; n++) {
        struct ends outer = channel_make(), inner = channel_make();
        for (unsigned m = 0; m < n % 7; m++) {
            handle_t event = (handle_t)keel_handle_create(OBJECT_EVENT, 0, 0, 0);
            EQ(write_handle(inner.a, event), 0);
        }
        EQ(write_handle(outer.a, n & 1 ? inner.a : inner.b), 0);
        EQ(keel_handle_close(n & 2 ? outer.a : outer.b), 0);
        EQ(keel_handle_close(n & 1 ? inner.b : inner.a), 0);
        EQ(keel_handle_close(n & 2 ? outer.b : outer.a), 0);
    }
    thread_end(i);
}

static void test_churn(void) {
    handle_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        threads[i] = thread_start(i, churn);
    for (unsigned i = 0; i < THREADS; i++)
        thread_join(i, threads[i]);
}

/* ---- killing ---- */

/* channel_read(handle in rdi, …, DEADLINE_NEVER), then an invalid instruction. */
static const unsigned char reader_code[] = {
    0x48, 0xc7, 0xc6, 0x00, 0x20, 0x00, 0x10, /* mov $0x10002000, %rsi: bytes */
    0x48, 0xc7, 0xc2, 0x00, 0x10, 0x00, 0x10, /* mov $0x10001000, %rdx: handles */
    0x49, 0xc7, 0xc2, 0x00, 0x18, 0x00, 0x10, /* mov $0x10001800, %r10: sizes */
    0x49, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff, /* mov $-1, %r8 */
    0xb8, 0x0a, 0x10, 0x00, 0x00,             /* mov $0x100a, %eax */
    0x0f, 0x05, 0x0f, 0x0b,
};

struct child {
    handle_t job, process, thread, end;
};

/* A process of a job of its own that blocks in channel_read. */
static struct child child_start(void) {
    struct ends ends = channel_make();
    struct channel_sizes room = {CHANNEL_BYTES, CHANNEL_HANDLES};
    struct child child = {.job = (handle_t)keel_handle_create(OBJECT_JOB, job, 0, 0), .end = ends.a};
    int64_t code = keel_vmo_create(4096, 0), data = keel_vmo_create(8192, 0);
    EQ(keel_vmo_write(code, 0, keel_pointer(reader_code), sizeof(reader_code)), sizeof(reader_code));
    EQ(keel_vmo_write(data, 0x800, keel_pointer(&room), sizeof(room)), sizeof(room));
    child.process = (handle_t)keel_process_create(child.job, keel_pointer(&ends.b), 1);
    EQ(keel_space_map(child.process, 0x10000000, code, 0, 4096, MAP_READ | MAP_EXEC), 0);
    EQ(keel_space_map(child.process, 0x10001000, data, 0, 8192, MAP_READ | MAP_WRITE), 0);
    child.thread = (handle_t)keel_thread_create(child.process, 0x10000000, 0, 1, 0x20000000);
    EQ(keel_handle_close(code), 0);
    EQ(keel_handle_close(data), 0);
    return child;
}

/* Everything of the job is gone, soon. */
static void child_end(struct child child) {
    struct job_info info = {.objects = 1};
    EQ(keel_handle_close(child.thread), 0);
    EQ(keel_handle_close(child.process), 0);
    for (unsigned tries = 0; tries < 1000 && (info.objects || info.pages || info.threads); tries++) {
        keel_thread_wait(clock_now() + MS);
        keel_object_info(child.job, keel_pointer(&info), sizeof(info));
    }
    EQ(info.objects, 0);
    EQ(info.pages, 0);
    EQ(keel_handle_close(child.job), 0);
}

static void test_kill(void) {
    for (int round = 0; round < 20; round++) {
        struct child child = child_start();
        if (round % 4)
            wait_blocked(child.thread);
        handle_t event = (handle_t)keel_handle_create(OBJECT_EVENT, 0, 0, 0);
        if (round % 2)
            EQ(write_handle(child.end, event), 0); /* it reads this, and dies by its next instruction */
        else
            EQ(keel_handle_close(event), 0);
        for (int more = 0; round % 2 && more < 3; more++) {
            event = (handle_t)keel_handle_create(OBJECT_EVENT, 0, 0, 0);
            if (write_handle(child.end, event))
                EQ(keel_handle_close(event), 0);
        }
        if (round % 3)
            EQ(keel_task_kill(round % 6 < 3 ? child.process : child.job, 1), 0);
        else if (!(round % 2))
            EQ(write_word(child.end, 0), 0);
        EQ(read_word(child.end, DEADLINE_NEVER), -EPIPE);
        child_end(child);
        EQ(keel_handle_close(child.end), 0);
    }
}

const struct test channel_tests[] = {
    {"channel_messages", test_messages},
    {"channel_refusals", test_refusals},
    {"channel_rights", test_rights},
    {"channel_peer_closed", test_peer_closed},
    {"channel_readers_wake", test_readers_wake},
    {"channel_woken_in_vain", test_woken_in_vain},
    {"channel_bound", test_bound},
    {"channel_hammer", test_hammer},
    {"channel_churn", test_churn},
    {"channel_kill", test_kill},
    {NULL, NULL},
};
