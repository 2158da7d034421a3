/*
 * N_TTY: settings, input storage, reading and output processing. What a received character does is in
 * ldisc_input.c. See ldisc.h for the picture and ldisc_internal.h for what the two files share.
 */
#include "linux/io/ldisc.h"

#include "lib/base/string.h"
#include "linux/io/ldisc_internal.h"

enum { ECHO_RESERVE = 256 }; /* room that program output leaves for echo */

static void special_add(struct ldisc *ldisc, uint8_t character) {
    ldisc->special[character / 64] |= 1ULL << character % 64;
}

static void special_add_control(struct ldisc *ldisc, unsigned index) {
    special_add(ldisc, ldisc->termios.cc[index]);
}

/* A control character of 0 is disabled, so 0 itself is never special. */
static void special_update(struct ldisc *ldisc) {
    static const uint8_t editing[] = {VERASE, VKILL, VEOF, VEOL}, extended[] = {VWERASE, VLNEXT, VEOL2};
    const struct termios64 *termios = &ldisc->termios;
    memset(ldisc->special, 0, sizeof ldisc->special);
    if (termios->iflag & (IGNCR | ICRNL))
        special_add(ldisc, '\r');
    if (termios->iflag & INLCR)
        special_add(ldisc, '\n');
    if (termios->lflag & ICANON) {
        special_add(ldisc, '\n');
        for (unsigned i = 0; i < sizeof editing; i++)
            special_add_control(ldisc, editing[i]);
        for (unsigned i = 0; i < sizeof extended && termios->lflag & IEXTEN; i++)
            special_add_control(ldisc, extended[i]);
        if ((termios->lflag & (IEXTEN | ECHO)) == (IEXTEN | ECHO))
            special_add_control(ldisc, VREPRINT);
    }
    if (termios->iflag & IXON) {
        special_add_control(ldisc, VSTART);
        special_add_control(ldisc, VSTOP);
    }
    if (termios->lflag & ISIG) {
        special_add_control(ldisc, VINTR);
        special_add_control(ldisc, VQUIT);
        special_add_control(ldisc, VSUSP);
    }
    ldisc->special[0] &= ~1ULL;
}

void ldisc_init(struct ldisc *ldisc, const struct termios64 *termios) {
    memset(ldisc, 0, offsetof(struct ldisc, input));
    ldisc->output.head = ldisc->output.tail = 0;
    ldisc->termios = *termios;
    special_update(ldisc);
}

/* Data read ahead when canonical mode changes: what is there becomes a line that needs no end. */
static void mode_changed(struct ldisc *ldisc) {
    memset(ldisc->line_end, 0, sizeof ldisc->line_end);
    ldisc->pushed = false;
    if (!ldisc_canonical(ldisc) || ldisc->head == ldisc->tail) {
        ldisc->canon = ldisc->tail;
    } else {
        ldisc_mark_end(ldisc, ldisc->head - 1);
        ldisc->canon = ldisc->head;
        ldisc->pushed = true;
    }
    ldisc->erasing = false;
    ldisc->literal_next = false;
}

void ldisc_set(struct ldisc *ldisc, const struct termios64 *termios) {
    struct termios64 old = ldisc->termios;
    ldisc->termios = *termios;
    if ((old.lflag ^ termios->lflag) & (ICANON | EXTPROC))
        mode_changed(ldisc);
    special_update(ldisc);
    if (old.iflag & IXON && !(termios->iflag & IXON) && !ldisc->stopped_by_call)
        ldisc->stopped = false;
}

static size_t input_length(const struct ldisc *ldisc) {
    return ldisc->head - ldisc->tail;
}

/* Places left, one kept free; a marked character may take three. */
static int32_t input_room(const struct ldisc *ldisc) {
    int32_t room = LDISC_INPUT - (int32_t)input_length(ldisc);
    if (ldisc->termios.iflag & PARMRK)
        room = (room + 2) / 3;
    return room - 1;
}

/* A line that is too long for the ring keeps its beginning; the last character is overwritten. */
static bool overflow_allowed(const struct ldisc *ldisc) {
    return ldisc->termios.lflag & ICANON && ldisc->canon == ldisc->tail;
}

bool ldisc_room(const struct ldisc *ldisc) {
    return input_room(ldisc) > 0 || overflow_allowed(ldisc);
}

size_t ldisc_receive(struct ldisc *ldisc, const uint8_t *bytes, size_t length) {
    size_t taken = 0;
    while (taken < length) {
        int32_t room = input_room(ldisc);
        if (room <= 0 && !overflow_allowed(ldisc))
            break;
        if (room < 0)
            ldisc->head--;
        ldisc_receive_byte(ldisc, bytes[taken++]);
    }
    return taken;
}

bool ldisc_readable(const struct ldisc *ldisc, bool poll) {
    if (ldisc_canonical(ldisc))
        return ldisc->canon != ldisc->tail;
    uint8_t minimum = ldisc->termios.cc[VMIN];
    size_t need = poll && !ldisc->termios.cc[VTIME] && minimum ? minimum : 1;
    return input_length(ldisc) >= need;
}

static bool end_of_file_at(const struct ldisc *ldisc, uint32_t position) {
    return ldisc_ends_line(ldisc, position) && ldisc_input_at(ldisc, position) == 0;
}

size_t ldisc_available(const struct ldisc *ldisc) {
    if (!ldisc_canonical(ldisc))
        return input_length(ldisc);
    size_t count = 0;
    for (uint32_t position = ldisc->tail; position != ldisc->canon; position++)
        count += !end_of_file_at(ldisc, position);
    return count;
}

static void end_consume(struct ldisc *ldisc, uint32_t position) {
    ldisc->line_end[position % LDISC_INPUT / 64] &= ~(1ULL << position % 64);
    ldisc->pushed = false;
}

