/* See manifest.h. */
#include "servers/devices/manifest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MOST = 5, LINE_MOST = 127, PAGE_BYTES = 4096, PORTS = 0x10000, IRQ_LINES = 48 };
enum { MEMORY_DEFAULT = 2 << 20, SIZE_MOST = 256 << 20 };

struct parser {
    struct manifest *manifest;
    unsigned line, count;
    char text[LINE_MOST + 1];
    char *words[WORDS_MOST + 1];
};

__attribute__((format(printf, 2, 3))) static bool fail(struct parser *parser, const char *format, ...) {
    char *error = parser->manifest->error;
    int used = snprintf(error, MANIFEST_ERROR, "%s:%u: ", parser->manifest->name, parser->line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error + used, (size_t)(MANIFEST_ERROR - used), format, arguments);
    va_end(arguments);
    return false;
}

static bool number_take(struct parser *parser, const char *word, uint64_t most, uint64_t *value) {
    char *end = NULL;
    if (word[0] >= '0' && word[0] <= '9')
        *value = strtoull(word, &end, 0);
    if (!end || *end || *value > most)
        return fail(parser, "\"%.20s\" is not a number up to %llu", word, (unsigned long long)most);
    return true;
}

static bool size_take(struct parser *parser, const char *word, uint32_t most, uint32_t *size) {
    char *end = NULL;
    uint64_t value = 0;
    if (word[0] >= '0' && word[0] <= '9')
        value = strtoull(word, &end, 0);
    if (end && *end && value <= SIZE_MOST) {
        value <<= *end == 'K' ? 10 : *end == 'M' ? 20 : 63;
        end++;
    }
    if (!end || *end || value == 0 || value > most)
        return fail(parser, "\"%.20s\" is not a size up to %u", word, most);
    *size = (uint32_t)value;
    return true;
}

/* The digits of text as a number, when it is exactly so many hexadecimal ones. */
static bool hex_take(const char *text, unsigned digits, uint32_t *value) {
    *value = 0;
    for (unsigned i = 0; i < digits; i++) {
        const char *place = text[i] ? strchr("0123456789abcdef", text[i]) : NULL;
        if (!place)
            return false;
        *value = *value << 4 | (uint32_t)(place - "0123456789abcdef");
    }
    return true;
}

static uint32_t power_of_two(uint32_t size) {
    uint32_t power = PAGE_BYTES;
    while (power < size)
        power *= 2;
    return power;
}

static bool match_pci(const char *word, struct manifest_match *match) {
    uint32_t vendor, device;
    if (strlen(word) != 9 || word[4] != ':' || !hex_take(word, 4, &vendor) || !hex_take(word + 5, 4, &device))
        return false;
    *match =
        (struct manifest_match){.kind = MATCH_PCI, .vendor = (uint16_t)vendor, .device = (uint16_t)device};
    return true;
}

static bool match_class(const char *word, struct manifest_match *match) {
    uint32_t upper, interface = 0;
    bool open = strlen(word) == 6 && strcmp(word + 4, "..") == 0;
    if (strlen(word) != 6 || !hex_take(word, 4, &upper) || (!open && !hex_take(word + 4, 2, &interface)))
        return false;
    *match = (struct manifest_match){
        .kind = MATCH_CLASS, .class_code = upper << 8 | interface, .class_mask = open ? 0xffff00 : 0xffffff};
    return true;
}

static bool match_acpi(const char *word, struct manifest_match *match) {
    match->kind = MATCH_HPET;
    return strcmp(word, "HPET") == 0;
}

