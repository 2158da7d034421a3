/*
 * The display driver: a terminal (lib/terminal) on the framebuffer that the boot path found, or else on VGA
 * text, and a console link (abi/console.h) to the program that writes to it, which has the keyboard: it is
 * told how cursor keys and keypad are to send, and gets what the terminal itself has to answer.
 *
 *   display --link=NAME [--framebuffer=…]
 *
 * Handles: "NAME", "NAME.kick", "NAME.call"; "framebuffer" and "font", a PSF2 file;
 * "mmio.b8000" and "ioport.3c0"; "log". Without anything to show on, the link is a sink, and the log says
 * why. The kernel's log up to the start is shown first, as on any console.
 *
 * A chain is given back once what it wrote is on the screen. Text that comes faster than it can be shown is
 * shown by the screenful.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/console.h"
#include "drivers/display/screen.h"
#include "lib/console/start.h"
#include "lib/native/ipc.h"
#include "lib/native/keel.h"

enum { KEY_KICK = 1, PORT_QUEUE = 8, CHAINS_PER_ROUND = CONSOLE_QUEUE_SIZE };

struct display {
    struct screen screen;
    struct terminal terminal;
    struct link link;
    bool sink;       /* nothing to show on */
    bool complained; /* about this session's broken rings */
    handle_t port, call;
};

static const char usage[] = "display --link=NAME [--framebuffer=DESCRIPTION]";

/* ---- what there is to show on ---- */

static uint64_t vmo_length(handle_t vmo) {
    struct vmo_info info = {0};
    return keel_object_info(vmo, keel_pointer(&info), sizeof info) < 0 ? 0 : info.size;
}

/* A memory object as a whole; NULL when it was not given. */
static void *vmo_show(const char *name, uint64_t flags, uint64_t *length) {
    handle_t vmo = handle_find(name);
    *length = vmo == HANDLE_NONE ? 0 : vmo_length(vmo);
    uint64_t pages = (*length + 4095) & ~4095ULL;
    return pages ? memory_map(vmo, 0, pages, flags) : NULL;
}

static const char *pixels_try(struct screen *screen, const char *description) {
    uint64_t font_length, length;
    const uint8_t *font = vmo_show("font", MAP_READ, &font_length);
    volatile uint8_t *memory = vmo_show("framebuffer", MAP_READ | MAP_WRITE, &length);
    if (!font || !memory)
        return font ? "it cannot be mapped" : "there is no font";
    const char *problem = font_open(&screen->font, font, font_length);
    return problem ? problem : pixels_open(&screen->pixels, description, memory, length);
}

static const char *vga_try(struct screen *screen) {
    handle_t ports = handle_find("ioport.3c0"), resource = handle_find("mmio.b8000");
    int64_t vmo = keel_vmo_physical(resource, VGA_MEMORY, VGA_MEMORY_SIZE);
    if (vmo < 0)
        return "the VGA's memory cannot be used";
    volatile void *memory = memory_map((handle_t)vmo, 0, VGA_MEMORY_SIZE, MAP_READ | MAP_WRITE);
    return vga_open(&screen->vga, ports, memory);
}

static const char *framebuffer_option(char **arguments) {
    static const char prefix[] = "--framebuffer=";
    for (; *arguments; arguments++)
        if (strncmp(*arguments, prefix, strlen(prefix)) == 0)
            return *arguments + strlen(prefix);
    return NULL;
}

static bool screen_find(struct screen *screen, char **arguments) {
    const char *description = framebuffer_option(arguments);
    if (description) {
        const char *problem = pixels_try(screen, description);
        if (!problem)
            return screen_open(screen, SCREEN_PIXELS);
        log_line("the framebuffer cannot be used: %s", problem);
    }
    const char *problem = vga_try(screen);
    if (!problem)
        return screen_open(screen, SCREEN_VGA);
    log_line("%s; nothing is shown", problem);
    return false;
}

/* ---- the terminal ---- */

