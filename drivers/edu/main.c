/*
 * QEMU's edu device (docs/specs/edu.txt there), the worked example of docs/drivers.md: registers, an
 * interrupt and DMA in a hundred lines. A program writes a 32-bit number to /dev/edu0 and reads its factorial
 * (modulo 2^32), which the device computes. An ioctl sends up to 4,096 bytes through the device's own memory
 * and back; one has the device read memory that is not the driver's, which an IOMMU refuses; two others let
 * /dev/eduplug0 come and go, as a driver of sockets for further devices does.
 * Whoever reads that waits until it goes.
 */
#include <errno.h>
#include <string.h>

#include "lib/driver/driver.h"

/* Registers in BAR 0. */
enum edu {
    EDU_ID = 0x00,
    EDU_LIVENESS = 0x04, /* reads back inverted */
    EDU_FACTORIAL = 0x08,
    EDU_STATUS = 0x20,
    EDU_IRQ_STATUS = 0x24,
    EDU_IRQ_ACK = 0x64,
    EDU_DMA_FROM = 0x80,
    EDU_DMA_TO = 0x88,
    EDU_DMA_COUNT = 0x90,
    EDU_DMA_COMMAND = 0x98,
};
enum { STATUS_IRQ = 0x80, IRQ_FACTORIAL = 1, IRQ_DMA = 0x100 };
enum { DMA_START = 1, DMA_TO_MEMORY = 2, DMA_IRQ = 4, DMA_MEMORY = 0x40000, DMA_MOST = 4096 };
enum { LIVE = 0x12345678, STRAY_ADDRESS = 0x100000 };

/* ioctls of /dev/edu0: _IOWR('e', 1, the bytes), _IO('e', 2) … */
enum {
    EDU_IOCTL_COPY = (int)0xc0006501,
    EDU_IOCTL_HANG = 0x6502,
    EDU_IOCTL_PLUG = 0x6503,
    EDU_IOCTL_UNPLUG = 0x6504,
    EDU_IOCTL_REPLUG = 0x6505, /* both at once */
    EDU_IOCTL_STRAY = (int)0xc0046506,
    IOCTL_SIZE = 0x3fff0000,
};
enum { LINK_EDU, LINK_PLUG };

static struct driver_request *reading, *copying; /* which wait for the device; NULL: none */
static bool computing, returning;

static const struct driver_bar *registers(const struct driver_device *device) {
    return &device->bars[0];
}

static int64_t edu_init(struct driver_device *device) {
    const struct driver_bar *bar = registers(device);
    if (!bar->at || (bar_read(bar, EDU_ID, 4) & 0xffff) != 0x00ed || device->irq_count == 0)
        return -ENODEV;
    bar_write(bar, EDU_LIVENESS, 4, LIVE);
    if (bar_read(bar, EDU_LIVENESS, 4) != ~(uint32_t)LIVE)
        return -EIO;
    bar_write(bar, EDU_IRQ_ACK, 4, bar_read(bar, EDU_IRQ_STATUS, 4));
    if (device->link_count > LINK_PLUG) /* after a restart: as it was */
        driver_offer_present(device, LINK_PLUG, !(device->links[LINK_PLUG].presence & 1));
    return 0;
}

/* The requests of the last session are gone. */
static void edu_session(struct driver_device *device, struct driver_link *link) {
    (void)device;
    if (link->index == LINK_EDU)
        reading = copying = NULL;
}

static int64_t edu_write(struct driver_device *device, struct driver_request *request) {
    uint32_t number;
    if (request->link->index != LINK_EDU)
        return -EPERM;
    if (request->length != sizeof number)
        return -EINVAL;
    if (computing)
        return -EBUSY;
    memcpy(&number, request->bytes, sizeof number);
    computing = true;
    bar_write(registers(device), EDU_STATUS, 4, STATUS_IRQ);
    bar_write(registers(device), EDU_FACTORIAL, 4, number);
    return sizeof number;
}

