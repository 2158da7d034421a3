/*
 * Sticks and other USB disks (USB Mass Storage Class, Bulk-Only Transport 1.0), their first unit. A command
 * goes out in a wrapper, its data move between the device and the client's memory, a status comes in. One at
 * a time: the transport knows no more.
 *
 *   COMMAND -> DATA -> STATUS          an endpoint that stalls with data is recovered; the status follows
 *   what does not follow this way:     RESET -> CLEAR_IN -> CLEAR_OUT -> RENEW, and the command fails
 *
 * A command that failed is followed by REQUEST SENSE, which says whether it is worth another try. A disk
 * takes a link when its size is known; after a restart of the driver the same disk at the same port takes the
 * link it had, so that its client's requests go on.
 */
#include "drivers/xhci/scsi.h"

#include <errno.h>
#include <string.h>

#include "drivers/xhci/classes.h"
#include "drivers/xhci/links.h"
#include "lib/base/list.h"
#include "lib/driver/block.h"
#include "lib/native/keel.h"

enum { CLASS_STORAGE = 8, SUBCLASS_SCSI = 6, PROTOCOL_BULK = 0x50, DEPTH = 1 };
enum { PIPE_IN = 1, PIPE_OUT = 2 };
enum { REQUEST_RESET = 0xff, STATUS_AT = 64, DATA_AT = 512 }; /* in the device's extra memory */
enum { TRIES_MOST = 4, BREAKS_MOST = 8, ASKS_MOST = 40 };
#define PATIENCE_NS 20000000000ULL
#define ASK_NS      100000000ULL

enum phase {
    PHASE_IDLE,
    PHASE_COMMAND,
    PHASE_DATA,
    PHASE_DATA_CLEAR, /* the endpoint stalled with the data */
    PHASE_STATUS,
    PHASE_STATUS_CLEAR,
    PHASE_STATUS_AGAIN,
    PHASE_RESET,
    PHASE_CLEAR_IN,
    PHASE_CLEAR_OUT,
    PHASE_RENEW,
};

/* What is being asked; then the disk is served. */
enum stage { ASK_INQUIRY, ASK_READY, ASK_CAPACITY, ASK_CAPACITY_LONG, ASK_MODE, SERVING, UNUSABLE };

/* How a command has ended. */
enum outcome { PASSED, FAILED, BROKEN };

struct storage {
    struct usb_device *device; /* NULL: free */
    enum stage stage;
    enum phase phase;
    struct scsi_command command;
    uint64_t data;       /* where its data go, or come from */
    uint32_t tag, moved; /* of what is in the wrapper now */
    bool sensing;        /* that is REQUEST SENSE */
    unsigned tries, breaks;
    struct block_identity identity;
    struct driver_link *link; /* NULL: none so far */
    struct block_server server;
    unsigned request; /* the server's tag */
};

static struct storage disks[USB_DEVICES];

/* ---- the transport ---- */

static const struct scsi_command *command_now(const struct storage *disk) {
    static struct scsi_command sense;
    if (!disk->sensing)
        return &disk->command;
    sense = scsi_sense();
    return &sense;
}

static uint8_t *extra(const struct storage *disk, unsigned at) {
    return disk->device->memory->extra + at;
}

static void command_send(struct storage *disk) {
    bulk_wrap(extra(disk, 0), command_now(disk), ++disk->tag);
    disk->phase = PHASE_COMMAND;
    disk->moved = 0;
    usb_transfer(disk->device, PIPE_OUT, usb_address(disk->device, extra(disk, 0)), BULK_COMMAND_SIZE,
                 PATIENCE_NS);
}

static void data_move(struct storage *disk) {
    const struct scsi_command *command = command_now(disk);
    uint64_t to = disk->sensing || disk->stage != SERVING ? usb_address(disk->device, extra(disk, DATA_AT))
                                                          : disk->data;
    disk->phase = PHASE_DATA;
    usb_transfer(disk->device, command->in ? PIPE_IN : PIPE_OUT, to, command->data, PATIENCE_NS);
}

static void status_ask(struct storage *disk, enum phase phase) {
    disk->phase = phase;
    usb_transfer(disk->device, PIPE_IN, usb_address(disk->device, extra(disk, STATUS_AT)), BULK_STATUS_SIZE,
                 PATIENCE_NS);
}

static void reset_request(struct storage *disk) {
    disk->phase = PHASE_RESET;
    usb_control(disk->device, &(struct usb_request){REQUEST_CLASS | TO_INTERFACE, REQUEST_RESET, 0,
                                                    disk->device->interface.number, 0});
}

static void halt_clear(struct storage *disk, enum phase phase, unsigned pipe) {
    disk->phase = phase;
    usb_control(disk->device, &(struct usb_request){TO_ENDPOINT, CLEAR_FEATURE, FEATURE_HALT,
                                                    disk->device->pipes[pipe].endpoint.address, 0});
}

static void outcome_take(struct storage *disk, enum outcome outcome, unsigned key);

