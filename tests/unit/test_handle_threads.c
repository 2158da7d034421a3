/* sources: kernel/handle.c kernel/page.c kernel/zone.c kernel/zone_init.c kernel/user_page.c kernel/kmem.c
 * kernel/lock.c kernel/arch/host/machine.c */
/* flags: -Ikernel/arch/host -Ikernel/variant/release -pthread */
/*
 * Look-ups without the lock, while another CPU closes and replaces the handles: what a look-up gives is
 * alive until the use ends, and every object is destroyed once. A thread is a CPU.
 */
#include "kernel/handle.h"

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>

#include "abi/errors.h"
#include "kernel/arch/host/machine.h"
#include "kernel/event.h"
#include "kernel/job.h"
#include "kernel/log.h"
#include "kernel/space.h"
#include "kernel/vmo.h"
#include "tests/unit/check.h"

enum { READERS = 3, ROUNDS = 1000 };

static struct handle_table table;
static struct job *job;
static _Atomic uint32_t offered;
static _Atomic bool stop;
static _Atomic uint64_t found, missed;

_Noreturn void panic(const char *format, ...) {
    fprintf(stderr, "panic: %s\n", format);
    exit(1);
}

bool vmo_destroy_step(struct vmo *vmo) {
    object_free(&vmo->object, sizeof *vmo); /* fails when it is referenced */
    return true;
}
bool space_destroy_step(struct space *space) {
    return !space;
}

static void *reader(void *argument) {
    struct object *object;
    host_cpu_index = (unsigned)(uintptr_t)argument;
    while (!stop) {
        int error = handle_use(&table, offered, OBJECT_VMO, RIGHT_READ, &object);
        if (error) {
            CHECK_EQ(error, -EBADF);
            missed++;
            continue;
        }
        for (int i = 0; i < 20; i++) {
            CHECK_EQ(object->type, OBJECT_VMO);
            CHECK_EQ(object->references > 0, 1);
        }
        object_unuse();
        found++;
    }
    return NULL;
}

static pthread_t threads[READERS];

static void begin(void *(*reads)(void *)) {
    if (!job) {
        machine_init_simple(64 << 20);
        job = job_create(NULL);
    }
    stop = false;
    found = missed = offered = 0;
    CHECK_EQ(handle_table_init(&table, job), 0);
    for (uintptr_t i = 0; i < READERS; i++)
        pthread_create(&threads[i], NULL, reads, (void *)(i + 1));
}

/* What is offered now is nothing any more. */
static void end(void) {
    while (!missed)
        sched_yield();
    stop = true;
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(found > 0, 1);
}

TEST(use_while_closed) {
    begin(reader);
    for (int round = 0; round < ROUNDS; round++) {
        struct object *object = object_create(OBJECT_VMO, sizeof(struct vmo), job);
        handle_t handle = handle_add(&table, object, RIGHT_ALL);
        offered = handle;
        object_put(object);
        for (uint64_t seen = found; round % 4 == 0 && found == seen;)
            sched_yield();
        if (round % 3 == 0)
            CHECK_EQ(handle_revoke(&table, handle), 0);
        CHECK_EQ(handle_close(&table, handle), 0);
        if (round % 64 == 0)
            machine_reap();
    }
    end();
    machine_reap();
    CHECK_EQ(objects_live[OBJECT_VMO], 0);
    CHECK_EQ(job->used[JOB_OBJECTS], 0);
}

/* ---- events that come back ---- */

static struct object *_Atomic used[READERS + 1]; /* what a reader is at */

static void *event_reader(void *argument) {
    struct object *object;
    host_cpu_index = (unsigned)(uintptr_t)argument;
    while (!stop) {
        uint32_t handle = offered;
        if (handle_use(&table, handle, OBJECT_EVENT, RIGHT_READ, &object)) {
            missed++;
            continue;
        }
        used[host_cpu_index] = object;
        sched_yield();
        CHECK_EQ(object->type, OBJECT_EVENT);
        CHECK_EQ(object->references > 0, 1);
        used[host_cpu_index] = NULL;
        object_unuse();
        found++;
    }
    return NULL;
}

/* Whoever is at an event by its old handle keeps it from being the next one. */
TEST(event_kept_while_used) {
    unsigned reopened = 0, handed_over = 0;
    begin(event_reader);
    for (int round = 0; round < 20 * ROUNDS; round++) {
        handle_t handle = handle_reopen_event(&table, 0);
        if (handle) {
            struct object *object = handle_slot_object(&table.chunks[0][handle % HANDLE_CHUNK]);
            for (unsigned i = 1; i <= READERS; i++)
                CHECK(used[i] != object);
            reopened++;
        } else {
            handle = handle_give(&table, object_create(OBJECT_EVENT, sizeof(struct event), job), RIGHT_ALL);
            handed_over++;
        }
        offered = handle;
        for (uint64_t seen = found; round % 4 == 0 && found == seen;)
            sched_yield();
        offered = 0;
        CHECK_EQ(handle_close(&table, handle), 0);
        if (round % 64 == 0)
            machine_reap();
    }
    end();
    CHECK_EQ(reopened > 0, 1);
    CHECK_EQ(handed_over > 1, 1);
    while (!handle_table_close_step(&table, 7)) {
    }
    machine_reap();
    CHECK_EQ(objects_live[OBJECT_EVENT], 0);
    CHECK_EQ(job->used[JOB_OBJECTS], 0);
}

TEST_MAIN();
