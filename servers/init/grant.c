/* See grant.h. */
#include "servers/init/grant.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "abi/devices.h"
#include "lib/native/keel.h"

enum { KIND_SHIFT = 56, INTERRUPTS = 256 };

/* Adds a copy of a handle with some of its rights. GRANT is what lets it move to the service. */
static void grant_copy(struct grants *grants, const char *name, handle_t handle, uint64_t rights) {
    if (grants->error)
        return;
    int64_t copy =
        grants->count < SPAWN_HANDLES_MAX ? keel_handle_duplicate(handle, rights | RIGHT_GRANT) : -EMFILE;
    if (copy < 0) {
        log_line("capability \"%s\": %s", name, strerror((int)-copy));
        grants->error = copy;
        return;
    }
    struct start_handle *entry = &grants->handles[grants->count++];
    *entry = (struct start_handle){.handle = (handle_t)copy};
    snprintf(entry->name, sizeof entry->name, "%s", name);
}

/* Adds an object that init made for the service alone, and drops init's own handle. */
static void grant_made(struct grants *grants, const char *name, int64_t made, uint64_t rights) {
    if (grants->error)
        return;
    if (made < 0) {
        log_line("capability \"%s\": %s", name, strerror((int)-made));
        grants->error = made;
        return;
    }
    grant_copy(grants, name, (handle_t)made, rights);
    (void)keel_handle_close((uint64_t)made);
}

/* Adds authority over a range of a kind of resource. */
static void grant_resource(struct grants *grants, const char *name, enum resource_kind kind, uint64_t base,
                           uint64_t length, uint64_t rights) {
    if (!grants->error)
        grant_made(
            grants, name,
            keel_handle_create(OBJECT_RESOURCE, INIT_RESOURCE, (uint64_t)kind << KIND_SHIFT | base, length),
            rights);
}

static void grant_ranges(struct grants *grants, const struct manifest_service *spec) {
    char name[START_NAME_SIZE];
    for (unsigned i = 0; i < spec->ioport_count; i++) {
        snprintf(name, sizeof name, "ioport.%x", spec->ioports[i].base);
        grant_resource(grants, name, RESOURCE_IOPORT, spec->ioports[i].base, spec->ioports[i].length,
                       RIGHT_DEVICE);
    }
    for (unsigned i = 0; i < spec->mmio_count; i++) {
        snprintf(name, sizeof name, "mmio.%llx", (unsigned long long)spec->mmios[i].base);
        grant_resource(grants, name, RESOURCE_MMIO, spec->mmios[i].base, spec->mmios[i].length, RIGHT_DEVICE);
    }
    for (unsigned i = 0; i < spec->irq_count; i++) {
        snprintf(name, sizeof name, "irq.%u", spec->irqs[i]);
        grant_resource(grants, name, RESOURCE_IRQ, spec->irqs[i], 1, RIGHT_DEVICE);
    }
}

/* A new memory object with the bytes, or the kernel's negated error. */
static int64_t vmo_filled(const uint8_t *bytes, size_t length) {
    int64_t vmo = keel_vmo_create(length, 0);
    for (size_t at = 0; vmo >= 0 && at < length;) {
        int64_t wrote = keel_vmo_write((uint64_t)vmo, at, keel_pointer(bytes + at), length - at);
        if (wrote <= 0) {
            (void)keel_handle_close((uint64_t)vmo);
            return wrote < 0 ? wrote : -EIO;
        }
        at += (size_t)wrote;
    }
    return vmo;
}

/* A file that is missing is the service's to complain about. */
static void grant_file(struct grants *grants, const struct archive *archive,
                       const struct manifest_file *file) {
    struct archive_file found;
    if (!grants->error && archive_find(archive, file->path, &found) == 0 && found.length > 0)
        grant_made(grants, file->name, vmo_filled(found.bytes, found.length), RIGHT_READ);
}

