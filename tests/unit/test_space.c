// clang-format off
/* sources: kernel/page.c kernel/zone.c kernel/zone_init.c kernel/user_page.c kernel/kmem.c kernel/vmo.c kernel/vmo_tree.c kernel/vmo_copy.c kernel/mapping.c kernel/space.c kernel/space_map.c kernel/fault.c kernel/large.c kernel/arch/x86_64/page_table.c kernel/lock.c kernel/arch/host/machine.c lib/base/tree.c */
// clang-format on
/* flags: -Ikernel/arch/host -Ikernel/variant/release -pthread */
/*
 * Address spaces against a model that says for each page what is mapped and what it holds. Accesses go the
 * processor's way: through a TLB that keeps entries until they are flushed, then through the page tables,
 * then to the fault handler; so a flush that is forgotten shows as a wrong value or right. With ISOLATED
 * (test_space_isolated.c) each walk is made through the root for user mode, too.
 */
#include <string.h>

#include "abi/errors.h"
#include "kernel/arch/host/machine.h"
#include "kernel/arch/x86_64/page_table.h"
#include "kernel/kmem.h"
#include "kernel/large.h"
#include "kernel/space.h"
#include "kernel/vmo.h"
#include "tests/unit/check.h"

#ifndef ISOLATED
#define ISOLATED false
#endif

/* ---- processor ---- */

enum { TLB_ENTRIES = 8192 };
static struct {
    struct space *space;
    uint64_t address, entry;
} tlb[TLB_ENTRIES];

static unsigned tlb_slot(struct space *space, uint64_t address) {
    return (unsigned)((address >> 12) * 7 + ((uintptr_t)space >> 6) * 131) % TLB_ENTRIES;
}

static void tlb_flush(struct space *space, uint64_t start, uint64_t end) {
    CHECK(start < end || !end); /* 0, 0: only leave the space */
    for (unsigned i = 0; i < TLB_ENTRIES; i++)
        if (tlb[i].space == space && tlb[i].address >= start && tlb[i].address < end)
            tlb[i].space = NULL;
}

static bool entry_allows(uint64_t entry, unsigned access) {
    return entry & PTE_PRESENT && entry & PTE_USER && (access != MAP_WRITE || entry & PTE_WRITE) &&
           (access != MAP_EXEC || !(entry & PTE_NO_EXEC));
}

/* The last entry, without the ability to write unless every level gives it. */
static uint64_t table_walk_one(uint64_t root, uint64_t address) {
    uint64_t entry = root | PTE_PRESENT, missing = 0;
    for (int shift = 39; shift >= 12; shift -= 9) {
        if (!(entry & PTE_PRESENT))
            return 0;
        entry = ((uint64_t *)phys_to_virt(entry & PTE_ADDRESS))[address >> shift & 511];
        missing |= ~entry & PTE_WRITE;
        if (entry & PTE_LARGE) {
            entry += (address >> 12 & 511) * PAGE_SIZE - PTE_LARGE;
            break;
        }
    }
    return entry & ~missing;
}

static uint64_t table_walk(uint64_t root, uint64_t address) {
    uint64_t entry = table_walk_one(root, address);
    if (ISOLATED)
        CHECK_EQ(table_walk_one(root + PAGE_SIZE, address), entry);
    return entry;
}

static uint64_t faults;

/* The word at an address, or the error of the fault. */
static int word_access(struct space *space, uint64_t root, uint64_t address, unsigned access,
                       uint64_t **word) {
    uint64_t page = address & -4096ULL;
    unsigned slot = tlb_slot(space, page);
    for (unsigned tries = 0; tries < 4; tries++) {
        if (tlb[slot].space == space && tlb[slot].address == page && entry_allows(tlb[slot].entry, access)) {
            *word = phys_to_virt((tlb[slot].entry & PTE_ADDRESS) + address % PAGE_SIZE);
            return 0;
        }
        uint64_t entry = table_walk(root, page);
        if (entry_allows(entry, access)) {
            tlb[slot].space = space;
            tlb[slot].address = page;
            tlb[slot].entry = entry;
            continue;
        }
        if (tlb[slot].space == space && tlb[slot].address == page)
            tlb[slot].space = NULL; /* a fault drops the entry */
        faults++;
        if (table_ends(page) && access == MAP_WRITE && large_fault(space, page)) /* as trap.c does */
            continue;
        int result = space_fault(space, address, access);
        if (result)
            return result;
    }
    CHECK(!"the fault was resolved and comes back");
    return 0;
}

/* ---- model ---- */

enum {
    PAGES_0 = 80,
    PAGES_1 = 1200,
    PAGES_2 = 100,
    PAGES = PAGES_0 + PAGES_1 + PAGES_2,
    VMOS = 8,
    VMO_PAGES = 120,
    SPACES = 5
};

/* Three windows: at the bottom, across a 1 GB boundary, across a 512 GB boundary. */
static uint64_t page_address(unsigned page) {
    if (page < PAGES_0)
        return USER_BASE + page * 4096ULL;
    if (page < PAGES_0 + PAGES_1)
        return 0x40000000 - 50 * 4096 + (page - PAGES_0) * 4096ULL;
    return (1ULL << 39) - 50 * 4096 + (page - PAGES_0 - PAGES_1) * 4096ULL;
}

