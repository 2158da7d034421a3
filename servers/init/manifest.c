/* See manifest.h. A statement is a keyword with a fixed number of words behind it and a function that takes
 * them. */
#include "servers/init/manifest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/rights.h"

enum { WORDS_MAX = 3, LINE_MAX_BYTES = 255, IO_PORTS = 0x10000, IRQ_LINES = 256 };
#define MMIO_MOST (1ULL << 52)

struct parser {
    struct manifest *manifest;
    struct manifest_service *service; /* the open block; NULL before the first */
    unsigned line;
    char text[LINE_MAX_BYTES + 1];
    char *words[WORDS_MAX + 1];
    unsigned word_count;
};

__attribute__((format(printf, 3, 4))) static bool fail(struct parser *parser, unsigned line,
                                                       const char *format, ...) {
    char *error = parser->manifest->error;
    int used = snprintf(error, MANIFEST_ERROR, "manifest:%u: ", line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error + used, (size_t)(MANIFEST_ERROR - used), format, arguments);
    va_end(arguments);
    return false;
}

static bool fail_here(struct parser *parser, const char *what, const char *word) {
    return fail(parser, parser->line, "%s \"%.40s\"", what, word);
}

static bool number_read(const char *word, uint64_t limit, uint64_t *value, const char **end) {
    if (word[0] < '0' || word[0] > '9')
        return false;
    char *stop;
    unsigned long long read = strtoull(word, &stop, 0);
    if (read > limit)
        return false;
    *value = read;
    *end = stop;
    return true;
}

/* A whole word as a number of at most limit. */
static bool number_take(struct parser *parser, const char *word, uint64_t limit, uint64_t *value) {
    const char *end;
    if (!number_read(word, limit, value, &end) || *end)
        return fail(parser, parser->line, "\"%.40s\" is not a number up to %llu", word,
                    (unsigned long long)limit);
    return true;
}

