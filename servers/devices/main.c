/*
 * devices: finds the machine's devices, starts a driver for each as a process that holds only that device's
 * things, starts those again that die or hang, and tells clients what there is (abi/devices.h). It starts
 * beside the personality and finds devices at a lower level than programs run at, so that nobody waits for
 * it.
 *
 * Handles: "ioport.0" and "mmio.0" (all of both), "interrupts", "dma", "job", "log", "boot" (struct
 * boot_info), "archive" (drivers/NAME and bin/NAME of every driver), "devices.port" (where clients call),
 * "power.off" and "power.reset" (events by which init asks for the end).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/native/ipc.h"
#include "lib/native/keel.h"
#include "servers/devices/hotplug.h"
#include "servers/devices/inspect.h"
#include "servers/devices/iommu.h"
#include "servers/devices/list.h"

enum { EXIT_FAILED = 1, LEVEL = 0, LEVEL_SCAN = 4, LEVEL_SERVE = 1 };
enum { KEY_TIMER = 0x1000, KEY_POWER_OFF = 0x1001, KEY_RESET = 0x1002 };
enum { LINK_HANDLES = 4, PAGE_BYTES = 4096 };
enum { ASK_MS = 1000, ASK_MS_LEAST = 10, STALL_MS = 30000, NS_PER_MS = 1000000 };

/* ---- what clients ask ---- */

/* A structure as the reply's bytes. */
static uint64_t reply_bytes(const void *bytes, size_t length) {
    memcpy((uint8_t *)utcb_own() + UTCB_SIZE / 2, bytes, length);
    return IPC_LABEL(0, length, 0);
}

static uint64_t serve_next(struct ipc_message *message) {
    struct devices_device device;
    message->words[1] = list_changes();
    if (!list_next((uint32_t)message->words[0], &device)) {
        message->words[0] = (uint64_t)-ENOENT;
        return 0;
    }
    message->words[0] = 0;
    return reply_bytes(&device, sizeof device);
}

/* A handle to a page of registers, only to read. */
static int64_t page_make(uint64_t base) {
    int64_t vmo = machine_physical(base, PAGE_BYTES);
    int64_t page = vmo < 0 ? vmo : keel_handle_duplicate((uint64_t)vmo, RIGHT_READ | RIGHT_GRANT);
    if (vmo >= 0)
        (void)keel_handle_close((uint64_t)vmo);
    return page;
}

static uint64_t serve_link(struct ipc_message *message, handle_t sent) {
    struct device_link *link;
    int64_t error = list_link((uint32_t)message->words[0], sent, &link);
    if (error) {
        message->words[0] = (uint64_t)error;
        return 0;
    }
    uint64_t shown = list_shown((uint32_t)message->words[0]);
    int64_t handles[LINK_HANDLES] = {
        keel_handle_duplicate(link->area, RIGHT_READ | RIGHT_WRITE | RIGHT_GRANT),
        keel_handle_duplicate(link->kick, RIGHT_SEND | RIGHT_GRANT),
        keel_handle_duplicate(link->call, RIGHT_RECV | RIGHT_GRANT),
        shown ? page_make(shown) : 0,
    };
    unsigned count = shown ? LINK_HANDLES : LINK_HANDLES - 1, good = 0;
    for (unsigned i = 0; i < count; i++) {
        utcb_own()->handles[i] = handles[i] < 0 ? HANDLE_NONE : (handle_t)handles[i];
        good += handles[i] >= 0;
    }
    if (good == count) {
        link->used = true;
        message->words[0] = 0;
        message->words[1] = link->length;
        return IPC_LABEL(0, 0, count);
    }
    for (unsigned i = 0; i < count; i++)
        if (handles[i] >= 0)
            (void)keel_handle_close((uint64_t)handles[i]);
    message->words[0] = (uint64_t)-ENOMEM;
    return 0;
}

