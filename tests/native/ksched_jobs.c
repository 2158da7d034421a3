/*
 * CPU shares of jobs: processes that consist of a few instructions compute, serve and call in them.
 */
#include "tests/native/ksched.h"

#include <errno.h>

#include "lib/native/ipc.h"

enum { CREATURES = 16, CREATURE_BYTES = 64, PAGE = 4096 };
enum creature { SPINNER, SERVER, CLIENT, BUSY_SERVER };
#define CODE  0x10000000ULL
#define UTCBS 0x20000000ULL

extern const char creature_code[], creature_code_end[];

__asm__(".pushsection .rodata\n"
        ".balign 64\n"
        ".globl creature_code, creature_code_end\n"
        "creature_code:\n"
        "1: jmp 1b\n"
        /* serves port 1 */
        ".balign 64\n"
        "1: mov $1, %edi; mov $-1, %rsi; mov $0x4000000000000000, %rbx; mov $0x1023, %eax; syscall; jmp 1b\n"
        /* calls port 1 */
        ".balign 64\n"
        "1: mov $1, %edi; xor %esi, %esi; xor %ebx, %ebx; mov $0x1022, %eax; syscall; jmp 1b\n"
        /* serves port 1, and has 0.3 ms of its own to do after each call */
        ".balign 64\n"
        "1: mov $1, %edi; mov $-1, %rsi; xor %ebx, %ebx; mov $0x1023, %eax; syscall\n"
        "mov $1, %edi; xor %esi, %esi; mov $0x4000000000000000, %rbx; mov $0x1023, %eax; syscall\n"
        "mov $150000, %ecx; 2: dec %ecx; jnz 2b; jmp 1b\n"
        ".balign 64\n"
        "creature_code_end:\n"
        ".popsection\n");

static handle_t creatures[CREATURES];
static unsigned creature_count;
static int64_t creature_port;

static handle_t job_make(handle_t in, uint64_t share) {
    int64_t made = keel_handle_create(OBJECT_JOB, in, 0, 0);
    CHECK(made > 0 && keel_job_limit((uint64_t)made, 0, 0, 0, share) == 0);
    return (handle_t)made;
}

/* A thread in a process of its own, in a job. */
static void creature_add(handle_t in, enum creature kind) {
    static int64_t code;
    handle_t list[1] = {HANDLE_NONE};
    if (!code) {
        code = keel_vmo_create(PAGE, 0);
        CHECK(keel_vmo_write((uint64_t)code, 0, keel_pointer(creature_code),
                             (uint64_t)(creature_code_end - creature_code)) > 0);
    }
    if (kind != SPINNER)
        list[0] = (handle_t)keel_handle_duplicate((uint64_t)creature_port, RIGHT_ALL);
    int64_t process = keel_process_create(in, keel_pointer(list), kind != SPINNER);
    CHECK(process > 0);
    CHECK(keel_space_map((uint64_t)process, CODE, (uint64_t)code, 0, PAGE, MAP_READ | MAP_EXEC) == 0);
    int64_t thread = keel_thread_create((uint64_t)process, CODE + kind * CREATURE_BYTES, 0, 0, UTCBS);
    CHECK(thread > 0);
    creatures[creature_count++] = (handle_t)thread;
    keel_handle_close((uint64_t)process);
}

static uint64_t creatures_time(void) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < creature_count; i++) {
        struct thread_info info = {0};
        CHECK(keel_object_info(creatures[i], keel_pointer(&info), sizeof(info)) == sizeof(info));
        sum += info.cpu_time;
    }
    return sum;
}

/* What the creatures get of all CPUs in so many ms, in 1/1000; then the job ends. */
static unsigned creatures_measure(handle_t job, unsigned ms) {
    sleep_ns(100 * MS);
    uint64_t before = creatures_time(), since = clock_now();
    sleep_ns((uint64_t)ms * MS);
    uint64_t ran = creatures_time() - before, passed = clock_now() - since;
    CHECK(keel_task_kill(job, 0) == 0);
    for (unsigned i = 0; i < creature_count; i++)
        keel_handle_close(creatures[i]);
    creature_count = 0;
    keel_handle_close(job);
    sleep_ns(5 * MS);
    return (unsigned)(1000 * ran / passed / cpus);
}

static void share_check(const char *what, unsigned share, unsigned want) {
    log_line("%s: %u of 1000", what, share);
    CHECK(share + 35 >= want && share <= want + 35);
}

static void competitors_start(void) {
    stop = false;
    for (unsigned i = 0; i < 2 * cpus; i++)
        thread_start(i, spinner);
}

static void competitors_end(void) {
    stop = true;
    for (unsigned i = 0; i < 2 * cpus; i++)
        thread_join(i);
}

/* A job with 25 % gets that, no less and no more: alone, beside others, in several threads, while they call
 * each other on the fast path, and in jobs within it, which are bound by it and by their own share. */
void test_shares(void) {
    handle_t root = handle_find("job"), top = job_make(root, 256);
    CHECK(keel_job_limit(top, 0, 0, 0, 1025) == -EINVAL);
    creature_port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    for (unsigned i = 0; i < cpus; i++)
        creature_add(top, SPINNER);
    share_check("a share of 250, alone", creatures_measure(top, 800), 250);

    top = job_make(root, 256);
    for (unsigned i = 0; i < 2 * cpus; i++)
        creature_add(top, SPINNER);
    competitors_start();
    share_check("a share of 250, beside others", creatures_measure(top, 1400), 250);
    competitors_end();

    top = job_make(root, 256 / cpus);
    creature_add(top, SERVER);
    creature_add(top, CLIENT);
    share_check("calls within a share of 250", creatures_measure(top, 800) * cpus, 250);

    top = job_make(root, 256);
    handle_t within = job_make(top, 768), small = job_make(top, 102);
    for (unsigned i = 0; i < 2 * cpus; i++)
        creature_add(within, SPINNER);
    share_check("750 within 250", creatures_measure(top, 800), 250);
    CHECK(keel_handle_close(within) == 0 && keel_handle_close(small) == 0);

    top = job_make(root, 512);
    small = job_make(top, 102);
    for (unsigned i = 0; i < 2 * cpus; i++)
        creature_add(small, SPINNER);
    share_check("100 within 500", creatures_measure(top, 800), 100);
    CHECK(keel_handle_close(small) == 0);
    CHECK(keel_handle_close((uint64_t)creature_port) == 0);
}

/* Somebody else's call to a server whose job has long used its share is answered all the same. */
void test_share_lends(void) {
    handle_t top = job_make(handle_find("job"), 26);
    uint64_t worst = 0;
    creature_port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    creature_add(top, BUSY_SERVER);
    for (unsigned i = 0; i < cpus; i++)
        creature_add(top, SPINNER);
    sleep_ns(50 * MS);
    for (unsigned i = 0; i < 40; i++) {
        struct ipc_message message = {.label = 1};
        uint64_t since = clock_now();
        CHECK(ipc_call((handle_t)creature_port, UINT64_MAX, &message) == 0);
        uint64_t took = clock_now() - since;
        worst = took > worst ? took : worst;
        sleep_ns(10 * MS);
    }
    unsigned share = creatures_measure(top, 400);
    log_line("calls to a server without time left: at most %u us; its job gets %u of 1000",
             (unsigned)(worst / US), share);
    CHECK(worst < (cpus > 1 ? 30 : 4) * MS);
    CHECK(share < 50);
    CHECK(keel_handle_close((uint64_t)creature_port) == 0);
}
