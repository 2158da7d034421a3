/* Programs of the simulation (tests/host/guest) that test address spaces, and what all of them do. */
#pragma once

#include "linux/abi/mman.h"
#include "linux/arch/host/host.h"
#include "tests/host/guest/guest.h"
#include "tests/unit/check.h"

enum { PAGE = 4096, READ_WRITE = PROT_READ | PROT_WRITE, PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS };
#define ANYWHERE 0ULL
#define NO_FILE  (uint64_t) - 1

static inline int64_t map(uint64_t address, uint64_t length, uint64_t protection, uint64_t flags) {
    return guest(mmap, address, length, protection, flags, NO_FILE, 0);
}

static inline void poke(uint64_t address, char value) {
    guest_put(address, &value, 1);
}

static inline char peek(uint64_t address) {
    char value;
    guest_get(&value, address, 1);
    return value;
}

/* Runs a program to its end; it returns 0. */
static inline void run(guest_program program) {
    static bool booted;
    if (!booted) {
        host_quiet = true;
        guest_boot();
        booted = true;
    }
    int32_t status = -1;
    CHECK(guest_execute(program, NULL, 1000000, &status));
    CHECK_EQ(status, 0);
}
