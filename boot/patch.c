/* See patch.h. */
#include "boot/patch.h"

#include "boot/isolation.h"
#include "boot/load.h"
#include "boot/memory.h"
#include "kernel/arch/x86_64/vectors.h"
#include "lib/base/string.h"

enum { JUMP = 0xe9, JUMP_BYTES = 5 };

static void patch_write(const struct kernel_patch *patch) {
    static const char no_operation[] = {0x0f, 0x1f, 0x00};
    char *at = isolated_place(patch->from);

    if (!patch->to) {
        memcpy(at, no_operation, sizeof(no_operation));
        return;
    }
    uint32_t distance = (uint32_t)(isolated_address(patch->to) - isolated_address(patch->from) - JUMP_BYTES);
    at[0] = (char)JUMP;
    memcpy(at + 1, &distance, sizeof(distance));
}

void patches_write(void) {
    for (uint32_t i = 0; i < kernel_notes.patch_count; i++) {
        const struct kernel_patch *patch = &kernel_notes.patches[i];
        if (patch->when == PATCH_TAGGED ? boot_info.has_pcid : boot_info.isolated)
            patch_write(patch);
    }
}
