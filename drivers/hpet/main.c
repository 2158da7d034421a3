/*
 * The high precision event timer as Linux's /dev/hpet: interrupts at a rate that a program chooses, of one
 * comparator that it has for itself; a read waits for some and tells their number. The page of registers can
 * be mapped, to read the counter: the personality sees to that.
 *
 * What is switched on is noted in the link's area and goes on after a restart of the driver. It is no secret
 * and no authority: the client may spoil only what it uses itself.
 */
#include <errno.h>
#include <string.h>

#include "drivers/hpet/timer.h"
#include "lib/native/keel.h"
#include "lib/virtqueue/char_ring.h"

enum hpet_request {
    HPET_IE_ON = 0x6801,
    HPET_IE_OFF = 0x6802,
    HPET_EPI = 0x6804,
    HPET_DPI = 0x6805,
    HPET_INFO = 0x80186803,
    HPET_IRQFREQ = 0x40086806,
};

enum { RATE_MOST = 65536 }; /* more than that, and this process would do nothing else */

/* Linux's. */
struct hpet_info {
    uint64_t rate, flags;
    uint16_t hpet, timer;
};

/* What a program has switched on. */
struct settings {
    uint32_t ticks; /* 0: no rate is set */
    uint8_t on, periodic;
    uint16_t reserved;
    uint64_t count; /* interrupts since the last read */
};

static struct timer timer;
static struct settings settings, *notes;

static void note(struct driver_device *device) {
    memcpy(notes, &settings, sizeof settings);
    driver_char_ready(&device->links[0], settings.count ? CHAR_READY_READ : 0);
}

static void interrupt(struct driver_device *device, unsigned index) {
    (void)index;
    if (!timer_fired(&timer) || !settings.on)
        return;
    settings.count++;
    if (!settings.periodic)
        timer_again(&timer, settings.ticks);
    note(device);
}

static int64_t switch_on(void) {
    if (!settings.ticks)
        return -EIO;
    if (settings.on)
        return -EBUSY;
    if (!timer.routed)
        return -EIO;
    settings.on = true;
    timer_start(&timer, settings.ticks, settings.periodic);
    return 0;
}

static int64_t switch_off(void) {
    if (settings.on)
        timer_stop(&timer);
    settings.on = false;
    return 0;
}

/* A change while it runs is that of the next start, as on Linux; but a comparator that repeated no longer
 * does.
 */
static int64_t repeat_set(bool periodic) {
    if (!timer_can_repeat(&timer))
        return -ENXIO;
    bool restart = settings.on && settings.periodic != periodic;
    settings.periodic = periodic;
    if (restart) {
        timer_stop(&timer);
        timer_start(&timer, settings.ticks, periodic);
    }
    return 0;
}

static int64_t rate_set(uint64_t hz) {
    if (hz == 0 || hz > RATE_MOST)
        return -EINVAL;
    settings.ticks = timer_ticks(&timer, hz);
    return 0;
}

static int64_t info_get(const struct driver_request *request) {
    const struct hpet_info info = {
        .rate = settings.ticks ? timer_rate(&timer, settings.ticks) : 0,
        .flags = timer_can_repeat(&timer) ? HPET_CAN_PERIODIC : 0,
        .timer = (uint16_t)timer.index,
    };
    memcpy(request->bytes, &info, sizeof info);
    return 0;
}

static int64_t control_serve(const struct driver_request *request) {
    switch (request->control) {
    case HPET_IE_ON:
        return switch_on();
    case HPET_IE_OFF:
        return switch_off();
    case HPET_EPI:
    case HPET_DPI:
        return repeat_set(request->control == HPET_EPI);
    case HPET_IRQFREQ:
        return rate_set(request->offset);
    case HPET_INFO:
        return request->length < sizeof(struct hpet_info) ? -EINVAL : info_get(request);
    default:
        return -EINVAL;
    }
}

static int64_t control(struct driver_device *device, struct driver_request *request) {
    int64_t result = control_serve(request);
    note(device);
    return result;
}

static int64_t serve_read(struct driver_device *device, struct driver_request *request) {
    if (!settings.ticks)
        return -EIO;
    if (request->length < sizeof settings.count)
        return -EINVAL;
    if (!settings.count)
        return -EAGAIN;
    memcpy(request->bytes, &settings.count, sizeof settings.count);
    settings.count = 0;
    note(device);
    return sizeof settings.count;
}

static void closed(struct driver_device *device, struct driver_link *link) {
    (void)link;
    (void)switch_off();
    settings = (struct settings){0};
    note(device);
}

/* What an earlier start of the driver noted, when it makes sense. */
static void settings_restore(void) {
    memcpy(&settings, notes, sizeof settings);
    bool repeats = settings.periodic && timer_can_repeat(&timer), on = settings.on;
    settings.on = false;
    settings.periodic = repeats;
    if (settings.ticks > INT32_MAX || (settings.ticks && timer_rate(&timer, settings.ticks) > RATE_MOST))
        settings = (struct settings){0};
    if (on)
        (void)switch_on();
}

static int64_t init(struct driver_device *device) {
    struct driver_link *link = &device->links[0];
    driver_char_features(link, CHAR_POLLS | CHAR_EXCLUSIVE | CHAR_CLOSES | CHAR_READ_ONLY);
    if (!timer_open(&timer, &device->bars[0])) {
        log_line("no event timer answers where the ACPI table says");
        return 0;
    }
    notes = (struct settings *)(link->area.bytes + CHAR_NOTES);
    settings_restore();
    note(device);
    driver_offer_present(device, 0, true);
    return 0;
}

static const struct driver hpet = {.name = "hpet",
                                   .init = init,
                                   .interrupt = interrupt,
                                   .read = serve_read,
                                   .ioctl = control,
                                   .closed = closed};

int main(int argc, char **argv) {
    return driver_main(&hpet, argc, argv);
}
