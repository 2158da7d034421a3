/* What mm.c, vma.c, mmap.c, mremap.c and madvise.c share. mm->lock is held for all of it. */
#pragma once

#include "linux/abi/fcntl.h"
#include "linux/task/mm.h"

enum { VMA_COUNT_MAX = 65530 }; /* vm.max_map_count */

static inline uint64_t page_up(uint64_t bytes) {
    return (bytes + 4095) & ~4095ULL;
}

static inline bool file_readable(const struct file *file) {
    uint32_t mode = file->flags & O_ACCMODE;
    return mode == O_RDONLY || mode == O_RDWR;
}
static inline bool file_writable(const struct file *file) {
    uint32_t mode = file->flags & O_ACCMODE;
    return mode == O_WRONLY || mode == O_RDWR;
}

/* ---- vma.c: the tree only; the kernel's mappings are the caller's ---- */

/* Of a file that is mapped shared and may be written through it, or NULL. */
static inline struct inode *vma_written_inode(const struct vma *vma) {
    bool writes = (vma->flags & (VMA_SHARED | VMA_READ_ONLY)) == VMA_SHARED && file_writable(vma->file);
    return writes ? vma->file->path.inode : NULL;
}

/* An area's hold on its file. */
static inline void vma_file_hold(const struct vma *vma) {
    if (!vma->file)
        return;
    file_get(vma->file);
    struct inode *written = vma_written_inode(vma);
    if (written)
        written->shared_writable++;
    if (vma->file->operations->mapped)
        vma->file->operations->mapped(vma->file);
}
static inline void vma_file_drop(const struct vma *vma) {
    if (!vma->file)
        return;
    if (vma->file->operations->unmapped)
        vma->file->operations->unmapped(vma->file);
    struct inode *written = vma_written_inode(vma);
    if (written)
        written->shared_writable--;
    file_put(vma->file);
}

/* Spare nodes for a change of the range, taken before anything changes, so that nothing fails later: one for
 * each end that cuts an area in two, and with `entry` one for a new area. */
enum { VMA_SPARES = 3 };
struct vma_spares {
    struct vma *nodes[VMA_SPARES];
};
int vma_spares_take(struct vma_spares *spares, const struct mm *mm, uint64_t start, uint64_t end,
                    bool entry); /* 0 or -ENOMEM */
struct vma *vma_spare_entry(struct vma_spares *spares);
void vma_spares_free(struct vma_spares *spares);

/* Makes the range's ends boundaries between VMAs. */
void vma_isolate(struct mm *mm, uint64_t start, uint64_t end, struct vma_spares *spares);
/* Memory for a VMA, and back: one is kept at hand. */
struct vma *vma_alloc(struct mm *mm);
void vma_free(struct mm *mm, struct vma *vma);
/* Forgets mm->fresh, which is there. */
void vma_drop_fresh(struct mm *mm);
/* Takes one VMA away. */
void vma_remove(struct mm *mm, struct vma *vma);
/* Takes the (isolated) range's VMAs away. */
void vma_clear(struct mm *mm, uint64_t start, uint64_t end);
/* Enters a VMA (fields but the node filled in, file already referenced) and joins it with equal neighbours.
 */
void vma_insert(struct mm *mm, struct vma *vma, uint64_t start);
/* Joins equal neighbours from just before start to just behind end. */
void vma_join(struct mm *mm, uint64_t start, uint64_t end);
/* Changes flags of an isolated VMA, keeping the sums. */
void vma_set(struct mm *mm, struct vma *vma, uint32_t protection, uint32_t flags);
struct vma *vma_next(const struct vma *vma);
struct vma *vma_prev(const struct vma *vma);
/* Whether VMAs cover all of the range. */
bool vma_covered(const struct mm *mm, uint64_t start, uint64_t end);
void vma_free_all(struct mm *mm);
/* Copies all VMAs: 0 or -ENOMEM (none left). */
int vma_copy_all(struct mm *to, const struct mm *from);

/* ---- lazy.c ---- */

/* Makes all lazy areas that overlap the range known to the kernel: 0 or -ENOMEM. Needed before the kernel's
 * mappings of the range change. */