static void grant_framebuffer(struct grants *grants, const struct framebuffer_pages *pages) {
    if (pages->length && !grants->error)
        grant_made(grants, "framebuffer", keel_vmo_physical(INIT_RESOURCE, pages->base, pages->length),
                   RIGHT_READ | RIGHT_WRITE);
}

static void grant_link(struct grants *grants, const struct links *links, const struct manifest_link *end) {
    const struct link_object *link = links_find(links, end->name);
    if (!link) /* the service that offers it was not asked for */
        return;
    char kick[START_NAME_SIZE], call[START_NAME_SIZE];
    snprintf(kick, sizeof kick, "%s.kick", end->name);
    snprintf(call, sizeof call, "%s.call", end->name);
    grant_copy(grants, end->name, link->vmo, RIGHT_READ | RIGHT_WRITE);
    grant_copy(grants, kick, link->kick, end->offers ? RIGHT_RECV : RIGHT_SEND);
    grant_copy(grants, call, link->call, end->offers ? RIGHT_SEND : RIGHT_RECV);
}

static void grant_ports(struct grants *grants, const struct manifest_service *spec,
                        const struct links *links) {
    char name[START_NAME_SIZE];
    for (unsigned i = 0; i < spec->port_count; i++) {
        const struct manifest_link *end = &spec->ports[i];
        snprintf(name, sizeof name, end->offers ? "%s.port" : "%s", end->name);
        grant_copy(grants, name, ports_find(links, end->name)->port,
                   end->offers ? RIGHT_RECV | RIGHT_SEND : RIGHT_SEND);
    }
}

void grants_collect(struct grants *grants, const struct service *service, const struct system *system) {
    const struct manifest_service *spec = service->spec;
    *grants = (struct grants){0};
    if (spec->log)
        grant_resource(grants, "log", RESOURCE_LOG, 0, 1, RIGHT_READ | RIGHT_WRITE);
    if (spec->info)
        grant_resource(grants, "info", RESOURCE_INFO, 0, 1, RIGHT_READ);
    if (spec->debug)
        grant_resource(grants, "debug", RESOURCE_DEBUG, 0, 1, RIGHT_DEBUG);
    if (spec->realtime)
        grant_resource(grants, "realtime", RESOURCE_REALTIME, 0, 1, RIGHT_PRIORITY);
    if (spec->dma)
        grant_resource(grants, "dma", RESOURCE_DMA, 0, 1, RIGHT_DEVICE);
    if (spec->link_rights)
        grant_resource(grants, "devices.right", RESOURCE_LINK, 0, DEVICES_PCI_CLASSES, spec->link_rights);
    /* Without ADMIN: a service does not lift its own limits. */
    if (spec->job)
        grant_copy(grants, "job", service->job, RIGHT_READ | RIGHT_WRITE | RIGHT_KILL);
    if (spec->root && system->archive.root_offset)
        grant_copy(grants, "root", INIT_ARCHIVE, RIGHT_READ);
    if (spec->interrupts)
        grant_resource(grants, "interrupts", RESOURCE_IRQ, 0, INTERRUPTS, RIGHT_DEVICE);
    if (spec->boot)
        grant_copy(grants, "boot", INIT_BOOT, RIGHT_READ);
    if (spec->archive)
        grant_copy(grants, "archive", INIT_ARCHIVE, RIGHT_READ);
    if (spec->power) {
        grant_copy(grants, "power.off", system->power.off, RIGHT_RECV);
        grant_copy(grants, "power.reset", system->power.reset, RIGHT_RECV);
    }
    grant_ranges(grants, spec);
    grant_ports(grants, spec, &system->links);
    for (unsigned i = 0; i < spec->file_count; i++)
        grant_file(grants, &system->archive, &spec->files[i]);
    if (spec->framebuffer)
        grant_framebuffer(grants, &system->framebuffer);
    for (unsigned i = 0; i < spec->link_count; i++)
        grant_link(grants, &system->links, &spec->links[i]);
}

void grants_close(struct grants *grants) {
    for (size_t i = 0; i < grants->count; i++)
        (void)keel_handle_close(grants->handles[i].handle);
    grants->count = 0;
}
