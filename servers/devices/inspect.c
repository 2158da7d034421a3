/*
 * A driver's insides, for who may look (DEVICES_INSPECT): its memory as it lies, and how often it ended.
 * Authority is what comes along: a right to the devices that the driver serves (authority.h), for the memory
 * of their links is part of what there is to see, and a handle to the kernel's debug resource with DEBUG. The
 * kernel itself says whether it is one.
 */
#include "servers/devices/inspect.h"

#include <errno.h>
#include <string.h>

#include "lib/native/keel.h"
#include "servers/devices/authority.h"
#include "servers/devices/list.h"

struct view {
    struct devices_inspect *state;
    handle_t *handles;
    int64_t error;
};

static void memory_add(struct view *view, handle_t vmo, uint64_t address, uint64_t length,
                       uint64_t protection) {
    unsigned index = view->state->memory_count;
    if (vmo == HANDLE_NONE || view->error || index == DEVICES_MEMORIES)
        return;
    int64_t copy = keel_handle_duplicate(vmo, RIGHT_READ | RIGHT_WRITE | RIGHT_GRANT);
    if (copy < 0) {
        view->error = copy;
        return;
    }
    view->handles[index] = (handle_t)copy;
    view->state->memories[index].address = address;
    view->state->memories[index].length = length;
    view->state->memories[index].protection = (uint32_t)protection;
    view->state->memory_count++;
}

static void memories_add(struct view *view, const struct driver_run *run) {
    for (size_t i = 0; i < run->memory.count; i++) {
        const struct spawn_segment *segment = &run->memory.segments[i];
        memory_add(view, segment->vmo, segment->address, segment->length, segment->protection);
    }
    memory_add(view, run->dma, 0, run->kind->manifest.dma, 0);
    for (unsigned i = 0; i < run->kind->manifest.link_count; i++)
        memory_add(view, run->links[i].area, 0, run->links[i].length, 0);
}

int64_t inspect_driver(const handle_t sent[2], uint64_t index, struct devices_inspect *state,
                       handle_t *handles) {
    const struct driver_run *run = list_run(index);
    struct view view = {.state = state, .handles = handles};
    if (keel_debug_measure(sent[1], 0) < 0)
        return -EACCES;
    if (!run)
        return -ENOENT;
    int64_t error = authority_check_all(sent[0], &run->kind->manifest);
    if (error)
        return error;
    *state = (struct devices_inspect){
        .address = run->address, .generation = run->generation, .ready = run->ready, .ends = run->ends};
    memcpy(state->driver, run->kind->manifest.name, sizeof state->driver);
    memories_add(&view, run);
    for (unsigned i = 0; view.error && i < state->memory_count; i++)
        (void)keel_handle_close(handles[i]);
    return view.error;
}
