/* /sys/class/rtc/rtc0: the real-time clock's time, asked of its driver when it is read. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/device/char.h"
#include "linux/fs/proc_internal.h"

enum {
    FILE_R = S_IFREG | 0444,
    DIRECTORY = S_IFDIR | 0755,
    RTC_RD_TIME = 0x80247009U,
    DAY = 86400,
    YEAR_BASE = 1900
};

struct rtc_time {
    int32_t second, minute, hour, day, month, year, weekday, yearday, daylight;
};

static int time_get(struct rtc_time *time) {
    return (int)char_control("rtc0", RTC_RD_TIME, time, sizeof(*time));
}

static int show_date(const struct proc_ref *ref, struct text *text) {
    struct rtc_time time;
    int error = time_get(&time);
    (void)ref;
    if (!error)
        text_add(text, "%04d-%02d-%02d\n", time.year + YEAR_BASE, time.month + 1, time.day);
    return error;
}

static int show_time(const struct proc_ref *ref, struct text *text) {
    struct rtc_time time;
    int error = time_get(&time);
    (void)ref;
    if (!error)
        text_add(text, "%02d:%02d:%02d\n", time.hour, time.minute, time.second);
    return error;
}

/* The driver tells the day of the year. */
static int show_epoch(const struct proc_ref *ref, struct text *text) {
    struct rtc_time time;
    int error = time_get(&time);
    (void)ref;
    if (error)
        return error;
    int64_t before = time.year + YEAR_BASE - 1;
    int64_t days =
        365 * (int64_t)(time.year - 70) + before / 4 - before / 100 + before / 400 - 477 + time.yearday;
    text_add(text, "%lld\n", (long long)(days * DAY + time.hour * 3600LL + time.minute * 60LL + time.second));
    return 0;
}

static int show_name(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "rtc_cmos\n");
    return 0;
}

static int show_number(const struct proc_ref *ref, struct text *text) {
    uint64_t number = char_number("rtc0");
    (void)ref;
    text_add(text, "%u:%u\n", device_major(number), device_minor(number));
    return 0;
}

/* The system's time is set from the clock at the start. */
static int show_hctosys(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "1\n");
    return 0;
}

static const struct proc_node clock_children[] = {
    {.name = "date", .mode = FILE_R, .show = show_date},
    {.name = "dev", .mode = FILE_R, .show = show_number},
    {.name = "hctosys", .mode = FILE_R, .show = show_hctosys},
    {.name = "name", .mode = FILE_R, .show = show_name},
    {.name = "since_epoch", .mode = FILE_R, .show = show_epoch},
    {.name = "time", .mode = FILE_R, .show = show_time},
};

static const struct proc_node clock_node = {
    .name = "rtc", .mode = DIRECTORY, .children = clock_children, .count = PROC_COUNT(clock_children)};

static void child_make(struct proc_child *child) {
    *child = (struct proc_child){.ref = {.node = &clock_node}, .name = "rtc0"};
}

int sysfs_rtc_find(const struct proc_ref *directory, const char *name, size_t length,
                   struct proc_child *child) {
    (void)directory;
    child_make(child);
    return length == 4 && !memcmp(name, child->name, length) && char_number(child->name) ? 0 : -ENOENT;
}

bool sysfs_rtc_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    (void)directory;
    child_make(child);
    return *number == 0 && char_number(child->name);
}
