/* See linux_arguments.h. */
#include "tests/fuzz/linux_arguments.h"

#include "linux/abi/fcntl.h"
#include "linux/abi/ipc.h"
#include "linux/abi/signal.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "tests/host/guest/guest.h"

#include <string.h>

enum {
    SLOTS = 12,
    SLOT_SIZE = 8192,
    UNIVERSAL = 0xe8 /* an argument byte from here on asks for any value */
};

uint8_t next_byte(struct cursor *cursor) {
    if (cursor->at < cursor->end)
        return *cursor->at++;
    cursor->random = cursor->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint8_t)(cursor->random >> 40);
}

uint64_t next_word(struct cursor *cursor, unsigned bytes) {
    uint64_t word = 0;
    for (unsigned i = 0; i < bytes; i++)
        word = word << 8 | next_byte(cursor);
    return word;
}

/* ---- what arguments are made of ---- */

static const uint64_t extremes[] = {0,
                                    1,
                                    2,
                                    3,
                                    4,
                                    7,
                                    8,
                                    16,
                                    63,
                                    64,
                                    127,
                                    128,
                                    255,
                                    256,
                                    511,
                                    512,
                                    1023,
                                    1024,
                                    4095,
                                    4096,
                                    4097,
                                    8192,
                                    65535,
                                    65536,
                                    1 << 20,
                                    INT32_MAX,
                                    (uint64_t)INT32_MIN,
                                    UINT32_MAX,
                                    1ULL << 32,
                                    INT64_MAX,
                                    (uint64_t)INT64_MIN,
                                    UINT64_MAX,
                                    UINT64_MAX - 4094,
                                    UINT64_MAX - 4095,
                                    GUEST_UNMAPPED,
                                    GUEST_UNMAPPED + 1,
                                    GUEST_READ_ONLY,
                                    GUEST_READ_ONLY + 4090,
                                    GUEST_SCRATCH - 8,
                                    GUEST_SCRATCH + GUEST_SCRATCH_SIZE - 1,
                                    GUEST_SCRATCH + GUEST_SCRATCH_SIZE - 8,
                                    GUEST_SCRATCH + GUEST_SCRATCH_SIZE - 4096,
                                    GUEST_END - 1,
                                    GUEST_END - 8,
                                    GUEST_END - 4096,
                                    GUEST_END,
                                    GUEST_END + 4096,
                                    0x00007fffffffe000ULL,
                                    0x0000800000000000ULL,
                                    0xffff800000000000ULL,
                                    0xffffffff80000000ULL,
                                    (uint64_t)AT_FDCWD,
                                    (uint64_t)-2,
                                    0x8000,
                                    0x80000,
                                    0x10000};

/* Names that may be made, changed and removed; then places to look at. */
enum { NAMES_OWN = 26 };
static const char *const names[] = {
    "a",
    "b",
    "c",
    "d",
    "d/a",
    "d/b",
    "d/d",
    "d/d/a",
    "d/",
    "a/",
    "./a",
    "d/../b",
    "../w/c",
    "l",
    "l/a",
    "loop1",
    "loop2",
    "/tmp/w/a",
    "/tmp/w/d",
    "",
    ".",
    "..",
    "a//",
    "nonexistent/a",
    "d/./../d//a/.",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "/",
    "/tmp",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/console",
    "/dev/ptmx",
    "/dev/pts/0",
    "/dev/pts/1",
    "/dev/pts",
    "/dev/fd/3",
    "/dev/stdin",
    "/dev/shm/a",
    "/proc",
    "/proc/self",
    "/proc/self/fd/3",
    "/proc/self/fd/4",
    "/proc/self/fd",
    "/proc/self/fdinfo/3",
    "/proc/self/attr/current",
    "/proc/self/attr/exec",
    "/proc/self/maps",
    "/proc/self/status",
    "/proc/self/stat",
    "/proc/self/statm",
    "/proc/self/cmdline",
    "/proc/self/environ",
    "/proc/self/comm",
    "/proc/self/exe",
    "/proc/self/cwd",
    "/proc/self/root",
    "/proc/self/task",
    "/proc/self/limits",
    "/proc/self/mounts",
    "/proc/self/mountinfo",
    "/proc/self/mem",
    "/proc/self/auxv",
    "/proc/thread-self/stat",
    "/proc/1/status",
    "/proc/1/fd",
    "/proc/2/stat",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/version",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/mounts",
    "/proc/keel",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/random/uuid",
    "/proc/sys/kernel/pid_max",
    "/bin/program",
    "/bin/script",
    "/bin/broken"};
