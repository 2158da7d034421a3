/* Stacks that are switched by hand, known to the address sanitizer: native threads of a simulation, and guest
 * programs. */
#pragma once

#include <stddef.h>

struct fiber {
    void *rsp;   /* while it does not run; its other registers are on its stack */
    void *stack; /* NULL: the stack the thread was started on */
    const void *bottom;
    size_t size;
    void *fake_stack; /* the sanitizer's */
    void (*run)(void *argument);
    void *argument;
};

/* A fiber that starts run(argument) when it is first switched to; run never returns. May be called again for
 * a fiber that is to be abandoned where it stands: its stack is used anew. */
void fiber_start(struct fiber *fiber, void (*run)(void *argument), void *argument);
/* Stops here, in `from`, and goes on in `to`. Returns when something switches back. */
void fiber_switch(struct fiber *from, struct fiber *to);
