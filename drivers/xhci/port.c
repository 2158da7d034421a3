/* See port.h. */
#include "drivers/xhci/port.h"

#include <stddef.h>

#include "drivers/xhci/controller.h"
#include "drivers/xhci/device.h"
#include "lib/native/keel.h"

enum { TRIES_MOST = 3 };
#define SETTLE_NS 100000000ULL /* USB 2.0, 7.1.7.3 */
#define RETRY_NS  10000000ULL
#define RESET_NS  500000000ULL

static struct usb_port ports[ROOT_PORTS_MOST];
static struct usb_port *turn; /* whose device is between reset and address */

static struct usb_port *ports_end(void) {
    return ports + controller_ports();
}

static void state_set(struct usb_port *port, enum port_state state, uint64_t deadline) {
    port->state = (uint8_t)state;
    port->deadline = deadline;
}

/* ---- turns ---- */

static void reset_start(struct usb_port *port) {
    state_set(port, PORT_RESETTING, clock_now() + RESET_NS);
    uint32_t status = controller_port_read(port->number);
    if (status & PORT_ENABLED) /* SuperSpeed trains by itself */
        port_enabled(port, true, PORT_SPEED(status));
    else
        controller_port_write(port->number, PORT_RESET);
}

static void turn_give(void) {
    for (struct usb_port *port = ports; port < ports_end() && !turn; port++)
        if (port->state == PORT_WAITING) {
            turn = port;
            reset_start(port);
        }
}

static void turn_end(struct usb_port *port) {
    if (turn != port)
        return;
    turn = NULL;
    turn_give();
}

/* ---- what happens to a port ---- */

void port_changed(struct usb_port *port, bool connected) {
    if (port->device)
        device_leave(port->device);
    port->tries = 0;
    state_set(port, connected ? PORT_SETTLING : PORT_EMPTY,
              connected ? clock_now() + SETTLE_NS : DEADLINE_NEVER);
    turn_end(port);
}

void port_enabled(struct usb_port *port, bool enabled, uint8_t speed) {
    if (port->state != PORT_RESETTING)
        return;
    if (!enabled) {
        if (++port->tries < TRIES_MOST)
            state_set(port, PORT_SETTLING, clock_now() + RETRY_NS);
        else
            state_set(port, PORT_REFUSED, DEADLINE_NEVER);
        turn_end(port);
        return;
    }
    state_set(port, PORT_USED, DEADLINE_NEVER);
    if (!device_enter(port, speed))
        port_refuse(port);
}

void port_addressed(struct usb_port *port) {
    turn_end(port);
}

void port_refuse(struct usb_port *port) {
    if (port->state == PORT_USED)
        state_set(port, PORT_REFUSED, DEADLINE_NEVER);
    turn_end(port);
}

void port_freed(struct usb_port *port) {
    port->device = NULL;
    turn_end(port);
}

void port_event(unsigned number) {
    struct usb_port *port = &ports[number - 1];
    uint32_t status = controller_port_read(number);
    controller_port_write(number, status & PORT_CHANGES);
    if (status & PORT_CONNECT_CHANGE)
        port_changed(port, status & PORT_CONNECTED);
    else if (status & PORT_RESET_CHANGE)
        port_enabled(port, status & PORT_ENABLED, PORT_SPEED(status));
}

/* ---- all ---- */

void ports_open(void) {
    for (unsigned number = 1; number <= controller_ports(); number++) {
        struct usb_port *port = &ports[number - 1];
        *port = (struct usb_port){.number = (uint8_t)number, .deadline = DEADLINE_NEVER};
        uint32_t status = controller_port_read(number);
        controller_port_write(number, PORT_POWER | (status & PORT_CHANGES));
        if (status & PORT_CONNECTED)
            port_changed(port, true);
    }
}

void ports_run(uint64_t now) {
    for (struct usb_port *port = ports; port < ports_end(); port++) {
        if (port->deadline > now)
            continue;
        if (port->state == PORT_RESETTING)
            port_enabled(port, false, 0);
        else if (port->device) /* which has not yet left */
            port->deadline = now + RETRY_NS;
        else
            state_set(port, PORT_WAITING, DEADLINE_NEVER);
    }
    turn_give();
}

uint64_t ports_deadline(void) {
    uint64_t next = DEADLINE_NEVER;
    for (const struct usb_port *port = ports; port < ports_end(); port++)
        next = port->deadline < next ? port->deadline : next;
    return next;
}

bool ports_busy(void) {
    for (const struct usb_port *port = ports; port < ports_end(); port++)
        if (port->state == PORT_SETTLING || port->state == PORT_WAITING || port->state == PORT_RESETTING)
            return true;
    return false;
}
