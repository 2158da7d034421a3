/* See tone.h. */
#include "drivers/speaker/tone.h"

enum { CLOCK_HZ = 1193182, HZ_LEAST = 21, HZ_MOST = 32766 };
enum { COUNTER_2 = 2, COMMAND = 3 };
enum {
    SQUARE_WAVE = 0x36, /* both bytes of a count, which are reloaded each half period */
    SQUARE_WAVE_2 = SQUARE_WAVE | COUNTER_2 << 6,
    READ_BACK_STATUS_2 = 0xe8, /* of counter 2 how it was programmed */
    STATUS_PROGRAMMED = 0x3f,
};
enum { GATE_COUNTS = 1, GATE_SOUNDS = 2, GATE_WRITABLE = 0x0f };

static void gate_set(const struct tone *tone, uint8_t clear, uint8_t set) {
    uint32_t now = bar_read(tone->gate, 0, 1) & GATE_WRITABLE;
    bar_write(tone->gate, 0, 1, (now & ~(uint32_t)clear) | set);
}

static void silence(const struct tone *tone) {
    gate_set(tone, GATE_COUNTS | GATE_SOUNDS, 0);
}

bool tone_open(const struct tone *tone) {
    silence(tone);
    if (bar_read(tone->gate, 0, 1) & (GATE_COUNTS | GATE_SOUNDS))
        return false;
    bar_write(tone->timer, COMMAND, 1, SQUARE_WAVE_2);
    bar_write(tone->timer, COMMAND, 1, READ_BACK_STATUS_2);
    return (bar_read(tone->timer, COUNTER_2, 1) & STATUS_PROGRAMMED) == SQUARE_WAVE;
}

void tone_sound(const struct tone *tone, uint32_t hz) {
    if (hz < HZ_LEAST || hz > HZ_MOST) {
        silence(tone);
        return;
    }
    uint32_t count = CLOCK_HZ / hz;
    bar_write(tone->timer, COMMAND, 1, SQUARE_WAVE_2);
    bar_write(tone->timer, COUNTER_2, 1, count & 0xff);
    bar_write(tone->timer, COUNTER_2, 1, count >> 8);
    gate_set(tone, 0, GATE_COUNTS | GATE_SOUNDS);
}
