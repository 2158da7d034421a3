/* sources: lib/driver/input.c lib/virtqueue/device.c lib/virtqueue/driver.c lib/virtqueue/input_client.c
 * linux/input/input.c linux/input/link.c linux/input/evdev.c linux/input/evdev_ioctl.c
 * linux/input/keyboard.c linux/input/keymap.c linux/input/mice.c lib/base/format.c */
/* flags: -iquote tests/host */
/*
 * Input events from a driver's link to open files and to the console: what is news, packets, an overflow at
 * either end, repeated keys, lights, drivers that start again, devices that come and go. One thread; the
 * driver's and the client's signals are called where they happen.
 */
#include "linux/input/input.h"

#include <string.h>

#include "abi/errors.h"
#include "lib/driver/input.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/device/offers.h"
#include "linux/fs/device.h"
#include "linux/heap.h"
#include "linux/io/console.h"
#include "linux/io/poll.h"
#include "linux/platform.h"
#include "tests/unit/check.h"

/* ---- what the parts stand on ---- */

static _Alignas(4096) uint8_t area[INPUT_AREA_SIZE];
static struct driver_device device = {.link_count = 1};
static struct input_server server;
static const struct device_kind *kind;
static void *link_state;
static bool called, kicked;
static uint64_t now;
static struct timer_event *armed;
static char node[32], typed[64];
static struct input_event to_device;

void driver_call(struct driver_link *link) {
    (void)link;
    called = true;
}
_Noreturn void driver_fail(const char *what, int64_t error) {
    fprintf(stderr, "%s: %d\n", what, (int)error);
    exit(1);
}
int64_t keel_event_signal(uint64_t event) {
    (void)event;
    kicked = true;
    return 0;
}
void offers_use(const struct device_kind *used) {
    kind = used;
}
void device_register(const struct device *registered) {
    (void)registered;
}
int device_node_make(const char *name, uint32_t mode, uint64_t number) {
    (void)mode, (void)number;
    if (strcmp(name, "input/mice") != 0) /* which stays */
        strcpy(node, name);
    return 0;
}
void device_node_remove(const char *name) {
    CHECK(!strcmp(node, name));
    node[0] = 0;
}
bool console_has_display(void) {
    return true;
}
unsigned console_keyboard_modes(void) {
    return 0;
}
void console_type(const uint8_t *bytes, size_t length) {
    strncat(typed, (const char *)bytes, length);
}
void timer_event_arm(struct timer_event *event, uint64_t deadline) {
    event->deadline = deadline;
    armed = event;
}
void timer_event_drain(struct timer_event *event) {
    if (armed == event)
        armed = NULL;
}
uint64_t clock_monotonic(void) {
    return now;
}
uint64_t clock_realtime(void) {
    return now;
}
struct timeval64 timeval_from_ns(uint64_t ns) {
    return (struct timeval64){(int64_t)(ns / 1000000000), (int64_t)(ns % 1000000000 / 1000)};
}
void *heap_alloc(size_t size) {
    return malloc(size);
}
void *heap_zalloc(size_t size) {
    return calloc(1, size);
}
void heap_free(void *pointer) {
    free(pointer);
}
void mutex_lock_slowly(struct mutex *mutex) {
    (void)mutex;
    abort();
}
void mutex_unlock_slowly(struct mutex *mutex) {
    (void)mutex;
    abort();
}
void waitq_init(struct waitq *queue) {
    list_init(&queue->waiters);
}
void waitq_add(struct waitq *queue, struct waiter *waiter) {
    (void)queue, (void)waiter;
}
void waitq_remove(struct waitq *queue, struct waiter *waiter) {
    (void)queue, (void)waiter;
}
void waitq_wake_all(struct waitq *queue) {
    (void)queue;
}
void poll_watch(struct poll_watch *watch, struct waitq *queue) {
    (void)watch, (void)queue;
}
int task_wait(struct mutex *release, uint64_t deadline) {
    (void)release, (void)deadline;
    abort();
}
void log_line(const char *format, ...) {
    (void)format;
}
int buffer_put(struct buffer *buffer, const void *from, size_t length) {
    memcpy(buffer->kernel, from, length);
    buffer->kernel = (char *)buffer->kernel + length;
    buffer->length -= length;
    return 0;
}
int buffer_get(struct buffer *buffer, void *to, size_t length) {
    memcpy(to, buffer->kernel, length);
    buffer->kernel = (char *)buffer->kernel + length;
    buffer->length -= length;
    return 0;
}
int guest_copy_in(void *to, uint64_t from, size_t length) {
    memcpy(to, (const void *)(uintptr_t)from, length);
    return 0;
}
int guest_copy_out(uint64_t to, const void *from, size_t length) {
    memcpy((void *)(uintptr_t)to, from, length);
    return 0;
}

/* ---- the two sides ---- */

