/*
 * The fuzzer's workers: each makes one random class 1 call after the other until its job is killed. Arguments
 * mostly have the shape that the call expects, so that calls succeed and interact, and sometimes none at all.
 * Calls that are new in abi/syscalls.def are made too, with arguments of every kind.
 *
 * Runs at an address other than the one it was linked at, without musl: nothing here may need an absolute
 * address (compiled as position-independent code; no pointers in tables).
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "abi/ipc.h"
#include "abi/objects.h"
#include "tests/native/kfuzz.h"

enum { KNOWN = 8, TYPES = 16, PAGE = 4096, ARENA_PAGES = 256, SCRATCH = 1024, SHAPE = 7, US = 1000 };

/* ---- the table of calls ---- */

enum {
    SELF_NONE = 0,
#define OBJECT(name, number) SELF_##name = (number),
#include "abi/objects.def"
#undef OBJECT
    SELF_ANY = 0x10,
    SELF_OWN = 0x20,
    SELF_JOB_OR_OWN = SELF_OWN | OBJECT_JOB,
    SELF_SPACE_OR_OWN = SELF_OWN | OBJECT_SPACE,
    SELF_THREAD_OR_OWN = SELF_OWN | OBJECT_THREAD,
    SELF_PROCESS_OR_OWN = SELF_OWN | OBJECT_PROCESS,
};

enum call {
#define CALL(index, name, arguments, self, right, text) CALL_##name = (index),
#include "abi/syscalls.def"
#undef CALL
};

static const uint8_t selves[FUZZ_CALLS] = {
#define CALL(index, name, arguments, self, right, text) [index] = SELF_##self,
#include "abi/syscalls.def"
#undef CALL
};

static const bool exists[FUZZ_CALLS] = {
#define CALL(index, name, arguments, self, right, text) [index] = true,
#include "abi/syscalls.def"
#undef CALL
};

/* The expected arguments, a letter each: see argument(). The first one is chosen by its type where the table
 * of calls knows it. A call without a shape gets arguments of any kind. */
static const char shapes[FUZZ_CALLS][SHAPE] = {
    [CALL_handle_create] = "tyyy", [CALL_handle_close] = "h",      [CALL_handle_duplicate] = "hr",
    [CALL_vmo_create] = "sb",      [CALL_vmo_read] = "hspl",       [CALL_vmo_write] = "hspl",
    [CALL_process_create] = "jpn", [CALL_thread_create] = "hxxxx", [CALL_handle_revoke] = "h",
    [CALL_channel_create] = "p",   [CALL_channel_read] = "hpppd",  [CALL_channel_write] = "hplpn",
    [CALL_object_info] = "hpl",    [CALL_object_bind] = "hPx",     [CALL_vmo_snapshot] = "h",
    [CALL_vmo_resize] = "hs",      [CALL_vmo_discard] = "hOL",     [CALL_space_create] = "j",
    [CALL_space_map] = "haVOLf",   [CALL_space_unmap] = "haL",     [CALL_space_protect] = "haLf",
    [CALL_space_clone] = "hj",     [CALL_space_move] = "haLa",     [CALL_thread_exit] = "p",
    [CALL_process_exit] = "n",     [CALL_task_kill] = "hn",        [CALL_thread_wait] = "d",
    [CALL_thread_set] = "hnn",     [CALL_guest_attach] = "S",      [CALL_guest_enter] = "n",
    [CALL_port_call] = "hm",       [CALL_port_receive] = "hd",     [CALL_port_send] = "hxxx",
    [CALL_event_wait] = "hd",      [CALL_timer_set] = "hdd",       [CALL_io_read] = "hiw",
    [CALL_io_write] = "hiwx",      [CALL_log_read] = "hspl",       [CALL_job_limit] = "hlllc",
    [CALL_thread_suspend] = "hn",  [CALL_dma_create] = "hzA",
};

static const uint8_t given_types[] = {OBJECT_NONE,
#define GIVE(name, type) type,
                                      FUZZ_GIVEN(GIVE)
#undef GIVE
};

/* ---- a worker ---- */

struct registers {
    uint64_t rax, rdi, rsi, rdx, r10, r8, r9, rbx, r12, r13, r14, r15;
};

