/*
 * Checks for native test programs (dtest, rtest, ksched): a table of tests, each of which prints "ok NAME" or
 * "not ok NAME: line N: what" lines to the log. ktest, whose tests run twice, has ktest.h.
 */
#pragma once

#include <stdbool.h>

#include "lib/native/keel.h"

struct test {
    const char *name;
    void (*run)(void);
};

/* Says in the log what is not so, and counts it. */
#define CHECK(condition) check(__LINE__, #condition, condition)
void check(int line, const char *what, bool good);

/* Runs one test: checks before the first are those of "start". */
void check_run(const struct test *test);

/* From here on, what is not so is reported ("differs: ...") and not counted. */
void check_only_report(void);

/* Logs how many checks failed. Returns the program's exit status. */
int check_end(void);
