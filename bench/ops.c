/*
 * The operations of the benchmark: one static program, the same bytes on Keel and on Linux. It prints a line
 * per operation:
 *
 *   NAME TICKS NS SWITCHES ENTRIES      each per operation, with a decimal point
 *
 * TICKS are of the time-stamp counter, which counts instructions under -icount shift=0. SWITCHES and ENTRIES
 * (page-table switches, kernel entries) come from /proc/keel before and after a batch, and are "-" where that
 * does not exist. An operation is repeated in batches; the quickest batch counts. Of an operation on devices
 * all batches count, and TICKS are without the time in which the machine was idle. First a line "start TSC":
 * the counter when main began.
 *
 *   ops [NAME…]          only the operations named; --exit is what vfork_exec_wait starts
 *   ops --two NAME…      each by two processes at once: ops_two.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "ops.h"

enum { PAGE = 4096, PAGES = 512, CHUNK = 65536, BATCHES = 5, UNKNOWN_CALL = 1000 };
#define PERSONALITY_ASK 0xffffffff
#define IDLE_STEP_NS    10000000ULL
enum { FRAME = 60, FRAMES = 32, FRAME_TYPE = 0x88b5 };

static char *self;
static int null_fd, zero_fd;
static char *memory;
static char buffer[CHUNK];
static pid_t partner;
static int there[2], back[2];

void die(const char *what) {
    perror(what);
    exit(1);
}

void check(bool good, const char *what) {
    if (!good)
        die(what);
}

/* A bare system call: what libc adds is not what is measured. */
static inline long call3(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static inline long call6(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* ---- calls ---- */

static void run_getpid(unsigned count) {
    while (count--)
        call3(SYS_getpid, 0, 0, 0);
}

static void run_unknown(unsigned count) {
    while (count--)
        call3(UNKNOWN_CALL, 0, 0, 0);
}

static void run_write(unsigned count) {
    while (count--)
        call3(SYS_write, null_fd, (long)buffer, 1);
}

static void run_read(unsigned count) {
    while (count--)
        call3(SYS_read, zero_fd, (long)buffer, 1);
}

static void run_yield(unsigned count) {
    while (count--)
        call3(SYS_sched_yield, 0, 0, 0);
}

/* ---- memory ---- */

static char *pages_map(size_t pages) {
    char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(at != MAP_FAILED, "mmap");
    return at;
}

static void run_map(unsigned count) {
    while (count--) {
        char *at = pages_map(1);
        munmap(at, PAGE);
    }
}

static void begin_pages(void) {
    memory = pages_map(PAGES);
    madvise(memory, PAGES * PAGE, MADV_NOHUGEPAGE);
}

static void end_pages(void) {
    munmap(memory, PAGES * PAGE);
}

/* From the last page to the first, so that no system can guess ahead: each touch is a fault. */
static void run_touch(unsigned count) {
    while (count--)
        *(volatile char *)(memory + (size_t)count * PAGE) = 1;
}

/* Ascending, as programs fill memory. */
static void run_fill(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        *(volatile char *)(memory + (size_t)i * PAGE) = 1;
}

/* ---- a partner process ---- */

static void pipes_make(void) {
    check(pipe(there) == 0 && pipe(back) == 0, "pipe");
}

static void partner_end(void) {
    int status;
    close(there[0]);
    close(there[1]);
    close(back[0]);
    close(back[1]);
    check(waitpid(partner, &status, 0) == partner && status == 0, "partner");
}

/* The child that shares all pages, until the parent has written to them. */
static void begin_shared(void) {
    begin_pages();
    run_fill(PAGES);
    pipes_make();
    partner = fork();
    check(partner >= 0, "fork");
    if (partner > 0)
        return;
    close(there[1]);
    check(write(back[1], buffer, 1) == 1, "write");
    _exit(read(there[0], buffer, 1) != 0);
}

static void begin_shared_ready(void) {
    begin_shared();
    check(read(back[0], buffer, 1) == 1, "read");
}

static void end_shared(void) {
    partner_end();
    end_pages();
}

static void begin_echo(void) {
    pipes_make();
    partner = fork();
    check(partner >= 0, "fork");
    if (partner > 0)
        return;
    close(there[1]);
    while (call3(SYS_read, there[0], (long)buffer, 1) == 1)
        call3(SYS_write, back[1], (long)buffer, 1);
    _exit(0);
}

static void run_echo(unsigned count) {
    while (count--) {
        check(call3(SYS_write, there[1], (long)buffer, 1) == 1, "write");
        check(call3(SYS_read, back[0], (long)buffer, 1) == 1, "read");
    }
}

/* The child writes until nobody reads. */
static void begin_stream(void) {
    pipes_make();
    partner = fork();
    check(partner >= 0, "fork");
    if (partner > 0)
        return;
    signal(SIGPIPE, SIG_IGN);
    close(back[0]);
    while (call3(SYS_write, back[1], (long)buffer, CHUNK) > 0)
        continue;
    _exit(0);
}

static void run_stream(unsigned count) {
    for (size_t left = (size_t)count * CHUNK; left > 0;) {
        ssize_t got = call3(SYS_read, back[0], (long)buffer, CHUNK);
        check(got > 0, "read");
        left -= (size_t)got < left ? (size_t)got : left;
    }
}

/* ---- processes ---- */

void child_reap(pid_t child) {
    int status;
    check(child > 0 && waitpid(child, &status, 0) == child && status == 0, "child");
}

static void run_fork(unsigned count) {
    while (count--) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        child_reap(child);
    }
}

static void run_exec(unsigned count) {
    static char *environment[] = {NULL};
    char *arguments[] = {self, "--exit", NULL};
    while (count--) {
        pid_t child = vfork();
        if (child == 0) {
            execve(self, arguments, environment);
            _exit(1);
        }
        child_reap(child);
    }
}

/* ---- frames: from eth0 to eth1 on the same wire ---- */

static int frame_out, frame_in;
static struct sockaddr_ll frame_to;
static unsigned char frame_bytes[FRAME];

static int frame_socket(const char *name, int protocol, struct ifreq *request) {
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    strcpy(request->ifr_name, name);
    check(fd >= 0 && ioctl(fd, SIOCGIFINDEX, request) == 0, name);
    frame_to = (struct sockaddr_ll){.sll_family = AF_PACKET,
                                    .sll_protocol = htons((uint16_t)protocol),
                                    .sll_ifindex = request->ifr_ifindex};
    check(ioctl(fd, SIOCGIFFLAGS, request) == 0, name);
    request->ifr_flags |= IFF_UP;
    check(ioctl(fd, SIOCSIFFLAGS, request) == 0, name);
    check(bind(fd, (struct sockaddr *)&frame_to, sizeof frame_to) == 0, name);
    check(ioctl(fd, SIOCGIFHWADDR, request) == 0, name);
    return fd;
}

static void begin_frames(void) {
    struct ifreq request = {0};
    frame_in = frame_socket("eth1", FRAME_TYPE, &request);
    memcpy(frame_bytes, request.ifr_hwaddr.sa_data, 6);
    frame_out = frame_socket("eth0", 0, &request);
    memcpy(frame_bytes + 6, request.ifr_hwaddr.sa_data, 6);
    frame_bytes[12] = FRAME_TYPE >> 8;
    frame_bytes[13] = FRAME_TYPE & 0xff;
    sleep(1); /* until both links are up */
}

static void end_frames(void) {
    close(frame_out);
    close(frame_in);
}

static void frame_send(void) {
    check(call6(SYS_sendto, frame_out, (long)frame_bytes, FRAME, 0, 0, 0) == FRAME, "send");
}

static void frame_receive(void) {
    check(call3(SYS_read, frame_in, (long)buffer, CHUNK) >= FRAME, "receive");
}

static void run_frame(unsigned count) {
    while (count--) {
        frame_send();
        frame_receive();
    }
}

static void run_frames(unsigned count) {
    for (unsigned i = 0; i < count; i += FRAMES) {
        for (unsigned n = 0; n < FRAMES; n++)
            frame_send();
        for (unsigned n = 0; n < FRAMES; n++)
            frame_receive();
    }
}

static void nothing(void) {}

static const struct operation operations[] = {
    {"getpid", 2000, nothing, run_getpid, nothing, false, false},
    {"unknown_call", 2000, nothing, run_unknown, nothing, false, false},
    {"write_null", 2000, nothing, run_write, nothing, false, false},
    {"read_zero", 2000, nothing, run_read, nothing, false, false},
    {"sched_yield", 2000, nothing, run_yield, nothing, false, false},
    {"mmap_munmap", 500, nothing, run_map, nothing, false, false},
    {"page_fault", PAGES, begin_pages, run_touch, end_pages, true, false},
    {"page_fill", PAGES, begin_pages, run_fill, end_pages, true, false},
    {"copy_on_write", PAGES, begin_shared_ready, run_touch, end_shared, true, false},
    {"pipe_round_trip", 500, begin_echo, run_echo, partner_end, false, false},
    {"fork_exit_wait", 50, nothing, run_fork, nothing, false, false},
    {"vfork_exec_wait", 50, nothing, run_exec, nothing, false, false},
    {"pipe_64k", 100, begin_stream, run_stream, partner_end, false, false},
    {"frame", 3200, begin_frames, run_frame, end_frames, false, true},
    {"frames", 6400, begin_frames, run_frames, end_frames, false, true},
};

/* ---- measuring ---- */

struct sample {
    uint64_t ticks, ns;
    uint64_t switches, entries; /* 0 without /proc/keel */
    uint64_t idle;              /* ns that the machine had nothing to do, in steps of 10 ms; devices alone */
};

uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t counter(const char *text, const char *name) {
    const char *found = strstr(text, name);
    return found ? strtoull(found + strlen(name), NULL, 10) : 0;
}

__attribute__((noinline)) static void counters_read(struct sample *sample) {
    static char text[16384];
    int fd = open("/proc/keel", O_RDONLY);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[length < 0 ? 0 : length] = 0;
    if (fd >= 0)
        close(fd);
    sample->switches = counter(text, "\npage_table_switches ");
    sample->entries = counter(text, "\nkernel_entries ");
}

/* Time that passes while a device works is no instructions of anybody. */
static uint64_t idle_read(void) {
    static char text[256];
    unsigned long long idle = 0, waiting = 0;
    int fd = open("/proc/stat", O_RDONLY);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[length < 0 ? 0 : length] = 0;
    if (fd >= 0)
        close(fd);
    check(sscanf(text, "cpu %*u %*u %*u %llu %llu", &idle, &waiting) == 2, "/proc/stat");
    return (idle + waiting) * IDLE_STEP_NS;
}

/* What a batch took. count 0 measures the measuring. */
static struct sample batch_run(const struct operation *operation, unsigned count) {
    struct sample before, after;
    if (operation->once)
        operation->begin();
    counters_read(&before);
    before.ns = now_ns();
    before.ticks = __rdtsc();
    operation->run(count);
    after.ticks = __rdtsc();
    after.ns = now_ns();
    counters_read(&after);
    if (operation->once)
        operation->end();
    return (struct sample){after.ticks - before.ticks, after.ns - before.ns, after.switches - before.switches,
                           after.entries - before.entries, 0};
}

uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Each figure on its own: what a timer interrupt adds to one is not in all. */
static void sample_least(struct sample *least_so_far, const struct sample *other) {
    least_so_far->ticks = least(least_so_far->ticks, other->ticks);
    least_so_far->ns = least(least_so_far->ns, other->ns);
    least_so_far->switches = least(least_so_far->switches, other->switches);
    least_so_far->entries = least(least_so_far->entries, other->entries);
}

static uint64_t over(uint64_t value, uint64_t base) {
    return value > base ? value - base : 0;
}

/* Operations on devices: the mean of all batches, without the time in which nothing ran. */
static void device_measure(const struct operation *operation) {
    double count = (double)operation->count * BATCHES;
    struct sample before = {0}, after = {0};
    operation->begin();
    operation->run(operation->count / BATCHES);
    counters_read(&before);
    before.idle = idle_read();
    before.ns = now_ns();
    before.ticks = __rdtsc();
    for (unsigned i = 0; i < BATCHES; i++)
        operation->run(operation->count);
    after.ticks = __rdtsc();
    after.ns = now_ns();
    after.idle = idle_read();
    counters_read(&after);
    operation->end();
    printf("%s %.1f %.1f", operation->name,
           (double)over(after.ticks - before.ticks, after.idle - before.idle) / count,
           (double)(after.ns - before.ns) / count);
    if (!after.entries)
        puts(" - -");
    else
        printf(" %.2f %.2f\n", (double)(after.switches - before.switches) / count,
               (double)(after.entries - before.entries) / count);
}

static void operation_measure(const struct operation *operation) {
    struct sample best = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0}, empty = best;

    if (!operation->once)
        operation->begin();
    for (unsigned i = 0; i < BATCHES; i++) {
        struct sample none = batch_run(operation, 0), full = batch_run(operation, operation->count);
        sample_least(&empty, &none);
        sample_least(&best, &full);
    }
    if (!operation->once)
        operation->end();

    double count = operation->count;
    printf("%s %.1f %.1f", operation->name, (double)over(best.ticks, empty.ticks) / count,
           (double)over(best.ns, empty.ns) / count);
    if (!best.entries)
        puts(" - -");
    else
        printf(" %.2f %.2f\n", (double)over(best.switches, empty.switches) / count,
               (double)over(best.entries, empty.entries) / count);
}