struct worker {
    uint64_t random;
    struct fuzz_board *board;
    struct utcb *utcb;
    handle_t known[TYPES][KNOWN]; /* what calls returned, by type; 0: none */
    uint64_t latest_type;         /* of the handle chosen last */
    uint64_t mood;                /* a call that it makes every other time for a while */
    handle_t list[KNOWN];         /* for process_create and channels */
};

char fuzz_stacks[FUZZ_STACKS][FUZZ_STACK_SIZE] __attribute__((aligned(16)));
static uint64_t scratch[SCRATCH];
static _Atomic uint64_t stacks_used = 4; /* the supervisor starts the first */

int64_t fuzz_syscall(struct registers *registers);
int64_t fuzz_int80(struct registers *registers);
bool fuzz_touch(struct utcb *utcb, uint64_t address, bool write);

__asm__(".pushsection .text\n"
        ".macro fuzz_entry name, instruction\n"
        ".globl \\name\n"
        ".type \\name, @function\n"
        "\\name:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "mov %rdi, %rbp\n"
        "mov 0(%rbp), %rax; mov 8(%rbp), %rdi; mov 16(%rbp), %rsi; mov 24(%rbp), %rdx\n"
        "mov 32(%rbp), %r10; mov 40(%rbp), %r8; mov 48(%rbp), %r9; mov 56(%rbp), %rbx\n"
        "mov 64(%rbp), %r12; mov 72(%rbp), %r13; mov 80(%rbp), %r14; mov 88(%rbp), %r15\n"
        "\\instruction\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "ret\n"
        ".endm\n"
        "fuzz_entry fuzz_syscall, syscall\n"
        "fuzz_entry fuzz_int80, \"int $0x80\"\n"
        /* fuzz_touch: a fault that cannot be resolved continues at 1 */
        ".globl fuzz_touch\n"
        ".type fuzz_touch, @function\n"
        "fuzz_touch:\n"
        "lea 1f(%rip), %rax\n"
        "mov %rax, 176(%rdi)\n"
        "xor %eax, %eax\n"
        "test %edx, %edx\n"
        "jz 2f\n"
        "movb $1, (%rsi)\n"
        "jmp 1f\n"
        "2: movb (%rsi), %cl\n"
        "1: movq $0, 176(%rdi)\n"
        "test %rax, %rax\n"
        "sete %al\n"
        "ret\n"
        ".popsection\n"
        ".pushsection .rodata\n"
        ".balign 16\n"
        ".globl fuzz_guest_code, fuzz_guest_code_end\n"
        "fuzz_guest_code:\n"
        "1: syscall; jmp 1b\n"
        ".balign 16\n"
        "1: int $0x80; jmp 1b\n"
        ".balign 16\n"
        "mov (%rdi), %rcx; syscall; hlt\n"
        ".balign 16\n"
        "mov %rax, (%rdi); syscall; hlt\n"
        ".balign 16\n"
        "hlt\n"
        ".balign 16\n"
        "ud2\n"
        ".balign 16\n"
        "push %rax; pop (%rdi); syscall; hlt\n"
        ".balign 16\n"
        "jmp .\n"
        "fuzz_guest_code_end:\n"
        ".popsection\n");

_Static_assert(offsetof(struct utcb, fixup_rip) == 176, "fuzz_touch");

/* ---- chance ---- */

/* xorshift64*: any number but 0 may be the seed. */
static uint64_t random_next(struct worker *worker) {
    worker->random ^= worker->random >> 12;
    worker->random ^= worker->random << 25;
    worker->random ^= worker->random >> 27;
    return worker->random * 0x2545f4914f6cdd1dULL;
}

static uint64_t random_below(struct worker *worker, uint64_t limit) {
    return (random_next(worker) >> 32) % limit;
}

static bool chance(struct worker *worker, uint64_t one_in) {
    return !random_below(worker, one_in);
}

static uint64_t now(const struct worker *worker) {
    const struct utcb_clock *clock = &worker->board->clock;
    return (uint64_t)((unsigned __int128)(__builtin_ia32_rdtsc() - clock->tsc_base) * clock->mult >> 32);
}

/* Numbers at which something ends. */
static uint64_t odd_number(struct worker *worker) {
    uint64_t number = 1ULL << random_below(worker, 64);
    switch (random_below(worker, 6)) {
    case 0:
        return number - 1;
    case 1:
        return number;
    case 2:
        return number + 1;
    case 3:
        return -number;
    case 4:
        return random_next(worker);
    default:
        return random_below(worker, 5);
    }
}

