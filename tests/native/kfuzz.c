/*
 * The class 1 fuzzer's supervisor: round after round it makes a job with limits and in it a few processes
 * whose threads make random calls (kfuzz_worker.c); when enough calls were made, or nothing moves any more
 * because all of them wait, it kills the job. Then everything the job used must be given back, and the
 * machine must have as many objects and as much kernel memory in use as before. A broken kernel panics,
 * hangs, or fails a check here.
 *
 * Arguments: --calls=N in all (default 300000), --seed=N of the first round, --fail lets kernel allocations
 * fail, every few at random (debug kernel). Each round's seed is its number added to the first; the log names
 * it before a round that fails.
 */
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/native/keel.h"
#include "tests/native/kfuzz.h"

enum {
    MS = 1000000,
    PAGE = 4096,
    SEGMENTS = 6,
    PROCESSES = 4,
    THREADS = 3,
    ROUND_MS = 3000,
    STUCK_MS = 20, /* without a call: all workers wait for each other */
    GONE_MS = 60000,
    REPORT_ROUNDS = 50,
};

extern const Elf64_Ehdr __ehdr_start;

static struct segment {
    uint64_t address, length, protection;
    handle_t vmo;
} segments[SEGMENTS];
static unsigned segment_count, failures;
static struct fuzz_board *board;
static handle_t board_vmo, code_vmo;
static uint64_t random_state;
static bool failing;

static uint64_t random_below(uint64_t limit) {
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (random_state >> 33) % limit;
}

static void fail(const char *what, int64_t got, int64_t want) {
    failures++;
    log_line("not ok fuzz: seed %lu: %s is %ld, not %ld", (unsigned long)board->seed, what, (long)got,
             (long)want);
}

static int64_t checked(const char *what, int64_t result) {
    if (result < 0) {
        log_line("not ok fuzz: %s: %s", what, strerror((int)-result));
        exit(1);
    }
    return result;
}

/* ---- the image that workers run ---- */

static void segment_add(const Elf64_Phdr *header) {
    struct segment *segment = &segments[segment_count++];
    uint64_t inset = header->p_vaddr % PAGE;
    segment->address = header->p_vaddr - inset;
    segment->length = (inset + header->p_memsz + PAGE - 1) & -(uint64_t)PAGE;
    segment->protection = (header->p_flags & PF_R ? MAP_READ : 0) |
                          (header->p_flags & PF_W ? MAP_WRITE | MAP_COPY : 0) |
                          (header->p_flags & PF_X ? MAP_EXEC : 0);
    segment->vmo = (handle_t)checked("vmo_create", keel_vmo_create(segment->length, 0));
    for (uint64_t done = 0; done < header->p_filesz;)
        done +=
            (uint64_t)checked("vmo_write", keel_vmo_write(segment->vmo, inset + done, header->p_vaddr + done,
                                                          header->p_filesz - done));
    /* Without WRITE for what is not written: a worker could protect its mapping otherwise and spoil it for
     * all. */
    if (!(header->p_flags & PF_W)) {
        int64_t full = segment->vmo;
        segment->vmo = (handle_t)checked("handle_duplicate",
                                         keel_handle_duplicate((uint64_t)full, RIGHT_READ | RIGHT_EXEC));
        (void)keel_handle_close((uint64_t)full);
    }
}

