/*
 * The end of jobs: a zoo of threads, each in another state of the kernel's, whose job is killed. Everything
 * it was charged must come back, exactly, and whoever waits for one of them from outside is told.
 */
#include "tests/native/ktest.h"

enum { CREATURE_BYTES = 256, PROCESSES = 4, ROUNDS = 6, PAGE = 4096, GIVEN = 7 };

/* In a creature's process: above what guests have. */
#define ZOO_CODE     0x400010000000ULL
#define ZOO_DATA     0x400020000000ULL
#define ZOO_UTCBS    0x400030000000ULL
#define ZOO_GUEST_IP 0x10000000ULL

extern const char zoo_code[], zoo_code_end[];

/*
 * Creatures, CREATURE_BYTES each, with handles 1 event, 2 port that nobody serves, 3 port for calls from
 * outside, 4 port that a creature serves, 5 this code, 6 a job that nobody else knows, 7 event for who was
 * called from outside.
 */
__asm__(
    ".pushsection .rodata\n"
    ".macro class1 number; mov $0x1000 + \\number, %eax; syscall; .endm\n"
    ".macro creature; .balign 256; .endm\n"
    ".balign 4096\n"
    ".globl zoo_code, zoo_code_end\n"
    "zoo_code:\n"
    /* 0: runs */
    "zoo_spin: jmp zoo_spin\n"
    /* 1: waits for an event */
    "creature\n"
    "1: mov $1, %edi; mov $-1, %rsi; class1 38; jmp 1b\n"
    /* 2: waits at a port */
    "creature\n"
    "1: mov $2, %edi; mov $-1, %rsi; xor %ebx, %ebx; class1 35; jmp 1b\n"
    /* 3: waits for a kick */
    "creature\n"
    "1: mov $-1, %rdi; class1 29; jmp 1b\n"
    /* 4: in a call that a creature took and does not answer */
    "creature\n"
    "1: mov $4, %edi; xor %esi, %esi; xor %ebx, %ebx; class1 34; jmp 1b\n"
    /* 5: takes such a call and waits for a kick */
    "creature\n"
    "mov $4, %edi; mov $-1, %rsi; xor %ebx, %ebx; class1 35\n"
    "1: mov $-1, %rdi; class1 29; jmp 1b\n"
    /* 6: takes a call from outside, tells, and runs on */
    "creature\n"
    "mov $3, %edi; mov $-1, %rsi; xor %ebx, %ebx; class1 35; mov $7, %edi; class1 36\n"
    "1: jmp 1b\n"
    /* 7: faults, page after page, on memory that it maps again and again */
    "creature\n"
    "1: xor %edi, %edi; mov $0x400020000000, %rsi; xor %edx, %edx; xor %r10d, %r10d; mov $0x40000, %r8d\n"
    "mov $11, %r9d; class1 20\n"
    "mov $0x400020000000, %rsi; mov $64, %ecx\n"
    "2: movb $1, (%rsi); add $4096, %rsi; dec %ecx; jnz 2b; jmp 1b\n"
    /* 8: in guest mode */
    "creature\n"
    "xor %edi, %edi; class1 19; mov %rax, %r12\n"
    "mov %rax, %rdi; mov $0x10000000, %esi; mov $5, %edx; xor %r10d, %r10d; mov $4096, %r8d\n"
    "mov $5, %r9d; class1 20\n"
    "mov %r12, %rdi; class1 32\n"
    "mov %gs:184, %rcx; movq $0x10000000, 120(%rcx)\n"
    "1: xor %edi, %edi; class1 33; jmp 1b\n"
    /* 9: makes processes, spaces, events and memory, and never closes them */
    "creature\n"
    "1: xor %edi, %edi; xor %edx, %edx; class1 7\n"
    "xor %edi, %edi; class1 19\n"
    "mov $7, %edi; xor %esi, %esi; class1 1\n"
    "mov $0x10000, %edi; mov $1, %esi; class1 4\n"
    "class1 30; jmp 1b\n"
    /* 10: makes threads that wait for a kick */
    "creature\n"
    "mov $0x400031000000, %r12\n"
    "1: xor %edi, %edi; mov $0x400010000300, %rsi; xor %edx, %edx; xor %r10d, %r10d; mov %r12, %r8\n"
    "add $0x2000, %r12; class1 8; class1 30; jmp 1b\n"
    /* 11: makes jobs inside of each other, and periodic timers */
    "creature\n"
    "mov $6, %r12d\n"
    "1: mov $11, %edi; mov %r12, %rsi; class1 1; test %rax, %rax; cmovg %rax, %r12\n"
    "mov $8, %edi; class1 1; mov %rax, %rdi; mov $1, %esi; mov $100000, %edx; class1 39\n"
    "class1 30; jmp 1b\n"
    /* 12: is gone in a moment */
    "creature\n"
    "xor %edi, %edi; class1 25\n"
    /* 13: copies much in one call */
    "creature\n"
    "mov $0x100000, %edi; xor %esi, %esi; class1 4; mov %rax, %r12\n"
    "1: mov %r12, %rdi; xor %esi, %esi; mov $0x400020000000, %rdx; mov $0x40000, %r10d; class1 6; jmp 1b\n"
    "zoo_code_end:\n"
    ".popsection\n");

