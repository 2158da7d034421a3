/* flags: -Ikernel/arch/host -Ikernel/arch/x86_64 -Ikernel/variant/release -pthread */
/*
 * Tagged translations: the real kernel/tlb.c on four CPUs whose TLBs the test plays, also what they do with
 * tags. Every CPU switches between spaces, reads pages by whatever it has cached, changes pages of any space
 * and shoots down, goes idle, and ends spaces and makes others in their places, with the same roots and tags.
 * Nobody may see a page as it was before a shoot-down that is over.
 *
 * The CPUs are played in turns, at random, also while one waits for answers; and for a shorter time by a
 * thread each, to be run under ThreadSanitizer as well.
 */
static void cpu_wait(void);
#define cpu_relax cpu_relax_never
#include "kernel/arch/host/arch.h"
#undef cpu_relax
#define cpu_relax cpu_wait
#include "kernel/tlb.c"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "tests/unit/check.h"

enum {
    CPUS = 4,
    NATIVES = 3,
    GUESTS = 6, /* of the first native space */
    SPACES = NATIVES + GUESTS,
    HALF = 4, /* pages of a half that are used */
    NUMBERS = 0x1000,
    TURNS = 200000,
    ROUNDS = 100 /* of a thread: it may have to wait long for the others' turns */
};

unsigned char *host_memory;
_Thread_local struct cpu *host_cpu;
struct machine machine;

/* A page table: the lower and the upper half, a guest space's upper one unused. What a page shows is a number
 * that only grows; settled is what every CPU must see at least. */
struct world {
    struct space space;
    pthread_mutex_t lock;   /* the space's table_lock, and users */
    _Atomic unsigned users; /* threads that run in it: it cannot end */
    _Atomic uint64_t pages[2 * HALF], settled[2 * HALF];
};

/* A CPU's TLB: by number in CR3 and page, 0 or what it shows. */
struct tlb {
    uint64_t cached[NUMBERS][2 * HALF];
    uint64_t root;
};

/* What a CPU's thread runs in. */
struct place {
    struct world *native, *guest; /* guest: NULL or a guest space of native */
};

static struct world worlds[SPACES];
static struct cpu cpus[CPUS];
static struct tlb tlbs[CPUS];
static struct place places[CPUS];
static bool busy[CPUS]; /* in turns: waits */
static bool in_turns;
static unsigned turn_seed;
static _Atomic unsigned running;
static _Atomic uint64_t kept, flushed;

static unsigned next(unsigned *seed, unsigned below) {
    return (unsigned)rand_r(seed) % below;
}

static uint64_t page_address(unsigned page) {
    return page < HALF ? page * PAGE_SIZE : GUEST_LIMIT + (page - HALF) * PAGE_SIZE;
}

static unsigned page_at(uint64_t address) {
    return (unsigned)(address < GUEST_LIMIT ? address / PAGE_SIZE
                                            : HALF + (address - GUEST_LIMIT) / PAGE_SIZE);
}

/* ---- the processor ---- */

void root_load(uint64_t value) {
    struct tlb *tlb = &tlbs[host_cpu->index];

    CHECK(machine.tag_bits || !(value & (CR3_KEEP | (PAGE_SIZE - 1))));
    tlb->root = value & ~CR3_KEEP;
    if (value & CR3_KEEP) {
        kept++;
        return;
    }
    flushed++;
    memset(tlb->cached[value & (NUMBERS - 1)], 0, sizeof tlb->cached[0]);
}

void tlb_flush_page(uint64_t address) {
    struct tlb *tlb = &tlbs[host_cpu->index];
    if (page_at(address) % HALF < HALF && page_at(address) < 2 * HALF)
        tlb->cached[tlb->root & (NUMBERS - 1)][page_at(address)] = 0;
}

void tag_flush(uint64_t kind, uint64_t tag, uint64_t address) {
    uint64_t *cached = tlbs[host_cpu->index].cached[tag];

    CHECK(machine.has_invpcid && tag < NUMBERS);
    if (kind == FLUSH_TAG)
        memset(cached, 0, sizeof tlbs[0].cached[0]);
    else if (page_at(address) < 2 * HALF)
        cached[page_at(address)] = 0;
}

/* CPUs look for themselves. */
void cpu_interrupt(struct cpu *cpu, unsigned vector) {
    (void)cpu;
    (void)vector;
}

void space_deactivate(struct cpu *cpu) {
    spaces_enter(cpu, NULL, NULL, machine.root);
}

/* ---- what a CPU does ---- */

/* In turns, who holds it cannot go on before this CPU: false. */
static bool world_lock(struct world *world) {
    while (pthread_mutex_trylock(&world->lock)) {
        if (in_turns)
            return false;
        tlb_shootdown_poll();
        sched_yield();
    }
    return true;
}

