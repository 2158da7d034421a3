/* sources: drivers/rtc/clock.c */
/*
 * What the real-time clock's driver answers to its client's requests, at a chip of 64 bytes: each control
 * with as many bytes as it is about, with one less, and with none.
 */
#include <string.h>

#define main rtc_main
#include "drivers/rtc/main.c"
#undef main

#include "tests/unit/check.h"

static uint8_t chip[128], selected;
static struct driver_device device = {.generation = 1, .link_count = 1};
static bool present;

void bar_write(const struct driver_bar *bar, uint64_t offset, unsigned width, uint32_t value) {
    CHECK(bar == &device.bars[0] && width == 1);
    if (offset == INDEX)
        selected = (uint8_t)value % sizeof chip;
    else
        chip[selected] = (uint8_t)value;
}

uint32_t bar_read(const struct driver_bar *bar, uint64_t offset, unsigned width) {
    CHECK(bar == &device.bars[0] && width == 1 && offset == DATA);
    uint8_t value = chip[selected];
    if (selected == CLOCK_C)
        chip[selected] = 0;
    return value;
}

void driver_char_ready(struct driver_link *link, uint32_t ready) {
    (void)link, (void)ready;
}

void driver_char_features(struct driver_link *link, uint32_t features) {
    (void)link, (void)features;
}

void driver_offer_present(struct driver_device *of, unsigned link, bool is_present) {
    CHECK(of == &device && link == 0);
    present = is_present;
}

int driver_main(const struct driver *driver, int argc, char **argv) {
    (void)driver, (void)argc, (void)argv;
    return 0;
}

void log_line(const char *format, ...) {
    (void)format;
}

uint64_t clock_now(void) {
    static uint64_t now;
    return now += 1000000;
}

/* The clock at 2024-02-29 23:59:58, in decimal digits. */
static void chip_set(void) {
    memset(chip, 0, sizeof chip);
    memcpy(chip, (const uint8_t[]){0x58, 0, 0x59, 0, 0x23, 0, 5, 0x29, 0x02, 0x24}, CLOCK_REGISTERS);
    chip[CLOCK_A] = 0x26;
    chip[CLOCK_B] = CLOCK_HOURS_24;
    chip[CLOCK_CENTURY] = 0x20;
    CHECK_EQ(init(&device), 0);
    CHECK(present);
}

/* A request with bytes of its own, so that one that is written beyond its end is noticed. */
static int64_t ask(uint32_t number, void *bytes, uint32_t length) {
    struct driver_request request = {.link = &device.links[0], .control = number, .length = length};
    request.bytes = length ? malloc(length) : NULL;
    if (length)
        memcpy(request.bytes, bytes, length);
    int64_t result = control(&device, &request);
    if (length)
        memcpy(bytes, request.bytes, length);
    free(request.bytes);
    return result;
}

TEST(time_is_read_and_set) {
    struct rtc_time time = {0};
    chip_set();
    CHECK_EQ(ask(RTC_RD_TIME, &time, sizeof time), 0);
    CHECK(time.year == 124 && time.month == 1 && time.day == 29 && time.hour == 23 && time.second == 58);
    time.year = 99;
    time.day = 28;
    CHECK_EQ(ask(RTC_SET_TIME, &time, sizeof time), 0);
    CHECK(chip[CLOCK_YEAR] == 0x99 && chip[CLOCK_CENTURY] == 0x19 && chip[CLOCK_DAY] == 0x28);
    time.month = 12;
    CHECK_EQ(ask(RTC_SET_TIME, &time, sizeof time), -EINVAL);
}

TEST(an_alarm_is_set_within_a_day) {
    struct rtc_wkalrm alarm = {.enabled = 1}, read = {0};
    chip_set();
    CHECK_EQ(ask(RTC_RD_TIME, &alarm.time, sizeof alarm.time), 0);
    CHECK_EQ(ask(RTC_WKALM_SET, &alarm, sizeof alarm), -ETIME);
    alarm.time = time_of(time_seconds(&alarm.time) + 3);
    CHECK_EQ(ask(RTC_WKALM_SET, &alarm, sizeof alarm), 0);
    CHECK(chip[CLOCK_B] & CLOCK_ALARM && chip[CLOCK_SECONDS_ALARM] == 0x01 && chip[CLOCK_HOURS_ALARM] == 0);
    CHECK_EQ(ask(RTC_WKALM_RD, &read, sizeof read), 0);
    CHECK(read.enabled && !memcmp(&read.time, &alarm.time, sizeof read.time));
    alarm.time = time_of(time_seconds(&alarm.time) + DAY);
    CHECK_EQ(ask(RTC_WKALM_SET, &alarm, sizeof alarm), -EDOM);
}

/* Every control that moves bytes, with too few of them. */
TEST(few_bytes_are_refused) {
    static const struct {
        uint32_t number, size;
    } controls[] = {
        {RTC_RD_TIME, sizeof(struct rtc_time)},    {RTC_SET_TIME, sizeof(struct rtc_time)},
        {RTC_ALM_READ, sizeof(struct rtc_time)},   {RTC_ALM_SET, sizeof(struct rtc_time)},
        {RTC_WKALM_RD, sizeof(struct rtc_wkalrm)}, {RTC_WKALM_SET, sizeof(struct rtc_wkalrm)},
        {RTC_IRQP_READ, sizeof(uint64_t)},
    };
    uint8_t bytes[64] = {0};
    for (unsigned i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        chip_set();
        CHECK_EQ(ask(controls[i].number, bytes, controls[i].size - 1), -EINVAL);
        CHECK_EQ(ask(controls[i].number, NULL, 0), -EINVAL);
    }
    CHECK_EQ(ask(RTC_IRQP_READ, bytes, sizeof(uint64_t)), 0);
    CHECK_EQ(bytes[0] | bytes[1] << 8, 1024);
}

/* A clock without a time tells no alarm either, and nothing of the driver's memory instead. */
TEST(without_a_time_nothing_is_told) {
    struct rtc_time time = {.year = 7};
    struct rtc_wkalrm alarm = {.time = time};
    chip_set();
    chip[CLOCK_MONTH] = 0x77;
    CHECK_EQ(ask(RTC_RD_TIME, &time, sizeof time), -EINVAL);
    CHECK_EQ(ask(RTC_ALM_READ, &time, sizeof time), -EINVAL);
    CHECK_EQ(ask(RTC_WKALM_RD, &alarm, sizeof alarm), -EINVAL);
    CHECK(time.year == 7 && alarm.time.year == 7);
}

TEST_MAIN();
