/*
 * /proc/keel: the kernel's counters and the personality's own, one "name value" a line. What the leak tests
 * and the benchmark read.
 *
 * /proc/keel_fail, debug kernel only: writing N makes the N-th kernel allocation from now fail, whoever makes
 * it; reading turns that off and tells how many were made since the last write or read.
 */
#include "abi/errors.h"
#include "abi/objects.h"
#include "lib/keel/call.h"
#include "linux/fs/proc_internal.h"
#include "linux/heap.h"
#include "linux/syscalls.h"
#include "linux/system.h"

static void add(struct text *text, const char *name, uint64_t value) {
    text_add(text, "%s %llu\n", name, (unsigned long long)value);
}

static const char *object_name(unsigned type) {
    switch (type) {
#define OBJECT(name, number)                                                                                 \
    case number:                                                                                             \
        return #name;
#include "abi/objects.def"
#undef OBJECT
    default:
        return NULL;
    }
}

static void add_objects(struct text *text, const struct system_info *info) {
    for (unsigned type = 0; type < sizeof(info->objects) / sizeof(info->objects[0]); type++) {
        const char *name = object_name(type);
        if (!name)
            continue;
        text_add(text, "objects_");
        for (; *name; name++)
            text_add(text, "%c", *name >= 'A' && *name <= 'Z' ? *name + ('a' - 'A') : *name);
        text_add(text, " %llu\n", (unsigned long long)info->objects[type]);
    }
}

static void add_missing_calls(struct text *text) {
    for (unsigned number = 0; number <= POSIX_CALLS_ALL; number++) {
        uint64_t count = posix_call_missing(number);
        const char *name = posix_call_name(number);
        if (count)
            text_add(text, "unsupported_%s %llu\n", name ? name : "unknown", (unsigned long long)count);
    }
}

int proc_show_keel(const struct proc_ref *ref, struct text *text) {
    struct system_info info;
    (void)ref;
    system_counters(&info);
    add(text, "cpus", info.cpus);
    add(text, "pages_total", info.pages_total);
    add(text, "pages_free", info.pages_free);
    add_objects(text, &info);
    add(text, "kernel_bytes", info.kernel_bytes);
    add(text, "context_switches", info.context_switches);
    add(text, "page_table_switches", info.page_table_switches);
    add(text, "page_faults", info.page_faults);
    add(text, "interrupts", info.interrupts);
    add(text, "kernel_entries", info.kernel_entries);
    add(text, "reflections", info.reflections);
    add(text, "idle_time", info.idle_time);
    add(text, "first_user_tsc", info.first_user_tsc);
    add(text, "boot_tsc", info.boot_tsc);
    add(text, "heap_used", heap_used());
    add_missing_calls(text);
    return 0;
}

int proc_show_keel_fail(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    int64_t made = keel_debug_fail(system_handles.debug, 0);
    if (made < 0)
        return (int)made;
    text_add(text, "%lld\n", (long long)made);
    return 0;
}

int proc_store_keel_fail(const struct proc_ref *ref, const char *bytes, size_t length) {
    (void)ref;
    while (length && bytes[length - 1] == '\n')
        length--;
    int32_t number = proc_number(bytes, length);
    if (number < 0)
        return -EINVAL;
    int64_t made = keel_debug_fail(system_handles.debug, (uint64_t)number);
    return made < 0 ? (int)made : 0;
}
