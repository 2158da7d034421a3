/*
 * Keyboards and mice by the boot protocol (HID 1.11, appendix B): the device is told to speak it, then asked
 * for a report again and again; it answers when something has changed. Reports become input events
 * (lib/driver/input.h); lights go the other way.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/xhci/boot_report.h"
#include "drivers/xhci/classes.h"
#include "drivers/xhci/links.h"
#include "lib/base/list.h"
#include "lib/driver/input.h"
#include "lib/native/keel.h"

enum { CLASS_HID = 3, SUBCLASS_BOOT = 1, PROTOCOL_KEYBOARD = 1, PROTOCOL_MOUSE = 2 };
enum { SET_REPORT = 9, SET_IDLE = 10, SET_PROTOCOL = 11, REPORT_OUTPUT = 0x200, PIPE = 1 };
enum { FAILURES_MOST = 10, NAME_LENGTH = 2 * USB_TEXT, PLACE_LENGTH = 44, BUTTONS = 3 };

enum hid_state { HID_PROTOCOL, HID_IDLE, HID_RUNNING };

struct hid {
    struct usb_device *device; /* NULL: free */
    enum hid_state state;
    bool mouse;
    bool lights_busy; /* they are on their way to the device */
    uint8_t lights, lights_sent;
    uint8_t held[KEYBOARD_REPORT]; /* the last report */
    unsigned failures;
    struct driver_link *link;
    struct input_server server;
};

static struct hid hids[LINKS_INPUT_END - LINKS_INPUT];

/* ---- reports ---- */

static void report_ask(struct hid *hid) {
    usb_transfer(hid->device, PIPE, usb_address(hid->device, hid->device->memory->extra),
                 hid->mouse ? MOUSE_REPORT : KEYBOARD_REPORT, 0);
}

static void keyboard_report(struct hid *hid, const uint8_t report[KEYBOARD_REPORT]) {
    struct key_change changes[KEYBOARD_CHANGES];
    unsigned count = keyboard_changes(hid->held, report, changes);
    for (unsigned i = 0; i < count; i++) {
        input_report(&hid->server, EV_MSC, MSC_SCAN, HID_PAGE_KEYS | changes[i].usage);
        input_report(&hid->server, EV_KEY, changes[i].key, changes[i].pressed);
    }
    if (count)
        input_sync(&hid->server);
}

static void mouse_report(struct hid *hid, const uint8_t *report, uint32_t length) {
    static const uint16_t axes[] = {REL_X, REL_Y, REL_WHEEL};
    bool moved = false;
    for (unsigned i = 0; i < BUTTONS; i++)
        if ((report[0] ^ hid->held[0]) >> i & 1) {
            input_report(&hid->server, EV_KEY, BTN_LEFT + i, report[0] >> i & 1);
            moved = true;
        }
    for (unsigned i = 0; i + 1 < length && i < sizeof axes / sizeof axes[0]; i++)
        if (report[i + 1]) {
            input_report(&hid->server, EV_REL, axes[i], (int8_t)report[i + 1]);
            moved = true;
        }
    hid->held[0] = report[0];
    if (moved)
        input_sync(&hid->server);
}

static void report_take(struct hid *hid, uint32_t length) {
    uint8_t report[KEYBOARD_REPORT];
    memcpy(report, hid->device->memory->extra, sizeof report);
    if (!hid->mouse && length == KEYBOARD_REPORT)
        keyboard_report(hid, report);
    else if (hid->mouse && length >= MOUSE_REPORT_LEAST)
        mouse_report(hid, report, length);
}

/* ---- lights ---- */

static void lights_send(struct hid *hid) {
    if (hid->state != HID_RUNNING || hid->lights_busy || hid->lights == hid->lights_sent)
        return;
    hid->lights_busy = true;
    hid->lights_sent = hid->device->memory->buffer[0] = hid->lights;
    usb_control(hid->device, &(struct usb_request){REQUEST_CLASS | TO_INTERFACE, SET_REPORT, REPORT_OUTPUT,
                                                   hid->device->interface.number, 1});
}

static void hid_status(struct input_server *server, const struct input_event *event) {
    struct hid *hid = container_of(server, struct hid, server);
    if (event->type != EV_LED || event->code > LED_SCROLLL || !hid->device || hid->device->leaving)
        return;
    uint8_t bit = (uint8_t)(1U << event->code); /* the keyboard's order is Linux's */
    hid->lights = event->value ? hid->lights | bit : hid->lights & (uint8_t)~bit;
    lights_send(hid);
}

/* ---- the offer ---- */

