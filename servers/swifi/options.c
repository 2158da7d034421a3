/* See options.h. */
#include "servers/swifi/options.h"

#include <stdlib.h>
#include <string.h>

#include "lib/native/keel.h"

enum { FAULTS = 1000, PAUSE_US = 2000, NS_PER_US = 1000 };

/* The text after "NAME=" where a word begins with it; NULL: there is none. */
static const char *option_find(const char *line, const char *name) {
    size_t length = strlen(name);
    for (const char *at = line; at && (at = strstr(at, name)); at += length)
        if ((at == line || at[-1] == ' ') && at[length] == '=')
            return at + length + 1;
    return NULL;
}

static uint64_t option_number(const char *line, const char *name, uint64_t otherwise) {
    const char *text = option_find(line, name);
    return text ? strtoull(text, NULL, 0) : otherwise;
}

void options_read(struct options *options) {
    const char *line = getenv("KEEL_CMDLINE");
    *options = (struct options){
        .faults = option_number(line, "faults", FAULTS),
        .seed = option_number(line, "faults.seed", clock_now() & UINT32_MAX),
        .pause_ns = option_number(line, "faults.pause", PAUSE_US) * NS_PER_US,
        .drivers = option_find(line, "faults.drivers"),
    };
}

bool options_want(const struct options *options, const char *driver) {
    size_t length = strlen(driver);
    if (!options->drivers)
        return true;
    for (const char *at = options->drivers;; at++) {
        if (!strncmp(at, driver, length) && (at[length] == ',' || at[length] == ' ' || !at[length]))
            return true;
        at += strcspn(at, ", ");
        if (*at != ',')
            return false;
    }
}