static size_t read_line(struct ldisc *ldisc, uint8_t *to, size_t length, bool *end) {
    size_t count = 0;
    while (count < length && ldisc->tail != ldisc->canon) {
        uint32_t position = ldisc->tail++;
        bool last = ldisc_ends_line(ldisc, position);
        if (!last || ldisc_input_at(ldisc, position) != 0)
            to[count++] = ldisc_input_at(ldisc, position);
        if (last) {
            end_consume(ldisc, position);
            *end = true;
            return count;
        }
    }
    /* An end of file right behind a read that was filled belongs to it. */
    if (ldisc->tail != ldisc->canon && end_of_file_at(ldisc, ldisc->tail))
        end_consume(ldisc, ldisc->tail++);
    return count;
}

size_t ldisc_read(struct ldisc *ldisc, uint8_t *to, size_t length, bool *end) {
    *end = false;
    if (length == 0)
        return 0;
    if (ldisc_canonical(ldisc))
        return read_line(ldisc, to, length, end);
    size_t count = input_length(ldisc) < length ? input_length(ldisc) : length;
    for (size_t i = 0; i < count; i++)
        to[i] = ldisc_input_at(ldisc, ldisc->tail + (uint32_t)i);
    ldisc->tail += (uint32_t)count;
    /* Without canonical mode every byte is final: nothing before the tail can be edited any more. */
    if (ldisc->canon - ldisc->tail > LDISC_INPUT)
        ldisc->canon = ldisc->tail;
    return count;
}

void ldisc_put_raw(struct ldisc *ldisc, uint8_t byte) {
    struct ldisc_output *output = &ldisc->output;
    if (ldisc_output_room(ldisc) > 0)
        output->bytes[output->head++ % LDISC_OUTPUT] = byte;
}

static void put_tab(struct ldisc *ldisc) {
    unsigned spaces = 8 - (ldisc->column & 7);
    ldisc->column += spaces;
    if ((ldisc->termios.oflag & TABDLY) != XTABS) {
        ldisc_put_raw(ldisc, '\t');
        return;
    }
    while (spaces--)
        ldisc_put_raw(ldisc, ' ');
}

static void put_newline(struct ldisc *ldisc) {
    uint32_t oflag = ldisc->termios.oflag;
    if (oflag & ONLRET)
        ldisc->column = 0;
    if (oflag & ONLCR) {
        ldisc->column = 0;
        ldisc_put_raw(ldisc, '\r');
    }
    ldisc->canon_column = ldisc->column;
    ldisc_put_raw(ldisc, '\n');
}

static void put_return(struct ldisc *ldisc) {
    uint32_t oflag = ldisc->termios.oflag;
    if (oflag & ONOCR && ldisc->column == 0)
        return;
    if (oflag & OCRNL) {
        if (oflag & ONLRET)
            ldisc->canon_column = ldisc->column = 0;
        ldisc_put_raw(ldisc, '\n');
        return;
    }
    ldisc->canon_column = ldisc->column = 0;
    ldisc_put_raw(ldisc, '\r');
}

static uint8_t to_upper(uint8_t byte) {
    bool lower = (byte >= 'a' && byte <= 'z') || (byte >= 0xe0 && byte != 0xf7 && byte != 0xff);
    return lower ? (uint8_t)(byte - 32) : byte;
}

void ldisc_put(struct ldisc *ldisc, uint8_t byte) {
    if (!(ldisc->termios.oflag & OPOST)) {
        ldisc_put_raw(ldisc, byte);
        return;
    }
    switch (byte) {
    case '\n':
        put_newline(ldisc);
        return;
    case '\r':
        put_return(ldisc);
        return;
    case '\t':
        put_tab(ldisc);
        return;
    case '\b':
        if (ldisc->column > 0)
            ldisc->column--;
        break;
    default:
        if (ldisc_is_control(byte))
            break;
        if (ldisc->termios.oflag & OLCUC)
            byte = to_upper(byte);
        if (!ldisc_is_continuation(ldisc, byte))
            ldisc->column++;
    }
    ldisc_put_raw(ldisc, byte);
}

size_t ldisc_write(struct ldisc *ldisc, const uint8_t *bytes, size_t length) {
    enum { MOST = 8 }; /* bytes that one may become: a tab */
    size_t taken = 0;
    while (taken < length && ldisc_output_room(ldisc) >= ECHO_RESERVE + MOST)
        ldisc_put(ldisc, bytes[taken++]);
    return taken;
}

size_t ldisc_output_peek(struct ldisc *ldisc, const uint8_t **bytes) {
    uint32_t start = ldisc->output.tail % LDISC_OUTPUT;
    size_t length = ldisc_output_length(ldisc);
    *bytes = &ldisc->output.bytes[start];
    return length < LDISC_OUTPUT - start ? length : LDISC_OUTPUT - start;
}

void ldisc_output_take(struct ldisc *ldisc, size_t length) {
    ldisc->output.tail += (uint32_t)length;
}

void ldisc_flush_input(struct ldisc *ldisc) {
    ldisc->head = ldisc->canon = ldisc->tail;
    memset(ldisc->line_end, 0, sizeof ldisc->line_end);
    ldisc->erasing = false;
    ldisc->pushed = false;
    ldisc->flushed_input = true;
}

void ldisc_flush_output(struct ldisc *ldisc) {
    ldisc->output.tail = ldisc->output.head;
    ldisc->flushed_output = true;
}

void ldisc_stop(struct ldisc *ldisc) {
    ldisc->stopped = ldisc->stopped_by_call = true;
}

void ldisc_start(struct ldisc *ldisc) {
    if (!ldisc->stopped_by_call)
        return;
    ldisc->stopped = ldisc->stopped_by_call = false;
}