enum { NAMES = sizeof(names) / sizeof(names[0]), EXTREMES = sizeof(extremes) / sizeof(extremes[0]) };

/* Writes to guest memory unless the program itself took it away. */
static void poke(uint64_t to, const void *from, size_t length) {
    for (size_t i = 0; i < length; i++) {
        uint8_t *byte;
        if (host_attached() && !host_space_byte_any(host_attached(), to + i, true, &byte))
            *byte = ((const uint8_t *)from)[i];
    }
}

static uint64_t slot(unsigned number) {
    return GUEST_SCRATCH + 0x10000 + (uint64_t)(number % SLOTS) * SLOT_SIZE;
}

/* The texts stand in the first pages of the scratch memory. */
static uint64_t name_address(struct cursor *cursor, unsigned count) {
    uint64_t address = GUEST_SCRATCH;
    unsigned wanted = next_byte(cursor) % count;
    for (unsigned i = 0; i < wanted; i++)
        address += strlen(names[i]) + 1;
    poke(address, names[wanted], strlen(names[wanted]) + 1);
    return address;
}

/* A structure of 64-bit words. */
static uint64_t words_in(struct cursor *cursor, const uint64_t *words, unsigned count) {
    uint64_t address = slot(next_byte(cursor));
    poke(address, words, count * sizeof(*words));
    return address;
}

static uint64_t small_number(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    return byte < 200 ? byte % 24 : extremes[byte % EXTREMES];
}

static uint64_t time_in(struct cursor *cursor, unsigned times) {
    static const uint64_t seconds[] = {0, 0, 0, 1, 2, 30, 1000, UINT64_MAX, INT64_MAX, 1ULL << 40};
    static const uint64_t parts[] = {0, 0, 1, 1000, 999999, 1000000, 999999999, 1000000000, UINT64_MAX};
    uint64_t words[8];
    for (unsigned i = 0; i < times; i++) {
        words[2 * i] = seconds[next_byte(cursor) % 10];
        words[2 * i + 1] = parts[next_byte(cursor) % 9];
    }
    return words_in(cursor, words, 2 * times);
}

static uint64_t vector_in(struct cursor *cursor) {
    uint64_t words[16];
    for (unsigned i = 0; i < 8; i++) {
        uint8_t byte = next_byte(cursor);
        words[2 * i] = byte < 200 ? slot(byte) + byte : extremes[byte % EXTREMES];
        words[2 * i + 1] = byte % 3 ? byte * 7 : extremes[next_byte(cursor) % EXTREMES];
    }
    return words_in(cursor, words, 16);
}

/* argv, envp: pointers to texts, then NULL. */
static uint64_t strings_in(struct cursor *cursor) {
    uint64_t words[4] = {name_address(cursor, NAMES), name_address(cursor, NAMES), 0, 0};
    return words_in(cursor, words, 4);
}

static uint64_t flags(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    uint64_t value = 0;
    if (byte < 64)
        return byte % 8;
    for (unsigned i = 0; i < byte / 64U; i++)
        value |= 1ULL << next_byte(cursor) % 32;
    return value;
}

static uint64_t pid(struct cursor *cursor) {
    const struct task *task = task_current();
    int64_t values[] = {0,
                        task->process->pid,
                        task->tid,
                        task->process->pid + 1,
                        task->process->pid + 2,
                        -task->process->pid,
                        -1,
                        -task->process->pid - 1,
                        99999,
                        task->process->pid - 1};
    int64_t value = values[next_byte(cursor) % 10];
    return value == 1 ? 0 : (uint64_t)value;
}

