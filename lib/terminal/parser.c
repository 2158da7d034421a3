/*
 * Bytes to characters and sequences: UTF-8 in the ground state, and the states of DEC's terminals for escape
 * sequences. Control characters act inside a sequence as well; CAN, SUB and ESC end it. Malformed UTF-8 shows
 * as U+FFFD, one for each broken character, and never swallows a control character.
 */
#include "lib/terminal/internal.h"

enum { BELL = 7, CANCEL = 0x18, SUBSTITUTE = 0x1a, ESCAPE = 0x1b, DELETE = 0x7f };
enum { REPLACEMENT = 0xfffd, PARAMETER_MAX = 9999, PALETTE_DIGITS = 7 };

/* ---- characters ---- */

static void character_take(struct terminal *terminal, uint32_t character) {
    screen_put(terminal, charset_map(terminal->cursor.charsets[terminal->cursor.shift], character));
}

static void utf8_begin(struct terminal *terminal, uint8_t byte) {
    struct terminal_parser *parser = &terminal->parser;
    unsigned missing = byte >= 0xc2 && byte < 0xe0   ? 1
                       : byte >= 0xe0 && byte < 0xf0 ? 2
                       : byte >= 0xf0 && byte < 0xf5 ? 3
                                                     : 0;
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (missing == 0) {
        screen_put(terminal, REPLACEMENT);
        return;
    }
    parser->missing = (uint8_t)missing;
    parser->least = least[missing];
    parser->character = byte & (0x3fU >> missing);
}

static void utf8_continue(struct terminal *terminal, uint8_t byte) {
    struct terminal_parser *parser = &terminal->parser;
    parser->character = parser->character << 6 | (byte & 0x3f);
    if (--parser->missing)
        return;
    uint32_t character = parser->character;
    bool wrong =
        character < parser->least || character > 0x10ffff || (character >= 0xd800 && character < 0xe000);
    screen_put(terminal, wrong ? REPLACEMENT : character);
}

static void ground_take(struct terminal *terminal, uint8_t byte) {
    bool continues = terminal->utf8 && byte >= 0x80 && byte < 0xc0;
    if (terminal->parser.missing && continues) {
        utf8_continue(terminal, byte);
        return;
    }
    if (terminal->parser.missing) {
        terminal->parser.missing = 0;
        screen_put(terminal, REPLACEMENT);
    }
    if (byte < 0x80)
        character_take(terminal, byte);
    else if (terminal->utf8)
        utf8_begin(terminal, byte);
    else
        character_take(terminal,
                       terminal->cursor.charsets[terminal->cursor.shift] == TERMINAL_CP437 || byte >= 0xa0
                           ? byte
                           : REPLACEMENT);
}

/* ---- sequences ---- */

static void state_to(struct terminal *terminal, enum terminal_state state) {
    terminal->parser.state = state;
}

static void sequence_begin(struct terminal *terminal) {
    struct terminal_parser *parser = &terminal->parser;
    parser->state = TERMINAL_SEQUENCE;
    parser->parameters[0] = 0;
    parser->joined = 0;
    parser->count = 1;
    parser->private = parser->intermediate = 0;
}

/* A parameter too many is read and left out: the sequence as a whole is ignored. */
static void parameter_begin(struct terminal *terminal, bool joined) {
    struct terminal_parser *parser = &terminal->parser;
    if (parser->count == TERMINAL_PARAMETERS) {
        state_to(terminal, TERMINAL_SEQUENCE_IGNORED);
        return;
    }
    parser->joined |= (uint32_t)joined << parser->count;
    parser->parameters[parser->count++] = 0;
}

static void sequence_byte(struct terminal *terminal, uint8_t byte) {
    struct terminal_parser *parser = &terminal->parser;
    uint16_t *parameter = &parser->parameters[parser->count - 1];
    if (byte >= '0' && byte <= '9') {
        unsigned value = *parameter * 10U + byte - '0';
        *parameter = (uint16_t)(value > PARAMETER_MAX ? PARAMETER_MAX : value);
    } else if (byte == ';' || byte == ':') {
        parameter_begin(terminal, byte == ':');
    } else if (byte >= '<' && byte <= '?') {
        parser->private = byte;
    } else if (byte == '[' && parser->count == 1 && *parameter == 0 && !parser->private) {
        state_to(terminal, TERMINAL_FUNCTION_ECHO);
    } else if (byte >= ' ' && byte < '0') {
        parser->intermediate = byte;
    } else {
        state_to(terminal, TERMINAL_GROUND);
        if (byte >= '@' && byte < DELETE)
            sequence_take(terminal, byte);
    }
}

