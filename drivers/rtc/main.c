/*
 * The PC's real-time clock (MC146818 and its successors) as Linux's /dev/rtc0: time and alarm by ioctl, and
 * reads that wait for an interrupt: of every second (UIE), of the alarm (AIE), periodic (PIE). Only one
 * program has it open.
 *
 * The clock has an alarm for a time of day; what is asked for further away is refused. After a restart of the
 * driver what was switched on goes on: it stands in the clock.
 */
#include <errno.h>
#include <string.h>

#include "drivers/rtc/clock.h"
#include "lib/driver/driver.h"
#include "lib/native/keel.h"
#include "lib/virtqueue/char_ring.h"

enum {
    INDEX = 0,
    DATA = 1,
    UPDATE_TRIES = 3,
    RATE_LEAST = 2,
    RATE_MOST = 8192,
    RATE_BASE = 32768,
    DAY = 86400
};
enum { IRQF = 0x80, FLAGS = CLOCK_UPDATE | CLOCK_ALARM | CLOCK_PERIODIC, COUNT_SHIFT = 8 };
#define UPDATE_NS 10000000ULL /* an update takes 2 ms */

enum rtc_control {
    RTC_AIE_ON = 0x7001,
    RTC_AIE_OFF = 0x7002,
    RTC_UIE_ON = 0x7003,
    RTC_UIE_OFF = 0x7004,
    RTC_PIE_ON = 0x7005,
    RTC_PIE_OFF = 0x7006,
    RTC_ALM_SET = 0x40247007,
    RTC_ALM_READ = 0x80247008,
    RTC_RD_TIME = 0x80247009,
    RTC_SET_TIME = 0x4024700a,
    RTC_IRQP_READ = 0x8008700b,
    RTC_IRQP_SET = 0x4008700c,
    RTC_WKALM_SET = 0x4028700f,
    RTC_WKALM_RD = 0x80287010,
};

struct rtc_wkalrm {
    uint8_t enabled, pending;
    uint8_t reserved[2];
    struct rtc_time time;
};

static struct driver_bar *ports;
static uint64_t happened; /* interrupts since the last read: their number and what they were */

static uint8_t get(unsigned number) {
    bar_write(ports, INDEX, 1, number);
    return (uint8_t)bar_read(ports, DATA, 1);
}

static void put(unsigned number, uint8_t value) {
    bar_write(ports, INDEX, 1, number);
    bar_write(ports, DATA, 1, value);
}

/* ---- the time ---- */

/* Not while the clock moves on. */
static bool update_wait(void) {
    uint64_t deadline = clock_now() + UPDATE_NS;
    while (get(CLOCK_A) & CLOCK_UPDATING)
        if (clock_now() > deadline)
            return false;
    return true;
}

static void registers_get(uint8_t registers[CLOCK_REGISTERS], uint8_t *century) {
    for (unsigned i = 0; i < CLOCK_REGISTERS; i++)
        registers[i] = get(i);
    *century = get(CLOCK_CENTURY);
}

/* Read twice, in case an update came in between. */
static int64_t time_get(struct rtc_time *time) {
    uint8_t first[CLOCK_REGISTERS], second[CLOCK_REGISTERS], century;
    for (int tries = 0; tries < UPDATE_TRIES; tries++) {
        if (!update_wait())
            return -EIO;
        registers_get(first, &century);
        registers_get(second, &century);
        if (!memcmp(first, second, sizeof first))
            return clock_time(second, century, get(CLOCK_B), time) ? 0 : -EINVAL;
    }
    return -EIO;
}

static int64_t time_set(const struct rtc_time *time) {
    uint8_t registers[CLOCK_REGISTERS], century, old_century, format = get(CLOCK_B);
    if (!time_valid(time) || time->year >= 1100)
        return -EINVAL;
    registers_get(registers, &old_century);
    clock_registers(time, format, registers, &century);
    put(CLOCK_B, format | CLOCK_SET);
    for (unsigned i = 0; i < CLOCK_REGISTERS; i++)
        if (i != CLOCK_SECONDS_ALARM && i != CLOCK_MINUTES_ALARM && i != CLOCK_HOURS_ALARM)
            put(i, registers[i]);
    if (clock_decode(old_century, format) >= 19 && clock_decode(old_century, format) < 30)
        put(CLOCK_CENTURY, century);
    put(CLOCK_B, format);
    return 0;
}

