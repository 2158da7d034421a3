/* sources: kernel/handle.c kernel/page.c kernel/zone.c kernel/zone_init.c kernel/kmem.c kernel/lock.c
 * kernel/user_page.c kernel/arch/host/machine.c */
/* flags: -Ikernel/arch/host -Ikernel/arch/x86_64 -Ikernel/variant/release -pthread */
/*
 * Capabilities in tables and under way: random create, duplicate, revoke, close, move, write and read over
 * several processes and channels, on the real table and channel code, against a plain model of who holds
 * what. Allocations and user memory fail now and then. What the model says must be what look-ups, messages
 * and reference counts say, after every step. The channel code is included here so that the test may stand in
 * for the parts of the kernel that block and wake.
 */
#include "kernel/channel.c"

#include <stdarg.h>
#include <string.h>

#include "kernel/arch/host/machine.h"
#include "kernel/job.h"
#include "kernel/kmem.h"
#include "kernel/log.h"
#include "kernel/space.h"
#include "kernel/vmo.h"
#include "tests/unit/check.h"

extern uint64_t host_bad_user, host_allocations, host_fail_at;
extern unsigned char *host_memory;

enum { PROCESSES = 3, SUBJECTS = 60, ENTRIES = 1200, STEPS = 400000 };

/* ---- what the test stands in for ---- */

_Thread_local struct cpu *host_cpu;
static struct cpu cpu_state;
static struct thread thread;
static struct process processes[PROCESSES];
static struct job *job;
static uint64_t pages_free, now_ns, signals;

_Noreturn void panic(const char *format, ...) {
    fprintf(stderr, "panic: %s\n", format);
    exit(1);
}
uint64_t clock_now(void) {
    return now_ns;
}
void source_init(struct object *object) {
    struct source *source = container_of(object, struct source, object);
    lock_init(&source->lock, LOCK_RANK_OBJECT);
    list_init(&source->binding.link);
}
void binding_signal(struct binding *binding, uint64_t count) {
    (void)binding, signals += count;
}
void binding_clear_bound(struct binding *binding) {
    (void)binding;
}
int64_t wait_begin(struct object *object, struct list *waiters, uint64_t deadline) {
    (void)deadline;
    object_get(thread.wait_object = object);
    list_push_back(waiters, &thread.wait_link);
    return WAITING;
}
void wait_end(struct thread *woken, int64_t result) {
    list_remove(&woken->wait_link);
    woken->native.rax = (uint64_t)result;
}

bool vmo_destroy_step(struct vmo *vmo) {
    return !vmo;
}
/* Everything but a Vmo comes here. */
bool space_destroy_step(struct space *space) {
    struct object *object = (struct object *)space;
    if (object->type == OBJECT_CHANNEL)
        return channel_reap_step(container_of(object, struct channel, object));
    CHECK_EQ(object->type, OBJECT_EVENT);
    object_free(object, sizeof(*object));
    return true;
}

