/*
 * The container's terminals (--tty) or streams (--stream), see console.h: which of them there are, the nodes
 * in /dev, and which one the console is.
 */
#include "linux/io/console.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/device.h"
#include "linux/fs/file.h"
#include "linux/io/anon.h"
#include "linux/io/stream.h"
#include "linux/io/terminal.h"
#include "linux/io/tty.h"
#include "linux/platform.h"
#include "linux/system.h"
#include "linux/task.h"

static bool tty_mode;
static struct terminal serial, display;
static struct terminal *console; /* whose messages /dev/console takes; NULL: the streams */
static struct stream streams[2]; /* standard input and output; standard error */

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

/* /dev/console does not become a controlling terminal by being opened. */
static int console_device_open(struct inode *inode, struct file *file) {
    enum { CONSOLE_MAJOR = 5, SERIAL_MINOR = 64 };
    uint64_t number = inode->attributes.rdev;
    bool is_console = device_major(number) == CONSOLE_MAJOR;
    struct terminal *terminal = is_console                             ? console
                                : device_minor(number) == SERIAL_MINOR ? &serial
                                                                       : &display;
    if (is_console && !terminal)
        return stream_device_open(file);
    if (!terminal->tty)
        return -ENXIO;
    return tty_open_file(terminal->tty, file, is_console || file->flags & O_NOCTTY);
}

static const struct device serial_device = {
    .name = "ttyS0", .major = 4, .minor = 64, .minor_count = 1, .mode = 0600, .open = console_device_open};
static const struct device display_device = {
    .name = "tty1", .major = 4, .minor = 1, .minor_count = 1, .mode = 0600, .open = console_device_open};
/* The terminal that shows: there is one. */
static const struct device shown_device = {
    .name = "tty0", .major = 4, .minor = 0, .minor_count = 1, .mode = 0600, .open = console_device_open};
static const struct device console_device = {
    .name = "console", .major = 5, .minor = 1, .minor_count = 1, .mode = 0600, .open = console_device_open};

/* ---- start ---- */

/* The last console= on the kernel's command line decides, as on Linux. */
static bool display_is_console(void) {
    static const char option[] = "console=", name[] = "tty";
    bool found = false;
    for (const char *at = system_command_line; *at; at++) {
        if ((at != system_command_line && at[-1] != ' ') || strncmp(at, option, sizeof option - 1) != 0)
            continue;
        const char *value = at + sizeof option - 1;
        found = !strncmp(value, name, sizeof name - 1) && (value[3] == '0' || value[3] == '1') &&
                (value[4] == 0 || value[4] == ' ');
    }
    return found;
}

static int display_start(const struct console_options *options) {
    static const struct winsize until_told = {.rows = 25, .columns = 80};
    if (options->display.memory == HANDLE_NONE)
        return 0;
    device_register(&display_device);
    device_register(&shown_device);
    int error = terminal_open(&display, TERMINAL_DISPLAY, &options->display, &until_told);
    if (error == 0 && display_is_console())
        console = &display;
    return error;
}

static int streams_start(const struct console_options *options) {
    int error = stream_open(&streams[0], &options->console);
    return error < 0 ? error : stream_open(&streams[1], &options->errors);
}

static int serial_start(const struct console_options *options) {
    device_register(&serial_device);
    console = &serial;
    return terminal_open(&serial, TERMINAL_SERIAL, &options->console, &options->winsize);
}

int console_start(const struct console_options *options) {
    tty_mode = options->tty;
    device_register(&console_device);
    int error = tty_mode ? serial_start(options) : streams_start(options);
    return error < 0 ? error : display_start(options);
}

/* The terminal without its node in /dev, should the root file system hide it. */
static struct file *terminal_file(void) {
    static const struct inode_operations no_operations;
    struct inode *inode = anon_inode(ANON_INODE, S_IFCHR | 0600);
    if (!inode)
        return NULL;
    inode->operations = &no_operations;
    inode->attributes.rdev = tty_device_number(console->tty);
    struct file *file = anon_file_at(inode, &tty_file_operations, O_RDWR, NULL);
    if (file)
        tty_open_file(console->tty, file, true);
    inode_put(inode);
    return file;
}

struct file *console_standard_file(unsigned fd) {
    if (!tty_mode)
        return stream_file(&streams[fd == 2], fd == 0 ? O_RDONLY : O_WRONLY);
    struct file *file;
    const char *node = console == &display ? "/dev/tty1" : "/dev/ttyS0";
    if (file_open(NULL, node, O_RDWR | O_NOCTTY, 0, &file) < 0)
        file = terminal_file();
    return file;
}

void console_take_control(struct process *first) {
    if (!tty_mode)
        return;
    mutex_lock(&tasks_lock);
    tty_take_control(console->tty, first);
    mutex_unlock(&tasks_lock);
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
    if (console)
        terminal_message(console, text, length);
    if (!tty_mode)
        stream_put(&streams[1], text, length);
}

void console_flush(void) {
    if (serial.tty)
        terminal_flush(&serial);
    if (display.tty)
        terminal_flush(&display);
    if (!tty_mode) {
        stream_flush(&streams[0]);
        stream_flush(&streams[1]);
    }
}
