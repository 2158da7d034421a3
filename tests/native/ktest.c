/*
 * The kernel's calls, tested from a native process on the running system: started by init in place of the
 * personality (tests/native/manifest). Prints "ok NAME" or "not ok NAME: what" lines to the log and ends with
 * the number of failures. This file has the general tests; tests/native/ktest.h says how to add more.
 */
#include "tests/native/ktest.h"

#define UTCB_AREA 0x0000600000000000ULL

static char stacks[THREADS][STACK] __attribute__((aligned(16)));
static _Atomic uint32_t gone[THREADS];
static unsigned failures;
static const char *current;
handle_t job;

void fail(int line, const char *what, int64_t got, int64_t want) {
    failures++;
    log_line("not ok %s: line %d: %s is %ld, not %ld", current, line, what, (long)got, (long)want);
}

handle_t thread_start(unsigned i, void (*entry)(uint64_t)) {
    gone[i] = 0;
    int64_t thread = keel_thread_create(0, keel_pointer((void *)entry), keel_pointer(stacks[i] + STACK - 8),
                                        i, UTCB_AREA + i * 0x10000);
    EQ(thread > 0, 1);
    return (handle_t)thread;
}

_Noreturn void thread_end(uint64_t i) {
    keel_thread_exit(keel_pointer(&gone[i]));
    for (;;)
        ;
}

void thread_join(unsigned i, handle_t thread) {
    while (!gone[i])
        keel_thread_wait(clock_now() + MS);
    EQ(keel_handle_close(thread), 0);
}

struct thread_info thread_info_of(handle_t thread) {
    struct thread_info info = {0};
    EQ(keel_object_info(thread, keel_pointer(&info), sizeof(info)), sizeof(info));
    return info;
}

/* ---- handles ---- */

static void test_handles(void) {
    int64_t event = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    int64_t reader = keel_handle_duplicate(event, RIGHT_RECV | RIGHT_GRANT);
    int64_t leaf = keel_handle_duplicate(reader, RIGHT_ALL & ~RIGHT_GRANT);
    EQ(keel_event_signal(reader), -EACCES);
    EQ(keel_event_signal(event), 0);
    EQ(keel_event_wait(leaf, 0), 1);
    EQ(keel_handle_duplicate(leaf, RIGHT_RECV), -EACCES);
    EQ(keel_handle_revoke(reader), -EACCES);
    EQ(keel_handle_revoke(event), 0);
    EQ(keel_event_wait(leaf, 0), -EBADF);
    EQ(keel_event_wait(reader, 0), -EBADF);
    EQ(keel_event_wait(event, 0), -ETIMEDOUT);
    EQ(keel_handle_close(leaf), 0);
    EQ(keel_handle_close(leaf), -EBADF);
    EQ(keel_handle_close(reader), 0);
    EQ(keel_handle_close(event), 0);
    EQ(keel_event_wait(event, 0), -EBADF);
}

static void test_bad_arguments(void) {
    static const uint64_t odd[] = {0,          1,          7,          0xfff,      0x100000,
                                   0xffffffff, 1ULL << 32, 1ULL << 46, 1ULL << 63, UINT64_MAX};
    enum { ODD = sizeof(odd) / sizeof(odd[0]) };
    int64_t vmo = keel_vmo_create(8192, 0);
    for (unsigned i = 0; i < ODD; i++) {
        for (unsigned j = 0; j < ODD; j++) {
            keel_vmo_read(vmo, odd[i], odd[j], 100);
            keel_vmo_write(vmo, 0, odd[i], odd[j]);
            keel_vmo_discard(vmo, odd[i], odd[j]);
            keel_space_unmap(odd[i] ? odd[i] : 0xfffff, odd[j], 4096);
            keel_space_map(0, odd[i], vmo, odd[j], odd[i], MAP_READ);
            keel_handle_create(odd[i] | 0x40, odd[j], 0, 0);
            keel_object_info(vmo, odd[i], odd[j]);
            keel_thread_create(0, 0x400000, odd[i], 0, odd[j] | 1);
            keel_io_read(odd[i] | 0x400, odd[j], 1);
            EQ(keel_process_create(0, odd[i], 1 + odd[j] % 100) < 0, 1);
        }
    }
    EQ(keel_vmo_read(vmo, 0, 0xffff800000000000ULL, 8), -EFAULT);
    EQ(keel_vmo_read(vmo, 0, 0x1000, 8), -EFAULT);
    EQ(keel_vmo_read(vmo, 8192, keel_pointer(stacks), 8), 0);
    EQ(keel_vmo_create(UINT64_MAX, 0), -EINVAL);
    EQ(keel_call(0x1fff, 0, 0, 0, 0, 0, 0), -ENOSYS);
    EQ(keel_call(0x2000, 0, 0, 0, 0, 0, 0) < 0, 1);
    EQ(keel_null(), 0);
    EQ(keel_guest_enter(0), -EINVAL);
    EQ(keel_handle_close(vmo), 0);
}

