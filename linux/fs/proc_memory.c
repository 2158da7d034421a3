/* /proc/PID: maps and smaps, cmdline, environ, auxv, exe, mem: what the address space shows. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/mman.h"
#include "linux/abi/stat.h"
#include "linux/fs/file.h"
#include "linux/fs/path.h"
#include "linux/fs/proc_internal.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task/mm.h"

enum { NAME_COLUMN = 73, STRINGS_MAX = 1 << 20 };

/* ---- maps: the VMAs are copied under the lock, the texts made afterwards ---- */

struct area {
    uint64_t start, end, offset;
    uint32_t protection, flags;
    const char *label;
    struct file *file;
};

struct areas {
    struct area *list;
    size_t count, capacity;
};

static void count_area(const struct vma *vma, void *context) {
    struct areas *areas = context;
    (void)vma;
    areas->capacity++;
}

static void copy_area(const struct vma *vma, void *context) {
    struct areas *areas = context;
    if (areas->count == areas->capacity)
        return;
    areas->list[areas->count++] = (struct area){
        .start = vma_shown_start(vma),
        .end = vma->end,
        .offset = vma->offset,
        .protection = vma->protection,
        .flags = vma->flags,
        .label = vma->label,
        .file = vma->file ? file_get(vma->file) : NULL,
    };
}

static int areas_get(const struct proc_ref *ref, struct areas *areas) {
    *areas = (struct areas){0};
    if (!proc_may_look(ref))
        return -EACCES;
    struct mm *mm = proc_mm(ref);
    if (!mm)
        return 0;
    mm_each(mm, count_area, areas);
    areas->capacity += 16; /* it may grow in between */
    areas->list = heap_alloc(areas->capacity * sizeof(*areas->list));
    if (areas->list)
        mm_each(mm, copy_area, areas);
    mm_put(mm);
    return areas->list ? 0 : -ENOMEM;
}

static void areas_put(struct areas *areas) {
    for (size_t i = 0; i < areas->count; i++)
        file_put(areas->list[i].file);
    heap_free(areas->list);
}

static void add_area(struct text *text, const struct area *area, char *name) {
    size_t start = text->length;
    const struct inode *inode = area->file ? area->file->path.inode : NULL;
    uint64_t device = inode ? inode->attributes.device : 0;
    text_add(text, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", (unsigned long long)area->start,
             (unsigned long long)area->end, area->protection & PROT_READ ? 'r' : '-',
             area->protection & PROT_WRITE ? 'w' : '-', area->protection & PROT_EXEC ? 'x' : '-',
             area->flags & VMA_SHARED ? 's' : 'p', (unsigned long long)area->offset, device_major(device),
             device_minor(device), (unsigned long long)(inode ? inode->attributes.ino : 0));
    const char *shown = area->label;
    if (inode && path_describe(&area->file->path, name, PATH_MAX, true) > 0)
        shown = name;
    if (shown) {
        size_t column = text->length - start;
        text_add(text, "%*s", column < NAME_COLUMN ? (int)(NAME_COLUMN - column) : 0, "");
        text_escaped(text, shown, "\n");
    }
    text_add(text, "\n");
}

/* What smaps adds; the kernel does not tell which pages of an area are present, so that writable ones count
 * in full. */
static void add_sizes(struct text *text, uint64_t size, uint64_t resident) {
    unsigned long long kb = size / 1024, present = resident / 1024;
    text_add(text, "Size:           %8llu kB\nKernelPageSize: %8u kB\nMMUPageSize:    %8u kB\n", kb, 4u, 4u);
    text_add(text, "Rss:            %8llu kB\nPss:            %8llu kB\n", present, present);
    text_add(text, "Shared_Clean:   %8u kB\nShared_Dirty:   %8u kB\n", 0u, 0u);
    text_add(text, "Private_Clean:  %8u kB\nPrivate_Dirty:  %8llu kB\n", 0u, present);
    text_add(text, "Referenced:     %8llu kB\nAnonymous:      %8llu kB\n", present, present);
    text_add(text, "Swap:           %8u kB\nSwapPss:        %8u kB\nLocked:         %8u kB\n", 0u, 0u, 0u);
}

static int show_areas(const struct proc_ref *ref, struct text *text, bool sizes) {
    struct areas areas;
    char *name = heap_alloc(PATH_MAX);
    int error = name ? areas_get(ref, &areas) : -ENOMEM;
    for (size_t i = 0; !error && i < areas.count; i++) {
        const struct area *area = &areas.list[i];
        add_area(text, area, name);
        if (sizes)
            add_sizes(text, area->end - area->start,
                      area->protection & PROT_WRITE ? area->end - area->start : 0);
    }
    if (!error)
        areas_put(&areas);
    heap_free(name);
    return error;
}

int proc_show_maps(const struct proc_ref *ref, struct text *text) {
    return show_areas(ref, text, false);
}

int proc_show_smaps(const struct proc_ref *ref, struct text *text) {
    return show_areas(ref, text, true);
}

