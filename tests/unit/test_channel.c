/* sources: kernel/handle.c kernel/page.c kernel/zone.c kernel/zone_init.c kernel/kmem.c kernel/lock.c
 * kernel/user_page.c kernel/arch/host/machine.c */
/* flags: -Ikernel/arch/host -Ikernel/arch/x86_64 -Ikernel/variant/release -pthread */
/*
 * Capabilities in tables and under way: random create, duplicate, revoke, close, move, write and read over
 * several processes and channels, on the real table and channel code, against a plain model of who holds
 * what. Allocations and user memory fail now and then. What the model says must be what look-ups, messages
 * and reference counts say, after every step.
 */
#include "tests/unit/channel_world.h"

enum { STEPS = 400000 };

/* ---- steps ---- */

static void step_create(void) {
    int process = (int)random_below(PROCESSES), index = subject_free(-1);
    uint32_t rights = random_below(4) ? RIGHT_ALL : random_below(RIGHT_ALL + 1);
    if (index < 0)
        return;
    /* Not an event, which might stay when it is closed. */
    struct object *object = object_create(OBJECT_TIMER, sizeof(*object), job);
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
    if (!expected && !(held->token.rights & rights))
        expected = -EACCES;
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
    CHECK_EQ(objects_live[OBJECT_TIMER], 0);
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
    struct object *timer = object_create(OBJECT_TIMER, sizeof(*timer), job), *found;
    struct channel *channel = channel_create(job);
    handle_t first = handle_add(table_of(0), timer, RIGHT_ALL), last = first, copies[GRANTS];
    object_put(timer);
    for (int i = 0; i < GRANTS; i++) {
        struct handle_table *here = table_of(i % PROCESSES), *next = table_of((i + 1) % PROCESSES);
        int64_t copy = handle_duplicate(here, last, RIGHT_ALL);
        CHECK_EQ(handle_move(here, &(handle_t){(handle_t)copy}, 1, next, &copies[i]), 0);
        last = copies[i];
    }
    handle_t sent = (handle_t)handle_duplicate(table_of(0), first, RIGHT_ALL);
    user_handles[0] = sent;
    CHECK_EQ(channel_write(channel, address(user_bytes), 0, address(user_handles), 1), 0);
    CHECK_EQ(timer->references, GRANTS + 2);
    CHECK_EQ(handle_revoke(table_of(0), first), 0);
    for (int i = 0; i < GRANTS; i++)
        CHECK_EQ(handle_lookup(table_of((i + 1) % PROCESSES), copies[i], OBJECT_NONE, 0, &found), -EBADF);
    user_sizes = (struct channel_sizes){0, 1};
    CHECK_EQ(channel_read(channel + 1, address(user_bytes), address(user_handles), address(&user_sizes), 0),
             0);
    CHECK_EQ(handle_lookup(table_of(0), user_handles[0], OBJECT_NONE, 0, &found), -EBADF);
    CHECK_EQ(handle_lookup(table_of(0), first, OBJECT_TIMER, RIGHT_ALL, &found), 0);
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
    struct object *timer = object_create(OBJECT_TIMER, sizeof(*timer), job);
    handle_t last = HANDLE_NONE, handle;
    user_handles[0] = handle_add(table_of(1), timer, RIGHT_ALL);
    thread.process = &processes[1];
    CHECK_EQ(channel_write(channel, address("x"), 1, address(user_handles), 1), 0);
    thread.process = &processes[0];
    job->limit[JOB_PAGES] = job->used[JOB_PAGES] + 3;
    while ((handle = handle_add(table_of(0), timer, RIGHT_ALL)))
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
    object_put(timer);
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
