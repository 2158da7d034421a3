/* See security_context.h. The text comes from programs: it is read by a cursor that never passes its end. */
#include "linux/task/security_context.h"

#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/heap.h"

/* ---- reading ---- */

struct reader {
    const char *at, *end;
};

static bool take(struct reader *reader, char expected) {
    if (reader->at == reader->end || *reader->at != expected)
        return false;
    reader->at++;
    return true;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A name and the colon behind it. */
static bool name_take(struct reader *reader) {
    if (reader->at == reader->end || !is_letter(*reader->at))
        return false;
    while (reader->at < reader->end && (is_letter(*reader->at) || is_digit(*reader->at) ||
                                        *reader->at == '_' || *reader->at == '-' || *reader->at == '.'))
        reader->at++;
    return take(reader, ':');
}

/* A letter and a number below limit. Leading zeros would be another name for the same thing. */
static bool number_take(struct reader *reader, char letter, uint32_t limit, uint32_t *number) {
    if (!take(reader, letter))
        return false;
    const char *start = reader->at;
    uint32_t value = 0;
    for (; reader->at < reader->end && is_digit(*reader->at); reader->at++) {
        value = value * 10 + (uint32_t)(*reader->at - '0');
        if (value >= limit)
            return false;
    }
    *number = value;
    return reader->at == start + 1 || (reader->at > start && *start != '0');
}

static bool categories_take(struct reader *reader, struct security_level *level) {
    do {
        uint32_t first, last;
        if (!number_take(reader, 'c', SECURITY_CATEGORIES, &first))
            return false;
        last = first;
        if (take(reader, '.') && (!number_take(reader, 'c', SECURITY_CATEGORIES, &last) || last <= first))
            return false;
        for (uint32_t i = first; i <= last; i++)
            level->categories[i / 64] |= 1ULL << i % 64;
    } while (take(reader, ','));
    return true;
}

static bool level_take(struct reader *reader, struct security_level *level) {
    return number_take(reader, 's', SECURITY_SENSITIVITIES, &level->sensitivity) &&
           (!take(reader, ':') || categories_take(reader, level));
}

static bool dominates(const struct security_level *high, const struct security_level *low) {
    bool all = high->sensitivity >= low->sensitivity;
    for (unsigned i = 0; i < SECURITY_CATEGORIES / 64; i++)
        all = all && !(low->categories[i] & ~high->categories[i]);
    return all;
}

static bool range_take(struct reader *reader, struct security_context *context) {
    if (!level_take(reader, &context->low))
        return false;
    if (!take(reader, '-'))
        context->high = context->low;
    else if (!level_take(reader, &context->high))
        return false;
    return reader->at == reader->end && dominates(&context->high, &context->low);
}

static bool context_take(struct reader reader, struct security_context *context) {
    const char *start = reader.at;
    if (!name_take(&reader))
        return false;
    context->role = (uint32_t)(reader.at - start);
    if (!name_take(&reader))
        return false;
    context->type = (uint32_t)(reader.at - start);
    if (!name_take(&reader))
        return false;
    context->range = (uint32_t)(reader.at - start);
    return range_take(&reader, context);
}

/* ---- writing ---- */

/* All of a range is made of such pieces: a separator, a letter, a number. */
static void piece_put(struct security_context *context, size_t size, const char *begin, uint32_t number) {
    context->length +=
        (uint32_t)format_text(context->text + context->length, size - context->length, "%s%u", begin, number);
}

static bool has(const struct security_level *level, uint32_t category) {
    return category < SECURITY_CATEGORIES && level->categories[category / 64] >> category % 64 & 1;
}

static void level_put(struct security_context *context, size_t size, const char *begin,
                      const struct security_level *level) {
    piece_put(context, size, begin, level->sensitivity);
    begin = ":c";
    for (uint32_t first = 0; first < SECURITY_CATEGORIES; first++) {
        if (!has(level, first))
            continue;
        uint32_t last = first;
        while (has(level, last + 1))
            last++;
        piece_put(context, size, begin, first);
        if (last > first)
            piece_put(context, size, last == first + 1 ? ",c" : ".c", last);
        first = last;
        begin = ",c";
    }
}

/* ---- contexts ---- */

int security_context_parse(const char *text, size_t length, struct security_context **parsed) {
    if (length > SECURITY_TEXT_MOST)
        return -EINVAL;
    size_t size = length + 1;
    struct security_context *context = heap_zalloc(sizeof(*context) + size);
    if (!context)
        return -ENOMEM;
    if (!context_take((struct reader){text, text + length}, context)) {
        heap_free(context);
        return -EINVAL;
    }
    context->references = 1;
    context->length = context->range - 1;
    memcpy(context->text, text, context->length);
    level_put(context, size, ":s", &context->low);
    if (!dominates(&context->low, &context->high)) /* the other way round it does */
        level_put(context, size, "-s", &context->high);
    *parsed = context;
    return 0;
}

struct security_context *security_context_get(struct security_context *context) {
    if (context)
        atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void security_context_put(struct security_context *context) {
    if (context && atomic_fetch_sub(&context->references, 1) == 1)
        heap_free(context);
}

bool security_context_equal(const struct security_context *left, const struct security_context *right) {
    return !strcmp(left->text, right->text);
}

bool security_context_same_type(const struct security_context *left, const struct security_context *right) {
    uint32_t length = left->range - left->type; /* the colon behind it included */
    return length == right->range - right->type &&
           !memcmp(left->text + left->type, right->text + right->type, length);
}
