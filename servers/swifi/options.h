/* What the kernel's command line asks of swifi. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct options {
    uint64_t faults;     /* how many bits to flip */
    uint64_t seed;       /* of the generator */
    uint64_t pause_ns;   /* after each fault */
    const char *drivers; /* names with commas between; NULL: all */
};

/* faults=N, faults.seed=S, faults.pause=MICROSECONDS, faults.drivers=NAME,NAME… Without a seed one is chosen.
 */
void options_read(struct options *options);

/* Whether a driver is among those asked for. */
bool options_want(const struct options *options, const char *driver);
