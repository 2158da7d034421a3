/* See target.h. */
#include "servers/swifi/target.h"

#include <errno.h>
#include <string.h>

#include "lib/native/ipc.h"
#include "lib/native/keel.h"

enum { PAGE_BYTES = 4096, STACK_USED = 8192, RING_BYTES = 16384, CODE_OWN = 12288, BITS = 8 };

uint64_t random_next(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

/* ---- devices ---- */

static void memories_drop(struct target *target) {
    for (unsigned i = 0; i < target->now.memory_count; i++)
        (void)keel_handle_close(target->memories[i]);
    target->now.memory_count = 0;
}

/* A call of `devices` with copies of the first or both of our handles. Word 0 of the reply, or why there is
 * none.
 */
static int64_t devices_call(struct ipc_message *message, unsigned count) {
    static const char *const names[] = {"devices.right", "debug"};
    handle_t copies[2] = {HANDLE_NONE};
    int64_t error = 0;
    for (unsigned i = 0; i < count && !error; i++) {
        int64_t copy = keel_handle_duplicate(handle_find(names[i]), RIGHT_ALL);
        copies[i] = copy < 0 ? HANDLE_NONE : (handle_t)copy;
        error = copy < 0 ? copy : 0;
    }
    memcpy(utcb_own()->handles, copies, sizeof copies);
    message->label |= IPC_LABEL(0, 0, count);
    if (!error)
        error = ipc_call(handle_find("devices"), DEADLINE_NEVER, message);
    for (unsigned i = 0; i < count && error; i++)
        (void)keel_handle_close(copies[i]);
    return error ? error : (int64_t)message->words[0];
}

int64_t target_look(struct target *target) {
    struct ipc_message message = {.label = IPC_LABEL(DEVICES_INSPECT, 0, 0), .words = {target->index}};
    memories_drop(target);
    int64_t error = devices_call(&message, 2);
    if (error < 0)
        return error;
    memcpy(&target->now, (uint8_t *)utcb_own() + UTCB_SIZE / 2, sizeof target->now);
    memcpy(target->memories, utcb_own()->handles, sizeof target->memories);
    if (target->generation != target->now.generation) {
        target->generation = target->now.generation;
        target->fresh = 0;
    }
    return 0;
}

int64_t target_reset(const struct target *target) {
    struct ipc_message message = {.label = IPC_LABEL(DEVICES_RESET, 0, 0), .words = {target->now.address}};
    memcpy(&message.words[1], target->now.driver, sizeof target->now.driver);
    return devices_call(&message, 1);
}

/* ---- faults ---- */

static enum fault_place place_of(const struct devices_inspect *state, unsigned index) {
    uint32_t protection = state->memories[index].protection;
    if (!protection)
        return PLACE_DMA;
    if (protection & MAP_EXEC)
        return PLACE_CODE;
    if (!(protection & MAP_WRITE))
        return PLACE_CONSTANTS;
    return state->memories[index].address == START_NATIVE_STACK ? PLACE_STACK : PLACE_DATA;
}

/* Of a hundred faults: code 40, data 20, the used end of the stack 15, rings and buffers 15, constants 10. */
static enum fault_place place_choose(uint64_t *random) {
    static const uint8_t upto[PLACES] = {
        [PLACE_CODE] = 40, [PLACE_CONSTANTS] = 50, [PLACE_DATA] = 70, [PLACE_STACK] = 85, [PLACE_DMA] = 100};
    uint64_t drawn = random_next(random) % 100;
    unsigned place = 0;
    while (drawn >= upto[place])
        place++;
    return (enum fault_place)place;
}

/* One of the memories of a kind; -1: the driver has none. */
static int memory_choose(const struct devices_inspect *state, enum fault_place place, uint64_t *random) {
    unsigned found[DEVICES_MEMORIES], count = 0;
    for (unsigned i = 0; i < state->memory_count; i++)
        if (place_of(state, i) == place && state->memories[i].length)
            found[count++] = i;
    return count ? (int)found[random_next(random) % count] : -1;
}

/* Stacks are used at their end; rings are at the front of what else holds a client's data; the driver's own
 * code is before the C library's, and runs more. */
static uint64_t offset_choose(enum fault_place place, uint64_t length, uint64_t *random) {
    uint64_t drawn = random_next(random);
    if (place == PLACE_STACK && length > STACK_USED)
        return length - STACK_USED + drawn % STACK_USED;
    uint64_t front = place == PLACE_DMA ? RING_BYTES : place == PLACE_CODE ? CODE_OWN : length;
    if (length > front && random_next(random) % 4)
        length = front;
    return drawn % length;
}

static int64_t bit_flip(handle_t vmo, uint64_t offset, unsigned bit) {
    uint8_t *page = memory_map(vmo, offset & ~(uint64_t)(PAGE_BYTES - 1), PAGE_BYTES, MAP_READ | MAP_WRITE);
    if (!page)
        return -ENOMEM;
    __atomic_fetch_xor(page + offset % PAGE_BYTES, (uint8_t)(1U << bit), __ATOMIC_RELAXED);
    memory_unmap(page, PAGE_BYTES);
    return 0;
}

int64_t target_fault(struct target *target, uint64_t *random) {
    enum fault_place place = place_choose(random);
    int index = memory_choose(&target->now, place, random);
    if (index < 0) {
        place = PLACE_CODE;
        index = memory_choose(&target->now, place, random);
    }
    if (index < 0)
        return -ENOENT;
    uint64_t offset = offset_choose(place, target->now.memories[index].length, random);
    int64_t error = bit_flip(target->memories[index], offset, random_next(random) % BITS);
    if (error)
        return error;
    target->faults++;
    target->fresh++;
    target->places[place]++;
    return 0;
}