/* User memory: the middle page may be bad. */
static char user_pages[3 * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static char *const user_bytes = user_pages;
static char *const user_bad = user_pages + PAGE_SIZE;
static handle_t user_handles[CHANNEL_HANDLES + 1];
static struct channel_sizes user_sizes;

static uint64_t address(const void *pointer) {
    return (uint64_t)(uintptr_t)pointer;
}

/* ---- the model ---- */

struct token {
    int subject;
    uint32_t rights;
    unsigned epoch; /* of the subject when the token was made */
};

struct letter {
    uint32_t length, count;
    char first;
    struct token tokens[CHANNEL_HANDLES];
};

/* An object: an event, or an end of a channel with what waits to be read there. */
static struct subject {
    struct object *object; /* NULL: free */
    unsigned epoch, references;
    int peer; /* of an end; -1: an event */
    unsigned pair;
    bool closed; /* the end; its peer may live */
    struct letter letters[CHANNEL_QUEUE];
    unsigned first, count;
} subjects[SUBJECTS];

static struct entry {
    handle_t handle;
    int process;
    struct token token;
    bool open;
} entries[ENTRIES];
static unsigned entry_count, pair_count;
static unsigned seed = 1;

static unsigned random_below(unsigned limit) {
    seed = seed * 1103515245 + 12345;
    return (seed >> 8) % limit;
}

static bool token_live(const struct token *token) {
    return token->epoch == subjects[token->subject].epoch;
}

static void subject_drop(int index) {
    struct subject *subject = &subjects[index];
    if (--subject->references)
        return;
    subject->closed = true;
    for (; subject->count; subject->count--, subject->first = (subject->first + 1) % CHANNEL_QUEUE) {
        const struct letter *letter = &subject->letters[subject->first];
        for (unsigned i = 0; i < letter->count; i++)
            subject_drop(letter->tokens[i].subject);
    }
    if (subject->peer < 0) {
        subject->object = NULL;
    } else if (subjects[subject->peer].closed) { /* both are free again */
        subject->object = subjects[subject->peer].object = NULL;
    }
}

static int subject_free(int but) {
    for (int i = 0; i < SUBJECTS; i++)
        if (!subjects[i].object && i != but)
            return i;
    return -1;
}

static void subject_init(int index, struct object *object, int peer) {
    subjects[index].object = object;
    subjects[index].epoch = subjects[index].references = 0;
    subjects[index].peer = peer;
    subjects[index].pair = pair_count;
    subjects[index].closed = false;
    subjects[index].first = subjects[index].count = 0;
}

/* Forgets closed entries when there is no room. */
static void entry_add(handle_t handle, int process, struct token token) {
    CHECK(handle != HANDLE_NONE);
    if (entry_count == ENTRIES) {
        unsigned kept = 0;
        for (unsigned i = 0; i < ENTRIES; i++)
            if (entries[i].open)
                entries[kept++] = entries[i];
        entry_count = kept;
        CHECK(entry_count < ENTRIES);
    }
    entries[entry_count++] = (struct entry){handle, process, token, true};
}

static struct entry *entry_open(handle_t handle, int process) {
    for (unsigned i = entry_count; i-- > 0;)
        if (entries[i].open && entries[i].handle == handle && entries[i].process == process)
            return &entries[i];
    return NULL;
}

static void entry_close(struct entry *entry) {
    entry->open = false;
    subject_drop(entry->token.subject);
}

static struct handle_table *table_of(int process) {
    return &processes[process].handles;
}

/* What a look-up for a type and rights must say. */
static int expect_lookup(const struct entry *entry, enum object_type type, uint32_t rights) {
    if (!entry || !token_live(&entry->token))
        return -EBADF;
    if (type != OBJECT_NONE && subjects[entry->token.subject].object->type != type)
        return -EINVAL;
    return (entry->token.rights & rights) == rights ? 0 : -EACCES;
}

/* Looks up as the dispatch would; the object is referenced. */
static struct object *lookup(const struct entry *entry, enum object_type type, uint32_t rights) {
    struct object *object = NULL;
    bool quick = random_below(2); /* without the lock */
    int error =
        (quick ? handle_use : handle_lookup)(table_of(entry->process), entry->handle, type, rights, &object);
    if (quick && !error) {
        object_get(object);
        object_unuse();
    }
    CHECK_EQ(error,
             expect_lookup(entry->open ? entry : entry_open(entry->handle, entry->process), type, rights));
    return error ? NULL : object;
}

/* ---- steps ---- */

static void step_create(void) {
    int process = (int)random_below(PROCESSES), index = subject_free(-1);
    uint32_t rights = random_below(4) ? RIGHT_ALL : random_below(RIGHT_ALL + 1);
    if (index < 0)
        return;
    struct object *object = object_create(OBJECT_EVENT, sizeof(*object), job);
    subject_init(index, object, -1);
    entry_add(handle_add(table_of(process), object, rights), process, (struct token){index, rights, 0});
    subjects[index].references = 1;
    object_put(object);
}

static void step_channel(void) {
    int ends[2] = {subject_free(-1), 0};
    ends[1] = subject_free(ends[0]);
    if (ends[0] < 0 || ends[1] < 0)
        return;
    struct channel *channel = channel_create(job);
    pair_count++;
    for (int i = 0; i < 2; i++) {
        int process = (int)random_below(PROCESSES);
        subject_init(ends[i], &channel[i].object, ends[!i]);
        entry_add(handle_add(table_of(process), &channel[i].object, RIGHT_ALL), process,
                  (struct token){ends[i], RIGHT_ALL, 0});
        subjects[ends[i]].references = 1;
    }
    object_put(&channel[1].object);
    object_put(&channel[0].object);
}

static void step_duplicate(struct entry *entry) {
    uint32_t rights = random_below(2) ? RIGHT_ALL : random_below(RIGHT_ALL + 1);
    struct entry *held = entry_open(entry->handle, entry->process);
    int expected = expect_lookup(held, OBJECT_NONE, RIGHT_GRANT);
    int64_t result = handle_duplicate(table_of(entry->process), entry->handle, rights);
    if (expected) {
        CHECK_EQ(result, expected);
        return;
    }
    struct token token = held->token;
    token.rights &= rights;
    subjects[token.subject].references++;
    entry_add((handle_t)result, held->process, token);
}

static void step_revoke(struct entry *entry) {
    struct entry *held = entry_open(entry->handle, entry->process);
    int expected = expect_lookup(held, OBJECT_NONE, RIGHT_REVOKE);
    CHECK_EQ(handle_revoke(table_of(entry->process), entry->handle), expected);
    if (!expected)
        held->token.epoch = ++subjects[held->token.subject].epoch;
}

static void step_close(struct entry *entry) {
    struct entry *held = entry_open(entry->handle, entry->process);
    CHECK_EQ(handle_close(table_of(entry->process), entry->handle), held ? 0 : -EBADF);
    if (held)
        entry_close(held);
}

/* Handles of one process to be sent, some of them bad; an end only goes through an older channel, so that no
 * two hold each other. */
static unsigned handles_choose(int process, unsigned pair) {
    unsigned count = random_below(3) ? random_below(3) : random_below(CHANNEL_HANDLES + 1), chosen = 0;
    for (unsigned tries = 0; chosen < count && tries < 40; tries++) {
        const struct entry *entry = &entries[random_below(entry_count)];
        const struct entry *held = entry_open(entry->handle, process);
        bool older =
            held && subjects[held->token.subject].peer >= 0 && subjects[held->token.subject].pair < pair;
        if (older || (!held && random_below(8)))
            continue;
        user_handles[chosen++] = entry->handle;
    }
    return chosen;
}

/* Why these handles may not be taken, or 0. */
static int expect_take(int process, unsigned count, unsigned pair) {
    for (unsigned i = 0; i < count; i++) {
        const struct entry *held = entry_open(user_handles[i], process);
        for (unsigned before = 0; before < i; before++)
            if (user_handles[before] == user_handles[i])
                return -EBADF;
        int error = expect_lookup(held, OBJECT_NONE, RIGHT_GRANT);
        if (error)
            return error;
        const struct subject *subject = &subjects[held->token.subject];
        if (subject->peer >= 0 && subject->pair == pair)
            return -EINVAL;
    }
    return 0;
}

static void step_move(struct entry *entry) {
    int from = entry->process, to = (int)random_below(PROCESSES);
    unsigned count = handles_choose(from, 0);
    handle_t sent[CHANNEL_HANDLES], moved[CHANNEL_HANDLES];
    memcpy(sent, user_handles, sizeof(sent));
    int expected = expect_take(from, count, UINT32_MAX);
    CHECK_EQ(handle_move(table_of(from), sent, count, table_of(to), moved), expected);
    for (unsigned i = 0; i < count && !expected; i++) {
        struct entry *held = entry_open(sent[i], from);
        held->open = false;
        entry_add(moved[i], to, held->token);
    }
}

static void write_letter(const struct entry *entry, struct channel *channel, unsigned length, bool bad,
                         bool failing) {
    int index = entry->token.subject;
    struct subject *peer = &subjects[subjects[index].peer];
    unsigned count = handles_choose(entry->process, subjects[index].pair);
    int process = entry->process, expected = expect_take(process, count, subjects[index].pair);
    char *bytes = bad ? user_bad : user_bytes;

    if (!bad)
        memset(user_bytes, (int)(entry_count & 0x7f), length < PAGE_SIZE ? length : PAGE_SIZE);
    if (peer->closed)
        expected = -EPIPE;
    else if (peer->count == CHANNEL_QUEUE)
        expected = -EAGAIN;
    if (bad && length)
        expected = -EFAULT;
    if (length > CHANNEL_BYTES)
        expected = -EINVAL;
    host_bad_user = address(user_bad);
    uint64_t heard = signals;
    int64_t result = channel_write(channel, address(bytes), length, address(user_handles), count);
    if (failing && result == -ENOMEM)
        return;
    CHECK_EQ(result, expected);
    CHECK_EQ(signals - heard, result == 0);
    if (result)
        return;
    struct letter *letter = &peer->letters[(peer->first + peer->count++) % CHANNEL_QUEUE];
    *letter = (struct letter){.length = length, .count = count, .first = length ? user_bytes[0] : 0};
    for (unsigned i = 0; i < count; i++) {
        struct entry *held = entry_open(user_handles[i], process);
        letter->tokens[i] = held->token;
        held->open = false; /* the letter has its reference now */
    }
}

static void step_write(struct entry *entry) {
    struct object *object = lookup(entry, OBJECT_CHANNEL, RIGHT_WRITE);
    if (!object)
        return;
    struct entry *held = entry_open(entry->handle, entry->process);
    unsigned length = random_below(4)    ? random_below(64)
                      : random_below(16) ? random_below(CHANNEL_BYTES + 1)
                                         : CHANNEL_BYTES + 1;
    bool bad = random_below(16) == 0, failing = random_below(16) == 0;
    thread.process = &processes[held->process];
    host_fail_at = failing ? host_allocations + 1 : 0;
    struct entry copy = *held;
    write_letter(&copy, container_of(object, struct channel, object), length, bad, failing);
    host_fail_at = 0;
    for (unsigned more = random_below(200) ? 0 : CHANNEL_QUEUE; more; more--)
        write_letter(&copy, container_of(object, struct channel, object), 3, false, false);
    object_put(object);
}

static void letter_check(const struct letter *letter, int process) {
    CHECK_EQ(user_sizes.bytes, letter->length);
    CHECK_EQ(user_sizes.handles, letter->count);
    for (unsigned i = 0; i < letter->length; i++)
        CHECK_EQ(user_bytes[i], letter->first);
    for (unsigned i = 0; i < letter->count; i++)
        entry_add(user_handles[i], process, letter->tokens[i]);
}

static void read_letter(struct subject *subject, struct channel *channel, int process) {
    struct letter *letter = &subject->letters[subject->first];
    struct channel_sizes room = {random_below(8) ? CHANNEL_BYTES : random_below(64),
                                 random_below(8) ? CHANNEL_HANDLES : random_below(3)};
    unsigned bad = random_below(24);
    bool failing = random_below(8) == 0;
    int expected = 0;

    if (!subject->count)
        expected = subjects[subject->peer].closed ? -EPIPE : -EAGAIN;
    else if (letter->length > room.bytes || letter->count > room.handles)
        expected = -EMSGSIZE;
    else if ((bad == 0 && letter->length) || (bad == 1 && letter->count))
        expected = -EFAULT;
    user_sizes = room;
    host_bad_user = address(user_bad);
    host_fail_at = failing ? host_allocations + 1 : 0;
    int64_t result =
        channel_read(channel, address(bad == 0 ? user_bad : user_bytes),
                     address(bad == 1 ? (void *)user_bad : (void *)user_handles), address(&user_sizes), 0);
    host_fail_at = 0;
    if (failing && letter->count && result == -ENOMEM)
        return;
    CHECK_EQ(result, expected);
    if (result == -EMSGSIZE)
        CHECK(user_sizes.bytes == letter->length && user_sizes.handles == letter->count);
    if (result)
        return;
    struct letter taken = *letter;
    subject->first = (subject->first + 1) % CHANNEL_QUEUE;
    subject->count--;
    letter_check(&taken, process);
}

static void step_read(struct entry *entry) {
    struct object *object = lookup(entry, OBJECT_CHANNEL, RIGHT_READ);
    if (!object)
        return;
    const struct entry *held = entry_open(entry->handle, entry->process);
    int process = held->process;
    thread.process = &processes[process];
    read_letter(&subjects[held->token.subject], container_of(object, struct channel, object), process);
    object_put(object);
}

static void step_lookup(struct entry *entry) {
    struct object *object = lookup(entry, OBJECT_NONE, random_below(RIGHT_ALL + 1));
    if (object)
        object_put(object);
}

/* ---- the tests ---- */

static void setup(void) {
    if (!host_memory) {
        machine_init_simple(64 << 20);
        job = job_create(NULL);
        host_cpu = &cpu_state;
        cpu_state.thread = &thread;
        list_init(&thread.wait_link);
    }
    kmem_drain();
    pages_free = page_free_count();
    entry_count = 0;
    for (int i = 0; i < PROCESSES; i++) {
        processes[i].object.job = job;
        CHECK_EQ(handle_table_init(&processes[i].handles, job), 0);
    }
    thread.process = &processes[0];
}

static void teardown(void) {
    for (int i = 0; i < PROCESSES; i++)
        while (!handle_table_close_step(&processes[i].handles, 7)) {
        }
    machine_reap();
    CHECK_EQ(objects_live[OBJECT_CHANNEL], 0);
    CHECK_EQ(objects_live[OBJECT_EVENT], 0);
    CHECK_EQ(job->used[JOB_PAGES], 0);
    CHECK_EQ(job->used[JOB_OBJECTS], 0);
    kmem_drain();
    CHECK_EQ(page_free_count(), pages_free);
    memset(subjects, 0, sizeof(subjects));
}

static void references_check(void) {
    for (int i = 0; i < SUBJECTS; i++)
        if (subjects[i].object && !subjects[i].closed)
            CHECK_EQ(subjects[i].object->references, subjects[i].references);
}

/* Stale ones are asked for too, but not most of the time. */
static struct entry *entry_any(void) {
    struct entry *entry = NULL;
    for (unsigned tries = 0; entry_count && tries < 12 && (!entry || (!entry->open && random_below(8)));
         tries++)
        entry = &entries[random_below(entry_count)];
    return entry;
}

static void step(void) {
    struct entry *entry = entry_any();
    switch (entry ? random_below(20) : 0) {
    case 0:
        step_create();
        return;
    case 1:
        step_channel();
        return;
    case 2:
    case 3:
        step_duplicate(entry);
        return;
    case 4:
        if (random_below(6) == 0)
            step_revoke(entry);
        return;
    case 5:
    case 6:
    case 7:
        step_close(entry);
        return;
    case 8:
        step_move(entry);
        return;
    case 9:
    case 10:
    case 11:
        step_write(entry);
        return;
    case 12:
    case 13:
    case 14:
    case 15:
        step_read(entry);
        return;
    default:
        step_lookup(entry);
    }
}

TEST(random_against_model) {
    for (unsigned round = 0; round < 4; round++) {
        seed = round + 1;
        setup();
        for (unsigned n = 0; n < STEPS / 4; n++) {
            step();
            machine_reap();
            if (n % 16 == 0)
                references_check();
        }
        teardown();
    }
}

/* A capability goes on from table to table and into a queue; one revocation reaches every copy. */
TEST(revocation_reaches_every_grant) {
    enum { GRANTS = 60 };
    setup();
    struct object *event = object_create(OBJECT_EVENT, sizeof(*event), job), *found;
    struct channel *channel = channel_create(job);
    handle_t first = handle_add(table_of(0), event, RIGHT_ALL), last = first, copies[GRANTS];
    object_put(event);
    for (int i = 0; i < GRANTS; i++) {
        struct handle_table *here = table_of(i % PROCESSES), *next = table_of((i + 1) % PROCESSES);
        int64_t copy = handle_duplicate(here, last, RIGHT_ALL);
        CHECK_EQ(handle_move(here, &(handle_t){(handle_t)copy}, 1, next, &copies[i]), 0);
        last = copies[i];
    }
    handle_t sent = (handle_t)handle_duplicate(table_of(0), first, RIGHT_ALL);
    user_handles[0] = sent;
    CHECK_EQ(channel_write(channel, address(user_bytes), 0, address(user_handles), 1), 0);
    CHECK_EQ(event->references, GRANTS + 2);
    CHECK_EQ(handle_revoke(table_of(0), first), 0);
    for (int i = 0; i < GRANTS; i++)
        CHECK_EQ(handle_lookup(table_of((i + 1) % PROCESSES), copies[i], OBJECT_NONE, 0, &found), -EBADF);
    user_sizes = (struct channel_sizes){0, 1};
    CHECK_EQ(channel_read(channel + 1, address(user_bytes), address(user_handles), address(&user_sizes), 0),
             0);
    CHECK_EQ(handle_lookup(table_of(0), user_handles[0], OBJECT_NONE, 0, &found), -EBADF);
    CHECK_EQ(handle_lookup(table_of(0), first, OBJECT_EVENT, RIGHT_ALL, &found), 0);
    object_put(found);
    object_put(&channel[0].object);
    object_put(&channel[1].object);
    teardown();
}

/* A reader that waits executes its call again: on a message, and on the other end's closing. */
TEST(reader_restarts) {
    setup();
    struct channel *channel = channel_create(job);
    for (int round = 0; round < 2; round++) {
        user_sizes = (struct channel_sizes){CHANNEL_BYTES, CHANNEL_HANDLES};
        thread.native.rip = 1002;
        thread.native.rax = 0x100a;
        CHECK_EQ(channel_read(channel + 1, address(user_bytes), 0, address(&user_sizes), DEADLINE_NEVER),
                 WAITING);
        if (round == 0) {
            CHECK_EQ(channel_write(channel, address("x"), 1, 0, 0), 0);
        } else {
            object_put(&channel[0].object);
            machine_reap();
        }
        CHECK_EQ(thread.native.rip, 1000);
        CHECK_EQ(thread.native.rax, 0x100a);
        CHECK(list_empty(&thread.wait_link));
        object_put(thread.wait_object);
        CHECK_EQ(channel_read(channel + 1, address(user_bytes), 0, address(&user_sizes), DEADLINE_NEVER),
                 round ? -EPIPE : 0);
    }
    now_ns = 100;
    struct channel *other = channel_create(job);
    CHECK_EQ(channel_read(other, 0, 0, address(&user_sizes), 0), -EAGAIN);
    CHECK_EQ(channel_read(other, 0, 0, address(&user_sizes), 100), -ETIMEDOUT);
    object_put(&channel[1].object);
    object_put(&other[0].object);
    object_put(&other[1].object);
    teardown();
}

/* A reader whose table is full keeps the message, and takes it when there is room. */
TEST(full_table) {
    setup();
    struct channel *channel = channel_create(job);
    struct object *event = object_create(OBJECT_EVENT, sizeof(*event), job);
    handle_t last = HANDLE_NONE, handle;
    user_handles[0] = handle_add(table_of(1), event, RIGHT_ALL);
    thread.process = &processes[1];
    CHECK_EQ(channel_write(channel, address("x"), 1, address(user_handles), 1), 0);
    thread.process = &processes[0];
    job->limit[JOB_PAGES] = job->used[JOB_PAGES] + 3;
    while ((handle = handle_add(table_of(0), event, RIGHT_ALL)))
        last = handle;
    for (int round = 0; round < 2; round++) {
        user_sizes = (struct channel_sizes){CHANNEL_BYTES, CHANNEL_HANDLES};
        CHECK_EQ(
            channel_read(channel + 1, address(user_bytes), address(user_handles), address(&user_sizes), 0),
            round ? 0 : -ENOMEM);
        if (!round)
            CHECK_EQ(handle_close(table_of(0), last), 0);
    }
    CHECK_EQ(user_sizes.handles, 1);
    CHECK_EQ(handle_close(table_of(0), user_handles[0]), 0);
    job->limit[JOB_PAGES] = UINT64_MAX;
    object_put(event);
    object_put(&channel[0].object);
    object_put(&channel[1].object);
    teardown();
}

/* Ends with full queues, each message with handles, some of them to further such channels. */
TEST(destruction_in_steps) {
    setup();
    struct channel *outer = channel_create(job);
    for (int i = 0; i < CHANNEL_QUEUE; i++) {
        struct channel *inner = channel_create(job);
        for (int m = 0; m < CHANNEL_QUEUE; m++)
            CHECK_EQ(channel_write(inner, address(user_bytes), 100, 0, 0), 0);
        CHECK_EQ(channel_write(inner, 0, 0, 0, 0), -EAGAIN);
        user_handles[0] = handle_add(table_of(0), &inner[0].object, RIGHT_ALL);
        user_handles[1] = handle_add(table_of(0), &inner[1].object, RIGHT_ALL);
        object_put(&inner[0].object);
        object_put(&inner[1].object);
        CHECK_EQ(channel_write(outer, address(user_bytes), 0, address(user_handles), 2), 0);
    }
    CHECK_EQ(job->used[JOB_PAGES] > CHANNEL_QUEUE * CHANNEL_QUEUE, 1);
    object_put(&outer[1].object);
    object_put(&outer[0].object);
    CHECK_EQ(machine_reap() > CHANNEL_QUEUE * CHANNEL_QUEUE, 1);
    teardown();
}

TEST_MAIN();
