/* Tests that are Linux programs in the simulation of tests/host/guest. */
#pragma once

#include "tests/host/guest/guest.h"
#include "tests/unit/check.h"

enum { PROGRAM_SWITCHES = 2000000 }; /* between threads: one that takes more hangs */

/* Runs a program to its end: it must exit with 0, and leave no process behind. */
static inline void program_run(guest_program program) {
    int32_t status = -1;
    CHECK(guest_execute(program, NULL, PROGRAM_SWITCHES, &status));
    CHECK_EQ(status, 0);
    CHECK_EQ(guest_processes(), 1);
}

/* A test whose body, in braces behind it, is a program. */
#define PROGRAM(name)                                                                                        \
    static int program_##name(void *argument);                                                               \
    TEST(name) {                                                                                             \
        program_run(program_##name);                                                                         \
    }                                                                                                        \
    static int program_##name(void *argument __attribute__((unused)))