/* ---- memory objects and spaces ---- */

static void test_vmo(void) {
    char out[16], in[16] = "fifteen letters";
    int64_t vmo = keel_vmo_create(100000, 0);
    EQ(keel_vmo_write(vmo, 4090, keel_pointer(in), 16), 16);
    int64_t copy = keel_vmo_snapshot(vmo);
    EQ(keel_vmo_write(vmo, 4090, keel_pointer("FIF"), 3), 3);
    EQ(keel_vmo_read(copy, 4090, keel_pointer(out), 16), 16);
    EQ(memcmp(in, out, 16), 0);
    EQ(keel_vmo_read(vmo, 4090, keel_pointer(out), 16), 16);
    EQ(memcmp("FIFteen letters", out, 16), 0);
    EQ(keel_vmo_resize(vmo, 4092), 0);
    EQ(keel_vmo_resize(vmo, 8192), 0);
    EQ(keel_vmo_read(vmo, 4090, keel_pointer(out), 16), 16);
    EQ(memcmp("FI\0\0\0\0\0\0\0\0\0\0\0\0\0", out, 16), 0);
    EQ(keel_vmo_discard(copy, 0, 4096), 0);
    EQ(keel_vmo_read(copy, 4090, keel_pointer(out), 16), 16);
    EQ(memcmp("\0\0\0\0\0\0n letters", out, 16), 0);
    EQ(keel_handle_close(vmo), 0);
    EQ(keel_handle_close(copy), 0);
}

static void test_mappings(void) {
    int64_t vmo = keel_vmo_create(8192, 0);
    volatile char *shared = memory_map((handle_t)vmo, 0, 8192, MAP_READ | MAP_WRITE);
    volatile char *private = memory_map((handle_t)vmo, 0, 8192, MAP_READ | MAP_WRITE | MAP_COPY);
    shared[5] = 'a';
    private[5] = 'b';
    char byte;
    EQ(keel_vmo_read(vmo, 5, keel_pointer(&byte), 1), 1);
    EQ(byte, 'a');
    EQ(private[5], 'b');
    EQ(keel_space_protect(0, keel_pointer((const void *)shared), 4096, MAP_READ), 0);
    EQ(keel_vmo_read(vmo, 0, keel_pointer((const void *)shared), 8), -EFAULT);
    EQ(keel_vmo_read(vmo, 0, keel_pointer((const void *)(shared + 4096)), 8), 8);
    memory_unmap((void *)(uintptr_t)shared, 8192);
    memory_unmap((void *)(uintptr_t) private, 8192);
    EQ(keel_handle_close(vmo), 0);
}

/* ---- events, timers, ports ---- */

static int64_t event_handle, port_handle, result_slot;

/* The kernel keeps a closed event for the next one: of what it was, nothing is left. */
static void test_event_again(void) {
    struct port_packet packet;
    int64_t port = keel_handle_create(OBJECT_PORT, 0, 0, 0),
            bound = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    EQ(keel_object_bind(bound, port, 5), 0);
    EQ(keel_event_signal(bound), 0);
    EQ(packet_receive((handle_t)port, DEADLINE_NEVER, &packet), 0);
    EQ(keel_handle_close(bound), 0);
    for (int64_t last = bound, round = 0; round < 100; round++) {
        int64_t event = keel_handle_create(OBJECT_EVENT, round % 3, 0, 0);
        EQ(event > 0 && event != last, 1);
        EQ(keel_event_wait(last, 0), -EBADF);
        EQ(keel_event_wait(event, 0), round % 3 ? round % 3 : -ETIMEDOUT);
        EQ(keel_event_signal(event), 0);
        if (round % 4 == 0) {
            EQ(keel_object_bind(event, port, 6), 0);
            EQ(packet_receive((handle_t)port, DEADLINE_NEVER, &packet), 0);
        }
        if (round % 8 == 0)
            EQ(keel_object_bind(event, 0, 0), 0);
        if (round % 5 == 0)
            EQ(keel_handle_revoke(event), 0);
        EQ(keel_handle_close(event), 0);
        EQ(packet_receive((handle_t)port, 0, &packet), -EAGAIN);
        last = event;
    }
    EQ(keel_handle_close(port), 0);
}

