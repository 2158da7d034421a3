/* See options.h. */
#include "linux/options.h"

#include "abi/errors.h"
#include "lib/base/string.h"

/* What a program finds when no --env sets it. */
static const char *const default_environment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "TERM=linux",
};
enum { DEFAULTS = sizeof(default_environment) / sizeof(default_environment[0]) };

/* What follows a prefix, or NULL. */
static const char *after(const char *text, const char *prefix) {
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) ? NULL : text + length;
}

/* A decimal number up to `end`; false when there is none or it is too large. */
static bool number_read(const char **text, uint64_t most, uint64_t *number) {
    const char *start = *text;
    uint64_t value = 0;
    while (**text >= '0' && **text <= '9') {
        uint64_t digit = (uint64_t)(*(*text)++ - '0');
        if (digit > most || value > (most - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return *text > start;
}

static bool winsize_read(struct options *options, const char *text) {
    uint64_t rows, columns;
    if (!number_read(&text, UINT16_MAX, &rows) || *text++ != 'x' ||
        !number_read(&text, UINT16_MAX, &columns) || *text)
        return false;
    options->rows = (uint16_t)rows;
    options->columns = (uint16_t)columns;
    return true;
}

static bool same_name(const char *left, const char *right) {
    const char *end = strchr(left, '=');
    return end && !strncmp(left, right, (size_t)(end - left) + 1);
}

/* The last setting of a name counts; the place of the first stays. */
static bool is_set_later(const char *setting, uint64_t count, char *const *texts) {
    for (uint64_t i = 0; i < count && strcmp(texts[i], "--") != 0; i++) {
        const char *other = after(texts[i], "--env=");
        if (other && same_name(setting, other))
            return true;
    }
    return false;
}

static int environment_read(struct options *options, uint64_t count, char *const *texts) {
    int error = 0;
    for (unsigned i = 0; i < DEFAULTS && !error; i++)
        if (!is_set_later(default_environment[i], count, texts))
            error = string_list_add(&options->environment, default_environment[i],
                                    strlen(default_environment[i]));
    for (uint64_t i = 0; i < count && strcmp(texts[i], "--") != 0 && !error; i++) {
        const char *setting = after(texts[i], "--env=");
        if (setting && !is_set_later(setting, count - i - 1, texts + i + 1))
            error = string_list_add(&options->environment, setting, strlen(setting));
    }
    return error;
}

/* Running out of memory here looks like a context that is wrong: nothing has been started yet. */
static bool context_read(struct options *options, const char *text) {
    struct security_context *context;
    if (security_context_parse(text, strlen(text), &context))
        return false;
    security_context_put(options->context);
    options->context = context;
    return true;
}

static bool option_read(struct options *options, const char *text) {
    const char *value;
    if (!strcmp(text, "--tty"))
        return options->tty = true;
    if (!strcmp(text, "--stream"))
        return !(options->tty = false);
    if ((value = after(text, "--winsize=")))
        return winsize_read(options, value);
    if ((value = after(text, "--env=")))
        return strchr(value, '=') && *value != '=';
    if ((value = after(text, "--root-offset=")))
        return number_read(&value, UINT64_MAX, &options->root_offset) && !*value;
    if ((value = after(text, "--framebuffer="))) {
        options->framebuffer = value;
        return true;
    }
    if ((value = after(text, "--context=")))
        return context_read(options, value);
    if ((value = after(text, "--isolation="))) {
        options->appliance = !strcmp(value, "appliance");
        return options->appliance || !strcmp(value, "process");
    }
    return false;
}

static int program_read(struct options *options, uint64_t count, char *const *texts) {
    int error = 0;
    options->login = !count;
    options->program = count ? texts[0] : "/bin/sh";
    if (!count)
        return string_list_add(&options->arguments, "-sh", 3);
    for (uint64_t i = 0; i < count && !error; i++)
        error = string_list_add(&options->arguments, texts[i], strlen(texts[i]));
    return error;
}

int options_read(struct options *options, uint64_t count, char *const *texts, const char **wrong) {
    uint64_t i = 1;
    *options = (struct options){.tty = true, .rows = 24, .columns = 80};
    int error = security_context_parse(SECURITY_FIRST, sizeof(SECURITY_FIRST) - 1, &options->context);
    for (; !error && i < count && strcmp(texts[i], "--") != 0; i++) {
        if (option_read(options, texts[i]))
            continue;
        *wrong = texts[i];
        return -EINVAL;
    }
    if (!error)
        error =
            count > 1 ? environment_read(options, count - 1, texts + 1) : environment_read(options, 0, texts);
    if (!error)
        error =
            i < count ? program_read(options, count - i - 1, texts + i + 1) : program_read(options, 0, texts);
    return error;
}

const char *environment_find(const struct string_list *environment, const char *name) {
    const char *text = environment->bytes;
    size_t length = strlen(name);
    for (uint32_t i = 0; i < environment->count; i++) {
        if (!strncmp(text, name, length) && text[length] == '=')
            return text + length + 1;
        text += strlen(text) + 1;
    }
    return NULL;
}
