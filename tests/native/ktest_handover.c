/*
 * Calls that hand the CPU from thread to thread (kernel/arch/x86_64/ipc.S) while the threads on both sides
 * are killed: no survivor's call is lost or answered twice, and nothing of the killed stays.
 */
#include "tests/native/ktest.h"

enum { PAGE = 4096, CODE = 0x10000000, UTCBS = 0x20000000, VICTIMS = 2, KINDS = 3, ROUNDS = 50, CALLERS = 2 };

/* The victims, position-independent: handle 1 is the port. */
__asm__(".pushsection .rodata\n"
        ".balign 4096\n"
        "handover_code:\n"
        /* 0: answers each call with its first word, one more */
        "xor %ebx, %ebx\n"
        "1: mov $1, %edi; mov $-1, %rsi; mov $0x1023, %eax; syscall\n"
        "inc %rdx; mov %esi, %ebx; bts $62, %rbx; jmp 1b\n"
        ".balign 256\n"
        /* 256: calls, without end */
        "1: mov $1, %edi; mov $7, %esi; mov $-1, %rbx; mov $0x1022, %eax; syscall; jmp 1b\n"
        ".balign 256\n"
        /* 512: yields, without end */
        "1: mov $0x1020, %eax; syscall; jmp 1b\n"
        ".popsection\n");
extern const char handover_code[];

static int64_t port;
static _Atomic bool stop;
static _Atomic uint64_t answered, cancelled;

static void caller(uint64_t i) {
    for (uint64_t n = 0; !stop; n++) {
        struct ipc_message message = {.label = i, .words = {n}};
        int64_t result = ipc_call((handle_t)port, n % 64 ? DEADLINE_NEVER : clock_now() + 100000, &message);
        if (!result)
            EQ(message.words[0], n + 1);
        else if (n % 64)
            EQ(result, -ECANCELED);
        else
            EQ(result == -ECANCELED || result == -ETIMEDOUT, 1);
        (result ? &cancelled : &answered)[0]++;
    }
    thread_end(i);
}

/* A server that nobody kills; ends at the label 99. */
static void survivor(uint64_t i) {
    struct ipc_message message;
    uint64_t flags = 0;
    do {
        EQ(ipc_receive((handle_t)port, DEADLINE_NEVER, flags, &message), 0);
        message.words[0]++;
        flags = IPC_REPLY;
    } while (message.label != 99);
    ipc_receive((handle_t)port, 0, flags, &message);
    thread_end(i);
}

/* A process in a job of its own with threads that serve (offset 0), call (256) or yield (512). */
static handle_t victims_start(handle_t code, uint64_t offset) {
    handle_t victims = (handle_t)keel_handle_create(OBJECT_JOB, job, 0, 0);
    handle_t list[1] = {(handle_t)keel_handle_duplicate(port, RIGHT_ALL)};
    int64_t process = keel_process_create(victims, keel_pointer(list), 1);
    EQ(process > 0, 1);
    EQ(keel_space_map((uint64_t)process, CODE, code, 0, PAGE, MAP_READ | MAP_EXEC), 0);
    for (uint64_t i = 0; i < VICTIMS; i++) {
        int64_t thread = keel_thread_create((uint64_t)process, CODE + offset, 0, 0, UTCBS + i * 0x10000);
        EQ(thread > 0, 1);
        EQ(keel_handle_close((uint64_t)thread), 0);
    }
    EQ(keel_handle_close((uint64_t)process), 0);
    return victims;
}

static void victims_end(handle_t victims) {
    struct job_info info = {.objects = 1};
    EQ(keel_task_kill(victims, 9), 0);
    for (unsigned tries = 0; tries < 20000 && info.objects + info.pages + info.threads; tries++) {
        keel_thread_wait(clock_now() + MS / 10);
        keel_object_info(victims, keel_pointer(&info), sizeof(info));
    }
    EQ(info.objects + info.pages + info.threads, 0);
    EQ(keel_handle_close(victims), 0);
}

