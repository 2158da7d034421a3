/* The CMOS real-time clock (MC146818), taken to hold UTC as QEMU's does. */
#include <stdbool.h>

#include "boot/clock.h"
#include "boot/io.h"
#include "lib/base/string.h"

enum { CMOS_INDEX = 0x70, CMOS_DATA = 0x71, NMI_OFF = 0x80 };
enum { STATUS_A = 0x0a, STATUS_B = 0x0b, UPDATING = 0x80, HOURS_24 = 2, BINARY = 4, HOUR_PM = 0x80 };
/* An update lasts 2 ms at the most; a port access takes about 1 µs. */
enum { UPDATE_POLLS = 5000, READ_TRIES = 4 };

enum unit { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, CENTURY, UNITS };
static const uint8_t registers[UNITS] = {0x00, 0x02, 0x04, 0x07, 0x08, 0x09, 0x32};

static uint8_t cmos_read(uint8_t index) {
    port_write8(CMOS_INDEX, NMI_OFF | index);
    return port_read8(CMOS_DATA);
}

static void wait_update(void) {
    for (int i = 0; i < UPDATE_POLLS && cmos_read(STATUS_A) & UPDATING; i++)
        ;
}

/* All registers at one moment: read until two readings in a row agree. */
static bool read_stable(uint8_t value[UNITS]) {
    uint8_t previous[UNITS];
    for (int i = 0; i < READ_TRIES; i++) {
        memcpy(previous, value, UNITS);
        wait_update();
        for (int unit = 0; unit < UNITS; unit++)
            value[unit] = cmos_read(registers[unit]);
        if (i > 0 && !memcmp(previous, value, UNITS))
            return true;
    }
    return false;
}

static int decode(uint8_t value, uint8_t status) {
    return status & BINARY ? value : (value >> 4) * 10 + (value & 15);
}

static int decode_hour(uint8_t value, uint8_t status) {
    if (status & HOURS_24)
        return decode(value, status);
    int hour = decode(value & (uint8_t)~HOUR_PM, status) % 12;
    return value & HOUR_PM ? hour + 12 : hour;
}

/* Days from 1 January 1970 to a date of the Gregorian calendar; the year is counted from March, so that the
 * leap day is its last. */
static int64_t days_since_epoch(int year, int month, int day) {
    year -= month < 3;
    int in_year = (153 * (month + (month < 3 ? 9 : -3)) + 2) / 5 + day - 1;
    return 365LL * year + year / 4 - year / 100 + year / 400 + in_year - 719468;
}

uint64_t rtc_read(void) {
    uint8_t value[UNITS] = {0};

    if (!read_stable(value))
        return 0;
    uint8_t status = cmos_read(STATUS_B);
    int century = decode(value[CENTURY], status);
    int year = decode(value[YEAR], status) + 100 * (century >= 19 && century <= 21 ? century : 20);
    int month = decode(value[MONTH], status), day = decode(value[DAY], status);
    int hour = decode_hour(value[HOUR], status), minute = decode(value[MINUTE], status);
    int second = decode(value[SECOND], status);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
        second > 59)
        return 0;
    int64_t seconds = days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return (uint64_t)seconds * 1000000000;
}
