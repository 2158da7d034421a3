/*
 * Address spaces of Linux processes. A struct mm stands over a kernel guest space; its tree of struct vma
 * says what Linux shows of each range (file, name, flags), the kernel's mappings supply the pages. Shared by
 * CLONE_VM.
 *
 *   program …  heap (brk)  …            …  mmap area, growing down  | gap | stack | vvar, vdso | GUEST_END
 *
 * Locks: mm->lock guards the tree, the numbers and all changes of the kernel space but one: memory that
 * nobody has touched yet becomes known to the kernel under lazy_lock (linux/task/lazy.c), and pages of a disk
 * under paged_lock (linux/task/paged.c). mm->lock may be held across copies of guest memory and class 1
 * calls. It is taken by mm_lock.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/rights.h"
#include "lib/base/tree.h"
#include "linux/fs.h"
#include "linux/lock.h"

struct task;

#define MMAP_LOWEST 0x10000ULL /* vm.mmap_min_addr */

enum vma_flags {
    VMA_SHARED = 1, /* MAP_SHARED */
    VMA_DIRECT = 2, /* private, but shows the file's own pages: not writable so far */
    VMA_STACK = 4,  /* the main stack: reserved whole, shown as small as Linux shows it */
    VMA_GROWSDOWN = 8,
    VMA_DONTFORK = 16,   /* MADV_DONTFORK */
    VMA_WIPEONFORK = 32, /* MADV_WIPEONFORK */
    VMA_LOCKED = 64,     /* mlock: accounting only, nothing is ever swapped */
    VMA_DONTDUMP = 128,
    VMA_SEALED = 256,    /* vdso, vvar: stays as it is until it is unmapped */
    VMA_READ_ONLY = 512, /* of a memfd that is sealed: never to be writable */
};

struct vma {
    struct tree_node node; /* key: first address */
    uint64_t end;          /* first address behind */
    uint64_t offset;       /* into the file, of the first address, bytes */
    struct file *file;     /* referenced; NULL: anonymous */
    const char *label;     /* "[heap]", "[stack]", "[vdso]", "[vvar]" or NULL */
    uint32_t protection;   /* PROT_ */
    uint32_t flags;        /* enum vma_flags */
    bool listed;           /* in mm->paged, by `paged`: linux/task/paged.c */
    struct list paged;
};

static inline uint64_t vma_start(const struct vma *vma) {
    return vma->node.key;
}

/* Fresh private memory of the tree that the kernel does not know yet (linux/task/lazy.c). */
struct lazy_area {
    uint64_t start, end;
    uint32_t protection; /* PROT_ */
};
enum { LAZY_MOST = 4 };

struct mm {
    _Atomic uint32_t references;
    uint64_t serial; /* no other ever had it: says for certain that two are the same */
    struct mutex lock;
    struct mutex paged_lock; /* paged, and the areas in it: linux/task/paged.c */
    struct list paged;       /* areas whose pages come and go */
    _Atomic uint32_t paged_count;
    _Atomic bool paged_used;     /* there has been one */
    struct mutex lazy_lock;      /* the innermost lock: lazy, and that it agrees with the kernel space */
    _Atomic uint32_t lazy_count; /* areas in use, the oldest first */
    uint32_t news;               /* lazy_lock: how often more could be touched than before */
    handle_t space;
    handle_t job; /* borrowed from the session: what the space is charged to */
    struct tree vmas;
    struct vma *spare; /* a free node, or NULL */
    struct vma
        *fresh; /* what mmap gave last, when it is neither in the tree nor in the numbers yet; or NULL */
    uint32_t vma_count;
    uint64_t total_pages; /* of all VMAs, the stack as shown */
    uint64_t data_pages;  /* private and writable */
    uint64_t exec_pages;  /* executable files' */
    uint64_t stack_pages;
    uint64_t locked_pages;
    uint64_t peak_pages;
    uint64_t mmap_top; /* new mappings are placed below */
    uint64_t brk_start, brk;
    uint64_t code_start, code_end, data_start, data_end, stack_start;
    uint64_t argument_start, argument_end, environment_start,
        environment_end;     /* on the stack, for /proc and prctl */
    uint64_t vdso;           /* its address; 0: none */
    bool lock_future;        /* MCL_FUTURE */
    bool fork_exceptions;    /* some VMA is VMA_DONTFORK or VMA_WIPEONFORK */
    struct file *executable; /* /proc/PID/exe; referenced, counted as running (ETXTBSY) */
    struct lazy_area lazy[LAZY_MOST];
    uint64_t auxv[48]; /* as given to the program, for /proc/PID/auxv */
};

/* An empty address space charged to the job, one reference; NULL: no memory. */
struct mm *mm_create(handle_t job);
/* A copy for fork, charged to the job: NULL: no memory (nothing changed). */
struct mm *mm_fork(struct mm *mm, handle_t job);
struct mm *mm_get(struct mm *mm);
void mm_put(
    struct mm *mm); /* the last reference frees the space; not while it is attached to the calling thread */