static int64_t port_outside;
static handle_t zoo, code;

/* A process with a creature of each kind; false when the job's limits do not allow it. */
static bool process_fill(const handle_t *given) {
    handle_t list[GIVEN];
    for (unsigned i = 0; i < GIVEN; i++)
        list[i] = (handle_t)keel_handle_duplicate(given[i], RIGHT_ALL & ~RIGHT_KILL);
    int64_t process = keel_process_create(zoo, keel_pointer(list), GIVEN);
    if (process < 0) {
        for (unsigned i = 0; i < GIVEN; i++)
            keel_handle_close(list[i]);
        return false;
    }
    int64_t mapped = keel_space_map((uint64_t)process, ZOO_CODE, code, 0, PAGE, MAP_READ | MAP_EXEC);
    if (!mapped)
        mapped =
            keel_space_map((uint64_t)process, ZOO_DATA, 0, 0, 64 * PAGE, MAP_READ | MAP_WRITE | MAP_COPY);
    if (mapped == -ENOMEM) { /* the creatures before have used up what the job may */
        keel_handle_close((uint64_t)process);
        return false;
    }
    EQ(mapped, 0);
    for (uint64_t i = 0; ZOO_CODE + i * CREATURE_BYTES < ZOO_CODE + (uint64_t)(zoo_code_end - zoo_code);
         i++) {
        int64_t thread = keel_thread_create((uint64_t)process, ZOO_CODE + i * CREATURE_BYTES, 0, i,
                                            ZOO_UTCBS + i * 0x10000);
        if (thread > 0)
            keel_handle_close((uint64_t)thread);
    }
    keel_handle_close((uint64_t)process);
    return true;
}

static _Atomic int64_t outside_result;

static void outside_caller(uint64_t i) {
    struct ipc_message message = {0};
    outside_result = ipc_call((handle_t)port_outside, clock_now() + 20000 * (uint64_t)MS, &message);
    thread_end(i);
}

static void wait_until_empty(uint64_t of) {
    struct job_info info = {.objects = 1};
    for (unsigned tries = 0; tries < 20000 && info.objects + info.pages + info.threads; tries++) {
        keel_object_info(of, keel_pointer(&info), sizeof(info));
        keel_thread_wait(clock_now() + MS);
    }
    EQ(info.objects, 0);
    EQ(info.pages, 0);
    EQ(info.threads, 0);
}

static void zoo_round(uint64_t round) {
    port_outside = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    int64_t made = keel_handle_create(OBJECT_JOB, job, 0, 0);
    EQ(made > 0, 1);
    zoo = (handle_t)made;
    EQ(keel_job_limit(zoo, 4000, 1000, 100, 0), 0);
    handle_t given[GIVEN] = {(handle_t)keel_handle_create(OBJECT_EVENT, 0, 0, 0),
                             (handle_t)keel_handle_create(OBJECT_PORT, 0, 0, 0),
                             (handle_t)port_outside,
                             (handle_t)keel_handle_create(OBJECT_PORT, 0, 0, 0),
                             code,
                             (handle_t)keel_handle_create(OBJECT_JOB, zoo, 0, 0),
                             (handle_t)keel_handle_create(OBJECT_EVENT, 0, 0, 0)};
    outside_result = 1;
    handle_t caller = thread_start(0, outside_caller);
    for (unsigned i = 0; i < PROCESSES; i++)
        if (!process_fill(given))
            break;
    EQ(keel_event_wait(given[GIVEN - 1], clock_now() + 20000 * (uint64_t)MS), 1);
    keel_thread_wait(clock_now() + round * 3 * MS);
    EQ(keel_task_kill(zoo, 9), 0);
    EQ(keel_process_create(zoo, 0, 0), -ENOMEM);
    for (unsigned i = 0; i < GIVEN; i++)
        if (given[i] != code && given[i] != port_outside)
            EQ(keel_handle_close(given[i]), 0);
    wait_until_empty(zoo);
    EQ(keel_handle_close(zoo), 0);
    thread_join(0, caller);
    EQ(outside_result, -ECANCELED);
    EQ(keel_handle_close((uint64_t)port_outside), 0);
}

static void test_killed_zoo(void) {
    code = (handle_t)keel_vmo_create(PAGE, 0);
    EQ(keel_vmo_write(code, 0, keel_pointer(zoo_code), (uint64_t)(zoo_code_end - zoo_code)),
       zoo_code_end - zoo_code);
    for (uint64_t round = 0; round < ROUNDS; round++)
        zoo_round(round);
    EQ(keel_handle_close(code), 0);
}

/* ---- limits ---- */

