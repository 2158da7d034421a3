/*
 * N_TTY: what a received character does. Most are echoed and stored; those in ldisc->special may be flow
 * control, a signal, line editing or the end of a line.
 */
#include "linux/abi/signal.h"
#include "linux/io/ldisc_internal.h"

static bool has(const struct ldisc *ldisc, uint32_t lflags) {
    return (ldisc->termios.lflag & lflags) == lflags;
}

static bool is(const struct ldisc *ldisc, uint8_t byte, unsigned control) {
    return byte == ldisc->termios.cc[control];
}

static void store(struct ldisc *ldisc, uint8_t byte) {
    ldisc->input[ldisc->head++ % LDISC_INPUT] = byte;
}

/* With PARMRK a received 0xff is doubled, so that it differs from a mark. */
static void store_marked(struct ldisc *ldisc, uint8_t byte) {
    if (byte == 0xff && ldisc->termios.iflag & PARMRK)
        store(ldisc, byte);
    store(ldisc, byte);
}

/* ---- echo ---- */

/* Echo of a typed character: controls as ^X. 0xff goes past output processing, as in Linux (its echo queue
 * escapes it). */
static void echo(struct ldisc *ldisc, uint8_t byte) {
    if (byte == 0xff) {
        ldisc_put_raw(ldisc, byte);
        ldisc->column++;
        return;
    }
    if (!has(ldisc, ECHOCTL) || !ldisc_is_control(byte) || byte == '\t') {
        ldisc_put(ldisc, byte);
        return;
    }
    ldisc_put_raw(ldisc, '^');
    ldisc_put_raw(ldisc, byte ^ 0100);
    ldisc->column += 2;
}

static void erasing_end(struct ldisc *ldisc) {
    if (ldisc->erasing)
        ldisc_put(ldisc, '/');
    ldisc->erasing = false;
}

/* Echo of a character that will be stored; remembers where the line began, for erasing tabs. */
static void echo_stored(struct ldisc *ldisc, uint8_t byte) {
    if (ldisc->canon == ldisc->head)
        ldisc->canon_column = ldisc->column;
    echo(ldisc, byte);
}

static void echo_rubout(struct ldisc *ldisc) {
    ldisc_put(ldisc, '\b');
    ldisc_put(ldisc, ' ');
    ldisc_put(ldisc, '\b');
}

/* ---- erasing ---- */

/* Moves the cursor back over a tab that was erased: columns are counted from the tab before it, or from where
 * the line began. ldisc->head is where the tab stood. */
static void echo_erase_tab(struct ldisc *ldisc) {
    unsigned columns = 0;
    bool after_tab = false;
    for (uint32_t position = ldisc->head; position != ldisc->canon && !after_tab; position--) {
        uint8_t byte = ldisc_input_at(ldisc, position - 1);
        if (byte == '\t')
            after_tab = true;
        else if (ldisc_is_control(byte))
            columns += has(ldisc, ECHOCTL) ? 2 : 0;
        else if (!ldisc_is_continuation(ldisc, byte))
            columns++;
    }
    if (!after_tab)
        columns += ldisc->canon_column;
    for (unsigned back = 8 - (columns & 7); back > 0; back--) {
        ldisc_put_raw(ldisc, '\b');
        if (ldisc->column > 0)
            ldisc->column--;
    }
}

/* The hard-copy way: \ and the erased characters, closed by / later. */
static void echo_erase_printed(struct ldisc *ldisc, uint32_t first, uint32_t count) {
    if (!ldisc->erasing)
        ldisc_put(ldisc, '\\');
    ldisc->erasing = true;
    echo(ldisc, ldisc_input_at(ldisc, first));
    for (uint32_t i = 1; i < count; i++) {
        ldisc_put(ldisc, ldisc_input_at(ldisc, first + i));
        if (ldisc->column > 0)
            ldisc->column--;
    }
}

static void echo_erase(struct ldisc *ldisc, uint8_t byte, uint32_t count, bool one) {
    if (has(ldisc, ECHOPRT)) {
        echo_erase_printed(ldisc, ldisc->head, count);
    } else if (one && !has(ldisc, ECHOE)) {
        echo(ldisc, ldisc->termios.cc[VERASE]);
    } else if (byte == '\t') {
        echo_erase_tab(ldisc);
    } else {
        if (ldisc_is_control(byte) && has(ldisc, ECHOCTL))
            echo_rubout(ldisc);
        if (!ldisc_is_control(byte) || has(ldisc, ECHOCTL))
            echo_rubout(ldisc);
    }
}

