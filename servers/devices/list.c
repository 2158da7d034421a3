/* See list.h. */
#include "servers/devices/list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/native/keel.h"
#include "lib/virtqueue/ring.h"
#include "servers/devices/authority.h"

enum { KINDS_MOST = 48, MISSED_MOST = 3 };

struct pci_tree pci_tree;

static struct driver_kind kinds[KINDS_MOST];
static unsigned kind_count;
static struct driver_run runs[DRIVERS_MOST];
static uint64_t next_key = LIST_KEY_FIRST;
static uint32_t last_id;
static uint64_t changes;
static handle_t watchers[DEVICES_WATCHERS];

/* ---- matching ---- */

static void kind_add(const struct archive_file *text, const char *name) {
    char path[64];
    struct driver_kind *kind = &kinds[kind_count];
    if (kind_count == KINDS_MOST)
        return;
    if (!manifest_parse(&kind->manifest, name, text->bytes, text->length)) {
        log_line("drivers/%s", kind->manifest.error);
        return;
    }
    snprintf(path, sizeof path, "bin/%s", name);
    if (archive_find(&machine.archive, path, &kind->program) < 0)
        log_line("drivers/%s: there is no %s", name, path);
    else
        kind_count++;
}

static void kinds_read(void) {
    static const char folder[] = "drivers/";
    struct archive_file file;
    const char *path;
    size_t at = 0;
    while (archive_next(&machine.archive, &at, &path, &file))
        if (!strncmp(path, folder, strlen(folder)) && strlen(path) < strlen(folder) + DEVICES_NAME)
            kind_add(&file, path + strlen(folder));
}

/* Of a free place, 0. */
static unsigned link_count(const struct driver_run *run) {
    return run->kind ? run->kind->manifest.link_count : 0;
}

/* ---- names ---- */

/* Whether numbers in place of the % of two patterns are of one series: vport%dp0 and vport%dp1. */
static bool same_series(const char *a, const char *b) {
    return !strncmp(a, b, strcspn(a, "%") + 2);
}

/* More text behind the number: the name of a part. The number is its device's, whichever parts there are. */
static bool names_part(const char *pattern) {
    const char *percent = strchr(pattern, '%');
    return percent && percent[1] && percent[2];
}

/* A driver has come up once, or has shown that it may not: what it offers at first is known. */
static bool has_settled(const struct driver_run *run) {
    return run->ready || run->delay;
}

static bool may_offer(const struct driver_run *run, const char *pattern) {
    for (unsigned i = 0; i < link_count(run); i++)
        if (run->kind->manifest.links[i].optional && same_series(run->kind->manifest.links[i].name, pattern))
            return true;
    return false;
}

/* Names are the same each time, whichever driver is up first: numbers are given in the order in which devices
 * are found. Where only a driver knows whether there is something, those behind it wait for that. */
static bool may_number(const struct driver_run *run, const char *pattern) {
    for (unsigned i = 0; i < DRIVERS_MOST; i++)
        if (runs[i].key < run->key && !has_settled(&runs[i]) && may_offer(&runs[i], pattern))
            return false;
    return true;
}

/* The number of the device, for one more part; else the lowest of the series that nothing has. */
static uint32_t number_choose(const struct driver_run *run, const char *pattern) {
    uint64_t taken = 0;
    for (unsigned i = 0; i < DRIVERS_MOST; i++)
        for (unsigned k = 0; k < link_count(&runs[i]); k++) {
            const struct device_link *link = &runs[i].links[k];
            if (!link->numbered || !same_series(runs[i].kind->manifest.links[k].name, pattern))
                continue;
            if (&runs[i] == run && names_part(pattern))
                return link->number;
            taken |= link->number < 64 ? 1ULL << link->number : 0;
        }
    return taken == UINT64_MAX ? 64 : (uint32_t)__builtin_ctzll(~taken);
}

