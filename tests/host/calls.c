/*
 * The class 1 calls that belong to no file of their own: creation by type, information, events, the log,
 * ends. Ports, channels and devices have no host side.
 */
#include "lib/keel/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errors.h"
#include "linux/arch/host/host.h"
#include "tests/host/kernel.h"

enum { KIND_SHIFT = 56, LOG_MOST = 1024, FATAL_STATUS = 125 };

int64_t keel_null(void) {
    return 0;
}

/* ---- creation ---- */

static int64_t event_open(uint64_t count) {
    struct host_event *event = host_object_create(OBJECT_EVENT, sizeof(*event), NULL, host_object_free);
    if (!event)
        return -ENOMEM;
    event->count = count;
    return host_handle_add(&event->object, RIGHT_ALL);
}

/* Any resource can be had on the host. */
static int64_t resource_open(uint64_t kind) {
    struct host_resource *resource =
        host_object_create(OBJECT_RESOURCE, sizeof(*resource), NULL, host_object_free);
    if (!resource)
        return -ENOMEM;
    resource->kind = kind;
    return host_handle_add(&resource->object, RIGHT_ALL);
}

int64_t keel_handle_create(uint64_t type, uint64_t a, uint64_t b, uint64_t c) {
    int64_t result = -EINVAL;
    (void)c;
    host_lock();
    if (type == OBJECT_EVENT)
        result = event_open(a);
    else if (type == OBJECT_RESOURCE)
        result = resource_open(b >> KIND_SHIFT);
    else if (type == OBJECT_JOB)
        result = host_job_open(a);
    host_unlock();
    return result;
}

/* ---- information ---- */

static int64_t info_write(uint64_t buffer, uint64_t length, const void *info, size_t size) {
    if (length < size)
        return -EINVAL;
    return host_user_write(buffer, info, size) == size ? (int64_t)size : -EFAULT;
}

static uint64_t space_resident(const struct host_space *space) {
    uint64_t pages = 0;
    for (struct tree_node *node = tree_first(&space->mappings); node; node = tree_next(node)) {
        const struct host_mapping *mapping = (const struct host_mapping *)node;
        uint64_t first = mapping->offset / HOST_PAGE;
        pages += host_vmo_resident(mapping->vmo, first, first + (mapping->end - node->key) / HOST_PAGE - 1);
    }
    return pages;
}

static int64_t system_describe(uint64_t buffer, uint64_t length) {
    enum { PAGES = 65536 };
    struct system_info info = {
        .cpus = 1, .pages_total = PAGES, .pages_free = PAGES - host_page_count() % PAGES};
    for (unsigned type = 0; type < OBJECT_TYPES; type++)
        info.objects[type] = host_object_count(type);
    return info_write(buffer, length, &info, sizeof(info));
}

static int64_t job_describe(const struct host_job *job, uint64_t buffer, uint64_t length) {
    struct job_info info = {.pages = job->used[HOST_PAGES],
                            .pages_limit = job->limit[HOST_PAGES],
                            .objects = job->used[HOST_OBJECTS],
                            .objects_limit = job->limit[HOST_OBJECTS],
                            .threads = job->used[HOST_THREADS],
                            .threads_limit = job->limit[HOST_THREADS]};
    return info_write(buffer, length, &info, sizeof(info));
}

static int64_t describe(struct host_object *object, uint64_t buffer, uint64_t length) {
    switch (object->type) {
    case OBJECT_VMO: {
        struct host_vmo *vmo = (struct host_vmo *)object;
        struct vmo_info info = {.size = vmo->size, .committed = vmo->page_count};
        return info_write(buffer, length, &info, sizeof(info));
    }
    case OBJECT_SPACE: {
        struct host_space *space = (struct host_space *)object;
        struct space_info info = {.resident_pages = space_resident(space), .mappings = space->mapping_count};
        return info_write(buffer, length, &info, sizeof(info));
    }
    case OBJECT_THREAD: {
        struct thread_info info = {.state = THREAD_BLOCKED};
        return info_write(buffer, length, &info, sizeof(info));
    }
    case OBJECT_JOB:
        return job_describe((struct host_job *)object, buffer, length);
    case OBJECT_RESOURCE:
        return system_describe(buffer, length);
    default:
        return -EINVAL;
    }
}

int64_t keel_object_info(uint64_t handle, uint64_t buffer, uint64_t length) {
    struct host_object *object;
    host_lock();
    int64_t result = host_handle_find(handle, OBJECT_NONE, RIGHT_READ, &object);
    if (!result)
        result = describe(object, buffer, length);
    host_unlock();
    return result;
}

/* ---- events, for one waiter each ---- */

int64_t keel_event_signal(uint64_t handle) {
    struct host_object *object;
    host_lock();
    int error = host_handle_find(handle, OBJECT_EVENT, RIGHT_SEND, &object);
    if (!error) {
        struct host_event *event = (struct host_event *)object;
        event->count++;
        if (event->waiter)
            keel_thread_kick(event->waiter);
    }
    host_unlock();
    return error;
}

/* The count, which becomes 0; when it is 0, the thread is named as the one to kick. */
static int64_t event_take(uint64_t handle) {
    struct host_object *object;
    host_lock();
    int64_t result = host_handle_find(handle, OBJECT_EVENT, RIGHT_RECV, &object);
    if (!result) {
        struct host_event *event = (struct host_event *)object;
        result = (int64_t)event->count;
        event->count = 0;
        event->waiter = result ? HANDLE_NONE : host_thread_handle();
    }
    host_unlock();
    return result;
}

int64_t keel_event_wait(uint64_t handle, uint64_t deadline) {
    int64_t result, error = 0;
    while (!(result = event_take(handle)) && !error)
        error = keel_thread_wait(deadline);
    return result ? result : error;
}

/* ---- the log and the end ---- */

int64_t keel_log_write(uint64_t handle, uint64_t text, uint64_t length) {
    char line[LOG_MOST];
    struct host_object *object;
    host_lock();
    int error = host_handle_find(handle, OBJECT_RESOURCE, RIGHT_WRITE, &object);
    if (!error && length > LOG_MOST)
        error = -EINVAL;
    if (!error && host_user_read(line, text, length) != length)
        error = -EFAULT;
    host_unlock();
    if (error)
        return error;
    if (!host_quiet)
        fwrite(line, 1, length, stderr);
    return (int64_t)length;
}

int64_t keel_log_read(uint64_t handle, uint64_t position, uint64_t buffer, uint64_t length) {
    (void)handle, (void)position, (void)buffer, (void)length;
    return 0;
}

/* What fatal() ends with is a bug: the sanitizer's report shows where. */
int64_t keel_process_exit(uint64_t status) {
    if (status == FATAL_STATUS)
        abort();
    exit((int)status);
}

int64_t keel_thread_set(uint64_t thread, uint64_t what, uint64_t value) {
    (void)thread;
    return what > 1 || (what == 0 && value > 6) ? -EINVAL : 0;
}