/* The result, once it is there. */
static int64_t result_give(struct driver_device *device, struct driver_request *request) {
    uint32_t number = bar_read(registers(device), EDU_FACTORIAL, 4);
    memcpy(request->bytes, &number, sizeof number);
    return sizeof number;
}

static int64_t edu_read(struct driver_device *device, struct driver_request *request) {
    if (request->length < sizeof(uint32_t))
        return -EINVAL;
    if (request->link->index != LINK_EDU)
        return DRIVER_LATER;
    if (!computing)
        return result_give(device, request);
    if (reading)
        return -EBUSY;
    reading = request;
    return DRIVER_LATER;
}

/* The device moves the bytes of the client's area itself: it is told their physical address. */
static void dma_start(struct driver_device *device, uint64_t from, uint64_t to, uint32_t direction) {
    const struct driver_bar *bar = registers(device);
    bar_write(bar, EDU_DMA_FROM, 4, (uint32_t)from);
    bar_write(bar, EDU_DMA_FROM + 4, 4, (uint32_t)(from >> 32));
    bar_write(bar, EDU_DMA_TO, 4, (uint32_t)to);
    bar_write(bar, EDU_DMA_TO + 4, 4, (uint32_t)(to >> 32));
    bar_write(bar, EDU_DMA_COUNT, 4, copying->length);
    bar_write(bar, EDU_DMA_COMMAND, 4, DMA_START | DMA_IRQ | direction);
}

static int64_t plug(struct driver_device *device, uint32_t control) {
    if (control != EDU_IOCTL_PLUG)
        driver_offer_present(device, LINK_PLUG, false);
    if (control != EDU_IOCTL_UNPLUG)
        driver_offer_present(device, LINK_PLUG, true);
    return 0;
}

static int64_t edu_ioctl(struct driver_device *device, struct driver_request *request) {
    if (request->link->index != LINK_EDU)
        return -ENOTTY;
    if (request->control == EDU_IOCTL_HANG)
        for (volatile bool forever = true; forever;) /* shows that the heartbeat notices */
            continue;
    if (request->control >= EDU_IOCTL_PLUG && request->control <= EDU_IOCTL_REPLUG)
        return plug(device, request->control);
    bool stray = request->control == (uint32_t)EDU_IOCTL_STRAY;
    if (!stray && (request->control & ~(uint32_t)IOCTL_SIZE) != (uint32_t)EDU_IOCTL_COPY)
        return -ENOTTY;
    if (request->length == 0 || request->length > DMA_MOST)
        return -EINVAL;
    if (copying)
        return -EBUSY;
    copying = request;
    returning = stray; /* nothing comes back of that */
    dma_start(device, stray ? STRAY_ADDRESS : request->physical, DMA_MEMORY, 0);
    return DRIVER_LATER;
}

static void dma_done(struct driver_device *device) {
    if (!copying)
        return;
    if (!returning) {
        memset(copying->bytes, 0, copying->length); /* so that what comes back is the device's */
        returning = true;
        dma_start(device, DMA_MEMORY, copying->physical, DMA_TO_MEMORY);
        return;
    }
    struct driver_request *request = copying;
    copying = NULL;
    driver_complete(request, request->length);
}

static void factorial_done(struct driver_device *device) {
    struct driver_request *request = reading;
    computing = false;
    reading = NULL;
    if (request)
        driver_complete(request, result_give(device, request));
}

static void edu_interrupt(struct driver_device *device, unsigned index) {
    uint32_t cause = bar_read(registers(device), EDU_IRQ_STATUS, 4);
    (void)index;
    bar_write(registers(device), EDU_IRQ_ACK, 4, cause);
    if (cause & IRQ_FACTORIAL)
        factorial_done(device);
    if (cause & IRQ_DMA)
        dma_done(device);
}

static const struct driver edu = {
    .name = "edu",
    .init = edu_init,
    .session = edu_session,
    .read = edu_read,
    .write = edu_write,
    .ioctl = edu_ioctl,
    .interrupt = edu_interrupt,
};

int main(int argc, char **argv) {
    return driver_main(&edu, argc, argv);
}
