/* There is no `devices` server on the host: nothing is ever offered. */
#include "linux/device/offers.h"

void offers_use(const struct device_kind *kind) {
    (void)kind;
}
