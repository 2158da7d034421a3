/* The tree of virtual memory areas and the sums over it (mm.h). Changes prepare spare nodes first: see
 * mm_internal.h. */
#include "lib/base/string.h"
#include "linux/abi/mman.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task/mm_internal.h"

enum { STACK_SHOWN = 33 * 4096 }; /* what Linux's stack has when a program starts */

static struct vma *vma_of(struct tree_node *node) {
    return node ? container_of(node, struct vma, node) : NULL;
}

struct vma *vma_next(const struct vma *vma) {
    return vma_of(tree_next(&vma->node));
}
struct vma *vma_prev(const struct vma *vma) {
    return vma_of(tree_prev(&vma->node));
}

struct vma *mm_at(const struct mm *mm, uint64_t address) {
    struct vma *vma = vma_of(tree_find_le(&mm->vmas, address));
    return vma && vma->end > address ? vma : NULL;
}

struct vma *mm_find(const struct mm *mm, uint64_t address) {
    struct vma *vma = vma_of(tree_find_le(&mm->vmas, address));
    if (!vma)
        return vma_of(tree_first(&mm->vmas));
    return vma->end > address ? vma : vma_next(vma);
}

uint64_t vma_shown_start(const struct vma *vma) {
    if (!(vma->flags & VMA_STACK) || vma->end - vma_start(vma) <= STACK_SHOWN)
        return vma_start(vma);
    return vma->end - STACK_SHOWN;
}

/* ---- sums ---- */

static void sums_add(struct mm *mm, const struct vma *vma, int64_t sign) {
    uint64_t pages = (uint64_t)sign * ((vma->end - vma_shown_start(vma)) / PAGE_SIZE);
    mm->total_pages += pages;
    if (vma->flags & VMA_STACK)
        mm->stack_pages += pages;
    else if (vma->protection & PROT_WRITE && !(vma->flags & VMA_SHARED))
        mm->data_pages += pages;
    else if (vma->protection & PROT_EXEC && vma->file)
        mm->exec_pages += pages;
    if (vma->flags & VMA_LOCKED)
        mm->locked_pages += pages;
    if (mm->total_pages > mm->peak_pages)
        mm->peak_pages = mm->total_pages;
}

/* ---- single areas ---- */

struct vma *vma_alloc(struct mm *mm) {
    struct vma *vma = mm->spare;
    mm->spare = NULL;
    return vma ? vma : heap_alloc(sizeof(*vma));
}

void vma_free(struct mm *mm, struct vma *vma) {
    if (mm->spare)
        heap_free(vma);
    else
        mm->spare = vma;
}

static void vma_drop(struct mm *mm, struct vma *vma) {
    vma_file_drop(vma);
    vma_free(mm, vma);
}

static void tree_enter(struct mm *mm, struct vma *vma, uint64_t start) {
    vma->listed = false;
    tree_insert(&mm->vmas, &vma->node, start);
    mm->vma_count++;
    sums_add(mm, vma, 1);
}

static void tree_leave(struct mm *mm, struct vma *vma) {
    sums_add(mm, vma, -1);
    mm->vma_count--;
    tree_remove(&mm->vmas, &vma->node);
}

static bool vma_joins(const struct vma *left, const struct vma *right) {
    return left->end == vma_start(right) && left->file == right->file && left->label == right->label &&
           left->protection == right->protection && left->flags == right->flags &&
           (!left->file || left->offset + (left->end - vma_start(left)) == right->offset) &&
           !(left->flags & VMA_SEALED);
}

void vma_join(struct mm *mm, uint64_t start, uint64_t end) {
    struct vma *vma = start ? mm_find(mm, start - 1) : mm_find(mm, 0), *next;
    while (vma && vma_start(vma) < end && (next = vma_next(vma))) {
        if (!vma_joins(vma, next)) {
            vma = next;
            continue;
        }
        uint64_t new_end = next->end;
        bool paged = vma_paged(vma);
        if (paged)
            mutex_lock(&mm->paged_lock);
        if (next->listed && !vma->listed)
            paged_enter(mm, vma);
        paged_leave(mm, next);
        tree_leave(mm, next);
        sums_add(mm, vma, -1);
        vma->end = new_end;
        sums_add(mm, vma, 1);
        if (paged)
            mutex_unlock(&mm->paged_lock);
        vma_drop(mm, next);
    }
}

void vma_insert(struct mm *mm, struct vma *vma, uint64_t start) {
    tree_enter(mm, vma, start);
    const struct vma *before = vma_prev(vma), *next = vma_next(vma);
    if ((before && vma_joins(before, vma)) || (next && vma_joins(vma, next)))
        vma_join(mm, start, vma->end);
}

void vma_enter_fresh(struct mm *mm) {
    struct vma *vma = mm->fresh;
    mm->fresh = NULL;
    vma_insert(mm, vma, vma_start(vma));
}

void vma_drop_fresh(struct mm *mm) {
    struct vma *vma = mm->fresh;
    uint64_t pages = mm->total_pages + (vma->end - vma_start(vma)) / PAGE_SIZE;
    if (pages > mm->peak_pages)
        mm->peak_pages = pages;
    mm->fresh = NULL;
    vma_free(mm, vma);
}