/* Gives task the space (referenced by the caller, taken over) in place of its own and attaches the calling
 * thread, which serves it; the old one is put. */
void mm_switch(struct task *task, struct mm *mm);
/* Detaches the calling thread from the space, which was its task's, and puts that. */
void mm_leave(struct mm *mm);

/* Takes mm->lock. Memory that was mapped last is often unmapped next: it enters the tree when anybody else
 * takes the lock. */
void vma_enter_fresh(struct mm *mm);
static inline void mm_lock(struct mm *mm) {
    mutex_lock(&mm->lock);
    if (mm->fresh)
        vma_enter_fresh(mm);
}
static inline void mm_unlock(struct mm *mm) {
    mutex_unlock(&mm->lock);
}

/* Maps file pages (NULL: zero memory) at an address that is decided on already, in place of whatever is
 * there; used by exec and mmap. protection PROT_, flags enum vma_flags. mm->lock held. 0 or an error. */
int mm_map(struct mm *mm, uint64_t address, uint64_t length, uint32_t protection, uint32_t flags,
           struct file *file, uint64_t offset, const char *label);
/* Free room for length bytes below mm->mmap_top, or -ENOMEM. mm->lock held. */
int64_t mm_find_room(struct mm *mm, uint64_t length);
/* As the calling task's mmap of a file (borrowed) does, from its first byte: flags MAP_, protection PROT_.
 * The address or an error. */
int64_t mm_map_file(struct file *file, uint64_t address, uint64_t length, uint32_t protection,
                    uint32_t flags);
/* Maps fresh private memory for reading and so on (PROT_) where nothing is, without telling the kernel before
 * it is touched. At most MM_LAZY_LONGEST bytes. mm->lock held. 0 or -ENOMEM. */
int mm_map_lazily(struct mm *mm, uint64_t address, uint64_t length, uint32_t protection);
#define MM_LAZY_LONGEST (1ULL << 32) /* what the kernel would refuse must be refused at once */
int mm_unmap(struct mm *mm, uint64_t address, uint64_t length); /* mm->lock held; 0 or -ENOMEM */
int mm_protect(struct mm *mm, uint64_t address, uint64_t length, uint32_t protection); /* mm->lock held */

/* The VMA that holds the address or the next one above it; NULL. mm->lock held. */
struct vma *mm_find(const struct mm *mm, uint64_t address);
/* The VMA that holds the address; NULL. mm->lock held. */
struct vma *mm_at(const struct mm *mm, uint64_t address);

/* What a range looks like in /proc/PID/maps: the first address shown (the stack's reserve is left out). */
uint64_t vma_shown_start(const struct vma *vma);

/* Pages present, by the kernel's count. */
uint64_t mm_resident_pages(const struct mm *mm);

/* Calls visit for each VMA in ascending order with mm->lock held; visit must not block or call mm functions.
 */
void mm_each(struct mm *mm, void (*visit)(const struct vma *vma, void *context), void *context);

/* Copies from or to another process's memory (for /proc/PID/cmdline, environ, mem): the calling thread's own
 * space is attached again afterwards. Bytes copied, or -EFAULT. `to` and `from` are the personality's memory.
 */
int64_t mm_read(struct mm *mm, uint64_t address, void *to, size_t length);
int64_t mm_write(struct mm *mm, uint64_t address, const void *from, size_t length);

/* The kernel found nothing mapped where the task's program faulted (reason -EFAULT), nothing that allows the
 * access (-EACCES), or that the space is being copied (-EAGAIN): 0 try again, -ENOMEM, -ENXIO or -EIO
 * (SIGBUS), or the reason. May wait for a disk; no locks are held. */
int mm_fault(struct task *task, uint64_t address, bool write, int reason);
/* After a copy to (write) or from memory of the calling task's program that failed although mm_ready said
 * yes: true, there may be more now, though perhaps not for long: a page of a disk, or what was out of reach
 * while the space changed: try again. May wait for the disk; any locks may be held but a disk's. */
bool mm_page_in(uint64_t address, bool write);
/* Until the same call with false mm_page_in brings no page of a disk: the caller holds a disk's lock, or has
 * another space attached. */
void mm_hold_pages(bool hold);
/* Before the kernel is told to copy to or from memory of the calling task's program, and after a copy that
 * failed: makes what the program has mapped there, but not touched so far, known to the kernel. False: it
 * could not, or there is no program. Any locks may be held. */
bool mm_ready(uint64_t address, uint64_t length);

/* Where a shared futex at the address lives: the inode and offset of a shared file mapping, the shared
 * anonymous object, or (mm, address) for private memory. Two addresses are the same futex when all three are
 * equal. 0 or -EFAULT. */
struct mm_place {
    const void *object;
    uint64_t offset;
};
int mm_place(struct mm *mm, uint64_t address, struct mm_place *place);
