/*
 * mmap, munmap, mprotect, brk, msync, mincore, mlock and their kin. Checks come in Linux's order, so that a
 * call with several mistakes fails as it does there.
 */
#include "linux/abi/mman.h"
#include "linux/abi/resource.h"
#include "linux/abi/stat.h"
#include "lib/keel/call.h"
#include "linux/fs/fd.h"
#include "linux/fs/memfd.h"
#include "linux/fs/mount.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/mm_internal.h"

/* Flags without meaning here. */
enum { FLAGS_IDLE = MAP_NORESERVE | MAP_STACK };
enum { MS_NOEXEC = 8, DEVICE_ZERO_MAJOR = 1, DEVICE_ZERO_MINOR = 5, PROT_SEM = 8, PROT_ALL = 7 };
#define LINUX_TASK_END 0x7ffffffff000ULL
#define LOW_AREA_START 0x40000000ULL /* MAP_32BIT */
#define LOW_AREA_END   0x80000000ULL

static struct mm *mm_own(void) {
    return task_current()->mm;
}

/* ---- memory shared without a file ---- */

static int shared_memory_map(struct file *file, handle_t *vmo) {
    *vmo = (handle_t)(uintptr_t)file->data;
    return 0;
}

static void shared_memory_release(struct file *file) {
    keel_handle_close((handle_t)(uintptr_t)file->data);
}

static const struct file_operations shared_memory_operations = {.map = shared_memory_map,
                                                                .release = shared_memory_release};

struct file *shared_memory_create(uint64_t length) {
    int64_t vmo = keel_vmo_create(length, 0);
    if (vmo < 0)
        return NULL;
    struct file *file = file_create(&shared_memory_operations, NULL, O_RDWR, (void *)(uintptr_t)vmo);
    if (!file)
        keel_handle_close((uint64_t)vmo);
    return file;
}

/* ---- mmap ---- */

struct map_request {
    uint64_t address, length, offset;
    uint32_t protection, flags; /* PROT_, MAP_ */
    struct file *file;          /* referenced; NULL: anonymous */
    const char *label;
};

static bool range_valid(uint64_t address, uint64_t length) {
    return length <= GUEST_END && address <= GUEST_END - length;
}

static bool range_free(const struct mm *mm, uint64_t address, uint64_t length) {
    const struct vma *vma = mm_find(mm, address);
    return !vma || vma_start(vma) >= address + length;
}

static int64_t room_low(const struct mm *mm, uint64_t length) {
    uint64_t at = LOW_AREA_START;
    for (const struct vma *vma = mm_find(mm, at); vma && vma_start(vma) < at + length; vma = vma_next(vma))
        at = vma->end;
    return at + length <= LOW_AREA_END ? (int64_t)at : -ENOMEM;
}

/* Where the mapping goes. */
static int64_t map_place(struct mm *mm, const struct map_request *request) {
    uint64_t address = request->address, length = request->length;
    if (length > GUEST_END)
        return -ENOMEM;
    if (request->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        if (address % PAGE_SIZE)
            return -EINVAL;
        if (!range_valid(address, length))
            return -ENOMEM;
        if (address < MMAP_LOWEST)
            return -EPERM;
        if (request->flags & MAP_FIXED_NOREPLACE && !range_free(mm, address, length))
            return -EEXIST;
        return (int64_t)address;
    }
    if (address && address < MMAP_LOWEST)
        address = MMAP_LOWEST;
    address = page_up(address);
    if (address && range_valid(address, length) && range_free(mm, address, length))
        return (int64_t)address;
    return request->flags & MAP_32BIT ? room_low(mm, length) : mm_find_room(mm, length);
}

static bool is_character_device(const struct file *file) {
    const struct inode *inode = file->path.inode;
    return inode && (inode->attributes.mode & S_IFMT) == S_IFCHR;
}

/* A device's memory ends somewhere; what lies behind it in a file is only not there yet. */
static bool ends_before(struct file *file, uint64_t end) {
    struct vmo_info info = {0};
    handle_t vmo;
    return is_character_device(file) && file->operations->map && !file->operations->map(file, &vmo) &&
           keel_object_info(vmo, keel_pointer(&info), sizeof(info)) >= 0 && end > info.size;
}

