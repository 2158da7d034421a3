/* The registers of an MC146818 and the times they hold: conversions. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum clock_register {
    CLOCK_SECONDS = 0,
    CLOCK_SECONDS_ALARM = 1,
    CLOCK_MINUTES = 2,
    CLOCK_MINUTES_ALARM = 3,
    CLOCK_HOURS = 4,
    CLOCK_HOURS_ALARM = 5,
    CLOCK_WEEKDAY = 6,
    CLOCK_DAY = 7,
    CLOCK_MONTH = 8,
    CLOCK_YEAR = 9,
    CLOCK_A = 10,
    CLOCK_B = 11,
    CLOCK_C = 12,
    CLOCK_CENTURY = 0x32,
    CLOCK_REGISTERS = 10, /* those of the time and the alarm */
};

enum clock_a { CLOCK_UPDATING = 0x80, CLOCK_RATE = 0x0f };
enum clock_b {
    CLOCK_HOURS_24 = 0x02,
    CLOCK_BINARY = 0x04,
    CLOCK_UPDATE = 0x10, /* interrupts, here and in register C */
    CLOCK_ALARM = 0x20,
    CLOCK_PERIODIC = 0x40,
    CLOCK_SET = 0x80,
};

/* Linux's struct rtc_time. */
struct rtc_time {
    int32_t second, minute, hour, day, month, year; /* month from 0, year from 1900 */
    int32_t weekday, yearday, daylight;
};

/* Registers as read at once: CLOCK_REGISTERS of them and the century. format: register B. False: no time. */
bool clock_time(const uint8_t registers[CLOCK_REGISTERS], uint8_t century, uint8_t format,
                struct rtc_time *time);
/* The other way round; the alarm's registers stay. The century is 0 when the clock has none. */
void clock_registers(const struct rtc_time *time, uint8_t format, uint8_t registers[CLOCK_REGISTERS],
                     uint8_t *century);

/* A date of the calendar from 1970 on. */
bool time_valid(const struct rtc_time *time);
int64_t time_seconds(const struct rtc_time *time); /* since 1970 */
struct rtc_time time_of(int64_t seconds);

/* A number as the clock writes it, and hours in its format. */
uint8_t clock_encode(unsigned value, uint8_t format);
unsigned clock_decode(uint8_t value, uint8_t format);
uint8_t clock_encode_hour(unsigned hour, uint8_t format);
unsigned clock_decode_hour(uint8_t value, uint8_t format);
