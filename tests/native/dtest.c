/*
 * `devices` and its drivers, tested by a native client in place of the personality
 * (tests/native/dtest.manifest) on a machine with a virtio-rng, an edu device, a disk and a network card:
 * lists, links, a driver's registers, interrupts and DMA, drivers that are reset, or hang, in the middle of
 * requests, and what is refused (dtest_rights.c). Prints "ok NAME" or "not ok NAME: what" lines to the log
 * and ends with the number of failures.
 */
#include <errno.h>
#include <string.h>

#include "lib/virtqueue/char_client.h"
#include "tests/native/dtest.h"

enum {
    EDU_IOCTL_COPY = (int)0xc0006501,
    EDU_IOCTL_HANG = 0x6502,
    RESETS = 10,
    RANDOM_BYTES = 256,
    COPY_BYTES = 4000
};

/* A device in use. */
static struct use {
    struct devices_device device;
    struct char_client client;
    handle_t kick, call;
} edu, rng;

static handle_t changes;

int64_t ask_with(struct ipc_message *message, const handle_t *handles, unsigned count) {
    message->label |= IPC_LABEL(0, 0, count);
    for (unsigned i = 0; i < count; i++)
        utcb_own()->handles[i] = handles[i];
    int64_t error = ipc_call(handle_find("devices"), DEADLINE_NEVER, message);
    return error < 0 ? error : (int64_t)message->words[0];
}

int64_t ask(enum devices_call call, uint64_t a, uint64_t b, uint64_t c, void *bytes, size_t length) {
    struct ipc_message message = {.label = IPC_LABEL(call, 0, 0), .words = {a, b, c}};
    int64_t result = ask_with(&message, NULL, 0);
    if (result >= 0 && bytes) {
        CHECK(IPC_LABEL_BYTES(message.label) == length);
        memcpy(bytes, (uint8_t *)utcb_own() + UTCB_SIZE / 2, length);
    }
    return result;
}

static bool device_find(const char *name, struct devices_device *device) {
    device->id = 0;
    while (ask(DEVICES_NEXT, device->id, 0, 0, device, sizeof *device) == 0)
        if (!strcmp(device->name, name))
            return true;
    return false;
}

bool device_await(const char *name, uint32_t generation, struct devices_device *device) {
    uint64_t deadline = clock_now() + PATIENT;
    while (!device_find(name, device) || device->generation < generation)
        if (keel_event_wait(changes, deadline) < 0)
            return false;
    return true;
}

static void watch(void) {
    int64_t event = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    struct ipc_message message = {.label = IPC_LABEL(DEVICES_WATCH, 0, 1)};
    CHECK(event > 0);
    changes = (handle_t)event;
    int64_t sender = keel_handle_duplicate(changes, RIGHT_SEND | RIGHT_GRANT);
    utcb_own()->handles[0] = (handle_t)sender;
    CHECK(ipc_call(handle_find("devices"), DEADLINE_NEVER, &message) == 0 && message.words[0] == 0);
}

static bool use_open(struct use *use, const char *name) {
    struct ipc_message message = {.label = IPC_LABEL(DEVICES_LINK, 0, 0)};
    if (!device_await(name, 1, &use->device))
        return false;
    message.words[0] = use->device.id;
    if (ipc_call(handle_find("devices"), DEADLINE_NEVER, &message) != 0 || message.words[0] != 0 ||
        IPC_LABEL_HANDLES(message.label) != 3)
        return false;
    use->kick = utcb_own()->handles[1];
    use->call = utcb_own()->handles[2];
    void *area = memory_map(utcb_own()->handles[0], 0, message.words[1], MAP_READ | MAP_WRITE);
    if (!area || message.words[1] != use->device.area_length)
        return false;
    char_client_init(&use->client, area);
    return true;
}

/* Follows the driver's generation. False when it does not come back. */
static bool use_renew(struct use *use) {
    uint64_t deadline = clock_now() + PATIENT;
    for (;;) {
        if (char_client_stale(&use->client)) {
            char_client_begin(&use->client);
            if (use->client.generation)
                (void)keel_event_signal(use->kick);
        } else if (use->client.generation) {
            return true;
        } else if (keel_event_wait(use->call, deadline) < 0) {
            return false;
        }
    }
}

/* One request from start to end, offered again when the driver is lost meanwhile. */
static int64_t request(struct use *use, enum char_kind kind, uint32_t control, void *bytes, uint32_t length) {
    const struct char_request head = {.kind = kind, .control = control};
    uint64_t deadline = clock_now() + PATIENT;
    int64_t result;
    unsigned slot;
    for (;;) {
        bool signal;
        if (!use_renew(use))
            return -ETIMEDOUT;
        if (kind != CHAR_READ)
            memcpy(char_client_data(&use->client, 0), bytes, length);
        int error = char_client_submit(&use->client, 0, &head, length, &signal);
        if (error)
            return error;
        if (signal)
            (void)keel_event_signal(use->kick);
        while ((error = char_client_completed(&use->client, &slot, &result)) == 0 &&
               !char_client_stale(&use->client))
            if (keel_event_wait(use->call, deadline) < 0)
                return -ETIMEDOUT;
        if (error < 0)
            return error;
        if (error == 1)
            break;
    }
    if (kind != CHAR_WRITE && result > 0)
        memcpy(bytes, char_client_data(&use->client, 0), length);
    return result;
}

