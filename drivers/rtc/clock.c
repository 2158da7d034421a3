/* See clock.h. */
#include "drivers/rtc/clock.h"

enum {
    AFTERNOON = 0x80,
    YEAR_BASE = 1900,
    EPOCH = 1970,
    CENTURY_FIRST = 19,
    CENTURY_LAST = 29,
    EPOCH_WEEKDAY = 4
};
enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

unsigned clock_decode(uint8_t value, uint8_t format) {
    return format & CLOCK_BINARY ? value : (value >> 4) * 10U + (value & 15);
}

uint8_t clock_encode(unsigned value, uint8_t format) {
    return (uint8_t)(format & CLOCK_BINARY ? value : value / 10 << 4 | value % 10);
}

/* Twelve hours begin with the twelfth. */
unsigned clock_decode_hour(uint8_t value, uint8_t format) {
    if (format & CLOCK_HOURS_24)
        return clock_decode(value, format);
    unsigned hour = clock_decode(value & (AFTERNOON - 1), format) % 12;
    return value & AFTERNOON ? hour + 12 : hour;
}

uint8_t clock_encode_hour(unsigned hour, uint8_t format) {
    if (format & CLOCK_HOURS_24)
        return clock_encode(hour, format);
    uint8_t value = clock_encode(hour % 12 ? hour % 12 : 12, format);
    return hour >= 12 ? value | AFTERNOON : value;
}

/* ---- the calendar ---- */

static bool is_leap(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int month, int64_t year) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 1 && is_leap(year) ? 29 : days[month];
}

bool time_valid(const struct rtc_time *time) {
    return time->year >= EPOCH - YEAR_BASE && time->year < INT32_MAX - YEAR_BASE && time->month >= 0 &&
           time->month < 12 && time->day >= 1 &&
           time->day <= month_days(time->month, time->year + YEAR_BASE) && time->hour >= 0 &&
           time->hour < 24 && time->minute >= 0 && time->minute < MINUTE && time->second >= 0 &&
           time->second < MINUTE;
}

/* Days from 1970 to the first of January. */
static int64_t year_days(int64_t year) {
    int64_t before = year - 1;
    return 365 * (year - EPOCH) + before / 4 - before / 100 + before / 400 - 477;
}

int64_t time_seconds(const struct rtc_time *time) {
    int64_t days = year_days(time->year + (int64_t)YEAR_BASE) + time->day - 1;
    for (int month = 0; month < time->month; month++)
        days += month_days(month, time->year + YEAR_BASE);
    return days * DAY + time->hour * HOUR + time->minute * MINUTE + time->second;
}

struct rtc_time time_of(int64_t seconds) {
    int64_t days = seconds / DAY, rest = seconds % DAY, year = EPOCH + days / 366;
    while (year_days(year + 1) <= days)
        year++;
    struct rtc_time time = {.second = (int32_t)(rest % MINUTE),
                            .minute = (int32_t)(rest / MINUTE % MINUTE),
                            .hour = (int32_t)(rest / HOUR),
                            .year = (int32_t)(year - YEAR_BASE),
                            .weekday = (int32_t)((days + EPOCH_WEEKDAY) % 7)};
    int32_t day = (int32_t)(days - year_days(year));
    time.yearday = day;
    while (day >= month_days(time.month, year))
        day -= month_days(time.month++, year);
    time.day = day + 1;
    return time;
}

/* ---- registers ---- */

bool clock_time(const uint8_t registers[CLOCK_REGISTERS], uint8_t century, uint8_t format,
                struct rtc_time *time) {
    unsigned hundreds = clock_decode(century, format);
    struct rtc_time read = {
        .second = (int32_t)clock_decode(registers[CLOCK_SECONDS], format),
        .minute = (int32_t)clock_decode(registers[CLOCK_MINUTES], format),
        .hour = (int32_t)clock_decode_hour(registers[CLOCK_HOURS], format),
        .day = (int32_t)clock_decode(registers[CLOCK_DAY], format),
        .month = (int32_t)clock_decode(registers[CLOCK_MONTH], format) - 1,
        .year = (int32_t)clock_decode(registers[CLOCK_YEAR], format),
    };
    if (hundreds >= CENTURY_FIRST && hundreds <= CENTURY_LAST)
        read.year += (int32_t)hundreds * 100 - YEAR_BASE;
    else if (read.year < EPOCH - YEAR_BASE)
        read.year += 100;
    if (!time_valid(&read))
        return false;
    *time = time_of(time_seconds(&read)); /* with the day of the week, which the clock may have wrong */
    return true;
}

void clock_registers(const struct rtc_time *time, uint8_t format, uint8_t registers[CLOCK_REGISTERS],
                     uint8_t *century) {
    unsigned year = (unsigned)time->year + YEAR_BASE;
    registers[CLOCK_SECONDS] = clock_encode((unsigned)time->second, format);
    registers[CLOCK_MINUTES] = clock_encode((unsigned)time->minute, format);
    registers[CLOCK_HOURS] = clock_encode_hour((unsigned)time->hour, format);
    registers[CLOCK_WEEKDAY] = clock_encode((unsigned)time_of(time_seconds(time)).weekday + 1, format);
    registers[CLOCK_DAY] = clock_encode((unsigned)time->day, format);
    registers[CLOCK_MONTH] = clock_encode((unsigned)time->month + 1, format);
    registers[CLOCK_YEAR] = clock_encode(year % 100, format);
    *century = clock_encode(year / 100, format);
}