static void image_prepare(void) {
    const Elf64_Phdr *headers = (const Elf64_Phdr *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
    for (unsigned i = 0; i < __ehdr_start.e_phnum; i++)
        if (headers[i].p_type == PT_LOAD && segment_count < SEGMENTS)
            segment_add(&headers[i]);
    board_vmo = (handle_t)checked("vmo_create", keel_vmo_create(PAGE, VMO_PINNED));
    board = memory_map(board_vmo, 0, PAGE, MAP_READ | MAP_WRITE);
    code_vmo = (handle_t)checked("vmo_create", keel_vmo_create(PAGE, 0));
    checked("vmo_write", keel_vmo_write(code_vmo, 0, keel_pointer(fuzz_guest_code),
                                        (uint64_t)(fuzz_guest_code_end - fuzz_guest_code)));
}

/* ---- a round ---- */

struct round {
    handle_t job, given[FUZZ_GIVEN_END];
    handle_t processes[PROCESSES], threads[PROCESSES];
    unsigned process_count;
};

static handle_t duplicate(uint64_t handle, uint64_t rights) {
    int64_t copy = keel_handle_duplicate(handle, rights | RIGHT_GRANT);
    return copy > 0 ? (handle_t)copy : HANDLE_NONE;
}

/* What every worker's process gets a copy of. */
static void round_give(struct round *round) {
    handle_t *given = round->given;
    const uint64_t no_death = RIGHT_ALL & ~(uint64_t)(RIGHT_KILL | RIGHT_ADMIN | RIGHT_REVOKE);
    given[FUZZ_JOB] = duplicate(round->job, no_death);
    given[FUZZ_GIVEN_CODE] = duplicate(code_vmo, RIGHT_READ | RIGHT_EXEC);
    given[FUZZ_PORT] = (handle_t)keel_handle_create(OBJECT_PORT, 8, 0, 0);
    given[FUZZ_EVENT] = (handle_t)keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    given[FUZZ_TIMER] = (handle_t)keel_handle_create(OBJECT_TIMER, 0, 0, 0);
    given[FUZZ_VMO] = (handle_t)keel_vmo_create(40 * PAGE, 0);
    given[FUZZ_PINNED] = (handle_t)keel_vmo_create(4 * PAGE, VMO_PINNED);
    given[FUZZ_IOPORT] = duplicate(handle_find("ioport.80"), RIGHT_ALL);
    given[FUZZ_IRQ] = duplicate(handle_find("irq.5"), RIGHT_ALL);
    given[FUZZ_MESSAGE] = duplicate(handle_find("irq.70"), RIGHT_ALL);
    given[FUZZ_DMA] = duplicate(handle_find("dma"), RIGHT_ALL);
    given[FUZZ_INFO] = duplicate(handle_find("info"), RIGHT_ALL);
    given[FUZZ_LOG] = duplicate(handle_find("log"), RIGHT_READ);
    given[FUZZ_CHILD] = (handle_t)keel_handle_create(OBJECT_JOB, round->job, 0, 0);
}

static int64_t process_fill(int64_t process) {
    int64_t error = keel_space_map((uint64_t)process, FUZZ_BOARD, board_vmo, 0, PAGE, MAP_READ | MAP_WRITE);
    if (!error)
        error =
            keel_space_map((uint64_t)process, FUZZ_ARENA, 0, 0, 64 * PAGE, MAP_READ | MAP_WRITE | MAP_COPY);
    for (unsigned i = 0; i < segment_count && !error; i++)
        error = keel_space_map((uint64_t)process, FUZZ_UPPER + segments[i].address, segments[i].vmo, 0,
                               segments[i].length, segments[i].protection);
    return error;
}

/* One more process with workers; false when the job's limits do not allow it. */
static bool process_add(struct round *round) {
    handle_t list[FUZZ_GIVEN_END];
    unsigned n = round->process_count, count = 0;
    round->given[FUZZ_PROCESS] = n ? duplicate(round->processes[n - 1], RIGHT_ALL) : HANDLE_NONE;
    round->given[FUZZ_THREAD] = n ? duplicate(round->threads[n - 1], RIGHT_ALL) : HANDLE_NONE;
    for (unsigned i = 1; i < FUZZ_GIVEN_END; i++) {
        handle_t handle =
            i < FUZZ_PROCESS ? duplicate(round->given[i], RIGHT_ALL & ~RIGHT_REVOKE) : round->given[i];
        list[count++] = handle ? handle : duplicate(code_vmo, RIGHT_READ);
    }
    int64_t process = keel_process_create(round->job, keel_pointer(list), count);
    if (process < 0)
        for (unsigned i = 0; i < count; i++)
            (void)keel_handle_close(list[i]);
    if (process < 0)
        return false;
    round->processes[n] = (handle_t)process;
    round->process_count++;
    int64_t thread = process_fill(process);
    uint64_t entry = FUZZ_UPPER + keel_pointer((const void *)fuzz_worker);
    uint64_t stack = FUZZ_UPPER + keel_pointer(fuzz_stacks[0]) + FUZZ_STACK_SIZE - 8;
    for (uint64_t i = 0; i < THREADS && thread >= 0; i++) {
        thread = keel_thread_create((uint64_t)process, entry, stack + i * FUZZ_STACK_SIZE,
                                    i + n * FUZZ_STACKS, FUZZ_UTCBS + i * FUZZ_UTCB_STRIDE);
        if (thread > 0 && i)
            (void)keel_handle_close((uint64_t)thread);
        else if (thread > 0)
            round->threads[n] = (handle_t)thread;
    }
    return true;
}

/* With failing allocations all workers may end before their first call, or never begin. */
static bool round_lives(const struct round *round) {
    for (unsigned i = 0; i < round->process_count; i++) {
        struct process_info info = {.threads = 1};
        (void)keel_object_info(round->processes[i], keel_pointer(&info), sizeof info);
        if (!info.dead && info.threads)
            return true;
    }
    return false;
}

/* Until so many calls were made, none for STUCK_MS, or no worker is left; on a busy host the first call may
 * take long. */
static void round_watch(const struct round *round, uint64_t calls) {
    uint64_t start = clock_now(), moved = start, seen = 0;
    handle_t debug = handle_find("debug");
    while (board->calls < calls && clock_now() < start + (seen ? ROUND_MS : GONE_MS) * (uint64_t)MS) {
        if (failing)
            (void)keel_debug_fail(debug, 1 + random_below(30));
        (void)keel_thread_wait(clock_now() + (failing ? MS / 4 : 2 * MS));
        uint64_t made = board->calls;
        if (made != seen)
            moved = clock_now();
        else if (seen ? clock_now() > moved + STUCK_MS * (uint64_t)MS : !round_lives(round))
            break;
        seen = made;
    }
    if (failing)
        (void)keel_debug_fail(debug, 0);
}

/* The job is dead: its members go, and what it was charged with. */
static void job_empty(handle_t job) {
    struct job_info info = {.objects = 1};
    uint64_t until = clock_now() + GONE_MS * (uint64_t)MS;
    while (info.objects + info.pages + info.threads && clock_now() < until) {
        (void)keel_object_info(job, keel_pointer(&info), sizeof info);
        (void)keel_thread_wait(clock_now() + MS / 2);
    }
    if (info.objects + info.pages + info.threads == 0)
        return;
    fail("objects of a dead job", (int64_t)info.objects, 0);
    fail("pages of a dead job", (int64_t)info.pages, 0);
    fail("threads of a dead job", (int64_t)info.threads, 0);
}

static uint64_t round_run(uint64_t seed, uint64_t calls) {
    struct round round = {0};
    uint64_t threads = 1 + random_below(PROCESSES);
    board->seed = seed;
    board->calls = 0;
    round.job = (handle_t)checked("job", keel_handle_create(OBJECT_JOB, handle_find("job"), 0, 0));
    checked("job_limit", keel_job_limit(round.job, 600 + random_below(4000), 250 + random_below(1000),
                                        threads * THREADS + random_below(20), 0));
    round_give(&round);
    while (round.process_count < threads && process_add(&round))
        continue;
    round_watch(&round, calls);
    checked("task_kill", keel_task_kill(round.job, 9));
    for (unsigned i = 1; i < FUZZ_PROCESS; i++)
        (void)keel_handle_close(round.given[i]);
    for (unsigned i = 0; i < round.process_count; i++) {
        (void)keel_handle_close(round.processes[i]);
        (void)keel_handle_close(round.threads[i]);
    }
    job_empty(round.job);
    checked("handle_close", keel_handle_close(round.job));
    return board->calls;
}

/* ---- all rounds ---- */

/* With the one event that the kernel keeps for a process once it has closed any. */
static struct system_info system_now(void) {
    struct system_info info = {0};
    (void)keel_handle_close(checked("event", keel_handle_create(OBJECT_EVENT, 0, 0, 0)));
    (void)keel_object_info(handle_find("info"), keel_pointer(&info), sizeof info);
    return info;
}

static void compare(const struct system_info *before) {
    struct system_info after;
    bool same = false;
    uint64_t until = clock_now() + 2000 * (uint64_t)MS;
    while (!same && clock_now() < until) {
        after = system_now();
        same = !memcmp(after.objects, before->objects, sizeof after.objects) &&
               after.kernel_bytes == before->kernel_bytes;
        if (!same)
            (void)keel_thread_wait(clock_now() + MS);
    }
    for (unsigned type = 1; type < OBJECT_TYPES; type++)
        if (after.objects[type] != before->objects[type]) {
            log_line("type %u", type);
            fail("objects", (int64_t)after.objects[type], (int64_t)before->objects[type]);
        }
    if (after.kernel_bytes != before->kernel_bytes)
        fail("kernel bytes", (int64_t)after.kernel_bytes, (int64_t)before->kernel_bytes);
    /* Caches of pages and slabs fill in the first rounds. */
    if (after.pages_free + 512 < before->pages_free)
        fail("free pages", (int64_t)after.pages_free, (int64_t)before->pages_free);
}

/* Calls that never succeeded, or were never made, were not tested. */
static void report(void) {
#define CALL(index, name, arguments, self, right, text)                                                      \
    log_line("call %2u %-16s %8lu succeeded %8lu failed", index, #name, (unsigned long)board->good[index],   \
             (unsigned long)board->bad[index]);
#include "abi/syscalls.def"
#undef CALL
}

static uint64_t option(const char *text, const char *name, uint64_t otherwise) {
    size_t length = strlen(name);
    return strncmp(text, name, length) ? otherwise : strtoull(text + length, NULL, 0);
}

int main(int argc, char **argv) {
    uint64_t calls = 300000, seed = 1, made = 0;
    for (int i = 1; i < argc; i++) {
        calls = option(argv[i], "--calls=", calls);
        seed = option(argv[i], "--seed=", seed);
        failing |= !strcmp(argv[i], "--fail");
    }
    image_prepare();
    (void)keel_thread_set(0, 0, 1);
    random_state = seed;
    log_line("%lu calls from seed %lu on", (unsigned long)calls, (unsigned long)seed);
    (void)round_run(seed++, 2000);
    struct system_info before = system_now();
    unsigned rounds = 0;
    for (; made < calls && !failures; rounds++) {
        uint64_t at_start = made;
        random_state = seed;
        made += round_run(seed++, 2000 + random_below(20000));
        compare(&before);
        if (made == at_start && !failing)
            fail("calls in a round", 0, 1);
        if (rounds % REPORT_ROUNDS == REPORT_ROUNDS - 1)
            log_line("%u rounds, %lu calls", rounds + 1, (unsigned long)made);
    }
    report();
    if (!failures)
        log_line("ok fuzz");
    log_line("%u rounds, %lu calls, %u failures", rounds, (unsigned long)made, failures);
    return failures ? 1 : 0;
}