/* ---- interrupts ---- */

static void causes_take(void) {
    uint8_t causes = get(CLOCK_C) & get(CLOCK_B) & FLAGS;
    if (!causes)
        return;
    happened = (happened + (1 << COUNT_SHIFT)) | IRQF | causes;
    if (causes & CLOCK_ALARM) /* which comes once */
        put(CLOCK_B, get(CLOCK_B) & (uint8_t)~CLOCK_ALARM);
}

static void ready_tell(struct driver_device *device) {
    driver_char_ready(&device->links[0], happened ? CHAR_READY_READ : 0);
}

static void interrupt(struct driver_device *device, unsigned index) {
    (void)index;
    causes_take();
    ready_tell(device);
}

static int64_t irq_switch(uint8_t which, bool on) {
    uint8_t now = get(CLOCK_B);
    (void)get(CLOCK_C); /* what happened before does not count */
    put(CLOCK_B, on ? now | which : now & (uint8_t)~which);
    return 0;
}

/* ---- the alarm ---- */

/* The next time that the clock shows what the alarm's registers say. */
static int64_t alarm_get(struct rtc_wkalrm *alarm) {
    struct rtc_time now;
    int64_t error = time_get(&now);
    if (error)
        return error;
    uint8_t format = get(CLOCK_B);
    struct rtc_time then = now;
    then.second = (int32_t)clock_decode(get(CLOCK_SECONDS_ALARM), format);
    then.minute = (int32_t)clock_decode(get(CLOCK_MINUTES_ALARM), format);
    then.hour = (int32_t)clock_decode_hour(get(CLOCK_HOURS_ALARM), format);
    if (!time_valid(&then)) /* "every", in one of them */
        then.second = then.minute = then.hour = 0;
    int64_t seconds = time_seconds(&then);
    *alarm = (struct rtc_wkalrm){.enabled = !!(format & CLOCK_ALARM),
                                 .time = time_of(seconds > time_seconds(&now) ? seconds : seconds + DAY)};
    return 0;
}

static int64_t alarm_set(const struct rtc_wkalrm *alarm) {
    const struct rtc_time *time = &alarm->time;
    struct rtc_time now;
    int64_t error = time_get(&now);
    if (error)
        return error;
    if (!time_valid(time))
        return -EINVAL;
    int64_t away = time_seconds(time) - time_seconds(&now);
    if (alarm->enabled && away <= 0)
        return -ETIME;
    if (alarm->enabled && away > DAY)
        return -EDOM;
    uint8_t format = get(CLOCK_B);
    (void)irq_switch(CLOCK_ALARM, false);
    put(CLOCK_SECONDS_ALARM, clock_encode((unsigned)time->second, format));
    put(CLOCK_MINUTES_ALARM, clock_encode((unsigned)time->minute, format));
    put(CLOCK_HOURS_ALARM, clock_encode_hour((unsigned)time->hour, format));
    return irq_switch(CLOCK_ALARM, alarm->enabled);
}

/* Only the time of day counts: today's or tomorrow's. It is switched on apart. */
static int64_t alarm_of_day(const struct rtc_time *of_day) {
    struct rtc_time now;
    int64_t error = time_get(&now);
    if (error)
        return error;
    struct rtc_wkalrm alarm = {.time = now};
    alarm.time.second = of_day->second;
    alarm.time.minute = of_day->minute;
    alarm.time.hour = of_day->hour;
    return alarm_set(&alarm);
}

/* ---- the periodic interrupt ---- */

/* Hz; 0: the clock has it off. */
static uint64_t rate_get(void) {
    unsigned rate = get(CLOCK_A) & CLOCK_RATE;
    return rate ? RATE_BASE >> (rate - 1) : 0;
}

/* Powers of two. */
static int64_t rate_set(uint64_t hz) {
    if (hz < RATE_LEAST || hz > RATE_MOST || hz & (hz - 1))
        return -EINVAL;
    unsigned rate = (unsigned)__builtin_ctz(RATE_BASE) - (unsigned)__builtin_ctzll(hz) + 1;
    put(CLOCK_A, (uint8_t)((get(CLOCK_A) & ~CLOCK_RATE) | rate));
    return 0;
}