void vma_remove(struct mm *mm, struct vma *vma) {
    tree_leave(mm, vma);
    vma_drop(mm, vma);
}

void vma_set(struct mm *mm, struct vma *vma, uint32_t protection, uint32_t flags) {
    sums_add(mm, vma, -1);
    vma->protection = protection;
    vma->flags = flags;
    sums_add(mm, vma, 1);
}

/* ---- ranges ---- */

/* Whether a boundary at the end of a range, whose first area this is, would lie inside an area. */
static bool end_is_inside(const struct mm *mm, const struct vma *first, uint64_t end) {
    if (!first || vma_start(first) >= end || first->end == end)
        return false;
    if (first->end > end)
        return true;
    const struct vma *vma = mm_at(mm, end);
    return vma && vma_start(vma) != end;
}

int vma_spares_take(struct vma_spares *spares, const struct mm *mm, uint64_t start, uint64_t end,
                    bool entry) {
    const struct vma *first = mm_find(mm, start);
    const bool needed[VMA_SPARES] = {first && vma_start(first) < start, end_is_inside(mm, first, end), entry};
    *spares = (struct vma_spares){0};
    for (unsigned i = 0; i < VMA_SPARES; i++) {
        if (!needed[i] || (spares->nodes[i] = heap_alloc(sizeof(struct vma))))
            continue;
        vma_spares_free(spares);
        return -ENOMEM;
    }
    return 0;
}

void vma_spares_free(struct vma_spares *spares) {
    for (unsigned i = 0; i < VMA_SPARES; i++)
        heap_free(spares->nodes[i]);
}

static struct vma *spare_use(struct vma_spares *spares, unsigned index) {
    struct vma *vma = spares->nodes[index];
    spares->nodes[index] = NULL;
    return vma;
}

struct vma *vma_spare_entry(struct vma_spares *spares) {
    return spare_use(spares, VMA_SPARES - 1);
}

static void vma_cut(struct mm *mm, uint64_t address, struct vma_spares *spares, unsigned index) {
    struct vma *vma = spares->nodes[index] ? mm_at(mm, address) : NULL;
    if (!vma || vma_start(vma) == address)
        return;
    struct vma *rest = spare_use(spares, index);
    bool paged = vma_paged(vma);
    if (paged)
        mutex_lock(&mm->paged_lock);
    sums_add(mm, vma, -1);
    *rest = *vma;
    vma_file_hold(rest);
    if (rest->file)
        rest->offset += address - vma_start(vma);
    vma->end = address;
    if (vma->flags & VMA_STACK)
        vma->flags &= ~(uint32_t)VMA_STACK; /* its lower part is nothing special any more */
    sums_add(mm, vma, 1);
    tree_enter(mm, rest, address);
    if (vma->listed)
        paged_enter(mm, rest);
    if (paged)
        mutex_unlock(&mm->paged_lock);
}

void vma_isolate(struct mm *mm, uint64_t start, uint64_t end, struct vma_spares *spares) {
    vma_cut(mm, start, spares, 0);
    vma_cut(mm, end, spares, 1);
}

void vma_clear(struct mm *mm, uint64_t start, uint64_t end) {
    struct vma *vma = mm_find(mm, start);
    while (vma && vma_start(vma) < end) {
        struct vma *next = vma_next(vma);
        vma_remove(mm, vma);
        vma = next;
    }
}

bool vma_covered(const struct mm *mm, uint64_t start, uint64_t end) {
    struct vma *vma = mm_at(mm, start);
    while (vma && vma->end < end) {
        struct vma *next = vma_next(vma);
        if (!next || vma_start(next) != vma->end)
            return false;
        vma = next;
    }
    return vma;
}

/* Leaves first, so that nothing has to be put in order again. */
void vma_free_all(struct mm *mm) {
    struct tree_node *node = mm->vmas.root;
    mm->vmas.root = NULL;
    while (node) {
        struct tree_node *child = node->left ? node->left : node->right, *parent = node->parent;
        if (!child) {
            struct vma *vma = vma_of(node);
            vma_file_drop(vma);
            heap_free(vma);
            if (parent && parent->left == node)
                parent->left = NULL;
            else if (parent)
                parent->right = NULL;
        }
        node = child ? child : parent;
    }
    heap_free(mm->spare);
    heap_free(mm->fresh);
    mm->spare = mm->fresh = NULL;
}

int vma_copy_all(struct mm *to, const struct mm *from) {
    for (struct vma *vma = vma_of(tree_first(&from->vmas)); vma; vma = vma_next(vma)) {
        struct vma *copy = heap_alloc(sizeof(*copy));
        if (!copy) {
            vma_free_all(to);
            return -ENOMEM;
        }
        *copy = *vma;
        copy->flags &= ~(uint32_t)VMA_LOCKED;
        copy->listed = false;
        vma_file_hold(copy);
        tree_insert(&to->vmas, &copy->node, vma_start(vma));
    }
    return 0;
}

void mm_each(struct mm *mm, void (*visit)(const struct vma *vma, void *context), void *context) {
    mm_lock(mm);
    for (struct vma *vma = vma_of(tree_first(&mm->vmas)); vma; vma = vma_next(vma))
        visit(vma, context);
    mm_unlock(mm);
}
