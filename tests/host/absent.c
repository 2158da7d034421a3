/* Kernel calls that have nothing behind them on the host: every call of abi/syscalls.def that no other file
 * of this folder defines. */
#include "abi/errors.h"
#include "lib/keel/call.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

#define CALL(index, name, arguments, self, right, text)                                                      \
    __attribute__((weak)) int64_t keel_##name(KEEL_PARAMETERS_##arguments) {                                 \
        return -ENOSYS;                                                                                      \
    }
#include "abi/syscalls.def"
#undef CALL