static bool world_hold(struct world *world) {
    if (!world)
        return true;
    if (!world_lock(world))
        return false;
    world->users++;
    pthread_mutex_unlock(&world->lock);
    return true;
}

static void world_release(struct world *world) {
    if (world)
        world->users--;
}

static void place_enter(struct place *place, unsigned *seed) {
    struct place old = *place, new;
    unsigned which = next(seed, SPACES);
    struct cpu *cpu = host_cpu;

    new.native = &worlds[which < NATIVES ? which : 0];
    new.guest = which < NATIVES ? NULL : &worlds[which];
    if (!world_hold(new.native))
        return;
    if (!world_hold(new.guest)) {
        world_release(new.native);
        return;
    }
    *place = new;
    struct space *guest = place->guest ? &place->guest->space : NULL;
    uint64_t root = place->native->space.root;
    if (guest)
        root = next(seed, 2) ? guest->root : guest->unified_root;
    cpu->thread = (struct thread *)place;
    spaces_enter(cpu, &place->native->space, guest, root);
    world_release(old.native);
    world_release(old.guest);
}

/* Guest mode entered or left: what tags.S does. */
static void root_toggle(const struct place *place) {
    struct cpu *cpu = host_cpu;
    if (!place->guest)
        return;
    const struct space *guest = &place->guest->space;
    cpu->root ^= guest->root ^ guest->unified_root;
    root_enter(cpu, cpu->root, &place->native->space, guest);
}

/* A page by what is cached, and cached if it was not; perhaps in user mode, by the other tag. */
static void page_read(const struct place *place, unsigned *seed) {
    struct tlb *tlb = &tlbs[host_cpu->index];
    unsigned page = next(seed, 2 * HALF);
    struct world *world = place->guest && page < HALF ? place->guest : place->native;
    uint64_t number = tlb->root & (NUMBERS - 1);

    CHECK_EQ(tlb->root, host_cpu->root);
    if (place->guest && page >= HALF && tlb->root == place->guest->space.root)
        return;
    if (machine.isolated && next(seed, 2))
        number |= TAG_USER;
    uint64_t least = atomic_load(&world->settled[page]);
    if (!tlb->cached[number][page])
        tlb->cached[number][page] = atomic_load(&world->pages[page]);
    CHECK(tlb->cached[number][page] >= least);
}

static void pages_change(unsigned *seed) {
    unsigned which = next(seed, SPACES);
    struct world *world = &worlds[which];
    unsigned first = next(seed, which < NATIVES ? 2 * HALF : HALF);
    unsigned last = first / HALF * HALF + first % HALF + next(seed, HALF - first % HALF);
    bool all = next(seed, 8) == 0;

    if (all) {
        first -= first % HALF;
        last = first + HALF - 1;
    }
    if (!world_lock(world))
        return;
    for (unsigned page = first; page <= last; page++)
        atomic_fetch_add(&world->pages[page], 1);
    uint64_t end = page_address(last) + PAGE_SIZE;
    tlb_shootdown(&world->space, page_address(first), all ? end + 100 * PAGE_SIZE : end);
    for (unsigned page = first; page <= last; page++)
        atomic_store(&world->settled[page], atomic_load(&world->pages[page]));
    pthread_mutex_unlock(&world->lock);
}

/* Another space in the place of one in which nothing runs. */
static void world_replace(unsigned *seed) {
    struct world *world = &worlds[1 + next(seed, SPACES - 1)];

    if (!world_lock(world))
        return;
    if (!world->users) {
        tlb_shootdown(&world->space, 0, 0);
        CHECK_EQ(world->space.active_cpus, 0);
        for (unsigned page = 0; page < 2 * HALF; page++)
            atomic_store(&world->settled[page], atomic_fetch_add(&world->pages[page], 1) + 1);
        atomic_store(&world->space.stamp, tlb_stamp());
    }
    pthread_mutex_unlock(&world->lock);
}

static void idle(struct place *place) {
    world_release(place->native);
    world_release(place->guest);
    *place = (struct place){0};
    host_cpu->thread = NULL;
}

static void cpu_step(unsigned *seed) {
    struct place *place = &places[host_cpu->index];
    unsigned what = next(seed, 100);

    if (what < 3)
        idle(place);
    else if (what < 20)
        place_enter(place, seed);
    else if (what < 40)
        root_toggle(place);
    else if (what < 50)
        pages_change(seed);
    else if (what < 52)
        world_replace(seed);
    else if (what < 60)
        tlb_shootdown_poll();
    else if (place->native)
        page_read(place, seed);
}

