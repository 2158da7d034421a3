/*
 * epoll. A set holds items, one per file and descriptor; an item stands in the file's wait queues for as long
 * as it is in the set, and a wake-up puts it on the set's ready list. epoll_wait asks the files on that list
 * again, so a stale wake-up costs a look and nothing else.
 *
 * Locks, outermost first: items_lock (which items exist, file->epoll_items), epoll->lock (an item's settings;
 * the looks at files), the files' own, the guard of a wait queue, epoll->ready_guard. A set inside a set
 * takes the inner one's locks under the outer one's: loops are refused.
 */
#include "linux/io/epoll.h"

#include "abi/errors.h"
#include "lib/base/tree.h"
#include "linux/abi/epoll.h"
#include "linux/abi/fcntl.h"
#include "linux/fs/fd.h"
#include "linux/heap.h"
#include "linux/io/anon.h"
#include "linux/io/poll.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/signal.h"
#include "linux/task/time.h"

enum { ITEM_QUEUES = 3, NESTING_MAX = 4 };

#define EPOLL_PRIVATE (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

struct epoll {
    struct mutex lock;
    struct tree items; /* struct epoll_item.node, by file and descriptor (items_lock) */
    struct spin ready_guard;
    struct list ready; /* struct epoll_item.ready */
    struct waitq waiters;
};

struct item_entry {
    struct waiter waiter;
    struct waitq *queue;
    struct epoll_item *item;
};

struct epoll_item {
    struct tree_node node;
    struct epoll *epoll;
    struct file *file; /* not referenced: epoll_file_gone ends the item first */
    int32_t fd;
    uint32_t events; /* wanted, with EPOLL_PRIVATE bits */
    uint64_t data;
    struct list ready;
    struct epoll_item *next_of_file;
    struct poll_watch watch; /* enters the queues when the item is made */
    uint32_t queue_count;
    struct item_entry queues[ITEM_QUEUES];
};

static struct mutex items_lock = MUTEX_INIT(items_lock);

struct epoll *epoll_of(const struct file *file) {
    return file->operations == &epoll_operations ? file->data : NULL;
}

/* ---- the ready list ---- */

static bool ready_add(struct epoll_item *item) {
    struct epoll *epoll = item->epoll;
    spin_acquire(&epoll->ready_guard);
    bool added = list_empty(&item->ready);
    if (added)
        list_push_back(&epoll->ready, &item->ready);
    spin_release(&epoll->ready_guard);
    return added;
}

static struct epoll_item *ready_take(struct list *from, struct epoll *epoll) {
    spin_acquire(&epoll->ready_guard);
    struct list *link = list_pop_front(from);
    spin_release(&epoll->ready_guard);
    return link ? list_entry(link, struct epoll_item, ready) : NULL;
}

/* A queue of the file was woken; its guard is held. */
static void item_notify(struct waiter *waiter) {
    struct epoll_item *item = container_of(waiter, struct item_entry, waiter)->item;
    if (!(item->events & ~EPOLL_PRIVATE)) /* disabled after EPOLLONESHOT */
        return;
    ready_add(item);
    if (!waitq_empty(&item->epoll->waiters))
        waitq_wake_one(&item->epoll->waiters);
}

static void item_enter(struct poll_watch *watch, struct waitq *queue) {
    struct epoll_item *item = container_of(watch, struct epoll_item, watch);
    if (item->queue_count == ITEM_QUEUES)
        fatal("a file has more than %d wait queues", ITEM_QUEUES);
    struct item_entry *entry = &item->queues[item->queue_count++];
    entry->item = item;
    entry->queue = queue;
    entry->waiter.notify = item_notify;
    entry->waiter.exclusive = item->events & EPOLLEXCLUSIVE;
    waitq_add(queue, &entry->waiter);
}

/* ---- items ---- */

static uint64_t item_key(const struct file *file, int32_t fd) {
    return (uint64_t)(uintptr_t)file << 16 ^ (uint64_t)(uint32_t)fd;
}

static struct epoll_item *item_find(struct epoll *epoll, const struct file *file, int32_t fd) {
    uint64_t key = item_key(file, fd);
    struct tree_node *node = tree_find_ge(&epoll->items, key);
    for (; node && node->key == key; node = tree_next(node)) {
        struct epoll_item *item = container_of(node, struct epoll_item, node);
        if (item->file == file && item->fd == fd)
            return item;
    }
    return NULL;
}

