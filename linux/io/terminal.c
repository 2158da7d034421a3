/* See terminal.h. */
#include "linux/io/terminal.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/heap.h"
#include "linux/io/tty_internal.h"
#include "linux/io/vt.h"
#include "linux/input/sound.h"
#include "linux/platform.h"

enum { BELL_HZ = 750, BELL_MS = 125 }; /* Linux's */

/* Fills the link from the output ring; asks for an event when not everything fits. */
static void terminal_output(struct tty *tty) {
    struct terminal *terminal = tty->data;
    const uint8_t *bytes;
    size_t length;
    while (!tty->ldisc.stopped && (length = ldisc_output_peek(&tty->ldisc, &bytes)) > 0) {
        size_t taken = link_write(&terminal->link, bytes, length);
        ldisc_output_take(&tty->ldisc, taken);
        if (taken < length && !link_want_space(&terminal->link))
            return;
    }
    link_space_enough(&terminal->link);
}

/* Gives the line discipline what was received, as far as it takes it; the rest holds the sender up. */
static void terminal_input(struct tty *tty) {
    struct terminal *terminal = tty->data;
    do {
        if (terminal->held_from == terminal->held_to) {
            terminal->held_from = 0;
            terminal->held_to = link_read(&terminal->link, terminal->held, sizeof terminal->held);
        }
        size_t length = terminal->held_to - terminal->held_from;
        size_t taken = tty_receive(tty, terminal->held + terminal->held_from, length);
        terminal->held_from += taken;
        if (taken < length)
            return;
    } while (terminal->held_to > 0 || link_readable(&terminal->link));
}

static void typed_give(struct terminal *terminal) {
    size_t taken = tty_receive(terminal->tty, terminal->typed, terminal->typed_length);
    terminal->typed_length -= taken;
    memmove(terminal->typed, terminal->typed + taken, terminal->typed_length);
}

static void display_input(struct tty *tty) {
    struct terminal *terminal = tty->data;
    terminal_input(tty);
    if (terminal->typed_length)
        typed_give(terminal);
}

void terminal_type(struct terminal *terminal, const uint8_t *bytes, size_t length) {
    tty_lock(terminal->tty);
    size_t room = TERMINAL_TYPED - terminal->typed_length;
    if (length > room)
        length = room;
    memcpy(terminal->typed + terminal->typed_length, bytes, length);
    terminal->typed_length += length;
    typed_give(terminal);
    tty_push_output(terminal->tty);
    tty_unlock(terminal->tty);
}

static bool terminal_drained(struct tty *tty) {
    struct terminal *terminal = tty->data;
    if (link_drained(&terminal->link))
        return true;
    link_want_space(&terminal->link);
    return false;
}

/* A size that the driver tells, once; a program may set another one afterwards. */
static void size_follow(struct terminal *terminal) {
    struct winsize size = {0};
    link_size(&terminal->link, &size.columns, &size.rows);
    if (!size.columns || !size.rows ||
        (size.columns == terminal->told.columns && size.rows == terminal->told.rows))
        return;
    terminal->told = size;
    tty_set_winsize(terminal->tty, &size);
}

/* Several in one go are one. */
static void bell_follow(struct terminal *terminal) {
    unsigned bells = link_bells(&terminal->link);
    if (bells != terminal->bells)
        sound_tone(BELL_HZ, BELL_MS);
    terminal->bells = bells;
}

static void terminal_event(void *context) {
    struct terminal *terminal = context;
    struct tty *tty = terminal->tty;
    size_follow(terminal);
    bell_follow(terminal);
    tty_lock(tty);
    terminal_input(tty);
    tty_push_output(tty);
    if (!waitq_empty(&tty->writers) && terminal_drained(tty))
        waitq_wake_all(&tty->writers);
    tty_unlock(tty);
}

static void port_release(struct tty *tty) {
    heap_free(tty->data);
}

static const struct tty_driver drivers[] = {
    [TERMINAL_SERIAL] =
        {
            .name = "ttyS",
            .major = 4,
            .minor_base = 64,
            .output = terminal_output,
            .room = terminal_input,
            .drained = terminal_drained,
        },
    [TERMINAL_DISPLAY] =
        {
            .name = "tty",
            .major = 4,
            .minor_base = 0,
            .output = terminal_output,
            .room = display_input,
            .drained = terminal_drained,
            .ioctl = vt_ioctl,
        },
    [TERMINAL_PORT] =
        {
            .name = "hvc",
            .major = TERMINAL_PORT_MAJOR,
            .minor_base = 0,
            .output = terminal_output,
            .room = terminal_input,
            .drained = terminal_drained,
            .release = port_release,
        },
};

static void control_flags_set(struct tty *tty, uint32_t flags) {
    struct termios64 settings = tty->ldisc.termios;
    settings.cflag = flags;
    ldisc_set(&tty->ldisc, &settings);
}

int terminal_open(struct terminal *terminal, enum terminal_kind kind, const struct console_handles *handles,
                  const struct winsize *winsize) {
    int error = link_open(&terminal->link, handles);
    if (error < 0)
        return error;
    struct tty *tty = tty_create(&drivers[kind], kind == TERMINAL_DISPLAY, terminal);
    if (!tty)
        return -ENOMEM;
    if (kind == TERMINAL_SERIAL)
        control_flags_set(tty, B115200 | CS8 | CREAD | HUPCL | CLOCAL);
    tty->winsize = *winsize;
    terminal->tty = tty;
    error = link_start(&terminal->link, terminal_event, terminal);
    if (error == 0) /* what arrived before the thread was there */
        terminal_event(terminal);
    return error;
}

/* ---- a port's ---- */

struct terminal *terminal_port_create(uint32_t number, struct port_client *port, handle_t kick) {
    struct terminal *terminal = heap_zalloc(sizeof *terminal);
    struct tty *tty = terminal ? tty_create(&drivers[TERMINAL_PORT], number, terminal) : NULL;
    if (!tty) {
        heap_free(terminal);
        return NULL;
    }
    control_flags_set(tty, B38400 | CS8 | CREAD | HUPCL);
    link_open_port(&terminal->link, port, kick);
    terminal->tty = tty;
    return terminal;
}

void terminal_port_event(struct terminal *terminal) {
    struct link *link = &terminal->link;
    tty_lock(terminal->tty);
    if (port_stale(link->port)) {
        port_begin(link->port);
        keel_event_signal(link->kick);
    }
    tty_unlock(terminal->tty);
    terminal_event(terminal);
}

void terminal_port_close(struct terminal *terminal) {
    struct tty *tty = terminal->tty;
    tty_lock(tty);
    link_close(&terminal->link);
    tty_unlock(tty);
    tty_hangup(tty);
    tty_put(tty);
}

/* ---- messages ---- */

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

void terminal_message(struct tty *tty, const char *text, size_t length) {
    tty_lock(tty);
    for (size_t at = 0; at < length;) {
        at += ldisc_write(&tty->ldisc, (const uint8_t *)text + at, length - at);
        tty->driver->output(tty);
        if (at < length)
            terminal_pause(tty);
    }
    tty_unlock(tty);
}

void terminal_flush(struct tty *tty, uint64_t deadline) {
    tty_lock(tty);
    tty->ldisc.stopped = false; /* nobody is left to type ^Q */
    tty_push_output(tty);
    while ((ldisc_output_length(&tty->ldisc) > 0 || !terminal_drained(tty)) && clock_monotonic() < deadline) {
        terminal_pause(tty);
        tty_push_output(tty);
    }
    tty_unlock(tty);
}