static unsigned window_end(unsigned page) {
    return page < PAGES_0 ? PAGES_0 : page < PAGES_0 + PAGES_1 ? PAGES_0 + PAGES_1 : PAGES;
}

enum page_kind { NONE, OWN, OWN_BEYOND, SHARED };
struct model_page {
    uint8_t kind, protection, allowed;
    uint8_t vmo; /* SHARED */
    uint32_t index;
    uint64_t value; /* OWN */
};
struct model_space {
    struct space *space;
    struct model_page pages[PAGES];
};
struct model_vmo {
    struct vmo *vmo; /* a reference of the model's own */
    unsigned size;   /* pages */
    bool internal;
    uint64_t values[PAGES_1];
};

static struct model_space spaces[SPACES];
static struct model_vmo vmos[VMOS];
static struct space *native;
static struct job *job;

static uint64_t start(void) {
    if (!host_memory) {
        machine_init_simple(160 << 20);
        uint64_t kernel_root = page_alloc_clear(1);
        ((uint64_t *)phys_to_virt(kernel_root))[512 + 511] = 0x2222222;
        ((uint64_t *)phys_to_virt(kernel_root))[256] = 0x1234567;
        ((uint64_t *)phys_to_virt(kernel_root))[511] = 0x7654321;
        ((uint64_t *)phys_to_virt(kernel_root))[0] = 0x1111111;
        page_from_phys(kernel_root)->groups = 1ULL << 256 / 8 | 1ULL << 511 / 8 | 1;
        machine.root = kernel_root;
        machine.isolated = ISOLATED;
        host_flush = tlb_flush;
    }
    memset(tlb, 0, sizeof tlb);
    memset(spaces, 0, sizeof spaces);
    memset(vmos, 0, sizeof vmos);
    kmem_drain();
    return page_free_count();
}

static void check_nothing_left(uint64_t free_pages) {
    machine_reap();
    CHECK_EQ(job->used[JOB_PAGES], 0);
    CHECK_EQ(job->used[JOB_OBJECTS], 0);
    object_put(&job->object);
    job = NULL;
    for (unsigned i = 0; i < 16; i++)
        CHECK_EQ(objects_live[i], 0);
    CHECK_EQ(kmem_bytes(), 0);
    kmem_drain();
    CHECK_EQ(page_free_count(), free_pages);
}

static bool vmo_in_use(unsigned v) {
    for (unsigned s = 0; s < SPACES; s++)
        for (unsigned i = 0; spaces[s].space && i < PAGES; i++)
            if (spaces[s].pages[i].kind == SHARED && spaces[s].pages[i].vmo == v)
                return true;
    return false;
}

static void vmo_model_drop(unsigned v) {
    if (vmos[v].vmo)
        object_put(&vmos[v].vmo->object);
    vmos[v].vmo = NULL;
}

static int model_vmo_random(void) {
    unsigned v = (unsigned)rand() % VMOS;
    if (vmos[v].internal)
        return -1;
    if (vmos[v].vmo && rand() % 20 == 0 && !vmo_in_use(v))
        vmo_model_drop(v);
    if (!vmos[v].vmo) {
        if (vmo_in_use(v))
            return -1;
        memset(&vmos[v], 0, sizeof vmos[v]);
        vmos[v].size = 1 + (unsigned)rand() % VMO_PAGES;
        CHECK_EQ(vmo_create(job, vmos[v].size * 4096ULL, 0, &vmos[v].vmo), 0);
    }
    return (int)v;
}

/* What an access to a page of the model gives: an error or its value. */
static int model_access(struct model_page *page, unsigned access, uint64_t **value) {
    if (page->kind == NONE)
        return -EFAULT;
    if (!(page->protection & (access == MAP_READ ? MAP_PROT_MASK : access)))
        return -EACCES;
    if (page->kind == OWN_BEYOND || (page->kind == SHARED && page->index >= vmos[page->vmo].size))
        return -ENXIO;
    *value = page->kind == OWN ? &page->value : &vmos[page->vmo].values[page->index];
    return 0;
}

static void check_page(struct model_space *model, unsigned i, unsigned access) {
    uint64_t *expected = NULL, *word = NULL;
    uint64_t root = rand() % 2 ? model->space->root : model->space->unified_root;
    int error = model_access(&model->pages[i], access, &expected);
    uint64_t address = page_address(i) + (uint64_t)(rand() % 2) * 4088;
    CHECK_EQ(word_access(model->space, root, address, access, &word), error);
    if (error)
        return;
    CHECK_EQ(*word, *expected);
    if (access != MAP_WRITE)
        return;
    *expected = ((uint64_t)rand() << 32) + (uint64_t)rand();
    *word = *expected;
    /* Both words of the page are the same, so that one value models it. */
    word = (uint64_t *)((uintptr_t)word ^ 4088);
    *word = *expected;
}

static int clone(struct space *space, struct space **made) {
    int result;
    while ((result = space_clone(space, job, made)) == -EAGAIN) {
    }
    return result;
}

/* ---- random operations ---- */

