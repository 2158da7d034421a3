/* sources: kernel/handle.c kernel/page.c kernel/zone.c kernel/zone_init.c kernel/user_page.c kernel/kmem.c
 * kernel/lock.c kernel/arch/host/machine.c kernel/arch/host/no_memory_objects.c */
/* flags: -Ikernel/arch/host -Ikernel/variant/release -pthread */
/*
 * The capability table: random create, duplicate, move, revoke and close on the real table code, against a
 * plain model of who holds what; and the errors one by one.
 */
#include "kernel/handle.h"

#include <stdarg.h>
#include <string.h>

#include "abi/errors.h"
#include "kernel/arch/host/machine.h"
#include "kernel/event.h"
#include "kernel/kmem.h"
#include "kernel/log.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

enum { OBJECTS = 16, TABLES = 3, MODEL = 4000, STEPS = 200000 };

static struct object *objects[OBJECTS];
static struct handle_table tables[TABLES];
static struct job *job;
static uint64_t pages_free;

_Noreturn void panic(const char *format, ...) {
    fprintf(stderr, "panic: %s\n", format);
    exit(1);
}

/* ---- the model: every handle ever given out ---- */

struct entry {
    handle_t handle;
    int table, object;
    uint32_t rights;
    unsigned epoch; /* of the object when the handle was made */
    bool open;
};

static struct entry model[MODEL];
static unsigned model_count, epochs[OBJECTS];

static void setup(void) {
    if (!host_memory) {
        machine_init_simple(64 << 20);
        job = job_create(NULL);
    }
    kmem_drain();
    pages_free = page_free_count();
    for (int i = 0; i < OBJECTS; i++) {
        objects[i] = kmem_alloc(64);
        memset(objects[i], 0, 64);
        objects[i]->type = i % 2 ? OBJECT_EVENT : OBJECT_VMO;
        objects[i]->references = 1;
        epochs[i] = 0;
    }
    for (int i = 0; i < TABLES; i++)
        CHECK_EQ(handle_table_init(&tables[i], job), 0);
    model_count = 0;
}

static void teardown(void) {
    for (int i = 0; i < TABLES; i++)
        while (!handle_table_close_step(&tables[i], 7)) {
        }
    machine_reap();
    for (int i = 0; i < OBJECTS; i++) {
        CHECK_EQ(objects[i]->references, 1);
        kmem_free(objects[i], 64);
    }
    CHECK_EQ(job->used[JOB_PAGES], 0);
    kmem_drain();
    CHECK_EQ(page_free_count(), pages_free);
}

static struct entry *model_add(handle_t handle, int table, int object, uint32_t rights) {
    CHECK(handle != HANDLE_NONE);
    model[model_count] = (struct entry){handle, table, object, rights, epochs[object], true};
    return &model[model_count++];
}

/* What a look-up must say about an entry. */
static void entry_check(const struct entry *entry) {
    struct object *found;
    bool live = entry->open && entry->epoch == epochs[entry->object];
    struct handle_table *table = &tables[entry->table];
    uint32_t missing = RIGHT_ALL & ~entry->rights;

    uint32_t held = 0;
    int error = handle_lookup_held(table, entry->handle, OBJECT_NONE, entry->rights, &found, &held);
    CHECK_EQ(error, live ? 0 : -EBADF);
    if (!live)
        return;
    CHECK(found == objects[entry->object]);
    CHECK_EQ(held, entry->rights);
    object_put(found);
    if (missing)
        CHECK_EQ(handle_lookup(table, entry->handle, OBJECT_NONE, missing, &found), -EACCES);
    CHECK_EQ(handle_lookup(table, entry->handle, OBJECT_JOB, 0, &found), -EINVAL);
}

static void step_create(void) {
    int object = (int)random_below(OBJECTS), table = (int)random_below(TABLES);
    uint32_t rights = random_below(2) ? RIGHT_ALL : random_below(RIGHT_ALL + 1);
    model_add(handle_add(&tables[table], objects[object], rights), table, object, rights);
}

