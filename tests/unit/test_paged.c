/* sources: linux/[!hm]*.c linux/task/*.c linux/fs/*.c linux/io/*.c linux/net/*.c linux/ipc/*.c
 * linux/block/*.c linux/input/*.c linux/arch/host/*.c tests/host/*.c tests/host/guest/*.c lib/base/tree.c
 * lib/base/format.c lib/base/elf.c lib/base/cpio.c lib/pci/accelerator.c lib/virtqueue/*.c
 * linux/device/functions.c linux/usb/*.c */
/* flags: -iquote tests/host -pthread */
/*
 * Areas whose pages come and go (linux/task/paged.c): against a model, with a pager that takes pages back at
 * any time, and what a fork leaves to the child.
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

#include <string.h>

/* A file with a pager: what is in memory is a Vmo's, and shown where `shown` says. */
enum { MODEL_PAGES = 24, MODEL_STEPS = 3000, FILE_PAGES = 12, SHOWN_MOST = 64 };

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

/* Maps the file from somewhere on. */
static void paged_map(struct file *file, uint64_t address, struct paged_page *pages, uint32_t count,
                      bool shared, uint32_t protection) {
    unsigned from = random_below(FILE_PAGES);
    int64_t fd = fd_install(file_get(file), 0);
    CHECK_EQ(guest(mmap, address, count * PAGE, protection, (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED,
                   (uint64_t)fd, from * PAGE),
             address);
    guest(close, (uint64_t)fd);
    for (uint32_t i = 0; i < count; i++)
        pages[i] = (struct paged_page){true, shared, false, protection, from + i, 0};
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
    case 0:
        paged_map(file, address, pages + first, count, shared, protection);
        break;
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