static uint64_t signal_set(struct cursor *cursor) {
    uint64_t set = 1ULL << next_byte(cursor) % 64 | 1ULL << next_byte(cursor) % 64;
    return words_in(cursor, &set, 1);
}

void on_signal(int signo, uint64_t info, uint64_t context) {
    (void)signo, (void)info, (void)context;
}

static uint64_t action_in(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    uint64_t words[4] = {byte < 100 ? guest_handler_address(on_signal) : byte % 3, 0x04000000,
                         guest_restorer(), 0};
    words[1] |= byte & 1 ? 0x10000000 : 0; /* SA_RESTART */
    words[1] |= byte & 2 ? 0x40000004 : 0; /* SA_NODEFER, SA_SIGINFO */
    words[1] |= byte & 4 ? 0x08000000 : 0; /* SA_ONSTACK */
    words[1] |= byte & 8 ? flags(cursor) : 0;
    words[3] = byte & 16 ? UINT64_MAX : 0;
    return words_in(cursor, words, 4);
}

static uint64_t address(struct cursor *cursor) {
    static const uint64_t bases[] = {0,          GUEST_SCRATCH,  GUEST_READ_ONLY, 0x40000000, 0x40001000,
                                     0x40010000, GUEST_UNMAPPED, GUEST_STACK,     0x50000000};
    uint64_t base = bases[next_byte(cursor) % 9];
    return base + (base == GUEST_SCRATCH ? 0x20000 : 0) + (next_byte(cursor) & 7) * PAGE_SIZE;
}

static uint64_t descriptor(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    return byte < 240 ? byte % 15 : extremes[byte % EXTREMES];
}

/* Fills a slot with bytes of the input. */
uint64_t bytes_in(struct cursor *cursor) {
    uint8_t bytes[32];
    unsigned length = next_byte(cursor) % sizeof(bytes);
    uint64_t to = slot(next_byte(cursor));
    for (unsigned i = 0; i < length; i++)
        bytes[i] = next_byte(cursor);
    poke(to, bytes, length);
    return to;
}

static uint64_t size_of(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    return byte < 128 ? byte : byte < 224 ? (uint64_t)(byte - 127) * 512 : extremes[byte % EXTREMES];
}

/* One of a list of 64-bit values. */
#define ONE_OF(cursor, ...)                                                                                  \
    ({                                                                                                       \
        static const uint64_t list_[] = {__VA_ARGS__};                                                       \
        list_[next_byte(cursor) % (sizeof(list_) / sizeof(list_[0]))];                                       \
    })

static uint64_t ioctl_command(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    if (byte < 160)
        return 0x5401 + byte % 0x62;
    return ONE_OF(cursor, 0x80045430, 0x40045431, 0x80045432, 0x80045438, 0x80045439, 0x40045436, 0x802c542a,
                  0x402c542b, 0x402c542c, 0x402c542d, 0x80045440, 0x5437, 0x5441, 0x541b, 0x5421);
}

static uint64_t fcntl_command(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    return byte < 180 ? byte % 17 : byte < 210 ? 36 + byte % 3 : 1024 + byte % 16;
}

static uint64_t open_flags(struct cursor *cursor) {
    uint64_t value = next_byte(cursor) & 3;
    return value | ONE_OF(cursor, 0, 0, O_CREAT, O_CREAT, O_CREAT | O_EXCL, O_CREAT | O_TRUNC, O_TRUNC,
                          O_DIRECTORY, O_NOFOLLOW, O_PATH, O_PATH | O_NOFOLLOW, O_TMPFILE, O_APPEND | O_CREAT,
                          O_NONBLOCK, O_NONBLOCK | O_NOCTTY, O_CLOEXEC);
}

static uint64_t clone_flags(struct cursor *cursor) {
    return ONE_OF(cursor, 17, 17, 0x4111, 0x4100, 0x3d0f00, 0x3d0f00, 0x10f00, 0x50f00, 0x100, 0x900, 0x8011,
                  0x200011, 0x1200011, 0x400, 0x200, 0x611, 0x80, 0x1100011, 0x100000000, 0x80000000);
}