static void step_duplicate(struct entry *entry) {
    uint32_t rights = random_below(4) ? random_below(RIGHT_ALL + 1) : 1u << random_below(16);
    int64_t result = handle_duplicate(&tables[entry->table], entry->handle, rights);
    if (!entry->open || entry->epoch != epochs[entry->object])
        CHECK_EQ(result, -EBADF);
    else if (!(entry->rights & RIGHT_GRANT) || !(entry->rights & rights))
        CHECK_EQ(result, -EACCES);
    else
        model_add((handle_t)result, entry->table, entry->object, entry->rights & rights);
}

static void step_close(struct entry *entry) {
    CHECK_EQ(handle_close(&tables[entry->table], entry->handle), entry->open ? 0 : -EBADF);
    entry->open = false;
}

static void step_revoke(struct entry *entry) {
    int64_t result = handle_revoke(&tables[entry->table], entry->handle);
    if (!entry->open || entry->epoch != epochs[entry->object])
        CHECK_EQ(result, -EBADF);
    else if (!(entry->rights & RIGHT_REVOKE))
        CHECK_EQ(result, -EACCES);
    else
        entry->epoch = ++epochs[entry->object];
}

static void step_move(struct entry *entry) {
    handle_t moved;
    int to = (int)random_below(TABLES);
    int error = handle_move(&tables[entry->table], &entry->handle, 1, &tables[to], &moved);
    if (!entry->open || entry->epoch != epochs[entry->object]) {
        CHECK_EQ(error, -EBADF);
    } else if (!(entry->rights & RIGHT_GRANT)) {
        CHECK_EQ(error, -EACCES);
    } else {
        CHECK_EQ(error, 0);
        entry->open = false;
        model_add(moved, to, entry->object, entry->rights);
    }
}

TEST(random_against_model) {
    setup();
    for (unsigned step = 0; step < STEPS; step++) {
        if (model_count > MODEL - 2)
            model_count = MODEL / 2; /* forgets some: they stay open until the table is closed */
        struct entry *entry = model_count ? &model[random_below(model_count)] : NULL;
        switch (entry ? random_below(6) : 0) {
        case 0:
            step_create();
            break;
        case 1:
            step_duplicate(entry);
            break;
        case 2:
            step_close(entry);
            break;
        case 3:
            step_move(entry);
            break;
        case 4:
            if (random_below(8) == 0)
                step_revoke(entry);
            break;
        default:
            entry_check(entry);
        }
    }
    for (unsigned i = 0; i < model_count; i++)
        entry_check(&model[i]);
    teardown();
}

static unsigned handles_in(const struct handle_table *table) {
    unsigned count = 0;
    for (uint32_t i = 0; i < table->capacity; i++)
        count += table->chunks[i / HANDLE_CHUNK][i % HANDLE_CHUNK].token != 0;
    return count;
}

TEST(move_is_all_or_nothing) {
    setup();
    handle_t sent[3], moved[3];
    struct object *found;
    for (int i = 0; i < 3; i++)
        sent[i] = handle_add(&tables[0], objects[i], i == 2 ? RIGHT_READ : RIGHT_ALL);
    CHECK_EQ(handle_move(&tables[0], sent, 3, &tables[1], moved), -EACCES);
    CHECK_EQ(handles_in(&tables[0]), 3);
    CHECK_EQ(handles_in(&tables[1]), 0);
    handle_t twice[2] = {sent[0], sent[0]};
    CHECK_EQ(handle_move(&tables[0], twice, 2, &tables[1], moved), -EBADF);
    CHECK_EQ(handle_lookup(&tables[0], sent[0], OBJECT_VMO, RIGHT_ALL, &found), 0);
    object_put(found);
    CHECK_EQ(handle_move(&tables[0], sent, 2, &tables[1], moved), 0);
    CHECK_EQ(handles_in(&tables[0]), 1);
    CHECK_EQ(handles_in(&tables[1]), 2);
    teardown();
}

/* ---- events that stay for the next one ---- */

static struct event *event_made(void) {
    struct event *event = object_create(OBJECT_EVENT, sizeof(*event), job);
    event->count = 77;
    return event;
}

static struct object *object_of(struct handle_table *table, handle_t handle) {
    struct object *found = NULL;
    CHECK_EQ(handle_lookup(table, handle, OBJECT_EVENT, RIGHT_ALL, &found), 0);
    object_put(found);
    return found;
}