/* The command that was sent has passed, failed or broken the transport. */
static void command_end(struct storage *disk, enum outcome outcome) {
    bool sensing = disk->sensing;
    disk->phase = PHASE_IDLE;
    disk->sensing = false;
    if (sensing) {
        unsigned key = outcome == PASSED ? scsi_sense_read(extra(disk, DATA_AT), disk->moved) : 0;
        outcome_take(disk, outcome == BROKEN ? BROKEN : FAILED, key);
    } else if (outcome == FAILED) {
        disk->sensing = true;
        command_send(disk);
    } else {
        outcome_take(disk, outcome, 0);
    }
}

static void status_take(struct storage *disk, uint32_t length) {
    uint8_t bytes[BULK_STATUS_SIZE];
    uint32_t left = 0;
    memcpy(bytes, extra(disk, STATUS_AT), sizeof bytes);
    enum bulk_status status = bulk_answer(bytes, length, disk->tag, command_now(disk)->data, &left);
    uint32_t most = command_now(disk)->data - left;
    disk->moved = disk->moved < most ? disk->moved : most;
    if (status == BULK_PASSED || status == BULK_FAILED)
        command_end(disk, status == BULK_PASSED ? PASSED : FAILED);
    else
        reset_request(disk);
}

/* The next phase, once one has ended as it should. */
static void phase_next(struct storage *disk, uint32_t moved) {
    switch (disk->phase) {
    case PHASE_COMMAND:
        if (command_now(disk)->data)
            data_move(disk);
        else
            status_ask(disk, PHASE_STATUS);
        break;
    case PHASE_DATA:
        disk->moved = moved;
        status_ask(disk, PHASE_STATUS);
        break;
    case PHASE_DATA_CLEAR:
        status_ask(disk, PHASE_STATUS);
        break;
    case PHASE_STATUS_CLEAR:
        status_ask(disk, PHASE_STATUS_AGAIN);
        break;
    case PHASE_STATUS:
    case PHASE_STATUS_AGAIN:
        status_take(disk, moved);
        break;
    case PHASE_RESET:
        halt_clear(disk, PHASE_CLEAR_IN, PIPE_IN);
        break;
    case PHASE_CLEAR_IN:
        halt_clear(disk, PHASE_CLEAR_OUT, PIPE_OUT);
        break;
    case PHASE_CLEAR_OUT:
        disk->phase = PHASE_RENEW;
        usb_renew(disk->device);
        break;
    default:
        break;
    }
}

static void storage_ended(struct usb_device *device, unsigned pipe, enum usb_result result, uint32_t moved) {
    struct storage *disk = device->state;
    if (result == USB_DONE && (disk->phase != PHASE_COMMAND || moved == BULK_COMMAND_SIZE)) {
        phase_next(disk, moved);
    } else if (result == USB_STALLED && disk->phase == PHASE_DATA) {
        disk->moved = moved;
        halt_clear(disk, PHASE_DATA_CLEAR, pipe);
    } else if (result == USB_STALLED && disk->phase == PHASE_STATUS) {
        halt_clear(disk, PHASE_STATUS_CLEAR, pipe);
    } else if (disk->phase < PHASE_RESET) {
        reset_request(disk);
    } else {
        usb_give_up(device, "it cannot be reset");
    }
}

static void storage_renewed(struct usb_device *device) {
    struct storage *disk = device->state;
    if (++disk->breaks > BREAKS_MOST)
        usb_give_up(device, "it answers wrongly again and again");
    else
        command_end(disk, BROKEN);
}

/* ---- requests ---- */

static void command_start(struct storage *disk, struct scsi_command command, uint64_t data) {
    disk->command = command;
    disk->data = data;
    disk->tries = 0;
    command_send(disk);
}

static void start(struct block_server *server, unsigned tag, const struct block_io *io, uint64_t data) {
    struct storage *disk = container_of(server, struct storage, server);
    disk->request = tag;
    command_start(disk, scsi_request(io, disk->identity.block_size), data);
}

static void request_outcome(struct storage *disk, enum outcome outcome, unsigned key) {
    bool flush = disk->command.data == 0;
    uint8_t status =
        outcome == PASSED && disk->moved == disk->command.data ? BLOCK_STATUS_OK : BLOCK_STATUS_ERROR;
    if (outcome == PASSED)
        disk->breaks = 0;
    else if (flush && outcome == FAILED && key == SCSI_ILLEGAL) /* without a cache there is nothing to do */
        status = BLOCK_STATUS_OK;
    else if ((outcome == BROKEN || key == SCSI_ATTENTION || key == SCSI_NOT_READY) &&
             ++disk->tries < TRIES_MOST) {
        command_send(disk);
        return;
    }
    if (!block_server_complete(&disk->server, disk->request, status))
        driver_fail("an answer to no request", -EPROTO);
    block_server_run(&disk->server);
}

/* ---- the link ---- */

/* The disk that an earlier driver described there. */
static bool link_fits(const struct driver_link *link, const void *what) {
    const struct block_header *header = (const struct block_header *)link->area.bytes;
    const struct block_identity *identity = what;
    return header->sectors == identity->sectors && header->block_size == identity->block_size &&
           header->read_only == identity->read_only &&
           !memcmp(header->serial, identity->serial, BLOCK_SERIAL_SIZE);
}