static void status_note(struct input_server *of, const struct input_event *event) {
    (void)of;
    to_device = *event;
}

/* As lib/driver/driver.c does it. */
static void driver_follow(void) {
    const struct link_header *header = (const void *)area;
    struct driver_link *link = &device.links[0];
    uint32_t session = header->session_generation == device.generation ? header->session : 0;
    if (session != link->session) {
        link->session = session;
        if (session)
            input_server_session(&server);
    }
    input_server_run(&server);
}

/* Until nobody has anything to say. */
static void settle(void) {
    while (called || kicked) {
        if (called) {
            called = false;
            kind->event(link_state);
        }
        if (kicked) {
            kicked = false;
            driver_follow();
        }
    }
}

static void keyboard_describe(const char *name) {
    input_describe_nothing(&server);
    input_describe_text(&server, INPUT_CONFIG_NAME, name);
    input_describe_ids(&server, BUS_VIRTUAL, 1, 2, 3);
    input_describe_codes(&server, EV_KEY, KEY_ESC, KEY_DELETE);
    input_describe_codes(&server, EV_LED, LED_NUML, LED_SCROLLL);
    input_describe_codes(&server, EV_REP, REP_DELAY, REP_PERIOD);
    input_describe_codes(&server, EV_REL, REL_X, REL_Y);
    input_describe_axis(&server, ABS_X, &(struct input_axis){.minimum = -5, .maximum = 99});
}

/* A driver starts: the first, or after another one's death. */
static void driver_start(const char *name) {
    struct link_header *header = (void *)area;
    device.generation++;
    device.links[0] = (struct driver_link){.area = {.bytes = area, .length = sizeof area}};
    memset(&server, 0, sizeof server);
    input_server_init(&server, &device, 0);
    server.status = status_note;
    if (name) {
        keyboard_describe(name);
        input_server_offer(&server);
    }
    header->generation = device.generation;
    called = true;
    settle();
}

static void start(void) {
    if (!kind)
        input_start();
    if (link_state)
        kind->gone(link_state);
    memset(area, 0, sizeof area);
    struct device_offer offer = {.area = area, .length = sizeof area, .device = {.name = "event5"}};
    device.generation = 0;
    link_state = kind->appear(&offer);
    CHECK(link_state && !node[0]);
    driver_start("Keys");
    CHECK(!strcmp(node, "input/event5"));
    typed[0] = 0;
}

static void end(void) {
    kind->gone(link_state);
    link_state = NULL;
    CHECK(!node[0]);
}

/* ---- a program ---- */

extern const struct device evdev_device;

static void file_open(struct file *file) {
    struct inode inode = {.attributes.rdev = device_number(INPUT_MAJOR, INPUT_EVENT_MINOR + 5)};
    *file = (struct file){.flags = O_NONBLOCK};
    CHECK_EQ(evdev_device.open(&inode, file), 0);
}

/* All that there is to read, as text. */
static const char *events_read(struct file *file) {
    static char text[8192];
    struct linux_input_event events[4];
    text[0] = 0;
    for (;;) {
        struct buffer buffer = {.kernel = events, .length = sizeof events};
        int64_t length = file->operations->read(file, &buffer, NULL);
        if (length < 0) {
            CHECK(length == -EAGAIN || length == -ENODEV);
            return length == -ENODEV ? "gone" : text;
        }
        for (int64_t i = 0; i < length / (int64_t)sizeof events[0]; i++)
            sprintf(text + strlen(text), "%u.%u=%d ", events[i].type, events[i].code, events[i].value);
    }
}

static void reads(struct file *file, const char *wanted) {
    const char *text = events_read(file);
    if (strcmp(text, wanted) != 0) {
        fprintf(stderr, "read \"%s\", not \"%s\"\n", text, wanted);
        exit(1);
    }
}

static void key(unsigned code, int value) {
    input_report(&server, EV_KEY, code, value);
    input_sync(&server);
    settle();
}

TEST(news_and_packets) {
    struct file file;
    start();
    file_open(&file);
    input_report(&server, EV_REL, REL_X, 3);
    input_report(&server, EV_REL, REL_Y, 0);
    input_report(&server, EV_REL, REL_WHEEL, 1); /* which it does not have */
    settle();
    reads(&file, "");
    input_report(&server, EV_KEY, KEY_A, 1);
    input_sync(&server);
    settle();
    reads(&file, "2.0=3 1.30=1 0.0=0 ");
    key(KEY_A, 1);
    reads(&file, "");
    key(KEY_A, 0);
    reads(&file, "1.30=0 0.0=0 ");
    for (int i = 0; i < 2; i++) {
        input_report(&server, EV_ABS, ABS_X, 7);
        input_sync(&server);
    }
    settle();
    reads(&file, "3.0=7 0.0=0 ");
    CHECK(!strcmp(typed, "a"));
    file.operations->release(&file);
    end();
}