/* ---- requests: the client's bytes may be fewer than its control is about, or none ---- */

static int64_t ioctl_time(const struct driver_request *request) {
    struct rtc_time time;
    struct rtc_wkalrm alarm;
    int64_t error;
    if (request->length < sizeof time)
        return -EINVAL;
    memcpy(&time, request->bytes, sizeof time);
    switch (request->control) {
    case RTC_SET_TIME:
        return time_set(&time);
    case RTC_ALM_SET:
        return alarm_of_day(&time);
    case RTC_RD_TIME:
        error = time_get(&time);
        break;
    default:
        error = alarm_get(&alarm);
        if (!error)
            time = alarm.time;
        break;
    }
    if (!error)
        memcpy(request->bytes, &time, sizeof time);
    return error;
}

static int64_t ioctl_alarm(const struct driver_request *request) {
    struct rtc_wkalrm alarm;
    if (request->length < sizeof alarm)
        return -EINVAL;
    memcpy(&alarm, request->bytes, sizeof alarm);
    if (request->control == RTC_WKALM_SET)
        return alarm_set(&alarm);
    int64_t error = alarm_get(&alarm);
    if (!error)
        memcpy(request->bytes, &alarm, sizeof alarm);
    return error;
}

static int64_t ioctl_rate(const struct driver_request *request) {
    uint64_t hz = rate_get();
    if (request->length < sizeof hz)
        return -EINVAL;
    memcpy(request->bytes, &hz, sizeof hz);
    return 0;
}

static int64_t control(struct driver_device *device, struct driver_request *request) {
    (void)device;
    switch (request->control) {
    case RTC_AIE_ON:
    case RTC_AIE_OFF:
        return irq_switch(CLOCK_ALARM, request->control == RTC_AIE_ON);
    case RTC_UIE_ON:
    case RTC_UIE_OFF:
        return irq_switch(CLOCK_UPDATE, request->control == RTC_UIE_ON);
    case RTC_PIE_ON:
    case RTC_PIE_OFF:
        return irq_switch(CLOCK_PERIODIC, request->control == RTC_PIE_ON);
    case RTC_IRQP_SET:
        return rate_set(request->offset);
    case RTC_IRQP_READ:
        return ioctl_rate(request);
    case RTC_RD_TIME:
    case RTC_SET_TIME:
    case RTC_ALM_READ:
    case RTC_ALM_SET:
        return ioctl_time(request);
    case RTC_WKALM_SET:
    case RTC_WKALM_RD:
        return ioctl_alarm(request);
    default:
        return -ENOTTY;
    }
}

static int64_t serve_read(struct driver_device *device, struct driver_request *request) {
    if (request->length < sizeof happened)
        return -EINVAL;
    if (!happened)
        return -EAGAIN;
    memcpy(request->bytes, &happened, sizeof happened);
    happened = 0;
    ready_tell(device);
    return sizeof happened;
}

/* Whoever had it open is gone; an alarm stays. */
static void closed(struct driver_device *device, struct driver_link *link) {
    (void)link;
    (void)irq_switch(CLOCK_UPDATE | CLOCK_PERIODIC, false);
    happened = 0;
    ready_tell(device);
}

static int64_t init(struct driver_device *device) {
    struct rtc_time time;
    ports = &device->bars[0];
    if (device->generation == 1)
        (void)irq_switch(FLAGS, false);
    int64_t error = time_get(&time);
    driver_char_features(&device->links[0], CHAR_POLLS | CHAR_EXCLUSIVE | CHAR_CLOSES);
    if (error == -EIO)
        log_line("there is no clock");
    driver_offer_present(device, 0, error != -EIO); /* one that shows no time can be set */
    return 0;
}

static const struct driver rtc = {.name = "rtc",
                                  .init = init,
                                  .interrupt = interrupt,
                                  .read = serve_read,
                                  .ioctl = control,
                                  .closed = closed};

int main(int argc, char **argv) {
    return driver_main(&rtc, argc, argv);
}