/* Another CPU's turn. */
static void turn(void) {
    struct cpu *self = host_cpu;
    unsigned which = next(&turn_seed, CPUS);

    host_cpu = &cpus[which];
    if (busy[which])
        tlb_shootdown_poll();
    else
        cpu_step(&turn_seed);
    host_cpu = self;
}

static void cpu_wait(void) {
    if (!in_turns) {
        sched_yield();
        return;
    }
    busy[host_cpu->index] = true;
    turn();
    busy[host_cpu->index] = false;
}

static void *cpu_run(void *argument) {
    host_cpu = argument;
    unsigned seed = host_cpu->index + 1;

    for (unsigned round = 0; round < ROUNDS; round++)
        cpu_step(&seed);
    idle(&places[host_cpu->index]);
    for (running--; running; sched_yield())
        tlb_shootdown_poll();
    return NULL;
}

/* ---- machines ---- */

/* Tags are few, so that roots share them. */
static uint64_t root_of(unsigned which, bool unified) {
    uint64_t tag = machine.tag_bits ? TAG_FIRST | (which * 2 % 8 + unified) : 0;
    return (2 + which * 2 + unified) * 2 * PAGE_SIZE | tag;
}

static void world_make(unsigned which) {
    struct world *world = &worlds[which];
    memset(world, 0, sizeof *world);
    pthread_mutex_init(&world->lock, NULL);
    world->space.root = root_of(which, false);
    if (which >= NATIVES)
        world->space.unified_root = root_of(which, true);
    world->space.stamp = tlb_stamp();
    for (unsigned page = 0; page < 2 * HALF; page++)
        world->pages[page] = world->settled[page] = 1;
}

static void machine_start(bool tagged, bool invpcid, bool isolated) {
    memset(tlbs, 0, sizeof tlbs);
    memset(cpus, 0, sizeof cpus);
    memset(places, 0, sizeof places);
    machine.tag_bits = tagged ? TAG_FIRST | (TAGS - 1) : 0;
    machine.has_invpcid = invpcid;
    machine.isolated = isolated;
    machine.root = PAGE_SIZE;
    kept = flushed = 0;
    for (unsigned i = 0; i < CPUS; i++) {
        machine.cpus[i] = &cpus[i];
        cpus[i].index = i;
        cpus[i].stamp = i;
        cpus[i].bit = 1ULL << i;
        cpus[i].root = tlbs[i].root = machine.root;
    }
    host_cpu = &cpus[0];
    for (unsigned i = 0; i < SPACES; i++)
        world_make(i);
}

static void machine_run(bool tagged, bool invpcid, bool isolated) {
    pthread_t threads[CPUS];

    machine_start(tagged, invpcid, isolated);
    in_turns = true;
    turn_seed = 1;
    for (unsigned i = 0; i < TURNS; i++)
        turn();
    CHECK(!tagged == !kept);
    printf("    %llu roots loaded with, %llu without a flush\n", (unsigned long long)flushed,
           (unsigned long long)kept);

    machine_start(tagged, invpcid, isolated);
    in_turns = false;
    running = CPUS;
    for (unsigned i = 0; i < CPUS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, cpu_run, &cpus[i]), 0);
    for (unsigned i = 0; i < CPUS; i++)
        pthread_join(threads[i], NULL);
}

TEST(without_tags) {
    machine_run(false, false, false);
}

TEST(tags) {
    machine_run(true, false, false);
}

TEST(pages_of_any_tag) {
    machine_run(true, true, false);
}

TEST(tags_of_user_mode) {
    machine_run(true, true, true);
}

/* One CPU: what a switch keeps, and what makes it flush. */
TEST(kept) {
    machine_start(true, false, false);
    struct cpu *cpu = host_cpu = &cpus[0];
    struct space *one = &worlds[1].space, *two = &worlds[2].space;

    space_deactivate(cpu);
    spaces_enter(cpu, one, NULL, one->root);
    spaces_enter(cpu, two, NULL, two->root);
    uint64_t before = flushed;
    for (unsigned i = 0; i < 10; i++) {
        spaces_enter(cpu, one, NULL, one->root);
        spaces_enter(cpu, two, NULL, two->root);
    }
    CHECK_EQ(flushed, before);
    cpu->thread = (struct thread *)cpu;
    tlb_shootdown(two, 0, PAGE_SIZE); /* what is loaded stays good */
    spaces_enter(cpu, one, NULL, one->root);
    spaces_enter(cpu, two, NULL, two->root);
    CHECK_EQ(flushed, before);
    tlb_shootdown(one, 0, PAGE_SIZE); /* what is not loaded is stale */
    spaces_enter(cpu, one, NULL, one->root);
    CHECK_EQ(flushed, before + 1);
    spaces_enter(cpu, two, NULL, two->root);
    CHECK_EQ(flushed, before + 1);
}

TEST_MAIN();
