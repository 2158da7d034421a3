/*
 * Security contexts as SELinux writes them: who (user and role), what kind (type), and how secret (a range of
 * levels; one level stands for the range from itself to itself).
 *
 *     system_u:system_r:kernel_t:s0-s15:c0.c9,c12
 *     user     role     type     low-high
 *
 * A name is a letter followed by letters, digits, '_', '-' and '.'. A level is a sensitivity, s0 to s15, and
 * may have categories behind a colon: c0 to c1023, single ones and ranges of them. The high level must have
 * at least the sensitivity and all the categories of the low one. These are the numbers of the policies that
 * distributions ship; which names exist, and which of them go together, is a policy's to say.
 *
 * A context never changes, so tasks share it by counting references.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SECURITY_SENSITIVITIES = 16,
    SECURITY_CATEGORIES = 1024,
    SECURITY_TEXT_MOST = 4094, /* with a newline and a 0 it is a page, the most that Linux takes in a write */
};

struct security_level {
    uint32_t sensitivity;
    uint64_t categories[SECURITY_CATEGORIES / 64]; /* a bit each */
};

struct security_context {
    _Atomic uint32_t references;
    uint32_t length;            /* of text, without its 0 */
    uint32_t role, type, range; /* where they begin in text */
    struct security_level low, high;
    /* As it is shown: categories in ascending order, three and more in a row as a range, the high level only
     * when it differs. Never longer than what was parsed. */
    char text[];
};

/* Makes a context of a text, which need not end in a 0, with one reference. 0, -ENOMEM, or -EINVAL: the text
 * is not well-formed. */
int security_context_parse(const char *text, size_t length, struct security_context **parsed);

/* Another reference; NULL stays NULL. */
struct security_context *security_context_get(struct security_context *context);
/* Drops one, the last frees it; NULL is allowed. */
void security_context_put(struct security_context *context);

bool security_context_equal(const struct security_context *left, const struct security_context *right);
bool security_context_same_type(const struct security_context *left, const struct security_context *right);