static void file_unlink(struct epoll_item *item) {
    struct epoll_item *first = item->file->epoll_items;
    if (first == item) {
        item->file->epoll_items = item->next_of_file;
        return;
    }
    while (first->next_of_file != item)
        first = first->next_of_file;
    first->next_of_file = item->next_of_file;
}

/* items_lock held. */
static void item_remove(struct epoll_item *item) {
    struct epoll *epoll = item->epoll;
    mutex_lock(&epoll->lock);
    for (uint32_t i = 0; i < item->queue_count; i++)
        waitq_remove(item->queues[i].queue, &item->queues[i].waiter);
    spin_acquire(&epoll->ready_guard);
    list_remove(&item->ready);
    spin_release(&epoll->ready_guard);
    tree_remove(&epoll->items, &item->node);
    mutex_unlock(&epoll->lock);
    file_unlink(item);
    heap_free(item);
}

void epoll_file_gone(struct file *file) {
    mutex_lock(&items_lock);
    while (file->epoll_items)
        item_remove(file->epoll_items);
    mutex_unlock(&items_lock);
}

/* Whether the item's file is ready for what is wanted; epoll->lock held. */
static uint32_t item_look(struct epoll_item *item) {
    return file_poll(item->file, NULL) & item->events & ~EPOLL_PRIVATE;
}

/* After its settings changed: reports at once what is ready already. */
static void item_refresh(struct epoll_item *item, uint32_t ready) {
    if (ready & item->events & ~EPOLL_PRIVATE && ready_add(item) && !waitq_empty(&item->epoll->waiters))
        waitq_wake_one(&item->epoll->waiters);
}

static int item_add(struct epoll *epoll, struct file *file, int32_t fd, const struct epoll_event64 *event) {
    struct epoll_item *item = heap_zalloc(sizeof *item);
    if (!item)
        return -ENOMEM;
    item->epoll = epoll;
    item->file = file;
    item->fd = fd;
    item->events = event->events | POLLERR | POLLHUP;
    item->data = event->data;
    item->watch.enter = item_enter;
    list_init(&item->ready);
    mutex_lock(&epoll->lock);
    tree_insert(&epoll->items, &item->node, item_key(file, fd));
    item->next_of_file = file->epoll_items;
    file->epoll_items = item;
    item_refresh(item, file_poll(file, &item->watch));
    mutex_unlock(&epoll->lock);
    return 0;
}

static void item_modify(struct epoll_item *item, const struct epoll_event64 *event) {
    struct epoll *epoll = item->epoll;
    mutex_lock(&epoll->lock);
    item->events = event->events | POLLERR | POLLHUP;
    item->data = event->data;
    item_refresh(item, file_poll(item->file, NULL));
    mutex_unlock(&epoll->lock);
}

/* ---- sets inside sets ---- */

/* Whether a set is, or holds at any depth, the one sought; or nests too deep. items_lock held. */
static bool holds(const struct epoll *epoll, const struct epoll *sought, int level) {
    if (epoll == sought || level > NESTING_MAX)
        return true;
    for (struct tree_node *node = tree_first(&epoll->items); node; node = tree_next(node)) {
        const struct epoll *inner = epoll_of(container_of(node, struct epoll_item, node)->file);
        if (inner && holds(inner, sought, level + 1))
            return true;
    }
    return false;
}

static int nesting_check(struct file *set, const struct file *target) {
    const struct epoll *inner = epoll_of(target);
    if (!inner)
        return 0;
    return holds(inner, epoll_of(set), 1) ? -ELOOP : 0;
}

/* ---- the file ---- */

static uint32_t epoll_poll(struct file *file, struct poll_watch *watch) {
    struct epoll *epoll = file->data;
    uint32_t events = 0;
    if (watch)
        poll_watch(watch, &epoll->waiters);
    mutex_lock(&epoll->lock);
    struct epoll_item *item;
    while (!events && (item = ready_take(&epoll->ready, epoll))) {
        if (!item_look(item))
            continue;
        events = POLLIN | POLLRDNORM;
        ready_add(item);
    }
    mutex_unlock(&epoll->lock);
    return events;
}