static int file_check(const struct map_request *request) {
    const struct file *file = request->file;
    uint32_t type = request->flags & MAP_TYPE;
    if (type == MAP_SHARED_VALIDATE && request->flags & ~0x1fffffU)
        return -EOPNOTSUPP;
    if (type == MAP_SHARED_VALIDATE && request->flags & MAP_SYNC)
        return -EOPNOTSUPP;
    if (type != MAP_SHARED && type != MAP_SHARED_VALIDATE && type != MAP_PRIVATE)
        return -EINVAL;
    if (type != MAP_PRIVATE && request->protection & PROT_WRITE && !file_writable(file))
        return -EACCES;
    if (!file_readable(file))
        return -EACCES;
    if (request->protection & PROT_EXEC &&
        ((file->path.mount && file->path.mount->flags & MS_NOEXEC) || file->operations->pager))
        return -EPERM;
    if (!file->operations->map && !file->operations->pager)
        return -ENODEV;
    if (request->flags & MAP_GROWSDOWN || ends_before(request->file, request->offset + request->length))
        return -EINVAL;
    return 0;
}

static bool is_zero_device(const struct file *file) {
    return is_character_device(file) &&
           file->path.inode->attributes.rdev == (DEVICE_ZERO_MAJOR << 8 | DEVICE_ZERO_MINOR);
}

/* Mappings of /dev/zero are anonymous memory; shared anonymous memory gets a file of its own. */
static int request_settle_file(struct map_request *request) {
    if (request->file && is_zero_device(request->file)) {
        if (!file_readable(request->file))
            return -EACCES;
        file_put(request->file);
        request->file = NULL;
        request->offset = 0;
    }
    uint32_t type = request->flags & MAP_TYPE;
    if (request->file)
        return file_check(request);
    if (type != MAP_SHARED && type != MAP_PRIVATE)
        return -EINVAL;
    if (type == MAP_SHARED && request->flags & MAP_GROWSDOWN)
        return -EINVAL;
    request->offset = 0;
    if (type == MAP_PRIVATE)
        return 0;
    request->file = shared_memory_create(request->length);
    request->label = "/dev/zero (deleted)";
    return request->file ? 0 : -ENOMEM;
}

static int map_file(struct mm *mm, uint64_t address, const struct map_request *request, uint32_t flags) {
    return mm_map(mm, address, request->length, request->protection & PROT_ALL, flags, request->file,
                  request->offset, request->label);
}

/* Counted before its seals are looked at, as memfd.h asks for. */
static int map_shared(struct mm *mm, uint64_t address, const struct map_request *request, uint32_t flags) {
    struct inode *inode = file_writable(request->file) ? request->file->path.inode : NULL;
    if (!inode)
        return map_file(mm, address, request, flags);
    inode->shared_writable++;
    bool sealed = memfd_write_sealed(request->file);
    int error = sealed && request->protection & PROT_WRITE
                    ? -EPERM
                    : map_file(mm, address, request, flags | (sealed ? VMA_READ_ONLY : 0));
    inode->shared_writable--;
    return error;
}

static int64_t map_locked(struct mm *mm, struct map_request *request) {
    int64_t address = map_place(mm, request);
    if (address < 0)
        return address;
    int error = request_settle_file(request);
    if (error)
        return error;
    bool private = (request->flags & MAP_TYPE) == MAP_PRIVATE;
    error = mm_check_limits(mm, request->length / PAGE_SIZE, private && request->protection & PROT_WRITE);
    if (error)
        return error;
    uint32_t flags = (private ? 0 : VMA_SHARED) | (request->flags & MAP_GROWSDOWN ? VMA_GROWSDOWN : 0) |
                     (mm->lock_future || request->flags & MAP_LOCKED ? VMA_LOCKED : 0);
    error = private ? map_file(mm, (uint64_t)address, request, flags)
                    : map_shared(mm, (uint64_t)address, request, flags);
    return error ? error : address;
}