static void event_waiter(uint64_t i) {
    result_slot = keel_event_wait((uint64_t)event_handle, DEADLINE_NEVER);
    thread_end(i);
}

static void test_event_wakes_thread(void) {
    event_handle = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    for (int round = 0; round < 100; round++) {
        handle_t thread = thread_start(0, event_waiter);
        if (round & 1)
            keel_thread_yield();
        EQ(keel_event_signal(event_handle), 0);
        thread_join(0, thread);
        EQ(result_slot, 1);
    }
    uint64_t before = clock_now();
    EQ(keel_event_wait(event_handle, before + 5 * MS), -ETIMEDOUT);
    EQ(clock_now() >= before + 5 * MS, 1);
    EQ(keel_handle_close(event_handle), 0);
}

static void test_timer_and_packets(void) {
    int64_t timer = keel_handle_create(OBJECT_TIMER, 0, 0, 0),
            event = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    int64_t port = keel_handle_create(OBJECT_PORT, 4, 0, 0);
    struct port_packet packet;
    EQ(keel_object_bind(timer, port, 77), 0);
    EQ(keel_object_bind(event, port, 78), 0);
    uint64_t start = clock_now();
    EQ(keel_timer_set(timer, start + 3 * MS, 0), 0);
    EQ(packet_receive((handle_t)port, DEADLINE_NEVER, &packet), 0);
    EQ(packet.key, 77);
    EQ(clock_now() >= start + 3 * MS, 1);
    EQ(keel_timer_set(timer, clock_now() + MS, 2 * MS), 0);
    for (uint64_t count = 0; count < 4; count += packet.count)
        EQ(packet_receive((handle_t)port, DEADLINE_NEVER, &packet), 0);
    EQ(keel_timer_set(timer, 0, 0), 0);
    while (packet_receive((handle_t)port, 0, &packet) == 0) {
    }
    EQ(keel_event_signal(event), 0);
    EQ(keel_event_signal(event), 0);
    EQ(packet_receive((handle_t)port, DEADLINE_NEVER, &packet), 0);
    EQ(packet.key, 78);
    EQ(packet.count, 2);
    for (uint64_t i = 0; i < 4; i++)
        EQ(keel_port_send(port, i, i * 10, i * 100), 0);
    EQ(keel_port_send(port, 4, 0, 0), -EAGAIN);
    for (uint64_t i = 0; i < 4; i++) {
        EQ(packet_receive((handle_t)port, 0, &packet), 0);
        EQ(packet.key, i);
        EQ(packet.words[1], i * 100);
    }
    EQ(packet_receive((handle_t)port, clock_now() + MS, &packet), -ETIMEDOUT);
    EQ(keel_handle_close(timer), 0);
    EQ(keel_handle_close(event), 0);
    EQ(keel_handle_close(port), 0);
}

/* Adds up the words and appends a byte, until label 99; a handle it gets is signalled and sent back. */
static void call_server(uint64_t i) {
    struct ipc_message message;
    uint64_t flags = 0;
    do {
        ipc_receive((handle_t)port_handle, DEADLINE_NEVER, flags, &message);
        struct utcb *utcb = utcb_own();
        char *bytes = (char *)utcb + 4096;
        uint64_t handles = IPC_LABEL_HANDLES(message.label), length = IPC_LABEL_BYTES(message.label);
        if (handles)
            keel_event_signal(utcb->handles[0]);
        if (length && length < IPC_BYTES)
            bytes[length++] = '!';
        for (unsigned w = 1; w < IPC_WORDS; w++)
            message.words[0] += message.words[w];
        message.label = IPC_LABEL(IPC_LABEL_USER(message.label), length, handles);
        flags = IPC_REPLY;
    } while (IPC_LABEL_USER(message.label) != 99);
    ipc_receive((handle_t)port_handle, 0, flags, &message);
    thread_end(i);
}

