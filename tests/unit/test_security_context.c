/* sources: linux/task/security_context.c lib/base/format.c */
/* The parser of security contexts: which texts it takes, how it shows them, and what it understood. */
#include "linux/task/security_context.h"

#include <errno.h>
#include <string.h>

#include "linux/heap.h"
#include "tests/unit/check.h"

static bool no_memory;

void *heap_zalloc(size_t size) {
    return no_memory ? NULL : calloc(1, size);
}

void heap_free(void *pointer) {
    free(pointer);
}

/* Parses a copy that ends where the text ends, so that reading on is seen. */
static int parse(const char *text, size_t length, struct security_context **context) {
    char *copy = malloc(length ? length : 1);
    memcpy(copy, text, length);
    int error = security_context_parse(copy, length, context);
    free(copy);
    return error;
}

static struct security_context *made(const char *text) {
    struct security_context *context = NULL;
    CHECK_EQ(parse(text, strlen(text), &context), 0);
    return context;
}

static void check_shown(const char *text, const char *shown) {
    struct security_context *context = made(text);
    CHECK(!strcmp(context->text, shown));
    CHECK_EQ(context->length, strlen(shown));
    security_context_put(context);
    if (strcmp(text, shown) != 0)
        check_shown(shown, shown);
}

TEST(as_it_is_shown) {
    check_shown("system_u:system_r:kernel_t:s0", "system_u:system_r:kernel_t:s0");
    check_shown("u:r:t:s0-s15:c0.c1023", "u:r:t:s0-s15:c0.c1023");
    check_shown("u:r:t:s0:c1,c5.c9", "u:r:t:s0:c1,c5.c9");
    check_shown("A-1:b_2:c.d.e-f:s15-s15", "A-1:b_2:c.d.e-f:s15");
    check_shown("u:r:t:s0:c1,c2", "u:r:t:s0:c1,c2");
    check_shown("u:r:t:s0:c1.c2", "u:r:t:s0:c1,c2");
    check_shown("u:r:t:s0:c3,c1,c2", "u:r:t:s0:c1.c3");
    check_shown("u:r:t:s0:c0.c9,c5,c10.c20,c22", "u:r:t:s0:c0.c20,c22");
    check_shown("u:r:t:s0:c63,c64,c1022,c1023", "u:r:t:s0:c63,c64,c1022,c1023");
    check_shown("u:r:t:s1:c1-s1:c1", "u:r:t:s1:c1");
    check_shown("u:r:t:s1:c1-s1:c1,c2", "u:r:t:s1:c1-s1:c1,c2");
    check_shown("u:r:t:s1-s2", "u:r:t:s1-s2");
}

TEST(what_is_no_context) {
    static const char *const texts[] = {
        "",
        "u",
        "u:r:t",
        "u:r:t:",
        "u:r:t:s",
        "u:r:t:s16",
        "u:r:t:s00",
        "u:r:t:s01",
        "u:r:t:S0",
        "u:r:t:c0",
        "u:r:t:s0 ",
        "u:r:t:s0:",
        "u:r:t:s0:c",
        "u:r:t:s0:x",
        "u:r:t:s0:,",
        "u:r:t:s0:c1,",
        "u:r:t:s0:c1.",
        "u:r:t:s0:c01",
        ":r:t:s0",
        "u::t:s0",
        "u:r::s0",
        "u:r:t:x:s0",
        "u:r:t:s0:c1.c1",
        "u:r:t:s0:c2.c1",
        "1u:r:t:s0",
        "_u:r:t:s0",
        "-u:r:t:s0",
        ".u:r:t:s0",
        "u:r:t:s0:c1024",
        "u:r:t:s0:c1.c1024",
        "u r:r:t:s0",
        "u:r:t@h:s0",
        "u:r:t:s0-",
        "u:r:t:-s0",
        "u:r:t:s0-s1-s2",
        "u:r:t:s0:c1.c2.c3",
        "u:r:t:s1-s0",
        "u:r:t:s0:c1-s1",
        "u:r:t:s0:c1,c2-s1:c1,c3",
        "u:r:t:s4294967296",
        "u:r:t:s0:c4294967297",
    };
    struct security_context *context = NULL;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        CHECK_EQ(parse(texts[i], strlen(texts[i]), &context), -EINVAL);
    CHECK_EQ(parse("u:r:t:s0\0", 9, &context), -EINVAL);
    CHECK_EQ(parse("u:r:t:s0\n", 9, &context), -EINVAL);
    CHECK_EQ(parse("u:r\xff:t:s0", 9, &context), -EINVAL);
    CHECK(!context);
}