static int64_t map_run(struct map_request *request) {
    struct mm *mm = mm_own();
    if (!request->length)
        return -EINVAL;
    request->length = page_up(request->length);
    if (!request->length)
        return -ENOMEM;
    if (request->offset + request->length < request->offset)
        return -EOVERFLOW;
    mm_lock(mm);
    int64_t address = map_locked(mm, request);
    bool populate = address >= 0 && (request->flags & (MAP_POPULATE | MAP_LOCKED) || mm->lock_future) &&
                    !(request->flags & MAP_NONBLOCK);
    mm_unlock(mm);
    if (populate)
        mm_populate((uint64_t)address, (uint64_t)address + request->length, request->protection & PROT_WRITE);
    return address;
}

/* The usual request: so many bytes of fresh private memory anywhere. */
static int64_t map_fresh(uint64_t length, uint32_t protection) {
    struct mm *mm = mm_own();
    length = page_up(length);
    mm_lock(mm);
    int64_t address = mm_find_room(mm, length);
    if (address >= 0) {
        int error = mm_check_limits(mm, length / PAGE_SIZE, protection & PROT_WRITE);
        if (!error)
            error = mm_map_lazily(mm, (uint64_t)address, length, protection);
        if (error)
            address = error;
    }
    mm_unlock(mm);
    return address;
}

int64_t sys_mmap(uint64_t address, uint64_t length, uint64_t protection, uint64_t flags, uint64_t fd,
                 uint64_t offset) {
    struct map_request request = {address, length, offset, (uint32_t)protection, (uint32_t)flags, NULL, NULL};
    if (offset % PAGE_SIZE)
        return -EINVAL;
    if ((flags & ~(uint64_t)FLAGS_IDLE) == (MAP_PRIVATE | MAP_ANONYMOUS) && !address &&
        length - 1 < MM_LAZY_LONGEST && !(protection & ~(uint64_t)PROT_ALL) && !mm_own()->lock_future)
        return map_fresh(length, (uint32_t)protection);
    if (!(flags & MAP_ANONYMOUS) && !(request.file = fd_get((int)fd)))
        return -EBADF;
    int64_t result;
    if (flags & MAP_HUGETLB)
        result = request.file ? -EINVAL : -ENOMEM;
    else
        result = map_run(&request);
    if (request.file)
        file_put(request.file);
    return result;
}

int64_t mm_map_file(struct file *file, uint64_t address, uint64_t length, uint32_t protection,
                    uint32_t flags) {
    struct map_request request = {address, length, 0, protection, flags, file, NULL};
    return map_run(&request);
}

/* Addresses that Linux would have and this guest has not are as good as unmapped. */
int64_t sys_munmap(uint64_t address, uint64_t length) {
    struct mm *mm = mm_own();
    if (address % PAGE_SIZE || address > LINUX_TASK_END || length > LINUX_TASK_END - address ||
        !page_up(length))
        return -EINVAL;
    uint64_t start = address < MMAP_LOWEST ? MMAP_LOWEST : address, end = address + page_up(length);
    if (end > GUEST_END)
        end = GUEST_END;
    if (start >= end)
        return 0;
    mutex_lock(&mm->lock); /* mm->fresh may go as it is */
    int error = mm_unmap(mm, start, end - start);
    mm_unlock(mm);
    return error;
}

int64_t sys_mprotect(uint64_t address, uint64_t length, uint64_t protection) {
    struct mm *mm = mm_own();
    uint32_t growth = (uint32_t)protection & (PROT_GROWSDOWN | PROT_GROWSUP);
    protection &= ~(uint64_t)(PROT_GROWSDOWN | PROT_GROWSUP);
    if (growth == (PROT_GROWSDOWN | PROT_GROWSUP) || address % PAGE_SIZE)
        return -EINVAL;
    if (!length)
        return 0;
    length = page_up(length);
    if (address + length <= address)
        return -ENOMEM;
    if (protection & ~(uint64_t)(PROT_ALL | PROT_SEM))
        return -EINVAL;
    mm_lock(mm);
    int error = 0;
    const struct vma *vma = mm_find(mm, address);
    if (growth == PROT_GROWSUP || (growth && (!vma || !(vma->flags & (VMA_GROWSDOWN | VMA_STACK)))))
        error = -EINVAL;
    else if (!range_valid(address, length))
        error = -ENOMEM;
    if (!error && growth && vma_start(vma) < address) {
        length += address - vma_start(vma);
        address = vma_start(vma);
    }
    if (!error)
        error = mm_protect(mm, address, length, (uint32_t)protection & PROT_ALL);
    mm_unlock(mm);
    return error;
}