static void test_calls(void) {
    port_handle = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    handle_t thread = thread_start(0, call_server);
    struct ipc_message message;
    for (uint64_t round = 0; round < 500; round++) {
        message =
            (struct ipc_message){.label = IPC_LABEL(round, 0, 0), .words = {round, 1, 2, 3, 4, 5, 6, 7}};
        if (IPC_LABEL_USER(message.label) == 99)
            continue;
        EQ(ipc_call((handle_t)port_handle, DEADLINE_NEVER, &message), 0);
        EQ(message.words[0], round + 28);
        EQ(message.label, round);
    }
    char *bytes = (char *)utcb_own() + 4096;
    memcpy(bytes, "abc", 3);
    int64_t event = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    utcb_own()->handles[0] = (handle_t)event;
    message = (struct ipc_message){.label = IPC_LABEL(1, 3, 1)};
    EQ(ipc_call((handle_t)port_handle, DEADLINE_NEVER, &message), 0);
    EQ(IPC_LABEL_BYTES(message.label), 4);
    EQ(memcmp(bytes, "abc!", 4), 0);
    EQ(keel_event_signal(event), -EBADF); /* it moved there and came back as another */
    EQ(keel_event_wait(utcb_own()->handles[0], 0), 1);
    EQ(keel_handle_close(utcb_own()->handles[0]), 0);
    utcb_own()->handles[0] = 12345;
    message = (struct ipc_message){.label = IPC_LABEL(1, 0, 1)};
    EQ(ipc_call((handle_t)port_handle, DEADLINE_NEVER, &message), -EBADF);
    message = (struct ipc_message){.label = IPC_LABEL(1, 4097, 0)};
    EQ(ipc_call((handle_t)port_handle, DEADLINE_NEVER, &message), -EINVAL);
    message = (struct ipc_message){.label = IPC_LABEL(99, 0, 0)};
    EQ(ipc_call((handle_t)port_handle, DEADLINE_NEVER, &message), 0);
    thread_join(0, thread);
    message = (struct ipc_message){0};
    EQ(ipc_call((handle_t)port_handle, clock_now() + MS, &message), -ETIMEDOUT);
    EQ(keel_handle_close(port_handle), 0);
}

static void silent_server(uint64_t i) {
    struct ipc_message message;
    ipc_receive((handle_t)port_handle, DEADLINE_NEVER, 0, &message);
    thread_end(i);
}

static void test_server_dies(void) {
    port_handle = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    handle_t thread = thread_start(0, silent_server);
    struct ipc_message message = {0};
    EQ(ipc_call((handle_t)port_handle, DEADLINE_NEVER, &message), -ECANCELED);
    thread_join(0, thread);
    EQ(keel_handle_close(port_handle), 0);
}

/* ---- threads ---- */

static _Atomic uint64_t kicks_seen;

static void kick_counter(uint64_t i) {
    while (keel_thread_wait(clock_now() + 1000 * (uint64_t)MS) == 0 && ++kicks_seen < 200) {
    }
    thread_end(i);
}

static void test_kicks(void) {
    kicks_seen = 0;
    handle_t thread = thread_start(0, kick_counter);
    for (uint64_t sent = 0; sent < 200; sent++) {
        EQ(keel_thread_kick(thread), 0);
        while (kicks_seen <= sent)
            keel_thread_yield();
    }
    thread_join(0, thread);
    EQ(kicks_seen, 200);
    uint64_t before = clock_now();
    EQ(keel_thread_wait(before + 2 * MS), -ETIMEDOUT);
    EQ(clock_now() - before >= 2 * MS, 1);
}

static _Atomic uint64_t spins[THREADS];
static _Atomic bool stop;

static void spinner(uint64_t i) {
    while (!stop)
        spins[i]++;
    thread_end(i);
}

static void test_preemption(void) {
    handle_t threads[THREADS];
    stop = false;
    for (unsigned i = 0; i < THREADS; i++) {
        spins[i] = 0;
        threads[i] = thread_start(i, spinner);
    }
    for (unsigned i = 0; i < THREADS; i++)
        for (uint64_t seen = spins[i]; spins[i] <= seen + 1000;)
            keel_thread_wait(clock_now() + MS);
    stop = true;
    for (unsigned i = 0; i < THREADS; i++)
        thread_join(i, threads[i]);
}

/* ---- jobs ---- */