static bool is_word(uint8_t byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           byte == '_' || (byte >= 0xc0 && byte != 0xd7 && byte != 0xf7);
}

enum erase_kind { ERASE_CHARACTER, ERASE_WORD, ERASE_LINE };

/* Where the last character (all its UTF-8 bytes) of the line begins; head when it has no beginning. */
static uint32_t last_character(const struct ldisc *ldisc) {
    uint32_t position = ldisc->head;
    do
        position--;
    while (ldisc_is_continuation(ldisc, ldisc_input_at(ldisc, position)) && position != ldisc->canon);
    return ldisc_is_continuation(ldisc, ldisc_input_at(ldisc, position)) ? ldisc->head : position;
}

static void erase_back(struct ldisc *ldisc, enum erase_kind kind) {
    bool seen_word = false;
    while (ldisc->head != ldisc->canon) {
        uint32_t position = last_character(ldisc);
        uint32_t count = ldisc->head - position;
        uint8_t byte = ldisc_input_at(ldisc, position);
        if (count == 0)
            break;
        if (kind == ERASE_WORD && seen_word && !is_word(byte))
            break;
        seen_word |= is_word(byte);
        ldisc->head = position;
        if (has(ldisc, ECHO))
            echo_erase(ldisc, byte, count, kind == ERASE_CHARACTER);
        if (kind == ERASE_CHARACTER)
            break;
    }
    if (ldisc->head == ldisc->canon && has(ldisc, ECHO))
        erasing_end(ldisc);
}

/* VKILL where the line cannot be wiped from the screen: forget it, echo the character. */
static void kill_silently(struct ldisc *ldisc) {
    ldisc->head = ldisc->canon;
    if (!has(ldisc, ECHO))
        return;
    erasing_end(ldisc);
    echo(ldisc, ldisc->termios.cc[VKILL]);
    if (has(ldisc, ECHOK))
        ldisc_put(ldisc, '\n');
}

/* VERASE, VKILL, VWERASE. */
static void erase(struct ldisc *ldisc, uint8_t byte) {
    if (ldisc->head == ldisc->canon)
        return;
    if (is(ldisc, byte, VERASE))
        erase_back(ldisc, ERASE_CHARACTER);
    else if (is(ldisc, byte, VWERASE) && has(ldisc, IEXTEN))
        erase_back(ldisc, ERASE_WORD);
    else if (has(ldisc, ECHO | ECHOK | ECHOKE | ECHOE))
        erase_back(ldisc, ERASE_LINE);
    else
        kill_silently(ldisc);
}

/* ---- the special characters ---- */

static void flow_start(struct ldisc *ldisc) {
    if (!ldisc->stopped_by_call)
        ldisc->stopped = false;
}

static bool receive_flow(struct ldisc *ldisc, uint8_t byte) {
    if (!(ldisc->termios.iflag & IXON))
        return false;
    if (is(ldisc, byte, VSTART)) {
        flow_start(ldisc);
        return true;
    }
    if (is(ldisc, byte, VSTOP)) {
        ldisc->stopped = true;
        return true;
    }
    return false;
}

static void raise_signal(struct ldisc *ldisc, int signo, uint8_t byte) {
    ldisc->signals |= 1U << signo;
    if (!has(ldisc, NOFLSH)) {
        ldisc_flush_output(ldisc);
        ldisc_flush_input(ldisc);
    }
    if (ldisc->termios.iflag & IXON)
        flow_start(ldisc);
    if (has(ldisc, ECHO))
        echo(ldisc, byte);
}

static bool receive_signal(struct ldisc *ldisc, uint8_t byte) {
    if (!has(ldisc, ISIG))
        return false;
    if (is(ldisc, byte, VINTR))
        raise_signal(ldisc, SIGINT, byte);
    else if (is(ldisc, byte, VQUIT))
        raise_signal(ldisc, SIGQUIT, byte);
    else if (is(ldisc, byte, VSUSP))
        raise_signal(ldisc, SIGTSTP, byte);
    else
        return false;
    return true;
}

static void any_character_starts(struct ldisc *ldisc) {
    if (ldisc->stopped && (ldisc->termios.iflag & (IXON | IXANY)) == (IXON | IXANY))
        flow_start(ldisc);
}