static bool take_match(struct parser *parser) {
    struct manifest *manifest = parser->manifest;
    const char *kind = parser->words[1], *what = parser->count > 2 ? parser->words[2] : "";
    if (manifest->match_count == MANIFEST_MATCHES)
        return fail(parser, "more than %d matches", MANIFEST_MATCHES);
    struct manifest_match *match = &manifest->matches[manifest->match_count++];
    *match = (struct manifest_match){.kind = MATCH_ALWAYS};
    if ((strcmp(kind, "always") == 0 && parser->count == 2) ||
        (strcmp(kind, "acpi") == 0 && match_acpi(what, match)) ||
        (strcmp(kind, "pci") == 0 && match_pci(what, match)) ||
        (strcmp(kind, "class") == 0 && match_class(what, match)))
        return true;
    return fail(parser, "no device is described by \"%.10s %.20s\"", kind, what);
}

static bool take_offers(struct parser *parser) {
    static const char *const classes[] = {
        [DEVICES_BLOCK] = "block", [DEVICES_NET] = "net",
        [DEVICES_CHAR] = "char",   [DEVICES_FRAMEBUFFER] = "framebuffer",
        [DEVICES_INPUT] = "input", [DEVICES_CONSOLE] = "console",
        [DEVICES_USB] = "usb",
    };
    struct manifest *manifest = parser->manifest;
    if (manifest->link_count == MANIFEST_LINKS)
        return fail(parser, "more than %d links", MANIFEST_LINKS);
    struct manifest_link *link = &manifest->links[manifest->link_count++];
    size_t length = strlen(parser->words[2]);
    const char *percent = strchr(parser->words[2], '%');
    if (length > DEVICES_NAME - 4 || strchr(parser->words[2], '/') ||
        (percent && ((percent[1] != 'a' && percent[1] != 'd') || strchr(percent + 1, '%'))))
        return fail(parser, "\"%.20s\" is not a name for devices", parser->words[2]);
    memcpy(link->name, parser->words[2], length + 1);
    if (!size_take(parser, parser->words[3], MANIFEST_DMA_MOST, &link->size))
        return false;
    link->size = power_of_two(link->size);
    link->optional = parser->count == 5;
    if (link->optional && strcmp(parser->words[4], "optional") != 0)
        return fail(parser, "unknown word \"%.20s\"", parser->words[4]);
    for (uint32_t i = DEVICES_BLOCK; i < sizeof classes / sizeof classes[0]; i++)
        if (strcmp(parser->words[1], classes[i]) == 0)
            link->device_class = i;
    return link->device_class || fail(parser, "\"%.20s\" is no class of devices", parser->words[1]);
}

static bool take_dma(struct parser *parser) {
    if (!size_take(parser, parser->words[1], MANIFEST_DMA_MOST, &parser->manifest->dma))
        return false;
    parser->manifest->dma = power_of_two(parser->manifest->dma);
    return true;
}

static bool take_memory(struct parser *parser) {
    return size_take(parser, parser->words[1], SIZE_MOST, &parser->manifest->memory);
}

static bool take_vectors(struct parser *parser) {
    uint64_t value = 0;
    if (!number_take(parser, parser->words[1], MANIFEST_VECTORS, &value))
        return false;
    parser->manifest->vectors = (uint32_t)value;
    return true;
}

static bool take_irq(struct parser *parser) {
    struct manifest *manifest = parser->manifest;
    uint64_t value = 0;
    if (manifest->irq_count == MANIFEST_IRQS)
        return fail(parser, "more than %d interrupt lines", MANIFEST_IRQS);
    if (!number_take(parser, parser->words[1], IRQ_LINES - 1, &value))
        return false;
    manifest->irqs[manifest->irq_count++] = (uint32_t)value;
    return true;
}

static bool take_page(struct parser *parser) {
    uint64_t value = 0;
    if (!number_take(parser, parser->words[1], 5, &value))
        return false;
    parser->manifest->page_bar = (uint32_t)value;
    return parser->manifest->has_page = true;
}

static bool take_shows(struct parser *parser) {
    uint64_t value = 0;
    if (!number_take(parser, parser->words[1], 5, &value))
        return false;
    parser->manifest->shown_bar = (uint32_t)value;
    return parser->manifest->has_shown = true;
}