TEST(many_readers_and_a_grab) {
    struct file first, second;
    start();
    file_open(&first);
    file_open(&second);
    key(KEY_ENTER, 1);
    reads(&first, "1.28=1 0.0=0 ");
    reads(&second, "1.28=1 0.0=0 ");
    CHECK_EQ(first.operations->ioctl(&first, EVIOCGRAB, 1), 0);
    CHECK_EQ(second.operations->ioctl(&second, EVIOCGRAB, 1), -EBUSY);
    key(KEY_A, 1);
    key(KEY_A, 0);
    reads(&first, "1.30=1 0.0=0 1.30=0 0.0=0 ");
    reads(&second, "");
    CHECK(!strcmp(typed, "\r"));
    first.operations->release(&first); /* and lets go */
    key(KEY_A, 1);
    reads(&second, "1.30=1 0.0=0 ");
    second.operations->release(&second);
    end();
}

TEST(overflow_of_a_file) {
    struct file file;
    start();
    file_open(&file);
    for (int i = 0; i < 100; i++)
        key(KEY_A, i & 1 ? 0 : 1);
    const char *text = events_read(&file);
    CHECK(!strncmp(text, "0.3=0 ", 6) && !strcmp(text + strlen(text) - 13, "1.30=0 0.0=0 "));
    file.operations->release(&file);
    end();
}

TEST(overflow_of_the_link) {
    struct file file;
    start();
    file_open(&file);
    key(KEY_A, 1);
    reads(&file, "1.30=1 0.0=0 ");
    for (int i = 0; i < 400; i++) { /* the client sleeps */
        input_report(&server, EV_REL, REL_X, 1);
        input_sync(&server);
    }
    called = true;
    settle();
    input_sync(&server);
    settle();
    (void)events_read(&file);
    unsigned long pressed[INPUT_KEY_WORDS] = {1};
    CHECK(file.operations->ioctl(&file, 0x80604518 /* EVIOCGKEY(96) */, (uintptr_t)pressed) > 0 &&
          pressed[0] == 0);
    key(KEY_A, 1);
    reads(&file, "1.30=1 0.0=0 ");
    file.operations->release(&file);
    end();
}

TEST(repeat) {
    struct file file;
    start();
    file_open(&file);
    now = 1000000000;
    key(KEY_A, 1);
    CHECK(armed && armed->deadline == now + 250000000);
    now = armed->deadline;
    armed->fire(armed);
    CHECK(armed->deadline == now + 33000000);
    reads(&file, "1.30=1 0.0=0 1.30=2 0.0=1 ");
    CHECK(!strcmp(typed, "aa"));
    key(KEY_A, 0);
    armed->fire(armed);
    reads(&file, "1.30=0 0.0=0 ");
    file.operations->release(&file);
    end();
}

TEST(lights) {
    start();
    key(KEY_CAPS_LOCK, 1);
    CHECK(to_device.type == EV_LED && to_device.code == LED_CAPSL && to_device.value == 1);
    key(KEY_CAPS_LOCK, 0);
    key(KEY_A, 1);
    key(KEY_CAPS_LOCK, 1);
    CHECK(to_device.code == LED_CAPSL && to_device.value == 0);
    CHECK(!strcmp(typed, "A"));
    end();
}

TEST(a_driver_that_starts_again) {
    struct file file;
    start();
    file_open(&file);
    key(KEY_A, 1);
    ((struct link_header *)area)->generation = 0; /* it died, with the key held */
    called = true;
    settle();
    reads(&file, "1.30=1 0.0=0 1.30=0 0.0=0 ");
    driver_start("Keys");
    key(KEY_A, 1);
    reads(&file, "1.30=1 0.0=0 ");
    driver_start("Others"); /* another device at the same place */
    CHECK(!strcmp(node, "input/event5"));
    reads(&file, "gone");
    file.operations->release(&file);
    input_server_withdraw(&server);
    settle();
    CHECK(!node[0]);
    driver_start(NULL);
    CHECK(!node[0]);
    end();
}

TEST(any_description) {
    struct input_description *shown = (void *)(area + INPUT_DESCRIPTION);
    srand(1);
    start();
    for (int i = 0; i < 3000; i++) {
        for (unsigned k = 0; k < 30; k++) {
            uint8_t *bytes = (uint8_t *)shown + 4;
            bytes[(unsigned)rand() % (i % 2 ? 200 : sizeof *shown - 4)] = (uint8_t)rand();
        }
        shown->count = i % 5 ? (unsigned)rand() % 20 : (unsigned)rand();
        shown->version = (shown->version | 1) + 1;
        called = true;
        settle();
        for (unsigned k = 0; k < 20; k++)
            input_report(&server, (enum input_type)(rand() % 0x30), (unsigned)rand() & 0x3ff, rand());
        input_sync(&server);
        settle();
    }
    end();
}

TEST_MAIN();
