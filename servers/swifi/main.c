/*
 * swifi: flips bits in the memory of running drivers while programs use their devices, and reports what
 * happened to them, as MINIX 3's fault injection did. Started by init when the kernel's command line asks:
 *
 *     ./keel run --append "faults=1000 faults.seed=7 faults.drivers=virtio-rng,edu" --log FILE -- PROGRAM
 *
 * Which bits of which driver are chosen is decided by the seed alone; what the drivers are doing just then is
 * not, so a run can be repeated in its choices, not to the instruction. It holds the kernel's debug resource,
 * by which `devices` (DEVICES_INSPECT) lends it the drivers' memory. A driver that bears QUOTA faults is
 * ended and starts anew, so that one which lives on but does nothing any more does not stay.
 *
 * A driver is free to spoil its own device's data: what is promised is that nobody else is harmed. At the end
 * all drivers are started afresh and have to work again, and those that were left alone must not have ended.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/native/keel.h"
#include "servers/swifi/options.h"
#include "servers/swifi/target.h"

enum { TARGETS_MOST = 64, QUOTA = 40, LEVEL = 0, LEVEL_TOOL = 1, REPORTS = 20, MS = 1000000 };
#define START_WAIT   (10000ULL * MS) /* for drivers to come up, at the beginning and at the end */
#define BARREN_WAIT  (5ULL * MS)
#define RECOVER_WAIT (60000ULL * MS)

static struct options options;
static struct target targets[TARGETS_MOST];
static unsigned target_count, wanted_count;
static uint64_t faults;
static bool failed;

static void pause_for(uint64_t ns) {
    (void)keel_thread_wait(clock_now() + ns);
}

/* ---- who there is ---- */

static bool targets_ready(void) {
    for (unsigned i = 0; i < target_count; i++)
        if (target_look(&targets[i]) < 0 || !targets[i].now.ready)
            return false;
    return true;
}

static void targets_find(void) {
    uint64_t deadline = clock_now() + START_WAIT;
    for (unsigned count = 0; count < TARGETS_MOST; count++) {
        struct target *target = &targets[count];
        target->index = count;
        while (target_look(target) < 0 && count == 0 && clock_now() < deadline)
            pause_for(BARREN_WAIT);
        if (!target->now.driver[0])
            break;
        target->wanted = options_want(&options, target->now.driver);
        wanted_count += target->wanted;
        target_count++;
    }
    while (!targets_ready() && clock_now() < deadline)
        pause_for(BARREN_WAIT);
    for (unsigned i = 0; i < target_count; i++)
        targets[i].first = targets[i].now;
}

/* ---- faults ---- */

static void sum_report(void) {
    struct devices_ends sum = {0};
    for (unsigned i = 0; i < target_count; i++) {
        const struct devices_ends *ends = &targets[i].now.ends;
        sum.crashed += ends->crashed;
        sum.gave_up += ends->gave_up;
        sum.hung += ends->hung;
        sum.killed += ends->killed;
    }
    log_line("%llu of %llu faults: drivers crashed %u times, gave up %u, hung %u, started anew after many %u",
             (unsigned long long)faults, (unsigned long long)options.faults, sum.crashed, sum.gave_up,
             sum.hung, sum.killed);
}

/* A driver to harm that runs just now, from the one drawn on; NULL: none does. */
static struct target *target_choose(uint64_t *random) {
    unsigned first = (unsigned)(random_next(random) % target_count);
    for (unsigned i = 0; i < target_count; i++) {
        struct target *target = &targets[(first + i) % target_count];
        if (target->wanted && target_look(target) == 0 && target->now.ready)
            return target;
    }
    return NULL;
}

static void faults_make(void) {
    uint64_t random = options.seed, step = options.faults / REPORTS + 1,
             deadline = clock_now() + RECOVER_WAIT;
    while (faults < options.faults) {
        struct target *target = target_choose(&random);
        if (!target || target_fault(target, &random) < 0) {
            if (clock_now() >= deadline) { /* none of them comes back; the report will say so */
                log_line("no driver runs that could be harmed");
                return;
            }
            pause_for(BARREN_WAIT);
            continue;
        }
        deadline = clock_now() + RECOVER_WAIT;
        if (++faults % step == 0)
            sum_report();
        if (target->fresh >= QUOTA)
            (void)target_reset(target);
        pause_for(options.pause_ns);
    }
}

/* ---- the end ---- */

static void targets_recover(void) {
    uint64_t deadline = clock_now() + RECOVER_WAIT;
    for (unsigned i = 0; i < target_count; i++)
        if (targets[i].wanted)
            (void)target_reset(&targets[i]);
    pause_for(BARREN_WAIT);
    while (!targets_ready() && clock_now() < deadline)
        pause_for(BARREN_WAIT);
}

static void target_report(const struct target *target) {
    const struct devices_ends *ends = &target->now.ends;
    const uint64_t *places = target->places;
    if (!target->now.ready || (!target->wanted && target->now.generation != target->first.generation)) {
        failed = true;
        log_line("not ok: driver %s at %x %s", target->now.driver, target->now.address,
                 target->now.ready ? "was left alone and has ended" : "does not work again");
    }
    if (target->wanted)
        log_line("driver %s at %x: %llu faults (code %llu, constants %llu, data %llu, stack %llu, DMA memory "
                 "%llu): crashed %u times, gave up %u, hung %u, started anew after many %u",
                 target->now.driver, target->now.address, (unsigned long long)target->faults,
                 (unsigned long long)places[PLACE_CODE], (unsigned long long)places[PLACE_CONSTANTS],
                 (unsigned long long)places[PLACE_DATA], (unsigned long long)places[PLACE_STACK],
                 (unsigned long long)places[PLACE_DMA], ends->crashed, ends->gave_up, ends->hung,
                 ends->killed);
}

int main(void) {
    (void)keel_thread_set(0, LEVEL, LEVEL_TOOL);
    options_read(&options);
    targets_find();
    log_line("%llu faults with seed %llu in %u of %u drivers", (unsigned long long)options.faults,
             (unsigned long long)options.seed, wanted_count, target_count);
    if (wanted_count)
        faults_make();
    targets_recover();
    for (unsigned i = 0; i < target_count; i++)
        target_report(&targets[i]);
    sum_report();
    failed = failed || !wanted_count;
    log_line("end: %s", failed ? "not ok" : "ok");
    return failed;
}