static uint64_t polls_in(struct cursor *cursor) {
    uint64_t words[6];
    for (unsigned i = 0; i < 6; i++) {
        uint64_t fd = descriptor(cursor) & UINT32_MAX;
        words[i] = fd | (uint64_t)next_byte(cursor) << 32;
    }
    return words_in(cursor, words, 6);
}

static uint64_t epoll_event_in(struct cursor *cursor) {
    uint64_t words[2] = {
        next_byte(cursor) | ONE_OF(cursor, 0, 1U << 31, 1U << 30, 1U << 29, 1U << 28) | 5ULL << 32, 7};
    return words_in(cursor, words, 2);
}

static uint64_t lock_in(struct cursor *cursor) {
    uint64_t words[4] = {next_byte(cursor) % 4 | (uint64_t)(next_byte(cursor) % 4) << 16,
                         small_number(cursor), small_number(cursor), 0};
    return words_in(cursor, words, 4);
}

static uint64_t how_in(struct cursor *cursor) {
    uint64_t words[3] = {open_flags(cursor), next_byte(cursor), ONE_OF(cursor, 0, 1, 2, 4, 8, 16, 32, 64)};
    return words_in(cursor, words, 3);
}

static uint64_t clone_arguments_in(struct cursor *cursor) {
    uint64_t chosen = clone_flags(cursor);
    uint64_t words[11] = {chosen & ~255ULL, slot(1), slot(2), slot(3), chosen & 255, 0, 0, slot(4)};
    if (next_byte(cursor) & 1) {
        words[5] = slot(5);
        words[6] = SLOT_SIZE;
    }
    return words_in(cursor, words, 11);
}

static uint64_t socket_address_in(struct cursor *cursor) {
    uint8_t bytes[24] = {1, 0};
    uint8_t byte = next_byte(cursor);
    bytes[2] = byte & 1 ? 0 : 's';
    bytes[3] = 'a' + byte % 3;
    uint64_t to = slot(next_byte(cursor));
    poke(to, bytes, sizeof(bytes));
    return to;
}

/* msghdr with one control message of descriptors. */
static uint64_t message_in(struct cursor *cursor) {
    uint64_t control[3] = {16 + 4 * (next_byte(cursor) % 3), 1 | (uint64_t)(1 + next_byte(cursor) % 2) << 32,
                           descriptor(cursor) & UINT32_MAX};
    uint64_t words[7] = {
        0, 0, vector_in(cursor), next_byte(cursor) % 9, words_in(cursor, control, 3), next_byte(cursor) % 32,
        0};
    if (next_byte(cursor) & 1) {
        words[0] = socket_address_in(cursor);
        words[1] = next_byte(cursor) % 32;
    }
    return words_in(cursor, words, 7);
}

uint64_t ipc_id;
const char *const queue_names[QUEUE_NAMES] = {"q", "r", "s", "longer"};

static uint64_t queue_name_in(struct cursor *cursor) {
    static const char *const bad[] = {"", ".", "a/b", "/q"};
    uint8_t byte = next_byte(cursor);
    const char *name = byte < 230 ? queue_names[byte % QUEUE_NAMES] : bad[byte % 4];
    uint64_t to = slot(next_byte(cursor));
    poke(to, name, strlen(name) + 1);
    return to;
}

static uint64_t queue_attributes_in(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    uint64_t words[8] = {byte & 64 ? O_NONBLOCK : 0, byte % 4, 1 + byte % 50};
    if (byte >= 240)
        words[byte % 3] = next_word(cursor, 8);
    return byte < 40 ? 0 : words_in(cursor, words, 8);
}

static uint64_t notification_in(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    bool thread = byte % 4 == 2;
    uint64_t signo = thread ? descriptor(cursor) : byte < 240 ? SIGUSR1 : byte % 80;
    uint64_t words[8] = {slot(byte), (signo & UINT32_MAX) | (uint64_t)(byte % 4) << 32};
    return byte < 30 ? 0 : words_in(cursor, words, 8);
}

static uint64_t ipc_flags(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    return 0600 | (byte & 1 ? 0 : IPC_CREAT) | (byte & 2 ? IPC_NOWAIT : 0) | (byte & 4 ? MSG_NOERROR : 0) |
           (byte >= 200 ? 1ULL << byte % 20 : 0);
}

