/* sources: kernel/text.c
 */
/* The kernel's formatter: every conversion it has, and texts that do not fit. */
#include "kernel/text.h"

#include <string.h>

#include "tests/unit/check.h"

static char text[64];

__attribute__((format(printf, 2, 3))) static size_t format(size_t size, const char *how, ...) {
    va_list arguments;
    va_start(arguments, how);
    size_t length = text_format(text, size, how, arguments);
    va_end(arguments);
    return length;
}

TEST(numbers_and_texts) {
    CHECK_EQ(format(sizeof(text), "%u %x %lu %lx %s.", 0u, 0xdeadbeefu, UINT64_MAX, UINT64_MAX, "ab"), 52);
    CHECK(!strcmp(text, "0 deadbeef 18446744073709551615 ffffffffffffffff ab."));
}

TEST(arguments_on_the_stack) {
    CHECK_EQ(format(sizeof(text), "%u%u%u%u%u%u%x%s", 1u, 2u, 3u, 4u, 5u, UINT32_MAX, 10u, ""), 16);
    CHECK(!strcmp(text, "123454294967295a"));
}

TEST(what_does_not_fit_is_left_out) {
    CHECK_EQ(format(1, "%u", 7u), 0);
    CHECK(!strcmp(text, ""));
    CHECK_EQ(format(5, "ab%lu", 12345UL), 4);
    CHECK(!strcmp(text, "ab12"));
}

TEST_MAIN();