static void test_jobs(void) {
    struct job_info info;
    int64_t child = keel_handle_create(OBJECT_JOB, job, 0, 0);
    EQ(child > 0, 1);
    EQ(keel_job_limit(child, 100, 10, 1, 0), 0);
    int64_t process = keel_process_create(child, 0, 0);
    EQ(process > 0, 1);
    EQ(keel_space_map(process, 0x10000000, 0, 0, 1 << 20, MAP_READ | MAP_WRITE | MAP_COPY), 0);
    EQ(keel_object_info(child, keel_pointer(&info), sizeof(info)), sizeof(info));
    EQ(info.pages > 0 && info.pages <= 100, 1);
    EQ(info.objects_limit, 10);
    handle_t spaces[16];
    unsigned made = 0;
    for (int64_t space; made < 16 && (space = keel_space_create(child)) > 0; made++)
        spaces[made] = (handle_t)space;
    EQ(made > 0 && made < 10, 1);
    for (unsigned i = 0; i < made; i++)
        EQ(keel_handle_close(spaces[i]), 0);
    int64_t first = keel_thread_create(process, 0x1000, 0, 0, 0x20000000);
    EQ(first > 0, 1);
    int64_t second = keel_thread_create(process, 0x1000, 0, 0, 0x20010000);
    EQ(second == -ENOMEM || second == -ESRCH, 1); /* over the quota, unless the first has ended already */
    int64_t port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    struct port_packet packet;
    EQ(keel_object_bind(process, port, 5), 0);
    EQ(packet_receive((handle_t)port, DEADLINE_NEVER, &packet), 0); /* its thread faults at once */
    EQ(packet.key, 5);
    EQ(packet.count, 128 + 11);
    EQ(keel_task_kill(child, 1), 0);
    EQ(keel_process_create(child, 0, 0), -ENOMEM);
    EQ(keel_handle_close(first), 0);
    EQ(keel_handle_close(process), 0);
    EQ(keel_handle_close(port), 0);
    for (unsigned tries = 0; tries < 20000; tries++) {
        keel_object_info(child, keel_pointer(&info), sizeof(info));
        if (!info.pages && !info.threads && !info.objects)
            break;
        keel_thread_wait(clock_now() + MS);
    }
    EQ(info.pages, 0);
    EQ(info.threads, 0);
    EQ(info.objects, 0);
    EQ(keel_handle_close(child), 0);
}

/* ---- no leak ---- */

static struct system_info system_now(void) {
    struct system_info info = {0};
    keel_object_info(handle_find("info"), keel_pointer(&info), sizeof(info));
    return info;
}

static const struct test kernel_tests[] = {
    {"handles", test_handles},
    {"bad_arguments", test_bad_arguments},
    {"vmo", test_vmo},
    {"mappings", test_mappings},
    {"event_again", test_event_again},
    {"event_wakes_thread", test_event_wakes_thread},
    {"timer_and_packets", test_timer_and_packets},
    {"calls", test_calls},
    {"server_dies", test_server_dies},
    {"kicks", test_kicks},
    {"preemption", test_preemption},
    {"jobs", test_jobs},
    {NULL, NULL},
};

static const struct test *const topics[] = {kernel_tests,
#define TOPIC(name) name##_tests,
                                            TOPICS
#undef TOPIC
};

static void run(const struct test *test) {
    unsigned before = failures;
    current = test->name;
    test->run();
    if (failures == before)
        log_line("ok %s", test->name);
}

static void run_all(void) {
    for (unsigned i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        for (const struct test *test = topics[i]; test->name; test++)
            run(test);
}

/* When what ended threads and processes leave behind is gone: on another CPU that takes a while. */
static struct system_info system_settled(void) {
    struct system_info before, after = system_now();
    unsigned tries = 0;
    do {
        before = after;
        keel_thread_wait(clock_now() + 100 * MS);
        after = system_now();
    } while (memcmp(before.objects, after.objects, sizeof(after.objects)) && tries++ < 100);
    return after;
}

/* Every test has run once: a second round must not leave an object more. */
static void test_no_leak(void) {
    current = "no_leak";
    struct system_info before = system_settled();
    run_all();
    struct system_info after = system_settled();
    current = "no_leak";
    for (unsigned type = 1; type < OBJECT_TYPES; type++)
        EQ(after.objects[type], before.objects[type]);
    EQ(after.pages_free + 64 > before.pages_free, 1);
}

int main(void) {
    job = handle_find("job");
    run_all();
    test_no_leak();
    log_line("%u failures", failures);
    return failures ? 1 : 0;
}
