/*
 * What drivers of input devices share: the description of a device, its events on their way to the client,
 * and the client's to the device (lights, sounds), over a link that the manifest `offers input event%d 32K`.
 *
 *     init       input_server_init, input_describe_…, input_server_offer
 *     session    input_server_session
 *     kick       input_server_run, which calls `status` for each event to the device
 *     interrupt  input_report …, input_sync
 *
 * A device that comes and goes on one link (USB) is described anew and offered, or withdrawn, at any time.
 */
#pragma once

#include "lib/driver/driver.h"
#include "lib/virtqueue/device.h"
#include "lib/virtqueue/input_ring.h"

enum { INPUT_HELD = 256 };

struct input_server {
    struct driver_link *link;
    struct virtqueue_device events, status_queue;
    bool offered;                        /* false: no device is there, and nothing is reported */
    bool dropped;                        /* events were lost and nobody told yet */
    struct input_event held[INPUT_HELD]; /* ring of what the client had no buffers for */
    unsigned held_first, held_count;
    struct input_description described; /* not shown to the client before the offer */
    /* An event to the device; may be NULL. Its codes are whatever the client likes. */
    void (*status)(struct input_server *server, const struct input_event *event);
    void *state; /* the driver's */
};

/* Serves a link of the device (its number), with an empty description. Ends the driver when it has none such.
 */
void input_server_init(struct input_server *server, struct driver_device *device, unsigned link);

/* The description, piece by piece; what does not fit is left out. Texts are cut at 127 bytes. */
void input_describe_text(struct input_server *server, enum input_select select, const char *text);
void input_describe_ids(struct input_server *server, uint16_t bus, uint16_t vendor, uint16_t product,
                        uint16_t version);
void input_describe_code(struct input_server *server, enum input_type type, unsigned code);
void input_describe_codes(struct input_server *server, enum input_type type, unsigned first, unsigned last);
void input_describe_axis(struct input_server *server, unsigned code, const struct input_axis *axis);
/* Any piece, data as its selector says: size up to 128 bytes. Replaces one of the same selectors. */
void input_describe(struct input_server *server, uint8_t select, uint8_t subsel, const void *data,
                    size_t size);
/* Begins a new description, for another device on the same link. */
void input_describe_nothing(struct input_server *server);

/* Shows the description to the client, as a device that is there; or says that none is any more. */
void input_server_offer(struct input_server *server);
void input_server_withdraw(struct input_server *server);

void input_server_session(struct input_server *server);
void input_server_run(struct input_server *server);

/* One event; the client gets it with the next input_sync, which ends a packet of them by SYN_REPORT. */
void input_report(struct input_server *server, enum input_type type, unsigned code, int32_t value);
void input_sync(struct input_server *server);
