/*
 * Random bytes: ChaCha20 as a generator with fast key erasure. Each run of the cipher with the current key
 * makes a stretch of output; its first 32 bytes become the next key and are never given out. Small requests
 * share a stretch, whose bytes are erased as they are taken; a large one gets a key of its own. The first key
 * comes from RDRAND (where the CPU has it), the TSC and addresses; RDRAND is mixed in again every so often.
 */
#include "lib/base/string.h"
#include "linux/lock.h"
#include "linux/platform.h"

enum {
    KEY_WORDS = 8,
    BLOCK_WORDS = 16,
    BLOCK_SIZE = 64,
    KEY_SIZE = 32,
    RESEED_RUNS = 1024,
    STORE_BLOCKS = 4,
    SMALL_MOST = KEY_SIZE,
    RDRAND_TRIES = 10
};

static struct spin lock;
static uint32_t key[KEY_WORDS];                                     /* lock */
static uint32_t runs_left;                                          /* lock: until the next reseed */
static _Alignas(uint32_t) uint8_t store[STORE_BLOCKS * BLOCK_SIZE]; /* lock: output not given out yet … */
static size_t store_left;                                           /* … at its end */

static bool cpu_has_rdrand(void) {
    uint32_t a = 1, b, c = 0, d;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return c >> 30 & 1;
}

static uint64_t entropy_word(bool rdrand) {
    uint64_t word = 0;
    uint8_t good = 0;
    for (int i = 0; rdrand && !good && i < RDRAND_TRIES; i++)
        __asm__ volatile("rdrand %0; setc %1" : "=r"(word), "=qm"(good) : : "cc");
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return word ^ ((uint64_t)high << 32 | low);
}

static void reseed(void) {
    bool rdrand = cpu_has_rdrand();
    for (int i = 0; i < KEY_WORDS; i += 2) {
        uint64_t word = entropy_word(rdrand);
        key[i] ^= (uint32_t)word;
        key[i + 1] ^= (uint32_t)(word >> 32);
    }
    runs_left = RESEED_RUNS;
}

static uint32_t rotate(uint32_t word, unsigned bits) {
    return word << bits | word >> (32 - bits);
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d) {
    *a += *b, *d = rotate(*d ^ *a, 16);
    *c += *d, *b = rotate(*b ^ *c, 12);
    *a += *b, *d = rotate(*d ^ *a, 8);
    *c += *d, *b = rotate(*b ^ *c, 7);
}

static void chacha_block(const uint32_t with[KEY_WORDS], uint64_t counter, uint32_t out[BLOCK_WORDS]) {
    uint32_t state[BLOCK_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(state + 4, with, KEY_SIZE);
    state[12] = (uint32_t)counter;
    state[13] = (uint32_t)(counter >> 32);
    memcpy(out, state, BLOCK_SIZE);
    for (int i = 0; i < 10; i++) {
        for (int j = 0; j < 4; j++)
            quarter_round(&out[j], &out[4 + j], &out[8 + j], &out[12 + j]);
        for (int j = 0; j < 4; j++)
            quarter_round(&out[j], &out[4 + (j + 1) % 4], &out[8 + (j + 2) % 4], &out[12 + (j + 3) % 4]);
    }
    for (int i = 0; i < BLOCK_WORDS; i++)
        out[i] += state[i];
}

/* New output; the generator moves on. lock held. */
static void store_fill(void) {
    if (!runs_left--)
        reseed();
    for (uint64_t counter = 0; counter < STORE_BLOCKS; counter++)
        chacha_block(key, counter, (uint32_t *)(store + counter * BLOCK_SIZE));
    memcpy(key, store, KEY_SIZE);
    memset(store, 0, KEY_SIZE);
    store_left = sizeof(store) - KEY_SIZE;
}

/* At most SMALL_MOST bytes. */
static void store_take(void *to, size_t length) {
    spin_acquire(&lock);
    if (store_left < length)
        store_fill();
    uint8_t *from = store + sizeof(store) - store_left;
    memcpy(to, from, length);
    memset(from, 0, length);
    store_left -= length;
    spin_release(&lock);
}

void random_bytes(void *to, size_t length) {
    uint32_t once[KEY_WORDS], block[BLOCK_WORDS];
    if (length <= SMALL_MOST) {
        store_take(to, length);
        return;
    }
    store_take(once, sizeof(once));
    for (uint64_t counter = 0; length; counter++) {
        size_t count = length < BLOCK_SIZE ? length : BLOCK_SIZE;
        chacha_block(once, counter, block);
        memcpy(to, block, count);
        to = (char *)to + count;
        length -= count;
    }
}
