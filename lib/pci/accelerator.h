/*
 * Which PCI functions compute or draw: told by class, and where the class does not say enough, by vendor and
 * device. A small table of facts; a name is there only where it is certain. Pure and freestanding.
 */
#pragma once

#include <stdint.h>

enum accelerator_kind {
    ACCELERATOR_NONE,
    ACCELERATOR_CPU,
    ACCELERATOR_GPU,
    ACCELERATOR_NPU,
    ACCELERATOR_TPU,
    ACCELERATOR_OTHER
};

struct accelerator_identity {
    enum accelerator_kind kind;
    const char *maker;  /* "Intel"; NULL: a vendor that is not in the table */
    const char *family; /* "Edge TPU"; NULL: not known */
};

/* What a function is: class_code are class, subclass and interface. ACCELERATOR_NONE: nothing of these. */
struct accelerator_identity accelerator_identify(uint16_t vendor, uint16_t device, uint32_t class_code);

/* "gpu" and so on; "none". */
const char *accelerator_kind_name(enum accelerator_kind kind);
