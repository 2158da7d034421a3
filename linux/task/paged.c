/*
 * Areas that show a file with a pager (struct file_pager): a disk's node. Mapping one changes nothing in the
 * kernel space. Its pages are shown there one touch at a time, by a program (mm_fault) or by a copy of the
 * personality's (mm_page_in), and the pager may take each back at any time. What the kernel space shows is
 * thus only a copy of what the areas say, like a TLB of page tables: whoever changes such an area takes its
 * pages away and lets them be touched again. Shared areas and private ones that were never writable
 * (VMA_DIRECT) have nothing else; a private one that was has copies of the pages written, which are ordinary
 * memory.
 *
 * A touch may come from a copy under any lock but the pager's own, so it cannot take mm->lock. The areas are
 * also in the list mm->paged, and mm->paged_lock guards the list and, of these areas, place,
 * protection and kind (shared, direct). Order: mm->lock, locks of file systems → paged_lock → the pager's →
 * lazy_lock. Under the pager's lock nothing is touched (mm_hold_pages). Reading a page from its disk is
 * waited for without paged_lock.
 *
 * An area that gets out of the way of a change leaves the list first (paged_withdraw); a thread that touches
 * it meanwhile waits for mm->lock in mm_fault and looks again.
 */
#include "abi/errors.h"
#include "lib/keel/call.h"
#include "linux/abi/mman.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/mm_internal.h"

enum { PROT_ANY = PROT_READ | PROT_WRITE | PROT_EXEC };

/* ---- the list ---- */

static uint32_t paged_count(const struct mm *mm) {
    return atomic_load_explicit(&mm->paged_count, memory_order_relaxed);
}

void paged_enter(struct mm *mm, struct vma *vma) {
    vma->listed = true;
    list_push_back(&mm->paged, &vma->paged);
    atomic_fetch_add_explicit(&mm->paged_count, 1, memory_order_relaxed);
    mm->paged_used = true;
}

void paged_leave(struct mm *mm, struct vma *vma) {
    if (!vma->listed)
        return;
    vma->listed = false;
    list_remove(&vma->paged);
    atomic_fetch_sub_explicit(&mm->paged_count, 1, memory_order_relaxed);
}

static struct vma *paged_at(const struct mm *mm, uint64_t address) {
    struct vma *vma;
    list_for_each(vma, &mm->paged, paged) {
        if (vma_start(vma) <= address && address < vma->end)
            return vma;
    }
    return NULL;
}

/* ---- touches ---- */

void mm_hold_pages(bool hold) {
    struct task *task = task_current();
    if (task)
        task->pages_held += hold ? 1 : UINT32_MAX;
}

static int touch(struct mm *mm, const struct vma *vma, uint64_t page, bool write) {
    if (!(vma->protection & (write ? PROT_WRITE : PROT_ANY)))
        return -EACCES;
    struct page_touch touch = {.owner = mm,
                               .space = mm->space,
                               .address = page,
                               .offset = vma->offset + (page - vma_start(vma)),
                               .start = vma_start(vma),
                               .end = vma->end,
                               .write = write,
                               .copy = !(vma->flags & (VMA_SHARED | VMA_DIRECT))};
    mm_hold_pages(true);
    int error = vma->file->operations->pager->show(vma->file, &touch);
    mm_hold_pages(false);
    return error;
}

int paged_fault(struct mm *mm, uint64_t address, bool write) {
    int error = -EFAULT;
    if (!paged_count(mm))
        return error;
    do {
        struct file *file = NULL;
        uint64_t page = address & -PAGE_SIZE, offset = 0;
        mutex_lock(&mm->paged_lock);
        const struct vma *vma = paged_at(mm, address);
        if (vma) {
            file = file_get(vma->file);
            offset = vma->offset + (page - vma_start(vma));
        }
        error = vma ? touch(mm, vma, page, write) : -EFAULT;
        mutex_unlock(&mm->paged_lock);
        if (error == -EAGAIN && (error = file->operations->pager->fetch(file, offset)) == 0)
            error = -EAGAIN;
        if (file)
            file_put(file);
    } while (error == -EAGAIN);
    return error;
}

bool mm_page_in(uint64_t address, bool write) {
    struct task *task = task_current();
    if (!task || !task->mm)
        return false;
    if (!task->pages_held && !paged_fault(task->mm, address, write))
        return true;
    return lazy_look(task->mm, &task->news_seen);
}

/* ---- changes ---- */

