/*
 * poll, ppoll, select, pselect6. Each scans its files; the first scan enters the caller into their queues, so
 * that nothing that changes afterwards is missed. The files stay referenced until the caller has left the
 * queues.
 */
#include "linux/io/poll.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/resource.h"
#include "linux/abi/time.h"
#include "linux/fs/fd.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/signal.h"
#include "linux/task/time.h"

uint32_t file_poll(struct file *file, struct poll_watch *watch) {
    if (!file->operations->poll)
        return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
    return file->operations->poll(file, watch);
}

void poll_watch(struct poll_watch *watch, struct waitq *queue) {
    watch->enter(watch, queue);
}

/* ---- a watch for one call of one task ---- */

enum { POLL_ENTRIES = 12 };

struct poll_entry {
    struct waiter waiter;
    struct waitq *queue;
};

struct poll_chunk {
    struct poll_chunk *next;
    uint32_t used;
    struct poll_entry entries[POLL_ENTRIES];
};

struct poll_table {
    struct poll_watch watch;
    struct poll_chunk *last; /* newest first; ends with the one below */
    bool failed;             /* no memory for an entry */
    struct poll_chunk first;
};

static void poll_enter(struct poll_watch *watch, struct waitq *queue) {
    struct poll_table *table = container_of(watch, struct poll_table, watch);
    if (table->last->used == POLL_ENTRIES) {
        struct poll_chunk *chunk = heap_alloc(sizeof *chunk);
        if (!chunk) {
            table->failed = true;
            return;
        }
        chunk->next = table->last;
        chunk->used = 0;
        table->last = chunk;
    }
    struct poll_entry *entry = &table->last->entries[table->last->used++];
    entry->waiter.exclusive = false;
    entry->waiter.notify = NULL;
    entry->queue = queue;
    waitq_add(queue, &entry->waiter);
}

static void poll_table_init(struct poll_table *table) {
    table->watch.enter = poll_enter;
    table->last = &table->first;
    table->failed = false;
    table->first.next = NULL;
    table->first.used = 0;
}

static void poll_table_leave(struct poll_table *table) {
    while (table->last) {
        struct poll_chunk *chunk = table->last;
        for (uint32_t i = 0; i < chunk->used; i++)
            waitq_remove(chunk->entries[i].queue, &chunk->entries[i].waiter);
        table->last = chunk->next;
        if (chunk != &table->first)
            heap_free(chunk);
    }
}

/* ---- the scan and the wait, common to all ---- */

struct poll_request {
    struct pollfd64 *fds;
    struct file **files; /* referenced; NULL: negative or bad descriptor */
    uint32_t count;
    uint32_t always;   /* events that are reported without being asked for */
    uint64_t deadline; /* 0: do not wait */
    struct poll_table table;
};

static uint32_t poll_one(struct poll_request *request, uint32_t i, struct poll_watch *watch) {
    struct pollfd64 *fd = &request->fds[i];
    if (fd->fd < 0)
        return 0;
    if (!request->files[i])
        return POLLNVAL;
    return file_poll(request->files[i], watch) & ((uint16_t)fd->events | request->always);
}

/* How many are ready; their revents are set. */
static int64_t poll_scan(struct poll_request *request, struct poll_watch *watch) {
    int64_t ready = 0;
    for (uint32_t i = 0; i < request->count; i++) {
        uint32_t events = poll_one(request, i, ready ? NULL : watch);
        request->fds[i].revents = (int16_t)events;
        ready += events != 0;
    }
    return ready;
}

/* Files ready, 0 at the deadline, -EINTR, -ENOMEM. */
static int64_t poll_run(struct poll_request *request) {
    int error = 0;
    poll_table_init(&request->table);
    int64_t ready = poll_scan(request, request->deadline ? &request->table.watch : NULL);
    while (ready == 0 && request->deadline && error == 0) {
        if (request->table.failed)
            error = -ENOMEM;
        else if ((error = task_wait(NULL, request->deadline)) == 0)
            ready = poll_scan(request, NULL);
    }
    if (error == -ETIMEDOUT) /* an event may have come with the deadline */
        ready = poll_scan(request, NULL);
    poll_table_leave(&request->table);
    return error && error != -ETIMEDOUT ? error : ready;
}

