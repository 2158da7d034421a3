/* sources: linux/[!hm]*.c linux/task/*.c linux/fs/*.c linux/io/*.c linux/net/*.c linux/ipc/*.c
 * linux/block/*.c linux/input/*.c linux/arch/host/*.c tests/host/*.c tests/host/guest/*.c lib/base/tree.c
 * lib/base/format.c lib/base/elf.c lib/base/cpio.c lib/pci/accelerator.c lib/virtqueue/*.c
 * linux/device/functions.c linux/usb/*.c */
/* flags: -iquote tests/host -pthread */
/*
 * Address spaces: what mmap and its kin answer, what the tree of areas says afterwards (compared with a model
 * page by page), and what memory holds. Each test is a Linux program in the simulation of tests/host/guest.
 */
#include "lib/keel/call.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/mman.h"
#include "linux/fs/fd.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/mm.h"
#include "tests/host/guest/guest.h"

#include <stdio.h>
#include <string.h>

#include "linux/arch/host/host.h"
#include "tests/unit/check.h"

enum { PAGE = 4096, READ_WRITE = PROT_READ | PROT_WRITE, PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS };
#define ANYWHERE 0ULL
#define NO_FILE  (uint64_t) - 1

static int64_t map(uint64_t address, uint64_t length, uint64_t protection, uint64_t flags) {
    return guest(mmap, address, length, protection, flags, NO_FILE, 0);
}

/* ---- reading the tree ---- */

struct areas {
    char text[2048]; /* "rw-p 3\n" … : areas of a range with their pages, "hole 2" between them */
    uint64_t start, end, at;
};

static void areas_visit(const struct vma *vma, void *context) {
    struct areas *areas = context;
    size_t length = strlen(areas->text);
    uint64_t start = vma_start(vma), end = vma->end;
    if (end <= areas->start || start >= areas->end)
        return;
    start = start < areas->start ? areas->start : start;
    end = end > areas->end ? areas->end : end;
    if (start > areas->at)
        length += (size_t)snprintf(areas->text + length, sizeof(areas->text) - length, "hole %d, ",
                                   (int)((start - areas->at) / PAGE));
    snprintf(areas->text + length, sizeof(areas->text) - length, "%c%c%c%c %d, ",
             vma->protection & PROT_READ ? 'r' : '-', vma->protection & PROT_WRITE ? 'w' : '-',
             vma->protection & PROT_EXEC ? 'x' : '-', vma->flags & VMA_SHARED ? 's' : 'p',
             (int)((end - start) / PAGE));
    areas->at = end;
}

/* The areas of a range, as text. */
static const char *areas_of(uint64_t start, uint64_t pages) {
    static struct areas areas;
    areas = (struct areas){.start = start, .end = start + pages * PAGE, .at = start};
    mm_each(task_current()->mm, areas_visit, &areas);
    size_t length = strlen(areas.text);
    if (areas.at < areas.end)
        snprintf(areas.text + length, sizeof(areas.text) - length, "hole %d",
                 (int)((areas.end - areas.at) / PAGE));
    else if (length)
        areas.text[length - 2] = 0;
    return areas.text;
}

