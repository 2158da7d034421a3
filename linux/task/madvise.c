/* madvise: most advice changes nothing here; what does, works on whole pages of private memory. */
#include "linux/abi/mman.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/mm_internal.h"

static bool advice_known(uint64_t advice) {
    return advice <= MADV_DONTNEED || (advice >= MADV_FREE && advice <= MADV_POPULATE_WRITE);
}

/* The range's private memory as it was when it was mapped. */
static int discard(struct mm *mm, const struct vma *vma, uint64_t start, uint64_t end, bool anonymous_only) {
    if (vma->flags & (VMA_LOCKED | VMA_SEALED))
        return -EINVAL;
    if (anonymous_only && (vma->file || vma->flags & VMA_SHARED))
        return -EINVAL;
    if (vma->flags & (VMA_SHARED | VMA_DIRECT))
        return 0;
    if (vma_paged(vma))
        return paged_discard(mm, start, end);
    int error = lazy_show(mm, start, end);
    return error ? error : mm_show_again(mm, vma, start, end, vma->protection);
}

static uint32_t changed_flags(uint32_t flags, uint64_t advice) {
    switch (advice) {
    case MADV_DONTFORK:
        return flags | VMA_DONTFORK;
    case MADV_DOFORK:
        return flags & ~(uint32_t)VMA_DONTFORK;
    case MADV_WIPEONFORK:
        return flags | VMA_WIPEONFORK;
    case MADV_KEEPONFORK:
        return flags & ~(uint32_t)VMA_WIPEONFORK;
    case MADV_DONTDUMP:
        return flags | VMA_DONTDUMP;
    default:
        return flags & ~(uint32_t)VMA_DONTDUMP;
    }
}

static int flags_advice(struct mm *mm, uint64_t start, uint64_t end, uint64_t advice) {
    struct vma_spares spares;
    int error = vma_spares_take(&spares, mm, start, end, false);
    if (error)
        return error;
    vma_isolate(mm, start, end, &spares);
    for (struct vma *vma = mm_find(mm, start); vma && vma_start(vma) < end && !error; vma = vma_next(vma)) {
        if (advice == MADV_WIPEONFORK && (vma->file || vma->flags & VMA_SHARED))
            error = -EINVAL;
        else
            vma_set(mm, vma, vma->protection, changed_flags(vma->flags, advice));
    }
    mm->fork_exceptions |= advice == MADV_DONTFORK || advice == MADV_WIPEONFORK;
    vma_join(mm, start, end);
    vma_spares_free(&spares);
    return error;
}

static int area_advice(struct mm *mm, const struct vma *vma, uint64_t start, uint64_t end, uint64_t advice) {
    switch (advice) {
    case MADV_DONTNEED:
        return discard(mm, vma, start, end, false);
    case MADV_FREE:
        return discard(mm, vma, start, end, true);
    case MADV_REMOVE:
        return vma->flags & VMA_SHARED && vma->file ? -EOPNOTSUPP : -EINVAL;
    case MADV_COLD:
    case MADV_PAGEOUT:
        return vma->flags & VMA_LOCKED ? -EINVAL : 0;
    default:
        return 0;
    }
}

/* Area by area; holes are passed over and reported at the end. */
static int advise(struct mm *mm, uint64_t start, uint64_t end, uint64_t advice) {
    bool hole = !vma_covered(mm, start, end);
    int error = 0;
    if (advice >= MADV_DONTFORK && advice <= MADV_KEEPONFORK && advice != MADV_MERGEABLE &&
        advice != MADV_UNMERGEABLE && advice != MADV_HUGEPAGE && advice != MADV_NOHUGEPAGE) {
        error = flags_advice(mm, start, end, advice);
        return error ? error : hole ? -ENOMEM : 0;
    }
    for (const struct vma *vma = mm_find(mm, start); vma && vma_start(vma) < end && !error;
         vma = vma_next(vma)) {
        uint64_t from = vma_start(vma) > start ? vma_start(vma) : start;
        error = area_advice(mm, vma, from, vma->end < end ? vma->end : end, advice);
    }
    return error ? error : hole ? -ENOMEM : 0;
}

static int64_t populate(struct mm *mm, uint64_t start, uint64_t end, bool write) {
    mm_lock(mm);
    int error = vma_covered(mm, start, end) ? 0 : -ENOMEM;
    uint32_t needed = write ? PROT_WRITE : PROT_READ;
    for (const struct vma *vma = mm_find(mm, start); vma && vma_start(vma) < end && !error;
         vma = vma_next(vma))
        if (!(vma->protection & needed))
            error = -EINVAL;
    mm_unlock(mm);
    return error ? error : mm_populate(start, end, write);
}

int64_t sys_madvise(uint64_t address, uint64_t length, uint64_t advice) {
    struct mm *mm = task_current()->mm;
    advice = (uint32_t)advice;
    if (!advice_known(advice) || address % PAGE_SIZE)
        return -EINVAL;
    uint64_t end = address + page_up(length);
    if ((length && !page_up(length)) || end < address)
        return -EINVAL;
    if (end == address)
        return 0;
    if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE)
        return populate(mm, address, end, advice == MADV_POPULATE_WRITE);
    mm_lock(mm);
    int error = advise(mm, address, end, advice);
    mm_unlock(mm);
    return error;
}