static uint64_t serve_pci(struct ipc_message *message) {
    uint64_t from = message->words[0];
    bool measure = message->words[1] != DEVICES_PCI_AS_IS;
    message->words[0] = (uint64_t)-ENOENT;
    message->words[1] = list_changes();
    for (unsigned i = 0; i < pci_tree.count; i++)
        if (pci_tree.functions[i].address >= from) {
            message->words[0] = 0;
            if (measure && !pci_tree.functions[i].driver[0])
                pci_measure(&machine.access, &pci_tree.functions[i], PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
            return reply_bytes(&pci_tree.functions[i], sizeof pci_tree.functions[i]);
        }
    return 0;
}

static uint64_t serve_config(struct ipc_message *message) {
    uint8_t bytes[DEVICES_CONFIG_MOST];
    uint64_t address = message->words[0], offset = message->words[1], length = message->words[2];
    const struct devices_pci *function =
        address < DEVICES_NO_ADDRESS ? pci_find(&pci_tree, (uint32_t)address) : NULL;
    message->words[0] = (uint64_t)-ENOENT;
    if (!function)
        return 0;
    message->words[0] = 0;
    if (offset > function->config_length)
        offset = function->config_length;
    if (length > function->config_length - offset)
        length = function->config_length - offset;
    if (length > sizeof bytes)
        length = sizeof bytes;
    for (uint64_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)config_read(function->address, (uint32_t)(offset + i), 1);
    return reply_bytes(bytes, length);
}

/* The handle is kept when this succeeds. */
static int64_t serve_watch(handle_t event, unsigned count) {
    int64_t error = count == 1 ? list_watch(event) : -EINVAL;
    if (!error) /* what changed before */
        (void)keel_event_signal(event);
    return error;
}

static uint64_t serve_inspect(struct ipc_message *message, const handle_t sent[2]) {
    struct devices_inspect state;
    handle_t memories[DEVICES_MEMORIES];
    int64_t error = inspect_driver(sent, message->words[0], &state, memories);
    message->words[0] = (uint64_t)error;
    if (error)
        return 0;
    memcpy(utcb_own()->handles, memories, state.memory_count * sizeof memories[0]);
    return reply_bytes(&state, sizeof state) | IPC_LABEL(0, 0, state.memory_count);
}

static int64_t serve_reset(const struct ipc_message *message, handle_t sent) {
    char name[DEVICES_NAME + 1] = "";
    memcpy(name, &message->words[1], DEVICES_NAME);
    return list_reset((uint32_t)message->words[0], name, sent);
}

/* The handles that came along are closed when the request has been served; the reply's take their place in
 * the UTCB before. */
static void request_serve(struct ipc_message *message) {
    handle_t sent[IPC_HANDLES] = {HANDLE_NONE};
    unsigned count = IPC_LABEL_HANDLES(message->label);
    uint64_t label = 0;
    memcpy(sent, utcb_own()->handles, count * sizeof sent[0]);
    switch (IPC_LABEL_USER(message->label)) {
    case DEVICES_NEXT:
        label = serve_next(message);
        break;
    case DEVICES_LINK:
        label = serve_link(message, sent[0]);
        break;
    case DEVICES_WATCH:
        message->words[0] = (uint64_t)serve_watch(sent[0], count);
        if (message->words[0] == 0)
            sent[0] = HANDLE_NONE;
        break;
    case DEVICES_PCI:
        label = serve_pci(message);
        break;
    case DEVICES_CONFIG:
        label = serve_config(message);
        break;
    case DEVICES_RESET:
        message->words[0] = (uint64_t)serve_reset(message, sent[0]);
        break;
    case DEVICES_INSPECT:
        label = serve_inspect(message, sent);
        break;
    case DEVICES_LEFT:
        message->words[0] = (uint64_t)list_left((uint32_t)message->words[0], sent[0]);
        break;
    default:
        message->words[0] = (uint64_t)-EOPNOTSUPP;
    }
    for (unsigned i = 0; i < count; i++)
        if (sent[i] != HANDLE_NONE)
            (void)keel_handle_close(sent[i]);
    message->label = label;
}

/* ---- the loop ---- */

static uint64_t ask_period, stall_period; /* ns */
static uint32_t stalls_most;
static handle_t timer;
static bool timer_runs;

static void packet_take(const struct port_packet *packet) {
    if (packet->key >= LIST_KEY_FIRST)
        list_packet(packet->key, (int64_t)packet->count);
    else if (packet->key >= HOTPLUG_KEY_FIRST && packet->key < HOTPLUG_KEY_END)
        hotplug_packet(packet->key);
    else if (packet->key == KEY_TIMER)
        list_ask(stalls_most), iommu_report();
    else if (packet->key == KEY_POWER_OFF)
        machine_power_off();
    else if (packet->key == KEY_RESET)
        machine_reset();
}

/* Without drivers there is nobody to ask, and the processor sleeps. */
static void timer_follow(void) {
    bool wanted = list_running();
    if (wanted != timer_runs)
        (void)keel_timer_set(timer, wanted ? clock_now() + ask_period : 0, wanted ? ask_period : 0);
    timer_runs = wanted;
}

static _Noreturn void serve(void) {
    struct ipc_message message;
    uint64_t reply = 0;
    for (;;) {
        uint64_t slots = hotplug_run(), drivers = list_start_due(), next = slots < drivers ? slots : drivers;
        timer_follow();
        int64_t result = ipc_receive(machine.port, next, reply, &message);
        reply = 0;
        if (result < 0)
            continue;
        if (message.label & IPC_PACKET) {
            packet_take((const struct port_packet *)message.words);
        } else {
            request_serve(&message);
            reply = IPC_REPLY;
        }
    }
}

static int64_t source_bind(const char *name, uint64_t key) {
    handle_t event = handle_find(name);
    return event == HANDLE_NONE ? 0 : keel_object_bind(event, machine.port, key);
}

static int64_t sources_bind(void) {
    int64_t made = keel_handle_create(OBJECT_TIMER, 0, 0, 0);
    if (made < 0)
        return made;
    timer = (handle_t)made;
    int64_t error = keel_object_bind(timer, machine.port, KEY_TIMER);
    if (!error)
        error = source_bind("power.off", KEY_POWER_OFF);
    return error ? error : source_bind("power.reset", KEY_RESET);
}

/* What the command line says behind a word, or what it is otherwise. */
static uint64_t option(const char *word, uint64_t otherwise) {
    const char *line = getenv("KEEL_CMDLINE"), *at = line ? strstr(line, word) : NULL;
    return at ? strtoul(at + strlen(word), NULL, 10) : otherwise;
}

/* heartbeat=MS: how often drivers are asked whether they live; stall=MS: how long a request may take, and
 * users to give up a card that is to go. */
static void periods_choose(void) {
    uint64_t ask = option("heartbeat=", ASK_MS), stall = option("stall=", STALL_MS);
    ask = ask < ASK_MS_LEAST ? ASK_MS_LEAST : ask;
    ask_period = ask * NS_PER_MS;
    stall_period = stall < UINT64_MAX / NS_PER_MS / 2 ? stall * NS_PER_MS : UINT64_MAX / 2;
    stalls_most = stall <= ask ? 1 : stall / ask < UINT32_MAX ? (uint32_t)(stall / ask) : UINT32_MAX;
}

static void scan(void) {
    if (!machine.access.config_length) {
        log_line("there is no PCI");
        return;
    }
    if (machine.acpi.segment_count == 0)
        pci_scan(&pci_tree, &machine.access, 0, 0);
    for (unsigned i = 0; i < machine.acpi.segment_count; i++)
        pci_scan(&pci_tree, &machine.access, machine.acpi.segments[i].segment,
                 machine.acpi.segments[i].first);
    if (pci_tree.full)
        log_line("there are more than %d PCI functions", PCI_FUNCTIONS_MOST);
}

int main(void) {
    (void)keel_thread_set(0, LEVEL, LEVEL_SCAN);
    int64_t error = machine_open();
    if (!error)
        error = sources_bind();
    if (error) {
        log_line("cannot start: %s", strerror((int)-error));
        return EXIT_FAILED;
    }
    periods_choose();
    iommu_start();
    scan();
    list_make();
    unsigned slots = hotplug_start(stall_period);
    log_line("%u PCI functions by %s, %u drivers, %u slots; %s", pci_tree.count,
             machine.acpi.segment_count ? "ECAM" : "ports", list_count(), slots,
             machine.acpi.power.known
                 ? machine.acpi.power.can_reset ? "power off and reset by ACPI" : "power off by ACPI"
                 : "no power off by ACPI");
    (void)keel_thread_set(0, LEVEL, LEVEL_SERVE);
    serve();
}