static uint64_t page_number_random(struct worker *worker) {
    return random_below(worker, chance(worker, 4) ? ARENA_PAGES : 24);
}

static uint64_t arena(struct worker *worker) {
    return (chance(worker, 3) ? FUZZ_LOW : FUZZ_ARENA) + page_number_random(worker) * PAGE;
}

static uint64_t pointer(struct worker *worker) {
    switch (random_below(worker, 24)) {
    case 0:
        return 0xffff800000000000ULL + random_below(worker, 1 << 30);
    case 1:
        return 0xffffffff80000000ULL + random_below(worker, 1 << 20);
    case 2:
        return 0x00007ffffffff000ULL - random_below(worker, 64);
    case 3:
        return UINT64_MAX - random_below(worker, 5000);
    case 4:
        return (uint64_t)(uintptr_t)fuzz_guest_code; /* read-only */
    case 5:
        return (uint64_t)(uintptr_t)worker->utcb + random_below(worker, 8192);
    case 6:
        return odd_number(worker);
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
        return (uint64_t)(uintptr_t)&scratch[random_below(worker, SCRATCH / 2)];
    default:
        return arena(worker) + random_below(worker, chance(worker, 2) ? 1 : PAGE);
    }
}

/* An address that faults as a page, if it does. */
static uint64_t canonical(uint64_t address) {
    return (uint64_t)((int64_t)(address << 16) >> 16);
}

/* ---- handles ---- */

static void handle_learn(struct worker *worker, uint64_t type, handle_t handle) {
    worker->known[type % TYPES][random_below(worker, KNOWN)] = handle;
}

/* What was closed, moved away or revoked is only used by accident from now on. */
static void handle_forget(struct worker *worker, uint64_t handle) {
    for (unsigned i = 0; i < TYPES * KNOWN; i++)
        if (worker->known[i / KNOWN][i % KNOWN] == handle)
            worker->known[i / KNOWN][i % KNOWN] = HANDLE_NONE;
}

static uint64_t handle_known(struct worker *worker, uint64_t type) {
    for (unsigned tries = 0; tries < 6; tries++) {
        handle_t handle = worker->known[type][random_below(worker, KNOWN)];
        if (handle) {
            worker->latest_type = type;
            return handle;
        }
    }
    return 0;
}

static uint64_t handle_of(struct worker *worker, uint64_t type) {
    uint64_t any = handle_known(worker, random_below(worker, OBJECT_TYPES));
    if (type == OBJECT_NONE)
        type = random_below(worker, OBJECT_TYPES);
    switch (random_below(worker, 40)) {
    case 0:
        return any ^ 1ULL << random_below(worker, 64);
    case 1:
        return random_below(worker, 64);
    case 2:
        return random_next(worker);
    case 3:
        return any;
    case 4:
    case 5:
    case 6:
        if (type == OBJECT_PORT)
            return FUZZ_PORT; /* where workers meet */
        __attribute__((fallthrough));
    default:
        any = handle_known(worker, type);
        return any ? any : random_below(worker, FUZZ_GIVEN_END);
    }
}

/* The object a call is about. */
static uint64_t handle_self(struct worker *worker, unsigned self) {
    if (self & SELF_OWN && chance(worker, 2))
        return 0;
    if (self == SELF_SPACE_OR_OWN && chance(worker, 8))
        self = OBJECT_PROCESS;
    return handle_of(worker, self & (SELF_OWN - 1) & ~(unsigned)SELF_ANY);
}

/* ---- arguments ---- */

static uint64_t deadline(struct worker *worker) {
    switch (random_below(worker, 16)) {
    case 0:
        return now(worker) + random_below(worker, 2000 * US);
    case 1:
    case 2:
    case 3:
    case 4:
        return now(worker) + random_below(worker, 100 * US);
    case 5:
        return chance(worker, 100) ? DEADLINE_NEVER : 0;
    default:
        return random_below(worker, 3);
    }
}

static uint64_t argument(struct worker *worker, char kind);

