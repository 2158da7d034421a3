/*
 * init: the first process. It holds every capability of the machine, starts the services of etc/manifest with
 * just the ones named there, and starts them again or ends the system when they die. It never runs out of
 * things to wait for: one port takes the deaths of all services.
 *
 * The last line of the log is always "keel: exit STATUS": the status of the service with `restart exit`, or
 * 126 when the system could not be started as its manifest says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/boot_info.h"
#include "lib/native/ipc.h"
#include "lib/native/keel.h"
#include "servers/init/power.h"
#include "servers/init/service.h"

enum {
    CANNOT_START = 126,
    PORT_QUEUE = 16,
    LEVEL = 0,
    LEVEL_USUAL = 3,
    LEVEL_LATE = 4,
    COMMAND_LINE_MAX = 4096
};

#define MANIFEST_FILE    "etc/manifest"
#define DRAIN_STEP       1000000ULL    /* ns between looks */
#define DRAIN_STALLED    3000000000ULL /* ns without progress after which output is given up */
#define ENVIRONMENT_NAME "KEEL_CMDLINE="

static struct system the_system;
static struct service services[MANIFEST_SERVICES];

static _Noreturn void cannot_start(const char *what, int64_t error) {
    log_line("%s: %s", what, strerror((int)-error));
    power_off(&the_system.power, CANNOT_START);
}

static handle_t need(const char *what, int64_t result) {
    if (result < 0)
        cannot_start(what, result);
    return (handle_t)result;
}

static void log_open(void) {
    log_use(need("log", keel_handle_create(OBJECT_RESOURCE, INIT_RESOURCE, (uint64_t)RESOURCE_LOG << 56, 1)));
}

static void memory_count(void) {
    static struct system_info info;
    handle_t handle = need("system information", keel_handle_create(OBJECT_RESOURCE, INIT_RESOURCE,
                                                                    (uint64_t)RESOURCE_INFO << 56, 1));
    (void)need("system information", keel_object_info(handle, keel_pointer(&info), sizeof info));
    (void)keel_handle_close(handle);
    the_system.pages_total = info.pages_total;
}

/* The kernel command line, for services to find their options in. */
static void environment_build(void) {
    static char variable[sizeof ENVIRONMENT_NAME + COMMAND_LINE_MAX] = ENVIRONMENT_NAME;
    uint64_t length = 0;
    (void)keel_vmo_read(INIT_BOOT, offsetof(struct boot_info, command_line_length), keel_pointer(&length),
                        sizeof length);
    if (length > COMMAND_LINE_MAX)
        length = COMMAND_LINE_MAX;
    (void)keel_vmo_read(INIT_BOOT, sizeof(struct boot_info),
                        keel_pointer(variable + strlen(ENVIRONMENT_NAME)), length);
    the_system.environment[0] = variable;
}

static void manifest_load(void) {
    struct archive_file file;
    int64_t error = archive_find(&the_system.archive, MANIFEST_FILE, &file);
    if (error < 0)
        cannot_start(MANIFEST_FILE, error);
    if (!manifest_parse(&the_system.manifest, file.bytes, file.length)) {
        log_line("%s", the_system.manifest.error);
        power_off(&the_system.power, CANNOT_START);
    }
}

static void start(struct service *service) {
    if (service_start(service, &the_system) == 0)
        return;
    if (service->spec->restart == RESTART_EXIT)
        power_off(&the_system.power, CANNOT_START);
    service->next_start = DEADLINE_NEVER;
    service_back_off(service);
}

/* Whether the command line has a word, or the word and a value; "" is always there. */
static bool asked_for(const char *word) {
    size_t length = strlen(word);
    const char *at = the_system.environment[0] + strlen(ENVIRONMENT_NAME);
    for (; length && *at; at += strcspn(at, " "), at += strspn(at, " "))
        if (strncmp(at, word, length) == 0 && strchr(" =", at[length]))
            return true;
    return !length;
}

/* What the command line asks for may not be there: an archive has what was thought to be needed. */
static bool wanted(const struct manifest_service *spec) {
    struct archive_file program;
    if (!asked_for(spec->when))
        return false;
    if (!spec->when[0] || archive_find(&the_system.archive, spec->program, &program) == 0)
        return true;
    log_line("%s: the archive has no %s", spec->when, spec->program);
    return false;
}

/* Services that are not wanted have no links either: who uses one finds that it is not there. */
static void services_choose(void) {
    for (unsigned i = 0; i < the_system.manifest.count; i++) {
        struct manifest_service *spec = &the_system.manifest.services[i];
        services[i] =
            (struct service){.spec = spec, .key = i, .next_start = DEADLINE_NEVER, .wanted = wanted(spec)};
        if (!services[i].wanted)
            spec->link_count = 0;
    }
    (void)need("links", links_create(&the_system.links, &the_system.manifest));
}

static void start_those(bool late) {
    for (unsigned i = 0; i < the_system.manifest.count; i++)
        if (services[i].spec->late == late && services[i].wanted)
            start(&services[i]);
}

/* Late services are loaded at a level below that of programs, so that the first program does not wait. */
static void start_all(void) {
    start_those(false);
    (void)keel_thread_set(0, LEVEL, LEVEL_LATE);
    start_those(true);
    (void)keel_thread_set(0, LEVEL, LEVEL_USUAL);
}

/* Waits until a driver has sent what its client wrote before it ended, as long as it makes progress. */
static void link_wait(const struct link_object *link) {
    uint16_t sent, before = 0;
    uint64_t moved = clock_now();
    while (!link_drained(link, &sent) && clock_now() - moved < DRAIN_STALLED) {
        if (sent != before)
            moved = clock_now();
        before = sent;
        (void)keel_thread_wait(clock_now() + DRAIN_STEP);
    }
}

static _Noreturn void system_end(const struct service *service, uint64_t status) {
    for (unsigned i = 0; i < service->spec->link_count; i++) {
        const struct link_object *link = links_find(&the_system.links, service->spec->links[i].name);
        if (link)
            link_wait(link);
    }
    if (status == STATUS_REBOOT)
        power_reset(&the_system.power);
    power_off(&the_system.power, status & 0xff);
}

static void death_take(const struct port_packet *packet) {
    if (packet->key >= the_system.manifest.count)
        return;
    struct service *service = &services[packet->key];
    if (service->spec->restart == RESTART_EXIT)
        system_end(service, packet->count);
    log_line("service %s ended with status %lld", service->spec->name, (long long)packet->count);
    service_ended(service);
}

/* Starts what is due; returns when the next start is. */
static uint64_t start_due(void) {
    uint64_t next = DEADLINE_NEVER;
    for (unsigned i = 0; i < the_system.manifest.count; i++) {
        if (services[i].next_start <= clock_now())
            start(&services[i]);
        if (services[i].next_start < next)
            next = services[i].next_start;
    }
    return next;
}

int main(void) {
    log_open();
    (void)need("events", power_open(&the_system.power, INIT_RESOURCE));
    if (archive_open(&the_system.archive, INIT_ARCHIVE, INIT_BOOT) < 0)
        power_off(&the_system.power, CANNOT_START);
    manifest_load();
    memory_count();
    environment_build();
    the_system.port = need("port", keel_handle_create(OBJECT_PORT, PORT_QUEUE, 0, 0));
    services_choose();
    start_all();
    for (;;) {
        struct port_packet packet;
        if (packet_receive(the_system.port, start_due(), &packet) == 0)
            death_take(&packet);
    }
}