static void range_random(unsigned *first, unsigned *count) {
    static const unsigned windows[] = {0, PAGES_0, PAGES_0, PAGES_0 + PAGES_1};
    *first = windows[rand() % 4];
    unsigned room = window_end(*first) - *first;
    *first += (unsigned)rand() % room;
    room = window_end(*first) - *first;
    unsigned most = rand() % 10 ? 40 : 1200;
    *count = 1 + (unsigned)rand() % (room < most ? room : most);
}

static void step_map(struct model_space *model) {
    unsigned first, count, protection = (unsigned)rand() % 8;
    range_random(&first, &count);
    if (rand() % 3)
        protection |= MAP_READ | MAP_WRITE;
    unsigned kind = (unsigned)rand() % 4, offset = 0, flags = protection | (kind % 2 ? MAP_COPY : 0);
    struct model_page page = {.kind = OWN, .protection = (uint8_t)protection, .allowed = MAP_PROT_MASK};
    struct vmo *vmo = NULL;
    int v = -1, result;

    if (kind < 2) {
        v = model_vmo_random();
        if (v < 0)
            return;
        vmo = vmos[v].vmo;
        offset = (unsigned)rand() % (vmos[v].size + 3);
        count = count < VMO_PAGES ? count : VMO_PAGES;
        page.allowed = kind == 1 ? MAP_PROT_MASK : (uint8_t)(protection | MAP_READ);
        page.kind = kind == 1 ? OWN : SHARED;
    } else if (kind == 2) {
        /* Shared fresh memory: its Vmo is known only to the mappings. */
        v = (int)((unsigned)rand() % VMOS);
        if (vmos[v].vmo || vmo_in_use((unsigned)v))
            return;
        memset(&vmos[v], 0, sizeof vmos[v]);
        vmos[v].internal = true;
        vmos[v].size = count;
        page.kind = SHARED;
    }
    while ((result = space_map(model->space, page_address(first), vmo, offset * 4096ULL, count * 4096ULL,
                               flags)) == -EAGAIN)
        ;
    CHECK_EQ(result, 0);
    for (unsigned i = 0; i < count; i++) {
        page.vmo = (uint8_t)v;
        page.index = offset + i;
        if (kind == 1) {
            page.kind = page.index < vmos[v].size ? OWN : OWN_BEYOND;
            page.value = page.index < vmos[v].size ? vmos[v].values[page.index] : 0;
        }
        model->pages[first + i] = page;
    }
}

static void step_unmap(struct model_space *model) {
    unsigned first, count;
    int result;
    range_random(&first, &count);
    if (rand() % 100 == 0) {
        while ((result = space_unmap(model->space, USER_BASE, GUEST_LIMIT - USER_BASE)) == -EAGAIN)
            ;
        CHECK_EQ(result, 0);
        memset(model->pages, 0, sizeof model->pages);
        return;
    }
    while ((result = space_unmap(model->space, page_address(first), count * 4096ULL)) == -EAGAIN)
        ;
    CHECK_EQ(result, 0);
    memset(&model->pages[first], 0, count * sizeof model->pages[0]);
}

static void step_protect(struct model_space *model) {
    unsigned first, count, protection = (unsigned)rand() % 8;
    int expected = 0;
    range_random(&first, &count);
    for (unsigned i = 0; i < count && !expected; i++)
        expected = model->pages[first + i].kind == NONE                      ? -ENOMEM
                   : protection & ~(unsigned)model->pages[first + i].allowed ? -EACCES
                                                                             : 0;
    int64_t result;
    do {
        result = space_protect(model->space, page_address(first), count * 4096ULL, protection);
        unsigned done = result > 0 ? (unsigned)(result / 4096) : result ? 0 : count;
        for (unsigned i = 0; i < done; i++)
            model->pages[first + i].protection = (uint8_t)protection;
        first += done;
        count -= done;
    } while (result > 0);
    CHECK_EQ(result, expected);
}

static void step_move(struct model_space *model) {
    static struct model_page moved[PAGES];
    unsigned first, count, to, room;
    int expected = 0;
    int64_t result;
    range_random(&first, &count);
    range_random(&to, &room);
    count = count < room ? count : room;
    for (unsigned i = 0; i < count; i++)
        if (model->pages[first + i].kind == NONE)
            expected = -EFAULT;
    if (first < to + count && to < first + count)
        expected = -EINVAL;
    do {
        result = space_move(model->space, page_address(first), count * 4096ULL, page_address(to));
        unsigned done = result > 0 ? (unsigned)(result / 4096) : result ? 0 : count;
        memcpy(moved, &model->pages[first], done * sizeof moved[0]);
        memset(&model->pages[first], 0, done * sizeof moved[0]);
        memcpy(&model->pages[to], moved, done * sizeof moved[0]);
        first += done;
        to += done;
        count -= done;
    } while (result > 0 || result == -EAGAIN);
    CHECK_EQ(result, expected);
}

static void space_drop(struct model_space *model) {
    struct space *space = model->space;
    model->space = NULL;
    object_put(&space->object);
    machine_reap();
    for (unsigned i = 0; i < TLB_ENTRIES; i++)
        if (tlb[i].space == space)
            tlb[i].space = NULL;
}

static void step_clone(struct model_space *model) {
    struct model_space *copy = &spaces[rand() % SPACES];
    if (copy == model)
        return;
    if (copy->space)
        space_drop(copy);
    *copy = *model;
    copy->space = NULL;
    CHECK_EQ(clone(model->space, &copy->space), 0);
}