static void link_number(struct driver_run *run, unsigned index) {
    struct device_link *link = &run->links[index];
    if (!link->numbered)
        link->number = number_choose(run, run->kind->manifest.links[index].name);
    link->numbered = true;
}

/* The pattern with its %a or %d filled in. */
static void name_make(struct device_link *link, const char *pattern) {
    int stem = (int)strcspn(pattern, "%");
    unsigned n = link->number;
    if (!pattern[stem])
        snprintf(link->name, sizeof link->name, "%s", pattern);
    else if (pattern[stem + 1] == 'd')
        snprintf(link->name, sizeof link->name, "%.*s%u%s", stem, pattern, n, pattern + stem + 2);
    else if (n < 26)
        snprintf(link->name, sizeof link->name, "%.*s%c%s", stem, pattern, 'a' + n, pattern + stem + 2);
    else
        snprintf(link->name, sizeof link->name, "%.*s%c%c%s", stem, pattern, 'a' + n / 26 - 1, 'a' + n % 26,
                 pattern + stem + 2);
}

static void run_add(const struct driver_kind *kind, uint32_t address) {
    struct driver_run *run = runs;
    while (run < runs + DRIVERS_MOST && run->kind)
        run++;
    if (run == runs + DRIVERS_MOST) {
        log_line("more than %d devices; %s is left out", DRIVERS_MOST, kind->manifest.name);
        return;
    }
    *run = (struct driver_run){.kind = kind, .address = address, .key = next_key};
    next_key += 2;
    for (unsigned i = 0; i < kind->manifest.link_count; i++)
        if (!kind->manifest.links[i].optional || names_part(kind->manifest.links[i].name))
            link_number(run, i);
}

void list_add(const struct devices_pci *function) {
    const struct driver_kind *best = NULL;
    unsigned fit = 0;
    for (unsigned i = 0; i < kind_count; i++) {
        unsigned found = manifest_fits(&kinds[i].manifest, function);
        if (found > fit) {
            fit = found;
            best = &kinds[i];
        }
    }
    if (best)
        run_add(best, function->address);
}

/* What no bus shows. */
static void machine_match(const struct driver_kind *kind) {
    if (manifest_matches(&kind->manifest, MATCH_ALWAYS) ||
        (manifest_matches(&kind->manifest, MATCH_HPET) && machine.acpi.hpet.base))
        run_add(kind, DEVICES_NO_ADDRESS);
}

void list_make(void) {
    kinds_read();
    for (unsigned i = 0; i < kind_count; i++)
        machine_match(&kinds[i]);
    for (unsigned i = 0; i < pci_tree.count; i++)
        list_add(&pci_tree.functions[i]);
}

/* ---- running ---- */

static struct devices_pci *function_of(const struct driver_run *run) {
    return run->address == DEVICES_NO_ADDRESS ? NULL : pci_find(&pci_tree, run->address);
}

uint64_t list_start_due(void) {
    uint64_t next = DEADLINE_NEVER;
    for (unsigned i = 0; i < DRIVERS_MOST; i++) {
        struct driver_run *run = &runs[i];
        if (!run->kind || run->leaving)
            continue;
        if (run->next_start <= clock_now())
            (void)driver_start(run, function_of(run));
        if (run->next_start < next)
            next = run->next_start;
    }
    return next;
}

void list_changed(void) {
    changes++;
    for (unsigned i = 0; i < DEVICES_WATCHERS; i++)
        if (watchers[i] != HANDLE_NONE && keel_event_signal(watchers[i]) < 0) {
            (void)keel_handle_close(watchers[i]);
            watchers[i] = HANDLE_NONE;
        }
}

static void link_list(struct driver_run *run, unsigned index) {
    link_number(run, index);
    run->links[index].id = ++last_id;
    name_make(&run->links[index], run->kind->manifest.links[index].name);
}

static void link_withdraw(struct driver_run *run, unsigned index) {
    run->links[index].id = 0;
    run->links[index].numbered = names_part(run->kind->manifest.links[index].name);
    run->links[index].used = false;
}

