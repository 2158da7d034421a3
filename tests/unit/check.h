/*
 * The unit tests' checks. A test program is TEST functions and a last line TEST_MAIN(); each test that ran
 * through prints "ok name", the first check that fails prints where and what and ends the program with
 * status 1. With KEEL_SEED in the environment, rand() gives other numbers than in every other run.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};

static struct test *tests_first, **tests_last = &tests_first;

#define TEST(test_name)                                                                                      \
    static void test_##test_name(void);                                                                      \
    __attribute__((constructor)) static void register_##test_name(void) {                                    \
        static struct test test = {.name = #test_name, .run = test_##test_name};                             \
        *tests_last = &test;                                                                                 \
        tests_last = &test.next;                                                                             \
    }                                                                                                        \
    static void test_##test_name(void)

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                        \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

/* Compares two integers. */
#define CHECK_EQ(left, right)                                                                                \
    do {                                                                                                     \
        long long left_ = (long long)(left), right_ = (long long)(right);                                    \
        if (left_ != right_) {                                                                               \
            fprintf(stderr, "%s:%d: %s is %lld (0x%llx), not %s = %lld (0x%llx)\n", __FILE__, __LINE__,      \
                    #left, left_, left_, #right, right_, right_);                                            \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

__attribute__((constructor)) static void random_seed(void) {
    const char *seed = getenv("KEEL_SEED");
    if (seed)
        srand((unsigned)atoi(seed));
}

#define TEST_MAIN()                                                                                          \
    int main(void) {                                                                                         \
        for (struct test *test = tests_first; test; test = test->next) {                                     \
            test->run();                                                                                     \
            printf("ok %s\n", test->name);                                                                   \
        }                                                                                                    \
        return 0;                                                                                            \
    }                                                                                                        \
    _Static_assert(1, "end")