static void step_vmo(void) {
    int v = model_vmo_random(), result;
    if (v < 0)
        return;
    unsigned what = (unsigned)rand() % 4;
    if (what == 0) {
        unsigned index = (unsigned)rand() % vmos[v].size;
        uint64_t page[512];
        for (unsigned i = 0; i < 512; i++)
            page[i] = 0x1111111111111111ULL * ((unsigned)rand() % 16);
        page[511] = page[0];
        CHECK_EQ(vmo_write_user(vmos[v].vmo, index * 4096ULL, (uintptr_t)page, 4096), 4096);
        vmos[v].values[index] = page[0];
    } else if (what == 1) {
        unsigned index = (unsigned)rand() % vmos[v].size,
                 count = 1 + (unsigned)rand() % (vmos[v].size - index);
        while ((result = vmo_discard(vmos[v].vmo, index * 4096ULL, count * 4096ULL)) == -EAGAIN)
            ;
        CHECK_EQ(result, 0);
        memset(&vmos[v].values[index], 0, count * sizeof(uint64_t));
    } else if (what == 2) {
        unsigned size = 1 + (unsigned)rand() % VMO_PAGES;
        while ((result = vmo_resize(vmos[v].vmo, size * 4096ULL)) == -EAGAIN)
            ;
        CHECK_EQ(result, 0);
        for (unsigned i = size; i < VMO_PAGES; i++)
            vmos[v].values[i] = 0;
        vmos[v].size = size;
    } else {
        struct vmo *copy;
        uint64_t value;
        unsigned index = (unsigned)rand() % vmos[v].size;
        CHECK_EQ(vmo_snapshot(vmos[v].vmo, job, &copy), 0);
        CHECK_EQ(vmo_read_user(copy, index * 4096ULL, (uintptr_t)&value, 8), 8);
        CHECK_EQ(value, vmos[v].values[index]);
        object_put(&copy->object);
    }
}

static void step(void) {
    struct model_space *model = &spaces[rand() % SPACES];
    unsigned what = (unsigned)rand() % 1000;
    if (!model->space) {
        memset(model, 0, sizeof *model);
        CHECK_EQ(space_create_guest(native, job, &model->space), 0);
    }
    if (what < 700)
        check_page(model, (unsigned)rand() % PAGES, 1u << rand() % 3);
    else if (what < 780)
        step_map(model);
    else if (what < 810)
        step_unmap(model);
    else if (what < 880)
        step_protect(model);
    else if (what < 910)
        step_move(model);
    else if (what < 920)
        step_clone(model);
    else if (what < 924)
        space_drop(model);
    else
        step_vmo();
}

TEST(random_operations) {
    uint64_t free_pages = start();
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    for (unsigned i = 0; i < 60000; i++) {
        step();
        if (i % 1000)
            continue;
        for (unsigned s = 0; s < SPACES; s++)
            for (unsigned page = 0; spaces[s].space && page < PAGES; page++)
                check_page(&spaces[s], page, MAP_READ);
    }
    for (unsigned s = 0; s < SPACES; s++)
        if (spaces[s].space)
            space_drop(&spaces[s]);
    for (unsigned v = 0; v < VMOS; v++)
        vmo_model_drop(v);
    object_put(&native->object);
    CHECK(faults > 1000);
    check_nothing_left(free_pages);
}

/* ---- single points ---- */

static void put_word(struct space *space, uint64_t address, uint64_t value) {
    uint64_t *word;
    CHECK_EQ(word_access(space, space->root, address, MAP_WRITE, &word), 0);
    *word = value;
}

static uint64_t get_word(struct space *space, uint64_t root, uint64_t address) {
    uint64_t *word;
    CHECK_EQ(word_access(space, root, address, MAP_READ, &word), 0);
    return *word;
}

