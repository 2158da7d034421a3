/*
 * The container's terminal (--tty) or streams (--stream), see console.h. The terminal's link is guarded by
 * the tty's lock: the tty calls the driver with it held, and the link's thread takes it.
 */
#include "linux/io/console.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/device.h"
#include "linux/fs/file.h"
#include "linux/io/anon.h"
#include "linux/io/link.h"
#include "linux/io/stream.h"
#include "linux/io/tty.h"
#include "linux/io/tty_internal.h"
#include "linux/platform.h"
#include "linux/task.h"

static bool tty_mode;
static struct tty *console_tty;
static struct stream streams[2]; /* standard input and output; standard error */

/* ---- the terminal's driver ---- */

static struct console_terminal {
    struct link link;
    uint8_t held[CONSOLE_RX_BUFFER_SIZE]; /* received, not yet taken by the line discipline */
    size_t held_from, held_to;
} terminal;

/* Fills the link from the output ring; asks for an event when not everything fits. */
static void terminal_output(struct tty *tty) {
    const uint8_t *bytes;
    size_t length;
    while (!tty->ldisc.stopped && (length = ldisc_output_peek(&tty->ldisc, &bytes)) > 0) {
        size_t taken = link_write(&terminal.link, bytes, length);
        ldisc_output_take(&tty->ldisc, taken);
        if (taken < length && !link_want_space(&terminal.link))
            return;
    }
    link_space_enough(&terminal.link);
}

/* Gives the line discipline what was received, as far as it takes it; the rest holds the sender up. */
static void terminal_input(struct tty *tty) {
    do {
        if (terminal.held_from == terminal.held_to) {
            terminal.held_from = 0;
            terminal.held_to = link_read(&terminal.link, terminal.held, sizeof terminal.held);
        }
        size_t length = terminal.held_to - terminal.held_from;
        size_t taken = tty_receive(tty, terminal.held + terminal.held_from, length);
        terminal.held_from += taken;
        if (taken < length)
            return;
    } while (terminal.held_to > 0 || link_readable(&terminal.link));
}

static bool terminal_drained(struct tty *tty) {
    (void)tty;
    if (link_drained(&terminal.link))
        return true;
    link_want_space(&terminal.link);
    return false;
}

static void terminal_event(void *context) {
    struct tty *tty = context;
    tty_lock(tty);
    terminal_input(tty);
    tty_push_output(tty);
    if (!waitq_empty(&tty->writers) && terminal_drained(tty))
        waitq_wake_all(&tty->writers);
    tty_unlock(tty);
}

static const struct tty_driver terminal_driver = {
    .name = "ttyS",
    .major = 4,
    .minor_base = 64,
    .output = terminal_output,
    .room = terminal_input,
    .drained = terminal_drained,
};

/* ---- device nodes ---- */

/* /dev/console does not become a controlling terminal by being opened. */
static int console_device_open(struct inode *inode, struct file *file) {
    bool console = device_major(inode->attributes.rdev) == 5;
    if (tty_mode)
        return tty_open_file(console_tty, file, console || file->flags & O_NOCTTY);
    if (!console)
        return -ENXIO;
    struct file *stream = stream_file(&streams[1], file->flags);
    if (!stream)
        return -ENOMEM;
    file->operations = stream->operations;
    file->data = stream->data;
    file_put(stream);
    return 0;
}

static const struct device serial_device = {
    .name = "ttyS0", .major = 4, .minor = 64, .minor_count = 1, .mode = 0600, .open = console_device_open};
static const struct device console_device = {
    .name = "console", .major = 5, .minor = 1, .minor_count = 1, .mode = 0600, .open = console_device_open};

/* ---- start ---- */

static int terminal_start(const struct console_options *options) {
    int error = link_open(&terminal.link, &options->console);
    if (error < 0)
        return error;
    console_tty = tty_create(&terminal_driver, 0, NULL);
    if (!console_tty)
        return -ENOMEM;
    struct termios64 settings = console_tty->ldisc.termios;
    settings.cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL;
    ldisc_set(&console_tty->ldisc, &settings);
    console_tty->winsize = options->winsize;
    error = link_start(&terminal.link, terminal_event, console_tty);
    if (error == 0) /* what arrived before the thread was there */
        terminal_event(console_tty);
    return error;
}

int console_start(const struct console_options *options) {
    tty_mode = options->tty;
    device_register(&console_device);
    if (!tty_mode) {
        int error = stream_open(&streams[0], &options->console);
        return error < 0 ? error : stream_open(&streams[1], &options->errors);
    }
    device_register(&serial_device);
    return terminal_start(options);
}

/* The terminal without its node in /dev, should the root file system hide it. */
static struct file *terminal_file(void) {
    static const struct inode_operations no_operations;
    struct inode *inode = anon_inode(ANON_INODE, S_IFCHR | 0600);
    if (!inode)
        return NULL;
    inode->operations = &no_operations;
    inode->attributes.rdev = tty_device_number(console_tty);
    struct file *file = anon_file_at(inode, &tty_file_operations, O_RDWR, NULL);
    if (file)
        tty_open_file(console_tty, file, true);
    inode_put(inode);
    return file;
}

struct file *console_standard_file(unsigned fd) {
    if (!tty_mode)
        return stream_file(&streams[fd == 2], fd == 0 ? O_RDONLY : O_WRONLY);
    struct file *file;
    if (file_open(NULL, "/dev/ttyS0", O_RDWR | O_NOCTTY, 0, &file) < 0)
        file = terminal_file();
    return file;
}

void console_take_control(struct process *first) {
    if (!tty_mode)
        return;
    mutex_lock(&tasks_lock);
    tty_take_control(console_tty, first);
    mutex_unlock(&tasks_lock);
}

/* ---- messages and the end ---- */

/* Waits a moment with the tty's lock dropped; works on threads that serve no task. */
static void terminal_pause(struct tty *tty) {
    enum { PAUSE_NS = 10000000 };
    struct waiter waiter = {.exclusive = false};
    waitq_add(&tty->writers, &waiter);
    terminal_drained(tty);
    tty_unlock(tty);
    thread_park(clock_monotonic() + PAUSE_NS);
    tty_lock(tty);
    waitq_remove(&tty->writers, &waiter);
}

static void terminal_message(struct tty *tty, const char *text, size_t length) {
    tty_lock(tty);
    for (size_t at = 0; at < length;) {
        at += ldisc_write(&tty->ldisc, (const uint8_t *)text + at, length - at);
        tty->driver->output(tty);
        if (at < length)
            terminal_pause(tty);
    }
    tty_unlock(tty);
}

void console_message(const char *text, size_t length) {
    if (tty_mode)
        terminal_message(console_tty, text, length);
    else
        stream_put(&streams[1], text, length);
}

static void terminal_flush(struct tty *tty) {
    tty_lock(tty);
    tty->ldisc.stopped = false; /* nobody is left to type ^Q */
    tty_push_output(tty);
    while (ldisc_output_length(&tty->ldisc) > 0 || !terminal_drained(tty)) {
        terminal_pause(tty);
        tty_push_output(tty);
    }
    tty_unlock(tty);
}

void console_flush(void) {
    if (tty_mode && console_tty)
        terminal_flush(console_tty);
    if (!tty_mode) {
        stream_flush(&streams[0]);
        stream_flush(&streams[1]);
    }
}
