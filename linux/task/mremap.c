/*
 * mremap. The kernel moves mappings with their pages (space_move); what is added behind them is mapped fresh.
 * In the tree the old area disappears and a new one with the same properties is entered.
 */
#include "lib/keel/call.h"
#include "linux/abi/mman.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/mm_internal.h"

struct move {
    uint64_t from, old_length, new_length;
    uint32_t flags;   /* MREMAP_ */
    struct vma model; /* the area's properties, offset that of `from`; its file is borrowed under mm->lock */
};

/* Fresh pages of the area from `done` to the new length, at their new place. */
static int tail_show(struct mm *mm, const struct move *move, uint64_t to, uint64_t done) {
    struct vma part = move->model;
    part.node.key = to;
    return mm_show_again(mm, &part, to + done, to + move->new_length, part.protection);
}

/* Enters an area like the model. The caller holds a reference on the file for it. */
static void area_enter(struct mm *mm, struct vma *vma, const struct vma *model, uint64_t start,
                       uint64_t length) {
    *vma = *model;
    vma->end = start + length;
    vma_insert(mm, vma, start);
}

static int grow_in_place(struct mm *mm, const struct move *move) {
    uint64_t start = move->from, end = start + move->old_length;
    struct vma_spares spares;
    int error = vma_spares_take(&spares, mm, end, start + move->new_length, true);
    if (error)
        return error;
    error = tail_show(mm, move, start, move->old_length);
    if (!error) {
        struct vma model = move->model;
        vma_file_hold(&model);
        if (model.file)
            model.offset += move->old_length;
        area_enter(mm, vma_spare_entry(&spares), &model, end, move->new_length - move->old_length);
    }
    paged_settle(mm, end, start + move->new_length);
    vma_spares_free(&spares);
    return error;
}

/* With the new area already at `to` in the kernel: the tree. Leaves the old one when it stays (DONTUNMAP). */
static int move_tree(struct mm *mm, const struct move *move, uint64_t to, struct vma_spares *at_from,
                     struct vma_spares *at_to) {
    struct vma model = move->model;
    vma_file_hold(&model);
    vma_isolate(mm, to, to + move->new_length, at_to);
    vma_clear(mm, to, to + move->new_length);
    if (!(move->flags & MREMAP_DONTUNMAP)) {
        vma_isolate(mm, move->from, move->from + move->old_length, at_from);
        vma_clear(mm, move->from, move->from + move->old_length);
    }
    area_enter(mm, vma_spare_entry(at_to), &model, to, move->new_length);
    return 0;
}

/* The kernel's part: what was at `to` goes in steps. */
static int space_move(struct mm *mm, uint64_t from, uint64_t length, uint64_t to) {
    lazy_change_begin(mm);
    int error = (int)keel_space_move(mm->space, from, length, to);
    lazy_change_end(mm);
    return error;
}

static int64_t move_to(struct mm *mm, const struct move *move, uint64_t to) {
    uint64_t kept = move->old_length < move->new_length ? move->old_length : move->new_length;
    struct vma_spares at_from, at_to;
    if (vma_spares_take(&at_from, mm, move->from, move->from + move->old_length, false))
        return -ENOMEM;
    int error = vma_spares_take(&at_to, mm, to, to + move->new_length, true);
    if (error) {
        vma_spares_free(&at_from);
        return error;
    }
    error = lazy_show(mm, move->from, move->from + move->old_length);
    if (!error)
        error = lazy_show(mm, to, to + move->new_length);
    if (!error)
        error = paged_withdraw(mm, move->from, move->from + move->old_length, &at_from);
    if (!error)
        error = paged_withdraw(mm, to, to + move->new_length, &at_to);
    if (!error && vma_paged(&move->model))
        error = paged_move(mm, &move->model, move->from, kept, to);
    else if (!error)
        error = space_move(mm, move->from, kept, to);
    if (!error && move->new_length > kept)
        error = tail_show(mm, move, to, kept);
    if (!error && move->old_length > kept)
        error = (int)keel_space_unmap(mm->space, move->from + kept, move->old_length - kept);
    if (!error && move->flags & MREMAP_DONTUNMAP)
        error = mm_show(mm, move->from, move->old_length, move->model.protection, move->model.flags,
                        HANDLE_NONE, 0);
    if (!error)
        error = move_tree(mm, move, to, &at_from, &at_to);
    paged_settle(mm, move->from, move->from + move->old_length);
    paged_settle(mm, to, to + move->new_length);
    vma_spares_free(&at_from);
    vma_spares_free(&at_to);
    return error ? error : (int64_t)to;
}

