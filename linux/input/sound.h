/* The console's sounds, on whatever input device makes some (SND_TONE, SND_BELL): the PC's speaker. */
#pragma once

#include <stdint.h>

/* A tone of a frequency in Hz (0: silence) for so many ms (0: until the next one). No locks held. */
void sound_tone(uint32_t hz, uint32_t ms);