static bool name_take(struct parser *parser, const char *word, char name[MANIFEST_NAME]) {
    size_t length = strlen(word);
    if (length >= MANIFEST_NAME || strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-") != length)
        return fail(parser, parser->line, "\"%.40s\" is not a name: up to %d of a-z 0-9 -", word,
                    MANIFEST_NAME - 1);
    memcpy(name, word, length + 1);
    return true;
}

static bool text_take(struct parser *parser, const char *word, char text[MANIFEST_TEXT]) {
    size_t length = strlen(word);
    if (length >= MANIFEST_TEXT)
        return fail(parser, parser->line, "\"%.40s\"… is longer than %d bytes", word, MANIFEST_TEXT - 1);
    memcpy(text, word, length + 1);
    return true;
}

/* A file is named once per block. */
static bool file_take(struct parser *parser, char text[MANIFEST_TEXT]) {
    if (text[0])
        return fail_here(parser, "given twice:", parser->words[0]);
    return text_take(parser, parser->words[1], text);
}

static bool count_check(struct parser *parser, unsigned count, unsigned limit) {
    if (count < limit)
        return true;
    return fail(parser, parser->line, "more than %u of \"%s\" in one service", limit, parser->words[0]);
}

static bool take_service(struct parser *parser) {
    struct manifest *manifest = parser->manifest;
    char name[MANIFEST_NAME];
    if (!name_take(parser, parser->words[1], name))
        return false;
    for (unsigned i = 0; i < manifest->count; i++)
        if (strcmp(manifest->services[i].name, name) == 0)
            return fail(parser, parser->line, "service \"%s\" stands at line %u already", name,
                        manifest->services[i].line);
    if (manifest->count == MANIFEST_SERVICES)
        return fail(parser, parser->line, "more than %d services", MANIFEST_SERVICES);
    parser->service = &manifest->services[manifest->count++];
    memcpy(parser->service->name, name, sizeof name);
    parser->service->line = parser->line;
    return true;
}

static bool take_program(struct parser *parser) {
    return file_take(parser, parser->service->program);
}

static bool take_arguments(struct parser *parser) {
    return file_take(parser, parser->service->arguments_file);
}

static bool take_argument(struct parser *parser) {
    struct manifest_service *service = parser->service;
    if (!count_check(parser, service->argument_count, MANIFEST_ARGUMENTS))
        return false;
    return text_take(parser, parser->words[1], service->arguments[service->argument_count++]);
}

static bool take_ioport(struct parser *parser) {
    struct manifest_service *service = parser->service;
    uint64_t base = 0, length = 0;
    if (!count_check(parser, service->ioport_count, MANIFEST_IOPORTS) ||
        !number_take(parser, parser->words[1], IO_PORTS - 1, &base) ||
        !number_take(parser, parser->words[2], IO_PORTS, &length))
        return false;
    if (length == 0 || length > IO_PORTS - base)
        return fail(parser, parser->line, "I/O ports 0x%x + 0x%x do not lie below 0x%x", (unsigned)base,
                    (unsigned)length, IO_PORTS);
    service->ioports[service->ioport_count++] = (struct manifest_ioport){(uint32_t)base, (uint32_t)length};
    return true;
}

static bool take_mmio(struct parser *parser) {
    struct manifest_service *service = parser->service;
    uint64_t base = 0, length = 0;
    if (!count_check(parser, service->mmio_count, MANIFEST_MMIOS) ||
        !number_take(parser, parser->words[1], MMIO_MOST, &base) ||
        !number_take(parser, parser->words[2], MMIO_MOST, &length))
        return false;
    service->mmios[service->mmio_count++] = (struct manifest_mmio){base, length};
    return true;
}

static bool take_irq(struct parser *parser) {
    struct manifest_service *service = parser->service;
    uint64_t line = 0;
    if (!count_check(parser, service->irq_count, MANIFEST_IRQS) ||
        !number_take(parser, parser->words[1], IRQ_LINES - 1, &line))
        return false;
    service->irqs[service->irq_count++] = (uint32_t)line;
    return true;
}

static bool take_file(struct parser *parser) {
    struct manifest_service *service = parser->service;
    if (!count_check(parser, service->file_count, MANIFEST_FILES))
        return false;
    struct manifest_file *file = &service->files[service->file_count++];
    return name_take(parser, parser->words[1], file->name) && text_take(parser, parser->words[2], file->path);
}

static bool flag_take(bool *flag) {
    return *flag = true;
}
static bool take_log(struct parser *parser) {
    return flag_take(&parser->service->log);
}
static bool take_info(struct parser *parser) {
    return flag_take(&parser->service->info);
}
static bool take_debug(struct parser *parser) {
    return flag_take(&parser->service->debug);
}
static bool take_realtime(struct parser *parser) {
    return flag_take(&parser->service->realtime);
}
static bool take_dma(struct parser *parser) {
    return flag_take(&parser->service->dma);
}
static bool take_job(struct parser *parser) {
    return flag_take(&parser->service->job);
}
static bool take_interrupts(struct parser *parser) {
    return flag_take(&parser->service->interrupts);
}
static bool take_boot(struct parser *parser) {
    return flag_take(&parser->service->boot);
}
static bool take_late(struct parser *parser) {
    return flag_take(&parser->service->late);
}
static bool take_archive(struct parser *parser) {
    return flag_take(&parser->service->archive);
}
static bool take_power(struct parser *parser) {
    return flag_take(&parser->service->power);
}
static bool take_root(struct parser *parser) {
    return flag_take(&parser->service->root);
}

static bool take_framebuffer(struct parser *parser) {
    return flag_take(&parser->service->framebuffer);
}

/* N%, or N bytes with a suffix. */
static bool take_memory(struct parser *parser) {
    static const char suffixes[] = "KMG";
    struct manifest_service *service = parser->service;
    const char *word = parser->words[1], *end;
    uint64_t value = 0;
    if (service->memory_bytes || service->memory_percent)
        return fail_here(parser, "given twice:", parser->words[0]);
    if (!number_read(word, UINT32_MAX, &value, &end) || value == 0)
        return fail_here(parser, "not an amount of memory:", word);
    if (strcmp(end, "%") == 0 && value <= 100) {
        service->memory_percent = (unsigned)value;
        return true;
    }
    const char *suffix = *end ? strchr(suffixes, *end) : NULL;
    if (*end && (!suffix || end[1]))
        return fail_here(parser, "not an amount of memory:", word);
    service->memory_bytes = suffix ? value << 10 * (suffix - suffixes + 1) : value;
    return true;
}

static bool limit_take(struct parser *parser, uint64_t *limit) {
    if (*limit)
        return fail_here(parser, "given twice:", parser->words[0]);
    if (!number_take(parser, parser->words[1], UINT32_MAX, limit))
        return false;
    if (*limit == 0)
        return fail(parser, parser->line, "a limit of 0 would let nothing start");
    return true;
}

/* Percents of all CPUs; kept in 1/1024, as job_limit takes it. */
static bool take_cpu(struct parser *parser) {
    const char *word = parser->words[1], *end;
    uint64_t value = 0;
    if (parser->service->share)
        return fail_here(parser, "given twice:", parser->words[0]);
    if (!number_read(word, 100, &value, &end) || value == 0 || strcmp(end, "%") != 0)
        return fail_here(parser, "not 1% to 100%:", word);
    parser->service->share = (unsigned)((value * 1024 + 99) / 100);
    return true;
}

static bool take_objects(struct parser *parser) {
    return limit_take(parser, &parser->service->objects);
}
static bool take_threads(struct parser *parser) {
    return limit_take(parser, &parser->service->threads);
}

static bool link_take(struct parser *parser, bool offers) {
    struct manifest_service *service = parser->service;
    if (!count_check(parser, service->link_count, MANIFEST_LINKS))
        return false;
    struct manifest_link *link = &service->links[service->link_count++];
    link->offers = offers;
    link->line = parser->line;
    return name_take(parser, parser->words[1], link->name);
}

static bool take_offers(struct parser *parser) {
    return link_take(parser, true);
}
static bool take_uses(struct parser *parser) {
    return link_take(parser, false);
}

static bool port_take(struct parser *parser, bool offers) {
    struct manifest_service *service = parser->service;
    if (!count_check(parser, service->port_count, MANIFEST_LINKS))
        return false;
    struct manifest_link *port = &service->ports[service->port_count++];
    port->offers = offers;
    port->line = parser->line;
    return name_take(parser, parser->words[1], port->name);
}

static bool take_serves(struct parser *parser) {
    return port_take(parser, true);
}
static bool take_calls(struct parser *parser) {
    return port_take(parser, false);
}

static bool take_right(struct parser *parser) {
    const char *word = parser->words[1];
    bool network = strcmp(word, "network") == 0;
    if (!network && strcmp(word, "file") != 0)
        return fail_here(parser, "not a right to devices (network, file):", word);
    parser->service->link_rights |= network ? RIGHT_NETWORK : RIGHT_FILE;
    return true;
}

static bool take_restart(struct parser *parser) {
    static const char *const policies[] = {
        [RESTART_NEVER] = "never", [RESTART_ALWAYS] = "always", [RESTART_EXIT] = "exit"};
    struct manifest_service *service = parser->service;
    if (service->restart_given)
        return fail_here(parser, "given twice:", parser->words[0]);
    for (unsigned i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        if (strcmp(parser->words[1], policies[i]) == 0) {
            service->restart = (enum manifest_restart)i;
            return service->restart_given = true;
        }
    }
    return fail_here(parser, "not a restart policy (always, never, exit):", parser->words[1]);
}

static bool take_when(struct parser *parser) {
    const char *word = parser->words[1];
    size_t length = strlen(word);
    if (length >= MANIFEST_NAME || strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-=") != length)
        return fail(parser, parser->line,
                    "\"%.40s\" is not a word of a command line: up to %d of a-z 0-9 - =", word,
                    MANIFEST_NAME - 1);
    memcpy(parser->service->when, word, length + 1);
    return true;
}

struct statement {
    const char *keyword;
    unsigned words; /* behind the keyword */
    bool (*take)(struct parser *parser);
};

static const struct statement statements[] = {
    {"service", 1, take_service},   {"program", 1, take_program},
    {"argument", 1, take_argument}, {"arguments", 1, take_arguments},
    {"ioport", 2, take_ioport},     {"irq", 1, take_irq},
    {"log", 0, take_log},           {"info", 0, take_info},
    {"debug", 0, take_debug},       {"job", 0, take_job},
    {"root", 0, take_root},         {"memory", 1, take_memory},
    {"objects", 1, take_objects},   {"threads", 1, take_threads},
    {"offers", 1, take_offers},     {"uses", 1, take_uses},
    {"restart", 1, take_restart},   {"when", 1, take_when},
    {"realtime", 0, take_realtime}, {"dma", 0, take_dma},
    {"mmio", 2, take_mmio},         {"interrupts", 0, take_interrupts},
    {"boot", 0, take_boot},         {"archive", 0, take_archive},
    {"late", 0, take_late},         {"power", 0, take_power},
    {"serves", 1, take_serves},     {"calls", 1, take_calls},
    {"file", 2, take_file},         {"framebuffer", 0, take_framebuffer},
    {"cpu", 1, take_cpu},           {"right", 1, take_right},
};

static bool statement_take(struct parser *parser) {
    const char *keyword = parser->words[0];
    for (unsigned i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        const struct statement *statement = &statements[i];
        if (strcmp(keyword, statement->keyword) != 0)
            continue;
        if (parser->word_count != statement->words + 1)
            return fail(parser, parser->line, "\"%s\" takes %u word%s, not %u", keyword, statement->words,
                        statement->words == 1 ? "" : "s", parser->word_count - 1);
        if (!parser->service && statement->take != take_service)
            return fail(parser, parser->line, "\"%s\" stands before the first service", keyword);
        return statement->take(parser);
    }
    return fail_here(parser, "unknown word", keyword);
}

/* Cuts the line into words in place; words beyond WORDS_MAX are counted only. By hand: it is most of what
 * reading a manifest costs, and every boot waits for that. */
static void words_cut(struct parser *parser) {
    char *at = parser->text;
    parser->word_count = 0;
    for (;;) {
        while (*at == ' ' || *at == '\t')
            *at++ = 0;
        if (!*at)
            return;
        if (parser->word_count < WORDS_MAX)
            parser->words[parser->word_count] = at;
        parser->word_count++;
        while (*at && *at != ' ' && *at != '\t')
            at++;
    }
}

static bool line_take(struct parser *parser, const char *text, size_t length) {
    if (length > LINE_MAX_BYTES)
        return fail(parser, parser->line, "line of %zu bytes; the longest may have %d", length,
                    LINE_MAX_BYTES);
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
            return fail(parser, parser->line, "control character 0x%02x at column %zu",
                        (unsigned char)text[i], i + 1);
    memcpy(parser->text, text, length);
    parser->text[length] = 0;
    words_cut(parser);
    if (parser->word_count == 0 || parser->words[0][0] == '#')
        return true;
    return statement_take(parser);
}

/* How many services have the given end of a link. */
static unsigned link_ends(const struct manifest *manifest, const char *name, bool offers) {
    unsigned count = 0;
    for (unsigned i = 0; i < manifest->count; i++)
        for (unsigned k = 0; k < manifest->services[i].link_count; k++)
            if (manifest->services[i].links[k].offers == offers &&
                strcmp(manifest->services[i].links[k].name, name) == 0)
                count++;
    return count;
}

static bool link_check(struct parser *parser, const struct manifest_link *link) {
    const struct manifest *manifest = parser->manifest;
    if (link_ends(manifest, link->name, true) == 0)
        return fail(parser, link->line, "no service offers \"%s\"", link->name);
    if (link_ends(manifest, link->name, link->offers) > 1)
        return fail(parser, link->line, "\"%s\" is %s by more than one service", link->name,
                    link->offers ? "offered" : "used");
    return true;
}

/* A port has one service behind it, and any number of callers. */
static unsigned port_ends(const struct manifest *manifest, const char *name) {
    unsigned count = 0;
    for (unsigned i = 0; i < manifest->count; i++)
        for (unsigned k = 0; k < manifest->services[i].port_count; k++)
            if (manifest->services[i].ports[k].offers &&
                strcmp(manifest->services[i].ports[k].name, name) == 0)
                count++;
    return count;
}

static bool port_check(struct parser *parser, const struct manifest_link *port) {
    unsigned servers = port_ends(parser->manifest, port->name);
    if (servers == 0)
        return fail(parser, port->line, "no service serves \"%s\"", port->name);
    if (servers > 1)
        return fail(parser, port->line, "\"%s\" is served by more than one service", port->name);
    return true;
}

static bool services_check(struct parser *parser) {
    const struct manifest *manifest = parser->manifest;
    unsigned exits = 0;
    if (manifest->count == 0)
        return fail(parser, parser->line, "no service");
    for (unsigned i = 0; i < manifest->count; i++) {
        const struct manifest_service *service = &manifest->services[i];
        if (!service->program[0])
            return fail(parser, service->line, "service \"%s\" has no program", service->name);
        if (service->restart == RESTART_EXIT && ++exits > 1)
            return fail(parser, service->line, "service \"%s\" is the second with restart exit",
                        service->name);
        for (unsigned k = 0; k < service->link_count; k++)
            if (!link_check(parser, &service->links[k]))
                return false;
        for (unsigned k = 0; k < service->port_count; k++)
            if (!port_check(parser, &service->ports[k]))
                return false;
    }
    return true;
}

bool manifest_parse(struct manifest *manifest, const char *text, size_t length) {
    struct parser parser = {.manifest = manifest};
    memset(manifest, 0, sizeof *manifest);
    size_t at = 0;
    while (at < length) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t line = end ? (size_t)(end - (text + at)) : length - at;
        parser.line++;
        if (!line_take(&parser, text + at, line))
            return false;
        at += line + 1;
    }
    return services_check(&parser);
}
