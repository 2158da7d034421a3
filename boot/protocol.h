/* The boot protocols: each reader fills in an empty struct boot_source, or ends the boot with a message. */
#pragma once

#include <stdint.h>

#include "boot/source.h"

/* address: physical, of struct hvm_start_info. */
void pvh_read(uint64_t address, struct boot_source *source);

/* address: physical, of the Multiboot2 information. */
void multiboot_read(uint64_t address, struct boot_source *source);

/*
 * The part of it that looks at bytes nobody has checked. Reads nothing outside information[0, length);
 * addresses of modules are checked to lie below 4 GB, not to be RAM. Returns NULL, or what is wrong.
 */
const char *multiboot_parse(const uint8_t *information, uint32_t length, struct boot_source *source);