static bool factorial(uint32_t number, uint32_t expected) {
    uint32_t result = 0;
    return request(&edu, CHAR_WRITE, 0, &number, sizeof number) == sizeof number &&
           request(&edu, CHAR_READ, 0, &result, sizeof result) == sizeof result && result == expected;
}

static bool copy_through(unsigned seed) {
    static uint8_t there[COPY_BYTES], back[COPY_BYTES];
    for (unsigned i = 0; i < COPY_BYTES; i++)
        there[i] = back[i] = (uint8_t)((i * 7 + seed) ^ i >> 8);
    return request(&edu, CHAR_IOCTL, (uint32_t)EDU_IOCTL_COPY, back, COPY_BYTES) == COPY_BYTES &&
           !memcmp(there, back, COPY_BYTES);
}

/* ---- tests ---- */

static void test_pci(void) {
    struct devices_pci function = {0};
    uint64_t next = 0;
    unsigned count = 0, found = 0;
    while (ask(DEVICES_PCI, next, 0, 0, &function, sizeof function) == 0) {
        uint16_t vendor = 0;
        CHECK(ask(DEVICES_CONFIG, function.address, 0, 2, &vendor, sizeof vendor) == 0);
        CHECK(vendor == function.vendor);
        if (function.vendor == 0x1234 && function.device == 0x11e8) {
            found++;
            CHECK(function.bars[0].length == 1 << 20 && function.bars[0].flags == DEVICES_BAR_MEMORY);
            CHECK(!strcmp(function.driver, "edu"));
        }
        next = function.address + 1ULL;
        count++;
    }
    CHECK(found == 1 && count >= 5);
    CHECK(ask(DEVICES_CONFIG, 0xffff, 0, 4, NULL, 0) == -ENOENT);
    CHECK(ask(DEVICES_CONFIG, UINT64_MAX, 0, 4, NULL, 0) == -ENOENT);
    CHECK(ask(DEVICES_LINK, 77, 0, 0, NULL, 0) == -ENOENT);
    CHECK(ask(DEVICES_NEXT, UINT32_MAX, 0, 0, NULL, 0) == -ENOENT);
    CHECK(ask(DEVICES_WATCH, 0, 0, 0, NULL, 0) == -EINVAL);
    CHECK(ask(DEVICES_RESET, 0xfffe, 0, 0, NULL, 0) == -ENODEV);
    CHECK(ask(99, 0, 0, 0, NULL, 0) == -EOPNOTSUPP);
}

static void test_rng(void) {
    static uint8_t bytes[RANDOM_BYTES];
    unsigned seen[256] = {0}, different = 0;
    CHECK(use_open(&rng, "hwrng"));
    CHECK(request(&rng, CHAR_READ, 0, bytes, sizeof bytes) == sizeof bytes);
    for (unsigned i = 0; i < sizeof bytes; i++)
        different += !seen[bytes[i]]++;
    CHECK(different > 80); /* about 162 of 256 */
    CHECK(request(&rng, CHAR_WRITE, 0, bytes, 1) == -EINVAL);
}

static void test_edu(void) {
    CHECK(use_open(&edu, "edu0"));
    CHECK(factorial(5, 120));
    CHECK(factorial(12, 479001600));
    for (unsigned i = 0; i < 10; i++)
        CHECK(copy_through(i));
    CHECK(request(&edu, CHAR_IOCTL, 1, "x", 1) == -ENOTTY);
}

/* Another generation each time, and the device works as before. */
static void test_resets(void) {
    const uint32_t id = edu.device.id;
    for (unsigned i = 0; i < RESETS; i++) {
        uint32_t before = edu.device.generation;
        CHECK(ask(DEVICES_RESET, edu.device.address, 0, 0, NULL, 0) == 0);
        if (i % 2)
            CHECK(copy_through(i)); /* with the driver gone, going or back */
        CHECK(device_await("edu0", before + 1, &edu.device));
        CHECK(edu.device.id == id);
        CHECK(copy_through(100 + i));
        CHECK(factorial(i % 5 + 5, (uint32_t[]){120, 720, 5040, 40320, 362880}[i % 5]));
    }
}

/* The driver never comes back from this one; the heartbeat notices. */
static void test_hang(void) {
    const struct char_request head = {.kind = CHAR_IOCTL, .control = EDU_IOCTL_HANG};
    uint32_t before = edu.device.generation;
    uint64_t start = clock_now();
    bool signal;
    CHECK(char_client_submit(&edu.client, 0, &head, 8, &signal) == 0);
    (void)keel_event_signal(edu.kick);
    CHECK(device_await("edu0", before + 1, &edu.device));
    CHECK(clock_now() - start > 1000 * MS);
    CHECK(factorial(10, 3628800));
}

static const struct test tests[] = {
    {"rng", test_rng},
    {"edu", test_edu},
    {"pci", test_pci},
    {"links_refused", test_links_refused},
    {"rights_divided", test_rights_divided},
    {"calls_refused", test_calls_refused},
    {"handles_closed", test_handles_closed},
    {"resets", test_resets},
    {"hang", test_hang},
};

int main(void) {
    watch();
    for (unsigned i = 0; i < sizeof tests / sizeof tests[0]; i++)
        check_run(&tests[i]);
    return check_end();
}
