/*
 * Address spaces: creation, copies, the end, and the one way in which a VMA's pages are put into the kernel
 * space.
 *
 *   anonymous private     zero memory, MAP_COPY: fork snapshots it
 *   file, private         writable: the file's Vmo, MAP_COPY. Not writable: the Vmo itself (VMA_DIRECT),
 * which costs no snapshot, neither now nor at fork; a later mprotect for writing maps it again shared the Vmo
 * itself file with a pager     nothing: its pages come when they are touched (paged.c)
 */
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/abi/mman.h"
#include "linux/abi/resource.h"
#include "linux/fs/file.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/mm_internal.h"

/* ---- life ---- */

static struct mm *mm_alloc(void) {
    static _Atomic uint64_t last_serial;
    struct mm *mm = heap_alloc(sizeof(*mm));
    if (!mm)
        return NULL;
    memset(mm, 0,
           offsetof(struct mm, lazy)); /* what is behind says itself how much of it is used, or is copied */
    mm->references = 1;
    mm->serial = atomic_fetch_add_explicit(&last_serial, 1, memory_order_relaxed) + 1;
    mutex_init(&mm->lock);
    mutex_init(&mm->lazy_lock);
    mutex_init(&mm->paged_lock);
    list_init(&mm->paged);
    return mm;
}

struct mm *mm_create(handle_t job) {
    struct mm *mm = mm_alloc();
    if (!mm)
        return NULL;
    int64_t space = keel_space_create(job);
    if (space < 0) {
        heap_free(mm);
        return NULL;
    }
    mm->space = (handle_t)space;
    mm->job = job;
    memset(mm->auxv, 0, sizeof(mm->auxv));
    return mm;
}

/* Ranges that MADV_DONTFORK keeps from the child, or that MADV_WIPEONFORK clears there. */
static int fork_exceptions(struct mm *mm) {
    struct vma *vma = mm_find(mm, 0);
    int error = 0;
    while (vma && !error) {
        struct vma *next = vma_next(vma);
        uint64_t start = vma_start(vma), end = vma->end;
        if (vma->flags & VMA_DONTFORK) {
            error = (int)keel_space_unmap(mm->space, start, end - start);
            paged_leave(mm, vma); /* nobody uses the copy yet */
            vma_clear(mm, start, end);
        } else if (vma->flags & VMA_WIPEONFORK) {
            error = mm_show_again(mm, vma, start, end, vma->protection);
        }
        vma = next;
    }
    return error;
}

static void mm_copy_numbers(struct mm *to, const struct mm *from) {
    to->vma_count = from->vma_count;
    to->total_pages = to->peak_pages = from->total_pages;
    to->data_pages = from->data_pages;
    to->exec_pages = from->exec_pages;
    to->stack_pages = from->stack_pages;
    to->mmap_top = from->mmap_top;
    to->brk_start = from->brk_start;
    to->brk = from->brk;
    to->code_start = from->code_start;
    to->code_end = from->code_end;
    to->data_start = from->data_start;
    to->data_end = from->data_end;
    to->stack_start = from->stack_start;
    to->argument_start = from->argument_start;
    to->argument_end = from->argument_end;
    to->environment_start = from->environment_start;
    to->environment_end = from->environment_end;
    to->vdso = from->vdso;
    to->fork_exceptions = from->fork_exceptions;
    memcpy(to->auxv, from->auxv, sizeof(to->auxv));
}

static int mm_copy(struct mm *to, struct mm *from) {
    int error = vma_copy_all(to, from);
    if (error)
        return error;
    int64_t space = from->fork_exceptions ? lazy_show(from, 0, GUEST_END) : 0;
    mutex_lock(&from->paged_lock); /* what is shown of a disk is not for the copy */
    if (!space)
        space = paged_hide(from, 0, GUEST_END);
    if (!space) {
        lazy_change_begin(from);
        space = keel_space_clone(from->space, to->job); /* the kernel resolves no fault in it meanwhile */
        lazy_copy(to, from);
        lazy_change_end(from);
    }
    mutex_unlock(&from->paged_lock);
    if (space < 0) {
        vma_free_all(to);
        return (int)space;
    }
    to->space = (handle_t)space;
    mm_copy_numbers(to, from);
    to->paged_used = from->paged_used;
    paged_settle(to, 0, GUEST_END);
    if (from->executable && !inode_deny_write(from->executable->path.inode))
        to->executable = file_get(from->executable);
    return 0;
}