TEST(roots) {
    uint64_t free_pages = start();
    struct space *guest, *second;
    struct space_info info;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    uint64_t *root = phys_to_virt(native->root);
    CHECK_EQ(root[256], 0x1234567);
    CHECK_EQ(root[511], 0x7654321);
    CHECK_EQ(root[0], 0);
    if (ISOLATED) {
        CHECK_EQ(native->root % (2ULL * PAGE_SIZE), 0);
        CHECK_EQ(root[512 + 511], 0x2222222);
        for (unsigned slot = 0; slot < 511; slot++)
            CHECK_EQ(root[512 + slot], 0);
    }
    /* The upper half of the personality shows through every unified root, mapped before or after. */
    unsigned both = MAP_READ | MAP_WRITE;
    CHECK_EQ(space_map(native, GUEST_LIMIT, NULL, 0, 8192, both | MAP_COPY), 0);
    CHECK_EQ(space_map(native, USER_BASE, NULL, 0, 8192, both), 0);
    put_word(native, GUEST_LIMIT + 8, 77);
    CHECK_EQ(space_create_guest(native, job, &guest), 0);
    CHECK_EQ(space_create_guest(native, job, &second), 0);
    CHECK_EQ(get_word(native, guest->unified_root, GUEST_LIMIT + 8), 77);
    uint64_t later = GUEST_LIMIT + (3ULL << 39) + 0x123456000;
    CHECK_EQ(space_map(native, later, NULL, 0, 4096, both), 0);
    put_word(native, later, 78);
    CHECK_EQ(get_word(native, guest->unified_root, later), 78);
    CHECK_EQ(get_word(native, second->unified_root, later), 78);
    CHECK_EQ(table_walk(guest->root, later), 0);
    CHECK_EQ(table_walk(guest->root, GUEST_LIMIT), 0);
    CHECK_EQ(table_walk(guest->unified_root, USER_BASE), 0);
    /* Other slots of that half are refused from now on. */
    CHECK_EQ(space_map(native, GUEST_LIMIT + (4ULL << 39), NULL, 0, 4096, both), 0);
    CHECK_EQ(space_fault(native, GUEST_LIMIT + (4ULL << 39), MAP_READ), -ENOMEM);
    /* The guest's half is the same through both of its roots. */
    CHECK_EQ(space_map(guest, 0x3fffffff0000, NULL, 0, 4096, both), 0);
    put_word(guest, 0x3fffffff0000, 5);
    CHECK_EQ(get_word(guest, guest->unified_root, 0x3fffffff0000), 5);
    CHECK_EQ(space_map(guest, GUEST_LIMIT, NULL, 0, 4096, both), -EINVAL);
    CHECK_EQ(space_map(guest, GUEST_LIMIT - 4096, NULL, 0, 8192, both), -EINVAL);
    space_info(guest, &info);
    CHECK_EQ(info.resident_pages, 1);
    CHECK_EQ(info.mappings, 1);
    CHECK_EQ(info.table_pages, ISOLATED ? 7 : 5);
    object_put(&native->object);
    object_put(&guest->object);
    object_put(&second->object);
    check_nothing_left(free_pages);
}

TEST(bad_arguments) {
    uint64_t free_pages = start();
    struct space *guest;
    struct vmo *vmo;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    CHECK_EQ(space_create_guest(native, job, &guest), 0);
    CHECK_EQ(vmo_create(job, 4096, 0, &vmo), 0);
    CHECK_EQ(space_map(guest, USER_BASE - 4096, vmo, 0, 4096, MAP_READ), -EINVAL);
    CHECK_EQ(space_map(guest, USER_BASE + 1, vmo, 0, 4096, MAP_READ), -EINVAL);
    CHECK_EQ(space_map(guest, USER_BASE, vmo, 0, 0, MAP_READ), -EINVAL);
    CHECK_EQ(space_map(guest, USER_BASE, vmo, 1, 4096, MAP_READ), -EINVAL);
    CHECK_EQ(space_map(guest, USER_BASE, vmo, -4096ULL, 4096, MAP_READ), -EINVAL);
    CHECK_EQ(space_map(guest, USER_BASE, vmo, 0, -4096ULL, MAP_READ), -EINVAL);
    CHECK_EQ(space_map(guest, -4096ULL, vmo, 0, 8192, MAP_READ), -EINVAL);
    CHECK_EQ(space_map(guest, USER_BASE, vmo, 0, 4096, 16), -EINVAL);
    CHECK_EQ(space_map(guest, USER_BASE, NULL, 4096, 4096, MAP_READ), -EINVAL);
    CHECK_EQ(space_map(native, USER_LIMIT - 4096, vmo, 0, 4096, MAP_READ), 0);
    CHECK_EQ(space_map(native, USER_LIMIT, vmo, 0, 4096, MAP_READ), -EINVAL);
    CHECK_EQ(space_protect(native, USER_LIMIT - 4096, 4096, MAP_READ | MAP_WRITE), -EACCES);
    CHECK_EQ(space_map(native, USER_BASE, vmo, 0, 4096, MAP_READ | MAP_ALLOW(MAP_WRITE)), 0);
    CHECK_EQ(space_protect(native, USER_BASE, 4096, MAP_READ | MAP_WRITE), 0);
    CHECK_EQ(space_clone(native, job, &guest), -EINVAL);
    CHECK_EQ(space_fault(guest, UINT64_MAX, MAP_READ), -EFAULT);
    CHECK_EQ(space_fault(guest, 0, MAP_READ), -EFAULT);
    /* A vast Vmo, mapped at a vast offset. */
    CHECK_EQ(space_map(guest, USER_BASE, vmo, VMO_SIZE_MAX, GUEST_LIMIT - USER_BASE, MAP_READ), 0);
    CHECK_EQ(space_fault(guest, GUEST_LIMIT - 1, MAP_READ), -ENXIO);
    CHECK_EQ(space_map(guest, USER_BASE, NULL, 0, GUEST_LIMIT - USER_BASE, MAP_READ | MAP_COPY), 0);
    CHECK_EQ(space_fault(guest, GUEST_LIMIT - 1, MAP_READ), 0);
    CHECK_EQ(space_fault(guest, GUEST_LIMIT - 1, MAP_WRITE), -EACCES);
    object_put(&vmo->object);
    object_put(&native->object);
    object_put(&guest->object);
    check_nothing_left(free_pages);
}

