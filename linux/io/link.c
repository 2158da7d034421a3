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

void link_open_port(struct link *link, struct port_client *port, handle_t kick) {
    *link = (struct link){.present = true, .port = port, .kick = kick};
}

void link_close(struct link *link) {
    link->present = false;
    link->port = NULL;
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
    size_t taken = link->port ? port_write(link->port, bytes, length, &signal)
                              : console_write(&link->client, bytes, length, &signal);
    if (signal)
        keel_event_signal(link->kick);
    return taken;
}

size_t link_read(struct link *link, void *bytes, size_t length) {
    bool signal = false;
    if (!link->present)
        return 0;
    size_t count = link->port ? port_read(link->port, bytes, length, &signal)
                              : console_read(&link->client, bytes, length, &signal);
    if (signal)
        keel_event_signal(link->kick);
    return count;
}

bool link_readable(struct link *link) {
    if (link->port)
        return port_readable(link->port);
    return link->present && console_readable(&link->client);
}

bool link_want_space(struct link *link) {
    if (link->port)
        return port_want_space(link->port, true);
    return link->present && console_want_space(&link->client, true);
}

void link_space_enough(struct link *link) {
    if (link->port)
        port_want_space(link->port, false);
    else if (link->present)
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
    if (link->port)
        return port_drained(link->port);
    return !link->present || console_drained(&link->client);
}

void link_size(const struct link *link, uint16_t *columns, uint16_t *rows) {
    const struct console_header *header = (const struct console_header *)link->client.area;
    if (link->port) {
        struct port_state state = port_state_read(link->port);
        *columns = state.columns;
        *rows = state.rows;
        return;
    }
    *columns = header ? ring_load(header->columns) : 0;
    *rows = header ? ring_load(header->rows) : 0;
}

unsigned link_bells(const struct link *link) {
    const struct console_header *header = (const struct console_header *)link->client.area;
    return header ? ring_load(header->bells) : 0;
}

unsigned link_keyboard(const struct link *link) {
    const struct console_header *header = (const struct console_header *)link->client.area;
    return header ? ring_load(header->keyboard) : 0;
}
