/*
 * Processes with tables of handles, channels between them, and the plain model of who holds what, for
 * test_channel.c. The channel code is included here so that the test may stand in for the parts of the kernel
 * that block and wake.
 */
#pragma once

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
#include "tests/unit/random.h"

extern uint64_t host_bad_user, host_allocations, host_fail_at;
extern unsigned char *host_memory;

enum { PROCESSES = 3, SUBJECTS = 60, ENTRIES = 1200 };

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
    CHECK_EQ(object->type, OBJECT_TIMER);
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