TEST(physical_memory) {
    uint64_t free_pages = start();
    struct vmo *device, *cached;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    CHECK_EQ(vmo_create_physical(job, 0xfee00000, 8192, false, &device), 0);
    CHECK_EQ(vmo_create_physical(job, 0x3000, 8192, true, &cached), 0);
    CHECK_EQ(space_map(native, USER_BASE, device, 4096, 4096, MAP_READ | MAP_WRITE), 0);
    CHECK_EQ(space_map(native, USER_BASE + 4096, cached, 0, 8192, MAP_READ), 0);
    CHECK_EQ(space_map(native, USER_BASE, cached, 0, 4096, MAP_READ | MAP_COPY), -EINVAL);
    CHECK_EQ(space_fault(native, USER_BASE, MAP_WRITE), 0);
    CHECK_EQ(space_fault(native, USER_BASE + 8192, MAP_READ), 0);
    uint64_t entry = table_walk(native->root, USER_BASE);
    CHECK_EQ(entry & PTE_ADDRESS, 0xfee01000);
    CHECK_EQ(entry & PTE_UNCACHED, PTE_UNCACHED);
    CHECK(entry & PTE_WRITE && entry & PTE_NO_EXEC);
    entry = table_walk(native->root, USER_BASE + 8192);
    CHECK_EQ(entry & PTE_ADDRESS, 0x4000);
    CHECK(!(entry & (PTE_WRITE | PTE_UNCACHED)));
    object_put(&device->object);
    object_put(&cached->object);
    object_put(&native->object);
    check_nothing_left(free_pages);
}

/* Each page of a range shows the same page of physical memory, or nothing; faults is how many that took. */
static unsigned physical_check(uint64_t address, uint64_t physical, unsigned pages, unsigned access) {
    uint64_t before = faults, *word;
    for (unsigned i = 0; i < pages; i++) {
        CHECK_EQ(word_access(native, native->root, address + i * 4096ULL, access, &word), 0);
        CHECK_EQ((char *)word - (char *)phys_to_virt(0), physical + i * 4096ULL);
    }
    return (unsigned)(faults - before);
}

/* What was there goes table by table. */
static void large_map(uint64_t address, struct vmo *vmo, uint64_t offset, uint64_t length, unsigned flags) {
    int result;
    while ((result = space_map(native, address, vmo, offset, length, flags)) == -EAGAIN)
        ;
    CHECK_EQ(result, 0);
}

TEST(large_pages) {
    enum { LARGE = 2 << 20, SLOTS = 512 };
    uint64_t free_pages = start(), at = 0x40000000 - LARGE, *word;
    struct vmo *memory;
    struct space_info info;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    CHECK_EQ(vmo_create_physical(job, LARGE, 2 * LARGE, true, &memory), 0);
    /* All of it, then with one page less at either end. */
    large_map(at, memory, 0, 2 * LARGE, MAP_READ | MAP_WRITE);
    CHECK_EQ(physical_check(at, LARGE, 2 * SLOTS, MAP_WRITE), 2);
    space_info(native, &info);
    CHECK_EQ(info.resident_pages, 2 * SLOTS);
    large_map(at, NULL, 0, 2 * LARGE, MAP_READ | MAP_COPY);
    CHECK_EQ(word_access(native, native->root, at + LARGE, MAP_READ, &word), 0);
    CHECK(word != phys_to_virt(2 * LARGE));
    CHECK_EQ(word_access(native, native->root, at + 4096, MAP_WRITE, &word), -EACCES);
    large_map(at + 4096, memory, 4096, 2 * LARGE - 8192, MAP_READ);
    CHECK_EQ(physical_check(at + 4096, LARGE + 4096, SLOTS - 1, MAP_READ), SLOTS - 1);
    CHECK_EQ(physical_check(at + LARGE, 2 * LARGE, SLOTS - 1, MAP_READ), SLOTS - 1);
    /* Off by a page, and beyond the end of the Vmo. */
    large_map(at, memory, 4096, LARGE, MAP_READ);
    CHECK_EQ(physical_check(at, LARGE + 4096, SLOTS, MAP_READ), SLOTS);
    large_map(at, memory, LARGE, 2 * LARGE, MAP_READ | MAP_WRITE);
    CHECK_EQ(physical_check(at, 2 * LARGE, SLOTS, MAP_READ), 1);
    CHECK_EQ(word_access(native, native->root, at + LARGE, MAP_READ, &word), -ENXIO);
    /* What concerns a part leaves the rest as it was. */
    CHECK_EQ(space_protect(native, at + 8192, 4096, MAP_READ), 0);
    CHECK_EQ(word_access(native, native->root, at + 8192, MAP_WRITE, &word), -EACCES);
    CHECK_EQ(physical_check(at, 2 * LARGE, 2, MAP_WRITE), 2);
    CHECK_EQ(physical_check(at + 8192, 2 * LARGE + 8192, 1, MAP_READ), 1);
    CHECK_EQ(physical_check(at + 12288, 2 * LARGE + 12288, SLOTS - 3, MAP_WRITE), SLOTS - 3);
    large_map(at, memory, 0, 2 * LARGE, MAP_READ | MAP_WRITE);
    CHECK_EQ(physical_check(at, LARGE, 2 * SLOTS, MAP_READ), 2);
    CHECK_EQ(space_unmap(native, at + LARGE - 4096, 8192), 0);
    CHECK_EQ(word_access(native, native->root, at + LARGE - 4096, MAP_READ, &word), -EFAULT);
    CHECK_EQ(word_access(native, native->root, at + LARGE, MAP_READ, &word), -EFAULT);
    CHECK_EQ(physical_check(at, LARGE, SLOTS - 1, MAP_READ), SLOTS - 1);
    CHECK_EQ(space_move(native, at, 4096, at + LARGE), 0);
    CHECK_EQ(physical_check(at + LARGE, LARGE, 1, MAP_READ), 1);
    object_put(&memory->object);
    object_put(&native->object);
    check_nothing_left(free_pages);
}

