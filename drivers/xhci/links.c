/* See links.h. */
#include "drivers/xhci/links.h"

static struct driver_device *host;
static bool taken[DRIVER_LINKS];

void links_open(struct driver_device *device) {
    host = device;
}

struct driver_device *links_host(void) {
    return host;
}

/* What outlives the driver: the port of a link's device; 0: it had none so far. */
static uint8_t *port_kept(unsigned link) {
    return (uint8_t *)controller_kept() + link;
}

/* A link that is offered, or was to the end of the last driver. */
static bool lasts(const struct driver_link *link) {
    return !(link->presence & 1);
}

struct driver_link *link_take(const struct usb_device *device, unsigned first, unsigned end,
                              bool (*same)(const struct driver_link *link, const void *what),
                              const void *what) {
    struct driver_link *best = NULL;
    for (unsigned i = first; i < end && i < host->link_count; i++) {
        struct driver_link *link = &host->links[i];
        if (taken[i])
            continue;
        if (lasts(link) && *port_kept(i) == device->place.root && (!same || same(link, what))) {
            best = link;
            break;
        }
        if (!best && !lasts(link))
            best = link;
    }
    if (best) {
        taken[best->index] = true;
        *port_kept(best->index) = device->place.root;
    }
    return best;
}

void link_offer(struct driver_link *link) {
    driver_offer_present(host, link->index, true);
}

void link_return(struct driver_link *link) {
    taken[link->index] = false;
    driver_offer_present(host, link->index, false);
}

void links_settle(void) {
    for (unsigned i = 0; i < host->link_count && i < LINKS_INPUT_END; i++)
        if (!taken[i])
            driver_offer_present(host, i, false);
}