struct mm *mm_fork(struct mm *mm, handle_t job) {
    struct mm *copy = mm_alloc();
    if (!copy)
        return NULL;
    copy->job = job;
    mm_lock(mm);
    int error = mm_copy(copy, mm);
    mm_unlock(mm);
    if (error) {
        heap_free(copy);
        return NULL;
    }
    if (copy->fork_exceptions && fork_exceptions(copy)) {
        mm_put(copy);
        return NULL;
    }
    return copy;
}

struct mm *mm_get(struct mm *mm) {
    atomic_fetch_add_explicit(&mm->references, 1, memory_order_relaxed);
    return mm;
}

void mm_put(struct mm *mm) {
    if (atomic_fetch_sub(&mm->references, 1) != 1)
        return;
    keel_handle_close(mm->space);
    mutex_lock(&mm->paged_lock);
    (void)paged_hide(mm, 0, GUEST_END); /* of a space that is gone this does not fail */
    mutex_unlock(&mm->paged_lock);
    vma_free_all(mm);
    if (mm->executable) {
        inode_allow_write(mm->executable->path.inode);
        file_put(mm->executable);
    }
    heap_free(mm);
}

void mm_switch(struct task *task, struct mm *mm) {
    mutex_lock(&tasks_lock); /* others find task->mm under it */
    struct mm *old = task->mm;
    task->mm = mm;
    task->news_seen = 0;
    mutex_unlock(&tasks_lock);
    if (keel_guest_attach(mm->space))
        fatal("attaching a guest space failed");
    if (old)
        mm_put(old);
}

void mm_leave(struct mm *mm) {
    if (keel_guest_attach(0))
        fatal("leaving a guest space failed");
    mm_put(mm);
}

/* ---- pages ---- */

uint64_t kernel_protection(uint32_t protection) {
    return (protection & PROT_READ ? MAP_READ : 0) | (protection & PROT_WRITE ? MAP_WRITE : 0) |
           (protection & PROT_EXEC ? MAP_EXEC : 0);
}

int mm_show(struct mm *mm, uint64_t address, uint64_t length, uint32_t protection, uint32_t flags,
            handle_t vmo, uint64_t offset) {
    bool copy = !(flags & (VMA_SHARED | VMA_DIRECT));
    lazy_change_begin(mm); /* what was there goes in steps */
    int error = (int)keel_space_map(mm->space, address, vmo, vmo ? offset : 0, length,
                                    kernel_protection(protection) | (copy ? MAP_COPY : 0));
    lazy_change_end(mm);
    return error;
}

static int file_vmo(struct file *file, handle_t *vmo) {
    *vmo = HANDLE_NONE;
    if (!file)
        return 0;
    return file->operations->map ? file->operations->map(file, vmo) : -ENODEV;
}

/* The flags of an area that is mapped from its file just now. */
static uint32_t fresh_flags(uint32_t flags, const struct file *file, uint32_t protection) {
    flags &= ~(uint32_t)VMA_DIRECT;
    if (file && !(flags & VMA_SHARED) && !(protection & PROT_WRITE))
        flags |= VMA_DIRECT;
    return flags;
}

int mm_show_again(struct mm *mm, const struct vma *vma, uint64_t start, uint64_t end, uint32_t protection) {
    handle_t vmo;
    if (vma_paged(vma))
        return (int)keel_space_unmap(mm->space, start, end - start);
    int error = file_vmo(vma->file, &vmo);
    if (error)
        return error;
    return mm_show(mm, start, end - start, protection, fresh_flags(vma->flags, vma->file, protection), vmo,
                   vma->offset + (start - vma_start(vma)));
}

static int map_at(struct mm *mm, uint64_t address, uint64_t length, handle_t vmo, const struct vma *model) {
    struct vma_spares spares;
    int error = mm->vma_count > VMA_COUNT_MAX ? -ENOMEM
                                              : vma_spares_take(&spares, mm, address, address + length, true);
    if (error)
        return error;
    error = lazy_show(mm, address, address + length);
    if (!error)
        error = paged_withdraw(mm, address, address + length, &spares);
    if (!error && vma_paged(model))
        error = (int)keel_space_unmap(mm->space, address, length);
    else if (!error)
        error = mm_show(mm, address, length, model->protection, model->flags, vmo, model->offset);
    if (!error) {
        vma_isolate(mm, address, address + length, &spares);
        vma_clear(mm, address, address + length);
        struct vma *vma = vma_spare_entry(&spares);
        *vma = *model;
        vma->end = address + length;
        vma_file_hold(vma);
        vma_insert(mm, vma, address);
        mm->paged_used = mm->paged_used || vma_paged(model);
    }
    paged_settle(mm, address, address + length);
    vma_spares_free(&spares);
    return error;
}