/* The area that holds all of the old range, as a model. */
static int model_take(struct mm *mm, struct move *move) {
    const struct vma *vma = mm_at(mm, move->from);
    if (!vma)
        return -EFAULT;
    if (!move->old_length && !(vma->flags & VMA_SHARED))
        return -EINVAL;
    if (vma->flags & VMA_SEALED || (move->flags & MREMAP_DONTUNMAP && (vma->file || vma->flags & VMA_SHARED)))
        return -EINVAL;
    if (move->old_length > vma->end - move->from)
        return -EFAULT;
    move->model = *vma;
    move->model.flags &= ~(uint32_t)VMA_STACK;
    if (vma->file)
        move->model.offset += move->from - vma_start(vma);
    uint64_t more = move->new_length > move->old_length ? move->new_length - move->old_length : 0;
    return mm_check_limits(mm, more / PAGE_SIZE, vma->protection & PROT_WRITE && !(vma->flags & VMA_SHARED));
}

/* A second view of shared memory: what an old length of 0 asks for. */
static int64_t view_again(struct mm *mm, const struct move *move, uint64_t to) {
    struct file *file = move->model.file ? file_get(move->model.file) : NULL;
    int error = file ? mm_map(mm, to, move->new_length, move->model.protection, move->model.flags, file,
                              move->model.offset, move->model.label)
                     : -EINVAL;
    if (file)
        file_put(file);
    return error ? error : (int64_t)to;
}

static int64_t move_anywhere(struct mm *mm, const struct move *move) {
    int64_t to = mm_find_room(mm, move->new_length);
    if (to < 0)
        return to;
    return move->old_length ? move_to(mm, move, (uint64_t)to) : view_again(mm, move, (uint64_t)to);
}

static int64_t remap_fixed(struct mm *mm, struct move *move, uint64_t to) {
    if (to % PAGE_SIZE || to > GUEST_END || move->new_length > GUEST_END - to)
        return -EINVAL;
    if (to < move->from + move->old_length && move->from < to + move->new_length)
        return -EINVAL;
    if (to < MMAP_LOWEST)
        return -EPERM;
    int error = model_take(mm, move);
    if (error)
        return error;
    return move->old_length ? move_to(mm, move, to) : view_again(mm, move, to);
}

static int64_t remap(struct mm *mm, struct move *move) {
    if (move->old_length >= move->new_length && !(move->flags & MREMAP_DONTUNMAP)) {
        uint64_t rest = move->old_length - move->new_length;
        if (!mm_at(mm, move->from))
            return -EFAULT;
        int error = rest ? mm_unmap(mm, move->from + move->new_length, rest) : 0;
        return error ? error : (int64_t)move->from;
    }
    int error = model_take(mm, move);
    if (error)
        return error;
    if (move->flags & MREMAP_DONTUNMAP)
        return move_anywhere(mm, move);
    uint64_t end = move->from + move->old_length;
    const struct vma *vma = mm_at(mm, move->from), *next = vma_next(vma);
    if (move->old_length && vma->end == end && move->new_length <= GUEST_END - move->from &&
        (!next || vma_start(next) >= move->from + move->new_length)) {
        error = grow_in_place(mm, move);
        return error ? error : (int64_t)move->from;
    }
    return move->flags & MREMAP_MAYMOVE ? move_anywhere(mm, move) : -ENOMEM;
}

int64_t sys_mremap(uint64_t address, uint64_t old_length, uint64_t new_length, uint64_t flags,
                   uint64_t new_address) {
    struct mm *mm = task_current()->mm;
    struct move move = {.from = address,
                        .old_length = page_up(old_length),
                        .new_length = page_up(new_length),
                        .flags = (uint32_t)flags};
    if (flags & ~(uint64_t)(MREMAP_FIXED | MREMAP_MAYMOVE | MREMAP_DONTUNMAP) ||
        (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE)) ||
        (flags & MREMAP_DONTUNMAP && move.old_length != move.new_length) || address % PAGE_SIZE)
        return -EINVAL;
    if (!move.new_length || address > GUEST_END || move.old_length > GUEST_END - address)
        return -EINVAL;
    if (move.new_length > GUEST_END)
        return flags & MREMAP_FIXED ? -EINVAL : -ENOMEM;
    mm_lock(mm);
    int64_t result = flags & MREMAP_FIXED ? remap_fixed(mm, &move, new_address) : remap(mm, &move);
    mm_unlock(mm);
    return result;
}