/* Lists what is there, takes off the list what has gone, or has been exchanged. True: there was a change. */
static bool links_follow(struct driver_run *run) {
    bool change = false;
    for (unsigned i = 0; i < link_count(run); i++) {
        struct device_link *link = &run->links[i];
        uint32_t presence = run->kind->manifest.links[i].optional ? ring_load(link->header->presence) : 0;
        if (link->id && presence != link->presence) {
            link_withdraw(run, i);
            change = true;
        }
        if (!link->id && !(presence & 1) &&
            (link->numbered || may_number(run, run->kind->manifest.links[i].name))) {
            link_list(run, i);
            change = true;
        }
        link->presence = presence;
    }
    return change;
}

/* Of all drivers: what one of them offers may have waited for another one to settle. */
static bool list_follow(void) {
    bool change = false;
    for (unsigned i = 0; i < DRIVERS_MOST; i++)
        if (runs[i].ready && !runs[i].leaving && links_follow(&runs[i]))
            change = true;
    return change;
}

static void run_ended(struct driver_run *run, int64_t status) {
    driver_ended(run, function_of(run), status);
    if (run->leaving)
        driver_release(run);
    (void)list_follow();
    list_changed();
}

static void run_alive(struct driver_run *run) {
    bool first = !run->ready;
    run->missed = 0;
    if (run->leaving || run->process == HANDLE_NONE)
        return;
    run->ready = true;
    if (list_follow() || first)
        list_changed();
}

void list_packet(uint64_t key, int64_t status) {
    for (unsigned i = 0; i < DRIVERS_MOST; i++) {
        struct driver_run *run = &runs[i];
        if (!run->kind || run->key != (key & ~1ULL))
            continue;
        if (key & 1)
            run_ended(run, status);
        else
            run_alive(run);
    }
}

void list_depart(uint32_t address) {
    for (unsigned i = 0; i < DRIVERS_MOST; i++)
        if (runs[i].kind && runs[i].address == address)
            runs[i].departing = true;
    list_changed();
}

bool list_used(uint32_t address) {
    for (unsigned i = 0; i < DRIVERS_MOST; i++)
        for (unsigned k = 0; runs[i].address == address && k < link_count(&runs[i]); k++)
            if (runs[i].links[k].used)
                return true;
    return false;
}

int64_t list_left(uint32_t id, handle_t sent) {
    struct device_link *link;
    int64_t error = list_link(id, sent, &link);
    if (!error)
        link->used = false;
    return error;
}

void list_remove(uint32_t address) {
    for (unsigned i = 0; i < DRIVERS_MOST; i++) {
        struct driver_run *run = &runs[i];
        if (!run->kind || run->address != address || run->leaving)
            continue;
        run->leaving = true;
        for (unsigned k = 0; k < link_count(run); k++) {
            run->links[k].id = 0;
            run->links[k].used = false;
        }
        if (run->process != HANDLE_NONE)
            driver_kill(run, DRIVER_KILLED); /* its end is reported */
        else
            driver_release(run);
        list_changed();
    }
}

bool list_holds(uint32_t address) {
    for (unsigned i = 0; i < DRIVERS_MOST; i++)
        if (runs[i].kind && runs[i].address == address)
            return true;
    return false;
}

/* Whether a client has waited for one request at so many questions in a row. */
static bool link_stalls(struct device_link *link, uint32_t most) {
    uint32_t awaited = link->id ? ring_load(link->header->awaited) : 0;
    bool same = awaited && awaited == link->awaited;
    link->awaited = awaited;
    link->asked = same ? link->asked + 1 : 0;
    return link->asked == most;
}

/* Why a driver is to be ended, or NULL. */
static const char *run_hangs(struct driver_run *run, uint32_t stalls_most) {
    const char *why = run->missed++ == MISSED_MOST ? "does not answer" : NULL;
    for (unsigned k = 0; run->ready && k < link_count(run); k++)
        if (link_stalls(&run->links[k], stalls_most))
            why = "leaves a request undone";
    return why;
}