int mm_map(struct mm *mm, uint64_t address, uint64_t length, uint32_t protection, uint32_t flags,
           struct file *file, uint64_t offset, const char *label) {
    handle_t vmo = HANDLE_NONE;
    int error = file && file->operations->pager ? 0 : file_vmo(file, &vmo);
    if (error)
        return error;
    struct vma model = {.offset = offset,
                        .file = file,
                        .label = label,
                        .protection = protection,
                        .flags = fresh_flags(flags, file, protection)};
    return map_at(mm, address, length, vmo, &model);
}

int mm_map_vmo(struct mm *mm, uint64_t address, uint64_t length, uint32_t protection, uint32_t flags,
               handle_t vmo, uint64_t offset, const char *label) {
    struct vma model = {.offset = offset, .label = label, .protection = protection, .flags = flags};
    return map_at(mm, address, length, vmo, &model);
}

int mm_map_lazily(struct mm *mm, uint64_t address, uint64_t length, uint32_t protection) {
    struct vma *vma = mm->vma_count > VMA_COUNT_MAX ? NULL : vma_alloc(mm);
    if (!vma)
        return -ENOMEM;
    int error = lazy_add(mm, address, address + length, protection);
    if (error) {
        vma_free(mm, vma);
        return error;
    }
    *vma = (struct vma){.node.key = address, .end = address + length, .protection = protection};
    mm->fresh = vma;
    return 0;
}

static int kernel_unmap(struct mm *mm, uint64_t address, uint64_t length) {
    if (lazy_take(mm, address, address + length))
        return 0;
    int error = lazy_show(mm, address, address + length);
    return error ? error : (int)keel_space_unmap(mm->space, address, length);
}

/* Whether the range is just what was mapped last. */
static bool is_fresh(const struct mm *mm, uint64_t address, uint64_t length) {
    return mm->fresh && vma_start(mm->fresh) == address && mm->fresh->end == address + length;
}

int mm_unmap(struct mm *mm, uint64_t address, uint64_t length) {
    if (is_fresh(mm, address, length)) {
        int error = kernel_unmap(mm, address, length);
        if (!error)
            vma_drop_fresh(mm);
        return error;
    }
    if (mm->fresh)
        vma_enter_fresh(mm);
    struct vma *first = mm_find(mm, address);
    if (!first || vma_start(first) >= address + length)
        return 0;
    if (vma_start(first) == address && first->end == address + length && !vma_paged(first)) {
        int error = kernel_unmap(mm, address, length);
        if (!error)
            vma_remove(mm, first);
        return error;
    }
    struct vma_spares spares;
    int error = vma_spares_take(&spares, mm, address, address + length, false);
    if (error)
        return error;
    error = paged_withdraw(mm, address, address + length, &spares);
    if (!error)
        error = kernel_unmap(mm, address, length);
    if (!error) {
        vma_isolate(mm, address, address + length, &spares);
        vma_clear(mm, address, address + length);
    }
    paged_settle(mm, address, address + length);
    vma_spares_free(&spares);
    return error;
}

/* ---- protection ---- */

/* Of one isolated area. What shows a file's own pages is mapped anew: the kernel allows a mapping no more
 * than it was made with. */
static int vma_protect(struct mm *mm, struct vma *vma, uint32_t protection) {
    uint64_t start = vma_start(vma);
    uint32_t flags = vma->flags;
    int error;
    if (vma->protection == protection)
        return 0;
    if ((error = lazy_show(mm, start, vma->end)))
        return error;
    if (flags & VMA_SEALED || (vma_paged(vma) && protection & PROT_EXEC) ||
        (flags & VMA_SHARED && vma->file && protection & PROT_WRITE &&
         (flags & VMA_READ_ONLY || !file_writable(vma->file))))
        return -EACCES;
    if (vma_paged(vma))
        return paged_protect(mm, vma, protection,
                             flags & VMA_DIRECT ? fresh_flags(flags, vma->file, protection) : flags);
    if (vma->file && flags & (VMA_DIRECT | VMA_SHARED)) {
        error = mm_show_again(mm, vma, start, vma->end, protection);
        flags = fresh_flags(flags, vma->file, protection);
    } else {
        error = (int)keel_space_protect(mm->space, start, vma->end - start, kernel_protection(protection));
    }
    if (!error)
        vma_set(mm, vma, protection, flags);
    return error;
}

