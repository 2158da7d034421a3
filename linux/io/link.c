/* See link.h. */
#include "linux/io/link.h"

#include "abi/errors.h"
#include "abi/objects.h"
#include "lib/keel/call.h"
#include "linux/platform.h"

int link_open(struct link *link, const struct console_handles *handles) {
    link->present = handles->memory != HANDLE_NONE;
    if (!link->present)
        return 0;
    void *area = memory_map(handles->memory, 0, CONSOLE_AREA_SIZE, MAP_READ | MAP_WRITE);
    if (!area)
        return -ENOMEM;
    link->kick = handles->kick;
    link->call = handles->call;
    int error = console_client_init(&link->client, area, CONSOLE_AREA_SIZE);
    if (error == 0)
        keel_event_signal(link->kick);
    return error;
}

static void link_run(void *argument) {
    struct link *link = argument;
    for (;;) {
        int64_t result = keel_event_wait(link->call, DEADLINE_NEVER);
        if (result < 0 && result != -EINTR)
            fatal("waiting for the console failed with error %d", (int)-result);
        link->event(link->context);
    }
}

int link_start(struct link *link, void (*event)(void *context), void *context) {
    if (!link->present)
        return 0;
    link->event = event;
    link->context = context;
    return thread_spawn(link_run, link, NULL);
}

size_t link_write(struct link *link, const void *bytes, size_t length) {
    bool signal = false;
    if (!link->present)
        return length;
    size_t taken = console_write(&link->client, bytes, length, &signal);
    if (signal)
        keel_event_signal(link->kick);
    return taken;
}

size_t link_read(struct link *link, void *bytes, size_t length) {
    bool signal = false;
    if (!link->present)
        return 0;
    size_t count = console_read(&link->client, bytes, length, &signal);
    if (signal)
        keel_event_signal(link->kick);
    return count;
}

bool link_readable(struct link *link) {
    return link->present && console_readable(&link->client);
}

bool link_want_space(struct link *link) {
    return link->present && console_want_space(&link->client, true);
}

void link_space_enough(struct link *link) {
    if (link->present)
        console_want_space(&link->client, false);
}

bool link_writable(struct link *link) {
    if (!link->present)
        return true;
    do {
        if (console_drained(&link->client) || link->client.tx_free)
            return true;
    } while (console_want_space(&link->client, true));
    return false;
}

bool link_drained(struct link *link) {
    return !link->present || console_drained(&link->client);
}

void link_size(const struct link *link, uint16_t *columns, uint16_t *rows) {
    const struct console_header *header = (const struct console_header *)link->client.area;
    *columns = header ? ring_load(header->columns) : 0;
    *rows = header ? ring_load(header->rows) : 0;
}

unsigned link_keyboard(const struct link *link) {
    const struct console_header *header = (const struct console_header *)link->client.area;
    return header ? ring_load(header->keyboard) : 0;
}
