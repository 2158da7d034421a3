/* See sound.h. As a program that has grabbed a device hears nothing else of it, nobody else makes it sound.
 */
#include "linux/input/sound.h"

#include "linux/input/input.h"
#include "linux/platform.h"

enum { NS_PER_MS = 1000000 };

static uint32_t tone; /* input_lock */

static void sound(struct input_device *device) {
    if (device->grabbed)
        return;
    if (input_has(device, EV_SND, SND_TONE))
        input_take(device, EV_SND, SND_TONE, (int32_t)tone);
    else if (input_has(device, EV_SND, SND_BELL))
        input_take(device, EV_SND, SND_BELL, tone != 0);
}

static void sound_all(uint32_t hz) {
    mutex_lock(&input_lock);
    tone = hz;
    input_each(sound);
    input_unlock();
}

static void end_fire(struct timer_event *event) {
    (void)event;
    sound_all(0);
}

void sound_tone(uint32_t hz, uint32_t ms) {
    static struct timer_event end = {.fire = end_fire};
    timer_event_drain(&end);
    sound_all(hz);
    if (hz && ms)
        timer_event_arm(&end, clock_monotonic() + (uint64_t)ms * NS_PER_MS);
}
