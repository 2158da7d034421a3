/*
 * System V shared memory. A segment is a file in memory of fixed size that no directory knows, as a memfd is,
 * opened twice: for reading and writing, and for reading only (SHM_RDONLY, so that mprotect cannot add what
 * the attachment lacks). An attachment is a shared mapping of one of the two; nothing but the address space
 * remembers it, so fork copies it, and exit, exec and munmap end it, like any other mapping.
 *
 * The segment hears of each area that shows it (file_operations.mapped, unmapped) and so knows how many there
 * are. One that was removed goes with the last of them.
 */
#include "linux/ipc/shm.h"

#include "lib/base/format.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/mman.h"
#include "linux/abi/resource.h"
#include "linux/fs/memfd.h"
#include "linux/fs/tmpfs_internal.h"
#include "linux/heap.h"
#include "linux/ipc/ids.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/system.h"
#include "linux/task.h"
#include "linux/task/mm_internal.h"

enum { SHMMIN = 1, SHMMNI = 4096, BLOCKS_PER_PAGE = 8 };
#define SHM_UNLIMITED (UINT64_MAX - (1 << 24))

struct segment {
    struct ipc_object object;
    uint64_t size, attached;
    int64_t attach_time, detach_time;
    int32_t creator, last;
    struct file *file, *read_only;
};

struct shm_limits shm_limits = {.shmmax = SHM_UNLIMITED, .shmall = SHM_UNLIMITED, .shmmni = SHMMNI};
static struct ipc_family segments = IPC_FAMILY_INIT(segments, SHMMNI);
static uint64_t segments_pages; /* of all of them (segments.lock) */

static struct segment *segment_of(struct ipc_object *object) {
    return object ? container_of(object, struct segment, object) : NULL;
}

/* ---- life ---- */

static void segment_free(struct segment *segment) {
    if (segment->file)
        file_put(segment->file);
    if (segment->read_only)
        file_put(segment->read_only);
    heap_free(segment);
}

/* One user fewer. True: it was the last one of a removed segment, which the caller frees without the lock. */
static bool segment_detach(struct segment *segment) {
    segment->attached--;
    if (segment->attached || !(segment->object.mode & SHM_DEST))
        return false;
    ipc_remove(&segments, &segment->object);
    segments_pages -= page_up(segment->size) / PAGE_SIZE;
    return true;
}

static void segment_mapped(struct file *file) {
    struct segment *segment = file->data;
    mutex_lock(&segments.lock);
    segment->attached++;
    segment->attach_time = ipc_now();
    segment->last = ipc_caller();
    mutex_unlock(&segments.lock);
}

static void segment_unmapped(struct file *file) {
    struct segment *segment = file->data;
    mutex_lock(&segments.lock);
    segment->detach_time = ipc_now();
    segment->last = ipc_caller();
    bool gone = segment_detach(segment);
    mutex_unlock(&segments.lock);
    if (gone)
        segment_free(segment);
}

static int segment_map(struct file *file, handle_t *vmo) {
    return tmpfs_file_operations.map(file, vmo);
}

static const struct file_operations segment_operations = {
    .map = segment_map, .mapped = segment_mapped, .unmapped = segment_unmapped};

static struct segment *segment_make(int32_t key, uint64_t size) {
    char name[16];
    struct segment *segment = heap_zalloc(sizeof(*segment));
    if (!segment)
        return NULL;
    format_text(name, sizeof(name), "SYSV%08x", (unsigned)key);
    segment->size = size;
    segment->file = memfd_open(name, &segment_operations, segment);
    if (segment->file)
        segment->read_only = file_create(&segment_operations, &segment->file->path, O_RDONLY, segment);
    if (!segment->file || !segment->read_only) {
        segment_free(segment);
        return NULL;
    }
    struct inode *inode = segment->file->path.inode;
    mutex_lock(&inode->lock);
    int error = tmpfs_set_size(inode, size);
    mutex_unlock(&inode->lock);
    if (error) {
        segment_free(segment);
        return NULL;
    }
    return segment;
}

/* ---- shmget ---- */

static int size_check(uint64_t size) {
    uint64_t total, unused, pages = page_up(size) / PAGE_SIZE;
    if (size < SHMMIN || size > shm_limits.shmmax)
        return -EINVAL;
    if (page_up(size) < size || segments.used >= shm_limits.shmmni ||
        segments_pages + pages > shm_limits.shmall)
        return -ENOSPC;
    system_memory(&total, &unused);
    return size > total ? -ENOMEM : 0;
}

