/*
 * /proc/keel_accelerators: what can compute or draw, one a line: kind, PCI address, vendor and device, who
 * made it, and the driver that serves it, "-" without one. The first line is the processors, which serve what
 * nobody else does.
 */
#include "abi/devices.h"
#include "abi/errors.h"
#include "lib/base/string.h"
#include "lib/pci/accelerator.h"
#include "linux/device/functions.h"
#include "linux/fs/proc_internal.h"

static void function_add(struct text *text, const struct devices_pci *function) {
    uint32_t address = function->address;
    struct accelerator_identity identity =
        accelerator_identify(function->vendor, function->device, function->class_code);
    if (identity.kind == ACCELERATOR_NONE)
        return;
    text_add(text, "%s %04x:%02x:%02x.%u %04x:%04x %s%s%s %s\n", accelerator_kind_name(identity.kind),
             address >> 16, address >> 8 & 0xff, address >> 3 & 0x1f, address & 7, function->vendor,
             function->device, identity.maker ? identity.maker : "unknown", identity.family ? " " : "",
             identity.family ? identity.family : "", function->driver[0] ? function->driver : "-");
}

int proc_show_accelerators(const struct proc_ref *ref, struct text *text) {
    struct devices_pci function;
    (void)ref;
    text_add(text, "cpu\n");
    for (uint64_t from = 0; !function_from(from, false, &function); from = function.address + 1ULL)
        function_add(text, &function);
    return 0;
}