static void epoll_release(struct file *file) {
    struct epoll *epoll = file->data;
    if (!epoll)
        return;
    mutex_lock(&items_lock);
    struct tree_node *node;
    while ((node = tree_first(&epoll->items)))
        item_remove(container_of(node, struct epoll_item, node));
    mutex_unlock(&items_lock);
    heap_free(epoll);
}

const struct file_operations epoll_operations = {.poll = epoll_poll, .release = epoll_release};

/* ---- waiting ---- */

/* Reports ready items to the guest: how many, or -EFAULT when not even one could be stored. */
static int64_t events_collect(struct epoll *epoll, uint64_t to, uint32_t most) {
    struct list again = LIST_INIT(again); /* level-triggered: looked at again next time */
    struct epoll_item *item;
    int64_t count = 0, error = 0;
    while (count < most && error == 0 && (item = ready_take(&epoll->ready, epoll))) {
        uint32_t ready = item_look(item);
        if (!ready)
            continue;
        struct epoll_event64 event = {ready, item->data};
        error = guest_copy_out(to + (uint64_t)count * sizeof event, &event, sizeof event);
        count += error == 0;
        if (error == 0 && item->events & EPOLLONESHOT)
            item->events &= EPOLL_PRIVATE;
        if (error < 0 || !(item->events & (EPOLLET | EPOLLONESHOT))) {
            spin_acquire(&epoll->ready_guard);
            if (list_empty(&item->ready))
                list_push_back(&again, &item->ready);
            spin_release(&epoll->ready_guard);
        }
    }
    spin_acquire(&epoll->ready_guard);
    list_splice_back(&epoll->ready, &again);
    spin_release(&epoll->ready_guard);
    return count ? count : error;
}

static int64_t epoll_wait_until(struct epoll *epoll, uint64_t to, uint32_t most, uint64_t deadline) {
    struct waiter waiter = {.exclusive = true};
    int64_t result;
    int error = 0;
    bool entered = false;
    for (;;) {
        mutex_lock(&epoll->lock);
        result = events_collect(epoll, to, most);
        mutex_unlock(&epoll->lock);
        if (result != 0 || deadline == 0 || error < 0)
            break;
        if (entered)
            error = task_wait(NULL, deadline);
        else
            waitq_add(&epoll->waiters, &waiter); /* and look once more */
        entered = true;
    }
    if (entered)
        waitq_remove(&epoll->waiters, &waiter);
    if (result > 0 && !list_empty(&epoll->ready) && !waitq_empty(&epoll->waiters))
        waitq_wake_one(&epoll->waiters);
    return result == 0 && error == -EINTR ? -EINTR : result;
}

static int64_t wait_checked(struct file *file, uint64_t to, int32_t most, uint64_t deadline) {
    enum { EVENTS_MAX = INT32_MAX / sizeof(struct epoll_event64) };
    if (most <= 0 || most > EVENTS_MAX)
        return -EINVAL;
    if (to >= GUEST_END || GUEST_END - to < (uint64_t)most * sizeof(struct epoll_event64))
        return -EFAULT;
    struct epoll *epoll = epoll_of(file);
    return epoll ? epoll_wait_until(epoll, to, (uint32_t)most, deadline) : -EINVAL;
}

static int64_t wait_call(uint64_t set, uint64_t events, uint64_t most, uint64_t deadline) {
    struct file *file = fd_get((int)set);
    if (!file)
        return -EBADF;
    int64_t result = wait_checked(file, events, (int32_t)most, deadline);
    file_put(file);
    return result;
}

/* With a signal mask while it waits, unless mask is 0. */
static int64_t wait_masked(uint64_t set, uint64_t events, uint64_t most, uint64_t deadline, uint64_t mask,
                           uint64_t size) {
    sigset_t64 blocked;
    if (!mask)
        return wait_call(set, events, most, deadline);
    int error = signal_set_in(&blocked, mask, size);
    if (error < 0)
        return error;
    signal_mask_temporary(task_current(), blocked);
    int64_t result = wait_call(set, events, most, deadline);
    if (result != -EINTR)
        signal_mask_restore(task_current());
    return result;
}