static void files_put(struct file **files, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (files[i])
            file_put(files[i]);
}

/* Finds the files and runs; most calls are for few descriptors and need no heap. */
static int64_t poll_files(struct pollfd64 *fds, uint32_t count, uint32_t always, uint64_t deadline) {
    enum { FEW = 16 };
    struct file *few[FEW];
    struct poll_request request;
    request.fds = fds;
    request.files = few;
    request.count = count;
    request.always = always;
    request.deadline = deadline;
    if (count > FEW && !(request.files = heap_alloc(count * sizeof(struct file *))))
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        request.files[i] = fds[i].fd < 0 ? NULL : fd_get(fds[i].fd);
    int64_t result = poll_run(&request);
    files_put(request.files, count);
    if (request.files != few)
        heap_free(request.files);
    return result;
}

/* A deadline for a relative time; 0 stands for "do not wait", so it is never returned for a time above 0. */
static uint64_t deadline_of(uint64_t ns) {
    return ns ? deadline_after(ns) : 0;
}

static uint64_t time_left(uint64_t deadline) {
    uint64_t now = clock_monotonic();
    return deadline > now ? deadline - now : 0;
}

/* ---- poll and ppoll ---- */

static int64_t poll_copied(uint64_t to, struct pollfd64 *fds, uint32_t count, uint64_t deadline) {
    if (guest_copy_in(fds, to, count * sizeof *fds) < 0)
        return -EFAULT;
    for (uint32_t i = 0; i < count; i++)
        fds[i].revents = 0;
    int64_t result = poll_files(fds, count, POLLERR | POLLHUP, deadline);
    if (result >= 0 && guest_copy_out(to, fds, count * sizeof *fds) < 0)
        return -EFAULT;
    return result;
}

static int64_t poll_guest(uint64_t to, uint64_t count, uint64_t deadline) {
    enum { FEW = 16 };
    struct pollfd64 few[FEW];
    if ((uint32_t)count > task_current()->process->limits[RLIMIT_NOFILE].current)
        return -EINVAL;
    if ((uint32_t)count <= FEW)
        return poll_copied(to, few, (uint32_t)count, deadline);
    struct pollfd64 *fds = heap_alloc((uint32_t)count * sizeof *fds);
    if (!fds)
        return -ENOMEM;
    int64_t result = poll_copied(to, fds, (uint32_t)count, deadline);
    heap_free(fds);
    return result;
}

static int64_t poll_restart(struct task *task);

/* Interrupted: goes on with the same deadline when no handler ran. */
static int64_t poll_until(uint64_t to, uint64_t count, uint64_t deadline) {
    int64_t result = poll_guest(to, count, deadline);
    if (result != -EINTR)
        return result;
    task_current()->restart_block = (struct restart_block){poll_restart, {to, count, deadline}};
    return -ERESTART_RESTARTBLOCK;
}

static int64_t poll_restart(struct task *task) {
    const uint64_t *data = task->restart_block.data;
    return poll_until(data[0], data[1], data[2]);
}

int64_t sys_poll(uint64_t fds, uint64_t count, uint64_t timeout) {
    int32_t milliseconds = (int32_t)timeout;
    uint64_t deadline = milliseconds < 0 ? DEADLINE_NEVER : deadline_of((uint64_t)milliseconds * 1000000);
    return poll_until(fds, count, deadline);
}

/* The end of a call with a temporary signal mask and a timeout that shows the time left. What was interrupted
 * can be restarted only when the timeout could be updated. */