/* Fills pages in ascending order with their numbers; how many faults that took. */
static unsigned fill(struct space *space, uint64_t address, unsigned pages) {
    uint64_t before = faults;
    for (unsigned i = 0; i < pages; i++)
        put_word(space, address + i * 4096ULL, i + 1);
    return (unsigned)(faults - before);
}

/* Anonymous memory that is filled in order, from a few pages before a 2 MB boundary on. */
TEST(large_fills) {
    enum { LARGE = 2 << 20, SLOTS = 512, BEFORE = 21, COUNT = BEFORE + 2 * SLOTS };
    uint64_t free_pages = start(), at = 0x40000000 - BEFORE * 4096;
    struct space *guest, *child = NULL;
    struct space_info info;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    CHECK_EQ(space_create_guest(native, job, &guest), 0);
    CHECK_EQ(space_map(guest, at, NULL, 0, COUNT * 4096, MAP_READ | MAP_WRITE | MAP_COPY), 0);
    uint64_t overhead = job->used[JOB_PAGES];
    CHECK(fill(guest, at, COUNT) <= BEFORE + 2);
    space_info(guest, &info);
    CHECK_EQ(info.resident_pages, COUNT);
    CHECK_EQ(job->used[JOB_PAGES] - overhead, COUNT + info.table_pages - (ISOLATED ? 4 : 2));
    /* A child sees the same, and each its own after writing. */
    CHECK_EQ(clone(guest, &child), 0);
    put_word(child, at + (BEFORE + 7) * 4096, 1000000);
    put_word(guest, at + (BEFORE + 9) * 4096, 2000000);
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK_EQ(get_word(child, child->root, at + i * 4096), i == BEFORE + 7 ? 1000000 : i + 1);
        CHECK_EQ(get_word(guest, guest->root, at + i * 4096), i == BEFORE + 9 ? 2000000 : i + 1);
    }
    object_put(&child->object);
    machine_reap();
    /* Pages go one by one, and what is left keeps its content. */
    while (space_unmap(guest, at + (BEFORE + 20) * 4096, SLOTS * 4096) == -EAGAIN)
        ;
    CHECK_EQ(space_map(guest, at + (BEFORE + 20) * 4096, NULL, 0, SLOTS * 4096, MAP_READ | MAP_COPY), 0);
    for (unsigned i = 0; i < COUNT; i++)
        CHECK_EQ(get_word(guest, guest->root, at + i * 4096), i >= BEFORE + 20 && i < BEFORE + 20 + SLOTS ? 0
                                                              : i == BEFORE + 9 ? 2000000
                                                                                : i + 1);
    object_put(&guest->object);
    object_put(&native->object);
    check_nothing_left(free_pages);
}

TEST(growing_and_shrinking_memory) {
    uint64_t free_pages = start();
    struct space *guest, *child = NULL;
    struct space_info info;
    uint64_t base = 0x10000000, end = base;
    unsigned flags = MAP_READ | MAP_WRITE | MAP_COPY;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    CHECK_EQ(space_create_guest(native, job, &guest), 0);
    uint64_t overhead = job->used[JOB_PAGES];
    for (unsigned i = 0; i < 100; i++, end += 8192) {
        CHECK_EQ(space_map(guest, end, NULL, 0, 8192, flags), 0);
        put_word(guest, end, i + 1);
        put_word(guest, end + 4096, i + 1);
    }
    space_info(guest, &info);
    CHECK_EQ(info.mappings, 1);
    CHECK_EQ(job->used[JOB_PAGES] - overhead, 200 + 3);
    /* Shrinking frees pages; growing again shows zeros and is still one mapping. */
    while (space_unmap(guest, base + 40 * 4096, 160 * 4096) == -EAGAIN)
        ;
    CHECK_EQ(job->used[JOB_PAGES] - overhead, 40 + 3);
    CHECK_EQ(space_map(guest, base + 40 * 4096, NULL, 0, 160 * 4096, flags), 0);
    space_info(guest, &info);
    CHECK_EQ(info.mappings, 1);
    for (unsigned i = 0; i < 200; i++)
        CHECK_EQ(get_word(guest, guest->root, base + i * 4096), i < 40 ? i / 2 + 1 : 0);
    /* A child grows its own. */
    CHECK_EQ(clone(guest, &child), 0);
    CHECK_EQ(space_map(child, base + 200 * 4096, NULL, 0, 4096, flags), 0);
    CHECK_EQ(space_fault(guest, base + 200 * 4096, MAP_READ), -EFAULT);
    put_word(child, base + 200 * 4096, 9);
    put_word(child, base, 10);
    CHECK_EQ(get_word(guest, guest->root, base), 1);
    space_info(child, &info);
    CHECK_EQ(info.mappings, 1);
    object_put(&child->object);
    machine_reap();
    /* Changing and restoring the protection of a part leaves one mapping. */
    CHECK_EQ(space_protect(guest, base + 4096, 8192, MAP_READ), 0);
    space_info(guest, &info);
    CHECK_EQ(info.mappings, 3);
    CHECK_EQ(space_protect(guest, base + 4096, 8192, MAP_READ | MAP_WRITE), 0);
    space_info(guest, &info);
    CHECK_EQ(info.mappings, 1);
    object_put(&native->object);
    object_put(&guest->object);
    check_nothing_left(free_pages);
}

