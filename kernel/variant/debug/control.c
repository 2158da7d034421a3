/* debug_control: what tests ask of the debug kernel (abi/debug.h). */
#include "abi/errors.h"
#include "arch.h"
#include "provoke.h"
#include "stretch.h"
#include "variant.h"

int64_t debug_control(uint64_t what, uint64_t argument) {
    switch (what) {
    case DEBUG_STRETCH: {
        struct debug_stretch longest = debug_stretch_longest();
        return user_copy_out(argument, &longest, sizeof(longest)) ? -EFAULT : 0;
    }
    case DEBUG_STRETCH_RESET:
        debug_stretch_reset();
        return 0;
    default:
        return argument == DEBUG_PROVOKE ? debug_provoke(what) : -EINVAL;
    }
}