static int64_t wait_finish(int64_t result, bool masked, uint64_t deadline, uint64_t timeout, bool timeval) {
    struct task *task = task_current();
    if (result == -EINTR)
        result = -ERESTARTNOHAND;
    if (masked && result != -ERESTARTNOHAND)
        signal_mask_restore(task);
    if (!timeout || deadline == 0)
        return result;
    uint64_t left = deadline == DEADLINE_NEVER ? DEADLINE_NEVER : time_left(deadline);
    struct timespec64 time = timespec_from_ns(left);
    if (timeval)
        time.nanoseconds /= 1000;
    if (guest_copy_out(timeout, &time, sizeof time) < 0 && result == -ERESTARTNOHAND)
        result = -EINTR;
    return result;
}

/* An optional timespec into a deadline. */
static int deadline_in(uint64_t timeout, uint64_t *deadline) {
    uint64_t ns;
    *deadline = DEADLINE_NEVER;
    if (!timeout)
        return 0;
    int error = timespec_in(timeout, &ns);
    if (error == 0)
        *deadline = deadline_of(ns);
    return error;
}

static int mask_in(uint64_t mask, uint64_t size) {
    sigset_t64 blocked;
    if (!mask)
        return 0;
    int error = signal_set_in(&blocked, mask, size);
    if (error == 0)
        signal_mask_temporary(task_current(), blocked);
    return error;
}

int64_t sys_ppoll(uint64_t fds, uint64_t count, uint64_t timeout, uint64_t mask, uint64_t size) {
    uint64_t deadline;
    int error = deadline_in(timeout, &deadline);
    if (error == 0)
        error = mask_in(mask, size);
    if (error < 0)
        return error;
    return wait_finish(poll_guest(fds, count, deadline), mask != 0, deadline, timeout, false);
}

/* ---- select and pselect6 ---- */

enum {
    SELECT_IN = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR | POLLNVAL,
    SELECT_OUT = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR | POLLNVAL,
    SELECT_EXCEPT = POLLPRI | POLLNVAL,
    SELECT_SETS = 3,
};

static const uint32_t select_events[SELECT_SETS] = {SELECT_IN, SELECT_OUT, SELECT_EXCEPT};

struct select_request {
    uint32_t count; /* descriptors looked at */
    uint32_t words; /* of 64 bits per set */
    uint64_t guest[SELECT_SETS];
    uint64_t *sets; /* three sets, one after the other */
    struct pollfd64 *fds;
    uint32_t fd_count;
};

static uint64_t *select_set(const struct select_request *request, unsigned set) {
    return request->sets + set * request->words;
}

static int select_sets_in(const struct select_request *request) {
    uint64_t last = request->count % 64 ? (1ULL << request->count % 64) - 1 : ~0ULL;
    for (unsigned set = 0; set < SELECT_SETS; set++) {
        uint64_t *bits = select_set(request, set);
        memset(bits, 0, request->words * sizeof *bits);
        if (request->guest[set] &&
            guest_copy_in(bits, request->guest[set], request->words * sizeof *bits) < 0)
            return -EFAULT;
        if (request->words)
            bits[request->words - 1] &= last;
    }
    return 0;
}

static int select_sets_out(const struct select_request *request) {
    for (unsigned set = 0; set < SELECT_SETS; set++)
        if (request->guest[set] && guest_copy_out(request->guest[set], select_set(request, set),
                                                  request->words * sizeof(uint64_t)) < 0)
            return -EFAULT;
    return 0;
}

static bool select_has(const struct select_request *request, unsigned set, uint32_t fd) {
    return select_set(request, set)[fd / 64] >> fd % 64 & 1;
}

/* The sets as a list for poll. */
static void select_collect(struct select_request *request) {
    request->fd_count = 0;
    for (uint32_t fd = 0; fd < request->count; fd++) {
        uint32_t events = 0;
        for (unsigned set = 0; set < SELECT_SETS; set++)
            events |= select_has(request, set, fd) ? select_events[set] : 0;
        if (events)
            request->fds[request->fd_count++] = (struct pollfd64){(int32_t)fd, (int16_t)events, 0};
    }
}