static void test_killed_in_hand_over(void) {
    handle_t code = (handle_t)keel_vmo_create(PAGE, 0), threads[CALLERS + 1], victims[KINDS];
    uint64_t random = 1;

    port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    EQ(keel_vmo_write(code, 0, keel_pointer(handover_code), PAGE / 4), PAGE / 4);
    stop = false;
    answered = cancelled = 0;
    EQ(keel_thread_set(0, 0, 1), 0); /* the killer does not queue behind those it kills */
    for (unsigned i = 0; i < CALLERS; i++)
        threads[i] = thread_start(i, caller);
    threads[CALLERS] = thread_start(CALLERS, survivor);
    for (unsigned i = 0; i < KINDS; i++)
        victims[i] = victims_start(code, i * 256);
    for (unsigned round = 0; round < ROUNDS; round++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        keel_thread_wait(clock_now() + (random >> 33) % MS);
        unsigned i = (unsigned)(random >> 62) % KINDS;
        victims_end(victims[i]);
        victims[i] = victims_start(code, i * 256);
    }
    for (unsigned i = 0; i < KINDS; i++)
        victims_end(victims[i]);
    stop = true;
    for (unsigned i = 0; i < CALLERS; i++)
        thread_join(i, threads[i]);
    struct ipc_message message = {.label = 99};
    EQ(ipc_call((handle_t)port, DEADLINE_NEVER, &message), 0);
    thread_join(CALLERS, threads[CALLERS]);
    EQ(keel_thread_set(0, 0, 3), 0);
    EQ(answered > ROUNDS, 1);
    log_line("calls while threads were killed: %llu answered, %llu not", (unsigned long long)answered,
             (unsigned long long)cancelled);
    EQ(keel_handle_close(code), 0);
    EQ(keel_handle_close((uint64_t)port), 0);
}

/* ---- packets that already wait, which the same fast path takes ---- */

static void packet_expect(uint64_t deadline, uint64_t key, uint64_t word) {
    struct ipc_message message = {.words = {0, 0, 0, 0, 5, 6, 7, 8}};
    EQ(ipc_receive((handle_t)port, deadline, 0, &message), 0);
    EQ(message.label == IPC_PACKET, 1);
    EQ(message.words[0], key);
    EQ(message.words[1], 1);
    EQ(message.words[2], word);
    EQ(message.words[3], ~word);
    for (uint64_t i = 4; i < IPC_WORDS; i++)
        EQ(message.words[i], i + 1);
}

static void call_once(uint64_t i) {
    struct ipc_message message = {.label = 5};
    EQ(ipc_call((handle_t)port, DEADLINE_NEVER, &message), 0);
    EQ(message.label, 6);
    thread_end(i);
}

static void test_packets_wait(void) {
    enum { QUEUE = 3, PASSES = 50 };
    struct ipc_message message;
    uint64_t sent = 0, received = 0, event = (uint64_t)keel_handle_create(OBJECT_EVENT, 0, 0, 0);

    port = keel_handle_create(OBJECT_PORT, QUEUE, 0, 0);
    for (uint64_t pass = 0; pass < PASSES; pass++) {
        for (uint64_t i = 0; i <= pass % QUEUE; i++, sent++)
            EQ(keel_port_send((uint64_t)port, sent, sent * 3, ~(sent * 3)), 0);
        for (; received < sent; received++)
            packet_expect(received % 2 ? DEADLINE_NEVER : 0, received, received * 3);
        EQ(ipc_receive((handle_t)port, 0, 0, &message), -EAGAIN);
    }
    /* Signals go before what was sent, and both before calls; a reply that is owed before anything. */
    EQ(keel_object_bind(event, (uint64_t)port, 77), 0);
    handle_t thread = thread_start(0, call_once);
    keel_thread_wait(clock_now() + MS);
    EQ(keel_port_send((uint64_t)port, 1, 2, ~2ULL), 0);
    EQ(keel_event_signal(event), 0);
    EQ(ipc_receive((handle_t)port, DEADLINE_NEVER, 0, &message), 0);
    EQ(message.words[0], 77);
    packet_expect(DEADLINE_NEVER, 1, 2);
    EQ(ipc_receive((handle_t)port, DEADLINE_NEVER, 0, &message), 0);
    EQ(message.label, 5);
    EQ(keel_port_send((uint64_t)port, 3, 4, ~4ULL), 0);
    EQ(ipc_receive((handle_t)port, DEADLINE_NEVER, 0, &message), -EBUSY);
    message.label = 6;
    EQ(ipc_receive((handle_t)port, DEADLINE_NEVER, IPC_REPLY, &message), 0);
    EQ(message.words[0], 3);
    thread_join(0, thread);
    EQ(keel_handle_close(event), 0);
    EQ(keel_handle_close((uint64_t)port), 0);
}

const struct test handover_tests[] = {
    {"packets_wait", test_packets_wait},
    {"killed_in_hand_over", test_killed_in_hand_over},
    {NULL, NULL},
};