static void escape_byte(struct terminal *terminal, uint8_t byte) {
    if (byte >= ' ' && byte < '0') {
        terminal->parser.intermediate = byte;
        state_to(terminal, TERMINAL_ESCAPE_INTERMEDIATE);
        return;
    }
    state_to(terminal, TERMINAL_GROUND);
    if (byte == '[')
        sequence_begin(terminal);
    else if (byte == ']')
        state_to(terminal, TERMINAL_STRING_START);
    else if (byte == 'P' || byte == 'X' || byte == '^' || byte == '_')
        state_to(terminal, TERMINAL_STRING);
    else
        escape_take(terminal, 0, byte);
}

static void escape_intermediate_byte(struct terminal *terminal, uint8_t byte) {
    if (byte >= ' ' && byte < '0')
        return; /* the first one tells what it is about */
    state_to(terminal, TERMINAL_GROUND);
    escape_take(terminal, terminal->parser.intermediate, byte);
}

/* Linux: ESC ] P and seven digits set a colour, ESC ] R sets them back; both are ignored, and neither has an
 * end. */
static void string_start_byte(struct terminal *terminal, uint8_t byte) {
    terminal->parser.palette_digits = 0;
    state_to(terminal, byte == 'P' ? TERMINAL_PALETTE : byte == 'R' ? TERMINAL_GROUND : TERMINAL_STRING);
}

static void sequence_any(struct terminal *terminal, uint8_t byte) {
    switch (terminal->parser.state) {
    case TERMINAL_GROUND:
        ground_take(terminal, byte);
        return;
    case TERMINAL_ESCAPE:
        escape_byte(terminal, byte);
        return;
    case TERMINAL_ESCAPE_INTERMEDIATE:
        escape_intermediate_byte(terminal, byte);
        return;
    case TERMINAL_SEQUENCE:
        sequence_byte(terminal, byte);
        return;
    case TERMINAL_SEQUENCE_IGNORED:
        if (byte >= '@')
            state_to(terminal, TERMINAL_GROUND);
        return;
    case TERMINAL_FUNCTION_ECHO:
        state_to(terminal, TERMINAL_GROUND);
        return;
    case TERMINAL_STRING_START:
        string_start_byte(terminal, byte);
        return;
    case TERMINAL_PALETTE:
        if (++terminal->parser.palette_digits == PALETTE_DIGITS)
            state_to(terminal, TERMINAL_GROUND);
        return;
    case TERMINAL_STRING_ESCAPE: /* ESC \ ends the string; another one starts anew */
        escape_byte(terminal, byte);
        return;
    case TERMINAL_STRING:
        return;
    }
}

static bool in_string(const struct terminal *terminal) {
    return terminal->parser.state == TERMINAL_STRING || terminal->parser.state == TERMINAL_STRING_START;
}

static void control_byte(struct terminal *terminal, uint8_t byte) {
    if (terminal->parser.missing && terminal->parser.state == TERMINAL_GROUND) {
        terminal->parser.missing = 0;
        screen_put(terminal, REPLACEMENT);
    }
    if (byte == ESCAPE) {
        state_to(terminal, in_string(terminal) ? TERMINAL_STRING_ESCAPE : TERMINAL_ESCAPE);
        terminal->parser.intermediate = 0;
    } else if (byte == CANCEL || byte == SUBSTITUTE || (byte == BELL && in_string(terminal))) {
        state_to(terminal, TERMINAL_GROUND);
    } else if (!in_string(terminal)) {
        control_take(terminal, byte);
    }
}

void terminal_write(struct terminal *terminal, const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i < length; i++) {
        if (at[i] < ' ')
            control_byte(terminal, at[i]);
        else if (at[i] != DELETE)
            sequence_any(terminal, at[i]);
    }
    terminal->changed |= length > 0;
}
