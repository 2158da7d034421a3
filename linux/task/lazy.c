/*
 * Memory that the kernel need not know of yet. What mmap gives is often given back, or divided by a later
 * call, before anything touches it; so an area of fresh private memory is only entered in the tree (the last
 * one waits for that as mm->fresh), and here, as a lazy area: nothing is mapped in the kernel space anywhere
 * in it. It is shown (mapped) as a whole
 *
 *   - when the program touches it: the fault comes to the guest loop (mm_fault),
 *   - when the personality does, in a copy (linux/arch: guest_copy_in …) or through the kernel (mm_ready),
 *   - before a change of the space that is more than unmapping just it,
 *   - when too many others have come after it.
 *
 * lazy_lock guards the list. It is also held while anything else is shown and while the space is cloned: what
 * was there before may be out of reach for a moment, and whoever touches it then waits for the lock and
 * tries again (mm->news). It is the innermost lock of all, because copies happen under any other. Only who
 * holds mm->lock adds and takes away; a fault on another thread shows.
 */
#include "lib/keel/call.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/mm_internal.h"

static bool lazy_overlaps(const struct lazy_area *area, uint64_t start, uint64_t end) {
    return area->start < end && start < area->end;
}

/* Without the lock a hint, but nobody adds behind the back of who holds mm->lock. */
static uint32_t lazy_count(const struct mm *mm) {
    return atomic_load_explicit(&mm->lazy_count, memory_order_relaxed);
}

static void lazy_count_set(struct mm *mm, uint32_t count) {
    atomic_store_explicit(&mm->lazy_count, count, memory_order_relaxed);
}

static void lazy_remove(struct mm *mm, uint32_t index) {
    uint32_t left = lazy_count(mm) - 1;
    lazy_count_set(mm, left);
    for (; index < left; index++) /* in order of age */
        mm->lazy[index] = mm->lazy[index + 1];
}

/* lazy_lock held. */
static int lazy_show_one(struct mm *mm, uint32_t index) {
    const struct lazy_area *area = &mm->lazy[index];
    int error = (int)keel_space_map(mm->space, area->start, 0, 0, area->end - area->start,
                                    kernel_protection(area->protection) | MAP_COPY);
    if (!error) {
        lazy_remove(mm, index);
        mm->news++;
    }
    return error;
}

static int lazy_show_locked(struct mm *mm, uint64_t start, uint64_t end) {
    int error = 0;
    for (uint32_t i = lazy_count(mm); i-- > 0 && !error;)
        if (lazy_overlaps(&mm->lazy[i], start, end))
            error = lazy_show_one(mm, i);
    return error;
}

int lazy_show(struct mm *mm, uint64_t start, uint64_t end) {
    if (!lazy_count(mm))
        return 0;
    mutex_lock(&mm->lazy_lock);
    int error = lazy_show_locked(mm, start, end);
    mutex_unlock(&mm->lazy_lock);
    return error;
}

int lazy_add(struct mm *mm, uint64_t start, uint64_t end, uint32_t protection) {
    int error = 0;
    mutex_lock(&mm->lazy_lock);
    if (lazy_count(mm) == LAZY_MOST)
        error = lazy_show_one(mm, 0);
    if (!error) {
        uint32_t count = lazy_count(mm);
        mm->lazy[count] = (struct lazy_area){start, end, protection};
        lazy_count_set(mm, count + 1);
    }
    mutex_unlock(&mm->lazy_lock);
    return error;
}

bool lazy_take(struct mm *mm, uint64_t start, uint64_t end) {
    bool taken = false;
    if (!lazy_count(mm))
        return false;
    mutex_lock(&mm->lazy_lock);
    for (uint32_t i = lazy_count(mm); i-- > 0 && !taken;) {
        struct lazy_area *area = &mm->lazy[i];
        taken = true;
        if (area->start == start && area->end == end)
            lazy_remove(mm, i);
        else if (area->start == start && area->end > end)
            area->start = end;
        else if (area->end == end && area->start < start)
            area->end = start;
        else
            taken = false;
    }
    mutex_unlock(&mm->lazy_lock);
    return taken;
}

void lazy_copy(struct mm *to, const struct mm *from) {
    uint32_t count = lazy_count(from);
    lazy_count_set(to, count);
    for (uint32_t i = 0; i < count; i++)
        to->lazy[i] = from->lazy[i];
}

void lazy_change_begin(struct mm *mm) {
    mutex_lock(&mm->lazy_lock);
}

void lazy_change_end(struct mm *mm) {
    mm->news++;
    mutex_unlock(&mm->lazy_lock);
}

/* lazy_lock held. */
static bool news_take(const struct mm *mm, uint32_t *seen) {
    bool news = mm->news != *seen;
    *seen = mm->news;
    return news;
}

bool lazy_look(struct mm *mm, uint32_t *seen) {
    mutex_lock(&mm->lazy_lock);
    bool news = news_take(mm, seen);
    mutex_unlock(&mm->lazy_lock);
    return news;
}

int mm_fault(struct task *task, uint64_t address, bool write, int reason) {
    struct mm *mm = task->mm;
    int error = paged_fault(mm, address, write);
    if (error != -EFAULT)
        return error;
    if (reason == -EACCES)
        return reason;
    if (mm->paged_used) { /* perhaps a change was under way */
        mm_lock(mm);
        mm_unlock(mm);
    }
    mutex_lock(&mm->lazy_lock);
    error = lazy_show_locked(mm, address, address + 1);
    bool news = news_take(mm, &task->news_seen); /* by this fault, or on another thread since the last one */
    mutex_unlock(&mm->lazy_lock);
    if (error)
        return error;
    return news || reason == -EAGAIN ? 0 : -EFAULT;
}

bool mm_ready(uint64_t address, uint64_t length) {
    const struct task *task = task_current();
    return task && task->mm && !lazy_show(task->mm, address, address + length);
}