int proc_show_smaps_rollup(const struct proc_ref *ref, struct text *text) {
    if (!proc_may_look(ref))
        return -EACCES;
    struct mm *mm = proc_mm(ref);
    if (!mm)
        return -ESRCH;
    uint64_t resident = mm_resident_pages(mm) * PAGE_SIZE;
    text_add(text, "%08llx-%08llx ---p 00000000 00:00 0 %*s[rollup]\n", (unsigned long long)mm->code_start,
             (unsigned long long)GUEST_END, NAME_COLUMN - 50, "");
    mm_put(mm);
    add_sizes(text, resident, resident);
    return 0;
}

/* ---- strings on the stack ---- */

/* Copies [start, end) of the process's memory into the text, as far as it can be read. */
static void add_range(struct text *text, struct mm *mm, uint64_t start, uint64_t end) {
    char block[512];
    if (end > start && end - start > STRINGS_MAX)
        end = start + STRINGS_MAX;
    while (start < end) {
        size_t length = end - start < sizeof(block) ? (size_t)(end - start) : sizeof(block);
        int64_t got = mm_read(mm, start, block, length);
        if (got <= 0)
            return;
        text_bytes(text, block, (size_t)got);
        start += (uint64_t)got;
    }
}

/* A program that wrote over the end of its arguments (setproctitle) shows one string that may reach into the
 * environment. */
int proc_show_cmdline(const struct proc_ref *ref, struct text *text) {
    struct mm *mm = proc_mm(ref);
    if (!mm)
        return 0;
    uint64_t start = mm->argument_start, end = mm->argument_end;
    char last = 0;
    add_range(text, mm, start, end);
    if (end > start && mm_read(mm, end - 1, &last, 1) == 1 && last && mm->environment_start == end) {
        add_range(text, mm, end, mm->environment_end);
        size_t length = strnlen(text->bytes, text->length);
        text->length = length < text->length ? length + 1 : length;
    }
    mm_put(mm);
    return 0;
}

int proc_show_environ(const struct proc_ref *ref, struct text *text) {
    if (!proc_may_look(ref))
        return -EACCES;
    struct mm *mm = proc_mm(ref);
    if (!mm)
        return 0;
    add_range(text, mm, mm->environment_start, mm->environment_end);
    mm_put(mm);
    return 0;
}

int proc_show_auxv(const struct proc_ref *ref, struct text *text) {
    if (!proc_may_look(ref))
        return -EACCES;
    struct mm *mm = proc_mm(ref);
    if (!mm)
        return 0;
    size_t used = 0;
    while (used + 2 < sizeof(mm->auxv) / sizeof(mm->auxv[0]) && mm->auxv[used])
        used += 2;
    text_bytes(text, mm->auxv, (used + 2) * sizeof(mm->auxv[0]));
    mm_put(mm);
    return 0;
}

/* ---- exe ---- */

int proc_follow_exe(const struct proc_ref *ref, struct path *place) {
    struct mm *mm = proc_mm(ref);
    if (!mm)
        return -ENOENT;
    struct file *file = mm->executable ? file_get(mm->executable) : NULL;
    mm_put(mm);
    if (!file)
        return -ENOENT;
    *place = file->path;
    path_get(place);
    file_put(file);
    return 0;
}

int64_t proc_link_exe(const struct proc_ref *ref, char *to, size_t size) {
    struct path place;
    if (!proc_may_look(ref))
        return -EACCES;
    int64_t length = proc_follow_exe(ref, &place);
    if (length)
        return length;
    length = path_describe(&place, to, size, true);
    path_put(&place);
    return length > 0 ? length - 1 : length;
}

/* ---- mem ---- */

static int64_t mem_transfer(struct file *file, struct buffer *buffer, uint64_t *offset, bool write) {
    const struct proc_ref *ref = file->path.inode->data;
    char block[512];
    int64_t total = 0;
    struct mm *mm = proc_mm(ref);
    if (!mm)
        return 0;
    while (buffer->length) {
        size_t length = buffer->length < sizeof(block) ? buffer->length : sizeof(block);
        int64_t done = write && buffer_get(buffer, block, length) ? -EFAULT : (int64_t)length;
        if (done > 0)
            done = write ? mm_write(mm, *offset, block, length) : mm_read(mm, *offset, block, length);
        if (done > 0 && !write && buffer_put(buffer, block, (size_t)done))
            done = -EFAULT;
        if (done <= 0) {
            total = total ? total : -EIO;
            break;
        }
        total += done;
        *offset += (uint64_t)done;
        if ((size_t)done < length)
            break;
    }
    mm_put(mm);
    return total;
}

static int64_t mem_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    return mem_transfer(file, buffer, offset, false);
}

static int64_t mem_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    return mem_transfer(file, buffer, offset, true);
}

static const struct file_operations mem_operations = {
    .read = mem_read, .write = mem_write, .seek = file_seek_position};

int proc_open_mem(const struct proc_ref *ref, struct file *file) {
    file->operations = &mem_operations;
    return proc_may_look(ref) ? 0 : -EACCES;
}