/* The pages of a listed area in a range. paged_lock is held. */
static int hide(struct mm *mm, struct vma *vma, uint64_t start, uint64_t end) {
    start = start > vma_start(vma) ? start : vma_start(vma);
    end = end < vma->end ? end : vma->end;
    return start < end ? vma->file->operations->pager->hide(vma->file, mm, start, end) : 0;
}

int paged_hide(struct mm *mm, uint64_t start, uint64_t end) {
    struct vma *vma;
    int error = 0;
    list_for_each(vma, &mm->paged, paged) {
        if (!error)
            error = hide(mm, vma, start, end);
    }
    return error;
}

static bool overlaps(const struct mm *mm, uint64_t start, uint64_t end) {
    const struct vma *vma;
    list_for_each(vma, &mm->paged, paged) {
        if (vma_start(vma) < end && start < vma->end)
            return true;
    }
    return false;
}

int paged_withdraw(struct mm *mm, uint64_t start, uint64_t end, struct vma_spares *spares) {
    if (!paged_count(mm) || !overlaps(mm, start, end)) /* only who holds mm->lock changes the list */
        return 0;
    vma_isolate(mm, start, end, spares);
    mutex_lock(&mm->paged_lock);
    int error = paged_hide(mm, start, end);
    for (struct vma *vma = mm_find(mm, start); vma && vma_start(vma) < end && !error; vma = vma_next(vma))
        paged_leave(mm, vma);
    mutex_unlock(&mm->paged_lock);
    return error;
}

void paged_settle(struct mm *mm, uint64_t start, uint64_t end) {
    if (!mm->paged_used)
        return;
    mutex_lock(&mm->paged_lock);
    for (struct vma *vma = mm_find(mm, start); vma && vma_start(vma) < end; vma = vma_next(vma))
        if (vma_paged(vma) && !vma->listed)
            paged_enter(mm, vma);
    mutex_unlock(&mm->paged_lock);
    lazy_change_begin(mm);
    lazy_change_end(mm); /* who found nothing there meanwhile tries again */
}

/* The copies that a private area has of its pages, one by one, since nobody knows which there are. Each is a
 * mapping of its own, so that nothing has to be divided: the errors that are passed over are those of pages
 * that are not there. */
static int each_copy(struct mm *mm, uint64_t start, uint64_t end, int64_t to, uint64_t protection) {
    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        int64_t error = to >= 0 ? keel_space_move(mm->space, at, PAGE_SIZE, (uint64_t)to + (at - start))
                                : keel_space_protect(mm->space, at, PAGE_SIZE, protection);
        if (error && error != (to >= 0 ? -EFAULT : -ENOMEM))
            return (int)error;
    }
    return 0;
}

int paged_move(struct mm *mm, const struct vma *model, uint64_t from, uint64_t length, uint64_t to) {
    int error = (int)keel_space_unmap(mm->space, to, length);
    if (error || model->flags & (VMA_SHARED | VMA_DIRECT))
        return error;
    return each_copy(mm, from, from + length, (int64_t)to, 0);
}

int paged_protect(struct mm *mm, struct vma *vma, uint32_t protection, uint32_t flags) {
    mutex_lock(&mm->paged_lock);
    int error = paged_hide(mm, vma_start(vma), vma->end);
    if (!error && !(vma->flags & (VMA_SHARED | VMA_DIRECT)))
        error = each_copy(mm, vma_start(vma), vma->end, -1, kernel_protection(protection));
    if (!error)
        vma_set(mm, vma, protection, flags);
    mutex_unlock(&mm->paged_lock);
    return error;
}

int paged_discard(struct mm *mm, uint64_t start, uint64_t end) {
    mutex_lock(&mm->paged_lock);
    int error = paged_hide(mm, start, end);
    if (!error)
        error = (int)keel_space_unmap(mm->space, start, end - start);
    mutex_unlock(&mm->paged_lock);
    return error;
}

/* ---- looks ---- */

void paged_present(struct mm *mm, uint64_t start, uint8_t *present, uint64_t pages) {
    if (!paged_count(mm))
        return;
    for (uint64_t i = 0; i < pages; i++) {
        uint64_t page = start + i * PAGE_SIZE;
        mutex_lock(&mm->paged_lock);
        const struct vma *vma = paged_at(mm, page);
        if (vma)
            present[i] =
                vma->file->operations->pager->present(vma->file, vma->offset + (page - vma_start(vma)));
        mutex_unlock(&mm->paged_lock);
    }
}