TEST(closed_event_comes_back_as_new) {
    setup();
    struct event *event = event_made();
    handle_t first = handle_give(&tables[0], &event->object, RIGHT_ALL);
    handle_t stale = (handle_t)handle_duplicate(&tables[0], first, RIGHT_ALL);
    CHECK_EQ(handle_revoke(&tables[0], first), 0); /* the epoch is another one now */
    CHECK_EQ(handle_close(&tables[0], stale), 0);
    CHECK_EQ(handle_reopen_event(&tables[0], 0), HANDLE_NONE); /* another handle holds it */
    CHECK_EQ(handle_close(&tables[0], first), 0);
    CHECK_EQ(handles_in(&tables[0]), 0);
    CHECK_EQ(handle_reopen_event(&tables[1], 0), HANDLE_NONE);
    handle_t again = handle_reopen_event(&tables[0], 5);
    CHECK(again != HANDLE_NONE && again != first && again != stale);
    CHECK(object_of(&tables[0], again) == &event->object);
    CHECK_EQ(event->count, 5);
    CHECK_EQ(handle_close(&tables[0], first), -EBADF);
    CHECK_EQ(handle_close(&tables[0], stale), -EBADF);
    CHECK_EQ(handle_reopen_event(&tables[0], 0), HANDLE_NONE);
    CHECK_EQ(handle_close(&tables[0], again), 0);
    CHECK_EQ(job->used[JOB_OBJECTS], 1); /* it stays charged, and goes with the table */
    teardown();
    CHECK_EQ(job->used[JOB_OBJECTS], 0);
}

/* Not one that others hold, that is bound or charged to another job, or closed by less than all rights; and
 * one at a time. */
TEST(other_events_do_not_stay) {
    enum { HELD, BOUND, OTHERS, LESS_RIGHTS, KINDS };
    static struct port port;
    setup();
    struct job *other = job_create(job);
    for (int kind = 0; kind < KINDS; kind++) {
        struct event *event = object_create(OBJECT_EVENT, sizeof(*event), kind == OTHERS ? other : job);
        if (kind == HELD)
            object_get(&event->object);
        if (kind == BOUND)
            event->binding.port = &port;
        handle_t handle = handle_give(&tables[0], &event->object,
                                      kind == LESS_RIGHTS ? RIGHT_ALL & ~RIGHT_SEND : RIGHT_ALL);
        CHECK_EQ(handle_close(&tables[0], handle), 0);
        CHECK_EQ(handle_reopen_event(&tables[0], 0), HANDLE_NONE);
        if (kind == HELD)
            object_put(&event->object);
    }
    machine_reap();
    CHECK_EQ(job->used[JOB_OBJECTS] + other->used[JOB_OBJECTS], 0);
    handle_t handles[2];
    for (int i = 0; i < 2; i++)
        handles[i] = handle_give(&tables[0], &event_made()->object, RIGHT_ALL);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(handle_close(&tables[0], handles[i]), 0);
    CHECK(handle_reopen_event(&tables[0], 0) != HANDLE_NONE);
    CHECK_EQ(handle_reopen_event(&tables[0], 0), HANDLE_NONE);
    object_put(&other->object);
    teardown();
    CHECK_EQ(job->used[JOB_OBJECTS], 0);
}

TEST(first_handles_are_their_slots) {
    setup();
    for (unsigned i = 1; i <= 300; i++)
        CHECK_EQ(handle_add(&tables[0], objects[0], RIGHT_ALL), i);
    teardown();
}

TEST(bad_handles) {
    setup();
    struct object *found;
    handle_t good = handle_add(&tables[0], objects[0], RIGHT_ALL);
    uint64_t bad[] = {0,
                      2,
                      255,
                      256,
                      0xfffff,
                      0x100000,
                      0xffffffff,
                      good | 1ULL << 32,
                      good + 1,
                      UINT64_MAX,
                      1ULL << 63 | good};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_EQ(handle_lookup(&tables[0], bad[i], OBJECT_NONE, 0, &found), -EBADF);
        CHECK_EQ(handle_close(&tables[0], bad[i]), -EBADF);
        CHECK_EQ(handle_duplicate(&tables[0], bad[i], RIGHT_ALL), -EBADF);
        CHECK_EQ(handle_revoke(&tables[0], bad[i]), -EBADF);
    }
    CHECK_EQ(handle_close(&tables[0], good), 0);
    teardown();
}

TEST_MAIN();