static int64_t segment_create(int32_t key, uint64_t size, uint32_t flags) {
    int error = size_check(size);
    if (error)
        return error;
    if (flags & SHM_HUGETLB) /* as on Linux where no huge pages were set aside */
        return -ENOMEM;
    struct segment *segment = segment_make(key, size);
    if (!segment)
        return -ENOMEM;
    int64_t id = ipc_add(&segments, &segment->object, key, flags);
    if (id < 0) {
        segment_free(segment);
        return id;
    }
    segment->creator = ipc_caller();
    segment->file->path.inode->attributes.ino = (uint64_t)id;
    segments_pages += page_up(size) / PAGE_SIZE;
    return id;
}

int64_t sys_shmget(uint64_t key_word, uint64_t size, uint64_t flags_word) {
    int32_t key = (int32_t)key_word;
    uint32_t flags = (uint32_t)flags_word;
    struct ipc_object *found;
    mutex_lock(&segments.lock);
    int64_t result = ipc_find(&segments, key, flags, &found);
    if (!result && !found)
        result = segment_create(key, size, flags);
    else if (!result && segment_of(found)->size < size)
        result = -EINVAL;
    else if (!result)
        result = ipc_permitted(found, flags) ? found->id : -EACCES;
    mutex_unlock(&segments.lock);
    return result;
}

/* ---- shmat, shmdt ---- */

/* Where the attachment goes: address 0 is anywhere. 0 or -EINVAL. */
static int place_check(uint64_t *address, uint32_t flags) {
    uint64_t inside = *address % PAGE_SIZE;
    if (!*address)
        return flags & SHM_REMAP ? -EINVAL : 0;
    if (inside && !(flags & SHM_RND))
        return -EINVAL;
    *address -= inside;
    return !*address && flags & SHM_REMAP ? -EINVAL : 0;
}

static int64_t attach(struct file *file, uint64_t size, uint64_t address, uint32_t flags) {
    uint32_t protection =
        PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) | (flags & SHM_EXEC ? PROT_EXEC : 0);
    uint32_t place = !address ? 0 : flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
    if (address + page_up(size) < address)
        return -EINVAL;
    int64_t result = mm_map_file(file, address, size, protection, MAP_SHARED | place);
    return result == -EEXIST ? -EINVAL : result;
}

int64_t sys_shmat(uint64_t id, uint64_t address, uint64_t flags_word) {
    uint32_t flags = (uint32_t)flags_word;
    uint32_t wanted = IPC_READ | (flags & SHM_RDONLY ? 0 : IPC_WRITE) | (flags & SHM_EXEC ? IPC_EXECUTE : 0);
    int64_t result = place_check(&address, flags);
    if (result)
        return result;
    mutex_lock(&segments.lock);
    struct segment *segment = segment_of(ipc_by_id(&segments, (int32_t)id));
    if (!segment)
        result = -EINVAL;
    else if (!ipc_permitted(&segment->object, wanted))
        result = -EACCES;
    else
        segment->attached++; /* stays while we use it */
    mutex_unlock(&segments.lock);
    if (result)
        return result;
    result = attach(flags & SHM_RDONLY ? segment->read_only : segment->file, segment->size, address, flags);
    mutex_lock(&segments.lock);
    bool gone = segment_detach(segment);
    mutex_unlock(&segments.lock);
    if (gone)
        segment_free(segment);
    return result;
}

/* An area of an attachment that begins at the address, whatever was unmapped of it since. */
static bool area_belongs(const struct vma *vma, uint64_t address) {
    return vma->file && vma->file->operations == &segment_operations && vma_start(vma) >= address &&
           vma_start(vma) - address == vma->offset;
}

int64_t sys_shmdt(uint64_t address) {
    struct mm *mm = task_current()->mm;
    const struct file *file = NULL;
    uint64_t end = UINT64_MAX;
    int error = -EINVAL;
    if (address % PAGE_SIZE)
        return -EINVAL;
    mm_lock(mm);
    for (struct vma *vma = mm_find(mm, address), *next; vma && vma_start(vma) < end; vma = next) {
        uint64_t start = vma_start(vma);
        next = vma_next(vma);
        if (!area_belongs(vma, address) || (file && file != vma->file))
            continue;
        if (!file)
            end = address + page_up(((const struct segment *)vma->file->data)->size);
        file = vma->file;
        error = mm_unmap(mm, start, vma->end - start);
        if (error)
            break;
    }
    mm_unlock(mm);
    return error;
}

/* ---- shmctl ---- */

static uint64_t resident_pages(const struct segment *segment) {
    struct inode *inode = segment->file->path.inode;
    mutex_lock(&inode->lock);
    uint64_t blocks = tmpfs_blocks(inode);
    mutex_unlock(&inode->lock);
    return blocks / BLOCKS_PER_PAGE;
}