static void disk_offer(struct storage *disk) {
    disk->stage = SERVING;
    disk->link = link_take(disk->device, LINKS_STORAGE, LINKS_STORAGE_END, link_fits, &disk->identity);
    usb_ready(disk->device);
    if (!disk->link) {
        usb_give_up(disk->device, "there are too many disks");
        return;
    }
    disk->link->state = disk;
    disk->server.start = start;
    block_server_init(&disk->server, links_host(), disk->link->index, &disk->identity, DEPTH);
    link_offer(disk->link);
}

/* ---- what the disk is ---- */

static void unusable(struct storage *disk, const char *why) {
    log_line("port %u: %s", disk->device->place.root, why);
    disk->stage = UNUSABLE;
    usb_ready(disk->device);
}

static void ask(struct storage *disk, enum stage stage) {
    disk->stage = stage;
    switch (stage) {
    case ASK_INQUIRY:
        command_start(disk, scsi_inquiry(), 0);
        break;
    case ASK_READY:
        command_start(disk, scsi_ready(), 0);
        break;
    case ASK_CAPACITY:
        command_start(disk, scsi_capacity(), 0);
        break;
    case ASK_CAPACITY_LONG:
        command_start(disk, scsi_capacity_long(), 0);
        break;
    default:
        command_start(disk, scsi_mode(), 0);
        break;
    }
}

static void capacity_take(struct storage *disk, int error) {
    if (error == -EOVERFLOW)
        ask(disk, ASK_CAPACITY_LONG);
    else if (error)
        unusable(disk, "no disk, or blocks of such a size as cannot be used");
    else
        ask(disk, ASK_MODE);
}

static void answer_take(struct storage *disk) {
    uint8_t bytes[SCSI_INQUIRY_SIZE];
    memcpy(bytes, extra(disk, DATA_AT), sizeof bytes);
    switch (disk->stage) {
    case ASK_INQUIRY:
        if (scsi_inquiry_read(bytes, disk->moved))
            ask(disk, ASK_READY);
        else
            unusable(disk, "its first unit is no disk");
        break;
    case ASK_READY:
        ask(disk, ASK_CAPACITY);
        break;
    case ASK_CAPACITY:
        capacity_take(disk, scsi_capacity_read(&disk->identity, bytes, disk->moved));
        break;
    case ASK_CAPACITY_LONG:
        capacity_take(disk, scsi_capacity_long_read(&disk->identity, bytes, disk->moved));
        break;
    default:
        disk->identity.read_only = scsi_mode_read_only(bytes, disk->moved);
        disk_offer(disk);
        break;
    }
}

static void outcome_take(struct storage *disk, enum outcome outcome, unsigned key) {
    if (disk->stage == SERVING)
        request_outcome(disk, outcome, key);
    else if (outcome == PASSED)
        answer_take(disk);
    else if (disk->stage == ASK_MODE) /* whoever does not know it can be written */
        disk_offer(disk);
    else if (++disk->tries < ASKS_MOST)
        usb_later(disk->device, clock_now() + ASK_NS);
    else
        unusable(disk, "it does not become ready; there may be no medium in it");
}

static void storage_timer(struct usb_device *device) {
    command_send(device->state);
}

/* ---- coming and going ---- */

static unsigned storage_fits(const struct usb_interface *interface,
                             const struct usb_endpoint *wanted[USB_PIPES - 1]) {
    wanted[0] = usb_endpoint_find(interface, USB_BULK, USB_IN);
    wanted[1] = usb_endpoint_find(interface, USB_BULK, 0);
    return interface->interface_class == CLASS_STORAGE && interface->subclass == SUBCLASS_SCSI &&
                   interface->protocol == PROTOCOL_BULK && wanted[0] && wanted[1]
               ? 2
               : 0;
}

static bool storage_enter(struct usb_device *device) {
    struct storage *disk = disks;
    while (disk < disks + USB_DEVICES && disk->device)
        disk++;
    if (disk == disks + USB_DEVICES)
        return false;
    *disk = (struct storage){.device = device, .identity = {.features = BLOCK_FEATURE_FLUSH}};
    memcpy(disk->identity.serial, device->serial, strnlen(device->serial, BLOCK_SERIAL_SIZE));
    device->state = disk;
    ask(disk, ASK_INQUIRY);
    return true;
}

static void storage_gone(struct usb_device *device) {
    struct storage *disk = device->state;
    if (disk->link) {
        link_return(disk->link);
        disk->link->state = NULL;
    }
    disk->device = NULL;
}

const struct usb_class storage_class = {
    .name = "storage",
    .fits = storage_fits,
    .enter = storage_enter,
    .ended = storage_ended,
    .renewed = storage_renewed,
    .timer = storage_timer,
    .gone = storage_gone,
};

/* ---- for the loop ---- */

void storage_session(struct driver_link *link) {
    struct storage *disk = link->state;
    if (disk) {
        block_server_session(&disk->server);
        block_server_run(&disk->server);
    }
}

void storage_kick(struct driver_link *link) {
    struct storage *disk = link->state;
    if (disk)
        block_server_run(&disk->server);
}