#define CHECK_AREAS(start, pages, expected)                                                                  \
    do {                                                                                                     \
        const char *found_ = areas_of(start, pages);                                                         \
        if (strcmp(found_, expected) != 0) {                                                                 \
            fprintf(stderr, "%s:%d: areas are \"%s\", not \"%s\"\n", __FILE__, __LINE__, found_, expected);  \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static void poke(uint64_t address, char value) {
    guest_put(address, &value, 1);
}

static char peek(uint64_t address) {
    char value;
    guest_get(&value, address, 1);
    return value;
}

/* ---- programs ---- */

static int run_status;
static void run(guest_program program) {
    static bool booted;
    if (!booted) {
        host_quiet = true;
        guest_boot();
        booted = true;
    }
    int32_t status = -1;
    CHECK(guest_execute(program, NULL, 1000000, &status));
    CHECK_EQ(status, 0);
    CHECK_EQ(run_status, 0);
}

static int mapping_errors(void *argument) {
    (void)argument;
    CHECK_EQ(map(ANYWHERE, 0, READ_WRITE, PRIVATE), -EINVAL);
    CHECK_EQ(map(ANYWHERE, PAGE, READ_WRITE, MAP_ANONYMOUS), -EINVAL);
    CHECK_EQ(map(ANYWHERE, PAGE, READ_WRITE, MAP_ANONYMOUS | MAP_TYPE), -EINVAL);
    CHECK_EQ(map(ANYWHERE, UINT64_MAX, READ_WRITE, PRIVATE), -ENOMEM);
    CHECK_EQ(map(ANYWHERE, GUEST_END, READ_WRITE, PRIVATE), -ENOMEM);
    CHECK_EQ(map(PAGE + 1, PAGE, READ_WRITE, PRIVATE | MAP_FIXED), -EINVAL);
    CHECK_EQ(map(0, PAGE, READ_WRITE, PRIVATE | MAP_FIXED), -EPERM);
    CHECK_EQ(map(GUEST_END, PAGE, READ_WRITE, PRIVATE | MAP_FIXED), -ENOMEM);
    CHECK_EQ(map(GUEST_END - PAGE, 2 * PAGE, READ_WRITE, PRIVATE | MAP_FIXED), -ENOMEM);
    CHECK_EQ(guest(mmap, 0, PAGE, READ_WRITE, PRIVATE, NO_FILE, 1), -EINVAL);
    CHECK_EQ(guest(mmap, 0, PAGE, READ_WRITE, MAP_PRIVATE, 99, 0), -EBADF);
    CHECK_EQ(guest(munmap, 1, PAGE), -EINVAL);
    CHECK_EQ(guest(munmap, GUEST_SCRATCH, 0), -EINVAL);
    CHECK_EQ(guest(munmap, 0x7ffffffff000, PAGE), -EINVAL);
    CHECK_EQ(guest(munmap, GUEST_UNMAPPED, PAGE), 0);
    CHECK_EQ(guest(mprotect, GUEST_UNMAPPED, PAGE, PROT_READ), -ENOMEM);
    CHECK_EQ(guest(mprotect, GUEST_SCRATCH + 1, PAGE, PROT_READ), -EINVAL);
    CHECK_EQ(guest(mprotect, GUEST_SCRATCH, 0, PROT_READ), 0);
    CHECK_EQ(guest(mprotect, GUEST_SCRATCH, PAGE, 0x100), -EINVAL);
    CHECK_EQ(guest(madvise, GUEST_SCRATCH, PAGE, 999), -EINVAL);
    CHECK_EQ(guest(madvise, GUEST_UNMAPPED, PAGE, MADV_WILLNEED), -ENOMEM);
    CHECK_EQ(guest(msync, GUEST_SCRATCH, PAGE, MS_SYNC | MS_ASYNC), -EINVAL);
    CHECK_EQ(guest(msync, GUEST_UNMAPPED, PAGE, MS_SYNC), -ENOMEM);
    CHECK_EQ(guest(msync, GUEST_SCRATCH, PAGE, MS_SYNC), 0);
    CHECK_EQ(guest(mincore, GUEST_UNMAPPED, PAGE, GUEST_SCRATCH), -ENOMEM);
    CHECK_EQ(guest(mincore, GUEST_SCRATCH, PAGE, GUEST_UNMAPPED), -EFAULT);
    return 0;
}

TEST(calls_refuse_what_linux_refuses) {
    run(mapping_errors);
}

/* Six pages at a place of their own. */
static uint64_t six_pages(void) {
    uint64_t area = (uint64_t)map(ANYWHERE, 8 * PAGE, PROT_NONE, PRIVATE) + PAGE;
    CHECK_EQ(map(area, 6 * PAGE, READ_WRITE, PRIVATE | MAP_FIXED), area);
    return area;
}

static int areas_split_and_join(void *argument) {
    (void)argument;
    uint64_t area = six_pages();
    CHECK_AREAS(area - PAGE, 8, "---p 1, rw-p 6, ---p 1");
    CHECK_EQ(guest(mprotect, area + PAGE, 2 * PAGE, PROT_READ), 0);
    CHECK_AREAS(area, 6, "rw-p 1, r--p 2, rw-p 3");
    CHECK_EQ(guest(munmap, area + 2 * PAGE, 2 * PAGE), 0);
    CHECK_AREAS(area, 6, "rw-p 1, r--p 1, hole 2, rw-p 2");
    CHECK_EQ(guest(mprotect, area, 6 * PAGE, PROT_EXEC),
             -ENOMEM); /* what lies before the hole changes, as on Linux */
    CHECK_AREAS(area, 6, "--xp 2, hole 2, rw-p 2");
    CHECK_EQ(map(area + 2 * PAGE, 2 * PAGE, READ_WRITE, PRIVATE | MAP_FIXED_NOREPLACE), area + 2 * PAGE);
    CHECK_AREAS(area, 6, "--xp 2, rw-p 4");
    CHECK_EQ(map(area, PAGE, READ_WRITE, PRIVATE | MAP_FIXED_NOREPLACE), -EEXIST);
    CHECK_EQ(map(area, 2 * PAGE, READ_WRITE, PRIVATE | MAP_FIXED), area);
    CHECK_AREAS(area, 6, "rw-p 6");
    CHECK(map(area, PAGE, READ_WRITE, PRIVATE) != (int64_t)area); /* only a hint: it is taken */
    return 0;
}

TEST(areas_split_and_join) {
    run(areas_split_and_join);
}

static int contents_follow(void *argument) {
    (void)argument;
    uint64_t area = six_pages();
    for (int i = 0; i < 6; i++)
        poke(area + (uint64_t)i * PAGE, (char)('a' + i));
    CHECK_EQ(guest(mprotect, area, 6 * PAGE, PROT_READ), 0);
    CHECK_EQ(guest(getrandom, area, 8, 0), -EFAULT); /* the personality respects it too */
    CHECK_EQ(guest(mprotect, area, 6 * PAGE, READ_WRITE), 0);
    CHECK_EQ(peek(area + 3 * PAGE), 'd');
    CHECK_EQ(guest(madvise, area + PAGE, PAGE, MADV_DONTNEED), 0);
    CHECK_EQ(peek(area + PAGE), 0);
    CHECK_EQ(peek(area + 2 * PAGE), 'c');
    CHECK_EQ(map(area + 4 * PAGE, PAGE, READ_WRITE, PRIVATE | MAP_FIXED), area + 4 * PAGE);
    CHECK_EQ(peek(area + 4 * PAGE), 0);
    CHECK_EQ(peek(area + 5 * PAGE), 'f');
    CHECK_AREAS(area, 6, "rw-p 6");
    return 0;
}

TEST(contents_follow_the_calls) {
    run(contents_follow);
}

static int remapping(void *argument) {
    (void)argument;
    uint64_t area = six_pages();
    for (int i = 0; i < 6; i++)
        poke(area + (uint64_t)i * PAGE, (char)('a' + i));
    CHECK_EQ(guest(mremap, area, PAGE, 0, 0, 0), -EINVAL);
    CHECK_EQ(guest(mremap, area + 1, PAGE, PAGE, 0, 0), -EINVAL);
    CHECK_EQ(guest(mremap, area, PAGE, PAGE, MREMAP_FIXED, area), -EINVAL);
    CHECK_EQ(guest(mremap, GUEST_UNMAPPED, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0), -EFAULT);
    CHECK_EQ(guest(mremap, area, 8 * PAGE, 9 * PAGE, MREMAP_MAYMOVE, 0), -EFAULT); /* more than one area */
    CHECK_EQ(guest(mremap, area, 6 * PAGE, 7 * PAGE, 0, 0), -ENOMEM);              /* no room behind */
    CHECK_EQ(guest(mremap, area, 6 * PAGE, 4 * PAGE, 0, 0), area);
    CHECK_AREAS(area, 6, "rw-p 4, hole 2");
    CHECK_EQ(guest(mremap, area, 4 * PAGE, 5 * PAGE, 0, 0), area);
    CHECK_AREAS(area, 6, "rw-p 5, hole 1");
    CHECK_EQ(peek(area + 3 * PAGE), 'd');
    CHECK_EQ(peek(area + 4 * PAGE), 0);
    int64_t moved = guest(mremap, area + PAGE, 2 * PAGE, 10 * PAGE, MREMAP_MAYMOVE, 0);
    CHECK(moved > 0);
    CHECK_AREAS(area, 6, "rw-p 1, hole 2, rw-p 2, hole 1");
    CHECK_AREAS((uint64_t)moved, 10, "rw-p 10");
    CHECK_EQ(peek((uint64_t)moved), 'b');
    CHECK_EQ(peek((uint64_t)moved + PAGE), 'c');
    CHECK_EQ(peek((uint64_t)moved + 2 * PAGE), 0);
    CHECK_EQ(guest(mremap, moved, 10 * PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + PAGE), area + PAGE);
    CHECK_EQ(peek(area + PAGE), 'b');
    CHECK_AREAS((uint64_t)moved, 10, "hole 10");
    return 0;
}

TEST(mremap_moves_pages_and_areas) {
    run(remapping);
}

static int heap_grows(void *argument) {
    (void)argument;
    int64_t start = guest(brk, 0);
    CHECK(start > 0);
    CHECK_EQ(guest(brk, start + 3 * PAGE + 5), start + 3 * PAGE + 5);
    uint64_t first = ((uint64_t)start + PAGE - 1) & -(uint64_t)PAGE;
    poke(first + PAGE, 'x');
    CHECK_EQ(guest(brk, start + PAGE), start + PAGE);
    CHECK_EQ(guest(brk, start + 3 * PAGE), start + 3 * PAGE);
    CHECK_EQ(peek(first + PAGE), 0); /* given back, and fresh when it came again */
    CHECK_EQ(guest(brk, start - PAGE), start + 3 * PAGE);
    CHECK_EQ(guest(brk, GUEST_END), start + 3 * PAGE);
    CHECK_EQ(guest(brk, start), start);
    return 0;
}

TEST(brk_moves_the_end_of_the_heap) {
    run(heap_grows);
}

/* What mmap gave last stays out of the tree until somebody looks. */

static uint64_t last_left;

static int last_child(void *argument) {
    (void)argument;
    CHECK_AREAS(last_left, 2, "rw-p 2");
    poke(last_left, 'c');
    return 0;
}

static int last_mapping(void *argument) {
    (void)argument;
    const struct mm *mm = task_current()->mm;
    uint64_t area = (uint64_t)map(ANYWHERE, 3 * PAGE, READ_WRITE, PRIVATE), total = mm->total_pages;
    CHECK_AREAS(area, 3, "rw-p 3");
    CHECK_EQ(mm->total_pages, total + 3);
    CHECK_EQ(guest(munmap, area, 3 * PAGE), 0);
    CHECK_AREAS(area, 3, "hole 3");

    CHECK_EQ(map(ANYWHERE, 3 * PAGE, READ_WRITE, PRIVATE), area);
    CHECK_EQ(guest(munmap, area + PAGE, PAGE), 0);
    CHECK_AREAS(area, 3, "rw-p 1, hole 1, rw-p 1");
    CHECK_EQ(map(ANYWHERE, PAGE, READ_WRITE, PRIVATE), area + PAGE);
    CHECK_AREAS(area, 3, "rw-p 3");
    CHECK_EQ(guest(munmap, area, 3 * PAGE), 0);

    CHECK_EQ(map(ANYWHERE, 3 * PAGE, READ_WRITE, PRIVATE), area); /* touched, it goes from the kernel too */
    poke(area, 'x');
    CHECK_EQ(guest(munmap, area, 3 * PAGE), 0);
    CHECK_EQ(guest(getrandom, area, 8, 0), -EFAULT);
    CHECK_EQ(map(ANYWHERE, 3 * PAGE, READ_WRITE, PRIVATE), area);
    CHECK_EQ(peek(area), 0);
    CHECK_EQ(mm->total_pages, total);
    CHECK_EQ(guest(munmap, area, 3 * PAGE), 0);

    int64_t large = map(ANYWHERE, 1000 * PAGE, READ_WRITE, PRIVATE);
    CHECK_EQ(guest(munmap, large, 1000 * PAGE), 0);
    CHECK_EQ(mm->peak_pages, total + 1000);

    last_left = (uint64_t)map(ANYWHERE, 2 * PAGE, READ_WRITE, PRIVATE);
    guest_child(last_child, NULL);
    int64_t pid = guest(fork);
    uint64_t status = guest_alloc(4);
    CHECK_EQ(guest(wait4, pid, status, 0, 0), pid);
    CHECK_EQ(peek(status), 0);
    CHECK_EQ(peek(last_left), 0);
    last_left = (uint64_t)map(ANYWHERE, PAGE, READ_WRITE, PRIVATE); /* for the end of the program */
    return 0;
}

TEST(what_was_mapped_last_is_there_for_all_who_look) {
    run(last_mapping);
}

static uint64_t file_pages(unsigned count) {
    uint64_t path = guest_text("/tmp/mapped");
    int64_t fd = guest(open, path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0);
    for (unsigned i = 0; i < count; i++) {
        char page[PAGE];
        memset(page, (int)('A' + i), sizeof(page));
        CHECK_EQ(guest(write, fd, guest_bytes(page, sizeof(page)), PAGE), PAGE);
    }
    return (uint64_t)fd;
}

static int file_mappings(void *argument) {
    (void)argument;
    guest(mkdir, guest_text("/tmp"), 0777);
    uint64_t fd = file_pages(3);
    uint64_t shared = (uint64_t)guest(mmap, 0, 3 * PAGE, READ_WRITE, MAP_SHARED, fd, 0);
    uint64_t private = (uint64_t)guest(mmap, 0, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
    CHECK_EQ(peek(shared + PAGE), 'B');
    CHECK_EQ(peek(private), 'B');
    poke(shared, 'z');
    uint64_t buffer = guest_alloc(16);
    CHECK_EQ(guest(pread64, fd, buffer, 1, 0), 1);
    CHECK_EQ(peek(buffer), 'z');
    CHECK_EQ(guest(mprotect, private, PAGE, READ_WRITE), 0);
    CHECK_AREAS(private, 2, "rw-p 1, r--p 1");
    poke(private, 'p');
    CHECK_EQ(peek(shared + PAGE), 'B');
    CHECK_EQ(guest(mprotect, private, PAGE, PROT_READ), 0);
    CHECK_EQ(peek(private), 'p');
    CHECK_EQ(guest(madvise, private, PAGE, MADV_DONTNEED), 0);
    CHECK_EQ(peek(private), 'B');
    int64_t reading = guest(open, guest_text("/tmp/mapped"), O_RDONLY, 0);
    CHECK_EQ(guest(mmap, 0, PAGE, READ_WRITE, MAP_SHARED, reading, 0), -EACCES);
    int64_t view = guest(mmap, 0, PAGE, PROT_READ, MAP_SHARED, reading, 0);
    CHECK(view > 0);
    CHECK_EQ(guest(mprotect, view, PAGE, READ_WRITE), -EACCES);
    CHECK(guest(mmap, 0, PAGE, READ_WRITE, MAP_PRIVATE, reading, 0) > 0);
    int64_t writing = guest(open, guest_text("/tmp/mapped"), O_WRONLY, 0);
    CHECK_EQ(guest(mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, writing, 0), -EACCES);
    CHECK_EQ(guest(ftruncate, fd, PAGE), 0);
    CHECK_EQ(guest(uname, shared + 2 * PAGE), -EFAULT); /* behind the file's end */
    return 0;
}

TEST(files_are_mapped_private_and_shared) {
    run(file_mappings);
}

/* ---- fork ---- */

static uint64_t fork_private, fork_shared, fork_dont, fork_wipe;

static int fork_child(void *argument) {
    (void)argument;
    CHECK_EQ(peek(fork_private), 'p');
    CHECK_EQ(peek(fork_wipe), 0);
    CHECK_AREAS(fork_dont, 1, "hole 1");
    poke(fork_private, 'c');
    poke(fork_shared, 'c');
    return 0;
}

static int forking(void *argument) {
    (void)argument;
    fork_private = (uint64_t)map(ANYWHERE, PAGE, READ_WRITE, PRIVATE);
    fork_shared = (uint64_t)map(ANYWHERE, PAGE, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    fork_dont = (uint64_t)map(ANYWHERE, PAGE, PROT_READ, PRIVATE);
    fork_wipe = (uint64_t)map(ANYWHERE, PAGE, READ_WRITE, PRIVATE);
    poke(fork_private, 'p');
    poke(fork_shared, 'p');
    poke(fork_wipe, 'p');
    CHECK_EQ(guest(madvise, fork_dont, PAGE, MADV_DONTFORK), 0);
    CHECK_EQ(guest(madvise, fork_wipe, PAGE, MADV_WIPEONFORK), 0);
    guest_child(fork_child, NULL);
    int64_t pid = guest(fork);
    CHECK(pid > 0);
    uint64_t status = guest_alloc(4);
    CHECK_EQ(guest(wait4, pid, status, 0, 0), pid);
    CHECK_EQ(peek(status), 0);
    CHECK_EQ(peek(fork_private), 'p');
    CHECK_EQ(peek(fork_shared), 'c');
    CHECK_EQ(peek(fork_wipe), 'p');
    CHECK_AREAS(fork_dont, 1, "r--p 1");
    return 0;
}

TEST(fork_copies_shares_leaves_out_and_wipes) {
    run(forking);
}

/* ---- against a model ---- */

enum { MODEL_PAGES = 24, MODEL_STEPS = 3000 };

struct model_page {
    bool mapped;
    uint32_t protection;
    char value;
};

static uint32_t random_state = 12345;
static uint32_t random_below(uint32_t limit) {
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % limit;
}

static void model_step(uint64_t base, struct model_page *pages) {
    uint32_t first = random_below(MODEL_PAGES), count = 1 + random_below(MODEL_PAGES - first);
    uint32_t protection = random_below(2) ? READ_WRITE : PROT_READ;
    uint64_t address = base + (uint64_t)first * PAGE, length = (uint64_t)count * PAGE;
    bool all = true;
    for (uint32_t i = first; i < first + count; i++)
        all &= pages[i].mapped;
    switch (random_below(5)) {
    case 0:
        CHECK_EQ(map(address, length, protection, PRIVATE | MAP_FIXED), address);
        for (uint32_t i = first; i < first + count; i++)
            pages[i] = (struct model_page){true, protection, 0};
        break;
    case 1:
        CHECK_EQ(guest(munmap, address, length), 0);
        memset(pages + first, 0, count * sizeof(pages[0]));
        break;
    case 2:
        CHECK_EQ(guest(mprotect, address, length, protection), all ? 0 : -ENOMEM);
        for (uint32_t i = first; i < first + count && pages[i].mapped; i++)
            pages[i].protection = protection;
        break;
    case 3:
        CHECK_EQ(guest(madvise, address, length, MADV_DONTNEED), all ? 0 : -ENOMEM);
        for (uint32_t i = first; i < first + count; i++)
            pages[i].value = 0;
        break;
    default:
        if (pages[first].mapped && pages[first].protection & PROT_WRITE)
            poke(address, pages[first].value = (char)(1 + random_below(100)));
    }
}

static void model_compare(uint64_t base, const struct model_page *pages) {
    struct mm *mm = task_current()->mm;
    const struct vma *before = NULL;
    for (uint32_t i = 0; i < MODEL_PAGES; i++) {
        uint64_t address = base + (uint64_t)i * PAGE;
        const struct vma *vma = mm_at(mm, address);
        CHECK_EQ(vma != NULL, pages[i].mapped);
        if (vma) {
            CHECK_EQ(vma->protection, pages[i].protection);
            CHECK_EQ(peek(address), pages[i].value);
            if (before && before != vma && before->end == address) /* alike neighbours are one area */
                CHECK(before->protection != vma->protection);
        }
        before = vma;
    }
}

static int random_calls(void *argument) {
    (void)argument;
    static struct model_page pages[MODEL_PAGES];
    uint64_t base = (uint64_t)map(ANYWHERE, (MODEL_PAGES + 2) * PAGE, PROT_EXEC, PRIVATE) + PAGE;
    CHECK_EQ(guest(munmap, base, MODEL_PAGES * PAGE), 0);
    uint64_t total = task_current()->mm->total_pages;
    for (int i = 0; i < MODEL_STEPS; i++) {
        model_step(base, pages);
        model_compare(base, pages);
    }
    CHECK_EQ(guest(munmap, base, MODEL_PAGES * PAGE), 0);
    CHECK_EQ(task_current()->mm->total_pages, total);
    return 0;
}

TEST(random_calls_agree_with_a_model) {
    run(random_calls);
}

/* ---- areas whose pages come and go (linux/task/paged.c) ---- */

/* A file with a pager: what is in memory is a Vmo's, and shown where `shown` says. */
enum { FILE_PAGES = 12, SHOWN_MOST = 64 };

static struct {
    handle_t vmo;
    bool present[FILE_PAGES];
    struct shown {
        const void *owner;
        handle_t space;
        uint64_t address;
        unsigned page;
        bool writable;
    } shown[SHOWN_MOST];
    unsigned fetches, hides_refused;
} paged;

static struct shown *shown_find(const void *owner, uint64_t address) {
    for (unsigned i = 0; i < SHOWN_MOST; i++)
        if (paged.shown[i].owner == owner && (!owner || paged.shown[i].address == address))
            return &paged.shown[i];
    return NULL;
}

static int pager_copy(const struct page_touch *touch) {
    uint8_t bytes[PAGE];
    int64_t vmo = keel_vmo_create(PAGE, 0);
    CHECK_EQ(keel_vmo_read(paged.vmo, touch->offset, keel_pointer(bytes), PAGE), PAGE);
    CHECK_EQ(keel_vmo_write((uint64_t)vmo, 0, keel_pointer(bytes), PAGE), PAGE);
    CHECK_EQ(
        keel_space_map(touch->space, touch->address, (uint64_t)vmo, 0, PAGE, MAP_READ | MAP_WRITE | MAP_COPY),
        0);
    return (int)keel_handle_close((uint64_t)vmo);
}

static int pager_show(struct file *file, const struct page_touch *touch) {
    (void)file;
    uint64_t page = touch->offset / PAGE;
    struct shown *shown = shown_find(touch->owner, touch->address);
    CHECK(touch->address >= touch->start && touch->address < touch->end);
    if (page >= FILE_PAGES)
        return -ENXIO;
    if (!paged.present[page])
        return -EAGAIN;
    if (touch->copy && !shown && guest_present(touch->address))
        return 0;
    if (touch->copy && touch->write) {
        if (shown)
            shown->owner = NULL;
        return pager_copy(touch);
    }
    if (!shown && !(shown = shown_find(NULL, 0)))
        return -ENOMEM;
    *shown = (struct shown){touch->owner, touch->space, touch->address, (unsigned)page, touch->write};
    return (int)keel_space_map(touch->space, touch->address, paged.vmo, touch->offset, PAGE,
                               MAP_READ | (touch->write ? MAP_WRITE : 0));
}

static int pager_fetch(struct file *file, uint64_t offset) {
    (void)file;
    paged.fetches++;
    paged.present[offset / PAGE] = true;
    return 0;
}

static void shown_end(struct shown *shown) {
    int64_t error = keel_space_unmap(shown->space, shown->address, PAGE);
    CHECK(!error || error == -EBADF); /* a space that has ended */
    shown->owner = NULL;
}

static int pager_hide(struct file *file, const void *owner, uint64_t start, uint64_t end) {
    (void)file;
    if (paged.hides_refused && paged.hides_refused--)
        return -ENOMEM;
    for (unsigned i = 0; i < SHOWN_MOST; i++)
        if (paged.shown[i].owner == owner && paged.shown[i].address >= start && paged.shown[i].address < end)
            shown_end(&paged.shown[i]);
    return 0;
}

static bool pager_present(struct file *file, uint64_t offset) {
    (void)file;
    return paged.present[offset / PAGE];
}

static void evict(unsigned page) {
    paged.present[page] = false;
    for (unsigned i = 0; i < SHOWN_MOST; i++)
        if (paged.shown[i].owner && paged.shown[i].page == page)
            shown_end(&paged.shown[i]);
}

static const struct file_pager pager = {pager_show, pager_fetch, pager_hide, pager_present};
static const struct file_operations paged_operations = {.pager = &pager};

struct paged_page {
    bool mapped, shared, copied;
    uint32_t protection;
    unsigned page;
    char value; /* of a copy */
};

static int paged_expected(const struct paged_page *page, bool write) {
    if (!page->mapped || !(page->protection & (write ? PROT_WRITE : READ_WRITE)) ||
        (page->page >= FILE_PAGES && !page->copied))
        return -EFAULT;
    return 0;
}

static void paged_step(struct file *file, uint64_t base, struct paged_page *pages, char *values) {
    static const uint32_t protections[] = {PROT_NONE, PROT_READ, READ_WRITE};
    uint32_t first = random_below(MODEL_PAGES), count = 1 + random_below(MODEL_PAGES - first), i;
    uint32_t protection = protections[random_below(3)];
    uint64_t address = base + (uint64_t)first * PAGE, length = (uint64_t)count * PAGE;
    struct paged_page *one = &pages[first];
    bool all = true, shared = random_below(2);
    for (i = first; i < first + count; i++)
        all &= pages[i].mapped;
    switch (random_below(12)) {
    case 0: {
        unsigned from = random_below(FILE_PAGES);
        struct file *own = file_get(file);
        int64_t fd = fd_install(own, 0);
        CHECK_EQ(guest(mmap, address, length, protection, (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED,
                       (uint64_t)fd, from * PAGE),
                 address);
        guest(close, (uint64_t)fd);
        for (i = first; i < first + count; i++)
            pages[i] = (struct paged_page){true, shared, false, protection, from + (i - first), 0};
        break;
    }
    case 1:
        CHECK_EQ(guest(munmap, address, length), 0);
        memset(pages + first, 0, count * sizeof(pages[0]));
        break;
    case 2:
        CHECK_EQ(guest(mprotect, address, length, protection), all ? 0 : -ENOMEM);
        for (i = first; i < first + count && pages[i].mapped; i++)
            pages[i].protection = protection;
        break;
    case 3:
        CHECK_EQ(guest(madvise, address, length, MADV_DONTNEED), all ? 0 : -ENOMEM);
        for (i = first; i < first + count; i++)
            pages[i].copied = false;
        break;
    case 4: {
        uint32_t to = random_below(MODEL_PAGES);
        if (!one->mapped || to == first)
            break;
        CHECK_EQ(guest(mremap, address, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + to * PAGE),
                 base + to * PAGE);
        pages[to] = *one;
        *one = (struct paged_page){0};
        break;
    }
    case 5:
    case 6:
        evict(random_below(FILE_PAGES));
        break;
    case 7: /* memory is short: nothing happens */
        paged.hides_refused = 1;
        if (all && guest(munmap, address, length) == 0) {
            CHECK(all); /* the areas that were there had no pager to ask */
            memset(pages + first, 0, count * sizeof(pages[0]));
        }
        paged.hides_refused = 0;
        break;
    default: {
        char value = (char)random_below(100);
        CHECK_EQ(guest_copy_out(address, &value, 1), paged_expected(one, true));
        if (paged_expected(one, true))
            break;
        if (one->shared)
            values[one->page] = value;
        else
            one->copied = true, one->value = value;
    }
    }
}

/* Every page, and that nothing is shown but what areas say. */
static void paged_compare(uint64_t base, const struct paged_page *pages, const char *values) {
    for (uint32_t i = 0; i < MODEL_PAGES; i++) {
        char value;
        CHECK_EQ(guest_copy_in(&value, base + i * PAGE, 1), paged_expected(&pages[i], false));
        if (!paged_expected(&pages[i], false))
            CHECK_EQ(value, pages[i].copied ? pages[i].value : values[pages[i].page]);
    }
    for (unsigned i = 0; i < SHOWN_MOST; i++) {
        const struct shown *shown = &paged.shown[i];
        const struct paged_page *page = &pages[(shown->address - base) / PAGE];
        if (shown->owner)
            CHECK(page->mapped && !page->copied && page->page == shown->page &&
                  (!shown->writable || page->protection & PROT_WRITE));
    }
}

static int paged_calls(void *argument) {
    (void)argument;
    static struct paged_page pages[MODEL_PAGES];
    static char values[FILE_PAGES];
    int64_t vmo = keel_vmo_create(FILE_PAGES * PAGE, 0);
    paged.vmo = (handle_t)vmo;
    struct file *file = file_create(&paged_operations, NULL, O_RDWR, NULL);
    uint64_t base = (uint64_t)map(ANYWHERE, (MODEL_PAGES + 2) * PAGE, PROT_EXEC, PRIVATE) + PAGE;
    CHECK_EQ(guest(munmap, base, MODEL_PAGES * PAGE), 0);
    for (int i = 0; i < MODEL_STEPS; i++) {
        paged_step(file, base, pages, values);
        paged_compare(base, pages, values);
    }
    CHECK(paged.fetches > MODEL_STEPS / 10);
    CHECK_EQ(guest(munmap, base, MODEL_PAGES * PAGE), 0);
    CHECK(!task_current()->mm->paged_count);
    file_put(file);
    keel_handle_close((uint64_t)vmo);
    return 0;
}

TEST(pages_that_come_and_go_agree_with_a_model) {
    run(paged_calls);
}

static int paged_child(void *argument) {
    uint64_t base = (uint64_t)argument;
    char value;
    CHECK(!guest_present(base)); /* what its parent is shown is not for it */
    CHECK_EQ(guest_copy_in(&value, base, 1), 0);
    CHECK_EQ(value, 'm');
    CHECK_EQ(guest_copy_in(&value, base + 2 * PAGE, 1), 0);
    CHECK_EQ(value, 'p');
    CHECK_EQ(guest_copy_out(base + 2 * PAGE, "c", 1), 0);
    CHECK_EQ(guest_copy_out(base + PAGE, "s", 1), 0);
    return 0;
}

static int paged_calls_more(void *argument) {
    (void)argument;
    int64_t vmo = keel_vmo_create(FILE_PAGES * PAGE, 0);
    int32_t status = -1;
    char value;
    paged.vmo = (handle_t)vmo;
    memset(paged.present, 0, sizeof(paged.present));
    int64_t fd = fd_install(file_create(&paged_operations, NULL, O_RDWR, NULL), 0);
    int64_t reader = fd_install(file_create(&paged_operations, NULL, O_RDONLY, NULL), 0);
    CHECK_EQ(guest(mmap, 0, PAGE, PROT_EXEC, MAP_SHARED, (uint64_t)fd, 0), -EPERM);
    CHECK_EQ(guest(mmap, 0, PAGE, READ_WRITE, MAP_SHARED, (uint64_t)reader, 0), -EACCES);
    uint64_t base = (uint64_t)guest(mmap, 0, 2 * PAGE, READ_WRITE, MAP_SHARED, (uint64_t)fd, 0);
    base = (uint64_t)guest(mremap, base, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE);
    CHECK_EQ(guest(mmap, base + 2 * PAGE, PAGE, READ_WRITE, MAP_PRIVATE | MAP_FIXED, (uint64_t)fd, 2 * PAGE),
             base + 2 * PAGE);
    CHECK_EQ(guest(mprotect, base, PAGE, PROT_READ | PROT_EXEC), -EACCES);
    CHECK_EQ(guest(mincore, base, 2 * PAGE, GUEST_SCRATCH), 0);
    CHECK_EQ(peek(GUEST_SCRATCH), 0);
    CHECK_EQ(guest_copy_out(base, "m", 1), 0);
    CHECK_EQ(guest_copy_out(base + 2 * PAGE, "p", 1), 0);
    CHECK_EQ(guest(mincore, base, 2 * PAGE, GUEST_SCRATCH), 0);
    CHECK_EQ(peek(GUEST_SCRATCH), 1);
    CHECK_EQ(peek(GUEST_SCRATCH + 1), 0);
    CHECK(shown_find(task_current()->mm, base));
    guest_child(paged_child, (void *)base);
    int64_t pid = guest(fork, 0);
    CHECK_EQ(guest(wait4, (uint64_t)pid, GUEST_SCRATCH, 0, 0), pid);
    guest_get(&status, GUEST_SCRATCH, sizeof(status));
    CHECK_EQ(status, 0);
    CHECK_EQ(guest_copy_in(&value, base + PAGE, 1), 0);
    CHECK_EQ(value, 's');
    CHECK_EQ(guest_copy_in(&value, base + 2 * PAGE, 1), 0);
    CHECK_EQ(value, 'p');
    for (unsigned i = 0; i < SHOWN_MOST; i++) /* nothing of the child */
        CHECK(!paged.shown[i].owner || paged.shown[i].owner == task_current()->mm);
    keel_handle_close((uint64_t)vmo);
    return 0;
}

TEST(pages_that_come_and_go_are_not_for_a_copy) {
    run(paged_calls_more);
    for (unsigned i = 0; i < SHOWN_MOST; i++) /* nor left behind */
        CHECK(!paged.shown[i].owner);
}

TEST_MAIN();