static int64_t limits_tell(uint64_t to) {
    struct shminfo64 limits = {.shmmax = shm_limits.shmmax,
                               .shmmin = SHMMIN,
                               .shmmni = shm_limits.shmmni,
                               .shmseg = shm_limits.shmmni,
                               .shmall = shm_limits.shmall};
    mutex_lock(&segments.lock);
    int64_t last = ipc_last_index(&segments);
    mutex_unlock(&segments.lock);
    return guest_copy_out(to, &limits, sizeof(limits)) ? -EFAULT : last;
}

static int64_t use_tell(uint64_t to) {
    mutex_lock(&segments.lock);
    struct shm_info info = {.used_ids = (int32_t)segments.used, .total = segments_pages};
    for (uint32_t i = 0; i < segments.capacity; i++)
        if (segments.slots[i])
            info.resident += resident_pages(segment_of(segments.slots[i]));
    int64_t last = ipc_last_index(&segments);
    mutex_unlock(&segments.lock);
    return guest_copy_out(to, &info, sizeof(info)) ? -EFAULT : last;
}

static void segment_describe(const struct ipc_object *object, union ipc_state *state) {
    const struct segment *segment = container_of(object, const struct segment, object);
    state->segment = (struct shmid64_ds){.size = segment->size,
                                         .attach_time = segment->attach_time,
                                         .detach_time = segment->detach_time,
                                         .change_time = object->change_time,
                                         .creator = segment->creator,
                                         .last = segment->last,
                                         .attached = segment->attached};
}

/* The key is free at once; the segment goes when nobody has it any more, and its id stays good until then. */
static bool segment_remove(struct ipc_object *object) {
    object->mode |= SHM_DEST;
    object->key = IPC_PRIVATE;
    segment_of(object)->attached++;
    return segment_detach(segment_of(object));
}

static void segment_release(struct ipc_object *object) {
    segment_free(segment_of(object));
}

static const struct ipc_control segment_control = {.stat = SHM_STAT,
                                                   .stat_any = SHM_STAT_ANY,
                                                   .size = sizeof(struct shmid64_ds),
                                                   .describe = segment_describe,
                                                   .remove = segment_remove,
                                                   .release = segment_release};

/* Nothing is ever swapped: a bit of the mode. */
static int64_t segment_lock(int32_t id, bool lock) {
    const struct task *task = task_current();
    struct ipc_object *object;
    mutex_lock(&segments.lock);
    int64_t result = ipc_owned(&segments, id, &object);
    if (!result && lock && !task_is_root(task) && !task->process->limits[RLIMIT_MEMLOCK].current)
        result = -EPERM;
    else if (!result && lock)
        object->mode |= SHM_LOCKED;
    else if (!result)
        object->mode &= ~(uint32_t)SHM_LOCKED;
    mutex_unlock(&segments.lock);
    return result;
}

int64_t sys_shmctl(uint64_t id_word, uint64_t command_word, uint64_t buffer) {
    int32_t id = (int32_t)id_word;
    uint32_t command = (uint32_t)command_word;
    if (id < 0)
        return -EINVAL;
    switch (command) {
    case IPC_INFO:
        return limits_tell(buffer);
    case SHM_INFO:
        return use_tell(buffer);
    case SHM_LOCK:
    case SHM_UNLOCK:
        return segment_lock(id, command == SHM_LOCK);
    default:
        return ipc_control(&segments, &segment_control, id, command, buffer);
    }
}

/* ---- /proc/sysvipc/shm ---- */

void shm_show(struct text *text) {
    text_add(text,
             "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid"
             "      atime      dtime      ctime                   rss                  swap\n");
    mutex_lock(&segments.lock);
    for (uint32_t i = 0; i < segments.capacity; i++) {
        const struct segment *s = segment_of(segments.slots[i]);
        if (!s)
            continue;
        text_add(text, "%10d %10d  %4o %21llu %5u %5u  %5llu %5u %5u %5u %5u ", s->object.key, s->object.id,
                 s->object.mode, (unsigned long long)s->size, (unsigned)s->creator, (unsigned)s->last,
                 (unsigned long long)s->attached, s->object.uid, s->object.gid, s->object.cuid,
                 s->object.cgid);
        text_add(text, "%10llu %10llu %10llu %21llu %21llu\n", (unsigned long long)s->attach_time,
                 (unsigned long long)s->detach_time, (unsigned long long)s->object.change_time,
                 (unsigned long long)(resident_pages(s) * PAGE_SIZE), 0ULL);
    }
    mutex_unlock(&segments.lock);
}