static void line_complete(struct ldisc *ldisc, uint8_t byte) {
    ldisc_mark_end(ldisc, ldisc->head);
    store(ldisc, byte);
    ldisc->canon = ldisc->head;
}

static void literal_begin(struct ldisc *ldisc) {
    ldisc->literal_next = true;
    if (!has(ldisc, ECHO))
        return;
    erasing_end(ldisc);
    if (has(ldisc, ECHOCTL)) {
        ldisc_put(ldisc, '^');
        ldisc_put(ldisc, '\b');
    }
}

static void reprint(struct ldisc *ldisc, uint8_t byte) {
    erasing_end(ldisc);
    echo(ldisc, byte);
    ldisc_put(ldisc, '\n');
    for (uint32_t position = ldisc->canon; position != ldisc->head; position++)
        echo(ldisc, ldisc_input_at(ldisc, position));
}

/* Canonical mode's special characters; false: an ordinary one after all. */
static bool receive_editing(struct ldisc *ldisc, uint8_t byte) {
    bool extended = has(ldisc, IEXTEN);
    if (is(ldisc, byte, VERASE) || is(ldisc, byte, VKILL) || (is(ldisc, byte, VWERASE) && extended)) {
        erase(ldisc, byte);
    } else if (is(ldisc, byte, VLNEXT) && extended) {
        literal_begin(ldisc);
    } else if (is(ldisc, byte, VREPRINT) && has(ldisc, ECHO | IEXTEN)) {
        reprint(ldisc, byte);
    } else if (byte == '\n') {
        if (ldisc->termios.lflag & (ECHO | ECHONL))
            ldisc_put(ldisc, '\n');
        line_complete(ldisc, byte);
    } else if (is(ldisc, byte, VEOF)) {
        line_complete(ldisc, 0);
    } else if (is(ldisc, byte, VEOL) || (is(ldisc, byte, VEOL2) && extended)) {
        if (has(ldisc, ECHO))
            echo_stored(ldisc, byte);
        if (byte == 0xff && ldisc->termios.iflag & PARMRK)
            store(ldisc, byte);
        line_complete(ldisc, byte);
    } else {
        return false;
    }
    return true;
}

static void receive_ordinary(struct ldisc *ldisc, uint8_t byte) {
    any_character_starts(ldisc);
    if (has(ldisc, ECHO)) {
        erasing_end(ldisc);
        echo_stored(ldisc, byte);
    }
    store_marked(ldisc, byte);
}

static void receive_special(struct ldisc *ldisc, uint8_t byte) {
    uint32_t iflag = ldisc->termios.iflag;
    if (receive_flow(ldisc, byte) || receive_signal(ldisc, byte))
        return;
    any_character_starts(ldisc);
    if (byte == '\r') {
        if (iflag & IGNCR)
            return;
        if (iflag & ICRNL)
            byte = '\n';
    } else if (byte == '\n' && iflag & INLCR) {
        byte = '\r';
    }
    if (has(ldisc, ICANON) && receive_editing(ldisc, byte))
        return;
    if (has(ldisc, ECHO)) {
        erasing_end(ldisc);
        if (byte == '\n')
            ldisc_put(ldisc, '\n');
        else
            echo_stored(ldisc, byte);
    }
    store_marked(ldisc, byte);
}

static uint8_t to_lower(uint8_t byte) {
    bool upper = (byte >= 'A' && byte <= 'Z') || (byte >= 0xc0 && byte <= 0xde && byte != 0xd7);
    return upper ? (uint8_t)(byte + 32) : byte;
}

void ldisc_receive_byte(struct ldisc *ldisc, uint8_t byte) {
    if (ldisc->termios.iflag & ISTRIP)
        byte &= 0x7f;
    if (ldisc->termios.iflag & IUCLC && has(ldisc, IEXTEN))
        byte = to_lower(byte);
    if (ldisc->literal_next) {
        ldisc->literal_next = false;
        receive_ordinary(ldisc, byte);
    } else if (has(ldisc, EXTPROC)) {
        store(ldisc, byte);
    } else if (ldisc->special[byte / 64] >> byte % 64 & 1) {
        receive_special(ldisc, byte);
    } else {
        receive_ordinary(ldisc, byte);
    }
}