static bool wanted(const char *name, bool device, char **names) {
    if (!*names)
        return !device;
    for (; *names; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

/* Starts again with nothing at random places: one stack in twenty lies so that each fork copies a page more.
 */
static void places_fix(char **argv) {
    check(personality(ADDR_NO_RANDOMIZE) >= 0, "personality");
    execv(argv[0], argv);
    die("execv");
}

int main(int argc, char **argv) {
    uint64_t start = __rdtsc();

    if (argc > 1 && strcmp(argv[1], "--exit") == 0)
        return 0;
    setvbuf(stdout, NULL, _IONBF, 0);
    if (!(personality(PERSONALITY_ASK) & ADDR_NO_RANDOMIZE)) {
        printf("start %llu\n", (unsigned long long)start);
        places_fix(argv);
    }
    self = argv[0];
    null_fd = open("/dev/null", O_WRONLY);
    zero_fd = open("/dev/zero", O_RDONLY);
    check(null_fd >= 0 && zero_fd >= 0, "/dev");
    bool two = argc > 1 && strcmp(argv[1], "--two") == 0;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (!wanted(operations[i].name, operations[i].device, argv + 1 + two))
            continue;
        if (two)
            operation_measure_two(&operations[i]);
        else if (operations[i].device)
            device_measure(&operations[i]);
        else
            operation_measure(&operations[i]);
    }
    return 0;
}