int64_t sys_pkey_mprotect(uint64_t address, uint64_t length, uint64_t protection, uint64_t key) {
    return (int64_t)key == -1 ? sys_mprotect(address, length, protection) : -EINVAL;
}

/* ---- brk ---- */

static int brk_move(struct mm *mm, uint64_t wanted) {
    uint64_t from = page_up(mm->brk), to = page_up(wanted);
    if (to == from)
        return 0;
    if (to < from)
        return mm_unmap(mm, to, from - to);
    const struct rlimit64 *limit = &task_current()->process->limits[RLIMIT_DATA];
    if (limit->current != RLIM_INFINITY && wanted - mm->brk_start > limit->current)
        return -ENOMEM;
    if (!range_free(mm, from, to - from + PAGE_SIZE) || mm_check_limits(mm, (to - from) / PAGE_SIZE, true))
        return -ENOMEM;
    return mm_map(mm, from, to - from, PROT_READ | PROT_WRITE, mm->lock_future ? VMA_LOCKED : 0, NULL, 0,
                  "[heap]");
}

int64_t sys_brk(uint64_t wanted) {
    struct mm *mm = mm_own();
    mm_lock(mm);
    if (wanted >= mm->brk_start && wanted <= GUEST_END - PAGE_SIZE && !brk_move(mm, wanted))
        mm->brk = wanted;
    uint64_t result = mm->brk;
    mm_unlock(mm);
    return (int64_t)result;
}

/* ---- looks at ranges ---- */

/* The first file of a shared area with a pager from *at on, referenced, and where to go on. Those of others
 * are their own pages, of which there is nothing to write. */
static struct file *changed_file(struct mm *mm, uint64_t *at, uint64_t end) {
    struct file *file = NULL;
    mm_lock(mm);
    for (const struct vma *vma = mm_find(mm, *at); vma && vma_start(vma) < end && !file;
         vma = vma_next(vma)) {
        if (vma_paged(vma) && vma->flags & VMA_SHARED)
            file = file_get(vma->file);
        *at = vma->end;
    }
    mm_unlock(mm);
    return file;
}

int64_t sys_msync(uint64_t address, uint64_t length, uint64_t flags) {
    struct mm *mm = mm_own();
    if (flags & ~(uint64_t)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || address % PAGE_SIZE ||
        (flags & MS_ASYNC && flags & MS_SYNC))
        return -EINVAL;
    length = page_up(length);
    if (address + length < address)
        return -ENOMEM;
    if (!length)
        return 0;
    mm_lock(mm);
    bool covered = vma_covered(mm, address, address + length);
    mm_unlock(mm);
    int error = 0;
    struct file *file;
    for (uint64_t at = address; flags & MS_SYNC && (file = changed_file(mm, &at, address + length));) {
        int result = file->operations->sync(file);
        error = error ? error : result;
        file_put(file);
    }
    return error ? error : covered ? 0 : -ENOMEM;
}

