/* There is no `devices` server on the host: nothing is ever offered. */
#include "abi/errors.h"
#include "linux/device/ipc.h"
#include "linux/device/char.h"
#include "linux/device/offers.h"
#include "linux/platform.h"

void offers_use(const struct device_kind *kind) {
    (void)kind;
}

int64_t offers_call(uint32_t call, const uint64_t words[3], struct ipc_message *message) {
    (void)call, (void)words, (void)message;
    return -ENODEV;
}

void offers_left(uint32_t id) {
    (void)id;
}

void *thread_message(void) {
    static uint8_t page[PAGE_SIZE];
    return page;
}

void offers_await(uint32_t device_class, const char *word, unsigned (*count)(void)) {
    (void)device_class, (void)word, (void)count;
}

int64_t char_control(const char *name, uint32_t command, void *bytes, uint32_t length) {
    (void)name, (void)command, (void)bytes, (void)length;
    return -ENODEV;
}

uint64_t char_number(const char *name) {
    (void)name;
    return 0;
}