TEST(without_memory) {
    struct security_context *context = NULL;
    no_memory = true;
    CHECK_EQ(parse("u:r:t:s0", 8, &context), -ENOMEM);
    no_memory = false;
    CHECK(!context);
}

TEST(what_was_understood) {
    struct security_context *context = made("user:role:type:s2:c0,c63.c65-s7:c0.c1023");
    CHECK(!strcmp(context->text + context->role, "role:type:s2:c0,c63.c65-s7:c0.c1023"));
    CHECK(!strcmp(context->text + context->type, "type:s2:c0,c63.c65-s7:c0.c1023"));
    CHECK(!strcmp(context->text + context->range, "s2:c0,c63.c65-s7:c0.c1023"));
    CHECK_EQ(context->low.sensitivity, 2);
    CHECK_EQ(context->high.sensitivity, 7);
    CHECK(context->low.categories[0] == (1ULL << 63 | 1) && context->low.categories[1] == 3);
    for (unsigned i = 0; i < SECURITY_CATEGORIES / 64; i++) {
        CHECK(context->high.categories[i] == UINT64_MAX);
        CHECK(i < 2 || !context->low.categories[i]);
    }
    security_context_put(context);
    context = made("u:r:t:s4:c2");
    CHECK(context->high.sensitivity == 4 && context->high.categories[0] == 4);
    security_context_put(context);
}

TEST(the_longest) {
    char text[SECURITY_TEXT_MOST + 2];
    struct security_context *context = NULL;
    memset(text, 'a', sizeof(text));
    memcpy(text + SECURITY_TEXT_MOST - 7, ":r:t:s0", 7);
    CHECK_EQ(parse(text, SECURITY_TEXT_MOST, &context), 0);
    CHECK_EQ(context->length, SECURITY_TEXT_MOST);
    security_context_put(context);
    memcpy(text + SECURITY_TEXT_MOST - 6, ":r:t:s0", 7);
    CHECK_EQ(parse(text, SECURITY_TEXT_MOST + 1, &context), -EINVAL);
}

TEST(every_second_category) { /* the most text that one level can be */
    char text[4096] = "u:r:t:s0";
    size_t length = strlen(text);
    for (unsigned i = 1; i < SECURITY_CATEGORIES; i += 2)
        length += (size_t)sprintf(text + length, "%cc%u", i == 1 ? ':' : ',', i);
    check_shown(text, text);
}

TEST(comparing) {
    struct security_context *one = made("u:r:t:s0-s0"), *same = made("u:r:t:s0"), *level = made("u:r:t:s1"),
                            *type = made("u:r:ty:s0"), *moved = made("us:r:t:s0");
    CHECK(security_context_equal(one, same) && security_context_same_type(one, same));
    CHECK(!security_context_equal(one, level) && security_context_same_type(one, level));
    CHECK(!security_context_equal(one, type) && !security_context_same_type(one, type));
    CHECK(!security_context_same_type(type, one));
    CHECK(!security_context_equal(one, moved) && security_context_same_type(one, moved));
    security_context_put(one);
    security_context_put(same);
    security_context_put(level);
    security_context_put(type);
    security_context_put(moved);
}

TEST(references) {
    struct security_context *context = made("u:r:t:s0");
    CHECK(security_context_get(context) == context);
    security_context_put(context);
    CHECK(!strcmp(context->text, "u:r:t:s0"));
    security_context_put(context); /* the address sanitizer sees when it is kept, or gone too soon */
    CHECK(!security_context_get(NULL));
    security_context_put(NULL);
}

TEST_MAIN();
