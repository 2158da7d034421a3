/*
 * Makes the debug kernel panic in the way that its argument, a number of enum debug_what, asks for, with a
 * trace on and a thread in user mode beside. tests/harness/panics.py looks at what is printed then.
 */
#include <stdlib.h>

#include "abi/debug.h"
#include "abi/trace.h"
#include "lib/native/keel.h"

static char stack[16384] __attribute__((aligned(16)));

static void spinner(uint64_t argument) {
    (void)argument;
    for (;;) {
    }
}

int main(int count, char **arguments) {
    struct system_info info = {0};
    uint64_t what = count > 1 ? strtoul(arguments[1], NULL, 0) : 0;

    keel_object_info(handle_find("info"), keel_pointer(&info), sizeof(info));
    for (uint64_t i = 0; i < info.cpus; i++)
        (void)keel_trace_open(handle_find("info"), i, TRACE_ALL);
    (void)keel_thread_create(0, keel_pointer((void *)spinner), keel_pointer(stack + sizeof(stack) - 8), 0,
                             0x0000600000000000ULL);
    (void)keel_thread_wait(clock_now() + 30000000);
    int64_t result = keel_debug_control(handle_find("debug"), what, DEBUG_PROVOKE);
    log_line("no panic: %ld", (long)result);
    return 1;
}
