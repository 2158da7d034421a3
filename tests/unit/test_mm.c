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
#include "linux/fs/fd.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/mm.h"
#include "tests/unit/mm_world.h"
#include "tests/unit/random.h"

#include <stdio.h>
#include <string.h>

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

TEST_MAIN();