static struct job_info info_of(handle_t of) {
    struct job_info info = {0};
    EQ(keel_object_info(of, keel_pointer(&info), sizeof(info)), sizeof(info));
    return info;
}

/* As many objects, pages and threads as allowed can be had, not one more, and again after they were given
 * back. */
static void test_exact_limits(void) {
    enum { OBJECTS = 20, PAGES = 50, LIMITED_THREADS = 3 };
    handle_t limited = (handle_t)keel_handle_create(OBJECT_JOB, job, 0, 0);
    EQ(keel_job_limit(limited, PAGES, OBJECTS, LIMITED_THREADS, 0), 0);
    for (unsigned round = 0; round < 3; round++) {
        handle_t made[OBJECTS + 1];
        unsigned count = 0;
        for (int64_t child; count <= OBJECTS && (child = keel_handle_create(OBJECT_JOB, limited, 0, 0)) > 0;)
            made[count++] = (handle_t)child;
        EQ(count, OBJECTS);
        EQ(info_of(limited).objects, OBJECTS);
        while (count > 0)
            keel_handle_close(made[--count]);
        EQ(info_of(limited).objects, 0);

        int64_t process = keel_process_create(limited, 0, 0);
        EQ(process > 0, 1);
        uint64_t pages = info_of(limited).pages;
        EQ(keel_space_map((uint64_t)process, 0x10000000, 0, 0, 1 << 20, MAP_READ | MAP_WRITE | MAP_COPY), 0);
        EQ(info_of(limited).pages, pages);
        int64_t thread = 0;
        while (count <= LIMITED_THREADS && thread >= 0) {
            thread = keel_thread_create((uint64_t)process, 0x10000000, 0, 0, 0x20000000 + count * 0x10000);
            if (thread > 0)
                made[count++] = (handle_t)thread;
        }
        /* Its first instruction ends such a process, maybe before the limit is reached. */
        EQ(thread == -ENOMEM || thread == -ESRCH, 1);
        EQ(count <= LIMITED_THREADS, 1);
        EQ(info_of(limited).pages <= PAGES, 1);
        EQ(keel_task_kill((uint64_t)process, 1), 0);
        while (count > 0)
            keel_handle_close(made[--count]);
        keel_handle_close((uint64_t)process);
        wait_until_empty(limited);
    }
    EQ(keel_handle_close(limited), 0);
}

/* A tree of jobs has an end, and goes from either end. */
static void test_deep_jobs(void) {
    handle_t jobs[100];
    unsigned depth = 0;
    uint64_t parent = job;
    for (int64_t child; depth < 100 && (child = keel_handle_create(OBJECT_JOB, parent, 0, 0)) > 0;)
        parent = jobs[depth++] = (handle_t)child;
    EQ(depth > 8 && depth < 100, 1);
    EQ(info_of(jobs[0]).objects, depth - 1);
    EQ(keel_task_kill(jobs[1], 1), 0);
    EQ(keel_handle_create(OBJECT_JOB, jobs[depth - 2], 0, 0), -ENOMEM);
    for (unsigned i = 1; i < depth; i++)
        EQ(keel_handle_close(jobs[i]), 0);
    EQ(info_of(jobs[0]).objects, 0);
    EQ(keel_handle_close(jobs[0]), 0);
}

/* A process that never had a thread can be killed: what it holds goes, though its handle is kept. */
static void test_kill_without_threads(void) {
    handle_t event = (handle_t)keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    handle_t keeper = (handle_t)keel_handle_create(OBJECT_JOB, job, 0, 0);
    handle_t list[1] = {(handle_t)keel_handle_duplicate(event, RIGHT_ALL)};
    int64_t process = keel_process_create(keeper, keel_pointer(list), 1);
    int64_t port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    struct port_packet packet;
    EQ(process > 0, 1);
    EQ(keel_object_bind((uint64_t)process, (uint64_t)port, 7), 0);
    EQ(keel_task_kill(keeper, 33), 0);
    EQ(packet_receive((handle_t)port, clock_now() + 1000 * (uint64_t)MS, &packet), 0);
    EQ(packet.key, 7);
    EQ(packet.count, 33);
    EQ(keel_thread_create((uint64_t)process, 0x10000, 0, 0, 0x20000), -ESRCH);
    EQ(info_of(keeper).pages, 0);
    EQ(info_of(keeper).objects, 1);
    EQ(keel_handle_close((uint64_t)process), 0);
    EQ(info_of(keeper).objects, 0);
    EQ(keel_handle_close(keeper), 0);
    EQ(keel_handle_close(event), 0);
    EQ(keel_handle_close((uint64_t)port), 0);
}

const struct test jobs_tests[] = {
    {"killed_zoo", test_killed_zoo},
    {"exact_limits", test_exact_limits},
    {"deep_jobs", test_deep_jobs},
    {"kill_without_threads", test_kill_without_threads},
    {NULL, NULL},
};