static void log_show(struct display *display) {
    handle_t log = handle_find("log");
    char bytes[512];
    uint64_t at = 0;
    int64_t length;
    terminal_write(&display->terminal, "\033[20h", 5); /* a line feed is a new line in the log */
    while ((length = keel_log_read(log, at, keel_pointer(bytes), sizeof bytes)) > 0) {
        terminal_write(&display->terminal, bytes, (size_t)length);
        at += (uint64_t)length;
    }
    terminal_write(&display->terminal, "\033[20l", 5);
}

static void size_tell(struct display *display) {
    struct console_header *header = (struct console_header *)display->link.area;
    ring_store(header->columns, (uint16_t)display->screen.columns);
    ring_store(header->rows, (uint16_t)display->screen.rows);
    (void)keel_event_signal(display->call);
}

static void terminal_open(struct display *display, char **arguments) {
    display->sink = !screen_find(&display->screen, arguments);
    if (display->sink)
        return;
    void *memory = malloc(terminal_memory(display->screen.columns, display->screen.rows));
    if (!memory)
        start_fail("the terminal", -ENOMEM);
    terminal_init(&display->terminal, display->screen.columns, display->screen.rows, memory);
    display->terminal.bells = ring_load(((struct console_header *)display->link.area)->bells);
    log_show(display);
    screen_show(&display->screen, &display->terminal);
    size_tell(display);
}

/* ---- what goes back ---- */

static void keyboard_modes(struct display *display) {
    struct console_header *header = (struct console_header *)display->link.area;
    uint32_t modes = display->terminal.modes;
    ring_store(header->keyboard, (modes & TERMINAL_CURSOR_KEYS ? KEYBOARD_CURSOR_KEYS : 0U) |
                                     (modes & TERMINAL_KEYPAD ? KEYBOARD_KEYPAD : 0U));
}

/* Who has a speaker rings it. */
static void bells_tell(struct display *display) {
    struct console_header *header = (struct console_header *)display->link.area;
    if (ring_load(header->bells) == display->terminal.bells)
        return;
    ring_store(header->bells, display->terminal.bells);
    (void)keel_event_signal(display->call);
}

/* The terminal's answers; what finds no room waits where it is. */
static void input_run(struct display *display) {
    char bytes[64];
    if (link_room(&display->link) >= sizeof bytes) {
        size_t length = terminal_answers(&display->terminal, bytes, sizeof bytes);
        for (size_t i = 0; i < length; i++)
            link_receive(&display->link, (uint8_t)bytes[i]);
    }
    link_deliver(&display->link);
}

/* ---- the loop ---- */

static void output_run(struct display *display) {
    uint8_t bytes[CONSOLE_TX_BUFFER_SIZE];
    size_t length;
    for (unsigned chains = 0; chains < CHAINS_PER_ROUND && link_pending(&display->link); chains++) {
        while ((length = link_take(&display->link, bytes, sizeof bytes)) > 0)
            if (!display->sink)
                terminal_write(&display->terminal, bytes, length);
        link_sent(&display->link);
    }
    if (display->sink || !display->terminal.changed)
        return;
    screen_show(&display->screen, &display->terminal);
    keyboard_modes(display);
    bells_tell(display);
}

static void session_check(struct display *display) {
    if (link_follow(&display->link))
        display->complained = false;
    if (link_broken(&display->link) && !display->complained) {
        log_line("the client's rings are invalid; waiting for a new session");
        display->complained = true;
    }
}

static _Noreturn void display_run(struct display *display) {
    struct port_packet packet;
    for (;;) {
        session_check(display);
        link_busy(&display->link);
        output_run(display);
        input_run(display);
        if (link_publish(&display->link))
            (void)keel_event_signal(display->call);
        int64_t result =
            link_await(&display->link) ? 0 : packet_receive(display->port, DEADLINE_NEVER, &packet);
        if (result < 0)
            start_fail("port_receive", result);
    }
}

int main(int argc, char **argv) {
    static struct display display;
    (void)argc;
    const char *name = option_need(argv, "--link=", usage);
    display.port = object_make(OBJECT_PORT, PORT_QUEUE, 0);
    display.call = link_open(&display.link, name, display.port, KEY_KICK);
    terminal_open(&display, argv);
    keyboard_modes(&display);
    display_run(&display);
}
