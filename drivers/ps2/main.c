/*
 * The PS/2 keyboard's driver: scan codes in, and over a console link (abi/console.h) the bytes that Linux's
 * console would make of them. Its client tells in one byte how cursor keys and keypad send. One thread sleeps
 * at one port for the keyboard's interrupt and the client's kick.
 *
 *   ps2 --link=NAME
 *
 * Handles: "NAME", "NAME.kick", "NAME.call", "ioport.60", "ioport.64", "irq.1", "log". Without a controller
 * nothing is ever typed.
 */
#include <errno.h>

#include "drivers/ps2/controller.h"
#include "drivers/ps2/keymap.h"
#include "drivers/ps2/scancode.h"
#include "lib/console/start.h"
#include "lib/native/ipc.h"
#include "lib/native/keel.h"

enum { KEY_KICK = 1, KEY_INTERRUPT = 2, PORT_QUEUE = 8, IRQ = 1 };

struct ps2 {
    struct controller controller;
    struct scancode scancode;
    struct keymap keymap;
    struct link link;
    uint8_t modes; /* enum keyboard_mode */
    uint8_t lights;
    bool absent;     /* no controller */
    bool complained; /* about this session's broken rings */
    handle_t port, call, interrupt;
};

static void key_take(struct ps2 *ps2, const struct key_event *event) {
    char bytes[KEYMAP_BYTES];
    size_t length = keymap_take(&ps2->keymap, event, ps2->modes, bytes);
    if (length > link_room(&ps2->link)) /* nobody has read for thousands of keys */
        return;
    for (size_t i = 0; i < length; i++)
        link_receive(&ps2->link, (uint8_t)bytes[i]);
}

static void input_run(struct ps2 *ps2) {
    struct key_event event;
    uint8_t byte;
    while (!ps2->absent && controller_read(&ps2->controller, &byte)) {
        if (scancode_take(&ps2->scancode, byte, &event))
            key_take(ps2, &event);
        if (ps2->lights != ps2->keymap.locks) {
            ps2->lights = ps2->keymap.locks;
            controller_lights(&ps2->controller, ps2->lights);
        }
    }
    link_deliver(&ps2->link);
}

/* The last byte counts. */
static void modes_run(struct ps2 *ps2) {
    while (link_pending(&ps2->link)) {
        while (link_take(&ps2->link, &ps2->modes, 1) > 0)
            continue;
        link_sent(&ps2->link);
    }
}

static void session_check(struct ps2 *ps2) {
    if (link_follow(&ps2->link)) {
        ps2->complained = false;
        ps2->modes = 0;
    }
    if (link_broken(&ps2->link) && !ps2->complained) {
        log_line("the client's rings are invalid; waiting for a new session");
        ps2->complained = true;
    }
}

static void packet_wait(struct ps2 *ps2) {
    struct port_packet packet;
    int64_t result = packet_receive(ps2->port, DEADLINE_NEVER, &packet);
    if (result < 0)
        start_fail("port_receive", result);
    /* Unmask first: what happens from here on raises the line again and is not missed. */
    if (packet.key == KEY_INTERRUPT)
        (void)keel_interrupt_ack(ps2->interrupt);
}

static _Noreturn void ps2_run(struct ps2 *ps2) {
    for (;;) {
        session_check(ps2);
        link_busy(&ps2->link);
        modes_run(ps2);
        input_run(ps2);
        if (link_publish(&ps2->link))
            (void)keel_event_signal(ps2->call);
        if (!link_await(&ps2->link))
            packet_wait(ps2);
    }
}

static void controller_start(struct ps2 *ps2) {
    ps2->controller.data = handle_need_number("ioport.%x", CONTROLLER_DATA);
    ps2->controller.command = handle_need_number("ioport.%x", CONTROLLER_COMMAND);
    const char *problem = controller_open(&ps2->controller);
    ps2->absent = problem != NULL;
    if (ps2->absent) {
        log_line("%s", problem);
        return;
    }
    ps2->interrupt = object_make(OBJECT_INTERRUPT, handle_need_number("irq.%u", IRQ), IRQ);
    object_bind_need(ps2->interrupt, ps2->port, KEY_INTERRUPT);
}

int main(int argc, char **argv) {
    static struct ps2 ps2;
    (void)argc;
    const char *name = option_need(argv, "--link=", "ps2 --link=NAME");
    ps2.port = object_make(OBJECT_PORT, PORT_QUEUE, 0);
    ps2.call = link_open(&ps2.link, name, ps2.port, KEY_KICK);
    controller_start(&ps2);
    ps2_run(&ps2);
}
