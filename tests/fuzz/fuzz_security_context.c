/* sources: linux/task/security_context.c lib/base/format.c */
/*
 * Parses arbitrary bytes as a security context. One that is taken must not have grown, must lie in its parts
 * as they are noted, and must be shown as it is when it is parsed again.
 */
#include "linux/task/security_context.h"

#include <stdlib.h>
#include <string.h>

#include "linux/heap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void *heap_zalloc(size_t size) {
    return calloc(1, size);
}

void heap_free(void *pointer) {
    free(pointer);
}

static void check(bool condition) {
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct security_context *context, *again;
    if (security_context_parse((const char *)data, size, &context))
        return 0;
    const char *text = context->text;
    check(context->length == strlen(text) && context->length <= size);
    check(context->role > 1 && context->role + 1 < context->type && context->type + 1 < context->range);
    check(text[context->role - 1] == ':' && text[context->type - 1] == ':' && text[context->range] == 's');
    check(!memcmp(text, data, context->range));
    check(context->low.sensitivity <= context->high.sensitivity);
    for (unsigned i = 0; i < SECURITY_CATEGORIES / 64; i++)
        check(!(context->low.categories[i] & ~context->high.categories[i]));
    check(!security_context_parse(text, context->length, &again));
    check(security_context_equal(context, again) && security_context_same_type(context, again));
    check(!memcmp(context->low.categories, again->low.categories, sizeof(again->low.categories)));
    check(!memcmp(context->high.categories, again->high.categories, sizeof(again->high.categories)));
    security_context_put(again);
    security_context_put(context);
    return 0;
}