int mm_protect(struct mm *mm, uint64_t address, uint64_t length, uint32_t protection) {
    uint64_t end = address + length, at = address;
    struct vma_spares spares;
    int error = vma_spares_take(&spares, mm, address, end, false);
    if (error)
        return error;
    vma_isolate(mm, address, end, &spares);
    while (at < end && !error) {
        struct vma *vma = mm_at(mm, at);
        error = vma ? vma_protect(mm, vma, protection) : -ENOMEM;
        if (vma)
            at = vma->end;
    }
    vma_join(mm, address, end);
    vma_spares_free(&spares);
    return error;
}

/* ---- room and limits ---- */

int64_t mm_find_room(struct mm *mm, uint64_t length) {
    uint64_t limit = mm->mmap_top;
    struct tree_node *node = limit ? tree_find_le(&mm->vmas, limit - 1) : NULL;
    for (; node; node = tree_prev(node)) {
        const struct vma *vma = container_of(node, struct vma, node);
        if (vma->end <= limit && limit - vma->end >= length)
            break;
        if (vma_start(vma) < limit)
            limit = vma_start(vma);
    }
    if (limit < length || limit - length < MMAP_LOWEST)
        return -ENOMEM;
    return (int64_t)(limit - length);
}

int mm_check_limits(const struct mm *mm, uint64_t more, bool data) {
    const struct rlimit64 *limits = task_current()->process->limits;
    if (mm->total_pages + more > limits[RLIMIT_AS].current / PAGE_SIZE)
        return -ENOMEM;
    if (data && mm->data_pages + more > limits[RLIMIT_DATA].current / PAGE_SIZE)
        return -ENOMEM;
    return 0;
}

/* ---- for others ---- */

uint64_t mm_resident_pages(const struct mm *mm) {
    struct space_info space = {0};
    if (!mm || keel_object_info(mm->space, keel_pointer(&space), sizeof(space)) < 0)
        return 0;
    return space.resident_pages;
}

static void attach_own(void) {
    const struct task *task = task_current();
    keel_guest_attach(task && task->mm ? task->mm->space : 0);
}

/* Page by page, since pages of a disk need not be there together. */
static int copy_page(struct mm *mm, uint64_t address, void *to, const void *from, size_t length,
                     uint32_t *news_seen) {
    int error;
    do
        error = to ? guest_copy_in(to, address, length) : guest_copy_out(address, from, length);
    while (error && (!paged_fault(mm, address, !to) || lazy_look(mm, news_seen)));
    return error;
}

static int64_t copy_other(struct mm *mm, uint64_t address, uint8_t *to, const uint8_t *from, size_t length) {
    uint32_t news_seen = 0;
    int error = 0;
    keel_guest_attach(mm->space);
    mm_hold_pages(true);
    if (lazy_show(mm, address, address + length))
        error = -ENOMEM;
    for (size_t done = 0, part; done < length && !error; done += part) {
        part = PAGE_SIZE - (address + done) % PAGE_SIZE;
        part = part < length - done ? part : length - done;
        error =
            copy_page(mm, address + done, to ? to + done : NULL, from ? from + done : NULL, part, &news_seen);
    }
    mm_hold_pages(false);
    attach_own();
    return error ? error : (int64_t)length;
}

int64_t mm_read(struct mm *mm, uint64_t address, void *to, size_t length) {
    return copy_other(mm, address, to, NULL, length);
}

int64_t mm_write(struct mm *mm, uint64_t address, const void *from, size_t length) {
    return copy_other(mm, address, NULL, from, length);
}

int mm_place(struct mm *mm, uint64_t address, struct mm_place *place) {
    mm_lock(mm);
    const struct vma *vma = mm_at(mm, address);
    *place = (struct mm_place){mm, address};
    if (vma && vma->flags & VMA_SHARED && vma->file) {
        const struct inode *inode = vma->file->path.inode;
        place->object = inode ? (const void *)inode : vma->file;
        place->offset = vma->offset + (address - vma_start(vma));
    }
    mm_unlock(mm);
    return vma ? 0 : -EFAULT;
}

int mm_populate(uint64_t start, uint64_t end, bool write) {
    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        uint32_t found;
        if (guest_load32(at, &found) || (write && guest_exchange32(at, found, found, &found)))
            return -EFAULT;
    }
    return 0;
}