static uint64_t semaphore_operations_in(struct cursor *cursor) {
    struct sembuf16 operations[24];
    uint64_t to = slot(next_byte(cursor));
    for (unsigned i = 0; i < 24; i++) {
        uint8_t byte = next_byte(cursor);
        operations[i] = (struct sembuf16){byte % 4, (int16_t)(byte / 4 % 8 - 4), 0};
        operations[i].flags = (int16_t)((byte & 32 ? SEM_UNDO : 0) | (byte & 64 ? IPC_NOWAIT : 0));
        if (byte >= 250)
            operations[i].change = (int16_t)next_word(cursor, 2);
    }
    poke(to, operations, sizeof(operations));
    return to;
}

static uint64_t typed_message_in(struct cursor *cursor) {
    uint64_t words[4] = {next_byte(cursor) % 5, next_byte(cursor), 0, 0};
    return words_in(cursor, words, 4);
}

/* Kinds that are made by a function of their own. */
static uint64_t (*const makers[128])(struct cursor *) = {
    ['f'] = descriptor,
    ['c'] = bytes_in,
    ['s'] = size_of,
    ['i'] = small_number,
    ['g'] = flags,
    ['a'] = address,
    ['v'] = vector_in,
    ['V'] = strings_in,
    ['P'] = pid,
    ['m'] = signal_set,
    ['A'] = action_in,
    ['I'] = ioctl_command,
    ['C'] = fcntl_command,
    ['N'] = open_flags,
    ['K'] = clone_flags,
    ['O'] = polls_in,
    ['E'] = epoll_event_in,
    ['R'] = how_in,
    ['3'] = clone_arguments_in,
    ['u'] = socket_address_in,
    ['M'] = message_in,
    ['w'] = ipc_flags,
    ['W'] = semaphore_operations_in,
    ['G'] = typed_message_in,
    ['n'] = queue_name_in,
    ['H'] = queue_attributes_in,
    ['e'] = notification_in,
};

/* The others, of one byte of the input, or that and a few more. */
static uint64_t value_of(struct cursor *cursor, char kind, uint8_t byte) {
    switch (kind) {
    case 'd':
        return byte < 128 ? (uint64_t)AT_FDCWD : descriptor(cursor);
    case 'p':
        return name_address(cursor, NAMES);
    case 'q':
        return name_address(cursor, NAMES_OWN);
    case 'b':
        return slot(byte);
    case 'z':
        return byte < 100 ? 0 : slot(byte);
    case 'o':
        return byte < 128 ? next_word(cursor, 2) : small_number(cursor);
    case 'l':
        return (next_byte(cursor) & 31) * PAGE_SIZE;
    case 'S':
        return byte < 200 ? byte % 66 : SIGUSR1;
    case 't':
        return byte < 40 ? 0 : time_in(cursor, 1);
    case 'T':
        return byte < 40 ? 0 : time_in(cursor, 2);
    case 'U':
        return byte % 14 | (byte & 16 ? 128U : 0) | (byte & 32 ? 256U : 0);
    case 'Q':
        return byte < 150 ? byte % 72 : byte;
    case 'X':
        return byte & 1 ? lock_in(cursor) : small_number(cursor);
    case 'Y':
        return byte < 200 ? 1 : byte % 20;
    case 'y':
        return byte % 6 | (byte & 64 ? 0x800U : 0) | (byte & 32 ? 0x80000U : 0);
    case 'j':
        return byte < 200 ? ipc_id : byte % 8;
    case 'J':
        return byte % 21;
    case '0':
        return 0;
    case '8':
        return 8;
    default:
        return byte < 100 ? byte : next_word(cursor, 4);
    }
}

uint64_t argument(struct cursor *cursor, char kind) {
    uint8_t byte = next_byte(cursor);
    if (byte >= UNIVERSAL)
        return byte == 0xff ? next_word(cursor, 8) : extremes[next_byte(cursor) % EXTREMES];
    return makers[kind & 127] ? makers[kind & 127](cursor) : value_of(cursor, kind, byte);
}