static uint64_t number_argument(struct worker *worker, char kind) {
    static const char kinds[] = "hjpslanrdmfOLV";
    switch (kind) {
    case 'r': /* rights */
        return chance(worker, 2) ? UINT64_MAX : random_next(worker);
    case 'f': /* mapping flags */
        return random_below(worker, 16);
    case 'b': /* a bit or two */
        return chance(worker, 6) ? 1 : 0;
    case 'c': /* share of the CPUs: enough to go on */
        return chance(worker, 2) ? 0 : 500 + random_below(worker, 700);
    case 'n':
        return random_below(worker, 8);
    case 'd':
        return deadline(worker);
    case 'm': /* message label */
        return IPC_LABEL(random_below(worker, 4), chance(worker, 3) ? random_below(worker, 4200) : 0,
                         chance(worker, 3) ? random_below(worker, 10) : 0);
    case 'i': /* I/O port: the harmless one and its neighbours */
        return 0x80 + random_below(worker, 2);
    case 'w':
        return 1ULL << random_below(worker, 4);
    default:
        return chance(worker, 3) ? odd_number(worker)
                                 : argument(worker, kinds[random_below(worker, sizeof kinds - 1)]);
    }
}

static uint64_t memory_argument(struct worker *worker, char kind) {
    switch (kind) {
    case 's': /* size or offset in bytes */
        return chance(worker, 20) ? odd_number(worker) : random_below(worker, 40 * PAGE);
    case 'z': /* a power of two of pages */
        return chance(worker, 20) ? odd_number(worker) : (uint64_t)PAGE << random_below(worker, 6);
    case 'A': /* limit of an address */
        return chance(worker, 2) ? 0 : odd_number(worker);
    case 'O': /* offset in pages */
        return chance(worker, 2) ? 0 : random_below(worker, 40) * PAGE;
    case 'L': /* length in pages */
        return chance(worker, 50) ? odd_number(worker) & -(uint64_t)PAGE
                                  : (1 + random_below(worker, chance(worker, 6) ? 200 : 8)) * PAGE;
    case 'a': /* page to map */
        return chance(worker, 100) ? pointer(worker) & -(uint64_t)PAGE : arena(worker);
    case 'p':
        return pointer(worker);
    case 'l': /* length in bytes */
        return chance(worker, 4) ? random_below(worker, 20000) : random_below(worker, 300);
    default:
        return number_argument(worker, kind);
    }
}

static uint64_t argument(struct worker *worker, char kind) {
    static const uint8_t created[] = {OBJECT_EVENT,     OBJECT_PORT,     OBJECT_TIMER,
                                      OBJECT_INTERRUPT, OBJECT_RESOURCE, OBJECT_JOB};
    switch (kind) {
    case 'h': /* handle */
        return handle_of(worker, OBJECT_NONE);
    case 'j':
        return chance(worker, 3) ? 0 : handle_of(worker, OBJECT_JOB);
    case 'P':
        return chance(worker, 10) ? 0 : handle_of(worker, OBJECT_PORT);
    case 'V':
        return chance(worker, 2) ? 0 : handle_of(worker, OBJECT_VMO);
    case 'S':
        return chance(worker, 4) ? 0 : handle_of(worker, OBJECT_SPACE);
    case 't': /* what handle_create makes */
        return chance(worker, 20) ? random_below(worker, 20) : created[random_below(worker, sizeof created)];
    case 'y': /* handle or small number */
        return chance(worker, 2) ? handle_of(worker, OBJECT_NONE) : random_below(worker, 70);
    default:
        return memory_argument(worker, kind);
    }
}

/* Waiting calls keep their shape: without it they would wait for ever. */
static bool call_waits(uint64_t index) {
    return index == CALL_event_wait || index == CALL_port_call || index == CALL_port_receive ||
           index == CALL_thread_wait || index == CALL_channel_read;
}

static void arguments_fill(struct worker *worker, uint64_t index, struct registers *registers) {
    bool shaped = call_waits(index) || !chance(worker, 12);
    uint64_t *to = &registers->rdi;
    for (unsigned i = 0; i < 6; i++) {
        char kind = shaped ? shapes[index][i] : 0;
        to[i] =
            i == 0 && shaped && selves[index] ? handle_self(worker, selves[index]) : argument(worker, kind);
    }
    registers->rbx = 0;
    if (index == CALL_port_call)
        registers->rbx = now(worker) + random_below(worker, 200 * US);
    if (index == CALL_port_receive && !chance(worker, 10))
        registers->rbx = IPC_REPLY | argument(worker, 'm');
}

