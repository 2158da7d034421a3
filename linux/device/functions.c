/* See functions.h. */
#include "linux/device/functions.h"

#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/list.h"
#include "lib/base/string.h"
#include "linux/device/ipc.h"
#include "linux/device/offers.h"
#include "linux/fs/proc.h"
#include "linux/fs/uevent.h"
#include "linux/heap.h"

enum { FUNCTIONS_MOST = 256, NAME_SIZE = 16, BRIDGES_MOST = 8 };

static int function_ask(uint64_t address, bool measured, struct devices_pci *function, uint64_t *changes) {
    struct ipc_message message;
    uint64_t words[3] = {address, measured ? 0 : DEVICES_PCI_AS_IS};
    int64_t error = offers_call(DEVICES_PCI, words, &message);
    *changes = message.words[1];
    if (!error && IPC_LABEL_BYTES(message.label) < sizeof(*function))
        error = -EPROTO;
    if (error)
        return (int)error;
    memcpy(function, thread_message(), sizeof(*function));
    function->driver[DEVICES_NAME - 1] = 0;
    return function->address < address ? -EPROTO : 0;
}

int function_from(uint64_t address, bool measured, struct devices_pci *function) {
    uint64_t changes;
    return function_ask(address, measured, function, &changes);
}

/* ---- texts ---- */

void function_name(char name[NAME_SIZE], uint32_t address) {
    format_text(name, NAME_SIZE, "%04x:%02x:%02x.%u", address >> 16, address >> 8 & 0xff, address >> 3 & 0x1f,
                address & 7);
}

int function_path(const struct devices_pci *function, char path[FUNCTION_PATH]) {
    uint32_t chain[BRIDGES_MOST + 1] = {function->address}, parent = function->parent;
    unsigned depth = 1;
    for (; parent != DEVICES_NO_ADDRESS && depth <= BRIDGES_MOST; depth++) {
        struct devices_pci bridge;
        if (function_from(parent, false, &bridge) || bridge.address != parent)
            return -ENODEV;
        chain[depth] = parent;
        parent = bridge.parent;
    }
    size_t length = format_text(path, FUNCTION_PATH, "pci0000:00");
    while (depth-- > 0) {
        path[length] = '/';
        function_name(path + length + 1, chain[depth]);
        length = strlen(path);
    }
    return 0;
}

_Static_assert(FUNCTION_PATH >= (BRIDGES_MOST + 2) * 12 + NAME_SIZE - 12, "all names fit");

void function_modalias(struct text *text, const struct devices_pci *function) {
    text_capitals(text, "pci:v", function->vendor, 8);
    text_capitals(text, "d", function->device, 8);
    text_capitals(text, "sv", function->subsystem_vendor, 8);
    text_capitals(text, "sd", function->subsystem, 8);
    text_capitals(text, "bc", function->class_code >> 16, 2);
    text_capitals(text, "sc", function->class_code >> 8 & 0xff, 2);
    text_capitals(text, "i", function->class_code & 0xff, 2);
    text_add(text, "\n");
}

void function_describe(struct text *text, const struct devices_pci *function) {
    char name[NAME_SIZE];
    function_name(name, function->address);
    if (function->driver[0])
        text_add(text, "DRIVER=%s\n", function->driver);
    text_capitals(text, "PCI_CLASS=", function->class_code, 4);
    text_capitals(text, "\nPCI_ID=", function->vendor, 4);
    text_capitals(text, ":", function->device, 4);
    text_capitals(text, "\nPCI_SUBSYS_ID=", function->subsystem_vendor, 4);
    text_capitals(text, ":", function->subsystem, 4);
    text_add(text, "\nPCI_SLOT_NAME=%s\nMODALIAS=", name);
    function_modalias(text, function);
}

/* ---- coming and going ---- */

/* One that was told of; what it was is needed when it goes. */
struct known {
    struct list link;
    struct devices_pci function;
    char path[FUNCTION_PATH];
};

static struct list known_list = LIST_INIT(known_list);
static struct found { uint32_t address, serial; } found[FUNCTIONS_MOST];
static unsigned found_count;

int functions_read(uint64_t *changes) {
    uint64_t address = 0, last = 0;
    int error;
    unsigned count;
    do {
        struct devices_pci function;
        address = count = 0;
        while (!(error = function_ask(address, false, &function, changes)) &&
               (count == 0 || *changes == last) && count < FUNCTIONS_MOST) {
            found[count++] = (struct found){function.address, function.serial};
            last = *changes;
            address = function.address + 1ULL;
        }
    } while ((!error || error == -ENOENT) && count && count < FUNCTIONS_MOST && *changes != last);
    found_count = error && error != -ENOENT ? 0 : count;
    return error == -ENOENT ? 0 : error;
}

static void tell(const char *action, const struct known *known) {
    struct devices_pci function = known->function;
    struct text lines = {0};
    function.driver[0] = 0; /* it comes before its driver, and goes after it */
    function_describe(&lines, &function);
    if (!lines.failed)
        uevent_device(action, "/devices/", known->path, "pci", lines.bytes, lines.length);
    text_free(&lines);
}

static bool is_found(const struct devices_pci *function) {
    for (unsigned i = 0; i < found_count; i++)
        if (found[i].address == function->address && found[i].serial == function->serial)
            return true;
    return false;
}

/* Those behind a bridge before the bridge: the other way round than they came. */
void functions_tell_gone(void) {
    struct list *at = known_list.prev;
    while (at != &known_list) {
        struct known *known = list_entry(at, struct known, link);
        at = at->prev;
        if (is_found(&known->function))
            continue;
        tell("remove", known);
        list_remove(&known->link);
        heap_free(known);
    }
}

static bool is_known(const struct found *one) {
    struct known *known;
    list_for_each(known, &known_list, link) {
        if (known->function.address == one->address && known->function.serial == one->serial)
            return true;
    }
    return false;
}

void functions_tell_new(void) {
    for (unsigned i = 0; i < found_count; i++) {
        struct known *known = is_known(&found[i]) ? NULL : heap_zalloc(sizeof(*known));
        if (!known)
            continue;
        if (function_from(found[i].address, false, &known->function) ||
            known->function.address != found[i].address || known->function.serial != found[i].serial ||
            function_path(&known->function, known->path)) {
            heap_free(known); /* it has gone again */
            continue;
        }
        list_push_back(&known_list, &known->link);
        tell("add", known);
    }
}