/* Puts what is ready into the sets; returns the number of bits set, or -EBADF. */
static int64_t select_result(struct select_request *request) {
    int64_t bits = 0;
    for (uint32_t i = 0; i < request->fd_count; i++) {
        uint32_t fd = (uint32_t)request->fds[i].fd, events = (uint16_t)request->fds[i].revents;
        if (events & POLLNVAL)
            return -EBADF;
        for (unsigned set = 0; set < SELECT_SETS; set++) {
            bool ready = select_has(request, set, fd) && events & select_events[set];
            bits += ready;
            if (!ready)
                select_set(request, set)[fd / 64] &= ~(1ULL << fd % 64);
        }
    }
    return bits;
}

static int64_t select_run(struct select_request *request, uint64_t deadline) {
    int error = select_sets_in(request);
    if (error < 0)
        return error;
    select_collect(request);
    int64_t result = poll_files(request->fds, request->fd_count, 0, deadline);
    if (result < 0)
        return result;
    result = select_result(request);
    if (result >= 0 && select_sets_out(request) < 0)
        return -EFAULT;
    return result;
}

static int64_t select_guest(uint64_t count, const uint64_t guest[SELECT_SETS], uint64_t deadline) {
    int32_t most = (int32_t)count;
    if (most < 0)
        return -EINVAL;
    uint32_t capacity = task_current()->files->capacity;
    struct select_request request = {.count = (uint32_t)most < capacity ? (uint32_t)most : capacity};
    request.words = (request.count + 63) / 64;
    memcpy(request.guest, guest, sizeof request.guest);
    size_t sets = SELECT_SETS * request.words * sizeof(uint64_t);
    request.sets = heap_alloc(sets + request.count * sizeof *request.fds + sizeof(uint64_t));
    if (!request.sets)
        return -ENOMEM;
    request.fds = (struct pollfd64 *)((char *)request.sets + sets);
    int64_t result = select_run(&request, deadline);
    heap_free(request.sets);
    return result;
}

/* A struct timeval; microseconds beyond a second are allowed here. */
static int timeval_in(uint64_t timeout, uint64_t *deadline) {
    struct timeval64 time;
    uint64_t ns;
    *deadline = DEADLINE_NEVER;
    if (!timeout)
        return 0;
    if (guest_copy_in(&time, timeout, sizeof time) < 0)
        return -EFAULT;
    uint64_t seconds = (uint64_t)time.seconds + (uint64_t)(time.microseconds / 1000000);
    struct timespec64 spec = {(int64_t)seconds, time.microseconds % 1000000 * 1000};
    int error = timespec_to_ns(&spec, &ns);
    if (error == 0)
        *deadline = deadline_of(ns);
    return error;
}

int64_t sys_select(uint64_t count, uint64_t in, uint64_t out, uint64_t except, uint64_t timeout) {
    uint64_t deadline;
    int error = timeval_in(timeout, &deadline);
    if (error < 0)
        return error;
    int64_t result = select_guest(count, (uint64_t[]){in, out, except}, deadline);
    return wait_finish(result, false, deadline, timeout, true);
}

int64_t sys_pselect6(uint64_t count, uint64_t in, uint64_t out, uint64_t except, uint64_t timeout,
                     uint64_t signals) {
    uint64_t deadline, mask[2] = {0, 0}; /* address and size */
    if (signals && guest_copy_in(mask, signals, sizeof mask) < 0)
        return -EFAULT;
    int error = deadline_in(timeout, &deadline);
    if (error == 0)
        error = mask_in(mask[0], mask[1]);
    if (error < 0)
        return error;
    int64_t result = select_guest(count, (uint64_t[]){in, out, except}, deadline);
    return wait_finish(result, mask[0] != 0, deadline, timeout, false);
}
