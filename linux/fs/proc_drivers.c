/* /proc/keel_reset: a driver's name written there ends the driver, as if it had crashed; it starts again. For
 * those whose device no bus shows (hpet, ps2, rtc, speaker); functions of PCI have device/reset in /sys. */
#include "abi/devices.h"
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/device/ipc.h"
#include "linux/device/offers.h"
#include "linux/fs/proc_internal.h"

int proc_store_keel_reset(const struct proc_ref *ref, const char *bytes, size_t length) {
    struct ipc_message message;
    uint64_t words[3] = {DEVICES_NO_ADDRESS};
    (void)ref;
    while (length && bytes[length - 1] == '\n')
        length--;
    if (length == 0 || length >= DEVICES_NAME)
        return -EINVAL;
    memcpy(&words[1], bytes, length);
    return (int)offers_call(DEVICES_RESET, words, &message);
}
