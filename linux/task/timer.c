/*
 * Timer events (linux/task/time.h): an ordered tree of deadlines and one helper thread that runs what is due.
 * timerfd, interval timers (itimer.c) and POSIX timers (posix_timer.c) stand on it.
 *
 * timers_lock guards the tree; it is a leaf, never held while an event fires.
 */
#include "linux/lock.h"
#include "linux/platform.h"
#include "linux/task/time.h"

static struct mutex timers_lock = MUTEX_INIT(timers_lock);
static struct tree timer_tree;
static handle_t timer_thread;
static struct timer_event *firing;
static struct waitq fired = WAITQ_INIT(fired);
static bool started; /* the helper thread is made with the first event */

static struct timer_event *first_event(void) {
    struct tree_node *node = tree_first(&timer_tree);
    return node ? container_of(node, struct timer_event, node) : NULL;
}

/* Runs everything that is due; the next deadline. */
static uint64_t run_due(void) {
    struct timer_event *event;
    mutex_lock(&timers_lock);
    while ((event = first_event()) && event->deadline <= clock_monotonic()) {
        tree_remove(&timer_tree, &event->node);
        event->armed = false;
        firing = event;
        mutex_unlock(&timers_lock);
        event->fire(event);
        mutex_lock(&timers_lock);
        firing = NULL;
        waitq_wake_all(&fired);
    }
    uint64_t next = event ? event->deadline : DEADLINE_NEVER;
    mutex_unlock(&timers_lock);
    return next;
}

static void timer_main(void *unused) {
    (void)unused;
    timer_thread = thread_self();
    for (;;)
        thread_park(run_due());
}

void timer_event_arm(struct timer_event *event, uint64_t deadline) {
    mutex_lock(&timers_lock);
    if (event->armed)
        tree_remove(&timer_tree, &event->node);
    event->deadline = deadline;
    event->armed = true;
    tree_insert(&timer_tree, &event->node, deadline);
    bool earliest = first_event() == event;
    if (!started)
        started = !thread_spawn(timer_main, NULL, NULL);
    mutex_unlock(&timers_lock);
    if (earliest && timer_thread && timer_thread != thread_self())
        thread_unpark(timer_thread);
}

bool timer_event_cancel(struct timer_event *event) {
    mutex_lock(&timers_lock);
    bool armed = event->armed;
    if (armed)
        tree_remove(&timer_tree, &event->node);
    event->armed = false;
    mutex_unlock(&timers_lock);
    return armed;
}

void timer_event_drain(struct timer_event *event) {
    struct waiter waiter = {0};
    waitq_add(&fired, &waiter);
    mutex_lock(&timers_lock);
    for (;;) {
        if (event->armed)
            tree_remove(&timer_tree, &event->node);
        event->armed = false;
        if (firing != event)
            break;
        mutex_unlock(&timers_lock);
        thread_park(DEADLINE_NEVER);
        mutex_lock(&timers_lock);
    }
    mutex_unlock(&timers_lock);
    waitq_remove(&fired, &waiter);
}
