/*
 * The right that each call needs, call by call from abi/syscalls.def: a handle with every right but that one
 * is refused, one to an object of another type too, and a stale one.
 */
#include "tests/native/ktest.h"

static handle_t of_type[OBJECT_TYPES];

static const struct rule {
    uint64_t number;
    const char *self, *name;
    uint32_t right;
} rules[] = {
#define CALL(index, name, arguments, self, right, text) {0x1000 | (index), #self, #name, RIGHT_##right},
#include "abi/syscalls.def"
#undef CALL
};

static const char *const type_names[] = {
#define OBJECT(name, number) [number] = #name,
#include "abi/objects.def"
#undef OBJECT
};

/* The type that "VMO" or "JOB_OR_OWN" stands for; ANY is shown with an event. */
static unsigned type_of(const char *self) {
    for (unsigned type = 1; type < OBJECT_TYPES; type++)
        if (!strncmp(self, type_names[type], strlen(type_names[type])))
            return type;
    return strcmp(self, "ANY") ? OBJECT_NONE : OBJECT_EVENT;
}

static unsigned checked;

static void check_rule(const struct rule *rule) {
    unsigned type = type_of(rule->self);
    if (!type || !of_type[type] || !rule->right)
        return;
    checked++;
    int64_t weak = keel_handle_duplicate(of_type[type], RIGHT_ALL & ~rule->right);
    int64_t got = keel_call(rule->number, (uint64_t)weak, 0, 0, 0, 0, 0);
    if (got != -EACCES)
        fail(__LINE__, rule->name, got, -EACCES);
    handle_t other = of_type[type == OBJECT_TIMER ? OBJECT_EVENT : OBJECT_TIMER];
    got = keel_call(rule->number, other, 0, 0, 0, 0, 0);
    if (strcmp(rule->self, "ANY") && got != -EINVAL && got != -EACCES)
        fail(__LINE__, rule->name, got, -EINVAL);
    EQ(keel_handle_close((uint64_t)weak), 0);
    got = keel_call(rule->number, (uint64_t)weak, 0, 0, 0, 0, 0);
    if (got != -EBADF)
        fail(__LINE__, rule->name, got, -EBADF);
}

static _Atomic bool over;
static void idler(uint64_t i) {
    while (!over)
        keel_thread_wait(clock_now() + MS);
    thread_end(i);
}

static void test_every_call(void) {
    handle_t ends[2];
    over = false;
    checked = 0;
    EQ(keel_channel_create(keel_pointer(ends)), 0);
    of_type[OBJECT_VMO] = (handle_t)keel_vmo_create(4096, 0);
    of_type[OBJECT_SPACE] = (handle_t)keel_space_create(0);
    of_type[OBJECT_PROCESS] = (handle_t)keel_process_create(job, 0, 0);
    of_type[OBJECT_THREAD] = thread_start(0, idler);
    of_type[OBJECT_PORT] = (handle_t)keel_handle_create(OBJECT_PORT, 1, 0, 0);
    of_type[OBJECT_CHANNEL] = ends[0];
    of_type[OBJECT_EVENT] = (handle_t)keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    of_type[OBJECT_TIMER] = (handle_t)keel_handle_create(OBJECT_TIMER, 0, 0, 0);
    of_type[OBJECT_RESOURCE] = handle_find("info");
    of_type[OBJECT_JOB] = (handle_t)keel_handle_create(OBJECT_JOB, job, 0, 0);
    for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        check_rule(&rules[i]);
    EQ(checked > 30, 1);
    over = true;
    thread_join(0, of_type[OBJECT_THREAD]);
    EQ(keel_handle_close(ends[1]), 0);
    for (unsigned type = 1; type < OBJECT_TYPES; type++)
        if (of_type[type] && type != OBJECT_THREAD && type != OBJECT_RESOURCE)
            EQ(keel_handle_close(of_type[type]), 0);
}

/* Where rights follow from arguments: protections of a mapping, duplication, revocation. */
static void test_by_argument(void) {
    int64_t vmo = keel_vmo_create(4096, 0), event = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    int64_t no_write = keel_handle_duplicate(vmo, RIGHT_READ | RIGHT_EXEC);
    int64_t no_exec = keel_handle_duplicate(vmo, RIGHT_READ | RIGHT_WRITE);
    uint64_t at = 0x500000000000ULL;
    EQ(keel_space_map(0, at, no_write, 0, 4096, MAP_READ | MAP_WRITE), -EACCES);
    EQ(keel_space_map(0, at, no_exec, 0, 4096, MAP_READ | MAP_EXEC), -EACCES);
    EQ(keel_space_map(0, at, no_write, 0, 4096, MAP_READ), 0);
    EQ(keel_space_protect(0, at, 4096, MAP_READ | MAP_WRITE), -EACCES);
    EQ(keel_space_unmap(0, at, 4096), 0);
    EQ(keel_handle_duplicate(no_exec, RIGHT_ALL), -EACCES);
    EQ(keel_handle_revoke(no_exec), -EACCES);
    int64_t port = keel_handle_create(OBJECT_PORT, 1, 0, 0);
    int64_t receiver = keel_handle_duplicate(port, RIGHT_ALL & ~RIGHT_SEND);
    EQ(keel_object_bind(event, receiver, 0), -EACCES);
    EQ(keel_handle_close(receiver), 0);
    EQ(keel_handle_close(port), 0);
    EQ(keel_handle_close(no_write), 0);
    EQ(keel_handle_close(no_exec), 0);
    EQ(keel_handle_close(vmo), 0);
    EQ(keel_handle_close(event), 0);
}

const struct test rights_tests[] = {
    {"rights_of_every_call", test_every_call}, {"rights_by_argument", test_by_argument}, {NULL, NULL}};
