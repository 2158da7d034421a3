/*
 * A model of address spaces that says for each page what is mapped and what it holds, and random operations
 * on it and on the real ones.
 */
#pragma once

#include "tests/unit/space_world.h"

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
    while ((result = vmo_map(model->space, page_address(first), vmo, offset * 4096ULL, count * 4096ULL,
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
        while ((result = vmo_snapshot(vmos[v].vmo, job, &copy)) == -EAGAIN)
            ;
        CHECK_EQ(result, 0);
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
