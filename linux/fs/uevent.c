/* See uevent.h. */
#include "linux/fs/uevent.h"

#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/lock.h"

enum { EVENT_MOST = 1024, PATH_MOST = 256 };

static struct mutex uevents_lock = MUTEX_INIT(uevents_lock);
static struct list listeners = LIST_INIT(listeners);
static uint64_t sequence;

struct event {
    size_t length;
    char text[EVENT_MOST]; /* all lines made here fit */
};

/* A line, its value behind the name. */
static void line_add(struct event *event, const char *name, const char *value) {
    size_t room = sizeof event->text - event->length;
    size_t length = format_text(event->text + event->length, room, "%s%s", name, value);
    event->length += length < room ? length + 1 : room;
}

static void number_add(struct event *event, const char *name, uint64_t value) {
    char text[24];
    format_text(text, sizeof text, "%llu", (unsigned long long)value);
    line_add(event, name, text);
}

static void begin(struct event *event, const char *action, const char *path, const char *subsystem) {
    char first[PATH_MOST + 16];
    event->length = 0;
    format_text(first, sizeof first, "%s@%s", action, path);
    line_add(event, first, "");
    line_add(event, "ACTION=", action);
    line_add(event, "DEVPATH=", path);
    line_add(event, "SUBSYSTEM=", subsystem);
}

static void tell(struct event *event) {
    struct uevent_listener *listener;
    mutex_lock(&uevents_lock);
    number_add(event, "SEQNUM=", ++sequence);
    list_for_each(listener, &listeners, link) {
        listener->hear(listener, event->text, event->length);
    }
    mutex_unlock(&uevents_lock);
}

void uevent_listen(struct uevent_listener *listener) {
    mutex_lock(&uevents_lock);
    list_push_back(&listeners, &listener->link);
    mutex_unlock(&uevents_lock);
}

void uevent_leave(struct uevent_listener *listener) {
    mutex_lock(&uevents_lock);
    list_remove(&listener->link);
    mutex_unlock(&uevents_lock);
}

uint64_t uevent_sequence(void) {
    return __atomic_load_n(&sequence, __ATOMIC_RELAXED);
}

/* ---- nodes ---- */

static bool begins(const char *name, const char *with) {
    return !strncmp(name, with, strlen(with));
}

/* Where the device is in /sys; its subsystem. */
static const char *place_of(const char *name, uint32_t mode, char path[PATH_MOST]) {
    if ((mode & S_IFMT) == S_IFBLK) {
        format_text(path, PATH_MOST, "/block/%s", name);
        return "block";
    }
    if (begins(name, "input/event")) {
        const char *number = name + strlen("input/event");
        format_text(path, PATH_MOST, "/devices/virtual/input/input%s/event%s", number, number);
        return "input";
    }
    if (begins(name, "rtc")) {
        format_text(path, PATH_MOST, "/class/rtc/%s", name);
        return "rtc";
    }
    if (begins(name, "vport")) {
        format_text(path, PATH_MOST, "/class/virtio-ports/%s", name);
        return "virtio-ports";
    }
    const char *subsystem = begins(name, "input/") ? "input" : begins(name, "hvc") ? "tty" : "misc";
    const char *slash = strchr(name, '/');
    format_text(path, PATH_MOST, "/devices/virtual/%s/%s", subsystem, slash ? slash + 1 : name);
    return subsystem;
}

void uevent_node(const char *action, const char *name, uint32_t mode, uint64_t number) {
    struct event event;
    char path[PATH_MOST];
    const char *subsystem = place_of(name, mode, path);
    begin(&event, action, path, subsystem);
    number_add(&event, "MAJOR=", device_major(number));
    number_add(&event, "MINOR=", device_minor(number));
    line_add(&event, "DEVNAME=", name);
    if ((mode & S_IFMT) == S_IFBLK)
        line_add(&event, "DEVTYPE=", "disk");
    tell(&event);
}

void uevent_device(const char *action, const char *folder, const char *path, const char *subsystem,
                   const char *lines, size_t length) {
    struct event event;
    char whole[PATH_MOST];
    format_text(whole, sizeof whole, "%s%s", folder, path);
    begin(&event, action, whole, subsystem);
    for (size_t i = 0; i < length && event.length < sizeof event.text; i++)
        event.text[event.length++] = lines[i] == '\n' ? 0 : lines[i];
    tell(&event);
}

void uevent_interface(const char *action, const char *name, int32_t index) {
    struct event event;
    char path[PATH_MOST];
    format_text(path, sizeof path, "/class/net/%s", name);
    begin(&event, action, path, "net");
    line_add(&event, "INTERFACE=", name);
    number_add(&event, "IFINDEX=", (uint32_t)index);
    tell(&event);
}
