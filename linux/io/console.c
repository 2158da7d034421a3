/*
 * The container's terminals (--tty) or streams (--stream), see console.h: which of them there are, the nodes
 * in /dev, and which one the console is.
 */
#include "linux/io/console.h"

#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/device.h"
#include "linux/fs/file.h"
#include "linux/io/anon.h"
#include "linux/io/port.h"
#include "linux/io/stream.h"
#include "linux/io/terminal.h"
#include "linux/io/tty.h"
#include "linux/platform.h"
#include "linux/system.h"
#include "linux/task.h"

enum { NODE_NAME = 24 };

static bool tty_mode;
static struct terminal serial, display;
static int hvc = -1;             /* the number of the port that shall be the console; -1: none */
static struct stream streams[2]; /* standard input and output; standard error */

enum choice { CHOOSE_SERIAL, CHOOSE_DISPLAY, CHOOSE_PORT };
static enum choice choice;

/* What /dev/console is, referenced; NULL: the streams. A port that is not there (any more) leaves it to the
 * serial line. */
static struct tty *console_get(void) {
    struct tty *tty = choice == CHOOSE_PORT ? hvc_find((uint32_t)hvc) : NULL;
    if (tty)
        return tty;
    tty = choice == CHOOSE_DISPLAY && display.tty ? display.tty : tty_mode ? serial.tty : NULL;
    return tty ? tty_get(tty) : NULL;
}

/* ---- device nodes ---- */

static int stream_device_open(struct file *file) {
    struct file *stream = stream_file(&streams[1], file->flags);
    if (!stream)
        return -ENOMEM;
    file->operations = stream->operations;
    file->data = stream->data;
    file_put(stream);
    return 0;
}

/* It does not become a controlling terminal by being opened. */
static int console_device_open(struct inode *inode, struct file *file) {
    struct tty *tty = console_get();
    (void)inode;
    int error = tty ? tty_open_file(tty, file, true) : stream_device_open(file);
    tty_put(tty);
    return error;
}

static int terminal_device_open(struct inode *inode, struct file *file) {
    enum { SERIAL_MINOR = 64 };
    struct tty *tty = device_minor(inode->attributes.rdev) == SERIAL_MINOR ? serial.tty : display.tty;
    return tty ? tty_open_file(tty, file, file->flags & O_NOCTTY) : -ENXIO;
}

static const struct device serial_device = {
    .name = "ttyS0", .major = 4, .minor = 64, .minor_count = 1, .mode = 0600, .open = terminal_device_open};
static const struct device display_device = {
    .name = "tty1", .major = 4, .minor = 1, .minor_count = 1, .mode = 0600, .open = terminal_device_open};
/* The terminal that shows: there is one. */
static const struct device shown_device = {
    .name = "tty0", .major = 4, .minor = 0, .minor_count = 1, .mode = 0600, .open = terminal_device_open};
static const struct device console_device = {
    .name = "console", .major = 5, .minor = 1, .minor_count = 1, .mode = 0600, .open = console_device_open};

/* ---- start ---- */

/* "tty0" and "tty1" are the display, "hvc0" … ports; anything else is the serial line. */
static void choose(const char *value) {
    choice = CHOOSE_SERIAL;
    if (!strncmp(value, "tty", 3) && (value[3] == '0' || value[3] == '1') &&
        (value[4] == 0 || value[4] == ' '))
        choice = CHOOSE_DISPLAY;
    if (strncmp(value, "hvc", 3) != 0 || value[3] < '0' || value[3] >= '0' + HVC_MOST ||
        (value[4] != 0 && value[4] != ' '))
        return;
    choice = CHOOSE_PORT;
    hvc = value[3] - '0';
}

/* The last console= on the kernel's command line decides, as on Linux. */
static void console_choose(void) {
    static const char option[] = "console=";
    for (const char *at = system_command_line; *at; at++)
        if ((at == system_command_line || at[-1] == ' ') && !strncmp(at, option, sizeof option - 1))
            choose(at + sizeof option - 1);
}

static int display_start(const struct console_options *options) {
    static const struct winsize until_told = {.rows = 25, .columns = 80};
    if (options->display.memory == HANDLE_NONE)
        return 0;
    device_register(&display_device);
    device_register(&shown_device);
    return terminal_open(&display, TERMINAL_DISPLAY, &options->display, &until_told);
}

static int streams_start(const struct console_options *options) {
    int error = stream_open(&streams[0], &options->console);
    return error < 0 ? error : stream_open(&streams[1], &options->errors);
}

static int serial_start(const struct console_options *options) {
    device_register(&serial_device);
    return terminal_open(&serial, TERMINAL_SERIAL, &options->console, &options->winsize);
}

int console_start(const struct console_options *options) {
    tty_mode = options->tty;
    console_choose();
    device_register(&console_device);
    ports_register();
    int error = tty_mode ? serial_start(options) : streams_start(options);
    return error < 0 ? error : display_start(options);
}

void console_wait(void) {
    if (choice == CHOOSE_PORT && !hvc_await((uint32_t)hvc))
        log_line("there is no hvc%d to be the console", hvc);
}

/* The terminal without its node in /dev, should the root file system hide it. */
static struct file *terminal_file(struct tty *tty) {
    static const struct inode_operations no_operations;
    struct inode *inode = anon_inode(ANON_INODE, S_IFCHR | 0600);
    if (!inode)
        return NULL;
    inode->operations = &no_operations;
    inode->attributes.rdev = tty_device_number(tty);
    struct file *file = anon_file_at(inode, &tty_file_operations, O_RDWR, NULL);
    if (file)
        tty_open_file(tty, file, true);
    inode_put(inode);
    return file;
}

struct file *console_standard_file(unsigned fd) {
    if (!tty_mode)
        return stream_file(&streams[fd == 2], fd == 0 ? O_RDONLY : O_WRONLY);
    struct tty *tty = console_get();
    struct file *file;
    char node[NODE_NAME];
    format_text(node, sizeof node, "/dev/%s%u", tty->driver->name, tty->index);
    if (file_open(NULL, node, O_RDWR | O_NOCTTY, 0, &file) < 0)
        file = terminal_file(tty);
    tty_put(tty);
    return file;
}

void console_take_control(struct process *first) {
    if (!tty_mode)
        return;
    struct tty *tty = console_get();
    mutex_lock(&tasks_lock);
    tty_take_control(tty, first);
    mutex_unlock(&tasks_lock);
    tty_put(tty);
}

/* ---- the keyboard ---- */

bool console_has_display(void) {
    return display.tty;
}

unsigned console_keyboard_modes(void) {
    return display.tty ? link_keyboard(&display.link) : 0;
}

void console_type(const uint8_t *bytes, size_t length) {
    if (display.tty)
        terminal_type(&display, bytes, length);
}

/* ---- messages and the end ---- */

void console_message(const char *text, size_t length) {
    struct tty *tty = console_get();
    if (tty)
        terminal_message(tty, text, length);
    tty_put(tty);
    if (!tty_mode)
        stream_put(&streams[1], text, length);
}

void console_flush(void) {
    ports_flush();
    if (serial.tty)
        terminal_flush(serial.tty, DEADLINE_NEVER);
    if (display.tty)
        terminal_flush(display.tty, DEADLINE_NEVER);
    if (!tty_mode) {
        stream_flush(&streams[0]);
        stream_flush(&streams[1]);
    }
}