static bool range_take(struct parser *parser, bool ports, uint64_t end) {
    struct manifest *manifest = parser->manifest;
    struct manifest_range range = {.ports = ports};
    if (manifest->range_count == MANIFEST_RANGES)
        return fail(parser, "more than %d ranges", MANIFEST_RANGES);
    if (!number_take(parser, parser->words[1], end - 1, &range.base) ||
        !number_take(parser, parser->words[2], end, &range.length))
        return false;
    if (range.length == 0 || range.length > end - range.base)
        return fail(parser, "not a range");
    manifest->ranges[manifest->range_count++] = range;
    return true;
}

static bool take_ioport(struct parser *parser) {
    return range_take(parser, true, PORTS);
}
static bool take_mmio(struct parser *parser) {
    return range_take(parser, false, 1ULL << 46);
}

static bool statement_take(struct parser *parser) {
    static const struct {
        const char *keyword;
        unsigned least, most; /* words behind the keyword */
        bool (*take)(struct parser *parser);
    } statements[] = {
        {"match", 1, 2, take_match},   {"offers", 3, 4, take_offers},   {"dma", 1, 1, take_dma},
        {"memory", 1, 1, take_memory}, {"vectors", 1, 1, take_vectors}, {"ioport", 2, 2, take_ioport},
        {"irq", 1, 1, take_irq},       {"mmio", 2, 2, take_mmio},       {"page", 1, 1, take_page},
        {"shows", 1, 1, take_shows},
    };
    for (unsigned i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        if (strcmp(parser->words[0], statements[i].keyword) != 0)
            continue;
        unsigned behind = parser->count - 1;
        if (behind < statements[i].least || behind > statements[i].most)
            return fail(parser, "\"%s\" with %u words behind it", parser->words[0], behind);
        return statements[i].take(parser);
    }
    return fail(parser, "unknown word \"%.20s\"", parser->words[0]);
}

static bool line_take(struct parser *parser, const char *text, size_t length) {
    char *rest = parser->text, *word;
    if (length > LINE_MOST || memchr(text, 0, length))
        return fail(parser, "not a line of text of at most %d bytes", LINE_MOST);
    memcpy(parser->text, text, length);
    parser->text[length] = 0;
    parser->count = 0;
    while ((word = strsep(&rest, " \t")) != NULL) {
        if (!*word)
            continue;
        if (parser->count == 0 && word[0] == '#')
            return true;
        if (parser->count < WORDS_MOST)
            parser->words[parser->count] = word;
        parser->count++;
    }
    return parser->count == 0 || statement_take(parser);
}

bool manifest_parse(struct manifest *manifest, const char *name, const char *text, size_t length) {
    struct parser parser = {.manifest = manifest};
    *manifest = (struct manifest){.memory = MEMORY_DEFAULT, .vectors = 1};
    snprintf(manifest->name, sizeof manifest->name, "%s", name);
    for (size_t at = 0; at < length;) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t line = end ? (size_t)(end - (text + at)) : length - at;
        parser.line++;
        if (!line_take(&parser, text + at, line))
            return false;
        at += line + 1;
    }
    return manifest->match_count > 0 || fail(&parser, "no \"match\"");
}

bool manifest_matches(const struct manifest *manifest, enum match_kind kind) {
    for (unsigned i = 0; i < manifest->match_count; i++)
        if (manifest->matches[i].kind == kind)
            return true;
    return false;
}

unsigned manifest_fits(const struct manifest *manifest, const struct devices_pci *function) {
    unsigned best = 0;
    for (unsigned i = 0; i < manifest->match_count; i++) {
        const struct manifest_match *match = &manifest->matches[i];
        if (match->kind == MATCH_PCI && match->vendor == function->vendor &&
            match->device == function->device)
            return 2;
        if (match->kind == MATCH_CLASS && (function->class_code & match->class_mask) == match->class_code)
            best = 1;
    }
    return best;
}
