/* See links.h. */
#include "servers/init/links.h"

#include <stddef.h>
#include <string.h>

#include "abi/console.h"
#include "lib/native/keel.h"
#include "lib/virtqueue/ring.h"

enum { PORT_QUEUE = 64 };

static int64_t link_create(struct link_object *link, const char *name) {
    int64_t vmo = keel_vmo_create(CONSOLE_AREA_SIZE, 0);
    int64_t kick = keel_handle_create(OBJECT_EVENT, 0, 0, 0),
            call = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    if (vmo < 0 || kick < 0 || call < 0)
        return vmo < 0 ? vmo : kick < 0 ? kick : call;
    *link = (struct link_object){.vmo = (handle_t)vmo, .kick = (handle_t)kick, .call = (handle_t)call};
    strcpy(link->name, name);
    return 0;
}

static int64_t port_create(struct links *links, const char *name) {
    int64_t port = keel_handle_create(OBJECT_PORT, PORT_QUEUE, 0, 0);
    if (port < 0)
        return port;
    struct port_object *object = &links->ports[links->port_count++];
    object->port = (handle_t)port;
    strcpy(object->name, name);
    return 0;
}

int64_t links_create(struct links *links, const struct manifest *manifest) {
    for (unsigned i = 0; i < manifest->count; i++) {
        const struct manifest_service *service = &manifest->services[i];
        for (unsigned k = 0; k < service->link_count; k++) {
            if (!service->links[k].offers)
                continue;
            int64_t error = link_create(&links->objects[links->count], service->links[k].name);
            if (error < 0)
                return error;
            links->count++;
        }
        for (unsigned k = 0; k < service->port_count; k++) {
            int64_t error = service->ports[k].offers ? port_create(links, service->ports[k].name) : 0;
            if (error < 0)
                return error;
        }
    }
    return 0;
}

const struct port_object *ports_find(const struct links *links, const char *name) {
    for (unsigned i = 0; i < links->port_count; i++)
        if (strcmp(links->ports[i].name, name) == 0)
            return &links->ports[i];
    return NULL;
}

const struct link_object *links_find(const struct links *links, const char *name) {
    for (unsigned i = 0; i < links->count; i++)
        if (strcmp(links->objects[i].name, name) == 0)
            return &links->objects[i];
    return NULL;
}

/* What cannot be read counts as empty. */
static uint32_t link_word(const struct link_object *link, uint64_t offset, uint64_t bytes) {
    uint32_t word = 0;
    (void)keel_vmo_read(link->vmo, offset, keel_pointer(&word), bytes);
    return word;
}

bool link_drained(const struct link_object *link, uint16_t *sent) {
    uint64_t avail = CONSOLE_TX + CONSOLE_RING_AVAIL + offsetof(struct virtq_avail, idx);
    uint64_t used = CONSOLE_TX + CONSOLE_RING_USED + offsetof(struct virtq_used, idx);
    uint16_t given = (uint16_t)link_word(link, avail, sizeof(uint16_t));
    *sent = (uint16_t)link_word(link, used, sizeof(uint16_t));
    return *sent == given || link_word(link, offsetof(struct console_header, session), sizeof(uint32_t)) == 0;
}