TEST(fork_shares_until_written) {
    uint64_t free_pages = start();
    struct space *parent, *child = NULL;
    uint64_t base = 0x400000;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    CHECK_EQ(space_create_guest(native, job, &parent), 0);
    CHECK_EQ(space_map(parent, base, NULL, 0, 64 * 4096, MAP_READ | MAP_WRITE | MAP_COPY), 0);
    for (unsigned i = 0; i < 64; i++)
        put_word(parent, base + i * 4096, i);
    /* Two pieces of one Vmo stay pieces of one in the child. */
    CHECK_EQ(space_protect(parent, base + 32 * 4096, 4096, MAP_READ), 0);
    uint64_t before = job->used[JOB_PAGES], flushes = host_shootdowns;
    CHECK_EQ(clone(parent, &child), 0);
    CHECK_EQ(job->used[JOB_PAGES] - before, ISOLATED ? 4 : 2);
    CHECK(host_shootdowns > flushes);
    faults = 0;
    for (unsigned i = 0; i < 64; i++)
        CHECK_EQ(get_word(child, child->root, base + i * 4096), i);
    CHECK(faults <= 6);
    CHECK_EQ(job->used[JOB_PAGES] - before, (ISOLATED ? 4 : 2) + 3);
    for (unsigned i = 0; i < 32; i++)
        put_word(child, base + i * 4096, 1000 + i);
    CHECK_EQ(job->used[JOB_PAGES] - before, (ISOLATED ? 4 : 2) + 3 + 32);
    for (unsigned i = 0; i < 64; i++)
        CHECK_EQ(get_word(parent, parent->root, base + i * 4096), i);
    /* The parent takes back its pages when the child is gone, without copying. */
    object_put(&child->object);
    machine_reap();
    memset(tlb, 0, sizeof tlb);
    CHECK_EQ(job->used[JOB_PAGES], before);
    for (unsigned i = 0; i < 32; i++)
        put_word(parent, base + i * 4096, 5);
    CHECK_EQ(job->used[JOB_PAGES], before);
    object_put(&parent->object);
    object_put(&native->object);
    check_nothing_left(free_pages);
}

/* A fixed course, each allocation of which fails once; calls that failed for -ENOMEM changed nothing. */
static bool course(void) {
    struct space *guest = NULL, *child = NULL;
    struct vmo *vmo = NULL;
    bool good = !space_create_native(job, &native);
    if (!good)
        return false;
    good &= !space_create_guest(native, job, &guest);
    if (!guest) {
        object_put(&native->object);
        return false;
    }
    good &= !vmo_create(job, 100 * 4096, 0, &vmo);
    good &= !space_map(guest, 0x100000, NULL, 0, 100 * 4096, MAP_READ | MAP_WRITE | MAP_COPY);
    if (vmo) {
        good &= !space_map(guest, 0x100000 + 20 * 4096, vmo, 0, 10 * 4096, MAP_READ | MAP_WRITE | MAP_COPY);
        good &= !space_map(guest, 0x100000 + 40 * 4096, vmo, 0, 10 * 4096, MAP_READ | MAP_WRITE);
    }
    for (unsigned i = 0; i < 100; i += 9)
        good &= !space_fault(guest, 0x100000 + i * 4096, MAP_WRITE);
    good &= !clone(guest, &child);
    for (unsigned i = 0; i < 100; i += 6) {
        good &= !space_fault(guest, 0x100000 + i * 4096, MAP_WRITE);
        if (child)
            good &= !space_fault(child, 0x100000 + i * 4096, i % 4 ? MAP_READ : MAP_WRITE);
    }
    good &= !space_protect(guest, 0x100000 + 5 * 4096, 10 * 4096, MAP_READ);
    good &= !space_move(guest, 0x100000 + 10 * 4096, 12 * 4096, 0x80000000);
    good &= !space_unmap(guest, 0x100000 + 25 * 4096, 30 * 4096);
    good &= !space_map(guest, 0x100000 + 100 * 4096, NULL, 0, 4096, MAP_READ | MAP_WRITE | MAP_COPY);
    if (child)
        object_put(&child->object);
    if (vmo)
        object_put(&vmo->object);
    object_put(&guest->object);
    object_put(&native->object);
    return good;
}

TEST(every_allocation_fails_once) {
    uint64_t free_pages = start();
    for (uint64_t n = 1;; n++) {
        job = job_create(NULL);
        host_allocations = 0;
        host_fail_at = n;
        bool good = course(), reached = host_allocations >= n;
        host_fail_at = 0;
        check_nothing_left(free_pages);
        if (!reached) {
            CHECK(good);
            CHECK(n > 50);
            break;
        }
    }
}

TEST_MAIN();
