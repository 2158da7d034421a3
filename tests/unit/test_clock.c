/* sources: drivers/rtc/clock.c */
/* What a real-time clock's registers say, in all its formats, against the C library's calendar. */
#define _GNU_SOURCE
#include <string.h>
#include <time.h>

#include "drivers/rtc/clock.h"
#include "tests/unit/check.h"

static const uint8_t formats[] = {0, CLOCK_HOURS_24, CLOCK_BINARY, CLOCK_BINARY | CLOCK_HOURS_24};

static void same(const struct rtc_time *time, time_t seconds) {
    struct tm tm;
    gmtime_r(&seconds, &tm);
    CHECK(time->second == tm.tm_sec && time->minute == tm.tm_min && time->hour == tm.tm_hour);
    CHECK(time->day == tm.tm_mday && time->month == tm.tm_mon && time->year == tm.tm_year);
    CHECK(time->weekday == tm.tm_wday && time->yearday == tm.tm_yday);
}

TEST(there_and_back) {
    uint8_t registers[CLOCK_REGISTERS] = {0}, century;
    srand(1);
    for (int i = 0; i < 20000; i++) {
        int64_t seconds =
            (int64_t)(((uint64_t)rand() << 16 ^ (uint64_t)rand()) % 32503680000ULL); /* to 2999 */
        struct rtc_time time = time_of(seconds), read;
        same(&time, seconds);
        CHECK(time_valid(&time) && time_seconds(&time) == seconds);
        uint8_t format = formats[i % 4];
        clock_registers(&time, format, registers, &century);
        CHECK(clock_time(registers, century, format, &read));
        CHECK(!memcmp(&read, &time, sizeof time));
    }
}

TEST(bcd_and_afternoon) {
    uint8_t registers[CLOCK_REGISTERS] = {0x59, 0, 0x58, 0, 0x92, 0, 0x07, 0x31, 0x12, 0x99};
    struct rtc_time time;
    CHECK(clock_time(registers, 0x19, 0, &time));
    same(&time, 946645139); /* 1999-12-31 12:58:59 */
}

TEST(no_century) {
    uint8_t registers[CLOCK_REGISTERS] = {1, 0, 2, 0, 3, 0, 1, 29, 2, 24};
    struct rtc_time time;
    CHECK(clock_time(registers, 0, CLOCK_BINARY | CLOCK_HOURS_24, &time) && time.year == 124);
    registers[CLOCK_YEAR] = 75;
    registers[CLOCK_DAY] = 28;
    CHECK(clock_time(registers, 0xff, CLOCK_BINARY | CLOCK_HOURS_24, &time) && time.year == 75);
}

TEST(no_time) {
    uint8_t registers[CLOCK_REGISTERS] = {1, 0, 2, 0, 3, 0, 1, 29, 2, 23};
    struct rtc_time time;
    CHECK(!clock_time(registers, 20, CLOCK_BINARY | CLOCK_HOURS_24, &time)); /* no leap year */
    srand(1);
    for (int i = 0; i < 200000; i++) {
        for (unsigned k = 0; k < CLOCK_REGISTERS; k++)
            registers[k] = (uint8_t)rand();
        if (clock_time(registers, (uint8_t)rand(), formats[i % 4], &time))
            CHECK(time_valid(&time));
    }
}

TEST_MAIN();