/* ---- what particular calls need beforehand ---- */

static int64_t call(uint64_t index, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
    struct registers registers = {
        .rax = 0x1000 | index, .rdi = a, .rsi = b, .rdx = c, .r10 = d, .r8 = e, .r9 = f};
    return fuzz_syscall(&registers);
}

/* Copies of a few handles, for the new process to take. */
static void prepare_process(struct worker *worker, struct registers *registers) {
    uint64_t count = random_below(worker, KNOWN);
    for (uint64_t i = 0; i < count; i++) {
        int64_t copy = call(CALL_handle_duplicate, handle_of(worker, OBJECT_NONE), UINT64_MAX, 0, 0, 0, 0);
        worker->list[i] = copy > 0 ? (handle_t)copy : FUZZ_NONE;
    }
    registers->rsi = (uint64_t)(uintptr_t)worker->list;
    registers->rdx = count;
}

/* Mostly another worker. */
static void prepare_thread(struct worker *worker, struct registers *registers) {
    uint64_t slot = atomic_fetch_add(&stacks_used, 1);
    registers->rsi = (uint64_t)(uintptr_t)fuzz_worker;
    registers->rdx = (uint64_t)(uintptr_t)(fuzz_stacks[slot % FUZZ_STACKS] + FUZZ_STACK_SIZE - 8);
    registers->r10 = slot;
    registers->r8 = FUZZ_UTCBS + slot * FUZZ_UTCB_STRIDE;
    if (slot >= FUZZ_STACKS || chance(worker, 30))
        registers->rsi = arena(worker);
}

static void prepare_guest(struct worker *worker) {
    struct guest_registers *guest = &worker->utcb->guest;
    uint64_t entry = random_below(worker, chance(worker, 50) ? 8 : 7);
    guest->rip = chance(worker, 30) ? pointer(worker) : FUZZ_CODE + entry * 16;
    guest->rsp = arena(worker) + 64;
    guest->rdi = pointer(worker);
    guest->rax = random_below(worker, 400);
    guest->rflags = random_next(worker);
}

static void prepare_create(struct worker *worker, struct registers *registers) {
    if (registers->rdi == OBJECT_INTERRUPT) {
        registers->rsi = FUZZ_IRQ;
        registers->rdx = 5;
    } else if (registers->rdi == OBJECT_RESOURCE) {
        registers->rsi = FUZZ_IOPORT;
        registers->rdx = (uint64_t)RESOURCE_IOPORT << 56 | 0x80;
        registers->r10 = random_below(worker, 2);
    }
}

static void prepare(struct worker *worker, uint64_t index, struct registers *registers) {
    if (index == CALL_handle_create && !chance(worker, 4))
        prepare_create(worker, registers);
    if (index == CALL_process_create && !chance(worker, 5))
        prepare_process(worker, registers);
    if (index == CALL_thread_create && !chance(worker, 5))
        prepare_thread(worker, registers);
    if (index == CALL_guest_enter)
        prepare_guest(worker);
    if (index == CALL_channel_create && !chance(worker, 4))
        registers->rdi = (uint64_t)(uintptr_t)worker->list;
    if (index == CALL_channel_write && !chance(worker, 3)) {
        registers->r10 = (uint64_t)(uintptr_t)worker->list;
        worker->list[0] = (handle_t)handle_of(worker, OBJECT_NONE);
        registers->r8 = random_below(worker, 2);
    }
    for (unsigned i = 0; i < 8; i++)
        worker->utcb->handles[i] = (handle_t)handle_of(worker, OBJECT_NONE);
}

/* ---- results ---- */

static uint64_t type_made(struct worker *worker, uint64_t index, const struct registers *registers) {
    switch (index) {
    case CALL_handle_create:
        return registers->rdi;
    case CALL_handle_duplicate:
        return worker->latest_type;
    case CALL_vmo_create:
    case CALL_vmo_snapshot:
    case CALL_vmo_physical:
        return OBJECT_VMO;
    case CALL_process_create:
        return OBJECT_PROCESS;
    case CALL_thread_create:
        return OBJECT_THREAD;
    case CALL_space_create:
    case CALL_space_clone:
        return OBJECT_SPACE;
    default:
        return OBJECT_NONE;
    }
}