int64_t sys_mincore(uint64_t address, uint64_t length, uint64_t vector) {
    struct mm *mm = mm_own();
    uint8_t present[64];
    if (address % PAGE_SIZE)
        return -EINVAL;
    if (!range_valid(address, length))
        return -ENOMEM;
    uint64_t pages = page_up(length) / PAGE_SIZE;
    mm_lock(mm);
    bool covered = !pages || vma_covered(mm, address, address + pages * PAGE_SIZE);
    mm_unlock(mm);
    if (!covered)
        return -ENOMEM;
    for (uint64_t done = 0; done < pages;) {
        uint64_t count = pages - done < sizeof(present) ? pages - done : sizeof(present);
        for (unsigned i = 0; i < sizeof(present); i++)
            present[i] = 1; /* nothing is ever swapped out */
        paged_present(mm, address + done * PAGE_SIZE, present, count);
        if (guest_copy_out(vector + done, present, count))
            return -EFAULT;
        done += count;
    }
    return 0;
}

/* ---- locking: accounting only, since nothing is ever swapped ---- */

static int lock_range(struct mm *mm, uint64_t start, uint64_t end, bool lock) {
    struct vma_spares spares;
    if (start >= end)
        return 0;
    if (!vma_covered(mm, start, end))
        return -ENOMEM;
    if (vma_spares_take(&spares, mm, start, end, false))
        return -ENOMEM;
    vma_isolate(mm, start, end, &spares);
    for (struct vma *vma = mm_find(mm, start); vma && vma_start(vma) < end; vma = vma_next(vma))
        vma_set(mm, vma, vma->protection,
                lock ? vma->flags | VMA_LOCKED : vma->flags & ~(uint32_t)VMA_LOCKED);
    vma_join(mm, start, end);
    vma_spares_free(&spares);
    return 0;
}

static bool lock_permitted(const struct mm *mm, uint64_t more) {
    uint64_t limit = task_current()->process->limits[RLIMIT_MEMLOCK].current;
    return task_is_root(task_current()) || mm->locked_pages + more <= limit / PAGE_SIZE;
}

static int64_t lock_call(uint64_t address, uint64_t length, bool lock) {
    struct mm *mm = mm_own();
    uint64_t start = address & -PAGE_SIZE, end = page_up(address + length);
    if (address + length < address || end < start)
        return length ? -EINVAL : 0;
    if (end > GUEST_END)
        return -ENOMEM;
    if (lock && !task_is_root(task_current()) && !task_current()->process->limits[RLIMIT_MEMLOCK].current)
        return -EPERM;
    mm_lock(mm);
    int error =
        lock && !lock_permitted(mm, (end - start) / PAGE_SIZE) ? -ENOMEM : lock_range(mm, start, end, lock);
    mm_unlock(mm);
    if (!error && lock)
        mm_populate(start, end, false);
    return error;
}

int64_t sys_mlock(uint64_t address, uint64_t length) {
    return lock_call(address, length, true);
}
int64_t sys_munlock(uint64_t address, uint64_t length) {
    return lock_call(address, length, false);
}
int64_t sys_mlock2(uint64_t address, uint64_t length, uint64_t flags) {
    return flags & ~(uint64_t)MLOCK_ONFAULT ? -EINVAL : lock_call(address, length, true);
}

static void lock_all(struct mm *mm, bool lock) {
    for (struct vma *vma = mm_find(mm, 0); vma; vma = vma_next(vma))
        vma_set(mm, vma, vma->protection,
                lock ? vma->flags | VMA_LOCKED : vma->flags & ~(uint32_t)VMA_LOCKED);
}

int64_t sys_mlockall(uint64_t flags) {
    struct mm *mm = mm_own();
    if (!flags || flags & ~(uint64_t)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
        return -EINVAL;
    if (!task_is_root(task_current()) && !task_current()->process->limits[RLIMIT_MEMLOCK].current)
        return -EPERM;
    mm_lock(mm);
    bool permitted = !(flags & MCL_CURRENT) || lock_permitted(mm, mm->total_pages - mm->locked_pages);
    if (permitted) {
        mm->lock_future = flags & MCL_FUTURE;
        if (flags & MCL_CURRENT)
            lock_all(mm, true);
    }
    mm_unlock(mm);
    return permitted ? 0 : -ENOMEM;
}

int64_t sys_munlockall(void) {
    struct mm *mm = mm_own();
    mm_lock(mm);
    mm->lock_future = false;
    lock_all(mm, false);
    mm_unlock(mm);
    return 0;
}