int lazy_show(struct mm *mm, uint64_t start, uint64_t end);
/* Enters an area in which nothing is mapped: 0 or -ENOMEM. */
int lazy_add(struct mm *mm, uint64_t start, uint64_t end, uint32_t protection);
/* Whether the range was all, the first or the last part of one lazy area, and is none any more: the kernel
 * has nothing there. */
bool lazy_take(struct mm *mm, uint64_t start, uint64_t end);
/* To a new space, which nobody uses yet, that is cloned within the same change of `from`. */
void lazy_copy(struct mm *to, const struct mm *from);

/* Around a change of the kernel space during which what is mapped may be out of reach: who touches it then
 * waits for the end and tries again. Nothing is touched in between. */
void lazy_change_begin(struct mm *mm);
void lazy_change_end(struct mm *mm);
/* After a touch that failed: waits for the end of a change. Whether there was one since the caller looked
 * last (*seen), so that it tries again. */
bool lazy_look(struct mm *mm, uint32_t *seen);

/* ---- paged.c ---- */

static inline bool vma_paged(const struct vma *vma) {
    return vma->file && vma->file->operations->pager;
}

/* As mm_fault, but for areas with a pager: -EFAULT there is none, -EACCES it does not allow the access. */
int paged_fault(struct mm *mm, uint64_t address, bool write);
/* The list; paged_lock is held, or nobody else knows the mm. */
void paged_enter(struct mm *mm, struct vma *vma);
void paged_leave(struct mm *mm, struct vma *vma); /* if it is in the list */
/* Takes the pages of a range away; the next touch shows them again. paged_lock is held. 0 or -ENOMEM. */
int paged_hide(struct mm *mm, uint64_t start, uint64_t end);
/* Before the kernel's mappings and the tree change in a range: its areas with a pager, isolated, show nothing
 * and are not touched until paged_settle, which is called in any case. 0 or -ENOMEM. */
int paged_withdraw(struct mm *mm, uint64_t start, uint64_t end, struct vma_spares *spares);
void paged_settle(struct mm *mm, uint64_t start, uint64_t end);
/* The kernel's part of a move: both ranges are withdrawn. */
int paged_move(struct mm *mm, const struct vma *model, uint64_t from, uint64_t length, uint64_t to);
/* vma_set with what the kernel has to know. The area is isolated. */
int paged_protect(struct mm *mm, struct vma *vma, uint32_t protection, uint32_t flags);
/* A private area's copies in the range are no more. */
int paged_discard(struct mm *mm, uint64_t start, uint64_t end);
/* Corrects what mincore says of pages in areas with a pager: a byte each, 1 it is in memory. */
void paged_present(struct mm *mm, uint64_t start, uint8_t *present, uint64_t pages);

/* ---- mm.c ---- */

uint64_t kernel_protection(uint32_t protection); /* MAP_ of PROT_ */

/* Shows a Vmo's (or, HANDLE_NONE, zero) pages in the kernel space as a VMA with these properties wants them,
 * in place of what was there. */
int mm_show(struct mm *mm, uint64_t address, uint64_t length, uint32_t protection, uint32_t flags,
            handle_t vmo, uint64_t offset);
/* The same for part of an existing VMA, from its file: fresh, as after mmap. */
int mm_show_again(struct mm *mm, const struct vma *vma, uint64_t start, uint64_t end, uint32_t protection);
/* mm_map with a Vmo chosen by the caller. */
int mm_map_vmo(struct mm *mm, uint64_t address, uint64_t length, uint32_t protection, uint32_t flags,
               handle_t vmo, uint64_t offset, const char *label);

/* Whether the limits of the calling task's process allow so many more pages: 0 or -ENOMEM. */
int mm_check_limits(const struct mm *mm, uint64_t more, bool data);

/* A file over fresh memory of so many bytes for MAP_SHARED | MAP_ANONYMOUS; NULL: no memory. */
struct file *shared_memory_create(uint64_t length);

/* Touches the pages of a range of the calling task's space, for writing where its VMAs allow it. No lock
 * held. 0, or -EFAULT at the first page that is not there. */
int mm_populate(uint64_t start, uint64_t end, bool write);
