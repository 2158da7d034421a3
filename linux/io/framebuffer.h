/*
 * /dev/fb0: the framebuffer that the boot path found, as Linux's efifb shows it: a fixed mode, true colours.
 * Programs read and write its memory, and map it: device memory, without a copy. The console draws on it,
 * too; whoever writes last is seen.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "abi/rights.h"

/* What init gave: the pages that hold it, and --framebuffer= (servers/init/framebuffer.h), NULL for none.
 * Registers the device; before fs_start. A description that makes no sense is left out with a line in the
 * log. */
void framebuffer_start(handle_t vmo, const char *description);

struct framebuffer_facts {
    uint32_t width, height, pitch, bits;
};
/* NULL: there is none. */
const struct framebuffer_facts *framebuffer_facts(void);
