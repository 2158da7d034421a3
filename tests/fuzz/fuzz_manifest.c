/* sources: servers/init/manifest.c */
/* Any text is either accepted with consistent counts or refused with a message that names a line. */
#define _GNU_SOURCE
#include "servers/init/manifest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct manifest manifest;
    bool valid = manifest_parse(&manifest, (const char *)data, size);
    if (valid != (manifest.error[0] == 0) || manifest.count > MANIFEST_SERVICES)
        abort();
    if (!valid && strncmp(manifest.error, "manifest:", 9) != 0)
        abort();
    return 0;
}