static void result_use(struct worker *worker, uint64_t index, const struct registers *registers,
                       int64_t result) {
    if (result == -EBADF || (index == CALL_handle_close && !result))
        handle_forget(worker, registers->rdi);
    if (result == -ENOMEM && chance(worker, 2)) { /* room for more */
        uint64_t handle = handle_known(worker, random_below(worker, OBJECT_TYPES));
        call(CALL_handle_close, handle, 0, 0, 0, 0, 0);
        handle_forget(worker, handle);
    }
    if (result > 0 && result <= UINT32_MAX)
        handle_learn(worker, type_made(worker, index, registers), (handle_t)result);
    if (index == CALL_space_create && result > 0 && !chance(worker, 4))
        call(CALL_space_map, (uint64_t)result, FUZZ_CODE, FUZZ_GIVEN_CODE, 0, PAGE, MAP_READ | MAP_EXEC);
    if (index == CALL_channel_create && !result)
        for (unsigned i = 0; i < 2; i++)
            handle_learn(worker, OBJECT_CHANNEL, worker->list[i]);
    if (index == CALL_port_receive && result >= 0)
        for (unsigned i = 0; i < 8; i++)
            if (worker->utcb->handles[i])
                handle_learn(worker, random_below(worker, OBJECT_TYPES), worker->utcb->handles[i]);
}

/* ---- the loop ---- */

/* Some calls would end most rounds at once if they were as frequent as others. */
static bool call_skipped(struct worker *worker, uint64_t index) {
    switch (index) {
    case CALL_process_exit:
        return !chance(worker, 2000);
    case CALL_thread_exit:
        return !chance(worker, 300);
    case CALL_task_kill:
        return !chance(worker, 40);
    case CALL_job_limit:
    case CALL_handle_revoke:
    case CALL_thread_create:
        return !chance(worker, 10);
    default:
        return false;
    }
}

static void step(struct worker *worker) {
    struct registers registers = {0};
    uint64_t index = random_below(worker, FUZZ_CALLS);

    if (chance(worker, 100)) {
        static const uint8_t moods[] = {CALL_null, CALL_port_call, CALL_port_receive, CALL_guest_enter};
        worker->mood = moods[random_below(worker, sizeof moods)];
    }
    if (worker->mood && chance(worker, 2))
        index = worker->mood;
    if (!exists[index] || call_skipped(worker, index))
        return;
    arguments_fill(worker, index, &registers);
    prepare(worker, index, &registers);
    if (index == CALL_handle_close && registers.rdi < FUZZ_GIVEN_END && !chance(worker, 200))
        return; /* what all need */
    registers.rax = 0x1000 | index;
    if (chance(worker, 1000))
        registers.rax = odd_number(worker);
    if (index == CALL_thread_set && registers.rsi == 0)
        registers.rdx |= 2; /* no worker above the supervisor's level */
    int64_t result = chance(worker, 30) ? fuzz_int80(&registers) : fuzz_syscall(&registers);
    atomic_fetch_add_explicit(&worker->board->calls, 1, memory_order_relaxed);
    _Atomic uint64_t *results = result < 0 ? worker->board->bad : worker->board->good;
    atomic_fetch_add_explicit(&results[index], 1, memory_order_relaxed);
    result_use(worker, index, &registers, result);
}

_Noreturn void fuzz_worker(uint64_t number) {
    struct worker worker = {.board = (struct fuzz_board *)FUZZ_BOARD};
    worker.utcb = (struct utcb *)(FUZZ_UTCBS + number % FUZZ_STACKS * FUZZ_UTCB_STRIDE);
    worker.random = (worker.board->seed ^ (number + 1) * 0x9e3779b97f4a7c15ULL) | 1;
    for (unsigned i = 1; i < FUZZ_GIVEN_END; i++)
        handle_learn(&worker, given_types[i], i);
    for (;;) {
        if (chance(&worker, 8))
            scratch[random_below(&worker, SCRATCH)] = argument(&worker, 'x');
        if (chance(&worker, 4))
            fuzz_touch(worker.utcb, canonical(pointer(&worker)), chance(&worker, 2));
        step(&worker);
    }
}