void list_ask(uint32_t stalls_most) {
    for (unsigned i = 0; i < DRIVERS_MOST; i++) {
        struct driver_run *run = &runs[i];
        if (!run->kind || run->process == HANDLE_NONE)
            continue;
        const char *why = run_hangs(run, stalls_most);
        if (why) {
            log_line("driver %s %s and is ended", run->kind->manifest.name, why);
            driver_kill(run, DRIVER_HUNG);
        }
        (void)keel_event_signal(run->ping);
    }
}

bool list_running(void) {
    for (unsigned i = 0; i < DRIVERS_MOST; i++)
        if (runs[i].kind && runs[i].process != HANDLE_NONE)
            return true;
    return false;
}

unsigned list_count(void) {
    unsigned count = 0;
    for (unsigned i = 0; i < DRIVERS_MOST; i++)
        count += runs[i].kind != NULL;
    return count;
}

/* ---- what clients see ---- */

static void describe(const struct driver_run *run, unsigned index, struct devices_device *device) {
    const struct device_link *link = &run->links[index];
    *device = (struct devices_device){
        .id = link->id,
        .device_class = run->kind->manifest.links[index].device_class,
        .generation = run->ready ? run->generation : 0,
        .address = run->address,
        .area_length = link->length,
        .flags = run->departing ? DEVICES_DEPARTING : 0,
    };
    memcpy(device->name, link->name, sizeof device->name);
    memcpy(device->driver, run->kind->manifest.name, sizeof device->driver);
}

bool list_next(uint32_t id, struct devices_device *device) {
    bool found = false;
    device->id = UINT32_MAX;
    for (unsigned i = 0; i < DRIVERS_MOST; i++)
        for (unsigned k = 0; k < link_count(&runs[i]); k++)
            if (runs[i].links[k].id > id && runs[i].links[k].id < device->id) {
                describe(&runs[i], k, device);
                found = true;
            }
    return found;
}

uint64_t list_changes(void) {
    return changes;
}

int64_t list_link(uint32_t id, handle_t sent, struct device_link **link) {
    for (unsigned i = 0; id && i < DRIVERS_MOST; i++)
        for (unsigned k = 0; k < link_count(&runs[i]); k++)
            if (runs[i].links[k].id == id) {
                *link = &runs[i].links[k];
                return authority_check(sent, runs[i].kind->manifest.links[k].device_class);
            }
    return -ENOENT;
}

uint64_t list_shown(uint32_t id) {
    for (unsigned i = 0; id && i < DRIVERS_MOST; i++)
        if (link_count(&runs[i]) && runs[i].links[0].id == id)
            return driver_shown(&runs[i], function_of(&runs[i]));
    return 0;
}

int64_t list_reset(uint32_t address, const char *name, handle_t sent) {
    for (unsigned i = 0; i < DRIVERS_MOST; i++)
        if (runs[i].kind && runs[i].address == address && runs[i].process != HANDLE_NONE &&
            (address != DEVICES_NO_ADDRESS || !strcmp(runs[i].kind->manifest.name, name))) {
            int64_t error = authority_check_all(sent, &runs[i].kind->manifest);
            if (!error)
                driver_kill(&runs[i], DRIVER_KILLED);
            return error;
        }
    return -ENODEV;
}

const struct driver_run *list_run(uint64_t index) {
    for (unsigned i = 0; i < DRIVERS_MOST; i++)
        if (runs[i].kind && index-- == 0)
            return &runs[i];
    return NULL;
}

int64_t list_watch(handle_t event) {
    for (unsigned i = 0; i < DEVICES_WATCHERS; i++)
        if (watchers[i] == HANDLE_NONE) {
            watchers[i] = event;
            return 0;
        }
    return -ENOSPC;
}
