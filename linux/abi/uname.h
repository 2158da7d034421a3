/* struct new_utsname and struct sysinfo. */
#pragma once

#include <stdint.h>

enum { UTSNAME_SIZE = 65 };

struct utsname64 {
    char sysname[UTSNAME_SIZE], nodename[UTSNAME_SIZE], release[UTSNAME_SIZE], version[UTSNAME_SIZE],
        machine[UTSNAME_SIZE], domainname[UTSNAME_SIZE];
};
_Static_assert(sizeof(struct utsname64) == 390, "struct new_utsname");

struct sysinfo64 {
    int64_t uptime;    /* seconds */
    uint64_t loads[3]; /* times 65536 */
    uint64_t totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    uint16_t procs, pad;
    uint64_t totalhigh, freehigh;
    uint32_t mem_unit;
};
_Static_assert(sizeof(struct sysinfo64) == 112, "struct sysinfo");