static uint64_t deadline_of_milliseconds(uint64_t timeout) {
    int32_t milliseconds = (int32_t)timeout;
    if (milliseconds < 0)
        return DEADLINE_NEVER;
    return milliseconds ? deadline_after((uint64_t)milliseconds * 1000000) : 0;
}

int64_t sys_epoll_wait(uint64_t set, uint64_t events, uint64_t most, uint64_t timeout) {
    return wait_call(set, events, most, deadline_of_milliseconds(timeout));
}

int64_t sys_epoll_pwait(uint64_t set, uint64_t events, uint64_t most, uint64_t timeout, uint64_t mask,
                        uint64_t size) {
    return wait_masked(set, events, most, deadline_of_milliseconds(timeout), mask, size);
}

int64_t sys_epoll_pwait2(uint64_t set, uint64_t events, uint64_t most, uint64_t timeout, uint64_t mask,
                         uint64_t size) {
    uint64_t ns, deadline = DEADLINE_NEVER;
    if (timeout) {
        int error = timespec_in(timeout, &ns);
        if (error < 0)
            return error;
        deadline = ns ? deadline_after(ns) : 0;
    }
    return wait_masked(set, events, most, deadline, mask, size);
}

/* ---- making and changing ---- */

int64_t sys_epoll_create1(uint64_t flags) {
    if ((uint32_t)flags & ~(uint32_t)EPOLL_CLOEXEC)
        return -EINVAL;
    struct epoll *epoll = heap_zalloc(sizeof *epoll);
    if (!epoll)
        return -ENOMEM;
    mutex_init(&epoll->lock);
    list_init(&epoll->ready);
    waitq_init(&epoll->waiters);
    int fd = anon_file_install(&epoll_operations, O_RDWR, flags & EPOLL_CLOEXEC, epoll);
    if (fd < 0)
        heap_free(epoll);
    return fd;
}

int64_t sys_epoll_create(uint64_t size) {
    return (int32_t)size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

static int exclusive_check(int operation, const struct file *target, const struct epoll_item *item,
                           uint32_t events) {
    uint32_t allowed = POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
    if (operation == EPOLL_CTL_MOD && ((item && item->events & EPOLLEXCLUSIVE) || events & EPOLLEXCLUSIVE))
        return -EINVAL;
    if (operation == EPOLL_CTL_ADD && events & EPOLLEXCLUSIVE && (epoll_of(target) || events & ~allowed))
        return -EINVAL;
    return 0;
}

/* items_lock held. */
static int change(struct file *set, struct file *target, int operation, int32_t fd,
                  const struct epoll_event64 *event) {
    struct epoll *epoll = epoll_of(set);
    struct epoll_item *item = item_find(epoll, target, fd);
    int error = exclusive_check(operation, target, item, event->events);
    if (error < 0)
        return error;
    switch (operation) {
    case EPOLL_CTL_ADD:
        if (item)
            return -EEXIST;
        error = nesting_check(set, target);
        return error < 0 ? error : item_add(epoll, target, fd, event);
    case EPOLL_CTL_DEL:
        if (!item)
            return -ENOENT;
        item_remove(item);
        return 0;
    case EPOLL_CTL_MOD:
        if (!item)
            return -ENOENT;
        item_modify(item, event);
        return 0;
    default:
        return -EINVAL;
    }
}

static int change_checked(struct file *set, struct file *target, int operation, int32_t fd,
                          const struct epoll_event64 *event) {
    if (!target->operations->poll)
        return -EPERM;
    if (set == target || !epoll_of(set))
        return -EINVAL;
    mutex_lock(&items_lock);
    int error = change(set, target, operation, fd, event);
    mutex_unlock(&items_lock);
    return error;
}

int64_t sys_epoll_ctl(uint64_t set, uint64_t operation, uint64_t fd, uint64_t event) {
    struct epoll_event64 wanted = {0, 0};
    if ((int)operation != EPOLL_CTL_DEL && guest_copy_in(&wanted, event, sizeof wanted) < 0)
        return -EFAULT;
    struct file *file = fd_get((int)set);
    struct file *target = file ? fd_get((int)fd) : NULL;
    int error = target ? change_checked(file, target, (int)operation, (int32_t)fd, &wanted) : -EBADF;
    if (target)
        file_put(target);
    if (file)
        file_put(file);
    return error;
}