static void describe(struct hid *hid) {
    const struct usb_device *device = hid->device;
    struct input_server *server = &hid->server;
    char name[NAME_LENGTH], place[PLACE_LENGTH];
    unsigned address = links_host()->address;
    snprintf(name, sizeof name, "%s%s%s", device->manufacturer, device->manufacturer[0] ? " " : "",
             device->product);
    snprintf(place, sizeof place, "usb-%04x:%02x:%02x.%u-%u/input%u", address >> 16, address >> 8 & 0xff,
             address >> 3 & 0x1f, address & 7, device->place.root, device->interface.number);
    input_describe_text(server, INPUT_CONFIG_NAME, name);
    input_describe_text(server, INPUT_CONFIG_PLACE, place);
    input_describe_text(server, INPUT_CONFIG_SERIAL, device->serial);
    input_describe_ids(server, BUS_USB, device->identity.vendor, device->identity.product,
                       device->identity.version);
    if (hid->mouse) {
        input_describe_codes(server, EV_KEY, BTN_LEFT, BTN_LEFT + BUTTONS - 1);
        input_describe_codes(server, EV_REL, REL_X, REL_Y);
        input_describe_code(server, EV_REL, REL_WHEEL);
        return;
    }
    for (unsigned usage = 0; usage <= UINT8_MAX; usage++)
        if (keyboard_key((uint8_t)usage) != KEY_NONE)
            input_describe_code(server, EV_KEY, keyboard_key((uint8_t)usage));
    input_describe_code(server, EV_MSC, MSC_SCAN);
    input_describe_codes(server, EV_LED, LED_NUML, LED_SCROLLL);
    input_describe_codes(server, EV_REP, REP_DELAY, REP_PERIOD);
}

static void hid_start(struct hid *hid) {
    hid->state = HID_RUNNING;
    usb_ready(hid->device);
    hid->link = link_take(hid->device, LINKS_INPUT, LINKS_INPUT_END, NULL, NULL);
    if (!hid->link) {
        usb_give_up(hid->device, "there are too many keyboards and mice");
        return;
    }
    input_server_init(&hid->server, links_host(), hid->link->index);
    hid->server.status = hid_status;
    describe(hid);
    input_server_offer(&hid->server);
    link_offer(hid->link);
    report_ask(hid);
}

/* ---- the device ---- */

static void request(struct hid *hid, enum hid_state state, uint8_t number) {
    hid->state = state;
    usb_control(hid->device, &(struct usb_request){REQUEST_CLASS | TO_INTERFACE, number, 0,
                                                   hid->device->interface.number, 0});
}

static bool hid_enter(struct usb_device *device) {
    struct hid *hid = hids;
    while (hid < hids + sizeof hids / sizeof hids[0] && hid->device)
        hid++;
    if (hid == hids + sizeof hids / sizeof hids[0])
        return false;
    *hid = (struct hid){.device = device, .mouse = device->class == &mouse_class};
    device->state = hid;
    request(hid, HID_PROTOCOL, SET_PROTOCOL);
    return true;
}

static void control_ended(struct hid *hid) {
    if (hid->state == HID_PROTOCOL) {
        request(hid, HID_IDLE, SET_IDLE); /* which a device may refuse, as the other */
    } else if (hid->state == HID_IDLE) {
        hid_start(hid);
    } else {
        hid->lights_busy = false;
        lights_send(hid);
    }
}

static void hid_ended(struct usb_device *device, unsigned pipe, enum usb_result result, uint32_t moved) {
    struct hid *hid = device->state;
    if (pipe == USB_CONTROL_PIPE) {
        control_ended(hid);
        return;
    }
    hid->failures = result == USB_DONE ? 0 : hid->failures + 1;
    if (hid->failures > FAILURES_MOST) {
        usb_give_up(device, "its reports fail");
        return;
    }
    if (result == USB_DONE)
        report_take(hid, moved);
    report_ask(hid);
}

static void hid_gone(struct usb_device *device) {
    struct hid *hid = device->state;
    if (hid->link) {
        input_server_withdraw(&hid->server);
        link_return(hid->link);
        hid->link->state = NULL;
    }
    hid->device = NULL;
}

static unsigned fits(const struct usb_interface *interface, const struct usb_endpoint *wanted[USB_PIPES - 1],
                     uint8_t protocol) {
    wanted[0] = usb_endpoint_find(interface, USB_INTERRUPT, USB_IN);
    return interface->interface_class == CLASS_HID && interface->subclass == SUBCLASS_BOOT &&
                   interface->protocol == protocol && wanted[0]
               ? 1
               : 0;
}

static unsigned keyboard_fits(const struct usb_interface *interface,
                              const struct usb_endpoint *wanted[USB_PIPES - 1]) {
    return fits(interface, wanted, PROTOCOL_KEYBOARD);
}

static unsigned mouse_fits(const struct usb_interface *interface,
                           const struct usb_endpoint *wanted[USB_PIPES - 1]) {
    return fits(interface, wanted, PROTOCOL_MOUSE);
}

const struct usb_class keyboard_class = {
    .name = "keyboard", .fits = keyboard_fits, .enter = hid_enter, .ended = hid_ended, .gone = hid_gone};
const struct usb_class mouse_class = {
    .name = "mouse", .fits = mouse_fits, .enter = hid_enter, .ended = hid_ended, .gone = hid_gone};

/* ---- for the loop ---- */

void hid_session(struct driver_link *link) {
    if (link->state && link->session)
        input_server_session(link->state);
}

void hid_kick(struct driver_link *link) {
    if (link->state)
        input_server_run(link->state);
}
